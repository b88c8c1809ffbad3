/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest virtual to guest physical addresses: a walk of x86 page tables.
 *
 * Stand-alone: needs only this header and the static library vsm-walk. No memory is allocated, no
 * I/O done, no state kept. vsm_walk() may run on any number of threads at once, also while the
 * guest runs: entries are read with one load, and only changed by compare-exchange.
 *
 * All formats of SDM volume 3, chapter 4 ("Paging"): none, 32-bit with PSE and PSE-36, PAE,
 * 4-level, 5-level. Not considered: LAM (give the address without its metadata), LASS, shadow-stack
 * accesses (refused), the MTRRs and CR0.CD (the cache type is the page's own).
 *
 * 	struct vsm_walk_direct ram = {.gpa = 0, .size = ram_size, .host = ram_pointer};
 * 	struct vsm_walk_memory memory = {.direct = &ram, .direct_count = 1};
 * 	struct vsm_walk_context context = {.cr0 = ..., .cr3 = ..., .max_phys_addr = 40};
 * 	struct vsm_walk_request request = {.gva = rip, .access = VSM_WALK_EXECUTE};
 * 	struct vsm_walk_result result;
 *
 * 	if (vsm_walk(&context, &memory, &request, &result) == VSM_WALK_OK)
 * 		... result.gpa ...
 * 	else if (result.vector)
 * 		... inject result.vector with result.error_code, CR2 = rip ...
 *
 * docs/walk.md has the whole example and the mapping to HvCallTranslateVirtualAddress.
 */
#ifndef VSM_WALK_H
#define VSM_WALK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* SDM 3A 4.5: 5-level paging. Level 1 maps 4 KiB pages. */
#define VSM_WALK_MAX_LEVELS 5

/*
 * A walk restarts when a compare-exchange finds an entry changed. After this many attempts it
 * returns VSM_WALK_TRY_AGAIN, so that no guest can keep it busy: a walk reads at most
 * VSM_WALK_MAX_LEVELS * VSM_WALK_MAX_ATTEMPTS entries.
 */
#define VSM_WALK_MAX_ATTEMPTS 16

/* Features of the guest's CPU that its control registers do not show. */
enum vsm_walk_cpu {
	/*
	 * CPUID 1.EDX[17]: 4 MiB pages above 4 GiB in 32-bit paging; without it their address bits
	 * are reserved.
	 */
	VSM_WALK_CPU_PSE36 = 1 << 0,
	/* CPUID 0x80000001.EDX[26]: 1 GiB pages; without it PS in a PDPTE is reserved. */
	VSM_WALK_CPU_PAGE1GB = 1 << 1,
	/* AMD (APM volume 2, 5.3): bit 8 of PML5E and PML4E is reserved; Intel ignores it. */
	VSM_WALK_CPU_PML4E_BIT8_RESERVED = 1 << 2,
	/* PAE: uses context.pdpte[] (loaded at MOV to CR3, SDM 3A 4.4.1) instead of memory. */
	VSM_WALK_CPU_PDPTES_LOADED = 1 << 3,
};

/*
 * The registers of the virtual processor that a walk depends on. Any value is legal: for a
 * combination that no CPU can have, the result is meaningless, but the walk is safe.
 */
struct vsm_walk_context {
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t efer;	   /* LMA (bit 10), not LME, selects 4-level and 5-level paging */
	uint64_t rflags;   /* AC (bit 18) */
	uint64_t pat;	   /* IA32_PAT */
	uint64_t pdpte[4]; /* only with VSM_WALK_CPU_PDPTES_LOADED */
	uint32_t pkru;
	uint32_t pkrs;	       /* IA32_PKRS */
	uint32_t cpu;	       /* enum vsm_walk_cpu, or-ed */
	uint8_t cpl;	       /* 0-3 (SS.DPL); privilege if the request does not state it */
	uint8_t max_phys_addr; /* MAXPHYADDR, CPUID 0x80000008.EAX[7:0]: 32-52 */
};

/* Why the caller's memory refuses an access. The walk does not interpret the values. */
enum vsm_walk_refusal {
	VSM_WALK_ALLOWED = 0,
	VSM_WALK_UNMAPPED = 1,	 /* no memory at the GPA */
	VSM_WALK_NO_READ = 2,	 /* memory that may not be read (or not be executed) */
	VSM_WALK_NO_WRITE = 3,	 /* memory that may not be written */
	VSM_WALK_OVERLAY = 4,	 /* an overlay page on which this access is illegal */
	VSM_WALK_INTERCEPT = 5,	 /* denied by a higher VTL, which gets an intercept */
	VSM_WALK_UNACCEPTED = 6, /* the guest has not accepted the page */
	/* compare_exchange only: the entry no longer holds the value expected. */
	VSM_WALK_CHANGED = 7,
};

/*
 * Guest memory that is accessed without a function. Memory that needs a check for each access
 * (pages that a VTL protects, overlays, MMIO) must lie outside of it. gpa, size and host are
 * multiples of 4096; host[0..size) stays mapped for the time of the walk.
 */
struct vsm_walk_direct {
	uint64_t gpa;
	uint64_t size; /* bytes */
	void *host;
	bool read_only; /* A/D bits go through compare_exchange (or are refused without one) */
};

/*
 * How page-table entries are accessed. A GPA is first looked up in direct[], in order; for other
 * GPAs the functions are called. Each function may be NULL.
 *
 * Each GPA lies below 2^MAXPHYADDR; that of an entry is aligned to @size, 8 or 4 (32-bit paging).
 * The functions run on the thread that called vsm_walk() and may not change the context, the
 * request or this structure.
 */
struct vsm_walk_memory {
	const struct vsm_walk_direct *direct;
	uint32_t direct_count;
	/* Reads one entry with a single load. NULL: VSM_WALK_UNMAPPED. */
	enum vsm_walk_refusal (*read)(void *opaque, uint64_t gpa, unsigned int size,
				      uint64_t *entry);
	/*
	 * Atomically replaces @expected by @desired. VSM_WALK_CHANGED: the entry had another value
	 * and was not changed. NULL: VSM_WALK_NO_WRITE.
	 */
	enum vsm_walk_refusal (*compare_exchange)(void *opaque, uint64_t gpa, unsigned int size,
						  uint64_t expected, uint64_t desired);
	/*
	 * Whether the page may be accessed with @access (enum vsm_walk_access, or-ed). Called once
	 * for each attempt that the page tables allow, before A and D bits are changed. @user: a
	 * user page by its U/S bits (for mode-based execute control). NULL: allowed.
	 */
	enum vsm_walk_refusal (*check_page)(void *opaque, uint64_t gpa, unsigned int access,
					    bool user);
	void *opaque;
};

/* The accesses to check. With 0, only the translation is checked. */
enum vsm_walk_access {
	VSM_WALK_READ = 1 << 0,
	VSM_WALK_WRITE = 1 << 1,
	VSM_WALK_EXECUTE = 1 << 2,
};

/*
 * The privilege of the access. With none of the first four, the context's CPL decides (3: user).
 * USER and SUPERVISOR together: both must be allowed. EXEMPT overrides all of them, IMPLICIT
 * overrides USER and SUPERVISOR.
 */
enum vsm_walk_flag {
	VSM_WALK_USER = 1 << 0,
	VSM_WALK_SUPERVISOR = 1 << 1, /* an explicit supervisor access: EFLAGS.AC overrides SMAP */
	/*
	 * An implicit supervisor access (descriptor tables, TSS; SDM 3A 4.6): made by the CPU, at
	 * any CPL, and EFLAGS.AC does not override SMAP.
	 */
	VSM_WALK_IMPLICIT = 1 << 2,
	/* No check of U/S, SMEP and SMAP. R/W (under CR0.WP), XD and PKRU are still checked. */
	VSM_WALK_EXEMPT = 1 << 3,
	VSM_WALK_ENFORCE_SMAP = 1 << 4,	 /* as if EFLAGS.AC were 0 */
	VSM_WALK_OVERRIDE_SMAP = 1 << 5, /* as if EFLAGS.AC were 1; ENFORCE has priority */
	VSM_WALK_SHADOW_STACK = 1 << 6,	 /* the walk returns VSM_WALK_UNSUPPORTED */
};

/* What happens to accessed and dirty bits (SDM 3A 4.8). */
enum vsm_walk_ad {
	/* No entry is written. */
	VSM_WALK_AD_LEAVE = 0,
	/*
	 * If all accesses are allowed, sets A in every entry used, and D in the last for a write.
	 */
	VSM_WALK_AD_SET = 1,
	/*
	 * As AD_SET; if the walk fails, also sets A, never D, in the entries above the one that
	 * stopped it (in all entries if check_page refused). For a caller that then injects the
	 * page fault.
	 */
	VSM_WALK_AD_SET_TO_FAILURE = 2,
};

struct vsm_walk_request {
	/* Outside of 4-level and 5-level paging only bits 31:0 count. */
	uint64_t gva;
	uint32_t access; /* enum vsm_walk_access, or-ed */
	uint32_t flags;	 /* enum vsm_walk_flag, or-ed */
	enum vsm_walk_ad ad;
};

/* Every reason except VSM_WALK_OK means that the access is not allowed. */
enum vsm_walk_reason {
	VSM_WALK_OK = 0,
	/* The linear address: general protection (or stack) fault. */
	VSM_WALK_NON_CANONICAL = 1,
	/* Page faults by the tables: no translation. All accesses fail. */
	VSM_WALK_NOT_PRESENT = 2,
	VSM_WALK_RESERVED_BIT = 3,
	/* Page faults by access rights (SDM 3A 4.6): there is a translation. */
	VSM_WALK_USER_DENIED = 4, /* user access to a supervisor page */
	/* R/W is 0 in an entry, and CR0.WP is 1 or the access a user access */
	VSM_WALK_WRITE_DENIED = 5,
	VSM_WALK_EXECUTE_DENIED = 6, /* XD is 1 in an entry */
	VSM_WALK_SMEP_DENIED = 7,    /* supervisor fetch from a user page */
	VSM_WALK_SMAP_DENIED = 8,    /* supervisor data access to a user page */
	VSM_WALK_KEY_DENIED = 9,     /* protection key: PKRU or IA32_PKRS */
	/*
	 * Refused by the caller's memory, see result.refusal; by itself not a fault of the guest.
	 */
	VSM_WALK_TABLE_NOT_READABLE = 10,
	/*
	 * An A or D bit could not be set. With AD_SET_TO_FAILURE, has priority over a fault at a
	 * lower level.
	 */
	VSM_WALK_TABLE_NOT_WRITABLE = 11,
	VSM_WALK_PAGE_REFUSED = 12, /* refused by check_page */
	/* Entries kept changing; not an error: run the guest, or walk again. */
	VSM_WALK_TRY_AGAIN = 13,
	VSM_WALK_UNSUPPORTED = 14, /* VSM_WALK_SHADOW_STACK */
	VSM_WALK_INVALID = 15,	   /* MAXPHYADDR, access, flags or ad out of range */
};

/* What all entries together permit, independent of CPL and control registers. */
enum vsm_walk_right {
	VSM_WALK_RIGHT_WRITE = 1 << 0,	 /* R/W is 1 in all */
	VSM_WALK_RIGHT_USER = 1 << 1,	 /* U/S is 1 in all */
	VSM_WALK_RIGHT_EXECUTE = 1 << 2, /* XD is 0 in all */
	VSM_WALK_RIGHT_GLOBAL = 1 << 3,	 /* G is 1 in the last entry, and CR4.PGE is 1 */
};

/* A memory type in the encoding of IA32_PAT (SDM 3A, table 12-10). */
enum vsm_walk_cache {
	VSM_WALK_CACHE_UC = 0,
	VSM_WALK_CACHE_WC = 1,
	VSM_WALK_CACHE_WT = 4,
	VSM_WALK_CACHE_WP = 5,
	VSM_WALK_CACHE_WB = 6,
	VSM_WALK_CACHE_UC_MINUS = 7,
};

/*
 * The result. Written completely by every call; unknown fields are 0.
 *
 * There is a translation (gpa, page_shift, rights, cache, key, allowed are valid) for VSM_WALK_OK,
 * for the access-rights reasons (USER_DENIED to KEY_DENIED), PAGE_REFUSED, and TABLE_NOT_WRITABLE
 * if all entries up to the page were read. In every other case `translated` is false and these
 * fields are 0.
 */
struct vsm_walk_result {
	uint64_t gpa; /* of the byte at gva; below 2^MAXPHYADDR */
	/*
	 * What stopped the walk: the GPA of the entry (for USER_DENIED, WRITE_DENIED and
	 * EXECUTE_DENIED the topmost that denies, for SMEP, SMAP and keys the last), or for
	 * PAGE_REFUSED of the byte itself. On success the GPA of the last entry; 0 without paging
	 * and for a PDPTE that was not read from memory.
	 */
	uint64_t stop_gpa;
	/*
	 * The level of that entry: 1 (PTE) to 5 (PML5E), 0 for the page itself and without
	 * paging. On success the level of the page: 1 for 4 KiB, 2 for 2 and 4 MiB, 3 for 1 GiB,
	 * 0 without paging.
	 */
	uint8_t level;
	uint8_t reason;	     /* enum vsm_walk_reason; also the return value */
	uint8_t refusal;     /* enum vsm_walk_refusal */
	uint8_t vector;	     /* fault that the CPU would raise: 14, 13 (non-canonical), 0: none */
	uint32_t error_code; /* of that fault */
	bool translated;
	uint8_t page_shift; /* log2 of the page's size: 12, 21, 22, 30; 12 without paging */
	uint8_t rights;	    /* enum vsm_walk_right, or-ed */
	uint8_t cache;	    /* enum vsm_walk_cache */
	uint8_t key;	    /* protection key, 0-15; 0 outside of 4-level and 5-level paging */
	uint8_t allowed;    /* every access that the access rights allow, requested or not */
	uint8_t failed;	    /* the requested accesses that failed */
	uint8_t attempts;   /* 1, or more if entries changed; 0: no walk */
	/*
	 * For each of read, write, execute (index = bit number): why it is not allowed by the
	 * access rights (USER_DENIED to KEY_DENIED), requested or not; VSM_WALK_OK if it is
	 * allowed. All 0 without a translation. `reason`, `stop_gpa` and `error_code` are those of
	 * the first access that failed, in the order write, read, execute: for a failed
	 * read-modify-write, the CPU reports a write.
	 */
	uint8_t why[3];
};

/*
 * Translates request->gva and checks whether the requested accesses are allowed. Returns:
 * result->reason, VSM_WALK_OK when all of them are.
 *
 * Order of checks (SDM 3A 4.7): canonical, then for each level from the top present and reserved
 * bits, then access rights by all levels together, then memory->check_page, then A and D bits. An
 * entry is read once in each attempt; an attempt that finds an entry changed restarts from the top.
 * A walk that restarts, or ends with TABLE_NOT_WRITABLE, may leave A (never D) set in entries that
 * it used before, as a CPU may.
 *
 * Callable at any time from any thread. No argument may be NULL.
 */
enum vsm_walk_reason vsm_walk(const struct vsm_walk_context *context,
			      const struct vsm_walk_memory *memory,
			      const struct vsm_walk_request *request,
			      struct vsm_walk_result *result);

/* The name of a reason in lower case with spaces ("not present", ...), "?" for any other number. */
const char *vsm_walk_reason_name(enum vsm_walk_reason reason);

#ifdef __cplusplus
}
#endif

#endif
