/* SPDX-License-Identifier: BSD-2-Clause */
/* Translation of the exits of KVM_RUN for the core: one row for each exit reason. */
#include <string.h>

#include "core/x64.h"
#include "kvm/engine/attr.h"
#include "kvm/engine/nested.h"
#include "kvm/exit/exit.h"

#define VMCALL_LENGTH 3u
#define MSR_LENGTH    2u

typedef void exit_fn(struct vcpu *vcpu, struct backend_run *run);

/* Whether KVM's emulator may have caused this exit, and continue with another access. */
static bool is_emulated(const struct kvm_run *kvm)
{
	return kvm->exit_reason == KVM_EXIT_MMIO ||
	       (kvm->exit_reason == KVM_EXIT_IO && kvm->io.direction == KVM_EXIT_IO_IN);
}

/* KVM completes the instruction at the next entry; until then it can be undone. */
static void set_open(struct vcpu *vcpu)
{
	snapshot_take(vcpu, &vcpu->before);
	/* Needed by violation_mmio(): only engine uffd undoes an access after such an exit. */
	if (vcpu->vp->backend->engine.ops->take_violation && is_emulated(vcpu->run)) {
		vcpu->before.counted = exit_count_now(vcpu, &vcpu->before.count);
		vcpu->before.complete_first = !vcpu->before.counted;
	}
	vcpu->completion = true;
	vcpu->open = true;
}

/* The core expects RIP at the instruction; KVM has advanced it. */
static void exit_hypercall(struct vcpu *vcpu, struct backend_run *run)
{
	if (vkvm_vp_load(vcpu->vp, vcpu->vtl, VCPU_GPR | VCPU_SYSTEM)) {
		run->exit = BACKEND_EXIT_ERROR;
		return;
	}
	registers_edit(vcpu, VCPU_GPR)->rip -= VKVM_HYPERCALL_LENGTH;
	run->exit = BACKEND_EXIT_HYPERCALL;
	run->length = VKVM_HYPERCALL_LENGTH;
}

static void exit_io(struct vcpu *vcpu, struct backend_run *run)
{
	struct kvm_run *kvm = vcpu->run;
	bool write = kvm->io.direction == KVM_EXIT_IO_OUT;

	if (io_is_hypercall(vcpu)) {
		exit_hypercall(vcpu, run);
		return;
	}
	set_open(vcpu);
	run->exit = BACKEND_EXIT_IO;
	run->io.port = kvm->io.port;
	run->io.size = kvm->io.size;
	run->io.write = write;
	run->io.count = kvm->io.count;
	run->io.string = kvm->io.count > 1;
	run->io.repeat = kvm->io.count > 1;
	run->io.data = (uint8_t *)kvm + kvm->io.data_offset;
}

static void exit_mmio(struct vcpu *vcpu, struct backend_run *run)
{
	struct kvm_run *kvm = vcpu->run;

	if (vkvm_memory_is_backed(vcpu, kvm->mmio.phys_addr, kvm->mmio.is_write)) {
		vcpu->completion = true;
		violation_mmio(vcpu, run);
		return;
	}
	set_open(vcpu);
	run->exit = BACKEND_EXIT_MMIO;
	run->mmio.gpa = kvm->mmio.phys_addr;
	run->mmio.size = (uint8_t)kvm->mmio.len;
	run->mmio.write = kvm->mmio.is_write;
	memcpy(run->mmio.data, kvm->mmio.data, sizeof(run->mmio.data));
}

static void exit_msr(struct vcpu *vcpu, struct backend_run *run, bool write)
{
	set_open(vcpu);
	run->exit = write ? BACKEND_EXIT_MSR_WRITE : BACKEND_EXIT_MSR_READ;
	run->length = MSR_LENGTH;
	run->msr.index = vcpu->run->msr.index;
	run->msr.data = write ? vcpu->run->msr.data : 0;
}

static void exit_msr_read(struct vcpu *vcpu, struct backend_run *run)
{
	exit_msr(vcpu, run, false);
}

static void exit_msr_write(struct vcpu *vcpu, struct backend_run *run)
{
	exit_msr(vcpu, run, true);
}

/* VMCALL or VMMCALL: completed immediately and undone, so that the core can set RIP. */
static void exit_xen(struct vcpu *vcpu, struct backend_run *run)
{
	struct vcpu_snapshot here;

	if (vcpu->run->xen.type != KVM_EXIT_XEN_HCALL) {
		exit_describe_registers(vcpu, VSM_LOG_ERROR, "a Xen exit that was not requested");
		run->exit = BACKEND_EXIT_ERROR;
		return;
	}
	snapshot_take(vcpu, &here);
	vcpu->completion = true;
	run->length = VMCALL_LENGTH;
	run->exit = undo_exit(vcpu, &here) ? BACKEND_EXIT_ERROR : BACKEND_EXIT_HYPERCALL;
}

static void exit_halt(struct vcpu *vcpu, struct backend_run *run)
{
	(void)vcpu;
	run->exit = BACKEND_EXIT_HALT;
	run->length = 1;
}

static void exit_window(struct vcpu *vcpu, struct backend_run *run)
{
	(void)vcpu;
	run->exit = BACKEND_EXIT_WINDOW;
}

static void exit_interrupted(struct vcpu *vcpu, struct backend_run *run)
{
	(void)vcpu;
	run->exit = BACKEND_EXIT_INTERRUPTED;
}

/* On AMD CPUs KVM has reset the vCPU after a triple fault: RIP and CR2 are those of the entry. */
static void shut_down(struct vcpu *vcpu, struct backend_run *run)
{
	const struct kvm_sync_regs *regs = &vcpu->run->s.regs;
	const bool reset = regs->regs.rip == X64_RESET_RIP &&
			   regs->sregs.cs.selector == X64_RESET_CS &&
			   vcpu->entry_rip != X64_RESET_RIP;

	run->exit = BACKEND_EXIT_SHUTDOWN;
	run->shutdown.at_entry = reset;
	run->shutdown.rip = reset ? vcpu->entry_rip : regs->regs.rip;
	run->shutdown.cr2 = reset ? vcpu->cr2 : regs->sregs.cr2;
}

static void exit_shutdown(struct vcpu *vcpu, struct backend_run *run)
{
	exit_describe_registers(vcpu, VSM_LOG_DEBUG, "triple fault");
	/* On AMD CPUs KVM has reset the vCPU, including its TSC offset. */
	vcpu->count_known = false;
	shut_down(vcpu, run);
	if (tsc_set_vcpu(vcpu))
		run->exit = BACKEND_EXIT_ERROR;
}

/* Whether an event was not delivered. */
static bool is_undelivered(const struct vcpu *vcpu)
{
	const struct kvm_sync_regs *regs = &vcpu->run->s.regs;

	return regs->events.interrupt.injected || regs->events.nmi.injected ||
	       regs->events.exception.injected || enter_still_delivers(vcpu);
}

/* The guest can cause these exits: docs/backend-kvm.md, "Exits of KVM_RUN". */
static void exit_internal_error(struct vcpu *vcpu, struct backend_run *run)
{
	uint32_t suberror = vcpu->run->internal.suberror;
	struct vcpu_events *events;

	shut_down(vcpu, run);
	if (suberror != KVM_INTERNAL_ERROR_EMULATION &&
	    suberror != KVM_INTERNAL_ERROR_DELIVERY_EV) {
		vsm_log(vcpu->vp->backend->log, VSM_LOG_WARN, "kvm: internal error %u", suberror);
		exit_describe_registers(vcpu, VSM_LOG_WARN, "KVM cannot continue: shutdown");
		return;
	}
	if (suberror == KVM_INTERNAL_ERROR_DELIVERY_EV || is_undelivered(vcpu)) {
		exit_describe_registers(vcpu, VSM_LOG_DEBUG,
					"an event cannot be delivered: shutdown");
		return;
	}
	exit_describe_registers(vcpu, VSM_LOG_DEBUG, "KVM cannot emulate the instruction: #UD");
	events = &registers_edit(vcpu, VCPU_EVENTS)->events;
	events->exception_pending = true;
	events->exception_vector = X64_EXCEPTION_UD;
	events->exception_has_error_code = false;
	events->exception_error_code = 0;
	events->exception_parameter = 0;
	run->exit = BACKEND_EXIT_INTERRUPTED;
}

static void exit_unknown(struct vcpu *vcpu, struct backend_run *run)
{
	vsm_log(vcpu->vp->backend->log, VSM_LOG_WARN, "kvm: exit of the CPU for reason %#llx",
		(unsigned long long)vcpu->run->hw.hardware_exit_reason);
	exit_describe_registers(vcpu, VSM_LOG_WARN, "KVM cannot continue: shutdown");
	shut_down(vcpu, run);
}

static void exit_fail_entry(struct vcpu *vcpu, struct backend_run *run)
{
	exit_describe_registers(vcpu, VSM_LOG_ERROR, "the CPU refuses its registers: shutdown");
	shut_down(vcpu, run);
}

/* exit_translate() has two more. The others are not enabled (docs/backend-kvm.md). */
static exit_fn *const exit_table[] = {
	[KVM_EXIT_UNKNOWN] = exit_unknown,
	[KVM_EXIT_EXCEPTION] = exit_unknown,
	[KVM_EXIT_IO] = exit_io,
	[KVM_EXIT_DEBUG] = exit_debug,
	[KVM_EXIT_MMIO] = exit_mmio,
	[KVM_EXIT_HLT] = exit_halt,
	[KVM_EXIT_INTR] = exit_interrupted,
	[KVM_EXIT_IRQ_WINDOW_OPEN] = exit_window,
	[KVM_EXIT_SET_TPR] = exit_interrupted,
	[KVM_EXIT_SHUTDOWN] = exit_shutdown,
	[KVM_EXIT_INTERNAL_ERROR] = exit_internal_error,
	[KVM_EXIT_FAIL_ENTRY] = exit_fail_entry,
	[KVM_EXIT_X86_RDMSR] = exit_msr_read,
	[KVM_EXIT_X86_WRMSR] = exit_msr_write,
	[KVM_EXIT_XEN] = exit_xen,
	[KVM_EXIT_MEMORY_FAULT] = attr_exit,
};

void exit_translate(struct vcpu *vcpu, struct backend_run *run)
{
	uint32_t reason = vcpu->run->exit_reason;

	if (reason == NESTED_EXIT_HYPERCALL) {
		run->exit = BACKEND_EXIT_HYPERCALL;
		run->length = VMCALL_LENGTH;
		return;
	}
	if (reason == KVM_EXIT_REGISTER_WRITE) {
		register_write_exit(vcpu, run);
		return;
	}
	if (reason < ARRAY_SIZE(exit_table) && exit_table[reason]) {
		exit_table[reason](vcpu, run);
		return;
	}
	vsm_log(vcpu->vp->backend->log, VSM_LOG_ERROR, "kvm: unexpected exit reason %u", reason);
	exit_describe_registers(vcpu, VSM_LOG_ERROR, "stopped");
	run->exit = BACKEND_EXIT_ERROR;
}
