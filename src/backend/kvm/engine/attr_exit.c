/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits of accesses that KVM refuses: the exit describes the access. */
#include <string.h>

#include "kvm/engine/attr.h"
#include "kvm/engine/page_rights.h"
#include "kvm/memory/memory.h"

static void get(const struct vcpu *vcpu, struct kvm_access_exit *exit)
{
	memcpy(exit, vcpu->run->padding, sizeof(*exit));
}

/* The missing right, enum gpa_access; 0: no access was refused. */
static uint8_t access_of(const struct vcpu *vcpu, const struct kvm_access_exit *exit)
{
	if (exit->flags & KVM_ACCESS_EXIT_WRITE)
		return GPA_WRITE;
	if (exit->flags & KVM_ACCESS_EXIT_EXEC)
		return fetch_right(vcpu);
	return exit->flags & KVM_ACCESS_EXIT_READ ? GPA_READ : 0;
}

/* False also for an access that is allowed by now: the guest repeats it. */
bool attr_refused(struct vcpu *vcpu)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	struct kvm_access_exit exit;
	uint8_t denied;

	if (vcpu->run->exit_reason != KVM_EXIT_MEMORY_FAULT)
		return false;
	get(vcpu, &exit);
	pthread_mutex_lock(&backend->engine.lock);
	denied = page_rights_denied_at(backend, vcpu->vtl, exit.gpa);
	pthread_mutex_unlock(&backend->engine.lock);
	return denied & access_of(vcpu, &exit);
}

void attr_exit(struct vcpu *vcpu, struct backend_run *run)
{
	struct kvm_access_exit exit;

	get(vcpu, &exit);
	if (registers_rip_is_set(vcpu)) {
		run->exit = BACKEND_EXIT_INTERRUPTED;
		return;
	}
	run->exit = BACKEND_EXIT_MEMORY;
	run->length = exit.insn_len;
	run->memory.gpa = exit.gpa;
	run->memory.gva = exit.gva;
	run->memory.access = access_of(vcpu, &exit);
	run->memory.exact = true;
	run->memory.page_walk = exit.flags & KVM_ACCESS_EXIT_WALK;
	/* With a page walk, VMX reports the address being translated (SDM 3C table 28-7). */
	run->memory.gva_valid = exit.flags & KVM_ACCESS_EXIT_GVA && !run->memory.page_walk;
	run->memory.other_operand = vcpu->nested.other_operand;
}
