/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/dirty.h"

#include <errno.h>
#include <stdlib.h>

#include "core/memory/file.h"
#include "core/memory/gpa.h"
#include "core/memory/protect.h"

#define PAGE_SHIFT 12u
#define WORD_BITS  64u

int dirty_init(struct vsm_partition *partition)
{
	int error = pthread_mutex_init(&partition->memory.dirty_lock, NULL);

	return error ? vsm_error(&partition->log, error,
				 "cannot initialize the lock of the log of written pages")
		     : 0;
}

void dirty_destroy(struct vsm_partition *partition)
{
	pthread_mutex_destroy(&partition->memory.dirty_lock);
}

static bool is_logged(const struct ram_region *region)
{
	return region->flags & VSM_MEMORY_LOG;
}

void dirty_note(const struct vsm_partition *partition, uint64_t gpa)
{
	const uint64_t gpn = gpa >> PAGE_SHIFT;
	const struct ram_region *region;

	if (__builtin_expect(!partition->memory.logged, 1))
		return;
	region = memory_find(partition, gpn);
	if (region && is_logged(region))
		ram_file_note_dirty(region->file, region->page + (gpn - region->gpn), 1);
}

/* Adds the backend's record of writes to @region to the file's. Memory lock held. */
static int collect(struct vsm_partition *partition, const struct ram_region *region)
{
	const struct backend_memory run = region_list_run(region);
	const uint64_t words = (region->pages + WORD_BITS - 1) / WORD_BITS;
	uint64_t *bitmap = calloc(words, sizeof(*bitmap));
	int error;

	if (!bitmap)
		return vsm_error(&partition->log, ENOMEM, "no memory for the log of written pages");
	error = partition->ops->memory_dirty(partition->backend, &run, bitmap);
	/* After an error, too: the backend has already cleared the bits that it reported. */
	for (uint64_t i = 0; i < words; i++)
		for (uint64_t word = bitmap[i]; word; word &= word - 1)
			ram_file_note_dirty(region->file,
					    region->page + i * WORD_BITS +
						    (unsigned int)__builtin_ctzll(word),
					    1);
	free(bitmap);
	return error;
}

static bool has_same(const struct region_list *list, const struct ram_region *wanted)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct ram_region *region = &list->region[i];

		if (region->gpn == wanted->gpn)
			return region->pages == wanted->pages && region->file == wanted->file &&
			       region->page == wanted->page && region->flags == wanted->flags;
	}
	return false;
}

/* If the file has grown, @new has a second struct ram_file: copies the record of @old's pages. */
static void copy_record(const struct ram_region *old, const struct region_list *new)
{
	const uint64_t end = old->page + old->pages;

	for (uint32_t i = 0; i < new->count; i++) {
		struct ram_file *file = new->region[i].file;

		if (file == old->file || !ram_file_is_same(file, old->file))
			continue;
		for (uint64_t page = old->page; page < end && page < file->backend.pages; page++)
			if (ram_file_is_dirty(old->file, page))
				ram_file_note_dirty(file, page, 1);
	}
}

int dirty_keep(struct vsm_partition *partition, const struct region_list *old,
	       const struct region_list *new)
{
	int error = 0;

	for (uint32_t i = 0; i < old->count && !error; i++) {
		if (!is_logged(&old->region[i]) || has_same(new, &old->region[i]))
			continue;
		error = collect(partition, &old->region[i]);
		if (!error)
			copy_record(&old->region[i], new);
	}
	return error;
}

/* Moves the bits of [first, end) to @bitmap, whose first bit is that of @gpn. */
static void take(const struct ram_region *region, uint64_t first, uint64_t end, uint64_t gpn,
		 uint64_t *bitmap)
{
	_Atomic uint64_t *dirty = region->file->dirty;
	const uint64_t page = region->page + (first - region->gpn);
	const uint64_t page_end = page + (end - first);
	/* Position in @bitmap of the file's page 0, modulo 2^64. */
	const uint64_t shift = first - gpn - page;

	for (uint64_t at = page; at < page_end;) {
		const uint64_t bit = at % WORD_BITS;
		const uint64_t room = WORD_BITS - bit;
		const uint64_t count = page_end - at < room ? page_end - at : room;
		const uint64_t mask = (UINT64_MAX >> (WORD_BITS - count)) << bit;
		uint64_t word = atomic_load_explicit(&dirty[at / WORD_BITS], memory_order_relaxed);

		if (word & mask)
			word = atomic_fetch_and(&dirty[at / WORD_BITS], ~mask) & mask;
		else
			word = 0;
		for (; word; word &= word - 1) {
			const uint64_t found =
				at - bit + (unsigned int)__builtin_ctzll(word) + shift;

			bitmap[found / WORD_BITS] |= UINT64_C(1) << found % WORD_BITS;
		}
		at += count;
	}
}

/*
 * Of logged regions that overlap [gpn, end): moves the records to @bitmap, or, if it is NULL,
 * updates the records from the backend.
 */
static int each_region(struct vsm_partition *partition, uint64_t gpn, uint64_t end,
		       uint64_t *bitmap)
{
	const struct memory *memory = &partition->memory;
	int error = 0;

	for (uint32_t i = memory_region_index(memory, gpn); i < memory->region_count && !error;
	     i++) {
		const struct ram_region *region = &memory->region[i];
		const uint64_t region_end = region->gpn + region->pages;

		if (region->gpn >= end)
			break;
		if (!is_logged(region))
			continue;
		if (bitmap)
			take(region, gpn > region->gpn ? gpn : region->gpn,
			     end < region_end ? end : region_end, gpn, bitmap);
		else
			error = collect(partition, region);
	}
	return error;
}

int vsm_memory_dirty(struct vsm_partition *partition, uint64_t gpa, uint64_t size, uint64_t *bitmap)
{
	const uint64_t limit = UINT64_C(1) << partition->features.gpa_bits;
	const uint64_t gpn = gpa >> PAGE_SHIFT;
	int error;

	if ((gpa | size) % CORE_PAGE_SIZE || size == 0 || size > limit || gpa > limit - size)
		return vsm_error(&partition->log, EINVAL,
				 "written pages at %#llx, %#llx bytes: not whole pages of guest "
				 "memory",
				 (unsigned long long)gpa, (unsigned long long)size);
	/* The backend reports and clears whole regions: concurrent calls would miss pages. */
	pthread_mutex_lock(&partition->memory.dirty_lock);
	pthread_rwlock_rdlock(&partition->memory.lock);
	error = protect_check_lost(partition);
	if (!error)
		error = each_region(partition, gpn, gpn + (size >> PAGE_SHIFT), NULL);
	if (!error)
		error = each_region(partition, gpn, gpn + (size >> PAGE_SHIFT), bitmap);
	pthread_rwlock_unlock(&partition->memory.lock);
	pthread_mutex_unlock(&partition->memory.dirty_lock);
	return error;
}
