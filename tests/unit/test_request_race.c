/* SPDX-License-Identifier: BSD-2-Clause */
/* VPs that access each other's registers: the state of a VP that waits inside a hypercall (P40),
 * and requests of lower VTLs, which must not prevent a higher VTL from running (P32). */
#include "core_test.h"

#include "core/vp/request.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define WAIT_UNTIL(condition)                                      \
	do {                                                       \
		time_t end_ = time(NULL) + 30;                     \
		while (!(condition)) {                             \
			if (time(NULL) > end_)                     \
				fail_msg("never: %s", #condition); \
			sched_yield();                             \
		}                                                  \
	} while (0)

#define BELOW	  HV_INPUT_VTL_USE_TARGET /* VTL0 */
#define INPUT_GPA 0x6000u		  /* input of the hypercall that waits */

static const struct sim_options threads = {.threads = true};

/* VP `vp` requests a register of VP `held`, whose VMM has not completed an exit. */
struct waiter {
	struct vsm_partition *partition;
	struct vsm_vp *other; /* VP 0 */
	struct vsm_vp *vp;    /* VP 1 */
	struct vsm_vp *held;  /* VP 2 */
	uint64_t rip;	      /* RIP of the hypercall */
	pthread_t thread;
};

static void *run_once(void *opaque)
{
	const struct vsm_exit *exit;

	assert_int_equal(vsm_vp_run(opaque, &exit), 0);
	return NULL;
}

static void hold(struct vsm_vp *vp)
{
	const struct vsm_exit *exit;

	sim_next(vp, vp->active_vtl,
		 &(struct sim_action){.kind = SIM_IN, .address = 0x60, .size = 1});
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
}

/* The active VTL of `vp` makes the call; returns when it waits. */
static void begin_call(struct waiter *waiter)
{
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[2];
	} input = {{.partition_id = HV_PARTITION_ID_SELF, .vp_index = waiter->held->index},
		   {HV_REGISTER_VP_INDEX}};
	struct vsm_vp *vp = waiter->vp;
	const uint8_t vtl = vp->active_vtl;

	memcpy(guest_ram(waiter->partition, INPUT_GPA), &input, sizeof(input));
	guest_set_gpr(vp, vtl, GPR_RCX, HV_CALL_GET_VP_REGISTERS | UINT64_C(1) << 32);
	guest_set_gpr(vp, vtl, GPR_RDX, INPUT_GPA);
	guest_set_gpr(vp, vtl, GPR_R8, INPUT_GPA + 0x1000);
	guest_set_gpr(vp, vtl, GPR_RAX, 0x1234);
	waiter->rip = vcpu_get(vp, vtl, VCPU_GPR)->rip;
	sim_next(vp, vtl, &(struct sim_action){.kind = SIM_HYPERCALL});
	pthread_create(&waiter->thread, NULL, run_once, vp);
	WAIT_UNTIL(atomic_load(&waiter->held->request_waiting));
}

/* VTL1 runs on VP 0. VP 1, which has VTL1 only if @with_vtl1, waits in VTL0. */
static struct waiter start_waiter(bool with_vtl1)
{
	struct waiter waiter = {.partition = guest_partition(3, 1, RAM, &threads)};

	waiter.other = vsm_partition_vp(waiter.partition, 0);
	waiter.vp = vsm_partition_vp(waiter.partition, 1);
	waiter.held = vsm_partition_vp(waiter.partition, 2);
	assert_int_equal(enable_partition(waiter.other, 1, 0), 0);
	assert_int_equal(enable_vp(waiter.other, 0, 1), 0);
	assert_int_equal(guest_vtl_call(waiter.other), GUEST_DONE);
	if (with_vtl1)
		assert_int_equal(enable_vp(waiter.other, 1, 1), 0);
	hold(waiter.held);
	begin_call(&waiter);
	return waiter;
}

/* When the VP has left its wait, it leaves vsm_vp_run(), too, since the guest has nothing else to do. */
static void join(const struct waiter *waiter)
{
	pthread_join(waiter->thread, NULL);
}

/* The VMM completes its exit, so that the call can complete, in its first attempt or a repeated one. */
static void release_and_join(const struct waiter *waiter)
{
	guest_run(waiter->held);
	pthread_join(waiter->thread, NULL);
}

static void expect_done(const struct waiter *waiter)
{
	const struct vcpu_state *cpu = vcpu_get(waiter->vp, 0, VCPU_GPR);
	uint64_t answer;

	memcpy(&answer, guest_ram(waiter->partition, INPUT_GPA + 0x1000), sizeof(answer));
	assert_int_equal(cpu->rip, waiter->rip + SIM_INSTRUCTION_LENGTH);
	assert_int_equal(cpu->gpr[GPR_RAX], hv_hypercall_result(HV_STATUS_SUCCESS, 1));
	assert_int_equal(answer, waiter->held->index);
}

/* VTL1 on another VP sets RIP and RAX of VTL0, which continues at another address. */
static void p40_registers_that_vtl1_sets_during_the_wait_are_kept(void **state)
{
	struct waiter waiter = start_waiter(true);

	assert_int_equal(guest_set_register(waiter.other, 1, BELOW, HV_X64_REGISTER_RIP, 0x123000),
			 0);
	join(&waiter);
	assert_int_equal(guest_set_register(waiter.other, 1, BELOW, HV_X64_REGISTER_RAX, 0x5678),
			 0);
	guest_run(waiter.held);
	guest_run(waiter.vp);
	assert_int_equal(vcpu_get(waiter.vp, 0, VCPU_GPR)->rip, 0x123000);
	assert_int_equal(guest_gpr(waiter.vp, 0, GPR_RAX), 0x5678);
	assert_false(atomic_load(&waiter.held->request_waiting));
	vsm_partition_destroy(waiter.partition);
}

static void p40_other_registers_that_are_set_during_the_wait_are_kept(void **state)
{
	struct waiter waiter = start_waiter(true);

	assert_int_equal(guest_set_register(waiter.other, 1, BELOW, HV_X64_REGISTER_RBX, 0x123000),
			 0);
	/* The effect is that of a write before the instruction, which executes once. */
	release_and_join(&waiter);
	expect_done(&waiter);
	assert_int_equal(guest_gpr(waiter.vp, 0, GPR_RBX), 0x123000);
	vsm_partition_destroy(waiter.partition);
}

static void p40_a_vp_that_is_started_during_the_wait_begins_with_its_context(void **state)
{
	struct waiter waiter = start_waiter(false);
	struct hv_initial_vp_context context = guest_context(0x30000, 0x7000);

	assert_int_equal(
		context_call(waiter.other, HV_CALL_START_VIRTUAL_PROCESSOR, 1, 0, &context), 0);
	join(&waiter);
	assert_int_equal(vcpu_get(waiter.vp, 0, VCPU_GPR)->rip, 0x30000);
	assert_int_equal(guest_gpr(waiter.vp, 0, GPR_RSP), 0x7000);
	assert_int_equal(guest_gpr(waiter.vp, 0, GPR_RAX), 0);
	guest_run(waiter.held);
	vsm_partition_destroy(waiter.partition);
}

static void p40_a_vtl_that_is_enabled_during_the_wait_does_not_affect_the_call(void **state)
{
	struct waiter waiter = start_waiter(false);

	assert_int_equal(enable_vp(waiter.other, 1, 1), 0);
	release_and_join(&waiter);
	expect_done(&waiter);
	assert_int_equal(atomic_load(&waiter.vp->enabled_vtls), 3);
	assert_int_equal(vcpu_get(waiter.vp, 1, VCPU_GPR)->rip, 0x21000);
	vsm_partition_destroy(waiter.partition);
}

static void p40_an_init_during_the_wait_resets_rip_and_rax(void **state)
{
	struct waiter waiter = start_waiter(false);

	/* INIT is not dropped, since this VP has no higher VTL. */
	interrupt_post_event(waiter.vp, 0, VSM_LAPIC_EVENT_INIT, 0);
	/* The VP takes the INIT and waits for its SIPI, until its VMM stops it. */
	WAIT_UNTIL(!atomic_load(&waiter.held->request_waiting));
	WAIT_UNTIL(!__atomic_load_n(&waiter.vp->vtl[0].lapic.events, __ATOMIC_ACQUIRE));
	vsm_vp_kick(waiter.vp);
	join(&waiter);
	assert_int_equal(waiter.vp->vtl[0].activity, VP_WAIT_FOR_SIPI);
	assert_int_equal(vcpu_get(waiter.vp, 0, VCPU_GPR)->rip, 0xfff0);
	assert_int_equal(guest_gpr(waiter.vp, 0, GPR_RAX), 0);
	guest_run(waiter.held);
	vsm_partition_destroy(waiter.partition);
}

static bool has_posted_for(struct vsm_lapic *lapic, unsigned int ms)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (; vsm_lapic_has_posted(lapic) && ms; ms--)
		nanosleep(&moment, NULL);
	return vsm_lapic_has_posted(lapic);
}

/* A vector does not end the wait, and must not keep the next event from kicking the VP. */
static void an_nmi_during_the_wait_kicks_the_vp_also_after_a_vector(void **state)
{
	struct waiter waiter = start_waiter(false);
	struct vsm_lapic *lapic = &waiter.vp->vtl[0].lapic;

	(void)state;
	interrupt_post(waiter.vp, 0, 0x70, VSM_LAPIC_EDGE);
	assert_false(has_posted_for(lapic, 2000));
	assert_true(atomic_load(&waiter.held->request_waiting));
	assert_int_equal(vsm_lapic_post_event(lapic, VSM_LAPIC_EVENT_NMI, 0), VSM_LAPIC_KICK);
	vp_kick(waiter.vp);
	/* The VP takes the NMI, and then repeats its call. */
	WAIT_UNTIL(!vsm_lapic_events(lapic));
	release_and_join(&waiter);
	assert_int_equal(sim_state(waiter.vp, 0)->nmis, 1);
	vsm_partition_destroy(waiter.partition);
}

static void p40_a_read_during_the_wait_sees_the_state_before_the_call(void **state)
{
	struct waiter waiter = start_waiter(true);
	const uint32_t name = HV_X64_REGISTER_RIP;
	union hv_register_value host;
	uint64_t value;

	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(
			guest_get_register(waiter.other, 1, BELOW, HV_X64_REGISTER_RIP, &value), 0);
		assert_int_equal(value, waiter.rip);
		assert_int_equal(
			guest_get_register(waiter.other, 1, BELOW, HV_X64_REGISTER_RAX, &value), 0);
		assert_int_equal(value, 0x1234);
		assert_int_equal(vsm_vp_get_registers(waiter.vp, 0, &name, &host, 1), 1);
		assert_int_equal(host.reg64, waiter.rip);
	}
	release_and_join(&waiter);
	expect_done(&waiter);
	vsm_partition_destroy(waiter.partition);
}

static void set_rip(void *opaque, uint32_t id, uint32_t type, const void *data, size_t size)
{
	const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_RAX};
	const union hv_register_value value[] = {{.reg64 = 0x123000}, {.reg64 = 0x5678}};

	assert_int_equal(vsm_vp_set_registers(opaque, 0, name, value, 2), 2);
}

/* The callback runs on the VP's own thread, during the hypercall. */
static void p40_registers_that_the_vmm_sets_in_a_callback_are_kept(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 0, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_connection connection = {
		.id = 7, .kind = VSM_CONNECTION_EVENT, .fn = set_rip, .opaque = vp};
	struct hv_signal_event_input input = {.connection_id = 7};

	assert_int_equal(vsm_connection_add(partition, &connection), 0);
	guest_call(vp, HV_CALL_SIGNAL_EVENT, &input, sizeof(input), NULL, 0);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, 0x123000);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), 0x5678);
	vsm_partition_destroy(partition);
}

static void p40_a_vtl_does_not_set_its_own_context(void **state)
{
	static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_RAX,
					HV_X64_REGISTER_RFLAGS};
	struct vsm_partition *partition = guest_partition(2, 0, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	for (uint32_t index = 0; index < 2; index++)
		for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
			assert_int_equal(guest_set_register(vp, index, 0, name[i], 2),
					 HV_STATUS_ACCESS_DENIED);
	vsm_partition_destroy(partition);
}

/* VTL1 changes registers that it shares with VTL0, so the parameters of the call must be set
 * again. */
static void return_to_vtl0(const struct waiter *waiter)
{
	set_if(waiter->vp, 1, true);
	guest_run(waiter->vp);
	eoi(waiter->vp);
	sim_next(waiter->vp, 0, &(struct sim_action){.kind = SIM_NOTHING});
	assert_int_equal(guest_vtl_return(waiter->vp, true), GUEST_DONE);
}

static void p32_an_interrupt_of_vtl1_ends_the_wait_of_vtl0(void **state)
{
	struct waiter waiter = start_waiter(true);

	interrupt_post(waiter.vp, 1, 0x70, VSM_LAPIC_EDGE);
	join(&waiter);
	assert_int_equal(waiter.vp->active_vtl, 1);
	assert_int_equal(vcpu_get(waiter.vp, 0, VCPU_GPR)->rip, waiter.rip);
	assert_false(atomic_load(&waiter.held->request_waiting));
	return_to_vtl0(&waiter);
	begin_call(&waiter);
	release_and_join(&waiter);
	expect_done(&waiter);
	vsm_partition_destroy(waiter.partition);
}

static void p32_a_timer_of_vtl1_ends_the_wait_of_vtl0(void **state)
{
	struct waiter waiter = start_waiter(true);

	interrupt_post(waiter.vp, 1, 0x70, VSM_LAPIC_EDGE);
	join(&waiter);
	/* Direct mode, vector 0x71, one expiry 1 ms from now. */
	wrmsr(waiter.vp, HV_X64_MSR_STIMER0_CONFIG, 0x1711);
	wrmsr(waiter.vp, HV_X64_MSR_STIMER0_COUNT,
	      rdmsr(waiter.vp, HV_X64_MSR_TIME_REF_COUNT) + 10000);
	return_to_vtl0(&waiter);
	begin_call(&waiter);
	sim_advance(waiter.partition, 1000000);
	join(&waiter);
	assert_int_equal(waiter.vp->active_vtl, 1);
	assert_int_equal(vcpu_get(waiter.vp, 0, VCPU_GPR)->rip, waiter.rip);
	guest_run(waiter.held);
	vsm_partition_destroy(waiter.partition);
}

#define REQUESTERS  4u
#define STEPS	    2000u
#define STEP_TICKS  5000u /* 5 us of the sim's clock */
#define FLOOD_COUNT 200u

/* VTL0 of VPs 1 to REQUESTERS sends requests to VP 0 all the time. */
struct flood {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	atomic_bool stop;
	unsigned int served[2]; /* requests that VP 0 has served, by its active VTL */
	atomic_uint served_all;
	atomic_uint kicks;
	unsigned int steps; /* steps that the guest of VP 0 has still to run */
	unsigned int kicks_in_run;
	unsigned int before;  /* requests served before VTL1 was sent an interrupt */
	unsigned int between; /* requests served after that and before the next entry */
	bool entered;	      /* the next entry was to VTL1 */
	struct backend_ops ops;
	pthread_t thread[REQUESTERS];
};

static struct flood flood;

static void count_request(struct vsm_vp *vp, void *argument)
{
	/* Requests that are served while VP 0 does not run do not count. */
	if (flood.steps > 0 && flood.steps < STEPS)
		flood.served[vp->active_vtl]++;
	atomic_fetch_add(&flood.served_all, 1);
}

static void *request_often(void *opaque)
{
	struct vsm_vp *self = opaque;

	assert_int_equal(vp_own(self), 0);
	while (!atomic_load(&flood.stop)) {
		vp_query(self, flood.vp, count_request, NULL);
		vp_call(self, flood.vp, count_request, NULL);
	}
	vp_disown(self, false);
	return NULL;
}

static void count_kick(void *vp)
{
	if (vp == flood.vp->backend)
		atomic_fetch_add(&flood.kicks, 1);
	sim_ops.vp_kick(vp);
}

/* A guest that only spins; other VPs send requests during each step. */
static int step(void *vp, struct backend_run *run)
{
	sim_advance(flood.partition, STEP_TICKS);
	sched_yield();
	if (flood.steps == STEPS)
		atomic_store(&flood.kicks, 0);
	/* On a busy host no requester may have run yet: the guest continues until one has. */
	if (flood.steps == STEPS / 2 + 1 && !flood.served[run->vtl]) {
		run->exit = BACKEND_EXIT_INTERRUPTED;
		return 0;
	}
	if (flood.steps == STEPS / 2 && run->vtl == 0) {
		flood.before = flood.served[0];
		vsm_lapic_post(&flood.vp->vtl[1].lapic, 0x70, VSM_LAPIC_EDGE);
	} else if (flood.steps == STEPS / 2 - 1) {
		flood.between = flood.served[0] - flood.before;
		flood.entered = run->vtl == 1;
	}
	if (flood.steps == 1)
		flood.kicks_in_run = atomic_load(&flood.kicks);
	run->exit = flood.steps ? BACKEND_EXIT_INTERRUPTED : BACKEND_EXIT_YIELD;
	if (flood.steps)
		flood.steps--;
	return 0;
}

static void start_flood(uint8_t vtl)
{
	flood = (struct flood){.partition = guest_partition(REQUESTERS + 1, 1, RAM, &threads),
			       .steps = STEPS};
	guest_enable_vtl(flood.partition, 1);
	flood.vp = vsm_partition_vp(flood.partition, 0);
	if (vtl == 1)
		assert_int_equal(guest_vtl_call(flood.vp), GUEST_DONE);
	flood.ops = sim_ops;
	flood.ops.vp_run = step;
	flood.ops.vp_kick = count_kick;
	flood.partition->ops = &flood.ops;
	for (uint32_t i = 0; i < REQUESTERS; i++)
		pthread_create(&flood.thread[i], NULL, request_often,
			       vsm_partition_vp(flood.partition, i + 1));
}

static void end_flood(void)
{
	atomic_store(&flood.stop, true);
	for (uint32_t i = 0; i < REQUESTERS; i++) {
		vsm_vp_kick(vsm_partition_vp(flood.partition, i + 1));
		pthread_join(flood.thread[i], NULL);
	}
	flood.partition->ops = &sim_ops;
	vsm_partition_destroy(flood.partition);
}

static void p32_requests_of_vtl0_leave_vtl1_time_to_run(void **state)
{
	const struct vsm_exit *exit;
	uint64_t start, turns;

	start_flood(1);
	WAIT_UNTIL(atomic_load(&flood.served_all) > FLOOD_COUNT);
	start = vp_tsc(flood.partition);
	assert_int_equal(vsm_vp_run(flood.vp, &exit), 0);
	turns = (vp_tsc(flood.partition) - start) * CORE_REQUESTS_HZ /
		flood.partition->features.tsc_hz;
	assert_int_equal(flood.steps, 0);
	print_message("# %u requests and %u kicks in %u periods\n", flood.served[1],
		      flood.kicks_in_run, (unsigned int)turns);
	end_flood();
	assert_in_range(flood.served[1], 1, turns + 1);
	assert_true(flood.kicks_in_run <= turns + 1);
}

static void p32_an_entry_of_vtl1_comes_before_requests_of_vtl0(void **state)
{
	const struct vsm_exit *exit;

	start_flood(0);
	assert_int_equal(vsm_vp_run(flood.vp, &exit), 0);
	assert_int_equal(flood.vp->active_vtl, 1);
	end_flood();
	assert_true(flood.before > 0);
	assert_true(flood.entered);
	assert_true(flood.between <= 1);
}

struct owner {
	struct vsm_vp *vp;
	atomic_bool had;
};

static void *own_and_leave(void *opaque)
{
	struct owner *owner = opaque;

	assert_int_equal(vp_own(owner->vp), 0);
	atomic_store(&owner->had, true);
	vp_disown(owner->vp, false);
	return NULL;
}

static void p32_requests_do_not_block_the_vps_own_thread(void **state)
{
	for (unsigned int i = 0; i < 100; i++) {
		struct vsm_partition *partition = guest_partition(1, 0, RAM, &threads);
		struct owner owner = {.vp = vsm_partition_vp(partition, 0)};
		pthread_t thread;

		assert_true(vp_try_act(owner.vp));
		pthread_create(&thread, NULL, own_and_leave, &owner);
		WAIT_UNTIL(atomic_load(&owner.vp->runner_waits));
		vp_disown(owner.vp, false);
		while (!vp_try_act(owner.vp))
			sched_yield();
		assert_true(atomic_load(&owner.had));
		vp_disown(owner.vp, false);
		pthread_join(thread, NULL);
		vsm_partition_destroy(partition);
	}
}

static void count_call(struct vsm_vp *vp, void *argument)
{
	atomic_fetch_add((atomic_uint *)argument, 1);
}

struct requester {
	struct vsm_vp *self;
	struct vsm_vp *vp;
	atomic_uint calls;
	pthread_t thread;
};

static void *request_once(void *opaque)
{
	struct requester *asker = opaque;

	assert_int_equal(vp_own(asker->self), 0);
	vp_query(asker->self, asker->vp, count_call, &asker->calls);
	vp_disown(asker->self, false);
	return NULL;
}

/* VTL0 must wait until the call completes; VTL1 and the VMM need not. */
static void p32_a_vp_that_waits_in_vtl1_serves_no_request_of_vtl0(void **state)
{
	struct waiter waiter = start_waiter(true);
	struct requester asker = {.self = waiter.other, .vp = waiter.vp};
	const uint32_t name = HV_X64_REGISTER_RIP;
	union hv_register_value host;
	uint64_t value;

	/* Cancels the call of VTL0. */
	interrupt_post(waiter.vp, 1, 0x70, VSM_LAPIC_EDGE);
	join(&waiter);
	begin_call(&waiter);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(
			guest_get_register(waiter.other, 1, BELOW, HV_X64_REGISTER_RIP, &value), 0);
		assert_int_equal(vsm_vp_get_registers(waiter.vp, 1, &name, &host, 1), 1);
	}
	assert_int_equal(guest_vtl_return(waiter.other, true), GUEST_DONE);
	pthread_create(&asker.thread, NULL, request_once, &asker);
	WAIT_UNTIL(atomic_load(&waiter.vp->request_waiting) & vtl_bit(0));
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(vsm_vp_get_registers(waiter.vp, 1, &name, &host, 1), 1);
	assert_int_equal(atomic_load(&asker.calls), 0);
	release_and_join(&waiter);
	pthread_join(asker.thread, NULL);
	assert_int_equal(atomic_load(&asker.calls), 1);
	vsm_partition_destroy(waiter.partition);
}

static atomic_uint kicks;

static void count_all_kicks(void *vp)
{
	atomic_fetch_add(&kicks, 1);
	sim_ops.vp_kick(vp);
}

/* VTL1 locks and unlocks a TLB many times: VPs that do not wait for the lock must not be kicked. */
static void p32_a_released_tlb_lock_kicks_no_vp_that_does_not_wait(void **state)
{
	struct vsm_partition *partition = guest_partition(3, 2, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct backend_ops ops = sim_ops;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	ops.vp_kick = count_all_kicks;
	partition->ops = &ops;
	atomic_store(&kicks, 0);
	for (unsigned int i = 0; i < 10; i++) {
		vtl_tlb_lock(vp, 1, 0);
		vtl_tlb_unlock(vp, 1);
	}
	assert_int_equal(atomic_load(&kicks), 0);
	partition->ops = &sim_ops;
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p40_registers_that_vtl1_sets_during_the_wait_are_kept),
		cmocka_unit_test(p40_other_registers_that_are_set_during_the_wait_are_kept),
		cmocka_unit_test(p40_a_vp_that_is_started_during_the_wait_begins_with_its_context),
		cmocka_unit_test(
			p40_a_vtl_that_is_enabled_during_the_wait_does_not_affect_the_call),
		cmocka_unit_test(p40_an_init_during_the_wait_resets_rip_and_rax),
		cmocka_unit_test(an_nmi_during_the_wait_kicks_the_vp_also_after_a_vector),
		cmocka_unit_test(p40_a_read_during_the_wait_sees_the_state_before_the_call),
		cmocka_unit_test(p40_registers_that_the_vmm_sets_in_a_callback_are_kept),
		cmocka_unit_test(p40_a_vtl_does_not_set_its_own_context),
		cmocka_unit_test(p32_an_interrupt_of_vtl1_ends_the_wait_of_vtl0),
		cmocka_unit_test(p32_a_timer_of_vtl1_ends_the_wait_of_vtl0),
		cmocka_unit_test(p32_requests_of_vtl0_leave_vtl1_time_to_run),
		cmocka_unit_test(p32_an_entry_of_vtl1_comes_before_requests_of_vtl0),
		cmocka_unit_test(p32_requests_do_not_block_the_vps_own_thread),
		cmocka_unit_test(p32_a_vp_that_waits_in_vtl1_serves_no_request_of_vtl0),
		cmocka_unit_test(p32_a_released_tlb_lock_kicks_no_vp_that_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
