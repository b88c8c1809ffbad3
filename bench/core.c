/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend function takes the place of the guest and only returns exits, so that only the core is
 * measured.
 *
 * bench/instructions runs it under valgrind as "bench-core --switches N".
 */
#include <stdlib.h>

#include "bench.h"

#include "core/interrupt/interrupt.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"
#include "sim/sim_guest.h"

struct state {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	struct backend_ops ops;
	uint64_t left; /* remaining exits */
	bool idle;     /* exits with no work for the core */
};

static int run(void *opaque, struct backend_run *run)
{
	struct state *state = opaque;
	struct vcpu_state *cpu = state->vp->cpu[run->vtl];

	if (state->left == 0) {
		run->exit = BACKEND_EXIT_YIELD;
		return 0;
	}
	state->left--;
	run->exit = state->idle ? BACKEND_EXIT_INTERRUPTED : BACKEND_EXIT_HYPERCALL;
	run->length = SIM_INSTRUCTION_LENGTH;
	cpu->gpr[GPR_RCX] = run->vtl ? HV_CALL_VTL_RETURN : HV_CALL_VTL_CALL;
	cpu->gpr[GPR_RAX] = 0;
	return 0;
}

static void run_exits(struct state *state, uint64_t exits, bool idle)
{
	const struct vsm_exit *exit;

	state->left = exits;
	state->idle = idle;
	vsm_vp_run(state->vp, &exit);
}

static void call_and_return(void *arg, uint64_t n)
{
	run_exits(arg, 2 * n, false);
}

static void two_exits(void *arg, uint64_t n)
{
	run_exits(arg, 2 * n, true);
}

/* Two records for each call and return. */
static void call_and_return_traced(void *arg, uint64_t n)
{
	struct state *state = arg;

	if (vsm_trace_start(state->partition, 65536))
		exit(1);
	call_and_return(state, n);
	vsm_trace_stop(state->partition);
}

/* VTL1 has an assist page, as in secure kernels. */
static void set_up(struct state *state)
{
	state->partition = guest_partition(1, 1, 1u << 20, NULL);
	state->vp = vsm_partition_vp(state->partition, 0);
	guest_enable_vtl(state->partition, 1);
	guest_vtl_call(state->vp);
	guest_wrmsr(state->vp, HV_X64_MSR_VP_ASSIST_PAGE, 0x40001);
	guest_vtl_return(state->vp, true);
	state->ops = sim_ops;
	state->ops.vp_run = run;
	state->partition->ops = &state->ops;
}

int main(int argc, char **argv)
{
	struct state state = {0};
	struct bench bench;
	void *sim;

	set_up(&state);
	sim = state.vp->backend;
	state.vp->backend = &state;
	bench = bench_begin(argc, argv);
	if (argc == 3 && !strcmp(argv[1], "--switches")) {
		call_and_return(&state, strtoull(argv[2], NULL, 0));
	} else {
		bench_against(&bench, "core.vtl_call_return", call_and_return, two_exits, &state,
			      8.0);
		bench_against(&bench, "core.vtl_call_return_traced", call_and_return_traced,
			      call_and_return, &state, 8.0);
	}
	state.vp->backend = sim;
	state.partition->ops = &sim_ops;
	vsm_partition_destroy(state.partition);
	return bench_end(&bench);
}
