/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a VTL in the log. */
#include "kvm/exit/exit.h"

void exit_describe_registers(const struct vcpu *vcpu, enum vsm_log_level level, const char *what)
{
	const struct kvm_regs *r = &vcpu->run->s.regs.regs;
	const struct kvm_sregs *s = &vcpu->run->s.regs.sregs;

	vsm_log(vcpu->vp->backend->log, level,
		"kvm: VP%u VTL%u: %s: rip %#llx cs %#x rflags %#llx rsp %#llx rax %#llx rbx %#llx "
		"rcx "
		"%#llx rdx %#llx rsi %#llx rdi %#llx cr0 %#llx cr2 %#llx cr3 %#llx cr4 %#llx efer "
		"%#llx",
		vcpu->vp->index, vcpu->vtl, what, r->rip, s->cs.selector, r->rflags, r->rsp, r->rax,
		r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, s->cr0, s->cr2, s->cr3, s->cr4, s->efer);
}
