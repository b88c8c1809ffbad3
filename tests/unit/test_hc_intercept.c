/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets and numbers are those of the TLFS. */
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "listener.h"
#include "needs.h"
#include "vp_fixture.h"

#define RAM (16u << 20)

enum {
	TYPE_PORT = 0x0,
	TYPE_MSR = 0x1,
	TYPE_CPUID = 0x2,
	TYPE_MSR_INDEX = 0xc,
	TYPE_RANGE = 0x11
};
enum {
	NONE = 0,
	READ = 1,
	WRITE = 2,
	EXECUTE = 4
};

struct install {
	uint64_t partition_id;
	uint32_t access;
	uint32_t type;
	uint64_t parameter;
};

static uint16_t install(struct vsm_vp *vp, uint32_t type, uint32_t access, uint64_t parameter)
{
	struct install input = {UINT64_MAX, access, type, parameter};

	return (uint16_t)guest_call(vp, HV_CALL_INSTALL_INTERCEPT, &input, sizeof(input), NULL, 0);
}

static struct vsm_vp *create(struct vsm_vp *vp)
{
	listener_create(vp->partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	return vp;
}

/* One access by VTL0. If it is intercepted, VTL1 is active afterwards, else VTL0. */
static bool is_intercepted(struct vsm_vp *vp, uint16_t port, uint8_t size, bool write)
{
	struct sim_action action = {
		.kind = write ? SIM_OUT : SIM_IN,
		.address = port,
		.size = size,
		.value = 0x11,
	};
	enum guest_outcome outcome;

	sim_next(vp, 0, &(struct sim_action){.kind = SIM_NOTHING});
	if (vp->active_vtl == 1)
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	outcome = guest_do(vp, action, NULL);
	if (outcome == GUEST_STOPPED) {
		listener_take(vp, 1);
		return true;
	}
	assert_int_equal(outcome, GUEST_EXIT); /* to the VMM */
	assert_int_equal(vp->active_vtl, 0);
	guest_nop(vp);
	return false;
}

static void back_to_vtl1(struct vsm_vp *vp)
{
	if (vp->active_vtl == 0)
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
}

static void test_each_wrong_parameter_has_its_status(void **state)
{
	struct vsm_vp *vp = create(*state);
	struct install input = {7, READ, TYPE_PORT, 0x80};

	assert_int_equal(
		(uint16_t)guest_call(vp, HV_CALL_INSTALL_INTERCEPT, &input, sizeof(input), NULL, 0),
		HV_STATUS_INVALID_PARTITION_ID);
	assert_int_equal(install(vp, TYPE_PORT, EXECUTE, 0x80), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(install(vp, TYPE_PORT, 8 | READ, 0x80), HV_STATUS_INVALID_PARAMETER);
	/* OpenHCL requests all MSRs by the parameter 0, which does not mean MSR 0. */
	assert_int_equal(install(vp, TYPE_MSR, READ, 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(install(vp, TYPE_CPUID, EXECUTE, 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(install(vp, 0x12, READ, 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(install(vp, UINT32_MAX, READ, 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(install(vp, TYPE_RANGE, READ, 0x0080 << 16 | 0x0081),
			 HV_STATUS_INVALID_PARAMETER);
}

static const uint32_t offered_types[] = {
	HV_INTERCEPT_TYPE_X64_IO_PORT,
	HV_INTERCEPT_TYPE_X64_MSR,
	HV_INTERCEPT_TYPE_X64_MSR_INDEX,
	HV_INTERCEPT_TYPE_X64_IO_PORT_RANGE,
};

static const uint32_t refused_types[] = {
	HV_INTERCEPT_TYPE_X64_CPUID,
	HV_INTERCEPT_TYPE_EXCEPTION,
	HV_INTERCEPT_TYPE_MMIO,
	HV_INTERCEPT_TYPE_X64_GLOBAL_CPUID,
	HV_INTERCEPT_TYPE_X64_APIC_SMI,
	HV_INTERCEPT_TYPE_HYPERCALL,
	HV_INTERCEPT_TYPE_X64_APIC_INIT_SIPI,
	HV_INTERCEPT_TYPE_MC_UPDATE_PATCH_LEVEL_MSR_READ,
	HV_INTERCEPT_TYPE_X64_APIC_WRITE,
	HV_INTERCEPT_TYPE_UNKNOWN_SYNIC_CONNECTION,
	HV_INTERCEPT_TYPE_X64_APIC_EOI,
	HV_INTERCEPT_TYPE_RETARGET_INTERRUPT_WITH_UNKNOWN_DEVICE_ID,
	HV_INTERCEPT_TYPE_X64_EXCEPTION_TRAP,
	HV_INTERCEPT_TYPE_REGISTER,
	HV_INTERCEPT_TYPE_SYSTEM_RESET_EXTENDED,
};

static bool is_one_of(uint32_t type, const uint32_t *types, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (types[i] == type)
			return true;
	return false;
}

/* Every type of the TLFS (HV_INTERCEPT_TYPE), and other numbers below 0x20. */
/* shows: intercept of offered_types; refuses: intercept of refused_types */
static void test_each_intercept_type_is_installed_or_refused(void **state)
{
	struct vsm_vp *vp = create(*state);

	for (uint32_t type = 0; type < 0x20; type++) {
		const bool offered = is_one_of(type, offered_types, 4);
		const uint64_t parameter = 0x01a0 << 16 | 0x01a0;

		/* Not offered: a type that is refused, or that the TLFS does not define. */
		assert_int_not_equal(offered, is_one_of(type, refused_types, 15) || type == 4 ||
						      type > 0x13);
		assert_int_equal(install(vp, type, READ | WRITE, parameter),
				 offered ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER);
		assert_int_equal(install(vp, type, EXECUTE, parameter),
				 HV_STATUS_INVALID_PARAMETER);
	}
}

static void test_vtl0_cannot_install_intercepts(void **state)
{
	struct vsm_vp *vp = create(*state);

	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(install(vp, TYPE_PORT, READ, 0x80), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(install(vp, UINT32_MAX, READ, 0x80), HV_STATUS_ACCESS_DENIED);
}

static void test_p20_msrs_that_the_backend_cannot_watch_are_refused(void **state)
{
	struct vsm_vp *vp = create(*state);
	struct vsm_partition *partition = vp->partition;

	partition->features.msr_intercepts = false;
	assert_int_equal(install(vp, TYPE_MSR_INDEX, READ, 0x1a0), HV_STATUS_OPERATION_DENIED);
}

/* shows: rule intercept-port; hypercall HvCallInstallIntercept */
static void test_a_port_is_intercepted_in_the_requested_directions(void **state)
{
	struct vsm_vp *vp = create(*state);

	assert_int_equal(install(vp, TYPE_PORT, WRITE, 0x80), HV_STATUS_SUCCESS);
	assert_false(is_intercepted(vp, 0x80, 1, false));
	assert_false(is_intercepted(vp, 0x81, 1, true));
	assert_false(is_intercepted(vp, 0x7f, 1, true));
	assert_true(is_intercepted(vp, 0x80, 1, true));
	back_to_vtl1(vp);
	assert_int_equal(install(vp, TYPE_PORT, READ, 0x80), HV_STATUS_SUCCESS);
	assert_false(is_intercepted(vp, 0x80, 1, true));
	assert_true(is_intercepted(vp, 0x80, 1, false));
	back_to_vtl1(vp);
	assert_int_equal(install(vp, TYPE_PORT, NONE, 0x80), HV_STATUS_SUCCESS);
	assert_false(is_intercepted(vp, 0x80, 1, false));
}

static void test_an_access_is_intercepted_by_every_port_that_it_covers(void **state)
{
	struct vsm_vp *vp = create(*state);

	assert_int_equal(install(vp, TYPE_PORT, READ | WRITE, 0x83), HV_STATUS_SUCCESS);
	assert_false(is_intercepted(vp, 0x80, 2, true));
	assert_true(is_intercepted(vp, 0x80, 4, true));
	assert_true(is_intercepted(vp, 0x82, 2, true));
	assert_false(is_intercepted(vp, 0x84, 4, true));
	/* An access at the end of the port space does not wrap around to port 0. */
	back_to_vtl1(vp);
	assert_int_equal(install(vp, TYPE_PORT, READ | WRITE, 0), HV_STATUS_SUCCESS);
	assert_false(is_intercepted(vp, 0xffff, 4, true));
}

static void test_ranges_include_both_ends(void **state)
{
	static const uint16_t inside[] = {0x3f, 0x40, 0x7f, 0x80, 0x1234, 0xfffe};
	static const uint16_t outside[] = {0x3e, 0xffff};
	struct vsm_vp *vp = create(*state);

	assert_int_equal(install(vp, TYPE_RANGE, WRITE, UINT64_C(0xfffe) << 16 | 0x3f),
			 HV_STATUS_SUCCESS);
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		assert_true(is_intercepted(vp, inside[i], 1, true));
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		assert_false(is_intercepted(vp, outside[i], 1, true));
	back_to_vtl1(vp);
	assert_int_equal(install(vp, TYPE_RANGE, NONE, UINT64_C(0x81) << 16 | 0x7f),
			 HV_STATUS_SUCCESS);
	assert_true(is_intercepted(vp, 0x7e, 1, true));
	assert_false(is_intercepted(vp, 0x7f, 1, true));
	assert_false(is_intercepted(vp, 0x81, 1, true));
	assert_true(is_intercepted(vp, 0x82, 1, true));
}

static void test_vtl1s_own_ports_are_not_intercepted(void **state)
{
	struct vsm_vp *vp = create(*state);
	struct sim_action action = {.kind = SIM_OUT, .address = 0x80, .size = 1};

	assert_int_equal(install(vp, TYPE_PORT, WRITE, 0x80), HV_STATUS_SUCCESS);
	assert_int_equal(guest_do(vp, action, NULL), GUEST_EXIT);
	assert_int_equal(vp->active_vtl, 1);
}

static void test_the_message_of_a_port_has_all_its_128_bytes(void **state)
{
	struct vsm_vp *vp = create(*state);
	struct vsm_partition *partition = vp->partition;
	struct sim_action action = {.kind = SIM_OUT, .address = 0x3f8, .size = 2, .value = 0x4142};
	const struct vcpu_state *cpu;
	struct hv_message message;
	uint64_t rip;

	assert_int_equal(install(vp, TYPE_PORT, WRITE, 0x3f8), HV_STATUS_SUCCESS);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	rip = vcpu_get(vp, 0, VCPU_GPR)->rip;
	memcpy(guest_ram(partition, rip), "\x66\xef\x90", 3);
	guest_set_gpr(vp, 0, GPR_RCX, 0x1111);
	guest_set_gpr(vp, 0, GPR_RSI, 0x2222);
	guest_set_gpr(vp, 0, GPR_RDI, 0x3333);
	assert_int_equal(guest_do(vp, action, NULL), GUEST_STOPPED);
	message = listener_take(vp, 1);
	cpu = vcpu_get(vp, 0, VCPU_GPR | VCPU_SYSTEM);
	assert_int_equal(message.message_type, 0x80010000);
	assert_int_equal(message.payload_size, 128);
	assert_int_equal(payload_u8(&message, 4), SIM_INSTRUCTION_LENGTH);
	assert_int_equal(payload_u8(&message, 5), 1);
	assert_int_equal(payload_u64(&message, 24), rip);
	assert_int_equal(payload_u16(&message, 40), 0x3f8);
	assert_int_equal(payload_u8(&message, 42), 2);
	assert_int_equal(payload_u8(&message, 43), SIM_INSTRUCTION_LENGTH);
	assert_int_equal(payload_u32(&message, 44), 0);
	assert_int_equal(payload_u64(&message, 48), cpu->gpr[GPR_RAX]);
	assert_int_equal(payload_u64(&message, 56), 0x90ef66);
	assert_int_equal(payload_u64(&message, 64), 0);
	assert_memory_equal((uint8_t *)message.payload + 72, &cpu->segment[SEGMENT_DS], 16);
	assert_memory_equal((uint8_t *)message.payload + 88, &cpu->segment[SEGMENT_ES], 16);
	assert_int_equal(payload_u64(&message, 104), 0x1111);
	assert_int_equal(payload_u64(&message, 112), 0x2222);
	assert_int_equal(payload_u64(&message, 120), 0x3333);
	assert_int_equal(cpu->rip, rip);
}

static void test_an_intercepted_port_access_is_repeated_after_its_intercept_is_removed(void **state)
{
	struct vsm_vp *vp = create(*state);
	const struct vsm_exit *exit;

	assert_int_equal(install(vp, TYPE_PORT, WRITE, 0x80), HV_STATUS_SUCCESS);
	assert_true(is_intercepted(vp, 0x80, 1, true));
	assert_int_equal(install(vp, TYPE_PORT, NONE, 0x80), HV_STATUS_SUCCESS);
	sim_next(vp, 1, &(struct sim_action){.kind = SIM_HYPERCALL});
	guest_set_gpr(vp, 1, GPR_RCX, 0x12);
	guest_set_gpr(vp, 1, GPR_RAX, 0);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
	assert_int_equal(exit->io.port, 0x80);
	assert_int_equal(vp->active_vtl, 0);
}

/* TLFS "HV_INTERCEPT_PARAMETERS": MsrIndex belongs to type X64Msr; in hvgdk also to X64MsrIndex. */
static void expect_msr_intercept(uint32_t type)
{
	struct vsm_partition *partition = guest_partition(1, 2, RAM, NULL);
	struct vsm_vp *vp = create(vsm_partition_vp(partition, 0));
	struct hv_message message;

	assert_int_equal(install(vp, type, WRITE, 0xc0000082), HV_STATUS_SUCCESS);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_rdmsr(vp, 0xc0000082, NULL), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, 0xc0000082, 0x1234), GUEST_STOPPED);
	message = listener_take(vp, 1);
	assert_int_equal(message.message_type, 0x80010001);
	assert_int_equal(payload_u32(&message, 40), 0xc0000082);
	assert_int_equal(vcpu_get(vp, 0, VCPU_MSR)->msr[VCPU_MSR_LSTAR], 0);
	assert_int_equal(install(vp, type, NONE, 0xc0000082), HV_STATUS_SUCCESS);
	listener_return(vp);
	assert_int_equal(vcpu_get(vp, 0, VCPU_MSR)->msr[VCPU_MSR_LSTAR], 0x1234);
	vsm_partition_destroy(partition);
}

/* shows: rule intercept-msr-index */
static void test_msrs_by_number_are_intercepted(void **state)
{
	expect_msr_intercept(TYPE_MSR);
	expect_msr_intercept(TYPE_MSR_INDEX);
}

static void test_p25_reset_removes_installed_intercepts(void **state)
{
	struct vsm_vp *vp = create(*state);
	struct vsm_partition *partition = vp->partition;
	struct sim_action action = {.kind = SIM_OUT, .address = 0x80, .size = 1};

	install(vp, TYPE_PORT, WRITE, 0x80);
	install(vp, TYPE_MSR_INDEX, WRITE, 0xc0000082);
	assert_int_equal(vsm_partition_reset(partition), 0);
	guest_set_long_mode(vp, 0);
	assert_int_equal(guest_wrmsr(vp, 0xc0000082, 0x1234), GUEST_DONE);
	assert_int_equal(guest_do(vp, action, NULL), GUEST_EXIT);
}

struct check {
	uint64_t partition_id;
	uint32_t vp;
	uint8_t input_vtl;
	uint8_t reserved;
	uint16_t port;
	uint8_t size;
	uint8_t write;
	uint8_t padding[6];
};

static uint16_t check(struct vsm_vp *vp, struct check input, uint64_t *intercept)
{
	return (uint16_t)guest_call(vp, HV_CALL_CHECK_FOR_IO_INTERCEPT, &input, sizeof(input),
				    intercept, 8);
}

/* shows: hypercall HvCallCheckForIoIntercept */
static void test_checking_returns_whether_an_access_is_intercepted(void **state)
{
	struct vsm_vp *vp = create(*state);
	const struct check good = {UINT64_MAX, 0xfffffffe, 0x10, 0, 0x80, 1, 1, {0}};
	struct check input = good;
	uint64_t intercept = 9;

	install(vp, TYPE_PORT, WRITE, 0x80);
	assert_int_equal(check(vp, input, &intercept), HV_STATUS_SUCCESS);
	assert_int_equal(intercept, 1);
	input.write = 0;
	assert_int_equal(check(vp, input, &intercept), HV_STATUS_SUCCESS);
	assert_int_equal(intercept, 0);
	input = good;
	input.input_vtl = 0; /* VTL1 itself */
	assert_int_equal(check(vp, input, &intercept), HV_STATUS_SUCCESS);
	assert_int_equal(intercept, 0);
	input = good;
	input.size = 3;
	assert_int_equal(check(vp, input, &intercept), HV_STATUS_INVALID_PARAMETER);
	input = good;
	input.vp = 77;
	assert_int_equal(check(vp, input, &intercept), HV_STATUS_INVALID_VP_INDEX);
	input = good;
	input.input_vtl = 0x12;
	assert_int_equal(check(vp, input, &intercept), HV_STATUS_ACCESS_DENIED);
	input = good;
	input.partition_id = 0;
	assert_int_equal(check(vp, input, &intercept), HV_STATUS_INVALID_PARTITION_ID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_wrong_parameter_has_its_status, 1, 2),
		TEST(test_each_intercept_type_is_installed_or_refused, 1, 2),
		TEST(test_vtl0_cannot_install_intercepts, 1, 2),
		TEST(test_p20_msrs_that_the_backend_cannot_watch_are_refused, 1, 2),
		TEST(test_a_port_is_intercepted_in_the_requested_directions, 1, 2),
		TEST(test_an_access_is_intercepted_by_every_port_that_it_covers, 1, 2),
		TEST_NEEDS_VP(NEED_ANY_PORT, test_ranges_include_both_ends, 1, 2),
		TEST(test_vtl1s_own_ports_are_not_intercepted, 1, 2),
		TEST_NEEDS_VP(NEED_FREE_REGISTERS, test_the_message_of_a_port_has_all_its_128_bytes,
			      1, 2),
		TEST(test_an_intercepted_port_access_is_repeated_after_its_intercept_is_removed, 1,
		     2),
		cmocka_unit_test(test_msrs_by_number_are_intercepted),
		TEST_NEEDS_VP(NEED_NO_TABLES, test_p25_reset_removes_installed_intercepts, 1, 2),
		TEST(test_checking_returns_whether_an_access_is_intercepted, 1, 2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
