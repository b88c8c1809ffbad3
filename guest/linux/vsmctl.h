/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of vsmctl share. */
#ifndef VSMCTL_H
#define VSMCTL_H

#include <stdint.h>

#include "vsm_ioctl.h"

/* Commands: 0, or -1 with errno, or 1 if they have said why. */
int vsmctl_fuzz(int device, const char *seconds);
int vsmctl_time(int device, const char *argument);
int vsmctl_ticks(int device, const char *seconds);

#endif
