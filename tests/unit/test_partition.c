/* SPDX-License-Identifier: BSD-2-Clause */
/* The partition as a whole (TLFS "Partition properties", VSM "Reset"). */
#include "core_test.h"
#include "needs.h"
#include "vp_fixture.h"

#include <vsm/trace.h>

/* TLFS "Frequency MSRs", "VP index", "VP run time". */
/* shows: feature FrequencyRegs; msr HV_X64_MSR_TSC_FREQUENCY, HV_X64_MSR_APIC_FREQUENCY,
 * HV_X64_MSR_VP_INDEX, HV_X64_MSR_VP_RUNTIME
 */
static void read_only_msrs_can_be_read_and_not_written(void **state)
{
	static const uint32_t msr[] = {
		HV_X64_MSR_VP_INDEX,	  HV_X64_MSR_VP_RUNTIME,     HV_X64_MSR_TIME_REF_COUNT,
		HV_X64_MSR_TSC_FREQUENCY, HV_X64_MSR_APIC_FREQUENCY, HV_X64_MSR_GUEST_IDLE,
	};
	struct vsm_partition *partition = guest_partition(2, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 1);
	uint64_t runtime;

	assert_int_equal(rdmsr(vp, HV_X64_MSR_VP_INDEX), 1);
	assert_int_equal(rdmsr(vp, HV_X64_MSR_TSC_FREQUENCY), 1000000000);
	assert_int_equal(rdmsr(vp, HV_X64_MSR_APIC_FREQUENCY), 200000000);
	for (size_t i = 0; i < sizeof(msr) / sizeof(msr[0]); i++) {
		assert_int_equal(guest_wrmsr(vp, msr[i], 0), GUEST_FAULT);
		assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_GP);
	}
	/* Time in which the VP does not run does not count. */
	runtime = rdmsr(vp, HV_X64_MSR_VP_RUNTIME);
	sim_advance(partition, 1000000000);
	assert_in_range(rdmsr(vp, HV_X64_MSR_VP_RUNTIME) - runtime, 1, 10);
	vsm_partition_destroy(partition);
}

/* TLFS "Virtual processor registers": registers that are MSRs with another name. */
/* shows: register of rows; msr of rows */
static void a_register_and_the_msr_of_its_name_have_one_value(void **state)
{
	static const struct {
		uint32_t name;
		uint32_t msr;
		uint64_t value; /* value to write to the MSR; 0: only read it */
	} rows[] = {
		{HV_REGISTER_PROCESSOR_CLOCK_FREQUENCY, HV_X64_MSR_TSC_FREQUENCY, 0},
		{HV_REGISTER_INTERRUPT_CLOCK_FREQUENCY, HV_X64_MSR_APIC_FREQUENCY, 0},
		{HV_X64_REGISTER_APIC_BASE, X64_MSR_APIC_BASE, 0},
		{HV_REGISTER_GUEST_CRASH_P0, HV_X64_MSR_CRASH_P0, 0x1234},
		{HV_REGISTER_GUEST_CRASH_P1, HV_X64_MSR_CRASH_P1, 0x1235},
		{HV_REGISTER_GUEST_CRASH_P2, HV_X64_MSR_CRASH_P2, 0x1236},
		{HV_REGISTER_GUEST_CRASH_P3, HV_X64_MSR_CRASH_P3, 0x1237},
		{HV_REGISTER_GUEST_CRASH_P4, HV_X64_MSR_CRASH_P4, 0x1238},
		{HV_REGISTER_SCONTROL, HV_X64_MSR_SCONTROL, 1},
		{HV_REGISTER_SVERSION, HV_X64_MSR_SVERSION, 0},
		{HV_REGISTER_SIFP, HV_X64_MSR_SIEFP, 0x53001},
		{HV_REGISTER_SIPP, HV_X64_MSR_SIMP, 0x54001},
		{HV_REGISTER_EOM, HV_X64_MSR_EOM, 0},
		{HV_REGISTER_SINT0, HV_X64_MSR_SINT0, 0x20050},
		{HV_REGISTER_SINT1, HV_X64_MSR_SINT1, 0x20051},
		{HV_REGISTER_SINT2, HV_X64_MSR_SINT2, 0x20052},
		{HV_REGISTER_SINT3, HV_X64_MSR_SINT3, 0x20053},
		{HV_REGISTER_SINT4, HV_X64_MSR_SINT4, 0x20054},
		{HV_REGISTER_SINT5, HV_X64_MSR_SINT5, 0x20055},
		{HV_REGISTER_SINT6, HV_X64_MSR_SINT6, 0x20056},
		{HV_REGISTER_SINT7, HV_X64_MSR_SINT7, 0x20057},
		{HV_REGISTER_SINT8, HV_X64_MSR_SINT8, 0x20058},
		{HV_REGISTER_SINT9, HV_X64_MSR_SINT9, 0x20059},
		{HV_REGISTER_SINT10, HV_X64_MSR_SINT10, 0x2005a},
		{HV_REGISTER_SINT11, HV_X64_MSR_SINT11, 0x2005b},
		{HV_REGISTER_SINT12, HV_X64_MSR_SINT12, 0x2005c},
		{HV_REGISTER_SINT13, HV_X64_MSR_SINT13, 0x2005d},
		{HV_REGISTER_SINT14, HV_X64_MSR_SINT14, 0x2005e},
		{HV_REGISTER_SINT15, HV_X64_MSR_SINT15, 0x2005f},
		{HV_REGISTER_STIMER0_CONFIG, HV_X64_MSR_STIMER0_CONFIG, 0x20000},
		{HV_REGISTER_STIMER0_COUNT, HV_X64_MSR_STIMER0_COUNT, 0x123456},
		{HV_REGISTER_STIMER1_CONFIG, HV_X64_MSR_STIMER1_CONFIG, 0x30000},
		{HV_REGISTER_STIMER1_COUNT, HV_X64_MSR_STIMER1_COUNT, 0x123457},
		{HV_REGISTER_STIMER2_CONFIG, HV_X64_MSR_STIMER2_CONFIG, 0x40000},
		{HV_REGISTER_STIMER2_COUNT, HV_X64_MSR_STIMER2_COUNT, 0x123458},
		{HV_REGISTER_STIMER3_CONFIG, HV_X64_MSR_STIMER3_CONFIG, 0x50000},
		{HV_REGISTER_STIMER3_COUNT, HV_X64_MSR_STIMER3_COUNT, 0x123459},
		{HV_X64_REGISTER_SYNTHETIC_TPR, HV_X64_MSR_TPR, 0x20},
		{HV_X64_REGISTER_APIC_TPR, HV_X64_MSR_TPR, 0x30},
		{HV_X64_REGISTER_SYNTHETIC_ICR, HV_X64_MSR_ICR, 0x0200000000000041},
		{HV_REGISTER_GUEST_OS_ID, HV_X64_MSR_GUEST_OS_ID, 0x77},
		{HV_X64_REGISTER_HYPERCALL, HV_X64_MSR_HYPERCALL, 0x50001},
		{HV_REGISTER_REFERENCE_TSC, HV_X64_MSR_REFERENCE_TSC, 0x51001},
		{HV_REGISTER_VP_ASSIST_PAGE, HV_X64_MSR_VP_ASSIST_PAGE, 0x52001},
		{HV_REGISTER_VP_INDEX, HV_X64_MSR_VP_INDEX, 0},
	};
	struct vsm_vp *vp = *state;
	uint64_t value;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].value)
			assert_int_equal(guest_wrmsr(vp, rows[i].msr, rows[i].value), GUEST_DONE);
		assert_int_equal(guest_get_register(vp, 0, 0, rows[i].name, &value), 0);
		assert_int_equal(value, rdmsr(vp, rows[i].msr));
		if (rows[i].value)
			assert_int_equal(value, rows[i].value);
	}
}

static void msrs_that_do_not_exist_fault(void **state)
{
	static const uint32_t msr[] = {
		0x40000004, 0x40000011, 0x40000074, 0x40000085, 0x400000a0, 0x400000b8,
		0x400000f1, 0x40000106, 0x40000119, 0x40001080, 0x4fffffff, 0x12345678,
	};
	struct vsm_vp *vp = *state;
	uint64_t value;

	for (size_t i = 0; i < sizeof(msr) / sizeof(msr[0]); i++) {
		assert_int_equal(guest_rdmsr(vp, msr[i], &value), GUEST_FAULT);
		assert_int_equal(guest_wrmsr(vp, msr[i], 1), GUEST_FAULT);
	}
}

/* TLFS "Feature discovery": without its privilege an MSR does not exist. */
/* shows: privilege of rows */
static void an_msr_faults_only_without_its_privilege(void **state)
{
	static const struct {
		uint64_t privilege;
		uint32_t msr;
	} rows[] = {
		{HV_PRIVILEGE(ACCESS_VP_RUN_TIME_REG), HV_X64_MSR_VP_RUNTIME},
		{HV_PRIVILEGE(ACCESS_PARTITION_REFERENCE_COUNTER), HV_X64_MSR_TIME_REF_COUNT},
		{HV_PRIVILEGE(ACCESS_PARTITION_REFERENCE_TSC), HV_X64_MSR_REFERENCE_TSC},
		{HV_PRIVILEGE(ACCESS_SYNTHETIC_TIMER_REGS), HV_X64_MSR_STIMER0_CONFIG},
		{HV_PRIVILEGE(ACCESS_INTR_CTRL_REGS), HV_X64_MSR_VP_ASSIST_PAGE},
		{HV_PRIVILEGE(ACCESS_INTR_CTRL_REGS), HV_X64_MSR_TPR},
		{HV_PRIVILEGE(ACCESS_RESET_REG), HV_X64_MSR_RESET},
		{HV_PRIVILEGE(ACCESS_GUEST_IDLE_REG), HV_X64_MSR_GUEST_IDLE},
		{HV_PRIVILEGE(ACCESS_FREQUENCY_REGS), HV_X64_MSR_TSC_FREQUENCY},
		{HV_PRIVILEGE(ACCESS_SYNIC_REGS), HV_X64_MSR_SIMP},
		{HV_PRIVILEGE(ACCESS_VP_INDEX), HV_X64_MSR_VP_INDEX},
		{HV_PRIVILEGE(ACCESS_HYPERCALL_MSRS), HV_X64_MSR_GUEST_OS_ID},
		{HV_PRIVILEGE(ACCESS_HYPERCALL_MSRS), HV_X64_MSR_HYPERCALL},
		{HV_PRIVILEGE(ACCESS_TSC_INVARIANT_CONTROLS), HV_X64_MSR_TSC_INVARIANT_CONTROL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vsm_config config;
		struct vsm_partition *partition;
		struct vsm_vp *vp;
		uint64_t value;

		vsm_config_init(&config);
		assert_int_equal(partition_create(&config, &sim_ops, NULL, &partition), 0);
		vp = vsm_partition_vp(partition, 0);
		guest_set_long_mode(vp, 0);
		assert_int_equal(guest_rdmsr(vp, rows[i].msr, &value), GUEST_DONE);
		vsm_partition_destroy(partition);
		config.privileges &= ~rows[i].privilege;
		assert_int_equal(partition_create(&config, &sim_ops, NULL, &partition), 0);
		vp = vsm_partition_vp(partition, 0);
		guest_set_long_mode(vp, 0);
		assert_int_equal(guest_rdmsr(vp, rows[i].msr, &value), GUEST_FAULT);
		assert_int_equal(guest_wrmsr(vp, rows[i].msr, 0), GUEST_FAULT);
		vsm_partition_destroy(partition);
	}
}

/* TLFS "GUEST_OS_ID", "HYPERCALL" */
/* shows: feature HypercallMsrLock; msr HV_X64_MSR_GUEST_OS_ID, HV_X64_MSR_HYPERCALL */
static void the_hypercall_page_needs_a_guest_os_id_and_can_be_locked(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0x50001), GUEST_DONE);
	assert_int_equal(rdmsr(vp, HV_X64_MSR_HYPERCALL), 0x50000);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 0x8100000000000000), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, UINT64_C(1) << 60 | 1), GUEST_FAULT);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0x50001), GUEST_DONE);
	assert_int_equal(rdmsr(vp, HV_X64_MSR_HYPERCALL), 0x50001);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 0), GUEST_DONE);
	assert_int_equal(rdmsr(vp, HV_X64_MSR_HYPERCALL), 0x50000);
	assert_int_equal(guest_write(vp, 0x50000, 1, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0x50003), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0), GUEST_FAULT);
	assert_int_equal(rdmsr(vp, HV_X64_MSR_HYPERCALL), 0x50003);
	/* Only a reset unlocks it. */
	assert_int_equal(vsm_partition_reset(partition), 0);
	guest_set_long_mode(vp, 0);
	assert_int_equal(rdmsr(vp, HV_X64_MSR_HYPERCALL), 0);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0), GUEST_DONE);
}

/* shows: msr HV_X64_MSR_VP_ASSIST_PAGE */
static void the_assist_page_is_zero_when_enabled_and_keeps_its_contents_when_it_moves(void **state)
{
	struct vsm_vp *vp = *state;
	uint64_t value;

	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, 0x51003), GUEST_FAULT);
	assert_int_equal(guest_write(vp, 0x51100, 8, 0x1111), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, 0x51001), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0x51100, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0);
	assert_int_equal(guest_write(vp, 0x51100, 8, 0x2222), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, 0x52001), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0x51100, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0x1111);
	assert_int_equal(guest_read(vp, 0x52100, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0x2222);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, 0x52000), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, 0x52001), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0x52100, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0);
}

/* TLFS "RESET" */
/* shows: msr HV_X64_MSR_RESET; recommendation UseMsrForReset */
static void the_reset_msr_stops_every_vp_until_the_vmm_resets(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	const struct vsm_exit *exit;

	assert_int_equal(rdmsr(vp, HV_X64_MSR_RESET), 0);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_RESET, 2), GUEST_FAULT);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_RESET, 0), GUEST_DONE);
	sim_next(vp, 0,
		 &(struct sim_action){.kind = SIM_WRMSR, .address = HV_X64_MSR_RESET, .value = 1});
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(vsm_vp_run(vsm_partition_vp(partition, i), &exit), 0);
		assert_int_equal(exit->reason, VSM_EXIT_RESET);
	}
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_RESET);
	assert_int_equal(vsm_partition_reset(partition), 0);
	guest_set_long_mode(vp, 0);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
}

static void port_io_and_mmio_exit_to_the_vmm(void **state)
{
	struct vsm_vp *vp = *state;
	const struct vsm_exit *exit;

	sim_next(vp, 0, &(struct sim_action){.kind = SIM_IN, .address = 0x3f8, .size = 1});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
	assert_int_equal(exit->io.port, 0x3f8);
	assert_false(exit->io.write);
	*exit->io.data = 0x5e;
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->action.value, 0x5e);
	sim_next(vp, 0,
		 &(struct sim_action){
			 .kind = SIM_WRITE, .address = 0x10000000, .size = 4, .value = 9});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_MMIO);
	assert_int_equal(exit->mmio.gpa, 0x10000000);
	assert_int_equal(exit->mmio.data[0], 9);
	assert_true(exit->mmio.write);
	guest_run(vp);
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_SHUTDOWN});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
}

static void a_kick_ends_the_run_once(void **state)
{
	struct vsm_vp *vp = *state;
	const struct vsm_exit *exit;

	sim_next(vp, 0, &(struct sim_action){.kind = SIM_NOP});
	vsm_vp_kick(vp);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
	assert_false(sim_state(vp, 0)->done);
	guest_run(vp);
	guest_run(vp);
	assert_true(sim_state(vp, 0)->done);
}

/* shows: rule reset-all, initial-vtl0 */
static void p25_a_reset_clears_all_state_of_a_higher_vtl(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct hv_message message = {.message_type = 1};
	uint64_t value;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_write(vp, 0x100000, 8, 0x5ec2e7), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0x7f), 0);
	assert_int_equal(guest_protect(vp, 0, MAP_NONE, 0x100000), 0);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VINA, 0x1e0), 0);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 1), GUEST_DONE);
	enable_assist(vp);
	enable_synic(vp, 3, 0x70);
	assert_int_equal(vsm_message_post(partition, 0, 1, 3, &message), 0);
	assert_int_equal(vsm_message_post(partition, 0, 1, 3, &message), 0);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_STIMER0_CONFIG + 1, 1u << 30), GUEST_DONE);
	vtl_tlb_lock(vp, 1, 0);

	assert_int_equal(vsm_partition_reset(partition), 0);
	assert_int_equal(vp->active_vtl, 0);
	assert_int_equal(partition->enabled_vtls, 1);
	assert_int_equal(vp->enabled_vtls, 1);
	assert_int_equal(partition->vtl[1].config, 0);
	for (uint64_t gpa = 0; gpa < RAM; gpa += 8)
		if (*(uint64_t *)(void *)guest_ram(partition, gpa))
			fail_msg("RAM at 0x%llx is not zero", (unsigned long long)gpa);
	assert_int_equal(sim_access(partition, 0, 0x100), GPA_ALL);
	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		assert_int_equal(host_get(vp, vtl, HV_REGISTER_SCONTROL), 0);
		assert_int_equal(host_get(vp, vtl, HV_REGISTER_SIPP), 0);
		assert_int_equal(host_get(vp, vtl, HV_REGISTER_SINT3), 0x10000);
		assert_int_equal(host_get(vp, vtl, HV_REGISTER_STIMER0_COUNT), 0);
		assert_int_equal(host_get(vp, vtl, HV_REGISTER_VP_ASSIST_PAGE), 0);
		assert_int_equal(host_get(vp, vtl, HV_REGISTER_GUEST_OS_ID), 0);
		assert_int_equal(vp->vtl[vtl].synic.queue[3].count, 0);
		assert_int_equal(vp->vtl[vtl].misc_enable, 0x1801);
		assert_int_equal(vcpu_get(vp, vtl, VCPU_GPR)->rip, 0xfff0);
	}
	assert_int_equal(vp->vtl[1].vina, 0);
	assert_int_equal(vp->tlb_locked[0], 0);
	assert_int_equal(vsm_partition_vp(partition, 1)->vtl[0].activity, VP_WAIT_FOR_SIPI);
	guest_set_long_mode(vp, 0);
	((uint64_t *)(void *)guest_ram(partition, GUEST_TABLES_GPA))[0] =
		(GUEST_TABLES_GPA + CORE_PAGE_SIZE) | 0x27;
	((uint64_t *)(void *)guest_ram(partition, GUEST_TABLES_GPA + CORE_PAGE_SIZE))[0] = 0xe7;
	assert_int_equal(guest_read(vp, 0x100000, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0);
	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(enable_vp(vp, 0, 1), 0);
}

/* The library itself has not written to the two pages. */
static void p25_synic_pages_that_only_the_guest_wrote_are_empty_after_a_reset(void **state)
{
	struct vsm_vp *vp = *state;
	const uint64_t gpa[] = {SIM_GPA(0) + 0x100, SIEF_GPA(0) + 0x100};
	uint64_t value;

	for (unsigned int round = 0; round < 2; round++) {
		enable_synic(vp, 3, 0x70);
		for (size_t i = 0; i < ARRAY_SIZE(gpa); i++) {
			assert_int_equal(guest_read(vp, gpa[i], 8, &value), GUEST_DONE);
			assert_int_equal(value, 0);
			assert_int_equal(guest_write(vp, gpa[i], 8, 0x5ec2e7), GUEST_DONE);
		}
		assert_int_equal(vsm_partition_reset(vp->partition), 0);
		guest_set_long_mode(vp, 0);
	}
}

/* P25, the exception: VTL1 cleared ZeroMemoryOnReset. */
/* shows: rule config-zero */
static void p25_memory_is_kept_if_vtl1_cleared_zero_memory_on_reset(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_write(vp, 0x100000, 8, 0x1234), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0x1f), 0);
	assert_int_equal(vsm_partition_reset(partition), 0);
	assert_int_equal(*(uint64_t *)(void *)guest_ram(partition, 0x100000), 0x1234);
	assert_int_equal(partition->enabled_vtls, 1);
}

/* An IN that was not completed must not write to the guest's registers after the reset. */
static void a_reset_discards_an_exit_that_was_not_completed(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	const struct vsm_exit *exit;

	sim_next(vp, 0, &(struct sim_action){.kind = SIM_IN, .address = 0x60, .size = 1});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
	assert_int_equal(vsm_partition_reset(partition), 0);
	guest_run(vp);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, 0xfff0);
}

static void the_trace_has_the_events_in_order(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	static const char *const expected[] = {"VTL_ENTER", "VTL_RETURN", "HALT"};
	struct vsm_trace_record record[64];
	uint64_t lost, before = 0;
	size_t count, next = 0;

	guest_enable_vtl(partition, 1);
	assert_int_equal(vsm_trace_read(vp, record, 64, &lost), 0);
	assert_int_equal(vsm_trace_start(partition, 3), -EINVAL);
	assert_int_equal(vsm_trace_start(partition, 64), 0);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_halt(vp), GUEST_DONE);
	count = vsm_trace_read(vp, record, 64, &lost);
	assert_int_equal(lost, 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(record[i].tsc >= before);
		before = record[i].tsc;
		if (next < 3 && !strcmp(vsm_trace_event_name(record[i].event), expected[next]))
			next++;
	}
	assert_int_equal(next, 3);
	assert_int_equal(vsm_trace_read(vp, record, 64, &lost), 0);
	assert_string_equal(vsm_trace_event_name(9999), "?");
	vsm_trace_stop(partition);
	post(vp, 0, 0x40);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	/* The last record has the VP's counters; events after the stop have no record. */
	assert_int_equal(vsm_trace_read(vp, record, 64, &lost), 1);
	assert_int_equal(record[0].event, VSM_TRACE_COUNTERS);
	assert_int_equal(record[0].argument[1], 2);
}

static void a_full_trace_keeps_the_latest_records_and_counts_the_others(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_trace_record record[16];
	uint64_t lost;

	assert_int_equal(vsm_trace_start(partition, 16), 0);
	for (unsigned int i = 0; i < 100; i++) /* each writes one record */
		assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, i), GUEST_DONE);
	assert_int_equal(vsm_trace_read(vp, record, 16, &lost), 16);
	assert_int_equal(lost, 85); /* the first lost record is that of the RAM */
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(record[i].argument[1], 84 + i);
}

static void count_line(void *opaque, const struct vsm_log_record *record)
{
	unsigned int *lines = opaque;

	assert_int_equal(record->error, EINVAL);
	++*lines;
}

static void an_invalid_configuration_is_refused(void **state)
{
	const uint32_t same[2] = {5, 5};
	struct vsm_config good, bad[8];
	struct vsm_partition *partition;
	unsigned int lines = 0;

	vsm_config_init(&good);
	good.log = (struct vsm_log){count_line, &lines, VSM_LOG_ERROR};
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].size--;
	bad[1].vp_count = 0;
	bad[2].vp_count = VSM_VP_MAX + 1;
	bad[3].max_vtl = 16;
	bad[4].boot_vtl = 3;
	bad[5].engine = 9;
	bad[6].vp_count = 2;
	bad[6].apic_id = same;
	bad[7].reserved1 = 1;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(partition_create(&bad[i], &sim_ops, NULL, &partition), -EINVAL);
		assert_int_equal(lines, i + 1);
	}
	good.size = 0;
	assert_int_equal(partition_create(&good, &sim_ops, NULL, &partition), -EINVAL);
	good.size = sizeof(good);
	good.max_vtl = 15;
	assert_int_equal(partition_create(&good, &sim_ops, NULL, &partition), 0);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_only_msrs_can_be_read_and_not_written),
		TEST(a_register_and_the_msr_of_its_name_have_one_value, 1, 1),
		TEST(msrs_that_do_not_exist_fault, 1, 1),
		unit_test_needs(NEED_NO_TABLES, an_msr_faults_only_without_its_privilege),
		TEST_NEEDS_VP(NEED_NO_TABLES,
			      the_hypercall_page_needs_a_guest_os_id_and_can_be_locked, 1, 1),
		TEST(the_assist_page_is_zero_when_enabled_and_keeps_its_contents_when_it_moves, 1,
		     1),
		TEST(the_reset_msr_stops_every_vp_until_the_vmm_resets, 2, 1),
		TEST(port_io_and_mmio_exit_to_the_vmm, 1, 1),
		TEST(a_kick_ends_the_run_once, 1, 1),
		TEST(p25_a_reset_clears_all_state_of_a_higher_vtl, 2, 2),
		TEST(p25_synic_pages_that_only_the_guest_wrote_are_empty_after_a_reset, 1, 0),
		TEST(p25_memory_is_kept_if_vtl1_cleared_zero_memory_on_reset, 1, 1),
		TEST(a_reset_discards_an_exit_that_was_not_completed, 1, 1),
		TEST(the_trace_has_the_events_in_order, 1, 1),
		TEST(a_full_trace_keeps_the_latest_records_and_counts_the_others, 1, 1),
		cmocka_unit_test(an_invalid_configuration_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
