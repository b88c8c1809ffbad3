/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM, overlay pages, and memory as a VTL sees it. Legend for fields: backend.h. */
#ifndef VKVM_MEMORY_H
#define VKVM_MEMORY_H

#include "core/backend.h"

#define VKVM_VTL_MAX	 16u
#define VKVM_PAGE_SIZE	 4096u
#define VKVM_BLOCK_SIZE	 (UINT64_C(2) << 20) /* of a large page */
#define VKVM_BLOCK_PAGES (VKVM_BLOCK_SIZE / VKVM_PAGE_SIZE)
#define VKVM_NO_PAGE	 UINT64_MAX

struct vcpu;
struct vkvm_backend;
struct uffd_block;

/* One VTL's mapping of a region. */
struct vkvm_window {
	uint8_t *base;		  /* congruent to the GPA modulo VKVM_BLOCK_SIZE */
	uint8_t *state;		  /* E: [pages] rights in force, as the engine encodes them */
	struct uffd_block *block; /* E: engine uffd: one for each 2 MiB of guest addresses */
};

/* A file at one GPA. VTLs see the parts of it that are slots. */
struct vkvm_region {
	uint64_t gpn; /* GPN of its first page */
	uint64_t pages;
	const struct backend_file *file;
	uint8_t *host; /* the core's mapping of the file */
	uint64_t offset;
	int fd;		 /* descriptor of the file */
	uint32_t unused; /* changes of the map since its last slot was removed; 0: it has one */
	struct vkvm_window window[VKVM_VTL_MAX];
};

/* A part of a region, in a memory slot of every VTL. */
struct vkvm_slot {
	uint64_t gpn;
	uint64_t pages;
	struct vkvm_region *region;
	uint32_t number;
	bool readonly;
	bool log;
	bool smm; /* VTL0: only in the address space of System Management Mode */
};

/* A page of overlay memory in one VTL. */
struct overlay_place {
	uint64_t gpn;	/* VKVM_NO_PAGE: not mapped */
	bool slot;	/* mapped by a separate memory slot, else in a window */
	uint8_t access; /* enum gpa_access */
};

struct overlay_memory {
	int fd;
	uint32_t pages;
	uint8_t *host;
	uint8_t *window[VKVM_VTL_MAX];		   /* mappings for memory slots of overlays */
	struct overlay_place *place[VKVM_VTL_MAX]; /* E T: [pages] */
	uint32_t slots[VKVM_VTL_MAX];		   /* T: number of places with a slot */
};

/* ------------------------------------------------------------------ slot.c */

/* Sets a slot of a VTL (with SMM in both address spaces); @size 0 removes it. @flags: KVM_MEM_*. */
int vkvm_slot_set(struct vkvm_backend *backend, uint8_t vtl, uint32_t slot, uint64_t gpa,
		  uint64_t size, const void *host, uint32_t flags);
int vkvm_slot_set_smm(struct vkvm_backend *backend, uint32_t slot, uint64_t gpa, uint64_t size,
		      const void *host, uint32_t flags);
/* The number of a slot in the address space of System Management Mode. */
#define VKVM_SMM_SLOT(number) (UINT32_C(1) << 16 | (number))
/* Removes a memory slot that may be missing. */
int vkvm_slot_remove(struct vkvm_backend *backend, uint8_t vtl, uint32_t slot);

/* ------------------------------------------------------------------ ram.c */

int vkvm_memory_set(void *opaque, const struct backend_memory *map, size_t count,
		    const struct gpa_range *gone, size_t gone_count);
int vkvm_memory_dirty(void *opaque, const struct backend_memory *run, uint64_t *bitmap);
void vkvm_memory_destroy(struct vkvm_backend *backend);
/* The slot with @gpn, or its region, or NULL. Engine lock or table_lock held, or within M. */
const struct vkvm_slot *vkvm_slot_find(const struct vkvm_backend *backend, uint64_t gpn);
struct vkvm_region *vkvm_memory_find(struct vkvm_backend *backend, uint64_t gpn);
/* Copies guest RAM; ignores rights. False: not all of it is in one slot. */
bool vkvm_memory_read(struct vkvm_backend *backend, uint64_t gpa, void *data, size_t size);
/*
 * Whether an access at @gpa is not MMIO in the VTL's present mode (SMM or not). A write to
 * read-only RAM is MMIO unless a protection denies it. The caller is inside the backend, so that
 * slots of RAM do not change, and holds no lock.
 */
bool vkvm_memory_is_backed(const struct vcpu *vcpu, uint64_t gpa, bool write);
bool vkvm_slot_is_visible(const struct vcpu *vcpu, const struct vkvm_slot *slot);

/* ------------------------------------------------------------------ overlay.c */

int vkvm_overlay_memory(void *opaque, uint32_t pages, void **host);
int vkvm_overlay_map(void *opaque, uint8_t vtl, uint64_t gpn, uint32_t page, uint8_t access);
int vkvm_overlay_unmap(void *opaque, uint8_t vtl, uint64_t gpn);
void vkvm_overlay_destroy(struct vkvm_backend *backend);
/* The overlay of @vtl at @gpn, or NULL. Engine lock or table_lock held, or called within M. */
struct overlay_place *vkvm_overlay_find(const struct vkvm_backend *backend, uint8_t vtl,
					uint64_t gpn);
/* Whether an overlay of @vtl is at @gpn, without RAM below. table_lock held, or called within M. */
bool vkvm_overlay_has_slot(const struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn);

/* ------------------------------------------------------------------ access.c */

/* Copies memory of one page as the VTL sees it. False: none, or a right of @access is missing. */
bool access_read(const struct vcpu *vcpu, uint8_t access, uint64_t gpa, void *data, size_t size);
/* Whether the VTL sees memory at @gpn, and a right of @access is missing. */
bool access_is_denied(const struct vcpu *vcpu, uint8_t access, uint64_t gpn);

/* ------------------------------------------------------------------ walk.c */

/*
 * Whether the instruction at RIP may have bytes in the page of @gpa. *table: whether its
 * translation reads that page.
 */
bool fetch_needs(struct vcpu *vcpu, uint64_t gpa, bool *table);
/* The linear address of code, and the right to execute it (enum gpa_access). */
uint64_t fetch_address(const struct vcpu *vcpu, uint64_t rip);
uint8_t fetch_right(const struct vcpu *vcpu);
/* Copies from a linear address while the VTL may read and has @access. Returns the bytes copied. */
size_t read_linear(struct vcpu *vcpu, uint64_t address, uint8_t access, void *data, size_t size);

#endif
