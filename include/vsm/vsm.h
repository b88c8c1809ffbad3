/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libvsm: Hyper-V Virtual Secure Mode for any KVM virtual machine monitor.
 *
 * A VMM makes a partition, gives it memory, sets the first registers of its boot processor, and
 * calls vsm_vp_run() from one thread per virtual processor (VP) where it called KVM_RUN before. It
 * sees the exits that concern a VMM: port I/O, MMIO, shutdown, reset. Virtual trust levels (VTLs),
 * hypercalls, synthetic MSRs, local APICs, SynIC and timers are the library's.
 *
 * Threads: functions that take a partition may be called from any thread, also while VPs run, unless
 * their comment says otherwise. vsm_vp_run() is called by one thread at a time for each VP.
 *
 * Errors are returned as -errno; the log has one line that says what, where and what to do. What is an
 * answer rather than a mistake has none: -EAGAIN, -ETIMEDOUT, the end of a list, what a guest's doing leads to.
 */
#ifndef VSM_VSM_H
#define VSM_VSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vsm/hv/hv.h>
#include <vsm/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. Within one major number the ABI only grows. */
#define VSM_VERSION_MAJOR 0
#define VSM_VERSION_MINOR 1
#define VSM_VERSION_PATCH 0

/* The version of the library that runs, "major.minor.patch". Callable at any time. */
const char *vsm_version(void);

struct vsm_partition;
struct vsm_vp;

/* ------------------------------------------------------------------ partition */

#define VSM_VTL_MAX 16u	  /* VTLs 0 to 15 */
#define VSM_VP_MAX  2048u /* VPs in a partition, if the host allows as many */

/* Ways to enforce protections on a host (vsm probe says which it has). */
enum vsm_engine {
	VSM_ENGINE_AUTO = 0, /* ATTR where the host has it, else UFFD */
	VSM_ENGINE_UFFD = 1, /* userfaultfd on a stock kernel: read and write */
	/* The optional kernel part (kernel/): read, write, execute, writes of registers. */
	VSM_ENGINE_ATTR = 2,
	/* KVM's nested virtualization on a stock kernel: read, write, execute, writes of registers. */
	VSM_ENGINE_NESTED = 3,
};

struct vsm_config {
	size_t size; /* sizeof(struct vsm_config): lets the structure grow */

	struct vsm_log log;
	uint32_t vp_count; /* 1 to VSM_VP_MAX; VP indexes are 0 to vp_count - 1 */
	uint8_t max_vtl; /* highest VTL on offer; 0 offers no VSM. Default 2 by vsm_config_init() */
	uint8_t boot_vtl; /* VTL in which the boot VP starts; above 0 it is enabled on all VPs */
	uint8_t engine;	  /* enum vsm_engine */
	uint8_t reserved0;
	/* [vp_count], or NULL: the VP index. Ids are unique; read by vsm_partition_create() alone. */
	const uint32_t *apic_id;

	/*
	 * What guests are offered, as in CPUID leaf 0x40000003: what is not implemented or not
	 * possible here is taken out, what VSM needs and is taken out turns VSM off, with a log line.
	 */
	uint64_t privileges;	  /* EBX:EAX; HV_PARTITION_PRIVILEGE bits */
	uint32_t features;	  /* EDX */
	uint32_t recommendations; /* leaf 0x40000004 EAX */

	uint32_t spin_retries; /* leaf 0x40000004 EBX; 0xffffffff: never notify */
};

/* Fills @config with the defaults: 1 VP, VTLs 0 to 2, all that is implemented, no log. */
void vsm_config_init(struct vsm_config *config);

/*
 * Makes a partition on KVM. Every VP exists from now on, in reset state.
 *
 * -EINVAL: a field is out of range. -ENOTSUP: the host cannot run any guest that way, or lacks the engine
 * that is named. -ENODEV, -EACCES: there is no /dev/kvm for us. -EPERM: userfaultfd is not allowed to us.
 * -EBUSY: the program handles the signal SIGRTMIN+5, which is the library's.
 * -ENOMEM, -EMFILE and others as the host says. *@partition is left alone then.
 */
int vsm_partition_create(const struct vsm_config *config, struct vsm_partition **partition);

/* Ends it, with its VPs and its mappings of RAM. Nobody may be inside of any function of it. NULL is allowed. */
void vsm_partition_destroy(struct vsm_partition *partition);

/*
 * Back to the state after creation (TLFS 16, "partition reset"): all VTLs but VTL0 (or the boot VTL)
 * are gone with all their protections, registers are at reset. RAM reads as zero afterwards if there was a
 * VTL above 0 that had not cleared ZeroMemoryOnReset (TLFS 15.16). Connections stay.
 *
 * -EBUSY while a VP is inside vsm_vp_run(). Others: the host failed, and no VP can run until a reset succeeds.
 */
int vsm_partition_reset(struct vsm_partition *partition);

/* The VP with this index, or NULL. Lives as long as the partition. */
struct vsm_vp *vsm_partition_vp(struct vsm_partition *partition, uint32_t index);

/* ------------------------------------------------------------------ memory */

/*
 * Gives RAM to the partition: @size bytes at @gpa, multiples of 4096 (for speed: of 2 MiB, and @offset as far
 * from such a multiple as @gpa is).
 *
 * @fd: a memfd (or any shared memory file) that holds it from @offset, a multiple of 4096; it may be closed
 * afterwards. -1: one is made.
 * @host: where the VMM may read and write it, set on success; may be NULL. That mapping knows no protection:
 * use it for loading before the guest runs; for emulated devices use vsm_dma_read() and _write().
 *
 * Not while a VP is inside vsm_vp_run(). -EINVAL: alignment, or beyond the guest's physical addresses.
 * -EEXIST: some of it is RAM already. -ENOSPC: 64 regions exist. -ENOMEM and others as the host says.
 */
int vsm_memory_add(struct vsm_partition *partition, uint64_t gpa, uint64_t size, int fd,
		   uint64_t offset, void **host);

/*
 * Device access to guest memory, @size bytes at @gpa, with the rights of VTL0 (TLFS 15.10: DMA acts as VTL0).
 *
 * -EFAULT: some byte is not RAM. -EACCES: VTL0 may not, because a higher VTL denies it or an overlay page (the
 * hypercall page, say) is there that it cannot write. Pages before the one concerned were transferred then, of
 * that one and those behind it nothing.
 */
int vsm_dma_read(struct vsm_partition *partition, uint64_t gpa, void *data, size_t size);
int vsm_dma_write(struct vsm_partition *partition, uint64_t gpa, const void *data, size_t size);

/* ------------------------------------------------------------------ running a VP */

/* After any of them the VP may be run again; what it then does is said here where it is not plain. */
enum vsm_exit_reason {
	VSM_EXIT_INTERRUPTED, /* vsm_vp_kick(), or a signal */
	VSM_EXIT_IO,	      /* IN or OUT: fill or consume io.data, then run again */
	VSM_EXIT_MMIO,	      /* access to a GPA without memory: as IO */
	VSM_EXIT_EOI,	      /* the guest ended a level-triggered interrupt: tell the I/O APIC */
	VSM_EXIT_SHUTDOWN,    /* triple fault, impossible registers; the partition wants a reset */
	VSM_EXIT_RESET, /* the guest asked for one by the reset MSR; every VP says so until there was one */
	VSM_EXIT_CRASH, /* the guest told of its crash by the crash MSRs; it goes on */
	VSM_EXIT_ERROR, /* the VP cannot go on: see the log; the next run is -EIO */
};

struct vsm_exit {
	enum vsm_exit_reason reason;
	uint8_t vtl; /* active VTL, which did it */
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
			uint64_t parameter[5]; /* HV_X64_MSR_CRASH_P0 to P4 */
			uint64_t control;      /* HV_X64_MSR_CRASH_CTL */
		} crash;
	};
};

/*
 * Runs the VP until something concerns the VMM. The answer to an IO or MMIO read goes where its data
 * points to before the next call. @exit stays valid until then.
 *
 * 0, or -EBUSY: another thread runs it, -EIO: the VP is broken (reason ERROR came before).
 */
int vsm_vp_run(struct vsm_vp *vp, const struct vsm_exit **exit);

/* Makes vsm_vp_run() of this VP return with VSM_EXIT_INTERRUPTED soon; the next one if none runs. Any thread. */
void vsm_vp_kick(struct vsm_vp *vp);

/* What a VP did since it was made; a reset does not clear it. */
struct vsm_counters {
	uint64_t exits;	       /* from the guest to the library */
	uint64_t vtl_switches; /* VTL calls, returns, and entries by interrupts and intercepts */
	uint64_t intercepts;   /* messages about an intercept that a higher VTL received */
};

/* Each number is exact, if not of the very same moment as the others while the VP runs. */
void vsm_vp_counters(const struct vsm_vp *vp, struct vsm_counters *counters);

/*
 * Reads or writes registers by their HvRegister names, with the rights of the host: any VTL, any
 * register that HvCallGetVpRegisters knows. In order, stops at the first failure.
 *
 * All 16 bytes of a value count: start from {0} or .reg128, for a compiler may leave what .reg64 does not cover.
 *
 * The VP may be running: its own thread then does it. Returns the number done (which is @count if all
 * went well), or -EINVAL for a VTL that is not on offer; the log names the register that failed. Between
 * an IO or MMIO exit and the next vsm_vp_run() other threads wait for the end of the instruction.
 */
int vsm_vp_get_registers(struct vsm_vp *vp, uint8_t vtl, const uint32_t *name,
			 union hv_register_value *value, size_t count);
int vsm_vp_set_registers(struct vsm_vp *vp, uint8_t vtl, const uint32_t *name,
			 const union hv_register_value *value, size_t count);

/* ------------------------------------------------------------------ looking at a partition */

typedef void vsm_vp_fn(struct vsm_vp *vp, void *opaque);

/*
 * Calls @function while nothing else happens on the VP: on its own thread if one is inside vsm_vp_run(),
 * else on the caller's. Functions that take this VP do not wait in there, so that several of them see
 * one moment. It must not take long, as the guest stands still meanwhile, and must not call for another VP.
 *
 * 0, or -ETIMEDOUT: for @milliseconds the VP's thread was busy with an exit; @function is not called
 * any more.
 */
int vsm_vp_call(struct vsm_vp *vp, uint32_t milliseconds, vsm_vp_fn *function, void *opaque);

struct vsm_lapic_state;

/* The local APIC of a VTL, as <vsm/lapic.h> has it. Waits as vsm_vp_get_registers(). -EINVAL: no such VTL. */
int vsm_vp_lapic(struct vsm_vp *vp, uint8_t vtl, struct vsm_lapic_state *state);

/* RAM that a VTL has the same rights to, all higher VTLs taken together (TLFS 15.9). */
struct vsm_protection {
	uint64_t gpa;
	uint64_t size;	 /* bytes */
	uint32_t access; /* HV_MAP_GPA_FLAGS: what the VTL may do */
};

/*
 * What @vtl may do with the page at @gpa and those behind it that have the same rights (the next range may have
 * them, too); if there is no RAM at @gpa, with the next RAM above. -ENOENT: there is none. -EINVAL: no such VTL.
 */
int vsm_protection_find(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa,
			struct vsm_protection *found);

/* ------------------------------------------------------------------ interrupts from devices */

/*
 * A message-signalled interrupt, to the APICs of VTL0: address and data as a device writes them (SDM 3A 11.11).
 * -EINVAL: not an MSI. From any thread, also of a callback; it waits for nobody.
 */
int vsm_msi(struct vsm_partition *partition, uint64_t address, uint32_t data);

/* NMI to VTL0 of the VP. */
void vsm_nmi(struct vsm_vp *vp);

/* ------------------------------------------------------------------ SynIC endpoints */

enum vsm_connection_kind {
	VSM_CONNECTION_MESSAGE, /* HvCallPostMessage */
	VSM_CONNECTION_EVENT,	/* HvCallSignalEvent */
};

/*
 * Receives what a guest posts: @data is the payload of a message, or the u16 number of an event flag. On
 * the thread of the VP that posts; it must not add or remove connections.
 */
typedef void vsm_connection_fn(void *opaque, uint32_t id, uint32_t message_type, const void *data,
			       size_t size);

struct vsm_connection {
	uint32_t id;  /* 24 bits (TLFS 11.3); unique for its kind */
	uint8_t kind; /* enum vsm_connection_kind */
	/* Where it leads: to @fn in the VMM, or, if @fn is NULL, to this SINT of the partition. */
	uint8_t vtl;
	uint8_t sint;
	uint32_t vp;
	uint16_t flag_base; /* events: first flag */
	vsm_connection_fn *fn;
	void *opaque;
};

/*
 * From now on what guests post to this id goes there. @connection is copied.
 *
 * -EINVAL: an id of more than 24 bits, an unknown kind, no such SINT. -EEXIST: the id is in use. -ENOSPC: 4,096
 * exist. -ENOMEM.
 */
int vsm_connection_add(struct vsm_partition *partition, const struct vsm_connection *connection);
/* Ends it: when this returns, @fn is not running and will not be called again. -ENOENT: there is none. */
int vsm_connection_remove(struct vsm_partition *partition, uint8_t kind, uint32_t id);

/* The following three: any thread. -EINVAL: no such VP, VTL or SINT (0 to 15). */

/* Raises the vector of a SINT without message or flag. -EAGAIN: the SINT is masked, or the SynIC off. */
int vsm_sint_assert(struct vsm_partition *partition, uint32_t vp, uint8_t vtl, uint8_t sint);
/*
 * Posts a message to a SINT: queued (up to 16) if its slot is busy. -EINVAL also: message_type 0, or a payload of more
 * than 240 bytes. -EAGAIN: masked, SynIC or message page off, or the queue is full.
 */
int vsm_message_post(struct vsm_partition *partition, uint32_t vp, uint8_t vtl, uint8_t sint,
		     const struct hv_message *message);
/*
 * Sets an event flag, 0 to 2,047. 1: newly set, 0: was set. -EINVAL also: no such flag. -EAGAIN: masked, SynIC or event
 * flags page off.
 */
int vsm_event_signal(struct vsm_partition *partition, uint32_t vp, uint8_t vtl, uint8_t sint,
		     uint16_t flag);

/* ------------------------------------------------------------------ save and restore */

/* Takes the next bytes of a saved partition. Returns 0, or -errno to stop. */
typedef int vsm_write_fn(void *opaque, const void *data, size_t size);

/*
 * Writes the state of the whole partition but its RAM: versioned records, each with length and
 * checksum (docs/state.md). On failure what was written is of no use; the partition is as it was.
 *
 * -EBUSY while a VP is inside vsm_vp_run(), or the VMM owes one the answer to an IO or MMIO exit: run it once more,
 * with a kick before. -ENOMEM, or what @write returned.
 */
int vsm_partition_save(struct vsm_partition *partition, vsm_write_fn *write, void *opaque);

/*
 * Puts a saved state into a partition that was made with the same configuration and has the same RAM
 * (contents restored by the caller). Everything is checked before anything changes: -EILSEQ: damaged,
 * -ENOTSUP: needs what this version lacks, -EINVAL: does not fit this partition; the log names the
 * record and the field. -EBUSY while a VP is inside vsm_vp_run(). -ENOMEM. Others: the host failed in the middle,
 * and no VP can run until vsm_partition_reset().
 */
int vsm_partition_restore(struct vsm_partition *partition, const void *data, size_t size);

/* Receives one line of text, without its end. */
typedef void vsm_line_fn(void *opaque, const char *line);

/*
 * A saved state in words: a line for each record and each field. Any bytes may be given; -EILSEQ and
 * -ENOTSUP as above, after the lines of the records before. @log may be NULL.
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
 * Starts tracing with room for @records for each VP, a power of two from 2 to 2^24; old ones are overwritten. The
 * rings stay until the partition ends: the first call decides how large they are. From one thread at a time.
 * -EINVAL: not such a number. -ENOMEM.
 */
int vsm_trace_start(struct vsm_partition *partition, uint32_t records);
/* Ends it, with a record of what each VP counted. What is in the rings can still be read. */
void vsm_trace_stop(struct vsm_partition *partition);
/*
 * Takes up to @count of the oldest records of a VP; any thread, one reader per VP. @lost: how many were
 * overwritten before they were taken. Returns the number taken; 0 also if there was never a trace.
 */
size_t vsm_trace_read(struct vsm_vp *vp, struct vsm_trace_record *record, size_t count,
		      uint64_t *lost);

typedef void vsm_trace_fn(void *opaque, const struct vsm_trace_record *record);
/*
 * Hands events to @function as they happen, whether they are recorded or not: those whose bit (1 << number) is in
 * @events. On any thread, the VP's as a rule, which waits meanwhile; it must not call the library. Not while a VP is inside
 * vsm_vp_run(). NULL: no longer.
 */
void vsm_trace_tap(struct vsm_partition *partition, uint64_t events, vsm_trace_fn *function,
		   void *opaque);
/* The name of an event, or "?". */
const char *vsm_trace_event_name(uint16_t event);

#ifdef __cplusplus
}
#endif

#endif
