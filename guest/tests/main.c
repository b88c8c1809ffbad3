/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/kit.h"
#include "kit/smp.h"
#include "kit/vtl.h"

/* In the order in which they run: VTLs stay enabled until a reset. */
static const struct tap_topic *const topics[] = {
	&topic_machine,	   &topic_msrs,	   &topic_apic,	     &topic_ioapic,    &topic_devices,
	&topic_offer,	   &topic_enable,  &topic_switch,    &topic_shared,    &topic_protect,
	&topic_tables,	   &topic_fetch,   &topic_calls,     &topic_intercept, &topic_interrupt,
	&topic_timer,	   &topic_vina,	   &topic_translate, &topic_registers, &topic_start,
	&topic_halt,	   &topic_hostile, &topic_overlay,   &topic_three,     &topic_reset,
	&topic_connection, &topic_soak,	   &topic_mbec,
};

const char *needs_hypercalls(void)
{
	if (!hypercall_offered())
		return "no VSM offered: this is no hypervisor with the Hyper-V interface";
	if (!hypercall_page[0])
		hypercall_enable();
	return NULL;
}

const char *needs_vsm(void)
{
	const char *reason = needs_hypercalls();

	if (reason)
		return reason;
	if ((hypercall_privileges() & HV_PRIVILEGES_FOR_VSM) != HV_PRIVILEGES_FOR_VSM)
		return "no VSM offered: CPUID 0x40000003 lacks a privilege that it needs";
	return NULL;
}

static void set_config(void *argument)
{
	const uint64_t config = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION |
				HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK |
				HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET;

	expect_equal(
		register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_PARTITION_CONFIG, config),
		HV_STATUS_SUCCESS);
}

const char *needs_vtl1(void)
{
	return needs_vtl1_with(0);
}

const char *needs_vtl1_with(uint8_t flags)
{
	static bool enabled;
	const char *reason = needs_vsm();

	if (reason || enabled)
		return reason;
	if (!vtl_service_of[0][1] &&
	    !expect_equal(vtl_enable_all_with(1, flags), HV_STATUS_SUCCESS))
		return "VTL1 cannot be enabled";
	vtl_run(set_config, NULL);
	enabled = true;
	return NULL;
}

uint8_t kit_main(void)
{
	print("# VPs: %u\n", smp_count);
	return tap_run(topics, sizeof(topics) / sizeof(topics[0])) ? EXIT_STATUS_PASS
								   : EXIT_STATUS_FAIL;
}
