/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * On a real KVM: run it in the rig, or on a host with VMX or SVM.
 *
 * The floor is the minimum of KVM: an exit for an OUT, and the entry after it, on vCPUs of the same
 * kind in the same process; for figures with two entries, two of these on two virtual machines.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vtl_world.h"
#include "bench.h"
#include "exits.h"
#include "pieces.h"

#define ITERATIONS 2000u
#define LATENCIES  1000u

struct state {
	struct world world;
	struct exits exits;
};

static void one_exit(void *opaque, uint64_t n)
{
	exits_one(&((const struct state *)opaque)->exits, n);
}

static void two_exits(void *opaque, uint64_t n)
{
	exits_two(&((const struct state *)opaque)->exits, n);
}

static void loop(struct state *state, const uint8_t *place, uint64_t n)
{
	uint32_t result;

	world_go(&state->world, place, 0, n);
	must(world_run(&state->world, &result) == WORLD_LOOPED, "the guest's loop");
}

static void calls(void *opaque, uint64_t n)
{
	loop(opaque, world_call_loop, n);
}

/* VTL1 sets CR0.EM, so it does not use the FPU. */
static void calls_without_fpu(void *opaque, uint64_t n)
{
	struct state *state = opaque;

	world_set_em(&state->world, true);
	loop(state, world_call_loop, n);
	world_set_em(&state->world, false);
}

/* Each VTL changes an XMM register each time; with AVX, all of a YMM register. */
static void calls_with_sse(void *opaque, uint64_t n)
{
	loop(opaque, world_sse_loop, n);
}

static void calls_with_avx(void *opaque, uint64_t n)
{
	loop(opaque, world_avx_loop, n);
}

/* The figure's name is @name and the variant @special. */
static void bench_switch(struct bench *bench, struct state *state, const char *name,
			 const char *special, bench_fn *fn, double limit)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%s", name, special);
	pieces_against(bench, text, fn, two_exits, state, ITERATIONS, limit, true);
}

static void bench_switches(struct bench *bench, struct state *state, const char *name)
{
	/* Limits detect regressions, with a margin for other CPUs and kernels. */
	bench_switch(bench, state, name, "", calls, 2.0);
	bench_switch(bench, state, name, ".no-fpu", calls_without_fpu, 2.0);
	bench_switch(bench, state, name, ".sse", calls_with_sse, 2.4);
	if (!__builtin_cpu_supports("avx")) {
		bench_skip(bench, "vtl.call+return.avx", "this CPU has no AVX");
		return;
	}
	world_allow_avx(&state->world);
	bench_switch(bench, state, name, ".avx", calls_with_avx, 2.4);
}

/*
 * Where KVM shares FPU registers between vCPUs: also copied from one vCPU to the other, as on a
 * stock kernel.
 */
static void bench_fpu_copied(struct bench *bench, struct state *state)
{
	if (!state->exits.guest.features.fpu_shared)
		return;
	setenv("VSM_TEST_ENGINE", "uffd", 1);
	must(!world_create(&state->world, 1, NULL), "making a partition");
	must(world_enter(&state->world), "entering VTL1");
	bench_switches(bench, state, "vtl.call+return.fpu-copied");
	world_destroy(&state->world);
}

/*
 * VTL0 stores, VTL1's handler copies the message and returns, VTL0 retries. VTL1 exits after the
 * last iteration, and resumes without granting access.
 */
static void violations(void *opaque, uint64_t n)
{
	static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_R15,
					HV_X64_REGISTER_RDI};
	const union hv_register_value value[] = {{.reg128 = {.low = world_address(world_resume)}},
						 {.reg128 = {.low = n}},
						 {.reg128 = {.low = WORLD_SECRET}}};
	struct state *state = opaque;
	struct world *world = &state->world;
	uint32_t result;

	world_go(world, world_violate, 0, n);
	if (vsm_vp_set_registers(world->vp, 1, name + 1, value + 1, 2) != 2)
		must(false, "setting registers of VTL1");
	must(world_run(world, &result) == WORLD_INTERCEPTED, "the guest's violation");
	world_finish_exit(world);
	must(vsm_vp_set_registers(world->vp, 1, name, value, 3) == 3,
	     "setting RIP, R15 and RDI of VTL1");
}

/*
 * VTL1's handler begins with an exit, so there are three entries: to VTL1, to its handler again,
 * and back to VTL0.
 */
static void interrupts(void *opaque, uint64_t n)
{
	struct world *world = &((struct state *)opaque)->world;
	uint32_t result;

	world_go(world, world_spin, 0, 0);
	must(world_run(world, &result) == WORLD_SPUN, "VTL0's loop");
	while (n--) {
		must(!vsm_sint_assert(world->partition, 0, 1, 1), "posting an interrupt");
		must(world_run(world, &result) == WORLD_TICKED, "VTL1's handler");
		must(world_run(world, &result) == WORLD_SPUN, "VTL0's loop");
	}
}

/* From posting to the first instruction of VTL1's handler. */
static double latency(struct state *state)
{
	struct world *world = &state->world;
	static double ns[LATENCIES];
	uint32_t result;

	world_go(world, world_spin, 0, 0);
	for (unsigned int i = 0; i < LATENCIES; i++) {
		struct timespec a;
		struct timespec b;

		must(world_run(world, &result) == WORLD_SPUN, "VTL0's loop");
		clock_gettime(CLOCK_MONOTONIC, &a);
		must(!vsm_sint_assert(world->partition, 0, 1, 1), "posting an interrupt");
		must(world_run(world, &result) == WORLD_TICKED, "VTL1's handler");
		clock_gettime(CLOCK_MONOTONIC, &b);
		ns[i] = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
	}
	return bench_median(ns, LATENCIES);
}

/* Without a VTL switch. */
static double exit_latency(struct state *state)
{
	static double ns[LATENCIES];

	for (unsigned int i = 0; i < LATENCIES; i++)
		ns[i] = bench_once(one_exit, state, 1);
	return bench_median(ns, LATENCIES);
}

static void hypercalls(void *opaque, uint64_t n)
{
	loop(opaque, world_hypercall_loop, n);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct state state = {0};

	exits_make(&state.exits, 16 * MIB);
	must(!world_create(&state.world, 1, NULL), "making a partition");
	must(world_enter(&state.world), "entering VTL1");
	bench_switches(&bench, &state, "vtl.call+return");
	bench_figure(&bench, "vtl.interrupt", latency(&state), "ns", exit_latency(&state), 0);
	pieces_against(&bench, "vtl.interrupt+return", interrupts, two_exits, &state, ITERATIONS, 0,
		       true);
	pieces_against(&bench, "vtl.violation", violations, two_exits, &state, ITERATIONS / 4, 0,
		       true);
	pieces_against(&bench, "hypercall", hypercalls, one_exit, &state, ITERATIONS, 1.6, true);
	world_destroy(&state.world);
	bench_fpu_copied(&bench, &state);
	return bench_end(&bench);
}
