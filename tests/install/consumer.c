/* SPDX-License-Identifier: BSD-2-Clause */
/* A program of somebody else: built against the installed library by tests/install/check-install. */
#include <stdio.h>
#include <string.h>
#include <vsm/vsm.h>

int main(void)
{
	char expected[32];

	snprintf(expected, sizeof(expected), "%d.%d.%d", VSM_VERSION_MAJOR, VSM_VERSION_MINOR,
		 VSM_VERSION_PATCH);
	return strcmp(expected, vsm_version()) != 0;
}
