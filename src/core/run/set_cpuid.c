/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks what the library requires of CPUID; the backend checks what the host supports. */
#include <errno.h>

#include <vsm/cpuid.h>

#include "core/msr/cpuid.h"
#include "core/vp/vp.h"

#define ENTRIES_MAX 256u

enum {
	EAX,
	EBX,
	ECX,
	EDX
};

static uint32_t reg_of(const struct vsm_cpuid *entry, unsigned int reg)
{
	const uint32_t value[] = {entry->eax, entry->ebx, entry->ecx, entry->edx};

	return value[reg];
}

/* The library always implements these features. */
static const struct {
	uint32_t leaf;
	uint8_t reg;
	uint8_t bit;
	const char *name;
} always[] = {
	{1, EDX, 4, "TSC"},	{1, EDX, 5, "MSR"},	    {1, EDX, 9, "APIC"},
	{1, ECX, 21, "x2APIC"}, {1, ECX, 31, "hypervisor"},
};

static const struct {
	uint32_t leaf;
	uint8_t reg;
	uint8_t shift;
} apic_ids[] = {
	{1, EBX, 24}, {0xb, EDX, 0}, {0x1f, EDX, 0}, {0x8000001e, EAX, 0}, {0x80000026, EDX, 0},
};

/*
 * In the leaf of recommendations the VMM can set only EBX, the retries of spinlocks, to the same
 * value for all VPs: a later call does not update the leaves of other VPs.
 */
static int check_retries(const struct vsm_vp *vp, const struct vsm_cpuid *entry)
{
	const struct vsm_partition *partition = vp->partition;

	if (entry->has_subleaf || entry->eax | entry->ecx | entry->edx)
		return vsm_error(&partition->log, EINVAL,
				 "vp %u: CPUID leaf %#x: only EBX can be set", vp->index,
				 entry->leaf);
	if (partition->cpuid_set && entry->ebx != partition->config.spin_retries)
		return vsm_error(&partition->log, EINVAL,
				 "vp %u: CPUID leaf %#x: EBX is %#x, but %#x for other VPs",
				 vp->index, entry->leaf, entry->ebx,
				 partition->config.spin_retries);
	return 0;
}

static int check_entry(const struct vsm_vp *vp, const struct vsm_cpuid *entry)
{
	const struct vsm_log *log = &vp->partition->log;

	if (entry->leaf == HV_CPUID_ENLIGHTENMENT_INFO)
		return check_retries(vp, entry);
	if (entry->leaf >= HV_CPUID_VENDOR_AND_MAX_FUNCTION && entry->leaf < 0x50000000)
		return vsm_error(log, EINVAL, "vp %u: CPUID leaf %#x is set by the library",
				 vp->index, entry->leaf);
	if (entry->has_subleaf > 1)
		return vsm_error(log, EINVAL, "vp %u: CPUID leaf %#x: has_subleaf %u", vp->index,
				 entry->leaf, entry->has_subleaf);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (entry->leaf == always[i].leaf &&
		    !(reg_of(entry, always[i].reg) >> always[i].bit & 1))
			return vsm_error(log, EINVAL, "vp %u: CPUID leaf %#x lacks %s", vp->index,
					 entry->leaf, always[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(apic_ids); i++) {
		const uint32_t id = vp->apic_id << apic_ids[i].shift >> apic_ids[i].shift;

		/* A leaf that is all zero does not exist. */
		if (entry->leaf == apic_ids[i].leaf &&
		    (entry->eax | entry->ebx | entry->ecx | entry->edx) &&
		    reg_of(entry, apic_ids[i].reg) >> apic_ids[i].shift != id)
			return vsm_error(
				log, EINVAL, "vp %u: CPUID leaf %#x: its APIC id is %u, not %u",
				vp->index, entry->leaf,
				reg_of(entry, apic_ids[i].reg) >> apic_ids[i].shift, vp->apic_id);
	}
	return 0;
}

static bool is_same_leaf(const struct vsm_cpuid *a, const struct vsm_cpuid *b)
{
	return a->leaf == b->leaf &&
	       (!a->has_subleaf || !b->has_subleaf || a->subleaf == b->subleaf);
}

static int check_all(const struct vsm_vp *vp, const struct vsm_cpuid *entry, size_t count)
{
	const struct vsm_log *log = &vp->partition->log;
	bool has_features = false;
	int error = 0;

	if (count > ENTRIES_MAX)
		return vsm_error(log, EINVAL, "vp %u: %zu entries of CPUID: more than %u",
				 vp->index, count, ENTRIES_MAX);
	for (size_t i = 0; i < count && !error; i++) {
		has_features |= entry[i].leaf == 1;
		error = check_entry(vp, &entry[i]);
		for (size_t j = 0; j < i && !error; j++)
			if (is_same_leaf(&entry[i], &entry[j]))
				error = vsm_error(log, EINVAL,
						  "vp %u: CPUID leaf %#x.%u is given twice",
						  vp->index, entry[i].leaf, entry[i].subleaf);
	}
	if (!error && !has_features)
		error = vsm_error(log, EINVAL, "vp %u: CPUID has no leaf 1", vp->index);
	return error;
}

static bool ram_fits(struct vsm_partition *partition, uint8_t gpa_bits)
{
	struct memory *memory = &partition->memory;
	bool fits = true;

	pthread_rwlock_rdlock(&memory->lock);
	for (uint32_t i = 0; i < memory->region_count; i++)
		fits = fits && (memory->region[i].gpn + memory->region[i].pages) <=
				       UINT64_C(1) << (gpa_bits - 12);
	pthread_rwlock_unlock(&memory->lock);
	return fits;
}

/* Leaf 0x40000004 is not copied; it sets *@retries. Returns the number of entries in @cpu. */
static size_t split(const struct vsm_cpuid *entry, size_t count, struct vsm_cpuid *cpu,
		    uint32_t *retries)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (entry[i].leaf == HV_CPUID_ENLIGHTENMENT_INFO)
			*retries = entry[i].ebx;
		else
			cpu[kept++] = entry[i];
	}
	return kept;
}

int vsm_vp_set_cpuid(struct vsm_vp *vp, const struct vsm_cpuid *entry, size_t count)
{
	struct vsm_partition *partition = vp->partition;
	const struct backend_features old = partition->features;
	const uint32_t old_retries = partition->config.spin_retries;
	struct backend_features features = old;
	struct cpuid_leaf leaf[CPUID_LEAF_MAX];
	struct vsm_cpuid cpu[ENTRIES_MAX];
	uint32_t retries = old_retries;
	int error = check_all(vp, entry, count);

	if (error)
		return error;
	count = split(entry, count, cpu, &retries);
	if (!partition->ops->vp_set_cpuid)
		return vsm_error(&partition->log, ENOTSUP,
				 "the backend does not support setting CPUID");
	for (uint32_t i = 0; i < partition->vp_count; i++)
		if (atomic_load(&partition->vp[i]->exits))
			return vsm_error(&partition->log, EBUSY,
					 "vp %u: CPUID must be set before any VP runs", vp->index);
	error = partition->ops->vp_check_cpuid(vp->backend, cpu, count, &features);
	if (error)
		return error;
	if (!ram_fits(partition, features.gpa_bits))
		return vsm_error(&partition->log, EINVAL,
				 "vp %u: RAM is beyond %u physical address bits", vp->index,
				 features.gpa_bits);
	partition->features = features;
	partition->config.spin_retries = retries;
	error = partition->ops->vp_set_cpuid(vp->backend, cpu, count, leaf,
					     cpuid_leaves(partition, leaf));
	if (error) {
		partition->features = old;
		partition->config.spin_retries = old_retries;
	} else {
		partition->cpuid_set = true;
	}
	return error;
}
