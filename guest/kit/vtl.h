/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Higher VTLs: enabling them, and the small kernel that runs in them.
 *
 * That kernel is a loop. VTL call makes it run one function, and return; an interrupt makes it take the
 * interrupt, look whether a message waits on SINT0, and return. So a test is written as plain functions:
 * those that run in VTL0, and those that it has run in a higher VTL by vtl_run().
 */
#ifndef KIT_VTL_H
#define KIT_VTL_H

#define VTL_GPR_RAX 0 /* indexes of struct vtl_service.gpr: the order of encoding (SDM 2, 2.1.5) */
#define VTL_GPRS    16

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include <vsm/hv/hv.h>

#include "kit/cpu.h"

#define VTL_SINT0_VECTOR 0x50 /* of each VTL: where intercepts arrive */
#define VTL_LOG		 16

enum vtl_gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R9,
	GPR_R10,
	GPR_R11,
	GPR_R12,
	GPR_R13,
	GPR_R14,
	GPR_R15,
};

struct vtl_service;

typedef void vtl_work(void *argument);
/* What is done about an intercept; @message is a copy. */
typedef void vtl_intercept(struct vtl_service *service, const struct hv_message *message);

/* Of one VP in one VTL above 0. */
struct vtl_service {
	uint64_t gpr
		[VTL_GPRS]; /* the lower VTL's; what is written here it gets (RSP is not shared) */
	vtl_work *work;
	void *argument;
	bool return_fast;	      /* the next return is a fast one */
	bool keep_return_fields;      /* do not write VtlReturn* of the assist page */
	volatile uint32_t entries[4]; /* by reason */
	vtl_intercept *on_intercept;  /* NULL: unexpected */
	void *intercept_argument;
	volatile uint32_t intercepts; /* how many came; the last VTL_LOG of them: */
	struct hv_message log[VTL_LOG];
};

extern struct vtl_service *vtl_service_of[CPU_MAX][VTL_COUNT];

struct vtl_service *vtl_service(void); /* of the VP and VTL that asks */

/* A context in which @entry(no argument) runs on @cpu, in 64-bit mode on page tables @cr3. */
void vtl_context(struct hv_initial_vp_context *context, struct cpu *cpu, void (*entry)(void),
		 uint64_t cr3);

/* The calls that enable @vtl, as they are: HV_STATUS. */
uint16_t vtl_enable_partition(uint8_t vtl, uint8_t flags);
uint16_t vtl_enable_vp(uint32_t vp, uint8_t vtl);

/*
 * Enables @vtl on the partition and on every VP, the first from below and the others from @vtl itself,
 * and lets it set itself up everywhere. Once for each VTL; from VTL0 of VP0, with those below enabled.
 * Returns the first status that was not SUCCESS.
 */
uint16_t vtl_enable_all(uint8_t vtl);

/* VTL call: the next higher VTL of this VP runs work(argument). */
void vtl_run(vtl_work *work, void *argument);
/* The same for VTL @vtl, by way of those between. */
void vtl_run_in(uint8_t vtl, vtl_work *work, void *argument);
/* On another VP; from VTL0. */
void vtl_run_on(uint32_t vp, uint8_t vtl, vtl_work *work, void *argument);

/* The instruction sequences alone (vtl_entry.S). */
void vtl_call_stub(const void *stub);
uint64_t vtl_switch(uint64_t *gpr, const void *stub, uint64_t control);

/* HvCallModifyVtlProtectionMask for @count pages from @gpa on, in as many calls as it takes: HV_STATUS. */
uint16_t vtl_protect(uint64_t gpa, uint64_t count, uint32_t flags);
#define VTL_PROTECT_ALL HV_MAP_GPA_PERMISSIONS_MASK

/*
 * What on_intercept may be. All take the message out of the log, and are called with the lower VTL still
 * at the instruction.
 */
vtl_intercept vtl_allow;     /* memory: grants everything on that page, and it runs again */
vtl_intercept vtl_skip;	     /* goes on behind the instruction, by the length in the message */
vtl_intercept vtl_inject_gp; /* #GP(0) through PendingEvent0 */

/* Moves the lower VTL's RIP. */
void vtl_set_lower_rip(uint64_t rip);
#endif

#endif
