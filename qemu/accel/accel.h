/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's accelerator "vsm": what its files share.
 *
 * libvsm runs the VPs and has their local APICs; QEMU has memory, I/O APIC, 8259 and devices.
 * BQL: QEMU's big lock. A function without a comment on locks is called with it. Since VPs wait for
 * it during their exits, its holder must not wait for a VP that runs: what does is called by
 * run_on_cpu(), or while the CPUs are stopped.
 */
#ifndef VSM_ACCEL_H
#define VSM_ACCEL_H

#include <vsm/cpuid.h>
#include <vsm/hv/hv.h>
#include <vsm/vsm.h>
/* QEMU's headers define these, too, with the same values. */
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

/* Whole pages of guest memory. */
struct vsm_range {
	uint64_t gpa;
	uint64_t size;
	uint64_t offset; /* in the memory region */
};

/* The accelerator, and the one partition of this process. */
struct VsmState {
	AccelState parent;
	struct vsm_partition *partition; /* from init_machine() on */
	/* Options of -accel vsm. */
	uint8_t max_vtl;
	uint8_t engine; /* enum vsm_engine */
	bool device_guard;
	/* memory.c */
	MemoryListener listener;
	GArray *changes;    /* of this transaction: struct vsm_memory_change */
	GArray *gone;	    /* of this transaction: memory that leaves, whose writes are recorded */
	GHashTable *mapped; /* GPA / 4096 -> MemoryRegion, referenced */
	GHashTable *left;   /* MemoryRegions that left the map since the last reset, referenced */
	bool started;	    /* the machine is complete */
	bool memory_failed; /* reported; the machine does not start, or stops */
	/* dirty.c */
	MemoryListener dirty_listener;
	GArray *fixed; /* RAM of the machine, which stays at its GPA */
	/* guard.c */
	Notifier init_done;
	bool device_refused; /* reported, as memory_failed */
	uint64_t refusals;   /* atomic: accesses of devices that were refused */
	/* private.c */
	NotifierWithReturn precopy;
	GArray *blocks;	     /* of RAM, while QEMU saves or loads */
	QemuMutex save_lock; /* bitmaps of `blocks`; nothing else is called with it */
	int save_thread;     /* of QEMU's migration, once it sends; 0: none */
	bool saving;	     /* atomic: QEMU's migration reads memory */
	bool look_wanted;    /* atomic: a look at what is denied is due */
	/* save.c */
	NotifierWithReturn postcopy;
	bool suspended; /* the guard of memory, while memory is loaded or dumped: no CPU runs */
	uint32_t state_size; /* of `state`, bytes */
	uint8_t *state;	     /* of the partition, while QEMU saves or loads */
};

/* A CPU's part: registers.c compares with what was read. */
struct AccelCPUState {
	struct vsm_vp *vp;
	uint8_t vtl; /* whose registers QEMU has */
	union hv_register_value *read;
};

/* Of the running accelerator, which is vsm. Any thread. */
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
/* check.c: ends a program that has other structures than those that the module was built for. */
void vsm_program_check(void);
/* The same by the offsets of CPU properties, which are there when main() has begun. */
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
/* Gives the VP the CPUID of its CPU. False: refused, which is logged. */
bool vsm_cpuid_apply(CPUState *cpu);

/* apic.c */
void vsm_apic_init(void);
void vsm_pic_update(void);
int vsm_pic_acknowledge(void);

/* memory.c */
void vsm_memory_init(VsmState *vsm);
/* Releases what was kept for devices that may still use it: after a reset of the partition. */
void vsm_memory_reset(VsmState *vsm);
/* The machine is complete: its RAM does not move any more. False: some memory could not be given to the partition, which is reported. */
bool vsm_memory_ready(VsmState *vsm);

/* The change that has memory there, recorded if QEMU wants that. */
struct vsm_memory_change vsm_memory_change_of(const VsmState *vsm, MemoryRegion *mr,
					      const struct vsm_range *range);

/* dirty.c: when the machine is complete */
void vsm_dirty_init(VsmState *vsm);
/* RAM that stays at its GPA, before anything is recorded. */
void vsm_dirty_add_fixed(VsmState *vsm, MemoryRegion *mr, const struct vsm_range *range);
/* QEMU gets the record of a part of the map. */
void vsm_dirty_take(VsmState *vsm, MemoryRegion *mr, const struct vsm_range *range);

/* private.c: pages of RAM that VTL0 may not read or write, in QEMU's stream */
void vsm_private_init(VsmState *vsm);
bool vsm_private_begin(VsmState *vsm, Error **errp);
void vsm_private_end(VsmState *vsm);
/* Any thread, with no lock: an access was refused while QEMU saves. */
void vsm_private_refused(VsmState *vsm);
/* Without the BQL. */
uint64_t vsm_private_pending(VsmState *vsm);		     /* bytes */
bool vsm_private_send(VsmState *vsm, QEMUFile *f, bool all); /* true: all are sent */
int vsm_private_receive(VsmState *vsm, QEMUFile *f);
/* Received pages become the guest's. The guard is in force. */
void vsm_private_apply(VsmState *vsm);

/* reset.c */
void vsm_reset_init(VsmState *vsm);

/* guard.c */
bool vsm_guard_init(VsmState *vsm);
/* Whether the mappings that devices use have the rights of VTL0. */
bool vsm_is_guarded(const VsmState *vsm);
/* An access by a device was refused: config.refused. */
void vsm_guard_refused(void *opaque, uint64_t gpa, bool write);

/* block.c */
bool vsm_block_init(void);

/* state.c: the registers of the active VTL, on the CPU's own thread or while it is stopped */
void vsm_registers_get(CPUState *cpu);
void vsm_registers_put(CPUState *cpu);

/* save.c: when all devices are there */
void vsm_save_init(VsmState *vsm);
/* The guard of memory, while nothing runs; suspending it twice is no error. 0 or -errno. */
int vsm_guard_suspend(VsmState *vsm, Error **errp);
int vsm_guard_resume(VsmState *vsm); /* reports errors itself */

/* dump.c */
void vsm_dump_class_init(CPUClass *class);
void vsm_dump_init(VsmState *vsm);

/* info.c */
void vsm_info_init(void);

#endif
