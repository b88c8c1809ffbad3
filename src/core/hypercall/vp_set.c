/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hypercall/vp_set.h"

#include <string.h>

static uint64_t existing(const struct vsm_partition *partition, unsigned int bank)
{
	const uint32_t first = bank * HV_VP_SET_VPS_PER_BANK;

	if (partition->vp_count <= first)
		return 0;
	if (partition->vp_count - first >= HV_VP_SET_VPS_PER_BANK)
		return UINT64_MAX;
	return (UINT64_C(1) << (partition->vp_count - first)) - 1;
}

void vp_set_all(const struct vsm_partition *partition, struct vp_set *set)
{
	for (unsigned int bank = 0; bank < VP_SET_BANKS; bank++)
		set->bank[bank] = existing(partition, bank);
}

void vp_set_from_mask(const struct vsm_partition *partition, uint64_t mask, struct vp_set *set)
{
	memset(set, 0, sizeof(*set));
	set->bank[0] = mask & existing(partition, 0);
}

uint16_t vp_set_parse(const struct hypercall *call, struct vp_set *set)
{
	const struct vsm_partition *partition = call->vp->partition;
	const uint8_t *next = call->variable;
	struct hv_vp_set header;
	size_t left;

	memcpy(&header, call->variable - sizeof(header), sizeof(header));
	left = call->input_available - (size_t)(call->variable - call->input);
	memset(set, 0, sizeof(*set));
	switch (header.format) {
	case HV_VP_SET_FORMAT_ALL:
		/* With this format, banks are ignored. */
		vp_set_all(partition, set);
		return HV_STATUS_SUCCESS;
	case HV_VP_SET_FORMAT_SPARSE_4K:
		break;
	default:
		return HV_STATUS_INVALID_PARAMETER;
	}
	if ((size_t)__builtin_popcountll(header.valid_banks) * 8 > left)
		return HV_STATUS_INVALID_PARAMETER;
	for (unsigned int bank = 0; bank < HV_VP_SET_MAX_BANKS; bank++) {
		uint64_t bits;

		if (!(header.valid_banks >> bank & 1))
			continue;
		memcpy(&bits, next, sizeof(bits));
		next += sizeof(bits);
		if (bank < VP_SET_BANKS)
			set->bank[bank] = bits & existing(partition, bank);
	}
	return HV_STATUS_SUCCESS;
}
