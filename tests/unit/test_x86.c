/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"

#include <stdlib.h>

#include <vsm/x86.h>

#include "core/vp/fpu.h"
#include "vp_fixture.h"

static struct vsm_x86_state get(struct vsm_vp *vp, uint8_t vtl, uint32_t groups)
{
	struct vsm_x86_state state = {.size = sizeof(state)};

	assert_int_equal(vsm_vp_get_x86(vp, vtl, &state, groups), 0);
	return state;
}

#define PLAIN                                                                                    \
	(VSM_X86_GENERAL | VSM_X86_SEGMENTS | VSM_X86_CONTROL | VSM_X86_DEBUG | VSM_X86_EVENTS | \
	 VSM_X86_ACTIVITY)

static void each_group_reads_as_it_was_set(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_x86_state now = get(vp, 0, PLAIN);
	struct vsm_x86_state then;

	for (unsigned int i = 0; i < 16; i++)
		now.gpr[i] = 0x1111 * (i + 1);
	now.rip = 0x12340;
	now.rflags = X64_RFLAGS_FIXED | X64_RFLAGS_IF;
	now.segment[VSM_X86_FS].base = 0x123000;
	now.segment[VSM_X86_GS].base = 0x456000;
	now.idtr.limit = 0x7ff;
	now.gdtr.base = 0x9000;
	now.cr2 = 0xabc000;
	now.cr8 = 3;
	now.dr[2] = 0x777;
	now.dr7 = 0x400;
	now.events.nmi_masked = true;
	now.events.exception_pending = true;
	now.events.exception_vector = X64_EXCEPTION_GP;
	now.events.exception_has_error_code = true;
	now.events.exception_error_code = 0x18;
	now.activity = VSM_X86_HALTED;
	assert_int_equal(vsm_vp_set_x86(vp, 0, &now, PLAIN), 0);
	then = get(vp, 0, PLAIN);
	assert_memory_equal(&then, &now, sizeof(now));
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_R8), 0x1111 * 9);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_RSP), 0x1111 * 5);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_RIP), 0x12340);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_CR8), 3);
	assert_int_equal(host_get(vp, 0, HV_REGISTER_PENDING_EVENT0) & 1, 1);
	assert_int_equal(vcpu_get(vp, 0, VCPU_SYSTEM)->segment[SEGMENT_FS].base, 0x123000);
}

static void only_the_given_groups_are_accessed(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_x86_state now = get(vp, 0, PLAIN);
	struct vsm_x86_state none = {.size = sizeof(none), .rip = 0x55};

	assert_int_equal(vsm_vp_get_x86(vp, 0, &none, VSM_X86_CONTROL), 0);
	assert_int_equal(none.rip, 0x55);
	assert_int_equal(none.cr0, now.cr0);
	now.rip = 0x7000;
	now.dr[0] = 0x1234;
	assert_int_equal(vsm_vp_set_x86(vp, 0, &now, VSM_X86_DEBUG), 0);
	assert_int_not_equal(host_get(vp, 0, HV_X64_REGISTER_RIP), 0x7000);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_DR0), 0x1234);
}

static void private_registers_are_those_of_the_given_vtl(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_x86_state higher;
	const uint64_t rip = host_get(vp, 0, HV_X64_REGISTER_RIP);

	guest_enable_vtl(partition, 1);
	host_set(vp, 0, HV_X64_REGISTER_RBX, 0x5555);
	higher = get(vp, 1, VSM_X86_GENERAL);
	assert_int_equal(higher.gpr[3], 0x5555);
	higher.rip = 0x20010;
	higher.gpr[4] = 0x8000;
	assert_int_equal(vsm_vp_set_x86(vp, 1, &higher, VSM_X86_GENERAL), 0);
	assert_int_equal(host_get(vp, 1, HV_X64_REGISTER_RIP), 0x20010);
	assert_int_equal(host_get(vp, 1, HV_X64_REGISTER_RSP), 0x8000);
	assert_int_not_equal(host_get(vp, 0, HV_X64_REGISTER_RIP), 0x20010);
	assert_int_not_equal(rip, 0x20010);
}

static void msrs_are_read_and_set_by_number(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_x86_msr msr[] = {
		{.index = X64_MSR_STAR, .value = 0x0023001000000000},
		{.index = X64_MSR_LSTAR, .value = 0xffff800000001000},
		{.index = X64_MSR_MTRR_DEF_TYPE, .value = 0xc06},
		{.index = HV_X64_MSR_GUEST_OS_ID, .value = 1},
	};
	struct vsm_x86_msr other[] = {
		{.index = X64_MSR_LSTAR},
		{.index = 0x12345678},
		{.index = HV_X64_MSR_GUEST_IDLE},
		{.index = HV_X64_MSR_RESET},
	};
	struct vsm_x86_state all = {.size = sizeof(all), .msr = msr, .msr_count = 4};

	assert_int_equal(vsm_vp_set_x86(vp, 0, &all, VSM_X86_MSRS), 0);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_LSTAR), 0xffff800000001000);
	assert_int_equal(rdmsr(vp, X64_MSR_MTRR_DEF_TYPE), 0xc06);
	all.msr = other;
	assert_int_equal(vsm_vp_get_x86(vp, 0, &all, VSM_X86_MSRS), 0);
	assert_true(other[0].exists);
	assert_int_equal(other[0].value, 0xffff800000001000);
	for (unsigned int i = 1; i < 4; i++)
		assert_false(other[i].exists);
	/* Reading GUEST_IDLE has not suspended the VP; writing RESET does not reset the partition. */
	assert_int_equal(get(vp, 0, VSM_X86_ACTIVITY).activity, VSM_X86_RUNNING);
	other[0] = (struct vsm_x86_msr){.index = HV_X64_MSR_RESET, .value = 1};
	all.msr_count = 1;
	assert_int_equal(vsm_vp_set_x86(vp, 0, &all, VSM_X86_MSRS), -EINVAL);
	assert_false(atomic_load(&partition->reset_wanted));
	other[0] = (struct vsm_x86_msr){.index = X64_MSR_LSTAR, .value = UINT64_C(1) << 60};
	assert_int_equal(vsm_vp_set_x86(vp, 0, &all, VSM_X86_MSRS), -EINVAL);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_LSTAR), 0xffff800000001000);
	other[0] = (struct vsm_x86_msr){.index = X64_MSR_PAT, .value = 2};
	assert_int_equal(vsm_vp_set_x86(vp, 0, &all, VSM_X86_MSRS), -EINVAL);
}

static void the_xsave_area_is_whole_and_checked(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_x86_state area = {.size = sizeof(area)};
	const uint64_t bv = X64_XFEATURE_X87 | X64_XFEATURE_SSE;
	uint64_t xmm[2] = {0};

	assert_int_equal(vsm_vp_get_x86(vp, 0, &area, VSM_X86_XSAVE), -ENOBUFS);
	assert_true(area.xsave_size >= 576);
	area.xsave = calloc(1, area.xsave_size);
	assert_non_null(area.xsave);
	assert_int_equal(vsm_vp_get_x86(vp, 0, &area, VSM_X86_XSAVE), 0);
	memcpy((uint8_t *)area.xsave + X64_XSAVE_BV, &bv, sizeof(bv));
	memset((uint8_t *)area.xsave + X64_XSAVE_XMM0, 0x5a, 16);
	assert_int_equal(vsm_vp_set_x86(vp, 0, &area, VSM_X86_XSAVE), 0);
	fpu_get_xmm(vcpu_get(vp, 0, VCPU_FPU), 0, xmm);
	assert_int_equal(xmm[1], 0x5a5a5a5a5a5a5a5a);
	memset((uint8_t *)area.xsave + X64_XSAVE_BV, 0xff, 8);
	assert_int_equal(vsm_vp_set_x86(vp, 0, &area, VSM_X86_XSAVE), -EINVAL);
	area.xsave_size -= 8;
	assert_int_equal(vsm_vp_set_x86(vp, 0, &area, VSM_X86_XSAVE), -EINVAL);
	free(area.xsave);
}

static void state_that_no_cpu_can_have_is_refused(void **state)
{
	struct vsm_vp *vp = *state;
	const struct vsm_x86_state good = get(vp, 0, PLAIN);
	struct vsm_x86_state bad;

#define REFUSED(group, change)                                                 \
	do {                                                                   \
		bad = good;                                                    \
		bad.change;                                                    \
		assert_int_equal(vsm_vp_set_x86(vp, 0, &bad, group), -EINVAL); \
	} while (0)
	REFUSED(VSM_X86_CONTROL, cr0 = UINT64_MAX);
	REFUSED(VSM_X86_CONTROL, cr8 = 16);
	REFUSED(VSM_X86_CONTROL, xcr0 = 0);
	REFUSED(VSM_X86_GENERAL, rip = UINT64_C(1) << 60);
	REFUSED(VSM_X86_GENERAL, rflags = UINT64_C(1) << 40);
	REFUSED(VSM_X86_SEGMENTS, gdtr.base = UINT64_C(1) << 60);
	REFUSED(VSM_X86_DEBUG, dr7 = UINT64_C(1) << 40);
	REFUSED(VSM_X86_EVENTS, events.nmi_pending = 3);
	REFUSED(VSM_X86_EVENTS, events = ((struct vsm_x86_events){.exception_pending = true,
								  .exception_vector = 2}));
	REFUSED(VSM_X86_EVENTS, events = ((struct vsm_x86_events){.interrupt_injected = true,
								  .nmi_injected = true}));
	REFUSED(VSM_X86_ACTIVITY, activity = 4);
	REFUSED(VSM_X86_ALL + 1, rip = 0);
	REFUSED(0, size = 8);
	assert_int_equal(vsm_vp_get_x86(vp, 2, &bad, 0), -EINVAL);
}

static void a_local_apic_state_is_set_whole_or_refused_without_effect(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_lapic_state lapic, after;

	assert_int_equal(vsm_vp_lapic(vp, 0, &lapic), 0);
	lapic.tpr = 0x30;
	assert_int_equal(vsm_vp_set_lapic(vp, 0, &lapic), 0);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_CR8), 3);
	assert_int_equal(vsm_vp_lapic(vp, 0, &after), 0);
	assert_memory_equal(&after, &lapic, sizeof(lapic));
	lapic.tpr = 0x40;
	lapic.apic_base = UINT64_MAX;
	assert_int_equal(vsm_vp_set_lapic(vp, 0, &lapic), -EINVAL);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_CR8), 3);
	assert_int_equal(vsm_vp_set_lapic(vp, 2, &lapic), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_group_reads_as_it_was_set, 1, 1),
		TEST(only_the_given_groups_are_accessed, 1, 1),
		TEST(private_registers_are_those_of_the_given_vtl, 1, 1),
		TEST(msrs_are_read_and_set_by_number, 1, 1),
		TEST(the_xsave_area_is_whole_and_checked, 1, 1),
		TEST(state_that_no_cpu_can_have_is_refused, 1, 1),
		TEST(a_local_apic_state_is_set_whole_or_refused_without_effect, 2, 1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
