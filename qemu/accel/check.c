/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares the version of QEMU's package, and offsets of saved state and of CPU properties in the program,
 * with those that the module was built for, since QEMU has no stable ABI. Compiled only for the module. */
#include "qemu/osdep.h"
#include "accel.h"
#include "migration/vmstate.h"
#include "qapi/qapi-commands-control.h"
#include "qemu/error-report.h"

struct member {
	const char *name;
	size_t offset;
};

#define MEMBER(type, field)                   \
	{                                     \
#field, offsetof(type, field) \
	}

/* Saved members of CPUX86State, which follows CPUState: their offsets depend on both. */
static const struct member cpu_members[] = {
	MEMBER(X86CPU, env.regs), MEMBER(X86CPU, env.eip),  MEMBER(X86CPU, env.tr),
	MEMBER(X86CPU, env.efer), MEMBER(X86CPU, env.xcr0), MEMBER(X86CPU, env.tsc),
};

/* Checks the words "Debian VERSION" in the program, which Debian's build adds. */
static bool package_fits(char **why)
{
	VersionInfo *version = qmp_query_version(NULL);
	g_autofree char *found = g_strdup(version->package);
	bool fits = strstr(found, "(Debian " VSM_QEMU_PACKAGE ")") ||
		    !strcmp(g_strstrip(found), "Debian " VSM_QEMU_PACKAGE);

	if (!fits)
		*why = g_strdup_printf("this QEMU is %" PRId64 ".%" PRId64 ".%" PRId64
				       " %s, and the module is "
				       "for Debian's package " VSM_QEMU_PACKAGE
				       ": install that version, or build the module again",
				       version->qemu->major, version->qemu->minor,
				       version->qemu->micro, version->package);
	qapi_free_VersionInfo(version);
	return fits;
}

/* Properties with fields after CPUX86State, whose offsets depend on its size. */
static const struct member properties[] = {
	{"hv-spinlocks", offsetof(X86CPU, hyperv_spinlock_attempts)},
	{"host-phys-bits-limit", offsetof(X86CPU, host_phys_bits_limit)},
	{"enforce", offsetof(X86CPU, enforce_cpuid)},
};

static bool property_fits(const DeviceClass *class, const struct member *member)
{
	for (size_t i = 0; i < class->props_count_; i++)
		if (!strcmp(class->props_[i].name, member->name))
			return (size_t) class->props_[i].offset == member->offset;
	return false;
}

bool vsm_properties_fit(void)
{
	const DeviceClass *class = DEVICE_CLASS(object_class_by_name(TYPE_X86_CPU));

	for (size_t i = 0; i < G_N_ELEMENTS(properties); i++) {
		if (property_fits(class, &properties[i]))
			continue;
		error_report(
			"vsm: this QEMU has the CPU property %s elsewhere than the QEMU that the "
			"module was built for: build the module again",
			properties[i].name);
		return false;
	}
	return true;
}

static bool member_fits(const struct member *member, char **why)
{
	for (const VMStateField *field = vmstate_x86_cpu.fields; field->name; field++)
		if (!strcmp(field->name, member->name) && field->offset == member->offset)
			return true;
	*why = g_strdup_printf(
		"this QEMU has X86CPU.%s elsewhere than the QEMU that the module was built "
		"for: build the module again",
		member->name);
	return false;
}

void vsm_program_check(void)
{
	g_autofree char *why = NULL;
	bool fits = package_fits(&why);

	for (size_t i = 0; i < G_N_ELEMENTS(cpu_members) && fits; i++)
		fits = member_fits(&cpu_members[i], &why);
	/* Programs that QEMU starts must not load the module. */
	unsetenv("LD_PRELOAD");
	if (fits)
		return;
	/* End QEMU: the methods of classes would be written at wrong offsets. */
	fprintf(stderr, "qemu-system-x86_64: -accel vsm: %s\n", why);
	exit(EXIT_FAILURE);
}
