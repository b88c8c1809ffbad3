/* SPDX-License-Identifier: BSD-2-Clause */
#include "device_bench.h"

#include "acpi/acpi.h"
#include "device/nmi_status.h"
#include "device/pci.h"
#include "device/power.h"

static uint32_t echo_read(void *opaque, uint16_t port, unsigned int size)
{
	return port << 8 | size;
}

static void note_write(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	uint64_t *last = opaque;

	*last = (*last << 16) | ((uint64_t)(port & 0xf) << 12) | (uint64_t)size << 8 |
		(value & 0xff);
}

static void a_port_without_a_device_reads_all_ones_and_ignores_writes(void **state)
{
	struct machine machine = {0};

	vmm_ports_init(&machine.ports);
	for (uint32_t port = 0; port < 65536; port++) {
		assert_int_equal(in8(&machine, (uint16_t)port), 0xff);
		assert_int_equal(vmm_ports_read(&machine.ports, (uint16_t)port, 2), 0xffff);
		assert_int_equal(in32(&machine, (uint16_t)port), 0xffffffff);
		out32(&machine, (uint16_t)port, 0);
	}
	vmm_ports_destroy(&machine.ports);
}

static void each_port_reaches_its_device(void **state)
{
	struct machine machine = {0};
	const uint16_t first[] = {0x60, 0x10, 0x30, 0xffff, 0};

	vmm_ports_init(&machine.ports);
	for (size_t i = 0; i < 5; i++) {
		const struct vmm_port_range range = {.first = first[i],
						     .last = first[i] ? (uint16_t)(first[i] | 3)
								      : 1,
						     .max_size = 4,
						     .read = echo_read};

		assert_int_equal(vmm_ports_add(&machine.ports, &range), 0);
	}
	for (uint32_t port = 0; port < 65536; port++) {
		const bool taken = port <= 1 || (port & ~3u) == 0x10 || (port & ~3u) == 0x30 ||
				   (port & ~3u) == 0x60 || port == 0xffff;

		assert_int_equal(in32(&machine, (uint16_t)port),
				 taken ? port << 8 | 4 : 0xffffffff);
	}
	vmm_ports_destroy(&machine.ports);
}

static void overlapping_and_invalid_ranges_are_refused(void **state)
{
	static const struct {
		uint16_t first, last;
		uint8_t max_size;
		int error;
	} row[] = {{0x20, 0x2f, 1, 0},	     {0x2f, 0x30, 1, -EEXIST}, {0x10, 0x20, 1, -EEXIST},
		   {0, 0xffff, 1, -EEXIST},  {0x25, 0x25, 1, -EEXIST}, {0x30, 0x30, 1, 0},
		   {0x1f, 0x1f, 1, 0},	     {0x41, 0x40, 1, -EINVAL}, {0x40, 0x40, 3, -EINVAL},
		   {0x40, 0x40, 0, -EINVAL}, {0x40, 0x40, 8, -EINVAL}};
	struct machine machine = {0};

	vmm_ports_init(&machine.ports);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct vmm_port_range range = {
			.first = row[i].first, .last = row[i].last, .max_size = row[i].max_size};

		assert_int_equal(vmm_ports_add(&machine.ports, &range), row[i].error);
	}
	for (uint16_t port = 0x1000; machine.ports.count < VMM_PORT_RANGES_MAX; port++) {
		const struct vmm_port_range range = {.first = port, .last = port, .max_size = 1};

		assert_int_equal(vmm_ports_add(&machine.ports, &range), 0);
	}
	{
		const struct vmm_port_range range = {.first = 9, .last = 9, .max_size = 1};

		assert_int_equal(vmm_ports_add(&machine.ports, &range), -ENOSPC);
	}
	vmm_ports_destroy(&machine.ports);
}

static void a_wide_access_to_a_narrow_device_is_split_into_bytes(void **state)
{
	struct machine machine = {0};
	uint64_t seen = 0;
	const struct vmm_port_range range = {"x", 0x20, 0x22, 1, echo_read, note_write, &seen};

	vmm_ports_init(&machine.ports);
	assert_int_equal(vmm_ports_add(&machine.ports, &range), 0);
	out32(&machine, 0x20, 0x44332211); /* 0x23 has no device */
	assert_true(seen == 0x011111222133);
	/* echo: the low byte of port << 8 | 1; a byte without a device is 0xff */
	assert_int_equal(in32(&machine, 0x20), 0xff010101);
	assert_int_equal(vmm_ports_read(&machine.ports, 0xffff, 2), 0xffff);
	vmm_ports_destroy(&machine.ports);
}

static void only_the_power_and_reset_ports_end_the_machine(void **state)
{
	static const struct {
		uint16_t port;
		uint8_t size;
		uint32_t value;
		unsigned int stops;
		enum vmm_stop stop;
	} row[] = {
		{0x64, 1, 0xfe, 1, VMM_STOP_RESET},
		{0x64, 1, 0xff, 0, 0},
		{0xcf9, 1, 0x06, 1, VMM_STOP_RESET},
		{0xcf9, 1, 0x02, 0, 0},
		{0x612, 1, 1, 1, VMM_STOP_RESET},
		{0x612, 1, 2, 0, 0},
		{0x610, 1, 5 << 2 | 0x20, 1, VMM_STOP_POWER_OFF},
		{0x610, 1, 5 << 2, 0, 0},
		{0x610, 1, 3 << 2 | 0x20, 0, 0}, /* another sleep state */
		{0x611, 1, 0xff, 0, 0},
		{0x604, 2, 0x2000, 1, VMM_STOP_POWER_OFF},
		{0x604, 2, 0x3400, 1, VMM_STOP_POWER_OFF},
		{0x604, 2, 0x1fff, 0, 0},
		{0xcf8, 4, 0x80000600, 0,
		 0}, /* a PCI address whose second byte looks like a reset */
	};
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct machine machine = {0};
		struct vmm_power power = {record_stop, &machine};
		struct vmm_pci pci;

		vmm_ports_init(&machine.ports);
		assert_int_equal(vmm_power_add(&power, &machine.ports), 0);
		assert_int_equal(vmm_pci_add(&pci, &machine.ports), 0);
		vmm_ports_write(&machine.ports, row[i].port, row[i].size, row[i].value);
		assert_int_equal(machine.stops, row[i].stops);
		if (machine.stops)
			assert_int_equal(machine.stop, row[i].stop);
		assert_int_equal(machine.status, 0);
		vmm_ports_destroy(&machine.ports);
	}
}

static void pci_has_configuration_mechanism_1_and_no_device(void **state)
{
	struct machine machine = {0};
	struct vmm_pci pci;

	vmm_ports_init(&machine.ports);
	assert_int_equal(vmm_pci_add(&pci, &machine.ports), 0);
	out32(&machine, 0xcf8, 0x80000000); /* how Linux finds mechanism 1 */
	assert_int_equal(in32(&machine, 0xcf8), 0x80000000);
	assert_int_equal(in8(&machine, 0xcf8), 0xff);
	for (uint32_t device = 0; device < 65536; device += 257) {
		out32(&machine, 0xcf8, 0x80000000 | device << 8);
		assert_int_equal(in32(&machine, 0xcfc), 0xffffffff);
		assert_int_equal(vmm_ports_read(&machine.ports, 0xcfe, 2), 0xffff);
		out32(&machine, 0xcfc, 0);
	}
	vmm_ports_destroy(&machine.ports);
}

/* ICH9, port 0x61: SERR# and IOCHK# are clear, the refresh bit toggles, the output of timer 2 is high. */
static void port_0x61_reports_no_hardware_error_for_an_nmi(void **state)
{
	struct machine machine = {0};
	struct vmm_nmi_status status;
	uint32_t last, value;

	vmm_ports_init(&machine.ports);
	assert_int_equal(vmm_nmi_status_add(&status, &machine.ports), 0);
	last = in8(&machine, 0x61);
	for (uint32_t written = 0; written < 256; written++) {
		out8(&machine, 0x61, written);
		value = in8(&machine, 0x61);
		assert_int_equal(value & 0xef, 0x20);
		assert_int_equal((value ^ last) & 0x10, 0x10);
		last = value;
	}
	assert_int_equal(in8(&machine, 0x60), 0xff);
	assert_int_equal(in8(&machine, 0x62), 0xff);
	vmm_ports_destroy(&machine.ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_without_a_device_reads_all_ones_and_ignores_writes),
		cmocka_unit_test(each_port_reaches_its_device),
		cmocka_unit_test(overlapping_and_invalid_ranges_are_refused),
		cmocka_unit_test(a_wide_access_to_a_narrow_device_is_split_into_bytes),
		cmocka_unit_test(only_the_power_and_reset_ports_end_the_machine),
		cmocka_unit_test(pci_has_configuration_mechanism_1_and_no_device),
		cmocka_unit_test(port_0x61_reports_no_hardware_error_for_an_nmi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
