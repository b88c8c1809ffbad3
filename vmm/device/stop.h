/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of a guest to end its machine. */
#ifndef VMM_DEVICE_STOP_H
#define VMM_DEVICE_STOP_H

enum vmm_stop {
	VMM_STOP_POWER_OFF,
	VMM_STOP_RESET,
	VMM_STOP_EXIT, /* with a status: the debug exit of test kernels */
};

/* May be called more than once. @status is 0 except for VMM_STOP_EXIT. */
typedef void vmm_stop_fn(void *opaque, enum vmm_stop stop, int status);

#endif
