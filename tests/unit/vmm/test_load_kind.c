/* SPDX-License-Identifier: BSD-2-Clause */
#include "load_bench.h"

#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE 0x10000u

struct mark {
	size_t offset;
	const char *bytes;
	size_t count;
};

static const struct {
	struct mark mark[4];
	const char *words, *help;
} row[] = {
	/* clang-format off */
	{{{0, "\x1f\x8b\x08", 3}}, "compressed by gzip", "gzip -dc"},
	{{{0, "\xfd" "7zXZ\0", 6}}, "compressed by xz", "xz -dc"},
	{{{0, "\x28\xb5\x2f\xfd", 4}}, "compressed by zstd", "zstd -dc"},
	{{{0, "BZh9", 4}}, "compressed by bzip2", "bzip2 -dc"},
	{{{0, "\x04\x22\x4d\x18", 4}}, "compressed by lz4", "lz4 -dc"},
	{{{0, "\x02\x21\x4c\x18", 4}}, "compressed by lz4", "lz4 -dc"},
	{{{0, "\x5d\0\0\x80", 4}}, "compressed by lzma", "--format=lzma -dc"},
	{{{0, "\x89LZO\0\r\n\x1a\n", 9}}, "compressed by lzop", "lzop -dc"},
	{{{0, "PK\3\4", 4}}, "zip archive", "unpack it"},
	{{{0x101, "ustar", 5}}, "tar archive", "unpack it"},
	{{{0, "070701", 6}}, "an initrd", "--initrd"},
	{{{0, "VSMSAVED", 8}}, "a saved machine", "vsm run --restore"},
	{{{0, "VSMTRACE", 8}}, "a trace", "vsm trace"},
	{{{0x38, "ARM\x64", 4}}, "64-bit Arm", "not for x86"},
	{{{0, "MZ", 2}, {0x38, "ARM\x64", 4}}, "64-bit Arm", "not for x86"},
	{{{0x24, "\x18\x28\x6f\x01", 4}}, "32-bit Arm", "not for x86"},
	{{{0x30, "RISCV", 5}}, "RISC-V", "not for x86"},
	{{{0, "\x27\x05\x19\x56", 4}}, "U-Boot", "bzImage"},
	{{{0, "\xd0\x0d\xfe\xed", 4}}, "device tree", "bzImage"},
	{{{0, "#!/bin/sh", 9}}, "a script", "not a kernel"},
	{{{0, "QFI\xfb", 4}}, "qcow2", "copy the kernel and the initrd"},
	{{{0, "KDMV", 4}}, "VMDK", "copy the kernel and the initrd"},
	{{{0, "vhdxfile", 8}}, "VHDX", "copy the kernel and the initrd"},
	{{{0, "conectix", 8}}, "VHD", "copy the kernel and the initrd"},
	{{{0x40, "\x7f\x10\xda\xbe", 4}}, "VDI", "copy the kernel and the initrd"},
	{{{0x8001, "CD001", 5}}, "an ISO image", "copy the kernel and the initrd"},
	/* A hybrid image for USB sticks. */
	{{{0x8001, "CD001", 5}, {0x1fe, "\x55\xaa", 2}, {0x200, "EFI PART", 8}}, "an ISO image", "copy the kernel"},
	{{{0x1fe, "\x55\xaa", 2}, {0x200, "EFI PART", 8}}, "GPT", "copy the kernel and the initrd"},
	{{{0, "hsqs", 4}}, "squashfs", "copy the kernel and the initrd"},
	{{{0x438, "\x53\xef", 2}}, "ext4", "copy the kernel and the initrd"},
	{{{0x28, "_FVH", 4}}, "UEFI firmware", "give the kernel itself"},
	{{{0, "\x55\xaa\x04", 3}}, "option ROM", "give the kernel itself"},
	{{{FILE_SIZE - 16, "\xea\x5b\xe0\0\xf0", 5}}, "a BIOS", "give the kernel itself"},
	{{{0x1fe, "\x55\xaa", 2}}, "boot sector", "copy the kernel and the initrd"},
	{{{0, "MZ", 2}}, "a program for DOS", "not a kernel"},
	{{{0, "MZ\0\0zimg", 8}}, "zboot", "give the kernel itself"},
	/* PE: header at 0x80, two sections, subsystem at 0xdc. */
	{{{0, "MZ", 2}, {0x3c, "\x80", 1}, {0x80, "PE\0\0\x64\x86\2", 7}, {0xdc, "\x0a", 1}},
	 "an EFI program", "give the kernel itself"},
	{{{0, "MZ", 2}, {0x3c, "\x80", 1}, {0x80, "PE\0\0\x64\x86\2", 7}, {0xdc, "\x03", 1}},
	 "a program for Windows", "not a kernel"},
	/* An unusable multiboot header does not hide the kind of the file. */
	{{{0, "MZ", 2}, {0x3c, "\x80", 1}, {0x80, "PE\0\0\x64\x86\2\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0", 21},
	  {0x1000, "\x02\xb0\xad\x1b\x03\0\0\0\xfb\x4f\x52\xe4", 12}}, "a program for Windows", "not a kernel"},
	{{{0x400, "\xd6\x50\x52\xe8\0\0\0\0\x10\0\0\0\x1a\xaf\xad\x17", 16}}, "multiboot 2", "PVH note"},
	{{{0, "hello", 5}}, "neither a bzImage", "kernel"},
	/* clang-format on */
};

static void put_marks(struct bench *bench, const struct mark *mark, size_t count)
{
	for (size_t i = 0; i < count; i++)
		memcpy(bench->file + mark[i].offset, mark[i].bytes, mark[i].count);
}

static void files_that_are_no_kernel_are_refused_with_their_kind(void **state)
{
	struct bench bench;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		bench_start_with(&bench, FILE_SIZE, VMM_MEMORY_MIN);
		for (size_t j = 0; j < 4; j++)
			if (row[i].mark[j].bytes)
				put_marks(&bench, &row[i].mark[j], 1);
		expect_refusal(&bench, ENOEXEC, row[i].words);
		if (!strstr(bench.text, row[i].help))
			fail_msg("\"%s\" does not contain \"%s\"", bench.text, row[i].help);
		bench.request.kernel.size = 1;
		expect_refusal(&bench, ENOEXEC, "neither");
		bench_stop(&bench);
	}
}

static void put_unified(struct bench *bench)
{
	static const struct mark mark[] = {
		{0, "MZ", 2},	      {0x3c, "\x80", 1},   {0x80, "PE\0\0\x64\x86\3", 7},
		{0x94, "\xf0", 1},    {0xdc, "\x0a", 1},   {0x188, ".text", 5},
		{0x1b0, ".osrel", 6}, {0x1d8, ".linux", 6}};

	put_marks(bench, mark, sizeof(mark) / sizeof(mark[0]));
}

static void a_unified_kernel_image_is_refused_with_the_way_to_unpack_it(void **state)
{
	struct bench bench;

	bench_start(&bench, FILE_SIZE);
	put_unified(&bench);
	expect_refusal(&bench, ENOEXEC, "a unified kernel image");
	assert_non_null(strstr(bench.text, "--only-section=.linux"));
	assert_non_null(strstr(bench.text, ".initrd"));
	put(&bench, 0x86, 2, 2);
	expect_refusal(&bench, ENOEXEC, "an EFI program");
	bench_stop(&bench);
}

static void a_header_at_the_end_of_a_file_is_not_read_past_it(void **state)
{
	struct bench bench;

	for (size_t size = 1; size < 0x210; size++) {
		bench_start_with(&bench, 0x210, VMM_MEMORY_MIN);
		put_unified(&bench);
		bench.file = realloc(bench.file, size);
		assert_non_null(bench.file);
		bench.request.kernel = (struct vmm_file){"kernel", bench.file, size};
		assert_int_equal(bench_load(&bench), -ENOEXEC);
		assert_int_equal(bench.messages, 1);
		bench_stop(&bench);
	}
	bench_start(&bench, FILE_SIZE);
	put_unified(&bench);
	for (uint64_t at = FILE_SIZE - 0x100; at < FILE_SIZE + 8; at++) {
		put(&bench, 0x3c, at, 4);
		assert_int_equal(bench_load(&bench), -ENOEXEC);
	}
	put(&bench, 0x3c, UINT32_MAX, 4);
	expect_refusal(&bench, ENOEXEC, "for DOS");
	bench_stop(&bench);
}

/* A disk image is often larger than RAM. */
static void a_file_larger_than_ram_is_refused_with_its_kind(void **state)
{
	char name[] = "/tmp/vsm-kind-XXXXXX";
	const int fd = mkstemp(name);
	struct vmm_file file;
	struct bench bench;

	bench_start(&bench, 1);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8 << 20), 0);
	assert_int_equal(bench_read(&bench, &file, name, 4u << 20), -EFBIG);
	assert_non_null(strstr(bench.text, "larger than the 4194304 bytes that fit"));
	assert_int_equal(pwrite(fd, "CD001", 5, 0x8001), 5);
	assert_int_equal(bench_read(&bench, &file, name, 4u << 20), -EFBIG);
	assert_non_null(strstr(bench.text, "an ISO image"));
	close(fd);
	remove(name);
	bench_stop(&bench);
}

/* As in `vsm run <(gzip -dc kernel.gz)`: a reset reads the file again, and a pipe would be empty. */
static void a_pipe_is_refused_as_a_kernel(void **state)
{
	char name[32];
	struct vmm_file file;
	struct bench bench;
	int ends[2];

	bench_start(&bench, 1);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "kernel", 6), 6);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[0]);
	assert_int_equal(bench_read(&bench, &file, name, 4u << 20), -ESPIPE);
	assert_non_null(strstr(bench.text, "a pipe"));
	close(ends[0]);
	close(ends[1]);
	/* A FIFO without a writer does not delay the start. */
	snprintf(name, sizeof(name), "/tmp/vsm-fifo-%d", (int)getpid());
	assert_int_equal(mkfifo(name, 0600), 0);
	alarm(10);
	assert_int_equal(bench_read(&bench, &file, name, 4u << 20), -ESPIPE);
	alarm(0);
	assert_int_equal(remove(name), 0);
	bench_stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_are_no_kernel_are_refused_with_their_kind),
		cmocka_unit_test(a_unified_kernel_image_is_refused_with_the_way_to_unpack_it),
		cmocka_unit_test(a_header_at_the_end_of_a_file_is_not_read_past_it),
		cmocka_unit_test(a_pipe_is_refused_as_a_kernel),
		cmocka_unit_test(a_file_larger_than_ram_is_refused_with_its_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
