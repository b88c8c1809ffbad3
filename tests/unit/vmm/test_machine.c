/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole machine without processors: the test makes the accesses of a processor. */
#include "load_bench.h"

#include <unistd.h>

#include "boot/boot_registers.h"
#include "machine/machine.h"

struct board {
	struct bench bench; /* RAM, log, and the kernel's bytes */
	struct vmm_machine machine;
	struct vmm_config config;
	struct vmm_boot_state state;
	char kernel[32], module[32];
	char console[64];
	size_t console_size;
	unsigned int messages, stops;
	uint64_t address;
	uint32_t data;
	enum vmm_stop stop;
};

static int write_memory(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	return bench_write(&((struct board *)opaque)->bench, gpa, data, size);
}

static enum vsm_ioapic_delivery msi(void *opaque, uint64_t address, uint32_t data)
{
	struct board *board = opaque;

	board->messages++;
	board->address = address;
	board->data = data;
	return VSM_IOAPIC_ACCEPTED;
}

static void stop(void *opaque, enum vmm_stop what, int status)
{
	struct board *board = opaque;

	board->stops++;
	board->stop = what;
}

static void console(void *opaque, uint8_t byte)
{
	struct board *board = opaque;

	assert_true(board->console_size < sizeof(board->console) - 1);
	board->console[board->console_size++] = (char)byte;
}

static void flush_page(void *opaque, uint64_t gpa)
{
}

static void hv_test(void *opaque, const struct vmm_hv_test_request *request)
{
}

static void write_temporary(char name[32], const void *data, size_t size)
{
	int fd;

	snprintf(name, 32, "/tmp/vsm-machine-XXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

static void start(struct board *board, bool testdev)
{
	const struct elf_segment segment = {1, 0x1000, 0x200000, 0x200000, 0x100, 0x1000};
	struct vmm_machine_ops ops = {write_memory, msi, stop, console, flush_page, hv_test, NULL};

	memset(board, 0, sizeof(*board));
	bench_start(&board->bench, 0x1100);
	put_elf64(&board->bench, 0x200000, &segment, 1);
	write_temporary(board->kernel, board->bench.file, 0x1100);
	board->config = (struct vmm_config){.kernel = board->kernel,
					    .cpus = 3,
					    .memory = RAM_SIZE,
					    .vtls = 3,
					    .testdev = testdev};
	ops.opaque = board;
	assert_int_equal(vmm_machine_init(&board->machine, &board->config, &ops, &board->bench.log),
			 0);
}

static void finish(struct board *board)
{
	vmm_machine_destroy(&board->machine);
	unlink(board->kernel);
	bench_stop(&board->bench);
}

static void out(struct board *board, uint16_t port, uint32_t value, unsigned int size)
{
	vmm_machine_port(&board->machine, port, size, 1, true, (uint8_t *)&value);
}

static uint32_t mmio(struct board *board, uint64_t gpa, bool write, uint32_t value)
{
	vmm_machine_mmio(&board->machine, gpa, sizeof(value), write, (uint8_t *)&value);
	return value;
}

static void program(struct board *board, uint32_t pin, uint32_t low)
{
	mmio(board, 0xfec00000, true, 0x10 + 2 * pin);
	mmio(board, 0xfec00010, true, low);
}

static void a_kernel_and_its_tables_are_in_memory(void **state)
{
	struct board board;

	start(&board, false);
	assert_int_equal(
		vmm_machine_load(&board.machine, &board.config, &board.bench.log, &board.state), 0);
	assert_int_equal(board.state.rip, 0x200000);
	assert_int_equal(board.state.gpr[VMM_RDI], 0xe0000);
	assert_memory_equal(board.bench.ram + 0xe0000, "RSD PTR ", 8);
	assert_int_equal(board.bench.ram[0xfffff], 0); /* bytes of a previous kernel were zeroed */
	finish(&board);
}

/* Old multiboot kernels first search the BIOS data area for the end of low memory and for ACPI. */
static void the_bios_data_area_has_the_end_of_low_memory(void **state)
{
	struct board board;
	const uint8_t *ram;

	start(&board, false);
	ram = board.bench.ram;
	for (int boot = 0; boot < 2; boot++) {
		assert_int_equal(vmm_machine_load(&board.machine, &board.config, &board.bench.log,
						  &board.state),
				 0);
		assert_int_equal(ram[0x40e] | ram[0x40f] << 8, 0x9fc0); /* segment of the EBDA */
		assert_int_equal(ram[0x413] | ram[0x414] << 8, 639);	/* KiB */
		assert_int_equal(ram[0x400] | ram[0x401] << 8, 0x3f8);	/* COM1 */
		assert_int_equal(ram[0x402] | ram[0x403] << 8, 0);
		assert_int_equal(ram[0x410] | ram[0x411] << 8, 0x200); /* one serial port */
		assert_int_equal(ram[0x9fc00], 1);		       /* KiB of the EBDA */
		assert_int_equal(ram[0x9fc01] | ram[0x9ffff], 0);
		memset(board.bench.ram + 0x400, 0xff, 0x100);
		memset(board.bench.ram + 0x9fc00, 0xff, 0x400);
	}
	finish(&board);
}

static void words_after_a_module_name_are_arguments_unless_a_file_has_the_whole_name(void **state)
{
	char named[40], with[64];
	struct board board;

	start(&board, false);
	memset(board.bench.file + 0x200, 0, 12);
	put(&board.bench, 0x200, 0x1badb002, 4);
	put(&board.bench, 0x208, 0u - 0x1badb002u, 4);
	unlink(board.kernel);
	write_temporary(board.kernel, board.bench.file, 0x1100);
	write_temporary(board.module, "module", 6);
	snprintf(named, sizeof(named), "%s x", board.module);
	snprintf(with, sizeof(with), "%s some words", board.module);
	board.config.initrd[0] = with;
	board.config.initrd[1] = named;
	board.config.initrds = 2;
	assert_int_equal(rename(board.module, named), 0);
	write_temporary(board.module, "other", 5);
	snprintf(with, sizeof(with), "%s some words", board.module);
	assert_int_equal(
		vmm_machine_load(&board.machine, &board.config, &board.bench.log, &board.state), 0);
	{
		const uint32_t list = ram32(&board.bench, board.state.gpr[VMM_RBX] + 24);

		assert_string_equal(ram_string(&board.bench, ram32(&board.bench, list + 8)), with);
		assert_string_equal(ram_string(&board.bench, ram32(&board.bench, list + 24)),
				    named);
		assert_memory_equal(board.bench.ram + ram32(&board.bench, list), "other", 5);
		assert_memory_equal(board.bench.ram + ram32(&board.bench, list + 16), "module", 6);
	}
	unlink(board.module);
	unlink(named);
	assert_int_equal(
		vmm_machine_load(&board.machine, &board.config, &board.bench.log, &board.state),
		-ENOENT);
	assert_non_null(strstr(board.bench.text, board.module));
	finish(&board);
}

static void the_serial_port_writes_strings_and_interrupts_through_the_io_apic(void **state)
{
	uint8_t text[] = "hello";
	struct board board;
	uint8_t byte = 0;

	start(&board, false);
	vmm_machine_port(&board.machine, 0x3f8, 1, 5, true, text); /* rep outsb */
	assert_string_equal(board.console, "hello");
	program(&board, 4, 0x31);
	out(&board, 0x3fc, 8, 1);
	out(&board, 0x3f9, 1, 1);
	assert_int_equal(board.messages, 0);
	assert_int_equal(vmm_machine_input(&board.machine, (const uint8_t *)"q", 1), 1);
	assert_int_equal(board.messages, 1);
	assert_int_equal(board.address, 0xfee00000);
	assert_int_equal(board.data, 0x4031);
	vmm_machine_port(&board.machine, 0x3f8, 1, 1, false, &byte);
	assert_int_equal(byte, 'q');
	finish(&board);
}

static void a_level_fires_again_after_its_eoi_and_shared_lines_are_an_or(void **state)
{
	struct board board;

	start(&board, true);
	program(&board, 4, 0x8031);
	out(&board, 0x2004, 1, 1);
	assert_int_equal(board.messages, 1);
	vmm_machine_eoi(&board.machine, 0x31);
	assert_int_equal(board.messages, 2);
	out(&board, 0x3fc, 8, 1);
	out(&board, 0x3f9, 2, 1); /* the serial port asserts it, too */
	out(&board, 0x2004, 0, 1);
	vmm_machine_eoi(&board.machine, 0x31);
	assert_int_equal(board.messages, 3);
	out(&board, 0x3f9, 0, 1);
	vmm_machine_eoi(&board.machine, 0x31);
	assert_int_equal(board.messages, 3);
	finish(&board);
}

static void test_devices_exist_only_when_configured(void **state)
{
	struct board board;
	uint32_t value = 0;

	start(&board, false);
	out(&board, 0xf4, 0, 1);
	out(&board, 0xe9, 'x', 1);
	assert_int_equal(board.stops, 0);
	assert_int_equal(board.console_size, 0);
	finish(&board);
	start(&board, true);
	out(&board, 0x510, 5, 2);
	vmm_machine_port(&board.machine, 0x511, 1, 2, false, (uint8_t *)&value); /* rep insb */
	assert_int_equal(value, 3);
	out(&board, 0xf4, 0, 1);
	assert_int_equal(board.stops, 1);
	assert_int_equal(board.stop, VMM_STOP_EXIT);
	finish(&board);
}

static void memory_without_a_device_reads_all_ones(void **state)
{
	static const uint64_t where[] = {0xfec00100, 0xfebffffc, 0xd0000000, 0xfee01000,
					 UINT64_MAX};
	uint8_t data[8];
	struct board board;

	start(&board, true);
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		memset(data, 0, sizeof(data));
		vmm_machine_mmio(&board.machine, where[i], 8, true, data);
		vmm_machine_mmio(&board.machine, where[i], 8, false, data);
		for (int byte = 0; byte < 8; byte++)
			assert_int_equal(data[byte], 0xff);
	}
	/* Other access sizes of I/O APIC registers: the low bytes, the rest zero. */
	memset(data, 0xee, sizeof(data));
	mmio(&board, 0xfec00000, true, 1);
	vmm_machine_mmio(&board.machine, 0xfec00010, 8, false, data);
	assert_memory_equal(data, "\x20\0\x17\0\0\0\0\0", 8);
	memset(data, 0xee, sizeof(data));
	vmm_machine_mmio(&board.machine, 0xfec00010, 1, false, data);
	assert_memory_equal(data, "\x20\xee", 2);
	finish(&board);
}

static void a_reset_restores_the_initial_state(void **state)
{
	struct board board;

	start(&board, true);
	program(&board, 4, 0x8031);
	out(&board, 0x2004, 1, 1);
	out(&board, 0x3fc, 8, 1);
	vmm_machine_input(&board.machine, (const uint8_t *)"abc", 3);
	vmm_machine_reset(&board.machine);
	board.messages = 0;
	program(&board, 4, 0x8031);
	assert_int_equal(board.messages, 0);
	out(&board, 0x3fc, 8, 1);
	out(&board, 0x3f9, 1, 1);
	assert_int_equal(board.messages, 0);
	out(&board, 0x612, 1, 1);
	assert_int_equal(board.stop, VMM_STOP_RESET);
	finish(&board);
}

static void boot_registers_are_the_boot_state_by_its_tlfs_names(void **state)
{
	union hv_register_value value[VMM_BOOT_REGISTERS];
	uint32_t name[VMM_BOOT_REGISTERS];
	struct vmm_boot_state boot;
	unsigned int found = 0;

	vmm_boot_long_mode(&boot, 0x1234, 0x2000, 0x3000);
	boot.gpr[VMM_RSI] = 0x5678;
	boot.gpr[VMM_R15] = 0x9abc;
	vmm_boot_registers(&boot, name, value);
	for (unsigned int i = 0; i < VMM_BOOT_REGISTERS; i++) {
		for (unsigned int j = 0; j < i; j++)
			assert_int_not_equal(name[i], name[j]);
		switch (name[i]) { /* numbers of the TLFS, not of our headers */
		case 0x00020006:
			assert_int_equal(value[i].reg64, 0x5678);
			found++;
			break;
		case 0x0002000f:
			assert_int_equal(value[i].reg64, 0x9abc);
			found++;
			break;
		case 0x00020010:
			assert_int_equal(value[i].reg64, 0x1234);
			found++;
			break;
		case 0x00040002:
			assert_int_equal(value[i].reg64, 0x2000);
			found++;
			break;
		case 0x00060001:
			assert_int_equal(value[i].segment.attributes, 0xa09b);
			assert_int_equal(value[i].segment.selector, 0x10);
			found++;
			break;
		case 0x00060002:
			assert_int_equal(value[i].segment.attributes, 0xc093);
			found++;
			break;
		case 0x00070001:
			assert_int_equal(value[i].table.base, 0x3000);
			assert_int_equal(value[i].table.limit, 47);
			found++;
			break;
		case 0x00080001:
			assert_int_equal(value[i].reg64, 0x500);
			found++;
			break;
		default:
			break;
		}
	}
	assert_int_equal(found, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_and_its_tables_are_in_memory),
		cmocka_unit_test(the_bios_data_area_has_the_end_of_low_memory),
		cmocka_unit_test(
			words_after_a_module_name_are_arguments_unless_a_file_has_the_whole_name),
		cmocka_unit_test(the_serial_port_writes_strings_and_interrupts_through_the_io_apic),
		cmocka_unit_test(a_level_fires_again_after_its_eoi_and_shared_lines_are_an_or),
		cmocka_unit_test(test_devices_exist_only_when_configured),
		cmocka_unit_test(memory_without_a_device_reads_all_ones),
		cmocka_unit_test(a_reset_restores_the_initial_state),
		cmocka_unit_test(boot_registers_are_the_boot_state_by_its_tlfs_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
