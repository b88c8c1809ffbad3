/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's count of the exits of a vCPU, which shows that debug registers, XCR0 and the XSAVE area
 * have not changed: docs/backend-kvm.md, "Registers".
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"
#include "kvm_vsm.h"

#define NAME "exits"

static char first_byte(const char *path)
{
	char byte = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, &byte, 1) != 1)
		byte = 0;
	close(fd);
	return byte;
}

/* can.count_exits: not if KVM emulates several instructions for an exit (docs/backend-kvm.md). */
void exit_count_find(struct vkvm_backend *backend)
{
	char intel = first_byte("/sys/module/kvm_intel/parameters/unrestricted_guest");

	backend->can.count_exits = intel ? intel == 'Y' || intel == '1'
					 : first_byte("/sys/module/kvm_amd/parameters/npt") != 0;
}

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

void exit_count_init(struct vcpu *vcpu)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	struct kvm_stats_header header;
	int fd;

	/* Without KVM_GET_STATS_FD (Linux 5.14) debug registers and XCR0 are read each time. */
	if (!backend->can.count_exits)
		return;
	fd = vkvm_ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
	if (fd < 0)
		return;
	if (!backend->count_offset && (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
				       !find(fd, &header, &backend->count_offset))) {
		close(fd);
		return;
	}
	vcpu->count_fd = fd;
}

bool exit_count_now(const struct vcpu *vcpu, uint64_t *value)
{
	return vcpu->count_fd >= 0 &&
	       pread(vcpu->count_fd, value, sizeof(*value),
		     (off_t)vcpu->vp->backend->count_offset) == sizeof(*value);
}

bool exit_count_unchanged(const struct vcpu *vcpu)
{
	uint64_t now;

	return vcpu->count_known && exit_count_now(vcpu, &now) &&
	       now - vcpu->count == vcpu->returns;
}

/* Exits that KVM makes only while it handles an exit of the CPU, for the same instruction. */
static bool is_counted_exit(uint32_t reason)
{
	switch (reason) {
	case KVM_EXIT_IO:
	case KVM_EXIT_MMIO:
	case KVM_EXIT_HLT:
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
	case KVM_EXIT_XEN:
	case KVM_EXIT_MEMORY_FAULT:
	case KVM_EXIT_REGISTER_WRITE:
		return true;
	default:
		return false;
	}
}

/* After it has completed an earlier instruction, KVM_RUN may return without an exit of the CPU. */
void exit_count_return(struct vcpu *vcpu, bool finished_first)
{
	if (!finished_first && is_counted_exit(vcpu->run->exit_reason))
		vcpu->returns++;
}

/* Without an exit, the delivery of a #DB writes DR6, and the delivery of an SMI writes DR7. */
void exit_count_enter(struct vcpu *vcpu)
{
	const struct kvm_vcpu_events *events = &vcpu->run->s.regs.events;

	if ((events->exception.pending || events->exception.injected) &&
	    events->exception.nr == X64_EXCEPTION_DB)
		vcpu->count_known = false;
	if (events->smi.pending)
		vcpu->count_known = false;
}

void exit_count_start(struct vcpu *vcpu)
{
	vcpu->count_known = exit_count_now(vcpu, &vcpu->count);
	vcpu->returns = 0;
}

bool exit_count_fpu_is_closed(const struct vcpu *vcpu)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;

	return sregs->cr0 & X64_CR0_EM && !(sregs->cr4 & (X64_CR4_OSXSAVE | X64_CR4_PKE));
}
