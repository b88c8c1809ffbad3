/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The accelerator "vsm" of QEMU: libvsm runs the VPs and emulates their local APICs, QEMU emulates the I/O
 * APIC, the 8259 and devices. The caller of a function holds the BQL, QEMU's big lock, unless a comment says
 * otherwise. A thread with the BQL must not wait for a running VP, since VPs take the BQL during their exits;
 * so a function that needs a stopped VP is called by run_on_cpu(), or while the CPUs are stopped.
 */
#ifndef VSM_ACCEL_H
#define VSM_ACCEL_H

#include <vsm/cpuid.h>
#include <vsm/hv/hv.h>
#include <vsm/vsm.h>
/* QEMU's headers define these as well, with the same values. */
#undef HV_CONNECTION_ID_MASK
#undef HV_CRASH_CTL_NOTIFY
#undef HV_EVENT_FLAGS_COUNT
#undef HV_HYPERCALL_FAST
#undef HV_MESSAGE_FLAG_PENDING
#undef HV_SYNIC_VERSION
#include "compat.h"

#define TYPE_VSM_ACCEL ACCEL_CLASS_NAME("vsm")
OBJECT_DECLARE_SIMPLE_TYPE(VsmState, VSM_ACCEL)

#define VSM_PAGE 4096u

struct vsm_range {
	uint64_t gpa;
	uint64_t size;
	uint64_t offset; /* in the memory region */
};

struct VsmState {
	AccelState parent;
	struct vsm_partition *partition;
	/* Options of -accel vsm. */
	uint8_t max_vtl;
	uint8_t engine; /* enum vsm_engine */
	bool device_guard;
	/* monitor.c */
	MemoryRegion *all_memory; /* guest memory, readable with all rights; NULL without a guard */
	/* cpuid.c */
	bool missing_reported; /* features that the host lacks were reported */
	/* memory.c */
	MemoryListener listener;
	GArray *changes;    /* struct vsm_memory_change: the changes of this transaction */
	GArray *gone;	    /* memory with recorded writes that was removed in this transaction */
	GHashTable *mapped; /* GPA / 4096 -> MemoryRegion, referenced */
	GHashTable *left;   /* MemoryRegions that left the map since the last reset, referenced */
	bool started;	    /* the machine is complete */
	bool memory_failed; /* reported: the machine does not start, or stops */
	/* ioeventfd.c */
	MemoryListener doorbell_listener;
	MemoryListener doorbell_port_listener;
	GArray *doorbells; /* struct doorbell: eventfds that the partition has */
	/* smm.c */
	bool smm; /* VTL0 has System Management Mode */
	MemoryListener smram_listener;
	AddressSpace smram_space; /* SMRAM only */
	AddressSpace smm_space;	  /* everything that a CPU can address in SMM */
	GArray *smram;		  /* struct smram: the memory in SMRAM; NULL without SMM */
	GArray *smram_gone;	  /* struct vsm_range: removed from SMRAM in this transaction */
	bool smram_changed;	  /* in this transaction */
	/* dirty.c */
	MemoryListener dirty_listener;
	GArray *fixed; /* RAM of the machine at fixed GPAs */
	/* guard.c */
	Notifier init_done;
	bool device_refused; /* reported: the machine does not start, or stops */
	uint64_t refusals;   /* atomic: number of refused accesses by devices */
	/* private.c */
	NotifierWithReturn precopy;
	GArray *blocks;	     /* struct block: RAM blocks, while QEMU saves or loads */
	QemuMutex save_lock; /* protects bitmaps of `blocks`; a leaf lock */
	int save_thread;     /* thread of QEMU's migration, from save_setup() on; 0: none */
	bool saving;	     /* atomic: QEMU's migration reads memory */
	bool scan_wanted;    /* atomic: a scan for denied pages has been scheduled */
	GArray *dumped;	     /* dump.c: unguarded mappings of the last dump */
	GArray *breakpoints; /* debug.c: struct breakpoint, of QEMU's GDB stub */
	/* save.c */
	NotifierWithReturn postcopy;
	bool suspended; /* the guard of memory is suspended while memory is loaded; no CPU runs */
	uint32_t state_size; /* of `state`, bytes */
	uint8_t *state;	     /* of the partition, while QEMU saves or loads */
};

/* Data of a CPU. `read` has the register values that QEMU read, for comparison in state.c. */
struct AccelCPUState {
	struct vsm_vp *vp;
	uint8_t vtl; /* the VTL of the registers in `read` */
	union hv_register_value *read;
	CPUWatchpoint watchpoint; /* the one that was hit, for QEMU's GDB stub */
};

/* Returns the state of the accelerator; only if the accelerator is vsm. Any thread. */
VsmState *vsm_state(void);
static inline struct vsm_partition *vsm_partition(void)
{
	return vsm_state()->partition;
}
static inline struct vsm_vp *vsm_vp(CPUState *cpu)
{
	return cpu->accel->vp;
}

/* accel.c */
void vsm_accel_class_init(ObjectClass *class, VSM_CLASS_DATA);
void vsm_accel_instance_init(Object *object);

#ifdef VSM_QEMU_PACKAGE
/* check.c: ends QEMU if its structures differ from those that the module was built for. */
void vsm_program_check(void);
/* Checks the offsets of CPU properties, which do not exist before main() runs. */
bool vsm_properties_fit(void);
#else
/* Compiled as a part of QEMU. */
static inline void vsm_program_check(void)
{
}
static inline bool vsm_properties_fit(void)
{
	return true;
}
#endif

/* cpu.c */
void vsm_cpu_class_init(ObjectClass *class, VSM_CLASS_DATA);

/* cpuid.c */
void vsm_cpuid_class_init(ObjectClass *class, VSM_CLASS_DATA);
/* Sets the CPUID of the VP. Returns false, and logs the reason, if the CPU is refused. */
bool vsm_cpuid_apply(CPUState *cpu);

/* apic.c */
void vsm_apic_init(void);
void vsm_pic_update(void);
int vsm_pic_acknowledge(void);

/* memory.c */
void vsm_memory_init(VsmState *vsm);
/* After a reset of the partition: frees memory regions that devices could use until then. */
void vsm_memory_reset(VsmState *vsm);
/* Called when RAM has its final GPAs. Returns false after a reported failure to map memory. */
bool vsm_memory_ready(VsmState *vsm);

struct vsm_memory_change vsm_memory_change_of(const VsmState *vsm, MemoryRegion *mr,
					      const struct vsm_range *range);

/* Returns the whole pages of a section in @range. Returns false if there are none. */
bool vsm_whole_pages(const MemoryRegionSection *section, struct vsm_range *range);
/* Returns the pages of a section that may change in the partition's map. */
bool vsm_memory_changing(const VsmState *vsm, const MemoryRegionSection *section,
			 struct vsm_range *range);
/* Intersects a range with @start to @end. Returns false if the result is empty. */
bool vsm_range_clip(const struct vsm_range *range, uint64_t start, uint64_t end,
		    struct vsm_range *part);
/* Notes memory that leaves the map in this transaction: its record of writes cannot be read later. */
void vsm_memory_note_gone(VsmState *vsm, MemoryRegion *mr, const struct vsm_range *range);
/* Drops the reference to memory that has left the map; with the guard it is dropped at the next reset. */
void vsm_memory_release(VsmState *vsm, MemoryRegion *mr);
void vsm_memory_commit(VsmState *vsm);

/* ioeventfd.c */
void vsm_ioeventfd_init(VsmState *vsm);

/* smm.c: returns false after a reported refusal */
bool vsm_smm_init(VsmState *vsm, MachineState *ms);
void vsm_smm_ready(VsmState *vsm);
/* Adds the changes that map the memory of SMRAM. */
void vsm_smram_append(VsmState *vsm, GArray *changes);
/* Adds the changes that replace memory removed from SMRAM in this transaction. */
void vsm_smram_append_gone(VsmState *vsm, GArray *changes);
/* Notes that a section of the map outside of SMM was added or removed. */
void vsm_smram_note(VsmState *vsm, const MemoryRegionSection *section);
/* Whether SMRAM has other memory at some of these GPAs, whose record of writes the partition has. */
bool vsm_smram_overlaps(const VsmState *vsm, const MemoryRegion *mr, const struct vsm_range *range);

/* dirty.c: called when the machine is complete */
void vsm_dirty_init(VsmState *vsm);
/* Adds RAM with a fixed GPA, before the first recording of writes. */
void vsm_dirty_add_fixed(VsmState *vsm, MemoryRegion *mr, const struct vsm_range *range);
/* Adds the changes that map RAM at fixed GPAs within a range of GPAs. */
void vsm_dirty_append_fixed(VsmState *vsm, const struct vsm_range *range, GArray *changes);
/* Passes the record of written pages in a range to QEMU, and clears the record. */
void vsm_dirty_take(VsmState *vsm, MemoryRegion *mr, const struct vsm_range *range);

/* private.c: migration of pages that VTL0 may not read or write */
void vsm_private_init(VsmState *vsm);
bool vsm_private_begin(VsmState *vsm, Error **errp);
void vsm_private_end(VsmState *vsm);
/* Notes that an access was refused while QEMU saves. Any thread, without locks. */
void vsm_private_refused(VsmState *vsm);
/* The next three functions do not need the BQL. */
uint64_t vsm_private_pending(VsmState *vsm);		     /* bytes */
bool vsm_private_send(VsmState *vsm, QEMUFile *f, bool all); /* true: all are sent */
int vsm_private_receive(VsmState *vsm, QEMUFile *f);
/* Copies received pages to guest memory. The guard must be active. */
void vsm_private_apply(VsmState *vsm);

/* reset.c */
void vsm_reset_init(VsmState *vsm);

/* guard.c */
bool vsm_guard_init(VsmState *vsm);
/* Whether the mappings that devices use have only the rights of VTL0. */
bool vsm_is_guarded(const VsmState *vsm);
/* Logs a refused access of a device; the callback config.refused. */
void vsm_guard_refused(void *opaque, uint64_t gpa, bool write);

/* block.c */
bool vsm_block_init(void);

/* state.c: registers of the active VTL; on the CPU's own thread or while the CPU is stopped */
void vsm_registers_get(CPUState *cpu);
void vsm_registers_put(CPUState *cpu);
uint8_t vsm_active_vtl(CPUState *cpu);

/* save.c: called after all devices have been created */
void vsm_save_init(VsmState *vsm);

/* dump.c */
void vsm_dump_class_init(CPUClass *class);
void vsm_dump_init(VsmState *vsm);

/* debug.c */
void vsm_debug_init(VsmState *vsm);
void vsm_debug_class_init(CPUClass *class);
void vsm_debug_ops_init(AccelOpsClass *ops);
int vsm_debug_step_flags(VSM_STEP_FLAGS_ARGS);
bool vsm_debug_has_int3(const VsmState *vsm);
/* Whether GDB stops the machine at VSM_EXIT_DEBUG. Thread of the CPU, without the BQL. */
bool vsm_debug_stops(CPUState *cpu, const struct vsm_exit *exit);

/* monitor.c */
void vsm_monitor_init(VsmState *vsm);
/* Returns false with an error. */
bool vsm_monitor_cpu_init(VsmState *vsm, CPUState *cpu, Error **errp);

/* info.c */
void vsm_info_init(void);

#endif
