/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents of a trace (docs/trace.md), on the sim backend. Event numbers are those of that page. */
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "core/memory/protect.h"
#include "core/vp/vp.h"
#include "listener.h"
#include "needs.h"

#define RAM  (16u << 20)
#define PAGE 0x200u
#define GPA  ((uint64_t)PAGE << 12)

enum {
	INTERCEPT_MEMORY = 5,
	PROTECT = 9,
	PROTECT_DEFAULT = 10,
	OVERLAY = 11,
	MESSAGE = 15,
	EXCEPTION = 19,
	RESET = 25,
	INSTRUCTION = 26,
	MEMORY = 27,
	COUNTERS = 28,
	SHUTDOWN = 29,
};

struct world {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	struct vsm_trace_record record[256];
	size_t count;
};

static struct world create(void)
{
	struct world world = {.partition = guest_partition(1, 2, RAM, NULL)};

	world.vp = vsm_partition_vp(world.partition, 0);
	return world;
}

static void read_all(struct world *world)
{
	uint64_t lost;

	world->count = vsm_trace_read(world->vp, world->record, 256, &lost);
	assert_int_equal(lost, 0);
}

static const struct vsm_trace_record *find(const struct world *world, size_t from, uint16_t event)
{
	for (size_t i = from; i < world->count; i++)
		if (world->record[i].event == event)
			return &world->record[i];
	return NULL;
}

static void check(const struct vsm_trace_record *record, uint16_t event, uint8_t vtl, uint64_t a,
		  uint64_t b, uint64_t c, uint64_t d)
{
	assert_non_null(record);
	assert_int_equal(record->event, event);
	assert_int_equal(record->vtl, vtl);
	assert_int_equal(record->argument[0], a);
	assert_int_equal(record->argument[1], b);
	assert_int_equal(record->argument[2], c);
	assert_int_equal(record->argument[3], d);
}

static void restrict_pages(struct world *world, uint8_t owner, uint64_t gpn, size_t count,
			   uint8_t access)
{
	size_t done;

	for (size_t i = 0; i < count; i++, gpn++)
		assert_int_equal(protect_set(world->partition, owner, -1, &gpn, 1, access, &done),
				 HV_STATUS_SUCCESS);
}

static void a_trace_begins_with_memory_and_protections_and_ends_with_counters(void **state)
{
	struct world world = create();

	guest_enable_vtl(world.partition, 1);
	assert_int_equal(protect_set_default(world.partition, 1, GPA_READ | GPA_WRITE),
			 HV_STATUS_SUCCESS);
	restrict_pages(&world, 1, PAGE, 3, GPA_READ);
	assert_int_equal(vsm_trace_start(world.partition, 64), 0);
	vsm_trace_stop(world.partition);
	read_all(&world);
	assert_int_equal(world.count, 4);
	check(&world.record[0], MEMORY, 0, 0, RAM >> 12, 0, 0);
	check(&world.record[1], PROTECT_DEFAULT, 1, 1, 3, 0, 0);
	check(&world.record[2], PROTECT, 1, 0, PAGE, 3, 1);
	assert_int_equal(world.record[3].event, COUNTERS);
	vsm_partition_destroy(world.partition);
}

static void the_initial_state_takes_at_most_half_of_the_ring(void **state)
{
	struct world world = create();

	guest_enable_vtl(world.partition, 1);
	for (uint64_t i = 0; i < 40; i++)
		restrict_pages(&world, 1, PAGE + 2 * i, 1, GPA_READ);
	assert_int_equal(vsm_trace_start(world.partition, 32), 0);
	read_all(&world);
	assert_int_equal(world.count, 16);
	check(&world.record[15], PROTECT, 1, 0, PAGE + 28, 1, 1);
	vsm_partition_destroy(world.partition);
}

static void the_instruction_follows_its_intercept(void **state)
{
	struct world world = create();
	const struct vsm_trace_record *record;
	uint64_t rip;

	listener_create(world.partition, 1);
	rip = vcpu_get(world.vp, 0, VCPU_GPR)->rip;
	memcpy(guest_ram(world.partition, rip), "\x48\x89\x03\xcc", 4); /* mov [rbx], rax */
	restrict_pages(&world, 1, PAGE, 1, GPA_READ);
	assert_int_equal(vsm_trace_start(world.partition, 128), 0);
	assert_int_equal(guest_write(world.vp, GPA + 0x10, 8, 1), GUEST_STOPPED);
	read_all(&world);
	record = find(&world, 0, INTERCEPT_MEMORY);
	assert_non_null(record);
	assert_int_equal(record->argument[0], 1);
	assert_int_equal(record->argument[1] >> 12, PAGE);
	assert_int_equal(record->argument[2], 2);
	assert_int_equal(record->argument[3], rip);
	check(record + 1, INSTRUCTION, 0, rip, 0x038948, 0, 64 << 8 | 3);
	check(find(&world, 0, MESSAGE), MESSAGE, 1, 1, 0, 0x80000001, 0);
	vsm_partition_destroy(world.partition);
}

static void changes_of_overlays_and_exceptions_are_reported(void **state)
{
	struct world world = create();
	const struct vsm_trace_record *record;

	assert_int_equal(vsm_trace_start(world.partition, 128), 0);
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_GUEST_OS_ID, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_HYPERCALL, GPA | 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_HYPERCALL, GPA), GUEST_DONE);
	vp_inject_exception(world.vp, 0, 13, true, 0x18, 0);
	read_all(&world);
	record = find(&world, 0, OVERLAY);
	check(record, OVERLAY, 0, 0, PAGE, 1, 0);
	check(find(&world, (size_t)(record - world.record) + 1, OVERLAY), OVERLAY, 0, 0, PAGE, 0,
	      0);
	check(find(&world, 0, EXCEPTION), EXCEPTION, 0, 0, 13, 0x18, 0);
	vsm_partition_destroy(world.partition);
}

static void a_reset_by_the_vmm_is_reported(void **state)
{
	struct world world = create();

	assert_int_equal(vsm_trace_start(world.partition, 128), 0);
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	read_all(&world);
	assert_non_null(find(&world, 0, RESET));
	vsm_partition_destroy(world.partition);
}

static void an_exception_of_a_refused_msr_access_is_reported(void **state)
{
	struct world world = create();

	assert_int_equal(vsm_trace_start(world.partition, 128), 0);
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_VP_INDEX, 1), GUEST_FAULT);
	read_all(&world);
	check(find(&world, 0, EXCEPTION), EXCEPTION, 0, 0, 13, 0, 0);
	vsm_partition_destroy(world.partition);
}

static char logged[512];

static void keep_line(void *opaque, const struct vsm_log_record *record)
{
	memcpy(logged, record->text, strlen(record->text) + 1);
}

static void shut_down(struct world *world)
{
	const struct vsm_exit *exit;

	sim_next(world->vp, world->vp->active_vtl, &(struct sim_action){.kind = SIM_SHUTDOWN});
	assert_int_equal(vsm_vp_run(world->vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
}

static void a_shutdown_is_reported_with_vector_rip_and_cr2_of_its_vtl(void **state)
{
	struct world world = create();
	struct vcpu_state *cpu;
	const struct vsm_exit *exit;
	const struct vsm_trace_record *record;

	listener_create(world.partition, 1);
	world.partition->log = (struct vsm_log){keep_line, NULL, VSM_LOG_WARN};
	assert_int_equal(vsm_trace_start(world.partition, 128), 0);
	shut_down(&world);
	assert_non_null(strstr(logged, "VP0 VTL0: shutdown"));
	assert_non_null(strstr(logged, "delivered: none"));
	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	vp_inject_exception(world.vp, 1, 14, true, 2, 0xdead0);
	guest_nop(world.vp);
	cpu = vcpu_edit(world.vp, 1, VCPU_GPR | VCPU_SYSTEM);
	cpu->rip = 0x1234;
	cpu->cr2 = 0xdead0;
	shut_down(&world);
	assert_non_null(
		strstr(logged, "VP0 VTL1: shutdown (triple fault): RIP 0x1234, CR2 0xdead0;"));
	assert_non_null(strstr(logged, "delivered: vector 14"));
	vp_inject_exception(world.vp, 1, 8, true, 0, 0);
	vp_inject_exception(world.vp, 1, 13, true, 0, 0);
	assert_int_equal(vsm_vp_run(world.vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
	assert_non_null(strstr(logged, "delivered: vector 8"));
	read_all(&world);
	record = find(&world, 0, SHUTDOWN);
	assert_int_equal(record->vtl, 0);
	assert_int_equal(record->argument[1], 0x100);
	record = find(&world, (size_t)(record - world.record) + 1, SHUTDOWN);
	check(record, SHUTDOWN, 1, 1, 14, 0x1234, 0xdead0);
	record = find(&world, (size_t)(record - world.record) + 1, SHUTDOWN);
	assert_int_equal(record->argument[1], 8);
	vsm_partition_destroy(world.partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_needs(NEED_DENY_EXECUTE,
				a_trace_begins_with_memory_and_protections_and_ends_with_counters),
		unit_test_needs(NEED_DENY_EXECUTE,
				the_initial_state_takes_at_most_half_of_the_ring),
		unit_test_needs(NEED_DENY_EXECUTE, the_instruction_follows_its_intercept),
		cmocka_unit_test(changes_of_overlays_and_exceptions_are_reported),
		cmocka_unit_test(a_reset_by_the_vmm_is_reported),
		cmocka_unit_test(an_exception_of_a_refused_msr_access_is_reported),
		unit_test_needs(NEED_NO_TABLES,
				a_shutdown_is_reported_with_vector_rip_and_cr2_of_its_vtl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
