/* SPDX-License-Identifier: BSD-2-Clause */
/* A saved state that was read and checked, but not applied yet. */
#ifndef CORE_STATE_LOAD_H
#define CORE_STATE_LOAD_H

#include "core/state/state.h"

struct image_vtl {
	struct state_vp_vtl state;
	struct state_cpu cpu;
	struct vsm_lapic_state lapic;
	/* in the data of the file, oldest first */
	const uint8_t *message[HV_SYNIC_SINT_COUNT][SYNIC_QUEUE_MAX];
	uint8_t message_count[HV_SYNIC_SINT_COUNT];
	const uint8_t *xsave;	      /* in the data of the file */
	uint64_t msr[VCPU_MSR_COUNT]; /* from VCPU_MSR_OPTIONAL on */
	bool have_msrs;
	/* IA32_TSC, if the VTL has an offset (tsc_moved), and IA32_TSC_ADJUST */
	bool tsc_moved;
	uint64_t tsc;
	uint64_t tsc_adjust;
	bool have;
	bool have_cpu;
	bool have_lapic;
};

struct image_vp {
	struct state_vp state;
	struct image_vtl *vtl;
	uint64_t plain_msr[PLAIN_COUNT];
	struct state_smm smm;
	bool have;
	bool have_smm;
};

struct image_record {
	struct state_record record;
	const uint8_t *payload;
};

struct state_image {
	/* Properties of the partition that the state must fit. */
	const struct vsm_log *log;
	const struct memory *memory;
	uint32_t vp_count;
	uint8_t vtl_count;
	uint32_t xsave_size;
	uint64_t gpa_pages; /* pages that a GPA can be in */

	struct state_partition partition;
	struct state_vtl vtl[CORE_VTL_MAX];
	struct image_vp *vp;
	struct image_vtl *all_vtls;
	struct image_record *record;
	size_t record_count;
	size_t record_room;
	uint64_t tsc_invariant; /* HV_X64_MSR_TSC_INVARIANT_CONTROL */
	bool have_partition;
	bool have_ram;
	uint64_t ram_pages;	    /* pages in the records "ram" */
	uint64_t pages_without_ram; /* pages in the records "protection" that have no RAM */
	bool have_vtl[CORE_VTL_MAX];
	bool have_intercepts[CORE_VTL_MAX];
	/* [owner][restricted]: GPN after the last run that was read */
	uint64_t runs_end[CORE_VTL_MAX][CORE_VTL_MAX];
};

int state_image_init(struct state_image *image, const struct vsm_partition *partition);
void state_image_free(struct state_image *image);
/* The image refers to @data afterwards. -EILSEQ, -ENOTSUP, -EINVAL, -ENOMEM. */
int state_image_read(struct state_image *image, const void *data, size_t size);
int state_image_check(const struct state_image *image, const struct vsm_partition *partition);

#endif
