/* SPDX-License-Identifier: BSD-2-Clause */
/* Offered privileges and features, for CPUID leaves, MSRs and hypercalls. */
#ifndef CORE_CPUID_H
#define CORE_CPUID_H

#include "core/core.h"

#define CPUID_LEAF_MAX 12

void cpuid_set_defaults(struct vsm_config *config);
/*
 * Sets the partition's privileges, features and recommendations to those of the configuration that
 * can be offered. Others are logged (vsm_config.privileges names the exceptions).
 */
void cpuid_settle(struct vsm_partition *partition);
/* The hypervisor leaves. Returns their number, at most CPUID_LEAF_MAX. */
size_t cpuid_leaves(const struct vsm_partition *partition, struct cpuid_leaf leaf[CPUID_LEAF_MAX]);
/* Some bits depend on registers of @vtl. Owner of @vp. */
void cpuid_get(struct vsm_vp *vp, uint8_t vtl, uint32_t leaf, uint32_t subleaf, uint32_t value[4]);

static inline bool partition_has(const struct vsm_partition *partition, uint64_t privileges)
{
	return (partition->privileges & privileges) == privileges;
}

#endif
