/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes of VTL0 for which KVM signals an eventfd (KVM_IOEVENTFD). */
#include <errno.h>

#include "kvm/exit/exit.h"

int vkvm_doorbell(void *opaque, const struct backend_doorbell *doorbell, bool on)
{
	struct vkvm_backend *backend = opaque;
	struct kvm_ioeventfd request = {
		.datamatch = doorbell->data,
		.addr = doorbell->address,
		.len = doorbell->length,
		.fd = doorbell->fd,
		.flags = (doorbell->port ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (doorbell->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
			 (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	/* The hypercall page's OUT must exit. With engine nested all writes exit. */
	if ((doorbell->port && doorbell->address == VKVM_HYPERCALL_PORT) ||
	    backend->engine.ops == &engine_nested)
		return -ENOTSUP;
	return vkvm_ioctl(backend->vm[0].fd, KVM_IOEVENTFD, &request);
}
