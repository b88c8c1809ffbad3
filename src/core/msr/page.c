/* SPDX-License-Identifier: BSD-2-Clause */
/* TLFS "Reporting the Guest OS Identity", "Reference TSC Page", "VP Assist Page". */
#include <string.h>

#include "core/hypercall/hypercall.h"
#include "core/msr/msr.h"
#include "core/msr/page.h"
#include "core/memory/overlay.h"
#include "core/interrupt/stimer.h"
#include "core/x64.h"

bool msr_page_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	struct vsm_partition *partition = vp->partition;

	pthread_mutex_lock(&partition->lock);
	switch (msr) {
	case HV_X64_MSR_GUEST_OS_ID:
		*value = atomic_load(&partition->vtl[vtl].guest_os_id);
		break;
	case HV_X64_MSR_HYPERCALL:
		*value = partition->vtl[vtl].hypercall_msr;
		break;
	case HV_X64_MSR_REFERENCE_TSC:
		*value = partition->vtl[vtl].reference_tsc;
		break;
	default:
		*value = vp->vtl[vtl].assist_msr;
	}
	pthread_mutex_unlock(&partition->lock);
	return true;
}

/* False: no such GPA, @vtl may not read and write it, or the backend failed. */
static bool place(struct vsm_partition *partition, enum overlay_kind kind, uint8_t vtl, uint32_t vp,
		  uint64_t value)
{
	if (value & HV_PAGE_MSR_ENABLE)
		return overlay_map(partition, kind, vtl, vp, value / CORE_PAGE_SIZE) == 0;
	return overlay_unmap(partition, kind, vtl, vp) == 0;
}

/* Partition lock held. */
static bool set_hypercall(struct vsm_partition *partition, uint8_t vtl, uint64_t value)
{
	uint64_t *msr = &partition->vtl[vtl].hypercall_msr;

	if (*msr & HV_X64_MSR_HYPERCALL_LOCKED)
		return false;
	/* TLFS "GUEST_OS_ID": without an identity the page cannot be enabled. */
	if (atomic_load(&partition->vtl[vtl].guest_os_id) == 0)
		value &= ~HV_PAGE_MSR_ENABLE;
	/* An enabled page is not filled again: other VPs may be executing it. */
	if ((value & HV_PAGE_MSR_ENABLE) && !(*msr & HV_PAGE_MSR_ENABLE))
		hypercall_page_fill(partition,
				    overlay_memory(partition, OVERLAY_HYPERCALL, vtl, 0));
	if (!place(partition, OVERLAY_HYPERCALL, vtl, 0, value))
		return false;
	*msr = value;
	return true;
}

static bool set_os_id(struct vsm_partition *partition, uint8_t vtl, uint64_t value)
{
	uint64_t msr = partition->vtl[vtl].hypercall_msr;

	atomic_store(&partition->vtl[vtl].guest_os_id, value);
	if (value == 0 && (msr & HV_PAGE_MSR_ENABLE)) {
		partition->vtl[vtl].hypercall_msr = msr & ~HV_PAGE_MSR_ENABLE;
		return place(partition, OVERLAY_HYPERCALL, vtl, 0, 0);
	}
	return true;
}

static bool set_reference_tsc(struct vsm_partition *partition, uint8_t vtl, uint64_t value)
{
	if (value & HV_PAGE_MSR_ENABLE)
		reftime_fill_page(partition, vtl,
				  overlay_memory(partition, OVERLAY_REFERENCE_TSC, vtl, 0));
	if (!place(partition, OVERLAY_REFERENCE_TSC, vtl, 0, value))
		return false;
	partition->vtl[vtl].reference_tsc = value;
	return true;
}

static bool set_assist(struct vsm_vp *vp, uint8_t vtl, uint64_t value)
{
	struct vp_vtl *own = &vp->vtl[vtl];
	bool was_on = own->assist != NULL;
	uint8_t *memory = overlay_memory(vp->partition, OVERLAY_ASSIST, vtl, vp->index);

	if (value & HV_PAGE_MSR_RESERVED_MASK)
		return false;
	/* A page that was disabled starts empty; one that moves keeps its contents. */
	if (!was_on)
		memset(memory, 0, CORE_PAGE_SIZE);
	if (!place(vp->partition, OVERLAY_ASSIST, vtl, vp->index, value))
		return false;
	own->assist_msr = value;
	own->assist = value & HV_PAGE_MSR_ENABLE ? memory : NULL;
	return true;
}

bool msr_page_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	struct vsm_partition *partition = vp->partition;
	bool done;

	pthread_mutex_lock(&partition->lock);
	switch (msr) {
	case HV_X64_MSR_GUEST_OS_ID:
		done = set_os_id(partition, vtl, value);
		break;
	case HV_X64_MSR_HYPERCALL:
		done = set_hypercall(partition, vtl, value);
		break;
	case HV_X64_MSR_REFERENCE_TSC:
		done = set_reference_tsc(partition, vtl, value);
		break;
	default:
		done = set_assist(vp, vtl, value);
	}
	pthread_mutex_unlock(&partition->lock);
	return done;
}

bool msr_page_changes(uint32_t msr)
{
	switch (msr) {
	case X64_MSR_TSC: /* fills the reference TSC page again */
	case X64_MSR_TSC_ADJUST:
	case HV_X64_MSR_GUEST_OS_ID: /* 0 disables the hypercall page */
	case HV_X64_MSR_HYPERCALL:
	case HV_X64_MSR_REFERENCE_TSC:
	case HV_X64_MSR_VP_ASSIST_PAGE:
	case HV_X64_MSR_SIEFP:
	case HV_X64_MSR_SIMP:
		return true;
	default:
		return false;
	}
}

void msr_page_refill(struct vsm_partition *partition, uint8_t vtl)
{
	if (partition->vtl[vtl].hypercall_msr & HV_PAGE_MSR_ENABLE)
		hypercall_page_fill(partition,
				    overlay_memory(partition, OVERLAY_HYPERCALL, vtl, 0));
	if (partition->vtl[vtl].reference_tsc & HV_PAGE_MSR_ENABLE)
		reftime_refill_page(partition, vtl,
				    overlay_memory(partition, OVERLAY_REFERENCE_TSC, vtl, 0));
}

void msr_reset_vp(struct vsm_vp *vp, uint8_t vtl)
{
	vp->vtl[vtl].assist_msr = 0;
	vp->vtl[vtl].assist = NULL;
}

void msr_reset_partition(struct vsm_partition *partition, uint8_t vtl)
{
	atomic_store(&partition->vtl[vtl].guest_os_id, 0);
	partition->vtl[vtl].hypercall_msr = 0;
	partition->vtl[vtl].reference_tsc = 0;
}
