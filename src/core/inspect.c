/* SPDX-License-Identifier: BSD-2-Clause */
/* Inspection of a running partition. */
#include <errno.h>
#include <time.h>

#include "core/memory/gpa.h"
#include "core/memory/protect.h"
#include "core/vp/vp.h"

#define NS_PER_SECOND 1000000000L

int vsm_vp_call(struct vsm_vp *vp, uint32_t milliseconds, vsm_vp_fn *function, void *opaque)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += milliseconds / 1000;
	deadline.tv_nsec += (long)(milliseconds % 1000) * 1000000L;
	if (deadline.tv_nsec >= NS_PER_SECOND) {
		deadline.tv_nsec -= NS_PER_SECOND;
		deadline.tv_sec++;
	}
	return vp_call_until(NULL, vp, function, opaque, &deadline) ? 0 : -ETIMEDOUT;
}

struct lapic_request {
	uint8_t vtl;
	struct vsm_lapic_state *state;
};

static void save_lapic(struct vsm_vp *vp, void *argument)
{
	const struct lapic_request *request = argument;

	vsm_lapic_save(&vp->vtl[request->vtl].lapic, request->state);
}

int vsm_vp_lapic(struct vsm_vp *vp, uint8_t vtl, struct vsm_lapic_state *state)
{
	struct lapic_request request = {vtl, state};

	if (vtl >= vp->partition->vtl_count)
		return vsm_error(&vp->partition->log, EINVAL, "vp %u: no VTL %u", vp->index, vtl);
	vp_query(NULL, vp, save_lapic, &request);
	return 0;
}

struct translation {
	uint8_t vtl;
	uint64_t gva;
	struct vsm_walk_result *result;
};

static void translate(struct vsm_vp *vp, void *argument)
{
	const struct translation *translation = argument;

	gva_translate_as_host(vp, translation->vtl, translation->gva, translation->result);
}

int vsm_vp_translate(struct vsm_vp *vp, uint8_t vtl, uint64_t gva, struct vsm_walk_result *result)
{
	struct translation translation = {vtl, gva, result};

	if (vtl >= vp->partition->vtl_count)
		return vsm_error(&vp->partition->log, EINVAL, "vp %u: no VTL %u", vp->index, vtl);
	vp_query(NULL, vp, translate, &translation);
	if (vp->unread)
		return vsm_error(&vp->partition->log, EIO,
				 "vp %u: the backend has failed to read registers", vp->index);
	return result->translated ? 0 : -EFAULT;
}

int vsm_protection_find(struct vsm_partition *partition, uint8_t vtl, uint64_t gpa,
			struct vsm_protection *found)
{
	struct memory *memory = &partition->memory;
	const uint64_t gpn = gpa / CORE_PAGE_SIZE;
	int error = -ENOENT;

	if (vtl >= partition->vtl_count)
		return vsm_error(&partition->log, EINVAL, "protection: no VTL %u", vtl);
	pthread_rwlock_rdlock(&memory->lock);
	for (uint32_t i = 0; i < memory->region_count; i++) {
		const struct ram_region *region = &memory->region[i];
		const uint64_t page = gpn > region->gpn ? gpn - region->gpn : 0;

		if (page >= region->pages)
			continue;
		found->gpa = (region->gpn + page) * CORE_PAGE_SIZE;
		found->size =
			protect_run(partition, vtl, region->gpn + page, region->pages - page) *
			CORE_PAGE_SIZE;
		found->access = protect_effective(partition, vtl, region->gpn + page);
		error = 0;
		break;
	}
	pthread_rwlock_unlock(&memory->lock);
	return error;
}
