/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The saved form of a partition: docs/state.md.
 *
 * A file is a header and records, each with a name, a length and a checksum, ended by the record
 * "end". Each record is a plain structure below; a table of its fields (state/fields.c) is used to
 * write, read, check and print it. Saving fills the structures from the partition; restoring reads
 * and checks all of them before it changes the partition.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "core/core.h"

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

struct state_partition {
	uint32_t vp_count;
	uint32_t vtl_count;
	uint64_t privileges;
	uint64_t features;
	uint64_t recommendations;
	uint64_t tsc_hz;
	uint64_t tsc; /* at the moment of saving */
	uint64_t reference_start;
	uint16_t enabled_vtls;
	uint16_t mbec_vtls;
	uint32_t tsc_sequence;
	uint64_t crash_ctl;
	uint64_t crash[5];
};

struct state_vtl {
	uint64_t config;
	uint64_t guest_os_id;
	uint64_t hypercall;
	uint64_t reference_tsc;
};

struct state_vp {
	uint32_t apic_id;
	uint8_t active_vtl;
	uint16_t enabled_vtls;
	uint16_t tlb_locked[CORE_VTL_MAX];
	uint64_t runtime;
	uint64_t eoi[4];
	uint64_t mtrr_def_type;
	uint64_t mtrr_base[CORE_MTRR_VARIABLE];
	uint64_t mtrr_mask[CORE_MTRR_VARIABLE];
	uint64_t mtrr_fixed[CORE_MTRR_FIXED];
};

struct state_vp_vtl {
	uint8_t activity;
	uint8_t entered;
	uint8_t triple_fault;
	uint64_t assist;
	uint64_t vina;
	uint64_t secure_config[CORE_VTL_MAX - 1];
	uint64_t cr_intercept_control;
	uint64_t cr0_mask;
	uint64_t cr4_mask;
	uint64_t misc_enable_mask;
	uint64_t misc_enable;
	uint64_t scontrol;
	uint64_t siefp;
	uint64_t simp;
	uint64_t sint[HV_SYNIC_SINT_COUNT];
	uint64_t stimer_config[HV_SYNIC_STIMER_COUNT];
	uint64_t stimer_count[HV_SYNIC_STIMER_COUNT];
	uint64_t stimer_due[HV_SYNIC_STIMER_COUNT];
	uint64_t stimer_expired[HV_SYNIC_STIMER_COUNT];
	uint8_t stimer_message_due[HV_SYNIC_STIMER_COUNT];
};

struct state_cpu {
	uint64_t gpr[GPR_COUNT];
	uint64_t rip;
	uint64_t rflags;
	uint64_t cr0;
	uint64_t cr2;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t efer;
	uint64_t xcr0;
	uint64_t segment_base[SEGMENT_COUNT];
	uint32_t segment_limit[SEGMENT_COUNT];
	uint16_t segment_selector[SEGMENT_COUNT];
	uint16_t segment_attributes[SEGMENT_COUNT];
	uint64_t idtr_base;
	uint16_t idtr_limit;
	uint64_t gdtr_base;
	uint16_t gdtr_limit;
	uint64_t dr[4];
	uint64_t dr6;
	uint64_t dr7;
	uint64_t msr[VCPU_MSR_OPTIONAL]; /* the others: struct state_msr */
	uint8_t exception_pending;
	uint8_t exception_has_error_code;
	uint8_t exception_vector;
	uint32_t exception_error_code;
	uint64_t exception_parameter;
	uint8_t interrupt_injected;
	uint8_t interrupt_soft;
	uint8_t interrupt_vector;
	uint8_t nmi_pending;
	uint8_t nmi_injected;
	uint8_t nmi_masked;
	uint8_t interrupt_shadow;
};

/* A run of guest pages: RAM ("ram"), or pages with other rights than the default ("protection"). */
struct state_run {
	uint64_t gpn;
	uint64_t pages;
	uint64_t access;
};

/* A rule of HvCallInstallIntercept ("intercept"). */
struct state_intercept {
	uint32_t type;
	uint32_t mask;
	uint64_t parameter;
};

/*
 * An MSR that differs from its value after reset ("msrs"), of a VTL; of VTL0 also those of the VP.
 */
struct state_msr {
	uint32_t index;
	uint64_t value;
};

/* ------------------------------------------------------------------ fields */

struct state_field {
	const char *name;
	uint16_t offset;
	uint8_t size; /* 1, 2, 4, 8 bytes, little endian */
	uint8_t count;
	uint64_t max; /* largest legal value */
};

/* One kind of record made of fields. */
struct state_layout {
	const char *name;
	const struct state_field *field;
	size_t fields;
	size_t structure_size;
};

extern const struct state_layout state_layout_partition, state_layout_vtl, state_layout_vp,
	state_layout_vp_vtl, state_layout_cpu, state_layout_run, state_layout_intercept,
	state_layout_msr;
extern const struct state_layout *const state_layouts[];
extern const size_t state_layout_count;

/* Bytes of one structure in the file. */
size_t state_packed_size(const struct state_layout *layout);
void state_pack(const struct state_layout *layout, const void *structure, uint8_t *bytes);
/* Fills @structure. The field that is out of bounds, or NULL. */
const struct state_field *state_unpack(const struct state_layout *layout, const uint8_t *bytes,
				       void *structure);

/* ------------------------------------------------------------------ records */

uint32_t state_crc(uint32_t crc, const void *data, size_t size);

struct state_writer {
	vsm_write_fn *write;
	void *opaque;
	int error;    /* the first one; nothing is written after it */
	uint64_t tsc; /* of the partition, as its record has it */
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

/*
 * 0, or -EILSEQ (damaged), -ENOTSUP (another version). The log says where.
 */
int state_read_header(struct state_reader *reader);
/* The next record, with its checksum right. *payload points into the data. Errors as above. */
int state_read(struct state_reader *reader, struct state_record *record, const uint8_t **payload);

#endif
