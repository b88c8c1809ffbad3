/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VSM_MODULE_H
#define VSM_MODULE_H

#include <linux/types.h>

#include "../kit/secure/interface.h"

struct answer {
	u64 status, r9, r10, r11;
};

/* call.c: sends a request (interface.h) to VTL1. Callable where VTL0 may be interrupted. */
struct answer vsm_request(u64 service, u64 a, u64 b, u64 c);
/* The errno for enum secure_kernel_status. */
int vsm_error(u64 status);
/* Finds the VTL call in the hypercall page, for vsm_request(). Returns 0 or a negative errno. */
int vsm_call_find(void);

/* start.c: set before the device exists. */
extern bool vsm_vtl1;	 /* VTL1 was started */
extern void *vsm_region; /* VTL1's memory */

/* lock.c: locks the kernel's text and data. */
int vsm_lock_find(void);
int vsm_lock_kernel(void);

/* SHA-256 as VTL1 computes it. next() returns the size of the next piece, at most SECURE_KERNEL_MEASURE_MAX,
 * or 0 at the end. -EINTR on a signal. */
struct vsm_pieces {
	int (*next)(struct vsm_pieces *pieces, phys_addr_t *at);
};
int vsm_measure(struct vsm_pieces *pieces, u8 digest[SECURE_KERNEL_DIGEST]);
int vsm_measure_kernel(u8 digest[SECURE_KERNEL_DIGEST]);

/* caller.c: SHA-256 of the caller's identity: its program's file and its effective user. */
int vsm_caller(u8 caller[SECURE_KERNEL_DIGEST]);

/* device.c */
int vsm_device_register(void);

#endif
