/* SPDX-License-Identifier: BSD-2-Clause */
#include "load_bench.h"

#define FILE_SIZE 0x3000u

static const struct elf_segment two[] = {
	{1, 0x1000, 0x200000, 0x200000, 0x1000, 0x1000},
	{1, 0x2000, 0x300000, 0x300000, 0x10, 0x2345},
};

static void start(struct bench *bench)
{
	bench_start(bench, FILE_SIZE);
	for (size_t i = 0x1000; i < FILE_SIZE; i++)
		bench->file[i] = (uint8_t)(i * 7);
	put_elf64(bench, 0x200010, two, 2);
}

static struct bench bench;

static int setup(void **state)
{
	start(&bench);
	return 0;
}

static int teardown(void **state)
{
	bench_stop(&bench);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void a_flat_elf_starts_in_long_mode_with_its_segments_and_zeros_after_them(void **state)
{
	bench.request.command_line = "one two";
	bench.request.rsdp = 0xe0000;
	assert_int_equal(bench_load(&bench), 0);
	expect_long_mode(&bench);
	assert_int_equal(bench.state.rip, 0x200010);
	assert_int_equal(bench.state.gpr[VMM_RDI], 0xe0000);
	assert_string_equal(ram_string(&bench, bench.state.gpr[VMM_RSI]), "one two");
	assert_int_equal(bench.state.gpr[VMM_RDX], 7);
	assert_int_equal(bench.state.gpr[VMM_RSP] & 15, 0);
	assert_memory_equal(bench.ram + 0x200000, bench.file + 0x1000, 0x1000);
	assert_memory_equal(bench.ram + 0x300000, bench.file + 0x2000, 0x10);
	for (size_t i = 0x10; i < 0x2345; i++)
		assert_int_equal(bench.ram[0x300000 + i], 0);
	assert_int_equal(bench.ram[0x302345], 0xa5);
}

static void boot_tables_do_not_overlap_a_kernel_at_a_low_address(void **state)
{
	const struct elf_segment low = {1, 0x1000, 0x1000, 0x1000, 0x1000, 0x9e000};

	put_elf64(&bench, 0x1010, &low, 1);
	assert_int_equal(bench_load(&bench), 0);
	expect_long_mode(&bench);
	assert_memory_equal(bench.ram + 0x1000, bench.file + 0x1000, 0x1000);
	for (size_t i = 0x2000; i < 0x9f000; i++)
		assert_int_equal(bench.ram[i], 0);
	assert_true(bench.state.cr3 >= 0x100000);
	assert_true(bench.state.gpr[VMM_RSP] > 0x100000);
}

static void a_kernel_linked_high_is_entered_where_it_was_loaded(void **state)
{
	const struct elf_segment high = {1, 0x1000, 0xffffffff80000000, 0x400000, 0x1000, 0x1000};

	put_elf64(&bench, 0xffffffff80000020, &high, 1);
	assert_int_equal(bench_load(&bench), 0);
	assert_int_equal(bench.state.rip, 0x400020);
}

static void every_truncation_is_an_error(void **state)
{
	for (size_t size = 4; size < 0x2010; size++) {
		bench.request.kernel.size = size;
		assert_int_equal(bench_load(&bench), -ENOEXEC);
		assert_int_equal(bench.messages, 1);
	}
	bench.request.kernel.size = 0x2010;
	assert_int_equal(bench_load(&bench), 0);
}

static void files_that_x86_cannot_run_are_refused_with_their_kind(void **state)
{
	static const struct bad_field row[] = {
		{4, 3, 1, "class 3"},
		{5, 2, 1, "byte order 2"},
		{18, 183, 2, "64-bit Arm"},
		{18, 243, 2, "RISC-V"},
		{18, 3, 2, "32-bit x86"}, /* in a 64-bit file */
		{18, 999, 2, "another machine"},
		{16, 1, 2, "object file or a kernel module"},
		{16, 4, 2, "core dump"},
		{16, 0xfe00, 2, "not an executable"},
		{54, 55, 2, "program headers of 55 bytes"},
		{56, 0, 2, "0 program headers"},
		{56, 65, 2, "65 program headers"},
		{56, 0xffff, 2, "65535 program headers"},
		{32, UINT64_MAX - 8, 8, "truncated: program headers"},
		{32, FILE_SIZE, 8, "truncated: program headers"},
		{24, 0x201000, 8, "in none of the segments"},
	};

	expect_bad_fields(start, row, sizeof(row) / sizeof(row[0]));
}

static void invalid_segments_are_refused(void **state)
{
	static const struct {
		struct elf_segment segment;
		int error;
		const char *words;
	} row[] = {
		{{1, 0x1000, 0, 0x400000, 2, 1}, ENOEXEC, "segment 1 has 0x2 bytes in the file"},
		{{1, UINT64_MAX, 0, 0x400000, 2, 2}, ENOEXEC, "truncated: segment 1"},
		{{1, 0x2fff, 0, 0x400000, 2, 2}, ENOEXEC, "truncated: segment 1"},
		{{1, 0x1000, 0, 0x200fff, 1, 1}, ENOEXEC, "overlaps an ELF segment"},
		{{1, 0x1000, 0, 0x1ff000, 1, 0x1001}, ENOEXEC, "overlaps an ELF segment"},
		{{1, 0x1000, 0, 0x1ff000, 1, 0x100000}, ENOEXEC, "overlaps an ELF segment"},
		{{1, 0x1000, 0, RAM_SIZE - 1, 1, 2}, E2BIG, "no RAM"},
		{{1, 0x1000, 0, UINT64_MAX, 1, 2}, E2BIG, "no RAM"},
		{{1, 0x1000, 0, 0x400000, 1, UINT64_MAX}, E2BIG, "no RAM"},
		{{1, 0x1000, 0, 0xa0000, 1, 1}, E2BIG, "no RAM"},
		{{1, 0x1000, 0, 0xfffff, 1, 1}, E2BIG, "no RAM"},
		{{1, 0x1000, 0, 0x100000000, 1, 1}, E2BIG, "no RAM"},
	};
	struct elf_segment segment[2] = {two[0]};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		start(&bench);
		segment[1] = row[i].segment;
		put_elf64(&bench, 0x200010, segment, 2);
		expect_refusal(&bench, row[i].error, row[i].words);
		bench_stop(&bench);
	}
}

static void segments_that_are_not_loaded_are_not_checked(void **state)
{
	struct elf_segment segment[2] = {two[0], {4, UINT64_MAX, 0, UINT64_MAX, 9, 1}};

	put_elf64(&bench, 0x200010, segment, 2);
	assert_int_equal(bench_load(&bench), 0);
	segment[1] = (struct elf_segment){1, 0, 0, UINT64_MAX, 0, 0};
	put_elf64(&bench, 0x200010, segment, 2);
	assert_int_equal(bench_load(&bench), 0);
}

static void a_32_bit_elf_without_a_multiboot_header_is_refused(void **state)
{
	put_elf32(&bench, 0x200010, two, 2);
	expect_refusal(&bench, ENOEXEC, "32-bit ELF without a multiboot header");
}

static void an_initrd_or_a_long_command_line_is_refused_for_a_flat_elf(void **state)
{
	const struct vmm_module module = {{"initrd", (const uint8_t *)"x", 1}, NULL};
	static char line[VMM_COMMAND_LINE_MAX + 1];

	bench.request.module = &module;
	bench.request.modules = 1;
	expect_refusal(&bench, EINVAL, "takes no initrd");
	bench.request.modules = 0;
	memset(line, 'x', VMM_COMMAND_LINE_MAX);
	bench.request.command_line = line;
	expect_refusal(&bench, E2BIG, "command line");
	bench.request.command_line = NULL;
	vmm_memory_split(&bench.memory, VMM_MEMORY_MIN - VMM_PAGE);
	expect_refusal(&bench, E2BIG, "2 MiB");
}

static void a_position_independent_elf_runs_where_it_was_linked(void **state)
{
	put(&bench, 16, 3, 2); /* ET_DYN */
	assert_int_equal(bench_load(&bench), 0);
	assert_int_equal(bench.state.rip, 0x200010);
	assert_memory_equal(bench.ram + 0x200000, bench.file + 0x1000, 0x1000);
}

static void programs_and_libraries_are_refused(void **state)
{
	const struct elf_segment program[] = {two[0], {3, 0x1000, 0, 0, 8, 8}};

	for (unsigned int type = 2; type <= 3; type++) {
		start(&bench);
		put_elf64(&bench, 0x200010, program, 2);
		put(&bench, 16, type, 2);
		expect_refusal(&bench, ENOEXEC, "dynamically linked program");
		bench_stop(&bench);
	}
	start(&bench);
	put_elf64(&bench, 0, two, 2);
	put(&bench, 16, 3, 2);
	expect_refusal(&bench, ENOEXEC, "a shared library");
	bench_stop(&bench);
}

/* Each message has the address and the remedy: enough memory, or another address. */
static void the_error_for_a_segment_without_ram_has_a_remedy(void **state)
{
	static const struct {
		uint64_t physical, size;
		const char *address, *help; /* @help NULL: the recommended memory size */
	} row[] = {
		{0xff000, 0x74, "0x74 bytes at 0xff000", "link the kernel at 0x100000 or higher"},
		{0, 0x120000, "0x120000 bytes at 0x0", "link the kernel at 0x100000 or higher"},
		{0x9fbff, 2, "0x2 bytes at 0x9fbff", "0x9fc00-0xfffff is for firmware"},
		{0xfff00000, 0x1000, "0x1000 bytes at 0xfff00000", "below 0xc0000000"},
		{0xbffff000, 0x2000, "0x2000 bytes at 0xbffff000", "below 0xc0000000"},
		{0x400000, 0x100000000, "0x100000000 bytes at 0x400000", "below 0xc0000000"},
		{1ull << 52, 1, "at 0x10000000000000", "below 0xc0000000"},
		{UINT64_MAX, 1, "at 0xffffffffffffffff", "below 0xc0000000"},
		{0x400000, UINT64_MAX, "0xffffffffffffffff bytes at 0x400000", "below 0xc0000000"},
		{RAM_SIZE, 1, "at 0x3000000", NULL},
		{RAM_SIZE - 1, 3u << 20, "at 0x2ffffff", NULL},
		{0x100000000, 1, "at 0x100000000", NULL},
		{0x140000000, 1, "at 0x140000000", NULL},
	};
	struct elf_segment segment[2] = {two[0]};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		start(&bench);
		segment[1] = (struct elf_segment){1, 0x1000, 0, row[i].physical, 1, row[i].size};
		put_elf64(&bench, 0x200010, segment, 2);
		expect_refusal(&bench, E2BIG, row[i].address);
		if (row[i].help) {
			assert_non_null(strstr(bench.text, row[i].help));
			assert_null(strstr(bench.text, "give it"));
		} else {
			expect_memory_to_help(&bench);
		}
		bench_stop(&bench);
	}
}

static void a_failed_write_is_returned(void **state)
{
	vmm_memory_split(&bench.memory, 2ull * RAM_SIZE); /* more than the RAM of the fixture */
	put(&bench, 64 + 24, RAM_SIZE, 8);
	put(&bench, 64 + 16, RAM_SIZE, 8);
	put(&bench, 24, RAM_SIZE, 8);
	expect_refusal(&bench, EFAULT, "guest RAM at 0x3000000");
}

static void a_file_is_read_whole_and_within_its_limit(void **state)
{
	char name[] = "/tmp/vsm-load-XXXXXX";
	const int fd = mkstemp(name);
	struct vmm_file file;
	FILE *stream;

	bench_start(&bench, 1);
	assert_true(fd >= 0);
	stream = fdopen(fd, "w");
	assert_non_null(stream);
	assert_int_equal(bench_read(&bench, &file, name, 100), -ENOEXEC);
	assert_non_null(strstr(bench.text, "empty"));
	for (int i = 0; i < 3000000; i++)
		fputc(i % 251, stream);
	fclose(stream);
	assert_int_equal(bench_read(&bench, &file, name, 3000000), 0);
	assert_int_equal(file.size, 3000000);
	for (int i = 0; i < 3000000; i++)
		assert_true(file.data[i] == i % 251);
	vmm_file_free(&file);
	assert_int_equal(bench_read(&bench, &file, name, 2999999), -EFBIG);
	assert_non_null(strstr(bench.text, "2999999"));
	remove(name);
	assert_int_equal(bench_read(&bench, &file, name, 100), -ENOENT);
	assert_non_null(strstr(bench.text, name));
	assert_int_equal(bench_read(&bench, &file, "/", 100), -EISDIR);
	vmm_file_free(&file);
	bench_stop(&bench);
}

static void memory_is_laid_out_as_on_a_pc(void **state)
{
	struct vmm_range range[VMM_RANGES_MAX];
	struct vmm_memory memory = {0};
	uint64_t before = 0;

	vmm_memory_split(&memory, VMM_LOW_MAX);
	assert_int_equal(memory.high, 0);
	vmm_memory_split(&memory, 5ull << 30);
	assert_int_equal(memory.low, 3ull << 30);
	assert_int_equal(memory.high, 2ull << 30);
	assert_int_equal(vmm_memory_map(&memory, range), 5);
	for (unsigned int i = 0; i < 5; i++) {
		assert_true(range[i].base >= before);
		before = range[i].base + range[i].size;
	}
	assert_int_equal(before, 6ull << 30);
	assert_int_equal(range[4].base, 4ull << 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flat_elf_starts_in_long_mode_with_its_segments_and_zeros_after_them),
		TEST(boot_tables_do_not_overlap_a_kernel_at_a_low_address),
		TEST(a_kernel_linked_high_is_entered_where_it_was_loaded),
		TEST(every_truncation_is_an_error),
		cmocka_unit_test(files_that_x86_cannot_run_are_refused_with_their_kind),
		cmocka_unit_test(invalid_segments_are_refused),
		TEST(segments_that_are_not_loaded_are_not_checked),
		TEST(a_32_bit_elf_without_a_multiboot_header_is_refused),
		TEST(an_initrd_or_a_long_command_line_is_refused_for_a_flat_elf),
		TEST(a_position_independent_elf_runs_where_it_was_linked),
		cmocka_unit_test(programs_and_libraries_are_refused),
		cmocka_unit_test(the_error_for_a_segment_without_ram_has_a_remedy),
		TEST(a_failed_write_is_returned),
		cmocka_unit_test(a_file_is_read_whole_and_within_its_limit),
		cmocka_unit_test(memory_is_laid_out_as_on_a_pc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
