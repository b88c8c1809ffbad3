/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of a saved state: writing, and reading from untrusted bytes. */
#include <errno.h>
#include <string.h>

#include "core/state/state.h"

#define RECORD_MAX (16u << 20) /* no payload is larger */

/* CRC-32 of IEEE 802.3, bit by bit: only saved states have one. */
uint32_t state_crc(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *byte = data;

	crc = ~crc;
	for (size_t i = 0; i < size; i++) {
		crc ^= byte[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void put(struct state_writer *writer, const void *data, size_t size)
{
	if (!writer->error && size)
		writer->error = writer->write(writer->opaque, data, size);
}

void state_write_header(struct state_writer *writer)
{
	struct state_header header = {.magic = STATE_MAGIC, .version = STATE_VERSION};

	header.crc = state_crc(0, &header, offsetof(struct state_header, crc));
	put(writer, &header, sizeof(header));
}

void state_write(struct state_writer *writer, const char *name, uint32_t vp, uint32_t vtl,
		 uint32_t other, const void *payload, size_t size)
{
	struct state_record record = {
		.vp = vp, .vtl = vtl, .other = other, .length = (uint32_t)size};

	if (size > RECORD_MAX) {
		writer->error = writer->error ? writer->error : -EFBIG;
		return;
	}
	strncpy(record.name, name, sizeof(record.name) - 1);
	record.crc = state_crc(state_crc(0, &record, sizeof(record)), payload, size);
	put(writer, &record, sizeof(record));
	put(writer, payload, size);
}

void state_write_fields(struct state_writer *writer, const struct state_layout *layout, uint32_t vp,
			uint32_t vtl, const void *structure)
{
	uint8_t bytes[2048];
	size_t size = state_packed_size(layout);

	if (size > sizeof(bytes)) {
		writer->error = writer->error ? writer->error : -EFBIG;
		return;
	}
	state_pack(layout, structure, bytes);
	state_write(writer, layout->name, vp, vtl, 0, bytes, size);
}

int state_read_header(struct state_reader *reader)
{
	struct state_header header;

	if (reader->size < sizeof(header))
		return vsm_error(reader->log, EILSEQ, "saved state: %zu bytes: too short",
				 reader->size);
	memcpy(&header, reader->data, sizeof(header));
	if (header.magic != STATE_MAGIC ||
	    header.crc != state_crc(0, &header, offsetof(struct state_header, crc)))
		return vsm_error(reader->log, EILSEQ,
				 "saved state: the header is not that of a saved partition");
	if (header.version != STATE_VERSION)
		return vsm_error(reader->log, ENOTSUP,
				 "saved state: version %u, but this library reads %u",
				 header.version, STATE_VERSION);
	reader->offset = sizeof(header);
	return 0;
}

int state_read(struct state_reader *reader, struct state_record *record, const uint8_t **payload)
{
	size_t left = reader->size - reader->offset;
	uint32_t crc;

	if (left < sizeof(*record))
		return vsm_error(reader->log, EILSEQ, "saved state: truncated at byte %zu",
				 reader->offset);
	memcpy(record, reader->data + reader->offset, sizeof(*record));
	if (record->length > RECORD_MAX || record->length > left - sizeof(*record))
		return vsm_error(reader->log, EILSEQ,
				 "saved state: the record at byte %zu is too long", reader->offset);
	*payload = reader->data + reader->offset + sizeof(*record);
	crc = record->crc;
	record->crc = 0;
	if (state_crc(state_crc(0, record, sizeof(*record)), *payload, record->length) != crc)
		return vsm_error(reader->log, EILSEQ,
				 "saved state: the record at byte %zu is damaged", reader->offset);
	record->crc = crc;
	if (record->name[sizeof(record->name) - 1])
		return vsm_error(reader->log, EILSEQ,
				 "saved state: the record at byte %zu has an invalid name",
				 reader->offset);
	reader->offset += sizeof(*record) + record->length;
	return 0;
}
