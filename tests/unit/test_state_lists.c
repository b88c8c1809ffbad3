/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "core/memory/protect.h"
#include "core/state/state.h"
#include "core/vp/vp.h"
#include "sim/sim_guest.h"
#include "needs.h"
#include "state_test.h"

#define RAM (16u << 20)
#define RX  (GPA_READ | GPA_EXECUTE)
/* Restricting every second page makes more runs than a record of RECORD bytes can have. */
#define MUCH_RAM   (512u << 20)
#define MUCH_PAGES (MUCH_RAM / CORE_PAGE_SIZE)
#define RECORD	   (1u << 20)

static struct vsm_partition *partition_with_vtl1(uint64_t ram)
{
	struct vsm_partition *partition = guest_partition(1, 1, ram, NULL);
	const uint32_t name = HV_REGISTER_VSM_PARTITION_CONFIG;
	const union hv_register_value value = {.reg128 = {.low = 0x1f}};

	guest_enable_vtl(partition, 1);
	assert_int_equal(vsm_vp_set_registers(vsm_partition_vp(partition, 0), 1, &name, &value, 1),
			 1);
	return partition;
}

/* Counts the records of protections; fails the test if one exceeds the maximum size. */
static unsigned int protection_records(const struct guest_saved *file)
{
	struct state_reader reader = {.data = file->bytes, .size = file->size};
	struct state_record record = {0};
	const uint8_t *payload;
	unsigned int count = 0;

	assert_int_equal(state_read_header(&reader), 0);
	while (strcmp(record.name, "end") != 0) {
		assert_int_equal(state_read(&reader, &record, &payload), 0);
		if (!strcmp(record.name, "protection")) {
			assert_true(record.length <= RECORD + state_packed_size(&state_layout_run));
			count++;
		}
	}
	return count;
}

static void a_guest_cannot_make_more_runs_than_can_be_saved(void **state)
{
	struct vsm_partition *partition = partition_with_vtl1(MUCH_RAM);
	struct vsm_partition *other = guest_partition(1, 1, MUCH_RAM, NULL);
	struct guest_saved first;
	uint64_t gpn[256];
	size_t done;

	for (uint64_t page = 0; page < MUCH_PAGES;) {
		for (size_t i = 0; i < 256; i++, page += 2)
			gpn[i] = page;
		assert_int_equal(protect_set(partition, 1, 0, gpn, 256, RX, &done),
				 HV_STATUS_SUCCESS);
	}
	first = state_save(partition);
	assert_int_equal(protection_records(&first), 2);
	state_restores_to_the_same(&first, other);
	free(first.bytes);
	vsm_partition_destroy(partition);
	vsm_partition_destroy(other);
}

static struct guest_saved with_record(struct vsm_partition *partition, const char *name,
				      const struct state_layout *layout, const void *structures,
				      size_t count)
{
	const size_t each = state_packed_size(layout);
	struct guest_saved file = state_save(partition);
	struct state_writer writer = {.write = guest_save_write, .opaque = &file};
	uint8_t payload[16384];

	assert_true(count * each <= sizeof(payload));
	for (size_t i = 0; i < count; i++)
		state_pack(layout, (const uint8_t *)structures + i * layout->structure_size,
			   payload + i * each);
	file.size -= sizeof(struct state_record);
	state_write(&writer, name, 0, 1, 0, payload, count * each);
	state_write(&writer, "end", 0, 0, 0, NULL, 0);
	return file;
}

static void assert_refused(struct vsm_partition *partition, const char *name,
			   const struct state_layout *layout, const void *structures, size_t count)
{
	struct guest_saved before = state_save(partition), after;
	struct guest_saved file = with_record(partition, name, layout, structures, count);

	assert_int_equal(vsm_partition_restore(partition, file.bytes, file.size), -EINVAL);
	after = state_save(partition);
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.bytes, after.bytes, before.size);
	free(before.bytes);
	free(after.bytes);
	free(file.bytes);
}

static void repeated_or_descending_runs_are_refused(void **state)
{
	struct vsm_partition *partition = partition_with_vtl1(RAM);
	const struct state_run twice[] = {{0x100, 0x10, RX}, {0x10f, 1, RX}};
	const struct state_run back[] = {{0x100, 1, RX}, {0x80, 1, RX}};
	const struct state_run again = {0x200, 1, RX};
	struct guest_saved file =
		with_record(partition, "protection", &state_layout_run, &again, 1);

	assert_refused(partition, "protection", &state_layout_run, twice, 2);
	assert_refused(partition, "protection", &state_layout_run, back, 2);
	assert_int_equal(vsm_partition_restore(partition, file.bytes, file.size), 0);
	assert_refused(partition, "protection", &state_layout_run, &again, 1);
	free(file.bytes);
	vsm_partition_destroy(partition);
}

/* Each list is within the limit; together they have more MSRs than a VTL may intercept. */
static void rules_of_a_vtl_are_in_one_record(void **state)
{
	struct vsm_partition *partition = partition_with_vtl1(RAM);
	struct state_intercept rule[400];
	struct guest_saved file;

	for (uint32_t i = 0; i < 400; i++)
		rule[i] = (struct state_intercept){HV_INTERCEPT_TYPE_X64_MSR_INDEX, 1, 0x1000 + i};
	file = with_record(partition, "intercepts", &state_layout_intercept, rule, 200);
	assert_int_equal(vsm_partition_restore(partition, file.bytes, file.size), 0);
	assert_refused(partition, "intercepts", &state_layout_intercept, rule + 200, 200);
	free(file.bytes);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_needs(NEED_MANY_PAGES, a_guest_cannot_make_more_runs_than_can_be_saved),
		cmocka_unit_test(repeated_or_descending_runs_are_refused),
		cmocka_unit_test(rules_of_a_vtl_are_in_one_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
