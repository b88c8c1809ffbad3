/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Implements -cpu: models, host and max as QEMU documents them, without features that the host or libvsm
 * lacks. QEMU computes the leaves; libvsm adds the hypervisor leaves. */
#include "qemu/osdep.h"
#include "accel.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qobject/qlist.h"
#include "qobject/qstring.h"
#include "qom/qom-qobject.h"

enum {
	HOST_MAX = 256,
	SUBLEAF_MAX = 64,
	MODEL_PHYS_BITS = 40,
};

enum reg {
	EAX,
	EBX,
	ECX,
	EDX
};

struct host_cpuid {
	struct vsm_cpuid entry[HOST_MAX];
	size_t count;
};

static struct host_cpuid *host_read(void)
{
	struct host_cpuid *host = g_new0(struct host_cpuid, 1);

	host->count = HOST_MAX;
	/* After a failure the list is empty, which filters out every feature. */
	if (vsm_host_cpuid(NULL, host->entry, &host->count))
		host->count = 0;
	return host;
}

static const struct vsm_cpuid *host_find(const struct host_cpuid *host, uint32_t leaf,
					 uint32_t subleaf)
{
	for (size_t i = 0; i < host->count; i++)
		if (host->entry[i].leaf == leaf &&
		    (!host->entry[i].has_subleaf || host->entry[i].subleaf == subleaf))
			return &host->entry[i];
	return NULL;
}

static uint32_t host_reg(const struct host_cpuid *host, uint32_t leaf, uint32_t subleaf,
			 enum reg reg)
{
	const struct vsm_cpuid *entry = host_find(host, leaf, subleaf);
	const uint32_t value[] = {entry ? entry->eax : 0, entry ? entry->ebx : 0,
				  entry ? entry->ecx : 0, entry ? entry->edx : 0};

	return value[reg];
}

/* Feature words of QEMU with CPUID registers. Other words (MSRs, VMX, SGX, KVM) are not offered. */
static const struct {
	FeatureWord word;
	uint32_t leaf;
	uint32_t subleaf;
	enum reg reg;
} words[] = {
	{FEAT_1_EDX, 1, 0, EDX},
	{FEAT_1_ECX, 1, 0, ECX},
	{FEAT_7_0_EBX, 7, 0, EBX},
	{FEAT_7_0_ECX, 7, 0, ECX},
	{FEAT_7_0_EDX, 7, 0, EDX},
	{FEAT_7_1_EAX, 7, 1, EAX},
	{FEAT_7_1_EDX, 7, 1, EDX},
	{FEAT_7_2_EDX, 7, 2, EDX},
	{FEAT_8000_0001_EDX, 0x80000001, 0, EDX},
	{FEAT_8000_0001_ECX, 0x80000001, 0, ECX},
	{FEAT_8000_0007_EBX, 0x80000007, 0, EBX},
	{FEAT_8000_0007_EDX, 0x80000007, 0, EDX},
	{FEAT_8000_0008_EBX, 0x80000008, 0, EBX},
	{FEAT_8000_0021_EAX, 0x80000021, 0, EAX},
	{FEAT_8000_0021_EBX, 0x80000021, 0, EBX},
	{FEAT_8000_0022_EAX, 0x80000022, 0, EAX},
	{FEAT_XSAVE, 0xd, 1, EAX},
	{FEAT_6_EAX, 6, 0, EAX},
	{FEAT_XSAVE_XCR0_LO, 0xd, 0, EAX},
	{FEAT_XSAVE_XCR0_HI, 0xd, 0, EDX},
	{FEAT_XSAVE_XSS_LO, 0xd, 1, ECX},
	{FEAT_XSAVE_XSS_HI, 0xd, 1, EDX},
};

/* Features independent of the host's CPU: topology, which QEMU computes, and those that libvsm emulates. */
static uint64_t also_offered(FeatureWord word)
{
	switch (word) {
	case FEAT_1_ECX:
		return CPUID_EXT_HYPERVISOR | CPUID_EXT_X2APIC;
	case FEAT_1_EDX:
		return CPUID_HT | CPUID_APIC | CPUID_TSC | CPUID_MSR;
	case FEAT_8000_0001_ECX:
		return CPUID_EXT3_CMP_LEG;
	default:
		return 0;
	}
}

static void filter(X86CPU *cpu, const struct host_cpuid *host)
{
	CPUX86State *env = &cpu->env;
	uint64_t offered[FEATURE_WORDS] = {0};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		offered[words[i].word] =
			host_reg(host, words[i].leaf, words[i].subleaf, words[i].reg) |
			also_offered(words[i].word);
	/* Some bits of AMD's leaf are copies of bits of leaf 1. */
	offered[FEAT_8000_0001_EDX] |= offered[FEAT_1_EDX] & CPUID_EXT2_AMD_ALIASES;
	for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
		const uint64_t lost = env->features[w] & ~offered[w];
		/* "max" requests only features that the user named. */
		const uint64_t asked = vsm_cpu_is_max(cpu) ? env->user_features[w] : UINT64_MAX;

		env->features[w] &= offered[w];
		cpu->filtered_features[w] |= lost & asked;
	}
	env->features[FEAT_1_ECX] |= CPUID_EXT_HYPERVISOR | CPUID_EXT_X2APIC;
	env->features[FEAT_1_EDX] |= CPUID_APIC | CPUID_TSC | CPUID_MSR;
}

/* Warns of each requested feature that is missing. All CPUs of a machine have the same model, so only the
 * first CPU causes warnings. */
static bool report_missing(X86CPU *cpu, VsmState *vsm)
{
	g_autoptr(QList) names =
		qobject_to(QList, object_property_get_qobject(OBJECT(cpu), "unavailable-features",
							      &error_abort));
	const QListEntry *entry;
	bool missing = false;

	QLIST_FOREACH_ENTRY(names, entry)
	{
		missing = true;
		if (!vsm->missing_reported)
			warn_report("vsm: host doesn't support requested feature: %s",
				    qstring_get_str(qobject_to(QString, qlist_entry_obj(entry))));
	}
	vsm->missing_reported = missing;
	return missing;
}

/* Enlightenments with a QEMU property that libvsm lacks. libvsm always offers all others. */
static const struct {
	uint8_t feature;
	const char *name;
} not_offered[] = {
	{HYPERV_FEAT_REENLIGHTENMENT, "hv-reenlightenment"},
	{HYPERV_FEAT_EVMCS, "hv-evmcs"},
	{HYPERV_FEAT_AVIC, "hv-avic"},
	{HYPERV_FEAT_SYNDBG, "hv-syndbg"},
	{HYPERV_FEAT_MSR_BITMAP, "hv-emsr-bitmap"},
	{HYPERV_FEAT_TLBFLUSH_DIRECT, "hv-tlbflush-direct"},
};

/* Properties of the version in leaf 0x40000002, and their values if the user has not set them. */
static const struct {
	const char *name;
	uint32_t unset;
} fixed[] = {
	{"hv-version-id-build", 0x3839}, {"hv-version-id-major", 0xa}, {"hv-version-id-minor", 0},
	{"hv-version-id-spack", 0},	 {"hv-version-id-sbranch", 0}, {"hv-version-id-snumber", 0},
};

static bool check_hyperv(X86CPU *cpu, Error **errp)
{
	g_autofree char *coresharing =
		object_property_get_str(OBJECT(cpu), "hv-no-nonarch-coresharing", &error_abort);

	for (size_t i = 0; i < G_N_ELEMENTS(not_offered); i++) {
		if (hyperv_feat_enabled(cpu, not_offered[i].feature)) {
			error_setg(errp, "vsm: -cpu: %s is not offered", not_offered[i].name);
			return false;
		}
	}
	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++) {
		if (object_property_get_uint(OBJECT(cpu), fixed[i].name, &error_abort) !=
		    fixed[i].unset) {
			error_setg(errp, "vsm: -cpu: %s cannot be set: libvsm has its own version",
				   fixed[i].name);
			return false;
		}
	}
	if (strcmp(coresharing, "on") == 0) {
		error_setg(errp, "vsm: -cpu: hv-no-nonarch-coresharing is not offered");
		return false;
	}
	if (cpu->hyperv_vendor && strcmp(cpu->hyperv_vendor, "Microsoft Hv") != 0) {
		error_setg(errp, "vsm: -cpu: the hypervisor's vendor is always \"Microsoft Hv\"");
		return false;
	}
	return true;
}

/* Leaves with caches, topology, names, frequencies; filter() has limited the features in them. */
static bool is_description(uint32_t leaf)
{
	static const uint32_t description[] = {
		0,	    1,		2,	    4,		0xb,	    0x15,
		0x16,	    0x1f,	0x80000002, 0x80000003, 0x80000004, 0x80000005,
		0x80000006, 0x80000008, 0x8000001d, 0x8000001e, 0x80000026,
	};

	for (size_t i = 0; i < G_N_ELEMENTS(description); i++)
		if (leaf == description[i])
			return true;
	return false;
}

static bool has_subleaves(uint32_t leaf)
{
	return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x14 ||
	       leaf == 0x1d || leaf == 0x1e || leaf == 0x1f || leaf == 0x24 || leaf == 0x8000001d;
}

/* Returns an XSAVE component of the host, or an empty leaf if the CPU lacks it. */
static struct vsm_cpuid component(const struct host_cpuid *host, CPUX86State *env, uint32_t number)
{
	const struct vsm_cpuid *entry = host_find(host, 0xd, number);
	const uint64_t has = env->features[FEAT_XSAVE_XCR0_LO] | env->features[FEAT_XSAVE_XSS_LO] |
			     (env->features[FEAT_XSAVE_XCR0_HI] | env->features[FEAT_XSAVE_XSS_HI])
				     << 32;

	return entry && has >> number & 1 ? *entry : (struct vsm_cpuid){0};
}

static struct vsm_cpuid leaf_of(const struct host_cpuid *host, CPUX86State *env, uint32_t leaf,
				uint32_t subleaf)
{
	struct vsm_cpuid entry = {0};

	if (leaf == 0xd && subleaf >= 2) {
		entry = component(host, env, subleaf);
	} else {
		cpu_x86_cpuid(env, leaf, subleaf, &entry.eax, &entry.ebx, &entry.ecx, &entry.edx);
		if (!is_description(leaf)) {
			/* EAX of these two leaves is the highest subleaf or leaf, not a set of features. */
			entry.eax &= (leaf == 7 && !subleaf) || leaf == 0x80000000
					     ? UINT32_MAX
					     : host_reg(host, leaf, subleaf, EAX);
			entry.ebx &= leaf == 0xd ? UINT32_MAX : host_reg(host, leaf, subleaf, EBX);
			entry.ecx &= leaf == 0xd && !subleaf ? UINT32_MAX
							     : host_reg(host, leaf, subleaf, ECX);
			entry.edx &= host_reg(host, leaf, subleaf, EDX);
		}
	}
	entry.leaf = leaf;
	entry.subleaf = subleaf;
	entry.has_subleaf = has_subleaves(leaf);
	return entry;
}

static bool is_empty(const struct vsm_cpuid *entry)
{
	return !(entry->eax | entry->ebx | entry->ecx | entry->edx);
}

/* Leaves of zeros are omitted: absent leaves read as zero. */
static void add_leaves(GArray *to, const struct host_cpuid *host, CPUX86State *env, uint32_t first)
{
	uint32_t last, unused;

	cpu_x86_cpuid(env, first, 0, &last, &unused, &unused, &unused);
	for (uint32_t leaf = first; leaf <= last && leaf - first < HOST_MAX; leaf++) {
		const uint32_t count = has_subleaves(leaf) ? SUBLEAF_MAX : 1;

		for (uint32_t subleaf = 0; subleaf < count; subleaf++) {
			const struct vsm_cpuid entry = leaf_of(host, env, leaf, subleaf);

			if (!is_empty(&entry))
				g_array_append_val(to, entry);
			/* Stop after the last subleaf. Leaves 7 and 0xd (XSAVE) may have empty
			 * subleaves before it. */
			if ((is_empty(&entry) || (entry.eax | entry.ebx) == 0) && leaf != 0xd &&
			    leaf != 7 && subleaf)
				break;
		}
	}
}

bool vsm_cpuid_apply(CPUState *cs)
{
	CPUX86State *env = cpu_env(cs);
	g_autofree struct host_cpuid *host = host_read();
	g_autoptr(GArray) entries = g_array_new(false, false, sizeof(struct vsm_cpuid));
	const struct vsm_cpuid spinlocks = {
		.leaf = HV_CPUID_ENLIGHTENMENT_INFO,
		.ebx = X86_CPU(cs)->hyperv_spinlock_attempts,
	};

	add_leaves(entries, host, env, 0);
	add_leaves(entries, host, env, 0x80000000);
	g_array_append_val(entries, spinlocks);
	return !vsm_vp_set_cpuid(vsm_vp(cs), (const struct vsm_cpuid *)(void *)entries->data,
				 entries->len);
}

/* Some hosts have fewer than the 40 bits that QEMU's 64-bit models have without phys-bits. */
static bool limit_addresses(X86CPU *cpu, const struct host_cpuid *host, Error **errp)
{
	const uint32_t bits = host_reg(host, 0x80000008, 0, EAX) & 0xff;

	if (!cpu->phys_bits && cpu->env.features[FEAT_8000_0001_EDX] & CPUID_EXT2_LM)
		cpu->phys_bits = MIN(MODEL_PHYS_BITS, bits);
	/* QEMU reads the CPU's own number, and KVM may support fewer. */
	if (cpu->host_phys_bits)
		cpu->phys_bits = MIN(cpu->phys_bits, bits);
	if (cpu->phys_bits <= bits)
		return true;
	error_setg(errp, "vsm: phys-bits=%u: the host has %u bits", cpu->phys_bits, bits);
	return false;
}

static bool realize(CPUState *cs, Error **errp)
{
	X86CPU *cpu = X86_CPU(cs);
	g_autofree struct host_cpuid *host = host_read();

	filter(cpu, host);
	if ((cpu->check_cpuid || cpu->enforce_cpuid) && report_missing(cpu, vsm_state()) &&
	    cpu->enforce_cpuid) {
		error_setg(errp, "vsm: the host lacks features of this CPU model");
		return false;
	}
	return check_hyperv(cpu, errp) && vsm_monitor_cpu_init(vsm_state(), cs, errp) &&
	       host_cpu_realizefn(cs, errp) && limit_addresses(cpu, host, errp);
}

/* XSAVE areas of guests have the layout of the host's CPU. */
static void locate_components(const struct host_cpuid *host)
{
	for (unsigned i = XSTATE_SSE_BIT + 1; i < XSAVE_STATE_AREA_COUNT; i++) {
		const struct vsm_cpuid *entry = host_find(host, 0xd, i);

		if (x86_ext_save_areas[i].size && entry &&
		    entry->eax == x86_ext_save_areas[i].size) {
			x86_ext_save_areas[i].offset = entry->ebx;
			x86_ext_save_areas[i].ecx = entry->ecx;
		}
	}
}

static void instance_init(CPUState *cs)
{
	X86CPU *cpu = X86_CPU(cs);
	g_autofree struct host_cpuid *host = host_read();

	vsm_host_cpu_init(cpu);
	if (vsm_cpu_is_max(cpu)) {
		cpu->env.cpuid_min_level = host_reg(host, 0, 0, EAX);
		cpu->env.cpuid_min_xlevel = host_reg(host, 0x80000000, 0, EAX);
	}
	locate_components(host);
}

static void class_init(CPUClass *class)
{
	/* host_cpuid_required permits -cpu host only for accelerators that QEMU lists by name. */
	X86_CPU_CLASS(class)->host_cpuid_required = false;
	vsm_dump_class_init(class);
	vsm_debug_class_init(class);
}

void vsm_cpuid_class_init(ObjectClass *class, VSM_CLASS_DATA)
{
	AccelCPUClass *accel = ACCEL_CPU_CLASS(class);

	accel->cpu_class_init = class_init;
	accel->cpu_target_realize = realize;
	accel->cpu_instance_init = instance_init;
}
