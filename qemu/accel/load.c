/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers the accelerator's types. type_init() is a constructor, which also runs in a preloaded object,
 * before main(); QEMU calls the function when it registers its own types. */
#include "qemu/osdep.h"
#include "accel.h"
#include "qemu/module.h"

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
	vsm_program_check();
	type_register_static_array(vsm_types, G_N_ELEMENTS(vsm_types));
}

type_init(vsm_register_types);
