/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SynIC's MSRs (TLFS "Virtual Interrupt Controller"): SCONTROL, SVERSION, SIEFP, SIMP, EOM,
 * SINT0 to SINT15.
 */
#include "core/memory/overlay.h"
#include "core/interrupt/synic.h"

bool synic_msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	struct synic *synic = &vp->vtl[vtl].synic;
	bool known = true;

	pthread_mutex_lock(&synic->lock);
	switch (msr) {
	case HV_X64_MSR_SCONTROL:
		*value = synic->scontrol;
		break;
	case HV_X64_MSR_SVERSION:
		*value = HV_SYNIC_VERSION;
		break;
	case HV_X64_MSR_SIEFP:
		*value = synic->siefp;
		break;
	case HV_X64_MSR_SIMP:
		*value = synic->simp;
		break;
	case HV_X64_MSR_EOM:
		*value = 0;
		break;
	default:
		known = msr >= HV_X64_MSR_SINT0 && msr <= HV_X64_MSR_SINT15;
		if (known)
			*value = synic->sint[msr - HV_X64_MSR_SINT0];
	}
	pthread_mutex_unlock(&synic->lock);
	return known;
}

/* SIMP and SIEFP: the page moves first, since this can fail; the MSR is then unchanged. */
static bool set_page(struct vsm_vp *vp, uint8_t vtl, enum overlay_kind kind, uint64_t *msr,
		     uint64_t value)
{
	struct synic *synic = &vp->vtl[vtl].synic;
	int error;

	if (value & HV_PAGE_MSR_ENABLE)
		error = overlay_map(vp->partition, kind, vtl, vp->index, value / CORE_PAGE_SIZE);
	else
		error = overlay_unmap(vp->partition, kind, vtl, vp->index);
	if (error)
		return false;
	pthread_mutex_lock(&synic->lock);
	*msr = value;
	pthread_mutex_unlock(&synic->lock);
	return true;
}

static bool set_sint(struct synic *synic, uint32_t sint, uint64_t value)
{
	uint8_t vector = value & HV_SYNIC_SINT_VECTOR_MASK;

	/* Guests write 0x10000, a masked SINT with vector 0; a polled one needs no vector. */
	if (vector < HV_SYNIC_FIRST_VALID_VECTOR &&
	    !(value & (HV_SYNIC_SINT_MASKED | HV_SYNIC_SINT_POLLING)))
		return false;
	pthread_mutex_lock(&synic->lock);
	synic->sint[sint] = value;
	pthread_mutex_unlock(&synic->lock);
	return true;
}

bool synic_msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	struct synic *synic = &vp->vtl[vtl].synic;
	bool done;

	switch (msr) {
	case HV_X64_MSR_SCONTROL:
		pthread_mutex_lock(&synic->lock);
		synic->scontrol = value;
		pthread_mutex_unlock(&synic->lock);
		done = true;
		break;
	case HV_X64_MSR_SIEFP:
		done = set_page(vp, vtl, OVERLAY_SIEF, &synic->siefp, value);
		break;
	case HV_X64_MSR_SIMP:
		done = set_page(vp, vtl, OVERLAY_SIM, &synic->simp, value);
		break;
	case HV_X64_MSR_EOM:
		done = true;
		break;
	default:
		done = msr >= HV_X64_MSR_SINT0 && msr <= HV_X64_MSR_SINT15 &&
		       set_sint(synic, msr - HV_X64_MSR_SINT0, value);
	}
	/* A write of any of these MSRs may allow queued messages to be delivered. */
	if (done)
		synic_rescan(vp, vtl, -1, msr == HV_X64_MSR_EOM);
	return done;
}
