/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend without a CPU: a VP is a register file, memory is plain RAM, time is a counter. It
 * enforces the rights of protect() and overlay_map() itself, so that a core which decides correctly
 * but passes wrong rights to the backend fails the test.
 */
#ifndef SIM_H
#define SIM_H

#include "core/core.h"

extern const struct backend_ops sim_ops;

/* Options of the partition, for partition_create(). All zero: all features but fpu_shared, smm. */
struct sim_options {
	bool threads; /* vp_wait() first waits up to 1 ms for a kick; it never returns -EAGAIN */
	bool dr6_private;   /* VsmCapabilities.Dr6Shared = 0 */
	bool fpu_shared;    /* one XSAVE area for all VTLs of a VP */
	bool no_mbec;	    /* user and kernel execute cannot differ */
	bool no_cr;	    /* no intercepts of control registers and descriptor tables */
	uint8_t undeniable; /* rights that cannot be denied (enum gpa_access) */
	uint8_t gpa_bits;   /* 0 means 46 */
	bool smm;	    /* guest_partition(): config.smm */
	/* guest_partition(): config.refused and .refused_opaque */
	void (*refused)(void *opaque, uint64_t gpa, bool write);
	void *refused_opaque;
};

enum sim_kind {
	SIM_NOTHING,
	SIM_NOP, /* an instruction without an effect: pending events are delivered */
	SIM_READ,
	SIM_WRITE,
	SIM_EXECUTE, /* an instruction fetch at a GVA */
	SIM_HYPERCALL,
	SIM_RDMSR,
	SIM_WRMSR,
	SIM_IN,
	SIM_OUT,
	SIM_WRITE_CR0,
	SIM_WRITE_CR4,
	SIM_WRITE_XCR0,
	SIM_LOAD_TABLE, /* address: HV_CR_INTERCEPT bit of LGDT, LIDT, LLDT, LTR; value: base or selector */
	SIM_HALT,
	SIM_SHUTDOWN,	/* triple fault */
	SIM_BREAKPOINT, /* INT3, SIM_INSTRUCTION_LENGTH bytes long */
	SIM_RSM,	/* the end of System Management Mode */
};

/* One instruction of the guest, SIM_INSTRUCTION_LENGTH bytes long. */
struct sim_action {
	enum sim_kind kind;
	uint64_t address; /* GVA, MSR, port */
	uint64_t value;	  /* to write, or the value that was read */
	uint8_t size;	  /* 1, 2, 4, 8 */
	bool user;	  /* memory: as CPL 3 */
};

#define SIM_INSTRUCTION_LENGTH 3u
#define SIM_LOG_MAX	       32u

/* State of one VTL of a VP. */
struct sim_vtl {
	struct sim_action action;
	bool done;   /* the action was carried out */
	bool issued; /* it began, at RIP action_rip */
	uint64_t action_rip;
	uint32_t exceptions; /* delivered so far; exception_* describe the last one */
	uint8_t exception_vector;
	uint32_t exception_error_code;
	uint64_t exception_parameter;
	uint32_t nmis;
	uint32_t smis;			/* SMIs that have begun System Management Mode */
	uint32_t interrupts;		/* external interrupts delivered so far */
	uint8_t interrupt[SIM_LOG_MAX]; /* vectors, the latest at (interrupts - 1) % SIM_LOG_MAX */
	uint32_t tlb_flushes;
	uint64_t tsc_offset; /* offset of RDTSC from the clock */
};

/* Sets the next instruction of @vtl. Not while the VP runs. */
void sim_next(struct vsm_vp *vp, uint8_t vtl, const struct sim_action *action);
/* The state of @vtl, with the result of its last instruction. */
const struct sim_vtl *sim_state(const struct vsm_vp *vp, uint8_t vtl);

/* Moves the clock. 1 tick is 1 ns. */
void sim_advance(struct vsm_partition *partition, uint64_t ticks);
/* Every read of the clock advances it by @ticks (default 0). */
void sim_clock_step(struct vsm_partition *partition, uint64_t ticks);
/* Calls of the core so far; of protect() without those that sim_fail() made fail. */
struct sim_calls {
	_Atomic uint32_t protect;
	_Atomic uint32_t protect_ranges;
	_Atomic uint32_t overlay; /* calls of overlay_map() and overlay_unmap() */
};
const struct sim_calls *sim_calls(const struct vsm_partition *partition);
enum sim_call {
	SIM_CALL_PROTECT,
	SIM_CALL_OVERLAY,
	SIM_CALL_MSR_INTERCEPT,
	SIM_CALL_DOORBELL,
	SIM_CALL_COUNT,
};
/*
 * The @nth of these calls from now on (1: the next) changes nothing and fails with @error, except
 * that overlay_map() removes the page from another GPN.
 */
void sim_fail(struct vsm_partition *partition, enum sim_call call, uint32_t nth, int error);
/* Like sim_fail(), and all later calls fail, too. No other thread calls the core. */
void sim_fail_from(struct vsm_partition *partition, enum sim_call call, uint32_t nth, int error);
/* Rights that the backend enforces for a page of RAM: the view of a CPU. */
uint8_t sim_access(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn);
/*
 * Rights that the backend enforces for the RAM or overlay that is visible at @gpa; 0: no memory, or
 * no right to it. *byte: the byte at @gpa, if it is readable; @byte may be NULL.
 */
uint8_t sim_view(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa, uint8_t *byte);
#define SIM_NO_OVERLAY UINT32_MAX
/* The page of overlay memory that the VTL sees at @gpn, or SIM_NO_OVERLAY. */
uint32_t sim_overlay(struct vsm_partition *partition, uint8_t vtl, uint64_t gpn);

#endif
