/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of an I/O APIC, as a guest reads and writes them. */
#include "ioapic.h"

#include <errno.h>
#include <string.h>

int vsm_ioapic_init(struct vsm_ioapic *ioapic, const struct vsm_ioapic_config *config)
{
	struct vsm_ioapic_config use = *config;

	use.base = use.base ? use.base : VSM_IOAPIC_DEFAULT_BASE;
	use.pins = use.pins ? use.pins : VSM_IOAPIC_DEFAULT_PINS;
	use.version = use.version ? use.version : 0x20;
	if (!use.message || use.pins > VSM_IOAPIC_MAX_PINS || use.id > 15 ||
	    (use.version != 0x11 && use.version != 0x20))
		return -EINVAL;
	memset(ioapic, 0, sizeof(*ioapic));
	ioapic->config = use;
	vsm_ioapic_reset(ioapic);
	return 0;
}

void vsm_ioapic_reset(struct vsm_ioapic *ioapic)
{
	memset(ioapic->entry, 0, sizeof(ioapic->entry));
	memset(ioapic->pending, 0, sizeof(ioapic->pending));
	for (uint32_t pin = 0; pin < ioapic->config.pins; pin++)
		ioapic->entry[pin] = VSM_IOAPIC_ENTRY_MASKED;
	ioapic->index = 0;
	ioapic->id = ioapic->config.id;
}

uint64_t vsm_ioapic_entry(const struct vsm_ioapic *ioapic, uint32_t pin)
{
	if (pin >= ioapic->config.pins)
		return 0;
	return ioapic->entry[pin] |
	       (ioapic_is_send_pending(ioapic, pin) ? VSM_IOAPIC_ENTRY_SEND_PENDING : 0);
}

static void write_entry(struct vsm_ioapic *ioapic, uint32_t pin, bool high, uint32_t value)
{
	const uint64_t half = high ? 0xffffffff00000000ull : 0x00000000ffffffffull;
	const uint64_t change = half & ioapic_writable(ioapic);
	uint64_t entry = ioapic->entry[pin];

	entry = (entry & ~change) | ((high ? (uint64_t)value << 32 : value) & change);
	/*
	 * The data sheet leaves remote IRR undefined for edges. If the I/O APIC has no EOI
	 * register, guests clear it by programming the pin to edge and back.
	 */
	if (!ioapic_is_level(entry))
		entry &= ~VSM_IOAPIC_ENTRY_REMOTE_IRR;
	/* Masking drops a message that no local APIC has accepted [DS 3.2.4, bit 16]. */
	if (!ioapic_takes_edges(entry))
		ioapic_set_bit(ioapic->pending, pin, false);
	ioapic->entry[pin] = entry;
	ioapic_service(ioapic, pin);
}

static uint32_t read_data(const struct vsm_ioapic *ioapic)
{
	const uint32_t pin = (ioapic->index - VSM_IOAPIC_REG_ENTRY_0) / 2u;
	const bool high = ioapic->index & 1;

	switch (ioapic->index) {
	case VSM_IOAPIC_REG_ID:
	/* Equal to the ID [DS 3.2.3], as there is no APIC bus with arbitration. */
	case VSM_IOAPIC_REG_ARBITRATION:
		return (uint32_t)ioapic->id << 24;
	case VSM_IOAPIC_REG_VERSION:
		return (ioapic->config.pins - 1) << 16 | ioapic->config.version;
	case VSM_IOAPIC_REG_BOOT:
		/* Bit 0: messages are memory writes, not sent on an APIC bus [ICH]. */
		return ioapic->config.version >= 0x20;
	default:
		if (ioapic->index < VSM_IOAPIC_REG_ENTRY_0)
			return 0;
		return (uint32_t)(vsm_ioapic_entry(ioapic, pin) >> (high ? 32 : 0));
	}
}

static void write_data(struct vsm_ioapic *ioapic, uint32_t value)
{
	const uint32_t pin = (ioapic->index - VSM_IOAPIC_REG_ENTRY_0) / 2u;

	if (ioapic->index == VSM_IOAPIC_REG_ID)
		ioapic->id = value >> 24 & 0xf;
	else if (ioapic->index >= VSM_IOAPIC_REG_ENTRY_0 && pin < ioapic->config.pins)
		write_entry(ioapic, pin, ioapic->index & 1, value);
}

uint32_t vsm_ioapic_read(const struct vsm_ioapic *ioapic, uint32_t offset)
{
	switch (offset) {
	case VSM_IOAPIC_MMIO_INDEX:
		return ioapic->index;
	case VSM_IOAPIC_MMIO_DATA:
		return read_data(ioapic);
	default:
		return 0;
	}
}

void vsm_ioapic_write(struct vsm_ioapic *ioapic, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case VSM_IOAPIC_MMIO_INDEX:
		ioapic->index = value & ioapic_index_mask(ioapic);
		break;
	case VSM_IOAPIC_MMIO_DATA:
		write_data(ioapic, value);
		break;
	case VSM_IOAPIC_MMIO_EOI:
		if (ioapic->config.version >= 0x20)
			vsm_ioapic_eoi(ioapic, (uint8_t)value);
		break;
	default:
		break;
	}
}
