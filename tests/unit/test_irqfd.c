/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another thread reads an eventfd between the event and the library's read. The function that is
 * linked in place of epoll_wait() does it at this point.
 */
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <vsm/eventfd.h>

#include "vp_fixture.h"

/* Seconds: ends a test that hangs. */
#define LIMIT 60u
/* In which the thread of the library reads the eventfd. */
#define READ_NS 50000000

static _Atomic int drained = -1; /* descriptor, or -1 */
static sem_t was_drained;

int __real_epoll_wait(int epoll, struct epoll_event *event, int most, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *event, int most, int timeout);

int __wrap_epoll_wait(int epoll, struct epoll_event *event, int most, int timeout)
{
	const int count = __real_epoll_wait(epoll, event, most, timeout);
	uint64_t value;

	for (int i = 0; i < count; i++) {
		if (event[i].data.fd < 0 || event[i].data.fd != drained)
			continue;
		if (read(drained, &value, sizeof(value)) != sizeof(value))
			continue;
		drained = -1;
		sem_post(&was_drained);
	}
	return count;
}

static void signal_and_drain(int fd)
{
	const uint64_t one = 1;

	drained = fd;
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(sem_wait(&was_drained), 0);
	nanosleep(&(struct timespec){.tv_nsec = READ_NS}, NULL);
}

static void a_blocking_eventfd_that_the_vmm_reads_can_be_removed(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_lapic_state lapic;
	const int fd = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(vsm_irqfd(vp->partition, fd, 0xfee00000, 0x61), 0);
	signal_and_drain(fd);
	assert_int_equal(vsm_irqfd_remove(vp->partition, fd), 0);
	/* The signal was the VMM's. */
	assert_int_equal(vsm_vp_lapic(vp, 0, &lapic), 0);
	assert_int_equal(lapic.irr[0x61 / 32], 0);
	close(fd);
}

/* The partition is destroyed by tear_down_vp(). */
static void a_partition_ends_after_the_vmm_has_read_a_blocking_eventfd(void **state)
{
	struct vsm_vp *vp = *state;
	const int fd = eventfd(0, EFD_CLOEXEC);

	assert_int_equal(vsm_irqfd(vp->partition, fd, 0xfee00000, 0x61), 0);
	signal_and_drain(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_blocking_eventfd_that_the_vmm_reads_can_be_removed, 1, 0),
		TEST(a_partition_ends_after_the_vmm_has_read_a_blocking_eventfd, 1, 0),
	};

	sem_init(&was_drained, 0, 0);
	alarm(LIMIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
