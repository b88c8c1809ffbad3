/* SPDX-License-Identifier: BSD-2-Clause */
/* Breakpoints and single steps of the sim backend. */
#include "core/x64.h"
#include "sim/sim_internal.h"

#define RFLAGS_RESUME (UINT64_C(1) << 16)

int sim_vp_debug(void *opaque, uint8_t vtl, const struct backend_debug *debug)
{
	struct sim_vp *vp = opaque;

	vp->debug[vtl] = *debug;
	return 0;
}

static void stop(struct backend_run *run, uint32_t cause, uint64_t dr6)
{
	run->exit = BACKEND_EXIT_DEBUG;
	run->debug.cause = cause;
	run->debug.dr6 = dr6;
}

/* Enabled breakpoints of @types (bits by R/W of DR7) that overlap [address, address + size). */
static uint64_t hits(const struct backend_debug *debug, unsigned int types, uint64_t address,
		     unsigned int size)
{
	static const uint8_t length[] = {1, 2, 8, 4};
	uint64_t found = 0;

	if (!(debug->flags & VSM_DEBUG_HARDWARE))
		return 0;
	for (unsigned int i = 0; i < 4; i++) {
		const unsigned int field = debug->dr7 >> (16 + 4 * i) & 0xf;

		if (debug->dr7 >> 2 * i & 3 && types >> (field & 3) & 1 &&
		    address < debug->dr[i] + length[field >> 2] && debug->dr[i] < address + size)
			found |= UINT64_C(1) << i;
	}
	return found;
}

bool sim_debug_before(struct sim_vp *vp, struct backend_run *run)
{
	const struct backend_debug *debug = &vp->debug[run->vtl];
	struct vcpu_state *cpu = &vp->cpu[run->vtl];
	const uint64_t found = hits(debug, 1u << 0, cpu->rip, 1);

	if (found && !(cpu->rflags & RFLAGS_RESUME)) {
		stop(run, VSM_DEBUG_HARDWARE, found);
		return true;
	}
	cpu->rflags &= ~RFLAGS_RESUME;
	if (vp->vtl[run->vtl].action.kind != SIM_BREAKPOINT || !(debug->flags & VSM_DEBUG_SOFTWARE))
		return false;
	stop(run, VSM_DEBUG_SOFTWARE, 0);
	return true;
}

void sim_debug_after(struct sim_vp *vp, const struct sim_action *action, struct backend_run *run)
{
	const struct backend_debug *debug = &vp->debug[run->vtl];
	const unsigned int types = action->kind == SIM_WRITE  ? 1u << 1 | 1u << 3
				   : action->kind == SIM_READ ? 1u << 3
							      : 0;
	const uint64_t found = hits(debug, types, action->address, action->size);
	uint32_t cause = debug->flags & VSM_DEBUG_STEP;

	if (found)
		cause |= VSM_DEBUG_HARDWARE;
	if (cause)
		stop(run, cause, found);
}
