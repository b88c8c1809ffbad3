/* SPDX-License-Identifier: BSD-2-Clause */
/* Saves a machine to a file. */
#include "save/save.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "file/replace.h"
#include "guest/guest.h"

#define CHUNK (1u << 20)

struct output {
	const struct vmm_guest *guest;
	const char *path;
	char *temporary;
	int fd;
	int error;	 /* the first error, -errno */
	char *message;	 /* for the user; 256 bytes */
	uint64_t offset; /* of the next byte to write */
	struct vmm_saved_part *part;
	struct vmm_saved_header header;
	uint8_t *chunk; /* CHUNK bytes */
	struct vmm_saved_run *run;
	size_t runs, room;
	time_t reported;
};

static void fail(struct output *output, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(struct output *output, int error, const char *format, ...)
{
	va_list arguments;

	if (output->error)
		return;
	output->error = -error;
	va_start(arguments, format);
	vsnprintf(output->message, 256, format, arguments);
	va_end(arguments);
}

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void report_progress(struct output *output)
{
	const time_t time = now();

	if (time - output->reported < 2)
		return;
	output->reported = time;
	vsm_log(output->guest->log, VSM_LOG_INFO, "saving %s: %llu MiB so far", output->path,
		(unsigned long long)(output->offset >> 20));
}

static void write_at(struct output *output, const void *data, size_t size, uint64_t offset)
{
	const uint8_t *next = data;

	while (size && !output->error) {
		const ssize_t done = pwrite(output->fd, next, size, (off_t)offset);

		if (done < 0 && errno != EINTR)
			fail(output, errno, "%.160s: %s", output->path, strerror(errno));
		if (done <= 0)
			continue;
		next += done;
		offset += (uint64_t)done;
		size -= (size_t)done;
	}
}

/* ------------------------------------------------------------------ sections */

static void begin(struct output *output, enum vmm_saved_section section)
{
	output->part = &output->header.part[section];
	output->part->offset = output->offset;
}

static void put(struct output *output, const void *data, size_t size)
{
	write_at(output, data, size, output->offset);
	output->part->crc = (uint32_t)crc32_z(output->part->crc, data, size);
	output->part->size += size;
	output->offset += size;
	report_progress(output);
}

static int put_state(void *opaque, const void *data, size_t size)
{
	struct output *output = opaque;

	put(output, data, size);
	return output->error;
}

static void put_devices(struct output *output)
{
	const size_t size = vmm_devices_size(output->guest);
	uint8_t *data = malloc(size);

	if (data) {
		vmm_devices_save(output->guest, data);
		put(output, data, size);
	} else {
		fail(output, ENOMEM, "no memory for the devices");
	}
	free(data);
}

/* ------------------------------------------------------------------ RAM */

static void add_run(struct output *output, uint64_t gpn, uint64_t pages)
{
	struct vmm_saved_run *last = output->runs ? &output->run[output->runs - 1] : NULL;
	struct vmm_saved_run *grown;

	if (last && last->gpn + last->pages == gpn) {
		last->pages += pages;
		return;
	}
	if (!output->run || output->runs == output->room) {
		const size_t room = output->room ? output->room * 2 : 1024;

		grown = realloc(output->run, room * sizeof(*grown));
		if (!grown) {
			fail(output, ENOMEM, "no memory for a map of the guest's pages");
			return;
		}
		output->run = grown;
		output->room = room;
	}
	output->run[output->runs++] = (struct vmm_saved_run){gpn, pages};
}

static bool is_zero(const uint8_t *page)
{
	static const uint8_t zero[VMM_PAGE];

	return !memcmp(page, zero, VMM_PAGE);
}

static void put_chunk(struct output *output, const uint8_t *data, uint64_t gpa, uint64_t size)
{
	for (uint64_t at = 0; at < size;) {
		uint64_t next = at;

		while (next < size && !is_zero(data + next))
			next += VMM_PAGE;
		if (next == at) {
			at += VMM_PAGE;
			continue;
		}
		add_run(output, (gpa + at) / VMM_PAGE, (next - at) / VMM_PAGE);
		put(output, data + at, next - at);
		at = next;
	}
}

/* pread(): reads through the mapping would fault on each page. */
static void put_pages(struct output *output, const struct vmm_region *region, uint64_t at,
		      uint64_t end)
{
	while (at < end && !output->error) {
		const size_t size = end - at < CHUNK ? end - at : CHUNK;
		const ssize_t got = pread(region->fd, output->chunk, size, (off_t)at);

		if (got != (ssize_t)size) {
			fail(output, got < 0 ? errno : EIO, "guest memory cannot be read");
			return;
		}
		put_chunk(output, output->chunk, region->gpa + at, size);
		at += size;
	}
}

/* Holes are pages of zeroes. */
static void put_region(struct output *output, const struct vmm_region *region)
{
	uint64_t at = 0;

	while (at < region->size && !output->error) {
		off_t data = lseek(region->fd, (off_t)at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return;
		hole = data < 0 ? data : lseek(region->fd, data, SEEK_HOLE);
		if (hole < 0) {
			fail(output, errno, "guest memory: %s", strerror(errno));
			return;
		}
		at = (uint64_t)hole < region->size ? (uint64_t)hole : region->size;
		put_pages(output, region, (uint64_t)data / VMM_PAGE * VMM_PAGE, at);
	}
}

/* ------------------------------------------------------------------ the whole file */

static void put_sections(struct output *output, struct vmm_guest *guest)
{
	struct vmm_saved_word word[VMM_HOST_WORDS_MAX];

	output->offset = sizeof(output->header);
	begin(output, VMM_SAVED_HOST);
	put(output, word, vmm_host_words(word) * sizeof(word[0]));
	/* Console input must not change the devices until devices and state are written. */
	pthread_mutex_lock(&guest->machine.ports.lock);
	begin(output, VMM_SAVED_DEVICES);
	put_devices(output);
	begin(output, VMM_SAVED_STATE);
	if (vsm_partition_save(guest->partition, put_state, output))
		fail(output, EIO, "the partition could not be saved: see the machine's messages");
	pthread_mutex_unlock(&guest->machine.ports.lock);
	begin(output, VMM_SAVED_RAM);
	for (size_t i = 0; i < VMM_REGIONS; i++)
		if (guest->region[i].size)
			put_region(output, &guest->region[i]);
	begin(output, VMM_SAVED_MAP);
	put(output, output->run, output->runs * sizeof(output->run[0]));
}

static void put_header(struct output *output)
{
	const struct vmm_config *config = output->guest->config;
	struct vmm_saved_header *header = &output->header;

	memcpy(header->magic, VMM_SAVED_MAGIC, sizeof(header->magic));
	header->version = VMM_SAVED_VERSION;
	header->header_size = sizeof(*header);
	header->cpus = config->cpus;
	header->vtls = config->vtls;
	header->boot_vtl = config->boot_vtl;
	header->testdev = config->testdev;
	header->memory = config->memory;
	header->file_size = output->offset;
	header->crc =
		(uint32_t)crc32_z(0, (const void *)header, offsetof(struct vmm_saved_header, crc));
	write_at(output, header, sizeof(*header), 0);
}

static void give_name(struct output *output)
{
	const int error = vmm_replace(output->temporary, output->path);

	if (error)
		fail(output, -error, "%.160s: %s", output->path, vmm_replace_text(error));
}

/* Make the rename durable. */
static void sync_folder(const char *path)
{
	char *copy = strdup(path);
	const int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(copy);
}

int vmm_save(struct vmm_guest *guest, const char *path, char message[256])
{
	struct output output = {
		.guest = guest, .path = path, .message = message, .reported = now()};
	int error;

	/* Fails before the long write if @path cannot be replaced. */
	error = vmm_replace_check(path);
	if (error) {
		fail(&output, -error, "%.160s: %s", path, vmm_replace_text(error));
		return error;
	}
	output.fd = vmm_replace_create(path, &output.temporary);
	if (output.fd < 0) {
		vmm_save_error(guest->config, path, output.fd, message);
		return output.fd;
	}
	output.chunk = malloc(CHUNK);
	if (output.chunk)
		put_sections(&output, guest);
	else
		fail(&output, ENOMEM, "no memory for a copy of guest pages");
	put_header(&output);
	if (!output.error && fsync(output.fd))
		fail(&output, errno, "%.160s: %s", path, strerror(errno));
	close(output.fd);
	if (!output.error)
		give_name(&output);
	if (output.error)
		unlink(output.temporary);
	else
		sync_folder(path);
	free(output.temporary);
	free(output.run);
	free(output.chunk);
	return output.error;
}
