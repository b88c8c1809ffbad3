/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the CPUID that a VMM sets: a bit that is 1 must be offered if it enables a feature. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/vcpu/vcpu.h"

#define ALL UINT32_MAX

#define PHYSICAL_BITS(eax) ((eax)&0xff)
#define LINEAR_BITS(eax)   ((eax) >> 8 & 0xff)
#define GUEST_BITS(eax)	   ((eax) >> 16 & 0xff)

/* EAX, EBX, ECX, EDX */
struct bits {
	uint32_t leaf;
	uint32_t subleaf; /* or ALL */
	uint32_t reg[4];
};

/* Fields that are not features: highest leaves, signature, caches, topology, names, sizes ... */
static const struct bits described[] = {
	{0x0, ALL, {ALL, 0, 0, 0}},
	{0x1, ALL, {ALL, ALL, 1u << 27, 1u << 28}}, /* OSXSAVE follows CR4; HTT */
	{0x2, ALL, {ALL, ALL, ALL, ALL}},
	{0x4, ALL, {ALL, ALL, ALL, ALL}},
	{0x7, 0, {ALL, 0, 1u << 4, 0}}, /* OSPKE follows CR4 */
	{0xb, ALL, {ALL, ALL, ALL, ALL}},
	{0xd, 0, {0, ALL, ALL, 0}},
	{0xd, 1, {0, ALL, 0, 0}},
	{0x15, ALL, {ALL, ALL, ALL, ALL}},
	{0x16, ALL, {ALL, ALL, ALL, ALL}},
	{0x18, ALL, {ALL, ALL, ALL, ALL}},
	{0x1f, ALL, {ALL, ALL, ALL, ALL}},
	{0x80000000, ALL, {ALL, 0, 0, 0}},
	{0x80000001, ALL, {ALL, ALL, 1u << 1, 0}}, /* CmpLegacy */
	{0x80000002, ALL, {ALL, ALL, ALL, ALL}},
	{0x80000003, ALL, {ALL, ALL, ALL, ALL}},
	{0x80000004, ALL, {ALL, ALL, ALL, ALL}},
	{0x80000005, ALL, {ALL, ALL, ALL, ALL}},
	{0x80000006, ALL, {ALL, ALL, ALL, ALL}},
	{0x80000008, ALL, {ALL, 0, ALL, 0}}, /* EAX: check_width() */
	{0x80000019, ALL, {ALL, ALL, ALL, ALL}},
	{0x8000001d, ALL, {ALL, ALL, ALL, ALL}},
	{0x8000001e, ALL, {ALL, ALL, ALL, ALL}},
	{0x80000026, ALL, {ALL, ALL, ALL, ALL}},
};

/* Values that must equal the host's: the vendor, and the components of the XSAVE area. */
static bool is_fixed(const struct vsm_cpuid *entry, unsigned int reg)
{
	if (entry->leaf == 0xd)
		return entry->subleaf >= 2;
	return (entry->leaf == 0 || entry->leaf == 0x80000000) && reg > 0;
}

static uint32_t free_bits(const struct vsm_cpuid *entry, unsigned int reg)
{
	for (size_t i = 0; i < ARRAY_SIZE(described); i++)
		if (described[i].leaf == entry->leaf &&
		    (described[i].subleaf == ALL || described[i].subleaf == entry->subleaf))
			return described[i].reg[reg];
	return 0;
}

static int check_entry(const struct vkvm_vp *vp, const struct vsm_cpuid *entry)
{
	static const char *const name[] = {"EAX", "EBX", "ECX", "EDX"};
	const struct kvm_cpuid_entry2 *host =
		vkvm_cpuid_find(vp->backend->cpuid, entry->leaf, entry->subleaf);
	const uint32_t value[] = {entry->eax, entry->ebx, entry->ecx, entry->edx};
	const uint32_t offered[] = {host ? host->eax : 0, host ? host->ebx : 0,
				    host ? host->ecx : 0, host ? host->edx : 0};

	for (unsigned int reg = 0; reg < 4; reg++) {
		const uint32_t wrong =
			is_fixed(entry, reg) ? value[reg] ^ offered[reg]
					     : value[reg] & ~offered[reg] & ~free_bits(entry, reg);

		if (wrong)
			return vsm_error(
				vp->backend->log, EINVAL,
				"kvm: VP%u: CPUID leaf %#x.%u %s: bits %#x are not offered",
				vp->index, entry->leaf, entry->subleaf, name[reg], wrong);
	}
	return 0;
}

/* Physical and linear addresses may be narrower than the host's. */
static int check_width(const struct vkvm_vp *vp, const struct vsm_cpuid *entry)
{
	const struct kvm_cpuid_entry2 *host = vkvm_cpuid_find(vp->backend->cpuid, 0x80000008, 0);
	const uint32_t limit = host ? host->eax : 0;

	if (entry->leaf != 0x80000008)
		return 0;
	if (PHYSICAL_BITS(entry->eax) < 36 || PHYSICAL_BITS(entry->eax) > PHYSICAL_BITS(limit) ||
	    LINEAR_BITS(entry->eax) > LINEAR_BITS(limit) ||
	    GUEST_BITS(entry->eax) > PHYSICAL_BITS(limit) ||
	    (GUEST_BITS(entry->eax) && GUEST_BITS(entry->eax) < 36) || entry->eax >> 24)
		return vsm_error(vp->backend->log, EINVAL,
				 "kvm: VP%u: CPUID leaf 0x80000008 EAX %#x: the host has %#x",
				 vp->index, entry->eax, limit);
	return 0;
}

static struct kvm_cpuid2 *convert(const struct vsm_cpuid *entry, size_t count, size_t room)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + (count + room) * sizeof(cpuid->entries[0]));

	for (size_t i = 0; cpuid && i < count; i++)
		cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
			.function = entry[i].leaf,
			.index = entry[i].has_subleaf ? entry[i].subleaf : 0,
			.flags = entry[i].has_subleaf ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = entry[i].eax,
			.ebx = entry[i].ebx,
			.ecx = entry[i].ecx,
			.edx = entry[i].edx,
		};
	return cpuid;
}

/* Limits @features to those that @cpuid has, too. */
static void narrow(struct backend_features *features, const struct kvm_cpuid2 *cpuid)
{
	struct backend_features own = {0};

	vkvm_cpuid_features(cpuid, &own);
	features->cr4_valid &= own.cr4_valid;
	features->efer_valid &= own.efer_valid;
	features->xcr0_supported &= own.xcr0_supported;
	features->tsc_invariant &= own.tsc_invariant;
	if (own.gpa_bits < features->gpa_bits)
		features->gpa_bits = own.gpa_bits;
}

int vkvm_vp_check_cpuid(void *opaque, const struct vsm_cpuid *entry, size_t count,
			struct backend_features *features)
{
	const struct vkvm_vp *vp = opaque;
	struct kvm_cpuid2 *cpuid;
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		error = check_entry(vp, &entry[i]);
		if (!error)
			error = check_width(vp, &entry[i]);
	}
	if (error)
		return error;
	cpuid = convert(entry, count, 0);
	if (!cpuid)
		return vsm_error(vp->backend->log, ENOMEM, "kvm: no memory for CPUID of VP%u",
				 vp->index);
	narrow(features, cpuid);
	free(cpuid);
	return 0;
}

int vkvm_vp_set_cpuid(void *opaque, const struct vsm_cpuid *entry, size_t count,
		      const struct cpuid_leaf *leaves, size_t leaf_count)
{
	struct vkvm_vp *vp = opaque;
	struct vkvm_backend *backend = vp->backend;
	struct kvm_cpuid2 *cpuid = convert(entry, count, leaf_count);
	int error = 0;

	if (!cpuid)
		return vsm_error(backend->log, ENOMEM, "kvm: no memory for CPUID of VP%u",
				 vp->index);
	for (size_t i = 0; i < leaf_count; i++)
		cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
			.function = leaves[i].leaf,
			.eax = leaves[i].eax,
			.ebx = leaves[i].ebx,
			.ecx = leaves[i].ecx,
			.edx = leaves[i].edx,
		};
	for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
		error = vkvm_ioctl(vp->vcpu[vtl].fd, KVM_SET_CPUID2, cpuid);
	for (uint8_t vtl = 0; vtl < backend->vtl_count && error; vtl++)
		vkvm_ioctl(vp->vcpu[vtl].fd, KVM_SET_CPUID2, vp->cpuid);
	if (error) {
		free(cpuid);
		return vsm_error(backend->log, -error, "kvm: CPUID of VP%u: %s", vp->index,
				 strerror(-error));
	}
	narrow(&backend->features, cpuid);
	free(vp->cpuid);
	vp->cpuid = cpuid;
	return 0;
}
