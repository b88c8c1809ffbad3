/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * /dev/vsm: the secure kernel's services for user space.
 *
 * Errors of every call: EOPNOTSUPP if this secure kernel lacks the service, ENXIO if VTL1 was not
 * started (except VSM_GET_STATUS), EFAULT for an invalid pointer, EINVAL for an invalid size or
 * reserved field, ENOMEM, and EIO if VTL1 refuses all requests.
 */
#ifndef VSM_IOCTL_H
#define VSM_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VSM_DIGEST	32
#define VSM_HMAC_MAX	4096u
#define VSM_SECRET_MAX	1024u
#define VSM_SEALED	(16 + VSM_DIGEST + VSM_SECRET_MAX) /* bytes of a sealed secret */
#define VSM_MEASURE_MAX (1u << 30)
#define VSM_CALLS_MAX	1000u
#define VSM_CALL_FIRST	0x1000u
#define VSM_CALL_MAX	4096u

struct vsm_status {
	__u64 region;	    /* address of VTL1's memory */
	__u64 intercepts;   /* attempts that VTL1 answered with #GP */
	__u32 vps;	    /* VPs on which VTL1 runs; 0: it was not started */
	__u32 locked_pages; /* pages that VTL0 may not write */
	__u32 policy_locked;
	__u32 enforced; /* VSM_ENFORCES_ */
};

/* What VTL1 denies to VTL0, depending on the hypervisor. */
#define VSM_ENFORCES_NO_EXECUTE 1 /* execution of the kernel's data, after VSM_LOCK_KERNEL */
#define VSM_ENFORCES_REGISTERS	2 /* clearing CR0.WP, CR4.SMEP and CR4.SMAP */

/* HMAC-SHA-256 under a key that never leaves VTL1. */
struct vsm_hmac {
	__u64 data; /* a pointer */
	__u32 size; /* 1 to VSM_HMAC_MAX */
	__u32 reserved;
	__u8 digest[VSM_DIGEST];
};

/*
 * A secret and its sealed form, bound to the calling program (its file's content) and effective
 * user. EBADMSG: sealed by another program or user, on another boot, or changed; ENOENT: init's
 * /proc is unavailable; EFBIG: the program's file is larger than 64 MiB.
 */
struct vsm_seal {
	__u64 secret; /* a pointer to @size bytes: read by VSM_SEAL, written by VSM_UNSEAL */
	__u64 sealed; /* a pointer to VSM_SEALED bytes: written by VSM_SEAL, read by VSM_UNSEAL */
	/* 1 to VSM_SECRET_MAX. VSM_UNSEAL reads the size of the buffer (ENOSPC if too small) and writes that
	 * of the secret. */
	__u32 size;
	__u32 reserved;
};

/* SHA-256 by VTL1. A large range takes many VTL calls; EINTR if a signal ends it between two. */
struct vsm_measure {
	__u64 data; /* a pointer */
	__u64 size; /* 1 to VSM_MEASURE_MAX */
	__u8 digest[VSM_DIGEST];
};

/* Time of empty VTL calls to VTL1 and back. */
struct vsm_time {
	__u32 calls; /* 1 to VSM_CALLS_MAX */
	__u32 reserved;
	__u64 nanoseconds; /* time of all calls */
};

/*
 * A call that the secure kernel defines. Request and answer are copied through a page that VTL1
 * reads and writes; they may be the same buffer. Needs CAP_SYS_ADMIN (EPERM). ENOSPC: the answer is
 * larger than @answer_size, and the call has had its effect. EOPNOTSUPP: the secure kernel has no
 * such call. Another status of the call is EINVAL, EPERM, EBUSY, EAGAIN, ENOSPC, EBADMSG, EIO or
 * EOPNOTSUPP (BAD_ARGUMENT, DENIED, LOCKED, NOT_READY, FULL, MISMATCH, REFUSED and NOT_ENFORCED of
 * enum secure_kernel_status).
 */
struct vsm_call {
	__u32 number;	    /* VSM_CALL_FIRST and more (EINVAL) */
	__u32 request_size; /* 0 to VSM_CALL_MAX */
	__u64 request;	    /* a pointer */
	__u64 answer;	    /* a pointer */
	__u32 answer_size;  /* in: size of the buffer, 0 to VSM_CALL_MAX; out: size of the answer */
	__u32 reserved;
};

#define VSM_GET_STATUS _IOR('V', 0, struct vsm_status)
#define VSM_LOCK_KERNEL \
	_IO('V', 1) /* EBUSY if already locked; EAGAIN while VTL1 has not run on every CPU */
#define VSM_HMAC    _IOWR('V', 2, struct vsm_hmac)
#define VSM_SEAL    _IOW('V', 3, struct vsm_seal)
#define VSM_UNSEAL  _IOWR('V', 4, struct vsm_seal)
#define VSM_MEASURE _IOWR('V', 5, struct vsm_measure)
#define VSM_MEASURE_KERNEL \
	_IOR('V', 6, struct vsm_measure) /* of the kernel's text; uses only the member `digest` */
#define VSM_TIME_CALLS _IOWR('V', 7, struct vsm_time)
#define VSM_CALL       _IOWR('V', 8, struct vsm_call)

#endif
