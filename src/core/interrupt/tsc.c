/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/interrupt/tsc.h"

#include <errno.h>

#include "core/msr/cpuid.h"
#include "core/memory/overlay.h"
#include "core/interrupt/stimer.h"
#include "core/vp/vp.h"
#include "core/x64.h"

uint64_t tsc_of_vtl(const struct vsm_vp *vp, uint8_t vtl)
{
	return vp_tsc(vp->partition) + vp->vtl[vtl].tsc_offset;
}

/* partition->lock held, or no VP runs. */
static void refresh_page(struct vsm_partition *partition, uint8_t vtl)
{
	if (partition->vtl[vtl].reference_tsc & HV_PAGE_MSR_ENABLE)
		reftime_fill_page(partition, vtl,
				  overlay_memory(partition, OVERLAY_REFERENCE_TSC, vtl, 0));
}

/* partition->lock held, or no VP runs. */
static int set(struct vsm_vp *vp, uint8_t vtl, uint64_t offset, uint64_t adjust)
{
	struct vp_vtl *own = &vp->vtl[vtl];
	int error = vp->partition->ops->vp_tsc_offset(vp->backend, vtl, offset);

	if (error) {
		vp->broken = true;
		return error;
	}
	own->tsc_offset = offset;
	own->tsc_adjust = adjust;
	return 0;
}

/* SDM 3B 18.17.3: a write of one of the two MSRs changes the other by the same amount. */
static bool add_to_tsc(struct vsm_vp *vp, uint8_t vtl, uint64_t by)
{
	struct vsm_partition *partition = vp->partition;
	const struct vp_vtl *own = &vp->vtl[vtl];
	bool done;

	if (!partition->ops->vp_tsc_offset)
		return false;
	pthread_mutex_lock(&partition->lock);
	done = !set(vp, vtl, own->tsc_offset + by, own->tsc_adjust + by);
	refresh_page(partition, vtl);
	pthread_mutex_unlock(&partition->lock);
	return done;
}

void tsc_reset(struct vsm_vp *vp, uint8_t vtl)
{
	const struct vp_vtl *own = &vp->vtl[vtl];

	if (own->tsc_offset || own->tsc_adjust)
		set(vp, vtl, 0, 0);
	refresh_page(vp->partition, vtl);
}

int tsc_restore(struct vsm_vp *vp, uint8_t vtl, uint64_t offset, uint64_t adjust)
{
	return vp->partition->ops->vp_tsc_offset ? set(vp, vtl, offset, adjust) : -ENOTSUP;
}

bool tsc_invariant_is_shown(const struct vsm_partition *partition)
{
	return !partition_has(partition, HV_PRIVILEGE(ACCESS_TSC_INVARIANT_CONTROLS)) ||
	       atomic_load(&partition->tsc_invariant);
}

int tsc_show_invariant(struct vsm_vp *vp, bool shown)
{
	struct vsm_partition *partition = vp->partition;

	atomic_store(&partition->tsc_invariant, shown);
	return partition->ops->vp_show_invariant_tsc
		       ? partition->ops->vp_show_invariant_tsc(vp->backend, shown)
		       : 0;
}

bool tsc_msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case X64_MSR_TSC:
		*value = tsc_of_vtl(vp, vtl);
		break;
	case X64_MSR_TSC_ADJUST:
		*value = vp->vtl[vtl].tsc_adjust;
		break;
	default:
		*value = atomic_load(&vp->partition->tsc_invariant) ? HV_TSC_INVARIANT_EXPOSE : 0;
	}
	return true;
}

bool tsc_msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	bool shown = atomic_load(&vp->partition->tsc_invariant);

	switch (msr) {
	case X64_MSR_TSC:
		return add_to_tsc(vp, vtl, value - tsc_of_vtl(vp, vtl));
	case X64_MSR_TSC_ADJUST:
		return add_to_tsc(vp, vtl, value - vp->vtl[vtl].tsc_adjust);
	default:
		/* Other VPs may rely on it. */
		if (value & ~HV_TSC_INVARIANT_EXPOSE || (shown && !value))
			return false;
		return shown || !value || !tsc_show_invariant(vp, true);
	}
}
