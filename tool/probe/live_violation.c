/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * userfaultfd under a running vCPU.
 *
 * A processor's own access to a protected page ends KVM_RUN with -EINTR, at the instruction, once
 * the thread is signalled. An access by KVM's instruction emulator ignores signals and raises the
 * event again: then the page is closed with mprotect(2) and the thread woken, and KVM reports the
 * access as MMIO at the page's address without accessing memory.
 */
#include "abi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "guest.h"
#include "probe.h"
#include "uffd.h"

#define PAGE   4096u
#define BEFORE 0x1111111111111111u
#define AFTER  0x2222222222222222u

/* The handler's thread writes the atomic fields, the vCPU's thread reads them. */
struct violation {
	struct probe_guest guest;
	int uffd;
	int closed_protection; /* protection for mprotect(2) */
	pthread_t handler;
	atomic_uint events;
	_Atomic uint64_t flags; /* of the first event */
	atomic_bool closed;	/* the page was closed */
	atomic_int error;
};

static void *page_of(struct violation *violation)
{
	return violation->guest.window + GUEST_DATA;
}

/* The first event stops the vCPU, the second closes the page. */
static int handle(struct violation *violation, const struct uffd_event *event)
{
	void *page = page_of(violation);

	if (event->page != page)
		return -EFAULT;
	if (atomic_fetch_add(&violation->events, 1) == 0) {
		atomic_store(&violation->flags, event->flags);
		guest_kick(&violation->guest, violation->guest.runner);
		return 0;
	}
	if (mprotect(page, PAGE, violation->closed_protection))
		return -errno;
	atomic_store(&violation->closed, true);
	return probe_uffd_wake(violation->uffd, page, PAGE);
}

static void *handle_events(void *opaque)
{
	struct violation *violation = opaque;
	struct uffd_event event;
	int error;

	do {
		error = probe_uffd_wait(violation->uffd, violation->guest.test->timeout_ms, &event);
		if (error == -EAGAIN) {
			error = 0;
			continue;
		}
		if (!error)
			error = handle(violation, &event);
	} while (!error);
	atomic_store(&violation->error, error);
	return NULL;
}

static uint64_t *data(struct violation *violation)
{
	return (uint64_t *)(violation->guest.ram + GUEST_DATA);
}

static bool rewind_guest(struct violation *violation)
{
	struct kvm_regs regs = guest_regs(&violation->guest);

	*data(violation) = BEFORE;
	regs.rip = GUEST_CODE;
	regs.rdi = GUEST_DATA;
	regs.rsi = GUEST_APIC + 0x30;
	regs.rax = AFTER;
	return guest_set_regs(&violation->guest, &regs);
}

/* The page is not protected yet. */
static bool make(struct violation *violation, struct selftest *test,
		 const struct guest_program *program)
{
	*violation = (struct violation){0};
	return guest_make(&violation->guest, test, program) && rewind_guest(violation);
}

/* Lets KVM map the page before it is protected. */
static bool rehearse(struct violation *violation)
{
	return guest_expect_done(&violation->guest, "the access before the page is protected") &&
	       rewind_guest(violation);
}

static bool protect(struct violation *violation, bool no_access)
{
	struct selftest *test = violation->guest.test;
	uint64_t mode = UFFDIO_REGISTER_MODE_WP | (no_access ? UFFDIO_REGISTER_MODE_MINOR : 0);
	int error;

	violation->closed_protection = no_access ? PROT_NONE : PROT_READ;
	violation->uffd = probe_uffd_open_ready(test->env);
	if (violation->uffd < 0)
		return selftest_fail(test, "userfaultfd with the features needed: %s",
				     strerror(-violation->uffd));
	error = probe_uffd_register(violation->uffd, page_of(violation), PAGE, mode);
	if (!error && no_access)
		error = madvise(page_of(violation), PAGE, MADV_DONTNEED) ? -errno : 0;
	else if (!error)
		error = probe_uffd_write_protect(violation->uffd, page_of(violation), PAGE, true);
	if (error)
		return selftest_fail(test, "the page cannot be protected: %s", strerror(-error));
	if (pthread_create(&violation->handler, NULL, handle_events, violation))
		return selftest_fail(test, "no thread for the faults");
	return true;
}

static bool shown_as_mmio(struct violation *violation, bool write)
{
	const struct kvm_run *run = violation->guest.run;

	return atomic_load(&violation->closed) && run->exit_reason == KVM_EXIT_MMIO &&
	       run->mmio.phys_addr == GUEST_DATA && run->mmio.len == 8 &&
	       (run->mmio.is_write != 0) == write && *data(violation) == BEFORE;
}

/* The test's state is incomplete if a time limit has ended the last KVM_RUN or the handler. */
static bool is_late(struct violation *violation)
{
	return guest_is_late(&violation->guest) || atomic_load(&violation->error) == -ETIMEDOUT;
}

/* Whether KVM_RUN ends at the instruction without side effects. */
static bool stops_at_instruction(struct violation *violation, uint64_t flags, bool write)
{
	struct probe_guest *guest = &violation->guest;
	struct selftest *test = guest->test;
	int error = guest_run(guest);
	struct kvm_regs regs = guest_regs(guest);

	guest_immediate_exit(guest, false);
	if (is_late(violation))
		return selftest_late(test, "the access was neither made nor reported in time");
	if (atomic_load(&violation->error))
		return selftest_fail(test, "no proper event of the access (%s)",
				     strerror(-atomic_load(&violation->error)));
	if (!error && shown_as_mmio(violation, write)) {
		selftest_slow(test,
			      "only on the slow way: KVM makes the access itself, which has to "
			      "be broken off and shows as MMIO");
		return false;
	}
	if (error != -EINTR)
		return selftest_fail(test, "KVM_RUN ends with %s, exit %u",
				     error ? strerror(-error) : "an exit", guest->run->exit_reason);
	if (atomic_load(&violation->events) == 0)
		return selftest_fail(test, "the access is not reported");
	if ((atomic_load(&violation->flags) & flags) != flags)
		return selftest_fail(test, "an event with flags %#llx instead of %#llx",
				     (unsigned long long)atomic_load(&violation->flags),
				     (unsigned long long)flags);
	if (regs.rip != GUEST_CODE || *data(violation) != BEFORE || regs.rax != AFTER)
		return selftest_fail(test,
				     "RIP is at code + %" PRId64 ", the memory or RAX changed",
				     (int64_t)(regs.rip - GUEST_CODE));
	return true;
}

void selftest_no_write(struct selftest *test)
{
	static struct violation violation; /* its handler may outlive this call */
	int error;

	if (!make(&violation, test, &guest_store) || !rehearse(&violation) ||
	    !protect(&violation, false) ||
	    !stops_at_instruction(&violation, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP,
				  true))
		return;
	error = probe_uffd_write_protect(violation.uffd, page_of(&violation), PAGE, false);
	if (error) {
		selftest_fail(test, "the page cannot be granted: %s", strerror(-error));
		return;
	}
	if (!guest_expect_done(&violation.guest, "the same write, granted"))
		return;
	if (*data(&violation) == AFTER)
		selftest_pass(test, "RIP at it, nothing written; made when it was granted");
	else
		selftest_fail(test, "the write is lost when it is granted");
}

void selftest_no_access(struct selftest *test)
{
	static struct violation violation; /* its handler may outlive this call */
	int error;

	if (!make(&violation, test, &guest_load) || !rehearse(&violation) ||
	    !protect(&violation, true) ||
	    !stops_at_instruction(&violation, UFFD_PAGEFAULT_FLAG_MINOR, false))
		return;
	error = probe_uffd_continue(violation.uffd, page_of(&violation), PAGE, 0);
	if (error) {
		selftest_fail(test, "the page cannot be granted: %s", strerror(-error));
		return;
	}
	if (!guest_expect_done(&violation.guest, "the same read, granted"))
		return;
	if (guest_regs(&violation.guest).rax == BEFORE)
		selftest_pass(test, "RIP at it, nothing read; made when it was granted");
	else
		selftest_fail(test, "the read is wrong when it is granted");
}

void selftest_never_hang(struct selftest *test)
{
	const uint64_t from_device = AFTER;
	static struct violation violation; /* its handler may outlive this call */
	struct probe_guest *guest = &violation.guest;
	int error;

	/* KVM emulates this store on every processor. */
	if (!make(&violation, test, &guest_copy) || !protect(&violation, false) ||
	    !guest_expect(guest, KVM_EXIT_MMIO, "a copy from a device"))
		return;
	memcpy(guest->run->mmio.data, &from_device, sizeof(from_device));
	error = guest_run(guest);
	guest_immediate_exit(guest, false);
	if (is_late(&violation) && !shown_as_mmio(&violation, true)) {
		selftest_late(test, "after %u events the store has not ended in time",
			      atomic_load(&violation.events));
		return;
	}
	if (atomic_load(&violation.error) || error || !shown_as_mmio(&violation, true)) {
		selftest_fail(test, "after %u events: %s, exit %u, %s",
			      atomic_load(&violation.events), error ? strerror(-error) : "no error",
			      guest->run->exit_reason,
			      *data(&violation) == BEFORE ? "nothing written" : "memory changed");
		return;
	}
	if (mprotect(page_of(&violation), PAGE, PROT_READ | PROT_WRITE)) {
		selftest_fail(test, "mprotect: %s", strerror(errno));
		return;
	}
	/* Resuming drops the write. */
	if (!guest_expect_done(guest, "after the refused write"))
		return;
	if (*data(&violation) == BEFORE)
		selftest_pass(test, "it shows as MMIO at its address, and nothing is written");
	else
		selftest_fail(test, "the refused write is made later");
}
