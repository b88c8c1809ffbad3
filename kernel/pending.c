// SPDX-License-Identifier: GPL-2.0-only
/*
 * An eventfd for events that arrive while a vCPU is not in KVM_RUN.
 *
 * A sender stores the event by an atomic operation, which is a full barrier, then reads
 * pending_armed in kvm_vcpu_wake_up(). The end of KVM_RUN sets pending_armed, then checks for
 * events. So at least one side sees the other's store.
 */
#include <linux/eventfd.h>
#include <linux/kvm_host.h>
#include "hyperv.h"
#include "irq.h"
#include "lapic.h"
#include "x86.h"

static void signal_user(struct kvm_vcpu *vcpu)
{
	struct eventfd_ctx *ctx;

	rcu_read_lock();
	ctx = rcu_dereference(vcpu->arch.vsm.pending_ctx);
	if (ctx)
		eventfd_signal(ctx);
	rcu_read_unlock();
}

/* Called from any context, after an event was queued for @vcpu. */
void kvm_pending_wake(struct kvm_vcpu *vcpu)
{
	if (unlikely(READ_ONCE(vcpu->arch.vsm.pending_armed)))
		signal_user(vcpu);
}

void kvm_pending_enter(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->arch.vsm.pending_armed, false);
}

void kvm_pending_leave(struct kvm_vcpu *vcpu)
{
	if (likely(!rcu_access_pointer(vcpu->arch.vsm.pending_ctx)))
		return;
	WRITE_ONCE(vcpu->arch.vsm.pending_armed, true);
	smp_mb();
	if (kvm_cpu_has_interrupt(vcpu) || kvm_cpu_has_pending_timer(vcpu) ||
	    kvm_test_request(KVM_REQ_NMI, vcpu) || vcpu->arch.nmi_pending ||
	    kvm_test_request(KVM_REQ_SMI, vcpu) || kvm_apic_has_pending_init_or_sipi(vcpu) ||
	    kvm_hv_has_stimer_pending(vcpu))
		signal_user(vcpu);
}

static void replace(struct kvm_vcpu *vcpu, struct eventfd_ctx *ctx)
{
	ctx = rcu_replace_pointer(vcpu->arch.vsm.pending_ctx, ctx, true);
	if (ctx) {
		synchronize_rcu();
		eventfd_ctx_put(ctx);
	}
}

int kvm_pending_ioctl(struct kvm_vcpu *vcpu, void __user *argp)
{
	struct eventfd_ctx *ctx = NULL;
	s32 fd;

	if (!lapic_in_kernel(vcpu))
		return -EINVAL;
	if (get_user(fd, (s32 __user *)argp))
		return -EFAULT;
	if (fd != -1)
		ctx = eventfd_ctx_fdget(fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	WRITE_ONCE(vcpu->arch.vsm.pending_armed, false);
	replace(vcpu, ctx);
	kvm_pending_leave(vcpu);
	return 0;
}

void kvm_pending_destroy(struct kvm_vcpu *vcpu)
{
	replace(vcpu, NULL);
}
