/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"
#include "core/vp/plain_msr.h"
#include "core/state/state.h"
#include "needs.h"
#include "state_test.h"
#include "vp_fixture.h"

/* Register names of the TLFS, 0 if it has none. */
static const uint32_t register_name[VCPU_MSR_COUNT] = {
	[VCPU_MSR_SPEC_CTRL] = HV_X64_REGISTER_SPEC_CTRL,
	[VCPU_MSR_VIRT_SPEC_CTRL] = HV_X64_REGISTER_VIRT_SPEC_CTRL,
	[VCPU_MSR_TSX_CTRL] = HV_X64_REGISTER_TSX_CTRL,
	[VCPU_MSR_XSS] = HV_X64_REGISTER_XSS,
	[VCPU_MSR_XFD] = HV_X64_REGISTER_XFD,
	[VCPU_MSR_XFD_ERR] = HV_X64_REGISTER_XFD_ERR,
	[VCPU_MSR_DEBUGCTL] = HV_X64_REGISTER_DEBUG_CTL,
	[VCPU_MSR_BNDCFGS] = HV_X64_REGISTER_BNDCFGS,
	[VCPU_MSR_UMWAIT_CONTROL] = HV_X64_REGISTER_UMWAIT_CONTROL,
};

/* MSRs that are kept without an effect: a valid value, and one that faults. */
static const struct {
	uint32_t msr;
	uint64_t reset;
	uint64_t legal;
	uint64_t illegal;
} kept[PLAIN_COUNT] = {
	[PLAIN_MCG_STATUS] = {X64_MSR_MCG_STATUS, 0, 5, 8},
	[PLAIN_POWER_CTL] = {X64_MSR_POWER_CTL, 0, 2, 4},
	[PLAIN_HWCR] = {X64_MSR_HWCR, 1 << 24, 1 << 18, 1},
	[PLAIN_DE_CFG] = {X64_MSR_DE_CFG, 2, 0, 1 << 9},
};

/* The lowest bit that can be set. */
static uint64_t some_value(const struct vsm_partition *partition, unsigned int which)
{
	const uint64_t valid = partition->features.msr_valid[which];

	return valid & (0 - valid);
}

static void write_all(struct vsm_vp *vp)
{
	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++)
		if (vp->partition->features.msr_valid[i])
			wrmsr(vp, vcpu_msr_number[i], some_value(vp->partition, i));
	for (unsigned int i = 0; i < PLAIN_COUNT; i++)
		wrmsr(vp, kept[i].msr, kept[i].legal);
}

/* Checks the values of write_all(), or those after a reset. */
static void expect_all(struct vsm_vp *vp, bool written)
{
	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++)
		if (vp->partition->features.msr_valid[i])
			assert_int_equal(rdmsr(vp, vcpu_msr_number[i]),
					 written ? some_value(vp->partition, i)
						 : vcpu_msr_reset[i]);
	for (unsigned int i = 0; i < PLAIN_COUNT; i++)
		assert_int_equal(rdmsr(vp, kept[i].msr), written ? kept[i].legal : kept[i].reset);
}

/* P31: KVM's own MSRs, by some of which it writes to guest memory (clock, steal time). */
static void p31_kvms_own_msrs_do_not_exist(void **state)
{
	struct vsm_vp *vp = *state;
	uint64_t value;

	for (uint32_t i = 0; i < 0x102; i++) {
		const uint32_t msr = i < 2 ? 0x11 + i : 0x4b564d00 + i - 2;

		assert_int_equal(guest_rdmsr(vp, msr, &value), GUEST_FAULT);
		assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_GP);
		assert_int_equal(guest_wrmsr(vp, msr, 0x2001), GUEST_FAULT);
		assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_GP);
	}
}

/* shows: rule private-cpu-msrs; register HvX64RegisterSpecCtrl, HvX64RegisterTsxCtrl, HvX64RegisterXss,
 * HvX64RegisterXfd, HvX64RegisterXfdErr, HvX64RegisterDebugCtl, HvX64RegisterBndcfgs,
 * HvX64RegisterUmwaitControl
 */
static void an_msr_of_the_cpu_is_private_to_a_vtl(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	guest_enable_vtl(partition, 1);
	write_all(vp);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++) {
		const uint64_t valid = partition->features.msr_valid[i];
		const uint64_t low = some_value(partition, i);

		if (!valid || !register_name[i])
			continue;
		assert_int_equal(rdmsr(vp, vcpu_msr_number[i]), vcpu_msr_reset[i]);
		assert_int_equal(host_get(vp, 0, register_name[i]), low);
		assert_int_equal(guest_set_register(vp, 0, 0x10, register_name[i], 0),
				 HV_STATUS_SUCCESS);
		assert_int_equal(host_get(vp, 0, register_name[i]), 0);
		if (~valid)
			assert_int_equal(guest_set_register(vp, 0, 0x10, register_name[i], ~valid),
					 HV_STATUS_INVALID_REGISTER_VALUE);
		assert_int_equal(guest_set_register(vp, 0, 0x10, register_name[i], low),
				 HV_STATUS_SUCCESS);
	}
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	expect_all(vp, true);
}

static void a_register_that_this_cpu_lacks_is_refused(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	unsigned int absent = 0;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++) {
		if (partition->features.msr_valid[i] || !register_name[i])
			continue;
		absent++;
		assert_int_equal(guest_set_register(vp, 0, 0x10, register_name[i], 0),
				 HV_STATUS_INVALID_PARAMETER);
	}
	assert_true(absent);
}

/* With an intercept, the core must check a WRMSR that the CPU would check without it. */
static void an_intercepted_write_faults_as_on_the_cpu(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++) {
		const uint64_t valid = partition->features.msr_valid[i];

		if (!valid || !~valid)
			continue;
		assert_int_equal(partition->ops->msr_intercept(partition->backend, 0,
							       vcpu_msr_number[i], true, true),
				 0);
		assert_int_equal(guest_wrmsr(vp, vcpu_msr_number[i], ~valid), GUEST_FAULT);
		assert_int_equal(guest_wrmsr(vp, vcpu_msr_number[i], some_value(partition, i)),
				 GUEST_DONE);
		assert_int_equal(rdmsr(vp, vcpu_msr_number[i]), some_value(partition, i));
	}
}

/* TLFS "Virtual Processor State Isolation": MCG_CAP and MCG_STATUS are shared. */
/* shows: rule mcg-cap, mcg-status */
static void msrs_without_effect_are_shared_and_check_their_values(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	guest_enable_vtl(partition, 1);
	expect_all(vp, false);
	write_all(vp);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	for (unsigned int i = 0; i < PLAIN_COUNT; i++) {
		assert_int_equal(rdmsr(vp, kept[i].msr), kept[i].legal);
		assert_int_equal(guest_wrmsr(vp, kept[i].msr, kept[i].illegal), GUEST_FAULT);
		assert_int_equal(rdmsr(vp, kept[i].msr), kept[i].legal);
		assert_int_equal(rdmsr(vsm_partition_vp(partition, 1), kept[i].msr), kept[i].reset);
	}
	assert_int_equal(rdmsr(vp, X64_MSR_MCG_CAP), 0);
	assert_int_equal(guest_wrmsr(vp, X64_MSR_MCG_CAP, 0), GUEST_FAULT);
}

/* refuses: rule mcg-banks */
static void constants_cannot_be_written_and_commands_cannot_be_read(void **state)
{
	static const uint32_t constant[] = {X64_MSR_PLATFORM_ID, X64_MSR_FEAT_CTL,
					    X64_MSR_PERF_STATUS, X64_MSR_SYSCFG, X64_MSR_VM_CR};
	static const uint32_t command[] = {X64_MSR_UCODE_WRITE, X64_MSR_PATCH_LOADER};
	/* MSRs of machine check banks, performance counters, SVM, CET, SMM, VMX, SGX and Intel PT, and TEST_CTRL. */
	static const uint32_t absent[] = {
		0x17b, 0x280,	       0x400,	   0x403,      0x38f, 0x4d0,
		0x345, 0xc0010114 + 3, 0xc0000104, 0x6a2,      0x6a8, 0x9e,
		0x480, 0x8c,	       0xc0010200, 0xc0000300, 0x570, 0x33};
	struct vsm_vp *vp = *state;
	uint64_t value;

	for (size_t i = 0; i < sizeof(constant) / sizeof(constant[0]); i++) {
		assert_int_equal(guest_rdmsr(vp, constant[i], &value), GUEST_DONE);
		assert_int_equal(guest_wrmsr(vp, constant[i], value), GUEST_FAULT);
	}
	for (size_t i = 0; i < sizeof(command) / sizeof(command[0]); i++) {
		assert_int_equal(guest_rdmsr(vp, command[i], &value), GUEST_FAULT);
		assert_int_equal(guest_wrmsr(vp, command[i], 0x123456789a), GUEST_DONE);
	}
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		assert_int_equal(guest_rdmsr(vp, absent[i], &value), GUEST_FAULT);
		assert_int_equal(guest_wrmsr(vp, absent[i], 0), GUEST_FAULT);
	}
}

static void p29_msrs_are_restored_from_a_saved_state(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_partition *other = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *restored = vsm_partition_vp(other, 0);
	struct guest_saved file;

	guest_enable_vtl(partition, 1);
	write_all(vp);
	file = state_save(partition);
	memcpy(guest_ram(other, 0), guest_ram(partition, 0), RAM);
	state_restores_to_the_same(&file, other);
	expect_all(restored, true);
	assert_int_equal(guest_vtl_call(restored), GUEST_DONE);
	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++)
		if (other->features.msr_valid[i])
			assert_int_equal(rdmsr(restored, vcpu_msr_number[i]), vcpu_msr_reset[i]);
	free(file.bytes);
	vsm_partition_destroy(other);
	vsm_partition_destroy(partition);
}

static void p25_a_reset_clears_msrs(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	guest_enable_vtl(partition, 1);
	write_all(vp);
	assert_int_equal(vsm_partition_reset(partition), 0);
	guest_set_long_mode(vp, 0);
	expect_all(vp, false);
}

/* Returns @file with a record "msrs" of one MSR inserted before "end". */
static struct guest_saved with_msr(const struct guest_saved *file, uint32_t vtl, uint32_t msr,
				   uint64_t value)
{
	struct guest_saved out = {0};
	struct state_record record = {.name = "msrs", .vtl = vtl};
	const struct state_msr state = {msr, value};
	uint8_t bytes[16];

	record.length = (uint32_t)state_packed_size(&state_layout_msr);
	state_pack(&state_layout_msr, &state, bytes);
	record.crc = state_crc(state_crc(0, &record, sizeof(record)), bytes, record.length);
	guest_save_write(&out, file->bytes, file->size - sizeof(record));
	guest_save_write(&out, &record, sizeof(record));
	guest_save_write(&out, bytes, record.length);
	guest_save_write(&out, file->bytes + file->size - sizeof(record), sizeof(record));
	return out;
}

static int restore_with(struct vsm_partition *partition, const struct guest_saved *file,
			uint32_t vtl, uint32_t msr, uint64_t value)
{
	struct guest_saved changed = with_msr(file, vtl, msr, value);
	int error = vsm_partition_restore(partition, changed.bytes, changed.size);

	free(changed.bytes);
	return error;
}

/* A state without the record, as older versions wrote it, restores the values after reset. */
static void a_state_without_msrs_is_accepted_and_one_with_invalid_msrs_is_refused(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct guest_saved file = state_save(partition);

	write_all(vp);
	assert_int_equal(vsm_partition_restore(partition, file.bytes, file.size), 0);
	expect_all(vp, false);

	assert_int_equal(restore_with(partition, &file, 0, X64_MSR_MCG_STATUS, 1), 0);
	assert_int_equal(rdmsr(vp, X64_MSR_MCG_STATUS), 1);
	assert_int_equal(restore_with(partition, &file, 0, X64_MSR_MCG_STATUS, 8), -EINVAL);
	assert_int_equal(restore_with(partition, &file, 1, X64_MSR_MCG_STATUS, 1), -EINVAL);
	assert_int_equal(restore_with(partition, &file, 0, X64_MSR_TSC_DEADLINE, 1), -EINVAL);
	assert_int_equal(restore_with(partition, &file, 0, HV_X64_MSR_TSC_INVARIANT_CONTROL, 2),
			 -EINVAL);
	assert_int_equal(restore_with(partition, &file, 0, X64_MSR_LSTAR, 0), -EINVAL);
	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++)
		if (~partition->features.msr_valid[i])
			assert_int_equal(restore_with(partition, &file, 1, vcpu_msr_number[i],
						      ~partition->features.msr_valid[i]),
					 -EINVAL);
	free(file.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(p31_kvms_own_msrs_do_not_exist, 1, 0),
		TEST(an_msr_of_the_cpu_is_private_to_a_vtl, 1, 1),
		TEST(a_register_that_this_cpu_lacks_is_refused, 1, 1),
		TEST(an_intercepted_write_faults_as_on_the_cpu, 1, 1),
		TEST(msrs_without_effect_are_shared_and_check_their_values, 2, 1),
		TEST(constants_cannot_be_written_and_commands_cannot_be_read, 1, 0),
		cmocka_unit_test(p29_msrs_are_restored_from_a_saved_state),
		TEST_NEEDS_VP(NEED_NO_TABLES, p25_a_reset_clears_msrs, 1, 1),
		TEST(a_state_without_msrs_is_accepted_and_one_with_invalid_msrs_is_refused, 1, 1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
