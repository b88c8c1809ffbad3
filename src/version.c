/* SPDX-License-Identifier: BSD-2-Clause */
#include <vsm/vsm.h>

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

const char *vsm_version(void)
{
	return STRING(VSM_VERSION_MAJOR) "." STRING(VSM_VERSION_MINOR) "." STRING(
		VSM_VERSION_PATCH);
}
