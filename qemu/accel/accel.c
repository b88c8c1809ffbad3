/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accelerator object: its options, and the partition that it creates for the machine. */
#include "qemu/osdep.h"
#include "accel.h"
#include "hw/i386/x86.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/error-report.h"

/* AccelClass.allowed must point to a variable. */
static bool vsm_allowed;

VsmState *vsm_state(void)
{
	return VSM_ACCEL(current_accel());
}

/* Any thread. */
static void vsm_log_record(void *opaque, const struct vsm_log_record *record)
{
	switch (record->level) {
	case VSM_LOG_ERROR:
		error_report("vsm: %s", record->text);
		break;
	case VSM_LOG_WARN:
		warn_report("vsm: %s", record->text);
		break;
	default:
		info_report("vsm: %s", record->text);
		break;
	}
}

static int vsm_init_machine(VSM_INIT_MACHINE_ARGS)
{
	VsmState *vsm = VSM_ACCEL(ms->accelerator);
	const CPUArchIdList *ids;
	g_autofree uint32_t *apic_id = NULL;
	struct vsm_config config;
	int error;

	if (!vsm_properties_fit())
		return -ENOEXEC;
	if (!object_dynamic_cast(OBJECT(ms), TYPE_X86_MACHINE)) {
		error_report("vsm: the machine %s is not a PC", MACHINE_GET_CLASS(ms)->name);
		return -ENOTSUP;
	}
	if (ms->smp.max_cpus != ms->smp.cpus) {
		error_report("vsm: CPUs cannot be plugged later: maxcpus has to be the number of "
			     "CPUs, %u",
			     ms->smp.cpus);
		return -ENOTSUP;
	}
	if (!vsm_smm_init(vsm, ms))
		return -ENOTSUP;
	ids = MACHINE_GET_CLASS(ms)->possible_cpu_arch_ids(ms);
	apic_id = g_new0(uint32_t, ids->len);
	for (int i = 0; i < ids->len; i++)
		apic_id[i] = ids->cpus[i].arch_id;
	vsm_config_init(&config);
	config.log.fn = vsm_log_record;
	config.log.max_level = VSM_LOG_WARN;
	config.vp_count = ids->len;
	config.apic_id = apic_id;
	config.max_vtl = vsm->max_vtl;
	config.engine = vsm->engine;
	config.smm = vsm->smm;
	config.refused = vsm_guard_refused;
	config.refused_opaque = vsm;
	error = vsm_partition_create(&config, &vsm->partition);
	if (error)
		return error;
	/* Back ROMs, video RAM and other auxiliary memory by files, so that each VTL can map them. */
	ms->aux_ram_share = true;
	vsm_apic_init();
	vsm_memory_init(vsm);
	vsm_ioeventfd_init(vsm);
	vsm_info_init();
	vsm_monitor_init(vsm);
	vsm_debug_init(vsm);
	vsm_reset_init(vsm);
	return vsm_guard_init(vsm) ? 0 : -EPERM;
}

static void get_max_vtl(Object *object, Visitor *v, const char *name, void *opaque, Error **errp)
{
	visit_type_uint8(v, name, &VSM_ACCEL(object)->max_vtl, errp);
}

static void set_max_vtl(Object *object, Visitor *v, const char *name, void *opaque, Error **errp)
{
	uint8_t value;

	if (!visit_type_uint8(v, name, &value, errp))
		return;
	if (value >= VSM_VTL_MAX) {
		error_setg(errp, "vsm: max-vtl is 0 to %u", VSM_VTL_MAX - 1);
		return;
	}
	VSM_ACCEL(object)->max_vtl = value;
}

static const char *const engine_name[] = {
	[VSM_ENGINE_AUTO] = "auto",
	[VSM_ENGINE_UFFD] = "uffd",
	[VSM_ENGINE_ATTR] = "attr",
	[VSM_ENGINE_NESTED] = "nested",
};

static char *get_engine(Object *object, Error **errp)
{
	return g_strdup(engine_name[VSM_ACCEL(object)->engine]);
}

static void set_engine(Object *object, const char *value, Error **errp)
{
	for (size_t i = 0; i < G_N_ELEMENTS(engine_name); i++) {
		if (!strcmp(value, engine_name[i])) {
			VSM_ACCEL(object)->engine = i;
			return;
		}
	}
	error_setg(errp, "vsm: engine is auto, uffd, attr or nested, not '%s'", value);
}

static bool get_device_guard(Object *object, Error **errp)
{
	return VSM_ACCEL(object)->device_guard;
}

static void set_device_guard(Object *object, bool value, Error **errp)
{
	VSM_ACCEL(object)->device_guard = value;
}

void vsm_accel_instance_init(Object *object)
{
	struct vsm_config config;

	vsm_config_init(&config);
	VSM_ACCEL(object)->max_vtl = config.max_vtl;
	VSM_ACCEL(object)->engine = config.engine;
	VSM_ACCEL(object)->device_guard = true;
}

void vsm_accel_class_init(ObjectClass *class, VSM_CLASS_DATA)
{
	/* RAM must be backed by a file, since each VTL has a separate mapping of it. */
	static GlobalProperty shared = {"memory-backend-ram", "share", "on"};
	/* Throttle a guest that writes faster than the stream, so that migration converges. */
	static GlobalProperty converge = {"migration", "x-auto-converge", "on"};
	AccelClass *accel = ACCEL_CLASS(class);

	accel->name = "VSM";
	accel->init_machine = vsm_init_machine;
	accel->allowed = &vsm_allowed;
	accel->gdbstub_supported_sstep_flags = vsm_debug_step_flags;
	accel->compat_props = g_ptr_array_new();
	g_ptr_array_add(accel->compat_props, &shared);
	g_ptr_array_add(accel->compat_props, &converge);
	object_class_property_add(class, "max-vtl", "uint8", get_max_vtl, set_max_vtl, NULL, NULL);
	object_class_property_set_description(class, "max-vtl", "highest VTL; 0: no VSM");
	object_class_property_add_str(class, "engine", get_engine, set_engine);
	object_class_property_set_description(class, "engine", "auto, uffd, attr or nested");
	object_class_property_add_bool(class, "device-guard", get_device_guard, set_device_guard);
	object_class_property_set_description(
		class, "device-guard",
		"off: devices access memory past the protections of VTLs above 0");
}
