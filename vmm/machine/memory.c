/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine/memory.h"

void vmm_memory_split(struct vmm_memory *memory, uint64_t size)
{
	memory->low = size < VMM_LOW_MAX ? size : VMM_LOW_MAX;
	memory->high = size - memory->low;
}

unsigned int vmm_memory_map(const struct vmm_memory *memory, struct vmm_range range[VMM_RANGES_MAX])
{
	unsigned int count = 0;

	range[count++] = (struct vmm_range){0, VMM_BASE_END, VMM_RANGE_RAM};
	range[count++] =
		(struct vmm_range){VMM_BASE_END, 0xa0000 - VMM_BASE_END, VMM_RANGE_RESERVED};
	range[count++] = (struct vmm_range){VMM_TABLES, VMM_TABLES_SIZE, VMM_RANGE_RESERVED};
	if (memory->low > VMM_EXTENDED)
		range[count++] =
			(struct vmm_range){VMM_EXTENDED, memory->low - VMM_EXTENDED, VMM_RANGE_RAM};
	if (memory->high)
		range[count++] = (struct vmm_range){VMM_HIGH, memory->high, VMM_RANGE_RAM};
	return count;
}
