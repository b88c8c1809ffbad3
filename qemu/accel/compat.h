/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Defines the names of QEMU 10.2, which the other files use, for the other versions. */
#ifndef VSM_COMPAT_H
#define VSM_COMPAT_H

#include "cpu.h"
#include "accel/accel-cpu-target.h"
#include "host-cpu.h"
#include "qapi/error.h"
#include "qemu/accel.h"

/* Moved in QEMU 11. */
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h"
#else
#include "hw/qdev-properties.h"
#endif
#if __has_include("qemu/aio.h")
#include "qemu/aio.h"
#else
#include "block/aio.h"
#endif
#if __has_include("monitor/monitor-hmp-internal.h")
#include "monitor/monitor-hmp-internal.h"
#else
#include "monitor/monitor-internal.h"
#endif

#if QEMU_VERSION_MAJOR >= 11
#define vsm_hmp_commands() hmp_cmds_for_target(false)
#else
#define vsm_hmp_commands() hmp_cmds
#endif

#if QEMU_VERSION_MAJOR * 100 + QEMU_VERSION_MINOR >= 1002

#include "accel/accel-cpu-ops.h"
#include "accel/accel-ops.h"
#include "system/address-spaces.h"
#include "system/ioport.h"
#include "system/memory.h"
#include "system/physmem.h"
#include "system/ram_addr.h"
#include "system/ramblock.h"

#define VSM_CLASS_DATA	      const void *data
#define VSM_INIT_MACHINE_ARGS AccelState *as, MachineState *ms
#define VSM_STEP_FLAGS_ARGS   AccelState *as

/* Whether the CPU has all available features: -cpu host and max. */
static inline bool vsm_cpu_is_max(X86CPU *cpu)
{
	return X86_CPU_GET_CLASS(cpu)->max_features;
}

static inline void vsm_host_cpu_init(X86CPU *cpu)
{
	host_cpu_instance_init(cpu);
#if QEMU_VERSION_MAJOR >= 11
	/* Before libvsm removes features, QEMU compares those of -cpu host: it refuses MPX with APX. */
	if (vsm_cpu_is_max(cpu))
		object_property_set_bool(OBJECT(cpu), "apxf", false, &error_abort);
#endif
}

#else

#include "exec/address-spaces.h"
#include "exec/ioport.h"
#include "exec/memory.h"
#include "exec/ram_addr.h"
#include "exec/ramblock.h"
#include "system/accel-ops.h"

#define VSM_CLASS_DATA	      void *data
#define VSM_INIT_MACHINE_ARGS MachineState *ms
#define VSM_STEP_FLAGS_ARGS   void

#define physical_memory_set_dirty_lebitmap cpu_physical_memory_set_dirty_lebitmap
#define qemu_process_cpu_events		   qemu_wait_io_event
#define save_complete			   save_live_complete_precopy /* of SaveVMHandlers */

static inline bool vsm_cpu_is_max(X86CPU *cpu)
{
	return cpu->max_features;
}

static inline void vsm_host_cpu_init(X86CPU *cpu)
{
	host_cpu_instance_init(cpu);
	if (cpu->max_features)
		host_cpu_max_instance_init(cpu);
}

#endif

#endif
