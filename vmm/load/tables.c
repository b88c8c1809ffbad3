/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/tables.h"
#include "load/boot_state.h"

int vmm_put_tables(struct vmm_places *places, uint64_t *page_tables, uint64_t *gdt)
{
	uint64_t table[VMM_IDENTITY_PAGES][512];
	int error;

	error = vmm_place_low(places, "page tables", sizeof(table), VMM_PAGE, VMM_PAGE, VMM_LOW_MAX,
			      page_tables);
	if (error)
		return error;
	vmm_boot_identity_map(table, *page_tables);
	error = vmm_put(places, *page_tables, table, sizeof(table));
	if (!error)
		error = vmm_place_low(places, "the GDT", sizeof(vmm_boot_gdt), VMM_PAGE, VMM_PAGE,
				      VMM_LOW_MAX, gdt);
	if (!error)
		error = vmm_put(places, *gdt, vmm_boot_gdt, sizeof(vmm_boot_gdt));
	return error;
}
