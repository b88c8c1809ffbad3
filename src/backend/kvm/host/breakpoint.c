/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether INT3 exits with KVM_GUESTDBG_USE_SW_BP: on QEMU's software CPU it does not. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/x64.h"
#include "kvm/backend.h"

enum {
	BREAKPOINT = 0x800, /* int3 */
	HANDLER = 0x900,    /* hlt */
	STACK = 0x700,
	TSS_GPA = 0x10000,
	TRIES = 100,
};

/* Real-mode code with a vector for #BP, in one page at 0. */
static void make_page(uint8_t *page)
{
	page[BREAKPOINT] = 0xcc;
	page[HANDLER] = 0xf4;
	page[X64_EXCEPTION_BP * 4 + 1] = HANDLER >> 8;
}

static int start(int vcpu)
{
	const struct kvm_guest_debug debug = {.control =
						      KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP};
	struct kvm_regs regs = {.rip = BREAKPOINT, .rsp = STACK, .rflags = X64_RFLAGS_FIXED};
	struct kvm_sregs sregs;
	int error = vkvm_ioctl(vcpu, KVM_GET_SREGS, &sregs);

	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (!error)
		error = vkvm_ioctl(vcpu, KVM_SET_SREGS, &sregs);
	if (!error)
		error = vkvm_ioctl(vcpu, KVM_SET_REGS, &regs);
	return error ? error : vkvm_ioctl(vcpu, KVM_SET_GUEST_DEBUG, (void *)&debug);
}

static int try(int vm, int vcpu, uint8_t *page, struct kvm_run *run)
{
	struct kvm_userspace_memory_region region = {.memory_size = VKVM_PAGE_SIZE,
						     .userspace_addr = (uintptr_t)page};
	int error = vkvm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);

	make_page(page);
	if (!error)
		error = start(vcpu);
	for (unsigned int i = 0; i < TRIES && !error; i++) {
		error = vkvm_ioctl(vcpu, KVM_RUN, NULL);
		if (!error && run->exit_reason != KVM_EXIT_INTR)
			return run->exit_reason == KVM_EXIT_DEBUG ? 0 : -ENOTSUP;
	}
	return error ? error : -EAGAIN;
}

static int find(const struct vkvm_backend *backend)
{
	int vm = vkvm_ioctl(backend->kvm, KVM_CREATE_VM, NULL);
	int error = vm < 0 ? vm : vkvm_ioctl(vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)TSS_GPA);
	int vcpu = error ? error : vkvm_ioctl(vm, KVM_CREATE_VCPU, NULL);
	void *run = MAP_FAILED;
	void *page = mmap(NULL, VKVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (vcpu >= 0)
		run = mmap(NULL, backend->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (vcpu < 0)
		error = vcpu;
	else if (run == MAP_FAILED || page == MAP_FAILED)
		error = -ENOMEM;
	else
		error = try(vm, vcpu, page, run);
	if (run != MAP_FAILED)
		munmap(run, backend->run_size);
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	if (page != MAP_FAILED)
		munmap(page, VKVM_PAGE_SIZE);
	return error;
}

int breakpoint_check(struct vkvm_backend *backend)
{
	enum {
		UNKNOWN,
		EXITS,
		DOES_NOT_EXIT
	};
	int error;

	switch (atomic_load(&backend->int3)) {
	case EXITS:
		return 0;
	case DOES_NOT_EXIT:
		return -ENOTSUP;
	default:
		break;
	}
	error = find(backend);
	if (!error || error == -ENOTSUP)
		atomic_store(&backend->int3, error ? DOES_NOT_EXIT : EXITS);
	return error;
}
