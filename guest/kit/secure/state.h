/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KIT_SECURE_STATE_H
#define KIT_SECURE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/lock.h"
#include "kit/secure/interface.h"
#include "kit/secure/policy.h"
#include "kit/secure/secure.h"
#include "kit/vtl.h"

struct processor {
	uint64_t gpr[VTL_GPRS]; /* VTL0's registers, loaded when VTL1 returns */
	uint8_t *in, *out;	/* a page each: copies of VTL0's arguments and results */
	uint32_t ready;		/* VTL1 has run on this VP */
};

struct secure_state {
	struct lock lock; /* guards the fields below; one request at a time */
	uint64_t base;
	uint64_t tables;
	uint64_t address_limit;
	bool booted;
	bool failed;		/* VTL1's initialization failed: every request is refused */
	bool denies_execute;	/* the hypervisor can deny execution without denying reads */
	bool watches_registers; /* writes of CR0 and CR4 are intercepted on every VP */
	uint32_t vps;		/* VPs on which VTL1 is enabled */
	uint32_t vps_ready;
	bool vps_enabled; /* VTL1 is enabled on all VPs: vps is final */
	uint64_t intercepts;
	uint64_t log_sequence;
	struct secure_kernel_log *log;
	struct policy *policy; /* one page; read-only for VTL1 after the policy is locked */
	struct processor processor[CPU_MAX];
};

extern struct secure_state secure;

extern const uint8_t image_begin[], image_rodata[], image_data[], image_end[];
extern const struct secure_kernel_header image_header;

/* boot.c: called at the first entry of a VP. boot_first() initializes VTL1, on the first VP only;
 * boot_processor() initializes this VP; boot_others(), on VP 0 only, enables VTL1 on all other VPs. */
void boot_first(void);
void boot_processor(struct cpu *cpu);
void boot_others(void);

/* paging.c: identity map of VTL1's region, code read-only and data not executable. */
void paging_make(void);
void paging_set(const volatile void *page, bool writable, bool executable);
/* paging.c: maps a page of VTL0 in VTL1. Each VP has one such mapping, which a call replaces. */
void *paging_window(uint64_t gpa);

/* overlay.c: whether an overlay page of VTL0, of any VP, is in the range: *at is its address, *name the
 * register that placed it (0: unknown). For a write-protected range the result is final. */
bool overlay_lies_in(uint64_t gpa, uint64_t pages, uint64_t *at, uint32_t *name);

/*
 * guest_memory.c: guest_rights() returns VTL0's rights to pages of @kind, or its initial rights for
 * POLICY_KINDS. guest_permits() decides about an access that was denied, by the rights of the lock
 * or by the program.
 */
uint32_t guest_rights(enum policy_kind kind);
bool guest_permits(uint64_t gpa, uint8_t access);
/* False if the hypervisor refuses the query, or VTL0 cannot access a page as memory. */
bool guest_rights_now(uint64_t gpa, uint64_t pages, uint8_t *rights);

/* request.c: handles the request in @processor->gpr, and stores the answer there. */
void request_serve(struct processor *processor);

/* call.c: handles the call with number SECURE_KERNEL_CALL_FIRST + @index. */
enum secure_kernel_status call_serve(uint64_t index, struct secure_request *request);

/* intercept.c: handles the message in the slot of SINT0. */
void intercept_handle(struct cpu *cpu);
/* Intercepts writes of CR0 and CR4 by VTL0 of this VP. Returns false if the hypervisor refuses. */
bool intercept_watch_registers(void);

#endif
