/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm dump FILE`: prints a saved partition or machine as text. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "option.h"
#ifndef TOOL_WITHOUT_RUN
#include "save/save.h"
#else
#include "save/format.h"
#endif

enum {
	DUMP_OK = 0,
	DUMP_BAD = 1, /* damaged, or of another version */
};

static void print_line(void *opaque, const char *line)
{
	(void)opaque;
	puts(line);
}

static void print_error(void *opaque, const struct vsm_log_record *record)
{
	fprintf(stderr, "vsm dump: %s: %s\n", (const char *)opaque, record->text);
}

static int end(int error)
{
	if (error)
		return DUMP_BAD;
	if (fflush(stdout) != 0) {
		fprintf(stderr, "vsm dump: cannot write: %s\n", strerror(errno));
		return COMMAND_OUTPUT;
	}
	return DUMP_OK;
}

static int dump(const char *path, const void *data, size_t size)
{
	const struct vsm_log log = {print_error, (void *)(uintptr_t)path, VSM_LOG_ERROR};

	return end(vsm_state_describe(&log, data, size, print_line, NULL));
}

static bool is_machine(int fd)
{
	char magic[sizeof(VMM_SAVED_MAGIC) - 1];

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, VMM_SAVED_MAGIC, sizeof(magic)) == 0;
}

#ifndef TOOL_WITHOUT_RUN
static void print_named(void *opaque, const struct vsm_log_record *record)
{
	(void)opaque;
	fprintf(stderr, "vsm dump: %s\n", record->text);
}

/* Closes @fd. */
static int dump_machine(const char *path, int fd)
{
	const struct vsm_log log = {print_named, NULL, VSM_LOG_INFO};
	const struct vmm_saved_lines lines = {print_line, NULL};
	struct vmm_saved saved;
	int error = vmm_saved_take(&saved, fd, path, &log);

	if (error)
		return DUMP_BAD;
	error = vmm_saved_describe(&saved, &lines);
	vmm_saved_close(&saved);
	return end(error);
}
#else
static int dump_machine(const char *path, int fd)
{
	close(fd);
	fprintf(stderr,
		"vsm dump: %s: this is a saved machine, which this vsm cannot read, since it lacks "
		"`vsm run`\n",
		path);
	return DUMP_BAD;
}
#endif

static int run(const struct command *self, int argc, char **argv)
{
	struct stat status;
	const char *path;
	void *data;
	int result;
	int fd;

	result = command_operands(self, argc, argv);
	if (result >= 0)
		return result;
	if (argc - optind != 1)
		return command_usage(self,
				     argc == optind ? "which file?" : "only one file at a time");
	path = argv[optind];
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0) {
		fprintf(stderr, "vsm dump: %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return DUMP_BAD;
	}
	if (is_machine(fd))
		return dump_machine(path, fd);
	if (status.st_size == 0) {
		close(fd);
		return dump(path, "", 0);
	}
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED) {
		fprintf(stderr, "vsm dump: %s: %s\n", path, strerror(errno));
		return DUMP_BAD;
	}
	result = dump(path, data, (size_t)status.st_size);
	munmap(data, (size_t)status.st_size);
	return result;
}

const struct command command_dump = {
	.name = "dump",
	.summary = "print a saved machine or partition as text",
	.help = "usage: vsm dump FILE\n"
		"\n"
		"Prints every record and field of a saved partition, or of a machine that\n"
		"`vsm inspect SOCKET save` has saved. Of arrays only the elements that are\n"
		"not zero; of memory only which pages there are. The formats:\n" VSM_DOC_DIR
		"/docs/state.md\n" VSM_DOC_DIR "/docs/save.md\n"
		"\n"
		"Exit status: 0 all of it was printed; 1 the file is damaged, of another version, "
		"or cannot\n"
		"be read; what comes before the damage is printed.\n",
	.run = run,
};
