/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event thread: resolves allowed accesses, and stops the VP of a denied one.
 * docs/backend-kvm.md, "Engine uffd", says why a second event for a page closes the page.
 */
#include <errno.h>
#include <string.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kvm/engine/uffd.h"

#define MESSAGES   16u
#define DELAY_MS   50u /* until postponed work is done */
#define CLOSED_MAX (sizeof(((struct engine *)0)->closed_page) / sizeof(uint8_t *))

/* The page of an event: of a window, or of the overlay memory behind memory slots */
struct fault_place {
	struct vkvm_region *region; /* NULL: overlay memory */
	uint8_t vtl;
	uint64_t page;
	uint8_t *address;
	uint64_t gpa;
	uint8_t state; /* enum page_state */
};

static bool find_overlay(struct vkvm_backend *backend, uint8_t *address, struct fault_place *place)
{
	const struct overlay_memory *overlay = &backend->overlay;

	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++) {
		uint64_t offset = (uintptr_t)address - (uintptr_t)overlay->window[vtl];

		if (!overlay->window[vtl] || offset >= (uint64_t)overlay->pages * VKVM_PAGE_SIZE)
			continue;
		place->region = NULL;
		place->vtl = vtl;
		place->page = offset / VKVM_PAGE_SIZE;
		place->gpa = overlay->place[vtl][place->page].gpn * VKVM_PAGE_SIZE;
		place->state = PAGE_OVERLAID | (overlay->place[vtl][place->page].access & GPA_WRITE
							? 0
							: PAGE_OVERLAY_READONLY);
		return true;
	}
	return false;
}

static bool find_place(struct vkvm_backend *backend, uint8_t *address, struct fault_place *place)
{
	place->address = address;
	for (uint32_t i = 0; i < backend->region_count; i++) {
		struct vkvm_region *region = backend->region[i];

		for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++) {
			uint64_t offset = (uintptr_t)address - (uintptr_t)region->window[vtl].base;

			if (offset >= region->pages * VKVM_PAGE_SIZE)
				continue;
			place->region = region;
			place->vtl = vtl;
			place->page = offset / VKVM_PAGE_SIZE;
			place->gpa = (region->gpn + place->page) * VKVM_PAGE_SIZE;
			place->state = region->window[vtl].state[place->page];
			return true;
		}
	}
	return find_overlay(backend, address, place);
}

static bool is_denied(const struct fault_place *place, bool write)
{
	if (place->state & PAGE_OVERLAID)
		return write && place->state & PAGE_OVERLAY_READONLY;
	return place->state == PAGE_NO_ACCESS || (place->state == PAGE_NO_WRITE && write);
}

/* Counts the pages of the same state up to the end of the block, to be mapped together. */
static uint64_t run_length(const struct fault_place *place)
{
	const uint8_t *state;
	uint64_t first;
	uint64_t end;
	uint64_t run = 1;

	if (!place->region || place->state & PAGE_OVERLAID)
		return 1;
	state = place->region->window[place->vtl].state;
	engine_block(place->region, place->page, &first, &end);
	while (place->page + run < end && state[place->page + run] == place->state)
		run++;
	return run;
}

static void allow(struct vkvm_backend *backend, const struct fault_place *place, uint64_t flags)
{
	int fd = backend->engine.fd;
	bool protect = place->state & (PAGE_NO_WRITE | PAGE_OVERLAY_READONLY);
	int error = 0;

	if (flags & UFFD_PAGEFAULT_FLAG_MINOR) {
		uint64_t size = run_length(place) * VKVM_PAGE_SIZE;

		error = uffd_continue_some(fd, place->address, size, protect);
		if (error == -EFAULT && place->region &&
		    !madvise(place->region->host + place->page * VKVM_PAGE_SIZE, VKVM_PAGE_SIZE,
			     MADV_POPULATE_WRITE))
			error = uffd_continue_some(fd, place->address, VKVM_PAGE_SIZE, protect);
	} else if (flags & UFFD_PAGEFAULT_FLAG_WP) {
		error = uffd_protect(fd, place->address, VKVM_PAGE_SIZE, false);
	}
	/* On any error the access runs again and raises another event. */
	if (error || !(flags & (UFFD_PAGEFAULT_FLAG_MINOR | UFFD_PAGEFAULT_FLAG_WP)))
		uffd_wake(fd, place->address, VKVM_PAGE_SIZE);
}

static struct vkvm_vp *find_vp(struct vkvm_backend *backend, pid_t thread)
{
	for (uint32_t i = 0; i < backend->vp_count; i++) {
		struct vkvm_vp *vp = atomic_load(&backend->vp[i]);

		if (vp && atomic_load(&vp->entered) == thread)
			return vp;
	}
	return NULL;
}

static void open_page(uint8_t *page)
{
	mprotect(page, VKVM_PAGE_SIZE, PROT_READ | PROT_WRITE);
}

static void close_page(struct vkvm_backend *backend, const struct fault_place *place)
{
	bool readable = place->state & PAGE_OVERLAID || place->state != PAGE_NO_ACCESS;

	backend->engine.closings++;
	mprotect(place->address, VKVM_PAGE_SIZE, readable ? PROT_READ : PROT_NONE);
	uffd_wake(backend->engine.fd, place->address, VKVM_PAGE_SIZE);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void postpone(struct engine *engine)
{
	if (!engine->due)
		engine->due = now_ms() + DELAY_MS;
}

void event_reopen_pages(struct vkvm_backend *backend)
{
	struct engine *engine = &backend->engine;

	while (engine->closed)
		open_page(engine->closed_page[--engine->closed]);
}

/* The thread runs no VP: closes the page, so that its access fails and does not wait forever. */
static void refuse_other_thread(struct vkvm_backend *backend, const struct fault_place *place)
{
	struct engine *engine = &backend->engine;

	if (engine->closed == CLOSED_MAX)
		event_reopen_pages(backend);
	close_page(backend, place);
	engine->closed_page[engine->closed++] = place->address;
	postpone(engine);
}

static void refuse(struct vkvm_backend *backend, const struct fault_place *place, bool write,
		   pid_t thread)
{
	struct vkvm_vp *vp = find_vp(backend, thread);
	struct violation *violation;
	uint64_t entry;
	bool again;

	if (!vp) {
		refuse_other_thread(backend, place);
		return;
	}
	violation = &vp->violation;
	entry = atomic_load(&vp->entry);
	again = atomic_load(&vp->violated) == entry;
	if (again && violation->page == place->address) {
		close_page(backend, place);
		violation->stuck = true;
		return;
	}
	if (again && violation->stuck)
		open_page(violation->page);
	*violation = (struct violation){
		.gpa = place->gpa,
		.page = place->address,
		.write = write,
	};
	atomic_store(&vp->violated, entry);
	syscall(SYS_tgkill, getpid(), thread, enter_signal());
}

static void handle(struct vkvm_backend *backend, const struct uffd_msg *message)
{
	uint64_t flags = message->arg.pagefault.flags;
	uint64_t address = message->arg.pagefault.address & ~(uint64_t)(VKVM_PAGE_SIZE - 1);
	bool write = flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
	struct fault_place place;

	if (message->event != UFFD_EVENT_PAGEFAULT)
		return;
	if (!find_place(backend, (uint8_t *)(uintptr_t)address, &place))
		uffd_wake(backend->engine.fd, (uint8_t *)(uintptr_t)address, VKVM_PAGE_SIZE);
	else if (is_denied(&place, write))
		refuse(backend, &place, write, (pid_t)message->arg.pagefault.feat.ptid);
	else
		allow(backend, &place, flags);
}

/*
 * event_take_violation() relies on events being read and answered under one lock. Guests can raise
 * events without end: one batch at a time, so that other threads get the lock.
 */
static void answer_some(struct vkvm_backend *backend)
{
	struct uffd_msg message[MESSAGES];
	ssize_t size;

	pthread_mutex_lock(&backend->engine.lock);
	size = read(backend->engine.fd, message, sizeof(message));
	for (ssize_t i = 0; i < size / (ssize_t)sizeof(message[0]); i++)
		handle(backend, &message[i]);
	pthread_mutex_unlock(&backend->engine.lock);
}

/* Does the work that is due, also while events arrive. Returns the time until more is due, or -1. */
static int do_postponed(struct vkvm_backend *backend)
{
	struct engine *engine = &backend->engine;
	uint64_t now;
	int left = -1;

	pthread_mutex_lock(&engine->lock);
	now = engine->due ? now_ms() : 0;
	if (engine->due && now >= engine->due) {
		engine->due = 0;
		event_reopen_pages(backend);
		if (engine->split_waiting && block_remap(backend))
			postpone(engine);
	}
	if (engine->due)
		left = engine->due > now ? (int)(engine->due - now) : 0;
	pthread_mutex_unlock(&engine->lock);
	return left;
}

/* False: the event thread must end. */
static bool read_wake(struct vkvm_backend *backend)
{
	uint64_t value = 0;
	bool ending;

	pthread_mutex_lock(&backend->engine.lock);
	if (read(backend->engine.stop, &value, sizeof(value)) < 0)
		value = 0;
	ending = backend->engine.ending;
	pthread_mutex_unlock(&backend->engine.lock);
	return !ending;
}

static void *event_thread(void *opaque)
{
	struct vkvm_backend *backend = opaque;
	const struct engine *engine = &backend->engine;
	struct pollfd wait[2] = {
		{.fd = engine->fd, .events = POLLIN},
		{.fd = engine->stop, .events = POLLIN},
	};
	int timeout = -1;

	for (;;) {
		int ready = poll(wait, 2, timeout);

		if (ready > 0 && wait[1].revents && !read_wake(backend))
			return NULL;
		if (ready > 0 && wait[0].revents)
			answer_some(backend);
		timeout = do_postponed(backend);
	}
}

int event_start(struct vkvm_backend *backend)
{
	struct engine *engine = &backend->engine;
	sigset_t all;
	sigset_t old;
	int error;

	engine->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (engine->stop < 0)
		return vsm_error(backend->log, errno, "kvm: eventfd: %s", strerror(errno));
	/* Signals are for threads of the VMM. A blocked SIGSYS would end the process. */
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&engine->thread, NULL, event_thread, backend);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return vsm_error(backend->log, error, "kvm: the event thread cannot be created: %s",
				 strerror(error));
	pthread_setname_np(engine->thread, "vsm-memory");
	engine->started = true;
	return 0;
}

static void wake_thread(struct vkvm_backend *backend)
{
	uint64_t one = 1;

	/* The write fails only if the eventfd is already readable. */
	if (write(backend->engine.stop, &one, sizeof(one)) < 0)
		return;
}

void event_postpone(struct vkvm_backend *backend)
{
	postpone(&backend->engine);
	wake_thread(backend);
}

void event_stop(struct vkvm_backend *backend)
{
	struct engine *engine = &backend->engine;

	if (!engine->started)
		return;
	pthread_mutex_lock(&engine->lock);
	engine->ending = true;
	wake_thread(backend);
	pthread_mutex_unlock(&engine->lock);
	pthread_join(engine->thread, NULL);
	engine->started = false;
}

bool event_take_violation(struct vkvm_vp *vp, struct violation *violation)
{
	struct vkvm_backend *backend = vp->backend;
	bool found;

	/* With the lock held, the event thread has handled all events of this entry. */
	pthread_mutex_lock(&backend->engine.lock);
	found = atomic_load(&vp->violated) == atomic_load(&vp->entry);
	if (found) {
		*violation = vp->violation;
		if (violation->stuck)
			open_page(violation->page);
		atomic_store(&vp->violated, 0);
	}
	atomic_store(&vp->entered, 0);
	pthread_mutex_unlock(&backend->engine.lock);
	return found;
}

/* Whether a page is closed for the VP's violation, until event_take_violation(). */
static bool is_stuck(const struct vkvm_vp *vp)
{
	return vp && atomic_load(&vp->violated) == atomic_load(&vp->entry) && vp->violation.stuck;
}

bool event_has_closed_pages(struct vkvm_vp *vp)
{
	struct vkvm_backend *backend = vp->backend;
	struct engine *engine = &backend->engine;
	bool closes;

	pthread_mutex_lock(&engine->lock);
	closes = engine->closed || vp->closings != engine->closings;
	for (uint32_t i = 0; i < backend->vp_count && !closes; i++)
		closes = is_stuck(atomic_load(&backend->vp[i]));
	vp->closings = engine->closings;
	pthread_mutex_unlock(&engine->lock);
	return closes;
}
