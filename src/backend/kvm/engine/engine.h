/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Enforcement of page protections: a table of functions, which the engines uffd, nested and attr
 * implement. The core serialises the calls that change memory or rights; calls for a VP or vCPU
 * come from the VP's owner.
 */
#ifndef VKVM_ENGINE_H
#define VKVM_ENGINE_H

#include <pthread.h>

#include "kvm/memory/memory.h"

struct vkvm_vp;
struct violation;

/* Denies rights by guest page (engines attr, nested), in force on return. Engine lock held. */
struct restriction_ops {
	int (*range)(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
		     uint8_t denied);
	/* @list: addresses of pages, with the denied rights in their low bits. */
	int (*list)(struct vkvm_backend *backend, uint8_t vtl, const uint64_t *list,
		    uint32_t count);
};

struct engine {
	const struct engine_ops *ops; /* c */
	pthread_mutex_t lock;

	/* Engines attr and nested */
	const struct restriction_ops *restrictions; /* c */
	/* E: [KVM_ACCESS_MAX_PAGES] addresses of pages, with the denied rights in their low bits */
	uint64_t *list;
	uint32_t listed; /* E */

	/* Engine uffd */
	int fd;	  /* c: userfaultfd */
	int stop; /* c: eventfd that makes the event thread end, or read `due` */
	bool started;
	bool ending; /* E */
	pthread_t thread;
	uint32_t pieces;       /* M: boundaries between blocks with and without minor faults */
	uint32_t pieces_limit; /* c */
	bool split_waiting;    /* E: some block may have `split` set */
	/* E: when closed_page is opened and blocks are remapped, in ms of CLOCK_MONOTONIC; or 0 */
	uint64_t due;
	uint64_t closings; /* E: how often a page was closed, for a VP, a thread or a new mapping */
	uint32_t closed;   /* E: pages in closed_page */
	/* E: pages closed for threads that run no VP, to be opened again */
	uint8_t *closed_page[64];
};

struct engine_ops {
	const char *name;
	bool efer_exits; /* reads and writes of EFER exit */

	/*
	 * Finds what the host can enforce and sets backend->features, before a virtual machine
	 * exists. -errno if this engine cannot work on the host; logged as an error, or with @quiet
	 * as information.
	 */
	int (*find)(struct vkvm_backend *backend, bool quiet);
	/* Called after the virtual machines of all VTLs are created. */
	int (*start)(struct vkvm_backend *backend);
	/* Also called if find or start failed, or if start was not called. */
	void (*stop)(struct vkvm_backend *backend);

	/* Called after a window was mapped, with all rights: allocates its page rights. */
	int (*window_init)(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl);
	void (*window_destroy)(struct vkvm_backend *backend, struct vkvm_region *region,
			       uint8_t vtl);

	/*
	 * Called before a region is removed from backend->region. Lock held. NULL: nothing to do.
	 */
	void (*before_region_removal)(struct vkvm_backend *backend);

	/* Prepares for memory at these GPAs. 0 or -errno, logged. */
	int (*add_memory)(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages);

	/* As backend_ops.protect; @ranges are RAM, each within a slot. Lock held. */
	int (*protect)(struct vkvm_backend *backend, uint8_t vtl, const struct gpa_range *ranges,
		       size_t count, uint8_t access);

	/*
	 * Puts a page of overlay memory into the window with the rights @access, or the region's
	 * own page back with the rights of protect(). -ENOTSUP: @access cannot be enforced. Lock
	 * held.
	 */
	int (*overlay_map)(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			   uint64_t page, uint32_t overlay, uint8_t access);
	int (*overlay_unmap)(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			     uint64_t page);
	/* Called after overlay memory was mapped for slots of a VTL, with all rights. Lock held. */
	int (*overlay_window)(struct vkvm_backend *backend, uint8_t vtl);
	/*
	 * Sets the rights of page @overlay for a memory slot at @gpn, before the slot exists or
	 * after it is removed. -ENOTSUP: @access cannot be enforced.
	 */
	int (*overlay_slot)(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn,
			    uint32_t overlay, uint8_t access);

	/*
	 * The rights that the VTL is denied at page @page of a region (enum gpa_access). GPA_ALL
	 * under an overlay, where the VTL does not see the region's page. Lock held.
	 */
	uint8_t (*denied)(const struct vkvm_region *region, uint8_t vtl, uint64_t page);

	/* As enter_take_violation(). NULL: KVM_RUN itself reports refused accesses. */
	bool (*take_violation)(struct vkvm_vp *vp, struct violation *violation);
	/* Whether EFAULT of KVM_RUN is for a protection, which the exit describes. NULL: never. */
	bool (*refused)(struct vcpu *vcpu);

	/*
	 * Whether the engine has closed a page now, or has since the last call for this VP, so that
	 * EFAULT of KVM_RUN may be due to this. NULL: the engine closes no pages.
	 */
	bool (*has_closed_pages)(struct vkvm_vp *vp);

	/* Before the vCPU's registers are stored for KVM_RUN. -errno, logged. NULL: not needed. */
	int (*before_run)(struct vcpu *vcpu);
	/* Whether the vCPU must not enter KVM (@complete: to finish an exit). NULL: never. */
	bool (*stale)(const struct vcpu *vcpu, bool complete);
	/* Abandons the open instruction of a vCPU that must not enter KVM. 0 or -errno, logged. */
	int (*abandon)(struct vcpu *vcpu);
	/* Called before the vCPU is closed. NULL: nothing to do. */
	void (*vcpu_destroy)(struct vcpu *vcpu);
	/* Called in place of KVM_RUN. 0 or -errno. NULL: KVM_RUN. */
	int (*run)(struct vcpu *vcpu);
	/* Sets the registers (KVM_WRITE_EXIT_*) whose writes exit. NULL: KVM_SET_WRITE_EXITS. */
	int (*set_write_exits)(struct vcpu *vcpu, uint32_t registers);
	/* Sets whether user and kernel execution are separate (backend_run.mbec). NULL: no MBEC. */
	int (*split_exec)(struct vcpu *vcpu, bool on);
};

extern const struct engine_ops engine_uffd;
extern const struct engine_ops engine_attr;
extern const struct engine_ops engine_nested;

/* select.c */
/* Selects the engine (enum vsm_engine @wanted), sets features. -errno, logged, if none works. */
int engine_find(struct vkvm_backend *backend, uint8_t wanted);
/* Logs @why an engine is refused: as an error, with @quiet as information. Returns -ENOTSUP. */
int engine_refuse(const struct vkvm_backend *backend, bool quiet, const char *why);

/* engine.c */
void engine_init(struct vkvm_backend *backend);
void engine_destroy(struct vkvm_backend *backend);

int vkvm_protect(void *opaque, uint8_t vtl, const struct gpa_range *ranges, size_t count,
		 uint8_t access);

/* The address of page @page of a region in a VTL's window. */
uint8_t *engine_address(const struct vkvm_region *region, uint8_t vtl, uint64_t page);
/* The pages [*first, *end) of the region that are in the 2 MiB block of @page. */
void engine_block(const struct vkvm_region *region, uint64_t page, uint64_t *first, uint64_t *end);
/* Allocates window.state: a zeroed byte for each page, backed by memory on first use. */
int engine_make_state(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl);
void engine_drop_state(struct vkvm_region *region, uint8_t vtl);

#endif
