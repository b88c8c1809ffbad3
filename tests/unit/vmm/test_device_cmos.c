/* SPDX-License-Identifier: BSD-2-Clause */
/* CMOS RAM and clock, by the MC146818 data sheet. */
#include "device_bench.h"

#include "device/cmos.h"

static time_t fixed(void *opaque)
{
	return *(time_t *)opaque;
}

struct bench {
	struct machine machine;
	struct vmm_cmos cmos;
	time_t now;
};

static void start(struct bench *bench, time_t now, uint64_t memory_size)
{
	struct vmm_memory memory = {0};

	memset(bench, 0, sizeof(*bench));
	bench->now = now;
	vmm_memory_split(&memory, memory_size);
	vmm_ports_init(&bench->machine.ports);
	vmm_cmos_init(&bench->cmos, &memory, 4, fixed, &bench->now);
	assert_int_equal(vmm_cmos_add(&bench->cmos, &bench->machine.ports), 0);
}

static uint8_t get(struct bench *bench, uint8_t index)
{
	out8(&bench->machine, 0x70, index);
	return (uint8_t)in8(&bench->machine, 0x71);
}

static void put(struct bench *bench, uint8_t index, uint8_t value)
{
	out8(&bench->machine, 0x70, index);
	out8(&bench->machine, 0x71, value);
}

static void the_time_is_bcd_of_24_hours_in_utc(void **state)
{
	static const uint8_t expected[][2] = {{0, 0x56}, {2, 0x34}, {4, 0x23}, {6, 0x05},
					      {7, 0x31}, {8, 0x12}, {9, 0x98}, {0x32, 0x19}};
	struct bench bench;

	start(&bench, 915147296, 64u << 20); /* Thursday, 1998-12-31 23:34:56 UTC */
	for (size_t i = 0; i < sizeof(expected) / 2; i++)
		assert_int_equal(get(&bench, expected[i][0]), expected[i][1]);
	assert_int_equal(get(&bench, 0x80), 0x56); /* bit 7 of the index is the NMI mask */
	bench.now = 951782400;			   /* 2000-02-29 00:00:00 */
	assert_int_equal(get(&bench, 0x32), 0x20);
	assert_int_equal(get(&bench, 9), 0);
	assert_int_equal(get(&bench, 7), 0x29);
}

static void binary_and_12_hour_formats_are_supported(void **state)
{
	struct bench bench;

	start(&bench, 915147296, 64u << 20);
	put(&bench, 0xb, 0x06);
	assert_int_equal(get(&bench, 0), 56);
	assert_int_equal(get(&bench, 4), 23);
	put(&bench, 0xb, 0x04);
	assert_int_equal(get(&bench, 4), 0x80 | 11);
	bench.now += 26 * 60; /* midnight */
	assert_int_equal(get(&bench, 4), 12);
	bench.now += 12 * 3600;
	put(&bench, 0xb, 0);
	assert_int_equal(get(&bench, 4), 0x92);
}

static void an_update_is_never_in_progress_and_the_time_is_valid(void **state)
{
	struct bench bench;

	start(&bench, 0, 64u << 20);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(get(&bench, 0xa) & 0x80, 0);
	assert_int_equal(get(&bench, 0xb), 0x02);
	assert_int_equal(get(&bench, 0xc), 0);
	assert_int_equal(get(&bench, 0xd), 0x80);
	put(&bench, 0xa, 0xff);
	put(&bench, 0xb, 0xf2);
	put(&bench, 0xc, 0xff);
	put(&bench, 0xd, 0);
	assert_int_equal(get(&bench, 0xa), 0x26);
	assert_int_equal(get(&bench, 0xb), 0x02); /* no interrupt can be enabled */
	assert_int_equal(get(&bench, 0xc), 0);
	assert_int_equal(get(&bench, 0xd), 0x80);
}

static void memory_and_processors_are_reported(void **state)
{
	struct bench bench;

	start(&bench, 0, 5ull << 30);
	assert_int_equal(get(&bench, 0x34) | get(&bench, 0x35) << 8,
			 ((3ull << 30) - (16 << 20)) >> 16);
	assert_int_equal(get(&bench, 0x5b) | get(&bench, 0x5c) << 8 | get(&bench, 0x5d) << 16,
			 (2ull << 30) >> 16);
	assert_int_equal(get(&bench, 0x5f), 3);
	assert_int_equal(get(&bench, 0x15) | get(&bench, 0x16) << 8, 640);
	assert_int_equal(get(&bench, 0x30) | get(&bench, 0x31) << 8, 0xffff);
	start(&bench, 0, 8u << 20);
	assert_int_equal(get(&bench, 0x17) | get(&bench, 0x18) << 8, 7 * 1024);
	assert_int_equal(get(&bench, 0x34) | get(&bench, 0x35) << 8, 0);
}

static void the_other_bytes_are_ram(void **state)
{
	struct bench bench;

	start(&bench, 0, 64u << 20);
	put(&bench, 0x40, 0xa5);
	put(&bench, 0x7f, 0x5a);
	assert_int_equal(get(&bench, 0x40), 0xa5);
	assert_int_equal(get(&bench, 0x7f), 0x5a);
	assert_int_equal(in8(&bench.machine, 0x70), 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_time_is_bcd_of_24_hours_in_utc),
		cmocka_unit_test(binary_and_12_hour_formats_are_supported),
		cmocka_unit_test(an_update_is_never_in_progress_and_the_time_is_valid),
		cmocka_unit_test(memory_and_processors_are_reported),
		cmocka_unit_test(the_other_bytes_are_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
