/* SPDX-License-Identifier: BSD-2-Clause */
#include "core_test.h"

#include "core/memory/protect.h"
#include "core/trace/trace.h"
#include "needs.h"
#include "vp_fixture.h"

#include <pthread.h>
#include <vsm/walk.h>

#define PAGES	   (RAM / CORE_PAGE_SIZE)
#define PRESENT	   UINT64_C(1) /* bit of a page-table entry */
#define NO_EXECUTE (UINT64_C(1) << 63)

static const struct sim_options threads = {.threads = true};

struct moment {
	int calls;
	pthread_t thread;
	uint64_t rip;
	struct vsm_lapic_state lapic;
};

static void look(struct vsm_vp *vp, void *opaque)
{
	static const uint32_t name = HV_X64_REGISTER_RIP;
	struct moment *moment = opaque;
	union hv_register_value value = {0};

	moment->calls++;
	moment->thread = pthread_self();
	assert_int_equal(vsm_vp_get_registers(vp, 0, &name, &value, 1), 1);
	moment->rip = value.reg64;
	assert_int_equal(vsm_vp_lapic(vp, 0, &moment->lapic), 0);
}

static void a_vp_that_no_thread_runs_is_inspected_by_the_caller(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_lapic_state other;
	struct moment moment = {0};

	host_set(vp, 0, HV_X64_REGISTER_CR8, 5);
	host_set(vp, 0, HV_X64_REGISTER_RIP, 0x12345);
	assert_int_equal(vsm_vp_call(vp, 0, look, &moment), 0);
	assert_int_equal(moment.calls, 1);
	assert_true(pthread_equal(moment.thread, pthread_self()));
	assert_int_equal(moment.rip, 0x12345);
	assert_int_equal(moment.lapic.tpr, 0x50);
	assert_int_equal(vsm_vp_lapic(vp, 1, &other), 0);
	assert_int_equal(other.tpr, 0);
	assert_int_equal(vsm_vp_lapic(vp, 2, &other), -EINVAL);
}

struct runner {
	struct vsm_vp *vp;
	pthread_barrier_t has_exit, may_go_on;
};

/* Delays the completion of an exit, as a VMM does that waits for its console. */
static void *run_with_pause(void *opaque)
{
	struct runner *runner = opaque;
	const struct vsm_exit *exit;

	assert_int_equal(vsm_vp_run(runner->vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
	pthread_barrier_wait(&runner->has_exit);
	pthread_barrier_wait(&runner->may_go_on);
	vsm_vp_kick(runner->vp);
	assert_int_equal(vsm_vp_run(runner->vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
	return NULL;
}

/* VTL0 may not access its page tables. They map a supervisor page without execution. */
static void a_translation_uses_the_tables_of_the_vtl_and_ignores_protections(void **state)
{
	enum {
		PML4 = 0x200000,
		TABLE = 0x201000,
		GVA = 0x5000,
		PAGE = 0x300000,
	};
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	uint64_t *table = (uint64_t *)(void *)guest_ram(partition, TABLE);
	struct vsm_walk_result result;

	*(uint64_t *)(void *)guest_ram(partition, PML4) = TABLE | PRESENT;
	table[0] = TABLE | PRESENT;
	table[GVA / 4096] = PAGE | PRESENT | NO_EXECUTE;
	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(vtl_set_config(partition, 1, 1, 0x3f), 0);
	host_set(vp, 0, HV_X64_REGISTER_CR3, PML4);
	assert_int_equal(guest_protect(vp, 0, MAP_NONE, PML4), 0);
	assert_int_equal(guest_protect(vp, 0, MAP_NONE, TABLE), 0);
	assert_int_equal(guest_protect(vp, 0, MAP_NONE, PAGE), 0);
	assert_int_equal(vsm_vp_translate(vp, 0, GVA + 8, &result), 0);
	assert_int_equal(result.gpa, PAGE + 8);
	assert_int_equal(result.rights, 0);
	assert_int_equal(table[GVA / 4096], PAGE | PRESENT | NO_EXECUTE);
	/* The tables of VTL1 map GVA = GPA. */
	assert_int_equal(vsm_vp_translate(vp, 1, GVA + 8, &result), 0);
	assert_int_equal(result.gpa, GVA + 8);
	assert_int_equal(vsm_vp_translate(vp, 0, GVA + 0x1000, &result), -EFAULT);
	assert_int_equal(result.reason, VSM_WALK_NOT_PRESENT);
	table[GVA / 4096] |= UINT64_C(1) << 51;
	assert_int_equal(vsm_vp_translate(vp, 0, GVA, &result), -EFAULT);
	assert_int_equal(result.reason, VSM_WALK_RESERVED_BIT);
	/* CR3 points to a GPA without memory. */
	host_set(vp, 0, HV_X64_REGISTER_CR3, RAM);
	assert_int_equal(vsm_vp_translate(vp, 0, GVA, &result), -EFAULT);
	assert_int_equal(vsm_vp_translate(vp, 2, GVA, &result), -EINVAL);
}

static void a_call_on_a_vp_whose_thread_is_busy_times_out(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, &threads);
	struct runner runner = {.vp = vsm_partition_vp(partition, 0)};
	struct moment moment = {0};
	struct timespec begin, end;
	pthread_t thread;

	pthread_barrier_init(&runner.has_exit, NULL, 2);
	pthread_barrier_init(&runner.may_go_on, NULL, 2);
	sim_next(runner.vp, 0, &(struct sim_action){.kind = SIM_OUT, .address = 0x3f8, .size = 1});
	assert_int_equal(pthread_create(&thread, NULL, run_with_pause, &runner), 0);
	pthread_barrier_wait(&runner.has_exit);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(vsm_vp_call(runner.vp, 50, look, &moment), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >=
		    49);
	pthread_barrier_wait(&runner.may_go_on);
	pthread_join(thread, NULL);
	/* A function that timed out is not called later. */
	assert_int_equal(moment.calls, 0);
	assert_int_equal(vsm_vp_call(runner.vp, 50, look, &moment), 0);
	assert_int_equal(moment.calls, 1);
	pthread_barrier_destroy(&runner.has_exit);
	pthread_barrier_destroy(&runner.may_go_on);
	vsm_partition_destroy(partition);
}

static void *run_to_exit(void *opaque)
{
	const struct vsm_exit *exit;

	assert_int_equal(vsm_vp_run(opaque, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_IO);
	return NULL;
}

/* The VMM has not completed the exit: the registers are those at the instruction. */
static void registers_can_be_read_when_the_thread_of_an_exit_has_ended(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, &threads);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const uint64_t rip = host_get(vp, 0, HV_X64_REGISTER_RIP);
	static const uint32_t name = HV_X64_REGISTER_RIP;
	union hv_register_value value = {0};
	pthread_t thread;

	sim_next(vp, 0, &(struct sim_action){.kind = SIM_IN, .address = 0x3f8, .size = 1});
	assert_int_equal(pthread_create(&thread, NULL, run_to_exit, vp), 0);
	pthread_join(thread, NULL);
	assert_int_equal(vsm_vp_get_registers(vp, 0, &name, &value, 1), 1);
	assert_int_equal(value.reg64, rip);
	vsm_partition_destroy(partition);
}

static void ram_does_not_cover_the_page_of_the_local_apics(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);

	assert_int_equal(vsm_memory_add(partition, 0xfee00000, 4096, -1, 0, NULL), -EINVAL);
	assert_int_equal(vsm_memory_add(partition, 0xfedff000, 8192, -1, 0, NULL), -EINVAL);
	assert_int_equal(vsm_memory_add(partition, 0xfedff000, 4096, -1, 0, NULL), 0);
	assert_int_equal(vsm_memory_add(partition, 0xfee01000, 4096, -1, 0, NULL), 0);
	vsm_partition_destroy(partition);
}

static void protect(struct vsm_partition *partition, uint8_t owner, int restricted, uint64_t gpn,
		    uint64_t pages, uint8_t access)
{
	for (uint64_t end = gpn + pages; gpn < end; gpn++) {
		size_t done = 0;

		assert_int_equal(protect_set(partition, owner, restricted, &gpn, 1, access, &done),
				 0);
	}
}

static void ranges_of_equal_rights_are_those_of_their_pages(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 2, RAM, NULL);
	struct vsm_protection found;

	guest_enable_vtl(partition, 1);
	protect(partition, 1, 0, 0x300, 0x40, 0);
	protect(partition, 1, 0, 0x340, 1, 1);
	protect(partition, 2, -1, 0x310, 0x10, 1);
	protect(partition, 2, 1, 0x800, 3, 5);
	for (uint8_t vtl = 0; vtl < 3; vtl++) {
		uint64_t page = 0;

		while (page < PAGES) {
			const uint8_t access = protect_effective(partition, vtl, page);
			uint64_t end = page + 1;

			while (end < PAGES && protect_effective(partition, vtl, end) == access)
				end++;
			assert_int_equal(vsm_protection_find(partition, vtl,
							     page * CORE_PAGE_SIZE + 7, &found),
					 0);
			assert_int_equal(found.gpa, page * CORE_PAGE_SIZE);
			assert_int_equal(found.access, access);
			/* Where maps of two owners meet, a range may end early. */
			assert_in_range(found.size, CORE_PAGE_SIZE, (end - page) * CORE_PAGE_SIZE);
			page += found.size / CORE_PAGE_SIZE;
		}
		assert_int_equal(vsm_protection_find(partition, vtl, RAM, &found), -ENOENT);
	}
	assert_int_equal(vsm_protection_find(partition, 3, 0, &found), -EINVAL);
	assert_int_equal(vsm_protection_find(partition, 0, 0x340 * CORE_PAGE_SIZE, &found), 0);
	assert_int_equal(found.size, CORE_PAGE_SIZE);
	assert_int_equal(found.access, 1);
	vsm_partition_destroy(partition);
}

static void a_search_from_between_regions_finds_the_next_region(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_protection found;

	assert_int_equal(vsm_memory_add(partition, UINT64_C(1) << 32, RAM, -1, 0, NULL), 0);
	assert_int_equal(vsm_protection_find(partition, 0, RAM, &found), 0);
	assert_int_equal(found.gpa, UINT64_C(1) << 32);
	assert_int_equal(found.size, RAM);
	vsm_partition_destroy(partition);
}

struct noted {
	unsigned int count;
	struct vsm_trace_record last;
};

static void note_event(void *opaque, const struct vsm_trace_record *record)
{
	struct noted *noted = opaque;

	noted->count++;
	noted->last = *record;
}

static void a_tap_gets_the_events_of_its_mask_and_no_others(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct vsm_trace_record record[64];
	struct noted noted = {0};
	uint64_t lost;

	vsm_trace_tap(partition, UINT64_C(1) << VSM_TRACE_VTL_ENABLE, note_event, &noted);
	guest_enable_vtl(partition, 1);
	assert_int_equal(noted.count, 1);
	assert_int_equal(noted.last.event, VSM_TRACE_VTL_ENABLE);
	assert_int_equal(noted.last.argument[0], 1);
	assert_int_equal(vsm_trace_read(vp, record, 64, &lost), 0);
	assert_int_equal(vsm_trace_start(partition, 64), 0);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(noted.count, 1);
	assert_true(vsm_trace_read(vp, record, 64, &lost) > 0);
	vsm_trace_stop(partition);
	assert_true(vsm_trace_read(vp, record, 64, &lost) < 64);
	vsm_trace_tap(partition, UINT64_MAX, note_event, &noted);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_true(noted.count > 1);
	assert_int_equal(vsm_trace_read(vp, record, 64, &lost), 0);
	noted.count = 0;
	vsm_trace_tap(partition, 0, NULL, NULL);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(noted.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_vp_that_no_thread_runs_is_inspected_by_the_caller, 1, 1),
		TEST(a_translation_uses_the_tables_of_the_vtl_and_ignores_protections, 1, 1),
		cmocka_unit_test(a_call_on_a_vp_whose_thread_is_busy_times_out),
		unit_test_needs(NEED_DENY_EXECUTE, ranges_of_equal_rights_are_those_of_their_pages),
		cmocka_unit_test(a_search_from_between_regions_finds_the_next_region),
		TEST(a_tap_gets_the_events_of_its_mask_and_no_others, 1, 1),
		cmocka_unit_test(registers_can_be_read_when_the_thread_of_an_exit_has_ended),
		cmocka_unit_test(ram_does_not_cover_the_page_of_the_local_apics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
