/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory by virtual address: through the page tables of a VTL on a VP, whatever they permit. */
#include <errno.h>
#include <string.h>
#include <vsm/hv/hv.h>
#include <vsm/walk.h>

#include "array.h"
#include "guest/guest.h"

/* No CPU has more; reserved bits of entries do not matter here. */
#define PHYSICAL_BITS 52u

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	const uint8_t *host = vmm_guest_ram(opaque, gpa, size);

	*entry = 0;
	if (!host)
		return VSM_WALK_UNMAPPED;
	memcpy(entry, host, size);
	return VSM_WALK_ALLOWED;
}

struct tables {
	uint8_t vtl;
	bool read;
	struct vsm_walk_context context;
};

static void read_tables(struct vsm_vp *vp, void *opaque)
{
	static const uint32_t name[] = {HV_X64_REGISTER_CR0, HV_X64_REGISTER_CR3,
					HV_X64_REGISTER_CR4, HV_X64_REGISTER_EFER};
	union hv_register_value value[ARRAY_SIZE(name)] = {0};
	struct tables *tables = opaque;

	tables->read = vsm_vp_get_registers(vp, tables->vtl, name, value, ARRAY_SIZE(name)) ==
		       (int)ARRAY_SIZE(name);
	tables->context = (struct vsm_walk_context){
		.cr0 = value[0].reg64,
		.cr3 = value[1].reg64,
		.cr4 = value[2].reg64,
		.efer = value[3].reg64,
		.cpu = VSM_WALK_CPU_PSE36 | VSM_WALK_CPU_PAGE1GB,
		.max_phys_addr = PHYSICAL_BITS,
	};
}

int vmm_guest_virtual(struct vmm_guest *guest, uint32_t vp, uint8_t vtl, uint64_t gva,
		      uint8_t *data, size_t size, uint32_t milliseconds)
{
	const struct vsm_walk_memory memory = {.read = read_entry, .opaque = guest};
	struct tables tables = {.vtl = vtl};
	int error = vsm_vp_call(guest->processor[vp].vp, milliseconds, read_tables, &tables);

	if (!error && !tables.read)
		error = -EIO;
	for (size_t done = 0; done < size && !error;) {
		const struct vsm_walk_request request = {.gva = gva + done,
							 .flags = VSM_WALK_EXEMPT};
		const size_t room = VMM_PAGE - (gva + done) % VMM_PAGE;
		const size_t part = size - done < room ? size - done : room;
		struct vsm_walk_result result = {0};
		const uint8_t *host = NULL;

		(void)vsm_walk(&tables.context, &memory, &request, &result);
		if (result.translated)
			host = vmm_guest_ram(guest, result.gpa, part);
		if (host)
			memcpy(data + done, host, part);
		else
			error = -EFAULT;
		done += part;
	}
	return error;
}
