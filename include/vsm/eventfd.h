/* SPDX-License-Identifier: BSD-2-Clause */
/* Notifications of devices without an exit of vsm_vp_run(). */
#ifndef VSM_EVENTFD_H
#define VSM_EVENTFD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vsm_partition;

enum vsm_ioeventfd_flags {
	VSM_IOEVENTFD_PORT = 1u << 0,	/* address is a port, else a GPA without memory */
	VSM_IOEVENTFD_MATCH = 1u << 1,	/* only writes of `data` */
	VSM_IOEVENTFD_REMOVE = 1u << 2, /* removes the entry with the same fields */
};

struct vsm_ioeventfd {
	size_t size; /* sizeof(struct vsm_ioeventfd): lets the structure grow */
	uint64_t address;
	uint32_t length; /* of the write: 1, 2, 4, 8; 0: any */
	uint32_t flags;	 /* enum vsm_ioeventfd_flags */
	uint64_t data;	 /* with MATCH, of `length` bytes */
	int fd;		 /* an eventfd; may be closed afterwards. Not used by REMOVE */
	uint32_t reserved;
};

/*
 * Makes a write by any VTL signal an eventfd instead of an IO or MMIO exit, or removes such an
 * entry. OUTS can still exit. Intercepts of a port by a higher VTL have priority, as have RAM and
 * overlays at an address. KVM signals a write by VTL0 without an exit if none of these, and no
 * other entry for the same write, was there when the entry was added, and none came since; it does
 * so for at most 16 entries of a page or port, and 128 in all. A load from an address with length 0
 * can then count as a write, as in KVM, and the write of an instruction that a protection stops can
 * signal before the instruction is repeated. Any thread; when a removal returns, no write signals
 * any more.
 *
 * Returns: 0; -EINVAL: another size, flag or length, a port above 0xffff or with length 8, MATCH
 * without length or with data beyond it, a reserved field is not 0; -EBADF: not an open eventfd;
 * -EEXIST: such an entry exists; -ENOENT: no entry to remove; -ENOSPC: 1,024 exist; -ENOMEM,
 * -EMFILE.
 */
int vsm_ioeventfd(struct vsm_partition *partition, const struct vsm_ioeventfd *ioeventfd);

/*
 * Sends an MSI (as vsm_msi()) each time the eventfd @fd is signalled, from a thread of the library;
 * a second call with the same @fd changes the message. A semaphore eventfd sends one MSI for each
 * unit of its counter. A signal that the VMM reads itself may send no MSI. The VMM keeps the
 * descriptor open until it is removed. Any thread.
 *
 * Returns: 0; -EINVAL: not an MSI; -EBADF: not an open eventfd; -ENOSPC: 1,024 exist; -ENOMEM,
 * -EAGAIN (no thread), -EMFILE, -ENFILE.
 */
int vsm_irqfd(struct vsm_partition *partition, int fd, uint64_t address, uint32_t data);

/*
 * Undoes vsm_irqfd(): when this returns, no signal of @fd sends an interrupt any more. Any thread,
 * except in a callback of the library.
 *
 * Returns: 0; -ENOENT: @fd is not registered.
 */
int vsm_irqfd_remove(struct vsm_partition *partition, int fd);

#ifdef __cplusplus
}
#endif

#endif
