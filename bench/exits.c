/* SPDX-License-Identifier: BSD-2-Clause */
#include "exits.h"

#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "kvm/vcpu/vcpu.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_exits\n"
	"guest_code:\n"
	"g_exits: out %al, $0x7e; jmp g_exits\n"
	"guest_code_end:\n"
	".popsection");

void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

void exits_make(struct exits *exits, uint64_t ram)
{
	guest_create(&exits->guest, 2, 1, ram);
	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		const struct vkvm_vp *vp = exits->guest.vp[0];

		guest_start(&exits->guest, 0, vtl, GUEST(g_exits));
		guest_run_on(&exits->guest, 0, vtl);
		/* No registers are copied to kvm_run. */
		vp->vcpu[vtl].run->kvm_valid_regs = 0;
		vp->vcpu[vtl].run->immediate_exit = 0;
		exits->fd[vtl] = vp->vcpu[vtl].fd;
	}
}

void exits_one(const struct exits *exits, uint64_t n)
{
	while (n--)
		must(!ioctl(exits->fd[0], KVM_RUN, 0), "KVM_RUN");
}

void exits_two(const struct exits *exits, uint64_t n)
{
	while (n--)
		must(!ioctl(exits->fd[0], KVM_RUN, 0) && !ioctl(exits->fd[1], KVM_RUN, 0),
		     "KVM_RUN");
}
