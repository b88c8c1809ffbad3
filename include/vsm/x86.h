/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The x86 state of one VTL of a VP in one structure, for VMMs that keep CPU state in their own
 * form.
 */
#ifndef VSM_X86_H
#define VSM_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_vp;
struct vsm_lapic_state;

enum vsm_x86_group {
	VSM_X86_GENERAL = 1u << 0,  /* gpr, rip, rflags */
	VSM_X86_SEGMENTS = 1u << 1, /* segment, idtr, gdtr */
	VSM_X86_CONTROL = 1u << 2,  /* cr0 to cr8, efer, xcr0 */
	VSM_X86_DEBUG = 1u << 3,    /* dr, dr6, dr7 */
	VSM_X86_MSRS = 1u << 4,	    /* msr */
	VSM_X86_XSAVE = 1u << 5,    /* xsave */
	VSM_X86_EVENTS = 1u << 6,   /* events */
	VSM_X86_ACTIVITY = 1u << 7, /* activity */
	VSM_X86_ALL = (1u << 8) - 1,
};

/* Layout of HV_X64_SEGMENT_REGISTER (TLFS). */
struct vsm_x86_segment {
	uint64_t base;
	uint32_t limit; /* in bytes, whatever the granularity */
	uint16_t selector;
	uint16_t attributes; /* bits 8 to 23 of a descriptor, without its limit */
};

/* Layout of HV_X64_TABLE_REGISTER (TLFS). */
struct vsm_x86_table {
	uint16_t reserved[3];
	uint16_t limit;
	uint64_t base;
};

enum vsm_x86_segment_index {
	VSM_X86_ES,
	VSM_X86_CS,
	VSM_X86_SS,
	VSM_X86_DS,
	VSM_X86_FS,
	VSM_X86_GS,
	VSM_X86_LDTR,
	VSM_X86_TR,
	VSM_X86_SEGMENT_COUNT,
};

struct vsm_x86_msr {
	uint32_t index;
	bool exists; /* out, by vsm_vp_get_x86() */
	uint8_t reserved[3];
	uint64_t value;
};

/* Events that the CPU has not finished delivering. */
struct vsm_x86_events {
	bool exception_pending; /* delivered at the next entry */
	bool exception_has_error_code;
	uint8_t exception_vector;
	bool interrupt_injected; /* given to the CPU, not delivered */
	bool interrupt_soft;	 /* by INT n */
	uint8_t interrupt_vector;
	bool nmi_injected;
	bool nmi_masked;
	uint8_t nmi_pending;   /* 0 to 2 */
	bool interrupt_shadow; /* of STI or MOV SS */
	uint8_t reserved[2];
	uint32_t exception_error_code;
	uint64_t exception_parameter; /* CR2 of a #PF, DR6 bits of a #DB; set at the delivery */
};

enum vsm_x86_activity {
	VSM_X86_RUNNING,
	VSM_X86_HALTED,	       /* HLT */
	VSM_X86_IDLE,	       /* guest-idle MSR */
	VSM_X86_WAIT_FOR_SIPI, /* after INIT, or not started */
};

struct vsm_x86_state {
	size_t size; /* sizeof(struct vsm_x86_state): lets the structure grow */

	uint64_t gpr[16]; /* RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15 */
	uint64_t rip;
	uint64_t rflags;

	struct vsm_x86_segment segment[VSM_X86_SEGMENT_COUNT];
	struct vsm_x86_table idtr;
	struct vsm_x86_table gdtr;

	uint64_t cr0;
	uint64_t cr2;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t cr8;
	uint64_t xcr0;
	uint64_t efer;

	uint64_t dr[4];
	uint64_t dr6;
	uint64_t dr7;

	/* The caller's array: MSRs to read, or to set in this order. */
	struct vsm_x86_msr *msr;
	uint32_t msr_count;

	/* The caller's buffer, and its size; standard format (SDM 1, 13.4). Get: the size used. */
	uint32_t xsave_size;
	void *xsave;

	struct vsm_x86_events events;
	uint32_t activity; /* enum vsm_x86_activity */
	uint32_t reserved;
};

/*
 * Reads @groups (enum vsm_x86_group) of @vtl of the VP into @state; the other fields keep their
 * values. State that the VTLs of a VP share (TLFS "Shared State": CR2, DR0 to DR3, XCR0, the XSAVE
 * area, and the general registers except RSP) is the same for every @vtl. An MSR that does not
 * exist for the guest reads as 0, with @exists false; so do MSRs without state (RESET, EOI, ICR,
 * EOM, GUEST_IDLE, PATCH_LOADER) and those of the APIC (x2APIC, synthetic TPR): use vsm_vp_lapic().
 * Any thread; waits as vsm_vp_get_registers().
 *
 * Returns: 0; -EINVAL: another size, no such VTL, an unknown group; -ENOBUFS: the XSAVE buffer is
 * too small, xsave_size is set to the size needed, and nothing else was read; -EIO: the host failed
 * to read registers, and values are undefined until vsm_partition_reset().
 */
int vsm_vp_get_x86(struct vsm_vp *vp, uint8_t vtl, struct vsm_x86_state *state, uint32_t groups);

/*
 * Sets @groups in the order CONTROL, SEGMENTS, GENERAL, DEBUG, MSRS, XSAVE, EVENTS, ACTIVITY; stops
 * at the first value that is refused, which is logged. Values are checked one by one; a combination
 * that no CPU can run causes VSM_EXIT_SHUTDOWN at the next run. xsave_size must be that of
 * vsm_vp_get_x86(). Any thread; waits as vsm_vp_set_registers().
 *
 * Returns: 0; -EINVAL: another size, no such VTL, an unknown group, a value that this CPU or the
 * TLFS does not allow, an MSR that does not exist or is read-only. The values before it are set.
 */
int vsm_vp_set_x86(struct vsm_vp *vp, uint8_t vtl, const struct vsm_x86_state *state,
		   uint32_t groups);

/*
 * Replaces the local APIC of a VTL by @state, as vsm_vp_lapic() saved it. Waits as
 * vsm_vp_set_registers(). Interrupts sent to the APIC during the call may be lost.
 *
 * Returns: 0; -EINVAL: no such VTL, or a field of @state is illegal, which is logged; nothing was
 * changed.
 */
int vsm_vp_set_lapic(struct vsm_vp *vp, uint8_t vtl, const struct vsm_lapic_state *state);

#ifdef __cplusplus
}
#endif

#endif
