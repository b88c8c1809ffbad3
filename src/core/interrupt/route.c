/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VTL is always explicit: an interrupt for one VTL never reaches another VTL's APIC (P02, P03).
 */
#include <errno.h>
#include <stdlib.h>

#include "core/interrupt/interrupt.h"
#include "core/interrupt/start_rules.h"
#include "core/interrupt/stimer.h"
#include "core/interrupt/synic.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"

/* Rate of the undivided APIC timer, as on Hyper-V. */
#define APIC_TIMER_KHZ 200000u
/* A faster periodic timer would cause nothing but exits. */
#define APIC_MIN_PERIOD_US 20u
/* Kicks in one sequence: each is a system call of one to two microseconds, so about 50 us (P27). */
#define KICKS_AT_ONCE 32u

int interrupt_init(struct vsm_partition *partition)
{
	size_t size = vsm_lapic_router_size(partition->vp_count);

	for (uint8_t vtl = 0; vtl < partition->vtl_count; vtl++) {
		void *memory = aligned_alloc(64, (size + 63) & ~(size_t)63);

		if (!memory)
			return vsm_error(&partition->log, ENOMEM,
					 "no memory for the router of VTL %u", vtl);
		partition->router[vtl] = vsm_lapic_router_init(memory, size, partition->vp_count);
	}
	return 0;
}

void interrupt_destroy(struct vsm_partition *partition)
{
	for (uint8_t vtl = 0; vtl < partition->vtl_count; vtl++)
		free(partition->router[vtl]);
}

int interrupt_vp_init(struct vsm_vp *vp, uint8_t vtl)
{
	const struct vsm_partition *partition = vp->partition;
	uint64_t tsc_khz = partition->features.tsc_hz / 1000;
	struct vsm_lapic_config config = {
		.id = vp->apic_id,
		.flags = VSM_LAPIC_HAS_X2APIC | VSM_LAPIC_HAS_DIRECTED_EOI |
			 (vp->index == 0 ? VSM_LAPIC_BSP : 0),
		.tsc_khz = (uint32_t)tsc_khz,
		.timer_khz = APIC_TIMER_KHZ,
		.min_period = (uint32_t)(tsc_khz * APIC_MIN_PERIOD_US / 1000),
		.max_phys_bits = partition->features.gpa_bits,
	};
	int error = vsm_lapic_init(&vp->vtl[vtl].lapic, &config);

	if (!error)
		error = vsm_lapic_router_add(partition->router[vtl], vp->index,
					     &vp->vtl[vtl].lapic);
	if (error)
		return vsm_error(&partition->log, -error, "vp %u: APIC id %u cannot be used",
				 vp->index, vp->apic_id);
	return 0;
}

/*
 * A VP that runs guest code of a higher VTL and has deferred @vtl needs no kick: it checks that APIC
 * before @vtl next runs.
 */
static void kick(struct vsm_vp *vp, uint8_t vtl)
{
	if (!(atomic_load(&vp->in_guest) >> 16 & vtl_bit(vtl)))
		vp_kick(vp);
}

void interrupt_post(struct vsm_vp *vp, uint8_t vtl, uint8_t vector, enum vsm_lapic_trigger trigger)
{
	/* If the owner of the VP posts, vp_kick() does nothing. */
	if (vsm_lapic_post(&vp->vtl[vtl].lapic, vector, trigger) == VSM_LAPIC_KICK)
		kick(vp, vtl);
}

/* @count: kicks so far for one message. */
static void kick_or_postpone(struct vsm_vp *self, struct vsm_vp *vp, uint8_t vtl,
			     unsigned int *count)
{
	if (!self || (*count)++ < KICKS_AT_ONCE) {
		kick(vp, vtl);
		return;
	}
	self->vtl[vtl].kicks[vp->index / 64] |= UINT64_C(1) << vp->index % 64;
	if (!self->kicks_pending || self->kicks_by < self->active_vtl)
		self->kicks_by = self->active_vtl;
	self->kicks_pending |= vtl_bit(vtl);
}

void interrupt_kick_some(struct vsm_vp *vp)
{
	const uint8_t vtl = vtls_highest(vp->kicks_pending);
	uint64_t *set = vp->vtl[vtl].kicks;
	unsigned int count = 0;

	for (unsigned int word = 0; word < CORE_VP_MAX / 64; word++) {
		for (; set[word]; set[word] &= set[word] - 1) {
			if (count++ == KICKS_AT_ONCE)
				return;
			kick(vp->partition
				     ->vp[word * 64u + (unsigned int)__builtin_ctzll(set[word])],
			     vtl);
		}
	}
	vp->kicks_pending &= (uint16_t)~vtl_bit(vtl);
	/* A higher VTL does not wait for kicks of a lower one. */
	if (vp->kicks_pending && vp->kicks_by > vtls_highest(vp->kicks_pending))
		vp->kicks_by = vtls_highest(vp->kicks_pending);
}

void interrupt_post_set(struct vsm_vp *self, uint8_t vtl, uint8_t vector,
			const uint64_t set[CORE_VP_MAX / 64])
{
	const struct vsm_partition *partition = self->partition;
	unsigned int count = 0;

	for (uint32_t i = 0; i < partition->vp_count; i++) {
		struct vsm_vp *vp = partition->vp[i];

		if ((set[i / 64] >> i % 64 & 1) &&
		    (atomic_load(&vp->enabled_vtls) & vtl_bit(vtl)) &&
		    vsm_lapic_post(&vp->vtl[vtl].lapic, vector, VSM_LAPIC_EDGE) == VSM_LAPIC_KICK)
			kick_or_postpone(self, vp, vtl, &count);
	}
}

void interrupt_post_event(struct vsm_vp *vp, uint8_t vtl, uint32_t event, uint8_t sipi_vector)
{
	if (vsm_lapic_post_event(&vp->vtl[vtl].lapic, event, sipi_vector) == VSM_LAPIC_KICK)
		kick(vp, vtl);
}

/* Some VPs may not be started by this VTL (P04): each target is checked. */
static void send_startup(struct vsm_partition *partition, uint8_t vtl, int source,
			 struct vsm_vp *self, const struct vsm_lapic_ipi *ipi)
{
	struct vsm_lapic_targets targets;
	unsigned int count = 0;

	vsm_lapic_router_route(partition->router[vtl], source, ipi, &targets);
	for (int i = -1; (i = vsm_lapic_targets_next(&targets, i)) >= 0;) {
		struct vsm_vp *vp = partition->vp[i];

		if (!startvp_accepts_init(vp, vtl))
			continue;
		if (vsm_lapic_post_message(&vp->vtl[vtl].lapic, ipi) == VSM_LAPIC_KICK)
			kick_or_postpone(self, vp, vtl, &count);
	}
}

void interrupt_send(struct vsm_partition *partition, uint8_t vtl, const struct vsm_vp *source,
		    struct vsm_vp *self, const struct vsm_lapic_ipi *ipi)
{
	int index = source ? (int)source->index : -1;
	struct vsm_lapic_targets targets;
	unsigned int count = 0;

	if (ipi->delivery == VSM_LAPIC_INIT || ipi->delivery == VSM_LAPIC_SIPI) {
		send_startup(partition, vtl, index, self, ipi);
		return;
	}
	vsm_lapic_router_send(partition->router[vtl], index, ipi, &targets);
	for (int i = -1; (i = vsm_lapic_targets_next(&targets, i)) >= 0;)
		kick_or_postpone(self, partition->vp[i], vtl, &count);
}

void interrupt_effect(struct vsm_vp *vp, uint8_t vtl, const struct vsm_lapic_effect *effect)
{
	struct vsm_partition *partition = vp->partition;

	if (effect->flags & VSM_LAPIC_EFFECT_ROUTE)
		vsm_lapic_router_update(partition->router[vtl], vp->index);
	if (effect->flags & VSM_LAPIC_EFFECT_TIMER)
		vp->deadline_stale = true;
	if (effect->flags & VSM_LAPIC_EFFECT_IPI) {
		trace(vp, VSM_TRACE_IPI, vtl, effect->ipi.vector, effect->ipi.destination,
		      effect->ipi.delivery);
		/* Without a run loop (the VMM sets a register), all kicks are made here. */
		interrupt_send(partition, vtl, vp, vp->runtime_counting ? vp : NULL, &effect->ipi);
	}
	if (effect->flags & VSM_LAPIC_EFFECT_EOI)
		synic_rescan(vp, vtl, effect->eoi_vector, false);
	/* Devices belong to VTL0, so the I/O APIC gets the EOIs of VTL0 only. */
	if ((effect->flags & VSM_LAPIC_EFFECT_EOI_BROADCAST) && vtl == 0) {
		vp->eoi[effect->eoi_vector / 64] |= UINT64_C(1) << effect->eoi_vector % 64;
		vp->eoi_waiting = true;
	}
}

uint8_t interrupt_take_eoi(struct vsm_vp *vp)
{
	unsigned int word = 0;
	unsigned int bit;

	while (!vp->eoi[word])
		word++;
	bit = (unsigned int)__builtin_ctzll(vp->eoi[word]);
	vp->eoi[word] &= vp->eoi[word] - 1;
	vp->eoi_waiting = vp->eoi[0] | vp->eoi[1] | vp->eoi[2] | vp->eoi[3];
	return (uint8_t)(word * 64 + bit);
}

int vsm_msi(struct vsm_partition *partition, uint64_t address, uint32_t data)
{
	struct vsm_lapic_ipi ipi;

	/* A guest can program any message into its I/O APIC: not an error of the VMM. */
	if (!vsm_lapic_ipi_from_msi(address, data, true, &ipi)) {
		vsm_log(&partition->log, VSM_LOG_DEBUG, "MSI %#llx/%#x: not an interrupt message",
			(unsigned long long)address, data);
		return -EINVAL;
	}
	interrupt_send(partition, 0, NULL, NULL, &ipi);
	return 0;
}

int vsm_vp_lint(struct vsm_vp *vp, unsigned int pin, bool level)
{
	struct vsm_lapic *lapic = &vp->vtl[0].lapic;

	if (pin > 1)
		return -EINVAL;
	/* ExtINT is a level, which remains asserted after the CPU has taken an interrupt. */
	if (vsm_lapic_set_lint(lapic, pin, level) == VSM_LAPIC_KICK ||
	    (level && vsm_lapic_extint_waits(lapic)))
		kick(vp, 0);
	return 0;
}

void vsm_nmi(struct vsm_vp *vp)
{
	interrupt_post_event(vp, 0, VSM_LAPIC_EVENT_NMI, 0);
}

int vsm_vp_smi(struct vsm_vp *vp)
{
	if (!vp->partition->config.smm)
		return vsm_error(&vp->partition->log, ENOTSUP,
				 "an SMI: the partition was created without config.smm");
	interrupt_post_event(vp, 0, VSM_LAPIC_EVENT_SMI, 0);
	return 0;
}
