/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/registers/table.h"
#include "core/x64.h"

#include <stdlib.h>

#define STATE(field)	  offsetof(struct vcpu_state, field)
#define PRIVATE_MSR(name) offsetof(struct vcpu_state, msr[VCPU_MSR_##name])

#define SHARED REGS_SHARED
#define WHOLE  REGS_PARTITION

#define GET_SET(name) regs_get_##name, regs_set_##name
#define GET(name)     regs_get_##name, NULL

/* clang-format off */

#define ONE(name)	    HV_X64_REGISTER_##name, HV_X64_REGISTER_##name
#define RUN(first, last)    HV_X64_REGISTER_##first, HV_X64_REGISTER_##last
#define HV_ONE(name)	    HV_REGISTER_##name, HV_REGISTER_##name
#define HV_RUN(first, last) HV_REGISTER_##first, HV_REGISTER_##last

/*
 * TLFS "Virtual processor registers", by ascending name. Missing are registers of other
 * architectures, of a root partition, of nested virtualization and isolation, and of CPU features
 * that are not offered. HvRegisterGuestIdle is left out because reading it would suspend the
 * reader, and VsmVpWaitForTlbLock because no guest uses it.
 */
const struct regs_row regs_table[] = {
	/* names, rule, flags, bits, group, at, get, set, check */
	{HV_ONE(INSTRUCTION_EMULATION_HINTS), REGS_OWN, WHOLE, 64, 0, 0, GET(emulation_hints)},
	{HV_ONE(INTERNAL_ACTIVITY_STATE), REGS_LOWER, 0, 64, 0, 0, GET_SET(activity)},
	{HV_ONE(HYPERVISOR_VERSION), REGS_OWN, WHOLE, 128, 0, HV_CPUID_VERSION, GET(cpuid)},
	{HV_RUN(PRIVILEGES_AND_FEATURES_INFO, IPT_FEATURES_INFO), REGS_OWN, WHOLE, 128, 0, HV_CPUID_FEATURES, GET(cpuid)},
	{HV_RUN(GUEST_CRASH_P0, GUEST_CRASH_CTL), REGS_OWN, WHOLE, 64, 0, HV_X64_MSR_CRASH_P0, GET_SET(msr)},
	{HV_ONE(PROCESSOR_CLOCK_FREQUENCY), REGS_OWN, WHOLE, 64, 0, HV_X64_MSR_TSC_FREQUENCY, GET(msr)},
	{HV_ONE(INTERRUPT_CLOCK_FREQUENCY), REGS_OWN, 0, 64, 0, HV_X64_MSR_APIC_FREQUENCY, GET(msr)},

	{HV_ONE(PENDING_INTERRUPTION), REGS_LOWER, 0, 64, 0, 0, GET_SET(pending_interruption)},
	{HV_ONE(INTERRUPT_STATE), REGS_LOWER, 0, 64, 0, 0, GET_SET(interrupt_state)},
	{HV_ONE(PENDING_EVENT0), REGS_EVENT, 0, 128, 0, 0, GET_SET(pending_event0)},
	{HV_ONE(PENDING_EVENT1), REGS_EVENT, 0, 128, 0, 0, GET_SET(pending_event1)},

	{RUN(RAX, RBX), REGS_LOWER, SHARED, 64, VCPU_GPR, STATE(gpr[GPR_RAX]), GET_SET(state)},
	{ONE(RSP), REGS_LOWER, 0, 64, VCPU_GPR, STATE(gpr[GPR_RSP]), GET_SET(state)},
	{RUN(RBP, R15), REGS_LOWER, SHARED, 64, VCPU_GPR, STATE(gpr[GPR_RBP]), GET_SET(state)},
	{ONE(RIP), REGS_LOWER, 0, 64, VCPU_GPR, STATE(rip), GET_SET(state), regs_check_rip},
	{ONE(RFLAGS), REGS_LOWER, 0, 64, VCPU_GPR, STATE(rflags), GET_SET(state), regs_check_rflags},
	{RUN(XMM0, XMM15), REGS_LOWER, SHARED, 128, 0, 0, GET_SET(xmm)},
	{RUN(FP_MMX0, FP_MMX7), REGS_LOWER, SHARED, 80, 0, 0, GET_SET(st)},
	{ONE(FP_CONTROL_STATUS), REGS_LOWER, SHARED, 128, 0, 0, GET_SET(fp_control)},
	{ONE(XMM_CONTROL_STATUS), REGS_LOWER, SHARED, 128, 0, 0, GET_SET(xmm_control)},

	{ONE(CR0), REGS_LOWER, 0, 64, VCPU_SYSTEM, STATE(cr0), regs_get_state, regs_set_paging, regs_check_cr0},
	{ONE(CR2), REGS_LOWER, SHARED, 64, VCPU_SYSTEM, STATE(cr2), GET_SET(state)},
	{ONE(CR3), REGS_LOWER, 0, 64, VCPU_SYSTEM, STATE(cr3), regs_get_state, regs_set_paging, regs_check_cr3},
	{ONE(CR4), REGS_LOWER, 0, 64, VCPU_SYSTEM, STATE(cr4), regs_get_state, regs_set_paging, regs_check_cr4},
	{ONE(CR8), REGS_LOWER, 0, 64, 0, 0, GET_SET(cr8)},
	{ONE(XFEM), REGS_LOWER, SHARED, 64, VCPU_XCR0, STATE(xcr0), GET_SET(state), regs_check_xcr0},
	{RUN(DR0, DR3), REGS_LOWER, SHARED, 64, VCPU_DEBUG, STATE(dr), GET_SET(state)},
	{ONE(DR6), REGS_LOWER, REGS_DR6, 64, 0, 0, GET_SET(dr6)},
	{ONE(DR7), REGS_LOWER, 0, 64, VCPU_DEBUG, STATE(dr7), GET_SET(state), regs_check_dr7},
	{RUN(ES, TR), REGS_LOWER, 0, 128, 0, 0, GET_SET(segment)},
	{RUN(IDTR, GDTR), REGS_LOWER, 0, 128, 0, 0, GET_SET(table)},

	{ONE(TSC), REGS_LOWER, 0, 64, 0, 0, GET_SET(tsc)},
	{ONE(EFER), REGS_LOWER, 0, 64, VCPU_SYSTEM, STATE(efer), regs_get_state, regs_set_paging, regs_check_efer},
	{ONE(KERNEL_GS_BASE), REGS_LOWER, 0, 64, VCPU_MSR, PRIVATE_MSR(KERNEL_GS_BASE), GET_SET(state), regs_check_canonical},
	{ONE(APIC_BASE), REGS_OWN, 0, 64, 0, VSM_LAPIC_MSR_BASE, GET_SET(msr)},
	{ONE(PAT), REGS_LOWER, 0, 64, VCPU_MSR, PRIVATE_MSR(PAT), regs_get_state, regs_set_paging, regs_check_pat},
	{ONE(SYSENTER_CS), REGS_LOWER, 0, 32, VCPU_MSR, PRIVATE_MSR(SYSENTER_CS), GET_SET(state)},
	{ONE(SYSENTER_EIP), REGS_LOWER, 0, 64, VCPU_MSR, PRIVATE_MSR(SYSENTER_EIP), GET_SET(state), regs_check_canonical},
	{ONE(SYSENTER_ESP), REGS_LOWER, 0, 64, VCPU_MSR, PRIVATE_MSR(SYSENTER_ESP), GET_SET(state), regs_check_canonical},
	{ONE(STAR), REGS_LOWER, 0, 64, VCPU_MSR, PRIVATE_MSR(STAR), GET_SET(state)},
	{ONE(LSTAR), REGS_LOWER, 0, 64, VCPU_MSR, PRIVATE_MSR(LSTAR), GET_SET(state), regs_check_canonical},
	{ONE(CSTAR), REGS_LOWER, 0, 64, VCPU_MSR, PRIVATE_MSR(CSTAR), GET_SET(state), regs_check_canonical},
	{ONE(SFMASK), REGS_LOWER, 0, 32, VCPU_MSR, PRIVATE_MSR(SFMASK), GET_SET(state)},
	{ONE(INITIAL_APIC_ID), REGS_LOWER, 0, 64, 0, 0, GET(apic_id)},
	{ONE(MSR_MTRR_CAP), REGS_LOWER, 0, 64, 0, X64_MSR_MTRRCAP, GET(mtrr)},
	{ONE(MSR_MTRR_DEF_TYPE), REGS_LOWER, 0, 64, 0, X64_MSR_MTRR_DEF_TYPE, GET_SET(mtrr)},
	{RUN(MSR_MTRR_PHYS_BASE0, MSR_MTRR_PHYS_BASE7), REGS_LOWER, 0, 64, 0, X64_MSR_MTRR_PHYS_BASE0, GET_SET(mtrr)},
	{RUN(MSR_MTRR_PHYS_MASK0, MSR_MTRR_PHYS_MASK7), REGS_LOWER, 0, 64, 0, X64_MSR_MTRR_PHYS_BASE0 + 1, GET_SET(mtrr)},
	{RUN(MSR_MTRR_FIX64K00000, MSR_MTRR_FIX4KF8000), REGS_LOWER, 0, 64, 0, X64_MSR_MTRR_FIX64K, GET_SET(mtrr)},
	{ONE(TSC_AUX), REGS_LOWER, 0, 32, VCPU_MSR, PRIVATE_MSR(TSC_AUX), GET_SET(state)},
	{ONE(BNDCFGS), REGS_LOWER, 0, 64, VCPU_MSR, VCPU_MSR_BNDCFGS, GET_SET(cpu_msr)},
	{ONE(DEBUG_CTL), REGS_LOWER, 0, 64, VCPU_MSR, VCPU_MSR_DEBUGCTL, GET_SET(cpu_msr)},
	{ONE(SPEC_CTRL), REGS_LOWER, 0, 64, VCPU_MSR, VCPU_MSR_SPEC_CTRL, GET_SET(cpu_msr)},
	{ONE(VIRT_SPEC_CTRL), REGS_LOWER, 0, 64, VCPU_MSR, VCPU_MSR_VIRT_SPEC_CTRL, GET_SET(cpu_msr)},
	{ONE(TSX_CTRL), REGS_LOWER, 0, 64, VCPU_MSR, VCPU_MSR_TSX_CTRL, GET_SET(cpu_msr)},
	{ONE(XSS), REGS_LOWER, 0, 64, VCPU_MSR, VCPU_MSR_XSS, GET_SET(cpu_msr)},
	{ONE(TSC_ADJUST), REGS_LOWER, 0, 64, 0, X64_MSR_TSC_ADJUST, GET_SET(msr)},
	{ONE(UMWAIT_CONTROL), REGS_LOWER, 0, 64, VCPU_MSR, VCPU_MSR_UMWAIT_CONTROL, GET_SET(cpu_msr)},
	{ONE(XFD), REGS_LOWER, 0, 64, VCPU_MSR, VCPU_MSR_XFD, GET_SET(cpu_msr)},
	{ONE(XFD_ERR), REGS_LOWER, 0, 64, VCPU_MSR, VCPU_MSR_XFD_ERR, GET_SET(cpu_msr)},
	{ONE(MSR_IA32_MISC_ENABLE), REGS_LOWER, 0, 64, 0, X64_MSR_MISC_ENABLE, regs_get_msr, regs_set_strict_msr},
	{RUN(APIC_ID, APIC_SELF_IPI), REGS_OWN, 0, 64, 0, HV_X64_REGISTER_APIC_ID & 0xff, GET_SET(apic)},

	{HV_ONE(VP_RUNTIME), REGS_OWN, WHOLE, 64, 0, HV_X64_MSR_VP_RUNTIME, GET(msr)},
	{ONE(HYPERCALL), REGS_OWN, 0, 64, 0, HV_X64_MSR_HYPERCALL, GET_SET(msr)},
	{HV_ONE(GUEST_OS_ID), REGS_OWN, 0, 64, 0, HV_X64_MSR_GUEST_OS_ID, GET_SET(msr)},
	{HV_ONE(VP_INDEX), REGS_OWN, WHOLE, 64, 0, HV_X64_MSR_VP_INDEX, GET(msr)},
	{HV_ONE(TIME_REF_COUNT), REGS_OWN, WHOLE, 64, 0, HV_X64_MSR_TIME_REF_COUNT, GET(msr)},
	{ONE(SYNTHETIC_EOI), REGS_OWN, 0, 64, 0, HV_X64_MSR_EOI, GET_SET(msr)},
	{ONE(SYNTHETIC_ICR), REGS_OWN, 0, 64, 0, HV_X64_MSR_ICR, GET_SET(msr)},
	{ONE(SYNTHETIC_TPR), REGS_OWN, 0, 64, 0, HV_X64_MSR_TPR, GET_SET(msr)},
	{HV_ONE(VP_ASSIST_PAGE), REGS_OWN, 0, 64, 0, HV_X64_MSR_VP_ASSIST_PAGE, regs_get_msr, regs_set_strict_msr},
	{HV_ONE(REFERENCE_TSC), REGS_OWN, 0, 64, 0, HV_X64_MSR_REFERENCE_TSC, GET_SET(msr)},
	{HV_ONE(REFERENCE_TSC_SEQUENCE), REGS_OWN, WHOLE, 64, 0, 0, GET(tsc_sequence)},

	{HV_RUN(SINT0, SINT15), REGS_OWN, 0, 64, 0, HV_X64_MSR_SINT0, GET_SET(msr)},
	{HV_ONE(SCONTROL), REGS_OWN, 0, 64, 0, HV_X64_MSR_SCONTROL, GET_SET(msr)},
	{HV_ONE(SVERSION), REGS_OWN, 0, 64, 0, HV_X64_MSR_SVERSION, GET(msr)},
	{HV_RUN(SIFP, EOM), REGS_OWN, 0, 64, 0, HV_X64_MSR_SIEFP, GET_SET(msr)},
	{HV_RUN(STIMER0_CONFIG, STIMER3_COUNT), REGS_OWN, 0, 64, 0, HV_X64_MSR_STIMER0_CONFIG, GET_SET(msr)},

	{RUN(YMM0_LOW, YMM15_LOW), REGS_LOWER, SHARED, 128, 0, 0, GET_SET(xmm)},
	{RUN(YMM0_HIGH, YMM15_HIGH), REGS_LOWER, SHARED, 128, 0, 0, GET_SET(ymm_high)},

	{HV_ONE(VSM_CODE_PAGE_OFFSETS), REGS_VSM, 0, 64, 0, 0, GET(code_page_offsets)},
	{HV_ONE(VSM_VP_STATUS), REGS_VSM, WHOLE, 64, 0, 0, GET(vp_status)},
	{HV_ONE(VSM_PARTITION_STATUS), REGS_VSM, WHOLE, 64, 0, 0, GET(partition_status)},
	{HV_ONE(VSM_VINA), REGS_VSM_HIGHER, 0, 64, 0, 0, GET_SET(vina)},
	{HV_ONE(VSM_CAPABILITIES), REGS_VSM, WHOLE, 64, 0, 0, GET(capabilities)},
	{HV_ONE(VSM_PARTITION_CONFIG), REGS_VSM_HIGHER, WHOLE, 64, 0, 0, GET_SET(partition_config)},
	{HV_RUN(VSM_VP_SECURE_CONFIG_VTL0, VSM_VP_SECURE_CONFIG_VTL14), REGS_SECURE, 0, 64, 0, 0, GET_SET(secure_config)},
	{HV_ONE(ISOLATION_CAPABILITIES), REGS_VSM, WHOLE, 64, 0, 0, GET(zero)},

	{RUN(CR_INTERCEPT_CONTROL, CR_INTERCEPT_IA32_MISC_ENABLE_MASK), REGS_INTERCEPTING, 0, 64, 0, 0, GET_SET(cr_intercept)},
};

/* clang-format on */

const size_t regs_table_size = ARRAY_SIZE(regs_table);

static int compare(const void *key, const void *element)
{
	const uint32_t name = *(const uint32_t *)key;
	const struct regs_row *row = element;

	return name < row->first ? -1 : name > row->last;
}

const struct regs_row *regs_find(uint32_t name)
{
	return bsearch(&name, regs_table, regs_table_size, sizeof(regs_table[0]), compare);
}
