/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks whether protections are legal (TLFS, HV_MAP_GPA_FLAGS), and whether they can be enforced.
 */
#include "core/memory/protect.h"

/*
 * TLFS, HV_MAP_GPA_FLAGS: none, R, RX, RW, RWX; with MBEC also user execute without kernel execute.
 */
static bool flags_legal(uint32_t flags, bool mbec)
{
	bool kernel = flags & HV_MAP_GPA_KERNEL_EXECUTABLE;
	bool user = flags & HV_MAP_GPA_USER_EXECUTABLE;

	if (flags & ~HV_MAP_GPA_PERMISSIONS_MASK)
		return false;
	if (flags && !(flags & HV_MAP_GPA_READABLE))
		return false;
	return mbec ? user || !kernel : user == kernel;
}

static bool enforceable(const struct backend_features *features, uint32_t flags)
{
	uint32_t denied = GPA_ALL & ~flags;

	if (flags == HV_MAP_GPA_PERMISSIONS_NONE)
		return features->protect & GPA_READ;
	if (denied & ~(uint32_t)features->protect)
		return false;
	/* Only MBEC can deny one execute right and allow the other. */
	return (denied & GPA_EXECUTE) == 0 || (denied & GPA_EXECUTE) == GPA_EXECUTE ||
	       features->mbec;
}

bool protect_possible(const struct vsm_partition *partition, uint32_t flags, bool user_execute)
{
	return flags_legal(flags, user_execute) && enforceable(&partition->features, flags);
}

uint16_t protect_check_flags(struct vsm_partition *partition, uint8_t owner, uint32_t flags)
{
	bool logged;

	if (!flags_legal(flags, protect_has_mbec(partition, owner)))
		return HV_STATUS_INVALID_PARAMETER;
	if (enforceable(&partition->features, flags))
		return HV_STATUS_SUCCESS;
	/* A guest can cause any number of refusals: only the first is logged as a warning. */
	logged = atomic_exchange(&partition->memory.refusal_logged, true);
	vsm_log(&partition->log, logged ? VSM_LOG_DEBUG : VSM_LOG_WARN,
		"VTL%u: protection %#x (R 1, W 2, KX 4, UX 8) refused: backend %s can "
		"deny %#x",
		owner, flags, partition->ops->name, partition->features.protect);
	return HV_STATUS_OPERATION_DENIED;
}

bool protect_mbec_governs(const struct vsm_vp *vp, uint8_t vtl)
{
	uint16_t owners = atomic_load(&vp->partition->mbec_vtls) & vtls_above(vtl);

	if (!owners)
		return false;
	for (; owners; owners &= (uint16_t)(owners - 1)) {
		const unsigned int owner = (unsigned int)__builtin_ctz(owners);

		if (!(vp->vtl[owner].secure_config[vtl] & HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED))
			return false;
	}
	return true;
}
