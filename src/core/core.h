/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main structures: partition, VP, and the state that each has per VTL.
 *
 * Legend for fields: who may touch them and how long they live.
 *   c  set at creation, constant from then on
 *   r  has its reset value after creation and after vsm_partition_reset()
 *   s  saved and restored (state/save.c, state/apply.c)
 *   v  one instance per VTL
 *   o  touched only by the thread that owns the VP (vp_own)
 *   a  atomic: any thread, no lock
 *   P  guarded by partition->lock
 *   C  guarded by partition->connection_lock (readers share it)
 *   F  guarded by partition->eventfd_lock (readers share it)
 *   M  guarded by partition->memory.lock (readers share it)
 *   V  guarded by vp->lock
 *   R  guarded by partition->request_lock
 *   S  guarded by the synic's lock
 *   T  guarded by partition->memory.turn_lock
 *   D  guarded by partition->memory.dma_lock, or by memory.lock held for writing
 * The order of locks is in docs/locking.md. "Owner." at a function: it is called only by the thread
 * that owns the VP.
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vsm/hv/hv.h>
#include <vsm/lapic.h>
#include <vsm/vsm.h>

#include "core/array.h"
#include "core/backend.h"

#define CORE_PAGE_SIZE 4096u
#define CORE_VTL_MAX   16u /* VTLs that the TLFS can name */
#define CORE_VP_MAX    2048u

/* Groups of registers that rarely change: a VTL switch copies them only after a change. */
#define CORE_SELDOM (VCPU_DEBUG | VCPU_FPU | VCPU_XCR0)

#define CORE_CR_INTERCEPTS 29u /* bits of HvX64RegisterCrInterceptControl */

struct ram_file; /* memory/file.h */

/* In memory.region: sorted by gpn, without overlap. memory.former is unsorted. */
struct ram_region {
	uint64_t gpn;
	uint64_t pages;
	struct ram_file *file;
	uint64_t page;	/* first page in the file */
	uint8_t *host;	/* the core's own mapping of it */
	uint8_t *guard; /* the VMM's mapping, with only the rights of VTL0; NULL: not guarded */
	uint32_t flags; /* VSM_MEMORY_READONLY, VSM_MEMORY_LOG, VSM_MEMORY_SMM */
	bool aliased;	/* one of its pages also is, or was, at another GPA */
};

/*
 * GPAs that have RAM or had it: the rights of their pages outlast the RAM. Sorted by gpn; runs do
 * not overlap.
 */
struct ram_span {
	uint64_t gpn;
	uint64_t pages;
	uint64_t first; /* number of its first page; RAM is numbered in the order of its addition */
};

/* One page of overlay memory belongs to each (kind, VTL, VP). */
enum overlay_kind {
	OVERLAY_HYPERCALL,     /* per VTL */
	OVERLAY_REFERENCE_TSC, /* per VTL */
	OVERLAY_ASSIST,	       /* per VTL and VP, as the following */
	OVERLAY_SIEF,
	OVERLAY_SIM,
	OVERLAY_KIND_COUNT,
};

struct overlay {
	uint64_t gpn;
	enum overlay_kind kind;
	uint32_t vp;	/* 0 for kinds that are per VTL */
	uint32_t page;	/* page of the overlay memory */
	uint8_t access; /* rights of the VTL if no higher VTL restricts the GPA */
	uint8_t shown;	/* rights of its mapping in the backend; 0: not mapped; or SHOWN_UNKNOWN */
};

/* Sorted by gpn, then by precedence (overlay_shown). */
struct overlay_list {
	struct overlay *entry;
	uint32_t count;
	uint32_t capacity; /* c: number of overlays that can exist, plus one being moved */
};

struct protection_map; /* memory/protection_map.c: the rights that one VTL gives one lower VTL */

struct memory {
	pthread_rwlock_t lock;
	struct ram_region *region; /* M */
	uint32_t region_count;	   /* M */
	/*
	 * M r: GPAs that were restricted when their pages were moved or removed. The restrictions
	 * still apply to these pages, at any GPA.
	 */
	struct ram_region *former;
	uint32_t former_count;			   /* M r */
	bool guard_suspended;			   /* M: the VMM's mappings have all rights */
	struct ram_span *span;			   /* M r */
	uint32_t span_count;			   /* M r */
	uint64_t page_count;			   /* M r: pages of all spans */
	struct ram_file *file;			   /* M: list */
	bool logged;				   /* M: a region has VSM_MEMORY_LOG */
	pthread_mutex_t dirty_lock;		   /* memory/dirty.c */
	uint8_t *overlay_page;			   /* c: overlay memory, CORE_PAGE_SIZE each */
	uint32_t overlay_page_count;		   /* c */
	_Atomic bool *overlay_used;		   /* a r: [page] may have been written to */
	struct overlay_list overlay[CORE_VTL_MAX]; /* M v r */
	/* M r s: [owner][restricted], owner > restricted; NULL: it restricts nothing. */
	struct protection_map *map[CORE_VTL_MAX][CORE_VTL_MAX];
	_Atomic bool refusal_logged; /* a r: a refused protection was logged at WARN */
	pthread_mutex_t turn_lock;
	bool turn_taken; /* T: a VTL below the highest one changes overlays or protections */
	uint64_t turn_not_before; /* T r: TSC before which the next such change does not begin */
	uint8_t turn_waiter;	  /* T: VTL for which the next turn is reserved */
	uint64_t turn_reserved_until; /* T r: TSC until which VTLs below turn_waiter are refused */
	pthread_mutex_t dma_lock;
	struct vsm_dma_map *dma_map; /* D: list of the VMM's mappings (memory/dma_map.c) */
	uint32_t dma_count;	     /* D */
	uint64_t dma_pages;	     /* D: pages of all mappings in the list */
};

#define SYNIC_QUEUE_MAX 16u /* messages that wait for one SINT: bounds host memory */

/* The array is allocated when a SINT first needs it: messages rarely wait. */
struct synic_message_queue {
	struct hv_message *message; /* [SYNIC_QUEUE_MAX], or NULL: empty */
	uint8_t head;
	uint8_t count;
};

struct synic {
	pthread_mutex_t lock;
	uint64_t scontrol;				       /* S r s */
	uint64_t siefp;					       /* S r s */
	uint64_t simp;					       /* S r s */
	uint64_t sint[HV_SYNIC_SINT_COUNT];		       /* S r s */
	struct synic_message_queue queue[HV_SYNIC_SINT_COUNT]; /* S r s */
	/* a r: SINTs with messages in the queue, or expired timers that wait for their slot */
	_Atomic uint16_t waiting;
};

struct stimer {
	uint64_t config;  /* o r s */
	uint64_t count;	  /* o r s: absolute time or period, 100 ns */
	uint64_t due;	  /* o r s: reference time of the next expiry, UINT64_MAX: none */
	bool message_due; /* o r s: expired, message not delivered yet */
	uint64_t expired; /* o r s: due time that the undelivered message reports */
};

enum vp_activity {
	VP_RUNNING,
	VP_HALTED,		/* HLT */
	VP_IDLE,		/* guest-idle MSR: woken by an interrupt whatever RFLAGS.IF is */
	VP_WAIT_FOR_SIPI,	/* startup suspend */
	VP_TLB_LOCKED,		/* waits for a higher VTL to release its TLB lock, then retries */
	VP_INTERCEPT_SUSPENDED, /* tries its instruction again later: vp_retry() */
};

struct vp_vtl {
	struct vsm_lapic lapic; /* r s; posts are a, all other accesses o */
	struct synic synic;
	struct stimer stimer[HV_SYNIC_STIMER_COUNT];
	enum vp_activity activity; /* o r s */
	uint64_t seldom_version;   /* o: version of its CORE_SELDOM registers; 0: unknown */
	/* o r s: it was entered and has not executed a VTL return since */
	bool entered;
	uint64_t assist_msr; /* o r s: HV_X64_MSR_VP_ASSIST_PAGE */
	uint8_t *assist;     /* o: the assist page's memory, NULL while it is off */
	uint64_t vina;	     /* o r s: HvRegisterVsmVina */
	uint64_t secure_config[CORE_VTL_MAX -
			       1];     /* o r s: VsmVpSecureConfigVtl0.. as this VTL set them */
	uint64_t cr_intercept_control; /* o r s: HvX64RegisterCrInterceptControl */
	uint64_t cr_intercept_counted; /* P r: its bits that cr_intercept_users counts */
	uint64_t cr0_mask;	       /* o r s */
	uint64_t cr4_mask;	       /* o r s */
	uint64_t misc_enable_mask;     /* o r s */
	uint64_t misc_enable;	       /* o r s: IA32_MISC_ENABLE */
	/*
	 * TSC of this VTL minus the partition's. r s: the owner writes it with partition->lock
	 * held.
	 */
	uint64_t tsc_offset;
	uint64_t tsc_adjust;  /* o r s: IA32_TSC_ADJUST */
	uint64_t tlb_unlocks; /* o: value of partition->tlb_unlocks when it was blocked */
	uint64_t retry_at;    /* o: with VP_INTERCEPT_SUSPENDED: TSC of the next attempt */
	bool triple_fault;    /* o r s: a shutdown (triple fault) is due */
	int16_t exception;    /* o r: vector of the last exception that the core raised, or -1 */
	uint32_t debug;	      /* o: conditions that stop it, enum vsm_debug_flags */
	uint32_t debug_due;   /* o r: conditions to report before it runs again */
	/* o: set of VPs that this VP has yet to kick for this VTL (vsm_vp.kicks_pending) */
	uint64_t kicks[CORE_VP_MAX / 64];
};

typedef void vp_request_fn(struct vsm_vp *vp, void *argument);

struct vp_request {
	vp_request_fn *function;
	void *argument;
	bool changes;		 /* changes registers: never served inside a hypercall */
	uint8_t vtl;		 /* of the requester; CORE_VTL_MAX: the VMM */
	struct vp_request *next; /* R */
	bool done;		 /* R */
};

/* Requests of lower VTLs that may interrupt a higher VTL each second. */
#define CORE_REQUESTS_HZ 1000u

/* MTRRs (msr/mtrr.c): one set for all VTLs of a VP. */
#define CORE_MTRR_VARIABLE 8u
#define CORE_MTRR_FIXED	   11u

struct mtrr {
	uint64_t def_type;
	uint64_t base[CORE_MTRR_VARIABLE];
	uint64_t mask[CORE_MTRR_VARIABLE];
	uint64_t fixed[CORE_MTRR_FIXED];
};

/* MSRs that are stored and have no effect (vp/plain_msr.c), one set for all VTLs of a VP. */
enum plain_msr_slot {
	PLAIN_MCG_STATUS,
	PLAIN_POWER_CTL,
	PLAIN_HWCR,
	PLAIN_DE_CFG,
	PLAIN_COUNT,
};

struct vsm_vp {
	struct vsm_partition *partition; /* c */
	void *backend;			 /* c */
	uint32_t index;			 /* c */
	uint32_t apic_id;		 /* c */
	struct vp_vtl *vtl;		 /* c: [partition->vtl_count] */
	struct vp_vtl *active;		 /* o: &vtl[active_vtl] */
	/* c: register file of each VTL; contents o r s, accessed by vcpu_get() and vcpu_edit() */
	struct vcpu_state *cpu[CORE_VTL_MAX];

	uint8_t active_vtl;	       /* o s r */
	uint64_t seldom_version;       /* o: the last version assigned to a VTL (vp/shared.c) */
	_Atomic uint16_t enabled_vtls; /* a s r: written by the owner, partition->lock held */
	/* a s r: [locked VTL] which VTLs hold its TLB lock on this VP */
	_Atomic uint16_t tlb_locked[CORE_VTL_MAX];
	_Atomic uint16_t synic_waiting; /* a: VTLs whose synic.waiting is not 0 */
	_Atomic uint16_t flush_wanted;	/* a: VTLs whose TLB must be flushed before they run */

	pthread_mutex_t lock;
	_Atomic(pthread_t) owner;   /* a: the thread that owns it, 0 if none */
	bool owned;		    /* V: a thread is inside vsm_vp_run or acts for it */
	bool acting;		    /* V: owned by a thread that acts for it, for one request */
	bool exit_pending;	    /* V: an exit to the VMM is not completed */
	pthread_t exit_thread;	    /* V: the VMM's thread that received it */
	pid_t exit_tid;		    /* V: the kernel's ID of that thread */
	_Atomic bool runner_waits;  /* a: a thread that will run it waits for the acting thread */
	struct vp_request *request; /* R: highest VTL first, then oldest first */
	_Atomic uint32_t
		request_waiting; /* a: VTLs with a queued request, bit CORE_VTL_MAX: the VMM */
	_Atomic bool waits_for_request;	 /* a: its owner waits for another VP to serve a request */
	bool kicked_in_wait;		 /* R: it was kicked during the wait for a request */
	_Atomic uint8_t active_vtl_hint; /* a: the active VTL, for other threads */
	_Atomic bool tlb_waits;		 /* a: the active VTL waits for a TLB lock */
	_Atomic bool asleep;		 /* a: it sleeps, so a request delays no VTL */
	_Atomic bool serve_lower; /* a: a request of a VTL below the active one may be served */
	_Atomic uint64_t next_lower_request; /* a r: TSC from which the next may be served */
	_Atomic bool stop;		     /* a: vsm_vp_kick */
	/*
	 * a: lower half: bit of the VTL that the backend's vp_run() executes; upper half: VTLs that
	 * need no kick meanwhile
	 */
	_Atomic uint32_t in_guest;
	/*
	 * o: VTLs below the active one whose interrupts neither kick the VP nor raise a VINA: with
	 * kicks, VTL0 of another VP could keep VTL1 from running.
	 */
	uint16_t deferred;
	/*
	 * o: VTLs with bits in `kicks`. The kicks are made, highest VTL first, before VTL kicks_by
	 * or a lower one runs.
	 */
	uint16_t kicks_pending;
	uint8_t kicks_by;
	_Atomic uint64_t exits;	     /* a: counts exits, to see that a VP has left the guest */
	_Atomic uint64_t switches;   /* a: counts entries into and returns from VTLs */
	_Atomic uint64_t intercepts; /* a: counts intercept messages that a higher VTL got */

	uint64_t deadline;		/* o: TSC of the next expiry of a timer of any VTL */
	bool deadline_stale;		/* o: a timer was changed: deadline must be recomputed */
	uint64_t next_lower_vina_check; /* o r: TSC before which VINA does not check lower VTLs */
	uint16_t unchecked;		/* o: VTLs whose registers were set since they last ran */
	bool broken;			/* o: the backend failed; the VP does not run again */
	bool unread;			/* o r: a load failed: the register file has old values */
	bool error_reported;		/* o: VSM_EXIT_ERROR was returned */
	bool crash_exit_due;		/* o: the guest wrote the crash MSRs: exit to the VMM */
	char crash_message[HV_CRASH_MESSAGE_MAX]; /* o: text of the report, not terminated */
	uint32_t crash_message_size;		  /* o */
	bool debug_deliver;			  /* o: the VMM's answer to VSM_EXIT_DEBUG */
	bool smm_blocks;      /* o r: VTL0 has an SMI, INIT or SIPI that waits for the end of SMM */
	bool smi_waits;	      /* o r: VTL0 has an SMI, which waits for its next entry */
	bool smi_sent;	      /* o: the backend has an SMI for this entry */
	bool smi_refused;     /* o: an SMI was refused, and a warning logged */
	bool inta_due;	      /* o: VTL0 takes an interrupt of the 8259 now */
	int16_t inta_vector;  /* o: the VMM's answer to VSM_EXIT_INTA */
	bool eoi_waiting;     /* o: `eoi` is not empty */
	uint64_t eoi[4];      /* o s r: level-triggered EOIs to report to the VMM, a set */
	struct vsm_exit exit; /* o: what vsm_vp_run last returned */

	struct backend_run run; /* o: request to and result of the backend */
	uint64_t runtime;	/* o s r: TSC ticks in vsm_vp_run(), without its waits */
	uint64_t runtime_since; /* o: with runtime_counting: TSC up to which runtime counts */
	bool runtime_counting;	/* o */
	struct mtrr mtrr;	/* o r s */
	uint64_t plain_msr[PLAIN_COUNT]; /* o r s */
	uint8_t *hypercall_input;	 /* c: a page; contents o */
	uint8_t *hypercall_output;	 /* c: a page; contents o */
	struct trace_ring *trace;	 /* set by the first vsm_trace_start(); NULL before */
};

struct partition_vtl {
	_Atomic uint64_t
		config; /* a r s: HvRegisterVsmPartitionConfig (VTL 1 and up); written with P */
	_Atomic uint64_t guest_os_id;	 /* a r s */
	uint64_t hypercall_msr;		 /* P r s */
	uint64_t reference_tsc;		 /* P r s */
	struct intercept_map *intercept; /* P r s: ports and MSRs that it intercepts, or NULL */
	uint32_t cr_intercept_users[CORE_CR_INTERCEPTS]; /* P r: VPs with this control bit set */
};

struct vsm_partition {
	struct vsm_config config;	  /* c, except for spin_retries: vsm_vp_set_cpuid() */
	struct vsm_log log;		  /* c */
	const struct backend_ops *ops;	  /* c */
	void *backend;			  /* c */
	struct backend_features features; /* c, except for vsm_vp_set_cpuid() before any VP runs */
	uint8_t vtl_count;		  /* c: MaximumVtl + 1 */
	uint32_t vp_count;		  /* c */
	struct vsm_vp **vp;		  /* c: [vp_count] */
	bool cpuid_set; /* c, except for vsm_vp_set_cpuid() before any VP runs: it was called */
	uint64_t privileges;	  /* c: HV_PARTITION_PRIVILEGE_MASK, CPUID 0x40000003 EBX:EAX */
	uint32_t features_edx;	  /* c: CPUID 0x40000003 EDX */
	uint32_t recommendations; /* c: CPUID 0x40000004 EAX */

	struct memory memory;

	pthread_mutex_t lock;
	_Atomic uint16_t enabled_vtls;	 /* a r s: written with the lock held */
	_Atomic uint16_t mbec_vtls;	 /* a r s */
	_Atomic uint16_t intercept_vtls; /* a r: VTLs with an intercept map, a hint */
	struct partition_vtl vtl[CORE_VTL_MAX];
	pthread_rwlock_t connection_lock;
	struct vsm_connection *connection; /* C */
	uint32_t connection_count;	   /* C */
	pthread_rwlock_t eventfd_lock;
	struct ioeventfd *ioeventfd;		       /* F: sorted by address */
	uint32_t ioeventfd_count;		       /* F */
	_Atomic uint32_t ioeventfd_entries;	       /* a: ioeventfd_count */
	_Atomic uint32_t ioeventfd_exits;	       /* a: those whose writes by VTL0 exit */
	struct irqfds *irqfds;			       /* P: interrupt/irqfd.c, NULL: none */
	struct vsm_lapic_router *router[CORE_VTL_MAX]; /* c v: finds the targets of a destination */
	/* Time is stopped at stopped_tsc; both are written while all VPs are owned. */
	_Atomic bool time_stopped;    /* a */
	uint64_t stopped_tsc;	      /* written before time_stopped is set */
	uint64_t reference_start;     /* c s: TSC at reference time 0 */
	uint64_t reference_scale;     /* c: 100 ns units per TSC tick, times 2^64 */
	uint64_t crash_ctl;	      /* P r s */
	uint64_t crash[5];	      /* P r s */
	uint32_t tsc_sequence;	      /* P r s */
	_Atomic bool context_logged;  /* a r: a wrong initial VP context was logged at WARN */
	_Atomic bool tsc_invariant;   /* a r s: HV_X64_MSR_TSC_INVARIANT_CONTROL */
	pthread_mutex_t request_lock; /* work for other VPs' threads */
	/* R: a request was added or done, a waiting VP was kicked, or a VP has no owner any more */
	pthread_cond_t request_wake;
	_Atomic uint32_t requests;    /* a: threads in vp_call(), or waiting in vp_own() */
	_Atomic uint64_t tlb_unlocks; /* a: counts releases of TLB locks */
	_Atomic bool reset_wanted;    /* a: the guest wrote the reset MSR */
	/* a: a failed change of memory or rights could not be undone: no VP runs any more. */
	_Atomic bool rights_lost;
	/* a: a restore has not been completed: RAM may have secrets, which the next reset zeroes. */
	_Atomic bool zero_due;
	_Atomic uint8_t trace_on; /* a: TRACE_TO_RING, TRACE_TO_TAP */
	/* Changed only while no VP runs: the callback for events, and its mask. */
	vsm_trace_fn *tap;
	void *tap_opaque;
	uint64_t tap_events;
};

static inline struct vp_vtl *vp_active(struct vsm_vp *vp)
{
	return vp->active;
}

static inline void vp_set_active(struct vsm_vp *vp, uint8_t vtl)
{
	vp->active_vtl = vtl;
	vp->active = &vp->vtl[vtl];
	atomic_store_explicit(&vp->active_vtl_hint, vtl, memory_order_relaxed);
}

static inline uint16_t vtl_bit(unsigned int vtl)
{
	return (uint16_t)(1u << vtl);
}

static inline uint16_t vtls_above(unsigned int vtl)
{
	return (uint16_t)(0xfffeu << vtl);
}

/* The set must not be empty. */
static inline uint8_t vtls_highest(uint16_t vtls)
{
	return (uint8_t)(31 - __builtin_clz(vtls));
}

extern const uint32_t vcpu_msr_number[VCPU_MSR_COUNT];
extern const uint64_t vcpu_msr_reset[VCPU_MSR_COUNT];
/* Returns VCPU_MSR_COUNT if @msr is none of them. */
unsigned int vcpu_msr_find(uint32_t msr);

void vcpu_load(struct vsm_vp *vp, uint8_t vtl, uint32_t missing);

/*
 * Returns the register file with @groups valid. If a load fails, the VP is marked broken and old
 * values are returned. Owner.
 */
static inline const struct vcpu_state *vcpu_get(struct vsm_vp *vp, uint8_t vtl, uint32_t groups)
{
	struct vcpu_state *cpu = vp->cpu[vtl];

	if (__builtin_expect((groups & ~cpu->valid) != 0, 0))
		vcpu_load(vp, vtl, groups & ~cpu->valid);
	return cpu;
}

/* Whether VTL0 is in System Management Mode. Owner. */
static inline bool vp_in_smm(struct vsm_vp *vp)
{
	return vp->partition->config.smm && vcpu_get(vp, 0, VCPU_EVENTS)->events.smm;
}

/* Marks @groups dirty. */
static inline struct vcpu_state *vcpu_edit(struct vsm_vp *vp, uint8_t vtl, uint32_t groups)
{
	struct vcpu_state *cpu = vp->cpu[vtl];

	vcpu_get(vp, vtl, groups);
	cpu->dirty |= groups;
	if (groups & CORE_SELDOM)
		vp->vtl[vtl].seldom_version = 0;
	return cpu;
}

/*
 * Whether a reset or restore of @vtl sets the XSAVE area: an area that all VTLs share holds the
 * state of the active VTL.
 */
static inline bool vcpu_has_fpu(const struct vsm_vp *vp, uint8_t vtl)
{
	return !vp->partition->features.fpu_shared || vtl == vp->active_vtl;
}

#endif
