/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface between the core and a backend, which executes guest code and implements no VSM
 * policy.
 *
 * Functions of `struct backend_ops` that take a VP are called by the thread that owns this VP,
 * except vp_kick, which any thread may call at any time. Functions that take the backend may be
 * called by any thread; the core serialises hold, disable, memory_*, overlay_*, protect and,
 * except guard_denied, guard_* with its memory lock.
 *
 * Results are 0 or -errno. A function that fails has logged why.
 */
#ifndef CORE_BACKEND_H
#define CORE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vsm/cpuid.h>
#include <vsm/debug.h>
#include <vsm/hv/hv.h>
#include <vsm/log.h>

#include "core/vcpu_msr.h"

struct vsm_partition;

/* Groups of registers that are loaded and stored together. */
enum vcpu_group {
	VCPU_GPR = 1u << 0,    /* general registers, RIP, RFLAGS */
	VCPU_SYSTEM = 1u << 1, /* control registers, EFER, segments, descriptor tables */
	VCPU_DEBUG = 1u << 2,  /* DR0-DR3, DR6, DR7 */
	VCPU_FPU = 1u << 3,    /* the XSAVE area */
	VCPU_XCR0 = 1u << 4,
	VCPU_MSR = 1u << 5,    /* the private MSRs of enum vcpu_msr */
	VCPU_EVENTS = 1u << 6, /* pending and injected events, NMI mask, interrupt shadow */
	VCPU_SMM = 1u << 7,    /* SMBASE */
	VCPU_ALL = (1u << 8) - 1,
};

/* In the order of HvX64RegisterRax and following. */
enum vcpu_gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R15 = 15,
	GPR_COUNT,
};

/* In the order of HvX64RegisterEs and following. */
enum vcpu_segment {
	SEGMENT_ES,
	SEGMENT_CS,
	SEGMENT_SS,
	SEGMENT_DS,
	SEGMENT_FS,
	SEGMENT_GS,
	SEGMENT_LDTR,
	SEGMENT_TR,
	SEGMENT_COUNT,
};

/* Events that the CPU has not finished delivering. */
struct vcpu_events {
	bool exception_pending; /* to be delivered at the next entry */
	bool exception_has_error_code;
	uint8_t exception_vector;
	uint32_t exception_error_code;
	uint64_t
		exception_parameter; /* CR2 of a #PF, DR6 bits of a #DB; takes effect at delivery */
	bool interrupt_injected;     /* into the CPU, not delivered yet */
	bool interrupt_soft;	     /* by INT n, not by an APIC */
	uint8_t interrupt_vector;
	uint8_t nmi_pending; /* 0 to 2 */
	bool nmi_injected;
	bool nmi_masked;
	bool interrupt_shadow; /* of STI or MOV SS */
	/* VTL0, with features.smm. */
	bool smi_pending; /* taken at the next entry, if not in SMM */
	bool smm;	  /* in System Management Mode, in which NMIs are masked */
	bool smm_in_nmi;  /* NMIs were masked before the SMI, and are again after RSM */
};

/*
 * The registers of one VTL of one VP, in memory of the backend. The core reads a group with
 * vcpu_get() and changes it with vcpu_edit(). Groups that are not `valid` are undefined.
 */
struct vcpu_state {
	uint32_t valid; /* groups loaded from the CPU since it last ran */
	uint32_t dirty; /* groups that the backend loads into the CPU before it next runs */

	uint64_t gpr[GPR_COUNT];
	uint64_t rip;
	uint64_t rflags;

	uint64_t cr0;
	uint64_t cr2;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t efer;
	struct hv_x64_segment_register segment[SEGMENT_COUNT];
	struct hv_x64_table_register idtr;
	struct hv_x64_table_register gdtr;

	uint64_t dr[4];
	uint64_t dr6;
	uint64_t dr7;

	uint8_t *xsave;	     /* standard format: legacy area, header at 512, AVX at 576 */
	uint32_t xsave_size; /* bytes, at least 576 */

	uint64_t xcr0;
	uint64_t msr[VCPU_MSR_COUNT];
	uint64_t smbase; /* SDM 3C, "SMBASE Relocation"; VTL0, with features.smm */
	struct vcpu_events events;
};

/* Rights of a VTL to a page, in the order of HV_MAP_GPA_FLAGS. */
enum gpa_access {
	GPA_READ = 1u << 0,
	GPA_WRITE = 1u << 1,
	GPA_KERNEL_EXECUTE = 1u << 2,
	GPA_USER_EXECUTE = 1u << 3,
	GPA_EXECUTE = GPA_KERNEL_EXECUTE | GPA_USER_EXECUTE,
	GPA_ALL = 0xf,
};

struct gpa_range {
	uint64_t gpn;
	uint64_t pages;
};

/* Valid as long as the map has a page of the file. */
struct backend_file {
	int fd;		/* of shared memory, with small pages */
	uint64_t pages; /* size of the file */
	uint8_t *host;	/* the core's own mapping of the file, which no protection restricts */
};

struct backend_memory {
	uint64_t gpn;
	uint64_t pages;
	const struct backend_file *file;
	uint64_t page; /* first page in the file */
	bool readonly; /* a write that the rights allow is an exit MMIO */
	bool log;      /* writes are recorded for memory_dirty() */
	bool smm;      /* VTL0 has this memory only in System Management Mode */
};

/* The VMM's own mapping of a run of guest memory. */
struct backend_guard {
	uint8_t *host;
	uint64_t gpn;
	uint64_t pages;
	const struct backend_file *file;
	uint64_t page; /* first page in the file */
};

/* Writes by VTL0 that signal an eventfd instead of an exit. */
struct backend_doorbell {
	bool port;	  /* the address is a port, else a GPA without memory */
	bool match;	  /* only writes of `data` */
	uint32_t length;  /* of the write, bytes; 0: any */
	uint64_t address; /* of its first byte */
	uint64_t data;
	int fd;
};

enum backend_exit {
	BACKEND_EXIT_INTERRUPTED, /* kicked, a signal, or an exit that the backend has handled */
	BACKEND_EXIT_DEADLINE,	  /* run.deadline has passed */
	BACKEND_EXIT_HYPERCALL,	  /* RIP at the instruction, `length` long; not executed */
	BACKEND_EXIT_MSR_READ,	  /* of an MSR that the backend does not emulate */
	BACKEND_EXIT_MSR_WRITE,
	BACKEND_EXIT_MEMORY, /* denied by protection or overlay; RIP at the instruction */
	BACKEND_EXIT_IO,
	BACKEND_EXIT_MMIO,     /* no memory in the mode of the VTL, or a write to readonly memory */
	BACKEND_EXIT_HALT,     /* RIP after the HLT */
	BACKEND_EXIT_WINDOW,   /* an interrupt can be injected now */
	BACKEND_EXIT_CR_WRITE, /* features.cr_intercepts: not executed, RIP at the instruction */
	BACKEND_EXIT_SHUTDOWN, /* triple fault */
	BACKEND_EXIT_DEBUG,    /* requested by vp_debug(); a stepped instruction has completed */
	BACKEND_EXIT_YIELD,    /* there is nothing to run: vsm_vp_run() returns */
	BACKEND_EXIT_ERROR,    /* fatal; the backend has logged why */
};

struct backend_run {
	/* In. */
	uint8_t vtl;
	uint8_t cr8;	       /* task priority class 0-15 of this VTL's APIC; also an output */
	bool apic_enabled;     /* this VTL's APIC is on: shown by CPUID (SDM 3A 11.4.3) */
	bool interrupt_window; /* exit as soon as an interrupt can be injected */
	/*
	 * GPA_USER_EXECUTE governs fetches from user pages while this VTL has CR4.SMEP on, or the
	 * CPU has no SMEP; GPA_KERNEL_EXECUTE governs all others. Only with features.mbec.
	 */
	bool mbec;
	int16_t inject;	   /* vector to inject, or -1; only while vp_can_inject() is true */
	uint64_t deadline; /* TSC value at which to exit, or UINT64_MAX */

	/* Out. */
	enum backend_exit exit;
	uint8_t length; /* of the instruction; 0: unknown */
	union {
		struct {
			uint32_t index;
			uint64_t data; /* of a write; the core fills it for a read */
		} msr;
		struct {
			uint64_t gpa; /* exact, or the page's first byte if !exact */
			/* of the byte at gpa, if gva_valid; never valid for a page walk */
			uint64_t gva;
			uint8_t access; /* enum gpa_access: one of READ, WRITE, a bit of EXECUTE */
			bool exact;
			bool gva_valid;
			bool page_walk; /* the CPU's page walk made the access */
			/*
			 * If set and the core allows @access at @gpa, an access of another operand
			 * was denied.
			 */
			bool other_operand;
		} memory;
		struct {
			uint64_t gpa;
			uint8_t size; /* 1, 2, 4, 8 */
			bool write;
			uint8_t data[8]; /* of a write; the core fills it for a read */
		} mmio;
		struct {
			uint16_t port;
			uint8_t size; /* 1, 2, 4 */
			bool write;
			bool string;
			bool repeat;
			uint32_t count;
			uint8_t *data; /* size * count bytes, valid until the next run */
		} io;
		struct {
			uint64_t rip;
			uint64_t cr2;
			/* rip, cr2 of the last entry: the CPU has reset the registers */
			bool at_entry;
		} shutdown;
		struct {
			uint32_t control; /* index of the HV_CR_INTERCEPT bit */
			uint64_t value;	  /* what the instruction would have written */
		} cr;
		struct {
			uint32_t cause; /* enum vsm_debug_flags: SOFTWARE, HARDWARE, STEP */
			uint64_t dr6;	/* breakpoints that were hit */
		} debug;
	};
};

/* The completion of an exit in the middle of an instruction (MSR, CR, MMIO, IO). */
enum backend_answer {
	BACKEND_DONE,	/* complete the instruction; a read returns the data of the run structure */
	BACKEND_FAULT,	/* #GP(0) at the instruction (MSR only) */
	BACKEND_NATIVE, /* the CPU executes it (MSR, CR) */
	BACKEND_RETRY,	/* undo it: no effect, RIP at the instruction again */
};

/* Capabilities of the backend on this host; filled by create(). */
struct backend_features {
	/*
	 * Rights that can be denied (enum gpa_access). GPA_READ: only together with all other
	 * rights. Each other bit: also while the page stays readable.
	 */
	uint8_t protect;
	bool mbec;	     /* user and kernel execute can differ */
	bool msr_intercepts; /* msr_intercept() works */
	bool dr6_shared;     /* VsmCapabilities.Dr6Shared */
	bool smm;	     /* VTL0 has System Management Mode (config.smm) */
	/*
	 * The register files of all VTLs of a VP have the same XSAVE area: a VTL switch does not
	 * copy it, and a change of VCPU_FPU in one file changes all.
	 */
	bool fpu_shared;
	bool long_mode_only; /* no 32-bit VTL */
	/* CR4.LA57, not CPUID, decides if an MSR's address is canonical */
	bool msr_address_by_la57;
	uint64_t cr_intercepts; /* HV_CR_INTERCEPT_* bits of registers (not MSRs) that exit */
	uint8_t hypercall[3];	/* the instruction in the hypercall page: causes EXIT_HYPERCALL */
	uint8_t hypercall_length;
	uint8_t gpa_bits; /* physical address bits of the guest */
	uint64_t tsc_hz;
	bool tsc_invariant; /* constant rate in all power states (SDM 3B 18.17.1) */
	uint64_t xcr0_supported;
	uint64_t cr0_valid; /* bits that may be 1 */
	uint64_t cr4_valid;
	uint64_t efer_valid;
	uint64_t msr_valid[VCPU_MSR_COUNT]; /* bits that may be 1; 0: no such MSR */
};

/* A CPUID leaf that the core provides (the hypervisor range). */
struct cpuid_leaf {
	uint32_t leaf;
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

typedef void backend_cpuid_fn(void *vp, uint32_t leaf, uint32_t subleaf, uint32_t value[4]);

/* Conditions that stop a VTL (vsm/debug.h). */
struct backend_debug {
	uint32_t flags; /* enum vsm_debug_flags: SOFTWARE, HARDWARE, STEP */
	uint64_t dr[4]; /* HARDWARE */
	uint64_t dr7;
};

struct backend_config {
	const struct vsm_log *log;
	uint32_t vp_count;
	uint8_t vtl_count; /* 1-16 */
	bool smm;	   /* VTL0 has System Management Mode; -ENOTSUP if the backend lacks it */
	/* Reports a denied access to a guarded mapping. The thread holds no lock. May be NULL. */
	void (*refused)(void *opaque, uint64_t gpa, bool write);
	void *refused_opaque;
	const void *options; /* of this backend, or NULL */
};

struct backend_ops {
	const char *name;

	int (*create)(const struct backend_config *config, void **backend,
		      struct backend_features *features);
	void (*destroy)(void *backend);

	/*
	 * From hold() to release() no VP executes guest code or accesses guest memory through the
	 * backend. Calls are not nested. NULL: no VP of the backend runs concurrently with a
	 * change.
	 */
	void (*hold)(void *backend);
	void (*release)(void *backend);
	/*
	 * Called after a failure that leaves memory or rights undefined, also between hold() and
	 * release(): VPs leave guest code before it returns, vp_run(), vp_answer() and vp_load()
	 * fail with -EIO from then on, and open instructions are never completed.
	 */
	void (*disable)(void *backend);
	/*
	 * Replaces the map of guest memory by @map: @count runs that ascend and do not overlap.
	 * @gone has the pages of the present map that are not in @map, or are there with another
	 * page of a file, another `readonly` or another `smm`. All other pages keep the rights of
	 * protect(); pages that are new have all rights in every VTL. No page of @gone and no new
	 * page has an overlay. VPs are held. On failure the old map is in force, but rights of
	 * @gone may be lost; -ENOTRECOVERABLE: neither map is.
	 */
	int (*memory_set)(void *backend, const struct backend_memory *map, size_t count,
			  const struct gpa_range *gone, size_t gone_count);
	/*
	 * Sets in @bitmap, of @run->pages bits, the pages of @run that VTLs have written to since
	 * the last call or since `log` was set. Bits of other pages may be set, too. @run is a run
	 * of the map with `log` set. Not concurrent with memory_set(); VPs may run.
	 */
	int (*memory_dirty)(void *backend, const struct backend_memory *run, uint64_t *bitmap);
	/*
	 * Guards the VMM's mapping: guard_protect() sets the rights (read, write) of @pages from
	 * @host, which are all allowed after guard_add(). A denied access calls config.refused.
	 * guard_remove() ends the guard with all rights allowed. A page is added once; the other
	 * two functions accept ranges that were added by several calls. NULL: not supported.
	 */
	int (*guard_add)(void *backend, const struct backend_guard *memory);
	void (*guard_remove)(void *backend, void *host, uint64_t pages);
	int (*guard_protect)(void *backend, void *host, uint64_t pages, uint8_t access);
	/*
	 * Sets the bits in @bitmap of pages from @host on that are denied a right, or whose mapping
	 * was replaced because a denied page that a device accessed got no stand-in.
	 */
	void (*guard_denied)(void *backend, const void *host, uint64_t pages, uint64_t *bitmap);
	/* Ends all open instructions, before RAM is zeroed. No VP runs. NULL: there are none. */
	int (*finish_all)(void *backend);

	/*
	 * Sets the rights @access of @vtl to the memory of @ranges on every VP, in force when it
	 * returns. A page that an overlay covers gets them when the overlay is unmapped; until then
	 * the overlay has those of overlay_map(). -ENOTSUP for rights that features.protect cannot
	 * deny (the core checks first).
	 */
	int (*protect)(void *backend, uint8_t vtl, const struct gpa_range *ranges, size_t count,
		       uint8_t access);

	/* Allocates @pages zeroed pages for overlays. Called once, before any overlay_map. */
	int (*overlay_memory)(void *backend, uint32_t pages, void **host);
	/*
	 * Maps page @page of the overlay memory at @gpn for @vtl, which may have no RAM there, with
	 * only the rights @access; they replace the rights of an overlay that is already mapped
	 * there. In force on every VP on return; until then each right is that of the old or of the
	 * new state. @access contains GPA_READ. GPA_WRITE can always be denied, an execute right as
	 * in features.protect and features.mbec; -ENOTSUP otherwise (the core checks first). A page
	 * is at one GPN of a VTL at most; after a failure it may be at none.
	 */
	int (*overlay_map)(void *backend, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access);
	/*
	 * Makes the RAM below visible again, with the rights of the last protect(). In force on
	 * return.
	 */
	int (*overlay_unmap)(void *backend, uint8_t vtl, uint64_t gpn);

	/*
	 * Starts or stops (@on) signalling an eventfd on writes of VTL0. In force on return; any VP
	 * may be running. -ENOTSUP: these writes have to exit. Stopping does not fail. The core
	 * keeps doorbells apart from memory, overlays, intercepted ports and each other. NULL: all
	 * writes exit.
	 */
	int (*doorbell)(void *backend, const struct backend_doorbell *doorbell, bool on);

	/* Makes accesses to an MSR by @vtl exit (or not). Any VP may be running. */
	int (*msr_intercept)(void *backend, uint8_t vtl, uint32_t msr, bool read, bool write);

	/*
	 * Sets the writes of control registers and descriptor tables by @vtl of @vp that exit:
	 * @control has HV_CR_INTERCEPT bits of features.cr_intercepts; a write of CR0 or CR4 exits
	 * only if a bit of the mask would change. Owner of @vp. Not called where
	 * features.cr_intercepts is 0.
	 */
	int (*vp_cr_intercept)(void *vp, uint8_t vtl, uint64_t control, uint64_t cr0_mask,
			       uint64_t cr4_mask);

	/*
	 * Replaces the conditions on which @vtl of @vp exits for a debugger. A STEP ends with
	 * EXIT_DEBUG if the CPU executes the instruction; if it exits instead, the core reports the
	 * step. Owner of @vp. NULL: not supported.
	 */
	int (*vp_debug)(void *vp, uint8_t vtl, const struct backend_debug *debug);

	/* Without the VTLs' offsets. */
	uint64_t (*tsc)(void *backend);
	/* Sets the partition's TSC to @value. No VP runs. NULL: no restore, and no stop of time. */
	int (*tsc_set)(void *backend, uint64_t value);
	/*
	 * RDTSC in this VTL of the VP gives tsc() + @offset from now on; 0 at first. Owner, or no
	 * VP runs. NULL: guests cannot write their TSC.
	 */
	int (*vp_tsc_offset)(void *vp, uint8_t vtl, uint64_t offset);
	/*
	 * Shows or hides the invariant TSC in CPUID 0x80000007 on every VP. It is hidden at first
	 * if leaf 0x40000003 has AccessTscInvariantControls. Owner, or no VP runs. NULL: never
	 * hidden.
	 */
	int (*vp_show_invariant_tsc)(void *vp, bool shown);

	/*
	 * @state: set to an array of vtl_count register files, which belong to the backend: all
	 * groups valid, all fields zero except the sizes; the core then writes the reset state.
	 */
	int (*vp_create)(void *backend, uint32_t index, uint32_t apic_id,
			 const struct cpuid_leaf *leaves, size_t leaf_count, void **vp,
			 struct vcpu_state **state);
	void (*vp_destroy)(void *vp);
	/*
	 * Replace the CPUID of vp_create() by the VMM's, before any VP runs. vp_check_cpuid()
	 * refuses (-EINVAL) features that the host does not offer, and clears in @features those
	 * that @entry lacks; vp_set_cpuid() sets @entry together with the core's leaves. Both are
	 * NULL if not supported.
	 */
	int (*vp_check_cpuid)(void *vp, const struct vsm_cpuid *entry, size_t count,
			      struct backend_features *features);
	int (*vp_set_cpuid)(void *vp, const struct vsm_cpuid *entry, size_t count,
			    const struct cpuid_leaf *leaves, size_t leaf_count);

	/* Loads @groups, none of which is valid, into the VTL's register file. */
	int (*vp_load)(void *vp, uint8_t vtl, uint32_t groups);
	/* Runs until the core has to act. @run holds the request and the result. */
	int (*vp_run)(void *vp, struct backend_run *run);
	/*
	 * Ends the exit that vp_run reported with @run. After an exit of MSR, MMIO or IO kind it is
	 * called before any other function for this VTL of the VP.
	 */
	int (*vp_answer)(void *vp, struct backend_run *run, enum backend_answer answer);
	/* Whether an external interrupt would be delivered at the next entry. */
	bool (*vp_can_inject)(void *vp, uint8_t vtl);
	/* Drops the VTL's translations of linear addresses before it next runs. */
	int (*vp_flush_tlb)(void *vp, uint8_t vtl);
	backend_cpuid_fn *vp_cpuid;

	/*
	 * Makes a running vp_run or vp_wait return soon, or the next one immediately. Any thread.
	 */
	void (*vp_kick)(void *vp);
	/*
	 * Sleeps until kicked or until the TSC has reached @deadline (UINT64_MAX: no deadline).
	 * -EAGAIN: nothing will ever wake it (a backend without threads); vsm_vp_run returns then.
	 */
	int (*vp_wait)(void *vp, uint64_t deadline);
};

#endif
