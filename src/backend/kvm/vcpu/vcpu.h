/* SPDX-License-Identifier: BSD-2-Clause */
/* VPs and their vCPUs: registers, MSRs, CPUID, time, KVM_RUN. Legend for fields: backend.h. */
#ifndef VKVM_VCPU_H
#define VKVM_VCPU_H

#include <sys/types.h>
#include <time.h>

#include "kvm/backend.h"

/* struct kvm_msrs with room for all MSRs of a VTL */
struct msr_batch {
	uint32_t count;
	uint32_t pad;
	struct kvm_msr_entry entry[VCPU_MSR_COUNT];
};

_Static_assert(offsetof(struct msr_batch, entry) == offsetof(struct kvm_msrs, entries), "kvm_msrs");

/* The registers at an exit, to be restored later */
struct vcpu_snapshot {
	struct kvm_regs regs;
	struct kvm_vcpu_events events;
	uint64_t count; /* KVM's count of exits, if `counted` */
	bool counted;
	bool complete_first; /* to be completed before guest code runs, as there is no count of exits */
	bool valid;
};

/* An access of this VP's thread that the event thread stopped */
struct violation {
	uint64_t gpa; /* address of the page */
	uint8_t *page;
	bool write;
	bool stuck; /* the page was closed to end an access of KVM's emulator */
};

/* Registers whose writes exit (exit/register_write.c) */
struct watched_registers {
	uint32_t registers;   /* KVM_WRITE_EXIT_* */
	uint32_t let_through; /* one of `registers` whose write does not exit at the next entry */
	uint64_t cr0_mask;
	uint64_t cr4_mask;
};

/* One VTL of a VP. */
struct vcpu {
	struct vkvm_vp *vp;
	int fd;
	uint8_t vtl;
	struct kvm_run *run; /* s.regs: the CPU's registers at the last exit */
	struct vcpu_state *state;
	struct vcpu_events
		events; /* as last loaded, to detect the fields that the core has changed */
	/* o: the segments and tables of `state` in KVM's form */
	uint8_t tables[offsetof(struct kvm_sregs, cr0)];
	bool tables_known;
	uint64_t tsc_offset; /* o: this VTL's TSC minus the partition's */
	int count_fd;	     /* o: file with KVM's count of exits, or -1 */
	bool count_known;    /* o: `state` has debug registers and XCR0 as of `count` */
	bool fpu_known;	     /* o: `state` has the XSAVE area as of `count` */
	uint64_t count;	     /* o: KVM's count of exits when debug registers and XCR0 were loaded */
	/* o: returns of KVM_RUN since `count` was read that belong to one exit of the CPU each */
	uint64_t returns;
	bool completion;	  /* KVM completes the instruction of the exit at the next entry */
	bool open;		  /* the core has not answered that exit */
	bool exit_waiting;	  /* `run` has an exit that vp_run() has not reported */
	bool refused_waiting;	  /* o: vp_run() has not reported `refused` */
	struct violation refused; /* o */
	bool delivers;		  /* o: the last entry had an event to deliver */
	uint64_t entry_rip;	  /* o: RIP and RSP at the last entry */
	uint64_t entry_rsp;
	bool flush;	      /* flush the TLB at the next entry */
	bool split_exec;      /* o: user and kernel execution are separate, as last set in KVM */
	uint64_t cr2;	      /* CR2 at the last entry */
	bool cr2_stale;	      /* o: KVM has the CR2 of an exception that was dropped */
	uint64_t efer_forced; /* o: bits of EFER that are set in KVM and hidden from the guest */
	struct backend_debug debug; /* o: as the core set it */
	bool debug_stale;	    /* o: KVM may have a setting other than `debug` */
	bool debug_steps;	    /* o: KVM has SINGLESTEP for this entry */
	struct nested_vcpu nested;
	struct watched_registers watched; /* o */
	struct vcpu_snapshot before;	  /* at the last exit for MSR, MMIO or port I/O */
};

static inline bool debug_is_stepping(const struct vcpu *vcpu)
{
	return vcpu->debug.flags & VSM_DEBUG_STEP;
}

struct vkvm_vp {
	struct vkvm_backend *backend; /* c */
	uint32_t index;		      /* c */
	struct vcpu *vcpu;	      /* c: [vtl_count] */
	struct vcpu_state *state;     /* c: [vtl_count] */
	struct kvm_cpuid2 *cpuid;     /* c, except for vp_set_cpuid() before any VP runs */

	_Atomic bool inside;	     /* a: inside of the backend (exit/hold.c) */
	_Atomic uint32_t kicked;     /* a: 0 or 1; a futex of vkvm_vp_wait() */
	_Atomic bool waiting;	     /* a: in vkvm_vp_wait() */
	_Atomic pid_t entered;	     /* a: the thread that is in KVM, or 0 */
	_Atomic uint8_t entered_vtl; /* a: the VTL, if `entered` */
	_Atomic uint64_t entry;	     /* a: counts entries into KVM */
	_Atomic uint64_t
		violated; /* a: the entry that `violation` belongs to, or 0; changed under E */
	struct violation violation; /* E */
	uint32_t faults;	    /* o: consecutive entries that ended with EFAULT */
	uint64_t closings;	    /* o: engine.closings at the last of them */

	pid_t tid; /* o: the thread that the timer signals */
	bool timer_made;
	timer_t timer;		 /* o */
	uint64_t timer_deadline; /* o: deadline of the timer, UINT64_MAX: not set */
};

/* ------------------------------------------------------------------ cpuid.c */

/* Reads what KVM supports into backend->cpuid. 0 or -errno, logged. */
int vkvm_cpuid_supported(struct vkvm_backend *backend);
/* Changes backend->cpuid to the CPUID of every vCPU, and sets features accordingly. */
void vkvm_cpuid_build(struct vkvm_backend *backend);
struct kvm_cpuid2 *vkvm_cpuid_of_vp(const struct vkvm_backend *backend, uint32_t apic_id,
				    const struct cpuid_leaf *leaves, size_t leaf_count);
const struct kvm_cpuid_entry2 *vkvm_cpuid_find(const struct kvm_cpuid2 *cpuid, uint32_t leaf,
					       uint32_t subleaf);
/* Sets the fields of @features that follow from CPUID: valid bits of registers, and others. */
void vkvm_cpuid_features(const struct kvm_cpuid2 *cpuid, struct backend_features *features);
void vkvm_vp_cpuid(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t value[4]);

/* ------------------------------------------------------------------ cpuid_chosen.c */

int vkvm_vp_check_cpuid(void *opaque, const struct vsm_cpuid *entry, size_t count,
			struct backend_features *features);
int vkvm_vp_set_cpuid(void *opaque, const struct vsm_cpuid *entry, size_t count,
		      const struct cpuid_leaf *leaves, size_t leaf_count);

/* ------------------------------------------------------------------ msr.c */

int vkvm_msr_filter_init(struct vkvm_backend *backend, uint8_t vtl);
int vkvm_msr_intercept(void *opaque, uint8_t vtl, uint32_t msr, bool read, bool write);
int vkvm_msr_find(struct vkvm_backend *backend);
int vkvm_msr_load(struct vcpu *vcpu);
int vkvm_msr_store(struct vcpu *vcpu);
/* Executes RDMSR or WRMSR as the CPU does. False: #GP. */
bool vkvm_msr_native(struct vcpu *vcpu, uint32_t msr, bool write, uint64_t *value);

/* ------------------------------------------------------------------ vp.c */

/* Makes KVM refuse its own hypercalls and MSRs, which the CPUID lacks. */
int vp_refuse_paravirtual(int fd);
int vkvm_vp_create(void *opaque, uint32_t index, uint32_t apic_id, const struct cpuid_leaf *leaves,
		   size_t leaf_count, void **vp, struct vcpu_state **state);
void vkvm_vp_destroy(void *opaque);

/* ------------------------------------------------------------------ tsc.c */

uint64_t vkvm_tsc(void *opaque);
int vkvm_tsc_set(void *opaque, uint64_t value);
/*
 * Sets the TSC of a vCPU: the partition's, which the first vCPU defines, plus the VTL's offset. 0
 * or -errno, logged.
 */
int tsc_set_vcpu(struct vcpu *vcpu);
int vkvm_vp_tsc_offset(void *opaque, uint8_t vtl, uint64_t offset);
int vkvm_vp_show_invariant_tsc(void *opaque, bool shown);

/* ------------------------------------------------------------------ timer.c */

int enter_set_timer(struct vkvm_vp *vp, uint64_t deadline);
int vkvm_vp_wait(void *opaque, uint64_t deadline);
/* After a store to vp->kicked: ends the VP's wait. Any thread. */
void enter_wake(struct vkvm_vp *vp);

/* ------------------------------------------------------------------ exit_count.c */

/* Reads the count. False: it is not available. */
bool exit_count_now(const struct vcpu *vcpu, uint64_t *value);
void exit_count_find(struct vkvm_backend *backend);
void exit_count_init(struct vcpu *vcpu);
/* True: debug registers and XCR0 have not changed since exit_count_start(). False: unknown. */
bool exit_count_unchanged(const struct vcpu *vcpu);
/*
 * Whether the guest has no access to the XSAVE area (SDM 3A 2.5; PKRU: CR4.PKE). If
 * exit_count_unchanged(), it had none since the last read.
 */
bool exit_count_fpu_is_closed(const struct vcpu *vcpu);
void exit_count_start(struct vcpu *vcpu);
/* Called before KVM_RUN. */
void exit_count_enter(struct vcpu *vcpu);
/* After KVM_RUN returned with an exit. @finished_first: it first completed an instruction. */
void exit_count_return(struct vcpu *vcpu, bool finished_first);

/* ------------------------------------------------------------------ shared_fpu.c */

/* Without features.fpu_shared all but the first two return false or do nothing. */
void shared_fpu_find(struct vkvm_backend *backend);
/* Shares the FPU registers of the VP's first vCPU with a new one. 0 or -errno, logged. */
int shared_fpu_join(struct vcpu *vcpu);
/* Whether the XSAVE area has the current registers, or those to be stored. */
bool shared_fpu_is_known(const struct vkvm_vp *vp);
/* Whether the area must be stored in KVM before any VTL runs. */
bool shared_fpu_is_dirty(const struct vkvm_vp *vp);
void shared_fpu_stored(struct vkvm_vp *vp);
/* Called after a VTL has run: the area is stale unless dirty. */
void shared_fpu_invalidate(struct vkvm_vp *vp);

/* ------------------------------------------------------------------ events.c */

void events_from_kvm(const struct kvm_sync_regs *regs, struct vcpu_events *to);
/*
 * Keeps the exception, the shadow and the pending NMIs of @to unless the core has changed them
 * since @old: KVM distinguishes more states of an exception and of a shadow.
 */
void events_to_kvm(const struct vcpu_events *from, const struct vcpu_events *old, uint64_t rflags,
		   struct kvm_vcpu_events *to);
void events_load(struct vcpu *vcpu);
void events_store(struct vcpu *vcpu);
/*
 * Drops the exception that KVM's emulator raises if an access of it is refused. Called before the
 * core sees the events: it may then set an exception itself.
 */
void events_drop_spurious(struct vcpu *vcpu);

/* ------------------------------------------------------------------ registers.c */

int vkvm_vp_load(void *opaque, uint8_t vtl, uint32_t groups);
int registers_xcr0(const struct vcpu *vcpu, uint64_t *value);
/* Stores dirty groups in KVM: some by ioctl, those in kvm_run at the next entry. */
int registers_store(struct vcpu *vcpu);
/* Whether KVM_SET_SREGS reads the PDPTEs. */
bool registers_have_pdptes(const struct kvm_sregs *sregs);
bool vkvm_vp_can_inject(void *opaque, uint8_t vtl);
int vkvm_vp_flush_tlb(void *opaque, uint8_t vtl);
/* Loads @groups and marks them dirty, for changes by the backend. */
struct vcpu_state *registers_edit(struct vcpu *vcpu, uint32_t groups);
void registers_from_snapshot(struct vcpu_state *state, const struct vcpu_snapshot *snapshot);
void snapshot_take(const struct vcpu *vcpu, struct vcpu_snapshot *snapshot);
void snapshot_restore(struct vcpu *vcpu, const struct vcpu_snapshot *snapshot);
/* Whether RIP was set while an instruction is open, which is then abandoned. */
bool registers_rip_is_set(const struct vcpu *vcpu);

/* ------------------------------------------------------------------ enter.c */

int enter_init(const struct vsm_log *log);
/* The signal that ends KVM_RUN. */
int enter_signal(void);
/* Makes the calling thread the owner of @vp. Returns 0. */
int enter_own(struct vkvm_vp *vp);
/* KVM_RUN. @complete: only completes the last exit. 0, or -errno; -ECANCELED: not entered. */
int enter_kvm(struct vcpu *vcpu, bool complete);
/*
 * KVM_SET_SREGS. 0 or -errno. In PAE mode KVM reads the PDPTEs: if they are denied, refused_waiting
 * is set, and @sregs must be set again before the VTL runs.
 */
int enter_set_sregs(struct vcpu *vcpu, struct kvm_sregs *sregs);
/* Whether the last entry had an event to deliver, and the VTL has not moved since. */
static inline bool enter_still_delivers(const struct vcpu *vcpu)
{
	const struct kvm_regs *regs = &vcpu->run->s.regs.regs;

	return vcpu->delivers && regs->rip == vcpu->entry_rip && regs->rsp == vcpu->entry_rsp;
}
/* Takes the violation recorded for the last entry into KVM; false if there is none. */
bool enter_take_violation(struct vkvm_vp *vp, struct violation *violation);
/* Makes KVM complete the instruction of the last exit, if it is open. 0 or -errno, logged. */
int enter_complete(struct vcpu *vcpu);
/* Makes KVM complete the open instruction and drops its further accesses; sets *more if any. */
int enter_finish(struct vcpu *vcpu, bool *more);
/* The same in all VTLs: KVM may access guest memory; the registers must be reset afterwards. */
int enter_finish_vp(struct vkvm_vp *vp);
void vkvm_vp_kick(void *opaque);

#endif
