/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"

#include "fixture.h"

#define VTL0 0x10u /* HV_INPUT_VTL: UseTargetVtl, VTL0 */

static uint64_t interruption(uint64_t type, uint64_t vector)
{
	return HV_PENDING_INTERRUPTION_PENDING | type << HV_PENDING_INTERRUPTION_TYPE_SHIFT |
	       vector << HV_PENDING_INTERRUPTION_VECTOR_SHIFT;
}

/* shows: interruption of taken; register HvRegisterPendingInterruption
 * refuses: interruption of refused
 */
static void each_type_of_pending_interruption_is_taken_or_refused(void **state)
{
	static const struct {
		uint64_t type;
		uint64_t vector;
	} taken[] = {
		{HV_INTERRUPTION_TYPE_EXTERNAL_INTERRUPT, 0x41},
		{HV_INTERRUPTION_TYPE_NMI, 2},
		{HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT, 0x80},
	};
	/* A pending exception is set by PendingEvent0 instead. */
	static const struct {
		uint64_t type;
		uint64_t vector;
	} refused[] = {
		{HV_INTERRUPTION_TYPE_HARDWARE_EXCEPTION, 13},
		{HV_INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, 1},
		{HV_INTERRUPTION_TYPE_SOFTWARE_EXCEPTION, 3},
	};
	const uint32_t name = HV_REGISTER_PENDING_INTERRUPTION;
	uint64_t value;

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		const uint64_t wanted = interruption(taken[i].type, taken[i].vector);

		assert_int_equal(guest_set_register(vp, 1, VTL0, name, wanted), 0);
		assert_int_equal(guest_get_register(vp, 1, VTL0, name, &value), 0);
		assert_int_equal(value, wanted);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(
			guest_set_register(vp, 1, VTL0, name,
					   interruption(refused[i].type, refused[i].vector)),
			HV_STATUS_INVALID_REGISTER_VALUE);
		assert_int_equal(guest_get_register(vp, 1, VTL0, name, &value), 0);
		assert_int_equal(value,
				 interruption(HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT, 0x80));
	}
	assert_int_equal(guest_set_register(vp, 0, VTL0, name, interruption(0, 0x41)), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_true(was_delivered(vp, 0, 0x41, 0));
}

/* shows: event HV_PENDING_EVENT_EXCEPTION; register HvRegisterPendingEvent0; rule intercept-handling
 * refuses: event of refused
 */
static void of_the_types_of_pending_event_only_an_exception_is_injected(void **state)
{
	static const uint64_t refused[] = {
		HV_PENDING_EVENT_MEMORY_INTERCEPT,
		HV_PENDING_EVENT_NESTED_MEMORY_INTERCEPT,
		HV_PENDING_EVENT_VIRTUALIZATION_FAULT,
		HV_PENDING_EVENT_HYPERCALL_OUTPUT,
		HV_PENDING_EVENT_EXT_INT,
		HV_PENDING_EVENT_SHADOW_IPT,
	};
	const uint64_t undefined = HV_PENDING_EVENT_PENDING |
				   HV_PENDING_EVENT_EXCEPTION << HV_PENDING_EVENT_TYPE_SHIFT |
				   UINT64_C(6) << HV_PENDING_EXCEPTION_VECTOR_SHIFT;

	assert_int_equal(guest_set_register(vp, 0, VTL0, HV_REGISTER_PENDING_EVENT0, undefined), 0);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(
			guest_set_register(vp, 0, VTL0, HV_REGISTER_PENDING_EVENT0,
					   undefined | refused[i] << HV_PENDING_EVENT_TYPE_SHIFT),
			HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	guest_nop(vp);
	assert_int_equal(sim_state(vp, 0)->exception_vector, 6);
}

/* shows: leaf of leaves
 * refuses: leaf of absent
 */
static void each_leaf_has_the_values_of_the_interface(void **state)
{
	const struct {
		uint32_t leaf;
		uint32_t value[4];
	} leaves[] = {
		{HV_CPUID_VENDOR_AND_MAX_FUNCTION,
		 {0x4000000b, 0x7263694d, 0x666f736f, 0x76482074}},
		{HV_CPUID_INTERFACE, {0x31237648, 0, 0, 0}},
		{HV_CPUID_VERSION, {20348, 10 << 16, 0, 0}},
		{HV_CPUID_FEATURES,
		 {(uint32_t)partition->privileges, (uint32_t)(partition->privileges >> 32), 0,
		  partition->features_edx}},
		{HV_CPUID_ENLIGHTENMENT_INFO, {partition->recommendations, UINT32_MAX, 46, 0}},
		{HV_CPUID_IMPLEMENT_LIMITS, {2048, 0, 0, 0}},
		/* Leaves of hardware features, of a root partition and of nested virtualization are zero. */
		{HV_CPUID_HARDWARE_FEATURES, {0}},
		{HV_CPUID_CPU_MANAGEMENT_FEATURES, {0}},
		{HV_CPUID_PASID_FEATURES, {0}},
		{HV_CPUID_NESTED_PRIVILEGES, {0}},
		{HV_CPUID_NESTED_FEATURES, {0}},
		{HV_CPUID_IPT_FEATURES, {0}},
	};
	static const uint32_t absent[] = {
		HV_CPUID_ISOLATION_CONFIG,
		HV_CPUID_VIRT_STACK_VENDOR_AND_MAX,
		HV_CPUID_VIRT_STACK_INTERFACE,
		HV_CPUID_VIRT_STACK_PROPERTIES,
	};
	static const uint32_t nothing[4];
	uint32_t value[4];

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		for (uint8_t vtl = 0; vtl < 2; vtl++) {
			cpuid_get(vp, vtl, leaves[i].leaf, 0, value);
			assert_memory_equal(value, leaves[i].value, sizeof(value));
		}
	}
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		cpuid_get(vp, 0, absent[i], 0, value);
		assert_memory_equal(value, nothing, sizeof(value));
	}
}

static uint16_t call_status(uint16_t code)
{
	uint64_t result;

	assert_int_equal(guest_hypercall(vp, code, GUEST_PARAMETER_GPA, GUEST_PARAMETER_GPA + 0x800,
					 &result),
			 GUEST_DONE);
	return (uint16_t)result;
}

/* shows: privilege of rows */
static void a_hypercall_is_denied_without_its_privilege(void **state)
{
	static const struct {
		uint64_t privilege;
		uint16_t code;
	} rows[] = {
		{HV_PRIVILEGE(ACCESS_PARTITION_ID), HV_CALL_GET_PARTITION_ID},
		{HV_PRIVILEGE(POST_MESSAGES), HV_CALL_POST_MESSAGE},
		{HV_PRIVILEGE(SIGNAL_EVENTS), HV_CALL_SIGNAL_EVENT},
		{HV_PRIVILEGE(ACCESS_VSM), HV_CALL_ENABLE_PARTITION_VTL},
		{HV_PRIVILEGE(ACCESS_VP_REGISTERS), HV_CALL_GET_VP_REGISTERS},
		{HV_PRIVILEGE(START_VIRTUAL_PROCESSOR), HV_CALL_START_VIRTUAL_PROCESSOR},
		{HV_PRIVILEGE(ENABLE_EXTENDED_HYPERCALLS), HV_EXT_CALL_QUERY_CAPABILITIES},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint64_t others = partition->privileges & ~rows[i].privilege;

		partition->privileges = others;
		if (call_status(rows[i].code) != HV_STATUS_ACCESS_DENIED)
			fail_msg("call 0x%x needs no privilege", rows[i].code);
		partition->privileges = others | rows[i].privilege;
		if (call_status(rows[i].code) == HV_STATUS_ACCESS_DENIED)
			fail_msg("call 0x%x is denied with its privilege", rows[i].code);
	}
}

static uint64_t flush_list(uint64_t flags, uint64_t range)
{
	const struct {
		struct hv_flush_virtual_address_ex_input header;
		uint64_t bank;
		uint64_t range;
	} input = {{.flags = flags, .vp_set = {0, 1}}, 2, range};

	return guest_call(vp,
			  HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX | 1 << HV_HYPERCALL_VARHEAD_SHIFT |
				  UINT64_C(1) << 32,
			  &input, sizeof(input), NULL, 0);
}

/* shows: privilege EnableExtendedGvaRangesForFlushVirtualAddressList; hypercall
 * HvCallFlushVirtualAddressListEx; feature ExtendedGvaRangesForFlushVirtualAddressList; recommendation
 * UseExProcessorMasks
 */
static void ranges_of_large_pages_are_flushed_where_they_are_offered(void **state)
{
	struct vsm_vp *other = vsm_partition_vp(partition, 1);
	struct vsm_config config;
	struct vsm_partition *plain;

	/* The same VP by plain and by extended ranges. */
	for (uint64_t flags = 0; flags <= HV_FLUSH_USE_EXTENDED_RANGE_FORMAT;
	     flags += HV_FLUSH_USE_EXTENDED_RANGE_FORMAT) {
		atomic_store(&other->flush_wanted, 0);
		assert_int_equal(flush_list(flags, 0x200000), hv_hypercall_result(0, 1));
		assert_int_equal(atomic_load(&other->flush_wanted), vtl_bit(1));
	}
	/* Without the privilege the feature is not offered, and the flag is refused. */
	vsm_config_init(&config);
	config.privileges &= ~HV_PRIVILEGE(ENABLE_EXTENDED_GVA_RANGES);
	assert_int_equal(partition_create(&config, &sim_ops, NULL, &plain), 0);
	partition->features_edx = plain->features_edx;
	vsm_partition_destroy(plain);
	assert_int_equal((uint16_t)flush_list(HV_FLUSH_USE_EXTENDED_RANGE_FORMAT, 0x200000),
			 HV_STATUS_INVALID_PARAMETER);
}

#define RECOMMEND(name) HV_RECOMMEND_BIT_##name

/* Recommendations without a call or an MSR are the choice of the VMM. */
/* shows: recommendation of rows */
static void each_recommendation_is_made_if_the_vmm_enables_it(void **state)
{
	static const struct {
		uint8_t bit;
		uint16_t call; /* hypercall that has to work, or 0 */
		uint32_t msr;  /* MSR that has to work, or 0 */
	} rows[] = {
		{RECOMMEND(LOCAL_FLUSH_HYPERCALL), HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0},
		{RECOMMEND(REMOTE_FLUSH_HYPERCALL), HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0},
		{RECOMMEND(APIC_MSRS), 0, HV_X64_MSR_TPR},
		{RECOMMEND(RESET_MSR), 0, HV_X64_MSR_RESET},
		{RECOMMEND(RELAXED_TIMING), 0, 0},
		{RECOMMEND(X2APIC_MSRS), 0, 0},
		{RECOMMEND(DEPRECATE_AUTO_EOI), 0, HV_X64_MSR_EOI},
		{RECOMMEND(SYNTHETIC_CLUSTER_IPI), HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI, 0},
		{RECOMMEND(EX_PROCESSOR_MASKS), HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, 0},
		{RECOMMEND(DIRECT_LOCAL_FLUSH_ENTIRE), 0, 0},
		{RECOMMEND(X2APIC), 0, 0},
		{RECOMMEND(CORE_SCHEDULER), 0, 0},
		{RECOMMEND(NO_NON_ARCHITECTURAL_CORE_SHARING), 0, 0},
	};
	uint64_t value;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vsm_config config;
		struct vsm_partition *one = NULL;
		uint32_t leaf[4];

		vsm_config_init(&config);
		config.recommendations = 1u << rows[i].bit;
		assert_int_equal(partition_create(&config, &sim_ops, NULL, &one), 0);
		cpuid_get(vsm_partition_vp(one, 0), 0, HV_CPUID_ENLIGHTENMENT_INFO, 0, leaf);
		assert_int_equal(leaf[0], 1u << rows[i].bit);
		vsm_partition_destroy(one);
		if (rows[i].call)
			assert_int_not_equal(call_status(rows[i].call),
					     HV_STATUS_INVALID_HYPERCALL_CODE);
		if (rows[i].msr)
			assert_true(guest_rdmsr(vp, rows[i].msr, &value) == GUEST_DONE ||
				    guest_wrmsr(vp, rows[i].msr, 0) == GUEST_DONE);
	}
}

static int setup(void **state)
{
	return fixture_in_vtl1(2, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_type_of_pending_interruption_is_taken_or_refused),
		TEST(of_the_types_of_pending_event_only_an_exception_is_injected),
		TEST(each_leaf_has_the_values_of_the_interface),
		TEST(a_hypercall_is_denied_without_its_privilege),
		TEST(ranges_of_large_pages_are_flushed_where_they_are_offered),
		TEST(each_recommendation_is_made_if_the_vmm_enables_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
