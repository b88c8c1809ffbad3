/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of VP registers and the functions in its rows. Included only by src/core/registers. */
#ifndef CORE_REGS_TABLE_H
#define CORE_REGS_TABLE_H

#include "core/vp/cpu_registers.h"
#include "core/registers/regs.h"

/* Which caller may access a register of which target VTL. */
enum regs_rule {
	REGS_OWN,	   /* the caller's own and lower VTLs */
	REGS_LOWER,	   /* lower VTLs; the caller's own: ACCESS_DENIED */
	REGS_EVENT,	   /* lower VTLs; the caller's own: INVALID_PARAMETER */
	REGS_VSM,	   /* as OWN, with the privilege AccessVsm */
	REGS_VSM_HIGHER,   /* as VSM; VTL0 has no such register: INVALID_PARAMETER */
	REGS_INTERCEPTING, /* as VSM; VTL0 has no lower VTL: ACCESS_DENIED */
	REGS_SECURE,	   /* as VSM; target VTL not above n of ...ConfigVtl<n>: ACCESS_DENIED */
};

enum regs_flag {
	REGS_SHARED = 1 << 0,	 /* by the VTLs: the active one's register file has the value */
	REGS_PARTITION = 1 << 1, /* the target VTL need not be enabled on the VP */
	REGS_DR6 = 1 << 2,	 /* shared if VsmCapabilities.Dr6Shared is set */
};

struct regs_row;

struct regs_target {
	struct vsm_vp *vp;
	uint8_t vtl;	/* target VTL; for a shared register the active VTL */
	uint32_t index; /* offset of its name from row->first */
	const struct regs_row *row;
	const struct regs_caller *caller;
};

typedef uint16_t regs_get_fn(const struct regs_target *target, union hv_register_value *value);
typedef uint16_t regs_set_fn(const struct regs_target *target,
			     const union hv_register_value *value);
/* Whether @value is legal. May change it to the value that the register keeps. */
typedef bool regs_check_fn(const struct regs_target *target, uint64_t *value);

/* Consecutive names with the same rules. */
struct regs_row {
	uint32_t first;
	uint32_t last;
	uint8_t rule;	      /* enum regs_rule */
	uint8_t flags;	      /* enum regs_flag */
	uint8_t bits;	      /* width; higher bits must be zero */
	uint8_t group;	      /* state: enum vcpu_group */
	uint32_t at;	      /* state: offset in struct vcpu_state; MSR, CPUID: first number */
	regs_get_fn *get;     /* NULL: write only */
	regs_set_fn *set;     /* NULL: read only */
	regs_check_fn *check; /* of 64-bit state */
};

/* NULL: no such register. */
const struct regs_row *regs_find(uint32_t name);
/* For documents and fuzzers. */
extern const struct regs_row regs_table[];
extern const size_t regs_table_size;

/* registers/x64.c */
regs_get_fn regs_get_state, regs_get_segment, regs_get_table, regs_get_dr6, regs_get_cr8;
regs_set_fn regs_set_state, regs_set_segment, regs_set_table, regs_set_paging, regs_set_dr6,
	regs_set_cr8;
regs_check_fn regs_check_rip, regs_check_rflags, regs_check_cr0, regs_check_cr3, regs_check_cr4,
	regs_check_efer, regs_check_xcr0, regs_check_dr7, regs_check_canonical, regs_check_pat;

/* registers/fpu.c */
regs_get_fn regs_get_xmm, regs_get_ymm_high, regs_get_st, regs_get_fp_control, regs_get_xmm_control;
regs_set_fn regs_set_xmm, regs_set_ymm_high, regs_set_st, regs_set_fp_control, regs_set_xmm_control;

/* registers/event.c */
regs_get_fn regs_get_pending_event0, regs_get_pending_event1, regs_get_pending_interruption,
	regs_get_interrupt_state, regs_get_activity, regs_get_emulation_hints;
regs_set_fn regs_set_pending_event0, regs_set_pending_event1, regs_set_pending_interruption,
	regs_set_interrupt_state, regs_set_activity;

/* registers/msr.c */
regs_get_fn regs_get_msr, regs_get_cpuid, regs_get_apic, regs_get_tsc, regs_get_apic_id,
	regs_get_cpu_msr, regs_get_tsc_sequence, regs_get_mtrr;
regs_set_fn regs_set_msr, regs_set_strict_msr, regs_set_apic, regs_set_mtrr, regs_set_cpu_msr,
	regs_set_tsc;

/* registers/vsm.c */
regs_get_fn regs_get_code_page_offsets, regs_get_vp_status, regs_get_partition_status,
	regs_get_capabilities, regs_get_vina, regs_get_partition_config, regs_get_secure_config,
	regs_get_cr_intercept, regs_get_zero;
regs_set_fn regs_set_vina, regs_set_partition_config, regs_set_secure_config, regs_set_cr_intercept;

#endif
