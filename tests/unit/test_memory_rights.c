/* SPDX-License-Identifier: BSD-2-Clause */
/* Protections and overlays while the memory map changes (P38). */
#include "memory_world.h"

#include <pthread.h>

static void p38_locked_pages_stay_locked_while_ram_becomes_rom_and_ram_again(void **state)
{
	struct world *world = *state;

	set_map(world, PLACE, FILE_SIZE, world->ram, 0, 0);
	*in_ram(world, 0xf0000) = SECRET;
	*in_ram(world, 0xf1000) = SECRET;
	assert_int_equal(lock(world, MAP_NONE, PLACE + 0xf0000), 0);
	assert_int_equal(lock(world, MAP_READ_EXECUTE, PLACE + 0xf1000), 0);
	for (unsigned int i = 0; i < 3; i++) {
		set_map(world, PLACE + 0xf0000, 0x4000, world->rom, 0, VSM_MEMORY_READONLY);
		assert_true(nothing_at(world, PLACE + 0xf0000));
		assert_true(read_only_at(world, PLACE + 0xf1000, OTHER));
		assert_true(reads(world, PLACE + 0xf2000, OTHER));
		/* RAM of another file, which VTL0 could have written before. */
		set_map(world, PLACE + 0xf0000, 0x4000, world->rom, 0x10000, 0);
		assert_true(nothing_at(world, PLACE + 0xf0000));
		assert_true(read_only_at(world, PLACE + 0xf1000, OTHER));
		assert_true(writes(world, PLACE + 0xf2000, 5));
		set_map(world, PLACE + 0xf0000, 0x4000, world->ram, 0xf0000, VSM_MEMORY_READONLY);
		assert_true(nothing_at(world, PLACE + 0xf0000));
		assert_true(read_only_at(world, PLACE + 0xf1000, SECRET));
		set_map(world, PLACE + 0xf0000, 0x4000, -1, 0, 0);
		set_map(world, PLACE, FILE_SIZE, world->ram, 0, 0);
		assert_true(nothing_at(world, PLACE + 0xf0000));
		assert_true(read_only_at(world, PLACE + 0xf1000, SECRET));
		assert_true(writes(world, PLACE + 0xf2000, i));
	}
	assert_int_equal(*in_ram(world, 0xf0000), SECRET);
	assert_int_equal(*in_ram(world, 0xf1000), SECRET);
	assert_int_equal(lock(world, MAP_ALL, PLACE + 0xf0000), 0);
	assert_true(reads(world, PLACE + 0xf0000, SECRET));
}

/* VTL0 moves a device's memory, which it wrote before, over a page that VTL1 locked, and away again. */
static void p38_a_bar_over_locked_pages_is_locked_like_them(void **state)
{
	struct world *world = *state;

	set_map(world, PLACE, 0x10000, world->ram, 0, 0);
	*in_ram(world, 0x3000) = SECRET;
	assert_int_equal(lock(world, MAP_NONE, PLACE + 0x3000), 0);
	assert_int_equal(lock(world, MAP_READ_EXECUTE, PLACE + 0x4000), 0);
	for (unsigned int i = 0; i < 3; i++) {
		const struct vsm_memory_change there[] = {
			change(ELSEWHERE, 0x8000, -1, 0, 0),
			change(PLACE, 0x8000, world->rom, 0, 0),
		};
		const struct vsm_memory_change away[] = {
			change(PLACE, 0x8000, world->ram, 0, 0),
			change(ELSEWHERE, 0x8000, world->rom, 0, 0),
		};

		assert_int_equal(vsm_memory_update(world->partition, there, 2), 0);
		assert_true(nothing_at(world, PLACE + 0x3000));
		assert_true(read_only_at(world, PLACE + 0x4000, OTHER));
		assert_true(writes(world, PLACE + 0x5000, 1));
		assert_int_equal(vsm_memory_update(world->partition, away, 2), 0);
		assert_true(nothing_at(world, PLACE + 0x3000));
		assert_true(read_only_at(world, PLACE + 0x4000, 0));
		/* VTL1 may have written secrets there: the lock moves with the memory. */
		assert_true(nothing_at(world, ELSEWHERE + 0x3000));
		assert_true(read_only_at(world, ELSEWHERE + 0x4000, OTHER));
		assert_true(writes(world, ELSEWHERE + 0x2000, OTHER));
	}
	assert_int_equal(*in_ram(world, 0x3000), SECRET);
}

static void
p38_a_protection_that_is_set_while_memory_is_absent_applies_when_it_is_added(void **state)
{
	struct world world;

	begin(&world);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	*in_ram(&world, 0x1000) = SECRET;
	set_map(&world, PLACE, 0x4000, -1, 0, 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	/* A GPA that never had memory cannot be protected. */
	assert_int_equal(lock(&world, MAP_NONE, ELSEWHERE), HV_STATUS_INVALID_PARAMETER);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	assert_true(nothing_at(&world, PLACE + 0x1000));
	assert_true(read_only_at(&world, PLACE + 0x2000, 0));
	assert_true(writes(&world, PLACE, 1));
	set_map(&world, PLACE, 0x4000, -1, 0, 0);
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x1000), 0);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	assert_true(reads(&world, PLACE + 0x1000, SECRET));
	end(&world);
}

static void p38_the_default_mask_applies_to_memory_that_is_added_later(void **state)
{
	struct world *world = *state;

	vsm_partition_destroy(world->partition);
	world->partition = guest_partition(1, 1, RAM, NULL);
	world->vp = vsm_partition_vp(world->partition, 0);
	guest_enable_vtl(world->partition, 1);
	prepare(world->vp);
	set_map(world, PLACE, 0x4000, world->ram, 0, 0);
	/* The default mask denies execution, if this engine can. */
	if (!vtl_set_config(world->partition, 1, 1, 0x27)) {
		set_map(world, PLACE, 0x4000, -1, 0, 0);
		set_map(world, PLACE + 0x1000, 0x8000, world->rom, 0, 0);
		assert_int_equal(guest_execute(world->vp, PLACE + 0x1000 + CODE, false),
				 GUEST_STOPPED);
		assert_int_equal(world->vp->active_vtl, 1);
		for (uint64_t gpa = PLACE + 0x1000; gpa < PLACE + 0x9000; gpa += 0x1000) {
			struct vsm_protection found;

			assert_int_equal(vsm_protection_find(world->partition, 0, gpa, &found), 0);
			assert_int_equal(found.gpa, gpa);
			assert_int_equal(found.access, GPA_READ | GPA_WRITE);
		}
	}
}

static void p38_an_overlay_stays_at_its_gpa(void **state)
{
	struct world *world = *state;
	uint64_t value;

	set_map(world, PLACE, 0x4000, world->ram, 0, 0);
	*in_ram(world, 0x1000) = SECRET;
	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_SIMP, (PLACE + 0x1000) | 1), GUEST_DONE);
	assert_true(writes(world, PLACE + 0x1ff0, 0x77));
	for (unsigned int i = 0; i < 3; i++) {
		set_map(world, PLACE, 0x4000, world->rom, 0, 0);
		assert_true(reads(world, PLACE + 0x1ff0, 0x77));
		assert_true(reads(world, PLACE + 0x2ff0, OTHER));
		set_map(world, PLACE + 0x1000, 0x1000, -1, 0, 0);
		assert_true(reads(world, PLACE + 0x1ff0, 0x77));
		set_map(world, PLACE, 0x4000, -1, 0, 0);
		assert_true(reads(world, PLACE + 0x1ff0, 0x77));
		set_map(world, PLACE, 0x4000, world->ram, 0, 0);
		assert_true(writes(world, PLACE + 0x1ff0, 0x77));
	}
	assert_int_equal(*in_ram(world, 0x1000), SECRET);
	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_SIMP, 0), GUEST_DONE);
	assert_true(guest_read(world->vp, PLACE + 0x1000, 8, &value) == GUEST_DONE);
	assert_int_equal(value, SECRET);
}

static void p38_a_page_that_is_locked_at_one_gpa_is_locked_at_its_other_gpas(void **state)
{
	struct world *world = *state;

	*in_ram(world, 0x1000) = SECRET;
	set_map(world, PLACE, 0x4000, world->ram, 0, 0);
	set_map(world, ELSEWHERE, 0x2000, world->ram, 0x1000, 0);
	assert_true(reads(world, ELSEWHERE, SECRET));
	assert_int_equal(lock(world, MAP_NONE, PLACE + 0x1000), 0);
	assert_true(nothing_at(world, PLACE + 0x1000));
	assert_true(nothing_at(world, ELSEWHERE));
	assert_int_equal(lock(world, MAP_READ_EXECUTE, ELSEWHERE + 0x1000), 0);
	assert_true(read_only_at(world, PLACE + 0x2000, 0));
	set_map(world, ELSEWHERE + 0x10000, 0x1000, world->ram, 0x1000, 0);
	assert_true(nothing_at(world, ELSEWHERE + 0x10000));
	set_map(world, ELSEWHERE + 0x20000, 0x1000, world->ram, 0x1000, VSM_MEMORY_READONLY);
	assert_true(nothing_at(world, ELSEWHERE + 0x20000));
	/* All aliases get the rights back only after the last lock is removed. */
	assert_int_equal(lock(world, MAP_NONE, ELSEWHERE + 0x10000), 0);
	assert_int_equal(lock(world, MAP_ALL, PLACE + 0x1000), 0);
	assert_true(nothing_at(world, ELSEWHERE));
	assert_int_equal(lock(world, MAP_ALL, ELSEWHERE + 0x10000), 0);
	assert_true(writes(world, ELSEWHERE, SECRET));
	assert_true(reads(world, PLACE + 0x1000, SECRET));
}

/* VTL0 moves a locked page of a device's memory to a GPA that VTL1 has not restricted. */
static void p38_a_locked_page_that_moves_stays_locked(void **state)
{
	struct world *world = *state;

	set_map(world, PLACE, 0x4000, world->ram, 0, 0);
	*in_ram(world, 0x1000) = SECRET;
	*in_ram(world, 0x2000) = SECRET;
	assert_int_equal(lock(world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	set_map(world, PLACE, 0x4000, -1, 0, 0);
	set_map(world, ELSEWHERE, 0x4000, world->ram, 0, 0);
	assert_true(nothing_at(world, ELSEWHERE + 0x1000));
	assert_true(read_only_at(world, ELSEWHERE + 0x2000, SECRET));
	assert_true(writes(world, ELSEWHERE + 0x3000, 1));
	set_map(world, PLACE, 0x4000, world->rom, 0, 0);
	set_map(world, ELSEWHERE, 0x4000, -1, 0, 0);
	set_map(world, ELSEWHERE + 0x100000, 0x4000, world->ram, 0, 0);
	assert_true(nothing_at(world, ELSEWHERE + 0x101000));
	assert_true(nothing_at(world, PLACE + 0x1000));
	assert_int_equal(lock(world, MAP_ALL, PLACE + 0x1000), 0);
	assert_true(reads(world, ELSEWHERE + 0x101000, SECRET));
	assert_true(reads(world, PLACE + 0x1000, OTHER));
	assert_true(read_only_at(world, ELSEWHERE + 0x102000, SECRET));
}

static void p38_a_reset_wipes_secrets_in_memory_that_is_hidden_at_that_moment(void **state)
{
	struct world *world = *state;

	set_map(world, PLACE, 0x4000, world->ram, 0, 0);
	set_map(world, ELSEWHERE, 0x1000, world->rom, 0, VSM_MEMORY_READONLY);
	for (unsigned int page = 0; page < 4; page++)
		*in_ram(world, page * 0x1000) = SECRET;
	/* VTL0 has one page replaced, one made readonly, one removed. */
	set_map(world, PLACE, 0x1000, world->rom, 0x1000, VSM_MEMORY_READONLY);
	set_map(world, PLACE + 0x1000, 0x1000, world->ram, 0x1000, VSM_MEMORY_READONLY);
	set_map(world, PLACE + 0x2000, 0x1000, -1, 0, 0);
	assert_int_equal(vsm_partition_reset(world->partition), 0);
	for (unsigned int page = 0; page < 4; page++)
		assert_int_equal(*in_ram(world, page * 0x1000), 0);
	assert_int_equal(*(uint64_t *)(void *)world->rom_bytes, OTHER);
	assert_int_equal(*(uint64_t *)(void *)(world->rom_bytes + 0x1000), OTHER);
}

/* The VMM uses the pages for something else by then. */
static void p38_a_reset_keeps_pages_that_left_writable_ram_before_vtl1_existed(void **state)
{
	enum {
		PRESENT,
		LEFT,
		LEFT_ONE_GPA,
		BECAME_READONLY,
		LEFT_LATER,
		MOVED_LATER,
		CAME_LATER,
		PAGES
	};
	static const uint64_t expected[PAGES] = {[LEFT] = OTHER, [BECAME_READONLY] = OTHER};
	struct world world;

	make_world(&world, 1, (struct sim_options){0});
	set_map(&world, PLACE, CAME_LATER * 0x1000, world.ram, 0, 0);
	set_map(&world, ELSEWHERE, 0x1000, world.ram, LEFT_ONE_GPA * 0x1000, 0);
	set_map(&world, PLACE + LEFT * 0x1000, 2 * 0x1000, -1, 0, 0);
	set_map(&world, PLACE + BECAME_READONLY * 0x1000, 0x1000, world.ram,
		BECAME_READONLY * 0x1000, VSM_MEMORY_READONLY);
	start_vtl1(&world, 1);
	set_map(&world, PLACE + LEFT_LATER * 0x1000, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	set_map(&world, PLACE + MOVED_LATER * 0x1000, 0x1000, -1, 0, 0);
	set_map(&world, ELSEWHERE + 0x1000, 0x1000, world.ram, MOVED_LATER * 0x1000, 0);
	set_map(&world, ELSEWHERE + 0x2000, 0x1000, world.ram, CAME_LATER * 0x1000, 0);
	for (unsigned int page = 0; page < PAGES; page++)
		*in_ram(&world, page * 0x1000) = OTHER;
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	for (unsigned int page = 0; page < PAGES; page++)
		assert_int_equal(*in_ram(&world, page * 0x1000), expected[page]);
	end(&world);
}

/* Without ZeroMemoryOnReset the first reset zeroes nothing, but after it VTL1 no longer exists. */
static void p38_a_second_reset_keeps_pages_that_left_the_map_before_the_first(void **state)
{
	struct world *world = *state;

	set_map(world, PLACE, 0x2000, world->ram, 0, 0);
	set_map(world, PLACE, 0x1000, -1, 0, 0);
	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	assert_int_equal(vtl_set_config(world->partition, 1, 1, 0x1f), 0);
	assert_int_equal(vsm_partition_reset(world->partition), 0);
	guest_set_long_mode(world->vp, 0);
	start_vtl1(world, 1);
	*in_ram(world, 0) = *in_ram(world, 0x1000) = OTHER;
	assert_int_equal(vsm_partition_reset(world->partition), 0);
	assert_int_equal(*in_ram(world, 0), OTHER);
	assert_int_equal(*in_ram(world, 0x1000), 0);
}

/* VTL0 moves a device's memory, in which VTL1 has restricted pages, again and again. */
static void p38_restricted_memory_leaves_no_more_than_1024_ranges_until_a_reset(void **state)
{
	enum {
		LIMIT = 1024,
		SIZE = (LIMIT + 1) * 0x2000
	};
	struct world *world = *state;
	static struct vsm_memory_change away[LIMIT + 1];
	const int file = memfd_create("device", MFD_CLOEXEC);

	assert_int_equal(ftruncate(file, SIZE), 0);
	set_map(world, PLACE, SIZE, file, 0, 0);
	for (unsigned int i = 0; i <= LIMIT; i++) {
		away[i] = change(PLACE + i * 0x2000, 0x1000, -1, 0, 0);
		assert_int_equal(lock(world, MAP_NONE, away[i].gpa), 0);
	}
	assert_int_equal(vsm_memory_update(world->partition, away, LIMIT + 1), -ENOSPC);
	assert_true(nothing_at(world, PLACE));
	assert_int_equal(vsm_memory_update(world->partition, away, LIMIT), 0);
	assert_int_equal(vsm_memory_update(world->partition, &away[LIMIT], 1), -ENOSPC);
	assert_true(nothing_at(world, away[LIMIT].gpa));
	assert_true(writes(world, PLACE + 0x1000, OTHER));
	/* Without ZeroMemoryOnReset, which would zero the guest's page tables. */
	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	assert_int_equal(vtl_set_config(world->partition, 1, 1, 0x1f), 0);
	assert_int_equal(vsm_partition_reset(world->partition), 0);
	guest_set_long_mode(world->vp, 0);
	start_vtl1(world, 1);
	assert_int_equal(lock(world, MAP_NONE, away[LIMIT].gpa), 0);
	assert_int_equal(vsm_memory_update(world->partition, &away[LIMIT], 1), 0);
	close(file);
}

struct hammer {
	struct world *world;
	struct vsm_vp *vp;
	_Atomic bool stop;
	_Atomic unsigned int accesses;
	unsigned int leaks;
	pthread_t thread;
};

/* VTL0 of VP 1 reads and writes the locked page all the time. */
static void *hammer_on(void *opaque)
{
	struct hammer *hammer = opaque;
	struct vsm_vp *vp = hammer->vp;

	while (!atomic_load(&hammer->stop)) {
		const unsigned int number = atomic_fetch_add(&hammer->accesses, 1);
		const uint64_t gpa = number & 2 ? ELSEWHERE : PLACE + 0x3000;
		uint64_t value = 0;
		enum guest_outcome outcome = number & 1 ? guest_write(vp, gpa, 8, 0x666)
							: guest_read(vp, gpa, 8, &value);

		hammer->leaks += outcome == GUEST_DONE || value == SECRET;
		if (outcome == GUEST_STOPPED && vp->active_vtl == 1)
			back_to_vtl0(vp);
		else if (outcome == GUEST_EXIT)
			guest_run(vp);
	}
	return NULL;
}

static void p38_a_locked_page_is_locked_at_every_moment_of_a_change(void **state)
{
	struct hammer hammer = {0};
	struct world world;

	begin_with(&world, 2);
	hammer.vp = vsm_partition_vp(world.partition, 1);
	set_map(&world, PLACE, 0x10000, world.ram, 0, 0);
	*in_ram(&world, 0x3000) = SECRET;
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x3000), 0);
	pthread_create(&hammer.thread, NULL, hammer_on, &hammer);
	for (unsigned int i = 0; i < 18; i++) {
		const struct vsm_memory_change changes[] = {
			change(PLACE + 0x2000, 0x4000, world.rom, 0, VSM_MEMORY_READONLY),
			change(PLACE + 0x2000, 0x4000, world.ram, 0x2000, 0),
			change(ELSEWHERE, 0x1000, world.ram, 0x3000, 0),
			change(PLACE, 0x10000, -1, 0, 0),
			change(ELSEWHERE, 0x1000, -1, 0, 0),
			change(PLACE, 0x10000, world.ram, 0, 0),
		};
		const unsigned int before = atomic_load(&hammer.accesses);

		assert_int_equal(vsm_memory_update(world.partition, &changes[i % 6], 1), 0);
		while (atomic_load(&hammer.accesses) < before + 2)
			usleep(1000);
	}
	atomic_store(&hammer.stop, true);
	pthread_join(hammer.thread, NULL);
	assert_int_equal(*in_ram(&world, 0x3000), SECRET);
	assert_int_equal(hammer.leaks, 0);
	end(&world);
}

static int setup(void **state)
{
	return world_setup(state, begin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(p38_locked_pages_stay_locked_while_ram_becomes_rom_and_ram_again),
		TEST(p38_a_bar_over_locked_pages_is_locked_like_them),
		cmocka_unit_test(
			p38_a_protection_that_is_set_while_memory_is_absent_applies_when_it_is_added),
		TEST(p38_the_default_mask_applies_to_memory_that_is_added_later),
		TEST(p38_an_overlay_stays_at_its_gpa),
		TEST(p38_a_page_that_is_locked_at_one_gpa_is_locked_at_its_other_gpas),
		TEST(p38_a_locked_page_that_moves_stays_locked),
		TEST(p38_a_reset_wipes_secrets_in_memory_that_is_hidden_at_that_moment),
		cmocka_unit_test(
			p38_a_reset_keeps_pages_that_left_writable_ram_before_vtl1_existed),
		TEST(p38_a_second_reset_keeps_pages_that_left_the_map_before_the_first),
		TEST(p38_restricted_memory_leaves_no_more_than_1024_ranges_until_a_reset),
		cmocka_unit_test(p38_a_locked_page_is_locked_at_every_moment_of_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
