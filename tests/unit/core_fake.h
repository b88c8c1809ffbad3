/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest partition that the memory and intercept parts of the core can work on: registers are what
 * the test writes, RAM is plain memory, and the backend records the calls of the core.
 */
#ifndef TEST_CORE_FAKE_H
#define TEST_CORE_FAKE_H

#include "core/core.h"
#include "core/memory/gpa.h"

#define FAKE_VTLS      4u
#define FAKE_VPS       2u
#define FAKE_PAGES     4096u /* pages of GPA space whose rights are recorded */
#define FAKE_OVERLAYS  64u
#define FAKE_MSRS      64u
#define FAKE_UNCOVERED UINT32_MAX

struct fake_msr {
	uint8_t vtl;
	uint32_t msr;
	bool read;
	bool write;
};

struct fake {
	struct vsm_partition partition;
	struct vsm_vp vp[FAKE_VPS];
	struct vsm_vp *vp_list[FAKE_VPS];
	struct vp_vtl vtl[FAKE_VPS][FAKE_VTLS];
	struct vcpu_state cpu[FAKE_VPS][FAKE_VTLS];

	/* Calls of the core. */
	uint8_t access[FAKE_VTLS][FAKE_PAGES];
	uint32_t overlay[FAKE_VTLS][FAKE_PAGES]; /* page of overlay memory, or FAKE_UNCOVERED */
	uint8_t overlay_access[FAKE_VTLS][FAKE_PAGES];
	struct fake_msr msr[FAKE_MSRS];
	uint32_t msr_count;
	bool forget_msrs;		/* for more of them than are recorded */
	uint64_t cr_control[FAKE_VTLS]; /* of the VP of the last call */
	uint64_t cr0_mask[FAKE_VTLS];
	uint64_t cr4_mask[FAKE_VTLS];
	uint32_t protect_calls;
	uint32_t protect_ranges;
	uint32_t overlay_calls;
	uint32_t removed;
	uint32_t answers;
	enum backend_answer last_answer;

	/* What fails: the call with this number from now on (1: the next one); 0: none. */
	uint32_t fail_protect;
	uint32_t fail_overlay;
	uint32_t fail_msr;
	int fail_error;

	uint32_t log_lines;
	enum vsm_log_level log_level; /* of the last line */
	uint8_t overlay_memory[FAKE_OVERLAYS][CORE_PAGE_SIZE]
		__attribute__((aligned(CORE_PAGE_SIZE)));
};

/* A partition without RAM; 64-bit mode, CPL 0, no paging for every VTL. */
struct fake *fake_create(unsigned int vtls);
void fake_destroy(struct fake *fake);
/* RAM by vsm_memory_add(); it must work. Returns where the core sees it. */
uint8_t *fake_ram(struct fake *fake, uint64_t gpn, uint64_t pages);
/* The same without memory behind it and without the record, for sizes that no host has. */
void fake_ram_without_memory(struct fake *fake, uint64_t gpn, uint64_t pages);
/* What the backend would let the VTL do: the overlay's rights, or those of the RAM. */
uint8_t fake_seen_access(const struct fake *fake, uint8_t vtl, uint64_t gpn);

/* Page tables at @gpn (4 pages) that map the first 2 MiB of linear space: page i to gpn[i]; turns paging on. */
#define FAKE_USER  (UINT64_C(1) << 2)
#define FAKE_WRITE (UINT64_C(1) << 1)
void fake_paging(struct fake *fake, uint32_t vp, uint8_t vtl, uint64_t gpn);
void fake_map(struct fake *fake, uint64_t gpn, uint32_t page, uint64_t target, uint64_t flags);

#endif
