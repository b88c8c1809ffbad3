/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"
#include "needs.h"
#include "vp_fixture.h"

static uint64_t vp_status(struct vsm_vp *vp, uint32_t index)
{
	uint64_t value;

	assert_int_equal(guest_get_register(vp, index, 0, HV_REGISTER_VSM_VP_STATUS, &value), 0);
	return value;
}

static uint64_t partition_status(struct vsm_vp *vp)
{
	uint64_t value;

	assert_int_equal(
		guest_get_register(vp, vp->index, 0, HV_REGISTER_VSM_PARTITION_STATUS, &value), 0);
	return value;
}

/* TLFS "VSM Detection and Status" */
/* shows: rule status-enabled; register HvRegisterVsmVpStatus, HvRegisterVsmPartitionStatus */
static void the_status_registers_follow_what_is_enabled(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	/* MbecEnabledVtlSet, bits 20 and up: VTL1, and VTL0 which it restricts. */
	const uint64_t mbec = partition->features.mbec ? UINT64_C(3) << 20 : 0;

	assert_int_equal(partition_status(vp), 0x20001);
	assert_int_equal(vp_status(vp, HV_VP_INDEX_SELF), 0x10000);
	assert_int_equal(enable_partition(vp, 1, mbec ? HV_ENABLE_PARTITION_VTL_MBEC : 0), 0);
	assert_int_equal(partition_status(vp), UINT64_C(0x20003) | mbec);
	assert_int_equal(vp_status(vp, HV_VP_INDEX_SELF), 0x10000);
	assert_int_equal(enable_vp(vp, 0, 1), 0);
	assert_int_equal(vp_status(vp, HV_VP_INDEX_SELF), 0x30000);
	assert_int_equal(vp_status(vp, 1), 0x10000);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(vp_status(vp, HV_VP_INDEX_SELF), 0x30001);
}

/* TLFS "HvRegisterVsmVpStatus": ActiveMbecEnabled is one flag of the VP, whatever VTL reads it. */
/* shows: rule status-mbec */
static void active_mbec_is_one_flag_for_a_vp(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 2, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	if (!partition->features.mbec) {
		vsm_partition_destroy(partition);
		print_message("the host has no MBEC\n");
		skip();
	}
	guest_enable_vtl_mbec(partition, 1);
	assert_int_equal(vp_status(vp, HV_VP_INDEX_SELF), 0x30000);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0,
					    HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED),
			 0);
	assert_int_equal(vp_status(vp, HV_VP_INDEX_SELF), 0x30011);
	assert_int_equal(vp_status(vp, 1) & HV_VSM_VP_STATUS_ACTIVE_MBEC_ENABLED, 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(vp_status(vp, HV_VP_INDEX_SELF), 0x30010);
	vsm_partition_destroy(partition);
}

static uint16_t set_secure_config(struct vsm_vp *vp, uint64_t value)
{
	return guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0, value);
}

/* TLFS "MBEC configuration": the setting that the backend enforces for the running VTL of a VP. */
/* shows: rule mbec-vp */
static void the_backend_has_the_mbec_setting_of_the_vtl_and_vp_that_run(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 2, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0), *other = vsm_partition_vp(partition, 1);

	if (!partition->features.mbec) {
		vsm_partition_destroy(partition);
		print_message("the host has no MBEC\n");
		skip();
	}
	guest_enable_vtl_mbec(partition, 1);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_false(vp->run.mbec);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(set_secure_config(vp, HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED), 0);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_false(vp->run.mbec);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_true(vp->run.mbec);
	assert_int_equal(guest_nop(other), GUEST_DONE);
	assert_false(other->run.mbec);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(set_secure_config(vp, 0), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_false(vp->run.mbec);
	vsm_partition_destroy(partition);
}

/* TLFS "VTL Enablement": enabling a VTL leaves the active one active. */
/* shows: rule enable-no-entry */
static void enabling_a_vtl_does_not_enter_it(void **state)
{
	struct vsm_vp *vp = *state;

	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(vp->active_vtl, 0);
	assert_int_equal(enable_vp(vp, HV_VP_INDEX_SELF, 1), 0);
	assert_int_equal(vp->active_vtl, 0);
}

/* TLFS "HvCallEnableVpVtl" */
/* shows: rule enable-vp-vtl; hypercall HvCallEnableVpVtl */
static void enable_vp_vtl_has_these_failures(void **state)
{
	struct vsm_vp *vp = *state;
	struct hv_enable_vp_vtl_input input = {.partition_id = 5, .target_vtl = 1};

	assert_int_equal(
		(uint16_t)guest_call(vp, HV_CALL_ENABLE_VP_VTL, &input, sizeof(input), NULL, 0),
		HV_STATUS_INVALID_PARTITION_ID);
	assert_int_equal(enable_vp(vp, 2, 1), HV_STATUS_INVALID_VP_INDEX);
	assert_int_equal(enable_vp(vp, 0, 0), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(enable_vp(vp, 0, 3), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(enable_vp(vp, 0, 200), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(enable_vp(vp, 0, 1), HV_STATUS_INVALID_VTL_STATE);
	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(enable_vp(vp, 1, 1), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(enable_vp(vp, 0, 1), 0);
	assert_int_equal(enable_vp(vp, 0, 1), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(enable_vp(vp, 0, 1), HV_STATUS_VTL_ALREADY_ENABLED);
}

/* Two VPs: the first is in VTL1, which has enabled VTL2 for the partition; the second has only VTL0. */
static struct vsm_partition *partition_with_vtl2(void)
{
	struct vsm_partition *partition = guest_partition(2, 2, RAM, NULL);
	struct vsm_vp *first = vsm_partition_vp(partition, 0);

	assert_int_equal(enable_partition(first, 1, 0), 0);
	assert_int_equal(enable_vp(first, 0, 1), 0);
	assert_int_equal(guest_vtl_call(first), GUEST_DONE);
	assert_int_equal(enable_partition(first, 2, 0), 0);
	return partition;
}

/*
 * TLFS "VTL Enablement": the highest VTL of the partition enables the next. VTL0 of a VP without
 * VTL1 is not the highest VTL, and must not set the initial context of VTL2.
 */
/* shows: rule enable-first */
static void a_vp_without_vtl1_cannot_start_vtl2_from_vtl0(void **state)
{
	struct vsm_partition *partition = partition_with_vtl2();
	struct vsm_vp *first = vsm_partition_vp(partition, 0);
	struct vsm_vp *second = vsm_partition_vp(partition, 1);

	assert_int_equal(enable_vp(second, 1, 2), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(second->enabled_vtls, 1);
	assert_int_equal(enable_vp(first, 0, 2), 0);
	vsm_partition_destroy(partition);
}

/* TLFS "VTL Enablement": VTLs need not be consecutive. */
/* shows: rule enable-not-consecutive */
static void a_vp_may_lack_a_vtl_in_between(void **state)
{
	struct vsm_partition *partition = partition_with_vtl2();
	struct vsm_vp *first = vsm_partition_vp(partition, 0);
	struct vsm_vp *second = vsm_partition_vp(partition, 1);

	assert_int_equal(enable_vp(first, 0, 2), 0);
	assert_int_equal(guest_vtl_call(first), GUEST_DONE);
	assert_int_equal(first->active_vtl, 2);
	assert_int_equal(enable_vp(first, 1, 2), 0);
	assert_int_equal(second->enabled_vtls, 5);
	/* On the second VP the next VTL up is 2, and the next one down is 0. */
	assert_int_equal(guest_vtl_call(second), GUEST_DONE);
	assert_int_equal(second->active_vtl, 2);
	assert_int_equal(guest_vtl_return(second, true), GUEST_DONE);
	assert_int_equal(second->active_vtl, 0);
	assert_int_equal(guest_vtl_return(first, true), GUEST_DONE);
	assert_int_equal(first->active_vtl, 1);
	vsm_partition_destroy(partition);
}

/* TLFS "HvCallEnableVpVtl": every field of the context, and reset values for other registers. */
/* shows: rule enable-context; feature PatRegisterForVsm */
static void the_initial_context_is_the_private_state(void **state)
{
	struct vsm_vp *vp = *state;
	struct hv_initial_vp_context context = guest_context(0xffff800000123456, 0x987654321);
	const struct vcpu_state *cpu;

	context.rflags = 0x40246;
	context.cs.selector = 0x20;
	context.ds.base = 0x1111;
	context.fs.base = 0x2222;
	context.gs.base = 0xffffaaaa00003333;
	context.ldtr = (struct hv_x64_segment_register){
		.base = 0x4444, .limit = 0xff, .selector = 0x28, .attributes = 0x82};
	context.tr.base = 0x5555;
	context.idtr = (struct hv_x64_table_register){.base = 0x6666, .limit = 0xfff};
	context.gdtr = (struct hv_x64_table_register){.base = 0x7777, .limit = 0x7f};
	context.efer |= X64_EFER_SCE;
	context.cr3 = 0x5000;
	context.cr4 |= X64_CR4_PGE;
	context.pat = 0x0606060606060606;
	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(context_call(vp, HV_CALL_ENABLE_VP_VTL, 0, 1, &context), 0);

	cpu = vcpu_get(vp, 1, VCPU_ALL);
	assert_int_equal(cpu->rip, context.rip);
	assert_int_equal(cpu->gpr[GPR_RSP], context.rsp);
	assert_int_equal(cpu->rflags, context.rflags);
	assert_memory_equal(&cpu->segment[SEGMENT_CS], &context.cs, sizeof(context.cs));
	assert_memory_equal(&cpu->segment[SEGMENT_DS], &context.ds, sizeof(context.ds));
	assert_memory_equal(&cpu->segment[SEGMENT_ES], &context.es, sizeof(context.es));
	assert_memory_equal(&cpu->segment[SEGMENT_FS], &context.fs, sizeof(context.fs));
	assert_memory_equal(&cpu->segment[SEGMENT_GS], &context.gs, sizeof(context.gs));
	assert_memory_equal(&cpu->segment[SEGMENT_SS], &context.ss, sizeof(context.ss));
	assert_memory_equal(&cpu->segment[SEGMENT_TR], &context.tr, sizeof(context.tr));
	assert_memory_equal(&cpu->segment[SEGMENT_LDTR], &context.ldtr, sizeof(context.ldtr));
	assert_int_equal(cpu->idtr.base, 0x6666);
	assert_int_equal(cpu->idtr.limit, 0xfff);
	assert_int_equal(cpu->gdtr.base, 0x7777);
	assert_int_equal(cpu->gdtr.limit, 0x7f);
	assert_int_equal(cpu->efer, context.efer);
	assert_int_equal(cpu->cr0, context.cr0);
	assert_int_equal(cpu->cr3, context.cr3);
	assert_int_equal(cpu->cr4, context.cr4);
	assert_int_equal(cpu->msr[VCPU_MSR_PAT], context.pat);
	assert_int_equal(cpu->dr7, 0x400);
	for (unsigned int i = 0; i < VCPU_MSR_COUNT; i++)
		assert_int_equal(cpu->msr[i], i == VCPU_MSR_PAT ? context.pat : 0);
	assert_int_equal(host_get(vp, 1, HV_X64_REGISTER_CR8), 0);
	assert_int_equal(host_get(vp, 1, HV_REGISTER_VP_ASSIST_PAGE), 0);
	assert_int_equal(host_get(vp, 1, HV_REGISTER_SCONTROL), 0);
	assert_int_equal(host_get(vp, 1, HV_REGISTER_SINT0), 0x10000);
	assert_int_equal(host_get(vp, 1, HV_REGISTER_VSM_VINA), 0);
}

/* TLFS "HvCallEnableVpVtl": contexts that no CPU could have, and real mode. */
/* shows: rule enable-context-illegal */
static void an_illegal_context_is_refused_and_nothing_is_enabled(void **state)
{
	struct vsm_vp *vp = *state;
	struct hv_initial_vp_context bad[8];

	assert_int_equal(enable_partition(vp, 1, 0), 0);
	for (unsigned int i = 0; i < 8; i++)
		bad[i] = guest_context(0x20000, 0x9000);
	bad[0].cr0 &= ~(uint64_t)X64_CR0_PE;  /* paging without protection */
	bad[1].cr4 &= ~(uint64_t)X64_CR4_PAE; /* long mode without PAE */
	bad[2].efer |= UINT64_C(1) << 40;
	bad[3].cr3 = UINT64_C(1) << 60;
	bad[4].rip = UINT64_C(1) << 60; /* not canonical */
	bad[5].pat = 2;
	bad[6].cr4 |= UINT64_C(1) << 50;
	bad[7].cr0 = X64_CR0_ET; /* real mode */
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(context_call(vp, HV_CALL_ENABLE_VP_VTL, 0, 1, &bad[i]),
				 HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(vp->enabled_vtls, 1);
	assert_int_equal(enable_vp(vp, 0, 1), 0);
}

/* TLFS "Execution Mode": a VTL above 0 may run in 32-bit mode. */
/* shows: rule real-mode */
static void a_vtl_may_be_32_bit(void **state)
{
	struct vsm_vp *vp = *state;
	struct hv_initial_vp_context context = guest_context(0x20000, 0x9000);

	context.efer = 0;
	context.cr0 = X64_CR0_PE | X64_CR0_ET;
	context.cr4 = 0;
	context.cs.attributes = 0xc09b;
	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(context_call(vp, HV_CALL_ENABLE_VP_VTL, 0, 1, &context), 0);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 1);
	assert_false(vp_long_mode(vp, 1));
	/* A 32-bit VTL returns with the control word in EDX:EAX and the input in ECX. */
	guest_set_gpr(vp, 1, GPR_RDX, 0);
	guest_set_gpr(vp, 1, GPR_RAX, HV_CALL_VTL_RETURN);
	guest_set_gpr(vp, 1, GPR_RCX, HV_VTL_RETURN_FAST);
	assert_int_equal(guest_do(vp, (struct sim_action){.kind = SIM_HYPERCALL}, NULL),
			 GUEST_DONE);
	assert_int_equal(vp->active_vtl, 0);
}

static void lma_follows_from_lme_and_paging(void **state)
{
	struct vsm_vp *vp = *state;
	struct hv_initial_vp_context context = guest_context(0x20000, 0x9000);

	context.efer &= ~X64_EFER_LMA;
	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(context_call(vp, HV_CALL_ENABLE_VP_VTL, 0, 1, &context), 0);
	assert_true(vcpu_get(vp, 1, VCPU_SYSTEM)->efer & X64_EFER_LMA);
}

static void p23_the_apic_of_a_new_vtl_is_software_enabled(void **state)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint64_t value;

	guest_enable_vtl(partition, 1);
	assert_true(vsm_lapic_is_software_enabled(&vp->vtl[1].lapic));
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_rdmsr(vp, X64_MSR_APIC_BASE, &value), GUEST_DONE);
	assert_int_equal(value, 0xfee00900); /* enabled, BSP, xAPIC */
	assert_int_equal(guest_read(vp, 0xfee000f0, 4, &value), GUEST_DONE);
	assert_int_equal(value, 0x1ff);
	vp = vsm_partition_vp(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_rdmsr(vp, X64_MSR_APIC_BASE, &value), GUEST_DONE);
	assert_int_equal(value, 0xfee00800); /* not the BSP */
	vsm_partition_destroy(partition);
}

/* TLFS "MBEC configuration" */
/* shows: rule capabilities-mbec; refuses: rule protect-mbec-kvm, secure-config-mbec */
static void mbec_is_refused_where_the_backend_has_none(void **state)
{
	const struct sim_options options = {.no_mbec = true};
	struct vsm_partition *partition = guest_partition(1, 1, RAM, &options);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint64_t value;

	if (partition->features.mbec) {
		vsm_partition_destroy(partition);
		print_message("the host has MBEC\n");
		skip();
	}
	assert_int_equal(guest_get_register(vp, 0, 0, HV_REGISTER_VSM_CAPABILITIES, &value), 0);
	assert_int_equal(value & HV_VSM_CAPABILITY_MBEC_VTL_MASK, 0);
	assert_int_equal(enable_partition(vp, 1, HV_ENABLE_PARTITION_VTL_MBEC),
			 HV_STATUS_INVALID_PARAMETER);
	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0,
					    HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(partition_status(vp), 0x10003);
	vsm_partition_destroy(partition);
}

/* shows: rule config-enable, config-owner; register HvRegisterVsmPartitionConfig; refuses: rule
 * config-reserved
 */
static void partition_config_follows_its_rules(void **state)
{
	struct vsm_vp *vp = *state;
	const uint32_t name = HV_REGISTER_VSM_PARTITION_CONFIG;
	uint64_t value;

	assert_int_equal(enable_partition(vp, 1, 0), 0);
	assert_int_equal(enable_vp(vp, 0, 1), 0);
	assert_int_not_equal(guest_set_register(vp, 0, 0, name, 0x3f), 0);
	assert_int_equal(guest_set_register(vp, 0, 0x11, name, 0x3f), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	/* ZeroMemoryOnReset is on from the start, and no protection. */
	assert_int_equal(guest_get_register(vp, 0, 0, name, &value), 0);
	assert_int_equal(value, 0x3e);
	/* Every bit that is reserved or requests a feature that is not offered. */
	for (unsigned int bit = 7; bit < 64; bit++)
		assert_int_equal(guest_set_register(vp, 0, 0, name, 0x3e | UINT64_C(1) << bit),
				 HV_STATUS_INVALID_REGISTER_VALUE);
	/* The mask must contain R and W, and be a legal set of rights. */
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x1 << 1),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x7 << 1),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x1f), 0);
	assert_int_equal(guest_get_register(vp, 0, 0, name, &value), 0);
	assert_int_equal(value, 0x1f);
	assert_int_equal(guest_set_register(vp, 0, 0x12, name, 0x1f), HV_STATUS_ACCESS_DENIED);
}

static uint8_t seen_by_vtl0(struct vsm_partition *partition)
{
	return sim_access(partition, 0, 0x200);
}

/* TLFS "Enable VTL Protections", "Default Protection Mask": written once. */
/* shows: rule config-default-once */
static void p36_a_later_change_of_the_default_mask_is_refused_not_ignored(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	const uint32_t name = HV_REGISTER_VSM_PARTITION_CONFIG;
	uint64_t value;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x3f), 0);
	assert_int_equal(seen_by_vtl0(partition), GPA_ALL);
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x3f), 0);
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x5f), 0);
	/* A mask with fewer rights; no protection. */
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x27),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x3e),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(guest_get_register(vp, 0, 0, name, &value), 0);
	assert_int_equal(value, 0x5f);
	assert_int_equal(seen_by_vtl0(partition), GPA_ALL);
	assert_int_equal(vtl_set_config(partition, 15, 1, 0x27), HV_STATUS_INVALID_REGISTER_VALUE);
}

/* The mask is not enforced before EnableVtlProtection is set. */
/* shows: rule config-default-mask */
static void p36_a_default_mask_is_enforced_only_after_the_enable_flag_is_set(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	const uint32_t name = HV_REGISTER_VSM_PARTITION_CONFIG;
	uint64_t value;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x26), 0);
	assert_int_equal(guest_get_register(vp, 0, 0, name, &value), 0);
	assert_int_equal(value, 0x26);
	assert_int_equal(seen_by_vtl0(partition), GPA_ALL);
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x27), 0);
	assert_int_equal(seen_by_vtl0(partition), GPA_READ | GPA_WRITE);
	assert_int_equal(guest_set_register(vp, 0, 0, name, 0x27), 0);
	enable_synic(vp, 0, 0x50 | HV_SYNIC_SINT_AUTO_EOI);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_execute(vp, 0x200000, false), GUEST_STOPPED);
	assert_int_equal(vp->active_vtl, 1);
}

/* refuses: rule vina-vtl0 */
static void p10_vina_is_refused_for_vtl0(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t value;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VINA, 0x1f0),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(vp->vtl[0].vina, 0);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_set_register(vp, 0, 0x10, HV_REGISTER_VSM_VINA, 0x1f0),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VINA, 0x800),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_VINA, 0x7f0), 0);
	assert_int_equal(guest_get_register(vp, 0, 0, HV_REGISTER_VSM_VINA, &value), 0);
	assert_int_equal(value, 0x7f0);
}

static void p24_flush_hypercalls_are_offered_and_work(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct hv_flush_virtual_address_input flush = {.flags = HV_FLUSH_ALL_PROCESSORS};
	uint32_t before = sim_state(vp, 0)->tlb_flushes;

	assert_true(partition->recommendations &
		    (HV_RECOMMEND(LOCAL_FLUSH_HYPERCALL) | HV_RECOMMEND(REMOTE_FLUSH_HYPERCALL)));
	assert_int_equal((uint16_t)guest_call(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, &flush,
					      sizeof(flush), NULL, 0),
			 0);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_true(sim_state(vp, 0)->tlb_flushes > before);
}

/* Writes the page tables of CR3 of guest_context(), with one page of 1 GiB at GVA 0. */
static void identity(uint8_t *ram)
{
	uint64_t *table = (uint64_t *)(void *)(ram + GUEST_TABLES_GPA);

	table[0] = (GUEST_TABLES_GPA + CORE_PAGE_SIZE) | 0x27;
	table[CORE_PAGE_SIZE / sizeof(*table)] = 0xe7;
}

/* boot_vtl: the guest starts in a higher VTL, which is enabled on every VP. */
/* shows: rule vtl2 */
static void a_guest_may_boot_in_vtl2(void **state)
{
	struct vsm_config config;
	struct vsm_partition *partition;
	struct hv_initial_vp_context context = guest_context(0x20000, 0x9000);
	struct vsm_vp *vp, *other;
	void *host;

	vsm_config_init(&config);
	config.vp_count = 2;
	config.boot_vtl = 2;
	assert_int_equal(partition_create(&config, &sim_ops, NULL, &partition), 0);
	assert_int_equal(vsm_memory_add(partition, 0, RAM, -1, 0, &host), 0);
	vp = vsm_partition_vp(partition, 0);
	other = vsm_partition_vp(partition, 1);
	assert_int_equal(vp->active_vtl, 2);
	assert_int_equal(vp->enabled_vtls, 5);
	assert_int_equal(partition->enabled_vtls, 5);
	assert_int_equal(partition->vtl[2].config, 0x3e);
	assert_true(vsm_lapic_is_software_enabled(&vp->vtl[2].lapic));
	guest_set_long_mode(vp, 2);
	identity(host);
	assert_int_equal(context_call(vp, HV_CALL_START_VIRTUAL_PROCESSOR, 1, 2, &context), 0);
	assert_int_equal(other->active_vtl, 2);
	assert_int_equal(guest_nop(other), GUEST_DONE);
	/* VTL0 of that VP still waits for SIPI, but an interrupt enters its VTL2. */
	assert_int_equal(guest_vtl_return(other, true), GUEST_DONE);
	assert_int_equal(other->active_vtl, 0);
	assert_int_equal(guest_nop(other), GUEST_STOPPED);
	post(other, 2, 0x40);
	guest_run(other);
	assert_int_equal(other->active_vtl, 2);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_status_registers_follow_what_is_enabled, 2, 2),
		TEST(enabling_a_vtl_does_not_enter_it, 1, 1),
		TEST(enable_vp_vtl_has_these_failures, 2, 2),
		cmocka_unit_test(a_vp_without_vtl1_cannot_start_vtl2_from_vtl0),
		cmocka_unit_test(a_vp_may_lack_a_vtl_in_between),
		TEST(the_initial_context_is_the_private_state, 1, 1),
		TEST(an_illegal_context_is_refused_and_nothing_is_enabled, 1, 1),
		TEST(a_vtl_may_be_32_bit, 1, 1),
		TEST(lma_follows_from_lme_and_paging, 1, 1),
		cmocka_unit_test(p23_the_apic_of_a_new_vtl_is_software_enabled),
		cmocka_unit_test(active_mbec_is_one_flag_for_a_vp),
		cmocka_unit_test(the_backend_has_the_mbec_setting_of_the_vtl_and_vp_that_run),
		cmocka_unit_test(mbec_is_refused_where_the_backend_has_none),
		TEST(partition_config_follows_its_rules, 1, 2),
		TEST(p36_a_later_change_of_the_default_mask_is_refused_not_ignored, 1, 2),
		TEST_NEEDS_VP(NEED_EXECUTE_VIEW,
			      p36_a_default_mask_is_enforced_only_after_the_enable_flag_is_set, 1,
			      2),
		TEST(p10_vina_is_refused_for_vtl0, 1, 1),
		TEST(p24_flush_hypercalls_are_offered_and_work, 1, 1),
		cmocka_unit_test(a_guest_may_boot_in_vtl2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
