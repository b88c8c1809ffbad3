/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread of a VP. VTL0 prefers the addresses and registers that reach the pages of a higher
 * VTL.
 */
#include "storm.h"

#include <string.h>

#include "core/vp/request.h"
#include "core/vp/vp.h"
#include "core/x64.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void storm_hypercall(struct vsm_vp *vp, uint64_t control, uint64_t gpa, const void *input,
		     size_t size)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vp->active_vtl, VCPU_GPR);

	memcpy(guest_ram(vp->partition, gpa), input, size);
	cpu->gpr[GPR_RCX] = control;
	cpu->gpr[GPR_RDX] = gpa;
	cpu->gpr[GPR_R8] = gpa + CORE_PAGE_SIZE;
	sim_next(vp, vp->active_vtl, &(struct sim_action){.kind = SIM_HYPERCALL});
}

void storm_register_call(struct vsm_vp *vp, bool set, uint64_t gpa, uint32_t vp_index,
			 uint8_t input_vtl, uint32_t name, uint64_t value)
{
	const struct {
		uint64_t partition_id;
		uint32_t vp_index;
		uint8_t input_vtl;
		uint8_t reserved[3];
		uint32_t name;
		uint32_t more[3];
		uint64_t value[2];
	} input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = vp_index,
		.input_vtl = input_vtl,
		.name = name,
		.value = {value, 0},
	};
	const uint64_t call = set ? HV_CALL_SET_VP_REGISTERS : HV_CALL_GET_VP_REGISTERS;

	storm_hypercall(vp, call | UINT64_C(1) << HV_HYPERCALL_REP_COUNT_SHIFT, gpa, &input,
			sizeof(input));
}

static uint64_t pick_gpa(const struct storm_op *op)
{
	static const uint64_t base[] = {
		STORM_SECRET,		STORM_LOCKED, STORM_TOGGLED, STORM_PRIVATE,
		STORM_PRIVATE + 0x8000, STORM_OWN,    STORM_SECRET,  STORM_LOCKED,
		GUEST_TABLES_GPA,	0xfee00000,   STORM_RAM,     STORM_PRIVATE + 0x10000,
	};
	const unsigned int index = op->a % (COUNT(base) + 1);

	return index < COUNT(base) ? base[index] + op->b % (STORM_PAGES * CORE_PAGE_SIZE)
				   : op->value;
}

static uint32_t pick_msr(const struct storm_op *op)
{
	static const uint32_t msr[] = {
		HV_X64_MSR_GUEST_OS_ID,
		HV_X64_MSR_HYPERCALL,
		HV_X64_MSR_REFERENCE_TSC,
		HV_X64_MSR_VP_ASSIST_PAGE,
		HV_X64_MSR_SIMP,
		HV_X64_MSR_SIEFP,
		HV_X64_MSR_SCONTROL,
		HV_X64_MSR_SINT0,
		HV_X64_MSR_SINT0 + 2,
		HV_X64_MSR_EOM,
		HV_X64_MSR_EOI,
		HV_X64_MSR_ICR,
		HV_X64_MSR_TPR,
		HV_X64_MSR_STIMER0_CONFIG,
		HV_X64_MSR_STIMER0_CONFIG + 1,
		X64_MSR_EFER,
		X64_MSR_LSTAR,
		X64_MSR_APIC_BASE,
		X64_MSR_TSC,
		X64_MSR_TSC_DEADLINE,
		X64_MSR_MISC_ENABLE,
	};
	const unsigned int index = op->a % (COUNT(msr) + 1);

	return index < COUNT(msr) ? msr[index] : op->c;
}

/*
 * The sim backend's CPU checks neither control registers nor the MSRs that it holds, so it gets
 * only values that a CPU accepts.
 */
static uint64_t legal_control(enum sim_kind kind, uint64_t value)
{
	static const uint64_t xcr0[] = {1, 3, 7};

	switch (kind) {
	case SIM_WRITE_CR0:
		return X64_CR0_PE | X64_CR0_PG | X64_CR0_ET |
		       (value & (X64_CR0_WP | X64_CR0_TS | X64_CR0_MP | X64_CR0_NE | X64_CR0_AM));
	case SIM_WRITE_CR4:
		return X64_CR4_PAE |
		       (value & (X64_CR4_PSE | X64_CR4_PGE | X64_CR4_OSFXSR | X64_CR4_OSXMMEXCPT));
	case SIM_WRITE_XCR0:
		return xcr0[value % COUNT(xcr0)];
	case SIM_LOAD_TABLE:
		return value & UINT64_C(0x7fffffffffff);
	default:
		return value;
	}
}

static uint64_t legal_msr(uint32_t msr, uint64_t value)
{
	if (msr == X64_MSR_EFER)
		return X64_EFER_LME | X64_EFER_LMA | (value & (X64_EFER_SCE | X64_EFER_NXE));
	if (msr == X64_MSR_PAT)
		return X64_PAT_RESET;
	return msr < HV_X64_MSR_GUEST_OS_ID || msr >= X64_MSR_EFER ? value & UINT64_C(0x7fffffff)
								   : value;
}

/* Half of the values enable an overlay page. */
static uint64_t pick_msr_value(const struct storm_op *op)
{
	struct storm_op page = *op;

	page.a = (uint8_t)(op->c >> 8);
	return op->c & 1 ? (pick_gpa(&page) & ~UINT64_C(0xfff)) | HV_PAGE_MSR_ENABLE : op->value;
}

static uint64_t own_page(const struct vsm_vp *vp)
{
	return STORM_OWN + 0x4000u * vp->index;
}

/* Registers of any VTL of any VP, with a preference for those that place overlays. */
static void registers_call(struct vsm_vp *vp, const struct storm_op *op, bool set)
{
	static const uint32_t name[] = {
		HV_REGISTER_SIPP,
		HV_REGISTER_SIFP,
		HV_REGISTER_VP_ASSIST_PAGE,
		HV_X64_REGISTER_RIP,
		HV_X64_REGISTER_CR3,
		HV_REGISTER_REFERENCE_TSC,
		HV_X64_REGISTER_RSP,
		HV_X64_REGISTER_HYPERCALL,
		HV_REGISTER_PENDING_EVENT0,
		HV_X64_REGISTER_LSTAR,
		HV_REGISTER_VSM_PARTITION_CONFIG,
		HV_REGISTER_INTERNAL_ACTIVITY_STATE,
	};
	const unsigned int index = op->a % (COUNT(name) + 1);

	storm_register_call(vp, set, own_page(vp), op->b % (vp->partition->vp_count + 1),
			    op->c & 0x13, index < COUNT(name) ? name[index] : op->c,
			    pick_msr_value(op));
}

/* The parameters need not be in own pages. */
static void any_call(struct vsm_vp *vp, const struct storm_op *op)
{
	const uint64_t gpa = pick_gpa(op);
	const uint64_t input[8] = {HV_PARTITION_ID_SELF, op->value, op->c,     gpa,
				   gpa / CORE_PAGE_SIZE, op->value, op->c % 4, op->b};
	struct vcpu_state *cpu;

	storm_hypercall(vp, (uint64_t)(op->b % 0xe0u) | (uint64_t)(op->c & 0xfff7) << 16,
			own_page(vp), input, sizeof(input));
	cpu = vcpu_edit(vp, 0, VCPU_GPR);
	if (op->a & 0x40)
		cpu->gpr[GPR_RDX] = gpa & ~UINT64_C(7);
	if (op->a & 0x80)
		cpu->gpr[GPR_R8] = gpa & ~UINT64_C(7);
}

static void switch_call(struct vsm_vp *vp, const struct storm_op *op)
{
	struct vcpu_state *cpu = vcpu_edit(vp, 0, VCPU_GPR);

	cpu->gpr[GPR_RCX] = op->a & 1 ? HV_CALL_VTL_RETURN : HV_CALL_VTL_CALL;
	cpu->gpr[GPR_RAX] = op->a & 2 ? op->value : 0;
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_HYPERCALL});
}

/* VTL0 may try to read a secret page as a page table. */
static void load_cr3(struct vsm_vp *vp, const struct storm_op *op)
{
	vcpu_edit(vp, 0, VCPU_SYSTEM)->cr3 =
		op->b & 1 ? GUEST_TABLES_GPA : pick_gpa(op) & UINT64_C(0xffffff000);
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_NOP});
}

static void instruction(struct vsm_vp *vp, const struct storm_op *op)
{
	static const enum sim_kind kind[] = {
		SIM_READ, SIM_WRITE, SIM_READ,	    SIM_EXECUTE,   SIM_IN,	   SIM_OUT,
		SIM_READ, SIM_WRITE, SIM_WRITE_CR0, SIM_WRITE_CR4, SIM_WRITE_XCR0, SIM_LOAD_TABLE,
		SIM_HALT, SIM_READ,  SIM_SHUTDOWN,  SIM_NOP,
	};
	struct sim_action action = {
		.kind = kind[op->c % COUNT(kind)],
		.address = pick_gpa(op),
		.value = legal_control(kind[op->c % COUNT(kind)], op->value),
		.size = (uint8_t)(1u << (op->c >> 4) % 4),
		.user = op->c >> 6 & 1,
	};

	if (action.kind == SIM_IN || action.kind == SIM_OUT)
		action.size = action.size > 4 ? 4 : action.size;
	if (action.kind == SIM_LOAD_TABLE)
		action.address =
			op->a & 1 ? HV_CR_INTERCEPT_BIT_IDTR_WRITE : HV_CR_INTERCEPT_BIT_GDTR_WRITE;
	sim_next(vp, 0, &action);
}

static void hostile(struct vsm_vp *vp, const struct storm_op *op)
{
	switch (op->kind % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
		sim_next(
			vp, 0,
			&(struct sim_action){.kind = SIM_WRMSR,
					     .address = pick_msr(op),
					     .value = legal_msr(pick_msr(op), pick_msr_value(op))});
		break;
	case 4:
		sim_next(vp, 0, &(struct sim_action){.kind = SIM_RDMSR, .address = pick_msr(op)});
		break;
	case 5:
	case 6:
		registers_call(vp, op, true);
		break;
	case 7:
		registers_call(vp, op, false);
		break;
	case 8:
	case 9:
		any_call(vp, op);
		break;
	case 10:
		switch_call(vp, op);
		break;
	case 11:
		load_cr3(vp, op);
		break;
	default:
		instruction(vp, op);
	}
}

static void check_seen(struct vsm_vp *vp)
{
	const struct sim_vtl *state = sim_state(vp, 0);
	const struct sim_action *action = &state->action;

	const struct vcpu_state *cpu = vcpu_get(vp, 0, VCPU_GPR);

	STORM_REQUIRE(!storm_shows_secret(cpu->gpr, sizeof(cpu->gpr)));
	if (!state->done)
		return;
	STORM_REQUIRE(!storm_shows_secret(&action->value, sizeof(action->value)));
}

/* The read is aligned and goes through the one-to-one page tables, which are locked, too. */
static bool reads_locked(struct vsm_vp *vp, const struct sim_action *action)
{
	return action->kind == SIM_READ && vcpu_get(vp, 0, VCPU_SYSTEM)->cr3 == GUEST_TABLES_GPA &&
	       action->address % 8 == 0 && action->size == 8 &&
	       action->address - STORM_LOCKED < STORM_PAGES * CORE_PAGE_SIZE;
}

static void answer_exit(const struct vsm_exit *exit)
{
	if (exit->reason == VSM_EXIT_IO && !exit->io.write)
		memset(exit->io.data, 0xff, (size_t)exit->io.size * exit->io.count);
	else if (exit->reason == VSM_EXIT_MMIO && !exit->mmio.write)
		memset(exit->mmio.data, 0xff, exit->mmio.size);
}

/* Returns whether the next instruction reads a locked page. */
static bool prepare(struct storm_vp *self, const struct storm_op *op)
{
	struct vsm_vp *vp = self->vp;
	bool locked = false;

	if (vp->active_vtl > 0) {
		storm_higher_vtl(vp, op);
	} else {
		hostile(vp, op);
		locked = reads_locked(vp, &sim_state(vp, 0)->action);
	}
	return locked;
}

static void step(struct storm_vp *self, const struct storm_op *op)
{
	struct vsm_vp *vp = self->vp;
	const struct vsm_exit *exit;
	bool locked;

	/* Other threads may act for this VP between two runs, but not while this thread owns it. */
	STORM_REQUIRE(vp_own(vp) == 0);
	if (vp_exit_pending(vp)) {
		vp_disown(vp, true);
		locked = false;
	} else {
		locked = prepare(self, op);
		vp_disown(vp, false);
	}
	STORM_REQUIRE(vsm_vp_run(vp, &exit) == 0);
	if (exit->reason == VSM_EXIT_RESET)
		atomic_store(&self->storm->reset_seen, true);
	answer_exit(exit);
	STORM_REQUIRE(vp_own(vp) == 0);
	check_seen(vp);
	if (locked && sim_state(vp, 0)->done)
		STORM_REQUIRE(sim_state(vp, 0)->action.value == STORM_WORD(STORM_LOCKED_BYTE));
	vp_disown(vp, vp_exit_pending(vp));
}

/* Completes a pending exit: until then other threads wait for this VP, and saving fails. */
static void end_exit(struct vsm_vp *vp)
{
	const struct vsm_exit *exit;

	do {
		vsm_vp_kick(vp);
		STORM_REQUIRE(vsm_vp_run(vp, &exit) == 0);
	} while (exit->reason != VSM_EXIT_INTERRUPTED && exit->reason != VSM_EXIT_RESET);
}

void *storm_vp_thread(void *opaque)
{
	struct storm_vp *self = opaque;
	struct storm_op op;

	while (storm_next_op(&self->data, &self->size, &op))
		step(self, &op);
	end_exit(self->vp);
	atomic_fetch_sub(&self->storm->running, 1);
	return NULL;
}
