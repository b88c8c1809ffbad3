/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VPs and their vCPUs: registers, MSRs, CPUID, time, and the entry into KVM. Legend for fields: backend.h.
 */
#ifndef VKVM_VCPU_H
#define VKVM_VCPU_H

#include <sys/types.h>
#include <time.h>

#include "kvm/backend.h"

/* struct kvm_msrs with room for a few. */
struct msr_batch {
	uint32_t count;
	uint32_t pad;
	struct kvm_msr_entry entry[VCPU_MSR_COUNT];
};

_Static_assert(offsetof(struct msr_batch, entry) == offsetof(struct kvm_msrs, entries), "kvm_msrs");

/* The registers at an exit, to go back to. */
struct vcpu_snapshot {
	struct kvm_regs regs;
	struct kvm_vcpu_events events;
	uint64_t count; /* of exits of the CPU, if `counted` */
	bool counted;
	bool valid;
};

/* What the event thread found out about an access that this VP's thread is making. */
struct violation {
	uint64_t gpa; /* of the page */
	uint8_t *page;
	bool write;
	bool stuck; /* the page was closed to KVM so that it lets go */
};

/* Writes of registers that exit (register_write_exit.c). */
struct watched_registers {
	uint32_t registers;   /* KVM_WRITE_EXIT_* */
	uint32_t let_through; /* of these, what does not exit at the next entry */
	uint64_t cr0_mask;
	uint64_t cr4_mask;
};

/* One VTL of a VP. */
struct vcpu {
	struct vkvm_vp *vp;
	int fd;
	uint8_t vtl;
	struct kvm_run *run; /* s.regs of it: the CPU's registers since it last ran */
	struct vcpu_state *state;
	struct vcpu_events
		events; /* as last loaded: what the core did not change stays as KVM has it */
	/* o: segments and tables as KVM gave them, of which `state` holds the core's form */
	uint8_t tables[offsetof(struct kvm_sregs, cr0)];
	bool tables_known;
	uint64_t tsc_offset;  /* o: of this VTL's TSC to the partition's */
	int count_fd;	      /* c: KVM's count of exits, or -1 */
	bool count_known;     /* o: debug registers and XCR0 were what `state` holds ... */
	bool fpu_known;	      /* o: so was the XSAVE area, if it was closed to the guest since */
	uint64_t count;	      /* o: ... at this count */
	uint64_t returns;     /* o: of KVM_RUN, each with an exit of its own, since then */
	bool completion;      /* the exit has an instruction that KVM finishes at the next entry */
	bool open;	      /* the core has not said yet how that exit ends */
	bool exit_waiting;    /* run holds an exit that was not reported yet */
	bool refused_waiting; /* o: so does `refused`, of the last completion */
	struct violation refused; /* o */
	bool delivers;		  /* o: the last entry had an event to deliver */
	uint64_t entry_rip;	  /* o: at the last entry, and the stack pointer */
	uint64_t entry_rsp;
	bool flush;	      /* translations are forgotten at the next entry */
	uint64_t cr2;	      /* at the last entry */
	uint64_t efer_forced; /* o: bits of EFER that KVM has and the guest does not see */
	struct nested_vcpu nested;
	struct watched_registers watched; /* o */
	struct vcpu_snapshot before;	  /* at the last exit with a completion */
};

struct vkvm_vp {
	struct vkvm_backend *backend; /* c */
	uint32_t index;		      /* c */
	struct vcpu *vcpu;	      /* c: [vtl_count] */
	struct vcpu_state *state;     /* c: [vtl_count] */
	struct kvm_cpuid2 *cpuid;     /* c */

	_Atomic bool kicked;	/* a */
	_Atomic pid_t entered;	/* a: the thread that is in KVM for it, or 0 */
	_Atomic uint64_t entry; /* a: counts entries into KVM */
	_Atomic uint64_t
		violated; /* a: the entry that `violation` is about, or 0; changed under E */
	struct violation violation; /* E */
	uint32_t faults;	    /* o: entries that ended with EFAULT, one after the other */

	pid_t tid; /* o: the thread that the timer signals */
	bool timer_made;
	timer_t timer;		 /* o */
	uint64_t timer_deadline; /* o: what it was set to, UINT64_MAX: nothing */

	pthread_mutex_t wait_lock;
	pthread_cond_t wait_wake;
};

/* ------------------------------------------------------------------ cpuid.c */

int vkvm_cpuid_build(struct vkvm_backend *backend);
struct kvm_cpuid2 *vkvm_cpuid_of_vp(const struct vkvm_backend *backend, uint32_t apic_id,
				    const struct cpuid_leaf *leaves, size_t leaf_count);
const struct kvm_cpuid_entry2 *vkvm_cpuid_find(const struct kvm_cpuid2 *cpuid, uint32_t leaf,
					       uint32_t subleaf);
void vkvm_vp_cpuid(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t value[4]);

/* ------------------------------------------------------------------ msr.c */

int vkvm_msr_filter_init(struct vkvm_backend *backend, uint8_t vtl);
int vkvm_msr_intercept(void *opaque, uint8_t vtl, uint32_t msr, bool read, bool write);
int vkvm_msr_find(struct vkvm_backend *backend);
int vkvm_msr_load(struct vcpu *vcpu);
int vkvm_msr_store(struct vcpu *vcpu);
/* RDMSR and WRMSR as the CPU does them. False: #GP. */
bool vkvm_msr_native(struct vcpu *vcpu, uint32_t msr, bool write, uint64_t *value);

/* ------------------------------------------------------------------ vp.c */

int vkvm_vp_create(void *opaque, uint32_t index, uint32_t apic_id, const struct cpuid_leaf *leaves,
		   size_t leaf_count, void **vp, struct vcpu_state **state);
void vkvm_vp_destroy(void *opaque);

/* ------------------------------------------------------------------ tsc.c */

uint64_t vkvm_tsc(void *opaque);
int vkvm_tsc_set(void *opaque, uint64_t value);
/* Gives the vCPU the partition's TSC; the first one settles what that is. */
int tsc_set_vcpu(struct vcpu *vcpu);
int vkvm_vp_tsc_offset(void *opaque, uint8_t vtl, uint64_t offset);
int vkvm_vp_show_invariant_tsc(void *opaque, bool shown);

/* ------------------------------------------------------------------ timer.c */

int enter_set_timer(struct vkvm_vp *vp, uint64_t deadline);
int vkvm_vp_wait(void *opaque, uint64_t deadline);

/* ------------------------------------------------------------------ exit_count.c */

/* The count itself. False: it is not known. */
bool exit_count_now(const struct vcpu *vcpu, uint64_t *value);
/* Whether the count of exits can be relied on, into backend->can. */
void exit_count_find(struct vkvm_backend *backend);
void exit_count_init(struct vcpu *vcpu);
/* Whether debug registers and XCR0 are what they were at exit_count_start(). */
bool exit_count_unchanged(const struct vcpu *vcpu);
/* Whether the guest can neither read nor write the XSAVE area; if nothing changed, nor could it before. */
bool exit_count_fpu_is_closed(const struct vcpu *vcpu);
void exit_count_start(struct vcpu *vcpu);
/* KVM_RUN begins. */
void exit_count_enter(struct vcpu *vcpu);
/* KVM_RUN has returned with an exit; @finished_first: it had an instruction to finish before that. */
void exit_count_return(struct vcpu *vcpu, bool finished_first);

/* ------------------------------------------------------------------ shared_fpu.c */

/* All but the first two do nothing, and say no, where features.fpu_shared is not set */
void shared_fpu_find(struct vkvm_backend *backend);
/* A new vCPU, not its VP's first, gets the FPU registers of that one. 0 or -errno. */
int shared_fpu_join(struct vcpu *vcpu);
/* Whether the XSAVE area holds what the registers are or shall be. */
bool shared_fpu_is_known(const struct vkvm_vp *vp);
/* Whether it has to be given to KVM before any VTL runs; and that this was done. */
bool shared_fpu_is_dirty(const struct vkvm_vp *vp);
void shared_fpu_stored(struct vkvm_vp *vp);
/* A VTL has run: what is not dirty is known no more. */
void shared_fpu_forget(struct vkvm_vp *vp);

/* ------------------------------------------------------------------ events.c */

void events_from_kvm(const struct kvm_sync_regs *regs, struct vcpu_events *to);
/*
 * What the core did not change since it had @old keeps in @to what its form cannot say: whether an exception is
 * pending or half delivered, and which instruction casts the shadow.
 */
void events_to_kvm(const struct vcpu_events *from, const struct vcpu_events *old, uint64_t rflags,
		   struct kvm_vcpu_events *to);
void events_load(struct vcpu *vcpu);
void events_store(struct vcpu *vcpu);

/* ------------------------------------------------------------------ registers.c */

int vkvm_vp_load(void *opaque, uint8_t vtl, uint32_t groups);
/* Gives dirty groups to KVM: some at once, those that travel with kvm_run at the next entry. */
int registers_store(struct vcpu *vcpu);
bool vkvm_vp_can_inject(void *opaque, uint8_t vtl);
int vkvm_vp_flush_tlb(void *opaque, uint8_t vtl);
/* Loads @groups into the register file; to be changed by the backend itself. */
struct vcpu_state *registers_edit(struct vcpu *vcpu, uint32_t groups);
/* The general registers of a snapshot. */
void registers_from_snapshot(struct vcpu_state *state, const struct vcpu_snapshot *snapshot);
void snapshot_take(const struct vcpu *vcpu, struct vcpu_snapshot *snapshot);
void snapshot_restore(struct vcpu *vcpu, const struct vcpu_snapshot *snapshot);
/* RIP was set while an instruction was still to be finished, which is thereby given up. */
bool registers_rip_is_set(const struct vcpu *vcpu);

/* ------------------------------------------------------------------ enter.c */

int enter_init(const struct vsm_log *log);
/* The signal that makes a thread leave KVM_RUN. */
int enter_signal(void);
/* Makes the calling thread the one that runs @vp. */
int enter_own(struct vkvm_vp *vp);
/* KVM_RUN. With @complete only the completion of the last exit is done. 0 or -errno. */
int enter_kvm(struct vcpu *vcpu, bool complete);
/* What the engine knows about the entry that has just ended, which is over with that. False: nothing. */
bool enter_take(struct vkvm_vp *vp, struct violation *violation);
/* Has KVM finish the instruction of the last exit, if it has one to finish. */
int enter_complete(struct vcpu *vcpu);
/*
 * Finishes all that is open, on every vCPU: KVM reads guest memory to do so. No VP may run; registers are
 * of no use after that but to be reset. 0 or -errno.
 */
int enter_finish_all(struct vkvm_backend *backend);
void vkvm_vp_kick(void *opaque);

#endif
