/* SPDX-License-Identifier: BSD-2-Clause */
/* The files and folders that a run needs, from its configuration. */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "sandbox/internal.h"

/* The library opens these when it creates a partition. */
static const struct {
	const char *path;
	enum vmm_path_use use;
} always[] = {
	{"/dev/kvm", VMM_PATH_DEVICE},
	{"/dev/userfaultfd", VMM_PATH_DEVICE},
	{"/proc/sys/vm/max_map_count", VMM_PATH_READ},
	{"/sys/kernel/mm/transparent_hugepage/shmem_enabled", VMM_PATH_READ},
	{"/sys/module/kvm_amd/parameters/npt", VMM_PATH_READ},
	{"/sys/module/kvm_intel/parameters/unrestricted_guest", VMM_PATH_READ},
};

/* Used by openpty(3). */
static const char *const terminals[] = {"/dev/ptmx", "/dev/pts"};

struct walk {
	vmm_path_fn *add;
	void *opaque;
	int error;
};

static void put(struct walk *walk, const char *path, enum vmm_path_use use, bool optional)
{
	if (!walk->error)
		walk->error = walk->add(walk->opaque, path, use, optional);
}

static void put_folder(struct walk *walk, const char *path)
{
	char *copy = path ? strdup(path) : NULL;

	if (copy)
		put(walk, dirname(copy), VMM_PATH_CREATE, true);
	else if (path && !walk->error)
		walk->error = -ENOMEM;
	free(copy);
}

/* "FILE" or "FILE ARGUMENTS", as in read_module() of boot/boot.c. */
static void put_module(struct walk *walk, const char *text)
{
	char *copy = strdup(text);
	char *space = copy && access(copy, F_OK) ? strchr(copy, ' ') : NULL;

	if (space)
		*space = 0;
	if (copy)
		put(walk, copy, VMM_PATH_READ, true);
	else
		walk->error = -ENOMEM;
	free(copy);
}

/* A file that does not exist is created in its folder. */
static void put_serial(struct walk *walk, const struct vmm_config *config)
{
	if (config->serial == VMM_SERIAL_FILE) {
		put(walk, config->serial_file, VMM_PATH_DEVICE, true);
		if (access(config->serial_file, F_OK))
			put_folder(walk, config->serial_file);
	}
	for (size_t i = 0; config->serial == VMM_SERIAL_PTY && i < ARRAY_SIZE(terminals); i++)
		put(walk, terminals[i], VMM_PATH_DEVICE, true);
}

int vmm_paths_each(const struct vmm_config *config, vmm_path_fn *add, void *opaque)
{
	struct walk walk = {.add = add, .opaque = opaque};

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		put(&walk, always[i].path, always[i].use, true);
	/* A missing file is reported by its reader, a missing folder by the writer. */
	if (config->kernel)
		put(&walk, config->kernel, VMM_PATH_READ, true);
	for (unsigned int i = 0; i < config->initrds; i++)
		put_module(&walk, config->initrd[i]);
	if (config->restore)
		put(&walk, config->restore, VMM_PATH_READ, true);
	put_serial(&walk, config);
	put_folder(&walk, config->trace);
	put_folder(&walk, config->control);
	if (config->gdb && config->gdb[0] != ':')
		put_folder(&walk, config->gdb);
	if (config->save_dir)
		put(&walk, config->save_dir, VMM_PATH_CREATE, false);
	return walk.error;
}
