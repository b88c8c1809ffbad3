/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the engine uffd share.
 */
#ifndef VKVM_UFFD_H
#define VKVM_UFFD_H

#include "kvm/vcpu/vcpu.h"

/* What the engine enforces on a page of a window. */
enum page_state {
	PAGE_FREE = 0,
	PAGE_NO_WRITE = 1,
	PAGE_NO_ACCESS = 2,
	PAGE_STATE_MASK = 3,
	PAGE_OVERLAID = 4, /* flag: an overlay page is mapped there; the rest is for later */
	PAGE_OVERLAY_READONLY = 8, /* flag of that overlay */
};

/* 2 MiB of a window: what it takes to know whether a large page may be used. */
struct uffd_block {
	uint16_t restricted; /* pages that are not PAGE_FREE */
	uint16_t no_access;  /* of these, PAGE_NO_ACCESS */
	uint16_t overlaid;
	bool minor; /* registered for minor faults, some page may not be read or that saves a mapping */
	bool split; /* mapped by small pages, though nothing needs it: to be mapped anew */
};

/* uffd.c: one ioctl each, over ranges that may be partly done already. -errno. */
int uffd_open(const struct vsm_log *log);
int uffd_register(int fd, uint8_t *start, uint64_t size, bool minor);
int uffd_unregister(int fd, uint8_t *start, uint64_t size);
int uffd_protect(int fd, uint8_t *start, uint64_t size, bool on);
int uffd_continue(int fd, uint8_t *start, uint64_t size, bool protect);
int uffd_wake(int fd, uint8_t *start, uint64_t size);
/* Whether this kernel maps a page by minor fault without losing its write protection. */
bool uffd_continue_protects(int fd);

/* Maps @start and what follows of the range, up to the first page that is mapped already. */
int uffd_continue_some(int fd, uint8_t *start, uint64_t size, bool protect);

/* uffd_block.c: large pages. engine.lock held. */
struct uffd_block *block_of(const struct vkvm_region *region, uint8_t vtl, uint64_t page);
int block_make_minor(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		     uint64_t first, uint64_t pages);
/* Gives up what the engine did to blocks of [first, first + pages) that nothing restricts any more. */
int block_release(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
		  uint64_t first, uint64_t pages);
/* Maps some blocks anew that were split. False: none is left. */
bool block_remap(struct vkvm_backend *backend);

/* uffd_event.c */
int event_start(struct vkvm_backend *backend);
void event_stop(struct vkvm_backend *backend);
/* The event thread looks at what there is to do. */
void event_wake(struct vkvm_backend *backend);
/*
 * What was found out about the entry into KVM that has just ended, which is over with that; a page that
 * was closed for it is opened again. False: nothing.
 */
bool event_take(struct vkvm_vp *vp, struct violation *violation);

#endif
