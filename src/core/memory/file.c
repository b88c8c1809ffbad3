/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory/map_file.h"

#define WORD_BITS  64u
#define LARGE_PAGE (UINT64_C(2) << 20)

static void file_free(struct ram_file *file)
{
	if (file->backend.host)
		munmap(file->backend.host, file->backend.pages * CORE_PAGE_SIZE);
	if (file->backend.fd >= 0)
		close(file->backend.fd);
	free(file->written);
	free(file->dirty);
	free(file);
}

/* Offset and GPA are congruent modulo a large page. */
static int make_file(struct vsm_partition *partition, uint64_t gpa, uint64_t size, uint64_t *offset)
{
	int fd = memfd_create("guest-ram", MFD_CLOEXEC);

	if (fd < 0)
		return vsm_error(&partition->log, errno, "file for guest memory: %s",
				 strerror(errno));
	*offset = gpa % LARGE_PAGE;
	if (ftruncate(fd, (off_t)(*offset + size))) {
		const int error = errno;

		close(fd);
		return vsm_error(&partition->log, error, "%llu bytes of guest memory: %s",
				 (unsigned long long)size, strerror(error));
	}
	return fd;
}

static int map_whole(struct vsm_partition *partition, struct ram_file *file, uint64_t pages)
{
	file->backend.pages = pages;
	file->written = calloc((pages + WORD_BITS - 1) / WORD_BITS, sizeof(uint64_t));
	if (!file->written)
		return vsm_error(&partition->log, ENOMEM, "no memory to describe RAM");
	file->backend.host = map_file(file->backend.fd, 0, pages * CORE_PAGE_SIZE, 0);
	if (!file->backend.host)
		return vsm_error(&partition->log, errno, "mapping %llu bytes of guest memory: %s",
				 (unsigned long long)(pages * CORE_PAGE_SIZE), strerror(errno));
	return 0;
}

/* Closes @fd on failure; otherwise file_free() closes it. */
static int file_create(struct vsm_partition *partition, int fd, const struct stat *status,
		       uint64_t pages, struct ram_file **out)
{
	struct ram_file *file = calloc(1, sizeof(*file));
	int error;

	if (!file) {
		close(fd);
		return vsm_error(&partition->log, ENOMEM, "no memory to describe RAM");
	}
	file->backend.fd = fd;
	file->device = status->st_dev;
	file->inode = status->st_ino;
	error = map_whole(partition, file, pages);
	if (error) {
		file_free(file);
		return error;
	}
	file->next = partition->memory.file;
	partition->memory.file = file;
	*out = file;
	return 0;
}

static struct ram_file *find(const struct memory *memory, const struct stat *status, uint64_t pages)
{
	struct ram_file *file = memory->file;

	while (file && (file->device != status->st_dev || file->inode != status->st_ino ||
			file->backend.pages < pages))
		file = file->next;
	return file;
}

int ram_file_get(struct vsm_partition *partition, int fd, uint64_t gpa, uint64_t size,
		 uint64_t *offset, struct ram_file **out)
{
	const bool made = fd < 0;
	struct stat status;
	uint64_t needed;
	uint64_t pages;

	if (made)
		fd = make_file(partition, gpa, size, offset);
	if (made && fd < 0)
		return fd;
	if (fstat(fd, &status)) {
		const int error = errno;

		if (made)
			close(fd);
		return vsm_error(&partition->log, error, "memory file descriptor %d: %s", fd,
				 strerror(error));
	}
	needed = (*offset + size) / CORE_PAGE_SIZE;
	pages = (uint64_t)status.st_size / CORE_PAGE_SIZE;
	if (S_ISREG(status.st_mode) && pages < needed)
		return vsm_error(&partition->log, EINVAL,
				 "RAM at %#llx: the file ends before offset %#llx",
				 (unsigned long long)gpa, (unsigned long long)(*offset + size));
	*out = find(&partition->memory, &status, needed);
	if (*out)
		return 0;
	if (!made)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return vsm_error(&partition->log, errno, "memory file descriptor: %s",
				 strerror(errno));
	return file_create(partition, fd, &status, pages > needed ? pages : needed, out);
}

void ram_files_destroy(struct vsm_partition *partition)
{
	while (partition->memory.file) {
		struct ram_file *file = partition->memory.file;

		partition->memory.file = file->next;
		file_free(file);
	}
}

static void set_written(struct ram_file *file, uint64_t page, uint64_t pages, bool on)
{
	const uint64_t end = page + pages;

	while (page < end) {
		const uint64_t bit = page % WORD_BITS;
		const uint64_t left = end - page < WORD_BITS - bit ? end - page : WORD_BITS - bit;
		const uint64_t mask = (UINT64_MAX >> (WORD_BITS - left)) << bit;

		if (on)
			file->written[page / WORD_BITS] |= mask;
		else
			file->written[page / WORD_BITS] &= ~mask;
		page += left;
	}
}

void ram_file_note_written(struct ram_file *file, uint64_t page, uint64_t pages)
{
	set_written(file, page, pages, true);
}

void ram_file_clear_written(struct ram_file *file, uint64_t page, uint64_t pages)
{
	set_written(file, page, pages, false);
}

bool ram_file_log(struct ram_file *file)
{
	if (!file->dirty)
		file->dirty = calloc((file->backend.pages + WORD_BITS - 1) / WORD_BITS,
				     sizeof(*file->dirty));
	return file->dirty;
}

void ram_file_note_dirty(const struct ram_file *file, uint64_t page, uint64_t pages)
{
	for (const uint64_t end = page + pages; file->dirty && page < end; page++)
		atomic_fetch_or(&file->dirty[page / WORD_BITS], UINT64_C(1) << page % WORD_BITS);
}

bool ram_file_is_dirty(const struct ram_file *file, uint64_t page)
{
	return atomic_load(&file->dirty[page / WORD_BITS]) >> (page % WORD_BITS) & 1;
}

static bool is_written(const struct ram_file *file, uint64_t page)
{
	return file->written[page / WORD_BITS] >> (page % WORD_BITS) & 1;
}

static bool has_written(const struct ram_file *file)
{
	const uint64_t words = (file->backend.pages + WORD_BITS - 1) / WORD_BITS;

	for (uint64_t i = 0; i < words; i++)
		if (file->written[i])
			return true;
	return false;
}

/* Zeroes the pages of [page, end) that are set in `written`. */
static void zero_pages(const struct ram_file *file, uint64_t page, uint64_t end)
{
	while (page < end) {
		uint64_t run = 0;

		while (page + run < end && is_written(file, page + run))
			run++;
		memset(file->backend.host + page * CORE_PAGE_SIZE, 0, run * CORE_PAGE_SIZE);
		ram_file_note_dirty(file, page, run);
		page += run + 1;
	}
}

/* Writes only to pages that are allocated; holes read as zero and remain holes. */
static int zero_file(struct vsm_partition *partition, const struct ram_file *file)
{
	const off_t end = (off_t)(file->backend.pages * CORE_PAGE_SIZE);
	off_t at = 0;

	while (at < end) {
		const off_t data = lseek(file->backend.fd, at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno == ENXIO)
			return 0;
		hole = data < 0 ? -1 : lseek(file->backend.fd, data, SEEK_HOLE);
		if (hole < 0)
			return vsm_error(&partition->log, errno,
					 "data of the guest memory file: %s", strerror(errno));
		if (data >= end)
			return 0;
		if (hole > end)
			hole = end;
		zero_pages(file, (uint64_t)data / CORE_PAGE_SIZE,
			   ((uint64_t)hole + CORE_PAGE_SIZE - 1) / CORE_PAGE_SIZE);
		at = hole;
	}
	return 0;
}

int ram_files_zero(struct vsm_partition *partition)
{
	int error = 0;

	for (const struct ram_file *file = partition->memory.file; file && !error;
	     file = file->next)
		error = zero_file(partition, file);
	return error;
}

void ram_files_note_present(struct vsm_partition *partition)
{
	const struct memory *memory = &partition->memory;

	for (struct ram_file *file = memory->file; file; file = file->next)
		ram_file_clear_written(file, 0, file->backend.pages);
	for (uint32_t i = 0; i < memory->region_count; i++) {
		const struct ram_region *region = &memory->region[i];

		if (!(region->flags & VSM_MEMORY_READONLY))
			ram_file_note_written(region->file, region->page, region->pages);
	}
}

void ram_files_sweep(struct vsm_partition *partition, bool keep)
{
	struct memory *memory = &partition->memory;
	struct ram_file **link = &memory->file;

	for (struct ram_file *file = memory->file; file; file = file->next)
		file->used = false;
	for (uint32_t i = 0; i < memory->region_count; i++)
		memory->region[i].file->used = true;
	for (uint32_t i = 0; i < memory->former_count; i++)
		memory->former[i].file->used = true;
	while (*link) {
		struct ram_file *file = *link;

		if (file->used || (keep && has_written(file))) {
			link = &file->next;
			continue;
		}
		*link = file->next;
		file_free(file);
	}
}
