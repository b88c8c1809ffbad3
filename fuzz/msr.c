/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any MSR, any value, any VTL: RDMSR and WRMSR by a guest on the sim backend, with time, interrupts
 * and VTL switches in between. An input is an array of `struct step`.
 */
#include <string.h>

#include "core/msr/cpuid.h"
#include "core/interrupt/interrupt.h"
#include "core/msr/msr.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"
#include "sim/sim_guest.h"

enum {
	STEPS = 64,
	RAM = 1 << 20,
};

struct step {
	uint8_t what;
	uint8_t detail;
	uint16_t msr; /* selects a synthetic MSR, one of the x2APIC, or any other */
	uint64_t value;
};

/* State of another VTL that an MSR access must not change. */
struct image {
	uint64_t simp, sint[HV_SYNIC_SINT_COUNT], assist, os_id, hypercall, tpr;
	struct stimer stimer[HV_SYNIC_STIMER_COUNT];
};

static void take_image(struct vsm_vp *vp, uint8_t vtl, struct image *image)
{
	const struct vp_vtl *own = &vp->vtl[vtl];

	memset(image, 0, sizeof(*image));
	image->simp = own->synic.simp;
	memcpy(image->sint, own->synic.sint, sizeof(image->sint));
	image->assist = own->assist_msr;
	image->os_id = atomic_load(&vp->partition->vtl[vtl].guest_os_id);
	image->hypercall = vp->partition->vtl[vtl].hypercall_msr;
	image->tpr = vsm_lapic_tpr(&own->lapic);
	for (unsigned int i = 0; i < HV_SYNIC_STIMER_COUNT; i++) {
		image->stimer[i].config = own->stimer[i].config;
		image->stimer[i].count = own->stimer[i].count;
	}
}

static uint32_t msr_of(const struct step *step)
{
	switch (step->detail & 3) {
	case 0:
		return 0x40000000u + step->msr % 0x200;
	case 1:
		return 0x800u + step->msr % 0x100;
	case 2:
		return step->msr;
	default:
		return (uint32_t)(step->value >> 32);
	}
}

static void access_msr(struct vsm_vp *vp, const struct step *step, bool write)
{
	struct image before[2], after;
	uint64_t value;

	for (uint8_t vtl = 0; vtl < 2; vtl++)
		take_image(vp, vtl, &before[vtl]);
	if (write) {
		if (!msr_write(vp, vp->active_vtl, msr_of(step), step->value))
			take_image(vp, vp->active_vtl, &after);
		else
			memcpy(&after, &before[vp->active_vtl], sizeof(after));
		/* A write that faults changes nothing. */
		if (memcmp(&after, &before[vp->active_vtl], sizeof(after)) != 0)
			__builtin_trap();
	} else {
		msr_read(vp, vp->active_vtl, msr_of(step), &value);
	}
	take_image(vp, !vp->active_vtl, &after);
	if (memcmp(&after, &before[!vp->active_vtl], sizeof(after)) != 0)
		__builtin_trap();
}

static void do_step(struct vsm_partition *partition, struct vsm_vp *vp, const struct step *step)
{
	const struct vsm_exit *exit;

	switch (step->what % 8) {
	case 0:
	case 1:
	case 2:
		access_msr(vp, step, true);
		break;
	case 3:
		access_msr(vp, step, false);
		break;
	case 4:
		sim_advance(partition, step->value % 10000000);
		break;
	case 5:
		interrupt_post(vp, step->detail & 1, (uint8_t)step->value, VSM_LAPIC_EDGE);
		break;
	case 6:
		if (vp->active_vtl)
			guest_vtl_return(vp, step->detail & 1);
		else
			guest_vtl_call(vp);
		break;
	default:
		sim_next(vp, vp->active_vtl,
			 &(struct sim_action){
				 .kind = SIM_WRMSR, .address = msr_of(step), .value = step->value});
	}
	/* The number of runs is bounded, since timers may expire in each run. */
	for (unsigned int i = 0; i < 4; i++)
		vsm_vp_run(vp, &exit);
	if (!(atomic_load(&vp->enabled_vtls) & vtl_bit(vp->active_vtl)))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	guest_enable_vtl(partition, 1);
	for (unsigned int i = 0; i < STEPS && size >= sizeof(struct step); i++) {
		struct step step;

		memcpy(&step, data, sizeof(step));
		do_step(partition, vp, &step);
		data += sizeof(step);
		size -= sizeof(step);
	}
	vsm_partition_destroy(partition);
	return 0;
}
