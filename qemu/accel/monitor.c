/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that the monitor reads. By the mapping that devices use, each read of a page that VTL1 denies to VTL0
 * would take a stand-in page of the guard from devices. So the address space of each CPU, which only the monitor
 * and dumps use, reads guest memory with all rights.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "qapi/error.h"
#include "qapi/qmp-registry.h"

#define WHY "it would take memory from devices; use dump-guest-memory FILE BEGIN LENGTH"

static MemTxResult read_all(void *opaque, hwaddr addr, uint64_t *data, unsigned size,
			    MemTxAttrs attrs)
{
	*data = 0;
	return vsm_memory_peek(vsm_partition(), addr, data, size)
		       ? address_space_read(&address_space_memory, addr, attrs, data, size)
		       : MEMTX_OK;
}

/* With the rights of VTL0, which chooses the addresses of some writes: dumps in format win-dmp. */
static MemTxResult write_as_vtl0(void *opaque, hwaddr addr, uint64_t data, unsigned size,
				 MemTxAttrs attrs)
{
	return address_space_write(&address_space_memory, addr, attrs, &data, size);
}

static const MemoryRegionOps ops = {
	.read_with_attrs = read_all,
	.write_with_attrs = write_as_vtl0,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = {.min_access_size = 1, .max_access_size = 8, .unaligned = true},
	.impl = {.min_access_size = 1, .max_access_size = 8, .unaligned = true},
};

bool vsm_monitor_cpu_init(VsmState *vsm, CPUState *cpu, Error **errp)
{
	if (!vsm_is_guarded(vsm))
		return true;
	if (!vsm->all_memory) {
		vsm->all_memory = g_new0(MemoryRegion, 1);
		memory_region_init_io(vsm->all_memory, qdev_get_machine(), &ops, vsm,
				      "vsm-all-memory", UINT64_MAX);
	}
	return object_property_set_link(OBJECT(cpu), "memory", OBJECT(vsm->all_memory), errp);
}

static HumanReadableText *refuse(Error **errp)
{
	error_setg(errp, "vsm: pmemsave is refused: " WHY);
	return NULL;
}

void vsm_monitor_init(VsmState *vsm)
{
	HMPCommand *command = vsm_hmp_commands();

	if (!vsm_is_guarded(vsm))
		return;
	while (command->name && strcmp(command->name, "pmemsave") != 0)
		command++;
	if (command->name)
		command->cmd_info_hrt = refuse;
	qmp_disable_command(&qmp_commands, "pmemsave", WHY);
}
