/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers the accelerator's types: before QEMU's main(), where type_init() of a preloaded object runs. */
#include "qemu/osdep.h"
#include "accel.h"
#include "system/accel-ops.h"
#include "accel/accel-cpu-target.h"
#include "qemu/module.h"

void vsm_accel_class_init(ObjectClass *class, void *data);
void vsm_accel_instance_init(Object *object);

static const TypeInfo vsm_types[] = {
	{
		.name = TYPE_VSM_ACCEL,
		.parent = TYPE_ACCEL,
		.instance_size = sizeof(VsmState),
		.instance_init = vsm_accel_instance_init,
		.class_init = vsm_accel_class_init,
	},
	{
		.name = ACCEL_OPS_NAME("vsm"),
		.parent = TYPE_ACCEL_OPS,
		.class_init = vsm_cpu_class_init,
		.abstract = true,
	},
	{
		.name = ACCEL_CPU_NAME("vsm"),
		.parent = TYPE_ACCEL_CPU,
		.class_init = vsm_cpuid_class_init,
		.abstract = true,
	},
};

static void vsm_register_types(void)
{
	g_autofree char *why = NULL;

	/* In the programs that QEMU starts it would be in the way. */
	unsetenv("LD_PRELOAD");
	if (!vsm_program_fits(&why)) {
		/* Its classes would be filled at wrong places: QEMU cannot even list accelerators. */
		fprintf(stderr, "qemu-system-x86_64: -accel vsm: %s\n", why);
		exit(EXIT_FAILURE);
	}
	type_register_static_array(vsm_types, G_N_ELEMENTS(vsm_types));
}

type_init(vsm_register_types);
