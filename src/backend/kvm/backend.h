/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the KVM backend share.
 *
 * Legend for fields: c set at creation; o touched only by the thread that owns the VP; a atomic;
 * M changed only where the core has serialised memory_*, overlay_* and protect; E guarded by
 * engine.lock; T guarded by table_lock. Order of locks: table_lock is innermost, and engine.lock is
 * never held over an ioctl that waits for vCPUs to leave KVM_RUN (memslots): one of them may be
 * waiting for the event thread, which needs engine.lock.
 */
#ifndef VKVM_INTERNAL_H
#define VKVM_INTERNAL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include "core/backend.h"

#define VKVM_VTL_MAX	 16u
#define VKVM_REGION_MAX	 64u
#define VKVM_PAGE_SIZE	 4096u
#define VKVM_BLOCK_SIZE	 (UINT64_C(2) << 20) /* of a large page */
#define VKVM_BLOCK_PAGES (VKVM_BLOCK_SIZE / VKVM_PAGE_SIZE)
#define VKVM_NO_PAGE	 UINT64_MAX

/* out 0x7e, al: the one port whose exit leaves RIP behind the instruction on every kind of CPU. */
#define VKVM_HYPERCALL_PORT   0x7eu
#define VKVM_HYPERCALL_LENGTH 2u

/* ------------------------------------------------------------------ what the host can do */

struct capability {
	uint32_t xsave_size; /* bytes of KVM's XSAVE area */
	uint32_t memslots;
	bool xen_hypercall; /* VMCALL and VMMCALL can be forwarded */
	bool huge_pages;
	bool count_exits;     /* an exit that KVM counts is one instruction */
	uint32_t write_exits; /* KVM_CAP_WRITE_EXITS, 0: not there, or not to be used */
};

/* ------------------------------------------------------------------ memory */

struct block;

/* One VTL's mapping of a region. */
struct window {
	uint8_t *base;	     /* congruent to the GPA modulo VKVM_BLOCK_SIZE */
	uint8_t *state;	     /* E: [pages] what the engine enforces there, in its own terms */
	struct block *block; /* E: uffd: by GPA / VKVM_BLOCK_SIZE, from the first page's on */
};

struct region {
	uint64_t gpn;
	uint64_t pages;
	uint8_t *host; /* the core's own mapping */
	uint64_t offset;
	int fd;
	uint32_t slot;
	struct window window[VKVM_VTL_MAX];
};

/* Overlay memory, and where a VTL sees a page of it where there is no RAM. */
struct overlay_place {
	uint64_t gpn;	/* VKVM_NO_PAGE: nowhere */
	bool slot;	/* by a memslot of its own, else in a window */
	uint8_t access; /* enum gpa_access */
};

struct overlay_memory {
	int fd;
	uint32_t pages;
	uint8_t *host;
	uint8_t *window[VKVM_VTL_MAX];		   /* the memory behind such memslots */
	struct overlay_place *place[VKVM_VTL_MAX]; /* E: [pages] */
	uint32_t slots[VKVM_VTL_MAX];		   /* T: places with a slot */
};

/* ------------------------------------------------------------------ MSR filter */

#define MSR_AREA_SIZE  0x2000u
#define MSR_AREA_COUNT 3u

/* struct kvm_msrs with room for a few. */
struct msr_batch {
	uint32_t count;
	uint32_t pad;
	struct kvm_msr_entry entry[VCPU_MSR_COUNT];
};

_Static_assert(offsetof(struct msr_batch, entry) == offsetof(struct kvm_msrs, entries), "kvm_msrs");

struct msr_area {
	uint8_t read[MSR_AREA_SIZE / 8]; /* 1: no exit */
	uint8_t write[MSR_AREA_SIZE / 8];
};

/* ------------------------------------------------------------------ virtual machines and vCPUs */

/* The page directory of 1 GiB and the tables of its 2 MiB blocks. Neither is ever used for another address. */
struct nested_directory {
	uint32_t page;	     /* of hidden memory */
	uint32_t table[512]; /* pages of hidden memory, 0: none yet */
};

/* How the vCPUs of a VTL run. None of them enters KVM while it changes. */
enum nested_mode {
	NESTED_PLAIN, /* hidden memory is in no memory slot */
	NESTED_CHANGING,
	NESTED_ACTIVE, /* as L2 */
};

/* What the engine nested has of a VTL. Engine lock, but for what is constant. */
struct nested_vm {
	int fd;		      /* c: of hidden memory, -1: this VTL cannot be restricted */
	uint8_t *base;	      /* c */
	uint64_t gpa;	      /* c: where L1 sees it; L2 finds no memory there */
	uint32_t pages;	      /* c */
	uint32_t first_vmcb;  /* c */
	uint32_t used;	      /* pages that are in use */
	uint32_t directories; /* c: entries of `directory` */
	struct nested_directory **directory; /* by GPA / 1 GiB */
	uint64_t denied;		     /* pages with a restriction */
	uint32_t watching;		     /* vCPUs with a watched register */
	_Atomic int mode;		     /* a: enum nested_mode, written under E */
	uint64_t since; /* when `mode` last changed, in seconds of CLOCK_MONOTONIC */
	bool barrier;	/* state of the slot's flag */
	bool unzapped;	/* KVM may have a shadow of a right that was taken */
};

/* What it has of a vCPU. */
struct nested_vcpu {
	uint64_t allowed_rip; /* o: the last access that was refused although it is allowed */
	uint64_t allowed_gpa;
	bool other_operand;  /* o: it was refused a second time: see backend_run.memory */
	bool on;	     /* o: the vCPU is the one that is in guest mode */
	bool reload;	     /* o: VMCB12 does not have `watched` yet */
	bool drained;	     /* o: the vCPU for guest mode may have left it: see nested_abandon() */
	uint32_t watched;    /* o: KVM_WRITE_EXIT_* */
	uint32_t step;	     /* o: of these, what the instruction at step_rip may write */
	uint64_t step_rip;   /* o */
	uint64_t step_value; /* o: of CR0 or CR4, in the bits of the mask ... */
	bool step_checked;   /* o: ... if it is known */
	int other_fd;	     /* o: the other vCPU, or -1 */
	struct kvm_run *other_run; /* o */
};

/* One VTL of the partition. */
struct vm {
	int fd;
	struct nested_vm nested;
	pthread_mutex_t msr_lock;
	struct msr_area *msr_area; /* msr_lock: [MSR_AREA_COUNT] */
};

struct engine_ops;
struct vkvm_backend;

/*
 * What denies accesses by guest page, for the engines that do so outside of the VMM's mappings: in force on every
 * VP on return. Engine lock.
 */
struct restriction_ops {
	int (*range)(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
		     uint8_t denied);
	/* @list: a page's address, with what is denied in its low bits. */
	int (*list)(struct vkvm_backend *backend, uint8_t vtl, const uint64_t *list,
		    uint32_t count);
};

struct engine {
	const struct engine_ops *ops; /* c */
	pthread_mutex_t lock;

	/* Of attr and nested. */
	const struct restriction_ops *restrictions; /* c */
	uint64_t *list;	 /* E: [KVM_ACCESS_MAX_PAGES] pages with what is denied there */
	uint32_t listed; /* E */

	/* Of uffd alone. */
	int fd;	  /* c: userfaultfd */
	int stop; /* c: eventfd: the thread shall end, or has news */
	bool started;
	bool ending; /* E */
	pthread_t thread;
	uint32_t pieces;	/* M: places where windows are divided for minor faults */
	uint32_t pieces_limit;	/* c */
	bool split_waiting;	/* E: some block has `split` set */
	uint32_t lent;		/* E: pages in lent_page */
	uint8_t *lent_page[64]; /* E: pages that nobody known is stuck on: given back later */
};

struct vkvm_vp;

struct vkvm_backend {
	const struct vsm_log *log;	  /* c */
	int kvm;			  /* c */
	uint8_t vtl_count;		  /* c */
	uint32_t vp_count;		  /* c */
	uint32_t run_size;		  /* c */
	bool no_selftest;		  /* c */
	struct capability can;		  /* c */
	struct backend_features features; /* c */
	struct kvm_cpuid2 *cpuid;	  /* c: what every vCPU starts from */
	int64_t tsc_offset; /* the partition's TSC - host TSC; no VP runs when it changes */
	bool tsc_offset_known;
	uint32_t msr_index[VCPU_MSR_COUNT]; /* c: those that this host has */
	uint8_t msr_place[VCPU_MSR_COUNT];  /* c: which enum vcpu_msr it is */
	uint32_t msr_count;
	uint64_t count_offset; /* c: of the count of exits in KVM's statistics, 0: none */

	struct vm vm[VKVM_VTL_MAX];
	struct engine engine;
	pthread_rwlock_t table_lock;
	struct region *region[VKVM_REGION_MAX]; /* T, changed under M */
	struct overlay_memory overlay;
	_Atomic(struct vkvm_vp *) *vp; /* a: [vp_count] */
};

/* The registers at an exit, to go back to. */
struct snapshot {
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

/* Writes of registers that exit (register_exit.c). */
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
	struct snapshot before;		  /* at the last exit with a completion */
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

/* ------------------------------------------------------------------ small helpers */

/* ioctl(), begun again when a signal interrupted it. -errno on failure. */
int vkvm_ioctl(int fd, unsigned long request, void *argument);

/* capability.c: finds out what the host can do. -errno when it cannot run any partition. */
int capability_find(struct vkvm_backend *backend);

/* msr/cpuid.c */
int vkvm_cpuid_build(struct vkvm_backend *backend);
struct kvm_cpuid2 *vkvm_cpuid_of_vp(const struct vkvm_backend *backend, uint32_t apic_id,
				    const struct cpuid_leaf *leaves, size_t leaf_count);
const struct kvm_cpuid_entry2 *vkvm_cpuid_find(const struct kvm_cpuid2 *cpuid, uint32_t leaf,
					       uint32_t subleaf);
void vkvm_vp_cpuid(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t value[4]);

/* vm.c */
int vkvm_vm_create(struct vkvm_backend *backend, uint8_t vtl);
void vkvm_vm_destroy(struct vm *vm);
/* A memslot of a VTL: [gpa, gpa + size) is @host; @size 0 removes it. */
int vkvm_vm_slot(struct vkvm_backend *backend, uint8_t vtl, uint32_t slot, uint64_t gpa,
		 uint64_t size, const void *host);

/* memory/ram.c */
int vkvm_memory_add(void *opaque, uint64_t gpa, uint64_t size, int fd, uint64_t offset,
		    void **host);
int vkvm_memory_remove(void *opaque, uint64_t gpa, uint64_t size);
int vkvm_memory_zero(void *opaque);
void vkvm_memory_destroy(struct vkvm_backend *backend);
/* The region with @gpn, or NULL. table_lock held, or M. */
struct region *vkvm_memory_find(struct vkvm_backend *backend, uint64_t gpn);
/* Copies guest RAM of no VTL in particular. False: not all of it is RAM of one region. */
bool vkvm_memory_read(struct vkvm_backend *backend, uint64_t gpa, void *data, size_t size);
/* Whether @vtl has memory of any kind at @gpa: an access there is not MMIO. */
bool vkvm_memory_is_backed(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpa);

/* memory/overlay.c */
int vkvm_overlay_memory(void *opaque, uint32_t pages, void **host);
int vkvm_overlay_map(void *opaque, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access);
int vkvm_overlay_unmap(void *opaque, uint8_t vtl, uint64_t gpn);
void vkvm_overlay_destroy(struct vkvm_backend *backend);
/* The overlay that @vtl has at @gpn, or NULL. Engine lock held, or M. */
struct overlay_place *vkvm_overlay_find(const struct vkvm_backend *backend, uint8_t vtl,
					uint64_t gpn);
/* Whether an overlay is all that @vtl has at @gpn. table_lock held, or M. */
bool vkvm_overlay_has_slot(const struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn);

/* msr/msr.c */
int vkvm_msr_filter_init(struct vkvm_backend *backend, uint8_t vtl);
int vkvm_msr_intercept(void *opaque, uint8_t vtl, uint32_t msr, bool read, bool write);
int vkvm_msr_find(struct vkvm_backend *backend);
int vkvm_msr_load(struct vcpu *vcpu);
int vkvm_msr_store(struct vcpu *vcpu);
/* RDMSR and WRMSR as the CPU does them. False: #GP. */
bool vkvm_msr_native(struct vcpu *vcpu, uint32_t msr, bool write, uint64_t *value);

/* vp/vcpu.c */
int vkvm_vp_create(void *opaque, uint32_t index, uint32_t apic_id, const struct cpuid_leaf *leaves,
		   size_t leaf_count, void **vp, struct vcpu_state **state);
void vkvm_vp_destroy(void *opaque);
/* Gives the vCPU the partition's TSC; the first one settles what that is. */
int vkvm_vcpu_set_tsc(struct vcpu *vcpu);
int vkvm_vp_tsc_offset(void *opaque, uint8_t vtl, uint64_t offset);
int vkvm_vp_show_invariant_tsc(void *opaque, bool shown);

/* count.c */
/* The count itself. False: it is not known. */
bool count_now(const struct vcpu *vcpu, uint64_t *value);
/* Whether the count of exits can be relied on, into backend->can. */
void count_find(struct vkvm_backend *backend);
void count_init(struct vcpu *vcpu);
/* Whether debug registers and XCR0 are what they were at count_start(). */
bool count_says_unchanged(const struct vcpu *vcpu);
/* Whether the guest can neither read nor write the XSAVE area; if nothing changed, nor could it before. */
bool count_says_fpu_is_closed(const struct vcpu *vcpu);
void count_start(struct vcpu *vcpu);
/* KVM_RUN begins. */
void count_enter(struct vcpu *vcpu);
/* KVM_RUN has returned with an exit; @finished_first: it had an instruction to finish before that. */
void count_return(struct vcpu *vcpu, bool finished_first);

/* shared_fpu.c: all but the first two do nothing, and say no, where features.fpu_shared is not set */
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

/* events.c */
void events_from_kvm(const struct kvm_sync_regs *regs, struct vcpu_events *to);
/*
 * What the core did not change since it had @old keeps in @to what its form cannot say: whether an exception is
 * pending or half delivered, and which instruction casts the shadow.
 */
void events_to_kvm(const struct vcpu_events *from, const struct vcpu_events *old, uint64_t rflags,
		   struct kvm_vcpu_events *to);
void events_load(struct vcpu *vcpu);
void events_store(struct vcpu *vcpu);

/* state.c */
int vkvm_vp_load(void *opaque, uint8_t vtl, uint32_t groups);
/* Gives dirty groups to KVM: some at once, those that travel with kvm_run at the next entry. */
int vkvm_state_store(struct vcpu *vcpu);
bool vkvm_vp_can_inject(void *opaque, uint8_t vtl);
int vkvm_vp_flush_tlb(void *opaque, uint8_t vtl);
/* Loads @groups into the register file; to be changed by the backend itself. */
struct vcpu_state *vkvm_state_edit(struct vcpu *vcpu, uint32_t groups);
/* The general registers of a snapshot. */
void vkvm_state_from_snapshot(struct vcpu_state *state, const struct snapshot *snapshot);
void snapshot_take(const struct vcpu *vcpu, struct snapshot *snapshot);
void snapshot_restore(struct vcpu *vcpu, const struct snapshot *snapshot);

/* enter.c: into KVM and back */
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
int enter_set_timer(struct vkvm_vp *vp, uint64_t deadline);
uint64_t vkvm_tsc(void *opaque);
int vkvm_tsc_set(void *opaque, uint64_t value);
void vkvm_vp_kick(void *opaque);
int vkvm_vp_wait(void *opaque, uint64_t deadline);

/* run.c */
int vkvm_vp_run(void *opaque, struct backend_run *run);

/* exit.c: what KVM_RUN came back with, in the core's words. */
void vkvm_exit_translate(struct vcpu *vcpu, struct backend_run *run);
void exit_describe_registers(const struct vcpu *vcpu, enum vsm_log_level level, const char *what);

/* violation.c */
/* An access that the event thread stopped, at the instruction. */
void violation_exit(struct vcpu *vcpu, struct backend_run *run, const struct violation *violation);
/* RIP was set while an instruction was still to be finished, which is thereby given up. */
bool violation_is_given_up(const struct vcpu *vcpu);
/* KVM's emulator was refused RAM and takes it for MMIO. */
void violation_mmio(struct vcpu *vcpu, struct backend_run *run);

/* vp/answer.c */
int vkvm_vp_answer(void *opaque, struct backend_run *run, enum backend_answer answer);
/* Has KVM finish the exit and what follows of its instruction, without effect. *goes_on is set if anything did. */
int answer_finish(struct vcpu *vcpu, bool *goes_on);
/* The same, and puts the registers back. */
int answer_undo(struct vcpu *vcpu, const struct snapshot *snapshot);
/* The same, but registers that the core has set since the exit stay as they were set. */
int answer_undo_but_set(struct vcpu *vcpu, const struct snapshot *snapshot);

/* port_io.c */
/* Whether an exit of KVM_EXIT_IO is the hypercall instruction. */
bool io_is_hypercall(struct vcpu *vcpu);
/* RETRY of port I/O; io.string and io.repeat of @run say what it was. */
int io_take_back(struct vcpu *vcpu, struct backend_run *run);

/* walk.c: memory as the VTL itself may read it */
/* Whether the fetch at RIP needs @gpa's page; *table: a page table on the way is in it. */
bool fetch_needs(struct vcpu *vcpu, uint64_t gpa, bool *table);
/* The linear address of code, and what the VTL needs to execute there (enum gpa_access). */
uint64_t fetch_address(const struct vcpu *vcpu, uint64_t rip);
uint8_t fetch_right(const struct vcpu *vcpu);
/* Copies from @address where the VTL has the rights @access. Returns how many bytes there were. */
size_t read_linear(struct vcpu *vcpu, uint64_t address, uint8_t access, void *data, size_t size);

#endif
