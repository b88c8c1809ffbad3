/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts for VTL0 must cost VTL1 little time while it runs, since VTL0 of another VP can send
 * any number. */
#include "core_test.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS 50u
#define VECTOR 0xe0u /* vector of VINA */

static _Atomic uint32_t kicks;
static void (*meanwhile)(struct vsm_vp *vp); /* called once at the next entry */
static struct vsm_vp *target;

static void *send(void *unused)
{
	meanwhile(target);
	return NULL;
}

/* Another thread sends, since a VP does not kick itself. */
static void send_now(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, send, NULL), 0);
	pthread_join(thread, NULL);
	meanwhile = NULL;
}

static int run_while_others_send(void *vp, struct backend_run *run)
{
	if (meanwhile)
		send_now();
	return sim_ops.vp_run(vp, run);
}

static void count_kick(void *vp)
{
	atomic_fetch_add(&kicks, 1);
	sim_ops.vp_kick(vp);
}

static struct backend_ops ops;

static int setup(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	guest_enable_vtl(partition, 1);
	enable_synic(vp, 4, 0x50);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	enable_assist(vp);
	set_if(vp, 0, true);
	set_if(vp, 1, true);
	ops = sim_ops;
	ops.vp_run = run_while_others_send;
	ops.vp_kick = count_kick;
	partition->ops = &ops;
	atomic_store(&kicks, 0);
	target = vp;
	*state = vp;
	return 0;
}

static int teardown(void **state)
{
	struct vsm_vp *vp = *state;

	meanwhile = NULL;
	vsm_partition_destroy(vp->partition);
	return 0;
}

static void send_ipi(struct vsm_vp *vp, uint8_t vtl, uint8_t delivery, uint8_t vector)
{
	const struct vsm_lapic_ipi ipi = {
		.vector = vector, .delivery = delivery, .destination = vp->apic_id};

	interrupt_send(vp->partition, vtl, vsm_partition_vp(vp->partition, 1), NULL, &ipi);
}

/* Uses a different vector each time: a pending one would merge and not kick. */
static void send_next_vector(struct vsm_vp *vp)
{
	static uint8_t vector;

	send_ipi(vp, 0, VSM_LAPIC_FIXED, (uint8_t)(0x60 + vector++ % 0x40));
}

static void send_nmi(struct vsm_vp *vp)
{
	send_ipi(vp, 0, VSM_LAPIC_NMI, 0);
}

static void post_message(struct vsm_vp *vp)
{
	const struct hv_message message = {.message_type = 1};

	vsm_message_post(vp->partition, vp->index, 0, 4, &message);
}

static void send_to_vtl1(struct vsm_vp *vp)
{
	send_ipi(vp, 1, VSM_LAPIC_FIXED, 0x70);
}

static void run_rounds(struct vsm_vp *vp, void (*sender)(struct vsm_vp *vp))
{
	atomic_store(&kicks, 0);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		meanwhile = sender;
		assert_int_equal(guest_nop(vp), GUEST_DONE);
	}
	assert_int_equal(vp->active_vtl, 1);
}

static void interrupts_of_vtl0_do_not_stop_vtl1(void **state)
{
	struct vsm_vp *vp = *state;

	run_rounds(vp, send_next_vector);
	assert_int_equal(kicks, 0);
	run_rounds(vp, send_nmi);
	assert_int_equal(kicks, 0);
	run_rounds(vp, post_message);
	assert_int_equal(kicks, 0);
}

/* P14 */
static void interrupts_that_did_not_kick_are_not_lost(void **state)
{
	struct vsm_vp *vp = *state;
	uint32_t before;

	run_rounds(vp, send_next_vector);
	run_rounds(vp, send_nmi);
	run_rounds(vp, post_message);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	before = sim_state(vp, 0)->interrupts;
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	for (unsigned int i = 0; i < ROUNDS + 2; i++) {
		guest_run(vp);
		eoi(vp);
	}
	/* SDM 3A "Handling Multiple NMIs": one in service, one latched. */
	assert_int_equal(sim_state(vp, 0)->nmis, 2);
	assert_int_equal(sim_state(vp, 0)->interrupts - before, ROUNDS + 1);
}

static void an_interrupt_of_the_running_or_a_higher_vtl_kicks(void **state)
{
	struct vsm_vp *vp = *state;

	meanwhile = send_to_vtl1;
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_int_equal(kicks, 1);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0x70, 0));
	eoi(vp);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	meanwhile = send_to_vtl1;
	guest_run(vp);
	guest_run(vp);
	assert_int_equal(kicks, 2);
	assert_int_equal(vp->active_vtl, 1);
}

/* A VP that is halted in VTL1 is not in the guest. */
static void a_halted_vtl1_is_kicked_once_at_most(void **state)
{
	struct vsm_vp *vp = *state;

	assert_int_equal(guest_halt(vp), GUEST_DONE);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		meanwhile = send_next_vector;
		send_now();
		guest_run(vp);
	}
	assert_int_equal(vp->vtl[1].activity, VP_HALTED);
	assert_true(kicks <= 1);
}

static void enable_vina(struct vsm_vp *vp)
{
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VINA,
					    HV_VSM_VINA_ENABLED | HV_VSM_VINA_AUTO_EOI | VECTOR),
			 0);
}

static void nmis_and_masked_interrupts_of_vtl0_cause_few_kicks_and_no_vina(void **state)
{
	struct vsm_vp *vp = *state;

	enable_vina(vp);
	run_rounds(vp, send_nmi);
	assert_true(kicks <= 2);
	set_if(vp, 0, false);
	sim_advance(vp->partition, vp->partition->features.tsc_hz);
	run_rounds(vp, send_next_vector);
	assert_true(kicks <= 2);
	assert_int_equal(sim_state(vp, 1)->interrupts, 0);
}

/* One kick for the notification and one for the next interrupt; later ones do not kick. */
static void vina_kicks_only_for_the_first_two_interrupts(void **state)
{
	struct vsm_vp *vp = *state;

	enable_vina(vp);
	run_rounds(vp, send_next_vector);
	assert_int_equal(sim_state(vp, 1)->interrupts, 1);
	assert_true(was_delivered(vp, 1, VECTOR, 0));
	assert_int_equal(kicks, 2);
}

/* TLFS "VINA": clearing the status does not exit, so the VP checks for the next interrupt after a short time. */
static void vina_notifies_again_within_a_tenth_of_a_millisecond(void **state)
{
	struct vsm_vp *vp = *state;
	struct hv_vp_assist_page *page = (struct hv_vp_assist_page *)(void *)vp->vtl[1].assist;
	const uint64_t tenth = vp->partition->features.tsc_hz / 10000;

	enable_vina(vp);
	run_rounds(vp, send_next_vector);
	assert_int_equal(sim_state(vp, 1)->interrupts, 1);
	guest_run(vp);
	assert_true(vp->run.deadline - vp_tsc(vp->partition) <= tenth);
	page->vtl_control.vina_status = 0;
	sim_advance(vp->partition, tenth);
	guest_run(vp);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 1)->interrupts, 2);
}

/* Without a new interrupt for VTL0 the VP needs no exit to check for one. */
static void vina_without_a_new_interrupt_sets_no_deadline(void **state)
{
	struct vsm_vp *vp = *state;

	enable_vina(vp);
	meanwhile = send_next_vector;
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_int_equal(sim_state(vp, 1)->interrupts, 1);
	guest_run(vp);
	assert_int_equal(vp->run.deadline, UINT64_MAX);
}

/* VTL0 of another VP starts the VP, which is in VTL1 and not in the guest: no kick. */
static void a_start_of_a_vp_that_is_not_in_the_guest_does_not_kick(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_vp *other = vsm_partition_vp(vp->partition, 1);
	struct hv_initial_vp_context context = guest_context(0x20000, 0x9000);

	assert_int_equal(vp->active_vtl, 1);
	atomic_store(&kicks, 0);
	assert_int_equal(
		context_call(other, HV_CALL_START_VIRTUAL_PROCESSOR, vp->index, 0, &context),
		HV_STATUS_SUCCESS);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_RIP), 0x20000);
	assert_int_equal(kicks, 0);
}

#define MANY		 64u
#define SLICE		 32u
#define FIRST		 20u /* kicks before VTL1 gets an interrupt */
#define ICR_ALL_BUT_SELF 0xc0000u
#define ICR_NMI		 0x400u

static uint64_t hypercall_to_all(struct vsm_vp *vp)
{
	const struct hv_send_synthetic_cluster_ipi_ex_input input = {
		.vector = 0x61, .vp_set = {.format = HV_VP_SET_FORMAT_ALL}};

	return guest_call(vp, HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX, &input, sizeof(input), NULL,
			  0);
}

static uint64_t icr_to_all(struct vsm_vp *vp)
{
	return guest_wrmsr(vp, HV_X64_MSR_ICR, ICR_ALL_BUT_SELF | 0x62);
}

static uint64_t nmi_to_all(struct vsm_vp *vp)
{
	return guest_wrmsr(vp, HV_X64_MSR_ICR, ICR_ALL_BUT_SELF | ICR_NMI);
}

static void *interrupt_vtl1(void *vp)
{
	vsm_lapic_post(&((struct vsm_vp *)vp)->vtl[1].lapic, 0x55, VSM_LAPIC_EDGE);
	return NULL;
}

static void count_and_interrupt(void *vp)
{
	pthread_t thread;

	if (atomic_fetch_add(&kicks, 1) == FIRST) {
		assert_int_equal(pthread_create(&thread, NULL, interrupt_vtl1, target), 0);
		pthread_join(thread, NULL);
	}
	sim_ops.vp_kick(vp);
}

static struct vsm_vp *vp_of_many(int (*run)(void *vp, struct backend_run *run))
{
	struct vsm_partition *partition = guest_partition(MANY, 1, RAM, NULL);

	guest_enable_vtl(partition, 1);
	ops = sim_ops;
	ops.vp_kick = count_and_interrupt;
	ops.vp_run = run;
	partition->ops = &ops;
	atomic_store(&kicks, 0);
	target = vsm_partition_vp(partition, 0);
	return target;
}

static uint32_t kicks_before_vtl1;

static int note_entry_of_vtl1(void *vp, struct backend_run *run)
{
	if (run->vtl == 1 && !kicks_before_vtl1)
		kicks_before_vtl1 = atomic_load(&kicks);
	return sim_ops.vp_run(vp, run);
}

/* P27: an IPI to all VPs kicks each by a system call; VTL1 gets an interrupt after the first ones. */
static void p27_vtl1_is_entered_between_the_kicks_of_an_ipi_to_all_vps(void **state)
{
	static uint64_t (*const to_all[])(struct vsm_vp * vp) = {hypercall_to_all, icr_to_all,
								 nmi_to_all};

	for (size_t i = 0; i < sizeof(to_all) / sizeof(to_all[0]); i++) {
		struct vsm_vp *vp = vp_of_many(note_entry_of_vtl1);

		kicks_before_vtl1 = 0;
		(void)to_all[i](vp);
		assert_int_equal(vp->active_vtl, 1);
		assert_true(kicks_before_vtl1 > FIRST);
		assert_true(kicks_before_vtl1 <= SLICE);
		assert_int_equal(kicks, MANY - 1);
		vsm_partition_destroy(vp->partition);
	}
}

static uint32_t kicks_before_sleep;

static int halt_vtl1(void *vp, struct backend_run *run)
{
	if (run->vtl == 0)
		return sim_ops.vp_run(vp, run);
	run->exit = BACKEND_EXIT_HALT;
	run->length = 1;
	return 0;
}

static int note_sleep(void *vp, uint64_t deadline)
{
	if (!kicks_before_sleep)
		kicks_before_sleep = atomic_load(&kicks);
	return sim_ops.vp_wait(vp, deadline);
}

/* P14: the other VPs are kicked for the IPI of VTL0 even if VTL1 of the sender is halted. */
static void p14_no_kick_waits_until_a_halted_vtl1_returns(void **state)
{
	struct vsm_vp *vp = vp_of_many(halt_vtl1);

	ops.vp_wait = note_sleep;
	(void)icr_to_all(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(vp->vtl[1].activity, VP_HALTED);
	assert_int_equal(kicks_before_sleep, MANY - 1);
	vsm_partition_destroy(vp->partition);
}

static uint32_t kicks_of_vtl1;

static int send_from_vtl1(void *vp, struct backend_run *run)
{
	static const uint64_t all_but_self[CORE_VP_MAX / 64] = {~UINT64_C(1)};
	static uint32_t before;

	if (run->vtl == 0 || kicks_of_vtl1)
		return sim_ops.vp_run(vp, run);
	if (!before) {
		before = atomic_load(&kicks);
		interrupt_post_set(target, 1, 0x63, all_but_self);
		run->exit = BACKEND_EXIT_INTERRUPTED;
		return 0;
	}
	kicks_of_vtl1 = atomic_load(&kicks) - before;
	return sim_ops.vp_run(vp, run);
}

static void p27_vtl1_waits_only_for_the_kicks_of_its_own_ipi(void **state)
{
	struct vsm_vp *vp = vp_of_many(send_from_vtl1);

	(void)icr_to_all(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(kicks_of_vtl1, MANY - 1);
	assert_int_equal(kicks, 2 * (MANY - 1));
	vsm_partition_destroy(vp->partition);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(interrupts_of_vtl0_do_not_stop_vtl1),
		TEST(interrupts_that_did_not_kick_are_not_lost),
		TEST(an_interrupt_of_the_running_or_a_higher_vtl_kicks),
		TEST(a_halted_vtl1_is_kicked_once_at_most),
		TEST(nmis_and_masked_interrupts_of_vtl0_cause_few_kicks_and_no_vina),
		TEST(vina_kicks_only_for_the_first_two_interrupts),
		TEST(vina_notifies_again_within_a_tenth_of_a_millisecond),
		TEST(vina_without_a_new_interrupt_sets_no_deadline),
		TEST(a_start_of_a_vp_that_is_not_in_the_guest_does_not_kick),
		cmocka_unit_test(p27_vtl1_is_entered_between_the_kicks_of_an_ipi_to_all_vps),
		cmocka_unit_test(p14_no_kick_waits_until_a_halted_vtl1_returns),
		cmocka_unit_test(p27_vtl1_waits_only_for_the_kicks_of_its_own_ipi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
