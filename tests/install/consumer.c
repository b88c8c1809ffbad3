/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <vsm/vsm.h>

/*
 * The library has these names internally, too: program and library must each use their own
 * function.
 */
int uffd_open(void);
int uffd_open(void)
{
	return 1;
}

int vkvm_ioctl(void);
int vkvm_ioctl(void)
{
	return 2;
}

int partition_create(void);
int partition_create(void)
{
	return 3;
}

int main(void)
{
	const struct vsm_config config = {0};
	struct vsm_partition *partition;
	char expected[32];

	snprintf(expected, sizeof(expected), "%d.%d.%d", VSM_VERSION_MAJOR, VSM_VERSION_MINOR,
		 VSM_VERSION_PATCH);
	return strcmp(expected, vsm_version()) || !vsm_partition_create(&config, &partition) ||
	       uffd_open() != 1 || vkvm_ioctl() != 2 || partition_create() != 3;
}
