/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets dump-guest-memory and readers by GVA (monitor, GDB, Windows dumps) read memory that VTL1 denies to
 * VTL0, while the machine is stopped. The guard is suspended, which is safe while no device runs, and
 * resumed before a device runs.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "hw/core/sysemu-cpu-ops.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "system/runstate.h"

/* QEMU's operations of x86 CPUs, and their replacement: set once, before the first CPU exists. */
static const struct SysemuCPUOps *qemu_ops;
static struct SysemuCPUOps dump_ops;

/* Any thread, with or without the BQL, since dumps can run in a separate thread. Returns false after a
 * reported error. */
static bool open_memory(void)
{
	VsmState *vsm = vsm_state();
	Error *error = NULL;

	BQL_LOCK_GUARD();
	/* Migration needs the guard; QEMU refuses dumps during migration. */
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

/* Called before the handlers of devices. */
static void on_state(void *opaque, bool running, RunState state)
{
	if (!running || !vsm_guard_resume(opaque))
		return;
	/* Without the guard, pending requests of devices would have all rights. */
	error_report("vsm: the machine ends here");
	exit(EXIT_FAILURE);
}

void vsm_dump_init(VsmState *vsm)
{
	qemu_add_vm_change_state_handler_prio(on_state, vsm, INT_MIN);
}
