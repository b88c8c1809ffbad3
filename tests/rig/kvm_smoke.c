/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The least that every other test in the rig relies on: a KVM that runs a guest. The guest computes what
 * it writes to the port from what it finds in its registers, so that only a CPU can have produced it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

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

struct machine {
	int kvm;
	int vm;
	int vcpu;
	uint8_t *memory;
	struct kvm_run *run;
};

static bool make_machine(struct machine *m)
{
	struct kvm_userspace_memory_region region = {.memory_size = MEMORY_SIZE};
	long size;

	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (!check(m->kvm >= 0, "/dev/kvm opens"))
		return false;
	if (!check(ioctl(m->kvm, KVM_GET_API_VERSION, 0) == KVM_API_VERSION,
		   "KVM speaks API version %d", KVM_API_VERSION))
		return false;
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	if (!check(m->vm >= 0, "a VM is created"))
		return false;
	m->memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	region.userspace_addr = (uintptr_t)m->memory;
	if (!check(m->memory != MAP_FAILED && !ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region),
		   "it takes memory"))
		return false;
	memcpy(m->memory + CODE_GPA, code, sizeof(code));
	m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
	size = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (!check(m->vcpu >= 0 && size >= (long)sizeof(*m->run), "a vCPU is created"))
		return false;
	m->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	return check(m->run != MAP_FAILED, "its run structure is mapped");
}

static bool set_registers(const struct machine *m, uint16_t bx, uint16_t cx)
{
	struct kvm_regs regs = {.rip = CODE_GPA, .rflags = 2, .rbx = bx, .rcx = cx, .rdx = PORT};
	struct kvm_sregs sregs;

	if (ioctl(m->vcpu, KVM_GET_SREGS, &sregs))
		return false;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	return !ioctl(m->vcpu, KVM_SET_SREGS, &sregs) && !ioctl(m->vcpu, KVM_SET_REGS, &regs);
}

static void run_guest(const struct machine *m, uint16_t bx, uint16_t cx)
{
	const struct kvm_run *run = m->run;
	uint16_t expected = (uint16_t)(bx * cx + 7), written = 0;

	if (!check(set_registers(m, bx, cx), "registers are set"))
		return;
	check(!ioctl(m->vcpu, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_IO &&
		      run->io.direction == KVM_EXIT_IO_OUT && run->io.size == 2 &&
		      run->io.port == PORT,
	      "the guest writes a word to port 0x%x", PORT);
	if (run->exit_reason == KVM_EXIT_IO)
		memcpy(&written, (const uint8_t *)run + run->io.data_offset, sizeof(written));
	check(written == expected, "the word is %u * %u + 7", bx, cx);
	check(!ioctl(m->vcpu, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_HLT, "the guest halts");
}

int main(void)
{
	struct machine machine = {.kvm = -1, .vm = -1, .vcpu = -1};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (make_machine(&machine)) {
		run_guest(&machine, 123, 45);
		run_guest(&machine, 77, 801);
	} else {
		printf("# errno: %s\n", strerror(errno));
	}
	return checks_end();
}
