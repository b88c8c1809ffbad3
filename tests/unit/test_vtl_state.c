/* SPDX-License-Identifier: BSD-2-Clause */
/* VTL switches (TLFS "Virtual Secure Mode": VTL entry and exit, virtual processor state
 * isolation). */
#include "core_test.h"

#include "core/vp/fpu.h"
#include "needs.h"
#include "vp_fixture.h"

static struct vsm_vp *two_vtls(struct vsm_vp *vp)
{
	guest_enable_vtl(vp->partition, 1);
	return vp;
}

/* TLFS "Shared State": general registers but RSP, CR2, DR0-DR3, DR6, XCR0. */
/* shows: rule shared-gprs, call-shared-private */
static void shared_registers_are_kept_in_both_directions(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	const struct vcpu_state *other;
	struct vcpu_state *cpu;

	for (unsigned int way = 0; way < 2; way++) {
		uint8_t from = (uint8_t)way, to = (uint8_t)!way;

		cpu = vcpu_edit(vp, from, VCPU_ALL);
		for (unsigned int i = 0; i < GPR_COUNT; i++)
			if (i != GPR_RSP)
				cpu->gpr[i] = 0x1000 * (way + 1) + i;
		cpu->cr2 = 0xabc000 + way;
		for (unsigned int i = 0; i < 4; i++)
			cpu->dr[i] = 0xdd00 + 16 * way + i;
		cpu->dr6 = 0xffff0ff1 + way;
		cpu->xcr0 = way ? 3 : 7;
		if (way == 0)
			assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		else
			assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
		other = vcpu_get(vp, to, VCPU_ALL);
		assert_int_equal(vp->active_vtl, to);
		for (unsigned int i = 0; i < GPR_COUNT; i++)
			if (i != GPR_RSP && i != GPR_RAX && i != GPR_RCX)
				assert_int_equal(other->gpr[i], 0x1000 * (way + 1) + i);
		/* RAX and RCX have the input of the hypercall. */
		assert_int_equal(other->gpr[GPR_RAX], way ? HV_VTL_RETURN_FAST : 0);
		assert_int_equal(other->gpr[GPR_RCX], way ? HV_CALL_VTL_RETURN : HV_CALL_VTL_CALL);
		assert_int_equal(other->cr2, 0xabc000 + way);
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(other->dr[i], 0xdd00 + 16 * way + i);
		assert_int_equal(other->dr6, 0xffff0ff1 + way);
		assert_int_equal(other->xcr0, way ? 3 : 7);
	}
}

/* A valid value of the MSR, which differs between the VTLs if any bit may be set. */
static uint64_t private_msr(const struct vsm_vp *vp, unsigned int i, uint8_t vtl)
{
	uint64_t valid = vp->partition->features.msr_valid[i];

	if (i < VCPU_MSR_OPTIONAL)
		return 0x2000 * i + vtl;
	return vtl ? valid & -valid : 0;
}

/* TLFS "Private State": the list, register by register. */
/* shows: rule private-registers, private-msrs, call-shared-private */
static void private_registers_are_unchanged_by_vtl_switches(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct vcpu_state before, *cpu;

	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		cpu = vcpu_edit(vp, vtl, VCPU_ALL);
		cpu->gpr[GPR_RSP] = 0x7000 + vtl;
		for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
			if (i != SEGMENT_CS && i != SEGMENT_SS)
				cpu->segment[i].base = 0x100 * i + vtl;
		cpu->gdtr.base = 0x11000 + vtl;
		cpu->idtr.base = 0x12000 + vtl;
		cpu->dr7 = 0x400 + vtl;
		for (unsigned int i = 0; i < VCPU_MSR_COUNT; i++)
			if (i != VCPU_MSR_PAT)
				cpu->msr[i] = private_msr(vp, i, vtl);
	}
	before = *vcpu_get(vp, 0, VCPU_ALL);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	cpu = vcpu_edit(vp, 1, VCPU_ALL);
	assert_int_equal(cpu->gpr[GPR_RSP], 0x7001);
	assert_int_equal(cpu->gdtr.base, 0x11001);
	assert_int_equal(cpu->dr7, 0x401);
	for (unsigned int i = 0; i < VCPU_MSR_COUNT; i++)
		if (i != VCPU_MSR_PAT)
			assert_int_equal(cpu->msr[i], private_msr(vp, i, 1));
	cpu->cr3 = 0x3000;
	cpu->efer |= X64_EFER_SCE;
	cpu->dr7 = 0x455;
	vsm_lapic_set_cr8(&vp->vtl[1].lapic, 9);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	cpu = vcpu_edit(vp, 0, VCPU_ALL);
	assert_int_equal(cpu->gpr[GPR_RSP], before.gpr[GPR_RSP]);
	assert_int_equal(cpu->rip, before.rip + SIM_INSTRUCTION_LENGTH);
	assert_int_equal(cpu->rflags, before.rflags);
	assert_int_equal(cpu->cr0, before.cr0);
	assert_int_equal(cpu->cr3, before.cr3);
	assert_int_equal(cpu->cr4, before.cr4);
	assert_int_equal(cpu->efer, before.efer);
	assert_int_equal(cpu->dr7, before.dr7);
	assert_memory_equal(cpu->segment, before.segment, sizeof(before.segment));
	assert_memory_equal(&cpu->gdtr, &before.gdtr, sizeof(before.gdtr));
	assert_memory_equal(&cpu->idtr, &before.idtr, sizeof(before.idtr));
	assert_memory_equal(cpu->msr, before.msr, sizeof(before.msr));
	assert_int_equal(vsm_lapic_cr8(&vp->vtl[0].lapic), 0);
}

/* shows: rule shared-fpu */
static void p08_floating_point_state_is_shared_with_its_xstate_bv(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct vcpu_state *cpu = vcpu_edit(vp, 0, VCPU_FPU | VCPU_XCR0);
	const struct vcpu_state *other;
	uint64_t bv = X64_XFEATURE_AVX; /* x87 and SSE in their initial state */
	uint16_t fcw;

	cpu->xcr0 = 7;
	memset(cpu->xsave, 0xee, cpu->xsave_size);
	memset(cpu->xsave + X64_XSAVE_BV, 0, 64);
	memcpy(cpu->xsave + X64_XSAVE_BV, &bv, sizeof(bv));
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	other = vcpu_get(vp, 1, VCPU_FPU);
	assert_memory_equal(other->xsave, cpu->xsave, cpu->xsave_size);
	/* In a component in its initial state, VTL1 reads initial values, not the stale bytes. */
	bv = 0;
	memcpy(&bv, other->xsave + X64_XSAVE_BV, sizeof(bv));
	assert_int_equal(bv, X64_XFEATURE_AVX);
	assert_int_equal(host_get(vp, 1, HV_X64_REGISTER_FP_CONTROL_STATUS) & 0xffff, 0x37f);
	cpu = vcpu_edit(vp, 1, VCPU_FPU);
	fcw = 0x27f;
	bv = X64_XFEATURE_X87;
	memcpy(cpu->xsave + X64_XSAVE_FCW, &fcw, sizeof(fcw));
	memcpy(cpu->xsave + X64_XSAVE_BV, &bv, sizeof(bv));
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(host_get(vp, 0, HV_X64_REGISTER_FP_CONTROL_STATUS) & 0xffff, 0x27f);
}

/* TLFS "VsmCapabilities": Dr6Shared. A CPU has only one of the two behaviours, regardless of the options of
 * the sim backend. */
/* shows: rule capabilities-dr6, shared-dr6 */
static void dr6_is_shared_or_private_as_in_the_capabilities(void **state)
{
	for (unsigned int way = 0; way < 2; way++) {
		struct sim_options options = {.dr6_private = way};
		struct vsm_partition *partition = guest_partition(1, 1, RAM, &options);
		struct vsm_vp *vp = two_vtls(vsm_partition_vp(partition, 0));
		uint64_t value;
		bool shared;

		assert_int_equal(guest_get_register(vp, 0, 0, HV_REGISTER_VSM_CAPABILITIES, &value),
				 0);
		shared = value & HV_VSM_CAPABILITY_DR6_SHARED;
		vcpu_edit(vp, 0, VCPU_DEBUG)->dr6 = 0xffff0ff3;
		vcpu_edit(vp, 0, VCPU_DEBUG)->dr[2] = 0x77;
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(vcpu_get(vp, 1, VCPU_DEBUG)->dr6,
				 shared ? 0xffff0ff3 : 0xffff0ff0);
		assert_int_equal(vcpu_get(vp, 1, VCPU_DEBUG)->dr[2], 0x77);
		vcpu_edit(vp, 1, VCPU_DEBUG)->dr6 = 0xffff0ff1;
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
		assert_int_equal(vcpu_get(vp, 0, VCPU_DEBUG)->dr6,
				 shared ? 0xffff0ff1 : 0xffff0ff3);
		vsm_partition_destroy(partition);
	}
}

/* TLFS "VTL Entry": the reason is in the assist page of the entered VTL. */
/* shows: rule entry-reason; entry HvVtlEntryVtlCall, HvVtlEntryInterrupt */
static void the_assist_page_has_the_entry_reason(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct hv_vp_assist_page *page;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	page = enable_assist(vp);
	assert_int_equal(page->vtl_control.entry_reason, 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(page->vtl_control.entry_reason, HV_VTL_ENTRY_VTL_CALL);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	post(vp, 1, 0x55);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(page->vtl_control.entry_reason, HV_VTL_ENTRY_INTERRUPT);
}

static void p17_the_assist_page_is_written_at_the_overlay_of_the_entered_vtl(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct vsm_partition *partition = vp->partition;
	uint64_t value;

	memset(guest_ram(partition, ASSIST_GPA(1)), 0x5a, 4096);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	enable_assist(vp);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_read(vp, ASSIST_GPA(1) + 8, 4, &value), GUEST_DONE);
	assert_int_equal(value, HV_VTL_ENTRY_VTL_CALL);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_read(vp, ASSIST_GPA(1) + 8, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0x5a5a5a5a5a5a5a5a);
}

/* TLFS "VTL Return": a return that is not fast loads RAX and RCX from the assist page. */
/* shows: rule return-registers */
static void a_return_loads_rax_and_rcx_unless_it_is_fast(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct hv_vp_assist_page *page;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	page = enable_assist(vp);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	/* VTL1 is entered by an interrupt and returns without a change of the fields. */
	guest_set_gpr(vp, 0, GPR_RAX, 0x1111222233334444);
	guest_set_gpr(vp, 0, GPR_RCX, 0x5555666677778888);
	post(vp, 1, 0x55);
	guest_run(vp);
	assert_int_equal(page->vtl_control.vtl_return_x64_rax, 0x1111222233334444);
	assert_int_equal(page->vtl_control.vtl_return_x64_rcx, 0x5555666677778888);
	guest_set_gpr(vp, 1, GPR_RDX, 0x99);
	set_if(vp, 1, true);
	guest_run(vp);
	eoi(vp);
	assert_int_equal(guest_vtl_return(vp, false), GUEST_DONE);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), 0x1111222233334444);
	assert_int_equal(guest_gpr(vp, 0, GPR_RCX), 0x5555666677778888);
	assert_int_equal(guest_gpr(vp, 0, GPR_RDX), 0x99);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_write(vp, ASSIST_GPA(1) + 16, 8, 0xaaaa), GUEST_DONE);
	assert_int_equal(guest_write(vp, ASSIST_GPA(1) + 24, 8, 0xbbbb), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, false), GUEST_DONE);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), 0xaaaa);
	assert_int_equal(guest_gpr(vp, 0, GPR_RCX), 0xbbbb);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_write(vp, ASSIST_GPA(1) + 16, 8, 0xcccc), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), HV_VTL_RETURN_FAST);
}

static void set_32_bit(struct vsm_vp *vp, uint8_t vtl)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_GPR | VCPU_SYSTEM);

	cpu->efer = 0;
	cpu->cr0 = X64_CR0_PE | X64_CR0_ET;
	cpu->cr4 = 0;
	cpu->segment[SEGMENT_CS].attributes = 0xc09b;
}

/* An interrupt enters VTL1 from VTL0. Checks that RAX and RCX in VTL1's assist page are @rax and
 * @rcx. */
static struct hv_vp_assist_page *interrupt_vtl0(struct vsm_vp *vp, uint8_t vtl_of_32_bit,
						uint64_t rax, uint64_t rcx)
{
	struct hv_vp_assist_page *page;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	page = enable_assist(vp);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	set_32_bit(vp, vtl_of_32_bit);
	guest_set_gpr(vp, 0, GPR_RAX, 0x11111111);
	guest_set_gpr(vp, 0, GPR_RCX, 0x22222222);
	guest_set_gpr(vp, 0, GPR_RDX, 0x33333333);
	post(vp, 1, 0x55);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(page->vtl_control.vtl_return_x64_rax, rax);
	assert_int_equal(page->vtl_control.vtl_return_x64_rcx, rcx);
	set_if(vp, 1, true);
	guest_run(vp);
	eoi(vp);
	return page;
}

/* TLFS "HV_VP_VTL_CONTROL": "whether the VTL is 32-bit or 64-bit" refers to the VTL that returns. */
/* shows: rule return-registers-mode */
static void a_64_bit_vtl_that_returns_to_32_bit_code_loads_only_rax_and_rcx(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct hv_vp_assist_page *page = interrupt_vtl0(vp, 0, 0x11111111, 0x22222222);

	/* A 64-bit kernel sets both without reading the mode of VTL0. */
	page->vtl_control.vtl_return_x64_rax = 0x44444444;
	page->vtl_control.vtl_return_x64_rcx = 0x55555555;
	assert_int_equal(guest_vtl_return(vp, false), GUEST_DONE);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), 0x44444444);
	assert_int_equal(guest_gpr(vp, 0, GPR_RCX), 0x55555555);
	assert_int_equal(guest_gpr(vp, 0, GPR_RDX), 0x33333333);
}

/* shows: rule return-registers-32 */
static void a_32_bit_vtl_that_returns_loads_eax_ecx_and_edx(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct hv_vp_assist_page *page = interrupt_vtl0(vp, 1, 0x2222222211111111, 0x33333333);

	page->vtl_control.vtl_return_x64_rax = 0x5555555544444444;
	page->vtl_control.vtl_return_x64_rcx = 0xffffffff66666666;
	/* A 32-bit caller's control word is in EDX:EAX, its input in ECX. */
	guest_set_gpr(vp, 1, GPR_RDX, 0);
	guest_set_gpr(vp, 1, GPR_RAX, HV_CALL_VTL_RETURN);
	guest_set_gpr(vp, 1, GPR_RCX, 0);
	assert_int_equal(guest_do(vp, (struct sim_action){.kind = SIM_HYPERCALL}, NULL),
			 GUEST_DONE);
	assert_int_equal(vp->active_vtl, 0);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), 0x44444444);
	assert_int_equal(guest_gpr(vp, 0, GPR_RCX), 0x55555555);
	assert_int_equal(guest_gpr(vp, 0, GPR_RDX), 0x66666666);
}

/* TLFS "VTL Entry": an interrupt does not advance the lower VTL's RIP. */
/* shows: rule return-rip-interrupt, return-next */
static void rip_stays_on_an_interrupt_and_advances_on_a_call(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	uint64_t rip = vcpu_get(vp, 0, VCPU_GPR)->rip;

	post(vp, 1, 0x55);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, rip);
	set_if(vp, 1, true);
	guest_run(vp);
	eoi(vp);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, rip);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, rip + SIM_INSTRUCTION_LENGTH);
}

static void expect_undefined(struct vsm_vp *vp, uint64_t control, uint64_t input)
{
	uint8_t vtl = vp->active_vtl;
	uint64_t rip = vcpu_get(vp, vtl, VCPU_GPR)->rip;

	guest_set_gpr(vp, vtl, GPR_RCX, control);
	guest_set_gpr(vp, vtl, GPR_RAX, input);
	assert_int_equal(guest_do(vp, (struct sim_action){.kind = SIM_HYPERCALL}, NULL),
			 GUEST_FAULT);
	assert_int_equal(sim_state(vp, vtl)->exception_vector, X64_EXCEPTION_UD);
	assert_int_equal(vp->active_vtl, vtl);
	assert_int_equal(vcpu_get(vp, vtl, VCPU_GPR)->rip, rip);
}

/* TLFS "VTL Call", "VTL Return": what raises #UD. */
/* shows: rule call-cpl, call-disabled, call-control, return-control, return-lowest, return-cpl */
static void misuse_of_call_and_return_is_an_invalid_opcode(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct vcpu_state *cpu = vcpu_edit(vp, 0, VCPU_SYSTEM);

	expect_undefined(vp, HV_CALL_VTL_RETURN, 0);	      /* the lowest VTL */
	expect_undefined(vp, HV_CALL_VTL_CALL, 1);	      /* input is not 0 */
	expect_undefined(vp, HV_CALL_VTL_CALL | 1u << 16, 0); /* other control bits */
	expect_undefined(vp, HV_CALL_VTL_CALL | UINT64_C(1) << 32, 0);
	expect_undefined(vp, HV_CALL_VTL_CALL | UINT64_C(1) << 63, 0);
	cpu->segment[SEGMENT_SS].attributes |= 3 << HV_X64_SEGMENT_DPL_SHIFT;
	expect_undefined(vp, HV_CALL_VTL_CALL, 0); /* not at CPL 0 */
	cpu->segment[SEGMENT_SS].attributes &= (uint16_t)~HV_X64_SEGMENT_DPL_MASK;
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	expect_undefined(vp, HV_CALL_VTL_CALL, 0); /* no VTL above */
	expect_undefined(vp, HV_CALL_VTL_RETURN, 2);
	expect_undefined(vp, HV_CALL_VTL_RETURN | UINT64_C(1) << 48, 0);
	cpu = vcpu_edit(vp, 1, VCPU_SYSTEM);
	cpu->segment[SEGMENT_SS].attributes |= 3 << HV_X64_SEGMENT_DPL_SHIFT;
	expect_undefined(vp, HV_CALL_VTL_RETURN, 0);
}

/* shows: rule call-real-mode */
static void a_vtl_call_in_real_mode_is_an_invalid_opcode(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct vcpu_state *cpu = vcpu_edit(vp, 0, VCPU_SYSTEM | VCPU_GPR);

	cpu->cr0 = X64_CR0_ET;
	cpu->efer = 0;
	cpu->segment[SEGMENT_CS].attributes = 0x9b;
	cpu->gpr[GPR_RAX] = HV_CALL_VTL_CALL;
	cpu->gpr[GPR_RDX] = 0;
	cpu->gpr[GPR_RCX] = 0;
	assert_int_equal(guest_do(vp, (struct sim_action){.kind = SIM_HYPERCALL}, NULL),
			 GUEST_FAULT);
	assert_int_equal(sim_state(vp, 0)->exception_vector, X64_EXCEPTION_UD);
}

/* An interrupt enters VTL2 from VTL0. VTL2 returns to the next lower VTL, VTL1, which did not run
 * at that moment: for VTL1 this is an entry by an interrupt. */
/* shows: rule return-never-ran */
static void a_return_into_a_vtl_that_did_not_run_is_an_entry(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct hv_vp_assist_page *page[3];

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	guest_enable_vtl(partition, 2);
	page[1] = enable_assist(vp);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	page[2] = enable_assist(vp);
	assert_int_equal(vp->active_vtl, 2);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	/* A return to VTL1, which made a VTL call, is not an entry of VTL1. */
	assert_int_equal(page[1]->vtl_control.entry_reason, 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 0);

	guest_set_gpr(vp, 0, GPR_RAX, 0x1234);
	guest_set_gpr(vp, 0, GPR_RCX, 0x5678);
	post(vp, 2, 0x66);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 2);
	assert_int_equal(page[2]->vtl_control.entry_reason, HV_VTL_ENTRY_INTERRUPT);
	set_if(vp, 2, true);
	guest_run(vp);
	eoi(vp);
	assert_int_equal(guest_vtl_return(vp, false), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(page[1]->vtl_control.entry_reason, HV_VTL_ENTRY_INTERRUPT);
	assert_int_equal(guest_vtl_return(vp, false), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 0);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), 0x1234);
	assert_int_equal(guest_gpr(vp, 0, GPR_RCX), 0x5678);
}

/* The other VTL sees the RAM. */
/* shows: rule code-page */
static void p06_the_hypercall_page_is_the_vtls_own_and_read_only(void **state)
{
	struct vsm_vp *vp = two_vtls(*state);
	struct vsm_partition *partition = vp->partition;
	uint64_t value, offsets;

	memset(guest_ram(partition, 0x50000), 0x77, 4096);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0x50001), GUEST_DONE);
	assert_int_equal(guest_write(vp, 0x50000, 1, 0x90), GUEST_FAULT);
	assert_int_equal(sim_state(vp, 1)->exception_vector, X64_EXCEPTION_GP);
	/* The stubs are where VsmCodePageOffsets says: ENDBR64; MOV RAX,RCX; MOV ECX,imm; ... */
	assert_int_equal(guest_get_register(vp, 0, 0, HV_REGISTER_VSM_CODE_PAGE_OFFSETS, &offsets),
			 0);
	assert_int_equal(guest_read(vp, 0x50004 + (offsets & 0xfff), 8, &value), GUEST_DONE);
	assert_int_equal(value, 0x00000011b9c88948);
	assert_int_equal(guest_read(vp, 0x50004 + (offsets >> 12 & 0xfff), 8, &value), GUEST_DONE);
	assert_int_equal(value, 0x00000012b9c88948);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0x50000, 1, &value), GUEST_DONE);
	assert_int_equal(value, 0x77);
	assert_int_equal(guest_write(vp, 0x50000, 1, 0x78), GUEST_DONE);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_HYPERCALL, &value), GUEST_DONE);
	assert_int_equal(value, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_NEEDS_VP(NEED_SIM_CPU, shared_registers_are_kept_in_both_directions, 1, 1),
		TEST(private_registers_are_unchanged_by_vtl_switches, 1, 1),
		TEST_NEEDS_VP(NEED_SIM_CPU, p08_floating_point_state_is_shared_with_its_xstate_bv,
			      1, 1),
		cmocka_unit_test(dr6_is_shared_or_private_as_in_the_capabilities),
		TEST(the_assist_page_has_the_entry_reason, 1, 1),
		TEST(p17_the_assist_page_is_written_at_the_overlay_of_the_entered_vtl, 1, 1),
		TEST(a_return_loads_rax_and_rcx_unless_it_is_fast, 1, 1),
		TEST(a_64_bit_vtl_that_returns_to_32_bit_code_loads_only_rax_and_rcx, 1, 1),
		TEST_NEEDS_VP(NEED_NO_TABLES, a_32_bit_vtl_that_returns_loads_eax_ecx_and_edx, 1,
			      1),
		TEST(rip_stays_on_an_interrupt_and_advances_on_a_call, 1, 1),
		TEST_NEEDS_VP(NEED_CPL3_HYPERCALL, misuse_of_call_and_return_is_an_invalid_opcode,
			      1, 1),
		TEST_NEEDS_VP(NEED_NO_TABLES, a_vtl_call_in_real_mode_is_an_invalid_opcode, 1, 1),
		TEST(a_return_into_a_vtl_that_did_not_run_is_an_entry, 1, 2),
		TEST(p06_the_hypercall_page_is_the_vtls_own_and_read_only, 1, 1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
