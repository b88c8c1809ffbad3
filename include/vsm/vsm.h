/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libvsm: Hyper-V Virtual Secure Mode for any KVM virtual machine monitor.
 *
 * A VMM creates a partition, adds memory, sets the initial registers of its boot processor, and
 * calls vsm_vp_run() from one thread per virtual processor (VP) in place of KVM_RUN. It handles the
 * exits that concern a VMM: port I/O, MMIO, shutdown, reset. The library implements virtual trust
 * levels (VTLs), hypercalls, synthetic MSRs, local APICs, SynIC and timers.
 *
 * Threads: functions that take a partition may be called from any thread, also while VPs run,
 * unless their comment says otherwise. vsm_vp_run() is called by one thread at a time for each VP.
 *
 * Errors are returned as -errno. Each is logged at most once, where it arises. Expected results are
 * not logged: -EAGAIN, -ETIMEDOUT, the end of a list, effects of guest actions.
 */
#ifndef VSM_VSM_H
#define VSM_VSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vsm/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. Versions with the same major number only extend the ABI. */
#define VSM_VERSION_MAJOR 0
#define VSM_VERSION_MINOR 1
#define VSM_VERSION_PATCH 0

/* Returns: the version of the library in use, "major.minor.patch". Callable at any time. */
const char *vsm_version(void);

struct vsm_partition;
struct vsm_vp;
struct vsm_dma_map;

/* A VMM may have its own Hyper-V definitions instead of <vsm/hv/hv.h>. */
struct hv_message;
union hv_register_value;

/* ------------------------------------------------------------------ partition */

#define VSM_VTL_MAX 16u	  /* VTLs 0 to 15 */
#define VSM_VP_MAX  2048u /* VPs in a partition, if the host allows as many */

/* `vsm probe` lists the engines available on a host. */
enum vsm_engine {
	VSM_ENGINE_AUTO = 0, /* ATTR if the host has it, else UFFD */
	VSM_ENGINE_UFFD = 1, /* userfaultfd on a stock kernel: read and write */
	/* The optional kernel part (kernel/): read, write, execute, writes of registers. */
	VSM_ENGINE_ATTR = 2,
	/*
	 * KVM's nested virtualization on a stock kernel of an AMD host: read, write, execute,
	 * writes of registers. No RAM, overlay or device may be in the 2 GiB that end at the middle
	 * of the guest's physical address space.
	 */
	VSM_ENGINE_NESTED = 3,
};

struct vsm_config {
	size_t size; /* sizeof(struct vsm_config): lets the structure grow */

	struct vsm_log log;
	uint32_t vp_count; /* 1 to VSM_VP_MAX; VP indexes are 0 to vp_count - 1 */
	uint8_t max_vtl;   /* highest VTL offered; 0: no VSM. Default 2 by vsm_config_init() */
	uint8_t boot_vtl;  /* VTL in which the boot VP starts; above 0 it is enabled on all VPs */
	uint8_t engine;	   /* enum vsm_engine */
	/*
	 * VTL0 has System Management Mode (vsm_vp_smi(), VSM_MEMORY_SMM); only with engine UFFD.
	 * VTL0 can then stop all VPs so that a reset fails (docs/threat-model.md). Default false by
	 * vsm_config_init().
	 */
	bool smm;
	/*
	 * The APIC id of each VP, [vp_count], unique; NULL: the VP index. Read only by
	 * vsm_partition_create().
	 */
	const uint32_t *apic_id;

	/*
	 * Offered to guests as in CPUID leaf 0x40000003, without those that are not implemented or
	 * not possible on this host; if VSM needs one of these, VSM is turned off. Each removal is
	 * logged, except of AccessVsm if max_vtl is 0 and of AccessTscInvariantControls if the host
	 * has no invariant TSC.
	 */
	uint64_t privileges;	  /* EBX:EAX; HV_PARTITION_PRIVILEGE bits */
	uint32_t features;	  /* EDX */
	uint32_t recommendations; /* leaf 0x40000004 EAX */

	uint32_t spin_retries; /* leaf 0x40000004 EBX; 0xffffffff: never notify */

	/*
	 * Frequency of the guest's TSC, or 0: the host's. The TSC is not scaled: creation fails
	 * with -ENOTSUP if it differs from the host's by more than 250 parts per million.
	 */
	uint32_t tsc_khz;
	uint32_t reserved1; /* 0 */
	/*
	 * Called when a device accessed the VMM's own mapping of guest memory
	 * (vsm_memory_change.host) without the right of VTL0. Runs on a thread of the library and
	 * must not call the library. NULL: no call.
	 */
	void (*refused)(void *opaque, uint64_t gpa, bool write);
	void *refused_opaque;
};

/* Sets @config to the defaults: 1 VP, VTLs 0 to 2, all implemented features, no log. */
void vsm_config_init(struct vsm_config *config);

/*
 * Creates a partition on KVM, with every VP in reset state.
 *
 * Returns: 0; -EINVAL: a field is illegal; -ENOTSUP: the host cannot run such a partition, or lacks
 * the engine; -ENODEV, -EACCES: no access to /dev/kvm; -EPERM: userfaultfd is not permitted;
 * -EBUSY: the program handles SIGRTMIN+5, a signal of the library, or another hypervisor uses the
 * CPU; -ENOMEM, -EMFILE and other errors of the host. On failure *@partition is unchanged.
 */
int vsm_partition_create(const struct vsm_config *config, struct vsm_partition **partition);

/*
 * Destroys @partition, its VPs and its mappings of RAM. No thread may be in a call on it. NULL is
 * allowed.
 */
void vsm_partition_destroy(struct vsm_partition *partition);

/*
 * Returns the partition to its state after creation (TLFS "Virtual Secure Mode"): all VTLs except
 * VTL0 (and the boot VTL) are disabled and their protections removed, registers are reset. Writable
 * RAM reads as zero afterwards if an enabled VTL above 0 had ZeroMemoryOnReset set, or if the last
 * vsm_partition_restore() failed. The memory map, CPUID, connections and eventfds are kept. Messages and event flags that other threads post
 * meanwhile are refused, or dropped with those that the guest has not taken.
 *
 * Returns: 0; -EBUSY: a VP is inside vsm_vp_run(); -EIO: a change of memory or rights could not be
 * undone (vsm_memory_update()); other errors of the host, after which no VP can run until a reset
 * succeeds.
 */
int vsm_partition_reset(struct vsm_partition *partition);

/*
 * Stops the time of the partition, for a pause of the VMM: TSCs of all VTLs, reference time, APIC
 * and synthetic timers. While time is stopped no VP runs guest code: vsm_vp_run() only completes
 * the exit that the VMM has answered and returns, with VSM_EXIT_INTERRUPTED unless another exit is
 * due. Save, restore and reset are possible; a restored partition continues from the saved time.
 * From one thread at a time.
 *
 * Returns: 0; -EBUSY: a VP is inside vsm_vp_run(); -EALREADY: time is stopped; -ENOTSUP: the
 * backend cannot set its TSC.
 */
int vsm_time_stop(struct vsm_partition *partition);
/*
 * Resumes time from where it was stopped: the guest can notice the pause only by clocks of devices.
 * From one thread at a time.
 *
 * Returns: 0; -EBUSY: a VP is inside vsm_vp_run(); -EALREADY: time is not stopped; errors of the
 * host, after which no VP can run until vsm_partition_reset().
 */
int vsm_time_start(struct vsm_partition *partition);

/* Returns: the VP with this index, or NULL. It is valid as long as the partition. */
struct vsm_vp *vsm_partition_vp(struct vsm_partition *partition, uint32_t index);

/* ------------------------------------------------------------------ memory */

/*
 * Adds RAM to the partition: @size bytes at @gpa, multiples of 4096. Large pages need multiples of
 * 2 MiB, and @offset and @gpa equal modulo 2 MiB. Any thread, also while VPs run.
 *
 * @fd: a memfd with the contents from @offset, a multiple of 4096, open for reading and writing; it
 * may be closed afterwards. Engines attr and nested accept any file that can be mapped shared,
 * engine uffd only a memfd with small pages. -1: a memfd is created.
 *
 * @host: set on success to the VMM's mapping of the RAM; may be NULL. No protection applies to that
 * mapping: use it to load the guest before it runs, and vsm_dma_read() and vsm_dma_write() for
 * emulated devices.
 *
 * Returns: 0; -EINVAL: alignment, size 0, beyond the guest's physical addresses, over the local
 * APICs' page (0xfee00000), the file is too short, or the engine cannot protect it; -EBADF: no such
 * descriptor; -EACCES, -ENODEV: the file cannot be mapped shared for writing; -EEXIST: overlaps
 * RAM; -ENOSPC, -EIO: as vsm_memory_update(); -ENOMEM and other errors of the host.
 */
int vsm_memory_add(struct vsm_partition *partition, uint64_t gpa, uint64_t size, int fd,
		   uint64_t offset, void **host);

/* A write by the guest is a VSM_EXIT_MMIO; a reset keeps the contents. */
#define VSM_MEMORY_READONLY 1u
#define VSM_MEMORY_LOG	    2u /* writes are recorded for vsm_memory_dirty() */
/*
 * SMRAM: VTL0 has it only in System Management Mode, with the rights of its GPA; otherwise an
 * access of VTL0 is a VSM_EXIT_MMIO. Devices with the rights of VTL0 never have it. Higher VTLs
 * always have it: before a higher VTL accesses a GPA on behalf of VTL0, it must call
 * HvCallCheckSparseGpaPageVtlAccess. No overlay page of VTL0 covers it. The VMM's own mapping
 * (vsm_memory_change.host) is not affected.
 */
#define VSM_MEMORY_SMM 4u

/* Replaces the memory at [gpa, gpa + size) by a part of a file. */
struct vsm_memory_change {
	uint64_t gpa;  /* a multiple of 4096, as the next two */
	uint64_t size; /* bytes, not 0 */
	uint64_t offset;
	/*
	 * The VMM's own shared mapping of that part of the file, or NULL. It is guarded: accesses
	 * by emulated devices and by the kernel have the rights of VTL0. A denied page reads as
	 * zeroes, or as a copy if VTL0 may read it, and writes to it are lost; config.refused is
	 * called. The mapping must exist as long as the entry is in the map. A page that is
	 * restricted when it leaves the map stays guarded with the rights of its GPAs, since
	 * devices may still use it: the mapping must exist until vsm_partition_reset() or
	 * vsm_partition_destroy(). The guard does not apply to child processes: a child that is
	 * forked later does not have the mapping (MADV_DONTFORK).
	 */
	void *host;
	int32_t fd; /* as in vsm_memory_add(), open for reading and writing; -1: no memory */
	uint32_t flags;
	uint64_t reserved[2]; /* 0 */
};

/*
 * Changes the map of guest memory, in the order of @changes. Any thread, also while VPs run: guests
 * see either none or all of the changes of one call. Memory may be split, replaced and removed in
 * parts. If only VSM_MEMORY_SMM changes, protections stay in force, in and outside of System
 * Management Mode.
 *
 * Protections, also default ones, and overlays belong to the GPA, not to the memory there, and stay
 * when memory is removed. If a page of a file is mapped at several GPAs, a VTL has at each of them
 * only the rights that it has at all of them. A change does not affect a GPA that keeps the same
 * page of the same file, @host and flags. @fd may be closed afterwards.
 *
 * Returns: 0; -EINVAL: alignment, size 0, beyond the guest's physical addresses, unknown flags,
 * VSM_MEMORY_SMM without config.smm, a reserved field is not 0, memory over the local APICs' page,
 * the file is too short, or the engine cannot protect it; -EBADF, -EACCES, -ENODEV: @fd is no file
 * that can be mapped shared for writing; -ENOSPC: no more memory slots (the log has their number)
 * or page tables, or restricted memory has left over 1,024 places of the map since the last reset;
 * -ENOTSUP: this host cannot guard a mapping; -EPERM: userfaultfd is not permitted; -EIO: an
 * earlier change could not be undone; -ENOMEM and other errors of the host. After an error nothing
 * has changed. If the host fails to undo a change, every VP reports VSM_EXIT_ERROR from then on,
 * also after a reset: destroy the partition.
 */
int vsm_memory_update(struct vsm_partition *partition, const struct vsm_memory_change *changes,
		      size_t count);

/*
 * Takes the record of the written pages of [gpa, gpa + size), multiples of 4096: sets the bits in
 * @bitmap of pages that were written since the last call, bit 0 of word 0 for the page at @gpa;
 * other bits keep their values. Any thread, also while VPs run: later writes are in the next
 * record.
 *
 * At GPAs with VSM_MEMORY_LOG these are recorded: writes by every VTL, by the library for a VTL, by
 * vsm_dma_write(), by vsm_memory_poke() and by a reset; and pages of a writable vsm_dma_map(), when
 * the mapping ends. Writes through the VMM's own mappings and to overlays are not recorded. A page
 * may be in the record without a write. A page at several GPAs is in the record of the GPA that is
 * read first. A change of the memory map keeps the records of memory that stays in the map.
 *
 * The cost of a call depends on the sizes of the regions of the map that the range overlaps.
 *
 * Returns: 0; -EINVAL: alignment, size 0, or beyond the guest's physical addresses; -EIO: a change
 * could not be undone (vsm_memory_update()); -ENOMEM and other errors of the host: no record is
 * lost, and a later call reports it.
 */
int vsm_memory_dirty(struct vsm_partition *partition, uint64_t gpa, uint64_t size,
		     uint64_t *bitmap);

/*
 * Device access to guest memory, @size bytes at @gpa, with the rights of VTL0, as DMA of a device.
 *
 * A transfer of 2, 4 or 8 bytes at a multiple of its size is one access: guests and other threads
 * see all of it or nothing. Longer transfers are not atomic and have no order within. Calls of one
 * thread take effect in their order, as needed for ring indexes: data written before an index is
 * visible with it, and data read after an index is at least as new.
 *
 * Returns: 0; -EFAULT: a byte is not RAM, or a write to readonly memory; -EACCES: denied to VTL0 by
 * a higher VTL, or by an overlay page that it cannot write. Pages before the failing one were
 * transferred; that page and later ones were not.
 */
int vsm_dma_read(struct vsm_partition *partition, uint64_t gpa, void *data, size_t size);
int vsm_dma_write(struct vsm_partition *partition, uint64_t gpa, const void *data, size_t size);

#define VSM_DMA_MAP_MAX (16u << 20) /* bytes of one mapping */

/*
 * Called when a mapping was revoked: its device reads zeroes from now on, and its writes are lost.
 * Runs on the thread that makes the change, with locks of the library held: it must neither wait
 * nor call the library. At most once for a mapping.
 */
typedef void vsm_dma_revoked_fn(void *opaque);

struct vsm_dma_request {
	uint64_t gpa;
	uint64_t size; /* bytes, 1 to VSM_DMA_MAP_MAX */
	uint8_t vtl;   /* the VTL whose rights apply: 0 for a device of the guest */
	bool write;    /* true: for reading and writing; false: a write raises SIGSEGV */
	vsm_dma_revoked_fn *revoked; /* may be NULL */
	void *opaque;
	uint64_t reserved[2]; /* 0 */
};

/*
 * Maps guest memory for a device of the VMM, with the rights of a VTL, until vsm_dma_unmap(). Any
 * thread, also while VPs run.
 *
 * When a protection, an overlay or a change of the memory map removes one of these rights, and at a
 * reset or restore, the whole mapping is revoked before the change is complete: *@host then refers
 * to zeroed memory that the guest does not have. The change does not wait for devices, and accesses
 * by the VMM's threads do not fail. Guests can change mapped memory at any time: copy data before
 * checking it.
 *
 * Use it with loads, stores and system calls that copy (read(), sendmsg() ...), not where the
 * kernel pins pages, since it can access pinned pages after a revocation: O_DIRECT, MSG_ZEROCOPY,
 * vmsplice(), io_uring's registered buffers, VFIO, vhost. A child of fork() does not have the
 * mapping.
 *
 * A partition has at most 1,024 mappings, 256 MiB together, that vsm_dma_unmap() has not ended.
 *
 * @host: set to the byte at @request->gpa. @map: for vsm_dma_unmap(), before the partition is
 * destroyed.
 *
 * Returns: 0; -EFAULT: a byte is not RAM, or is readonly and the request is to write; -EACCES: a
 * higher VTL denies the access; -EBUSY: an overlay page is in the range: use vsm_dma_read() and
 * vsm_dma_write(); -ENOSPC: too many mappings; -EINVAL: size, VTL, a range that wraps around, or a
 * reserved field is not 0; -ENOMEM and other errors of the host.
 */
int vsm_dma_map(struct vsm_partition *partition, const struct vsm_dma_request *request,
		struct vsm_dma_map **map, void **host);
/*
 * Ends a mapping, which must not be in use. Any thread, except in the callback of a mapping.
 *
 * Returns: 0; -ESTALE: it was revoked: the device's data may be incomplete.
 */
int vsm_dma_unmap(struct vsm_dma_map *map);

/*
 * Access to guest memory with all rights, @size bytes at @gpa: for migration and dumps by the VMM,
 * never for a guest's device. Accesses the memory below overlays, and writes readonly memory. Any
 * thread, also while VPs run.
 *
 * Returns: 0; -EFAULT: a byte is not memory; pages before it were transferred.
 */
int vsm_memory_peek(struct vsm_partition *partition, uint64_t gpa, void *data, size_t size);
int vsm_memory_poke(struct vsm_partition *partition, uint64_t gpa, const void *data, size_t size);

/*
 * Suspends (@on false) or resumes the guard of the VMM's own mappings (vsm_memory_change.host), so
 * that the VMM can save or load guest memory through them. The VMM must not let devices use the
 * mappings while the guard is suspended. From one thread at a time.
 *
 * Returns: 0; -EBUSY: a VP is inside vsm_vp_run(); -EALREADY: the guard is already in that state;
 * -ENOTSUP: this host cannot guard a mapping; -ENOMEM and other errors of the host. After an error
 * the guard is in its previous state.
 */
int vsm_memory_guard(struct vsm_partition *partition, bool on);

/*
 * Sets the bits in @bitmap of pages of the VMM's own mapping [host, host + size), multiples of
 * 4096, where a guard denies reading or writing, bit 0 of word 0 for the page at @host; other bits
 * keep their values. A VMM that copies guest memory by the mapping must copy these pages with
 * vsm_memory_peek() or by a mapping without a guard. Any thread, also while VPs run: a page that
 * becomes fully accessible later is in the record of vsm_memory_dirty(), if it has VSM_MEMORY_LOG.
 *
 * Returns: 0; -EINVAL: alignment, or @size is 0; -ENOTSUP: this host cannot guard a mapping.
 */
int vsm_memory_guarded(struct vsm_partition *partition, const void *host, uint64_t size,
		       uint64_t *bitmap);

/* ------------------------------------------------------------------ running a VP */

/* Reasons of an exit. vsm_vp_run() may be called again after each. */
enum vsm_exit_reason {
	VSM_EXIT_INTERRUPTED, /* vsm_vp_kick(), or time is stopped; never only a signal */
	VSM_EXIT_IO,	      /* IN or OUT: fill or consume io.data, then run again */
	VSM_EXIT_MMIO,	      /* access to a GPA without memory: as IO, with mmio.data */
	VSM_EXIT_EOI,	      /* EOI of a level-triggered interrupt, for the I/O APIC */
	VSM_EXIT_SHUTDOWN,    /* triple fault, or inconsistent registers: reset the partition */
	VSM_EXIT_RESET,	      /* reset MSR; every VP has this exit until the partition is reset */
	VSM_EXIT_INTA,	      /* VTL0 accepts an interrupt of the 8259: fill inta, then run again */
	VSM_EXIT_CRASH,	      /* the guest wrote its crash MSRs, and continues */
	VSM_EXIT_ERROR,	      /* the VP cannot run any more: see the log; the next run is -EIO */
	VSM_EXIT_DEBUG,	      /* a stop set by vsm_vp_debug() of <vsm/debug.h> */
};

struct vsm_exit {
	enum vsm_exit_reason reason;
	uint8_t vtl; /* the active VTL */
	bool smm;    /* the active VTL is VTL0, in System Management Mode */
	union {
		struct {
			uint8_t *data; /* size * count bytes */
			uint32_t count;
			uint16_t port;
			uint8_t size; /* 1, 2 or 4 */
			bool write;
		} io;
		struct {
			uint64_t gpa;
			uint8_t *data;
			uint8_t size; /* 1 to 8 */
			bool write;
		} mmio;
		struct {
			uint8_t vector;
		} eoi;
		struct {
			/* initially -1: none; set to the 8259's vector, 0 to 255 */
			int16_t *vector;
		} inta;
		struct {
			uint64_t parameter[5]; /* HV_X64_MSR_CRASH_P0 to P4 */
			uint64_t control;      /* HV_X64_MSR_CRASH_CTL */
			const char *message;   /* the guest's text: untrusted, not terminated */
			uint32_t message_size; /* bytes, at most a page; 0: no text */
		} crash;
		struct {
			uint32_t cause; /* enum vsm_debug_flags, one or more */
			uint32_t reserved;
			uint64_t dr6;  /* HARDWARE: bits 0 to 3, the breakpoints that were hit */
			bool *deliver; /* SOFTWARE: set to true: the guest gets the #BP */
		} debug;
	};
};

/*
 * Runs the VP until an exit for the VMM. Before the next call, the VMM stores the result of an IO
 * or MMIO read where io.data or mmio.data points to. @exit is valid until the next call.
 *
 * Returns: 0; -EBUSY: another thread runs the VP; -EIO: the VP had VSM_EXIT_ERROR.
 */
int vsm_vp_run(struct vsm_vp *vp, const struct vsm_exit **exit);

/* Makes the current or next vsm_vp_run() return VSM_EXIT_INTERRUPTED soon. Any thread. */
void vsm_vp_kick(struct vsm_vp *vp);

/* Since the VP's creation; a reset does not clear them. */
struct vsm_counters {
	uint64_t exits;	       /* from the guest to the library */
	uint64_t vtl_switches; /* VTL calls, returns, and entries by interrupts and intercepts */
	uint64_t intercepts;   /* intercept messages to higher VTLs */
};

/* Reads the counters. Each is exact, but while the VP runs they are not read at the same moment. */
void vsm_vp_counters(const struct vsm_vp *vp, struct vsm_counters *counters);

/*
 * Reads or writes registers by their HvRegister names: any register of HvCallGetVpRegisters, of any
 * VTL. Processes them in order and stops at the first failure, whose register is logged.
 *
 * All 16 bytes of a value are used: initialize it with {0} or .reg128, since a compiler may leave
 * the bytes beyond .reg64 undefined.
 *
 * If the VP runs, its own thread executes the access. Between an IO, MMIO or INTA exit and the next
 * vsm_vp_run() other threads wait for the end of the instruction.
 *
 * Returns: the number of registers done, @count on success; -EINVAL: the VTL is not offered. If the
 * host has failed to read a VP's registers, no read is done until vsm_partition_reset().
 */
int vsm_vp_get_registers(struct vsm_vp *vp, uint8_t vtl, const uint32_t *name,
			 union hv_register_value *value, size_t count);
int vsm_vp_set_registers(struct vsm_vp *vp, uint8_t vtl, const uint32_t *name,
			 const union hv_register_value *value, size_t count);

/* ------------------------------------------------------------------ inspection */

typedef void vsm_vp_fn(struct vsm_vp *vp, void *opaque);

/*
 * Calls @function while the VP is stopped: on the VP's thread if it is inside vsm_vp_run(), else on
 * the caller's. Library calls on this VP in @function do not wait, and all see the same state.
 * @function must be short, since the guest does not run, and must not make a call on another VP.
 *
 * Returns: 0; -ETIMEDOUT: the VP's thread was busy with an exit for @milliseconds, and @function is
 * not called.
 */
int vsm_vp_call(struct vsm_vp *vp, uint32_t milliseconds, vsm_vp_fn *function, void *opaque);

struct vsm_lapic_state;

/*
 * Saves the local APIC of a VTL (<vsm/lapic.h>). Waits as vsm_vp_get_registers(). Returns: 0;
 * -EINVAL: no such VTL.
 */
int vsm_vp_lapic(struct vsm_vp *vp, uint8_t vtl, struct vsm_lapic_state *state);

struct vsm_walk_result;

/*
 * Translates @gva by the page tables of a VTL, without checks of access rights and protections, and
 * without setting accessed and dirty bits. Page tables are read from memory below overlays. Waits
 * as vsm_vp_get_registers(). (SDM 3A 4, "Paging".)
 *
 * Returns: 0; -EFAULT: there is no translation, *@result (<vsm/walk.h>) states why; -EINVAL: no
 * such VTL; -EIO: the host has failed to read registers.
 */
int vsm_vp_translate(struct vsm_vp *vp, uint8_t vtl, uint64_t gva, struct vsm_walk_result *result);

/*
 * A range of RAM where a VTL has the same rights, after the protections of all higher VTLs (TLFS
 * "Memory Access Protections").
 */
struct vsm_protection {
	uint64_t gpa;
	uint64_t size;	 /* bytes */
	uint32_t access; /* HV_MAP_GPA_FLAGS: the VTL's rights */
};

/*
 * Finds pages with the same rights for @vtl, from @gpa on or, without RAM at @gpa, from the next
 * RAM above it. The following range may have the same rights, too.
 *
 * Returns: 0; -ENOENT: no RAM from @gpa on; -EINVAL: no such VTL.
 */
int vsm_protection_find(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa,
			struct vsm_protection *found);

/* ------------------------------------------------------------------ interrupts from devices */

/*
 * Sends a message-signalled interrupt to the APICs of VTL0, with the address and data that a device
 * would write (SDM 3A 11.11). Any thread, also in a callback; never waits.
 *
 * Returns: 0; -EINVAL: not an MSI.
 */
int vsm_msi(struct vsm_partition *partition, uint64_t address, uint32_t data);

/* Posts an NMI to VTL0 of the VP. Any thread, also in a callback; never waits. */
void vsm_nmi(struct vsm_vp *vp);

/*
 * Posts an SMI to VTL0 of the VP (SDM 3C, "System Management Mode"), as an interrupt message with
 * delivery mode SMI does. The SMI waits while VTL0 is in System Management Mode, and while a higher
 * VTL runs, which it neither interrupts nor delays. In System Management Mode VTL0 has the same
 * rights to each GPA as outside, hypercalls and VTL calls raise #UD, and INIT, SIPI and SMI wait
 * for the end of the mode. Interrupts and intercepts enter a higher VTL as usual; when that
 * returns, VTL0 continues in the mode. If VTL0 may not write to the state save area, the VP exits
 * with VSM_EXIT_SHUTDOWN. Any thread, also in a callback; never waits.
 *
 * Returns: 0; -ENOTSUP: the partition was created without config.smm.
 */
int vsm_vp_smi(struct vsm_vp *vp);

/*
 * Sets input LINT@pin (0 or 1) of the APIC of VTL0 to @level, which its LVT entry delivers (SDM 3A
 * 11.5.1). In mode ExtINT, and while the APIC is disabled by hardware, LINT0 is the output of an
 * 8259: as long as it is high, the VP exits with VSM_EXIT_INTA when VTL0 can take an interrupt. Any
 * thread, also in a callback; never waits.
 *
 * Returns: 0; -EINVAL: no such pin.
 */
int vsm_vp_lint(struct vsm_vp *vp, unsigned int pin, bool level);

/* ------------------------------------------------------------------ SynIC endpoints */

enum vsm_connection_kind {
	VSM_CONNECTION_MESSAGE, /* HvCallPostMessage */
	VSM_CONNECTION_EVENT,	/* HvCallSignalEvent */
};

/*
 * Receives a guest's message or event: @data is the payload of a message, or the u16 number of an
 * event flag. Called on the thread of the posting VP; it must not add or remove connections.
 */
typedef void vsm_connection_fn(void *opaque, uint32_t id, uint32_t message_type, const void *data,
			       size_t size);

struct vsm_connection {
	uint32_t id;  /* 24 bits (TLFS "SynIC Connections"); unique for its kind */
	uint8_t kind; /* enum vsm_connection_kind */
	/* Target: @fn in the VMM, or, if @fn is NULL, this SINT of the partition */
	uint8_t vtl;
	uint8_t sint;
	uint32_t vp;
	uint16_t flag_base; /* events to a SINT: added to the guest's flag number */
	vsm_connection_fn *fn;
	void *opaque;
};

/*
 * Adds a connection: the target of the guest's messages or events to this id. @connection is
 * copied.
 *
 * Returns: 0; -EINVAL: an id of more than 24 bits, an unknown kind, no such SINT; -EEXIST: the id
 * is in use; -ENOSPC: 4,096 exist; -ENOMEM.
 */
int vsm_connection_add(struct vsm_partition *partition, const struct vsm_connection *connection);
/*
 * Removes a connection: afterwards @fn is not running and is not called again. Returns: 0; -ENOENT:
 * there is no such connection.
 */
int vsm_connection_remove(struct vsm_partition *partition, uint8_t kind, uint32_t id);

/*
 * Raises the vector of a SINT without message or flag.
 *
 * Returns: 0; -EINVAL: no such VP, VTL or SINT (0 to 15); -EAGAIN: masked, or the SynIC is off.
 */
int vsm_sint_assert(struct vsm_partition *partition, uint32_t vp, uint8_t vtl, uint8_t sint);
/*
 * Posts a message to a SINT: queued (up to 16) if its slot is busy.
 *
 * Returns: 0; -EINVAL: no such VP, VTL or SINT, message_type 0, or a payload of more than 240
 * bytes; -EAGAIN: masked, SynIC or message page off, the queue is full, or no memory for it.
 */
int vsm_message_post(struct vsm_partition *partition, uint32_t vp, uint8_t vtl, uint8_t sint,
		     const struct hv_message *message);
/*
 * Sets an event flag, 0 to 2,047.
 *
 * Returns: 1: newly set; 0: was set; -EINVAL: no such VP, VTL, SINT or flag; -EAGAIN: masked, SynIC
 * or event flags page off.
 */
int vsm_event_signal(struct vsm_partition *partition, uint32_t vp, uint8_t vtl, uint8_t sint,
		     uint16_t flag);

/* ------------------------------------------------------------------ save and restore */

/* Receives the next bytes of a saved partition. Returns: 0, or -errno to stop. */
typedef int vsm_write_fn(void *opaque, const void *data, size_t size);

/*
 * Writes the state of the partition except RAM: versioned records, each with length and checksum
 * (docs/state.md). After a failure the written data is not usable; the partition is unchanged. Of a
 * message, event flag or interrupt that another thread posts meanwhile, the saved state may lack
 * any part: the VMM stops its devices first.
 *
 * Returns: 0; -EBUSY: a VP is inside vsm_vp_run(), or has an IO, MMIO or INTA exit that is not
 * completed: kick that VP and run it once more; -EIO: a VP has failed, its registers cannot be read,
 * or a change of memory or rights could not be undone; -ENOMEM; or the error of @write.
 */
int vsm_partition_save(struct vsm_partition *partition, vsm_write_fn *write, void *opaque);

/*
 * Restores a saved state into a partition that was created with the same configuration and has
 * memory at the same GPAs, also if it is divided into other regions; the caller restores the
 * contents of memory. Everything is checked before anything changes; the log names the record and
 * the field.
 *
 * RAM with secrets of a higher VTL may have no protections after a failure: the next reset zeroes
 * RAM, and until then the caller runs no VP and no device on RAM that it has loaded.
 *
 * Returns: 0; -EILSEQ: damaged; -ENOTSUP: needs a feature that this version or the backend lacks;
 * -EINVAL: does not fit this partition; -EBUSY: a VP is inside vsm_vp_run(); -ENOMEM; other errors
 * of the host, after which no VP can run until vsm_partition_reset().
 */
int vsm_partition_restore(struct vsm_partition *partition, const void *data, size_t size);

/* @line has no newline. */
typedef void vsm_line_fn(void *opaque, const char *line);

/*
 * Prints a saved state as text: a line for each record and each field, except elements of arrays
 * that are zero. Any bytes may be given; @log may be NULL.
 *
 * Returns: 0; -EILSEQ: damaged; -ENOTSUP: another version of the format. The records before the
 * error are printed.
 */
int vsm_state_describe(const struct vsm_log *log, const void *data, size_t size, vsm_line_fn *line,
		       void *opaque);

/* ------------------------------------------------------------------ trace */

/* One event; the numbers and the meaning of the arguments are in docs/trace.md. */
struct vsm_trace_record {
	uint64_t tsc;
	uint32_t vp;
	uint16_t event;
	uint8_t vtl;
	uint8_t reserved;
	uint64_t argument[4];
};

/*
 * Starts tracing with room for @records for each VP, a power of two from 2 to 2^24; old ones are
 * overwritten. The rings stay until the partition is destroyed: the first call sets their size.
 * From one thread at a time.
 *
 * Returns: 0; -EINVAL: an illegal number; -ENOMEM.
 */
int vsm_trace_start(struct vsm_partition *partition, uint32_t records);
/* Stops tracing, and writes a record of each VP's counters. The rings can still be read. */
void vsm_trace_stop(struct vsm_partition *partition);
/*
 * Reads up to @count of the oldest records of a VP; any thread, one reader per VP. @lost: number of
 * records that were overwritten unread or dropped.
 *
 * Returns: the number read, 0 also if there was never a trace.
 */
size_t vsm_trace_read(struct vsm_vp *vp, struct vsm_trace_record *record, size_t count,
		      uint64_t *lost);

typedef void vsm_trace_fn(void *opaque, const struct vsm_trace_record *record);
/*
 * Calls @function for each event whose bit (1 << number) is in @events, as it occurs, even if
 * tracing is off. It runs on any thread, usually the VP's, and must not call the library. Call this
 * while no VP is inside vsm_vp_run(). NULL: stop.
 */
void vsm_trace_tap(struct vsm_partition *partition, uint64_t events, vsm_trace_fn *function,
		   void *opaque);
/* Returns: the name of an event, or "?". */
const char *vsm_trace_event_name(uint16_t event);

#ifdef __cplusplus
}
#endif

#endif
