/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks before a partition is created, so that they need no KVM. */
#include <errno.h>
#include <sys/sysinfo.h>

#include "machine/machine.h"
#include "run/parts.h"

static int check_memory(const struct vmm_config *config, const struct vsm_log *log)
{
	struct sysinfo info;
	uint64_t have;

	if (sysinfo(&info))
		return 0;
	have = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
	if (config->memory > have)
		return vsm_error(log, ENOMEM,
				 "memory: %llu MiB is more than this host has (%llu MiB)",
				 (unsigned long long)(config->memory >> 20),
				 (unsigned long long)(have >> 20));
	return 0;
}

static int discard(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	(void)opaque;
	(void)gpa;
	(void)data;
	(void)size;
	return 0;
}

/* A dry run of the loaders, for their checks. */
static int check_files(const struct vmm_config *config, const struct vsm_log *log)
{
	const struct vmm_machine_ops ops = {.write_memory = discard};
	struct vmm_boot_state state;
	struct vmm_machine machine;
	int error = vmm_machine_init(&machine, config, &ops, log);

	if (error)
		return error;
	error = vmm_machine_load(&machine, config, log, &state);
	vmm_machine_destroy(&machine);
	return error;
}

int vmm_check(const struct vmm_config *config, const struct vsm_log *log)
{
	int error = check_memory(config, log);

	return error || !config->kernel ? error : check_files(config, log);
}
