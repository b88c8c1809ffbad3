/* SPDX-License-Identifier: BSD-2-Clause */
/* An I/O APIC with a recorder for its messages. */
#ifndef VSM_TESTS_IOAPIC_FIXTURE_H
#define VSM_TESTS_IOAPIC_FIXTURE_H

#include <errno.h>
#include <string.h>
#include <vsm/ioapic.h>

#include "unit_test.h"

#define LEVEL  VSM_IOAPIC_ENTRY_LEVEL
#define MASKED VSM_IOAPIC_ENTRY_MASKED
#define RIRR   VSM_IOAPIC_ENTRY_REMOTE_IRR
#define DELIVS VSM_IOAPIC_ENTRY_SEND_PENDING

struct ioapic_fixture {
	struct vsm_ioapic io;
	enum vsm_ioapic_delivery answer;
	unsigned int sent;
	uint64_t address;
	uint32_t data;
};

static inline enum vsm_ioapic_delivery record(void *opaque, uint64_t address, uint32_t data)
{
	struct ioapic_fixture *fixture = opaque;

	fixture->sent++;
	fixture->address = address;
	fixture->data = data;
	return fixture->answer;
}

static inline void start(struct ioapic_fixture *fixture, uint8_t version, uint32_t pins)
{
	const struct vsm_ioapic_config config = {
		.message = record, .opaque = fixture, .pins = pins, .version = version, .id = 5};

	memset(fixture, 0, sizeof(*fixture));
	assert_int_equal(vsm_ioapic_init(&fixture->io, &config), 0);
}

static inline void put(struct ioapic_fixture *fixture, uint32_t reg, uint32_t value)
{
	vsm_ioapic_write(&fixture->io, VSM_IOAPIC_MMIO_INDEX, reg);
	vsm_ioapic_write(&fixture->io, VSM_IOAPIC_MMIO_DATA, value);
}

static inline uint32_t get(struct ioapic_fixture *fixture, uint32_t reg)
{
	vsm_ioapic_write(&fixture->io, VSM_IOAPIC_MMIO_INDEX, reg);
	return vsm_ioapic_read(&fixture->io, VSM_IOAPIC_MMIO_DATA);
}

/* As a guest programs a pin: the high half first, so that nothing leaves half-programmed. */
static inline void program(struct ioapic_fixture *fixture, uint32_t pin, uint64_t entry)
{
	put(fixture, 0x11 + 2 * pin, (uint32_t)(entry >> 32));
	put(fixture, 0x10 + 2 * pin, (uint32_t)entry);
}

static inline enum vsm_ioapic_outcome raise_line(struct ioapic_fixture *fixture, uint32_t pin)
{
	return vsm_ioapic_set_line(&fixture->io, pin, true);
}

static inline enum vsm_ioapic_outcome lower_line(struct ioapic_fixture *fixture, uint32_t pin)
{
	return vsm_ioapic_set_line(&fixture->io, pin, false);
}

/* For tests with 24 pins of version 0x11; others call start(). */
static struct ioapic_fixture fixture;

static inline int setup(void **state)
{
	start(&fixture, 0x11, 24);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

#endif
