/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overlay pages of VTL0 (TLFS "GPA Overlay Pages"): on such a page VTL0 sees other bytes than VTL1
 * measures. VTL0 cannot place one on a protected page, so a check after the protection is final.
 */
#include "kit/secure/state.h"

#include "kit/hypercall.h"

/* Each VP has its own registers, except of the first two, which all VPs share. */
static const uint32_t names[] = {
	HV_X64_REGISTER_HYPERCALL, HV_REGISTER_REFERENCE_TSC, HV_REGISTER_VP_ASSIST_PAGE,
	HV_REGISTER_SIFP,	   HV_REGISTER_SIPP,
};

#define COUNT (sizeof(names) / sizeof(names[0]))

static bool lies_in(uint64_t value, uint64_t gpa, uint64_t pages)
{
	return value & HV_PAGE_MSR_ENABLE && value / HV_PAGE_SIZE - gpa / HV_PAGE_SIZE < pages;
}

bool overlay_lies_in(uint64_t gpa, uint64_t pages, uint64_t *at, uint32_t *name)
{
	struct {
		struct hv_vp_registers_input head;
		uint32_t name[COUNT];
	} input = {.head = {.partition_id = HV_PARTITION_ID_SELF, .input_vtl = input_vtl(0)}};
	union hv_register_value value[COUNT];

	__builtin_memcpy(input.name, names, sizeof(names));
	for (uint32_t vp = 0; vp < secure.vps; vp++) {
		input.head.vp_index = vp;
		*at = gpa;
		*name = 0;
		/* A failed read counts as an overlay. */
		if (hv_hypercall_result_status(hypercall_memory(
			    hypercall_word(HV_CALL_GET_VP_REGISTERS, COUNT, 0), &input,
			    sizeof(input), value, sizeof(value))) != HV_STATUS_SUCCESS)
			return true;
		for (uint32_t i = 0; i < COUNT; i++) {
			if (!lies_in(value[i].reg64, gpa, pages))
				continue;
			*at = value[i].reg64 & ~(uint64_t)(HV_PAGE_SIZE - 1);
			*name = names[i];
			return true;
		}
	}
	return false;
}
