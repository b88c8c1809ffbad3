/* SPDX-License-Identifier: BSD-2-Clause */
/* Inconsistent registers can be set, since the next write may correct them, but the guest is not
 * entered with them (SDM 3C 27.3.1). tests/rig/kvm_registers.c compares with a real VM entry. */
#include "core_test.h"

#include "core/state/state.h"

#include <stdlib.h>

static struct vsm_vp *vp;

static int setup(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);

	vp = vsm_partition_vp(partition, 0);
	guest_enable_vtl(partition, 1);
	return 0;
}

static int teardown(void **state)
{
	vsm_partition_destroy(vp->partition);
	return 0;
}

static void set_wide(uint32_t name, union hv_register_value value)
{
	assert_int_equal(regs_set(vp, 0, name, &(struct regs_caller){.vtl = 1}, &value), 0);
}

static union hv_register_value segment(uint64_t base, uint32_t limit, uint16_t selector,
				       uint16_t attributes)
{
	return (union hv_register_value){.segment = {.base = base,
						     .limit = limit,
						     .selector = selector,
						     .attributes = attributes}};
}

/* Each value is legal by itself, but not with the other registers of a 64-bit guest. */
static const struct {
	uint32_t name;
	uint64_t low;
	uint64_t high;
} contradictions[] = {
	{HV_X64_REGISTER_CR4, 0, 0},	/* long mode without PAE */
	{HV_X64_REGISTER_CR0, 0x33, 0}, /* no paging: LMA is cleared, CS still has L */
	{HV_X64_REGISTER_CS, 0, UINT64_C(0xa0fb000800000fff)}, /* DPL 3, SS has 0 */
	{HV_X64_REGISTER_CS, 0, UINT64_C(0xa01b000800000fff)}, /* not present */
	{HV_X64_REGISTER_SS, 0, UINT64_C(0xc0f30010ffffffff)}, /* DPL 3, CS has 0 */
	{HV_X64_REGISTER_TR, 0, UINT64_C(0x0083001800000067)}, /* 16-bit, in long mode */
	{HV_X64_REGISTER_TR, 0, UINT64_C(0x000b001800000067)}, /* not present */
	{HV_REGISTER_PENDING_INTERRUPTION, 0x00310001, 0},     /* in flight while IF is 0 */
};

static void contradictory_registers_cause_a_shutdown_without_an_entry(void **state)
{
	const struct vsm_exit *exit;

	for (size_t i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++) {
		const union hv_register_value value = {
			.reg128 = {contradictions[i].low, contradictions[i].high}};
		union hv_register_value before;
		uint64_t exits = atomic_load(&vp->exits);

		set_if(vp, 0, false);
		regs_get(vp, 0, contradictions[i].name, &(struct regs_caller){.host = true},
			 &before);
		set_wide(contradictions[i].name, value);
		sim_next(vp, 0, &(struct sim_action){.kind = SIM_NOP});
		for (unsigned int again = 0; again < 2; again++) {
			assert_int_equal(vsm_vp_run(vp, &exit), 0);
			assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
			assert_int_equal(atomic_load(&vp->exits), exits);
		}
		set_wide(contradictions[i].name, before);
		assert_int_equal(guest_nop(vp), GUEST_DONE);
	}
}

/* SDM 3A 21: in virtual-8086 mode, selectors determine the segments. */
static void virtual_8086_mode_needs_its_own_segments(void **state)
{
	static const uint32_t names[] = {HV_X64_REGISTER_ES, HV_X64_REGISTER_CS,
					 HV_X64_REGISTER_SS, HV_X64_REGISTER_DS,
					 HV_X64_REGISTER_FS, HV_X64_REGISTER_GS};
	const struct vsm_exit *exit;

	host_set(vp, 0, HV_X64_REGISTER_CR0, 0x33);
	host_set(vp, 0, HV_X64_REGISTER_RFLAGS, X64_RFLAGS_VM | X64_RFLAGS_FIXED);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(vsm_vp_run(vp, &exit), 0);
		assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
		set_wide(names[i], segment(0x12340, 0xffff, 0x1234, 0xf3));
	}
	host_set(vp, 0, HV_X64_REGISTER_CR0, 0x32);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
	host_set(vp, 0, HV_X64_REGISTER_CR0, 0x33);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
}

static void p14_an_interrupt_is_not_lost_when_the_entry_is_refused(void **state)
{
	const struct vsm_exit *exit;
	uint64_t cr4;

	set_if(vp, 0, true);
	cr4 = host_get(vp, 0, HV_X64_REGISTER_CR4);
	host_set(vp, 0, HV_X64_REGISTER_CR4, 0);
	post(vp, 0, 0x41);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
	host_set(vp, 0, HV_X64_REGISTER_CR4, cr4);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, 0x41, 0));
}

/* VTL1 sets inconsistent registers of VTL0 and continues to run; it can correct them before it returns. */
static void a_higher_vtl_runs_while_a_lower_one_cannot(void **state)
{
	const struct vsm_exit *exit;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0x10, HV_X64_REGISTER_CR4, 0), 0);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_EXIT);
	assert_int_equal(vp->exit.reason, VSM_EXIT_SHUTDOWN);
	assert_int_equal(vp->exit.vtl, 0);
	post(vp, 1, 0x50);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
}

static void p29_contradictory_registers_that_are_restored_cause_a_shutdown(void **state)
{
	struct guest_saved saved = {0};
	const struct vsm_exit *exit;
	uint64_t cr4 = host_get(vp, 0, HV_X64_REGISTER_CR4);

	host_set(vp, 0, HV_X64_REGISTER_CR4, 0);
	assert_int_equal(vsm_partition_save(vp->partition, guest_save_write, &saved), 0);
	host_set(vp, 0, HV_X64_REGISTER_CR4, cr4);
	assert_int_equal(vsm_partition_restore(vp->partition, saved.bytes, saved.size), 0);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
	host_set(vp, 0, HV_X64_REGISTER_CR4, cr4);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	free(saved.bytes);
}

static void p29_registers_that_cannot_be_set_are_not_restored(void **state)
{
	struct guest_saved saved = {0};
	struct vcpu_state *cpu = vcpu_edit(vp, 0, VCPU_ALL);
	struct vcpu_state good = *cpu;

	for (unsigned int i = 0; i < 6; i++) {
		uint8_t *const header = cpu->xsave + X64_XSAVE_BV;

		*cpu = good;
		cpu->dr7 |= i == 0 ? UINT64_C(1) << 32 : 0;
		cpu->xcr0 = i == 1 ? X64_XFEATURE_X87 | X64_XFEATURE_AVX : good.xcr0;
		cpu->msr[VCPU_MSR_PAT] = i == 2 ? 0x0203 : X64_PAT_RESET;
		cpu->msr[VCPU_MSR_LSTAR] = i == 3 ? UINT64_C(1) << 63 : 0;
		header[0] = i == 4 ? 0x80 : 3; /* Hi16_ZMM, which this CPU lacks */
		header[8] = i == 5;	       /* XCOMP_BV */
		saved.size = 0;
		assert_int_equal(vsm_partition_save(vp->partition, guest_save_write, &saved), 0);
		assert_int_equal(vsm_partition_restore(vp->partition, saved.bytes, saved.size),
				 -EINVAL);
		header[8] = 0;
		header[0] = 3;
	}
	*cpu = good;
	saved.size = 0;
	assert_int_equal(vsm_partition_save(vp->partition, guest_save_write, &saved), 0);
	assert_int_equal(vsm_partition_restore(vp->partition, saved.bytes, saved.size), 0);
	free(saved.bytes);
}

static void segments_that_no_mode_allows_cannot_be_set(void **state)
{
	static const struct {
		uint32_t name;
		uint16_t attributes;
		uint32_t limit;
	} bad[] = {
		{HV_X64_REGISTER_CS, 0xe09b, 0xfff}, /* L and D */
		{HV_X64_REGISTER_CS, 0x0091, 0xfff}, /* read-only data */
		{HV_X64_REGISTER_CS, 0x008b, 0xfff}, /* a system segment */
		{HV_X64_REGISTER_SS, 0x0091, 0xfff}, /* not writable */
		{HV_X64_REGISTER_SS, 0x009b, 0xfff}, /* code */
		{HV_X64_REGISTER_DS, 0x0099, 0xfff}, /* code that cannot be read */
		{HV_X64_REGISTER_ES, 0x0083, 0xfff}, /* a system segment */
		{HV_X64_REGISTER_GS, 0xc093,
		 0xfff00000},			       /* no valid limit for either granularity */
		{HV_X64_REGISTER_LDTR, 0x008b, 0xfff}, /* a TSS */
		{HV_X64_REGISTER_TR, 0x0089, 0x67},    /* not busy */
		{HV_X64_REGISTER_TR, 0x009b, 0x67},    /* code */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const union hv_register_value value =
			segment(0, bad[i].limit, 0x18, bad[i].attributes);

		assert_int_equal(
			regs_set(vp, 0, bad[i].name, &(struct regs_caller){.vtl = 1}, &value),
			HV_STATUS_INVALID_REGISTER_VALUE);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(contradictory_registers_cause_a_shutdown_without_an_entry),
		TEST(virtual_8086_mode_needs_its_own_segments),
		TEST(p14_an_interrupt_is_not_lost_when_the_entry_is_refused),
		TEST(a_higher_vtl_runs_while_a_lower_one_cannot),
		TEST(p29_contradictory_registers_that_are_restored_cause_a_shutdown),
		TEST(p29_registers_that_cannot_be_set_are_not_restored),
		TEST(segments_that_no_mode_allows_cannot_be_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
