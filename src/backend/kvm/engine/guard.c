/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard of the VMM's own mappings (docs/glossary.md), with a separate userfaultfd. A stand-in
 * remains until the page has all rights again: without it an access would reach the page, or end
 * the VMM with SIGSEGV.
 */
#include "kvm/engine/guard.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory/map_file.h"
#include "kvm/backend.h"
#include "kvm/engine/uffd.h"

#define MESSAGES       16u
#define LISTED_AT_ONCE 65536u /* pages listed under the lock; a multiple of 64 */
/* Values of guard_range.state in addition to enum page_state */
#define PAGE_UNGUARDED 0x80u /* the page is no longer guarded */
#define PAGE_STAND_IN  0x40u /* flag: the page has a stand-in */

static uint8_t *address_of(const struct guard_range *range, uint64_t page)
{
	return range->memory.host + uffd_bytes(page);
}

/* The range that guards the page at @address; *page: the page's index in it. NULL: not guarded. */
static struct guard_range *find(struct guard *guard, const uint8_t *address, uint64_t *page)
{
	for (struct guard_range *range = guard->range; range; range = range->next) {
		const uint64_t offset = (uint64_t)(address - range->memory.host);

		*page = offset / VKVM_PAGE_SIZE;
		if (offset < uffd_bytes(range->memory.pages) &&
		    range->state[*page] != PAGE_UNGUARDED)
			return range;
	}
	return NULL;
}

/* Number of guarded pages of @range from @page on, at most @limit. */
static uint64_t run_of(const struct guard_range *range, uint64_t page, uint64_t limit)
{
	uint64_t run = 0;

	while (run < limit && page + run < range->memory.pages &&
	       range->state[page + run] != PAGE_UNGUARDED)
		run++;
	return run;
}

/* Maps the file's pages again, with all rights. */
static int put_back(struct guard_range *range, uint64_t page, uint64_t pages)
{
	return map_file_at(address_of(range, page), range->memory.file->fd,
			   uffd_bytes(range->memory.page + page), uffd_bytes(pages));
}

/*
 * Replaces memory by zeroes, without a temporary mapping: the process may be at vm.max_map_count. A
 * child that is forked before MADV_DONTFORK inherits only zeroes.
 */
static bool replace_by_zeroes(uint8_t *start, uint64_t size)
{
	if (mmap(start, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		return false;
	(void)madvise(start, size, MADV_DONTFORK);
	return true;
}

/* Replaces a page by a copy of @memory, which is complete when it is visible. */
static bool replace_by_copy(uint8_t *start, const uint8_t *memory)
{
	uint8_t *copy = mmap(NULL, VKVM_PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		return false;
	memcpy(copy, memory, VKVM_PAGE_SIZE);
	if (!madvise(copy, VKVM_PAGE_SIZE, MADV_DONTFORK) &&
	    mremap(copy, VKVM_PAGE_SIZE, VKVM_PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, start) !=
		    MAP_FAILED)
		return true;
	munmap(copy, VKVM_PAGE_SIZE);
	return false;
}

/* Shared memory counts neither for RLIMIT_DATA nor, until it is written to, for overcommit. */
static bool replace_by_shared_zeroes(uint8_t *start, uint64_t size)
{
	const int fd = memfd_create("guard-zeroes", MFD_CLOEXEC);
	bool replaced;

	if (fd < 0)
		return false;
	replaced = !ftruncate(fd, (off_t)size) &&
		   mmap(start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
			fd, 0) != MAP_FAILED;
	close(fd);
	if (replaced)
		(void)madvise(start, size, MADV_DONTFORK);
	return replaced;
}

/* Replaces the whole range by one mapping, as a process may have only vm.max_map_count of them. */
static void replace_all(struct guard_range *range)
{
	const uint64_t size = uffd_bytes(range->memory.pages);

	range->lost = replace_by_shared_zeroes(range->memory.host, size) ||
		      replace_by_zeroes(range->memory.host, size);
}

/*
 * Atomically replaces a denied page by a stand-in, until VTL0 has all rights on the page. If that
 * fails, replaces the whole range.
 */
static void stand_in(struct guard *guard, struct guard_range *range, uint64_t page)
{
	const uint8_t *memory = range->memory.file->host + uffd_bytes(range->memory.page + page);
	uint8_t *start = address_of(range, page);
	const bool replaced =
		guard->stand_ins < GUARD_STAND_INS &&
		(range->state[page] == PAGE_NO_WRITE ? replace_by_copy(start, memory)
						     : replace_by_zeroes(start, VKVM_PAGE_SIZE));

	if (!replaced) {
		replace_all(range);
		return;
	}
	range->state[page] |= PAGE_STAND_IN;
	guard->stand_ins++;
}

static void allow(const struct guard *guard, const struct guard_range *range, uint64_t page,
		  uint64_t flags)
{
	uint8_t *start = address_of(range, page);

	if (flags & UFFD_PAGEFAULT_FLAG_MINOR)
		(void)uffd_continue(guard->fd, start, VKVM_PAGE_SIZE,
				    range->state[page] == PAGE_NO_WRITE);
	else if (flags & UFFD_PAGEFAULT_FLAG_WP)
		(void)uffd_protect(guard->fd, start, VKVM_PAGE_SIZE, false);
}

struct refusal {
	uint64_t gpa;
	bool write;
	bool lost; /* its range had to be replaced as a whole */
	uint64_t range_gpa;
};

/* Returns whether the access was refused; *refusal then describes it. */
static bool handle(struct guard *guard, const struct uffd_msg *message, struct refusal *refusal)
{
	const uint64_t flags = message->arg.pagefault.flags;
	uint8_t *start = (uint8_t *)(uintptr_t)(message->arg.pagefault.address &
						~(uint64_t)(VKVM_PAGE_SIZE - 1));
	uint64_t page;
	struct guard_range *range = find(guard, start, &page);
	bool refused = false;

	if (message->event == UFFD_EVENT_PAGEFAULT && range && !range->lost) {
		*refusal = (struct refusal){
			.gpa = uffd_bytes(range->memory.gpn + page),
			.write = flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP),
			.range_gpa = uffd_bytes(range->memory.gpn),
		};
		refused = range->state[page] == PAGE_NO_ACCESS ||
			  (range->state[page] == PAGE_NO_WRITE && refusal->write);
		if (refused)
			stand_in(guard, range, page);
		else if (!(range->state[page] & PAGE_STAND_IN))
			allow(guard, range, page, flags);
		refusal->lost = range->lost;
	}
	uffd_wake(guard->fd, start, VKVM_PAGE_SIZE);
	return refused;
}

static void answer_all(struct vkvm_backend *backend)
{
	struct guard *guard = &backend->guard;
	struct uffd_msg message;

	while (read(guard->fd, &message, sizeof(message)) == (ssize_t)sizeof(message)) {
		struct refusal refusal;
		bool refused;

		pthread_mutex_lock(&guard->lock);
		refused = handle(guard, &message, &refusal);
		pthread_mutex_unlock(&guard->lock);
		if (!refused)
			continue;
		/* Without the lock: functions of the VMM may wait for threads that need it. */
		if (refusal.lost)
			vsm_log(backend->log, VSM_LOG_ERROR,
				"no stand-in for one more page that is denied to VTL0: devices "
				"lost access to memory at %#llx",
				(unsigned long long)refusal.range_gpa);
		if (guard->refused)
			guard->refused(guard->opaque, refusal.gpa, refusal.write);
	}
}

static void *guard_thread(void *opaque)
{
	struct vkvm_backend *backend = opaque;
	struct guard *guard = &backend->guard;
	struct pollfd wait[2] = {
		{.fd = guard->fd, .events = POLLIN},
		{.fd = guard->stop, .events = POLLIN},
	};

	for (;;) {
		int ready = poll(wait, 2, -1);

		if (ready > 0 && wait[1].revents)
			return NULL;
		if (ready > 0)
			answer_all(backend);
	}
}

static int start(struct vkvm_backend *backend)
{
	struct guard *guard = &backend->guard;
	sigset_t all;
	sigset_t old;
	int error;

	guard->fd = uffd_open(backend->log);
	if (guard->fd < 0)
		return guard->fd;
	guard->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Signals are for threads of the VMM. A blocked SIGSYS would end the process. */
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = guard->stop < 0 ? errno
				: pthread_create(&guard->thread, NULL, guard_thread, backend);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error) {
		guard->started = true;
		pthread_setname_np(guard->thread, "vsm-guard");
		return 0;
	}
	if (guard->stop >= 0)
		close(guard->stop);
	close(guard->fd);
	guard->fd = -1;
	guard->stop = -1;
	return vsm_error(backend->log, error, "kvm: the thread of the guard cannot be started: %s",
			 strerror(error));
}

void guard_init(struct vkvm_backend *backend, const struct backend_config *config)
{
	backend->guard.fd = -1;
	backend->guard.stop = -1;
	backend->guard.refused = config->refused;
	backend->guard.opaque = config->refused_opaque;
	pthread_mutex_init(&backend->guard.lock, NULL);
}

/* Removes the guard from pages from @page on, and maps the file's pages in place of stand-ins. */
static void unguard(struct guard *guard, struct guard_range *range, uint64_t page, uint64_t pages)
{
	const uint64_t end = page + pages;

	uffd_unregister(guard->fd, address_of(range, page), uffd_bytes(pages));
	uffd_wake(guard->fd, address_of(range, page), uffd_bytes(pages));
	if (range->lost)
		(void)put_back(range, page, pages);
	for (; page < end; page++) {
		if (!range->lost && range->state[page] & PAGE_STAND_IN)
			(void)put_back(range, page, 1);
		guard->stand_ins -= !!(range->state[page] & PAGE_STAND_IN);
		range->state[page] = PAGE_UNGUARDED;
	}
}

static void range_free(struct guard_range *range)
{
	munmap(range->state, range->memory.pages);
	free(range);
}

void guard_destroy(struct vkvm_backend *backend)
{
	struct guard *guard = &backend->guard;
	const uint64_t one = 1;

	if (guard->started) {
		if (write(guard->stop, &one, sizeof(one)) < 0)
			vsm_log(backend->log, VSM_LOG_WARN,
				"kvm: cannot stop the thread of the guard");
		pthread_join(guard->thread, NULL);
	}
	while (guard->range) {
		struct guard_range *range = guard->range;

		guard->range = range->next;
		unguard(guard, range, 0, range->memory.pages);
		range_free(range);
	}
	if (guard->fd >= 0)
		close(guard->fd);
	if (guard->stop >= 0)
		close(guard->stop);
	pthread_mutex_destroy(&guard->lock);
}

int vkvm_guard_add(void *opaque, const struct backend_guard *memory)
{
	struct vkvm_backend *backend = opaque;
	struct guard *guard = &backend->guard;
	struct guard_range *range = calloc(1, sizeof(*range));
	int error = guard->started ? 0 : start(backend);

	if (!range)
		return vsm_error(backend->log, ENOMEM,
				 "kvm: no memory for the guard of the VMM's mapping");
	range->memory = *memory;
	range->state = mmap(NULL, memory->pages, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!error && range->state == MAP_FAILED)
		error = vsm_error(backend->log, ENOMEM,
				  "kvm: no memory for the guard of the VMM's mapping");
	if (!error) {
		error = madvise(memory->host, uffd_bytes(memory->pages), MADV_DONTFORK) ? -errno
											: 0;
		if (!error)
			error = uffd_register(guard->fd, memory->host, uffd_bytes(memory->pages),
					      true);
		if (error)
			error = vsm_error(backend->log, -error,
					  "kvm: the VMM's mapping at %#llx cannot be guarded; it "
					  "must be a shared mapping of the file: %s",
					  (unsigned long long)uffd_bytes(memory->gpn),
					  strerror(-error));
	}
	if (error) {
		if (range->state != MAP_FAILED)
			munmap(range->state, memory->pages);
		free(range);
		return error;
	}
	pthread_mutex_lock(&guard->lock);
	range->next = guard->range;
	guard->range = range;
	pthread_mutex_unlock(&guard->lock);
	return 0;
}

static bool is_empty(const struct guard_range *range)
{
	for (uint64_t page = 0; page < range->memory.pages; page++)
		if (range->state[page] != PAGE_UNGUARDED)
			return false;
	return true;
}

static void release_empty(struct guard *guard)
{
	struct guard_range **link = &guard->range;

	while (*link) {
		struct guard_range *range = *link;

		if (!is_empty(range)) {
			link = &range->next;
			continue;
		}
		*link = range->next;
		range_free(range);
	}
}

void vkvm_guard_remove(void *opaque, void *host, uint64_t pages)
{
	struct vkvm_backend *backend = opaque;
	struct guard *guard = &backend->guard;

	pthread_mutex_lock(&guard->lock);
	for (uint64_t done = 0; done < pages;) {
		uint64_t run = 1;
		uint64_t page;
		struct guard_range *range = find(guard, (uint8_t *)host + uffd_bytes(done), &page);

		if (range) {
			run = run_of(range, page, pages - done);
			unguard(guard, range, page, run);
		}
		done += run;
	}
	release_empty(guard);
	pthread_mutex_unlock(&guard->lock);
}

/* The stand-in remains, with the contents for the new rights, until all rights are granted. */
static int change_stand_in(struct guard *guard, struct guard_range *range, uint64_t page,
			   uint8_t state)
{
	uint8_t *start = address_of(range, page);
	int error = 0;

	if (state == PAGE_NO_ACCESS) {
		memset(start, 0, VKVM_PAGE_SIZE);
	} else if (state == PAGE_NO_WRITE) {
		memcpy(start, range->memory.file->host + uffd_bytes(range->memory.page + page),
		       VKVM_PAGE_SIZE);
	} else {
		error = put_back(range, page, 1);
		if (!error)
			error = uffd_register(guard->fd, start, VKVM_PAGE_SIZE, true);
		range->state[page] &= (uint8_t)~PAGE_STAND_IN;
		guard->stand_ins--;
		/* A later denial writes to the stand-in, which must not be the guest's page. */
		if (error)
			stand_in(guard, range, page);
	}
	if (!error)
		range->state[page] = state == PAGE_FREE ? PAGE_FREE : state | PAGE_STAND_IN;
	return error;
}

/* Changes pages of one state. During the change no page has a right that both states deny. */
static int enforce(struct guard *guard, struct guard_range *range, uint64_t page, uint64_t pages,
		   uint8_t state)
{
	uint8_t *start = address_of(range, page);
	int error = 0;

	if (state != PAGE_FREE &&
	    madvise(range->memory.file->host + uffd_bytes(range->memory.page + page),
		    uffd_bytes(pages), MADV_POPULATE_WRITE))
		return -errno;
	if (state == PAGE_NO_ACCESS) {
		/* Unmapped before the write protection is removed: no write succeeds in between. */
		if (madvise(start, uffd_bytes(pages), MADV_DONTNEED))
			return -errno;
		return uffd_protect(guard->fd, start, uffd_bytes(pages), false);
	}
	error = uffd_protect(guard->fd, start, uffd_bytes(pages), state == PAGE_NO_WRITE);
	if (!error && state == PAGE_NO_WRITE)
		error = uffd_continue(guard->fd, start, uffd_bytes(pages), true);
	if (!error)
		uffd_wake(guard->fd, start, uffd_bytes(pages));
	return error;
}

static int change_all(struct guard *guard, struct guard_range *range, uint64_t page, uint64_t pages,
		      uint8_t state)
{
	const uint64_t end = page + pages;
	int error = 0;

	while (page < end && !error && !range->lost) {
		const uint8_t old = range->state[page];
		uint64_t run = 1;

		if (old & PAGE_STAND_IN) {
			error = change_stand_in(guard, range, page, state);
		} else {
			while (page + run < end && range->state[page + run] == old)
				run++;
			if (old != state)
				error = enforce(guard, range, page, run, state);
			/* A change that failed must not count as done when repeated or undone. */
			if (!error || state < old)
				memset(range->state + page, state, run);
		}
		page += run;
	}
	return error;
}

int vkvm_guard_protect(void *opaque, void *host, uint64_t pages, uint8_t access)
{
	struct vkvm_backend *backend = opaque;
	struct guard *guard = &backend->guard;
	const uint8_t state = !(access & GPA_READ)    ? PAGE_NO_ACCESS
			      : !(access & GPA_WRITE) ? PAGE_NO_WRITE
						      : PAGE_FREE;
	int error = 0;

	pthread_mutex_lock(&guard->lock);
	for (uint64_t done = 0; done < pages && !error;) {
		uint64_t run;
		uint64_t page;
		struct guard_range *range = find(guard, (uint8_t *)host + uffd_bytes(done), &page);

		if (!range) {
			error = -ENOENT;
			break;
		}
		run = run_of(range, page, pages - done);
		error = change_all(guard, range, page, run, state);
		done += run;
	}
	pthread_mutex_unlock(&guard->lock);
	return error ? vsm_error(backend->log, -error, "kvm: rights of the VMM's mapping: %s",
				 strerror(-error))
		     : 0;
}

/* All pages of a lost range are denied. Lock held. */
static void list_denied(const struct guard *guard, uintptr_t first, uint64_t pages,
			uint64_t *bitmap)
{
	for (const struct guard_range *range = guard->range; range; range = range->next) {
		const uintptr_t start = (uintptr_t)range->memory.host / VKVM_PAGE_SIZE;
		uint64_t page = first > start ? first - start : 0;

		for (; page < range->memory.pages && start + page < first + pages; page++) {
			const uint64_t bit = start + page - first;

			if (range->state[page] != PAGE_UNGUARDED &&
			    (range->lost || range->state[page] != PAGE_FREE))
				bitmap[bit / 64] |= UINT64_C(1) << bit % 64;
		}
	}
}

/* Releases the lock between parts of the range, since a VTL that changes rights waits for it. */
void vkvm_guard_denied(void *opaque, const void *host, uint64_t pages, uint64_t *bitmap)
{
	struct vkvm_backend *backend = opaque;
	struct guard *guard = &backend->guard;
	const uintptr_t first = (uintptr_t)host / VKVM_PAGE_SIZE;

	for (uint64_t done = 0; done < pages; done += LISTED_AT_ONCE) {
		const uint64_t left = pages - done;

		pthread_mutex_lock(&guard->lock);
		list_denied(guard, first + done, left < LISTED_AT_ONCE ? left : LISTED_AT_ONCE,
			    bitmap + done / 64);
		pthread_mutex_unlock(&guard->lock);
	}
}
