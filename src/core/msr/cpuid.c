/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/msr/cpuid.h"

#include "core/interrupt/tsc.h"
#include "core/vp/fpu.h"
#include "core/x64.h"

/* Implemented privileges (P24): other bits are never offered. TLFS "Feature discovery". */
#define PRIVILEGES_IMPLEMENTED                                                                     \
	(HV_PRIVILEGE(ACCESS_VP_RUN_TIME_REG) | HV_PRIVILEGE(ACCESS_PARTITION_REFERENCE_COUNTER) | \
	 HV_PRIVILEGE(ACCESS_SYNIC_REGS) | HV_PRIVILEGE(ACCESS_SYNTHETIC_TIMER_REGS) |             \
	 HV_PRIVILEGE(ACCESS_INTR_CTRL_REGS) | HV_PRIVILEGE(ACCESS_HYPERCALL_MSRS) |               \
	 HV_PRIVILEGE(ACCESS_VP_INDEX) | HV_PRIVILEGE(ACCESS_RESET_REG) |                          \
	 HV_PRIVILEGE(ACCESS_PARTITION_REFERENCE_TSC) | HV_PRIVILEGE(ACCESS_GUEST_IDLE_REG) |      \
	 HV_PRIVILEGE(ACCESS_FREQUENCY_REGS) | HV_PRIVILEGE(ACCESS_PARTITION_ID) |                 \
	 HV_PRIVILEGE(ACCESS_TSC_INVARIANT_CONTROLS) | HV_PRIVILEGE(POST_MESSAGES) |               \
	 HV_PRIVILEGE(SIGNAL_EVENTS) | HV_PRIVILEGE(ENABLE_EXTENDED_GVA_RANGES) |                  \
	 HV_PRIVILEGE(ACCESS_VSM) | HV_PRIVILEGE(ACCESS_VP_REGISTERS) |                            \
	 HV_PRIVILEGE(FAST_HYPERCALL_OUTPUT) | HV_PRIVILEGE(ENABLE_EXTENDED_HYPERCALLS) |          \
	 HV_PRIVILEGE(START_VIRTUAL_PROCESSOR))

#define FEATURES_IMPLEMENTED                                                      \
	(HV_FEATURE(XMM_REGISTERS_FOR_FAST_HYPERCALL) | HV_FEATURE(GUEST_IDLE) |  \
	 HV_FEATURE(FREQUENCY_REGS) | HV_FEATURE(GUEST_CRASH_REGS) |              \
	 HV_FEATURE(EXTENDED_GVA_RANGES) | HV_FEATURE(FAST_HYPERCALL_OUTPUT) |    \
	 HV_FEATURE(SINT_POLLING_MODE) | HV_FEATURE(HYPERCALL_MSR_LOCK) |         \
	 HV_FEATURE(DIRECT_SYNTHETIC_TIMERS) | HV_FEATURE(PAT_REGISTER_FOR_VSM) | \
	 HV_FEATURE(CROSS_VTL_FLUSH) | HV_FEATURE(TRANSLATE_GVA_FLAGS))

/* The last two depend on the VMM's placement of VPs on host CPUs: only the VMM can request them. */
#define RECOMMENDATIONS_POSSIBLE                                                            \
	(HV_RECOMMEND(LOCAL_FLUSH_HYPERCALL) | HV_RECOMMEND(REMOTE_FLUSH_HYPERCALL) |       \
	 HV_RECOMMEND(APIC_MSRS) | HV_RECOMMEND(RESET_MSR) | HV_RECOMMEND(RELAXED_TIMING) | \
	 HV_RECOMMEND(X2APIC_MSRS) | HV_RECOMMEND(DEPRECATE_AUTO_EOI) |                     \
	 HV_RECOMMEND(SYNTHETIC_CLUSTER_IPI) | HV_RECOMMEND(EX_PROCESSOR_MASKS) |           \
	 HV_RECOMMEND(DIRECT_LOCAL_FLUSH_ENTIRE) | HV_RECOMMEND(X2APIC) |                   \
	 HV_RECOMMEND(CORE_SCHEDULER) | HV_RECOMMEND(NO_NON_ARCHITECTURAL_CORE_SHARING))

/*
 * Not offered by default: Linux treats a partition with AccessPartitionId as a root partition, and
 * fails without the root's output page; and no extended hypercall does anything
 * (hc_ext_query_capabilities()).
 */
#define PRIVILEGES_ON_REQUEST \
	(HV_PRIVILEGE(ACCESS_PARTITION_ID) | HV_PRIVILEGE(ENABLE_EXTENDED_HYPERCALLS))

#define RECOMMENDATIONS_DEFAULT                                           \
	(HV_RECOMMEND(REMOTE_FLUSH_HYPERCALL) | HV_RECOMMEND(APIC_MSRS) | \
	 HV_RECOMMEND(RESET_MSR) | HV_RECOMMEND(RELAXED_TIMING) |         \
	 HV_RECOMMEND(SYNTHETIC_CLUSTER_IPI) | HV_RECOMMEND(EX_PROCESSOR_MASKS))

static const struct {
	uint64_t privileges; /* required by these features or recommendations */
	uint32_t features;
	uint32_t recommendations;
	const char *name;
} needs[] = {
	{HV_PRIVILEGE(ACCESS_GUEST_IDLE_REG), HV_FEATURE(GUEST_IDLE), 0, "GuestIdle"},
	{HV_PRIVILEGE(ACCESS_FREQUENCY_REGS), HV_FEATURE(FREQUENCY_REGS), 0, "FrequencyRegs"},
	{HV_PRIVILEGE(FAST_HYPERCALL_OUTPUT), HV_FEATURE(FAST_HYPERCALL_OUTPUT), 0,
	 "FastHypercallOutput"},
	{HV_PRIVILEGE(ENABLE_EXTENDED_GVA_RANGES), HV_FEATURE(EXTENDED_GVA_RANGES), 0,
	 "ExtendedGvaRanges"},
	{HV_PRIVILEGE(ACCESS_SYNTHETIC_TIMER_REGS), HV_FEATURE(DIRECT_SYNTHETIC_TIMERS), 0,
	 "DirectSyntheticTimers"},
	{HV_PRIVILEGE(ACCESS_SYNIC_REGS), HV_FEATURE(SINT_POLLING_MODE), 0, "SintPollingMode"},
	{HV_PRIVILEGE(ACCESS_HYPERCALL_MSRS), HV_FEATURE(HYPERCALL_MSR_LOCK), 0,
	 "HypercallMsrLock"},
	{HV_PRIVILEGE(ACCESS_INTR_CTRL_REGS), 0, HV_RECOMMEND(APIC_MSRS), "UseApicMsrs"},
	{HV_PRIVILEGE(ACCESS_RESET_REG), 0, HV_RECOMMEND(RESET_MSR), "UseMsrForReset"},
	{HV_PRIVILEGE(ACCESS_HYPERCALL_MSRS), 0,
	 HV_RECOMMEND(LOCAL_FLUSH_HYPERCALL) | HV_RECOMMEND(REMOTE_FLUSH_HYPERCALL) |
		 HV_RECOMMEND(SYNTHETIC_CLUSTER_IPI),
	 "hypercalls instead of IPIs"},
};

/* Privileges for VSM (TLFS "VSM Detection and Status"), for hypercalls and for the VP index. */
#define VSM_NEEDS                                                      \
	(HV_PRIVILEGES_FOR_VSM | HV_PRIVILEGE(ACCESS_HYPERCALL_MSRS) | \
	 HV_PRIVILEGE(ACCESS_VP_INDEX))

static void settle_needs(struct vsm_partition *partition)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		if (partition_has(partition, needs[i].privileges))
			continue;
		if (!(partition->features_edx & needs[i].features) &&
		    !(partition->recommendations & needs[i].recommendations))
			continue;
		partition->features_edx &= ~needs[i].features;
		partition->recommendations &= ~needs[i].recommendations;
		vsm_log(&partition->log, VSM_LOG_WARN,
			"%s is not offered: the privilege that it needs is not granted",
			needs[i].name);
	}
}

static void settle_vsm(struct vsm_partition *partition)
{
	const uint64_t missing = VSM_NEEDS & ~partition->privileges;

	if (partition->config.max_vtl == 0) {
		partition->privileges &= ~HV_PRIVILEGE(ACCESS_VSM);
		return;
	}
	if (!missing)
		return;
	partition->privileges &= ~HV_PRIVILEGE(ACCESS_VSM);
	partition->vtl_count = 1;
	vsm_log(&partition->log, VSM_LOG_WARN,
		"VSM is not offered: it also needs the privileges 0x%llx; grant them, or "
		"set max_vtl to 0",
		(unsigned long long)missing);
}

void cpuid_set_defaults(struct vsm_config *config)
{
	config->privileges = PRIVILEGES_IMPLEMENTED & ~PRIVILEGES_ON_REQUEST;
	config->features = FEATURES_IMPLEMENTED;
	config->recommendations = RECOMMENDATIONS_DEFAULT;
}

void cpuid_settle(struct vsm_partition *partition)
{
	const struct vsm_config *config = &partition->config;
	const uint64_t privileges = config->privileges & ~PRIVILEGES_IMPLEMENTED;
	const uint32_t features = config->features & ~FEATURES_IMPLEMENTED;
	const uint32_t recommendations = config->recommendations & ~RECOMMENDATIONS_POSSIBLE;

	partition->privileges = config->privileges & PRIVILEGES_IMPLEMENTED;
	partition->features_edx = config->features & FEATURES_IMPLEMENTED;
	partition->recommendations = config->recommendations & RECOMMENDATIONS_POSSIBLE;
	if (privileges)
		vsm_log(&partition->log, VSM_LOG_WARN,
			"privileges 0x%llx are not implemented and not offered",
			(unsigned long long)privileges);
	if (features)
		vsm_log(&partition->log, VSM_LOG_WARN,
			"features 0x%x are not implemented and not offered", features);
	if (recommendations)
		vsm_log(&partition->log, VSM_LOG_WARN,
			"recommendations 0x%x are not implemented and not made", recommendations);
	/* Without an invariant TSC on the host there is nothing for the guest to enable. */
	if (!partition->features.tsc_invariant)
		partition->privileges &= ~HV_PRIVILEGE(ACCESS_TSC_INVARIANT_CONTROLS);
	settle_needs(partition);
	settle_vsm(partition);
}

/* The version of Windows Server 2022. Some guests read the leaf, but none requires a value. */
#define VERSION_BUILD 20348u
#define VERSION_MAJOR 10u

#define LAST_LEAF HV_CPUID_IPT_FEATURES

/* SDM 2A "CPUID" */
#define CPUID_1_ECX_OSXSAVE		 (1u << 27)
#define CPUID_1_EDX_APIC		 (1u << 9)
#define CPUID_7_ECX_OSPKE		 (1u << 4)
#define CPUID_80000007_EDX_INVARIANT_TSC (1u << 8)

static struct cpuid_leaf leaf_of(const struct vsm_partition *partition, uint32_t leaf)
{
	struct cpuid_leaf value = {.leaf = leaf};

	switch (leaf) {
	case HV_CPUID_VENDOR_AND_MAX_FUNCTION:
		value.eax = LAST_LEAF;
		value.ebx = HV_CPUID_VENDOR_EBX;
		value.ecx = HV_CPUID_VENDOR_ECX;
		value.edx = HV_CPUID_VENDOR_EDX;
		break;
	case HV_CPUID_INTERFACE:
		value.eax = HV_CPUID_SIGNATURE_EAX;
		break;
	case HV_CPUID_VERSION:
		value.eax = VERSION_BUILD;
		value.ebx = VERSION_MAJOR << HV_CPUID_VERSION_EBX_MAJOR_SHIFT;
		break;
	case HV_CPUID_FEATURES:
		/* The only bit for VSM is AccessVsm: bit 48 of the privileges, EBX[16] (P22). */
		value.eax = (uint32_t)partition->privileges;
		value.ebx = (uint32_t)(partition->privileges >> 32);
		value.edx = partition->features_edx;
		break;
	case HV_CPUID_ENLIGHTENMENT_INFO:
		value.eax = partition->recommendations;
		value.ebx = partition->config.spin_retries;
		value.ecx = partition->features.gpa_bits & HV_CPUID_PHYSICAL_ADDRESS_BITS_ECX;
		break;
	case HV_CPUID_IMPLEMENT_LIMITS:
		/* Logical processors and interrupt remapping concern the root partition: 0. */
		value.eax = CORE_VP_MAX;
		break;
	default:
		break;
	}
	return value;
}

size_t cpuid_leaves(const struct vsm_partition *partition, struct cpuid_leaf leaf[CPUID_LEAF_MAX])
{
	size_t count = 0;

	_Static_assert(LAST_LEAF - HV_CPUID_VENDOR_AND_MAX_FUNCTION < CPUID_LEAF_MAX,
		       "no room for all leaves");
	for (uint32_t number = HV_CPUID_VENDOR_AND_MAX_FUNCTION; number <= LAST_LEAF; number++)
		leaf[count++] = leaf_of(partition, number);
	return count;
}

static uint32_t with(uint32_t value, uint32_t bit, bool set)
{
	return set ? value | bit : value & ~bit;
}

/*
 * XCR0 is shared, so it is read from the active VTL. If that is above @vtl, the value that @vtl
 * last had is used instead. IA32_XSS is private.
 */
static void follow_xsave(struct vsm_vp *vp, uint8_t vtl, uint32_t subleaf, uint32_t value[4])
{
	const uint8_t holder = vp->active_vtl < vtl ? vp->active_vtl : vtl;
	const uint64_t xcr0 = vcpu_get(vp, holder, VCPU_XCR0)->xcr0;
	const uint64_t xss = subleaf == 1 ? vcpu_get(vp, vtl, VCPU_MSR)->msr[VCPU_MSR_XSS] : 0;

	fpu_set_area_size(vp->partition->ops->vp_cpuid, vp->backend, xcr0, xss, subleaf, value);
}

/* Values that depend on registers of @vtl: SDM 2A "CPUID", 3A 11.4.3 (the APIC). */
static void follow_registers(struct vsm_vp *vp, uint8_t vtl, uint32_t leaf, uint32_t subleaf,
			     uint32_t value[4])
{
	if (leaf == 1) {
		value[3] = with(value[3], CPUID_1_EDX_APIC,
				vsm_lapic_mode(&vp->vtl[vtl].lapic) != VSM_LAPIC_DISABLED);
		value[2] = with(value[2], CPUID_1_ECX_OSXSAVE,
				vcpu_get(vp, vtl, VCPU_SYSTEM)->cr4 & X64_CR4_OSXSAVE);
	} else if (leaf == 7 && !subleaf) {
		value[2] = with(value[2], CPUID_7_ECX_OSPKE,
				vcpu_get(vp, vtl, VCPU_SYSTEM)->cr4 & X64_CR4_PKE);
	} else if (leaf == 0x80000007 && !tsc_invariant_is_shown(vp->partition)) {
		value[3] &= ~CPUID_80000007_EDX_INVARIANT_TSC;
	}
}

void cpuid_get(struct vsm_vp *vp, uint8_t vtl, uint32_t leaf, uint32_t subleaf, uint32_t value[4])
{
	const struct vsm_partition *partition = vp->partition;

	if (leaf >= HV_CPUID_VENDOR_AND_MAX_FUNCTION && leaf <= LAST_LEAF) {
		const struct cpuid_leaf own = leaf_of(partition, leaf);

		value[0] = own.eax;
		value[1] = own.ebx;
		value[2] = own.ecx;
		value[3] = own.edx;
		return;
	}
	partition->ops->vp_cpuid(vp->backend, leaf, subleaf, value);
	if (leaf == 1)
		value[2] |= HV_CPUID_1_ECX_HYPERVISOR_PRESENT;
	follow_registers(vp, vtl, leaf, subleaf, value);
	if (leaf == 0xd)
		follow_xsave(vp, vtl, subleaf, value);
}
