/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread for each CPU, which runs its VP and handles the exits that concern a VMM. */
#include "qemu/osdep.h"
#include "accel.h"
#include "hw/intc/ioapic.h"
#include "qemu/error-report.h"
#include "qemu/guest-random.h"
#include "qemu/main-loop.h"
#include "qapi/qapi-types-run-state.h"
#include "system/cpus.h"
#include "system/runstate.h"

enum verdict {
	RUN_AGAIN,
	LEAVE,	/* handle requests to the thread */
	STOP,	/* GDB stops the machine */
	BROKEN, /* an error: the machine stops */
};

/* ------------------------------------------------------------------ exits; without the BQL */

static enum verdict on_interrupted(CPUState *cpu, const struct vsm_exit *exit)
{
	return LEAVE;
}

static enum verdict on_io(CPUState *cpu, const struct vsm_exit *exit)
{
	uint8_t *data = exit->io.data;

	for (uint32_t i = 0; i < exit->io.count; i++) {
		address_space_rw(&address_space_io, exit->io.port, MEMTXATTRS_UNSPECIFIED, data,
				 exit->io.size, exit->io.write);
		data += exit->io.size;
	}
	return RUN_AGAIN;
}

static enum verdict on_mmio(CPUState *cpu, const struct vsm_exit *exit)
{
	/* Some devices permit accesses only in SMM, such as flash with secure=on. */
	const MemTxAttrs attrs = {.secure = exit->smm};
	AddressSpace *space = exit->smm ? &vsm_state()->smm_space : &address_space_memory;
	MemTxResult result = address_space_rw(space, exit->mmio.gpa, attrs, exit->mmio.data,
					      exit->mmio.size, exit->mmio.write);

	/* Reads without a device return all ones, like a bus. */
	if (result != MEMTX_OK && !exit->mmio.write)
		memset(exit->mmio.data, 0xff, exit->mmio.size);
	return RUN_AGAIN;
}

static enum verdict on_eoi(CPUState *cpu, const struct vsm_exit *exit)
{
	bql_lock();
	ioapic_eoi_broadcast(exit->eoi.vector);
	bql_unlock();
	return RUN_AGAIN;
}

static enum verdict on_inta(CPUState *cpu, const struct vsm_exit *exit)
{
	bql_lock();
	*exit->inta.vector = vsm_pic_acknowledge();
	bql_unlock();
	return RUN_AGAIN;
}

/* Triple faults and reset requests of the guest: both need a reset of the partition. */
static enum verdict on_reset(CPUState *cpu, const struct vsm_exit *exit)
{
	qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
	return LEAVE;
}

static enum verdict on_crash(CPUState *cpu, const struct vsm_exit *exit)
{
	GuestPanicInformation *info = g_new0(GuestPanicInformation, 1);

	info->type = GUEST_PANIC_INFORMATION_TYPE_HYPER_V;
	info->u.hyper_v.arg1 = exit->crash.parameter[0];
	info->u.hyper_v.arg2 = exit->crash.parameter[1];
	info->u.hyper_v.arg3 = exit->crash.parameter[2];
	info->u.hyper_v.arg4 = exit->crash.parameter[3];
	info->u.hyper_v.arg5 = exit->crash.parameter[4];
	bql_lock();
	qemu_system_guest_panicked(info);
	bql_unlock();
	return LEAVE;
}

static enum verdict on_debug(CPUState *cpu, const struct vsm_exit *exit)
{
	return vsm_debug_stops(cpu, exit) ? STOP : RUN_AGAIN;
}

static enum verdict on_error(CPUState *cpu, const struct vsm_exit *exit)
{
	return BROKEN;
}

static enum verdict (*const handler[])(CPUState *cpu, const struct vsm_exit *exit) = {
	[VSM_EXIT_INTERRUPTED] = on_interrupted,
	[VSM_EXIT_IO] = on_io,
	[VSM_EXIT_MMIO] = on_mmio,
	[VSM_EXIT_EOI] = on_eoi,
	[VSM_EXIT_INTA] = on_inta,
	[VSM_EXIT_SHUTDOWN] = on_reset,
	[VSM_EXIT_RESET] = on_reset,
	[VSM_EXIT_CRASH] = on_crash,
	[VSM_EXIT_DEBUG] = on_debug,
	[VSM_EXIT_ERROR] = on_error,
};

static enum verdict run_once(CPUState *cpu)
{
	const struct vsm_exit *exit;

	if (vsm_state()->suspended)
		return BROKEN;
	/* The kick of a pending request may have ended an earlier vsm_vp_run(), so kick again. */
	if (qatomic_read(&cpu->exit_request))
		vsm_vp_kick(vsm_vp(cpu));
	if (vsm_vp_run(vsm_vp(cpu), &exit))
		return BROKEN;
	if (exit->reason >= G_N_ELEMENTS(handler) || !handler[exit->reason]) {
		error_report("vsm: exit %d is unknown", exit->reason);
		return BROKEN;
	}
	return handler[exit->reason](cpu, exit);
}

static void run(CPUState *cpu)
{
	enum verdict verdict;

	if (cpu->vcpu_dirty) {
		vsm_registers_put(cpu);
		cpu->vcpu_dirty = false;
	}
	bql_unlock();
	cpu_exec_start(cpu);
	do {
		verdict = run_once(cpu);
	} while (verdict == RUN_AGAIN);
	cpu_exec_end(cpu);
	bql_lock();
	qatomic_set(&cpu->exit_request, 0);
	if (verdict == STOP)
		cpu_handle_guest_debug(cpu);
	if (verdict == BROKEN) {
		cpu_dump_state(cpu, stderr, 0);
		vm_stop(RUN_STATE_INTERNAL_ERROR);
	}
}

static void *cpu_thread(void *opaque)
{
	CPUState *cpu = opaque;

	rcu_register_thread();
	bql_lock();
	qemu_thread_get_self(cpu->thread);
	cpu->thread_id = qemu_get_thread_id();
	current_cpu = cpu;
	cpu_thread_signal_created(cpu);
	qemu_guest_random_seed_thread_part2(cpu->random_seed);
	do {
		if (cpu_can_run(cpu))
			run(cpu);
		qemu_process_cpu_events(cpu);
	} while (!cpu->unplug || cpu_can_run(cpu));
	cpu_thread_signal_destroyed(cpu);
	bql_unlock();
	rcu_unregister_thread();
	return NULL;
}

static void create_thread(CPUState *cpu)
{
	char name[VCPU_THREAD_NAME_SIZE];

	cpu->accel = g_new0(AccelCPUState, 1);
	cpu->accel->vp = vsm_partition_vp(vsm_partition(), cpu->cpu_index);
	/* QEMU cannot refuse a CPU here, so end the process; no CPU has run. */
	if (!vsm_cpuid_apply(cpu))
		exit(EXIT_FAILURE);
	snprintf(name, sizeof(name), "CPU %d/VSM", cpu->cpu_index);
	qemu_thread_create(cpu->thread, name, cpu_thread, cpu, QEMU_THREAD_JOINABLE);
}

/* Any thread. */
static void kick_thread(CPUState *cpu)
{
	qatomic_set(&cpu->exit_request, 1);
	vsm_vp_kick(vsm_vp(cpu));
}

/* A halted VP waits in vsm_vp_run(). */
static bool thread_is_idle(CPUState *cpu)
{
	return false;
}

/* Only the 8259's interrupt, NMI and SMI: other interrupts arrive as MSIs. */
static void handle_interrupt(CPUState *cpu, int mask)
{
	if (mask & (CPU_INTERRUPT_HARD | CPU_INTERRUPT_POLL))
		vsm_pic_update();
	if (mask & CPU_INTERRUPT_NMI)
		vsm_nmi(vsm_vp(cpu));
	if (mask & CPU_INTERRUPT_SMI && vsm_state()->smm)
		vsm_vp_smi(vsm_vp(cpu));
}

static void synchronize(CPUState *cpu, run_on_cpu_data data)
{
	if (cpu->vcpu_dirty)
		return;
	vsm_registers_get(cpu);
	cpu->vcpu_dirty = true;
}

static void synchronize_state(CPUState *cpu)
{
	if (!cpu->vcpu_dirty)
		run_on_cpu(cpu, synchronize, RUN_ON_CPU_NULL);
}

/* Drops QEMU's copy of the registers, since libvsm has reset or restored those of the VP. */
static void discard_registers(CPUState *cpu)
{
	cpu->vcpu_dirty = false;
}

static void do_nothing(CPUState *cpu)
{
}

void vsm_cpu_class_init(ObjectClass *class, VSM_CLASS_DATA)
{
	AccelOpsClass *ops = ACCEL_OPS_CLASS(class);

	ops->create_vcpu_thread = create_thread;
	ops->kick_vcpu_thread = kick_thread;
	ops->cpu_thread_is_idle = thread_is_idle;
	ops->handle_interrupt = handle_interrupt;
	vsm_debug_ops_init(ops);
	ops->synchronize_state = synchronize_state;
	ops->synchronize_post_reset = discard_registers;
	ops->synchronize_post_init = discard_registers;
	ops->synchronize_pre_loadvm = do_nothing;
}
