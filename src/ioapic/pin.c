/* SPDX-License-Identifier: BSD-2-Clause */
/* One pin: messages from its input and entry, and its EOI. */
#include "ioapic.h"

bool ioapic_is_send_pending(const struct vsm_ioapic *ioapic, uint32_t pin)
{
	const uint64_t entry = ioapic->entry[pin];

	if (entry & VSM_IOAPIC_ENTRY_MASKED)
		return false;
	if (ioapic_is_level(entry))
		return ioapic_is_asserted(ioapic, pin) && !(entry & VSM_IOAPIC_ENTRY_REMOTE_IRR);
	return ioapic_get_bit(ioapic->pending, pin);
}

/* Sends the message in the layout of an MSI [SDM]; the extended destination is that of [ICH]. */
static enum vsm_ioapic_delivery send(const struct vsm_ioapic *ioapic, uint64_t entry)
{
	const enum vsm_ioapic_mode mode = ioapic_mode(entry);
	const uint64_t destination = entry >> 56;
	const uint64_t extended = (entry & VSM_IOAPIC_ENTRY_EXTENDED) >> 48;
	const bool logical = entry & VSM_IOAPIC_ENTRY_LOGICAL;
	const bool redirectable = mode == VSM_IOAPIC_MODE_LOWEST_PRIORITY;
	const uint64_t address = 0xfee00000u | destination << 12 | extended << 4 |
				 (uint64_t)redirectable << 3 | (uint64_t)logical << 2;
	const uint32_t data = (uint32_t)ioapic_is_level(entry) << 15 | 1u << 14 |
			      (uint32_t)mode << 8 | (uint32_t)(entry & VSM_IOAPIC_ENTRY_VECTOR);

	return ioapic->config.message(ioapic->config.opaque, address, data);
}

enum vsm_ioapic_outcome ioapic_service(struct vsm_ioapic *ioapic, uint32_t pin)
{
	const uint64_t entry = ioapic->entry[pin];
	enum vsm_ioapic_delivery delivery;

	if (!ioapic_is_send_pending(ioapic, pin))
		return VSM_IOAPIC_IGNORED;
	delivery = send(ioapic, entry);
	if (delivery != VSM_IOAPIC_ACCEPTED && delivery != VSM_IOAPIC_MERGED)
		return VSM_IOAPIC_PENDING;
	if (ioapic_is_level(entry))
		ioapic->entry[pin] = entry | VSM_IOAPIC_ENTRY_REMOTE_IRR;
	else
		ioapic_set_bit(ioapic->pending, pin, false);
	return delivery == VSM_IOAPIC_ACCEPTED ? VSM_IOAPIC_DELIVERED : VSM_IOAPIC_COALESCED;
}

static enum vsm_ioapic_outcome edge(struct vsm_ioapic *ioapic, uint32_t pin)
{
	if (!ioapic_takes_edges(ioapic->entry[pin]))
		return VSM_IOAPIC_IGNORED;
	/* No new edge is recognized until the last one was accepted [DS 3.2.4]. */
	if (ioapic_get_bit(ioapic->pending, pin))
		return ioapic_service(ioapic, pin) == VSM_IOAPIC_PENDING ? VSM_IOAPIC_PENDING
									 : VSM_IOAPIC_COALESCED;
	ioapic_set_bit(ioapic->pending, pin, true);
	return ioapic_service(ioapic, pin);
}

enum vsm_ioapic_outcome vsm_ioapic_set_line(struct vsm_ioapic *ioapic, uint32_t pin, bool level)
{
	bool was_asserted;

	if (pin >= ioapic->config.pins)
		return VSM_IOAPIC_IGNORED;
	was_asserted = ioapic_is_asserted(ioapic, pin);
	ioapic_set_bit(ioapic->line, pin, level);
	if (!ioapic_is_asserted(ioapic, pin))
		return VSM_IOAPIC_IGNORED;
	if (!ioapic_is_level(ioapic->entry[pin]))
		return was_asserted ? VSM_IOAPIC_IGNORED : edge(ioapic, pin);
	if (ioapic->entry[pin] & VSM_IOAPIC_ENTRY_MASKED)
		return VSM_IOAPIC_IGNORED;
	if (ioapic->entry[pin] & VSM_IOAPIC_ENTRY_REMOTE_IRR)
		return VSM_IOAPIC_COALESCED;
	return ioapic_service(ioapic, pin);
}

uint32_t vsm_ioapic_eoi(struct vsm_ioapic *ioapic, uint8_t vector)
{
	uint32_t matched = 0;

	for (uint32_t pin = 0; pin < ioapic->config.pins; pin++) {
		uint64_t *entry = &ioapic->entry[pin];

		if (!(*entry & VSM_IOAPIC_ENTRY_REMOTE_IRR) ||
		    (*entry & VSM_IOAPIC_ENTRY_VECTOR) != vector)
			continue;
		*entry &= ~VSM_IOAPIC_ENTRY_REMOTE_IRR;
		matched++;
		ioapic_service(ioapic, pin);
	}
	return matched;
}

uint32_t vsm_ioapic_retry(struct vsm_ioapic *ioapic)
{
	uint32_t taken = 0;

	for (uint32_t pin = 0; pin < ioapic->config.pins; pin++) {
		const enum vsm_ioapic_outcome outcome = ioapic_service(ioapic, pin);

		taken += outcome == VSM_IOAPIC_DELIVERED || outcome == VSM_IOAPIC_COALESCED;
	}
	return taken;
}
