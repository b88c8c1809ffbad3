/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often a vCPU has left the guest, by KVM's own count. MOV to a debug register and XSETBV always
 * leave the guest, to be carried out by KVM: if the vCPU has left it no more often than KVM_RUN has
 * returned, debug registers and XCR0 are what they were. To ask for them costs four ioctls a switch.
 *
 * The same holds for CR0.EM and CR4.OSXSAVE. While EM is set and OSXSAVE clear, no instruction reads or
 * writes what is in the XSAVE area (SDM volume 3, 2.5; PKRU needs CR4.PKE): if they are so now and the
 * count says the same, the area is what it was. A kernel that does without the FPU, and says so, spares
 * the largest ioctl of a switch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/x64.h"
#include "kvm/kvm_internal.h"

#define NAME "exits"

static bool find(int fd, const struct kvm_stats_header *header, uint64_t *offset)
{
	size_t size = sizeof(struct kvm_stats_desc) + header->name_size;
	struct kvm_stats_desc *description = calloc(1, size + 1);
	bool found = false;

	for (uint32_t i = 0; description && i < header->num_desc && !found; i++) {
		found = pread(fd, description, size, (off_t)(header->desc_offset + i * size)) ==
				(ssize_t)size &&
			!strcmp(description->name, NAME);
		if (found)
			*offset = header->data_offset + description->offset;
	}
	free(description);
	return found;
}

void count_init(struct vcpu *vcpu)
{
	struct kvm_backend *backend = vcpu->vp->backend;
	struct kvm_stats_header header;
	int fd = kvm_ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);

	/* Linux 5.14. Without it, everything is asked for each time. */
	if (fd < 0)
		return;
	if (!backend->count_offset && (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
				       !find(fd, &header, &backend->count_offset))) {
		close(fd);
		return;
	}
	vcpu->count_fd = fd;
}

static bool count(const struct vcpu *vcpu, uint64_t *value)
{
	return vcpu->count_fd >= 0 &&
	       pread(vcpu->count_fd, value, sizeof(*value),
		     (off_t)vcpu->vp->backend->count_offset) == sizeof(*value);
}

bool count_says_unchanged(const struct vcpu *vcpu)
{
	uint64_t now;

	return vcpu->count_known && count(vcpu, &now) && now - vcpu->count <= vcpu->returns;
}

void count_start(struct vcpu *vcpu)
{
	vcpu->count_known = count(vcpu, &vcpu->count);
	vcpu->returns = 0;
}

bool count_says_fpu_is_closed(const struct vcpu *vcpu)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;

	return sregs->cr0 & X64_CR0_EM && !(sregs->cr4 & (X64_CR4_OSXSAVE | X64_CR4_PKE));
}
