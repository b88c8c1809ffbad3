/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * userfaultfd on a mapping of shared memory. A second thread makes the access; this thread reads
 * its event, checks that the access is delayed, and permits it.
 */
#include "abi.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "probe.h"
#include "uffd.h"

#define PAGE 4096u

struct page {
	struct selftest *test;
	int uffd;
	volatile uint64_t *admin;
	volatile uint64_t *window;
	pthread_t thread;
	uint64_t seen;
};

static void *store(void *opaque)
{
	struct page *page = opaque;

	*page->window = 2;
	return NULL;
}

static void *load(void *opaque)
{
	struct page *page = opaque;

	page->seen = *page->window;
	return NULL;
}

/* Makes a page with the value 1; `window` is registered, `admin` is not. */
static bool make(struct page *page, struct selftest *test, uint64_t mode)
{
	int fd = memfd_create("vsm-probe", MFD_CLOEXEC);
	void *admin, *window;
	int error;

	*page = (struct page){.test = test};
	if (fd < 0 || ftruncate(fd, PAGE))
		return selftest_fail(test, "memfd: %s", strerror(errno));
	admin = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	window = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (admin == MAP_FAILED || window == MAP_FAILED)
		return selftest_fail(test, "mmap: %s", strerror(errno));
	page->admin = admin;
	page->window = window;
	*page->admin = 1;
	page->uffd = probe_uffd_open_ready(test->env);
	if (page->uffd < 0)
		return selftest_fail(test, "userfaultfd with the features needed: %s",
				     strerror(-page->uffd));
	error = probe_uffd_register(page->uffd, window, PAGE, mode);
	if (error)
		return selftest_fail(test, "UFFDIO_REGISTER: %s", strerror(-error));
	return true;
}

static bool protect(struct page *page, bool on)
{
	int error = probe_uffd_write_protect(page->uffd, (void *)page->window, PAGE, on);

	return !error || selftest_fail(page->test, "UFFDIO_WRITEPROTECT: %s", strerror(-error));
}

static bool withdraw(struct page *page)
{
	return madvise((void *)page->window, PAGE, MADV_DONTNEED) == 0 ||
	       selftest_fail(page->test, "MADV_DONTNEED: %s", strerror(errno));
}

/* The event of the access must have @flags. */
static bool access_is_seen(struct page *page, void *(*what)(void *), uint64_t flags)
{
	struct uffd_event event;
	int error;

	if (pthread_create(&page->thread, NULL, what, page))
		return selftest_fail(page->test, "no thread");
	error = probe_uffd_wait(page->uffd, page->test->timeout_ms, &event);
	if (error == -ETIMEDOUT && pthread_tryjoin_np(page->thread, NULL))
		return selftest_late(page->test,
				     "the access was neither made nor reported in time");
	if (error)
		return selftest_fail(page->test, "the access is not reported (%s)",
				     strerror(-error));
	if (event.page != (void *)page->window || (event.flags & flags) != flags)
		return selftest_fail(page->test, "an event with flags %#llx instead of %#llx",
				     (unsigned long long)event.flags, (unsigned long long)flags);
	if (event.tid == 0 || event.tid == gettid())
		return selftest_fail(page->test, "an event of thread %d", event.tid);
	return true;
}

static bool access_ends(struct page *page)
{
	unsigned int ms = page->test->timeout_ms;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000 + 1;
	if (pthread_timedjoin_np(page->thread, NULL, &until))
		return selftest_late(page->test, "the access does not go on after it is granted");
	return true;
}

/* The store of access_is_seen() must take effect when it is granted, not before. */
static void pass_after_grant(struct page *page, const char *what)
{
	if (*page->admin != 1)
		selftest_fail(page->test, "the write is reported, but took effect");
	else if (protect(page, false) && access_ends(page)) {
		if (*page->admin == 2)
			selftest_pass(page->test, "%s", what);
		else
			selftest_fail(page->test, "the write is lost when it is granted");
	}
}

void selftest_user_write_protect(struct selftest *test)
{
	static struct page page; /* its thread may outlive this call */

	if (!make(&page, test, UFFDIO_REGISTER_MODE_WP) || !protect(&page, true) ||
	    !access_is_seen(&page, store, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP))
		return;
	pass_after_grant(&page, "reported, delayed, and made when granted");
}

void selftest_user_minor(struct selftest *test)
{
	static struct page page; /* its thread may outlive this call */
	int error;

	if (!make(&page, test, UFFDIO_REGISTER_MODE_MINOR) || !withdraw(&page) ||
	    !access_is_seen(&page, load, UFFD_PAGEFAULT_FLAG_MINOR))
		return;
	*page.admin = 7; /* the access must read the value at the time of the grant */
	error = probe_uffd_continue(page.uffd, (void *)page.window, PAGE, 0);
	if (error)
		selftest_fail(test, "UFFDIO_CONTINUE: %s", strerror(-error));
	else if (access_ends(&page)) {
		if (page.seen == 7)
			selftest_pass(test, "reported, delayed, and made when granted");
		else
			selftest_fail(test, "the access reads a wrong value when it is granted");
	}
}

void selftest_user_continue_protected(struct selftest *test)
{
	const uint64_t mode = UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP;
	static struct page page; /* its thread may outlive this call */
	int error;

	if (!make(&page, test, mode) || !protect(&page, true) || !withdraw(&page))
		return;
	error = probe_uffd_continue(page.uffd, (void *)page.window, PAGE, UFFDIO_CONTINUE_MODE_WP);
	if (error) {
		selftest_fail(test, "UFFDIO_CONTINUE with UFFDIO_CONTINUE_MODE_WP: %s",
			      strerror(-error));
		return;
	}
	if (pthread_create(&page.thread, NULL, load, &page)) {
		selftest_fail(test, "no thread");
		return;
	}
	if (!access_ends(&page))
		return;
	if (page.seen != 1)
		selftest_fail(test, "a read of the mapped page has a wrong value");
	else if (access_is_seen(&page, store, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP))
		pass_after_grant(&page, "mapped and read without a fault; a write is reported, "
					"delayed, and made when granted");
}
