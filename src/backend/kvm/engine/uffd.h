/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine uffd. */
#ifndef VKVM_UFFD_H
#define VKVM_UFFD_H

#include "kvm/vcpu/vcpu.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* The state of a page of a window: the rights in force, in the order of what they deny. */
enum page_state {
	PAGE_FREE = 0,
	PAGE_NO_WRITE = 1,
	PAGE_NO_ACCESS = 2,
	PAGE_STATE_MASK = 3,
	/* flag: an overlay covers the page; PAGE_STATE_MASK applies when the overlay is removed */
	PAGE_OVERLAID = 4,
	PAGE_OVERLAY_READONLY = 8, /* flag: the overlay is read-only */
};

/* 2 MiB of a window, which one large page can map */
struct uffd_block {
	uint16_t restricted; /* pages that are not PAGE_FREE */
	uint16_t no_access;  /* pages that are PAGE_NO_ACCESS */
	uint16_t overlaid;
	bool minor; /* registered for minor faults: for a no-access page, or to save a mapping */
	bool split; /* still mapped by small pages: to be remapped by a large one */
};

static inline uint64_t uffd_bytes(uint64_t pages)
{
	return pages * VKVM_PAGE_SIZE;
}

/* uffd_ioctl.c: functions that succeed if parts of the range already have the new state. */
int uffd_open(const struct vsm_log *log);
int uffd_register(int fd, uint8_t *start, uint64_t size, bool minor);
int uffd_unregister(int fd, uint8_t *start, uint64_t size);
int uffd_protect(int fd, uint8_t *start, uint64_t size, bool on);
int uffd_continue(int fd, uint8_t *start, uint64_t size, bool protect);
int uffd_wake(int fd, uint8_t *start, uint64_t size);
/* Whether UFFDIO_CONTINUE can map a page write-protected. */
bool uffd_continue_protects(int fd);

/* Maps pages up to the first one that is already mapped. -EEXIST: that is the page at @start. */
int uffd_continue_some(int fd, uint8_t *start, uint64_t size, bool protect);

/* uffd_block.c: 2 MiB blocks. engine.lock held. */
struct uffd_block *block_of(const struct vkvm_region *region, uint8_t vtl, uint64_t page);
int block_make_minor(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		     uint64_t first, uint64_t pages);
/* Releases blocks of [first, first + pages) that have no restriction and no overlay any more. */
int block_release(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		  uint64_t first, uint64_t pages);
/* Remaps some of the blocks with `split` set. False: there are no more. */
bool block_remap(struct vkvm_backend *backend);

/* uffd_event.c */
int event_start(struct vkvm_backend *backend);
void event_stop(struct vkvm_backend *backend);
/* Opens the pages that were closed for threads that run no VP. Engine lock held. */
void event_reopen_pages(struct vkvm_backend *backend);
/* Makes the event thread remap blocks after a delay. Engine lock held. */
void event_postpone(struct vkvm_backend *backend);
/* As enter_take_violation(); opens a page that was closed for the violation. */
bool event_take_violation(struct vkvm_vp *vp, struct violation *violation);
/* As engine_ops.has_closed_pages. */
bool event_has_closed_pages(struct vkvm_vp *vp);

#endif
