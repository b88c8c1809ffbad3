/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "unit_test.h"
#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"

static struct kvm_vcpu_events given(struct vcpu_events events, uint64_t rflags)
{
	const struct vcpu_events none = {0};
	struct kvm_vcpu_events to = {0};

	events_to_kvm(&events, &none, rflags, &to);
	return to;
}

static void an_nmi_to_inject_is_injected(void **state)
{
	struct kvm_vcpu_events to = given((struct vcpu_events){.nmi_injected = true}, 2);

	assert_int_equal(to.nmi.injected, 1);
	assert_int_equal(to.nmi.pending, 0);
	assert_int_equal(to.nmi.masked, 0);
}

/* VM entry would fail (SDM 3C 27.3.1.5, checks on guest interruptibility). */
static void an_nmi_to_inject_waits_while_nmis_are_masked(void **state)
{
	struct kvm_vcpu_events to =
		given((struct vcpu_events){.nmi_injected = true, .nmi_masked = true}, 2);

	assert_int_equal(to.nmi.injected, 0);
	assert_int_equal(to.nmi.pending, 1);
	assert_int_equal(to.nmi.masked, 1);
}

/* VM entry would also fail. */
static void an_nmi_to_inject_waits_for_the_end_of_an_interrupt_shadow(void **state)
{
	struct kvm_vcpu_events to =
		given((struct vcpu_events){.nmi_injected = true, .interrupt_shadow = true}, 2);

	assert_int_equal(to.nmi.injected, 0);
	assert_int_equal(to.nmi.pending, 1);
	assert_int_equal(to.interrupt.shadow, KVM_X86_SHADOW_INT_MOV_SS);
}

static void a_waiting_nmi_is_not_lost_when_another_is_injected(void **state)
{
	struct kvm_vcpu_events to = given((struct vcpu_events){.nmi_injected = true,
							       .nmi_pending = true,
							       .interrupt_shadow = true},
					  2);

	assert_int_equal(to.nmi.pending, 2);
	to = given(
		(struct vcpu_events){.nmi_injected = true, .nmi_pending = true, .nmi_masked = true},
		2);
	assert_int_equal(to.nmi.pending, 1);
}

/* The backend does not set an interrupt shadow together with TF, so the NMI need not wait. */
static void an_nmi_to_inject_does_not_wait_for_a_shadow_that_is_not_set(void **state)
{
	struct kvm_vcpu_events to =
		given((struct vcpu_events){.nmi_injected = true, .interrupt_shadow = true},
		      X64_RFLAGS_TF | 2);

	assert_int_equal(to.nmi.injected, 1);
	assert_int_equal(to.interrupt.shadow, 0);
}

/* On AMD CPUs, KVM reports an NMI as injected and masked if a host page fault interrupts its delivery. */
static void an_nmi_whose_delivery_was_interrupted_is_delivered_again(void **state)
{
	struct kvm_sync_regs regs = {.events.nmi = {.injected = 1, .masked = 1}};
	struct vcpu_events events;

	events_from_kvm(&regs, &events);
	assert_true(events.nmi_injected);
	assert_false(events.nmi_masked);
	events_to_kvm(&events, &events, 2, &regs.events);
	assert_int_equal(regs.events.nmi.injected, 1);
	assert_int_equal(regs.events.nmi.pending, 0);
}

static void pending_nmis_of_kvm_are_kept(void **state)
{
	struct kvm_sync_regs regs = {.events.nmi = {.pending = 2}};
	struct vcpu_events old;
	struct vcpu_events events;

	events_from_kvm(&regs, &old);
	events = old;
	events.interrupt_shadow = true;
	events_to_kvm(&events, &old, 2, &regs.events);
	assert_int_equal(regs.events.nmi.pending, 2);
}

/* The entry may be postponed, and the core may set events again before it. */
static void a_waiting_nmi_stays_one_when_events_are_set_again(void **state)
{
	struct kvm_run *run = calloc(1, sizeof(*run));
	struct vcpu_state file = {.events = {.nmi_injected = true, .interrupt_shadow = true}};
	struct vcpu vcpu = {.run = run, .state = &file};

	assert_non_null(run);
	events_store(&vcpu);
	events_store(&vcpu);
	assert_int_equal(run->s.regs.events.nmi.pending, 1);
	assert_int_equal(run->s.regs.events.nmi.injected, 0);
	assert_true(file.events.nmi_pending);
	free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_nmi_to_inject_is_injected),
		cmocka_unit_test(an_nmi_to_inject_waits_while_nmis_are_masked),
		cmocka_unit_test(an_nmi_to_inject_waits_for_the_end_of_an_interrupt_shadow),
		cmocka_unit_test(a_waiting_nmi_is_not_lost_when_another_is_injected),
		cmocka_unit_test(an_nmi_to_inject_does_not_wait_for_a_shadow_that_is_not_set),
		cmocka_unit_test(an_nmi_whose_delivery_was_interrupted_is_delivered_again),
		cmocka_unit_test(a_waiting_nmi_stays_one_when_events_are_set_again),
		cmocka_unit_test(pending_nmis_of_kvm_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
