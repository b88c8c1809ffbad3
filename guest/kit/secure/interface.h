/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface between VTL0 and the secure kernel. A request is a VTL call (TLFS "VTL Call") with the
 * service in RBX and its arguments in R8, R9 and R10. The answer is in R8 (enum secure_kernel_status), R9,
 * R10 and R11. RAX and RCX belong to the VTL call, all other registers are preserved. Addresses are guest
 * physical. A buffer is RAM that VTL0 itself may access, and lies in one page; only measured ranges may span
 * pages. Requests are untrusted. VTL1 runs with interrupts off, so each request is bounded by
 * SECURE_KERNEL_PAGES_MAX and SECURE_KERNEL_MEASURE_MAX; larger jobs are several requests, between which VTL0
 * takes interrupts.
 */
#ifndef SECURE_KERNEL_INTERFACE_H
#define SECURE_KERNEL_INTERFACE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#define SECURE_KERNEL_VERSION	  3u
#define SECURE_KERNEL_PAGES_MAX	  256u	 /* pages of one SECURE_KERNEL_LOCK_RANGE */
#define SECURE_KERNEL_MEASURE_MAX 16384u /* bytes of one SECURE_KERNEL_MEASURE */
#define SECURE_KERNEL_HMAC_MAX	  4096u	 /* bytes of one SECURE_KERNEL_HMAC */
#define SECURE_KERNEL_SECRET_MAX  1024u	 /* bytes of one SECURE_KERNEL_SEAL */
#define SECURE_KERNEL_DIGEST	  32u

/*
 * Numbers from here on are calls that a secure kernel defines. R8: address of a buffer in one page,
 * R9: size of the request in the buffer, R10: limit for the answer's size. Answer: R9: its size.
 * FULL: the answer exceeds the limit; the call has had its effect.
 */
#define SECURE_KERNEL_CALL_FIRST 0x1000u
#define SECURE_KERNEL_CALL_MAX	 4096u /* bytes of a request, and of an answer */

enum secure_kernel_service {
	/* Answer: R9: SECURE_KERNEL_VERSION. R10: SECURE_KERNEL_PAGES_MAX. R11: address of the log. */
	SECURE_KERNEL_GET_VERSION = 1,
	/* Answer: R9: enum secure_kernel_state. R10: VPs with VTL1 << 32 | pages that VTL0 may not write.
	 * R11: intercepts. */
	SECURE_KERNEL_GET_STATUS,
	/*
	 * R8: address of the first page, R9: pages, R10: enum secure_kernel_rights. DENIED if an
	 * overlay page of VTL0 covers a page, or VTL0 lacks one of the requested rights;
	 * NOT_ENFORCED if the hypervisor cannot deny the other rights.
	 */
	SECURE_KERNEL_LOCK_RANGE,
	/* Locks the policy: no further range can be locked, and no lock is ever removed. */
	SECURE_KERNEL_LOCK_POLICY,
	/* The services from here on are optional: UNKNOWN_SERVICE if the secure kernel lacks one. R8:
	 * address, R9: bytes, R10: address of the 32-byte result. SHA-256 of the range as VTL1 sees it. */
	SECURE_KERNEL_MEASURE,
	/* R8, R9, R10 as for MEASURE. HMAC-SHA-256 under a key that only VTL1 has. */
	SECURE_KERNEL_HMAC,
	/* R8: address of a struct secure_kernel_secret, R9: address of a struct secure_kernel_sealed for the
	 * result. */
	SECURE_KERNEL_SEAL,
	/* R8: address of a struct secure_kernel_sealed, R9: address of a struct secure_kernel_secret for the
	 * result, R10: address of the caller's 32-byte ID. */
	SECURE_KERNEL_UNSEAL,
	/* Starts a SHA-256 of a range in pieces. Only the newest measurement is valid. Answer: R9: its
	 * number. */
	SECURE_KERNEL_MEASURE_BEGIN,
	/* R8: address, R9: bytes, at most SECURE_KERNEL_MEASURE_MAX, R10: the measurement's number. */
	SECURE_KERNEL_MEASURE_ADD,
	/* R8: address of the 32-byte result, R9: number of the measurement, which ends. */
	SECURE_KERNEL_MEASURE_END,
};

/* Bits of R9 of SECURE_KERNEL_GET_STATUS. */
enum secure_kernel_state {
	SECURE_KERNEL_POLICY_LOCKED = 1,
	/* The hypervisor can deny execution without denying reads. */
	SECURE_KERNEL_DENIES_EXECUTE = 2,
	/* VTL0 cannot clear CR0.WP, CR4.SMEP and CR4.SMAP once they are set: #GP, on every VP. Without this
	 * bit the hypervisor does not report writes of control registers. */
	SECURE_KERNEL_WATCHES_REGISTERS = 4,
};

/* What VTL0 may do with a locked range. */
enum secure_kernel_rights {
	SECURE_KERNEL_CODE,	/* read and execute */
	SECURE_KERNEL_CONSTANT, /* read; needs SECURE_KERNEL_DENIES_EXECUTE, as DATA does */
	SECURE_KERNEL_DATA,	/* read and write */
	SECURE_KERNEL_RIGHTS,
};

enum secure_kernel_status {
	SECURE_KERNEL_OK,
	SECURE_KERNEL_UNKNOWN_SERVICE,
	SECURE_KERNEL_BAD_ARGUMENT, /* too large, unaligned, or beyond the address space */
	SECURE_KERNEL_DENIED,	    /* memory that VTL0 itself may not access */
	SECURE_KERNEL_LOCKED,	    /* the policy is locked */
	SECURE_KERNEL_NOT_READY,    /* VTL1 has not yet run on every VP */
	SECURE_KERNEL_FULL,	    /* no space in the policy, or in the answer's buffer */
	SECURE_KERNEL_MISMATCH,	    /* sealed by another caller, on another boot, or damaged; or a
				     * measurement that is not the newest, or failed */
	SECURE_KERNEL_REFUSED,	    /* the hypervisor refused a hypercall */
	SECURE_KERNEL_NOT_ENFORCED, /* a right that the hypervisor cannot deny */
};

/* Unsealing requires the same caller ID. VTL0's kernel identifies its callers; VTL1 cannot. */
struct secure_kernel_secret {
	uint8_t caller[SECURE_KERNEL_DIGEST];
	uint32_t size; /* bytes of data: 1 to SECURE_KERNEL_SECRET_MAX */
	uint32_t reserved;
	uint8_t data[SECURE_KERNEL_SECRET_MAX];
};

/* The sealed form, safe to store outside of VTL1; valid until the next boot. */
struct secure_kernel_sealed {
	uint64_t nonce;
	uint32_t size;
	uint32_t reserved;
	uint8_t tag[SECURE_KERNEL_DIGEST];
	uint8_t data[SECURE_KERNEL_SECRET_MAX];
};

/* ---------------------------------------------------------- the log, which VTL0 may read */

#define SECURE_KERNEL_LOG_PAGES	  2u
#define SECURE_KERNEL_LOG_ENTRIES 127u

enum secure_kernel_event {
	SECURE_KERNEL_EVENT_BOOT = 1, /* address: the region. detail: its size in bytes */
	SECURE_KERNEL_EVENT_VP,	      /* VTL1 runs on this VP */
	SECURE_KERNEL_EVENT_LOCK,     /* address: the first page. detail: pages */
	SECURE_KERNEL_EVENT_POLICY, /* the policy is locked. detail: pages that VTL0 may not write */
	/* address: GPA, or the value of a register's write. rip. detail: message type << 8 | access (0 r, 1
	 * w, 2 x) */
	SECURE_KERNEL_EVENT_INTERCEPT,
	/* A refused request. address: its argument. detail: service << 8 | status */
	SECURE_KERNEL_EVENT_DENIED,
	/* An overlay page of VTL0 is in a range to lock. address: its GPA. detail: the register that placed
	 * it */
	SECURE_KERNEL_EVENT_OVERLAY,
};

struct secure_kernel_log_entry {
	uint64_t sequence; /* from 1; 0: unused. Read it before and after the other fields. */
	uint64_t time;	   /* TSC of VTL1 */
	uint16_t event;
	uint16_t reserved;
	uint32_t vp;
	uint64_t address;
	uint64_t rip;
	uint64_t detail;
	uint64_t reserved2[2];
};

struct secure_kernel_log {
	uint64_t count; /* entries written since boot */
	uint64_t reserved[7];
	struct secure_kernel_log_entry
		entry[SECURE_KERNEL_LOG_ENTRIES]; /* sequence n is at (n - 1) % ENTRIES */
};

/* ------------------------------------------------------------------ the image, for its loader */

#define SECURE_KERNEL_MAGIC  0x314b53314c5456ull /* "VTL1SK1" */
#define SECURE_KERNEL_REGION 0x200000ull	 /* bytes and alignment of VTL1's memory */
#define SECURE_KERNEL_TABLES \
	3u /* page tables that the loader makes, in the last pages of the
				 * region */

struct secure_kernel_header {
	uint64_t magic;
	uint32_t version;
	uint32_t file_size;   /* bytes of the image */
	uint32_t memory_size; /* file_size and the zeroed data that follows */
	uint32_t entry;	      /* offset of the first instruction */
	uint32_t stack_end;   /* offset of the end of the stack */
	uint32_t reserved;
	/* The loader fills in: */
	uint64_t base; /* address of the region */
	uint8_t seed
		[SECURE_KERNEL_DIGEST]; /* random bytes from the loader; mixed with the CPU's, if
					 * available */
};

#endif
