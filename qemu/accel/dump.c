/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for dump-guest-memory: it contains what VTL1 denies VTL0, too. QEMU reads guest memory by the
 * mapping that devices use, which stays guarded: devices can have requests in progress while the machine is
 * stopped. The dump gets an unguarded mapping of each of its blocks instead.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include <sys/mman.h>
#include "hw/core/sysemu-cpu-ops.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "system/dump.h"
#include "system/runstate.h"

/* QEMU's operations of x86 CPUs, and their replacement: set once, before a CPU exists. */
static const struct SysemuCPUOps *qemu_ops;
static struct SysemuCPUOps dump_ops;

struct mapping {
	void *at;
	size_t size;
};

static void unmap_all(VsmState *vsm)
{
	for (unsigned i = 0; i < vsm->dumped->len; i++) {
		const struct mapping *mapping = &g_array_index(vsm->dumped, struct mapping, i);

		munmap(mapping->at, mapping->size);
	}
	g_array_set_size(vsm->dumped, 0);
}

/* Whether QEMU's pointer to the block is one into the guarded mapping of a file. */
static bool is_guarded(const GuestPhysBlock *block)
{
	const RAMBlock *ram = block->mr->ram_block;

	return ram && ram->fd >= 0 && block->host_addr >= ram->host &&
	       block->host_addr < ram->host + ram->used_length;
}

static bool map(VsmState *vsm, GuestPhysBlock *block)
{
	const RAMBlock *ram = block->mr->ram_block;
	const uint64_t offset = ram->fd_offset + (block->host_addr - ram->host);
	const uint64_t lead = offset % VSM_PAGE;
	struct mapping mapping = {.size = lead + block->target_end - block->target_start};

	/* It gets access only after MADV_DONTFORK, so that no child process inherits a readable mapping. */
	mapping.at = mmap(NULL, mapping.size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, ram->fd,
			  offset - lead);
	if (mapping.at == MAP_FAILED)
		return false;
	g_array_append_val(vsm->dumped, mapping);
	block->host_addr = (uint8_t *)mapping.at + lead;
	return !madvise(mapping.at, mapping.size, MADV_DONTFORK) &&
	       !mprotect(mapping.at, mapping.size, PROT_READ);
}

/* Called for each CPU before memory is written, in the thread of the dump or with the BQL. The mappings stay
 * until the next dump or until the machine runs, which QEMU permits only after the dump. */
static bool prepare(DumpState *dump)
{
	VsmState *vsm = vsm_state();
	GuestPhysBlock *block;
	bool first = true;

	BQL_LOCK_GUARD();
	QTAILQ_FOREACH(block, &dump->guest_phys_blocks.head, next)
	{
		if (!vsm_is_guarded(vsm) || !is_guarded(block))
			continue;
		if (first)
			unmap_all(vsm);
		first = false;
		if (!map(vsm, block)) {
			error_report("vsm: memory cannot be mapped for the dump: %s",
				     strerror(errno));
			return false;
		}
	}
	return true;
}

static int write_elf64_note(WriteCoreDumpFunction f, CPUState *cpu, int cpuid, DumpState *s)
{
	return prepare(s) ? qemu_ops->write_elf64_note(f, cpu, cpuid, s) : -1;
}

static int write_elf32_note(WriteCoreDumpFunction f, CPUState *cpu, int cpuid, DumpState *s)
{
	return prepare(s) ? qemu_ops->write_elf32_note(f, cpu, cpuid, s) : -1;
}

void vsm_dump_class_init(CPUClass *class)
{
	if (!qemu_ops) {
		qemu_ops = class->sysemu_ops;
		dump_ops = *qemu_ops;
		dump_ops.write_elf64_note = write_elf64_note;
		dump_ops.write_elf32_note = write_elf32_note;
	}
	class->sysemu_ops = &dump_ops;
}

static void on_state(void *opaque, bool running, RunState state)
{
	if (running)
		unmap_all(opaque);
}

void vsm_dump_init(VsmState *vsm)
{
	vsm->dumped = g_array_new(false, false, sizeof(struct mapping));
	qemu_add_vm_change_state_handler(on_state, vsm);
}
