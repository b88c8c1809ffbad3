/* SPDX-License-Identifier: BSD-2-Clause */
/* VTLs on a real KVM, through the public API. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"
#include "vtl_world.h"

static const struct vsm_log log_to_tap = {.fn = tap_log, .max_level = VSM_LOG_DEBUG};

static uint64_t vp_register(struct world *world, uint8_t vtl, uint32_t name)
{
	union hv_register_value value = {0};

	world_finish_exit(world);
	vsm_vp_get_registers(world->vp, vtl, &name, &value, 1);
	return value.reg64;
}

static void test_enabling(struct world *world)
{
	static const struct {
		int step;
		const char *what;
	} steps[] = {
		{WORLD_ENABLED_PARTITION, "VTL0 enables VTL1 for the partition"},
		{WORLD_ENABLED_VP, "VTL0 enables VTL1 on its VP"},
		{WORLD_CONFIGURED, "VTL0 calls VTL1, which configures protection"},
		{WORLD_PROTECTED, "VTL1 denies VTL0 writing to a page"},
		{WORLD_RETURNED, "VTL1 returns to VTL0, after its call"},
	};
	uint32_t result = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int step = world_run(world, &result);

		check(step == steps[i].step &&
			      (step == WORLD_RETURNED || (uint16_t)result == HV_STATUS_SUCCESS),
		      "%s (step %#x, status %#x)", steps[i].what, step, result & 0xffff);
	}
}

static void check_shared_registers(struct world *world, uint64_t value, const char *when)
{
	uint32_t result;
	int step;

	world_go(world, world_registers, value, ~value);
	step = world_run(world, &result);
	check(step == WORLD_LOOPED && vp_register(world, 0, HV_X64_REGISTER_R13) == value,
	      "VTL1 reads the SSE registers of VTL0%s", when);
	check(vp_register(world, 0, HV_X64_REGISTER_R12) == value, "VTL1 reads CR2 of VTL0");
	check(vp_register(world, 0, HV_X64_REGISTER_R14) == ~value,
	      "VTL0 reads the SSE registers of VTL1%s", when);
}

static void test_shared_registers(struct world *world)
{
	uint32_t result;

	check_shared_registers(world, 0x123456789abc, "");
	/* The backend does not read SSE registers of a VTL that cannot have changed them, but must read them
	 * if the VTL cleared CR0.EM in between. */
	world_set_em(world, true);
	check_shared_registers(world, 0x23456789abcd, ", with CR0.EM of VTL1 set before");
	world_go(world, world_call_loop, 0, 10);
	world_run(world, &result);
	check_shared_registers(world, 0x3456789abcde, ", with CR0.EM set for many switches");
	world_set_em(world, false);
	check_shared_registers(world, 0x456789abcdef, ", with CR0.EM clear again");
}

static void test_many_calls(struct world *world)
{
	uint32_t result;
	int step;

	world_go(world, world_call_loop, 0, 500);
	step = world_run(world, &result);
	check(step == WORLD_LOOPED && vp_register(world, 0, HV_X64_REGISTER_R15) == 0,
	      "500 calls and returns (step %#x)", step);
}

static void test_violation(struct world *world)
{
	struct hv_message message;
	const struct hv_x64_memory_intercept_message *payload = (const void *)message.payload;
	uint32_t result = 0;
	uint64_t rip;
	int step;

	memset(world->ram + WORLD_SECRET, 0x11, 4096);
	world_go(world, world_store, 0x77, 0);
	rip = vp_register(world, 0, HV_X64_REGISTER_RIP);
	step = world_run(world, &result);
	check(step == WORLD_INTERCEPTED && world->ram[WORLD_SECRET] == 0x11,
	      "VTL0's store enters VTL1 and writes nothing (step %#x)", step);
	memcpy(&message, world->ram + WORLD_MESSAGE, sizeof(message));
	check(message.message_type == HV_MESSAGE_TYPE_GPA_INTERCEPT,
	      "VTL1 has a message of a GPA intercept (%#x)", message.message_type);
	check(payload->header.rip == rip && payload->header.access_type == 1,
	      "the message has the address of the instruction, and write as access type");
	check(payload->guest_physical_address == WORLD_SECRET &&
		      payload->guest_virtual_address == WORLD_SECRET &&
		      payload->memory_access_info & HV_MEMORY_ACCESS_GVA_VALID,
	      "the message has both addresses, to the byte (GPA %#llx)",
	      (unsigned long long)payload->guest_physical_address);
	check(payload->instruction_byte_count >= 3 && payload->instruction_bytes[0] == 0x4c &&
		      payload->instruction_bytes[1] == 0x89,
	      "the message has the bytes of the instruction");
	step = world_run(world, &result);
	check(step == WORLD_GRANTED && !(uint16_t)result, "VTL1 restores the right");
	step = world_run(world, &result);
	check(step == WORLD_STORED && world->ram[WORLD_SECRET] == 0x77,
	      "VTL0's store is executed again, and succeeds");
}

static void test_many_violations(struct world *world)
{
	uint32_t result;
	int step;

	/* A second partition: in the first one VTL1 has restored the right. */
	if (!check(world_enter(world), "a second partition reaches the same step"))
		return;
	world_go(world, world_violate, 0x33, 100);
	step = world_run(world, &result);
	check(step == WORLD_INTERCEPTED && world->ram[WORLD_SECRET] != 0x33 &&
		      vp_register(world, 0, HV_X64_REGISTER_R15) == 0,
	      "100 violations in a row each reach VTL1");
	step = world_run(world, &result);
	check(step == WORLD_GRANTED && !(uint16_t)result,
	      "VTL1 restores the right after 100 violations");
	step = world_run(world, &result);
	check(step == WORLD_LOOPED && world->ram[WORLD_SECRET] == 0x33,
	      "... and the store succeeds");
}

struct kick {
	struct world *world;
	pthread_t runner;
	atomic_bool kicked;
};

static void *send_signals_then_kick(void *opaque)
{
	struct kick *kick = opaque;

	for (int i = 0; i < 10; i++) {
		usleep(5000);
		pthread_kill(kick->runner, SIGUSR1);
	}
	atomic_store(&kick->kicked, true);
	vsm_vp_kick(kick->world->vp);
	return NULL;
}

static void ignore(int number)
{
	(void)number;
}

static void test_kick(struct world *world)
{
	const struct sigaction action = {.sa_handler = ignore};
	struct kick kick = {.world = world, .runner = pthread_self()};
	const struct vsm_exit *exit = NULL;
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	/* The VP halts with interrupts disabled: only a kick ends that. */
	pthread_create(&thread, NULL, send_signals_then_kick, &kick);
	check(!vsm_vp_run(world->vp, &exit) && exit->reason == VSM_EXIT_INTERRUPTED,
	      "a kick ends vsm_vp_run() of a halted VP");
	check(atomic_load(&kick.kicked), "a signal alone does not");
	pthread_join(thread, NULL);
}

static void test_signals(struct world *world)
{
	struct kick kick = {.world = world, .runner = pthread_self()};
	const struct vsm_exit *exit = NULL;
	pthread_t thread;

	world_go(world, world_spin, 0, 0);
	pthread_create(&thread, NULL, send_signals_then_kick, &kick);
	do {
		if (vsm_vp_run(world->vp, &exit))
			break;
	} while (exit->reason == VSM_EXIT_IO);
	check(exit->reason == VSM_EXIT_INTERRUPTED && atomic_load(&kick.kicked),
	      "only a kick ends vsm_vp_run() of a VP that runs, not a signal");
	pthread_join(thread, NULL);
}

static void test_reset(struct world *world)
{
	uint64_t word;

	check(!vsm_partition_reset(world->partition), "the partition can be reset");
	check(!world->ram[0] && !memcmp(world->ram, world->ram + 1, WORLD_RAM - 1),
	      "the memory of a reset partition is zero");
	word = vp_register(world, 0, HV_X64_REGISTER_RIP);
	check(word == 0xfff0, "a reset partition starts at the reset vector (%#llx)",
	      (unsigned long long)word);
}

int main(void)
{
	struct world world;

	if (check(!world_create(&world, 1, &log_to_tap), "a partition is created")) {
		test_enabling(&world);
		test_shared_registers(&world);
		test_many_calls(&world);
		test_violation(&world);
		test_kick(&world);
		test_signals(&world);
		test_reset(&world);
		world_destroy(&world);
	}
	if (check(!world_create(&world, 2, &log_to_tap), "another partition is created")) {
		test_many_violations(&world);
		world_destroy(&world);
	}
	return checks_end();
}
