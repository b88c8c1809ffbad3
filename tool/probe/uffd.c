/* SPDX-License-Identifier: BSD-2-Clause */
#include "uffd.h"

#include "abi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "env.h"

int probe_uffd_open(struct probe_env *env, enum uffd_route *route)
{
	int fd = env->userfaultfd(env);
	int device;

	if (route)
		*route = UFFD_BY_SYSCALL;
	if (fd != -EPERM)
		return fd;
	device = env->open(env, "/dev/userfaultfd", O_RDWR);
	if (device < 0)
		return fd; /* report the system call's error */
	fd = env->ioctl(env, device, USERFAULTFD_IOC_NEW, (void *)(O_CLOEXEC | O_NONBLOCK));
	env->close(env, device);
	if (route)
		*route = UFFD_BY_DEVICE;
	return fd;
}

int probe_uffd_open_ready(struct probe_env *env)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
			    UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_THREAD_ID,
	};
	int fd = probe_uffd_open(env, NULL);
	int error;

	if (fd < 0)
		return fd;
	error = env->ioctl(env, fd, UFFDIO_API, &api);
	if (!error)
		return fd;
	env->close(env, fd);
	return error;
}

int probe_uffd_register(int uffd, void *start, size_t length, uint64_t mode)
{
	struct uffdio_register arg = {
		.range = {(uintptr_t)start, length},
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &arg) ? -errno : 0;
}

int probe_uffd_write_protect(int uffd, void *start, size_t length, bool on)
{
	struct uffdio_writeprotect arg = {
		.range = {(uintptr_t)start, length},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &arg) ? -errno : 0;
}

int probe_uffd_continue(int uffd, void *start, size_t length, uint64_t mode)
{
	struct uffdio_continue arg = {
		.range = {(uintptr_t)start, length},
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_CONTINUE, &arg) ? -errno : 0;
}

int probe_uffd_wake(int uffd, void *start, size_t length)
{
	struct uffdio_range arg = {(uintptr_t)start, length};

	return ioctl(uffd, UFFDIO_WAKE, &arg) ? -errno : 0;
}

int probe_uffd_wait(int uffd, unsigned int timeout_ms, struct uffd_event *event)
{
	struct pollfd p = {.fd = uffd, .events = POLLIN};
	struct uffd_msg message;
	int n = poll(&p, 1, (int)timeout_ms);
	ssize_t length;

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIMEDOUT;
	length = read(uffd, &message, sizeof(message));
	if (length < 0)
		return -errno;
	if (length != sizeof(message) || message.event != UFFD_EVENT_PAGEFAULT)
		return -EPROTO;
	event->page = (void *)((uintptr_t)message.arg.pagefault.address & ~(uintptr_t)4095);
	event->flags = message.arg.pagefault.flags;
	event->tid = (int)message.arg.pagefault.feat.ptid;
	return 0;
}
