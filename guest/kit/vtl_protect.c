/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/vtl.h"

#include "kit/cpu.h"
#include "kit/hypercall.h"

/* GPA page numbers that fit into an input page after the header. */
#define PROTECT_MAX 510u

uint16_t vtl_protect(uint64_t gpa, uint64_t count, uint32_t flags)
{
	struct {
		struct hv_modify_vtl_protection_mask_input header;
		uint64_t page[PROTECT_MAX];
	} *input = (void *)cpu_current()->hypercall_input;

	while (count) {
		const uint32_t now = count < PROTECT_MAX ? (uint32_t)count : PROTECT_MAX;
		uint64_t result;

		input->header = (struct hv_modify_vtl_protection_mask_input){
			.partition_id = HV_PARTITION_ID_SELF, .map_flags = flags};
		for (uint32_t i = 0; i < now; i++)
			input->page[i] = (gpa >> HV_PAGE_SHIFT) + i;
		result =
			hypercall_memory(hypercall_word(HV_CALL_MODIFY_VTL_PROTECTION_MASK, now, 0),
					 input, 0, NULL, 0);
		if (hv_hypercall_result_status(result) != HV_STATUS_SUCCESS)
			return hv_hypercall_result_status(result);
		gpa += (uint64_t)now << HV_PAGE_SHIFT;
		count -= now;
	}
	return HV_STATUS_SUCCESS;
}
