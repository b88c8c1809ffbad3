/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents of a GPA for the guest and for the VMM while the memory map changes. */
#include "memory_world.h"

#include "core/memory/span.h"

static void memory_is_added_and_removed_while_a_guest_runs(void **state)
{
	struct world *world = *state;
	uint64_t value;

	assert_true(is_mmio(world, guest_read(world->vp, PLACE, 8, &value), PLACE, false));
	set_map(world, PLACE, 0x4000, world->ram, 0x10000, 0);
	assert_true(writes(world, PLACE + 0x1000, OTHER));
	assert_int_equal(*in_ram(world, 0x11000), OTHER);
	set_map(world, PLACE + 0x1000, 0x1000, -1, 0, 0);
	assert_true(is_mmio(world, guest_read(world->vp, PLACE + 0x1000, 8, &value), PLACE + 0x1000,
			    false));
	assert_true(writes(world, PLACE, 7));
	assert_true(writes(world, PLACE + 0x2000, 8));
	set_map(world, PLACE, 0x4000, world->rom, 0, 0);
	assert_true(reads(world, PLACE + 0x2000, OTHER));
	assert_int_equal(*in_ram(world, 0x12000), 8);
}

static void a_write_to_readonly_memory_is_an_exit_of_the_vmm(void **state)
{
	struct world *world = *state;
	uint64_t value = 0x99;

	set_map(world, PLACE, 0x2000, world->rom, 0, VSM_MEMORY_READONLY);
	assert_true(reads(world, PLACE + 8, OTHER));
	assert_true(is_mmio(world, guest_write(world->vp, PLACE + 8, 8, 1), PLACE + 8, true));
	assert_true(reads(world, PLACE + 8, OTHER));
	assert_int_equal(vsm_dma_write(world->partition, PLACE, &value, 8), -EFAULT);
	assert_int_equal(vsm_dma_read(world->partition, PLACE, &value, 8), 0);
	assert_int_equal(value, OTHER);
	/* A protection has precedence: VTL1 gets the intercept, and the VMM no exit. */
	assert_int_equal(lock(world, MAP_READ_EXECUTE, PLACE), 0);
	assert_true(read_only_at(world, PLACE, OTHER));
	assert_int_equal(lock(world, MAP_NONE, PLACE), 0);
	assert_true(nothing_at(world, PLACE));
	assert_true(
		is_mmio(world, guest_write(world->vp, PLACE + 0x1000, 8, 1), PLACE + 0x1000, true));
}

/* The VTL's writes could not reach the page of the overlay. */
static void an_overlay_that_its_vtl_writes_is_refused_over_readonly_memory(void **state)
{
	struct world *world = *state;

	set_map(world, PLACE, 0x1000, world->rom, 0, VSM_MEMORY_READONLY);
	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_SIMP, PLACE | 1), GUEST_FAULT);
}

static void peek_and_poke_have_all_rights(void **state)
{
	struct world *world = *state;
	uint64_t value = 0;

	set_map(world, PLACE, 0x2000, world->ram, 0, 0);
	set_map(world, PLACE + 0x2000, 0x1000, world->rom, 0, VSM_MEMORY_READONLY);
	*in_ram(world, 0x1000) = SECRET;
	assert_int_equal(guest_wrmsr(world->vp, HV_X64_MSR_SIMP, PLACE | 1), GUEST_DONE);
	assert_int_equal(lock(world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(vsm_dma_read(world->partition, PLACE + 0x1000, &value, 8), -EACCES);
	assert_int_equal(vsm_memory_peek(world->partition, PLACE + 0x1000, &value, 8), 0);
	assert_int_equal(value, SECRET);
	value = 0x55;
	/* To the RAM under the overlay, and to readonly memory. */
	assert_int_equal(vsm_memory_poke(world->partition, PLACE, &value, 8), 0);
	assert_int_equal(*in_ram(world, 0), 0x55);
	assert_int_equal(vsm_memory_poke(world->partition, PLACE + 0x2000, &value, 8), 0);
	assert_true(reads(world, PLACE + 0x2000, 0x55));
	assert_int_equal(vsm_memory_peek(world->partition, PLACE + 0x2ffc, &value, 8), -EFAULT);
	assert_int_equal(vsm_memory_peek(world->partition, UINT64_MAX - 3, &value, 8), -EFAULT);
}

/* The map of the target has other regions, and VTL1 has restricted a GPA without memory. */
static void a_state_is_restored_where_memory_is_at_the_same_gpas(void **state)
{
	struct guest_saved saved = {0};
	struct world world;
	struct world other;

	begin(&world);
	begin(&other);
	set_map(&world, PLACE, 0x8000, world.ram, 0, 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x5000), 0);
	set_map(&world, PLACE + 0x4000, 0x4000, -1, 0, 0);
	assert_int_equal(vsm_partition_save(world.partition, guest_save_write, &saved), 0);
	set_map(&other, PLACE, 0x3000, other.ram, 0, 0);
	assert_int_equal(vsm_partition_restore(other.partition, saved.bytes, saved.size), -EINVAL);
	set_map(&other, PLACE, 0x5000, other.ram, 0, 0);
	assert_int_equal(vsm_partition_restore(other.partition, saved.bytes, saved.size), -EINVAL);
	set_map(&other, PLACE + 0x4000, 0x1000, -1, 0, 0);
	set_map(&other, PLACE + 0x1000, 0x2000, other.rom, 0, 0);
	memcpy(guest_ram(other.partition, 0), guest_ram(world.partition, 0), RAM);
	assert_int_equal(vsm_partition_restore(other.partition, saved.bytes, saved.size), 0);
	assert_true(nothing_at(&other, PLACE + 0x1000));
	assert_true(reads(&other, PLACE + 0x2000, OTHER));
	set_map(&other, PLACE + 0x4000, 0x4000, other.ram, 0x4000, 0);
	assert_true(nothing_at(&other, PLACE + 0x5000));
	assert_true(writes(&other, PLACE + 0x6000, 1));
	free(saved.bytes);
	end(&world);
	end(&other);
}

static void hundreds_of_regions_are_possible(void **state)
{
	struct vsm_memory_change list[400];
	struct world *world = *state;

	for (unsigned int i = 0; i < 400; i++)
		list[i] = change(PLACE + i * 0x2000u, 0x1000, world->ram, i * 0x1000u, 0);
	assert_int_equal(vsm_memory_update(world->partition, list, 400), 0);
	assert_int_equal(lock(world, MAP_NONE, PLACE + 321 * 0x2000), 0);
	assert_true(nothing_at(world, PLACE + 321 * 0x2000));
	assert_true(writes(world, PLACE + 320 * 0x2000, 320));
	assert_int_equal(*in_ram(world, 320 * 0x1000), 320);
	for (unsigned int i = 0; i < 400; i++)
		list[i].fd = -1;
	assert_int_equal(vsm_memory_update(world->partition, list, 400), 0);
	set_map(world, PLACE, FILE_SIZE, world->ram, 0, 0);
	/* The restriction still applies to the page of the file, which is at another GPA now. */
	assert_true(nothing_at(world, PLACE + 321 * 0x1000));
	assert_true(writes(world, PLACE + 322 * 0x1000, 322));
}

static void a_change_that_is_refused_changes_nothing(void **state)
{
	struct world *world = *state;
	struct vsm_memory_change list[2];

	set_map(world, PLACE, 0x4000, world->ram, 0, 0);
	assert_true(writes(world, PLACE, 1));
	list[0] = change(PLACE, 0x4000, -1, 0, 0);
	for (unsigned int i = 0; i < 9; i++) {
		list[1] = change(ELSEWHERE, 0x1000, world->rom, 0, 0);
		switch (i) {
		case 0:
			list[1].gpa++;
			break;
		case 1:
			list[1].size = 0;
			break;
		case 2:
			list[1].offset = 0x10;
			break;
		case 3:
			list[1].gpa = UINT64_C(1) << 62;
			break;
		case 4:
			list[1].flags = 0x80;
			break;
		case 5:
			list[1].reserved[1] = 1;
			break;
		case 6: /* beyond the end of the file */
			list[1].offset = FILE_SIZE;
			break;
		case 7:
			list[1].size = UINT64_MAX - 0xfff;
			break;
		case 8:
			list[1].offset = UINT64_MAX - 0xfff;
			break;
		}
		assert_int_equal(vsm_memory_update(world->partition, list, 2), -EINVAL);
		assert_true(reads(world, PLACE, 1));
	}
	list[1] = change(ELSEWHERE, 0x1000, 12345, 0, 0);
	assert_int_equal(vsm_memory_update(world->partition, list, 2), -EBADF);
	assert_true(reads(world, PLACE, 1));
	assert_int_equal(vsm_memory_update(world->partition, NULL, 0), 0);
}

/* Records separate GPAs, as if memory had been there since the last reset, until there are @count. */
static void record_ranges(struct vsm_partition *partition, uint32_t count)
{
	const struct memory *memory = &partition->memory;
	struct span_list list = {.span = calloc(count, sizeof(struct ram_span)),
				 .count = memory->span_count,
				 .pages = memory->page_count};

	assert_non_null(list.span);
	memcpy(list.span, memory->span, list.count * sizeof(list.span[0]));
	for (; list.count < count; list.count++)
		list.span[list.count] = (struct ram_span){
			.gpn = 0x100000 + 2 * list.count, .pages = 1, .first = list.pages++};
	span_list_swap(partition, &list);
	free(list.span);
}

/* VTL0 moves a device's memory to ever new GPAs. */
static void memory_is_at_no_more_than_65536_separate_ranges_until_a_reset(void **state)
{
	struct world *world = *state;
	const struct vsm_memory_change second = change(ELSEWHERE, 0x1000, world->ram, 0, 0);
	uint64_t value;

	record_ranges(world->partition, 65535);
	set_map(world, PLACE, 0x1000, world->ram, 0, 0);
	assert_true(writes(world, PLACE, OTHER));
	assert_int_equal(vsm_memory_update(world->partition, &second, 1), -ENOSPC);
	assert_true(is_mmio(world, guest_read(world->vp, ELSEWHERE, 8, &value), ELSEWHERE, false));
	assert_true(reads(world, PLACE, OTHER));
	/* A recorded range can have memory again. */
	set_map(world, PLACE, 0x1000, -1, 0, 0);
	set_map(world, PLACE, 0x1000, world->ram, 0, 0);
	assert_int_equal(vsm_partition_reset(world->partition), 0);
	assert_int_equal(vsm_memory_update(world->partition, &second, 1), 0);
}

static int setup(void **state)
{
	return world_setup(state, begin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_is_added_and_removed_while_a_guest_runs),
		TEST(a_write_to_readonly_memory_is_an_exit_of_the_vmm),
		TEST(an_overlay_that_its_vtl_writes_is_refused_over_readonly_memory),
		TEST(peek_and_poke_have_all_rights),
		cmocka_unit_test(a_state_is_restored_where_memory_is_at_the_same_gpas),
		TEST(hundreds_of_regions_are_possible),
		TEST(a_change_that_is_refused_changes_nothing),
		TEST(memory_is_at_no_more_than_65536_separate_ranges_until_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
