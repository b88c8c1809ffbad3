/* SPDX-License-Identifier: BSD-2-Clause */
#include "hypercall_test.h"

/* Calls whose input begins with a partition id, with the size of their input for one element. */
static const struct {
	uint16_t code;
	bool rep;
	size_t size;
} calls[] = {
	{HV_CALL_MODIFY_VTL_PROTECTION_MASK, true, 24},
	{HV_CALL_ENABLE_PARTITION_VTL, false, 16},
	{HV_CALL_ENABLE_VP_VTL, false, 240},
	{HV_CALL_INSTALL_INTERCEPT, false, 24},
	{HV_CALL_GET_VP_REGISTERS, true, 24},
	{HV_CALL_SET_VP_REGISTERS, true, 48},
	{HV_CALL_TRANSLATE_VIRTUAL_ADDRESS, false, 32},
	{HV_CALL_ASSERT_VIRTUAL_INTERRUPT, false, 32},
	{HV_CALL_START_VIRTUAL_PROCESSOR, false, 240},
	{HV_CALL_GET_VP_INDEX_FROM_APIC_ID, true, 24},
	{HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX, false, 32},
	{HV_CALL_CHECK_FOR_IO_INTERCEPT, false, 24},
	{HV_CALL_CHECK_SPARSE_GPA_PAGE_VTL_ACCESS, true, 24},
	{HV_CALL_GET_VP_CPUID_VALUES, true, 32},
};

/* The input is zero except for the ID: the status shows whether the ID was accepted. */
static uint16_t call_with(size_t index, uint64_t id)
{
	struct vsm_partition *partition = guest_partition(1, 1, TEST_RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint8_t input[240] = {0};
	uint8_t output[64];
	uint16_t status;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	memcpy(input, &id, sizeof(id));
	/* Calls that require a target VTL below the caller's. */
	if (calls[index].code == HV_CALL_TRANSLATE_VIRTUAL_ADDRESS ||
	    calls[index].code == HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX)
		input[23] = HV_INPUT_VTL_USE_TARGET;
	status = status_of(
		guest_call(vp, control_word(calls[index].code, false, 0, calls[index].rep, 0),
			   input, calls[index].size, output, sizeof(output)));
	vsm_partition_destroy(partition);
	return status;
}

static void the_own_id_and_self_have_the_same_effect_in_every_call(void **state)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const uint16_t self = call_with(i, HV_PARTITION_ID_SELF);
		const uint16_t own = call_with(i, HYPERCALL_PARTITION_ID);
		const uint16_t other = call_with(i, HYPERCALL_PARTITION_ID + 4);

		assert_non_null(hypercall_find(calls[i].code));
		if (own != self || own == HV_STATUS_INVALID_PARTITION_ID)
			fail_msg("call %#x: %#x with SELF, %#x with the own id", calls[i].code,
				 self, own);
		assert_true(other == HV_STATUS_INVALID_PARTITION_ID ||
			    other == HV_STATUS_ACCESS_DENIED);
		assert_int_equal(call_with(i, 0), other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_own_id_and_self_have_the_same_effect_in_every_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
