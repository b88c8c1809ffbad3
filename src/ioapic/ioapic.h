/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the I/O APIC share. */
#ifndef VSM_SRC_IOAPIC_H
#define VSM_SRC_IOAPIC_H

#include <vsm/ioapic.h>

static inline bool ioapic_get_bit(const uint64_t *bits, uint32_t pin)
{
	return bits[pin / 64] >> (pin % 64) & 1;
}

static inline void ioapic_set_bit(uint64_t *bits, uint32_t pin, bool on)
{
	const uint64_t bit = 1ull << (pin % 64);

	bits[pin / 64] = on ? bits[pin / 64] | bit : bits[pin / 64] & ~bit;
}

static inline enum vsm_ioapic_mode ioapic_mode(uint64_t entry)
{
	return (enum vsm_ioapic_mode)((entry & VSM_IOAPIC_ENTRY_MODE) >> 8);
}

/*
 * Whether a pin works by level. SMI, NMI, INIT and ExtINT are edges whatever the trigger bit says
 * [DS 3.2.4, delivery mode]: no EOI would ever come for them.
 */
static inline bool ioapic_is_level(uint64_t entry)
{
	return (entry & VSM_IOAPIC_ENTRY_LEVEL) &&
	       ioapic_mode(entry) <= VSM_IOAPIC_MODE_LOWEST_PRIORITY;
}

/*
 * Whether a pin recognizes edges. One on a masked pin is not held [DS 3.2.4, bit 16]; delivery
 * modes 3 and 6 are reserved, and there is nothing to deliver.
 */
static inline bool ioapic_takes_edges(uint64_t entry)
{
	const enum vsm_ioapic_mode mode = ioapic_mode(entry);

	return !(entry & VSM_IOAPIC_ENTRY_MASKED) && !ioapic_is_level(entry) && mode != 3 &&
	       mode != 6;
}

/* Whether a low input means asserted; never, if inputs are "asserted or not". */
static inline bool ioapic_is_active_low(const struct vsm_ioapic *ioapic, uint32_t pin)
{
	return ioapic->config.electrical && (ioapic->entry[pin] & VSM_IOAPIC_ENTRY_ACTIVE_LOW);
}

static inline bool ioapic_is_asserted(const struct vsm_ioapic *ioapic, uint32_t pin)
{
	return ioapic_get_bit(ioapic->line, pin) != ioapic_is_active_low(ioapic, pin);
}

/* The valid bits of the index register: enough for each pin. */
static inline uint32_t ioapic_index_mask(const struct vsm_ioapic *ioapic)
{
	return VSM_IOAPIC_REG_ENTRY_0 + 2 * ioapic->config.pins > 0x100 ? 0x1ff : 0xff;
}

/* The bits of an entry that a guest can store; everything else is read-only or reserved. */
static inline uint64_t ioapic_writable(const struct vsm_ioapic *ioapic)
{
	const uint64_t bits = VSM_IOAPIC_ENTRY_VECTOR | VSM_IOAPIC_ENTRY_MODE |
			      VSM_IOAPIC_ENTRY_LOGICAL | VSM_IOAPIC_ENTRY_ACTIVE_LOW |
			      VSM_IOAPIC_ENTRY_LEVEL | VSM_IOAPIC_ENTRY_MASKED |
			      VSM_IOAPIC_ENTRY_DESTINATION;

	return ioapic->config.version >= 0x20 ? bits | VSM_IOAPIC_ENTRY_EXTENDED : bits;
}

/* Whether this pin has a message to send. */
bool ioapic_wants_to_send(const struct vsm_ioapic *ioapic, uint32_t pin);

/* Sends a pending message of a pin, if any; after any change of its entry. */
enum vsm_ioapic_outcome ioapic_service(struct vsm_ioapic *ioapic, uint32_t pin);

#endif
