/* SPDX-License-Identifier: BSD-2-Clause */
/* System Management Mode of VTL0, called "the mode". */
#include "memory_world.h"

#include "core/intercept/intercept.h"
#include "core/memory/protect.h"
#include "core/schedule/smm.h"
#include "state_test.h"

#define SMM	  VSM_MEMORY_SMM
#define MSI	  UINT64_C(0xfee00000)
#define SAVE_AREA (X64_SMBASE_RESET + X64_SMM_SAVE_AREA)

static void begin_smm(struct world *world)
{
	begin_vps(world, 1, (struct sim_options){.smm = true});
}

/* VTL0 takes an SMI at its next instruction. */
static void enter(struct world *world)
{
	assert_int_equal(vsm_vp_smi(world->vp), 0);
	assert_int_equal(guest_nop(world->vp), GUEST_DONE);
	assert_true(vp_in_smm(world->vp));
}

static void leave(struct world *world)
{
	assert_int_equal(guest_do(world->vp, (struct sim_action){.kind = SIM_RSM}, NULL),
			 GUEST_DONE);
	assert_false(vp_in_smm(world->vp));
}

static void without_the_option_no_smi_reaches_vtl0(void **state)
{
	struct world world;
	const struct vsm_memory_change smram = change(PLACE, 0x1000, -1, 0, SMM);

	begin(&world);
	assert_int_equal(vsm_vp_smi(world.vp), -ENOTSUP);
	/* A message of a device, with delivery mode SMI. */
	assert_int_equal(vsm_msi(world.partition, MSI, 0x4200), 0);
	assert_int_equal(guest_nop(world.vp), GUEST_DONE);
	assert_int_equal(sim_state(world.vp, 0)->smis, 0);
	assert_int_equal(vsm_memory_update(world.partition, &smram, 1), -EINVAL);
	end(&world);
}

static void smram_is_memory_for_vtl0_only_in_smm(void **state)
{
	struct world *world = *state;
	uint64_t value = 0;

	set_map(world, PLACE, 0x2000, world->ram, 0, SMM);
	*in_ram(world, 0) = SECRET;
	assert_true(is_mmio(world, guest_read(world->vp, PLACE, 8, &value), PLACE, false));
	assert_false(world->vp->exit.smm);
	assert_true(is_mmio(world, guest_write(world->vp, PLACE, 8, 1), PLACE, true));
	assert_true(
		is_mmio(world, guest_execute(world->vp, PLACE + CODE, false), PLACE + CODE, false));
	enter(world);
	assert_true(reads(world, PLACE, SECRET));
	assert_true(writes(world, PLACE + 0x1000, OTHER));
	assert_int_equal(guest_execute(world->vp, PLACE + CODE, false), GUEST_DONE);
	/* An access to a GPA that has no memory even in the mode exits, with exit.smm set. */
	assert_true(is_mmio(world, guest_read(world->vp, ELSEWHERE, 8, &value), ELSEWHERE, false));
	assert_true(world->vp->exit.smm);
	leave(world);
	assert_true(is_mmio(world, guest_read(world->vp, PLACE, 8, &value), PLACE, false));
	assert_int_equal(*in_ram(world, 0), SECRET);
}

static void devices_and_hypercalls_do_not_reach_smram(void **state)
{
	const uint64_t control = HV_CALL_GET_VP_REGISTERS | UINT64_C(1) << 32;
	const struct vsm_dma_request request = {.gpa = PLACE, .size = 8, .write = true};
	struct vsm_dma_map *map = NULL;
	struct world *world = *state;
	uint64_t value = 0;
	void *host = NULL;

	set_map(world, PLACE, 0x1000, world->ram, 0, 0);
	assert_int_equal(vsm_dma_map(world->partition, &request, &map, &host), 0);
	*in_ram(world, 0) = SECRET;
	set_map(world, PLACE, 0x1000, world->ram, 0, SMM);
	*(volatile uint64_t *)host = 0x666;
	assert_int_equal(*in_ram(world, 0), SECRET);
	assert_int_equal(vsm_dma_unmap(map), -ESTALE);
	assert_int_equal(vsm_dma_map(world->partition, &request, &map, &host), -EFAULT);
	assert_int_equal(vsm_dma_read(world->partition, PLACE, &value, 8), -EFAULT);
	assert_int_equal(vsm_dma_write(world->partition, PLACE, &value, 8), -EFAULT);
	guest_hypercall(world->vp, control, PLACE, PLACE + 0x800, &value);
	assert_int_not_equal(value & 0xffff, HV_STATUS_SUCCESS);
	assert_int_equal(*in_ram(world, 0), SECRET);
}

static void higher_vtls_always_access_smram(void **state)
{
	struct world *world = *state;
	uint64_t value = 0;

	set_map(world, PLACE, 0x1000, world->ram, 0, SMM);
	*in_ram(world, 0) = SECRET;
	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	assert_int_equal(guest_read(world->vp, PLACE, 8, &value), GUEST_DONE);
	assert_int_equal(value, SECRET);
	assert_int_equal(guest_write(world->vp, PLACE, 8, OTHER), GUEST_DONE);
	assert_int_equal(guest_vtl_return(world->vp, true), GUEST_DONE);
	assert_int_equal(*in_ram(world, 0), OTHER);
}

static void what_vtl1_denies_is_denied_in_smm(void **state)
{
	struct world *world = *state;

	set_map(world, PLACE, 0x4000, world->ram, 0, 0);
	*in_ram(world, 0x0000) = *in_ram(world, 0x1000) = SECRET;
	*in_ram(world, 0x2000) = *in_ram(world, 0x3000) = SECRET;
	assert_int_equal(lock(world, MAP_NONE, PLACE), 0);
	assert_int_equal(lock(world, MAP_READ_EXECUTE, PLACE + 0x1000), 0);
	enter(world);
	assert_true(nothing_at(world, PLACE));
	assert_true(read_only_at(world, PLACE + 0x1000, SECRET));
	assert_true(vp_in_smm(world->vp));
	leave(world);
	set_map(world, PLACE, 0x4000, world->ram, 0, SMM);
	enter(world);
	assert_true(nothing_at(world, PLACE));
	assert_true(read_only_at(world, PLACE + 0x1000, SECRET));
	assert_true(writes(world, PLACE + 0x2000, OTHER));
	leave(world);
	assert_int_equal(lock(world, MAP_NONE, PLACE + 0x2000), 0);
	assert_int_equal(lock(world, MAP_READ_EXECUTE, PLACE + 0x3000), 0);
	enter(world);
	assert_true(nothing_at(world, PLACE + 0x2000));
	assert_true(read_only_at(world, PLACE + 0x3000, SECRET));
	leave(world);
	set_map(world, PLACE, 0x4000, world->ram, 0, 0);
	assert_true(nothing_at(world, PLACE));
	assert_true(read_only_at(world, PLACE + 0x1000, SECRET));
	assert_true(nothing_at(world, PLACE + 0x2000));
	assert_true(read_only_at(world, PLACE + 0x3000, SECRET));
	assert_int_equal(*in_ram(world, 0), SECRET);
}

/* SMRAM that shows a locked page at another GPA, before the lock and after it. */
static void an_alias_in_smram_has_the_rights_of_the_locked_gpa(void **state)
{
	struct world *world = *state;

	set_map(world, PLACE, 0x2000, world->ram, 0, 0);
	*in_ram(world, 0) = *in_ram(world, 0x1000) = SECRET;
	set_map(world, ELSEWHERE, 0x1000, world->ram, 0, SMM);
	assert_int_equal(lock(world, MAP_NONE, PLACE), 0);
	assert_int_equal(lock(world, MAP_READ_EXECUTE, PLACE + 0x1000), 0);
	set_map(world, ELSEWHERE + 0x1000, 0x1000, world->ram, 0x1000, SMM);
	enter(world);
	assert_true(nothing_at(world, ELSEWHERE));
	assert_true(read_only_at(world, ELSEWHERE + 0x1000, SECRET));
	leave(world);
	/* Locked RAM that leaves its GPA for SMRAM elsewhere stays locked. */
	set_map(world, PLACE, 0x2000, -1, 0, 0);
	enter(world);
	assert_true(nothing_at(world, ELSEWHERE));
	assert_true(read_only_at(world, ELSEWHERE + 0x1000, SECRET));
	leave(world);
	assert_int_equal(*in_ram(world, 0), SECRET);
}

/* Otherwise code outside the mode could change what the mode executes or reads. */
static void overlays_of_vtl0_do_not_cover_smram(void **state)
{
	struct world *world = *state;

	set_map(world, PLACE, 0x2000, world->ram, 0, 0);
	*in_ram(world, 0) = *in_ram(world, 0x1000) = SECRET;
	wrmsr(world->vp, HV_X64_MSR_VP_ASSIST_PAGE, PLACE | 1);
	assert_true(writes(world, PLACE, OTHER));
	set_map(world, PLACE, 0x2000, world->ram, 0, SMM);
	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_SIMP, (PLACE + 0x1000) | 1),
			 GUEST_FAULT);
	enter(world);
	assert_true(reads(world, PLACE, SECRET));
	assert_true(reads(world, PLACE + 0x1000, SECRET));
	leave(world);
	set_map(world, PLACE, 0x2000, world->ram, 0, 0);
	assert_true(reads(world, PLACE, OTHER));
	assert_int_equal(*in_ram(world, 0), SECRET);
}

static void hypercalls_and_vtl_calls_in_smm_raise_ud(void **state)
{
	struct world *world = *state;
	uint64_t result;

	enter(world);
	assert_int_equal(guest_vtl_call(world->vp), GUEST_FAULT);
	assert_int_equal(sim_state(world->vp, 0)->exception_vector, X64_EXCEPTION_UD);
	assert_int_equal(world->vp->active_vtl, 0);
	assert_int_equal(guest_hypercall(world->vp, HV_CALL_GET_PARTITION_ID, 0, 0, &result),
			 GUEST_FAULT);
	assert_int_equal(sim_state(world->vp, 0)->exception_vector, X64_EXCEPTION_UD);
	leave(world);
	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	assert_int_equal(world->vp->active_vtl, 1);
}

static void vtl0_cannot_access_or_start_a_vp_in_smm(void **state)
{
	const struct hv_initial_vp_context context = guest_context(0x20000, 0x9000);
	struct world world;
	struct vsm_vp *other;
	uint64_t value = 0;

	begin_vps(&world, 2, (struct sim_options){.smm = true});
	other = vsm_partition_vp(world.partition, 1);
	vcpu_edit(other, 0, VCPU_EVENTS)->events.smm = true;
	guest_set_gpr(other, 0, GPR_RBX, SECRET);
	assert_int_equal(guest_set_register(world.vp, 1, 0, HV_X64_REGISTER_RBX, 1),
			 HV_STATUS_ACCESS_DENIED);
	assert_int_equal(guest_get_register(world.vp, 1, 0, HV_X64_REGISTER_RBX, &value),
			 HV_STATUS_ACCESS_DENIED);
	assert_int_not_equal(value, SECRET);
	assert_int_not_equal(
		context_call(world.vp, HV_CALL_START_VIRTUAL_PROCESSOR, 1, 0, &context),
		HV_STATUS_SUCCESS);
	assert_int_equal(guest_gpr(other, 0, GPR_RBX), SECRET);
	assert_true(vp_in_smm(other));
	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	assert_int_equal(guest_get_register(world.vp, 1, HV_INPUT_VTL_USE_TARGET,
					    HV_X64_REGISTER_RBX, &value),
			 HV_STATUS_SUCCESS);
	assert_int_equal(value, SECRET);
	assert_int_equal(context_call(world.vp, HV_CALL_START_VIRTUAL_PROCESSOR, 1, 0, &context),
			 HV_STATUS_SUCCESS);
	assert_false(vp_in_smm(other));
	assert_int_equal(guest_vtl_return(world.vp, true), GUEST_DONE);
	end(&world);
}

static void vtl1_interrupts_smm_and_returns_into_it(void **state)
{
	struct world *world = *state;

	enter(world);
	post(world->vp, 1, 0x60);
	assert_int_not_equal(guest_nop(world->vp), GUEST_FAULT);
	assert_int_equal(world->vp->active_vtl, 1);
	assert_true(was_delivered(world->vp, 1, 0x60, 0));
	assert_false(world->vp->cpu[1]->events.smm);
	assert_false(world->vp->exit.smm);
	eoi(world->vp);
	/* An SMI for VTL0 neither stops VTL1 nor reaches it. */
	assert_int_equal(vsm_vp_smi(world->vp), 0);
	assert_int_equal(guest_nop(world->vp), GUEST_DONE);
	assert_int_equal(world->vp->active_vtl, 1);
	assert_int_equal(sim_state(world->vp, 1)->smis, 0);
	assert_int_equal(sim_state(world->vp, 0)->smis, 1);
	assert_int_equal(guest_vtl_return(world->vp, true), GUEST_DONE);
	assert_int_equal(world->vp->active_vtl, 0);
	assert_true(vp_in_smm(world->vp));
}

static void init_and_nmi_wait_for_the_end_of_smm(void **state)
{
	struct world world;

	/* VTL1 is not enabled, since INIT would be dropped otherwise. */
	world = (struct world){
		.partition = guest_partition(1, 1, RAM, &(struct sim_options){.smm = true})};
	world.vp = vsm_partition_vp(world.partition, 0);
	enter(&world);
	interrupt_post_event(world.vp, 0, VSM_LAPIC_EVENT_INIT, 0);
	vsm_nmi(world.vp);
	assert_int_equal(guest_nop(world.vp), GUEST_DONE);
	assert_true(vp_in_smm(world.vp));
	assert_int_equal(sim_state(world.vp, 0)->smis, 1);
	assert_int_equal(sim_state(world.vp, 0)->nmis, 0);
	assert_int_not_equal(vcpu_get(world.vp, 0, VCPU_GPR)->rip, X64_RESET_RIP);
	/* RSM does not exit, so the run loop checks for the end of the mode once a millisecond. */
	assert_true(world.vp->run.deadline <=
		    vp_tsc(world.partition) + world.partition->features.tsc_hz / 1000);
	guest_do(world.vp, (struct sim_action){.kind = SIM_RSM}, NULL);
	guest_run(world.vp);
	assert_false(vp_in_smm(world.vp));
	assert_int_equal(vcpu_get(world.vp, 0, VCPU_GPR)->rip, X64_RESET_RIP);
	vsm_partition_destroy(world.partition);
}

static void an_smi_wakes_vtl0_from_hlt(void **state)
{
	struct world *world = *state;

	assert_int_equal(guest_halt(world->vp), GUEST_DONE);
	assert_int_equal(world->vp->vtl[0].activity, VP_HALTED);
	set_if(world->vp, 0, false);
	assert_int_equal(vsm_msi(world->partition, MSI, 0x4200), 0);
	assert_int_equal(guest_nop(world->vp), GUEST_DONE);
	assert_true(vp_in_smm(world->vp));
}

static void a_denied_state_save_area_shuts_down(void **state)
{
	const struct vsm_exit *exit;
	struct world *world = *state;

	assert_int_equal(lock(world, MAP_READ_EXECUTE, SAVE_AREA), 0);
	assert_int_equal(vsm_vp_smi(world->vp), 0);
	assert_int_equal(vsm_vp_run(world->vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
	assert_int_equal(sim_state(world->vp, 0)->smis, 0);
	/* A state save area that is partly without memory shuts down, too. */
	vcpu_edit(world->vp, 0, VCPU_SMM)->smbase = RAM - X64_SMM_SAVE_AREA - 0x100;
	assert_int_equal(vsm_vp_smi(world->vp), 0);
	assert_int_equal(vsm_vp_run(world->vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
	assert_int_equal(sim_state(world->vp, 0)->smis, 0);
}

/* VTL1, which is entered before the SMI is taken, locks the state save area. */
static void the_check_of_the_save_area_is_that_of_the_entry(void **state)
{
	struct world *world = *state;

	assert_int_equal(vsm_vp_smi(world->vp), 0);
	post(world->vp, 1, 0x60);
	assert_int_equal(guest_nop(world->vp), GUEST_STOPPED);
	assert_int_equal(world->vp->active_vtl, 1);
	eoi(world->vp);
	assert_int_equal(guest_protect(world->vp, 0, MAP_READ_EXECUTE, SAVE_AREA), 0);
	guest_vtl_return(world->vp, true);
	assert_int_equal(world->vp->active_vtl, 0);
	assert_int_equal(world->vp->exit.reason, VSM_EXIT_SHUTDOWN);
	assert_int_equal(sim_state(world->vp, 0)->smis, 0);
}

/* The entry can end before the SMI is taken, for instance by a kick. */
static void an_smi_that_was_not_taken_is_checked_again(void **state)
{
	uint64_t gpn = SAVE_AREA / 0x1000;
	struct world *world = *state;
	size_t done;

	assert_int_equal(vsm_vp_smi(world->vp), 0);
	assert_true(interrupt_before_entry(world->vp, &world->vp->run));
	assert_true(smm_due(world->vp));
	assert_true(smm_inject(world->vp));
	assert_true(vcpu_get(world->vp, 0, VCPU_EVENTS)->events.smi_pending);
	assert_false(smm_due(world->vp));
	smm_after_exit(world->vp);
	assert_false(vcpu_get(world->vp, 0, VCPU_EVENTS)->events.smi_pending);
	assert_true(smm_due(world->vp));
	assert_int_equal(protect_set(world->partition, 1, -1, &gpn, 1, MAP_READ_EXECUTE, &done), 0);
	assert_false(smm_inject(world->vp));
	assert_false(vcpu_get(world->vp, 0, VCPU_EVENTS)->events.smi_pending);
	/* Until the shutdown is reported, a further SMI is neither checked nor taken. */
	assert_int_equal(vsm_vp_smi(world->vp), 0);
	assert_true(interrupt_before_entry(world->vp, &world->vp->run));
	assert_false(smm_inject(world->vp));
	assert_true(smm_due(world->vp));
}

static void an_smi_ends_no_wait_while_an_event_is_in_delivery(void **state)
{
	struct world *world = *state;

	vcpu_edit(world->vp, 0, VCPU_EVENTS)->events.nmi_injected = true;
	world->vp->vtl[0].activity = VP_INTERCEPT_SUSPENDED;
	world->vp->vtl[0].retry_at = UINT64_MAX;
	assert_int_equal(vsm_vp_smi(world->vp), 0);
	assert_false(interrupt_before_entry(world->vp, &world->vp->run));
	vcpu_edit(world->vp, 0, VCPU_EVENTS)->events.nmi_injected = false;
	assert_true(interrupt_before_entry(world->vp, &world->vp->run));
}

/* HvCallCheckSparseGpaPageVtlAccess by VTL1 about VTL0. */
static uint64_t rights_result(struct world *world, uint64_t gpa)
{
	const struct {
		struct hv_check_sparse_gpa_page_vtl_access_input header;
		uint64_t page;
	} input = {{.partition_id = HV_PARTITION_ID_SELF,
		    .input_vtl = HV_INPUT_VTL_USE_TARGET,
		    .desired_access = HV_MAP_GPA_PERMISSIONS_MASK},
		   gpa / 0x1000};
	uint64_t result = UINT64_MAX;
	uint64_t status;

	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	status = guest_call(world->vp, HV_CALL_CHECK_SPARSE_GPA_PAGE_VTL_ACCESS | UINT64_C(1) << 32,
			    &input, sizeof(input), &result, sizeof(result));
	assert_int_equal(status & 0xffff, HV_STATUS_SUCCESS);
	assert_int_equal(guest_vtl_return(world->vp, true), GUEST_DONE);
	return result;
}

/* Otherwise code outside the mode could make VTL1 access SMRAM on its behalf. */
static void vtl1_learns_that_vtl0_has_no_access_to_smram(void **state)
{
	const uint64_t none = HV_CHECK_GPA_PAGE_MEMORY_INTERCEPT |
			      HV_MAP_GPA_PERMISSIONS_MASK << HV_CHECK_GPA_PAGE_DENIED_ACCESS_SHIFT;
	struct world *world = *state;

	set_map(world, PLACE, 0x2000, world->ram, 0, SMM);
	set_map(world, PLACE + 0x1000, 0x1000, world->ram, 0x1000, 0);
	assert_int_equal(rights_result(world, PLACE), none);
	assert_int_equal(rights_result(world, PLACE + 0x1000), HV_CHECK_GPA_PAGE_SUCCESS);
	assert_int_equal(lock(world, MAP_READ_EXECUTE, PLACE), 0);
	assert_int_equal(rights_result(world, PLACE), none);
	set_map(world, PLACE, 0x1000, world->ram, 0, 0);
	assert_int_not_equal(rights_result(world, PLACE), none);
}

static uint16_t install_msr(struct world *world, uint32_t msr, uint32_t mask)
{
	return intercept_install(world->partition, 1, HV_INTERCEPT_TYPE_X64_MSR_INDEX, mask, msr);
}

static uint16_t watch(struct world *world, uint64_t control)
{
	uint16_t status;

	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	status = guest_set_register(world->vp, 0, HV_INPUT_VTL_USE_TARGET | 1,
				    HV_X64_REGISTER_CR_INTERCEPT_CONTROL, control);
	assert_int_equal(guest_vtl_return(world->vp, true), GUEST_DONE);
	return status;
}

/* RSM would change these registers without an exit. */
static void watches_of_what_rsm_loads_are_refused(void **state)
{
	static const uint64_t loaded[] = {
		HV_CR_INTERCEPT(MSR_EFER_WRITE), HV_CR_INTERCEPT(CR0_WRITE),
		HV_CR_INTERCEPT(CR4_WRITE),	 HV_CR_INTERCEPT(GDTR_WRITE),
		HV_CR_INTERCEPT(IDTR_WRITE),	 HV_CR_INTERCEPT(LDTR_WRITE),
		HV_CR_INTERCEPT(TR_WRITE),
	};
	struct world world;
	struct world without;
	struct guest_saved saved;

	begin_smm(&world);
	begin(&without);
	for (size_t i = 0; i < ARRAY_SIZE(loaded); i++) {
		assert_int_equal(watch(&without, loaded[i]), HV_STATUS_SUCCESS);
		assert_int_equal(watch(&world, loaded[i]), HV_STATUS_INVALID_REGISTER_VALUE);
	}
	assert_int_equal(watch(&world, HV_CR_INTERCEPT(XCR0_WRITE)), HV_STATUS_SUCCESS);
	assert_int_equal(watch(&world, HV_CR_INTERCEPT(MSR_EFER_READ)), HV_STATUS_SUCCESS);
	assert_int_equal(install_msr(&without, X64_MSR_EFER, 2), HV_STATUS_SUCCESS);
	assert_int_equal(install_msr(&world, X64_MSR_EFER, 2), HV_STATUS_OPERATION_DENIED);
	assert_int_equal(install_msr(&world, X64_MSR_EFER, 3), HV_STATUS_OPERATION_DENIED);
	assert_int_equal(install_msr(&world, X64_MSR_EFER, 1), HV_STATUS_SUCCESS);
	assert_int_equal(install_msr(&world, X64_MSR_LSTAR, 2), HV_STATUS_SUCCESS);
	/* A saved state cannot install such intercepts either. */
	saved = state_save(world.partition);
	assert_int_equal(vsm_partition_restore(world.partition, saved.bytes, saved.size), 0);
	free(saved.bytes);
	world.partition->config.smm = false;
	assert_int_equal(install_msr(&world, X64_MSR_EFER, 2), HV_STATUS_SUCCESS);
	world.partition->config.smm = true;
	saved = state_save(world.partition);
	assert_int_equal(vsm_partition_restore(world.partition, saved.bytes, saved.size), -EINVAL);
	free(saved.bytes);
	assert_int_equal(install_msr(&world, X64_MSR_EFER, 0), HV_STATUS_SUCCESS);
	world.vp->vtl[1].cr_intercept_control = HV_CR_INTERCEPT(MSR_EFER_WRITE);
	saved = state_save(world.partition);
	assert_int_equal(vsm_partition_restore(world.partition, saved.bytes, saved.size), -EINVAL);
	free(saved.bytes);
	end(&world);
	end(&without);
}

static void an_smi_of_a_saved_state_is_checked(void **state)
{
	const struct vsm_exit *exit;
	struct world world;
	struct world other;
	struct guest_saved saved;

	begin_smm(&world);
	begin_smm(&other);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, SAVE_AREA), 0);
	assert_int_equal(vsm_vp_smi(world.vp), 0);
	saved = state_save(world.partition);
	assert_int_equal(vsm_partition_restore(other.partition, saved.bytes, saved.size), 0);
	free(saved.bytes);
	assert_int_equal(vsm_vp_run(other.vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
	assert_int_equal(sim_state(other.vp, 0)->smis, 0);
	/* smm_in_nmi is valid only in the mode. */
	vcpu_edit(world.vp, 0, VCPU_EVENTS)->events.smm_in_nmi = true;
	saved = state_save(world.partition);
	assert_int_equal(vsm_partition_restore(other.partition, saved.bytes, saved.size), -EINVAL);
	free(saved.bytes);
	end(&world);
	end(&other);
}

static void smm_is_saved_and_a_reset_ends_it(void **state)
{
	struct world world;
	struct world other;
	struct world without;
	struct guest_saved saved;

	begin_smm(&world);
	begin_smm(&other);
	begin(&without);
	vcpu_edit(world.vp, 0, VCPU_SMM)->smbase = 0x50000;
	enter(&world);
	assert_int_equal(vsm_vp_smi(world.vp), 0);
	saved = state_save(world.partition);
	state_restores_to_the_same(&saved, other.partition);
	assert_int_equal(vcpu_get(other.vp, 0, VCPU_SMM)->smbase, 0x50000);
	assert_true(vp_in_smm(other.vp));
	assert_int_equal(guest_nop(other.vp), GUEST_DONE);
	assert_int_equal(sim_state(other.vp, 0)->smis, 0);
	/* The SMI that has waited is taken after RSM. */
	guest_do(other.vp, (struct sim_action){.kind = SIM_RSM}, NULL);
	assert_int_equal(guest_nop(other.vp), GUEST_DONE);
	assert_int_equal(sim_state(other.vp, 0)->smis, 1);
	leave(&other);
	assert_int_equal(vsm_partition_restore(without.partition, saved.bytes, saved.size),
			 -EINVAL);
	free(saved.bytes);
	saved = state_save(without.partition);
	assert_int_equal(vsm_partition_restore(world.partition, saved.bytes, saved.size), -EINVAL);
	free(saved.bytes);
	assert_int_equal(vsm_partition_reset(other.partition), 0);
	assert_false(vp_in_smm(other.vp));
	assert_int_equal(vcpu_get(other.vp, 0, VCPU_SMM)->smbase, X64_SMBASE_RESET);
	end(&world);
	end(&other);
	end(&without);
}

static int setup(void **state)
{
	return world_setup(state, begin_smm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_option_no_smi_reaches_vtl0),
		TEST(smram_is_memory_for_vtl0_only_in_smm),
		TEST(devices_and_hypercalls_do_not_reach_smram),
		TEST(higher_vtls_always_access_smram),
		TEST(what_vtl1_denies_is_denied_in_smm),
		TEST(an_alias_in_smram_has_the_rights_of_the_locked_gpa),
		TEST(overlays_of_vtl0_do_not_cover_smram),
		TEST(hypercalls_and_vtl_calls_in_smm_raise_ud),
		cmocka_unit_test(vtl0_cannot_access_or_start_a_vp_in_smm),
		TEST(vtl1_interrupts_smm_and_returns_into_it),
		cmocka_unit_test(init_and_nmi_wait_for_the_end_of_smm),
		TEST(an_smi_wakes_vtl0_from_hlt),
		TEST(a_denied_state_save_area_shuts_down),
		TEST(the_check_of_the_save_area_is_that_of_the_entry),
		TEST(an_smi_that_was_not_taken_is_checked_again),
		TEST(an_smi_ends_no_wait_while_an_event_is_in_delivery),
		TEST(vtl1_learns_that_vtl0_has_no_access_to_smram),
		cmocka_unit_test(watches_of_what_rsm_loads_are_refused),
		cmocka_unit_test(an_smi_of_a_saved_state_is_checked),
		cmocka_unit_test(smm_is_saved_and_a_reset_ends_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
