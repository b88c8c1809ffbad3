/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions of VTL1 and VTL2. They never give access to their own pages, and keep parameters
 * in memory that VTL0 cannot access.
 */
#include "storm.h"

#include <string.h>

#include "core/vp/vp.h"

/* One repetition in a hypercall's control word (TLFS "Hypercall Interface"). */
#define REP (UINT64_C(1) << HV_HYPERCALL_REP_COUNT_SHIFT)

static uint64_t private_page(const struct vsm_vp *vp)
{
	return STORM_PRIVATE + 0x8000u * vp->active_vtl + 0x2000u * vp->index;
}

static void go_back(struct vsm_vp *vp, bool fast)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vp->active_vtl, VCPU_GPR);

	cpu->gpr[GPR_RCX] = HV_CALL_VTL_RETURN;
	cpu->gpr[GPR_RAX] = fast ? HV_VTL_RETURN_FAST : 0;
	sim_next(vp, vp->active_vtl, &(struct sim_action){.kind = SIM_HYPERCALL});
}

static void toggle(struct vsm_vp *vp, const struct storm_op *op)
{
	static const uint32_t flags[] = {0, 0x1, 0x3, 0xd, 0xf, 0xf};
	struct {
		struct hv_modify_vtl_protection_mask_input header;
		uint64_t page[STORM_PAGES];
	} input = {
		.header = {.partition_id = HV_PARTITION_ID_SELF,
			   .map_flags = flags[op->a % (sizeof(flags) / sizeof(flags[0]))]},
	};
	const unsigned int count = 1 + op->b % STORM_PAGES;

	for (unsigned int i = 0; i < count; i++)
		input.page[i] = STORM_TOGGLED / CORE_PAGE_SIZE + (op->c + i) % STORM_PAGES;
	storm_hypercall(vp, HV_CALL_MODIFY_VTL_PROTECTION_MASK | count * REP, private_page(vp),
			&input, sizeof(input));
}

static void registers(struct vsm_vp *vp, const struct storm_op *op, bool set)
{
	static const uint32_t name[] = {
		HV_X64_REGISTER_RIP,	HV_X64_REGISTER_RAX, HV_X64_REGISTER_RSP,
		HV_X64_REGISTER_RFLAGS, HV_X64_REGISTER_CR3, HV_REGISTER_PENDING_EVENT0,
		HV_REGISTER_SIPP,
	};

	storm_register_call(vp, set, private_page(vp), op->b % vp->partition->vp_count,
			    HV_INPUT_VTL_USE_TARGET, name[op->a % (sizeof(name) / sizeof(name[0]))],
			    op->c & 0xffff);
}

static void watch(struct vsm_vp *vp, const struct storm_op *op)
{
	struct hv_install_intercept_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.access_type_mask = op->a % 4,
		.intercept_type =
			op->b & 1 ? HV_INTERCEPT_TYPE_X64_MSR : HV_INTERCEPT_TYPE_X64_IO_PORT,
		.intercept_parameters = op->c,
	};

	storm_hypercall(vp, HV_CALL_INSTALL_INTERCEPT, private_page(vp), &input, sizeof(input));
}

static void wrmsr(struct vsm_vp *vp, uint32_t msr, uint64_t value)
{
	sim_next(vp, vp->active_vtl,
		 &(struct sim_action){.kind = SIM_WRMSR, .address = msr, .value = value});
}

static void own_synic(struct vsm_vp *vp, const struct storm_op *op)
{
	const uint64_t page = 0x100000u + 0x10000u * vp->active_vtl + 0x4000u * vp->index;

	switch (op->a % 6) {
	case 0:
		wrmsr(vp, HV_X64_MSR_SCONTROL, 1);
		break;
	case 1:
		wrmsr(vp, HV_X64_MSR_SIMP, page | HV_PAGE_MSR_ENABLE);
		break;
	case 2:
		wrmsr(vp, HV_X64_MSR_SINT0, 0xf8 | HV_SYNIC_SINT_AUTO_EOI);
		break;
	case 3:
		wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, (page + 0x1000) | HV_PAGE_MSR_ENABLE);
		break;
	case 4:
		wrmsr(vp, HV_X64_MSR_EOI, 0);
		break;
	default:
		/* Frees slot 0 of the SIM page. */
		sim_next(vp, vp->active_vtl,
			 &(struct sim_action){.kind = SIM_WRITE, .address = page, .size = 8});
	}
}

void storm_higher_vtl(struct vsm_vp *vp, const struct storm_op *op)
{
	switch (op->kind % 12) {
	case 0:
	case 1:
		toggle(vp, op);
		break;
	case 2:
		registers(vp, op, true);
		break;
	case 3:
		registers(vp, op, false);
		break;
	case 4:
		watch(vp, op);
		break;
	case 5:
	case 6:
		own_synic(vp, op);
		break;
	case 7:
		wrmsr(vp, HV_X64_MSR_EOM, 0);
		break;
	default:
		go_back(vp, op->a & 1);
	}
}
