/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory by virtual address: through the page tables of a VTL on a VP, regardless of their
 * access rights.
 */
#include <errno.h>
#include <string.h>
#include <vsm/walk.h>

#include "guest/guest.h"

struct reading {
	const struct vmm_guest *guest;
	uint8_t vtl;
	uint64_t gva;
	uint8_t *data;
	size_t size;
	int error;
};

static void read_pages(struct vsm_vp *vp, void *opaque)
{
	struct reading *reading = opaque;

	for (size_t done = 0; done < reading->size && !reading->error;) {
		const uint64_t gva = reading->gva + done;
		const size_t room = VMM_PAGE - gva % VMM_PAGE;
		const size_t left = reading->size - done;
		const size_t part = left < room ? left : room;
		struct vsm_walk_result result;
		const uint8_t *host = NULL;

		if (!vsm_vp_translate(vp, reading->vtl, gva, &result))
			host = vmm_guest_ram(reading->guest, result.gpa, part);
		if (host)
			memcpy(reading->data + done, host, part);
		else
			reading->error = -EFAULT;
		done += part;
	}
}

int vmm_guest_virtual(struct vmm_guest *guest, uint32_t vp, uint8_t vtl, uint64_t gva,
		      uint8_t *data, size_t size, uint32_t milliseconds)
{
	struct reading reading = {guest, vtl, gva, data, size, 0};
	const int error = vsm_vp_call(guest->processor[vp].vp, milliseconds, read_pages, &reading);

	return error ? error : reading.error;
}
