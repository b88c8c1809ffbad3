/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine of the optional kernel part: docs/backend-kvm.md, "Engine attr". A call may make every
 * running VP leave the guest once, so scattered pages go into one call.
 */
#include "kvm/engine/attr.h"
#include "kvm/engine/page_rights.h"

#include <string.h>

_Static_assert((int)GPA_READ == KVM_ACCESS_NO_READ && (int)GPA_WRITE == KVM_ACCESS_NO_WRITE &&
		       (int)GPA_KERNEL_EXECUTE == KVM_ACCESS_NO_KERNEL_EXEC &&
		       (int)GPA_USER_EXECUTE == KVM_ACCESS_NO_USER_EXEC,
	       "a denied right is the restriction of the same number");

static int kernel_range(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
			uint8_t denied)
{
	struct kvm_access_range range = {
		.address = gpn * VKVM_PAGE_SIZE,
		.size = pages * VKVM_PAGE_SIZE,
		.restrictions = denied,
	};
	int error = vkvm_ioctl(backend->vm[vtl].fd, KVM_SET_ACCESS_RANGE, &range);

	return error ? vsm_error(backend->log, -error,
				 "kvm: VTL%u: rights of %llu pages at %#llx: %s", vtl,
				 (unsigned long long)pages,
				 (unsigned long long)(gpn * VKVM_PAGE_SIZE), strerror(-error))
		     : 0;
}

static int kernel_list(struct vkvm_backend *backend, uint8_t vtl, const uint64_t *list,
		       uint32_t count)
{
	struct kvm_access_pages pages = {.pages = (uintptr_t)list, .count = count};
	int error = vkvm_ioctl(backend->vm[vtl].fd, KVM_SET_ACCESS_PAGES, &pages);

	return error ? vsm_error(backend->log, -error, "kvm: VTL%u: rights of %u pages: %s", vtl,
				 count, strerror(-error))
		     : 0;
}

static const struct restriction_ops kernel_restrictions = {
	.range = kernel_range,
	.list = kernel_list,
};

static int find(struct vkvm_backend *backend, bool quiet)
{
	int can = vkvm_ioctl(backend->kvm, KVM_CHECK_EXTENSION, (void *)(uintptr_t)KVM_CAP_ACCESS);
	const int least = KVM_ACCESS_MASK;

	if (can <= 0 || (can & least) != least)
		return engine_refuse(
			backend, quiet,
			"engine attr: this KVM cannot restrict access to guest pages: "
			"its modules are not those of the optional kernel part, or nested "
			"paging is off (npt=0, ept=0); installation: " VSM_DOC_DIR
			"/kernel/INSTALL.md");
	/* KVM_HC_CLOCK_PAIRING writes to an address that the guest chooses, unrestricted. */
	if (!backend->can.xen_hypercall)
		return engine_refuse(backend, quiet,
				     "engine attr: this KVM cannot forward hypercalls "
				     "(KVM_CAP_XEN_HVM): it would write guest memory itself");
	backend->features.mbec = can & KVM_ACCESS_CAP_SPLIT_EXEC;
	return page_rights_start(backend, &kernel_restrictions);
}

static int split_exec(struct vcpu *vcpu, bool on)
{
	uint32_t value = on;
	int error = vkvm_ioctl(vcpu->fd, KVM_SET_SPLIT_EXEC, &value);

	return error ? vsm_error(vcpu->vp->backend->log, -error,
				 "kvm: VTL%u: cannot set separate user and kernel execution",
				 vcpu->vtl)
		     : 0;
}

static int start(struct vkvm_backend *backend)
{
	(void)backend;
	return 0;
}

const struct engine_ops engine_attr = {
	.name = "attr",
	.find = find,
	.start = start,
	.stop = page_rights_stop,
	.window_init = page_rights_window_init,
	.window_destroy = page_rights_window_destroy,
	.protect = page_rights_protect,
	.overlay_map = page_rights_overlay_map,
	.overlay_unmap = page_rights_overlay_unmap,
	.overlay_window = page_rights_overlay_window,
	.overlay_slot = page_rights_overlay_slot,
	.denied = page_rights_denied,
	.refused = attr_refused,
	.split_exec = split_exec,
};
