/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overlays and the protections of higher VTLs (P30), tested by accesses of the lower VTL: at a restricted GPA
 * it must never read or execute bytes that it has chosen, however and whenever it places overlays there.
 */
#include "core_test.h"

#include "core/memory/gpa.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"
#include "core/interrupt/synic.h"
#include "needs.h"
#include "state_test.h"

#define PAGE	     0x50000u
#define ELSE	     0x58000u
#define SECRET	     UINT64_C(0x7777777777777777) /* contents of the RAM */
#define EVIL	     UINT64_C(0xcccccccccccccccc) /* contents that VTL0 tries to place there */
#define RX	     (HV_MAP_GPA_READABLE | HV_MAP_GPA_KERNEL_EXECUTABLE | HV_MAP_GPA_USER_EXECUTABLE)
#define MESSAGES(vp) (SIM_GPA(1) + 0x4000u * (vp)->index) /* message page of VTL1 */
#define TOP	     HV_INPUT_VTL_USE_TARGET		  /* not the highest VTL */

static const struct kind {
	uint32_t msr;
	uint32_t name;
	bool written; /* the guest can write the page */
} kinds[] = {
	{HV_X64_MSR_HYPERCALL, HV_X64_REGISTER_HYPERCALL, false},
	{HV_X64_MSR_REFERENCE_TSC, HV_REGISTER_REFERENCE_TSC, false},
	{HV_X64_MSR_VP_ASSIST_PAGE, HV_REGISTER_VP_ASSIST_PAGE, true},
	{HV_X64_MSR_SIEFP, HV_REGISTER_SIFP, true},
	{HV_X64_MSR_SIMP, HV_REGISTER_SIPP, true},
};

/* Protections that deny at least reading or writing. */
static const uint32_t locks[] = {0, HV_MAP_GPA_READABLE, RX};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* VTL1 of VP 0 restricts VTL0, and returns to VTL0. */
static void lock(struct vsm_vp *vp, uint32_t flags, uint64_t gpa)
{
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_protect(vp, HV_INPUT_VTL_USE_TARGET | 1, flags, gpa), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
}

/* Two VPs; VTL1 receives intercepts and may protect memory; VTL0 is active and has a guest OS ID. */
static struct vsm_vp *create(struct vsm_partition **partition, const struct sim_options *options)
{
	struct vsm_vp *vp;

	*partition = guest_partition(2, 2, RAM, options);
	guest_enable_vtl(*partition, 1);
	for (int i = 1; i >= 0; i--) {
		vp = vsm_partition_vp(*partition, (uint32_t)i);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		/* VTL1 accepts the interrupt of SINT0 at once, so that none is pending when it returns. */
		enable_synic(vp, 0, 0x30 | HV_SYNIC_SINT_AUTO_EOI);
		set_if(vp, 1, true);
		wrmsr(vp, HV_X64_MSR_SIMP, MESSAGES(vp) | 1);
		if (i == 0)
			assert_int_equal(guest_set_register(vp, 0, 0,
							    HV_REGISTER_VSM_PARTITION_CONFIG, 0x1f),
					 0);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	}
	wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 1);
	for (uint64_t gpa = PAGE; gpa < PAGE + 4096; gpa += 8)
		memcpy(guest_ram(*partition, gpa), &(uint64_t){SECRET}, 8);
	return vp;
}

/* Checks that VTL1 got an intercept, takes the message, and drops the intercepted instruction of VTL0. */
static void stopped(struct vsm_vp *vp, enum guest_outcome outcome)
{
	uint64_t type;

	assert_int_equal(outcome, GUEST_STOPPED);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(guest_read(vp, MESSAGES(vp), 4, &type), GUEST_DONE);
	assert_int_equal(type, HV_MESSAGE_TYPE_GPA_INTERCEPT);
	assert_int_equal(guest_write(vp, MESSAGES(vp), 4, 0), GUEST_DONE);
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_NOTHING});
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
}

/* Checks that VTL0 of @vp has the rights @flags at PAGE and reads @shown there. */
static void look(struct vsm_vp *vp, uint32_t flags, uint64_t shown)
{
	uint64_t value = 0;
	enum guest_outcome outcome = guest_read(vp, PAGE, 8, &value);

	if (flags & HV_MAP_GPA_READABLE) {
		assert_int_equal(outcome, GUEST_DONE);
		assert_int_equal(value, shown);
	} else {
		stopped(vp, outcome);
	}
	if (!(flags & HV_MAP_GPA_WRITABLE))
		stopped(vp, guest_write(vp, PAGE, 8, EVIL));
	if (!(flags & HV_MAP_GPA_KERNEL_EXECUTABLE))
		stopped(vp, guest_execute(vp, PAGE + 0x800, false));
}

/* shows: rule protect-overlay */
static void p30_no_overlay_is_placed_where_read_or_write_is_denied(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL), *other = vsm_partition_vp(partition, 1);
	uint64_t value;

	for (size_t l = 0; l < COUNT(locks); l++) {
		lock(vp, locks[l], PAGE);
		for (size_t k = 0; k < COUNT(kinds); k++) {
			const uint64_t before = rdmsr(vp, kinds[k].msr);

			assert_int_equal(guest_wrmsr(vp, kinds[k].msr, PAGE | 1), GUEST_FAULT);
			assert_int_equal(guest_wrmsr(other, kinds[k].msr, PAGE | 1), GUEST_FAULT);
			assert_int_equal(rdmsr(vp, kinds[k].msr), before);
			/* VTL1 writes VTL0's register: the rights of VTL0 apply. */
			for (uint32_t i = 0; i < 2; i++) {
				assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
				assert_int_not_equal(
					guest_set_register(vp, i, TOP | 0, kinds[k].name, PAGE | 1),
					0);
				assert_int_equal(
					guest_get_register(vp, i, TOP | 0, kinds[k].name, &value),
					0);
				assert_int_equal(value, before);
				assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
			}
			look(vp, locks[l], SECRET);
			wrmsr(vp, kinds[k].msr, ELSE | 1);
			assert_int_equal(guest_wrmsr(vp, kinds[k].msr, PAGE | 1), GUEST_FAULT);
			assert_int_equal(rdmsr(vp, kinds[k].msr), ELSE | 1);
			look(vp, locks[l], SECRET);
			wrmsr(vp, kinds[k].msr, 0);
		}
	}
	vsm_partition_destroy(partition);
}

static void p30_an_overlay_needs_no_right_to_execute_and_grants_none(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL);

	lock(vp, HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE, PAGE);
	for (size_t k = 0; k < COUNT(kinds); k++) {
		wrmsr(vp, kinds[k].msr, PAGE | 1);
		stopped(vp, guest_execute(vp, PAGE + 0x800, false));
		wrmsr(vp, kinds[k].msr, 0);
	}
	vsm_partition_destroy(partition);
}

/* shows: rule protect-overlay */
static void p30_a_later_lock_hides_an_overlay_that_vtl0_writes(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL), *other = vsm_partition_vp(partition, 1);
	uint64_t value;

	for (size_t k = 0; k < COUNT(kinds); k++) {
		for (size_t l = 0; kinds[k].written && l < COUNT(locks); l++) {
			wrmsr(other, kinds[k].msr, PAGE | 1);
			assert_int_equal(guest_write(vp, PAGE, 8, EVIL), GUEST_DONE);
			lock(vp, locks[l], PAGE);
			look(vp, locks[l], SECRET);
			look(other, locks[l], SECRET);
			/* Writing the same value again is accepted and has no effect. */
			wrmsr(other, kinds[k].msr, PAGE | 1);
			look(vp, locks[l], SECRET);
			if (locks[l] & HV_MAP_GPA_READABLE) {
				assert_int_equal(vsm_dma_read(partition, PAGE, &value, 8), 0);
				assert_int_equal(value, SECRET);
			}
			assert_int_equal(vsm_dma_write(partition, PAGE, &value, 8), -EACCES);
			lock(vp, HV_MAP_GPA_PERMISSIONS_MASK, PAGE);
			assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
			assert_int_equal(value, EVIL);
			lock(vp, locks[l], PAGE);
			wrmsr(other, kinds[k].msr, 0);
			lock(vp, HV_MAP_GPA_PERMISSIONS_MASK, PAGE);
			look(vp, HV_MAP_GPA_PERMISSIONS_MASK, SECRET);
			assert_int_equal(*(uint64_t *)(void *)guest_ram(partition, PAGE), SECRET);
		}
	}
	vsm_partition_destroy(partition);
}

static void p30_the_hypercall_page_stays_under_a_protection_that_permits_execution(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL);
	uint64_t code, value;

	wrmsr(vp, HV_X64_MSR_HYPERCALL, PAGE | 1);
	assert_int_equal(guest_read(vp, PAGE, 8, &code), GUEST_DONE);
	assert_int_not_equal(code, SECRET);
	lock(vp, RX, PAGE);
	look(vp, RX, code);
	assert_int_equal(guest_execute(vp, PAGE + 0x800, false), GUEST_DONE);
	wrmsr(vp, HV_X64_MSR_HYPERCALL, PAGE | 1);
	assert_int_equal(guest_execute(vp, PAGE + 0x800, false), GUEST_DONE);
	lock(vp, HV_MAP_GPA_READABLE, PAGE);
	look(vp, HV_MAP_GPA_READABLE, code);
	lock(vp, 0, PAGE);
	look(vp, 0, 0);
	lock(vp, RX, PAGE);
	assert_int_equal(guest_execute(vp, PAGE + 0x800, false), GUEST_DONE);
	wrmsr(vp, HV_X64_MSR_HYPERCALL, 0);
	look(vp, RX, SECRET);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, PAGE | 1), GUEST_FAULT);
	/* Without any protection a write raises #GP, since the overlay itself denies it; it is not intercepted. */
	lock(vp, HV_MAP_GPA_PERMISSIONS_MASK, PAGE);
	wrmsr(vp, HV_X64_MSR_HYPERCALL, PAGE | 1);
	assert_int_equal(guest_write(vp, PAGE, 8, EVIL), GUEST_FAULT);
	assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
	assert_int_equal(value, code);
	vsm_partition_destroy(partition);
}

/* By IA32_TSC_ADJUST a VTL chooses the 8 bytes of the offset in the TSC page. */
static void p30_a_tsc_page_shows_no_offset_of_vtl0s_choice_under_a_lock(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL);
	const uint64_t wanted = (uint64_t)-0x12345678;
	uint64_t value;

	wrmsr(vp, HV_X64_MSR_REFERENCE_TSC, PAGE | 1);
	lock(vp, HV_MAP_GPA_READABLE, PAGE);
	/* A tick of the sim's clock is 1 ns, a unit of the page 100 ns. */
	wrmsr(vp, X64_MSR_TSC_ADJUST, UINT64_C(0x12345678) * 100);
	wrmsr(vsm_partition_vp(partition, 1), X64_MSR_TSC_ADJUST, UINT64_C(0x12345678) * 100);
	memcpy(&value, overlay_memory(partition, OVERLAY_REFERENCE_TSC, 0, 0) + 16, 8);
	assert_in_range(value, wanted - 0x1000, wanted + 0x1000);
	for (uint64_t at = 0; at < 24; at += 8) {
		assert_int_equal(guest_read(vp, PAGE + at, 8, &value), GUEST_DONE);
		assert_int_equal(value, SECRET);
	}
	look(vp, HV_MAP_GPA_READABLE, SECRET);
	lock(vp, RX, PAGE);
	look(vp, RX, SECRET);
	lock(vp, 0, PAGE);
	look(vp, 0, 0);
	lock(vp, HV_MAP_GPA_PERMISSIONS_MASK, PAGE);
	assert_int_equal(guest_read(vp, PAGE + 16, 8, &value), GUEST_DONE);
	assert_in_range(value, wanted - 0x1000, wanted + 0x1000);
	vsm_partition_destroy(partition);
}

static void p30_of_several_overlays_on_a_page_the_first_permitted_one_is_shown(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL), *other = vsm_partition_vp(partition, 1);
	uint64_t code, value;

	wrmsr(vp, HV_X64_MSR_SIMP, PAGE | 1);
	wrmsr(other, HV_X64_MSR_VP_ASSIST_PAGE, PAGE | 1);
	assert_int_equal(guest_write(vp, PAGE, 8, EVIL), GUEST_DONE);
	assert_int_equal(overlay_memory(partition, OVERLAY_ASSIST, 0, 1)[0], 0xcc);
	wrmsr(vp, HV_X64_MSR_HYPERCALL, PAGE | 1);
	assert_int_equal(guest_read(vp, PAGE, 8, &code), GUEST_DONE);
	lock(vp, RX, PAGE);
	look(vp, RX, code);
	wrmsr(vp, HV_X64_MSR_HYPERCALL, 0);
	look(vp, RX, SECRET);
	lock(vp, HV_MAP_GPA_PERMISSIONS_MASK, PAGE);
	assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
	assert_int_equal(value, EVIL);
	wrmsr(other, HV_X64_MSR_VP_ASSIST_PAGE, 0);
	assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0);
	vsm_partition_destroy(partition);
}

static void p30_a_default_protection_hides_overlays_as_well(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL);
	uint64_t value;

	wrmsr(vp, HV_X64_MSR_SIMP, PAGE | 1);
	assert_int_equal(guest_write(vp, PAGE, 8, EVIL), GUEST_DONE);
	assert_int_equal(protect_set_default(partition, 1, RX), 0);
	assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
	assert_int_equal(value, SECRET);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIEFP, ELSE | 1), GUEST_FAULT);
	assert_int_equal(protect_set_default(partition, 1, GPA_ALL), 0);
	assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
	assert_int_equal(value, EVIL);
	vsm_partition_destroy(partition);
}

static void p30_vtl2_restricts_vtl1_in_the_same_way(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL);
	uint64_t gpn = PAGE / 4096, value;
	size_t done;

	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	guest_enable_vtl(partition, 2);
	wrmsr(vp, HV_X64_MSR_SIMP, PAGE | 1);
	assert_int_equal(guest_write(vp, PAGE, 8, EVIL), GUEST_DONE);
	/* VTL1's restrictions of VTL0 do not apply to VTL1's own overlay. */
	assert_int_equal(protect_set(partition, 1, 0, &gpn, 1, 0, &done), 0);
	assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
	assert_int_equal(value, EVIL);
	assert_int_equal(protect_set(partition, 2, 1, &gpn, 1, GPA_READ, &done), 0);
	assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
	assert_int_equal(value, SECRET);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIEFP, PAGE | 1), GUEST_FAULT);
	/* VTL1's restrictions do not apply to VTL2's overlay either. */
	assert_int_equal(overlay_map(partition, OVERLAY_SIM, 2, 0, gpn), 0);
	assert_int_equal(gpa_check(partition, 2, PAGE, GPA_WRITE, NULL), GPA_OK);
	vsm_partition_destroy(partition);
}

static void a_message_for_a_hidden_page_can_be_read_when_the_page_is_visible_again(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL);
	const struct hv_message_page *page = (void *)overlay_memory(partition, OVERLAY_SIM, 0, 0);
	struct hv_message message = {.message_type = 5, .payload_size = 8};
	uint64_t value;

	wrmsr(vp, HV_X64_MSR_SCONTROL, 1);
	wrmsr(vp, HV_X64_MSR_SIMP, PAGE | 1);
	wrmsr(vp, HV_X64_MSR_SINT0 + 2, 0x40);
	lock(vp, RX, PAGE);
	assert_int_equal(synic_post(vp, 0, 2, &message, false), 0);
	assert_int_equal(page->slot[2].message_type, 5);
	look(vp, RX, SECRET);
	assert_int_equal(*(uint64_t *)(void *)guest_ram(partition, PAGE + 512), SECRET);
	lock(vp, RX | HV_MAP_GPA_WRITABLE, PAGE);
	assert_int_equal(guest_read(vp, PAGE + 512, 4, &value), GUEST_DONE);
	assert_int_equal(value, 5);
	vsm_partition_destroy(partition);
}

static void p30_a_restored_partition_shows_only_overlays_that_its_protections_permit(void **state)
{
	struct vsm_partition *partition, *other;
	struct vsm_vp *vp = create(&partition, NULL);
	struct guest_saved file;
	uint64_t value;

	wrmsr(vp, HV_X64_MSR_SIMP, PAGE | 1);
	assert_int_equal(guest_write(vp, PAGE, 8, EVIL), GUEST_DONE);
	wrmsr(vp, HV_X64_MSR_HYPERCALL, ELSE | 1);
	lock(vp, RX, PAGE);
	lock(vp, RX, ELSE);
	/* A saved state has other bytes for a page whose contents the hypervisor defines. */
	memset(overlay_memory(partition, OVERLAY_HYPERCALL, 0, 0), 0xcc, 4096);
	file = state_save(partition);
	other = guest_partition(2, 2, RAM, NULL);
	memcpy(guest_ram(other, PAGE), guest_ram(partition, PAGE), 4096);
	state_restores_to_the_same(&file, other);
	free(file.bytes);
	vp = vsm_partition_vp(other, 0);
	look(vp, RX, SECRET);
	assert_int_equal(guest_read(vp, ELSE, 8, &value), GUEST_DONE);
	assert_int_not_equal(value, EVIL);
	assert_int_not_equal(value, 0);
	lock(vp, HV_MAP_GPA_PERMISSIONS_MASK, PAGE);
	assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
	assert_int_equal(value, EVIL);
	vsm_partition_destroy(other);
	vsm_partition_destroy(partition);
}

static void p30_ram_that_is_added_under_an_overlay_is_restricted_like_other_ram(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL);
	uint8_t *host = NULL, first = 0x77;
	uint64_t byte;

	wrmsr(vp, HV_X64_MSR_SIMP, RAM | 1);
	wrmsr(vp, HV_X64_MSR_HYPERCALL, (RAM + 0x1000) | 1);
	overlay_memory(partition, OVERLAY_SIM, 0, 0)[0] = 0xcc;
	assert_int_equal(protect_set_default(partition, 1, GPA_READ), 0);
	/* No RAM there, so no protection. */
	assert_int_equal(gpa_check(partition, 0, RAM, GPA_WRITE, NULL), GPA_OK);
	assert_int_equal(vsm_memory_add(partition, RAM, 0x10000, -1, 0, (void **)&host), 0);
	host[0] = 0x77;
	assert_int_equal(gpa_check(partition, 0, RAM, GPA_WRITE, NULL), GPA_DENIED);
	assert_int_equal(gpa_check(partition, 0, RAM + 0x1000, GPA_READ, NULL), GPA_OK);
	assert_int_equal(gpa_check(partition, 0, RAM + 0x1000, GPA_EXECUTE, NULL), GPA_DENIED);
	byte = 0;
	assert_int_equal(gpa_read(partition, 0, RAM, &byte, 1, NULL), GPA_OK);
	assert_int_equal(byte, 0x77);
	assert_int_equal(sim_view(partition, 0, RAM, NULL), GPA_READ);
	host[0x1000] = 0x77;
	assert_int_equal(sim_view(partition, 0, RAM + 0x1000, &first), GPA_READ);
	assert_int_not_equal(first, 0x77);
	vsm_partition_destroy(partition);
}

static void where_execution_cannot_be_denied_overlays_are_executable(void **state)
{
	struct sim_options options = {.undeniable = GPA_EXECUTE};
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, &options);

	wrmsr(vp, HV_X64_MSR_SIMP, PAGE | 1);
	assert_int_equal(sim_view(partition, 0, PAGE, NULL), GPA_ALL);
	assert_int_equal(guest_execute(vp, PAGE + 0x800, false), GUEST_DONE);
	lock(vp, RX, PAGE);
	look(vp, RX, SECRET);
	wrmsr(vp, HV_X64_MSR_REFERENCE_TSC, ELSE | 1);
	assert_int_equal(sim_view(partition, 0, ELSE, NULL), GPA_READ | GPA_EXECUTE);
	vsm_partition_destroy(partition);
}

static void p05_an_overlay_that_is_enabled_and_disabled_keeps_the_protection(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition, NULL);

	for (unsigned int i = 0; i < 3; i++) {
		wrmsr(vp, HV_X64_MSR_SIMP, PAGE | 1);
		lock(vp, HV_MAP_GPA_READABLE, PAGE);
		assert_int_equal(sim_access(partition, 0, PAGE / 4096), GPA_READ);
		wrmsr(vp, HV_X64_MSR_SIMP, 0);
		assert_int_equal(sim_access(partition, 0, PAGE / 4096), GPA_READ);
		look(vp, HV_MAP_GPA_READABLE, SECRET);
		assert_int_equal(sim_access(partition, 0, PAGE / 4096 - 1), GPA_ALL);
		assert_int_equal(sim_access(partition, 0, PAGE / 4096 + 1), GPA_ALL);
		lock(vp, HV_MAP_GPA_PERMISSIONS_MASK, PAGE);
	}
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_needs(NEED_DENY_EXECUTE,
				p30_no_overlay_is_placed_where_read_or_write_is_denied),
		unit_test_needs(NEED_DENY_EXECUTE,
				p30_an_overlay_needs_no_right_to_execute_and_grants_none),
		unit_test_needs(NEED_DENY_EXECUTE,
				p30_a_later_lock_hides_an_overlay_that_vtl0_writes),
		unit_test_needs(
			NEED_NO_TABLES,
			p30_the_hypercall_page_stays_under_a_protection_that_permits_execution),
		unit_test_needs(NEED_DENY_EXECUTE,
				p30_a_tsc_page_shows_no_offset_of_vtl0s_choice_under_a_lock),
		unit_test_needs(NEED_DENY_EXECUTE,
				p30_of_several_overlays_on_a_page_the_first_permitted_one_is_shown),
		unit_test_needs(NEED_NO_TABLES, p30_a_default_protection_hides_overlays_as_well),
		unit_test_needs(NEED_DENY_EXECUTE, p30_vtl2_restricts_vtl1_in_the_same_way),
		cmocka_unit_test(
			a_message_for_a_hidden_page_can_be_read_when_the_page_is_visible_again),
		cmocka_unit_test(
			p30_a_restored_partition_shows_only_overlays_that_its_protections_permit),
		unit_test_needs(
			NEED_EXECUTE_VIEW,
			p30_ram_that_is_added_under_an_overlay_is_restricted_like_other_ram),
		unit_test_needs(NEED_NO_TABLES,
				where_execution_cannot_be_denied_overlays_are_executable),
		unit_test_needs(NEED_EXECUTE_VIEW,
				p05_an_overlay_that_is_enabled_and_disabled_keeps_the_protection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
