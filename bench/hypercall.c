/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercall dispatch without the exit, as the sim backend has no CPU. The floor is an empty system
 * call, the minimum that an exit to user space adds.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "core/hypercall/hypercall.h"
#include "sim/sim_guest.h"

/* Each repetition of the call advances RIP, which nothing reads. */
struct call {
	struct vsm_vp *vp;
	uint64_t control;
	uint64_t input;
	uint64_t output;
};

static void dispatch(void *arg, uint64_t n)
{
	const struct call *call = arg;
	struct vcpu_state *cpu = vcpu_edit(call->vp, 0, VCPU_GPR);

	while (n--) {
		cpu->gpr[GPR_RCX] = call->control;
		cpu->gpr[GPR_RDX] = call->input;
		cpu->gpr[GPR_R8] = call->output;
		hypercall_dispatch(call->vp, SIM_INSTRUCTION_LENGTH);
	}
	bench_keep(cpu->gpr[GPR_RAX]);
}

static void system_call(void *arg, uint64_t n)
{
	(void)arg;
	while (n--)
		bench_keep((long){syscall(SYS_getppid)});
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct vsm_partition *partition = guest_partition(1, 1, 16u << 20, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct {
		struct hv_vp_registers_input header;
		uint32_t name;
	} registers = {
		{.partition_id = HV_PARTITION_ID_SELF, .vp_index = HV_VP_INDEX_SELF},
		HV_REGISTER_VSM_PARTITION_STATUS,
	};
	struct call cheapest = {.vp = vp, .control = HV_CALL_GET_PARTITION_ID | HV_HYPERCALL_FAST};
	struct call memory = {
		.vp = vp,
		.control = HV_CALL_GET_VP_REGISTERS | UINT64_C(1) << HV_HYPERCALL_REP_COUNT_SHIFT,
		.input = GUEST_PARAMETER_GPA,
		.output = GUEST_PARAMETER_GPA + 0x1000,
	};
	double ns;

	memcpy(guest_ram(partition, GUEST_PARAMETER_GPA), &registers, sizeof(registers));
	ns = bench_against(&bench, "hypercall.cheapest", dispatch, system_call, &cheapest, 2.0);
	bench_at_most(&bench, "hypercall.cheapest.budget", ns, "ns", 150);
	bench_against(&bench, "hypercall.get_register", dispatch, system_call, &memory, 6.0);
	vsm_partition_destroy(partition);
	return bench_end(&bench);
}
