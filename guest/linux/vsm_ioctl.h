/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/vsm: the secure kernel's services for user space. */
#ifndef VSM_IOCTL_H
#define VSM_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VSM_HMAC_MAX 4096u

struct vsm_status {
	__u64 region;	  /* address of VTL1's memory */
	__u64 log;	  /* address of its log */
	__u64 intercepts; /* attempts that VTL1 answered with #GP */
	__u32 vps;	  /* on which VTL1 runs; 0: it was not started */
	__u32 locked_pages;
	__u32 policy_locked;
	__u32 reserved;
};

struct vsm_hmac {
	__u64 data; /* a pointer */
	__u32 size; /* 1 to VSM_HMAC_MAX */
	__u32 reserved;
	__u8 digest[32];
};

#define VSM_GET_STATUS	_IOR('V', 0, struct vsm_status)
#define VSM_LOCK_KERNEL _IO('V', 1)
#define VSM_HMAC	_IOWR('V', 2, struct vsm_hmac)

#endif
