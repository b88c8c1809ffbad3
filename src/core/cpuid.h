/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the partition offers: one description of privileges and features, from which the CPUID leaves
 * 0x40000000 and up, the checks of MSRs and the checks of hypercalls follow.
 */
#ifndef CORE_CPUID_H
#define CORE_CPUID_H

#include "core/core.h"

#define CPUID_LEAF_MAX 12

/* Takes out of the configuration what cannot be offered, with a log line each; fills the partition. */
void cpuid_settle(struct vsm_partition *partition);
/* The hypervisor leaves. Returns their number, at most CPUID_LEAF_MAX. */
size_t cpuid_leaves(const struct vsm_partition *partition, struct cpuid_leaf leaf[CPUID_LEAF_MAX]);
/* All of CPUID as the guest on @vp sees it. Owner of @vp. */
void cpuid_get(struct vsm_vp *vp, uint32_t leaf, uint32_t subleaf, uint32_t value[4]);

static inline bool partition_has(const struct vsm_partition *partition, uint64_t privileges)
{
	return (partition->privileges & privileges) == privileges;
}

#endif
