/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages: from the interrupt command register (SDM 11.6.1, 11.12.9) and from MSIs (SDM 11.11). */
#include "internal.h"

/* SDM table 11-3: the delivery modes that a write to the ICR can send, for each shorthand. */
static const bool sends[4][8] = {
	[VSM_LAPIC_TO_DESTINATION] = {[VSM_LAPIC_FIXED] = true,
				      [VSM_LAPIC_LOWEST_PRIORITY] = true,
				      [VSM_LAPIC_SMI] = true,
				      [VSM_LAPIC_NMI] = true,
				      [VSM_LAPIC_INIT] = true,
				      [VSM_LAPIC_SIPI] = true},
	[VSM_LAPIC_TO_SELF] = {[VSM_LAPIC_FIXED] = true},
	[VSM_LAPIC_TO_ALL] = {[VSM_LAPIC_FIXED] = true},
	[VSM_LAPIC_TO_OTHERS] = {[VSM_LAPIC_FIXED] = true,
				 [VSM_LAPIC_LOWEST_PRIORITY] = true,
				 [VSM_LAPIC_SMI] = true,
				 [VSM_LAPIC_NMI] = true,
				 [VSM_LAPIC_INIT] = true,
				 [VSM_LAPIC_SIPI] = true},
};

void lapic_self_ipi(struct vsm_lapic *apic, uint8_t vector, struct vsm_lapic_effect *effect)
{
	if (vector < LAPIC_FIRST_LEGAL_VECTOR)
		lapic_error(apic, VSM_LAPIC_ESR_SEND_VECTOR);
	else
		vsm_lapic_post(apic, vector, VSM_LAPIC_EDGE);
	effect->flags |= VSM_LAPIC_EFFECT_PENDING;
}

/*
 * The trigger mode bit is ignored (SDM table 11-3, note 1), except in an INIT level de-assert,
 * which has no effect.
 */
void lapic_send_icr(struct vsm_lapic *apic, struct vsm_lapic_effect *effect)
{
	bool wide = vsm_lapic_mode(apic) == VSM_LAPIC_X2APIC;
	uint32_t low = apic->icr, high = apic->icr >> 32;
	struct vsm_lapic_ipi ipi = {
		.destination = wide ? high : high >> 24,
		.vector = low & 0xff,
		.delivery = low >> 8 & 7,
		.shorthand = low >> LAPIC_ICR_SHORTHAND_SHIFT & 3,
		.flags = (low & LAPIC_ICR_LOGICAL ? VSM_LAPIC_IPI_LOGICAL : 0) |
			 (wide ? VSM_LAPIC_IPI_WIDE : 0),
	};

	if (!sends[ipi.shorthand][ipi.delivery])
		return;
	if (ipi.delivery == VSM_LAPIC_INIT && low & LAPIC_ICR_LEVEL && !(low & LAPIC_ICR_ASSERT))
		return;
	if (ipi.delivery <= VSM_LAPIC_LOWEST_PRIORITY && ipi.vector < LAPIC_FIRST_LEGAL_VECTOR) {
		lapic_error(apic, VSM_LAPIC_ESR_SEND_VECTOR);
		effect->flags |= VSM_LAPIC_EFFECT_PENDING;
		return;
	}
	if (ipi.shorthand == VSM_LAPIC_TO_SELF) {
		lapic_self_ipi(apic, ipi.vector, effect);
		return;
	}
	effect->ipi = ipi;
	effect->flags |= VSM_LAPIC_EFFECT_IPI;
}

bool vsm_lapic_ipi_from_msi(uint64_t address, uint32_t data, bool extended,
			    struct vsm_lapic_ipi *ipi)
{
	uint32_t destination = address >> 12 & 0xff, delivery = data >> 8 & 7;
	bool wide = extended && (address >> 5 & 0x7f || destination != 0xff);
	bool redirect = address & 1u << 3, logical = address & 1u << 2;
	bool level = data & 1u << 15, assert = data & 1u << 14;

	/* A de-assert message has no effect on a local APIC. */
	if (address >> 20 != 0xfee || delivery == 3 || delivery == VSM_LAPIC_SIPI ||
	    (level && !assert))
		return false;
	/* SDM 11.11.1: the redirection hint selects the target of lowest priority. */
	if (redirect && delivery == VSM_LAPIC_FIXED)
		delivery = VSM_LAPIC_LOWEST_PRIORITY;
	if (extended)
		destination |= (uint32_t)(address >> 5 & 0x7f) << 8;
	*ipi = (struct vsm_lapic_ipi){
		.destination = destination,
		.vector = data & 0xff,
		.delivery = delivery,
		.shorthand = VSM_LAPIC_TO_DESTINATION,
		.flags = (logical ? VSM_LAPIC_IPI_LOGICAL : 0) | (level ? VSM_LAPIC_IPI_LEVEL : 0) |
			 (wide ? VSM_LAPIC_IPI_WIDE : 0),
	};
	return true;
}
