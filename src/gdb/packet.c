/* SPDX-License-Identifier: BSD-2-Clause */
#include "gdb/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define INTERRUPT 0x03
#define ESCAPE	  '}'
/* An escaped byte is sent with this bit inverted. */
#define ESCAPED 0x20

static int digit(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	return -1;
}

static void begin(struct gdb_parser *parser)
{
	parser->state = GDB_IN_DATA;
	parser->damaged = false;
	parser->sum = 0;
	parser->size = 0;
}

static enum gdb_input between(struct gdb_parser *parser, uint8_t byte)
{
	switch (byte) {
	case '$':
		begin(parser);
		return GDB_INPUT_NONE;
	case '+':
		return GDB_INPUT_ACK;
	case '-':
		return GDB_INPUT_NAK;
	case INTERRUPT:
		return GDB_INPUT_INTERRUPT;
	default:
		return GDB_INPUT_NONE;
	}
}

static void append(struct gdb_parser *parser, uint8_t byte)
{
	if (parser->size < GDB_PACKET_MAX)
		parser->data[parser->size++] = (char)byte;
	else
		parser->damaged = true;
}

static enum gdb_input finish(struct gdb_parser *parser, uint8_t byte, bool check)
{
	const int low = digit((char)byte), high = digit((char)parser->stated);

	parser->state = GDB_BETWEEN;
	parser->data[parser->size] = 0;
	if (check && (low < 0 || high < 0 || (high << 4 | low) != parser->sum))
		return GDB_INPUT_DAMAGED;
	return parser->damaged ? GDB_INPUT_DAMAGED : GDB_INPUT_PACKET;
}

enum gdb_input gdb_packet_take(struct gdb_parser *parser, uint8_t byte, bool check)
{
	switch (parser->state) {
	case GDB_BETWEEN:
		return between(parser, byte);
	case GDB_IN_DATA:
		if (byte == '#') {
			parser->state = GDB_IN_CHECKSUM_1;
			break;
		}
		/* The client has started another packet. */
		if (byte == '$') {
			begin(parser);
			break;
		}
		parser->sum = (uint8_t)(parser->sum + byte);
		if (byte == ESCAPE)
			parser->state = GDB_IN_ESCAPE;
		else
			append(parser, byte);
		break;
	case GDB_IN_ESCAPE:
		parser->sum = (uint8_t)(parser->sum + byte);
		append(parser, byte ^ ESCAPED);
		parser->state = GDB_IN_DATA;
		break;
	case GDB_IN_CHECKSUM_1:
		parser->stated = byte;
		parser->state = GDB_IN_CHECKSUM_2;
		break;
	case GDB_IN_CHECKSUM_2:
		return finish(parser, byte, check);
	}
	return GDB_INPUT_NONE;
}

void gdb_reply_clear(struct gdb_reply *reply)
{
	reply->size = 0;
	reply->overflow = false;
}

static void put(struct gdb_reply *reply, const char *data, size_t size)
{
	if (size > sizeof(reply->data) - reply->size) {
		reply->overflow = true;
		return;
	}
	memcpy(reply->data + reply->size, data, size);
	reply->size += size;
}

void gdb_reply_text(struct gdb_reply *reply, const char *text)
{
	put(reply, text, strlen(text));
}

void gdb_reply_format(struct gdb_reply *reply, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	gdb_reply_text(reply, text);
}

void gdb_reply_hex(struct gdb_reply *reply, const void *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) {
		const char pair[] = {digits[bytes[i] >> 4], digits[bytes[i] & 0xf]};

		put(reply, pair, sizeof(pair));
	}
}

size_t gdb_reply_binary(struct gdb_reply *reply, const void *data, size_t size)
{
	const char *bytes = data;
	size_t done;

	for (done = 0; done < size; done++) {
		const char byte = bytes[done];
		const char pair[] = {ESCAPE, (char)(byte ^ ESCAPED)};
		/* Special characters of the protocol; `*` starts a run length. */
		const bool escaped = byte == '$' || byte == '#' || byte == ESCAPE || byte == '*';

		if (reply->size + sizeof(pair) > sizeof(reply->data))
			break;
		put(reply, escaped ? pair : &byte, escaped ? sizeof(pair) : 1);
	}
	return done;
}

void gdb_reply_error(struct gdb_reply *reply, int error)
{
	gdb_reply_clear(reply);
	gdb_reply_format(reply, "E%02x", (error < 0 ? -error : error) & 0xff);
}

size_t gdb_packet_frame(const struct gdb_reply *reply, char *frame)
{
	uint8_t sum = 0;
	char tail[4];

	for (size_t i = 0; i < reply->size; i++)
		sum = (uint8_t)(sum + (uint8_t)reply->data[i]);
	snprintf(tail, sizeof(tail), "#%02x", sum);
	frame[0] = '$';
	memcpy(frame + 1, reply->data, reply->size);
	memcpy(frame + 1 + reply->size, tail, 3);
	return reply->size + 4;
}

bool gdb_text_number(struct gdb_text *text, uint64_t *value)
{
	unsigned int digits;

	*value = 0;
	for (digits = 0; text->next < text->end && digit(*text->next) >= 0; digits++) {
		if (digits == 16)
			return false;
		*value = *value << 4 | (unsigned int)digit(*text->next++);
	}
	return digits > 0;
}

bool gdb_text_skip(struct gdb_text *text, char character)
{
	if (text->next == text->end || *text->next != character)
		return false;
	text->next++;
	return true;
}

bool gdb_text_skip_word(struct gdb_text *text, const char *word)
{
	const size_t size = strlen(word);

	if (gdb_text_left(text) < size || memcmp(text->next, word, size) != 0)
		return false;
	text->next += size;
	return true;
}

bool gdb_text_hex(struct gdb_text *text, void *data, size_t size)
{
	uint8_t *bytes = data;

	if (gdb_text_left(text) / 2 < size)
		return false;
	for (size_t i = 0; i < size; i++) {
		const int high = digit(text->next[0]), low = digit(text->next[1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
		text->next += 2;
	}
	return true;
}
