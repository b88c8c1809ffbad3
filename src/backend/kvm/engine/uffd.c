/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Engine uffd: changes of rights (docs/backend-kvm.md, "Engine uffd"). The kernel may drop page
 * table entries at any time, and then raises events for allowed accesses, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm/engine/uffd.h"

#define MAPPINGS_USUAL 65530u /* Linux' default of vm.max_map_count */

/* Half of the mappings that a process may have; the rest is for overlays and the program. */
static uint32_t pieces_limit(void)
{
	char text[24] = "";
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	unsigned long count = size > 0 ? strtoul(text, NULL, 10) : 0;

	if (fd >= 0)
		close(fd);
	if (!count || count > INT32_MAX)
		count = MAPPINGS_USUAL;
	return (uint32_t)count / 2;
}

static int find(struct vkvm_backend *backend, bool quiet)
{
	const struct vsm_log *log = quiet ? NULL : backend->log;

	backend->engine.fd = uffd_open(log);
	if (backend->engine.fd < 0)
		return backend->engine.fd;
	/*
	 * Before Linux 6.2 a vCPU that waits for a page cannot be interrupted, which no interface
	 * reports. Kernels with UFFDIO_CONTINUE_MODE_WP (6.4) are new enough.
	 */
	if (!uffd_continue_protects(backend->engine.fd))
		return vsm_error(
			log, ENOTSUP,
			"protections would hang VPs on this kernel: use Linux 6.4 or later");
	backend->engine.pieces_limit = pieces_limit();
	backend->features.protect = GPA_READ | GPA_WRITE;
	return 0;
}

static void stop(struct vkvm_backend *backend)
{
	const struct engine *engine = &backend->engine;

	event_stop(backend);
	if (engine->fd >= 0)
		close(engine->fd);
	if (engine->stop >= 0)
		close(engine->stop);
}

static int window_init(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl)
{
	struct vkvm_window *window = &region->window[vtl];
	uint64_t blocks = (region->gpn % VKVM_BLOCK_PAGES + region->pages) / VKVM_BLOCK_PAGES + 1;
	int error = engine_make_state(backend, region, vtl);

	if (error)
		return error;
	window->block = calloc(blocks, sizeof(*window->block));
	if (!window->block)
		return vsm_error(backend->log, ENOMEM, "kvm: no memory for rights of %llu blocks",
				 (unsigned long long)blocks);
	error = uffd_register(backend->engine.fd, window->base, uffd_bytes(region->pages), false);
	return error ? vsm_error(backend->log, -error,
				 "userfaultfd cannot watch this memory: it must be a memfd "
				 "without MFD_HUGETLB: %s",
				 strerror(-error))
		     : 0;
}

static void window_destroy(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl)
{
	uint64_t begin;
	uint64_t next;

	/* Subtracts this window's boundaries between blocks with and without minor faults. */
	for (uint64_t page = 0; region->window[vtl].block && page < region->pages; page = next) {
		engine_block(region, page, &begin, &next);
		if (next < region->pages)
			backend->engine.pieces -= block_of(region, vtl, page)->minor !=
						  block_of(region, vtl, next)->minor;
	}
	free(region->window[vtl].block);
	engine_drop_state(region, vtl);
}

struct rights_change {
	struct vkvm_backend *backend;
	struct vkvm_region *region;
	uint8_t vtl;
	uint8_t state; /* enum page_state: FREE, NO_WRITE, NO_ACCESS */
};

/* One ioctl for the pages, or one for each block if the kernel refuses mixed registrations. */
static int protect_pages(const struct rights_change *change, uint64_t first, uint64_t pages,
			 bool on)
{
	int fd = change->backend->engine.fd;
	int error = uffd_protect(fd, engine_address(change->region, change->vtl, first),
				 uffd_bytes(pages), on);
	uint64_t begin;
	uint64_t next;

	if (error != -ENOENT)
		return error;
	for (uint64_t page = first; page < first + pages; page = next) {
		engine_block(change->region, page, &begin, &next);
		if (next > first + pages)
			next = first + pages;
		error = uffd_protect(fd, engine_address(change->region, change->vtl, page),
				     uffd_bytes(next - page), on);
		if (error)
			return error;
	}
	return 0;
}

static int zap_pages(const struct rights_change *change, uint64_t first, uint64_t pages)
{
	return madvise(engine_address(change->region, change->vtl, first), uffd_bytes(pages),
		       MADV_DONTNEED)
		       ? -errno
		       : 0;
}

static int continue_pages(const struct rights_change *change, uint64_t first, uint64_t pages,
			  bool protect)
{
	return uffd_continue(change->backend->engine.fd,
			     engine_address(change->region, change->vtl, first), uffd_bytes(pages),
			     protect);
}

/* Skips blocks without restrictions and overlays: block_release() is cheaper for them. */
static int grant_pages(const struct rights_change *change, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t begin;
	uint64_t next;
	int error = 0;

	for (uint64_t page = first; page < end && !error; page = next) {
		const struct uffd_block *block = block_of(change->region, change->vtl, page);

		engine_block(change->region, page, &begin, &next);
		if (next > end)
			next = end;
		if (block->restricted || block->overlaid)
			error = continue_pages(change, page, next - page, false);
	}
	return error;
}

/* During the change no page has a right that both states deny. */
static int enforce(const struct rights_change *change, uint64_t first, uint64_t pages, uint8_t old)
{
	int error = 0;

	if (old == PAGE_FREE && change->state == PAGE_NO_WRITE) {
		error = protect_pages(change, first, pages, true);
	} else if (old == PAGE_NO_WRITE && change->state == PAGE_FREE) {
		error = protect_pages(change, first, pages, false);
	} else if (change->state == PAGE_NO_ACCESS) {
		error = zap_pages(change, first, pages);
		/* Removes the write-protection marker from the page table. */
		if (!error && old == PAGE_NO_WRITE)
			error = protect_pages(change, first, pages, false);
	} else if (change->state == PAGE_NO_WRITE) {
		error = protect_pages(change, first, pages, true);
		if (!error)
			error = continue_pages(change, first, pages, true);
	} else {
		error = grant_pages(change, first, pages);
	}
	return error;
}

/* Records the new state of pages whose state was @old. */
static void account(const struct rights_change *change, uint64_t first, uint64_t pages, uint8_t old)
{
	struct vkvm_window *window = &change->region->window[change->vtl];
	int restricted = (change->state != PAGE_FREE) - (old != PAGE_FREE);
	int no_access = (change->state == PAGE_NO_ACCESS) - (old == PAGE_NO_ACCESS);
	uint8_t flags = window->state[first] & (uint8_t)~PAGE_STATE_MASK;
	uint64_t begin;
	uint64_t next;

	memset(window->state + first, flags | change->state, pages);
	for (uint64_t page = first; page < first + pages; page = next) {
		struct uffd_block *block = block_of(change->region, change->vtl, page);
		int count;

		engine_block(change->region, page, &begin, &next);
		if (next > first + pages)
			next = first + pages;
		count = (int)(next - page);
		block->restricted = (uint16_t)(block->restricted + restricted * count);
		block->no_access = (uint16_t)(block->no_access + no_access * count);
	}
}

/* Changes pages of one state, of which all or none are overlaid. */
static int change_run(const struct rights_change *change, uint64_t first, uint64_t pages)
{
	const struct vkvm_window *window = &change->region->window[change->vtl];
	uint8_t whole = window->state[first];
	uint8_t old = whole & PAGE_STATE_MASK;
	bool grants = change->state < old;
	int error = 0;

	if (old == change->state)
		return 0;
	/*
	 * Recorded before a grant: grant_pages() skips blocks without restrictions, and after a
	 * failure the undo must not find the old state. Other pages raise events that are allowed.
	 */
	if (grants)
		account(change, first, pages, old);
	if (!(whole & PAGE_OVERLAID))
		error = enforce(change, first, pages, old);
	if (!grants && !error)
		account(change, first, pages, old);
	return error;
}

/* Allocates the pages in the file, as an access to a hole raises no event. */
static int populate(const struct rights_change *change, uint64_t first, uint64_t pages)
{
	int result;

	do {
		result = madvise(change->region->host + uffd_bytes(first), uffd_bytes(pages),
				 MADV_POPULATE_WRITE);
	} while (result && (errno == EINTR || errno == EAGAIN));
	return result ? -errno : 0;
}

static int change_range(const struct rights_change *change, uint64_t first, uint64_t pages)
{
	struct vkvm_backend *backend = change->backend;
	const uint8_t *state = change->region->window[change->vtl].state;
	uint64_t end = first + pages;
	uint64_t run;
	int error = 0;

	if (change->state == PAGE_NO_ACCESS) {
		error = populate(change, first, pages);
		if (!error)
			error = block_make_minor(backend, change->region, change->vtl, first,
						 pages);
	}
	for (uint64_t page = first; page < end && !error; page += run) {
		for (run = 1; page + run < end && state[page + run] == state[page]; run++)
			;
		error = change_run(change, page, run);
	}
	if (error)
		return vsm_error(backend->log, -error,
				 "kvm: VTL%u: rights of %llu pages at %#llx: %s", change->vtl,
				 (unsigned long long)pages,
				 (unsigned long long)uffd_bytes(change->region->gpn + first),
				 strerror(-error));
	if (change->state == PAGE_FREE)
		error = block_release(backend, change->region, change->vtl, first, pages);
	return error;
}

/* The state for a set of rights: all, all except writing, or none. Other sets: -ENOTSUP, logged. */
static int state_of(const struct vkvm_backend *backend, uint8_t access, uint8_t *state)
{
	uint8_t deny = backend->features.protect;

	*state = access == GPA_ALL		    ? PAGE_FREE
		 : access == (GPA_ALL & ~GPA_WRITE) ? PAGE_NO_WRITE
						    : PAGE_NO_ACCESS;
	if (*state == PAGE_FREE || (*state == PAGE_NO_WRITE && deny & GPA_WRITE) ||
	    (!access && deny & GPA_READ))
		return 0;
	return vsm_error(backend->log, ENOTSUP, "kvm: rights %#x cannot be enforced here", access);
}

static int protect(struct vkvm_backend *backend, uint8_t vtl, const struct gpa_range *ranges,
		   size_t count, uint8_t access)
{
	struct rights_change change = {.backend = backend, .vtl = vtl};
	int error = state_of(backend, access, &change.state);

	for (size_t i = 0; i < count && !error; i++) {
		change.region = vkvm_memory_find(backend, ranges[i].gpn);
		error = change_range(&change, ranges[i].gpn - change.region->gpn, ranges[i].pages);
	}
	return error;
}

/* Registers a page that is mapped without rights, then opens it. */
static int open_registered(struct vkvm_backend *backend, uint8_t *start, bool minor, bool protect)
{
	int error;

	if (madvise(start, VKVM_PAGE_SIZE, MADV_DONTFORK))
		return -errno;
	error = uffd_register(backend->engine.fd, start, VKVM_PAGE_SIZE, minor);
	if (!error && protect)
		error = uffd_protect(backend->engine.fd, start, VKVM_PAGE_SIZE, true);
	if (!error && mprotect(start, VKVM_PAGE_SIZE, PROT_READ | PROT_WRITE))
		error = -errno;
	return error;
}

/*
 * Maps a page without rights until it is write-protected; a VP that accesses it meanwhile exits and
 * repeats the access. Then wakes threads that wait for an event of the page. After a failure no
 * guest memory is mapped there, since event_reopen_pages() opens pages without a check.
 */
static int map_closed(struct vkvm_backend *backend, uint8_t *start, int fd, uint64_t offset,
		      bool minor, bool protect)
{
	int error;

	backend->engine.closings++;
	if (mmap(start, VKVM_PAGE_SIZE, PROT_NONE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd,
		 (off_t)offset) == MAP_FAILED)
		return -errno;
	error = open_registered(backend, start, minor, protect);
	if (error &&
	    mmap(start, VKVM_PAGE_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		error = -ENOTRECOVERABLE;
	uffd_wake(backend->engine.fd, start, VKVM_PAGE_SIZE);
	return error;
}

/* For an overlay the engine can deny only writes. */
static int overlay_rights(const struct vkvm_backend *backend, uint8_t access, bool *readonly)
{
	*readonly = !(access & GPA_WRITE);
	if ((access | GPA_WRITE) == GPA_ALL)
		return 0;
	return vsm_error(backend->log, ENOTSUP,
			 "kvm: rights %#x of an overlay cannot be enforced here", access);
}

static int overlay_map(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		       uint64_t page, uint32_t overlay, uint8_t access)
{
	uint8_t *state = &region->window[vtl].state[page];
	bool readonly;
	int error = overlay_rights(backend, access, &readonly);

	if (error)
		return error;
	error = map_closed(backend, engine_address(region, vtl, page), backend->overlay.fd,
			   uffd_bytes(overlay), false, readonly);
	if (error)
		return vsm_error(backend->log, -error, "kvm: VTL%u: overlay page %u: %s", vtl,
				 overlay, strerror(-error));
	if (!(*state & PAGE_OVERLAID))
		block_of(region, vtl, page)->overlaid++;
	*state = (uint8_t)((*state & PAGE_STATE_MASK) | PAGE_OVERLAID |
			   (readonly ? PAGE_OVERLAY_READONLY : 0));
	return 0;
}

static int overlay_unmap(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			 uint64_t page)
{
	uint8_t *state = &region->window[vtl].state[page];
	struct uffd_block *block = block_of(region, vtl, page);
	uint8_t *start = engine_address(region, vtl, page);
	int error = map_closed(backend, start, region->fd, region->offset + uffd_bytes(page),
			       block->minor, (*state & PAGE_STATE_MASK) == PAGE_NO_WRITE);

	if (error)
		return vsm_error(backend->log, -error, "kvm: VTL%u: memory under an overlay: %s",
				 vtl, strerror(-error));
	/* The new mapping lacks this flag, and merges only with mappings of equal flags. */
	madvise(start, VKVM_PAGE_SIZE, MADV_HUGEPAGE);
	block->overlaid -= !!(*state & PAGE_OVERLAID);
	*state &= PAGE_STATE_MASK;
	return block_release(backend, region, vtl, page, 1);
}

static int overlay_window(struct vkvm_backend *backend, uint8_t vtl)
{
	const struct overlay_memory *overlay = &backend->overlay;
	int error = uffd_register(backend->engine.fd, overlay->window[vtl],
				  uffd_bytes(overlay->pages), false);

	return error ? vsm_error(backend->log, -error, "kvm: registering overlay memory: %s",
				 strerror(-error))
		     : 0;
}

static int overlay_slot(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint32_t overlay,
			uint8_t access)
{
	uint8_t *host = backend->overlay.window[vtl] + uffd_bytes(overlay);
	bool readonly;
	int error = overlay_rights(backend, access, &readonly);

	(void)gpn;
	if (error)
		return error;
	error = uffd_protect(backend->engine.fd, host, VKVM_PAGE_SIZE, readonly);
	return error ? vsm_error(backend->log, -error, "kvm: VTL%u: overlay page %u: %s", vtl,
				 overlay, strerror(-error))
		     : 0;
}

static uint8_t denied(const struct vkvm_region *region, uint8_t vtl, uint64_t page)
{
	uint8_t state = region->window[vtl].state[page];

	if (state & PAGE_OVERLAID || state == PAGE_NO_ACCESS)
		return GPA_ALL;
	return state == PAGE_NO_WRITE ? GPA_WRITE : 0;
}

const struct engine_ops engine_uffd = {
	.name = "uffd",
	.find = find,
	.start = event_start,
	.stop = stop,
	.window_init = window_init,
	.window_destroy = window_destroy,
	.before_region_removal = event_reopen_pages,
	.protect = protect,
	.overlay_map = overlay_map,
	.overlay_unmap = overlay_unmap,
	.overlay_window = overlay_window,
	.overlay_slot = overlay_slot,
	.denied = denied,
	.take_violation = event_take_violation,
	.has_closed_pages = event_has_closed_pages,
};
