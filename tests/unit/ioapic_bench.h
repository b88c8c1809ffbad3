/* SPDX-License-Identifier: BSD-2-Clause */
/* An I/O APIC on a bench: its messages are recorded, its registers written as a guest does. */
#ifndef VSM_TESTS_IOAPIC_BENCH_H
#define VSM_TESTS_IOAPIC_BENCH_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <vsm/ioapic.h>

#define LEVEL  VSM_IOAPIC_ENTRY_LEVEL
#define MASKED VSM_IOAPIC_ENTRY_MASKED
#define RIRR   VSM_IOAPIC_ENTRY_REMOTE_IRR
#define DELIVS VSM_IOAPIC_ENTRY_SEND_PENDING

struct bench {
	struct vsm_ioapic io;
	enum vsm_ioapic_delivery answer;
	unsigned int sent;
	uint64_t address;
	uint32_t data;
};

static inline enum vsm_ioapic_delivery record(void *opaque, uint64_t address, uint32_t data)
{
	struct bench *bench = opaque;

	bench->sent++;
	bench->address = address;
	bench->data = data;
	return bench->answer;
}

static inline void start(struct bench *bench, uint8_t version, uint32_t pins)
{
	const struct vsm_ioapic_config config = {
		.message = record, .opaque = bench, .pins = pins, .version = version, .id = 5};

	memset(bench, 0, sizeof(*bench));
	assert_int_equal(vsm_ioapic_init(&bench->io, &config), 0);
}

static inline void put(struct bench *bench, uint32_t reg, uint32_t value)
{
	vsm_ioapic_write(&bench->io, VSM_IOAPIC_MMIO_INDEX, reg);
	vsm_ioapic_write(&bench->io, VSM_IOAPIC_MMIO_DATA, value);
}

static inline uint32_t get(struct bench *bench, uint32_t reg)
{
	vsm_ioapic_write(&bench->io, VSM_IOAPIC_MMIO_INDEX, reg);
	return vsm_ioapic_read(&bench->io, VSM_IOAPIC_MMIO_DATA);
}

/* As a guest programs a pin: the high half first, so that nothing leaves half-programmed. */
static inline void program(struct bench *bench, uint32_t pin, uint64_t entry)
{
	put(bench, 0x11 + 2 * pin, (uint32_t)(entry >> 32));
	put(bench, 0x10 + 2 * pin, (uint32_t)entry);
}

static inline enum vsm_ioapic_outcome raise_line(struct bench *bench, uint32_t pin)
{
	return vsm_ioapic_set_line(&bench->io, pin, true);
}

static inline enum vsm_ioapic_outcome lower_line(struct bench *bench, uint32_t pin)
{
	return vsm_ioapic_set_line(&bench->io, pin, false);
}

#endif
