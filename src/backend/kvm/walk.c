/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the CPU fetches from: the guest's page tables as the VTL has them, read through our own mapping
 * of RAM, which nothing is denied to.
 */
#include <string.h>

#include <vsm/walk.h>

#include "core/x64.h"
#include "kvm/kvm_internal.h"

#define MAX_INSTRUCTION 15u
#define PAGE_OFFSET	(KVM_PAGE_SIZE - 1u)

struct walker {
	struct kvm_backend *backend;
	uint64_t wanted; /* a page */
	bool table;	 /* an entry was read from it */
};

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	struct walker *walker = opaque;

	*entry = 0;
	walker->table |= (gpa & ~(uint64_t)PAGE_OFFSET) == walker->wanted;
	return kvm_memory_read(walker->backend, gpa, entry, size) ? VSM_WALK_ALLOWED
								  : VSM_WALK_UNMAPPED;
}

static uint64_t linear(const struct kvm_sregs *sregs, uint64_t rip)
{
	bool long_mode = sregs->efer & X64_EFER_LMA && sregs->cs.l;

	return long_mode ? rip : (uint32_t)(rip + sregs->cs.base);
}

static bool translate(const struct vcpu *vcpu, struct walker *walker, uint64_t gva, uint64_t *gpa)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	const struct vsm_walk_context context = {
		.cr0 = sregs->cr0,
		.cr3 = sregs->cr3,
		.cr4 = sregs->cr4,
		.efer = sregs->efer,
		.rflags = vcpu->run->s.regs.regs.rflags,
		.cpu = VSM_WALK_CPU_PAGE1GB | VSM_WALK_CPU_PSE36,
		.cpl = sregs->ss.dpl,
		.max_phys_addr = vcpu->vp->backend->features.gpa_bits,
	};
	const struct vsm_walk_memory memory = {.read = read_entry, .opaque = walker};
	const struct vsm_walk_request request = {.gva = gva, .flags = VSM_WALK_EXEMPT};
	struct vsm_walk_result result;

	vsm_walk(&context, &memory, &request, &result);
	*gpa = result.gpa;
	return result.translated;
}

bool fetch_needs(struct vcpu *vcpu, uint64_t gpa, bool *table)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	struct walker walker = {
		.backend = vcpu->vp->backend,
		.wanted = gpa & ~(uint64_t)PAGE_OFFSET,
	};
	uint64_t rip = linear(sregs, vcpu->run->s.regs.regs.rip);
	uint64_t last = linear(sregs, vcpu->run->s.regs.regs.rip + MAX_INSTRUCTION - 1);
	uint64_t found;
	bool needed;

	needed = translate(vcpu, &walker, rip, &found) &&
		 (found & ~(uint64_t)PAGE_OFFSET) == walker.wanted;
	if ((rip ^ last) & ~(uint64_t)PAGE_OFFSET)
		needed |= translate(vcpu, &walker, last, &found) &&
			  (found & ~(uint64_t)PAGE_OFFSET) == walker.wanted;
	*table = walker.table;
	return needed;
}

size_t fetch_bytes(struct vcpu *vcpu, uint64_t rip, uint8_t *code, size_t size)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	struct walker walker = {.backend = vcpu->vp->backend, .wanted = KVM_NO_PAGE};
	size_t done = 0;

	while (done < size) {
		uint64_t gva = linear(sregs, rip + done);
		size_t step = KVM_PAGE_SIZE - (gva & PAGE_OFFSET);
		uint64_t gpa;

		if (step > size - done)
			step = size - done;
		if (!translate(vcpu, &walker, gva, &gpa) ||
		    !kvm_memory_read(walker.backend, gpa, code + done, step))
			break;
		done += step;
	}
	return done;
}
