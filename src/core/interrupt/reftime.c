/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reference time (TLFS "Partition Reference Counter"), by one formula: the counter MSR and the
 * reference TSC page of a VTL agree exactly, and are at most one unit ahead of the timers.
 */
#include "core/interrupt/stimer.h"
#include "core/vp/vp.h"

static uint64_t scale_of(const struct vsm_partition *partition)
{
	return (uint64_t)(((unsigned __int128)HV_REFERENCE_TIME_HZ << 64) /
			  partition->features.tsc_hz);
}

static uint64_t scaled(uint64_t tsc, uint64_t scale)
{
	return (uint64_t)(((unsigned __int128)tsc * scale) >> 64);
}

uint64_t reftime_now(const struct vsm_partition *partition)
{
	uint64_t scale = partition->reference_scale;

	return scaled(vp_tsc(partition), scale) - scaled(partition->reference_start, scale);
}

uint64_t reftime_to_tsc(const struct vsm_partition *partition, uint64_t reference)
{
	uint64_t scale = partition->reference_scale;
	unsigned __int128 total =
		(unsigned __int128)reference + scaled(partition->reference_start, scale);

	/* The TSC never reaches such a time. */
	if (total >> 63)
		return UINT64_MAX;
	total = ((total << 64) + scale - 1) / scale;
	return total >> 64 ? UINT64_MAX : (uint64_t)total;
}

void reftime_init(struct vsm_partition *partition, uint64_t start)
{
	partition->reference_scale = scale_of(partition);
	partition->reference_start = start;
}

/* Such a TSC could wrap during the life of the partition. */
static bool is_too_large(uint64_t tsc)
{
	return tsc >> 63;
}

/*
 * tsc_offset of the reference TSC page for a VTL whose TSC is @offset ahead. Rounded up: the page's
 * time is never behind reftime_now().
 */
static int64_t page_offset(const struct vsm_partition *partition, uint64_t offset)
{
	const uint64_t scale = partition->reference_scale;
	const int64_t ahead = (int64_t)(((__int128)(int64_t)offset * scale) >> 64);

	return -(int64_t)scaled(partition->reference_start, scale) - ahead;
}

uint64_t reftime_seen(const struct vsm_partition *partition, uint64_t offset)
{
	const uint64_t tsc = vp_tsc(partition) + offset;

	if (!offset || is_too_large(tsc))
		return reftime_now(partition);
	return scaled(tsc, partition->reference_scale) + (uint64_t)page_offset(partition, offset);
}

/* Whether one page is correct on all VPs of the VTL. */
static bool page_is_possible(const struct vsm_partition *partition, uint8_t vtl, uint64_t *offset)
{
	bool found = false;

	*offset = 0;
	for (uint32_t i = 0; i < partition->vp_count; i++) {
		const struct vsm_vp *vp = partition->vp[i];

		if (!(atomic_load(&vp->enabled_vtls) & vtl_bit(vtl)))
			continue;
		if (found && vp->vtl[vtl].tsc_offset != *offset)
			return false;
		*offset = vp->vtl[vtl].tsc_offset;
		found = true;
	}
	return !is_too_large(vp_tsc(partition) + *offset);
}

void reftime_fill_page(struct vsm_partition *partition, uint8_t vtl, uint8_t *memory)
{
	uint32_t sequence = partition->tsc_sequence + 1;

	if (sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID ||
	    sequence == HV_REFERENCE_TSC_SEQUENCE_OLD_INVALID)
		sequence = 1;
	partition->tsc_sequence = sequence;
	reftime_refill_page(partition, vtl, memory);
}

void reftime_refill_page(const struct vsm_partition *partition, uint8_t vtl, uint8_t *memory)
{
	struct hv_reference_tsc_page *page = (struct hv_reference_tsc_page *)(void *)memory;
	uint64_t offset;

	__atomic_store_n(&page->tsc_sequence, HV_REFERENCE_TSC_SEQUENCE_INVALID, __ATOMIC_RELEASE);
	if (!page_is_possible(partition, vtl, &offset))
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	page->tsc_scale = partition->reference_scale;
	page->tsc_offset = page_offset(partition, offset);
	__atomic_store_n(&page->tsc_sequence, partition->tsc_sequence, __ATOMIC_RELEASE);
}
