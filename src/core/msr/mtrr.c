/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/msr/mtrr.h"

#include "core/x64.h"

/* SDM 3A 12.11.1: bits of IA32_MTRRCAP. */
#define CAP_FIXED (UINT64_C(1) << 8)
#define CAP_WC	  (UINT64_C(1) << 10)

#define DEF_TYPE_FIXED	(UINT64_C(1) << 10)
#define DEF_TYPE_ENABLE (UINT64_C(1) << 11)
#define MASK_VALID	(UINT64_C(1) << 11)
#define TYPE		UINT64_C(0xff)

static bool type_is_legal(uint64_t type)
{
	/* SDM 3A table 12-8: UC, WC, WT, WP, WB. */
	return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

uint32_t mtrr_fixed_msr(uint32_t index)
{
	/* 64 KiB each from 0, 16 KiB each from 0x80000, 4 KiB each from 0xc0000. */
	static const uint16_t number[CORE_MTRR_FIXED] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
							 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

	return number[index];
}

/* `kept` is NULL if the MSR is not an MTRR. */
struct mtrr_place {
	uint64_t *kept;
	unsigned int types; /* number of its low bytes that are memory types */
	uint64_t legal;	    /* valid bits above the types */
};

static struct mtrr_place find_mtrr(struct vsm_vp *vp, uint32_t msr)
{
	const uint64_t address = ((UINT64_C(1) << vp->partition->features.gpa_bits) - 1) &
				 ~(uint64_t)(CORE_PAGE_SIZE - 1);
	const uint32_t variable = msr - X64_MSR_MTRR_PHYS_BASE0;

	if (msr == X64_MSR_MTRR_DEF_TYPE)
		return (struct mtrr_place){&vp->mtrr.def_type, 1, DEF_TYPE_FIXED | DEF_TYPE_ENABLE};
	if (variable < 2 * CORE_MTRR_VARIABLE && variable % 2)
		return (struct mtrr_place){&vp->mtrr.mask[variable / 2], 0, address | MASK_VALID};
	if (variable < 2 * CORE_MTRR_VARIABLE)
		return (struct mtrr_place){&vp->mtrr.base[variable / 2], 1, address};
	for (uint32_t i = 0; i < CORE_MTRR_FIXED; i++)
		if (msr == mtrr_fixed_msr(i))
			return (struct mtrr_place){&vp->mtrr.fixed[i], 8, 0};
	return (struct mtrr_place){0};
}

bool mtrr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	const uint64_t *kept = find_mtrr(vp, msr).kept;

	(void)vtl;
	if (msr == X64_MSR_MTRRCAP)
		*value = CORE_MTRR_VARIABLE | CAP_FIXED | CAP_WC;
	else if (kept)
		*value = *kept;
	return kept || msr == X64_MSR_MTRRCAP;
}

bool mtrr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	const struct mtrr_place place = find_mtrr(vp, msr);
	uint64_t rest = value;

	(void)vtl;
	for (unsigned int i = 0; i < place.types; i++) {
		if (!type_is_legal(value >> 8 * i & TYPE))
			return false;
		rest &= ~(TYPE << 8 * i);
	}
	if (!place.kept || (rest & ~place.legal))
		return false;
	*place.kept = value;
	return true;
}
