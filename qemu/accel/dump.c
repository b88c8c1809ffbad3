/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for dump-guest-memory, and for what reads memory by GVA (monitor, GDB, Windows dumps), while the
 * machine is stopped: it must have what VTL1 denies VTL0, too. The guard is suspended then, since no device
 * runs, and resumed before any device does.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "hw/core/sysemu-cpu-ops.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "system/runstate.h"

/* QEMU's own operations of x86 CPUs, and those in their place: set once, before there is a CPU. */
static const struct SysemuCPUOps *qemu_ops;
static struct SysemuCPUOps dump_ops;

/* Any thread, with or without the BQL: dumps have a thread of their own. False: reported. */
static bool open_memory(void)
{
	VsmState *vsm = vsm_state();
	Error *error = NULL;

	BQL_LOCK_GUARD();
	/* A migration in progress needs the guard; QEMU refuses dumps then. */
	if (!runstate_is_running() && !qatomic_read(&vsm->saving) && vsm_guard_suspend(vsm, &error))
		error_report_err(error);
	return !error;
}

static int write_elf64_note(WriteCoreDumpFunction f, CPUState *cpu, int cpuid, DumpState *s)
{
	return open_memory() ? qemu_ops->write_elf64_note(f, cpu, cpuid, s) : -1;
}

static int write_elf32_note(WriteCoreDumpFunction f, CPUState *cpu, int cpuid, DumpState *s)
{
	return open_memory() ? qemu_ops->write_elf32_note(f, cpu, cpuid, s) : -1;
}

static hwaddr get_phys_page_attrs_debug(CPUState *cpu, vaddr addr, MemTxAttrs *attrs)
{
	open_memory();
	return qemu_ops->get_phys_page_attrs_debug(cpu, addr, attrs);
}

void vsm_dump_class_init(CPUClass *class)
{
	if (!qemu_ops) {
		qemu_ops = class->sysemu_ops;
		dump_ops = *qemu_ops;
		dump_ops.write_elf64_note = write_elf64_note;
		dump_ops.write_elf32_note = write_elf32_note;
		dump_ops.get_phys_page_attrs_debug = get_phys_page_attrs_debug;
	}
	class->sysemu_ops = &dump_ops;
}

/* Before the handlers of devices. */
static void on_state(void *opaque, bool running, RunState state)
{
	if (!running || !vsm_guard_resume(opaque))
		return;
	/* Requests that wait in devices would have all rights. */
	error_report("vsm: the machine ends here");
	exit(EXIT_FAILURE);
}

void vsm_dump_init(VsmState *vsm)
{
	qemu_add_vm_change_state_handler_prio(on_state, vsm, INT_MIN);
}
