/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between a core test's main() and cmocka: tests that cannot be carried out on a CPU are skipped by name,
 * each with its reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine.h"

struct skip {
	const char *test;
	const char *reason;
};

static const char execute[] = "this host cannot deny execution alone";
static const char control[] = "kvm_attr.c does it, with bits that this CPU has";
static const char rights[] = "sim_access() tries no execution";
static const char tables[] = "no action here loads a descriptor table";
static const char inside[] = "it looks into the sim backend";
static const char taken[] = "it asks for general registers that a CPU needs for the instruction";
static const char no_code[] =
	"the VP has no RAM, no page tables or no IDT there: a CPU executes nothing";
static const char walks[] = "what it denies the CPU needs for its own page tables";
static const char values[] = "the values are not those of this CPU";
static const char still[] = "the TSC stands still in it";
static const char leaves[] = "kvm_cpuid.c does it, with leaves that this CPU has";
static const char la57[] = "KVM before Linux 6.13 takes no 57-bit address in 4-level mode";
static const char privileged[] = "above CPL 0 the hypercall page's OUT is #GP by the CPU";

static const struct skip skips[] = {
	/* context, cpuid, msr */
	{"contexts_of_real_kernels_are_accepted", values},
	{"xsave_sizes_follow_xcr0_and_xss", values},
	{"p25_msrs_end_with_a_reset", no_code},
	{"an_apic_register_of_vtl0_reads_as_on_its_own_page",
	 "a vector below 32 counts as an exception here"},
	{"virt_spec_ctrl_is_a_register_where_the_cpu_has_it", values},
	/* example, hc_protect, hypercall_abi, pages, partition, vtl_enable */
	{"vtl1_receives_an_intercept_of_a_denied_write", execute},
	{"p36_a_default_mask_is_in_force_with_the_enable_flag_and_not_before",
	 "a page is not tried for execution here"},
	{"test_unused_target_and_own_vtl_restrict_every_lower_vtl", rights},
	{"test_checking_returns_what_is_denied_and_by_which_vtl", execute},
	{"a_denied_input_page_is_an_intercept_and_the_call_is_made_again", execute},
	{"a_denied_output_page_stops_the_call_before_it_acts", execute},
	{"p05_an_overlay_that_comes_and_goes_leaves_the_protection", rights},
	{"p37_a_device_sees_what_vtl0_sees", execute},
	/* overlay_rights: their protections leave RX out, or they execute where the test's instruction is not */
	{"p30_no_overlay_is_placed_where_read_or_write_is_denied", execute},
	{"p30_a_right_to_execute_is_not_needed_and_not_given", execute},
	{"p30_under_a_lock_that_comes_later_a_page_that_vtl0_writes_is_hidden", execute},
	{"p30_the_hypercall_page_goes_on_under_a_protection_that_lets_execute", no_code},
	{"p30_a_tsc_page_shows_no_offset_of_vtl0s_choice_under_a_lock", execute},
	{"p30_of_several_overlays_on_a_page_the_first_that_may_be_shown_is", execute},
	{"p30_a_default_protection_hides_overlays_as_well", walks},
	{"p30_vtl2_restricts_vtl1_in_the_same_way", execute},
	{"p30_ram_that_comes_under_an_overlay_is_restricted_as_all_ram_is", rights},
	{"where_execution_cannot_be_denied_overlays_are_executable", no_code},
	/* trace, inspect */
	{"a_trace_begins_with_memory_and_what_is_denied_and_ends_with_counts", execute},
	{"the_state_takes_no_more_than_half_of_the_ring", execute},
	{"the_instruction_follows_its_intercept", execute},
	{"a_shutdown_is_reported_with_vector_rip_and_cr2_of_its_vtl", no_code},
	{"ranges_of_equal_rights_are_those_of_their_pages", execute},
	/* guest_random, hostile */
	{"random_guests_do_only_what_the_model_allows", rights},
	{"a_restore_ends_the_exit_that_waits_first", inside},
	{"a_flush_of_vtl0_does_not_stop_a_vp_that_runs_vtl1", inside},
	/* hc_intercept */
	{"test_ranges_have_both_ends_in_them", "port 0x7e is the hypercall page's own"},
	{"test_the_message_of_a_port_has_all_its_128_bytes", taken},
	{"test_p25_reset_removes_installed_intercepts", no_code},
	/* hypercall_abi, vtl_state */
	{"cpl_above_0_is_an_invalid_instruction", privileged},
	{"virtual_8086_mode_is_an_invalid_instruction", privileged},
	{"misuse_of_call_and_return_is_an_invalid_opcode", privileged},
	{"real_mode_is_an_invalid_instruction", no_code},
	{"a_vtl_call_in_real_mode_is_an_invalid_opcode", no_code},
	{"a_32_bit_vtl_that_returns_loads_eax_ecx_and_edx", no_code},
	{"shared_registers_go_along_in_both_directions", values},
	{"p08_floating_point_state_is_shared_with_its_xstate_bv", values},
	/* intercept */
	{"test_a_memory_message_has_all_its_240_bytes", taken},
	{"test_reads_and_fetches_say_what_they_are", execute},
	{"test_p15_intercepted_register_writes_are_reported_and_take_no_effect", tables},
	{"test_cr0_and_cr4_writes_count_only_if_a_watched_bit_changes", control},
	{"test_p25_reset_ends_every_intercept", control},
	/* offer, partition, registers, scale */
	{"an_msr_faults_without_its_privilege_and_only_then", no_code},
	{"the_hypercall_page_needs_an_identity_and_can_be_locked", no_code},
	{"sixteen_vtls_are_entered_one_by_one", rights},
	{"the_leaves_are_those_of_the_interface", values},
	{"p21_every_register_of_a_lower_vtl_of_the_own_vp", values},
	{"p21_every_register_of_a_lower_vtl_of_another_vp", values},
	{"the_last_of_2048_vps_is_reached",
	 "2,048 VPs are 4,096 vCPUs: more than this memory holds"},
	{"one_vp_more_is_refused", "2,048 VPs are 4,096 vCPUs: more than this memory holds"},
	/* set_cpuid */
	{"the_chosen_leaves_take_the_place_of_the_hosts", leaves},
	{"the_hypervisor_leaves_stay_those_of_the_library", leaves},
	{"what_the_library_implements_in_any_case_cannot_be_hidden", leaves},
	{"an_apic_id_is_that_of_the_vp", leaves},
	{"misuse_is_refused_and_changes_nothing", leaves},
	{"a_tsc_frequency_that_the_tsc_does_not_have_is_refused", inside},
	/* state_property, state_lists */
	{"a_57_bit_address_outlives_5_level_paging", la57},
	{"p29_any_state_that_is_saved_is_restored", values},
	{"each_saved_field_had_a_value_that_came_back", values},
	{"a_guest_cannot_make_more_runs_than_can_be_saved",
	 "65,536 pages one by one: it takes too long"},
	/* tsc */
	{"one_of_the_two_moves_the_other", still},
	{"p25_it_ends_with_a_reset", no_code},
	/* memory_map */
	{"p38_a_locked_page_is_locked_at_every_moment_of_a_change",
	 "its second thread ends the program at times, see docs/threat-model.md"},
	/* translate */
	{"what_the_tables_say_becomes_a_result_code", no_code},
	{"accessed_and_dirty_bits_are_set_only_if_asked_for", "the CPU sets these bits too"},
	{"the_walk_has_the_rights_of_the_lower_vtl", execute},
	{"what_a_higher_vtl_denies_is_its_intercept", execute},
};

/* What engines attr and nested can and userfaultfd cannot. */
static bool is_possible(const char *reason)
{
	return test_engine() >= VSM_ENGINE_ATTR && reason == execute;
}

static const char *reason_of(const char *test)
{
	for (size_t i = 0; i < sizeof(skips) / sizeof(skips[0]); i++)
		if (!strcmp(skips[i].test, test) && !is_possible(skips[i].reason))
			return skips[i].reason;
	return NULL;
}

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
				   CMFixtureFunction setup, CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
				   CMFixtureFunction setup, CMFixtureFunction teardown);

/* The plan that cmocka prints is of those that it runs; the one behind it counts all. */
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
				   CMFixtureFunction setup, CMFixtureFunction teardown)
{
	struct CMUnitTest *run = calloc(count, sizeof(*run));
	size_t running = 0;
	size_t number;
	int failed = 0;

	if (!run)
		return 1;
	for (size_t i = 0; i < count; i++)
		if (!reason_of(tests[i].name))
			run[running++] = tests[i];
	if (running)
		failed = __real__cmocka_run_group_tests(name, run, running, setup, teardown);
	number = running;
	fflush(stdout);
	for (size_t i = 0; i < count; i++)
		if (reason_of(tests[i].name))
			printf("ok %zu - %s # SKIP %s\n", ++number, tests[i].name,
			       reason_of(tests[i].name));
	printf("1..%zu\n", number);
	free(run);
	return failed;
}
