/* SPDX-License-Identifier: BSD-2-Clause */
/* MTRRs: SDM 3A 12.11, TLFS "Shared State". */
#include "core_test.h"
#include "vp_fixture.h"

/* SDM 3A table 12-9 and volume 4, table 2-2: MSR, register name, a valid and two invalid values. */
static const struct {
	uint32_t msr;
	uint32_t name;
	uint64_t legal;
	uint64_t illegal[2];
} mtrrs[] = {
	{0x200, HV_X64_REGISTER_MSR_MTRR_PHYS_BASE0, 0x80000006, {0x80000002, 0x80000106}},
	{0x201, HV_X64_REGISTER_MSR_MTRR_PHYS_MASK0, 0x3fff80000800, {0x801, 0x800000000800}},
	{0x20e, HV_X64_REGISTER_MSR_MTRR_PHYS_BASE7, 0x1000, {0x7, 0x400000000000}},
	{0x20f, HV_X64_REGISTER_MSR_MTRR_PHYS_MASK7, 0x3ffffffff000, {0x400, 1}},
	{0x250, HV_X64_REGISTER_MSR_MTRR_FIX64K00000, 0x0606050401000606, {2, UINT64_C(7) << 56}},
	{0x258, HV_X64_REGISTER_MSR_MTRR_FIX16K80000, 0x0101010101010101, {3, 0x0801}},
	{0x259, HV_X64_REGISTER_MSR_MTRR_FIX16KA0000, 0, {0xff, UINT64_MAX}},
	{0x268, HV_X64_REGISTER_MSR_MTRR_FIX4KC0000, 0x05, {0x20000, 2}},
	{0x26f, HV_X64_REGISTER_MSR_MTRR_FIX4KF8000, 0x04, {0x20000, 2}},
	{0x2ff, HV_X64_REGISTER_MSR_MTRR_DEF_TYPE, 0xc06, {0xc02, 0x1c06}},
};

static void an_mtrr_reads_as_written_and_refuses_reserved_bits(void **state)
{
	struct vsm_vp *vp = *state;
	uint64_t value;

	for (size_t i = 0; i < sizeof(mtrrs) / sizeof(mtrrs[0]); i++) {
		assert_int_equal(guest_wrmsr(vp, mtrrs[i].msr, mtrrs[i].legal), GUEST_DONE);
		for (unsigned int k = 0; k < 2; k++) {
			assert_int_equal(guest_wrmsr(vp, mtrrs[i].msr, mtrrs[i].illegal[k]),
					 GUEST_FAULT);
			assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_GP);
		}
		assert_int_equal(guest_rdmsr(vp, mtrrs[i].msr, &value), GUEST_DONE);
		assert_int_equal(value, mtrrs[i].legal);
	}
}

/* shows: rule shared-mtrrs */
static void vtls_share_mtrrs_and_vp_registers_are_the_same_values(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t value;

	guest_enable_vtl(partition, 1);
	for (size_t i = 0; i < sizeof(mtrrs) / sizeof(mtrrs[0]); i++)
		assert_int_equal(guest_wrmsr(vp, mtrrs[i].msr, mtrrs[i].legal), GUEST_DONE);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	for (size_t i = 0; i < sizeof(mtrrs) / sizeof(mtrrs[0]); i++) {
		assert_int_equal(guest_rdmsr(vp, mtrrs[i].msr, &value), GUEST_DONE);
		assert_int_equal(value, mtrrs[i].legal);
		assert_int_equal(host_get(vp, 0, mtrrs[i].name), mtrrs[i].legal);
	}
	assert_int_equal(guest_set_register(vp, 0, 0x10, mtrrs[0].name, 0x40000001), 0);
	assert_int_equal(guest_rdmsr(vp, mtrrs[0].msr, &value), GUEST_DONE);
	assert_int_equal(value, 0x40000001);
	assert_int_equal(host_get(vsm_partition_vp(partition, 1), 0, mtrrs[0].name), 0);
}

static void numbers_between_the_mtrrs_do_not_exist(void **state)
{
	static const uint32_t none[] = {0xff,  0x1ff, 0x210, 0x24f, 0x251, 0x257,
					0x25a, 0x267, 0x270, 0x2fe, 0x300};
	struct vsm_vp *vp = *state;
	uint64_t value;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(guest_rdmsr(vp, none[i], &value), GUEST_FAULT);
		assert_int_equal(guest_wrmsr(vp, none[i], 0), GUEST_FAULT);
	}
	assert_int_equal(guest_rdmsr(vp, 0xfe, &value), GUEST_DONE);
	assert_int_equal(value, 0x508); /* 8 variable ranges, fixed ones, write-combining */
	assert_int_equal(guest_wrmsr(vp, 0xfe, 0x508), GUEST_FAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_mtrr_reads_as_written_and_refuses_reserved_bits, 1, 1),
		TEST(vtls_share_mtrrs_and_vp_registers_are_the_same_values, 2, 1),
		TEST(numbers_between_the_mtrrs_do_not_exist, 1, 0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
