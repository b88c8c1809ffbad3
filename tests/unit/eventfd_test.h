/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EVENTFD_TEST_H
#define EVENTFD_TEST_H

#include "core_test.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <vsm/eventfd.h>

static inline int ioeventfd_set(struct vsm_partition *partition, int fd, uint64_t address,
				uint32_t length, uint32_t flags, uint64_t data)
{
	const struct vsm_ioeventfd wanted = {.size = sizeof(wanted),
					     .address = address,
					     .length = length,
					     .flags = flags,
					     .data = data,
					     .fd = fd};

	return vsm_ioeventfd(partition, &wanted);
}

/* Signals of @fd since the last call. */
static inline uint64_t eventfd_signals(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static inline int eventfd_make(void)
{
	const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

#endif
