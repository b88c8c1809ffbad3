/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The saved form of a partition: docs/state.md. The rows of state/rows.h make the structure of a
 * record, and are used to write, read, check, print and apply it.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "core/core.h"
#include "core/state/rows.h"

#define STATE_MAGIC   UINT64_C(0x31304554415453) /* "STATE01" */
#define STATE_VERSION 1u

/* A reader may skip the record if it does not support it. All records of version 1 are required. */
#define STATE_OPTIONAL (1u << 0)

struct state_header {
	uint64_t magic;
	uint32_t version;
	uint32_t crc; /* of the fields before it */
};

struct state_record {
	char name[16]; /* padded with zeroes */
	uint32_t flags;
	uint32_t vp;
	uint32_t vtl;
	uint32_t other;	 /* "protection": restricted VTL; "overlay": kind; "message": SINT */
	uint32_t length; /* of the payload, bytes */
	uint32_t crc;	 /* of this header with crc 0, then of the payload */
};

_Static_assert(sizeof(struct state_header) == 16, "state header");
_Static_assert(sizeof(struct state_record) == 40, "state record header");

#define STATE_ONE(type, name, max, live)		  type name;
#define STATE_MANY(type, name, count, max, array, member) type name[count];
#define STATE_OWN(type, name, max)			  type name;
#define STATE_STRUCTURE(name, ROWS)                    \
	struct name {                                  \
		ROWS(STATE_ONE, STATE_MANY, STATE_OWN) \
	}

STATE_STRUCTURE(state_partition, STATE_PARTITION_ROWS);
STATE_STRUCTURE(state_vtl, STATE_VTL_ROWS);
STATE_STRUCTURE(state_vp, STATE_VP_ROWS);
STATE_STRUCTURE(state_vp_vtl, STATE_VP_VTL_ROWS);
STATE_STRUCTURE(state_cpu, STATE_CPU_ROWS);
STATE_STRUCTURE(state_run, STATE_RUN_ROWS);
STATE_STRUCTURE(state_intercept, STATE_INTERCEPT_ROWS);
STATE_STRUCTURE(state_msr, STATE_MSR_ROWS);
STATE_STRUCTURE(state_smm, STATE_SMM_ROWS);

struct state_field {
	const char *name;
	uint16_t offset;
	uint8_t size; /* 1, 2, 4, 8 bytes, little endian */
	uint8_t count;
	uint64_t max; /* largest legal value */

	uint8_t live_size; /* 0: no member of the live structure */
	uint32_t live_offset;
	uint32_t live_stride;
};

struct state_layout {
	const char *name;
	const struct state_field *field;
	size_t fields;
	size_t structure_size;
};

extern const struct state_layout state_layout_partition, state_layout_vtl, state_layout_vp,
	state_layout_vp_vtl, state_layout_cpu, state_layout_run, state_layout_intercept,
	state_layout_msr, state_layout_smm;
extern const struct state_layout *const state_layouts[];
extern const size_t state_layout_count;

/* Bytes of one structure in the file. */
size_t state_packed_size(const struct state_layout *layout);
void state_pack(const struct state_layout *layout, const void *structure, uint8_t *bytes);
/* Returns the first field that is out of bounds, or NULL. */
const struct state_field *state_unpack(const struct state_layout *layout, const uint8_t *bytes,
				       void *structure);

/* Copy the fields that have a live member: from @live, a part of the partition, or to it. */
void state_copy_from_live(const struct state_layout *layout, const void *live, void *structure);
void state_copy_to_live(const struct state_layout *layout, const void *structure, void *live);

uint32_t state_crc(uint32_t crc, const void *data, size_t size);

struct state_writer {
	vsm_write_fn *write;
	void *opaque;
	int error;    /* the first error; nothing is written after it */
	uint64_t tsc; /* TSC of the partition, as saved in its record */
};

void state_write_header(struct state_writer *writer);
void state_write(struct state_writer *writer, const char *name, uint32_t vp, uint32_t vtl,
		 uint32_t other, const void *payload, size_t size);
void state_write_fields(struct state_writer *writer, const struct state_layout *layout, uint32_t vp,
			uint32_t vtl, const void *structure);

struct state_reader {
	const struct vsm_log *log;
	const uint8_t *data;
	size_t size;
	size_t offset;
};

/* 0, or -EILSEQ (damaged), -ENOTSUP (another version); logged. */
int state_read_header(struct state_reader *reader);
/* *payload points into the data. 0, or -EILSEQ (damaged), logged with the position. */
int state_read(struct state_reader *reader, struct state_record *record, const uint8_t **payload);

#endif
