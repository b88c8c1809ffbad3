/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the secure kernel share. */
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

/* Of one VP; the kit's struct cpu has the rest. */
struct processor {
	uint64_t gpr[VTL_GPRS]; /* VTL0's, as they go back to it */
	uint8_t *in, *out;	/* a page each: copies of what VTL0 gives, and what it gets */
	uint32_t ready;		/* VTL1 has run here */
};

/* A measurement that goes on over several requests. */
struct measurement {
	struct sha256 hash;
	uint64_t number; /* of the newest, from 1 */
	bool open;
};

struct secure_kernel {
	struct lock lock; /* of all that changes below; one request at a time */
	uint64_t base;
	uint64_t tables;
	uint64_t address_limit;
	bool booted;
	bool failed;  /* what VTL1 needs was refused: every request is answered so */
	uint32_t vps; /* on which VTL1 is enabled */
	uint32_t vps_ready;
	uint64_t intercepts;
	uint64_t nonce;
	struct measurement measurement;
	uint64_t log_sequence;
	struct secure_kernel_log *log;
	struct policy *policy; /* a page that VTL1 itself only reads once it is locked */
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

/* keys.c: from the loader's seed, and the CPU's random numbers where it has them. */
void keys_make(const uint8_t seed[SHA256_SIZE]);

/* paging.c: tables that map VTL1's region to itself, code without write and data without execute. */
void paging_make(void);
void paging_set(const volatile void *page, bool writable, bool executable);
/* Where VTL1 sees a page of VTL0: one at a time for each VP. */
void *paging_window(uint64_t gpa);

/* guest_memory.c: VTL0's memory, with VTL0's rights. What is no RAM is refused. */
enum secure_kernel_status guest_read(uint64_t gpa, void *to, uint32_t size);
enum secure_kernel_status guest_write(uint64_t gpa, const void *from, uint32_t size);
enum secure_kernel_status guest_measure(uint64_t gpa, uint64_t size, struct sha256 *hash);

/*
 * overlay.c: whether an overlay of VTL0, of any VP, lies in the range: *at is where, *name the register that placed it (0:
 * it could not be found out). Of a range that VTL0 may not write no answer becomes wrong later.
 */
bool overlay_lies_in(uint64_t gpa, uint64_t pages, uint64_t *at, uint32_t *name);

/* request.c */
void request_serve(struct processor *processor);

/* intercept.c: what waits in the slot of SINT0. */
void intercept_take(struct cpu *cpu);

/* Adds to the log, with the own VP and the time; with kernel.lock held. */
void kernel_log(uint16_t event, uint64_t address, uint64_t rip, uint64_t detail);

#endif
