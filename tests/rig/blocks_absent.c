/* SPDX-License-Identifier: BSD-2-Clause */
/* On stock modules the building blocks of kernel/ are absent: capabilities are 0 and ioctls fail. */
#include <errno.h>
#include <sys/ioctl.h>

#include "blocks.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code: hlt\n"
	"guest_code_end:\n"
	".popsection");

static int error_of(int fd, unsigned long request)
{
	char nothing[64] = {0};

	return ioctl(fd, request, nothing) < 0 ? errno : 0;
}

int main(void)
{
	const int capabilities[] = {KVM_CAP_ACCESS, KVM_CAP_WRITE_EXITS, KVM_CAP_PENDING_EVENTFD,
				    KVM_CAP_SHARED_FPU};
	struct raw_kvm machine;

	machine_create(&machine, 4 * MIB, false);
	for (unsigned int i = 0; i < 4; i++)
		check(!ioctl(machine.kvm, KVM_CHECK_EXTENSION, capabilities[i]) &&
			      !ioctl(machine.vm, KVM_CHECK_EXTENSION, capabilities[i]),
		      "capability %#x is 0", capabilities[i]);
	check(error_of(machine.vm, KVM_SET_ACCESS_RANGE) == ENOTTY &&
		      error_of(machine.vm, KVM_SET_ACCESS_PAGES) == ENOTTY,
	      "the ioctls of a VM fail with ENOTTY");
	check(error_of(machine.vcpu[0].fd, KVM_SET_WRITE_EXITS) == EINVAL &&
		      error_of(machine.vcpu[0].fd, KVM_SET_PENDING_EVENTFD) == EINVAL &&
		      error_of(machine.vcpu[0].fd, KVM_SHARE_FPU) == EINVAL,
	      "the ioctls of a vCPU fail with EINVAL");
	raw_kvm_destroy(&machine);
	return checks_end();
}
