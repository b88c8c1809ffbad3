/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offered privileges and features: the source of the CPUID leaves 0x40000000 and up, and of the
 * checks of MSRs and hypercalls.
 */
#ifndef CORE_CPUID_H
#define CORE_CPUID_H

#include "core/core.h"

#define CPUID_LEAF_MAX 12

/*
 * Offered by default: everything implemented but AccessPartitionId. Linux takes a partition with
 * that privilege for the root partition, and fails without the output page that only that one has.
 */
#define CPUID_PRIVILEGES_DEFAULT                                                                   \
	(HV_PRIVILEGE(ACCESS_VP_RUN_TIME_REG) | HV_PRIVILEGE(ACCESS_PARTITION_REFERENCE_COUNTER) | \
	 HV_PRIVILEGE(ACCESS_SYNIC_REGS) | HV_PRIVILEGE(ACCESS_SYNTHETIC_TIMER_REGS) |             \
	 HV_PRIVILEGE(ACCESS_INTR_CTRL_REGS) | HV_PRIVILEGE(ACCESS_HYPERCALL_MSRS) |               \
	 HV_PRIVILEGE(ACCESS_VP_INDEX) | HV_PRIVILEGE(ACCESS_RESET_REG) |                          \
	 HV_PRIVILEGE(ACCESS_PARTITION_REFERENCE_TSC) | HV_PRIVILEGE(ACCESS_GUEST_IDLE_REG) |      \
	 HV_PRIVILEGE(ACCESS_FREQUENCY_REGS) | HV_PRIVILEGE(ACCESS_TSC_INVARIANT_CONTROLS) |       \
	 HV_PRIVILEGE(POST_MESSAGES) | HV_PRIVILEGE(SIGNAL_EVENTS) |                               \
	 HV_PRIVILEGE(ENABLE_EXTENDED_GVA_RANGES) | HV_PRIVILEGE(ACCESS_VSM) |                     \
	 HV_PRIVILEGE(ACCESS_VP_REGISTERS) | HV_PRIVILEGE(FAST_HYPERCALL_OUTPUT) |                 \
	 HV_PRIVILEGE(START_VIRTUAL_PROCESSOR))
#define CPUID_FEATURES_DEFAULT                                                    \
	(HV_FEATURE(XMM_REGISTERS_FOR_FAST_HYPERCALL) | HV_FEATURE(GUEST_IDLE) |  \
	 HV_FEATURE(FREQUENCY_REGS) | HV_FEATURE(GUEST_CRASH_REGS) |              \
	 HV_FEATURE(EXTENDED_GVA_RANGES) | HV_FEATURE(FAST_HYPERCALL_OUTPUT) |    \
	 HV_FEATURE(SINT_POLLING_MODE) | HV_FEATURE(HYPERCALL_MSR_LOCK) |         \
	 HV_FEATURE(DIRECT_SYNTHETIC_TIMERS) | HV_FEATURE(PAT_REGISTER_FOR_VSM) | \
	 HV_FEATURE(CROSS_VTL_FLUSH) | HV_FEATURE(TRANSLATE_GVA_FLAGS))
#define CPUID_RECOMMENDATIONS_DEFAULT                                     \
	(HV_RECOMMEND(REMOTE_FLUSH_HYPERCALL) | HV_RECOMMEND(APIC_MSRS) | \
	 HV_RECOMMEND(RESET_MSR) | HV_RECOMMEND(RELAXED_TIMING) |         \
	 HV_RECOMMEND(SYNTHETIC_CLUSTER_IPI) | HV_RECOMMEND(EX_PROCESSOR_MASKS))

/*
 * Removes from the configuration what cannot be offered, with a log line each, and sets the
 * partition's privileges.
 */
void cpuid_settle(struct vsm_partition *partition);
/* The hypervisor leaves. Returns their number, at most CPUID_LEAF_MAX. */
size_t cpuid_leaves(const struct vsm_partition *partition, struct cpuid_leaf leaf[CPUID_LEAF_MAX]);
/* CPUID of the guest in @vtl of @vp: some bits depend on registers of that VTL. Owner of @vp. */
void cpuid_get(struct vsm_vp *vp, uint8_t vtl, uint32_t leaf, uint32_t subleaf, uint32_t value[4]);

static inline bool partition_has(const struct vsm_partition *partition, uint64_t privileges)
{
	return (partition->privileges & privileges) == privileges;
}

#endif
