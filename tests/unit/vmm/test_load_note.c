/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF kernels with a note for the boot protocol: Linux's vmlinux with a zero page, others with PVH
 * (Xen's "x86/HVM direct boot ABI"). */
#include "load_bench.h"

#define FILE_SIZE 0x3000u
#define NOTES	  0x800u

static const struct elf_segment kernel_at = {1,		0x1000, 0xffffffff81000000,
					     0x1000000, 0x1000, 0x4000};

/* A kernel at 16 MiB, linked to the upper half of the address space, with space for notes. */
static void start(struct bench *bench, bool is_64)
{
	struct elf_segment segment[2] = {kernel_at, {4, NOTES, 0, 0, 0x100, 0x100}};

	bench_start(bench, FILE_SIZE);
	for (size_t i = 0x1000; i < FILE_SIZE; i++)
		bench->file[i] = (uint8_t)(i * 5);
	if (is_64) {
		put_elf64(bench, 0x1000010, segment, 2);
	} else {
		segment[0].virtual_address = 0xc1000000;
		put_elf32(bench, 0x1000010, segment, 2);
	}
}

/* Returns the offset of the next note. */
static size_t put_note(struct bench *bench, size_t at, const char *owner, uint32_t type,
		       uint64_t value, size_t size)
{
	const size_t name = strlen(owner) + 1;

	put(bench, at, name, 4);
	put(bench, at + 4, size, 4);
	put(bench, at + 8, type, 4);
	memcpy(bench->file + at + 12, owner, name);
	at += 12 + (name + 3) / 4 * 4;
	memcpy(bench->file + at, &value, size < 8 ? size : 8);
	return at + (size + 3) / 4 * 4;
}

static void expect_zero_page(struct bench *bench)
{
	const uint64_t zero = bench->state.gpr[VMM_RSI];

	expect_long_mode(bench);
	assert_int_equal(bench->state.rip, 0x1000010);
	assert_memory_equal(bench->ram + 0x1000000, bench->file + 0x1000, 0x1000);
	assert_int_equal(ram32(bench, zero + 0x202), 0x53726448);
	assert_int_equal(ram32(bench, zero + 0x1fe) & 0xffff, 0xaa55);
	assert_int_equal(bench->ram[zero + 0x210], 0xff);
	assert_int_equal(ram64(bench, zero + 0x070), 0xe0000);
	assert_int_equal(bench->ram[zero + 0x1e8], 4);
	assert_string_equal(ram_string(bench, ram32(bench, zero + 0x228)), "console=ttyS0");
	/* The sentinel of zero-page.rst: if it is not 0, the kernel clears fields of the page. */
	assert_int_equal(bench->ram[zero + 0x1ef], 0);
}

static void a_vmlinux_starts_with_a_zero_page(void **state)
{
	static uint8_t data[10000];
	const struct vmm_module module = {{"initrd", data, sizeof(data)}, NULL};
	struct bench bench;
	uint64_t zero;

	memset(data, 0x77, sizeof(data));
	start(&bench, true);
	put_note(&bench, put_note(&bench, NOTES, "Xen", 18, 0x1000800, 8), "Linux", 0x100, 0, 4);
	bench.request.command_line = "console=ttyS0";
	bench.request.rsdp = 0xe0000;
	bench.request.module = &module;
	bench.request.modules = 1;
	assert_int_equal(bench_load(&bench), 0);
	expect_zero_page(&bench);
	zero = bench.state.gpr[VMM_RSI];
	assert_int_equal(ram32(&bench, zero + 0x21c), sizeof(data));
	assert_memory_equal(bench.ram + ram32(&bench, zero + 0x218), data, sizeof(data));
	bench_stop(&bench);
}

static void a_vmlinux_without_notes_is_recognised_by_its_banner(void **state)
{
	struct bench bench;

	start(&bench, true);
	memcpy(bench.file + 0x1800, "Linux version 3.16.0", 20);
	bench.request.command_line = "console=ttyS0";
	bench.request.rsdp = 0xe0000;
	assert_int_equal(bench_load(&bench), 0);
	expect_zero_page(&bench);
	/* A kernel that is linked to another address and contains the string is not Linux. */
	put(&bench, 64 + 16, 0x1000000, 8);
	assert_int_equal(bench_load(&bench), 0);
	assert_string_equal(ram_string(&bench, bench.state.gpr[VMM_RSI]), "console=ttyS0");
	bench_stop(&bench);
}

static void a_vmlinux_has_the_limits_of_linux(void **state)
{
	static char line[3000];
	const struct vmm_module module[2] = {{{"initrd", (const uint8_t *)"x", 1}, NULL}};
	struct bench bench;

	start(&bench, true);
	put_note(&bench, NOTES, "Linux", 0x100, 0, 4);
	memset(line, 'x', 2048);
	bench.request.command_line = line;
	expect_refusal(&bench, E2BIG, "the maximum of this kernel is 2047");
	line[2047] = 0;
	assert_int_equal(bench_load(&bench), 0);
	bench.request.module = module;
	bench.request.modules = 2;
	expect_refusal(&bench, EINVAL, "one initrd");
	bench_stop(&bench);
}

static void a_kernel_with_a_pvh_note_is_started_by_pvh(void **state)
{
	const struct vmm_module module[] = {{{"one", (const uint8_t *)"abc", 3}, "x y"},
					    {{"two", (const uint8_t *)"defg", 4}, NULL}};
	struct bench bench;
	uint64_t info, list, map;

	for (int is_64 = 0; is_64 < 2; is_64++) {
		start(&bench, is_64);
		put_note(&bench, put_note(&bench, NOTES, "GNU", 3, 0, 5), "Xen", 18, 0x1000040,
			 is_64 ? 8 : 4);
		bench.request.command_line = "a b";
		bench.request.rsdp = 0xe0000;
		bench.request.module = module;
		bench.request.modules = 2;
		assert_int_equal(bench_load(&bench), 0);
		assert_int_equal(bench.state.rip, 0x1000040);
		assert_int_equal(bench.state.cr0 & 0x80000001, 1);
		assert_int_equal(bench.state.cr4, 0);
		assert_int_equal(bench.state.cs.attributes, 0xc09b);
		assert_int_equal(bench.state.rflags, 2);
		info = bench.state.gpr[VMM_RBX];
		assert_int_equal(ram32(&bench, info), 0x336ec578);
		assert_int_equal(ram32(&bench, info + 4), 1);
		assert_int_equal(ram32(&bench, info + 12), 2);
		assert_string_equal(ram_string(&bench, ram64(&bench, info + 24)), "a b");
		assert_int_equal(ram64(&bench, info + 32), 0xe0000);
		list = ram64(&bench, info + 16);
		assert_int_equal(ram64(&bench, list + 8), 3);
		assert_memory_equal(bench.ram + ram64(&bench, list), "abc", 3);
		assert_string_equal(ram_string(&bench, ram64(&bench, list + 16)), "x y");
		assert_int_equal(ram64(&bench, list + 32 + 8), 4);
		assert_int_equal(ram64(&bench, list + 32 + 16), 0);
		map = ram64(&bench, info + 40);
		assert_int_equal(ram32(&bench, info + 48), 4);
		assert_int_equal(ram64(&bench, map + 3 * 24), 0x100000);
		assert_int_equal(ram64(&bench, map + 3 * 24 + 8), RAM_SIZE - 0x100000);
		assert_int_equal(ram32(&bench, map + 3 * 24 + 16), 1);
		bench_stop(&bench);
	}
}

static void a_pvh_entry_outside_of_the_kernel_is_refused(void **state)
{
	static const uint64_t entry[] = {0, 0xffffff, 0x1004000, 0x101000040, UINT64_MAX};
	struct bench bench;

	for (size_t i = 0; i < sizeof(entry) / sizeof(entry[0]); i++) {
		start(&bench, true);
		put_note(&bench, NOTES, "Xen", 18, entry[i], 8);
		expect_refusal(&bench, ENOEXEC, "PVH entry");
		bench_stop(&bench);
	}
}

static void invalid_notes_are_ignored(void **state)
{
	static const struct {
		size_t offset;
		uint64_t value;
	} row[] = {
		{NOTES, 0xffffffff},	 /* size of the owner's name */
		{NOTES + 4, 0xffffffff}, /* size of the description */
		{NOTES + 4, 0x100},	 /* it ends 16 bytes after the segment */
		{NOTES + 4, 5},
		{NOTES + 8, 17},	  /* type */
		{NOTES + 12, 0x006e6559}, /* owner: "Yen" */
		{64 + 56 + 32, 0x10},	  /* size of the segment in the file */
		{64 + 56 + 8, FILE_SIZE}, /* offset of the segment */
		{64 + 56 + 8, UINT32_MAX},
	};
	struct bench bench;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		start(&bench, true);
		put_note(&bench, NOTES, "Xen", 18, 0x1000040, 8);
		put(&bench, row[i].offset, row[i].value, 4);
		bench.request.command_line = "flat";
		assert_int_equal(bench_load(&bench), 0);
		assert_int_equal(bench.state.rip, 0x1000010);
		assert_string_equal(ram_string(&bench, bench.state.gpr[VMM_RSI]), "flat");
		bench_stop(&bench);
	}
}

static void a_kernel_for_multiboot_2_only_is_refused_with_the_reason(void **state)
{
	struct bench bench;

	for (int is_64 = 0; is_64 < 2; is_64++) {
		start(&bench, is_64);
		put(&bench, 0x1000, 0xe85250d6, 4);
		put(&bench, 0x1004, 0, 4);
		put(&bench, 0x1008, 16, 4);
		put(&bench, 0x100c, 0u - 0xe85250d6u - 16, 4);
		expect_refusal(&bench, ENOEXEC, "a multiboot 2 kernel");
		put(&bench, 0x100c, 0, 4);
		if (is_64)
			assert_int_equal(bench_load(&bench), 0);
		else
			expect_refusal(&bench, ENOEXEC, "its entry protocol is unknown");
		bench_stop(&bench);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vmlinux_starts_with_a_zero_page),
		cmocka_unit_test(a_vmlinux_without_notes_is_recognised_by_its_banner),
		cmocka_unit_test(a_vmlinux_has_the_limits_of_linux),
		cmocka_unit_test(a_kernel_with_a_pvh_note_is_started_by_pvh),
		cmocka_unit_test(a_pvh_entry_outside_of_the_kernel_is_refused),
		cmocka_unit_test(invalid_notes_are_ignored),
		cmocka_unit_test(a_kernel_for_multiboot_2_only_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
