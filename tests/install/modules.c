/* SPDX-License-Identifier: BSD-2-Clause */
/* Links the stand-alone modules without libvsm. */
#include <vsm/ioapic.h>
#include <vsm/lapic.h>
#include <vsm/walk.h>

int main(void)
{
	static const struct vsm_ioapic_config config;

	return vsm_lapic_router_size(1) == 0 || !vsm_walk_reason_name(0) || sizeof(config) == 0;
}
