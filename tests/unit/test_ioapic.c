/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O APIC: registers and messages, by the 82093AA data sheet [DS] and those of the ICH [ICH]. */
#include "ioapic_fixture.h"

static void after_a_reset_every_entry_is_masked_and_zero(void **state)
{
	for (uint8_t pin = 0; pin < 24; pin++) { /* [DS 3.2.4], default value */
		assert_int_equal(get(&fixture, 0x10 + 2 * pin), 0x00010000);
		assert_int_equal(get(&fixture, 0x11 + 2 * pin), 0);
	}
	program(&fixture, 3, LEVEL | 0x40);
	raise_line(&fixture, 3);
	put(&fixture, 0, 0x0f000000);
	vsm_ioapic_reset(&fixture.io);
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 3), MASKED);
	assert_int_equal(vsm_ioapic_read(&fixture.io, VSM_IOAPIC_MMIO_INDEX), 0);
	assert_int_equal(get(&fixture, 0), 5u << 24);
	/* The device still asserts its line: the pin sends a message when it is programmed again. */
	fixture.sent = 0;
	program(&fixture, 3, LEVEL | 0x40);
	assert_int_equal(fixture.sent, 1);
}

static void the_version_register_has_pins_and_version_and_ignores_writes(void **state)
{
	static const struct {
		uint8_t version;
		uint32_t pins, value;
	} row[] = {{0x11, 24, 0x00170011}, /* [DS 3.2.2], default value */
		   {0x20, 24, 0x00170020},
		   {0x20, 1, 0x00000020},
		   {0x20, 240, 0x00ef0020}};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		start(&fixture, row[i].version, row[i].pins);
		put(&fixture, 1, 0xffffffff);
		assert_int_equal(get(&fixture, 1), row[i].value);
	}
}

static void id_and_arbitration_id_are_four_bits_and_equal(void **state)
{
	put(&fixture, 0, 0xa5ffffff); /* [DS 3.2.1]: only bits 27:24 */
	assert_int_equal(get(&fixture, 0), 0x05000000);
	assert_int_equal(get(&fixture, 2), 0x05000000); /* [DS 3.2.3]: loaded with the ID */
	put(&fixture, 2, 0x0b000000);
	assert_int_equal(get(&fixture, 2), 0x05000000); /* read-only */
}

static void the_boot_register_exists_only_in_version_0x20(void **state)
{
	start(&fixture, 0x20, 24);
	assert_int_equal(get(&fixture, 3), 1); /* [ICH]: delivery by memory writes */
	start(&fixture, 0x11, 24);
	assert_int_equal(get(&fixture, 3), 0);
}

static void only_defined_bits_of_an_entry_can_be_written(void **state)
{
	program(&fixture, 7, ~0ull);
	/* [DS 3.2.4]: 55:17 reserved, 14 and 12 read-only */
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 7), 0xff0000000001afff);
	start(&fixture, 0x20, 24);
	program(&fixture, 7, ~0ull);
	/* [ICH]: 55:48 extended destination */
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 7), 0xffff00000001afff);
	assert_int_equal(fixture.sent, 0);
}

static void offsets_and_indices_without_a_register_read_zero_and_ignore_writes(void **state)
{
	struct vsm_ioapic before;

	before = fixture.io;
	for (uint32_t offset = 0; offset < 0x2000; offset++) {
		if (offset == VSM_IOAPIC_MMIO_INDEX || offset == VSM_IOAPIC_MMIO_DATA)
			continue;
		vsm_ioapic_write(&fixture.io, offset, 0xffffffff);
		assert_int_equal(vsm_ioapic_read(&fixture.io, offset), 0);
	}
	assert_memory_equal(&before, &fixture.io, sizeof(before));
	for (unsigned int index = 0; index < 256; index++) {
		if (index < 3 || (index >= 0x10 && index < 0x40))
			continue;
		put(&fixture, index, 0xffffffff);
		assert_int_equal(get(&fixture, index), 0);
	}
	vsm_ioapic_write(&fixture.io, VSM_IOAPIC_MMIO_INDEX, 0);
	assert_memory_equal(&before, &fixture.io, sizeof(before));
}

static void the_last_of_240_pins_can_be_programmed_and_fires(void **state)
{
	start(&fixture, 0x20, 240);
	program(&fixture, 239, 0x41);
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 239), 0x41);
	assert_int_equal(raise_line(&fixture, 239), VSM_IOAPIC_DELIVERED);
	assert_int_equal(fixture.data & 0xff, 0x41);
	assert_int_equal(raise_line(&fixture, 240), VSM_IOAPIC_IGNORED);
	assert_int_equal(raise_line(&fixture, UINT32_MAX), VSM_IOAPIC_IGNORED);
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 240), 0);
}

static void a_configuration_out_of_range_is_refused_and_changes_nothing(void **state)
{
	const struct vsm_ioapic_config bad[] = {
		{.message = NULL},
		{.message = record, .pins = 241},
		{.message = record, .version = 0x12},
		{.message = record, .id = 16},
	};
	struct vsm_ioapic io, before;

	memset(&io, 0x5a, sizeof(io));
	before = io;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vsm_ioapic_init(&io, &bad[i]), -EINVAL);
	assert_memory_equal(&io, &before, sizeof(io));
}

static void a_message_is_an_msi(void **state)
{
	/* [SDM] vol. 3, "Message Signalled Interrupts"; [ICH], "Interrupt Message". */
	static const struct {
		uint64_t entry, address;
		uint32_t data;
	} row[] = {
		{0x1200000000000031, 0xfee12000, 0x4031}, /* fixed, physical, edge */
		{0x1200000000000831, 0xfee12004, 0x4031}, /* logical */
		{0xff00000000000931, 0xfeeff00c, 0x4131}, /* lowest priority: hint */
		{0x0100000000008031, 0xfee01000, 0xc031}, /* level: trigger bit */
		{0x0100000000000200, 0xfee01000, 0x4200}, /* SMI */
		{0x0100000000000400, 0xfee01000, 0x4400}, /* NMI */
		{0x0100000000000500, 0xfee01000, 0x4500}, /* INIT */
		{0x0100000000000700, 0xfee01000, 0x4700}, /* ExtINT */
		{0x0100000000008400, 0xfee01000, 0x4400}, /* NMI is an edge always */
		{0x12ab000000000031, 0xfee12ab0, 0x4031}, /* extended destination */
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		start(&fixture, 0x20, 24);
		program(&fixture, 9, row[i].entry);
		assert_int_equal(raise_line(&fixture, 9), VSM_IOAPIC_DELIVERED);
		assert_int_equal(fixture.sent, 1);
		assert_int_equal(fixture.address, row[i].address);
		assert_int_equal(fixture.data, row[i].data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(after_a_reset_every_entry_is_masked_and_zero),
		cmocka_unit_test(the_version_register_has_pins_and_version_and_ignores_writes),
		TEST(id_and_arbitration_id_are_four_bits_and_equal),
		cmocka_unit_test(the_boot_register_exists_only_in_version_0x20),
		TEST(only_defined_bits_of_an_entry_can_be_written),
		TEST(offsets_and_indices_without_a_register_read_zero_and_ignore_writes),
		cmocka_unit_test(the_last_of_240_pins_can_be_programmed_and_fires),
		cmocka_unit_test(a_configuration_out_of_range_is_refused_and_changes_nothing),
		cmocka_unit_test(a_message_is_an_msi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
