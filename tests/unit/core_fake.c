/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_fake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/intercept/intercept.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"
#include "core/x64.h"

#define PAGE_SHIFT 12u

static bool fails(uint32_t *countdown)
{
	return *countdown && --*countdown == 0;
}

/* ------------------------------------------------------------------ the backend */

static int fake_memory_set(void *backend, const struct backend_memory *map, size_t count,
			   const struct gpa_range *gone, size_t gone_count)
{
	struct fake *fake = backend;

	for (size_t i = 0; i < count; i++)
		assert_true(i == 0 || map[i - 1].gpn + map[i - 1].pages <= map[i].gpn);
	for (size_t i = 0; i < gone_count; i++) {
		fake->removed += (uint32_t)gone[i].pages;
		for (uint64_t k = 0; k < gone[i].pages && gone[i].gpn + k < FAKE_PAGES; k++)
			for (unsigned int vtl = 0; vtl < FAKE_VTLS; vtl++)
				fake->access[vtl][gone[i].gpn + k] = GPA_ALL;
	}
	return 0;
}

static int fake_protect(void *backend, uint8_t vtl, const struct gpa_range *ranges, size_t count,
			uint8_t access)
{
	struct fake *fake = backend;

	assert_true(count > 0);
	if (fails(&fake->fail_protect))
		return fake->fail_error;
	fake->protect_calls++;
	fake->protect_ranges += (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		assert_true(ranges[i].pages > 0);
		for (uint64_t k = 0; k < ranges[i].pages && ranges[i].gpn + k < FAKE_PAGES; k++)
			fake->access[vtl][ranges[i].gpn + k] = access;
	}
	return 0;
}

static int fake_overlay_memory(void *backend, uint32_t pages, void **host)
{
	struct fake *fake = backend;

	assert_true(pages <= FAKE_OVERLAYS);
	*host = fake->overlay_memory;
	return 0;
}

static int fake_overlay_map(void *backend, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access)
{
	struct fake *fake = backend;

	fake->overlay_calls++;
	if (fails(&fake->fail_overlay))
		return fake->fail_error;
	if (gpn < FAKE_PAGES) {
		fake->overlay[vtl][gpn] = page;
		fake->overlay_access[vtl][gpn] = access;
	}
	return 0;
}

static int fake_overlay_unmap(void *backend, uint8_t vtl, uint64_t gpn)
{
	struct fake *fake = backend;

	fake->overlay_calls++;
	if (fails(&fake->fail_overlay))
		return fake->fail_error;
	assert_true(gpn >= FAKE_PAGES || fake->overlay[vtl][gpn] != FAKE_UNCOVERED);
	if (gpn < FAKE_PAGES)
		fake->overlay[vtl][gpn] = FAKE_UNCOVERED;
	return 0;
}

static int fake_msr_intercept(void *backend, uint8_t vtl, uint32_t msr, bool read, bool write)
{
	struct fake *fake = backend;
	uint32_t i = 0;

	if (fails(&fake->fail_msr))
		return fake->fail_error;
	if (fake->forget_msrs)
		return 0;
	while (i < fake->msr_count && (fake->msr[i].vtl != vtl || fake->msr[i].msr != msr))
		i++;
	assert_true(i < FAKE_MSRS);
	fake->msr[i] = (struct fake_msr){vtl, msr, read, write};
	if (i == fake->msr_count)
		fake->msr_count++;
	return 0;
}

static int fake_cr_intercept(void *vp, uint8_t vtl, uint64_t control, uint64_t cr0_mask,
			     uint64_t cr4_mask)
{
	struct fake *fake = vp;

	fake->cr_control[vtl] = control;
	fake->cr0_mask[vtl] = cr0_mask;
	fake->cr4_mask[vtl] = cr4_mask;
	return 0;
}

static int fake_vp_load(void *vp, uint8_t vtl, uint32_t groups)
{
	(void)vp;
	(void)vtl;
	(void)groups;
	return 0;
}

static int fake_vp_answer(void *vp, struct backend_run *run, enum backend_answer answer)
{
	struct fake *fake = vp;

	(void)run;
	fake->answers++;
	fake->last_answer = answer;
	return 0;
}

static uint64_t fake_tsc(void *backend)
{
	(void)backend;
	return 0;
}

/* 1 GiB pages and PSE-36; PKRU at offset 2688 of the XSAVE area. */
static void fake_cpuid(void *vp, uint32_t leaf, uint32_t subleaf, uint32_t value[4])
{
	(void)vp;
	memset(value, 0, 4 * sizeof(value[0]));
	if (leaf == 0x80000001)
		value[3] = 1u << 26;
	if (leaf == 1)
		value[3] = 1u << 17;
	if (leaf == 0xd && subleaf == 9) {
		value[0] = 8;
		value[1] = 2688;
	}
}

static const struct backend_ops fake_ops = {
	.name = "fake",
	.memory_set = fake_memory_set,
	.protect = fake_protect,
	.overlay_memory = fake_overlay_memory,
	.overlay_map = fake_overlay_map,
	.overlay_unmap = fake_overlay_unmap,
	.msr_intercept = fake_msr_intercept,
	.vp_cr_intercept = fake_cr_intercept,
	.tsc = fake_tsc,
	.vp_load = fake_vp_load,
	.vp_answer = fake_vp_answer,
	.vp_cpuid = fake_cpuid,
};

/* ------------------------------------------------------------------ the partition */

static void count_log(void *opaque, const struct vsm_log_record *record)
{
	struct fake *fake = opaque;

	fake->log_lines++;
	fake->log_level = record->level;
}

static void init_cpu(struct vcpu_state *cpu)
{
	cpu->valid = VCPU_ALL;
	cpu->cr0 = X64_CR0_PE;
	cpu->efer = X64_EFER_LME | X64_EFER_LMA;
	cpu->rflags = X64_RFLAGS_FIXED;
	cpu->segment[SEGMENT_CS].attributes = 0xa09b;
	cpu->segment[SEGMENT_SS].attributes = 0xc093;
	cpu->msr[VCPU_MSR_PAT] = X64_PAT_RESET;
	cpu->xsave_size = 4096;
	cpu->xsave = calloc(1, cpu->xsave_size);
}

struct fake *fake_create(unsigned int vtls)
{
	struct fake *fake = aligned_alloc(CORE_PAGE_SIZE, (sizeof(*fake) + 4095) & ~4095ul);
	struct vsm_partition *partition = &fake->partition;

	memset(fake, 0, sizeof(*fake));
	fake->fail_error = -EIO;
	memset(fake->access, GPA_ALL, sizeof(fake->access));
	memset(fake->overlay, 0xff, sizeof(fake->overlay));
	partition->log = (struct vsm_log){count_log, fake, VSM_LOG_DEBUG};
	partition->ops = &fake_ops;
	partition->backend = fake;
	partition->features.protect = GPA_ALL;
	partition->features.mbec = true;
	partition->features.msr_intercepts = true;
	partition->features.cr_intercepts =
		HV_CR_INTERCEPT(CR0_WRITE) | HV_CR_INTERCEPT(CR4_WRITE) |
		HV_CR_INTERCEPT(XCR0_WRITE) | HV_CR_INTERCEPT(GDTR_WRITE) |
		HV_CR_INTERCEPT(IDTR_WRITE) | HV_CR_INTERCEPT(LDTR_WRITE) |
		HV_CR_INTERCEPT(TR_WRITE);
	partition->features.gpa_bits = 40;
	partition->features.cr4_valid = X64_CR4_SMEP | X64_CR4_SMAP | X64_CR4_PKE | X64_CR4_PAE;
	partition->vtl_count = (uint8_t)vtls;
	partition->vp_count = FAKE_VPS;
	partition->vp = fake->vp_list;
	atomic_store(&partition->enabled_vtls, (uint16_t)((1u << vtls) - 1));
	pthread_mutex_init(&partition->lock, NULL);
	for (uint32_t i = 0; i < FAKE_VPS; i++) {
		struct vsm_vp *vp = &fake->vp[i];

		fake->vp_list[i] = vp;
		vp->partition = partition;
		vp->backend = fake;
		vp->index = i;
		vp->vtl = fake->vtl[i];
		vp_set_active(vp, 0);
		atomic_store(&vp->enabled_vtls, (uint16_t)((1u << vtls) - 1));
		for (unsigned int vtl = 0; vtl < vtls; vtl++) {
			init_cpu(&fake->cpu[i][vtl]);
			vp->cpu[vtl] = &fake->cpu[i][vtl];
		}
	}
	assert_int_equal(memory_init(partition), 0);
	assert_int_equal(overlay_init(partition), 0);
	return fake;
}

void fake_destroy(struct fake *fake)
{
	for (uint32_t i = 0; i < FAKE_VPS; i++) {
		for (unsigned int vtl = 0; vtl < FAKE_VTLS; vtl++)
			free(fake->cpu[i][vtl].xsave);
	}
	intercept_destroy(&fake->partition);
	protect_destroy(&fake->partition);
	overlay_destroy(&fake->partition);
	memory_destroy(&fake->partition);
	pthread_mutex_destroy(&fake->partition.lock);
	free(fake);
}

uint8_t *fake_ram(struct fake *fake, uint64_t gpn, uint64_t pages)
{
	void *host = NULL;

	assert_int_equal(vsm_memory_add(&fake->partition, gpn << PAGE_SHIFT, pages << PAGE_SHIFT,
					-1, 0, &host),
			 0);
	assert_non_null(host);
	return host;
}

void fake_ram_without_memory(struct fake *fake, uint64_t gpn, uint64_t pages)
{
	struct memory *memory = &fake->partition.memory;

	assert_int_equal(memory->region_count, 0);
	memory->region = calloc(1, sizeof(*memory->region));
	memory->region[0] = (struct ram_region){.gpn = gpn, .pages = pages};
	memory->region_count = 1;
	memory->span = calloc(1, sizeof(*memory->span));
	memory->span[0] = (struct ram_span){.gpn = gpn, .pages = pages};
	memory->span_count = 1;
	memory->page_count = pages;
}

uint8_t fake_seen_access(const struct fake *fake, uint8_t vtl, uint64_t gpn)
{
	if (fake->overlay[vtl][gpn] != FAKE_UNCOVERED)
		return fake->overlay_access[vtl][gpn];
	return fake->access[vtl][gpn];
}

/* ------------------------------------------------------------------ page tables */

static void write_entry(struct fake *fake, uint64_t gpn, uint32_t index, uint64_t entry)
{
	const struct ram_region *region = memory_find(&fake->partition, gpn);

	assert_non_null(region);
	memcpy(region->host + ((gpn - region->gpn) << PAGE_SHIFT) + index * 8ul, &entry,
	       sizeof(entry));
}

void fake_paging(struct fake *fake, uint32_t vp, uint8_t vtl, uint64_t gpn)
{
	struct vcpu_state *cpu = &fake->cpu[vp][vtl];

	for (unsigned int level = 0; level < 3; level++)
		write_entry(fake, gpn + level, 0, (gpn + level + 1) << PAGE_SHIFT | 7);
	cpu->cr0 |= X64_CR0_PG | X64_CR0_WP;
	cpu->cr4 |= X64_CR4_PAE;
	cpu->cr3 = gpn << PAGE_SHIFT;
}

void fake_map(struct fake *fake, uint64_t gpn, uint32_t page, uint64_t target, uint64_t flags)
{
	write_entry(fake, gpn + 3, page, target << PAGE_SHIFT | flags | 1);
}
