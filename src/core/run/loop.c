/* SPDX-License-Identifier: BSD-2-Clause */
/* The run loop of a virtual processor. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/memory/gpa.h"
#include "core/hypercall/hypercall.h"
#include "core/intercept/intercept.h"
#include "core/interrupt/eoi.h"
#include "core/interrupt/eoi.h"
#include "core/interrupt/interrupt.h"
#include "core/memory/protect.h"
#include "core/memory/turn.h"
#include "core/msr/crash.h"
#include "core/msr/msr.h"
#include "core/msr/page.h"
#include "core/vp/cpu_registers.h"
#include "core/run/debug.h"
#include "core/run/ioeventfd.h"
#include "core/schedule/smm.h"
#include "core/thread.h"
#include "core/vp/request.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"
#include "core/x64.h"

/* Argument of VSM_TRACE_SHUTDOWN if no exception was delivered. */
#define NO_VECTOR 0x100u

/* True: the exit goes to the VMM. */
typedef bool exit_fn(struct vsm_vp *vp, struct backend_run *run);

static bool exit_nothing(struct vsm_vp *vp, struct backend_run *run)
{
	(void)vp;
	(void)run;
	return false;
}

static bool exit_yield(struct vsm_vp *vp, struct backend_run *run)
{
	(void)run;
	vp->exit.reason = VSM_EXIT_INTERRUPTED;
	return true;
}

static bool exit_hypercall(struct vsm_vp *vp, struct backend_run *run)
{
	const uint8_t vtl = vp->active_vtl;
	uint64_t rip;

	/* #UD in System Management Mode: a VTL call would enter a higher VTL from SMM code. */
	if (__builtin_expect(vtl == 0 && vp_in_smm(vp), 0)) {
		vp_inject_exception(vp, 0, X64_EXCEPTION_UD, false, 0, 0);
		return false;
	}
	if (__builtin_expect(!(vp_active(vp)->debug & VSM_DEBUG_STEP), 1)) {
		hypercall_dispatch(vp, run->length);
		return false;
	}
	rip = vcpu_get(vp, vtl, VCPU_GPR)->rip;
	hypercall_dispatch(vp, run->length);
	if (vcpu_get(vp, vtl, VCPU_GPR)->rip != rip)
		debug_due(vp, vtl, VSM_DEBUG_STEP);
	return false;
}

static bool exit_msr_read(struct vsm_vp *vp, struct backend_run *run)
{
	uint64_t value = 0;
	bool ok;

	if (intercept_msr(vp, run->msr.index, false, 0, run->length))
		return false;
	if (msr_is_native(vp->partition, run->msr.index, false)) {
		vp_answer(vp, BACKEND_NATIVE);
		return false;
	}
	ok = msr_read(vp, vp->active_vtl, run->msr.index, &value);
	trace(vp, VSM_TRACE_MSR_READ, run->msr.index, value, !ok, 0);
	run->msr.data = value;
	vp_answer(vp, ok ? BACKEND_DONE : BACKEND_FAULT);
	return false;
}

static bool exit_msr_write(struct vsm_vp *vp, struct backend_run *run)
{
	uint64_t value = run->msr.data;
	struct memory_turn turn = {0};
	bool ok;

	if (intercept_msr(vp, run->msr.index, true, value, run->length))
		return false;
	if (msr_is_native(vp->partition, run->msr.index, true)) {
		ok = msr_native_accepts(vp->partition, run->msr.index, value);
		vp_answer(vp, ok ? BACKEND_NATIVE : BACKEND_FAULT);
		return false;
	}
	if (msr_page_changes(run->msr.index) &&
	    !memory_turn_begin(vp->partition, vp->active_vtl, &turn)) {
		vp_undo_exit(vp);
		vp_retry(vp, turn.retry_at);
		return false;
	}
	ok = msr_write(vp, vp->active_vtl, run->msr.index, value);
	memory_turn_end(vp->partition, &turn);
	trace(vp, VSM_TRACE_MSR_WRITE, run->msr.index, value, !ok, 0);
	vp_answer(vp, ok ? BACKEND_DONE : BACKEND_FAULT);
	return false;
}

static bool exit_memory(struct vsm_vp *vp, struct backend_run *run)
{
	struct gpa_fault fault;

	switch (gpa_check(vp->partition, gpa_space(vp, vp->active_vtl), run->memory.gpa,
			  run->memory.access, &fault)) {
	case GPA_OK:
	case GPA_UNMAPPED:
		/*
		 * The rights, overlays or memory have changed since the access: the guest repeats
		 * it.
		 */
		if (run->memory.other_operand)
			intercept_other_operand(vp);
		break;
	case GPA_OVERLAY:
		vp_inject_exception(vp, vp->active_vtl, X64_EXCEPTION_GP, true, 0, 0);
		break;
	case GPA_DENIED:
		if (run->memory.exact)
			fault.gpa = run->memory.gpa;
		intercept_memory(vp, &fault, run->memory.gva_valid, run->memory.gva, false);
		break;
	}
	return false;
}

static bool exit_io(struct vsm_vp *vp, struct backend_run *run)
{
	if (intercept_io(vp, run))
		return false;
	if (run->io.write && !run->io.string && run->io.count == 1 &&
	    ioeventfd_signal(vp->partition, vp->active_vtl, true, run->io.port, run->io.data,
			     run->io.size)) {
		vp_answer(vp, BACKEND_DONE);
		return false;
	}
	vp->exit.reason = VSM_EXIT_IO;
	vp->exit.io.port = run->io.port;
	vp->exit.io.size = run->io.size;
	vp->exit.io.count = run->io.count;
	vp->exit.io.write = run->io.write;
	vp->exit.io.data = run->io.data;
	return true;
}

static bool exit_mmio(struct vsm_vp *vp, struct backend_run *run)
{
	struct vsm_lapic *lapic = &vp_active(vp)->lapic;
	uint64_t base = vsm_lapic_mmio_base(lapic);

	if ((run->mmio.gpa & ~(uint64_t)(VSM_LAPIC_PAGE_SIZE - 1)) == base) {
		uint32_t offset = (uint32_t)(run->mmio.gpa - base);
		struct vsm_lapic_effect effect = {0};
		uint64_t now = vp_tsc(vp->partition);
		uint64_t value = 0;

		memcpy(&value, run->mmio.data, sizeof(value));
		if (run->mmio.write) {
			vsm_lapic_mmio_write(lapic, now, offset, run->mmio.size, value, &effect);
		} else {
			vsm_lapic_mmio_read(lapic, now, offset, run->mmio.size, &value, &effect);
			memcpy(run->mmio.data, &value, sizeof(value));
		}
		vp_answer(vp, BACKEND_DONE);
		interrupt_effect(vp, vp->active_vtl, &effect);
		return false;
	}
	if (run->mmio.write && ioeventfd_signal(vp->partition, vp->active_vtl, false, run->mmio.gpa,
						run->mmio.data, run->mmio.size)) {
		vp_answer(vp, BACKEND_DONE);
		return false;
	}
	vp->exit.reason = VSM_EXIT_MMIO;
	vp->exit.mmio.gpa = run->mmio.gpa;
	vp->exit.mmio.size = run->mmio.size;
	vp->exit.mmio.write = run->mmio.write;
	vp->exit.mmio.data = run->mmio.data;
	return true;
}

static bool exit_halt(struct vsm_vp *vp, struct backend_run *run)
{
	(void)run;
	vp_active(vp)->activity = VP_HALTED;
	debug_due(vp, vp->active_vtl, VSM_DEBUG_STEP);
	trace(vp, VSM_TRACE_HALT, vp->active_vtl, VP_HALTED, 0, 0);
	return false;
}

static bool exit_cr_write(struct vsm_vp *vp, struct backend_run *run)
{
	if (!intercept_cr(vp, run->cr.control, run->cr.value, run->length))
		vp_answer(vp, BACKEND_NATIVE);
	return false;
}

static void report_shutdown(struct vsm_vp *vp, uint64_t rip, uint64_t cr2, bool at_entry)
{
	const uint8_t vtl = vp->active_vtl;
	const int16_t vector = vp_active(vp)->exception;
	char exception[32] = "none";

	if (vector >= 0)
		snprintf(exception, sizeof(exception), "vector %d", vector);
	trace(vp, VSM_TRACE_SHUTDOWN, vtl, vector >= 0 ? (uint64_t)vector : NO_VECTOR, rip, cr2);
	vsm_log(&vp->partition->log, VSM_LOG_WARN,
		"VP%u VTL%u: shutdown (triple fault): RIP %#llx, CR2 %#llx%s; last exception that "
		"the library delivered: %s",
		vp->index, vtl, (unsigned long long)rip, (unsigned long long)cr2,
		at_entry ? ", both at its last entry, as the CPU has reset its registers" : "",
		exception);
}

static bool exit_shutdown(struct vsm_vp *vp, struct backend_run *run)
{
	report_shutdown(vp, run->shutdown.rip, run->shutdown.cr2, run->shutdown.at_entry);
	vp->exit.reason = VSM_EXIT_SHUTDOWN;
	return true;
}

static bool exit_debug(struct vsm_vp *vp, struct backend_run *run)
{
	debug_exit(vp, run->debug.cause, run->debug.dr6);
	return true;
}

static bool exit_error(struct vsm_vp *vp, struct backend_run *run)
{
	(void)run;
	vp->broken = true;
	return false;
}

static exit_fn *const exit_table[] = {
	[BACKEND_EXIT_INTERRUPTED] = exit_nothing,
	[BACKEND_EXIT_DEADLINE] = exit_nothing,
	[BACKEND_EXIT_HYPERCALL] = exit_hypercall,
	[BACKEND_EXIT_MSR_READ] = exit_msr_read,
	[BACKEND_EXIT_MSR_WRITE] = exit_msr_write,
	[BACKEND_EXIT_MEMORY] = exit_memory,
	[BACKEND_EXIT_IO] = exit_io,
	[BACKEND_EXIT_MMIO] = exit_mmio,
	[BACKEND_EXIT_HALT] = exit_halt,
	[BACKEND_EXIT_WINDOW] = exit_nothing,
	[BACKEND_EXIT_CR_WRITE] = exit_cr_write,
	[BACKEND_EXIT_SHUTDOWN] = exit_shutdown,
	[BACKEND_EXIT_DEBUG] = exit_debug,
	[BACKEND_EXIT_YIELD] = exit_yield,
	[BACKEND_EXIT_ERROR] = exit_error,
};

/* True: vp->exit is filled. */
static bool vmm_exit_due(struct vsm_vp *vp)
{
	struct vsm_exit *exit = &vp->exit;
	const struct vcpu_state *cpu;

	if (vp->broken || atomic_load(&vp->partition->rights_lost)) {
		exit->reason = VSM_EXIT_ERROR;
	} else if (vp->eoi_waiting) {
		exit->reason = VSM_EXIT_EOI;
		exit->eoi.vector = interrupt_take_eoi(vp);
	} else if (vp->crash_exit_due) {
		crash_exit(vp);
	} else if (atomic_load(&vp->partition->reset_wanted)) {
		exit->reason = VSM_EXIT_RESET;
	} else if (vp_active(vp)->triple_fault) {
		vp_active(vp)->triple_fault = false;
		cpu = vcpu_get(vp, vp->active_vtl, VCPU_GPR | VCPU_SYSTEM);
		report_shutdown(vp, cpu->rip, cpu->cr2, false);
		exit->reason = VSM_EXIT_SHUTDOWN;
	} else if (vp_active(vp)->debug_due) {
		debug_exit(vp, 0, 0);
	} else if ((atomic_load(&vp->stop) && atomic_exchange(&vp->stop, false)) ||
		   atomic_load(&vp->partition->time_stopped)) {
		exit->reason = VSM_EXIT_INTERRUPTED;
	} else {
		return false;
	}
	return true;
}

/* VTL0 accepts an interrupt of the 8259: the VMM provides the vector. */
static void inta_exit(struct vsm_vp *vp)
{
	vp->inta_due = false;
	vp->inta_vector = -1;
	vp->exit.reason = VSM_EXIT_INTA;
	vp->exit.inta.vector = &vp->inta_vector;
}

/*
 * in_guest is already set: a later request waits for the exit, and an earlier one is served here.
 */
static void flush_tlbs(struct vsm_vp *vp)
{
	uint16_t wanted = atomic_exchange(&vp->flush_wanted, 0);

	for (; wanted; wanted &= (uint16_t)(wanted - 1))
		if (vp->partition->ops->vp_flush_tlb(vp->backend, (uint8_t)__builtin_ctz(wanted)))
			vp->broken = true;
}

/*
 * If VM entry would fail, the VTL shuts down as by a triple fault, until its registers are changed.
 */
static bool registers_contradict(struct vsm_vp *vp)
{
	const struct backend_features *features = &vp->partition->features;
	const uint8_t vtl = vp->active_vtl;
	const uint32_t changed = vp->cpu[vtl]->dirty;
	const char *what = regs_contradiction(
		features, vcpu_get(vp, vtl, regs_contradiction_needs(changed)), changed);

	if (!what) {
		vp->unchecked &= (uint16_t)~vtl_bit(vtl);
		return false;
	}
	vsm_log(&vp->partition->log, VSM_LOG_WARN,
		"VP%u VTL%u: its registers contradict each other (%s): shutdown", vp->index, vtl,
		what);
	vp->exit.reason = VSM_EXIT_SHUTDOWN;
	return true;
}

/* True: the exit goes to the VMM. */
static bool enter_guest(struct vsm_vp *vp)
{
	struct backend_run *run = &vp->run;
	const struct vsm_partition *partition = vp->partition;
	int error;

	/* P26: the active VTL is enabled, and only this thread runs the VP. */
	assert(atomic_load(&vp->enabled_vtls) & vtl_bit(vp->active_vtl));
	assert(vp->owned);

	/* If the state is consistent, the next iteration enters the guest and injects. */
	if (__builtin_expect(vp->unchecked & vtl_bit(vp->active_vtl), 0))
		return registers_contradict(vp);
	/* If the SMI is refused, the next iteration reports the shutdown. */
	if (__builtin_expect(vp->smi_waits, 0) && !smm_inject(vp))
		return false;
	run->vtl = vp->active_vtl;
	run->mbec = protect_mbec_governs(vp, vp->active_vtl);
	run->length = 0;
	atomic_store(&vp->in_guest, vtl_bit(run->vtl) | (uint32_t)vp->deferred << 16);
	if (atomic_load(&vp->flush_wanted))
		flush_tlbs(vp);
	interrupt_offer_eoi_assist(vp);
	error = partition->ops->vp_run(vp->backend, run);
	atomic_fetch_add(&vp->exits, 1);
	atomic_store(&vp->in_guest, 0);

	if (error || (size_t)run->exit >= ARRAY_SIZE(exit_table)) {
		interrupt_resolve_eoi(vp);
		vp->broken = true;
		return false;
	}
	if (__builtin_expect(vp->smi_sent, 0))
		smm_after_exit(vp);
	interrupt_after_exit(vp, run);
	return exit_table[run->exit](vp, run);
}

/* Sleeps until run.deadline or a kick, unless a request of another VP can be served immediately. */
static int sleep_or_serve(struct vsm_vp *vp)
{
	int error = 0;

	/* Set before the check for requests: a request that does not see the flag is found here. */
	atomic_store(&vp->asleep, true);
	if (!vp_serve_idle(vp)) {
		vp_runtime_stop(vp);
		error = vp->partition->ops->vp_wait(vp->backend, vp->run.deadline);
		vp_runtime_start(vp);
	}
	atomic_store(&vp->asleep, false);
	return error;
}

int vsm_vp_run(struct vsm_vp *vp, const struct vsm_exit **exit)
{
	int error = vp_own(vp);

	if (error)
		return vsm_error(&vp->partition->log, -error,
				 "vp %u: another thread runs it already", vp->index);
	*exit = &vp->exit;
	vp_runtime_start(vp);
	vp_finish_exit(vp);
	for (;;) {
		if (atomic_load(&vp->request_waiting))
			vp_serve(vp);
		if (vmm_exit_due(vp))
			break;
		if (__builtin_expect(vp->kicks_pending != 0, 0) && vp->active_vtl <= vp->kicks_by &&
		    interrupt_due(vp) < 0) {
			interrupt_kick_some(vp);
			continue;
		}
		if (!interrupt_before_entry(vp, &vp->run)) {
			/* Kicks are made before the sleep, which may be unlimited. */
			if (vp->kicks_pending) {
				interrupt_kick_some(vp);
				continue;
			}
			error = sleep_or_serve(vp);
			if (error == -EAGAIN) {
				error = 0;
				break;
			}
			continue;
		}
		if (__builtin_expect(vp->inta_due, 0)) {
			inta_exit(vp);
			break;
		}
		if (enter_guest(vp))
			break;
	}
	while (vp->kicks_pending)
		interrupt_kick_some(vp);
	vp_runtime_stop(vp);
	vp->exit.vtl = vp->active_vtl;
	vp->exit.smm = vp->active_vtl == 0 && vp_in_smm(vp);
	if (vp->exit.reason == VSM_EXIT_ERROR) {
		error = vp->error_reported ? -EIO : 0;
		vp->error_reported = true;
	}
	vp->exit_thread = pthread_self();
	if (vp_exit_pending(vp))
		vp->exit_tid = thread_id();
	vp_disown(vp, vp_exit_pending(vp));
	return error;
}

void vsm_vp_kick(struct vsm_vp *vp)
{
	atomic_store(&vp->stop, true);
	/* Also ends a wait for another VP, whose thread may already be stopped. */
	vp_kick(vp);
}

void vsm_vp_counters(const struct vsm_vp *vp, struct vsm_counters *counters)
{
	counters->exits = atomic_load_explicit(&vp->exits, memory_order_relaxed);
	counters->vtl_switches = atomic_load_explicit(&vp->switches, memory_order_relaxed);
	counters->intercepts = atomic_load_explicit(&vp->intercepts, memory_order_relaxed);
}
