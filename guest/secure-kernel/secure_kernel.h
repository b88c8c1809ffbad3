/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared declarations of the secure kernel. */
#ifndef SECURE_KERNEL_H
#define SECURE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/lock.h"
#include "kit/vtl.h"

#include "interface.h"
#include "policy.h"
#include "sha256.h"

#define PROTECT_ALL	HV_MAP_GPA_PERMISSIONS_MASK
#define PROTECT_EXECUTE (HV_MAP_GPA_PERMISSIONS_MASK & ~(uint32_t)HV_MAP_GPA_WRITABLE)
#define PROTECT_NONE	0u

/* State of one VP, beside the kit's struct cpu. */
struct processor {
	uint64_t gpr[VTL_GPRS]; /* VTL0's registers, loaded at the return */
	uint8_t *in, *out;	/* a page each: copies of VTL0's arguments and results */
	uint32_t ready;		/* VTL1 has run here */
};

/* A measurement that spans several requests. */
struct measurement {
	struct sha256 hash;
	uint64_t number; /* of the newest, from 1 */
	bool open;
};

struct secure_kernel {
	struct lock lock; /* guards the fields below; one request at a time */
	uint64_t base;
	uint64_t tables;
	uint64_t address_limit;
	bool booted;
	bool failed;  /* VTL1's initialization failed: every request is refused */
	uint32_t vps; /* on which VTL1 is enabled */
	uint32_t vps_ready;
	uint64_t intercepts;
	uint64_t nonce;
	struct measurement measurement;
	uint64_t log_sequence;
	struct secure_kernel_log *log;
	struct policy *policy; /* one page, mapped read-only in VTL1 once locked */
	uint8_t hmac_key[SHA256_SIZE];
	uint8_t seal_key[SHA256_SIZE];
	struct processor processor[CPU_MAX];
};

extern struct secure_kernel kernel;

extern const uint8_t image_begin[], image_rodata[], image_data[], image_end[];
extern const struct secure_kernel_header image_header;

/* boot.c: the first VP, then every VP. */
void boot_first(void);
void boot_processor(struct cpu *cpu);
void boot_others(void);

/* keys.c: from the loader's seed, and RDRAND if available. */
void keys_make(const uint8_t seed[SHA256_SIZE]);

/* paging.c: identity map of VTL1's region, code read-only and data not executable. */
void paging_make(void);
void paging_set(const volatile void *page, bool writable, bool executable);
/* VTL1's mapping of a page of VTL0: one per VP. */
void *paging_window(uint64_t gpa);

/*
 * guest_memory.c: access to VTL0's memory with VTL0's rights. Other addresses than RAM are refused.
 */
enum secure_kernel_status guest_read(uint64_t gpa, void *to, uint32_t size);
enum secure_kernel_status guest_write(uint64_t gpa, const void *from, uint32_t size);
enum secure_kernel_status guest_measure(uint64_t gpa, uint64_t size, struct sha256 *hash);

/*
 * overlay.c: whether an overlay page of VTL0, of any VP, is in the range: *at is its address, *name
 * the register that placed it (0: unknown). For a write-protected range the result cannot change
 * later.
 */
bool overlay_lies_in(uint64_t gpa, uint64_t pages, uint64_t *at, uint32_t *name);

/* request.c */
void request_serve(struct processor *processor);

/* intercept.c: handles the message in the slot of SINT0. */
void intercept_take(struct cpu *cpu);

/* Logs an event of the own VP with the time; with kernel.lock held. */
void kernel_log(uint16_t event, uint64_t address, uint64_t rip, uint64_t detail);

#endif
