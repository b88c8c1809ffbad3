/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial port, by the PC16550D data sheet. */
#include "device_bench.h"

#include "device/serial.h"
#include "../../lab/random.h"

#define BASE 0x3f8u

struct bench {
	struct machine machine;
	struct vmm_serial serial;
	uint8_t sent[64];
	unsigned int count, edges;
	bool level;
};

static void output(void *opaque, uint8_t byte)
{
	struct bench *bench = opaque;

	assert_true(bench->count < sizeof(bench->sent));
	bench->sent[bench->count++] = byte;
}

static void line(void *opaque, bool level)
{
	struct bench *bench = opaque;

	assert_true(level != bench->level); /* called only when the level changes */
	bench->level = level;
	bench->edges += level;
}

static void start(struct bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	vmm_ports_init(&bench->machine.ports);
	vmm_serial_init(&bench->serial, output, line, bench);
	assert_int_equal(vmm_serial_add(&bench->serial, &bench->machine.ports, BASE), 0);
	out8(&bench->machine, BASE + 4, 0x08); /* OUT2: interrupts reach the line */
}

static void put(struct bench *bench, unsigned int reg, uint8_t value)
{
	out8(&bench->machine, (uint16_t)(BASE + reg), value);
}

static uint8_t get(struct bench *bench, unsigned int reg)
{
	return (uint8_t)in8(&bench->machine, (uint16_t)(BASE + reg));
}

static struct bench bench;

static int setup(void **state)
{
	start(&bench);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

static void bytes_are_sent_at_once_and_the_transmitter_is_always_empty(void **state)
{
	for (const char *c = "hello"; *c; c++) {
		assert_int_equal(get(&bench, 5), 0x60);
		put(&bench, 0, (uint8_t)*c);
	}
	assert_int_equal(bench.count, 5);
	assert_memory_equal(bench.sent, "hello", 5);
	assert_int_equal(bench.edges, 0);
}

static void the_divisor_is_accessed_with_dlab(void **state)
{
	put(&bench, 3, 0x83);
	put(&bench, 0, 0x0c);
	put(&bench, 1, 0x01);
	assert_int_equal(get(&bench, 0), 0x0c);
	assert_int_equal(get(&bench, 1), 0x01);
	put(&bench, 3, 0x03);
	assert_int_equal(get(&bench, 3), 0x03);
	assert_int_equal(get(&bench, 1), 0);
	assert_int_equal(bench.count, 0);
	put(&bench, 7, 0x5a);
	assert_int_equal(get(&bench, 7), 0x5a);
}

static void enabling_the_transmitter_interrupt_raises_it_and_reading_iir_ends_it(void **state)
{
	assert_int_equal(get(&bench, 2), 0x01);
	put(&bench, 1, 2);
	assert_true(bench.level);
	assert_int_equal(get(&bench, 2), 0x02);
	assert_false(bench.level);
	assert_int_equal(get(&bench, 2), 0x01);
	put(&bench, 1, 2); /* enabled already: no new interrupt */
	assert_false(bench.level);
	put(&bench, 1, 0);
	put(&bench, 1, 2);
	assert_true(bench.level);
}

static void each_byte_sent_makes_an_edge_even_if_iir_was_not_read(void **state)
{
	put(&bench, 1, 2);
	assert_int_equal(bench.edges, 1);
	put(&bench, 0, 'a');
	put(&bench, 0, 'b');
	assert_int_equal(bench.edges, 3);
	assert_true(bench.level);
	put(&bench, 1, 0);
	assert_false(bench.level);
}

static void received_bytes_are_read_in_order_with_their_interrupt(void **state)
{
	put(&bench, 2, 0x01);
	put(&bench, 1, 1);
	assert_int_equal(vmm_serial_feed(&bench.serial, (const uint8_t *)"xyz", 3), 3);
	assert_true(bench.level);
	assert_int_equal(get(&bench, 2), 0xc4);
	assert_int_equal(get(&bench, 5), 0x61);
	assert_int_equal(get(&bench, 0), 'x');
	assert_int_equal(get(&bench, 0), 'y');
	assert_true(bench.level);
	assert_int_equal(get(&bench, 0), 'z');
	assert_false(bench.level);
	assert_int_equal(get(&bench, 5), 0x60);
}

static void below_the_trigger_level_the_time_out_is_reported(void **state)
{
	put(&bench, 2, 0x41); /* FIFO, trigger at 4 */
	put(&bench, 1, 1);
	vmm_serial_feed(&bench.serial, (const uint8_t *)"abc", 3);
	assert_int_equal(get(&bench, 2), 0xcc);
	vmm_serial_feed(&bench.serial, (const uint8_t *)"d", 1);
	assert_int_equal(get(&bench, 2), 0xc4);
}

static void input_beyond_the_fifo_waits_and_nothing_is_lost(void **state)
{
	static uint8_t typed[VMM_SERIAL_QUEUE + VMM_SERIAL_FIFO + 100];
	size_t taken;

	for (size_t i = 0; i < sizeof(typed); i++)
		typed[i] = (uint8_t)(i * 7 + i / 256);
	start(&bench);
	put(&bench, 2, 1);
	taken = vmm_serial_feed(&bench.serial, typed, sizeof(typed));
	assert_true(taken >= VMM_SERIAL_QUEUE && taken < sizeof(typed));
	taken += vmm_serial_feed(&bench.serial, typed + taken, sizeof(typed) - taken);
	for (size_t i = 0; i < taken; i++) {
		assert_int_equal(get(&bench, 5) & 3, 1);
		assert_int_equal(get(&bench, 0), typed[i]);
	}
	assert_int_equal(get(&bench, 5), 0x60);
	assert_int_equal(vmm_serial_feed(&bench.serial, typed, 1), 1);
}

static void priorities_are_line_receiver_transmitter_modem(void **state)
{
	put(&bench, 1, 0x0f);
	put(&bench, 4, 0x18); /* loop: CTS and DSR fall, DCD stays */
	put(&bench, 0, 'a');
	put(&bench, 0, 'b'); /* overrun without FIFO */
	put(&bench, 4, 0x08);
	assert_true(bench.level);
	assert_int_equal(get(&bench, 2), 0x06); /* [PC16550D, table IV] */
	assert_int_equal(get(&bench, 5) & 2, 2);
	assert_int_equal(get(&bench, 2), 0x04);
	assert_int_equal(get(&bench, 0), 'b');
	assert_int_equal(get(&bench, 2), 0x02);
	assert_int_equal(get(&bench, 2), 0x00);
	assert_int_equal(get(&bench, 6) & 0x0f, 0x03);
	assert_int_equal(get(&bench, 2), 0x01);
	assert_false(bench.level);
	assert_int_equal(bench.count, 0);
}

static void loop_mode_returns_bytes_and_lines(void **state)
{
	assert_int_equal(get(&bench, 6), 0xb0);
	put(&bench, 4, 0x1e); /* loop, OUT2, OUT1, RTS */
	assert_int_equal(get(&bench, 6) & 0xf0, 0xd0);
	put(&bench, 2, 1);
	for (uint8_t i = 0; i < 20; i++)
		put(&bench, 0, i);
	assert_int_equal(get(&bench, 5), 0x63); /* the FIFO has 16 bytes */
	for (uint8_t i = 0; i < 16; i++)
		assert_int_equal(get(&bench, 0), i);
	put(&bench, 1, 2);
	assert_false(bench.level); /* OUT2 has no effect in loop mode */
	assert_int_equal(bench.count, 0);
}

static void clearing_the_fifo_clears_it(void **state)
{
	put(&bench, 2, 1);
	vmm_serial_feed(&bench.serial, (const uint8_t *)"abc", 3);
	put(&bench, 2, 3);
	assert_int_equal(get(&bench, 5), 0x60);
	vmm_serial_feed(&bench.serial, (const uint8_t *)"d", 1);
	put(&bench, 2, 0); /* switching the FIFO off clears too */
	assert_int_equal(get(&bench, 5), 0x60);
}

static void without_out2_no_interrupt_is_raised(void **state)
{
	put(&bench, 4, 0);
	put(&bench, 1, 3);
	vmm_serial_feed(&bench.serial, (const uint8_t *)"a", 1);
	assert_false(bench.level);
	put(&bench, 4, 8);
	assert_true(bench.level);
}

static void random_accesses_keep_the_line_and_iir_consistent(void **state)
{
	uint64_t seed = 88172645463325252;

	for (int i = 0; i < 200000; i++) {
		next_random(&seed);
		bench.count = 0;
		if (seed & 1)
			put(&bench, seed >> 8 & 7, (uint8_t)(seed >> 16));
		else if (seed & 2)
			get(&bench, seed >> 8 & 7);
		else
			vmm_serial_feed(&bench.serial, (const uint8_t *)&seed, 3);
		if (bench.level) {
			const uint8_t id = get(&bench, 2);

			assert_int_equal(id & 1, 0);
			/* Reading IIR clears at most the reported cause. */
			assert_true((id & 0xf) == 2 || bench.level);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_are_sent_at_once_and_the_transmitter_is_always_empty),
		TEST(the_divisor_is_accessed_with_dlab),
		TEST(enabling_the_transmitter_interrupt_raises_it_and_reading_iir_ends_it),
		TEST(each_byte_sent_makes_an_edge_even_if_iir_was_not_read),
		TEST(received_bytes_are_read_in_order_with_their_interrupt),
		TEST(below_the_trigger_level_the_time_out_is_reported),
		cmocka_unit_test(input_beyond_the_fifo_waits_and_nothing_is_lost),
		TEST(priorities_are_line_receiver_transmitter_modem),
		TEST(loop_mode_returns_bytes_and_lines),
		TEST(clearing_the_fifo_clears_it),
		TEST(without_out2_no_interrupt_is_raised),
		TEST(random_accesses_keep_the_line_and_iir_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
