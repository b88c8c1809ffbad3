/* SPDX-License-Identifier: BSD-2-Clause */
/* userfaultfd(2): a function for each ioctl. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm/engine/uffd.h"

/* Linux 6.4. */
#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP ((__u64)1 << 1)
#endif

#define FEATURES                                                      \
	(UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | \
	 UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_THREAD_ID)

static int open_any(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	int device;

	if (fd >= 0 || errno != EPERM)
		return fd;
	device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (device < 0) {
		errno = EPERM;
		return -1;
	}
	fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	close(device);
	return fd;
}

int uffd_open(const struct vsm_log *log)
{
	struct uffdio_api api = {.api = UFFD_API, .features = FEATURES};
	int fd = open_any();
	int error;

	if (fd < 0 && errno == EPERM)
		return vsm_error(log, EPERM,
				 "userfaultfd is not permitted: become root, or get access to "
				 "/dev/userfaultfd, or set vm.unprivileged_userfaultfd=1");
	if (fd < 0 && errno == ENOSYS)
		return vsm_error(log, ENOSYS, "this kernel was built without userfaultfd");
	if (fd < 0)
		return vsm_error(log, errno, "userfaultfd: %s", strerror(errno));
	if (ioctl(fd, UFFDIO_API, &api)) {
		error = errno;
		close(fd);
		return vsm_error(
			log, error == EINVAL ? ENOTSUP : error,
			"userfaultfd cannot protect shared memory: use Linux 6.4 or later");
	}
	return fd;
}

int uffd_register(int fd, uint8_t *start, uint64_t size, bool minor)
{
	struct uffdio_register request = {
		.range = {.start = (uintptr_t)start, .len = size},
		.mode = UFFDIO_REGISTER_MODE_WP | (minor ? UFFDIO_REGISTER_MODE_MINOR : 0),
	};

	return ioctl(fd, UFFDIO_REGISTER, &request) ? -errno : 0;
}

int uffd_unregister(int fd, uint8_t *start, uint64_t size)
{
	struct uffdio_range request = {.start = (uintptr_t)start, .len = size};

	return ioctl(fd, UFFDIO_UNREGISTER, &request) ? -errno : 0;
}

int uffd_wake(int fd, uint8_t *start, uint64_t size)
{
	struct uffdio_range request = {.start = (uintptr_t)start, .len = size};

	return ioctl(fd, UFFDIO_WAKE, &request) ? -errno : 0;
}

int uffd_protect(int fd, uint8_t *start, uint64_t size, bool on)
{
	struct uffdio_writeprotect request = {
		.range = {.start = (uintptr_t)start, .len = size},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};
	int result;

	do {
		result = ioctl(fd, UFFDIO_WRITEPROTECT, &request);
	} while (result && errno == EAGAIN);
	return result ? -errno : 0;
}

/* Skips pages that are already mapped, and holes of the file. */
int uffd_continue(int fd, uint8_t *start, uint64_t size, bool protect)
{
	while (size) {
		struct uffdio_continue request = {
			.range = {.start = (uintptr_t)start, .len = size},
			.mode = protect ? UFFDIO_CONTINUE_MODE_WP : 0,
		};
		uint64_t done;
		int error = ioctl(fd, UFFDIO_CONTINUE, &request) ? errno : 0;

		if (!error)
			return 0;
		done = request.mapped > 0 ? (uint64_t)request.mapped : 0;
		if (!done && (error == EEXIST || error == EFAULT)) {
			/* Mapped, or a hole: wakes only the accesses that wait for the page. */
			uffd_wake(fd, start, VKVM_PAGE_SIZE);
			done = VKVM_PAGE_SIZE;
		} else if (!done && error != EAGAIN) {
			return -error;
		}
		start += done;
		size -= done;
	}
	return 0;
}

int uffd_continue_some(int fd, uint8_t *start, uint64_t size, bool protect)
{
	struct uffdio_continue request;
	int error;

	do {
		request = (struct uffdio_continue){
			.range = {.start = (uintptr_t)start, .len = size},
			.mode = protect ? UFFDIO_CONTINUE_MODE_WP : 0,
		};
		error = ioctl(fd, UFFDIO_CONTINUE, &request) ? errno : 0;
	} while (error == EAGAIN && request.mapped <= 0);
	if (request.mapped > 0)
		return 0;
	return -error;
}

bool uffd_continue_protects(int fd)
{
	int file = memfd_create("vsm-probe", MFD_CLOEXEC);
	uint8_t *page = MAP_FAILED;
	bool works = false;

	if (file < 0 || ftruncate(file, VKVM_PAGE_SIZE) || pwrite(file, "", 1, 0) != 1)
		goto out;
	page = mmap(NULL, VKVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (page == MAP_FAILED || uffd_register(fd, page, VKVM_PAGE_SIZE, true))
		goto out;
	works = !uffd_continue(fd, page, VKVM_PAGE_SIZE, true);
	uffd_unregister(fd, page, VKVM_PAGE_SIZE);
out:
	if (page != MAP_FAILED)
		munmap(page, VKVM_PAGE_SIZE);
	if (file >= 0)
		close(file);
	return works;
}
