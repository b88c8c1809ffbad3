/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules for starting a VTL of a VP. */
#include "core/interrupt/start_rules.h"

static bool denied_from_above(const struct vsm_partition *partition, uint8_t vtl)
{
	for (uint8_t above = (uint8_t)(vtl + 1); above < partition->vtl_count; above++)
		if ((atomic_load(&partition->enabled_vtls) & vtl_bit(above)) &&
		    (atomic_load(&partition->vtl[above].config) &
		     HV_VSM_PARTITION_CONFIG_DENY_LOWER_VTL_STARTUP))
			return true;
	return false;
}

bool startvp_allowed(const struct vsm_vp *vp, uint8_t caller)
{
	return !denied_from_above(vp->partition, caller);
}

bool startvp_accepts_init(const struct vsm_vp *vp, uint8_t vtl)
{
	/* INIT and SIPI start only VTL0 and the boot VTL. */
	if (vtl != 0 && vtl != vp->partition->config.boot_vtl)
		return false;
	/* TLFS "INIT and SIPI": dropped if a higher VTL is enabled, whatever its configuration. */
	return !(atomic_load(&vp->enabled_vtls) & vtls_above(vtl)) &&
	       !denied_from_above(vp->partition, vtl);
}
