/* SPDX-License-Identifier: BSD-2-Clause */
#include "output.h"
#include "file/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool report_error(const struct output *output, int error)
{
	fprintf(stderr, "vsm %s: %s: %s\n", output->command, output->path ? output->path : "stdout",
		vmm_replace_text(-error));
	return false;
}

/* mkostemp() uses 0600; open() would use the umask. */
static void usual_mode(int fd)
{
	const mode_t mask = umask(0);

	umask(mask);
	(void)fchmod(fd, 0666 & ~mask);
}

bool output_open(struct output *output, const char *command, const char *path)
{
	int fd;

	*output = (struct output){.command = command, .path = path, .file = stdout};
	if (!path)
		return true;
	output->file = NULL;
	fd = vmm_replace_check(path);
	if (fd)
		return report_error(output, -fd);
	if (asprintf(&output->temporary, "%s.XXXXXX", path) < 0) {
		output->temporary = NULL;
		return report_error(output, ENOMEM);
	}
	fd = mkostemp(output->temporary, O_CLOEXEC);
	if (fd < 0) {
		report_error(output, errno);
		free(output->temporary);
		output->temporary = NULL;
		return false;
	}
	output->file = fdopen(fd, "w");
	if (!output->file) {
		report_error(output, errno);
		close(fd);
		output_abandon(output);
		return false;
	}
	return true;
}

/* Returns: 0, or the errno of a lost write. */
static int finish(struct output *output)
{
	int error = 0;

	errno = 0;
	if (fflush(output->file) || ferror(output->file))
		error = errno ? errno : EIO;
	if (!output->path)
		return error;
	usual_mode(fileno(output->file));
	if (fclose(output->file) && !error)
		error = errno;
	output->file = NULL;
	return error ? error : -vmm_replace(output->temporary, output->path);
}

bool output_commit(struct output *output)
{
	const int error = finish(output);

	if (error) {
		report_error(output, error);
		output_abandon(output);
		return false;
	}
	free(output->temporary);
	output->temporary = NULL;
	return true;
}

void output_abandon(struct output *output)
{
	if (output->path && output->file)
		fclose(output->file);
	output->file = NULL;
	if (output->temporary)
		unlink(output->temporary);
	free(output->temporary);
	output->temporary = NULL;
}
