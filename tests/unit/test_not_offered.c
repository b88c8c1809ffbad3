/* SPDX-License-Identifier: BSD-2-Clause */
/* Items of the TLFS that libvsm does not offer. The lists are written out, so that they are
 * independent of the tables that drive the code. */
#include "core_test.h"

#include "fixture.h"

/* refuses: hypercall of calls; rule disable-vtl */
static void a_hypercall_that_is_not_offered_is_an_invalid_code(void **state)
{
	static const uint16_t calls[] = {
		HV_CALL_SWITCH_VIRTUAL_ADDRESS_SPACE,
		HV_CALL_GET_LOGICAL_PROCESSOR_RUN_TIME,
		HV_CALL_PARKED_VIRTUAL_PROCESSORS,
		HV_CALL_INVOKE_HYPERVISOR_DEBUGGER,
		HV_CALL_DISABLE_PARTITION_VTL,
		HV_CALL_DISABLE_VP_VTL,
		HV_CALL_GET_PARTITION_PROPERTY,
		HV_CALL_SET_PARTITION_PROPERTY,
		HV_CALL_DEPOSIT_MEMORY,
		HV_CALL_WITHDRAW_MEMORY,
		HV_CALL_GET_MEMORY_BALANCE,
		HV_CALL_READ_GPA,
		HV_CALL_WRITE_GPA,
		HV_CALL_POST_DEBUG_DATA,
		HV_CALL_RETRIEVE_DEBUG_DATA,
		HV_CALL_RESET_DEBUG_SESSION,
		HV_CALL_MAP_STATS_PAGE,
		HV_CALL_UNMAP_STATS_PAGE,
		HV_CALL_MAP_SPARSE_GPA_PAGES,
		HV_CALL_OUTPUT_DEBUG_CHARACTER,
		HV_CALL_GET_SYSTEM_PROPERTY,
		HV_CALL_RETARGET_DEVICE_INTERRUPT,
		HV_CALL_NOTIFY_PARTITION_EVENT,
		HV_CALL_NOTIFY_PORT_RING_EMPTY,
		HV_CALL_MODIFY_SPARSE_GPA_PAGES,
		HV_CALL_REGISTER_INTERCEPT_RESULT,
		HV_CALL_UNREGISTER_INTERCEPT_RESULT,
		HV_CALL_SET_GPA_PAGE_ATTRIBUTES,
		HV_CALL_FLUSH_GUEST_PHYSICAL_ADDRESS_SPACE,
		HV_CALL_FLUSH_GUEST_PHYSICAL_ADDRESS_LIST,
		HV_CALL_COMPLETE_INTERCEPT,
		HV_CALL_SIGNAL_EVENT_DIRECT,
		HV_CALL_POST_MESSAGE_DIRECT,
		HV_CALL_QUERY_VTL_PROTECTION_MASK_RANGE,
		HV_CALL_MODIFY_VTL_PROTECTION_MASK_RANGE,
		HV_CALL_FLUSH_TLB,
		HV_CALL_ACCEPT_GPA_PAGES,
		HV_CALL_UNACCEPT_GPA_PAGES,
		HV_CALL_MODIFY_SPARSE_GPA_PAGE_HOST_VISIBILITY,
		HV_CALL_GET_INTERCEPT_DATA,
		HV_CALL_MAP_VP_STATE_PAGE,
		HV_CALL_UNMAP_VP_STATE_PAGE,
		HV_CALL_GET_VP_STATE,
		HV_CALL_SET_VP_STATE,
		HV_CALL_GET_VP_SET_FROM_MDA,
		HV_CALL_RESTORE_PARTITION_TIME,
		HV_CALL_MEMORY_MAPPED_IO_READ,
		HV_CALL_MEMORY_MAPPED_IO_WRITE,
		HV_CALL_INSTALL_INTERCEPT_EX,
		HV_CALL_PIN_GPA_PAGE_RANGES,
		HV_CALL_UNPIN_GPA_PAGE_RANGES,
		HV_CALL_QUERY_SPARSE_GPA_PAGE_HOST_VISIBILITY,
		HV_EXT_CALL_GET_BOOT_ZEROED_MEMORY,
		HV_EXT_CALL_MEMORY_HEAT_HINT,
		HV_EXT_CALL_EPF_SETUP,
		HV_EXT_CALL_SCHEDULER_ASSIST_SETUP,
		HV_EXT_CALL_MEMORY_HEAT_HINT_ASYNC,
		HV_CALL_VBS_VM_CALL_REPORT,
	};
	uint64_t result;

	partition->privileges |= HV_PRIVILEGE(ENABLE_EXTENDED_HYPERCALLS);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		for (uint64_t fast = 0; fast < 2; fast++) {
			assert_int_equal(guest_hypercall(vp, calls[i] | fast << 16,
							 GUEST_PARAMETER_GPA,
							 GUEST_PARAMETER_GPA + 0x800, &result),
					 GUEST_DONE);
			if ((uint16_t)result != HV_STATUS_INVALID_HYPERCALL_CODE)
				fail_msg("call 0x%x: status %u", calls[i], (uint16_t)result);
		}
	}
}

/* refuses: register of names */
static void a_register_that_is_not_offered_is_an_invalid_parameter(void **state)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} names[] = {
		{HV_REGISTER_EXPLICIT_SUSPEND, HV_REGISTER_INTERCEPT_SUSPEND},
		{HV_REGISTER_DISPATCH_SUSPEND, HV_REGISTER_DISPATCH_SUSPEND},
		{HV_REGISTER_POWER_STATE_CONFIG_C1, HV_REGISTER_SYSTEM_RESET},
		{HV_REGISTER_GUEST_IDLE, HV_REGISTER_MEMORY_ZEROING_CONTROL},
		{HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_REGISTER_PENDING_EVENT3},
		{HV_X64_REGISTER_INTERMEDIATE_CR0, HV_X64_REGISTER_INTERMEDIATE_CR8},
		{HV_X64_REGISTER_MSR_MTRR_PHYS_BASE8, HV_X64_REGISTER_MSR_MTRR_PHYS_BASEF},
		{HV_X64_REGISTER_MSR_MTRR_PHYS_MASK8, HV_X64_REGISTER_MSR_MTRR_PHYS_MASKF},
		{HV_X64_REGISTER_M_COUNT, HV_X64_REGISTER_SGX_LAUNCH_CONTROL3},
		{HV_X64_REGISTER_PRED_CMD, HV_X64_REGISTER_PRED_CMD},
		{HV_X64_REGISTER_TSC_VIRTUAL_OFFSET, HV_X64_REGISTER_TSC_VIRTUAL_OFFSET},
		{HV_X64_REGISTER_MSR_MC_UPDATE_PATCH_LEVEL, HV_X64_REGISTER_AVAILABLE1},
		{HV_X64_REGISTER_U_CET, HV_X64_REGISTER_TSC_VIRTUAL_MULTIPLIER},
		{HV_X64_REGISTER_PASID, HV_X64_REGISTER_PASID},
		{HV_X64_REGISTER_IA32_FEATURE_CONTROL, HV_X64_REGISTER_LBR_INFO0},
		{HV_REGISTER_CPU_MANAGEMENT_VERSION, HV_REGISTER_CPU_MANAGEMENT_VERSION},
		{HV_REGISTER_VP_ROOT_SIGNAL_COUNT, HV_REGISTER_VP_ROOT_SIGNAL_COUNT},
		{HV_REGISTER_VP_CONFIG, HV_X64_REGISTER_GHCB},
		{HV_REGISTER_GUEST_SCHEDULER_EVENT, HV_REGISTER_NESTED_VP_INDEX},
		{HV_REGISTER_SIRBP, HV_REGISTER_NESTED_SIRBP},
		{HV_REGISTER_STIME_UNHALTED_TIMER_CONFIG, HV_REGISTER_STIME_UNHALTED_TIMER_COUNT},
		{HV_REGISTER_VSM_VP_VTL_CONTROL, HV_REGISTER_VSM_VP_VTL_CONTROL},
		{HV_REGISTER_GUEST_VSM_PARTITION_CONFIG, HV_REGISTER_GUEST_VSM_PARTITION_CONFIG},
		{HV_REGISTER_VSM_VP_WAIT_FOR_TLB_LOCK, HV_REGISTER_VSM_VP_WAIT_FOR_TLB_LOCK},
	};
	uint64_t value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (uint32_t name = names[i].first; name <= names[i].last; name++) {
			for (uint8_t input_vtl = 0; input_vtl <= 0x10; input_vtl += 0x10) {
				assert_int_equal(guest_get_register(vp, 0, input_vtl, name, &value),
						 HV_STATUS_INVALID_PARAMETER);
				assert_int_equal(guest_set_register(vp, 0, input_vtl, name, 1),
						 HV_STATUS_INVALID_PARAMETER);
			}
		}
	}
}

/* refuses: msr of numbers */
static void an_msr_that_is_not_offered_faults(void **state)
{
	static const uint32_t numbers[] = {
		HV_X64_MSR_CPU_MGMT_VERSION,
		HV_X64_MSR_NPIEP_CONFIG,
		HV_X64_MSR_SIRBP,
		HV_X64_MSR_PERF_FEEDBACK_TRIGGER,
		HV_X64_MSR_GUEST_SCHEDULER_EVENT,
		HV_X64_MSR_SYNDBG_CONTROL,
		HV_X64_MSR_SYNDBG_STATUS,
		HV_X64_MSR_SYNDBG_SEND_BUFFER,
		HV_X64_MSR_SYNDBG_RECV_BUFFER,
		HV_X64_MSR_SYNDBG_PENDING_BUFFER,
		HV_X64_MSR_DEBUG_DEVICE_OPTIONS,
		HV_X64_MSR_REENLIGHTENMENT_CONTROL,
		HV_X64_MSR_TSC_EMULATION_CONTROL,
		HV_X64_MSR_TSC_EMULATION_STATUS,
		HV_X64_MSR_SWATCHDOG_CONFIG,
		HV_X64_MSR_SWATCHDOG_COUNT,
		HV_X64_MSR_SWATCHDOG_STATUS,
		HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG,
		HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT,
		HV_X64_MSR_MEMORY_ZEROING_CONTROL,
		HV_X64_MSR_BELOW_1MB_PAGE,
		HV_X64_MSR_NESTED_VP_INDEX,
		HV_X64_MSR_NESTED_SCONTROL,
		HV_X64_MSR_NESTED_SVERSION,
		HV_X64_MSR_NESTED_SIEFP,
		HV_X64_MSR_NESTED_SIMP,
		HV_X64_MSR_NESTED_EOM,
		HV_X64_MSR_NESTED_SIRBP,
		HV_X64_MSR_NESTED_SINT0,
		HV_X64_MSR_NESTED_SINT1,
		HV_X64_MSR_NESTED_SINT2,
		HV_X64_MSR_NESTED_SINT3,
		HV_X64_MSR_NESTED_SINT4,
		HV_X64_MSR_NESTED_SINT5,
		HV_X64_MSR_NESTED_SINT6,
		HV_X64_MSR_NESTED_SINT7,
		HV_X64_MSR_NESTED_SINT8,
		HV_X64_MSR_NESTED_SINT9,
		HV_X64_MSR_NESTED_SINT10,
		HV_X64_MSR_NESTED_SINT11,
		HV_X64_MSR_NESTED_SINT12,
		HV_X64_MSR_NESTED_SINT13,
		HV_X64_MSR_NESTED_SINT14,
		HV_X64_MSR_NESTED_SINT15,
	};
	uint64_t value;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (guest_rdmsr(vp, numbers[i], &value) != GUEST_FAULT)
			fail_msg("RDMSR 0x%x does not fault", numbers[i]);
		assert_int_equal(sim_state(vp, 1)->exception_vector, X64_EXCEPTION_GP);
		if (guest_wrmsr(vp, numbers[i], 1) != GUEST_FAULT)
			fail_msg("WRMSR 0x%x does not fault", numbers[i]);
		assert_int_equal(sim_state(vp, 1)->exception_vector, X64_EXCEPTION_GP);
	}
}

/* CPUID does not offer it either: leaf 1, ECX[24] (SDM 3A "TSC-Deadline Mode"). */
/* refuses: rule tsc-deadline; register HvX64RegisterTscDeadline */
static void the_apic_timer_has_no_tsc_deadline_mode(void **state)
{
	uint32_t leaf[4];
	uint64_t value;

	cpuid_get(vp, 1, 1, 0, leaf);
	assert_int_equal(leaf[2] >> 24 & 1, 0);
	assert_int_equal(guest_rdmsr(vp, X64_MSR_TSC_DEADLINE, &value), GUEST_FAULT);
	assert_int_equal(guest_wrmsr(vp, X64_MSR_TSC_DEADLINE, 1), GUEST_FAULT);
	assert_int_equal(guest_get_register(vp, 0, 0x10, HV_X64_REGISTER_TSC_DEADLINE, &value),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest_set_register(vp, 0, 0x10, HV_X64_REGISTER_TSC_DEADLINE, 1),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest_write(vp, 0xfee00320, 4, 0x40093), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0xfee00320, 4, &value), GUEST_DONE);
	assert_int_equal(value & 0x40000, 0);
}

static struct vsm_partition *partition_with_all_bits(void)
{
	struct vsm_partition *all = NULL;
	struct vsm_config config;

	vsm_config_init(&config);
	config.privileges = UINT64_MAX;
	config.features = UINT32_MAX;
	config.recommendations = UINT32_MAX;
	assert_int_equal(partition_create(&config, &sim_ops, NULL, &all), 0);
	return all;
}

#define PRIVILEGE(name) HV_PRIVILEGE_BIT_##name
#define FEATURE(name)	HV_FEATURE_BIT_##name
#define RECOMMEND(name) HV_RECOMMEND_BIT_##name

/* refuses: privilege of privileges; feature of features; recommendation of recommendations; rule
 * time-unhalted */
static void a_bit_that_is_not_implemented_is_not_in_cpuid_even_if_the_vmm_enables_it(void **state)
{
	static const uint8_t privileges[] = {
		PRIVILEGE(ACCESS_STATS_REG),
		PRIVILEGE(ACCESS_DEBUG_REGS),
		PRIVILEGE(ACCESS_REENLIGHTENMENT_CONTROLS),
		PRIVILEGE(ACCESS_ROOT_SCHEDULER_REG),
		PRIVILEGE(CREATE_PARTITIONS),
		PRIVILEGE(ACCESS_MEMORY_POOL),
		PRIVILEGE(ADJUST_MESSAGE_BUFFERS),
		PRIVILEGE(CREATE_PORT),
		PRIVILEGE(CONNECT_PORT),
		PRIVILEGE(ACCESS_STATS),
		PRIVILEGE(DEBUGGING),
		PRIVILEGE(CPU_MANAGEMENT),
		PRIVILEGE(CONFIGURE_PROFILER),
		PRIVILEGE(ENABLE_EXPANDED_STACKWALKING),
		PRIVILEGE(ISOLATION),
	};
	static const uint8_t features[] = {
		FEATURE(MWAIT),
		FEATURE(GUEST_DEBUGGING),
		FEATURE(PERFORMANCE_MONITORS),
		FEATURE(CPU_DYNAMIC_PARTITIONING),
		FEATURE(HYPERVISOR_SLEEP_STATE),
		FEATURE(NUMA_DISTANCE_QUERY),
		FEATURE(SYNTHETIC_MACHINE_CHECK),
		FEATURE(DEBUG_REGS),
		FEATURE(NPIEP),
		FEATURE(DISABLE_HYPERVISOR),
		FEATURE(PASID_FEATURES),
		FEATURE(BNDCFGS_REGISTER_FOR_VSM),
		FEATURE(WATCHDOG_TIMER),
		FEATURE(SYNTHETIC_TIME_UNHALTED_TIMER),
		FEATURE(DEVICE_DOMAINS),
		FEATURE(S1_DEVICE_DOMAINS),
		FEATURE(LBR),
		FEATURE(IPT),
		FEATURE(IDLE_SPEC_CTRL),
		FEATURE(APIC_EOI_INTERCEPT),
	};
	static const uint8_t recommendations[] = {
		RECOMMEND(ADDRESS_SPACE_SWITCH_HYPERCALL),
		RECOMMEND(DMA_REMAPPING),
		RECOMMEND(INTERRUPT_REMAPPING),
		RECOMMEND(NESTED),
		RECOMMEND(INT_FOR_MBEC_SYSTEM_CALLS),
		RECOMMEND(ENLIGHTENED_VMCS),
		RECOMMEND(SYNCED_TIMELINE),
		RECOMMEND(RESTORE_TIME_ON_RESUME),
		RECOMMEND(HYPERCALL_MMIO),
		RECOMMEND(GPA_PINNING_HYPERCALL),
		RECOMMEND(WAKE_VPS),
	};
	struct vsm_partition *all = partition_with_all_bits();
	struct vsm_vp *first = vsm_partition_vp(all, 0);
	uint32_t leaf[4];

	cpuid_get(first, 0, HV_CPUID_FEATURES, 0, leaf);
	for (size_t i = 0; i < sizeof(privileges) / sizeof(privileges[0]); i++)
		assert_int_equal(((uint64_t)leaf[1] << 32 | leaf[0]) >> privileges[i] & 1, 0);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		assert_int_equal(leaf[3] >> features[i] & 1, 0);
	cpuid_get(first, 0, HV_CPUID_ENLIGHTENMENT_INFO, 0, leaf);
	for (size_t i = 0; i < sizeof(recommendations) / sizeof(recommendations[0]); i++)
		assert_int_equal(leaf[0] >> recommendations[i] & 1, 0);
	vsm_partition_destroy(all);
}

static int setup(void **state)
{
	return fixture_in_vtl1(2, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_hypercall_that_is_not_offered_is_an_invalid_code),
		TEST(a_register_that_is_not_offered_is_an_invalid_parameter),
		TEST(an_msr_that_is_not_offered_faults),
		TEST(the_apic_timer_has_no_tsc_deadline_mode),
		cmocka_unit_test(
			a_bit_that_is_not_implemented_is_not_in_cpuid_even_if_the_vmm_enables_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
