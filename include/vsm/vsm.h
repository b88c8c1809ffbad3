/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libvsm: Hyper-V Virtual Secure Mode for any KVM virtual machine monitor.
 */
#ifndef VSM_VSM_H
#define VSM_VSM_H

#include <vsm/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. Within one major number the ABI only grows. */
#define VSM_VERSION_MAJOR 0
#define VSM_VERSION_MINOR 1
#define VSM_VERSION_PATCH 0

/* The version of the library that runs, "major.minor.patch". Callable at any time. */
const char *vsm_version(void);

#ifdef __cplusplus
}
#endif

#endif
