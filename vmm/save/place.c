/* SPDX-License-Identifier: BSD-2-Clause */
/* Where files of the control socket's commands go. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file/replace.h"
#include "save/save.h"

/* NULL: no memory. */
static char *save_folder(const struct vmm_config *config)
{
	char *control, *folder;

	if (config->save_dir)
		return strdup(config->save_dir);
	control = strdup(config->control ? config->control : "");
	folder = control ? strdup(dirname(control)) : NULL;
	free(control);
	return folder;
}

char *vmm_save_path(const struct vmm_config *config, const char *name)
{
	char *const folder = name[0] == '/' ? NULL : save_folder(config);
	char *path = NULL;

	if (name[0] == '/')
		return strdup(name);
	if (folder && asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	free(folder);
	return path;
}

void vmm_save_error(const struct vmm_config *config, const char *path, int error, char message[256])
{
	char *folder = NULL;

	/*
	 * EACCES: the folder is not one of vmm_paths_each(), or the process has no write
	 * permission. The two causes are not distinguished.
	 */
	if (error == -EACCES && config->sandbox != VMM_SANDBOX_OFF)
		folder = save_folder(config);
	snprintf(message, 256, "%.100s: %s%s%.70s%s", path, vmm_replace_text(error),
		 folder ? ": the sandbox permits only folders that options name, such as '" : "",
		 folder ? folder : "", folder ? "'" : "");
	free(folder);
}
