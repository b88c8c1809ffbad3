/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 1 kernels; offsets are those of the Multiboot Specification 0.6.96, section 3. */
#include "load_bench.h"

#define FILE_SIZE 0x3000u
#define HEADER	  0x400u

static void put_header(struct bench *bench, size_t at, uint32_t flags)
{
	put(bench, at, 0x1badb002, 4);
	put(bench, at + 4, flags, 4);
	put(bench, at + 8, 0u - 0x1badb002u - flags, 4);
}

static const struct elf_segment segment = {1, 0x1000, 0x100000, 0x100000, 0x2000, 0x5000};

static void start(struct bench *bench, bool is_64)
{
	bench_start(bench, FILE_SIZE);
	for (size_t i = 0x1000; i < FILE_SIZE; i++)
		bench->file[i] = (uint8_t)(i * 3);
	if (is_64)
		put_elf64(bench, 0x100020, &segment, 1);
	else
		put_elf32(bench, 0x100020, &segment, 1);
	put_header(bench, HEADER, 3);
}

/* [MB 3.2] Machine state */
static void expect_protected_mode(const struct bench *bench, uint32_t entry)
{
	const struct vmm_boot_state *state = &bench->state;

	assert_int_equal(state->rip, entry);
	assert_int_equal(state->gpr[VMM_RAX], 0x2badb002);
	assert_int_equal(state->cr0 & 0x80000001, 1);
	assert_int_equal(state->efer, 0);
	assert_int_equal(state->rflags & 0x20200, 0);
	assert_int_equal(state->cs.base, 0);
	assert_int_equal(state->cs.limit, 0xffffffff);
	assert_int_equal(state->cs.attributes, 0xc09b);
	assert_int_equal(state->data.base, 0);
	assert_int_equal(state->data.limit, 0xffffffff);
	assert_int_equal(state->data.attributes, 0xc093);
}

static void elf_of_both_classes_is_entered_in_protected_mode(void **state)
{
	struct bench bench;

	for (int is_64 = 0; is_64 < 2; is_64++) {
		start(&bench, is_64);
		assert_int_equal(bench_load(&bench), 0);
		expect_protected_mode(&bench, 0x100020);
		assert_memory_equal(bench.ram + 0x100000, bench.file + 0x1000, 0x2000);
		for (size_t i = 0x2000; i < 0x5000; i++)
			assert_int_equal(bench.ram[0x100000 + i], 0);
		bench_stop(&bench);
	}
}

/* [MB 3.1] does not define relocation: other loaders use the physical addresses, too. */
static void a_position_independent_elf_runs_where_it_was_linked(void **state)
{
	struct bench bench;

	for (int is_64 = 0; is_64 < 2; is_64++) {
		start(&bench, is_64);
		put(&bench, 16, 3, 2); /* ET_DYN */
		assert_int_equal(bench_load(&bench), 0);
		expect_protected_mode(&bench, 0x100020);
		assert_memory_equal(bench.ram + 0x100000, bench.file + 0x1000, 0x2000);
		bench_stop(&bench);
	}
}

static void the_information_has_memory_command_line_and_loader(void **state)
{
	struct bench bench;
	uint64_t info;
	uint32_t map;

	start(&bench, false);
	bench.request.command_line = "a=1 b";
	assert_int_equal(bench_load(&bench), 0);
	info = bench.state.gpr[VMM_RBX];
	assert_int_equal(ram32(&bench, info), 0x245); /* [MB 3.3] */
	assert_int_equal(ram32(&bench, info + 4), 639);
	assert_int_equal(ram32(&bench, info + 8), RAM_SIZE / 1024 - 1024);
	assert_string_equal(ram_string(&bench, ram32(&bench, info + 16)), "kernel a=1 b");
	assert_int_equal(ram32(&bench, info + 20), 0);
	assert_int_equal(ram32(&bench, info + 44), 4 * 24);
	map = ram32(&bench, info + 48);
	assert_int_equal(ram32(&bench, map), 20);
	assert_int_equal(ram64(&bench, map + 3 * 24 + 4), 0x100000);
	assert_int_equal(ram64(&bench, map + 3 * 24 + 12), RAM_SIZE - 0x100000);
	assert_int_equal(ram32(&bench, map + 3 * 24 + 20), 1);
	assert_string_equal(ram_string(&bench, ram32(&bench, info + 64)), "vsm");
	bench_stop(&bench);
}

static void modules_are_page_aligned_after_the_kernel_with_their_strings(void **state)
{
	static uint8_t one[5000], two[1] = {9};
	const struct vmm_module module[] = {{{"first", one, sizeof(one)}, "x y"},
					    {{"second", two, sizeof(two)}, NULL}};
	struct bench bench;
	uint64_t info, list;

	memset(one, 0x31, sizeof(one));
	start(&bench, true);
	bench.request.module = module;
	bench.request.modules = 2;
	assert_int_equal(bench_load(&bench), 0);
	info = bench.state.gpr[VMM_RBX];
	assert_int_equal(ram32(&bench, info) & 8, 8);
	assert_int_equal(ram32(&bench, info + 20), 2);
	list = ram32(&bench, info + 24);
	for (unsigned int i = 0; i < 2; i++) {
		const uint32_t begin = ram32(&bench, list + 16 * i);
		const uint32_t end = ram32(&bench, list + 16 * i + 4);

		assert_int_equal(begin % 4096, 0);
		assert_true(begin >= 0x105000);
		assert_int_equal(end - begin, module[i].file.size);
		assert_memory_equal(bench.ram + begin, module[i].file.data, end - begin);
	}
	assert_string_equal(ram_string(&bench, ram32(&bench, list + 8)), "first x y");
	assert_string_equal(ram_string(&bench, ram32(&bench, list + 24)), "second");
	bench.request.modules = 17;
	expect_refusal(&bench, EINVAL, "17 modules");
	bench_stop(&bench);
}

static void an_image_with_its_own_addresses_is_loaded_by_them(void **state)
{
	struct bench bench;

	start(&bench, true);
	memset(bench.file, 0x90, 64); /* not an ELF file */
	put_header(&bench, HEADER, 0x10003);
	put(&bench, HEADER + 12, 0x200200,
	    4); /* header_addr: loading begins 0x200 before the header */
	put(&bench, HEADER + 16, 0x200000, 4); /* load_addr */
	put(&bench, HEADER + 20, 0x202000, 4); /* load_end_addr */
	put(&bench, HEADER + 24, 0x203000, 4); /* bss_end_addr */
	put(&bench, HEADER + 28, 0x200230, 4); /* entry_addr */
	assert_int_equal(bench_load(&bench), 0);
	expect_protected_mode(&bench, 0x200230);
	assert_memory_equal(bench.ram + 0x200000, bench.file + 0x200, 0x2000);
	for (size_t i = 0x2000; i < 0x3000; i++)
		assert_int_equal(bench.ram[0x200000 + i], 0);
	put(&bench, HEADER + 20, 0, 4); /* 0: the whole file */
	put(&bench, HEADER + 24, 0, 4); /* 0: no bss */
	assert_int_equal(bench_load(&bench), 0);
	assert_memory_equal(bench.ram + 0x200000, bench.file + 0x200, FILE_SIZE - 0x200);
	bench_stop(&bench);
}

static void addresses_that_do_not_fit_the_file_are_refused(void **state)
{
	static const struct {
		uint32_t header, load, load_end, bss_end, entry;
		int error;
		const char *words;
	} row[] = {
		{0x200000, 0x200001, 0, 0, 0x200010, ENOEXEC, "do not fit"},
		{0x200401, 0x200000, 0, 0, 0x200010, ENOEXEC, "do not fit"},
		{0xffffffff, 0, 0, 0, 0x10, ENOEXEC, "do not fit"},
		{0x200400, 0x200000, 0x1fffff, 0, 0x200010, ENOEXEC, "truncated"},
		{0x200400, 0x200000, 0x203001, 0, 0x200010, ENOEXEC, "truncated"},
		{0x200400, 0x200000, 0, 0, 0x1fffff, ENOEXEC, "entry_addr"},
		{0x200400, 0x200000, 0, 0x300000, 0x203000, ENOEXEC, "entry_addr"},
		{0x200400, 0x200000, 0, 0xffffffff, 0x200010, E2BIG, "no RAM"},
		{0xfffff400, 0xfffff000, 0, 0, 0xfffff010, E2BIG, "no RAM"},
		{0x9f800, 0x9f400, 0, 0, 0x9f410, E2BIG, "no RAM"},
	};
	struct bench bench;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		start(&bench, true);
		put_header(&bench, HEADER, 0x10000);
		put(&bench, HEADER + 12, row[i].header, 4);
		put(&bench, HEADER + 16, row[i].load, 4);
		put(&bench, HEADER + 20, row[i].load_end, 4);
		put(&bench, HEADER + 24, row[i].bss_end, 4);
		put(&bench, HEADER + 28, row[i].entry, 4);
		expect_refusal(&bench, row[i].error, row[i].words);
		bench_stop(&bench);
	}
}

static void a_header_needs_its_alignment_and_checksum(void **state)
{
	struct bench bench;

	start(&bench, false);
	put(&bench, HEADER + 8, 1, 4); /* wrong checksum: a plain ELF file */
	expect_refusal(&bench, ENOEXEC, "without a multiboot header");
	put(&bench, HEADER, 0, 4);
	put_header(&bench, HEADER + 2, 3); /* not aligned to 4 */
	expect_refusal(&bench, ENOEXEC, "without a multiboot header");
	put_header(&bench, 8192 - 8, 3); /* its end is after the first 8192 bytes */
	expect_refusal(&bench, ENOEXEC, "without a multiboot header");
	put_header(&bench, 8192 - 12, 3);
	assert_int_equal(bench_load(&bench), 0);
	bench_stop(&bench);
}

static void an_unknown_feature_is_refused(void **state)
{
	struct bench bench;

	start(&bench, false);
	put_header(&bench, HEADER, 0x80003); /* 31:16 may be ignored [MB 3.1.2] */
	assert_int_equal(bench_load(&bench), 0);
	put_header(&bench, HEADER, 0x100b);
	expect_refusal(&bench, ENOEXEC, "features 0x1008");
	bench_stop(&bench);
}

static void an_entry_above_4_gib_is_refused(void **state)
{
	struct bench bench;

	start(&bench, true);
	vmm_memory_split(&bench.memory, 4ull << 30);
	put(&bench, 24, 0x100000020, 8);
	put(&bench, 64 + 16, 0x100000000, 8);
	put(&bench, 64 + 24, 0x100000000, 8);
	bench.memory.write = bench_discard;
	expect_refusal(&bench, ENOEXEC, "entry 0x100000020 is above 4 GiB");
	bench_stop(&bench);
}

static void a_file_with_only_a_header_is_refused(void **state)
{
	static const struct {
		size_t offset;
		uint32_t flags;
		const char *message;
	} headers[] = {
		{0, 3, "neither an ELF"},
		{52, 3, "neither an ELF"},
		/* Its address fields are cut off: not a header. */
		{40, 0x10000, "nor a multiboot kernel"},
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct bench bench;

		bench_start(&bench, 64);
		put_header(&bench, headers[i].offset, headers[i].flags);
		expect_refusal(&bench, ENOEXEC, headers[i].message);
		bench_stop(&bench);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_of_both_classes_is_entered_in_protected_mode),
		cmocka_unit_test(a_position_independent_elf_runs_where_it_was_linked),
		cmocka_unit_test(the_information_has_memory_command_line_and_loader),
		cmocka_unit_test(modules_are_page_aligned_after_the_kernel_with_their_strings),
		cmocka_unit_test(an_image_with_its_own_addresses_is_loaded_by_them),
		cmocka_unit_test(addresses_that_do_not_fit_the_file_are_refused),
		cmocka_unit_test(a_header_needs_its_alignment_and_checksum),
		cmocka_unit_test(an_unknown_feature_is_refused),
		cmocka_unit_test(an_entry_above_4_gib_is_refused),
		cmocka_unit_test(a_file_with_only_a_header_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
