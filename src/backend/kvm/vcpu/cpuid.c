/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID of the vCPUs: KVM's, without features that are not offered, with the core's leaves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"

#define ENTRIES_FIRST 64u
#define ENTRIES_MAX   1024u
#define LEAVES_ROOM   64u /* space for the leaves that are added for a VP */

/* APM volume 2, 3.1.7 */
#define EFER_FFXSR    (UINT64_C(1) << 14)
#define EFER_TCE      (UINT64_C(1) << 15)
#define EFER_AUTOIBRS (UINT64_C(1) << 21)

#define HYPERVISOR_LEAVES     0x40000000u
#define HYPERVISOR_LEAVES_END 0x50000000u

struct cpuid_change {
	uint32_t leaf;
	uint8_t reg; /* 0-3: EAX to EDX */
	uint32_t clear;
	uint32_t set;
	uint32_t subleaf;
};

enum {
	EAX,
	EBX,
	ECX,
	EDX
};

static const struct cpuid_change changes[] = {
	/* clears MONITOR, VMX, PDCM, TSC_DEADLINE; sets hypervisor and x2APIC */
	{0x1, ECX, 1u << 3 | 1u << 5 | 1u << 15 | 1u << 24, 1u << 21 | 1u << 31},
	{0x7, EBX, 0, 1u << 1}, /* the core implements TSC_ADJUST */
	/*
	 * SGX, processor trace, shadow stacks, IBT, core capabilities, FRED, LAM: their MSRs do not
	 * reach KVM, and the core does not move their bits of CR3 and CR4.
	 */
	{0x7, EBX, 1u << 2 | 1u << 25, 0},
	{0x7, ECX, 1u << 7 | 1u << 30, 0},
	{0x7, EDX, 1u << 20 | 1u << 30, 0},
	{0x7, EAX, 1u << 17 | 1u << 26, 0, 1},
	{0xd, ECX, 1u << 8 | 1u << 11 | 1u << 12, 0, 1}, /* XSS bits of PT and CET */
	{0xa, EAX, UINT32_MAX, 0}, /* no PMU: its interrupts need KVM's APIC */
	{0xa, EBX, UINT32_MAX, 0},
	{0xa, ECX, UINT32_MAX, 0},
	{0xa, EDX, UINT32_MAX, 0},
	{0x80000001, ECX, 1u << 2 | 1u << 23 | 1u << 24 | 1u << 28, 0}, /* SVM, AMD's PMU */
	{0x8000000a, EAX, UINT32_MAX, 0},				/* SVM's features */
	{0x8000000a, EBX, UINT32_MAX, 0},
	{0x8000000a, ECX, UINT32_MAX, 0},
	{0x8000000a, EDX, UINT32_MAX, 0},
	{0x80000022, EAX, UINT32_MAX, 0}, /* AMD's PMU, version 2 */
	{0x80000022, EBX, UINT32_MAX, 0},
};

/* Leaves that are not offered: topology of the host, KVM's interface, SGX, processor trace. */
static bool is_dropped(uint32_t leaf)
{
	return (leaf >= HYPERVISOR_LEAVES && leaf < HYPERVISOR_LEAVES_END) || leaf == 0xb ||
	       leaf == 0x12 || leaf == 0x14 || leaf == 0x1f || leaf == 0x80000026;
}

/* Components of the XSAVE area whose bits of XSS are not offered. */
static bool is_dropped_state(const struct kvm_cpuid_entry2 *entry)
{
	return entry->function == 0xd &&
	       (entry->index == 8 || entry->index == 11 || entry->index == 12);
}

static uint32_t *reg_of(struct kvm_cpuid_entry2 *entry, uint8_t reg)
{
	uint32_t *const place[] = {&entry->eax, &entry->ebx, &entry->ecx, &entry->edx};

	return place[reg];
}

static struct kvm_cpuid2 *make(uint32_t entries)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + entries * sizeof(struct kvm_cpuid_entry2));

	if (cpuid)
		cpuid->nent = entries;
	return cpuid;
}

int vkvm_cpuid_supported(struct vkvm_backend *backend)
{
	for (uint32_t entries = ENTRIES_FIRST; entries <= ENTRIES_MAX; entries *= 2) {
		struct kvm_cpuid2 *cpuid = make(entries);
		int error;

		if (!cpuid)
			return vsm_error(backend->log, ENOMEM, "kvm: no memory for CPUID");
		error = vkvm_ioctl(backend->kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
		if (!error) {
			backend->cpuid = cpuid;
			return 0;
		}
		free(cpuid);
		if (error != -E2BIG)
			return vsm_error(backend->log, -error, "KVM_GET_SUPPORTED_CPUID: %s",
					 strerror(-error));
	}
	return vsm_error(backend->log, E2BIG, "KVM_GET_SUPPORTED_CPUID: over %u entries",
			 ENTRIES_MAX);
}

const struct kvm_cpuid_entry2 *vkvm_cpuid_find(const struct kvm_cpuid2 *cpuid, uint32_t leaf,
					       uint32_t subleaf)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == leaf &&
		    (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || entry->index == subleaf))
			return entry;
	}
	return NULL;
}

/* Bits of CR4 that may be 1, each with its CPUID bit (SDM 3A 2.5). */
struct cr4_bit {
	uint8_t bit;
	uint8_t reg;
	uint8_t cpuid_bit;
	uint32_t leaf;
};

static const struct cr4_bit cr4_bits[] = {
	{0, EDX, 1, 1},	  /* VME */
	{1, EDX, 1, 1},	  /* PVI */
	{2, EDX, 4, 1},	  /* TSD */
	{3, EDX, 2, 1},	  /* DE */
	{4, EDX, 3, 1},	  /* PSE */
	{5, EDX, 6, 1},	  /* PAE */
	{6, EDX, 7, 1},	  /* MCE */
	{7, EDX, 13, 1},  /* PGE */
	{8, EDX, 0, 1},	  /* PCE: valid on all CPUs (FPU); RDPMC checks for counters */
	{9, EDX, 24, 1},  /* OSFXSR */
	{10, EDX, 25, 1}, /* OSXMMEXCPT */
	{11, ECX, 2, 7},  /* UMIP */
	{12, ECX, 16, 7}, /* LA57 */
	{16, EBX, 0, 7},  /* FSGSBASE */
	{17, ECX, 17, 1}, /* PCIDE */
	{18, ECX, 26, 1}, /* OSXSAVE */
	{20, EBX, 7, 7},  /* SMEP */
	{21, EBX, 20, 7}, /* SMAP */
	{22, ECX, 3, 7},  /* PKE */
};

static uint32_t value_of(const struct kvm_cpuid2 *cpuid, uint32_t leaf, uint8_t reg)
{
	const struct kvm_cpuid_entry2 *found = vkvm_cpuid_find(cpuid, leaf, 0);
	struct kvm_cpuid_entry2 entry;

	if (!found)
		return 0;
	entry = *found;
	return *reg_of(&entry, reg);
}

/* Before Linux 6.13 KVM accepts 57-bit addresses in MSRs only with CR4.LA57, unlike a CPU. */
static bool checks_by_la57(void)
{
	struct utsname name;
	unsigned int major, minor;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return true;
	return major < 6 || (major == 6 && minor < 13);
}

void vkvm_cpuid_features(const struct kvm_cpuid2 *cpuid, struct backend_features *features)
{
	uint32_t extended = value_of(cpuid, 0x80000001, EDX);
	uint32_t size = value_of(cpuid, 0x80000008, EAX);

	features->cr0_valid = X64_CR0_PE | X64_CR0_MP | X64_CR0_EM | X64_CR0_TS | X64_CR0_ET |
			      X64_CR0_NE | X64_CR0_WP | X64_CR0_AM | X64_CR0_NW | X64_CR0_CD |
			      X64_CR0_PG;
	for (size_t i = 0; i < ARRAY_SIZE(cr4_bits); i++)
		if (value_of(cpuid, cr4_bits[i].leaf, cr4_bits[i].reg) >> cr4_bits[i].cpuid_bit & 1)
			features->cr4_valid |= UINT64_C(1) << cr4_bits[i].bit;
	features->efer_valid = X64_EFER_SCE;
	if (extended >> 29 & 1)
		features->efer_valid |= X64_EFER_LME | X64_EFER_LMA;
	if (extended >> 20 & 1)
		features->efer_valid |= X64_EFER_NXE;
	if (extended >> 25 & 1)
		features->efer_valid |= EFER_FFXSR;
	if (value_of(cpuid, 0x80000001, ECX) >> 17 & 1)
		features->efer_valid |= EFER_TCE;
	if (value_of(cpuid, 0x80000021, EAX) >> 8 & 1)
		features->efer_valid |= EFER_AUTOIBRS;
	features->xcr0_supported = value_of(cpuid, 0xd, EAX) | (uint64_t)value_of(cpuid, 0xd, EDX)
								       << 32;
	features->gpa_bits = size >> 16 & 0xff ? size >> 16 & 0xff : size & 0xff;
	if (features->gpa_bits < 36 || features->gpa_bits > 52)
		features->gpa_bits = 36;
	features->tsc_invariant = value_of(cpuid, 0x80000007, EDX) >> 8 & 1;
	features->dr6_shared = value_of(cpuid, 0, EBX) == 0x756e6547; /* EBX of "GenuineIntel" */
	features->msr_address_by_la57 = checks_by_la57();
}

void vkvm_cpuid_build(struct vkvm_backend *backend)
{
	struct kvm_cpuid2 *cpuid = backend->cpuid;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (is_dropped(entry->function) || is_dropped_state(entry))
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(changes); j++) {
			const struct cpuid_change *change = &changes[j];
			uint32_t *reg = reg_of(entry, change->reg);

			if (change->leaf == entry->function && change->subleaf == entry->index)
				*reg = (*reg & ~change->clear) | change->set;
		}
		cpuid->entries[kept++] = *entry;
	}
	cpuid->nent = kept;
	vkvm_cpuid_features(cpuid, &backend->features);
}

static unsigned int bits_for(uint32_t count)
{
	unsigned int bits = 0;

	while (bits < 31 && (UINT32_C(1) << bits) < count)
		bits++;
	return bits;
}

static void add(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t index, bool indexed,
		const uint32_t value[4])
{
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = index,
		.flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = value[EAX],
		.ebx = value[EBX],
		.ecx = value[ECX],
		.edx = value[EDX],
	};
}

/* One package of single-threaded cores (SDM 2A, CPUID leaf 0xb). */
static void add_topology(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t apic_id, uint32_t count)
{
	const uint32_t thread[4] = {0, 1, 1u << 8, apic_id};
	const uint32_t core[4] = {bits_for(count), count & 0xffff, 2u << 8 | 1, apic_id};
	const uint32_t end[4] = {0, 0, 2, apic_id};

	add(cpuid, leaf, 0, true, thread);
	add(cpuid, leaf, 1, true, core);
	add(cpuid, leaf, 2, true, end);
}

static void set_topology(struct kvm_cpuid_entry2 *entry, uint32_t apic_id, uint32_t count)
{
	uint32_t shown = count < 255 ? count : 255;

	switch (entry->function) {
	case 0x1:
		entry->ebx = (entry->ebx & 0xffff) | shown << 16 | apic_id << 24;
		entry->edx = count > 1 ? entry->edx | 1u << 28 : entry->edx & ~(1u << 28);
		break;
	case 0x4: /* caches: each core has its own; number of cores in the package */
		entry->eax = (entry->eax & 0x3fff) | (shown < 64 ? shown - 1 : 63) << 26;
		break;
	case 0x8000001d:
		entry->eax &= 0x3fff;
		break;
	case 0x80000008: /* number of cores in the package, and bits of an APIC id for them */
		entry->ecx = (entry->ecx & ~UINT32_C(0xf0ff)) | (shown - 1) | bits_for(count) << 12;
		break;
	case 0x8000001e:
		entry->eax = apic_id;
		entry->ebx = apic_id & 0xff;
		entry->ecx = 0;
		break;
	default:
		break;
	}
}

struct kvm_cpuid2 *vkvm_cpuid_of_vp(const struct vkvm_backend *backend, uint32_t apic_id,
				    const struct cpuid_leaf *leaves, size_t leaf_count)
{
	const struct kvm_cpuid2 *common = backend->cpuid;
	uint32_t basic = value_of(common, 0, EAX);
	uint32_t highest = apic_id;
	struct kvm_cpuid2 *cpuid = make(common->nent + LEAVES_ROOM);
	uint32_t count = backend->vp_count;

	if (!cpuid)
		return NULL;
	/* APIC IDs may be above the VP indexes: the topology must also cover the VP's APIC ID. */
	if (highest >= count)
		count = highest + 1;
	memcpy(cpuid->entries, common->entries, common->nent * sizeof(common->entries[0]));
	cpuid->nent = common->nent;
	for (uint32_t i = 0; i < cpuid->nent; i++)
		set_topology(&cpuid->entries[i], apic_id, count);
	if (basic >= 0xb)
		add_topology(cpuid, 0xb, apic_id, count);
	if (basic >= 0x1f)
		add_topology(cpuid, 0x1f, apic_id, count);
	for (size_t i = 0; i < leaf_count && i < LEAVES_ROOM - 6; i++) {
		const uint32_t value[4] = {leaves[i].eax, leaves[i].ebx, leaves[i].ecx,
					   leaves[i].edx};

		add(cpuid, leaves[i].leaf, 0, false, value);
	}
	return cpuid;
}

void vkvm_vp_cpuid(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t value[4])
{
	const struct vkvm_vp *vp = opaque;
	const struct kvm_cpuid_entry2 *entry = vkvm_cpuid_find(vp->cpuid, leaf, subleaf);
	bool extended = leaf >> 31;
	bool hypervisor = leaf >= HYPERVISOR_LEAVES && leaf < HYPERVISOR_LEAVES_END;

	/* SDM 2A: above the highest basic leaf, Intel CPUs return that leaf. */
	if (!entry && !extended && !hypervisor && vp->backend->features.dr6_shared &&
	    leaf > value_of(vp->cpuid, 0, EAX))
		entry = vkvm_cpuid_find(vp->cpuid, value_of(vp->cpuid, 0, EAX), subleaf);
	value[EAX] = entry ? entry->eax : 0;
	value[EBX] = entry ? entry->ebx : 0;
	value[ECX] = entry ? entry->ecx : 0;
	value[EDX] = entry ? entry->edx : 0;
}
