/* SPDX-License-Identifier: BSD-2-Clause */
/* ioctl(2) with its errors as results. */
#include <errno.h>
#include <sys/ioctl.h>

#include "kvm/host/host.h"

int vkvm_ioctl(int fd, unsigned long request, void *argument)
{
	int result;

	do {
		result = ioctl(fd, request, argument);
	} while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}
