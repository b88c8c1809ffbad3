/* SPDX-License-Identifier: BSD-2-Clause */
/* Actions as instructions, which are written to the code of the VTL and executed on its vCPU. */
#include <string.h>

#include "core/x64.h"
#include "sim_on_kvm.h"

#define RUN_TICKS     100u /* ticks of the test's clock for one entry */
#define STUBS_SIZE    4096u
#define RFLAGS_RESUME (UINT64_C(1) << 16)

static uint64_t mask_of(uint8_t size)
{
	return size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
}

/* Opcode @one for size 1, @many for other sizes, with prefixes up to SIM_INSTRUCTION_LENGTH. */
static void encode_sized(uint8_t *code, uint8_t size, uint8_t one, uint8_t many)
{
	code[0] = size == 8 ? 0x48 : size == 2 ? 0x66 : 0x3e;
	code[1] = size == 1 ? one : many;
	code[2] = 0x03; /* (%rbx), %rax */
}

static void encode_port(uint8_t *code, uint8_t size, uint8_t one, uint8_t many)
{
	code[0] = 0x3e;
	code[1] = size == 2 ? 0x66 : 0x3e;
	code[2] = size == 1 ? one : many;
}

static const uint8_t fixed_code[][SIM_INSTRUCTION_LENGTH] = {
	[SIM_NOP] = {0x0f, 0x1f, 0x00},
	[SIM_HYPERCALL] = {0x3e, 0xe6, 0x7e}, /* ds: out 0x7e, al */
	[SIM_RDMSR] = {0x3e, 0x0f, 0x32},
	[SIM_WRMSR] = {0x3e, 0x0f, 0x30},
	[SIM_WRITE_CR0] = {0x0f, 0x22, 0xc0},
	[SIM_WRITE_CR4] = {0x0f, 0x22, 0xe0},
	[SIM_WRITE_XCR0] = {0x0f, 0x01, 0xd1},
	[SIM_HALT] = {0x3e, 0x3e, 0xf4},
	[SIM_SHUTDOWN] = {0x3e, 0x0f, 0x0b}, /* #UD, which cannot be delivered */
	[SIM_BREAKPOINT] = {0x3e, 0x3e, 0xcc},
};

static void encode(const struct sim_action *action, uint8_t *code)
{
	switch (action->kind) {
	case SIM_READ:
		encode_sized(code, action->size, 0x8a, 0x8b);
		break;
	case SIM_WRITE:
		encode_sized(code, action->size, 0x88, 0x89);
		break;
	case SIM_IN:
		encode_port(code, action->size, 0xec, 0xed);
		break;
	case SIM_OUT:
		encode_port(code, action->size, 0xee, 0xef);
		break;
	default:
		REQUIRE(action->kind < sizeof(fixed_code) / sizeof(fixed_code[0]) &&
			fixed_code[action->kind][0]);
		memcpy(code, fixed_code[action->kind], SIM_INSTRUCTION_LENGTH);
		break;
	}
}

static void load_operands(struct vcpu_state *state, const struct sim_action *action)
{
	switch (action->kind) {
	case SIM_READ:
		state->gpr[GPR_RBX] = action->address;
		break;
	case SIM_WRITE:
		state->gpr[GPR_RBX] = action->address;
		state->gpr[GPR_RAX] = action->value;
		break;
	case SIM_WRMSR:
	case SIM_WRITE_XCR0:
		state->gpr[GPR_RAX] = (uint32_t)action->value;
		state->gpr[GPR_RDX] = action->value >> 32;
		state->gpr[GPR_RCX] = action->kind == SIM_WRMSR ? action->address : 0;
		break;
	case SIM_RDMSR:
		state->gpr[GPR_RCX] = action->address;
		break;
	case SIM_IN:
	case SIM_OUT:
		state->gpr[GPR_RDX] = action->address;
		state->gpr[GPR_RAX] = action->value;
		break;
	case SIM_WRITE_CR0:
	case SIM_WRITE_CR4:
		state->gpr[GPR_RAX] = action->value;
		break;
	default:
		break;
	}
}

static void take_result(const struct vcpu_state *state, struct sim_action *action)
{
	switch (action->kind) {
	case SIM_READ:
	case SIM_IN:
		action->value = state->gpr[GPR_RAX] & mask_of(action->size);
		break;
	case SIM_RDMSR:
		action->value = state->gpr[GPR_RDX] << 32 | (uint32_t)state->gpr[GPR_RAX];
		break;
	default:
		break;
	}
}

static void put_trap(uint8_t *code)
{
	code[0] = 0xe6; /* out TRAP_PORT, al */
	code[1] = TRAP_PORT;
}

/* Returns the RAM at which the VTL executes @rip, since tests map GVA = GPA. */
static uint8_t *code_at(struct host_vp *vp, uint8_t vtl, uint64_t rip)
{
	const struct vcpu_state *state = host_get(vp, vtl, VCPU_SYSTEM);
	uint64_t address = rip;
	uint8_t *code;

	if (!(state->efer & X64_EFER_LMA))
		address = (uint32_t)(rip + state->segment[SEGMENT_CS].base);
	code = host_memory(vp->host, address);
	if (!code) {
		fprintf(stderr, "VP%u VTL%u: code cannot be written at 0x%llx\n", vp->index, vtl,
			(unsigned long long)address);
		abort();
	}
	return code;
}

static void begin(struct host_vp *vp, uint8_t vtl)
{
	struct sim_vtl *own = &vp->vtl[vtl];
	struct vcpu_state *state = host_edit(vp, vtl, VCPU_GPR);
	uint8_t *code;

	REQUIRE(!own->action.user);
	if (!own->issued)
		memcpy(vp->before[vtl], state->gpr, sizeof(state->gpr));
	own->issued = true;
	own->action_rip = state->rip;
	code = code_at(vp, vtl, state->rip);
	if (own->action.kind == SIM_EXECUTE) {
		state->rip = own->action.address;
		put_trap(code_at(vp, vtl, state->rip));
	} else if (own->action.kind == SIM_NOTHING) {
		put_trap(code);
	} else {
		encode(&own->action, code);
		put_trap(code + SIM_INSTRUCTION_LENGTH);
		load_operands(state, &own->action);
	}
	memcpy(vp->loaded[vtl], state->gpr, sizeof(state->gpr));
}

/* An action of the sim backend does not change its operand registers. */
static void give_back_operands(struct host_vp *vp, uint8_t vtl)
{
	struct vcpu_state *state = host_edit(vp, vtl, VCPU_GPR);

	for (unsigned int i = 0; i < GPR_COUNT; i++)
		if (state->gpr[i] == vp->loaded[vtl][i] || i == GPR_RAX || i == GPR_RDX)
			state->gpr[i] = vp->before[vtl][i];
}

void host_finish(struct host_vp *vp, uint8_t vtl)
{
	struct sim_vtl *own = &vp->vtl[vtl];
	struct vcpu_state *state = host_edit(vp, vtl, VCPU_GPR);

	take_result(state, &own->action);
	give_back_operands(vp, vtl);
	state->rip = own->action_rip + SIM_INSTRUCTION_LENGTH;
	own->done = true;
	own->action.kind = SIM_NOTHING;
}

void host_settle(struct host_vp *vp, uint8_t vtl)
{
	struct sim_vtl *own = &vp->vtl[vtl];

	if (own->action.kind == SIM_NOTHING || !own->issued ||
	    own->action_rip == host_get(vp, vtl, VCPU_GPR)->rip)
		return;
	if (own->action_rip + SIM_INSTRUCTION_LENGTH == host_get(vp, vtl, VCPU_GPR)->rip &&
	    own->action.kind == SIM_HYPERCALL)
		own->done = true;
	own->action.kind = SIM_NOTHING;
}

static bool has_error_code(unsigned int vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

/* RIP is at the stub of @vector. Returns whether the vector was an exception. */
static bool undo_delivery(struct host_vp *vp, uint8_t vtl, unsigned int vector, bool injected)
{
	struct sim_vtl *own = &vp->vtl[vtl];
	struct vcpu_state *state =
		host_edit(vp, vtl, VCPU_GPR | VCPU_SYSTEM | VCPU_DEBUG | VCPU_EVENTS);
	uint64_t frame[6];
	uint64_t *at = frame;
	const bool exception = vector < 32 && vector != VECTOR_NMI && !injected;

	memcpy(frame, vp->host->hidden + (state->gpr[GPR_RSP] - HIDDEN_GPA), sizeof(frame));
	if (exception && has_error_code(vector))
		at++;
	state->rip = at[0];
	state->rflags = at[2] & ~RFLAGS_RESUME;
	state->gpr[GPR_RSP] = at[3];
	state->segment[SEGMENT_CS].selector = (uint16_t)at[1];
	if (vector == VECTOR_NMI) {
		own->nmis++;
		state->events.nmi_masked = false;
	} else if (!exception) {
		own->interrupt[own->interrupts++ % SIM_LOG_MAX] = (uint8_t)vector;
	} else {
		own->exceptions++;
		own->exception_vector = (uint8_t)vector;
		own->exception_error_code = at == frame ? 0 : (uint32_t)frame[0];
		own->exception_parameter = vector == X64_EXCEPTION_PF ? state->cr2
					   : vector == 1	      ? state->dr6
								      : 0;
	}
	return exception;
}

enum next {
	NEXT_RETURN, /* return to the core */
	NEXT_AGAIN,
};

/*
 * Undoes a delivery whose stub is at RIP. After an interrupt the action continues, an exception ends it.
 */
static enum next delivered(struct host_vp *vp, struct backend_run *inner, int inject, uint64_t stub)
{
	const uint8_t vtl = inner->vtl;
	const unsigned int vector = (unsigned int)stub / 16;
	struct sim_vtl *own = &vp->vtl[vtl];

	if (!undo_delivery(vp, vtl, vector, inject == (int)vector))
		return NEXT_AGAIN;
	if (own->action.kind != SIM_NOTHING) {
		give_back_operands(vp, vtl);
		if (own->action.kind == SIM_EXECUTE)
			host_edit(vp, vtl, VCPU_GPR)->rip = own->action_rip;
		own->action.kind = SIM_NOTHING;
	}
	inner->exit = BACKEND_EXIT_INTERRUPTED;
	return NEXT_RETURN;
}

static uint64_t stub_of(struct host_vp *vp, uint8_t vtl)
{
	return host_get(vp, vtl, VCPU_GPR)->rip - (HIDDEN_GPA + HIDDEN_STUBS);
}

static enum next trapped(struct host_vp *vp, struct backend_run *inner, int inject, bool late)
{
	const uint8_t vtl = inner->vtl;
	struct sim_vtl *own = &vp->vtl[vtl];

	REQUIRE(vkvm_ops.vp_answer(vp->kvm, inner, BACKEND_RETRY) == 0);
	if (stub_of(vp, vtl) < STUBS_SIZE)
		return delivered(vp, inner, inject, stub_of(vp, vtl));
	if (own->action.kind == SIM_NOTHING) {
		inner->exit = late ? BACKEND_EXIT_DEADLINE : BACKEND_EXIT_YIELD;
	} else {
		host_finish(vp, vtl);
		inner->exit = BACKEND_EXIT_INTERRUPTED;
	}
	return NEXT_RETURN;
}

static enum next exited(struct host_vp *vp, struct backend_run *inner, int inject, bool late)
{
	struct sim_vtl *own = &vp->vtl[inner->vtl];

	switch (inner->exit) {
	case BACKEND_EXIT_IO:
		if (inner->io.port == TRAP_PORT)
			return trapped(vp, inner, inject, late);
		inner->length = SIM_INSTRUCTION_LENGTH;
		break;
	case BACKEND_EXIT_HYPERCALL:
		host_edit(vp, inner->vtl, VCPU_GPR)->rip = own->action_rip;
		inner->length = SIM_INSTRUCTION_LENGTH;
		break;
	case BACKEND_EXIT_MSR_READ:
	case BACKEND_EXIT_MSR_WRITE:
		inner->length = SIM_INSTRUCTION_LENGTH;
		break;
	case BACKEND_EXIT_HALT:
	case BACKEND_EXIT_SHUTDOWN:
		own->done = true;
		own->action.kind = SIM_NOTHING;
		break;
	case BACKEND_EXIT_DEBUG:
		if (own->action.kind != SIM_NOTHING &&
		    host_get(vp, inner->vtl, VCPU_GPR)->rip ==
			    own->action_rip + SIM_INSTRUCTION_LENGTH)
			host_finish(vp, inner->vtl);
		break;
	case BACKEND_EXIT_MEMORY:
		if (own->action.kind == SIM_EXECUTE)
			host_edit(vp, inner->vtl, VCPU_GPR)->rip = own->action_rip;
		break;
	case BACKEND_EXIT_INTERRUPTED:
	case BACKEND_EXIT_WINDOW:
		/* The VP was kicked between a delivery and the OUT of its stub. */
		if (stub_of(vp, inner->vtl) < STUBS_SIZE)
			(void)delivered(vp, inner, inject, stub_of(vp, inner->vtl));
		break;
	default:
		break;
	}
	return NEXT_RETURN;
}

static bool anything_to_deliver(struct host_vp *vp, const struct backend_run *run)
{
	const struct vcpu_events *events = &host_get(vp, run->vtl, VCPU_EVENTS)->events;

	return run->inject >= 0 || run->interrupt_window || events->exception_pending ||
	       events->interrupt_injected || events->nmi_pending || events->nmi_injected;
}

int host_vp_run(void *opaque, struct backend_run *run)
{
	struct host_vp *vp = opaque;
	struct host *host = vp->host;
	struct sim_vtl *own = &vp->vtl[run->vtl];
	struct backend_run inner = *run;
	bool late;
	bool kicked;

	atomic_fetch_add(&host->clock, RUN_TICKS);
	host_settle(vp, run->vtl);
	pthread_mutex_lock(&vp->lock);
	kicked = vp->kicked;
	vp->kicked = false;
	pthread_mutex_unlock(&vp->lock);
	late = atomic_load(&host->clock) >= run->deadline;
	if (own->action.kind == SIM_NOTHING && !anything_to_deliver(vp, run)) {
		run->exit = kicked ? BACKEND_EXIT_INTERRUPTED
			    : late ? BACKEND_EXIT_DEADLINE
				   : BACKEND_EXIT_YIELD;
		return 0;
	}
	inner.deadline = UINT64_MAX;
	if (late && own->action.kind != SIM_NOTHING && !anything_to_deliver(vp, run)) {
		run->exit = BACKEND_EXIT_DEADLINE;
		return 0;
	}
	begin(vp, run->vtl);
	do {
		host_enter(vp, &inner);
		/* KVM has accepted the interrupt, even if it is not delivered yet. */
		inner.inject = -1;
		inner.interrupt_window = run->interrupt_window;
	} while (exited(vp, &inner, run->inject, late) == NEXT_AGAIN);
	inner.deadline = run->deadline;
	inner.interrupt_window = run->interrupt_window;
	*run = inner;
	return 0;
}
