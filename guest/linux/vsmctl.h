/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VSMCTL_H
#define VSMCTL_H

#include <stdint.h>

#include "vsm_ioctl.h"

/* Commands return 0, or -1 with errno, or 1 after an error message. */
int vsmctl_fuzz(int device, const char *seconds);
int vsmctl_time(int device, const char *argument);
int vsmctl_ticks(int device, const char *seconds);

#endif
