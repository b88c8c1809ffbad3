/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices for test kernels, with the interface of QEMU's. */
#include "device_bench.h"

#include "device/testdev.h"

struct bench {
	struct machine machine;
	struct vmm_testdev testdev;
	char console[16];
	size_t console_size;
	uint32_t lines, line_calls;
	uint64_t flushed;
	unsigned int flushes, requests;
	struct vmm_hv_test_request request;
};

static void stop(void *opaque, enum vmm_stop what, int status)
{
	record_stop(&((struct bench *)opaque)->machine, what, status);
}

static void console(void *opaque, uint8_t byte)
{
	struct bench *bench = opaque;

	assert_true(bench->console_size < sizeof(bench->console));
	bench->console[bench->console_size++] = (char)byte;
}

static void set_line(void *opaque, uint32_t line, bool level)
{
	struct bench *bench = opaque;

	assert_true(line < VMM_IRQ_LINES);
	bench->line_calls++;
	bench->lines = (bench->lines & ~(1u << line)) | (uint32_t)level << line;
}

static void flush_page(void *opaque, uint64_t gpa)
{
	struct bench *bench = opaque;

	bench->flushed = gpa;
	bench->flushes++;
}

static void hv_test(void *opaque, const struct vmm_hv_test_request *request)
{
	struct bench *bench = opaque;

	bench->request = *request;
	bench->requests++;
}

static void start(struct bench *bench)
{
	const struct vmm_testdev_ops ops = {stop, console, set_line, flush_page, hv_test, bench};

	memset(bench, 0, sizeof(*bench));
	vmm_ports_init(&bench->machine.ports);
	vmm_testdev_init(&bench->testdev, &ops, 0x123456789a, 300);
	assert_int_equal(vmm_testdev_add(&bench->testdev, &bench->machine.ports), 0);
}

static struct bench bench;

static int setup(void **state)
{
	start(&bench);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

static void debug_exit_returns_an_odd_status(void **state)
{
	static const uint32_t row[][2] = {{0, 1}, {1, 3}, {0x10, 0x21}, {0x7f, 0xff}, {0x80, 1}};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		out8(&bench.machine, 0xf4, row[i][0]);
		assert_int_equal(bench.machine.stops, i + 1);
		assert_int_equal(bench.machine.stop, VMM_STOP_EXIT);
		assert_int_equal(bench.machine.status, row[i][1]);
	}
	out32(&bench.machine, 0xf4, 2); /* one exit, not four */
	assert_int_equal(bench.machine.stops, 6);
	assert_int_equal(bench.machine.status, 5);
}

static void the_debug_console_prints_bytes_and_is_detectable(void **state)
{
	assert_int_equal(in8(&bench.machine, 0xe9), 0xe9);
	out8(&bench.machine, 0xe9, 'o');
	out8(&bench.machine, 0xe9, 'k');
	assert_int_equal(bench.console_size, 2);
	assert_memory_equal(bench.console, "ok", 2);
}

static void interrupt_lines_follow_their_ports(void **state)
{
	for (uint16_t line = 0; line < 24; line++) {
		out8(&bench.machine, (uint16_t)(0x2000 + line), 1);
		assert_int_equal(bench.lines, 1u << line);
		out32(&bench.machine, (uint16_t)(0x2000 + line), 0);
		assert_int_equal(bench.lines, 0);
	}
	assert_int_equal(bench.line_calls, 48);
	out8(&bench.machine, 0x2018, 1);
	out8(&bench.machine, 0x1fff, 1);
	assert_int_equal(bench.line_calls, 48);
}

static void the_latch_keeps_1_2_and_4_bytes(void **state)
{
	out32(&bench.machine, 0xe0, 0x12345678);
	assert_int_equal(in32(&bench.machine, 0xe0), 0x12345678);
	assert_int_equal(in8(&bench.machine, 0xe0), 0x78);
	assert_int_equal(vmm_ports_read(&bench.machine.ports, 0xe0, 2), 0x5678);
	assert_int_equal(vmm_ports_read(&bench.machine.ports, 0xe2, 2), 0x1234);
	assert_int_equal(in8(&bench.machine, 0xe3), 0x12);
	out8(&bench.machine, 0xe1, 0xaa);
	assert_int_equal(in32(&bench.machine, 0xe0), 0x1234aa78);
	vmm_ports_write(&bench.machine.ports, 0xe2, 2, 0xbbcc);
	assert_int_equal(in32(&bench.machine, 0xe0), 0xbbccaa78);
	out32(&bench.machine, 0xe3,
	      0xffffff11); /* beyond the end of the latch: the rest is dropped */
	assert_int_equal(in32(&bench.machine, 0xe0), 0x11ccaa78);
	assert_int_equal(in32(&bench.machine, 0xe3), 0x11);
}

static void page_flush_accepts_a_32_bit_address(void **state)
{
	out32(&bench.machine, 0xe4, 0xfedcba98);
	assert_int_equal(bench.flushes, 1);
	assert_int_equal(bench.flushed, 0xfedcb000);
	out8(&bench.machine, 0xe4, 1);
	assert_int_equal(bench.flushes, 1);
}

static uint64_t item(uint16_t number, size_t size)
{
	uint64_t value = 0;

	vmm_ports_write(&bench.machine.ports, 0x510, 2, number);
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)in8(&bench.machine, 0x511) << (8 * i);
	/* After its end an item reads as zeros. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(in8(&bench.machine, 0x511), 0);
	return value;
}

static void fw_cfg_has_signature_memory_and_processors(void **state)
{
	assert_int_equal(item(0, 4), 0x554d4551); /* "QEMU" */
	assert_int_equal(item(1, 4), 1);
	assert_true(item(3, 8) == 0x123456789a);
	assert_int_equal(item(5, 2), 300);
	assert_int_equal(item(0xf, 2), 300);
	assert_int_equal(item(0x19, 0), 0);
	assert_int_equal(item(0xffff, 0), 0);
	out8(&bench.machine, 0x511,
	     1); /* the data port is not writable, and the selector needs a 16-bit write */
	out8(&bench.machine, 0x510, 0);
	assert_int_equal(in8(&bench.machine, 0x511), 0);
	assert_int_equal(item(5, 2), 300);
}

static void the_hyper_v_test_device_passes_valid_requests_and_ignores_others(void **state)
{
	out32(&bench.machine, 0x3000, 0x7f050203);
	assert_int_equal(bench.requests, 1);
	assert_int_equal(bench.request.command, VMM_HV_TEST_DESTROY_MESSAGE_CONNECTION);
	assert_int_equal(bench.request.sint, 3);
	assert_int_equal(bench.request.vp, 2);
	assert_int_equal(bench.request.connection, 0x7f);
	for (uint32_t command = 0; command < 256; command++)
		out32(&bench.machine, 0x3000, command << 16 | 1);
	assert_int_equal(bench.requests, 8);
	out32(&bench.machine, 0x3000, 0x00010010); /* SINT 16 */
	bench.testdev.processors = 2;
	out32(&bench.machine, 0x3000, 0x00010200); /* VP 2 of 2 */
	out8(&bench.machine, 0x3000, 1);
	assert_int_equal(bench.requests, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(debug_exit_returns_an_odd_status),
		TEST(the_debug_console_prints_bytes_and_is_detectable),
		TEST(interrupt_lines_follow_their_ports),
		TEST(the_latch_keeps_1_2_and_4_bytes),
		TEST(page_flush_accepts_a_32_bit_address),
		TEST(fw_cfg_has_signature_memory_and_processors),
		TEST(the_hyper_v_test_device_passes_valid_requests_and_ignores_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
