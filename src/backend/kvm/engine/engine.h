/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How protections of pages are enforced: one table of functions, and the engines that fill it.
 *
 *	uffd	userfaultfd on the window of the VTL that is restricted; any kernel
 *	nested	KVM's own nested SVM, driven by user space; stock kernels on AMD
 *	attr	access restrictions of KVM's own, with the optional kernel part
 *
 * An engine keeps its own books of what it enforces on each page (window.state). The core has
 * serialised all but start and take; engine.lock is held where it is said.
 */
#ifndef VKVM_ENGINE_H
#define VKVM_ENGINE_H

#include <pthread.h>

#include "kvm/memory/memory.h"

struct vkvm_vp;
struct violation;

/*
 * What denies accesses by guest page, for the engines that do so outside of the VMM's mappings: in force on every
 * VP on return. Engine lock.
 */
struct restriction_ops {
	int (*range)(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
		     uint8_t denied);
	/* @list: a page's address, with what is denied in its low bits. */
	int (*list)(struct vkvm_backend *backend, uint8_t vtl, const uint64_t *list,
		    uint32_t count);
};

struct engine {
	const struct engine_ops *ops; /* c */
	pthread_mutex_t lock;

	/* Of attr and nested. */
	const struct restriction_ops *restrictions; /* c */
	uint64_t *list;	 /* E: [KVM_ACCESS_MAX_PAGES] pages with what is denied there */
	uint32_t listed; /* E */

	/* Of uffd alone. */
	int fd;	  /* c: userfaultfd */
	int stop; /* c: eventfd: the thread shall end, or has news */
	bool started;
	bool ending; /* E */
	pthread_t thread;
	uint32_t pieces;	  /* M: places where windows are divided for minor faults */
	uint32_t pieces_limit;	  /* c */
	bool split_waiting;	  /* E: some block has `split` set */
	uint32_t closed;	  /* E: pages in closed_page */
	uint8_t *closed_page[64]; /* E: pages that nobody known is stuck on: given back later */
};

struct engine_ops {
	const char *name;
	bool efer_exits; /* reads and writes of EFER exit */

	/*
	 * What the host can enforce, into backend->features. No virtual machine exists yet. -errno, and
	 * logged unless @quiet, when this engine cannot work here.
	 */
	int (*find)(struct vkvm_backend *backend, bool quiet);
	/* Every VTL has its virtual machine. */
	int (*start)(struct vkvm_backend *backend);
	/* Also after a find or start that failed, or none. */
	void (*stop)(struct vkvm_backend *backend);

	/* A window was mapped; it allows everything. Its books go with the window. */
	int (*window_init)(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl);
	void (*window_destroy)(struct vkvm_backend *backend, struct vkvm_region *region,
			       uint8_t vtl);

	/* As in struct backend_ops; @ranges are RAM, each within a region. Lock held. */
	int (*protect)(struct vkvm_backend *backend, uint8_t vtl, const struct gpa_range *ranges,
		       size_t count, uint8_t access);

	/*
	 * Puts a page of overlay memory into the window with @access and no other rights, or the region's own
	 * page back with those that protect() gave. -ENOTSUP: @access cannot be enforced. Lock held.
	 */
	int (*overlay_map)(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			   uint64_t page, uint32_t overlay, uint8_t access);
	int (*overlay_unmap)(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl,
			     uint64_t page);
	/* Overlay memory was mapped for memslots of a VTL; it has all rights. Lock held. */
	int (*overlay_window)(struct vkvm_backend *backend, uint8_t vtl);
	/*
	 * The rights of page @overlay by way of a memslot at @gpn, which is not there now. -ENOTSUP as above.
	 */
	int (*overlay_slot)(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn,
			    uint32_t overlay, uint8_t access);

	/*
	 * What is denied to the VTL at page @page of a region (enum gpa_access). GPA_ALL where an overlay is: the
	 * region's own page is not what the VTL sees. Lock held.
	 */
	uint8_t (*denied)(const struct vkvm_region *region, uint8_t vtl, uint64_t page);

	/*
	 * What was found out about the entry into KVM that has just ended, which is over with that. False:
	 * nothing. NULL where KVM_RUN itself says all.
	 */
	bool (*take)(struct vkvm_vp *vp, struct violation *violation);
	/* Whether KVM_RUN ended with EFAULT for a protection; the exit tells. NULL: never. */
	bool (*refused)(struct vcpu *vcpu);

	/* Before registers are given to a vCPU that is about to run. 0 or -errno, logged. NULL: nothing. */
	int (*before_run)(struct vcpu *vcpu);
	/* Whether the vCPU must not enter KVM, not even to finish an instruction. NULL: never. */
	bool (*stale)(const struct vcpu *vcpu, bool complete);
	/* Ends an instruction that a stale vCPU has open. 0 or -errno, logged. */
	int (*abandon)(struct vcpu *vcpu);
	/* The vCPU is about to be closed. NULL: nothing to do. */
	void (*vcpu_destroy)(struct vcpu *vcpu);
	/* Instead of KVM_RUN. 0 or -errno. NULL: KVM_RUN. */
	int (*run)(struct vcpu *vcpu);
	/* Registers (KVM_WRITE_EXIT_*) whose writes exit. NULL: KVM_SET_WRITE_EXITS. */
	int (*watch)(struct vcpu *vcpu, uint32_t registers);
};

extern const struct engine_ops engine_uffd;
extern const struct engine_ops engine_attr;
extern const struct engine_ops engine_nested;

/* select.c */
/* Settles which engine it is (enum vsm_engine @wanted) and what it can do. -errno, and logged: none. */
int engine_find(struct vkvm_backend *backend, uint8_t wanted);

/* engine.c */
void engine_init(struct vkvm_backend *backend);
void engine_destroy(struct vkvm_backend *backend);

int vkvm_protect(void *opaque, uint8_t vtl, const struct gpa_range *ranges, size_t count,
		 uint8_t access);

/* Where page @page of a region is in a window. */
uint8_t *engine_address(const struct vkvm_region *region, uint8_t vtl, uint64_t page);
/* Pages of the region that lie in the block of @page: the first, and one behind the last. */
void engine_block(const struct vkvm_region *region, uint64_t page, uint64_t *first, uint64_t *end);
/* Memory for the books of a window: a byte a page, zero, that costs nothing until it is used. */
int engine_make_state(struct vkvm_backend *backend, struct vkvm_region *region, uint8_t vtl);
void engine_drop_state(struct vkvm_region *region, uint8_t vtl);

#endif
