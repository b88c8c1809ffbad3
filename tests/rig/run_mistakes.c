/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors of `vsm run`: the message names error and place, and the exit status is that of man/vsm-run.1. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run_vsm.h"
#include "tap.h"

static const struct test mistakes[] = {
	{"no kernel", "", 64, NULL, "no kernel"},
	{"an unknown option", "K --speed 9", 64, NULL, "--speed"},
	{"no processor", "K --cpus 0", 64, NULL, "1 to 2048"},
	{"a boot VTL that is not below --vtls", "K --vtls 1 --boot-vtl 1", 64, NULL, "boot-vtl"},
	{"a missing kernel", "nothing", 2, NULL, "nothing: No such file"},
	{"an empty kernel", "empty", 2, NULL, "empty"},
	{"a truncated ELF", "cut-elf", 2, NULL, "cut-elf: "},
	{"an ELF for another architecture", "arm", 2, NULL, "arm: "},
	{"a text file", "text", 2, NULL, "neither a bzImage"},
	{"a missing initrd", "K --initrd nothing", 2, NULL, "nothing"},
	{"more memory than the host has", "K --memory 4T", 2, NULL, "more than this host has"},
	{"a trace in a missing folder", "K --trace /nowhere/trace", 2, NULL, "/nowhere/trace"},
	{"a trace in place of a device", "K --trace /dev/null", 2, NULL,
	 "/dev/null: it exists and is not a regular file"},
	{"a serial file in a missing folder", "K --serial file:/nowhere/log", 2, NULL,
	 "/nowhere/log"},
	{"an engine that this kernel lacks", "K --engine attr", 2, NULL, "kernel/INSTALL.md"},
};

static const struct test linux_mistakes[] = {
	{"a truncated bzImage", "cut-linux", 2, NULL, "cut-linux: "},
	{"a Linux that does not fit into memory", "L --memory 8M", 2, NULL, "vmlinuz"},
	{"two initrds for Linux", "L --initrd I --initrd I", 2, NULL, "initrd"},
};

static const struct test rig_mistakes[] = {
	{"no /dev/kvm", "kernel K", 2, NULL, "/dev/kvm is missing", .without_kvm = true},
	{"no right to open /dev/kvm", "K", 2, NULL, "no permission to open /dev/kvm",
	 .unprivileged = true},
	{"no right to use userfaultfd", "K", 2, NULL, "userfaultfd", .unprivileged = true},
};

static void copy_part(const char *from, const char *to, size_t size)
{
	char *data = calloc(1, size ? size : 1);
	const int in = open(from, O_RDONLY | O_CLOEXEC);
	const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	const ssize_t got = in < 0 ? -1 : read(in, data, size);

	if (got < 0 || write(out, data, (size_t)got) != got)
		printf("# %s cannot be created: %s\n", to, strerror(errno));
	close(in);
	close(out);
	free(data);
}

static void make_files(void)
{
	const uint8_t arm[2] = {183, 0}; /* e_machine: EM_AARCH64 */
	int fd;

	copy_part("/proc/version", "text", 64);
	copy_part(kernel, "empty", 0);
	copy_part(kernel, "cut-elf", 0x1000);
	copy_part(vsm, "arm", 8192);
	fd = open("arm", O_WRONLY | O_CLOEXEC);
	if (pwrite(fd, arm, sizeof(arm), 18) < 0)
		printf("# arm cannot be created\n");
	close(fd);
	if (linux_image)
		copy_part(linux_image, "cut-linux", 1u << 20);
}

static void check_mistake(const struct test *test)
{
	struct test whole = *test;

	whole.nothing = true;
	run_check(&whole, 200);
}

static void check_rig_mistakes(void)
{
	for (size_t i = 0; i < sizeof(rig_mistakes) / sizeof(rig_mistakes[0]); i++) {
		struct test test = rig_mistakes[i];

		if (!getenv("VSM_RIG")) {
			check_skipped(test.name, "needs the rig");
			continue;
		}
		test.arguments = "K --append p";
		if (test.without_kvm)
			(void)rename("/dev/kvm", "/dev/no-kvm");
		(void)chmod("/dev/kvm", strstr(test.err, "userfaultfd") ? 0666 : 0600);
		check_mistake(&test);
		if (test.without_kvm)
			(void)rename("/dev/no-kvm", "/dev/kvm");
	}
}

void check_mistakes(void)
{
	make_files();
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		check_mistake(&mistakes[i]);
	check_rig_mistakes();
	if (!linux_image)
		return;
	for (size_t i = 0; i < sizeof(linux_mistakes) / sizeof(linux_mistakes[0]); i++)
		check_mistake(&linux_mistakes[i]);
}
