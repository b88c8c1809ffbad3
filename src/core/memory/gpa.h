/* SPDX-License-Identifier: BSD-2-Clause */
/* Access to guest memory with a VTL's rights. */
#ifndef CORE_GPA_H
#define CORE_GPA_H

#include <vsm/walk.h>

#include "core/core.h"

/* What a VTL sees at a page, also through the backend's mappings. */
struct gpa_view {
	const struct ram_region *region; /* RAM at the page, visible or covered; NULL: none */
	const struct overlay *overlay;	 /* visible there; NULL: none, RAM is visible */
	uint8_t access;			 /* enum gpa_access; 0 without RAM and overlay */
};

/*
 * gpa_view(), gpa_read(), gpa_write(), gpa_check() and gpa_host() accept GPA_IN_SMM in place of VTL
 * 0, for VTL0 in System Management Mode.
 */
#define GPA_IN_SMM 0x80u

/* The argument of these functions for @vtl in its present mode. Owner. */
static inline uint8_t gpa_space(struct vsm_vp *vp, uint8_t vtl)
{
	return vtl == 0 && vp_in_smm(vp) ? GPA_IN_SMM : vtl;
}

/*
 * Rights of @vtl to place or see an overlay over @region, before protections: no right to write
 * readonly memory; for VTL0, no rights to VSM_MEMORY_SMM. @region NULL: no memory.
 */
uint8_t memory_rights(const struct ram_region *region, uint8_t vtl);

/*
 * The first overlay of @vtl that may be shown at @gpn, or RAM, with at most the rights that the
 * higher VTLs give. Memory lock held for reading.
 */
struct gpa_view gpa_view(const struct vsm_partition *partition, uint8_t vtl, uint64_t gpn);

enum gpa_result {
	GPA_OK,
	GPA_UNMAPPED, /* neither RAM nor overlay, or a write to readonly memory */
	GPA_DENIED,   /* denied by a higher VTL: fault->vtl gets the intercept */
	GPA_OVERLAY,  /* an overlay page does not permit it (a write to the hypercall page) */
};

struct gpa_fault {
	uint64_t gpa;	/* of the first byte that failed */
	uint8_t access; /* enum gpa_access: the access requested */
	uint8_t vtl;	/* GPA_DENIED: the VTL whose mask denies it, the lowest if several do */
};

/*
 * Copies @size bytes, also across pages. All pages are checked before the first byte is copied.
 * @fault may be NULL. Any thread; takes the memory lock for reading.
 */
enum gpa_result gpa_read(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa, void *data,
			 size_t size, struct gpa_fault *fault);
enum gpa_result gpa_write(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa,
			  const void *data, size_t size, struct gpa_fault *fault);

/* Whether @vtl has @access (enum gpa_access bits) to the byte's page. */
enum gpa_result gpa_check(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa,
			  uint8_t access, struct gpa_fault *fault);

/*
 * The byte's address in the core, if @vtl has @access to its page; valid up to the end of the page
 * and while the memory lock is held, for reading at least.
 */
enum gpa_result gpa_host(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa, uint8_t access,
			 uint8_t **host, struct gpa_fault *fault);

struct gva_walk {
	struct vsm_walk_result walk;
	enum gpa_result refused; /* result of the last access to memory */
	struct gpa_fault fault;
};

/*
 * @access, @flags, @ad as in vsm/walk.h. @check_page: also checks whether the VTL may make this
 * access to the page found. Owner.
 */
enum vsm_walk_reason gva_translate(struct vsm_vp *vp, uint8_t vtl, uint64_t gva, uint32_t access,
				   uint32_t flags, enum vsm_walk_ad ad, bool check_page,
				   struct gva_walk *out);

/* Checks no right, and sets no A/D bit. Owner. */
void gva_translate_as_host(struct vsm_vp *vp, uint8_t vtl, uint64_t gva,
			   struct vsm_walk_result *result);

/*
 * Reads at most @size bytes as an instruction fetch of @vtl, with its rights (P19), and returns how
 * many could be read. Sets no A/D bit. Owner.
 */
size_t gva_fetch(struct vsm_vp *vp, uint8_t vtl, uint64_t gva, uint8_t *data, size_t size);

/* The region that has @gpn, or NULL: not RAM. Memory lock held for reading. */
const struct ram_region *memory_find(const struct vsm_partition *partition, uint64_t gpn);
/* Index of the first region that ends after @gpn; region_count: none. Memory lock held. */
uint32_t memory_region_index(const struct memory *memory, uint64_t gpn);

/* The span that has @gpn, or the first one above; NULL: none. Memory lock held for reading. */
const struct ram_span *memory_span(const struct memory *memory, uint64_t gpn);
/*
 * Iterates over the GPAs of a page of a file, or over former GPAs whose restrictions the page still
 * has. *@next is 0 at the first call. False: no further GPA. Memory lock held for reading.
 */
bool memory_next_gpa(const struct memory *memory, const struct ram_file *file, uint64_t page,
		     uint32_t *next, uint64_t *gpn);
bool memory_next_former(const struct memory *memory, const struct ram_file *file, uint64_t page,
			uint32_t *next, uint64_t *gpn);

/* -ENOMEM, -EAGAIN: cannot make a lock. */
int memory_init(struct vsm_partition *partition);
void memory_destroy(struct vsm_partition *partition);

#endif
