/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of a paravisor in VTL2 (OpenHCL, Linux' mshv_vtl) that libvsm does not support. */
#include "core_test.h"

static struct vsm_vp *in_vtl2(struct vsm_partition **partition)
{
	struct vsm_vp *vp;

	*partition = guest_partition(1, 2, RAM, NULL);
	vp = vsm_partition_vp(*partition, 0);
	guest_enable_vtl(*partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	guest_enable_vtl(*partition, 2);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 2);
	return vp;
}

/* refuses: rule vtl2-config, vtl2-capabilities, vtl2-intercepts, vtl2-registers, vtl2-direct, vtl2-calls,
 * config-intercept-startup, return-actions; entry HvVtlEntryIntercept
 */
static void a_paravisor_is_refused_what_is_not_offered(void **state)
{
	static const uint32_t types[] = {
		HV_INTERCEPT_TYPE_X64_MSR, /* parameter 0: all MSRs */
		HV_INTERCEPT_TYPE_X64_CPUID,
		HV_INTERCEPT_TYPE_EXCEPTION,
		HV_INTERCEPT_TYPE_HYPERCALL,
		HV_INTERCEPT_TYPE_UNKNOWN_SYNIC_CONNECTION,
		HV_INTERCEPT_TYPE_X64_APIC_EOI,
		HV_INTERCEPT_TYPE_RETARGET_INTERRUPT_WITH_UNKNOWN_DEVICE_ID,
	};
	static const uint32_t registers[] = {
		HV_REGISTER_GUEST_VSM_PARTITION_CONFIG,
		HV_REGISTER_DELIVERABILITY_NOTIFICATIONS,
		HV_X64_REGISTER_REGISTER_PAGE,
	};
	static const uint16_t calls[] = {0x91, 0xc0, 0xc1, 0xd9, 0xda, 0x103, 0x112, 0x113};
	struct vsm_partition *partition;
	struct vsm_vp *vp = in_vtl2(&partition);
	const uint32_t config = HV_REGISTER_VSM_PARTITION_CONFIG;
	uint64_t value;

	for (unsigned int bit = 7; bit <= 15; bit++)
		assert_int_equal(guest_set_register(vp, 0, 0, config, 0x3f | UINT64_C(1) << bit),
				 HV_STATUS_INVALID_REGISTER_VALUE);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (uint32_t access = 1; access < 8; access++) {
			const struct hv_install_intercept_input input = {
				.partition_id = HV_PARTITION_ID_SELF,
				.access_type_mask = access,
				.intercept_type = types[i],
			};

			assert_int_equal((uint16_t)guest_call(vp, HV_CALL_INSTALL_INTERCEPT, &input,
							      sizeof(input), NULL, 0),
					 HV_STATUS_INVALID_PARAMETER);
		}
	}
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		assert_int_equal(guest_get_register(vp, 0, 0, registers[i], &value),
				 HV_STATUS_INVALID_PARAMETER);
		assert_int_equal(guest_set_register(vp, 0, 0, registers[i], 1),
				 HV_STATUS_INVALID_PARAMETER);
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		assert_int_equal((uint16_t)guest_call(vp, calls[i], &value, sizeof(value), NULL, 0),
				 HV_STATUS_INVALID_HYPERCALL_CODE);
	/* The capabilities do not offer them either. */
	assert_int_equal(guest_get_register(vp, 0, 0, HV_REGISTER_VSM_CAPABILITIES, &value), 0);
	assert_int_equal(value >> 18, 0);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_paravisor_is_refused_what_is_not_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
