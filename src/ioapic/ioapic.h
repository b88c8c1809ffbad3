/* SPDX-License-Identifier: BSD-2-Clause */
/* Helpers that the files of the I/O APIC share. */
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
 * Whether a pin is level-triggered. SMI, NMI, INIT and ExtINT are edge-triggered whatever the
 * trigger bit [DS 3.2.4, delivery mode], since they have no EOI.
 */
static inline bool ioapic_is_level(uint64_t entry)
{
	return (entry & VSM_IOAPIC_ENTRY_LEVEL) &&
	       ioapic_mode(entry) <= VSM_IOAPIC_MODE_LOWEST_PRIORITY;
}

/*
 * Whether a pin recognizes edges. An edge on a masked pin is lost [DS 3.2.4, bit 16]; the delivery
 * modes 3 and 6 are reserved, so a pin with one delivers nothing.
 */
static inline bool ioapic_takes_edges(uint64_t entry)
{
	const enum vsm_ioapic_mode mode = ioapic_mode(entry);

	return !(entry & VSM_IOAPIC_ENTRY_MASKED) && !ioapic_is_level(entry) && mode != 3 &&
	       mode != 6;
}

/* Whether a low input means asserted. Inputs that are not electrical levels are never inverted. */
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

/* The bits of an entry that a guest can write; the others are read-only or reserved. */
static inline uint64_t ioapic_writable(const struct vsm_ioapic *ioapic)
{
	const uint64_t bits = VSM_IOAPIC_ENTRY_VECTOR | VSM_IOAPIC_ENTRY_MODE |
			      VSM_IOAPIC_ENTRY_LOGICAL | VSM_IOAPIC_ENTRY_ACTIVE_LOW |
			      VSM_IOAPIC_ENTRY_LEVEL | VSM_IOAPIC_ENTRY_MASKED |
			      VSM_IOAPIC_ENTRY_DESTINATION;

	return ioapic->config.version >= 0x20 ? bits | VSM_IOAPIC_ENTRY_EXTENDED : bits;
}

bool ioapic_is_send_pending(const struct vsm_ioapic *ioapic, uint32_t pin);

/* Sends the pending message of a pin, if any. */
enum vsm_ioapic_outcome ioapic_service(struct vsm_ioapic *ioapic, uint32_t pin);

#endif
