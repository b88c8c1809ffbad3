/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux by its 64-bit boot protocol; field offsets are those of the kernel's boot.rst. */
#include "load_bench.h"

#include <unistd.h>

#define FILE_SIZE 0x4000u
#define SETUP	  (5u * 512)

/* A small bzImage: four sectors of setup, and a payload whose bytes depend on their offset. */
static void start(struct bench *bench)
{
	bench_start(bench, FILE_SIZE);
	for (size_t i = SETUP; i < FILE_SIZE; i++)
		bench->file[i] = (uint8_t)(i * 13);
	put(bench, 0x1f1, 4, 1);
	put(bench, 0x1f4, (FILE_SIZE - SETUP) / 16, 4);
	put(bench, 0x1fe, 0xaa55, 2);
	put(bench, 0x200, 0x66eb, 2);
	put(bench, 0x202, 0x53726448, 4);
	put(bench, 0x206, 0x20f, 2);
	put(bench, 0x211, 1, 1);
	put(bench, 0x22c, 0x7fffffff, 4);
	put(bench, 0x230, 0x200000, 4);
	put(bench, 0x234, 1, 1);
	put(bench, 0x236, 1, 2);
	put(bench, 0x238, 2047, 4);
	put(bench, 0x258, 0x1000000, 8);
	put(bench, 0x260, 0x800000, 4);
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

static void a_kernel_is_entered_by_the_64_bit_protocol(void **state)
{
	uint64_t zero;

	bench.request.command_line = "console=ttyS0 quiet";
	bench.request.rsdp = 0xe0000;
	assert_int_equal(bench_load(&bench), 0);
	expect_long_mode(&bench);
	/* "64-bit Boot Protocol": entry at 0x200, CS 0x10, DS 0x18, RSI the zero page. */
	assert_int_equal(bench.state.rip, 0x1000200);
	assert_int_equal(bench.state.cs.selector, 0x10);
	assert_int_equal(bench.state.data.selector, 0x18);
	assert_memory_equal(bench.ram + 0x1000000, bench.file + SETUP, FILE_SIZE - SETUP);
	zero = bench.state.gpr[VMM_RSI];
	assert_memory_equal(bench.ram + zero + 0x202, "HdrS", 4);
	assert_int_equal(bench.ram[zero + 0x210], 0xff);
	assert_int_equal(bench.ram[zero + 0x211] & 1, 1);
	assert_int_equal(ram64(&bench, zero + 0x070), 0xe0000);
	assert_int_equal(ram32(&bench, zero + 0x218), 0);
	assert_int_equal(ram32(&bench, zero + 0x21c), 0);
	assert_int_equal(ram32(&bench, zero + 0x258), 0x1000000);
	assert_string_equal(ram_string(&bench, ram32(&bench, zero + 0x228)), "console=ttyS0 quiet");
	/* Fields that the loader does not fill are zero. */
	assert_int_equal(ram64(&bench, zero), 0);
	assert_int_equal(ram64(&bench, zero + 0xff8), 0);
}

static void the_memory_map_is_e820(void **state)
{
	static const struct {
		uint64_t base, size;
		uint32_t type;
	} expected[] = {{0, 0x9fc00, 1},
			{0x9fc00, 0x400, 2},
			{0xe0000, 0x20000, 2},
			{0x100000, RAM_SIZE - 0x100000, 1}};
	uint64_t zero;

	assert_int_equal(bench_load(&bench), 0);
	zero = bench.state.gpr[VMM_RSI];
	assert_int_equal(bench.ram[zero + 0x1e8], 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(ram64(&bench, zero + 0x2d0 + 20 * i), expected[i].base);
		assert_int_equal(ram64(&bench, zero + 0x2d8 + 20 * i), expected[i].size);
		assert_int_equal(ram32(&bench, zero + 0x2e0 + 20 * i), expected[i].type);
	}
}

static void the_initrd_is_as_high_as_the_kernel_allows(void **state)
{
	static uint8_t data[10000];
	const struct vmm_module module[2] = {{{"initrd", data, sizeof(data)}, NULL}};
	uint64_t zero;

	memset(data, 0x77, sizeof(data));
	start(&bench);
	bench.request.module = module;
	bench.request.modules = 1;
	assert_int_equal(bench_load(&bench), 0);
	zero = bench.state.gpr[VMM_RSI];
	assert_int_equal(ram32(&bench, zero + 0x218), RAM_SIZE - 0x3000);
	assert_int_equal(ram32(&bench, zero + 0x21c), 10000);
	assert_memory_equal(bench.ram + RAM_SIZE - 0x3000, data, sizeof(data));
	put(&bench, 0x22c, 0x2000fff, 4); /* initrd_addr_max: the last byte that it may have */
	assert_int_equal(bench_load(&bench), 0);
	zero = bench.state.gpr[VMM_RSI];
	assert_int_equal(ram32(&bench, zero + 0x218), 0x1ffe000);
	bench.request.modules = 2;
	expect_refusal(&bench, EINVAL, "one initrd");
	bench_stop(&bench);
}

static void an_initrd_that_does_not_fit_is_refused_with_its_name(void **state)
{
	static uint8_t data[1];
	struct vmm_module module = {{"my-initrd", data, RAM_SIZE}, NULL};

	bench.request.module = &module;
	bench.request.modules = 1;
	assert_int_equal(bench_load(&bench), -E2BIG);
	assert_non_null(strstr(bench.text, "my-initrd"));
	assert_non_null(strstr(bench.text, "with --memory"));
	/* If the kernel's own limit leaves no room, the message does not recommend more memory. */
	put(&bench, 0x22c, 0x1ffffff, 4);
	assert_int_equal(bench_load(&bench), -E2BIG);
	assert_non_null(strstr(bench.text, "from 0x100000 to 0x1ffffff"));
	assert_non_null(strstr(bench.text, "whatever --memory says"));
}

static void a_kernel_is_relocated_when_its_preferred_address_has_no_ram(void **state)
{
	put(&bench, 0x258, 0x10000000, 8);
	assert_int_equal(bench_load(&bench), 0);
	assert_int_equal(bench.state.rip, 0x200200); /* the lowest multiple of kernel_alignment */
	put(&bench, 0x258, UINT64_MAX, 8);
	assert_int_equal(bench_load(&bench), 0);
	put(&bench, 0x258, 0x10000000, 8);
	put(&bench, 0x234, 0, 1); /* not relocatable */
	expect_refusal(&bench, E2BIG, "no RAM");
	put(&bench, 0x258, UINT64_MAX, 8);
	expect_refusal(&bench, E2BIG, "no RAM");
	/* RAM above 4 GiB, which the page tables at the entry do not map. */
	vmm_memory_split(&bench.memory, 8ull << 30);
	put(&bench, 0x258, 1ull << 32, 8);
	expect_refusal(&bench, ENOEXEC, "0x100000000 is above 4 GiB");
}

static void a_kernel_that_does_not_fit_is_refused(void **state)
{
	put(&bench, 0x260, 0xffffffff, 4);
	expect_refusal(&bench, E2BIG, "no room for the kernel (0xffffffff bytes)");
	assert_non_null(strstr(bench.text, "whatever --memory says"));
	put(&bench, 0x260, RAM_SIZE, 4);
	expect_refusal(&bench, E2BIG, "with --memory");
	expect_memory_to_help(&bench);
}

/* syssize counts paragraphs of 16 bytes: the last one need not be whole. */
static void a_kernel_whose_last_paragraph_is_not_whole_is_loaded(void **state)
{
	for (size_t missing = 0; missing < 16; missing++) {
		start(&bench);
		bench.request.kernel.size = FILE_SIZE - missing;
		if (bench_load(&bench))
			fail_msg("%zu bytes are missing: %s", missing, bench.text);
		assert_int_equal(bench.state.rip, 0x1000200);
		assert_memory_equal(bench.ram + 0x1000000, bench.file + SETUP,
				    FILE_SIZE - SETUP - missing);
		for (size_t i = 0; i < missing; i++)
			assert_int_equal(bench.ram[0x1000000 + FILE_SIZE - SETUP - 1 - i], 0);
		bench_stop(&bench);
	}
	start(&bench);
	bench.request.kernel.size = FILE_SIZE - 16;
	expect_refusal(&bench, ENOEXEC, "truncated");
	bench_stop(&bench);
}

static void invalid_headers_are_refused_with_the_reason(void **state)
{
	static const struct bad_field row[] = {
		{0x1fe, 0, 2, "not a bzImage"},
		{0x206, 0x20b, 2, "protocol 2.11"},
		{0x236, 0, 2, "32-bit kernel"},
		{0x211, 0, 1, "zImage"},
		{0x1f4, 0xffffffff, 4, "truncated"},
		{0x1f1, 255, 1, "truncated"},
		{0x230, 0, 4, "kernel_alignment"},
		{0x230, 0x300000, 4, "kernel_alignment"},
		{0x230, 0x80000000, 4, "kernel_alignment"},
	};

	expect_bad_fields(start, row, sizeof(row) / sizeof(row[0]));
}

static void every_truncation_is_an_error(void **state)
{
	for (size_t size = 1; size <= FILE_SIZE - 16; size++) {
		bench.request.kernel.size = size;
		assert_int_equal(bench_load(&bench), -ENOEXEC);
		assert_int_equal(bench.messages, 1);
	}
}

static void a_command_line_longer_than_the_maximum_of_the_kernel_is_refused(void **state)
{
	static char line[3000];

	memset(line, 'x', 2047);
	bench.request.command_line = line;
	assert_int_equal(bench_load(&bench), 0);
	line[2047] = 'x';
	expect_refusal(&bench, E2BIG, "the maximum of this kernel is 2047");
}

static void debians_cloud_kernel_is_loaded(void **state)
{
	const char *given = getenv("VSM_TEST_BZIMAGE");
	const char *name = given ? given : VSM_SOURCE_ROOT "/build/rig-cache/kernel/vmlinuz";
	struct vmm_file file = {0};

	if (!given && access(name, R_OK)) {
		print_message("no kernel in the rig's cache; VSM_TEST_BZIMAGE names one\n");
		skip();
	}
	bench_start_with(&bench, 1, 256u << 20);
	assert_int_equal(bench_read(&bench, &file, name, 1u << 30), 0);
	bench.request.kernel = file;
	if (bench_load(&bench))
		fail_msg("%s", bench.text);
	expect_long_mode(&bench);
	assert_int_equal(bench.state.rip & 0xfff, 0x200);
	/* startup_64 begins with CLD; CLI. An ENDBR64 may precede them. */
	{
		const uint8_t *entry = bench.ram + bench.state.rip;

		if (!memcmp(entry, "\xf3\x0f\x1e\xfa", 4))
			entry += 4;
		assert_int_equal(entry[0], 0xfc);
		assert_int_equal(entry[1], 0xfa);
	}
	vmm_file_free(&file);
	bench_stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_kernel_is_entered_by_the_64_bit_protocol),
		TEST(the_memory_map_is_e820),
		cmocka_unit_test(the_initrd_is_as_high_as_the_kernel_allows),
		TEST(an_initrd_that_does_not_fit_is_refused_with_its_name),
		TEST(a_kernel_is_relocated_when_its_preferred_address_has_no_ram),
		TEST(a_kernel_that_does_not_fit_is_refused),
		cmocka_unit_test(a_kernel_whose_last_paragraph_is_not_whole_is_loaded),
		cmocka_unit_test(invalid_headers_are_refused_with_the_reason),
		TEST(every_truncation_is_an_error),
		TEST(a_command_line_longer_than_the_maximum_of_the_kernel_is_refused),
		cmocka_unit_test(debians_cloud_kernel_is_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
