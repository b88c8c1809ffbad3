/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's modules with the building blocks are unloaded and loaded, also without two-dimensional paging. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blocks.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_store\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

/* The module of the CPU's vendor, and its parameter that disables two-dimensional paging. */
static const struct vendor {
	const char *module;
	const char *file;
	const char *as_built;
	const char *without_tdp;
} vendors[] = {
	{"kvm_amd", "/rig/kvm_amd.ko", "/tmp/blocks/kvm-amd.ko", "npt=0"},
	{"kvm_intel", "/rig/kvm_intel.ko", "/tmp/blocks/kvm-intel.ko", "ept=0"},
};

static bool load(const char *path, const char *options)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && !syscall(SYS_finit_module, fd, options, 0);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool reload(const struct vendor *vendor, const char *vkvm_options, const char *options)
{
	return !syscall(SYS_delete_module, vendor->module, O_NONBLOCK) &&
	       !syscall(SYS_delete_module, "kvm", O_NONBLOCK) &&
	       load("/rig/kvm.ko", vkvm_options) && load(vendor->file, options);
}

static void without_tdp(const char *what)
{
	struct kvm_access_range range = {MIB, PAGE, KVM_ACCESS_NO_WRITE, 0};
	struct raw_kvm machine;

	machine_create(&machine, 4 * MIB, false);
	check(!ioctl(machine.kvm, KVM_CHECK_EXTENSION, KVM_CAP_ACCESS), "%s: the capability is 0",
	      what);
	check(ioctl(machine.vm, KVM_SET_ACCESS_RANGE, &range) && errno == EOPNOTSUPP,
	      "%s: a restriction is refused", what);
	check(ioctl(machine.vcpu[0].fd, KVM_SHARE_FPU, &machine.vcpu[1].fd) == 0,
	      "%s: two vCPUs share FPU registers", what);
	check(cpu_go(&machine, GUEST(g_store), MIB) == END_DONE, "%s: a guest runs", what);
	raw_kvm_destroy(&machine);
}

static void blocks_work(const char *what)
{
	struct raw_kvm machine;

	machine_create(&machine, 4 * MIB, false);
	check(ioctl(machine.kvm, KVM_CHECK_EXTENSION, KVM_CAP_ACCESS) &&
		      !set_page(&machine, MIB, KVM_ACCESS_NO_WRITE) &&
		      was_refused(&machine.vcpu[0], cpu_go(&machine, GUEST(g_store), MIB), MIB,
				  KVM_ACCESS_EXIT_WRITE, GUEST(g_store)),
	      "%s: a restriction is enforced", what);
	raw_kvm_destroy(&machine);
}

static int load_script(const char *release)
{
	struct utsname name;
	FILE *file;
	int status;

	uname(&name);
	file = fopen("/tmp/blocks/release", "w");
	if (!file)
		return -1;
	fprintf(file, "%s\n", release ? release : name.release);
	fclose(file);
	status = system("/bin/sh load /tmp/blocks >/tmp/blocks/said 2>&1");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool said(const char *text)
{
	char line[512] = {0};
	FILE *file = fopen("/tmp/blocks/said", "r");
	bool found = false;

	while (file && fgets(line, sizeof(line), file))
		found |= strstr(line, text) != NULL;
	if (file)
		fclose(file);
	return found;
}

/* Tests kernel/load, the script by which a user replaces KVM's modules. */
static void test_load_script(const struct vendor *vendor)
{
	struct raw_kvm machine;

	if (mkdir("/tmp/blocks", 0700) || symlink("/rig/kvm.ko", "/tmp/blocks/kvm.ko") ||
	    symlink(vendor->file, vendor->as_built)) {
		check(false, "a folder with the layout of kernel/build");
		return;
	}
	check(load_script("6.12.0-other") == 1 && said("these modules fit Linux 6.12.0-other"),
	      "kernel/load refuses modules of another kernel");
	machine_create(&machine, 4 * MIB, false);
	check(load_script(NULL) == 1 && said("in use"),
	      "kernel/load refuses to replace a KVM that runs a VM");
	check(cpu_go(&machine, GUEST(g_store), MIB) == END_DONE, "that VM still runs");
	raw_kvm_destroy(&machine);
	check(load_script(NULL) == 0 && said("has the building blocks"),
	      "kernel/load replaces KVM");
	blocks_work("replaced");
}

int main(void)
{
	const struct vendor *vendor = vendors;

	if (access(vendor->file, R_OK))
		vendor++;
	if (access(vendor->file, R_OK)) {
		check_skipped("modules", "needs the rig");
		return checks_end();
	}
	blocks_work("as booted");
	for (unsigned int i = 0; i < 5; i++)
		check(reload(vendor, "", ""), "the modules are unloaded and loaded again");
	blocks_work("reloaded");
	test_load_script(vendor);
	check(reload(vendor, "", vendor->without_tdp), "the modules are loaded with %s",
	      vendor->without_tdp);
	without_tdp(vendor->without_tdp);
	check(reload(vendor, "tdp_mmu=0", ""), "the modules are loaded with tdp_mmu=0");
	without_tdp("tdp_mmu=0");
	check(reload(vendor, "", ""), "the modules are loaded as usual");
	blocks_work("reloaded at the end");
	return checks_end();
}
