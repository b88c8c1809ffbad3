/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file is untrusted: each size is compared with the size of the file before memory is
 * allocated, each section has a checksum, each value is checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "guest/guest.h"
#include "load/file.h"
#include "save/save.h"

#define CHUNK (1u << 20)
/* Upper bounds of parts of the state. */
#define STATE_PER_VTL (256ull << 10) /* a VTL of one VP, with full message queues */
#define STATE_PER_RUN 32ull	     /* a run of pages with equal rights */
#define STATE_MORE    (1ull << 20)

static const char *const names[VMM_SAVED_SECTIONS] = {
	[VMM_SAVED_HOST] = "host",  [VMM_SAVED_DEVICES] = "devices",   [VMM_SAVED_STATE] = "state",
	[VMM_SAVED_RAM] = "memory", [VMM_SAVED_MAP] = "map of memory",
};

static int damaged(const struct vmm_saved *saved, const char *what)
{
	return vsm_error(saved->log, EILSEQ, "%s: it is damaged: %s", saved->path, what);
}

int vmm_saved_read(const struct vmm_saved *saved, void *data, size_t size, uint64_t offset)
{
	uint8_t *next = data;

	while (size) {
		const ssize_t got = pread(saved->fd, next, size, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vsm_error(saved->log, errno, "%s: %s", saved->path, strerror(errno));
		if (got == 0)
			return damaged(saved, "it ends too early");
		next += got;
		offset += (uint64_t)got;
		size -= (size_t)got;
	}
	return 0;
}

/* ------------------------------------------------------------------ the header */

static uint64_t state_max(const struct vmm_saved_header *header)
{
	return (uint64_t)header->cpus * header->vtls * STATE_PER_VTL +
	       (uint64_t)header->vtls * header->vtls * (header->memory / VMM_PAGE) * STATE_PER_RUN +
	       STATE_MORE;
}

static int check_machine(const struct vmm_saved *saved)
{
	const struct vmm_saved_header *header = &saved->header;

	if (header->cpus < 1 || header->cpus > VMM_PROCESSORS_MAX)
		return damaged(saved, "number of processors");
	if (header->vtls < 1 || header->vtls > VMM_VTLS_MAX || header->boot_vtl >= header->vtls)
		return damaged(saved, "number of VTLs");
	if (header->testdev > 1)
		return damaged(saved, "test devices");
	if (header->memory < VMM_MEMORY_SMALLEST || header->memory > VMM_MEMORY_LARGEST ||
	    header->memory % (2u << 20))
		return damaged(saved, "size of memory");
	return 0;
}

static int check_sections(const struct vmm_saved *saved, uint64_t file_size)
{
	const struct vmm_saved_header *header = &saved->header;
	const uint64_t pages = header->memory / VMM_PAGE;
	const uint64_t max[VMM_SAVED_SECTIONS] = {
		[VMM_SAVED_HOST] = VMM_HOST_WORDS_MAX * sizeof(struct vmm_saved_word),
		[VMM_SAVED_DEVICES] = STATE_MORE,
		[VMM_SAVED_STATE] = state_max(header),
		[VMM_SAVED_RAM] = header->memory,
		[VMM_SAVED_MAP] = pages * sizeof(struct vmm_saved_run),
	};
	uint64_t at = sizeof(*header);

	for (size_t i = 0; i < VMM_SAVED_SECTIONS; i++) {
		const struct vmm_saved_part *part = &header->part[i];

		if (part->offset != at || part->size > max[i])
			return vsm_error(saved->log, EILSEQ,
					 "%s: it is damaged: offset or size of its %s", saved->path,
					 names[i]);
		at += part->size;
	}
	if (header->file_size != at)
		return damaged(saved, "its size");
	if (file_size != at)
		return vsm_error(saved->log, EILSEQ,
				 "%s: it is damaged: it has %llu bytes and should have %llu",
				 saved->path, (unsigned long long)file_size,
				 (unsigned long long)at);
	return 0;
}

static int check_header(struct vmm_saved *saved, uint64_t file_size)
{
	struct vmm_saved_header *header = &saved->header;
	int error;

	if (file_size < sizeof(*header))
		return vsm_error(
			saved->log, EILSEQ,
			"%s: not a saved machine, which `vsm inspect SOCKET save FILE` writes",
			saved->path);
	error = vmm_saved_read(saved, header, sizeof(*header), 0);
	if (error)
		return error;
	if (memcmp(header->magic, VMM_SAVED_MAGIC, sizeof(header->magic)) != 0)
		return vsm_error(
			saved->log, EILSEQ,
			"%s: not a saved machine, which `vsm inspect SOCKET save FILE` writes",
			saved->path);
	if (header->version != VMM_SAVED_VERSION || header->header_size != sizeof(*header))
		return vsm_error(saved->log, ENOTSUP,
				 "%s: the file has version %u; this program reads version %u",
				 saved->path, header->version, VMM_SAVED_VERSION);
	if (header->crc !=
	    (uint32_t)crc32_z(0, (const void *)header, offsetof(struct vmm_saved_header, crc)))
		return damaged(saved, "checksum of its header");
	error = check_machine(saved);
	return error ? error : check_sections(saved, file_size);
}

int vmm_saved_take(struct vmm_saved *saved, int fd, const char *path, const struct vsm_log *log)
{
	struct stat status;
	int error;

	*saved = (struct vmm_saved){.path = path, .log = log, .fd = fd};
	if (fstat(fd, &status))
		error = vsm_error(log, errno, "%s: %s", path, strerror(errno));
	else if (S_ISDIR(status.st_mode))
		error = vmm_file_error(path, EISDIR, log);
	else if (!S_ISREG(status.st_mode))
		error = vsm_error(log, EINVAL, "%s: it is not a regular file", path);
	else
		error = check_header(saved, (uint64_t)status.st_size);
	if (error)
		vmm_saved_close(saved);
	return error;
}

int vmm_saved_open(struct vmm_saved *saved, const char *path, const struct vsm_log *log)
{
	/* Opening a FIFO without a writer would block. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*saved = (struct vmm_saved){.fd = -1};
	return fd < 0 ? vmm_file_error(path, errno, log) : vmm_saved_take(saved, fd, path, log);
}

void vmm_saved_close(struct vmm_saved *saved)
{
	if (saved->fd >= 0)
		close(saved->fd);
	saved->fd = -1;
}

void vmm_saved_config(const struct vmm_saved *saved, struct vmm_config *config)
{
	config->cpus = saved->header.cpus;
	config->vtls = saved->header.vtls;
	config->boot_vtl = saved->header.boot_vtl;
	config->testdev = saved->header.testdev;
	config->memory = saved->header.memory;
}

/* ------------------------------------------------------------------ sections */

void *vmm_saved_section(const struct vmm_saved *saved, enum vmm_saved_section section, int *error)
{
	const struct vmm_saved_part *part = &saved->header.part[section];
	void *data = malloc(part->size ? part->size : 1);

	*error = data ? vmm_saved_read(saved, data, part->size, part->offset)
		      : vsm_error(saved->log, ENOMEM, "%s: no memory for its %s", saved->path,
				  names[section]);
	if (!*error && (uint32_t)crc32_z(0, data, part->size) != part->crc)
		*error = vsm_error(saved->log, EILSEQ, "%s: it is damaged: checksum of its %s",
				   saved->path, names[section]);
	if (*error) {
		free(data);
		data = NULL;
	}
	return data;
}

static int load_host(const struct vmm_saved *saved)
{
	const struct vmm_saved_part *part = &saved->header.part[VMM_SAVED_HOST];
	int error;
	struct vmm_saved_word *word = vmm_saved_section(saved, VMM_SAVED_HOST, &error);

	if (word && part->size % sizeof(*word))
		error = damaged(saved, "size of its host");
	else if (word)
		error = vmm_host_check(word, part->size / sizeof(*word), saved->log);
	free(word);
	return error;
}

static int load_devices(const struct vmm_saved *saved, struct vmm_guest *guest)
{
	int error;
	uint8_t *data = vmm_saved_section(saved, VMM_SAVED_DEVICES, &error);

	if (data)
		error = vmm_devices_load(guest, data, saved->header.part[VMM_SAVED_DEVICES].size,
					 saved->log);
	free(data);
	return error;
}

static int load_state(const struct vmm_saved *saved, struct vmm_guest *guest)
{
	int error;
	void *data = vmm_saved_section(saved, VMM_SAVED_STATE, &error);

	if (data)
		error = vsm_partition_restore(guest->partition, data,
					      saved->header.part[VMM_SAVED_STATE].size);
	free(data);
	return error;
}

/* ------------------------------------------------------------------ RAM */

/* NULL: not all of @run is RAM. */
static const struct vmm_region *region_of(const struct vmm_guest *guest,
					  const struct vmm_saved_run *run)
{
	for (size_t i = 0; i < VMM_REGIONS; i++) {
		const struct vmm_region *region = &guest->region[i];
		const uint64_t first = region->gpa / VMM_PAGE, pages = region->size / VMM_PAGE;

		if (run->gpn >= first && run->gpn - first < pages &&
		    run->pages <= pages - (run->gpn - first))
			return region;
	}
	return NULL;
}

/* Runs must ascend without overlap, be RAM, and have as many bytes as the section of RAM. */
static int check_map(const struct vmm_saved *saved, const struct vmm_guest *guest,
		     const struct vmm_saved_run *run, size_t count)
{
	uint64_t next = 0, pages = 0;

	for (size_t i = 0; i < count; i++) {
		if (run[i].pages == 0 || run[i].gpn < next || !region_of(guest, &run[i]))
			return damaged(saved, "a page that the machine does not have");
		next = run[i].gpn + run[i].pages;
		pages += run[i].pages;
	}
	if (pages * VMM_PAGE != saved->header.part[VMM_SAVED_RAM].size)
		return damaged(saved, "number of pages");
	return 0;
}

struct progress {
	uint64_t offset; /* in the file */
	uint32_t crc;
	time_t reported;
	uint8_t *chunk; /* CHUNK bytes */
};

/* pwrite(): writes through the VMM's mapping would fault on each page. */
static int load_run(const struct vmm_saved *saved, const struct vmm_region *region,
		    const struct vmm_saved_run *run, struct progress *progress)
{
	uint64_t to = run->gpn * VMM_PAGE - region->gpa, left = run->pages * VMM_PAGE;

	while (left) {
		const size_t size = left < CHUNK ? left : CHUNK;
		const int error = vmm_saved_read(saved, progress->chunk, size, progress->offset);

		if (error)
			return error;
		if (pwrite(region->fd, progress->chunk, size, (off_t)to) != (ssize_t)size)
			return vsm_error(saved->log, ENOMEM, "%s: no memory for the guest's RAM",
					 saved->path);
		progress->crc = (uint32_t)crc32_z(progress->crc, progress->chunk, size);
		progress->offset += size;
		to += size;
		left -= size;
	}
	return 0;
}

static int load_runs(const struct vmm_saved *saved, const struct vmm_guest *guest,
		     const struct vmm_saved_run *run, size_t count)
{
	const struct vmm_saved_part *part = &saved->header.part[VMM_SAVED_RAM];
	struct progress progress = {
		.offset = part->offset, .reported = time(NULL), .chunk = malloc(CHUNK)};
	int error =
		progress.chunk ? 0 : vsm_error(saved->log, ENOMEM, "%s: no memory", saved->path);

	for (size_t i = 0; i < count && !error; i++) {
		error = load_run(saved, region_of(guest, &run[i]), &run[i], &progress);
		if (time(NULL) - progress.reported < 2)
			continue;
		progress.reported = time(NULL);
		vsm_log(saved->log, VSM_LOG_INFO, "restoring %s: %llu of %llu MiB", saved->path,
			(unsigned long long)((progress.offset - part->offset) >> 20),
			(unsigned long long)(part->size >> 20));
	}
	free(progress.chunk);
	if (!error && progress.crc != part->crc)
		error = damaged(saved, "checksum of its memory");
	return error;
}

static int load_ram(const struct vmm_saved *saved, const struct vmm_guest *guest)
{
	const struct vmm_saved_part *part = &saved->header.part[VMM_SAVED_MAP];
	const size_t count = part->size / sizeof(struct vmm_saved_run);
	int error;
	struct vmm_saved_run *run = vmm_saved_section(saved, VMM_SAVED_MAP, &error);

	if (run && part->size % sizeof(*run))
		error = damaged(saved, "size of its map of memory");
	if (!error)
		error = check_map(saved, guest, run, count);
	if (!error)
		error = load_runs(saved, guest, run, count);
	free(run);
	return error;
}

int vmm_saved_load(const struct vmm_saved *saved, struct vmm_guest *guest)
{
	int error = load_host(saved);

	if (!error)
		error = load_ram(saved, guest);
	if (!error)
		error = load_state(saved, guest);
	/* Devices come last: the I/O APIC may send interrupts to the APICs. */
	if (!error)
		error = load_devices(saved, guest);
	return error;
}
