/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fields of a saved state, one row each, in the order of the file. The rows define the
 * structure of a record (state.h), its layout, and the copy between it and the live structure, a
 * part of the partition (fields.c). The live member of a field is:
 *
 *	ONE(type, name, max, live)	the member `live`
 *	MANY(type, name, count, max, array, member)
 *					`member` of each element of `array`, or the element
 *	OWN(type, name, max)		none: save.c and apply.c have code for the field
 *
 * `max` is the largest legal value in a file. A change of the rows, their order or a type changes
 * the format (STATE_VERSION).
 */
#ifndef CORE_STATE_ROWS_H
#define CORE_STATE_ROWS_H

/* clang-format off */
#define STATE_PARTITION_ROWS(ONE, MANY, OWN)                                   \
	OWN(uint32_t, vp_count, CORE_VP_MAX)                                   \
	OWN(uint32_t, vtl_count, CORE_VTL_MAX)                                 \
	OWN(uint64_t, privileges, UINT64_MAX)                                  \
	OWN(uint64_t, features, UINT32_MAX)                                    \
	OWN(uint64_t, recommendations, UINT32_MAX)                             \
	OWN(uint64_t, tsc_hz, UINT64_MAX)                                      \
	OWN(uint64_t, tsc, UINT64_MAX) /* when it was saved */                 \
	OWN(uint64_t, reference_start, UINT64_MAX)                             \
	OWN(uint16_t, enabled_vtls, UINT16_MAX)                                \
	OWN(uint16_t, mbec_vtls, UINT16_MAX)                                   \
	ONE(uint32_t, tsc_sequence, UINT32_MAX, tsc_sequence)                  \
	ONE(uint64_t, crash_ctl, UINT64_MAX, crash_ctl)                        \
	MANY(uint64_t, crash, 5, UINT64_MAX, crash, )

#define STATE_VTL_ROWS(ONE, MANY, OWN)                                         \
	ONE(uint64_t, config, UINT64_MAX, config)                              \
	OWN(uint64_t, guest_os_id, UINT64_MAX)                                 \
	ONE(uint64_t, hypercall, UINT64_MAX, hypercall_msr)                    \
	ONE(uint64_t, reference_tsc, UINT64_MAX, reference_tsc)

#define STATE_VP_ROWS(ONE, MANY, OWN)                                          \
	OWN(uint32_t, apic_id, UINT32_MAX)                                     \
	OWN(uint8_t, active_vtl, CORE_VTL_MAX - 1)                             \
	OWN(uint16_t, enabled_vtls, UINT16_MAX)                                \
	MANY(uint16_t, tlb_locked, CORE_VTL_MAX, UINT16_MAX, tlb_locked, )     \
	ONE(uint64_t, runtime, UINT64_MAX, runtime)                            \
	MANY(uint64_t, eoi, 4, UINT64_MAX, eoi, )                              \
	ONE(uint64_t, mtrr_def_type, UINT64_MAX, mtrr.def_type)                \
	MANY(uint64_t, mtrr_base, CORE_MTRR_VARIABLE, UINT64_MAX, mtrr.base, ) \
	MANY(uint64_t, mtrr_mask, CORE_MTRR_VARIABLE, UINT64_MAX, mtrr.mask, ) \
	MANY(uint64_t, mtrr_fixed, CORE_MTRR_FIXED, UINT64_MAX, mtrr.fixed, )

#define STATE_VP_VTL_ROWS(ONE, MANY, OWN)                                      \
	OWN(uint8_t, activity, VP_INTERCEPT_SUSPENDED)                         \
	ONE(uint8_t, entered, true, entered)                                   \
	ONE(uint8_t, triple_fault, true, triple_fault)                         \
	ONE(uint64_t, assist, UINT64_MAX, assist_msr)                          \
	ONE(uint64_t, vina, UINT64_MAX, vina)                                  \
	MANY(uint64_t, secure_config, CORE_VTL_MAX - 1, UINT64_MAX,            \
	     secure_config, )                                                  \
	ONE(uint64_t, cr_intercept_control, UINT64_MAX, cr_intercept_control)  \
	ONE(uint64_t, cr0_mask, UINT64_MAX, cr0_mask)                          \
	ONE(uint64_t, cr4_mask, UINT64_MAX, cr4_mask)                          \
	ONE(uint64_t, misc_enable_mask, UINT64_MAX, misc_enable_mask)          \
	ONE(uint64_t, misc_enable, UINT64_MAX, misc_enable)                    \
	ONE(uint64_t, scontrol, UINT64_MAX, synic.scontrol)                    \
	ONE(uint64_t, siefp, UINT64_MAX, synic.siefp)                          \
	ONE(uint64_t, simp, UINT64_MAX, synic.simp)                            \
	MANY(uint64_t, sint, HV_SYNIC_SINT_COUNT, UINT64_MAX, synic.sint, )    \
	MANY(uint64_t, stimer_config, HV_SYNIC_STIMER_COUNT, UINT64_MAX,       \
	     stimer, .config)                                                  \
	MANY(uint64_t, stimer_count, HV_SYNIC_STIMER_COUNT, UINT64_MAX,        \
	     stimer, .count)                                                   \
	MANY(uint64_t, stimer_due, HV_SYNIC_STIMER_COUNT, UINT64_MAX,          \
	     stimer, .due)                                                     \
	MANY(uint64_t, stimer_expired, HV_SYNIC_STIMER_COUNT, UINT64_MAX,      \
	     stimer, .expired)                                                 \
	MANY(uint8_t, stimer_message_due, HV_SYNIC_STIMER_COUNT, true,         \
	     stimer, .message_due)

#define STATE_CPU_ROWS(ONE, MANY, OWN)                                         \
	MANY(uint64_t, gpr, GPR_COUNT, UINT64_MAX, gpr, )                      \
	ONE(uint64_t, rip, UINT64_MAX, rip)                                    \
	ONE(uint64_t, rflags, UINT64_MAX, rflags)                              \
	ONE(uint64_t, cr0, UINT32_MAX, cr0)                                    \
	ONE(uint64_t, cr2, UINT64_MAX, cr2)                                    \
	ONE(uint64_t, cr3, UINT64_MAX, cr3)                                    \
	ONE(uint64_t, cr4, UINT64_MAX, cr4)                                    \
	ONE(uint64_t, efer, UINT64_MAX, efer)                                  \
	ONE(uint64_t, xcr0, UINT64_MAX, xcr0)                                  \
	MANY(uint64_t, segment_base, SEGMENT_COUNT, UINT64_MAX,                \
	     segment, .base)                                                   \
	MANY(uint32_t, segment_limit, SEGMENT_COUNT, UINT32_MAX,               \
	     segment, .limit)                                                  \
	MANY(uint16_t, segment_selector, SEGMENT_COUNT, UINT16_MAX,            \
	     segment, .selector)                                               \
	MANY(uint16_t, segment_attributes, SEGMENT_COUNT, UINT16_MAX,          \
	     segment, .attributes)                                             \
	ONE(uint64_t, idtr_base, UINT64_MAX, idtr.base)                        \
	ONE(uint16_t, idtr_limit, UINT16_MAX, idtr.limit)                      \
	ONE(uint64_t, gdtr_base, UINT64_MAX, gdtr.base)                        \
	ONE(uint16_t, gdtr_limit, UINT16_MAX, gdtr.limit)                      \
	MANY(uint64_t, dr, 4, UINT64_MAX, dr, )                                \
	ONE(uint64_t, dr6, UINT64_MAX, dr6)                                    \
	ONE(uint64_t, dr7, UINT64_MAX, dr7)                                    \
	/* The other MSRs are in records "msrs". */                                \
	MANY(uint64_t, msr, VCPU_MSR_OPTIONAL, UINT64_MAX, msr, )              \
	ONE(uint8_t, exception_pending, true, events.exception_pending)        \
	ONE(uint8_t, exception_has_error_code, true,                           \
	    events.exception_has_error_code)                                   \
	ONE(uint8_t, exception_vector, 31, events.exception_vector)            \
	ONE(uint32_t, exception_error_code, UINT32_MAX,                        \
	    events.exception_error_code)                                       \
	ONE(uint64_t, exception_parameter, UINT64_MAX,                         \
	    events.exception_parameter)                                        \
	ONE(uint8_t, interrupt_injected, true, events.interrupt_injected)      \
	ONE(uint8_t, interrupt_soft, true, events.interrupt_soft)              \
	ONE(uint8_t, interrupt_vector, 255, events.interrupt_vector)           \
	ONE(uint8_t, nmi_pending, 2, events.nmi_pending)                       \
	ONE(uint8_t, nmi_injected, true, events.nmi_injected)                  \
	ONE(uint8_t, nmi_masked, true, events.nmi_masked)                      \
	ONE(uint8_t, interrupt_shadow, true, events.interrupt_shadow)

/* A run of guest pages: RAM ("ram"), or pages with other rights than the default ("protection"). */
#define STATE_RUN_ROWS(ONE, MANY, OWN)                                         \
	OWN(uint64_t, gpn, UINT64_MAX >> 12)                                   \
	OWN(uint64_t, pages, UINT64_MAX >> 12)                                 \
	OWN(uint64_t, access, GPA_ALL)

/* A rule of HvCallInstallIntercept ("intercepts"). */
#define STATE_INTERCEPT_ROWS(ONE, MANY, OWN)                                   \
	OWN(uint32_t, type, UINT32_MAX)                                        \
	OWN(uint32_t, mask, 3)                                                 \
	OWN(uint64_t, parameter, UINT64_MAX)

/* System Management Mode of VTL0 ("smm"), if the partition has it. */
#define STATE_SMM_ROWS(ONE, MANY, OWN)                                         \
	ONE(uint64_t, smbase, UINT32_MAX, smbase)                              \
	ONE(uint8_t, active, true, events.smm)                                 \
	ONE(uint8_t, nmi_masked_before, true, events.smm_in_nmi)

/*
 * An MSR that differs from its value after reset ("msrs"). MSRs that VTLs share are in the record
 * of VTL0.
 */
#define STATE_MSR_ROWS(ONE, MANY, OWN)                                         \
	OWN(uint32_t, index, UINT32_MAX)                                       \
	OWN(uint64_t, value, UINT64_MAX)
/* clang-format on */

#endif
