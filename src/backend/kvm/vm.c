/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM virtual machine of each VTL. */
#include <asm/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm/vcpu/vcpu.h"

/* Pages that KVM needs for real mode on Intel CPUs without unrestricted guest mode */
#define IDENTITY_MAP_GPA UINT64_C(0xfeffc000)
#define TSS_GPA		 UINT64_C(0xfeffd000)

/* Linux 6.12: without this quirk, removing a slot unmaps only its pages, not all memory. */
#define QUIRK_SLOT_ZAP_ALL (1u << 7)

#define XEN_HYPERCALL_MSR 0x40000200u /* not 0, which disables forwarding */

static int enable(const struct vkvm_backend *backend, int fd, uint32_t capability,
		  uint64_t argument)
{
	struct kvm_enable_cap request = {.cap = capability, .args = {argument}};
	int error = vkvm_ioctl(fd, KVM_ENABLE_CAP, &request);

	return error ? vsm_error(backend->log, -error, "kvm: capability %u cannot be enabled: %s",
				 capability, strerror(-error))
		     : 0;
}

static void enable_optional(const struct vkvm_backend *backend, int fd)
{
	struct kvm_enable_cap quirks = {
		.cap = KVM_CAP_DISABLE_QUIRKS2,
		.args = {backend->can.quirks &
			 (KVM_X86_QUIRK_FIX_HYPERCALL_INSN | QUIRK_SLOT_ZAP_ALL)},
	};
	struct kvm_enable_cap pmu = {
		.cap = KVM_CAP_PMU_CAPABILITY,
		.args = {KVM_PMU_CAP_DISABLE},
	};
	struct kvm_xen_hvm_config xen = {
		.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL,
		.msr = XEN_HYPERCALL_MSR,
	};

	vkvm_ioctl(fd, KVM_ENABLE_CAP, &quirks);
	vkvm_ioctl(fd, KVM_ENABLE_CAP, &pmu);
	if (backend->can.xen_hypercall)
		vkvm_ioctl(fd, KVM_XEN_HVM_CONFIG, &xen);
}

static int set_up(struct vkvm_backend *backend, uint8_t vtl)
{
	int fd = backend->vm[vtl].fd;
	uint64_t identity = IDENTITY_MAP_GPA;
	int error = enable(backend, fd, KVM_CAP_X86_USER_SPACE_MSR,
			   KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
				   KVM_MSR_EXIT_REASON_FILTER);

	if (!error)
		error = enable(backend, fd, KVM_CAP_EXCEPTION_PAYLOAD, 1);
	if (error)
		return error;
	enable_optional(backend, fd);
	error = vkvm_ioctl(fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (!error)
		error = vkvm_ioctl(fd, KVM_SET_TSS_ADDR, (void *)TSS_GPA);
	if (error)
		return vsm_error(backend->log, -error, "kvm: pages for real mode: %s",
				 strerror(-error));
	return vkvm_msr_filter_init(backend, vtl);
}

int vkvm_vm_create(struct vkvm_backend *backend, uint8_t vtl)
{
	struct vkvm_vm *vm = &backend->vm[vtl];

	vm->fd = vkvm_ioctl(backend->kvm, KVM_CREATE_VM, NULL);
	if (vm->fd < 0) {
		int error = -vm->fd;

		vm->fd = -1;
		return vsm_error(backend->log, error, "kvm: virtual machine of VTL%u: %s", vtl,
				 strerror(error));
	}
	pthread_mutex_init(&vm->msr_lock, NULL);
	return set_up(backend, vtl);
}

void vkvm_vm_destroy(struct vkvm_vm *vm)
{
	if (vm->fd < 0)
		return;
	close(vm->fd);
	free(vm->msr_area);
	pthread_mutex_destroy(&vm->msr_lock);
}
