/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of the GDB remote serial protocol (GDB's manual, "Overview"): `$data#cc`. */
#ifndef GDB_PACKET_H
#define GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limit of a packet's data in bytes: of a received one without escapes, of a reply with them. */
#define GDB_PACKET_MAX 0x4000u

enum gdb_input {
	GDB_INPUT_NONE,	     /* more bytes are needed */
	GDB_INPUT_PACKET,    /* parser.data has one; valid until the next byte */
	GDB_INPUT_INTERRUPT, /* Ctrl-C: byte 0x03 between packets */
	GDB_INPUT_ACK,	     /* the last packet has arrived */
	GDB_INPUT_NAK,	     /* send the last packet again */
	GDB_INPUT_DAMAGED,   /* a packet with a wrong checksum, or too long */
};

enum gdb_parser_state {
	GDB_BETWEEN,
	GDB_IN_DATA,
	GDB_IN_ESCAPE,
	GDB_IN_CHECKSUM_1,
	GDB_IN_CHECKSUM_2,
};

struct gdb_parser {
	enum gdb_parser_state state;
	bool damaged;
	uint8_t sum;
	uint8_t stated; /* upper digit of the checksum in the packet */
	size_t size;
	char data[GDB_PACKET_MAX + 1]; /* a 0 follows the data */
};

/* Parses one byte. @check: verify the checksum (false in no-acknowledgement mode). */
enum gdb_input gdb_packet_take(struct gdb_parser *parser, uint8_t byte, bool check);

/*
 * Data of a packet to send. gdb_reply_text(), _format() and _hex() set `overflow` if the data does
 * not fit; it is then incomplete. gdb_reply_format() cuts its text at 255 characters.
 */
struct gdb_reply {
	size_t size;
	bool overflow;
	char data[GDB_PACKET_MAX];
};

void gdb_reply_clear(struct gdb_reply *reply);
void gdb_reply_text(struct gdb_reply *reply, const char *text);
void gdb_reply_format(struct gdb_reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void gdb_reply_hex(struct gdb_reply *reply, const void *data, size_t size);
/* Appends bytes in binary, with escapes. Returns: the number appended. */
size_t gdb_reply_binary(struct gdb_reply *reply, const void *data, size_t size);
/* Replaces the reply by `E` and an errno value. */
void gdb_reply_error(struct gdb_reply *reply, int error);

#define GDB_FRAME_MAX (GDB_PACKET_MAX + 4u)
/* Writes `$data#cc` to @frame[GDB_FRAME_MAX]. Returns: its size. */
size_t gdb_packet_frame(const struct gdb_reply *reply, char *frame);

/* The part of a packet that has not been read yet. */
struct gdb_text {
	const char *next;
	const char *end;
};

/* Reads a hexadecimal number of 1 to 16 digits. False: there is none, or it is longer. */
bool gdb_text_number(struct gdb_text *text, uint64_t *value);
/* Skips @character, if it is next. */
bool gdb_text_skip(struct gdb_text *text, char character);
bool gdb_text_skip_word(struct gdb_text *text, const char *word);
/* Reads exactly @size bytes as hexadecimal digits. */
bool gdb_text_hex(struct gdb_text *text, void *data, size_t size);
static inline size_t gdb_text_left(const struct gdb_text *text)
{
	return (size_t)(text->end - text->next);
}

#endif
