/* SPDX-License-Identifier: BSD-2-Clause */
/* A KVM that runs a guest, which the other tests on KVM require. The value at the port depends on
 * registers that the test sets, so that only a CPU can have produced it. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "raw_kvm.h"
#include "tap.h"

enum {
	PORT = 0x510,
	CODE_GPA = 0x1000,
	MEMORY_SIZE = 0x2000
};

/* Real mode: ax = bx * cx + 7; out dx, ax; hlt */
static const uint8_t code[] = {
	0x89, 0xd8,	  /* mov ax, bx */
	0x89, 0xd6,	  /* mov si, dx: mul changes dx */
	0xf7, 0xe1,	  /* mul cx */
	0x83, 0xc0, 0x07, /* add ax, 7 */
	0x89, 0xf2,	  /* mov dx, si */
	0xef,		  /* out dx, ax */
	0xf4,		  /* hlt */
};

static void create(struct raw_kvm *kvm)
{
	struct kvm_sregs sregs;

	raw_kvm_create(kvm);
	raw_kvm_add_ram(kvm, MEMORY_SIZE);
	memcpy(kvm->ram + CODE_GPA, code, sizeof(code));
	sregs = raw_kvm_sregs(raw_kvm_add_vcpu(kvm, NULL));
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	raw_kvm_set_sregs(&kvm->vcpu[0], &sregs);
	check(true, "a VM with memory and a vCPU is created");
}

static void run_guest(struct raw_vcpu *vcpu, uint16_t bx, uint16_t cx)
{
	const struct kvm_regs regs = {
		.rip = CODE_GPA, .rflags = 2, .rbx = bx, .rcx = cx, .rdx = PORT};
	const struct kvm_run *run = vcpu->run;
	uint16_t expected = (uint16_t)(bx * cx + 7), written = 0;

	raw_kvm_set_regs(vcpu, &regs);
	check(!ioctl(vcpu->fd, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_IO &&
		      run->io.direction == KVM_EXIT_IO_OUT && run->io.size == 2 &&
		      run->io.port == PORT,
	      "the guest writes a word to port 0x%x", PORT);
	if (run->exit_reason == KVM_EXIT_IO)
		memcpy(&written, (const uint8_t *)run + run->io.data_offset, sizeof(written));
	check(written == expected, "the word is %u * %u + 7", bx, cx);
	check(!ioctl(vcpu->fd, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_HLT, "the guest halts");
}

/* The address space of this process. */
static long mapped_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long pages = -1;

	if (file && fscanf(file, "%ld", &pages) != 1)
		pages = -1;
	if (file)
		fclose(file);
	return pages;
}

int main(void)
{
	struct raw_kvm kvm;
	long pages;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mapped_pages(); /* the C library keeps memory of the first call */
	pages = mapped_pages();
	create(&kvm);
	run_guest(&kvm.vcpu[0], 123, 45);
	run_guest(&kvm.vcpu[0], 77, 801);
	raw_kvm_destroy(&kvm);
	check(pages > 0 && mapped_pages() == pages, "all memory of the VM is unmapped");
	return checks_end();
}
