/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads code and data by the guest's page tables. No result may depend on denied memory. */

#include <vsm/walk.h>

#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"

#define MAX_INSTRUCTION 15u
#define PAGE_OFFSET	(VKVM_PAGE_SIZE - 1u)

struct fetch_walker {
	const struct vcpu *vcpu;
	uint64_t wanted; /* address of a page */
	bool table;	 /* the walk read an entry from that page */
};

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	struct fetch_walker *walker = opaque;

	*entry = 0;
	walker->table |= (gpa & ~(uint64_t)PAGE_OFFSET) == walker->wanted;
	return access_read(walker->vcpu, GPA_READ, gpa, entry, size) ? VSM_WALK_ALLOWED
								     : VSM_WALK_UNMAPPED;
}

static uint64_t linear(const struct kvm_sregs *sregs, uint64_t rip)
{
	bool long_mode = sregs->efer & X64_EFER_LMA && sregs->cs.l;

	return long_mode ? rip : (uint32_t)(rip + sregs->cs.base);
}

static bool translate(const struct vcpu *vcpu, struct fetch_walker *walker, uint64_t gva,
		      uint64_t *gpa)
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
	struct fetch_walker walker = {
		.vcpu = vcpu,
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

uint64_t fetch_address(const struct vcpu *vcpu, uint64_t rip)
{
	return linear(&vcpu->run->s.regs.sregs, rip);
}

uint8_t fetch_right(const struct vcpu *vcpu)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	bool user = sregs->ss.dpl == 3;

	/* With MBEC the user execute right applies only with SMEP and paging. */
	if (vcpu->vp->backend->features.mbec)
		user = user && vcpu->split_exec && (sregs->cr4 & X64_CR4_SMEP) &&
		       (sregs->cr0 & X64_CR0_PG);
	return user ? GPA_USER_EXECUTE : GPA_KERNEL_EXECUTE;
}

size_t read_linear(struct vcpu *vcpu, uint64_t address, uint8_t access, void *data, size_t size)
{
	struct fetch_walker walker = {.vcpu = vcpu, .wanted = VKVM_NO_PAGE};
	size_t done = 0;

	while (done < size) {
		uint64_t gva = address + done;
		size_t step = VKVM_PAGE_SIZE - (gva & PAGE_OFFSET);
		uint64_t gpa;

		if (step > size - done)
			step = size - done;
		if (!translate(vcpu, &walker, gva, &gpa) ||
		    !access_read(vcpu, access | GPA_READ, gpa, (uint8_t *)data + done, step))
			break;
		done += step;
	}
	return done;
}
