/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A secure kernel: a program in VTL1 which VTL0's kernel loads (loader.h) and calls (interface.h). The kit
 * denies VTL0 access to its memory, handles intercepts, and keeps the policy of locked pages; the program
 * defines `secure_program`. VTL1 runs with interrupts off, so the time of a request must be short and not
 * depend on VTL0.
 */
#ifndef KIT_SECURE_SECURE_H
#define KIT_SECURE_SECURE_H

#include <stdbool.h>
#include <stdint.h>

#include "kit/secure/interface.h"

/* A request in registers. All arguments are untrusted; use addresses only with guest_read() and
 * guest_write(). */
struct secure_request {
	uint64_t argument[3]; /* R8, R9, R10 */
	uint64_t answer[3];   /* R9, R10, R11: 0 unless the service sets them */
	uint8_t *in, *out;    /* a page of VTL1 each, for copies of VTL0's data */
};

typedef enum secure_kernel_status secure_service(struct secure_request *request);

/* A call with a buffer (SECURE_KERNEL_CALL_FIRST), from user space by VSM_CALL of vsm.ko. */
struct secure_call {
	uint8_t *data; /* a page of VTL1: a copy of the request, zero-filled; then the answer */
	uint32_t size; /* bytes of the request, 0 to SECURE_KERNEL_CALL_MAX; then of the answer */
	uint32_t
		room; /* size of the caller's buffer; a larger answer is replaced by SECURE_KERNEL_FULL */
};

/* The caller receives the answer if this returns SECURE_KERNEL_OK, else only the status. */
typedef enum secure_kernel_status secure_call_service(struct secure_call *call);

/* The program. Only one request runs at a time, on all VPs, so services need no locks. */
struct secure_program {
	/* Runs once, on the first VP, after VTL0 has lost access to VTL1's memory and before any request.
	 * @seed: random bytes from the loader. May be NULL. */
	void (*start)(const uint8_t seed[SECURE_KERNEL_DIGEST]);
	/* Request number N is services[N]; NULL: unknown. The kit handles numbers below MEASURE. */
	secure_service *const *services;
	uint32_t service_count;
	/* Call number SECURE_KERNEL_CALL_FIRST + N is calls[N]. */
	secure_call_service *const *calls;
	uint32_t call_count;
	/* VTL0's rights to each page when VTL1 starts: at least HV_MAP_GPA_READABLE and _WRITABLE. 0: all
	 * rights. If the hypervisor cannot deny the missing rights, every request is REFUSED. */
	uint32_t initial_rights;
	/*
	 * Called when VTL0 was denied @access (HV_INTERCEPT_ACCESS_*) to the page at @gpa, which is
	 * in no locked range and not VTL1's. True: the program has granted the right by
	 * guest_protect(), and VTL0 retries. False, or NULL: #GP, and an entry in the log.
	 */
	bool (*denied)(uint64_t gpa, uint8_t access);
};

extern const struct secure_program secure_program;

/*
 * Read and write VTL0's memory with VTL0's current rights, which guest_lock(), guest_protect() or
 * vtl_protect() may have reduced: @size bytes, 1 to 4096, within one page of RAM. Return:
 * SECURE_KERNEL_OK, BAD_ARGUMENT for an invalid range, DENIED where VTL0 has no access.
 */
enum secure_kernel_status guest_read(uint64_t gpa, void *to, uint32_t size);
enum secure_kernel_status guest_write(uint64_t gpa, const void *from, uint32_t size);

/* Checks a range as guest_read() does, and maps it: *at is valid until the next call of these functions on
 * this VP. */
enum secure_kernel_status guest_map(uint64_t gpa, uint64_t size, bool write, void **at);

/*
 * Locks @pages pages of VTL0 from @gpa on, at most SECURE_KERNEL_PAGES_MAX: VTL0 keeps only @rights, until a
 * reset. Returns: SECURE_KERNEL_OK; BAD_ARGUMENT; DENIED if a page is locked or VTL1's, VTL0 lacks one of
 * @rights there, or has an overlay page there; LOCKED if the policy is locked; NOT_READY until VTL1 has run
 * on every VP; FULL; NOT_ENFORCED if the hypervisor cannot deny the other rights; REFUSED by the hypervisor.
 */
enum secure_kernel_status guest_lock(uint64_t gpa, uint64_t pages,
				     enum secure_kernel_rights rights);

/*
 * Sets the rights of VTL0 to one page: HV_MAP_GPA_*. Unlike guest_lock() it can be undone, and does
 * not check whether VTL0 sees an overlay page there. Returns: SECURE_KERNEL_OK, DENIED for a page
 * of a locked range or of VTL1, REFUSED by the hypervisor (for example, not RAM).
 */
enum secure_kernel_status guest_protect(uint64_t gpa, uint32_t rights);

/* Logs an event of the calling VP, with the time, in the log that VTL0 can read. */
void secure_log(uint16_t event, uint64_t address, uint64_t rip, uint64_t detail);

#endif
