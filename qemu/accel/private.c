/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Migrates denied pages: pages of RAM that VTL0 may not read or write. QEMU's own migration uses the guarded
 * mapping and skips them; this file reads them by an unguarded mapping and sends them in a separate section.
 * A page that was denied once is sent in this section until the end of migration, so that its last copy is
 * here. The target stores received pages outside of guest memory until protections and guard are active, so
 * that no device can read them before.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include <sys/mman.h>
#include "migration/migration-stats.h"
#include "migration/misc.h"
#include "migration/qemu-file.h"
#include "qapi/error.h"
#include "qemu/bitmap.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"

enum {
	RECORD_END,
	RECORD_BLOCK, /* name of the RAM block of the pages that follow */
	RECORD_PAGE,  /* page number, 4096 bytes */
	RECORD_ZERO,  /* page number: all bytes are zero */
};

/* A RAM block of QEMU. The guest can eject the device of a block at any time. */
struct block {
	RAMBlock *ram;	/* its memory region is referenced */
	char name[256]; /* copy of idstr of `ram`, which an ejection clears */
	uint64_t pages;
	uint8_t *memory;	/* mapping without a guard */
	uint8_t *received;	/* buffer of received pages; NULL: none */
	unsigned long *known;	/* bit for each page: was denied, or was received */
	unsigned long *pending; /* bit for each page: must be sent; protected by save_lock */
};

static struct block *block_at(VsmState *vsm, unsigned i)
{
	return &g_array_index(vsm->blocks, struct block, i);
}

static int add_block(RAMBlock *ram, void *opaque)
{
	GArray *blocks = opaque;
	struct block block = {.ram = ram, .pages = ram->used_length / VSM_PAGE};

	if (!qemu_ram_is_migratable(ram) || ram->fd < 0 || !block.pages)
		return 0;
	block.memory = mmap(NULL, block.pages * VSM_PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE, ram->fd, ram->fd_offset);
	if (block.memory == MAP_FAILED)
		return -errno;
	memory_region_ref(ram->mr);
	pstrcpy(block.name, sizeof(block.name), ram->idstr);
	block.known = bitmap_new(block.pages);
	block.pending = bitmap_new(block.pages);
	g_array_append_val(blocks, block);
	return 0;
}

bool vsm_private_begin(VsmState *vsm, Error **errp)
{
	int error;

	vsm_private_end(vsm);
	error = qemu_ram_foreach_block(add_block, vsm->blocks);
	if (error)
		error_setg_errno(errp, -error, "vsm: RAM cannot be mapped for migration");
	return !error;
}

void vsm_private_end(VsmState *vsm)
{
	qatomic_set(&vsm->saving, false);
	vsm->save_thread = 0;
	for (unsigned i = 0; i < vsm->blocks->len; i++) {
		struct block *block = block_at(vsm, i);

		munmap(block->memory, block->pages * VSM_PAGE);
		if (block->received)
			munmap(block->received, block->pages * VSM_PAGE);
		g_free(block->known);
		g_free(block->pending);
		memory_region_unref(block->ram->mr);
	}
	g_array_set_size(vsm->blocks, 0);
}

/*
 * Scans for denied pages. Marks as pending those that are found for the first time, and those that have been
 * written. @taken: QEMU's migration may have cleared bits of the record since its sync, so mark all known
 * pages.
 */
static void scan_block(VsmState *vsm, struct block *block, bool taken)
{
	g_autofree unsigned long *denied = bitmap_new(block->pages);
	unsigned long page, end;

	/* The block was ejected before QEMU began migration. */
	if (!block->ram->bmap)
		return;
	vsm_memory_guarded(vsm->partition, block->ram->host, block->pages * VSM_PAGE,
			   (uint64_t *)denied);
	WITH_QEMU_LOCK_GUARD(&vsm->save_lock)
	{
		for (page = find_first_bit(denied, block->pages); page < block->pages;
		     page = find_next_bit(denied, block->pages, page + 1))
			if (!test_and_set_bit(page, block->known))
				set_bit(page, block->pending);
		for (page = find_first_bit(block->known, block->pages); page < block->pages;
		     page = find_next_bit(block->known, block->pages, page + 1))
			if (taken || test_bit(page, block->ram->bmap))
				set_bit(page, block->pending);
	}
	for (page = find_first_bit(block->known, block->pages); page < block->pages;
	     page = find_next_bit(block->known, block->pages, end)) {
		end = find_next_zero_bit(block->known, block->pages, page);
		qemu_guest_free_page_hint(block->ram->host + page * VSM_PAGE,
					  (end - page) * VSM_PAGE);
	}
}

static void scan(VsmState *vsm, bool taken)
{
	for (unsigned i = 0; i < vsm->blocks->len && vsm_is_guarded(vsm); i++)
		scan_block(vsm, block_at(vsm, i), taken);
}

/*
 * Called with the BQL, after each dirty sync of QEMU among others. A timer of auto-converge can cause a sync
 * while the migration thread clears bits of the record.
 */
static int on_precopy(NotifierWithReturn *notifier, void *opaque, Error **errp)
{
	VsmState *vsm = container_of(notifier, VsmState, precopy);

	switch (((PrecopyNotifyData *)opaque)->reason) {
	case PRECOPY_NOTIFY_AFTER_BITMAP_SYNC:
		qatomic_set(&vsm->saving, true);
		scan(vsm, vsm->save_thread && vsm->save_thread != qemu_get_thread_id());
		break;
	case PRECOPY_NOTIFY_CLEANUP:
		qatomic_set(&vsm->saving, false);
		break;
	default:
		break;
	}
	return 0;
}

static void scan_again(void *opaque)
{
	VsmState *vsm = opaque;

	qatomic_set(&vsm->scan_wanted, false);
	if (qatomic_read(&vsm->saving))
		scan(vsm, false);
}

/*
 * QEMU's migration may have read a page that was restricted after the last scan. Scan again immediately,
 * since each further refused page uses one of the limited number of mappings of this process.
 */
void vsm_private_refused(VsmState *vsm)
{
	if (qatomic_read(&vsm->saving) && !qatomic_xchg(&vsm->scan_wanted, true))
		aio_bh_schedule_oneshot(qemu_get_aio_context(), scan_again, vsm);
}

void vsm_private_init(VsmState *vsm)
{
	vsm->blocks = g_array_new(false, false, sizeof(struct block));
	qemu_mutex_init(&vsm->save_lock);
	vsm->precopy.notify = on_precopy;
	precopy_add_notifier(&vsm->precopy);
}

uint64_t vsm_private_pending(VsmState *vsm)
{
	uint64_t pages = 0;

	QEMU_LOCK_GUARD(&vsm->save_lock);
	for (unsigned i = 0; i < vsm->blocks->len; i++)
		pages += bitmap_count_one(block_at(vsm, i)->pending, block_at(vsm, i)->pages);
	return pages * VSM_PAGE;
}

/* Returns the next pending page and clears its bit, or the number of pages if none is pending. */
static uint64_t take_pending(VsmState *vsm, struct block *block, uint64_t from)
{
	uint64_t page;

	QEMU_LOCK_GUARD(&vsm->save_lock);
	page = find_next_bit(block->pending, block->pages, from);
	if (page < block->pages)
		clear_bit(page, block->pending);
	return page;
}

static void send_page(QEMUFile *f, const struct block *block, uint64_t page)
{
	static const uint8_t zeroes[VSM_PAGE];
	const uint8_t *bytes = block->memory + page * VSM_PAGE;
	const bool empty = !memcmp(bytes, zeroes, VSM_PAGE);

	qemu_put_byte(f, empty ? RECORD_ZERO : RECORD_PAGE);
	qemu_put_be64(f, page);
	if (!empty)
		qemu_put_buffer(f, bytes, VSM_PAGE);
}

/* Sends pending pages, up to QEMU's rate limit unless @all. Returns whether all were sent. */
bool vsm_private_send(VsmState *vsm, QEMUFile *f, bool all)
{
	bool complete = true;

	for (unsigned i = 0; i < vsm->blocks->len && complete; i++) {
		struct block *block = block_at(vsm, i);
		uint64_t page = take_pending(vsm, block, 0);

		if (page >= block->pages)
			continue;
		qemu_put_byte(f, RECORD_BLOCK);
		qemu_put_counted_string(f, block->name);
		while (page < block->pages) {
			send_page(f, block, page);
			complete = all || !migration_rate_exceeded(f);
			page = complete ? take_pending(vsm, block, page + 1) : block->pages;
		}
	}
	qemu_put_byte(f, RECORD_END);
	return complete;
}

static struct block *receive_block(VsmState *vsm, QEMUFile *f)
{
	char name[256];

	if (!qemu_get_counted_string(f, name))
		return NULL;
	for (unsigned i = 0; i < vsm->blocks->len; i++)
		if (!strcmp(block_at(vsm, i)->name, name))
			return block_at(vsm, i);
	return NULL;
}

static bool receive_page(QEMUFile *f, struct block *block, bool has_bytes)
{
	const uint64_t page = qemu_get_be64(f);

	if (page >= block->pages)
		return false;
	if (!block->received) {
		void *place = mmap(NULL, block->pages * VSM_PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (place == MAP_FAILED)
			return false;
		block->received = place;
	}
	set_bit(page, block->known);
	if (!has_bytes) {
		memset(block->received + page * VSM_PAGE, 0, VSM_PAGE);
		return true;
	}
	return qemu_get_buffer(f, block->received + page * VSM_PAGE, VSM_PAGE) == VSM_PAGE;
}

int vsm_private_receive(VsmState *vsm, QEMUFile *f)
{
	struct block *block = NULL;
	bool good = true;

	while (good && !qemu_file_get_error(f)) {
		const int record = qemu_get_byte(f);

		switch (record) {
		case RECORD_END:
			return qemu_file_get_error(f);
		case RECORD_BLOCK:
			block = receive_block(vsm, f);
			good = block;
			break;
		case RECORD_PAGE:
		case RECORD_ZERO:
			good = block && receive_page(f, block, record == RECORD_PAGE);
			break;
		default:
			good = false;
		}
	}
	if (qemu_file_get_error(f))
		return qemu_file_get_error(f);
	error_report("vsm: pages of VTLs above 0 in the stream do not fit this machine");
	return -EINVAL;
}

void vsm_private_apply(VsmState *vsm)
{
	for (unsigned i = 0; i < vsm->blocks->len; i++) {
		const struct block *block = block_at(vsm, i);

		for (unsigned long page = find_first_bit(block->known, block->pages);
		     page < block->pages;
		     page = find_next_bit(block->known, block->pages, page + 1))
			memcpy(block->memory + page * VSM_PAGE, block->received + page * VSM_PAGE,
			       VSM_PAGE);
	}
}
