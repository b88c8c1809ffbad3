/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/gpa.h"

#include <string.h>

#include "core/memory/dirty.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"

#define PAGE_SHIFT  12u
#define PAGE_OFFSET (CORE_PAGE_SIZE - 1u)

static enum gpa_result refuse(struct gpa_fault *fault, uint64_t gpa, uint8_t access, uint8_t vtl,
			      enum gpa_result result)
{
	if (fault)
		*fault = (struct gpa_fault){.gpa = gpa, .access = access, .vtl = vtl};
	return result;
}

static bool is_smram(const struct ram_region *region)
{
	return region && region->flags & VSM_MEMORY_SMM;
}

uint8_t memory_rights(const struct ram_region *region, uint8_t vtl)
{
	if (vtl == 0 && is_smram(region))
		return 0;
	return region && region->flags & VSM_MEMORY_READONLY ? GPA_ALL & ~GPA_WRITE : GPA_ALL;
}

struct gpa_view gpa_view(const struct vsm_partition *partition, uint8_t space, uint64_t gpn)
{
	const uint8_t vtl = space & ~GPA_IN_SMM;
	struct gpa_view view = {
		.region = memory_find(partition, gpn),
		.access = protect_effective(partition, vtl, gpn),
	};

	view.overlay =
		overlay_shown(partition, vtl, gpn, view.access & memory_rights(view.region, vtl));
	if (space == 0 && is_smram(view.region))
		view.region = NULL;
	if (view.overlay)
		view.access &= view.overlay->access;
	else if (!view.region)
		view.access = 0;
	return view;
}

enum gpa_result gpa_host(struct vsm_partition *partition, uint8_t space, uint64_t gpa,
			 uint8_t access, uint8_t **host, struct gpa_fault *fault)
{
	uint64_t gpn = gpa >> PAGE_SHIFT;
	struct gpa_view view = gpa_view(partition, space, gpn);
	uint8_t denier;

	if (!view.overlay && !view.region)
		return refuse(fault, gpa, access, 0, GPA_UNMAPPED);
	if (access & ~view.access) {
		/* A protection has precedence over the overlay's rights. */
		denier = protect_denier(partition, space & ~GPA_IN_SMM, gpn, access);
		return refuse(fault, gpa, access, denier, denier ? GPA_DENIED : GPA_OVERLAY);
	}
	if (access & GPA_WRITE && !view.overlay && view.region->flags & VSM_MEMORY_READONLY)
		return refuse(fault, gpa, access, 0, GPA_UNMAPPED);
	if (view.overlay)
		*host = partition->memory.overlay_page +
			(size_t)view.overlay->page * CORE_PAGE_SIZE;
	else
		*host = view.region->host + ((gpn - view.region->gpn) << PAGE_SHIFT);
	*host += gpa & PAGE_OFFSET;
	return GPA_OK;
}

enum gpa_result gpa_check(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa,
			  uint8_t access, struct gpa_fault *fault)
{
	enum gpa_result result;
	uint8_t *host;

	pthread_rwlock_rdlock(&partition->memory.lock);
	result = gpa_host(partition, vtl, gpa, access, &host, fault);
	pthread_rwlock_unlock(&partition->memory.lock);
	return result;
}

static size_t in_page(uint64_t gpa, size_t size)
{
	size_t left = CORE_PAGE_SIZE - (size_t)(gpa & PAGE_OFFSET);

	return size < left ? size : left;
}

/* Memory lock held for reading. */
static enum gpa_result check_all(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa,
				 size_t size, uint8_t access, struct gpa_fault *fault)
{
	while (size) {
		size_t step = in_page(gpa, size);
		uint8_t *host;
		enum gpa_result result = gpa_host(partition, vtl, gpa, access, &host, fault);

		if (result != GPA_OK)
			return result;
		gpa += step;
		size -= step;
	}
	return GPA_OK;
}

/* An aligned word is copied by one access, so that the guest never sees a part of it. */
#define WORD(type)                                                                      \
	do {                                                                            \
		type word;                                                              \
		if (in) {                                                               \
			memcpy(&word, in, sizeof(word));                                \
			__atomic_store_n((type *)(void *)host, word, __ATOMIC_RELEASE); \
		} else {                                                                \
			word = __atomic_load_n((type *)(void *)host, __ATOMIC_ACQUIRE); \
			memcpy(out, &word, sizeof(word));                               \
		}                                                                       \
	} while (0)

/* Copies from @in or into @out, of which one is NULL. */
static void transfer(uint8_t *host, uint8_t *out, const uint8_t *in, size_t size)
{
	if (size == 8 && (uintptr_t)host % 8 == 0)
		WORD(uint64_t);
	else if (size == 4 && (uintptr_t)host % 4 == 0)
		WORD(uint32_t);
	else if (size == 2 && (uintptr_t)host % 2 == 0)
		WORD(uint16_t);
	else if (in)
		memcpy(host, in, size);
	else
		memcpy(out, host, size);
}
#undef WORD

/* @access is GPA_READ with @out, or GPA_WRITE with @in. */
static enum gpa_result copy(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa,
			    uint8_t access, uint8_t *out, const uint8_t *in, size_t size,
			    struct gpa_fault *fault)
{
	enum gpa_result result;

	/* A range that wraps around is not memory. */
	if (size && gpa + (size - 1) < gpa)
		return refuse(fault, gpa, access, 0, GPA_UNMAPPED);
	pthread_rwlock_rdlock(&partition->memory.lock);
	result = check_all(partition, vtl, gpa, size, access, fault);
	for (size_t done = 0; result == GPA_OK && done < size;) {
		size_t step = in_page(gpa + done, size - done);
		uint8_t *host;

		result = gpa_host(partition, vtl, gpa + done, access, &host, fault);
		if (result == GPA_OK && (in || out))
			transfer(host, out ? out + done : NULL, in ? in + done : NULL, step);
		if (result == GPA_OK && in)
			dirty_note(partition, gpa + done);
		done += step;
	}
	pthread_rwlock_unlock(&partition->memory.lock);
	return result;
}

enum gpa_result gpa_read(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa, void *data,
			 size_t size, struct gpa_fault *fault)
{
	return copy(partition, vtl, gpa, GPA_READ, data, NULL, size, fault);
}

enum gpa_result gpa_write(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa,
			  const void *data, size_t size, struct gpa_fault *fault)
{
	return copy(partition, vtl, gpa, GPA_WRITE, NULL, data, size, fault);
}
