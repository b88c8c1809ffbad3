/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Restores that fail after protections were removed, or after the caller has loaded RAM with the secrets of
 * a saved VTL1.
 */
#include "memory_world.h"
#include "state_test.h"

#define OVERLAY_CALLS 12u /* more than a restore makes */

static void lock_secret(struct world *world)
{
	start_vtl1(world, 1);
	*in_ram(world, 0) = SECRET;
	assert_int_equal(lock(world, 0, PLACE), HV_STATUS_SUCCESS);
	assert_true(nothing_at(world, PLACE));
}

/* A partition with RAM at PLACE, and its state with VTL1 or before VTL1 was enabled. */
static struct guest_saved begin_saved(struct world *world, bool vtl1)
{
	struct guest_saved file = {0};

	make_world(world, 1, (struct sim_options){0});
	set_map(world, PLACE, FILE_SIZE, world->ram, 0, 0);
	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_GUEST_OS_ID, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_HYPERCALL, 0x71001), GUEST_DONE);
	if (!vtl1)
		file = state_save(world->partition);
	lock_secret(world);
	return vtl1 ? state_save(world->partition) : file;
}

static int restore_failing(struct world *world, struct guest_saved *file, uint32_t nth)
{
	int error;

	sim_fail(world->partition, SIM_CALL_OVERLAY, nth, -EIO);
	error = vsm_partition_restore(world->partition, file->bytes, file->size);
	sim_fail(world->partition, SIM_CALL_OVERLAY, 0, 0);
	free(file->bytes);
	return error;
}

/* When the memory with the secret leaves the map; VTL0 gets it back after the reset. */
enum leaves {
	NEVER,
	BEFORE_RESTORE,
	BEFORE_RESET,
};

static void zeroes_after_any_failure(bool vtl1, enum leaves leaves)
{
	unsigned int failures = 0;

	for (uint32_t nth = 1; nth < OVERLAY_CALLS; nth++) {
		struct world world;
		struct guest_saved file = begin_saved(&world, vtl1);

		/* The state needs memory at PLACE. */
		if (leaves == BEFORE_RESTORE)
			set_map(&world, PLACE, FILE_SIZE, world.rom, 0, 0);
		if (restore_failing(&world, &file, nth)) {
			failures++;
			if (leaves == BEFORE_RESET)
				set_map(&world, PLACE, FILE_SIZE, world.rom, 0, 0);
			assert_int_equal(*in_ram(&world, 0), SECRET);
			assert_int_equal(vsm_partition_reset(world.partition), 0);
			set_map(&world, PLACE, FILE_SIZE, world.ram, 0, 0);
			assert_true(reads(&world, PLACE, 0));
		}
		end(&world);
	}
	assert_in_range(failures, 1, OVERLAY_CALLS - 2);
}

static void p25_a_reset_after_a_failed_restore_zeroes_older_secrets(void **state)
{
	(void)state;
	zeroes_after_any_failure(false, NEVER);
}

static void p25_a_reset_after_a_failed_restore_zeroes_restored_secrets(void **state)
{
	(void)state;
	zeroes_after_any_failure(true, NEVER);
}

/* An incoming migration: the partition is new, and its caller has loaded RAM. */
static void p25_a_reset_after_a_refused_state_zeroes_ram(void **state)
{
	struct world source;
	struct world target;
	struct guest_saved file = begin_saved(&source, true);

	(void)state;
	make_world(&target, 1, (struct sim_options){0});
	set_map(&target, PLACE, FILE_SIZE, target.ram, 0, 0);
	*in_ram(&target, 0) = SECRET;
	file.bytes[file.size / 2] ^= 1;
	assert_int_equal(vsm_partition_restore(target.partition, file.bytes, file.size), -EILSEQ);
	assert_int_equal(vsm_partition_reset(target.partition), 0);
	assert_true(reads(&target, PLACE, 0));
	free(file.bytes);
	end(&target);
	end(&source);
}

static void p25_memory_that_left_before_a_failed_restore_is_zeroed(void **state)
{
	(void)state;
	zeroes_after_any_failure(false, BEFORE_RESTORE);
}

static void p25_memory_that_left_after_a_failed_restore_is_zeroed(void **state)
{
	(void)state;
	zeroes_after_any_failure(false, BEFORE_RESET);
}

/* After a complete restore, and after a reset that zeroed RAM, the next reset keeps RAM of VTL0. */
static void a_reset_keeps_ram_if_no_failed_restore_precedes_it(void **state)
{
	struct world world;
	struct guest_saved file = begin_saved(&world, false);

	(void)state;
	assert_int_not_equal(vsm_partition_restore(world.partition, file.bytes, file.size - 1), 0);
	assert_int_equal(vsm_partition_restore(world.partition, file.bytes, file.size), 0);
	assert_true(writes(&world, PLACE, OTHER));
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	assert_true(reads(&world, PLACE, OTHER));
	assert_int_equal(restore_failing(&world, &file, 1), -EIO);
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	assert_true(writes(&world, PLACE, OTHER));
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	assert_true(reads(&world, PLACE, OTHER));
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p25_a_reset_after_a_failed_restore_zeroes_older_secrets),
		cmocka_unit_test(p25_a_reset_after_a_failed_restore_zeroes_restored_secrets),
		cmocka_unit_test(p25_a_reset_after_a_refused_state_zeroes_ram),
		cmocka_unit_test(p25_memory_that_left_before_a_failed_restore_is_zeroed),
		cmocka_unit_test(p25_memory_that_left_after_a_failed_restore_is_zeroed),
		cmocka_unit_test(a_reset_keeps_ram_if_no_failed_restore_precedes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
