/* SPDX-License-Identifier: BSD-2-Clause */
/* The record of written pages (VSM_MEMORY_LOG). */
#include "core_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory/gpa.h"

#define PLACE	  0x2000000u /* no RAM at first */
#define ELSEWHERE 0x3000000u
#define FILE_SIZE 0x100000u
#define PAGES	  32u

struct world {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	int ram;
};

static void set_map(const struct world *world, uint64_t gpa, uint64_t pages, int fd,
		    uint64_t offset, uint32_t flags)
{
	const struct vsm_memory_change change = {
		.gpa = gpa, .size = pages * 4096, .fd = fd, .offset = offset, .flags = flags};

	assert_int_equal(vsm_memory_update(world->partition, &change, 1), 0);
}

static void begin(struct world *world, uint32_t vps)
{
	world->partition = guest_partition(vps, 1, RAM, &(struct sim_options){.threads = vps > 1});
	world->vp = vsm_partition_vp(world->partition, 0);
	guest_enable_vtl(world->partition, 1);
	world->ram = memfd_create("ram", MFD_CLOEXEC);
	assert_true(world->ram >= 0);
	assert_int_equal(ftruncate(world->ram, FILE_SIZE), 0);
	set_map(world, PLACE, PAGES, world->ram, 0, VSM_MEMORY_LOG);
}

static void end(struct world *world)
{
	vsm_partition_destroy(world->partition);
	close(world->ram);
}

static uint64_t taken(const struct world *world, uint64_t gpa)
{
	uint64_t bitmap = 0;

	assert_int_equal(vsm_memory_dirty(world->partition, gpa, UINT64_C(64) * 4096, &bitmap), 0);
	return bitmap;
}

static void guest_writes(const struct world *world, uint64_t gpa)
{
	assert_int_equal(guest_write(world->vp, gpa, 8, 0x1234), GUEST_DONE);
}

static struct world world;

static int setup(void **state)
{
	begin(&world, 1);
	return 0;
}

static int teardown(void **state)
{
	end(&world);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void a_write_of_each_vtl_is_recorded_once(void **state)
{
	assert_int_equal(taken(&world, PLACE), 0);
	guest_writes(&world, PLACE + 0x3000);
	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	guest_writes(&world, PLACE + 0x5ff8);
	assert_int_equal(taken(&world, PLACE), 1u << 3 | 1u << 5);
	assert_int_equal(taken(&world, PLACE), 0);
	guest_writes(&world, PLACE + 0x5000);
	assert_int_equal(guest_vtl_return(world.vp, true), GUEST_DONE);
	guest_writes(&world, PLACE + 0x3000);
	assert_int_equal(taken(&world, PLACE), 1u << 3 | 1u << 5);
}

static void writes_of_the_library_are_recorded(void **state)
{
	const uint64_t data[2] = {1, 2};
	uint64_t result = 0;

	assert_int_equal(vsm_dma_write(world.partition, PLACE + 0x1ff8, data, 16), 0);
	assert_int_equal(vsm_memory_poke(world.partition, PLACE + 0x5ff8, data, 16), 0);
	assert_int_equal(vsm_memory_peek(world.partition, PLACE + 0x8000, &result, 8), 0);
	assert_int_equal(vsm_dma_read(world.partition, PLACE + 0x8000, &result, 8), 0);
	assert_int_equal(taken(&world, PLACE), 3u << 1 | 3u << 5);
	/* The output of a hypercall. */
	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	*(uint64_t *)(void *)guest_ram(world.partition, GUEST_PARAMETER_GPA) = HV_PARTITION_ID_SELF;
	*(uint64_t *)(void *)guest_ram(world.partition, GUEST_PARAMETER_GPA + 8) = HV_VP_INDEX_SELF;
	*(uint64_t *)(void *)guest_ram(world.partition, GUEST_PARAMETER_GPA + 16) =
		HV_REGISTER_VSM_VP_STATUS;
	assert_int_equal(guest_hypercall(world.vp, HV_CALL_GET_VP_REGISTERS | UINT64_C(1) << 32,
					 GUEST_PARAMETER_GPA, PLACE + 0x7000, &result),
			 GUEST_DONE);
	assert_int_equal((uint16_t)result, 0);
	assert_int_equal(taken(&world, PLACE), 1u << 7);
}

static void pages_of_a_writable_device_mapping_are_recorded_when_it_ends(void **state)
{
	const struct vsm_dma_request request = {.gpa = PLACE + 0x1ff0, .size = 0x20, .write = true};
	struct vsm_dma_map *map;
	void *host;

	assert_int_equal(vsm_dma_map(world.partition, &request, &map, &host), 0);
	assert_int_equal(taken(&world, PLACE), 0);
	assert_int_equal(vsm_dma_unmap(map), 0);
	assert_int_equal(taken(&world, PLACE), 3u << 1);
	/* A change of the memory map revokes the mapping. */
	assert_int_equal(vsm_dma_map(world.partition, &request, &map, &host), 0);
	set_map(&world, PLACE + 0x2000, 1, world.ram, 0x2000, VSM_MEMORY_LOG | VSM_MEMORY_READONLY);
	assert_int_equal(taken(&world, PLACE), 3u << 1);
	assert_int_equal(vsm_dma_unmap(map), -ESTALE);
	assert_int_equal(taken(&world, PLACE), 0);
}

/* Page tables in recorded memory, in which the walk of HvCallTranslateVirtualAddress sets bits. */
static void accessed_and_dirty_bits_that_the_library_sets_are_recorded(void **state)
{
	const uint64_t tables[4] = {(PLACE + 0x1000) | 3, (PLACE + 0x2000) | 3,
				    (PLACE + 0x3000) | 3, PLACE | 3};
	struct gva_walk walk;

	for (unsigned int level = 0; level < 4; level++)
		assert_int_equal(
			vsm_memory_poke(world.partition, PLACE + level * 0x1000, &tables[level], 8),
			0);
	(void)taken(&world, PLACE);
	vcpu_edit(world.vp, 0, VCPU_SYSTEM)->cr3 = PLACE;
	assert_int_equal(
		gva_translate(world.vp, 0, 0, VSM_WALK_WRITE, 0, VSM_WALK_AD_LEAVE, true, &walk),
		VSM_WALK_OK);
	assert_int_equal(taken(&world, PLACE), 0);
	assert_int_equal(
		gva_translate(world.vp, 0, 0, VSM_WALK_WRITE, 0, VSM_WALK_AD_SET, true, &walk),
		VSM_WALK_OK);
	assert_int_equal(taken(&world, PLACE), 0xf);
}

static void what_a_device_may_not_write_is_not_recorded(void **state)
{
	const uint64_t value = 7;

	assert_int_equal(vtl_set_config(world.partition, 1, 1, 0x1f), 0);
	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	assert_int_equal(guest_protect(world.vp, 0, MAP_NONE, PLACE + 0x2000), 0);
	(void)taken(&world, PLACE);
	assert_int_equal(vsm_dma_write(world.partition, PLACE + 0x2000, &value, 8), -EACCES);
	assert_int_equal(taken(&world, PLACE), 0);
}

static void a_reset_records_what_it_zeroes(void **state)
{
	assert_int_equal(vtl_set_config(world.partition, 1, 1, 0x3f), 0);
	guest_writes(&world, PLACE + 0x3000);
	(void)taken(&world, PLACE);
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	assert_true(taken(&world, PLACE) & 1u << 3);
}

static void a_call_takes_only_its_range(void **state)
{
	uint64_t bitmap[2] = {0};
	uint64_t wide[5] = {1};

	set_map(&world, PLACE + 0x100000, PAGES, world.ram, PAGES * 4096, VSM_MEMORY_LOG);
	for (unsigned int page = 0; page < 4; page++)
		guest_writes(&world, PLACE + page * 0x1000);
	guest_writes(&world, PLACE + 0x100000);
	assert_int_equal(vsm_memory_dirty(world.partition, PLACE + 0x1000, 0x2000, bitmap), 0);
	assert_int_equal(bitmap[0], 3);
	assert_int_equal(bitmap[1], 0);
	/* Bits that are already set stay set. The range begins below the memory and has gaps. */
	assert_int_equal(vsm_memory_dirty(world.partition, PLACE - 0x20000, 0x121000, wide), 0);
	assert_int_equal(wide[0], 1 | UINT64_C(1) << 32 | UINT64_C(1) << 35);
	for (unsigned int i = 1; i < 4; i++)
		assert_int_equal(wide[i], 0);
	assert_int_equal(wide[4], UINT64_C(1) << 32);
}

static void a_record_is_kept_over_changes_of_the_map(void **state)
{
	for (unsigned int page = 0; page < 6; page++)
		guest_writes(&world, PLACE + page * 0x1000);
	/* ROM splits the range; one page is removed and added again; then all memory moves. */
	set_map(&world, PLACE + 0x1000, 1, world.ram, 0x1000, VSM_MEMORY_READONLY | VSM_MEMORY_LOG);
	set_map(&world, PLACE + 0x2000, 1, -1, 0, 0);
	set_map(&world, PLACE + 0x2000, 1, world.ram, 0x2000, VSM_MEMORY_LOG);
	set_map(&world, PLACE, PAGES, -1, 0, 0);
	set_map(&world, ELSEWHERE, PAGES, world.ram, 0, VSM_MEMORY_LOG);
	guest_writes(&world, ELSEWHERE + 0x8000);
	assert_int_equal(taken(&world, PLACE), 0);
	assert_int_equal(taken(&world, ELSEWHERE), 0x3f | 1u << 8);
}

static void a_record_is_kept_when_its_file_grows(void **state)
{
	guest_writes(&world, PLACE + 0x3000);
	assert_int_equal(ftruncate(world.ram, 2 * FILE_SIZE), 0);
	set_map(&world, PLACE, 2 * FILE_SIZE / 4096, world.ram, 0, VSM_MEMORY_LOG);
	assert_int_equal(taken(&world, PLACE), 1u << 3);
}

static void a_change_elsewhere_loses_no_record(void **state)
{
	guest_writes(&world, PLACE + 0x3000);
	set_map(&world, ELSEWHERE, 4, world.ram, 0x40000, VSM_MEMORY_LOG);
	guest_writes(&world, ELSEWHERE + 0x1000);
	set_map(&world, PLACE + 0x100000, 4, world.ram, 0x50000, 0);
	assert_int_equal(taken(&world, PLACE), 1u << 3);
	assert_int_equal(taken(&world, ELSEWHERE), 1u << 1);
}

static void the_flag_is_set_and_cleared_while_memory_is_in_use(void **state)
{
	set_map(&world, PLACE, PAGES, world.ram, 0, 0);
	guest_writes(&world, PLACE);
	assert_int_equal(taken(&world, PLACE), 0);
	set_map(&world, PLACE + 0x4000, 4, world.ram, 0x4000, VSM_MEMORY_LOG);
	guest_writes(&world, PLACE + 0x3000);
	guest_writes(&world, PLACE + 0x4000);
	guest_writes(&world, PLACE + 0x8000);
	assert_int_equal(taken(&world, PLACE), 1u << 4);
}

static void a_page_at_two_gpas_is_recorded_wherever_it_is_written(void **state)
{
	set_map(&world, ELSEWHERE, 4, world.ram, 0x4000, VSM_MEMORY_LOG);
	guest_writes(&world, ELSEWHERE + 0x1000);
	(void)taken(&world, ELSEWHERE + 0x4000);
	assert_int_equal(vsm_memory_poke(world.partition, ELSEWHERE + 0x2000, &world, 8), 0);
	assert_int_equal(taken(&world, ELSEWHERE), 1u << 1 | 1u << 2);
	assert_int_equal(taken(&world, PLACE), 0);
}

static void misuse_is_refused(void **state)
{
	uint64_t bitmap = 0;

	guest_writes(&world, PLACE);
	assert_int_equal(vsm_memory_dirty(world.partition, PLACE + 1, 4096, &bitmap), -EINVAL);
	assert_int_equal(vsm_memory_dirty(world.partition, PLACE, 4095, &bitmap), -EINVAL);
	assert_int_equal(vsm_memory_dirty(world.partition, PLACE, 0, &bitmap), -EINVAL);
	assert_int_equal(vsm_memory_dirty(world.partition, UINT64_MAX - 4095, 4096, &bitmap),
			 -EINVAL);
	assert_int_equal(vsm_memory_dirty(world.partition, 0, UINT64_MAX - 4095, &bitmap), -EINVAL);
	assert_int_equal(bitmap, 0);
	assert_int_equal(taken(&world, PLACE), 1);
}

struct writer {
	struct vsm_vp *vp;
	_Atomic bool stop;
	_Atomic unsigned int writes;
	pthread_t thread;
};

static void *write_on(void *opaque)
{
	struct writer *writer = opaque;

	while (!atomic_load(&writer->stop)) {
		const unsigned int number = atomic_fetch_add(&writer->writes, 1);

		guest_write(writer->vp, PLACE + (number * 7 % PAGES) * 0x1000, 8, number);
	}
	return NULL;
}

/* Copies the pages of the record, as a migration does. */
static void copy_recorded(uint64_t *copy)
{
	uint64_t bitmap = taken(&world, PLACE);

	for (; bitmap; bitmap &= bitmap - 1) {
		const unsigned int page = (unsigned int)__builtin_ctzll(bitmap);

		assert_int_equal(
			vsm_dma_read(world.partition, PLACE + page * 0x1000, &copy[page], 8), 0);
	}
}

static void copying_the_recorded_pages_ends_with_equal_memory(void **state)
{
	struct writer writer = {0};
	uint64_t copy[PAGES] = {0};

	begin(&world, 2);
	writer.vp = vsm_partition_vp(world.partition, 1);
	pthread_create(&writer.thread, NULL, write_on, &writer);
	for (unsigned int i = 0; i < 40; i++) {
		const unsigned int before = atomic_load(&writer.writes);

		copy_recorded(copy);
		/* The map changes, too: some pages are read-only for a moment. */
		if (i % 8 == 3)
			set_map(&world, PLACE + 0x5000, 3, world.ram, 0x5000,
				VSM_MEMORY_LOG | VSM_MEMORY_READONLY);
		if (i % 8 == 5)
			set_map(&world, PLACE + 0x5000, 3, world.ram, 0x5000, VSM_MEMORY_LOG);
		while (atomic_load(&writer.writes) < before + 3)
			usleep(100);
	}
	atomic_store(&writer.stop, true);
	pthread_join(writer.thread, NULL);
	copy_recorded(copy);
	for (unsigned int page = 0; page < PAGES; page++) {
		uint64_t value;

		assert_int_equal(vsm_memory_peek(world.partition, PLACE + page * 0x1000, &value, 8),
				 0);
		assert_int_equal(copy[page], value);
	}
	assert_true(atomic_load(&writer.writes) > 100);
	end(&world);
}

/* A slow backend: another thread calls vsm_memory_dirty() after the record was cleared. */
static struct {
	struct backend_ops ops;
	const struct backend_ops *real;
	_Atomic bool is_inside;
} slow;

static int slow_memory_dirty(void *backend, const struct backend_memory *run, uint64_t *bitmap)
{
	const int error = slow.real->memory_dirty(backend, run, bitmap);

	if (!atomic_exchange(&slow.is_inside, true))
		usleep(100000);
	return error;
}

static void *take_first_pages(void *opaque)
{
	uint64_t bitmap = 0;

	assert_int_equal(vsm_memory_dirty(world.partition, PLACE, 0x4000, &bitmap), 0);
	assert_int_equal(bitmap, 1u << 2);
	return NULL;
}

static void concurrent_calls_miss_no_earlier_write(void **state)
{
	pthread_t other;
	uint64_t bitmap = 0;

	begin(&world, 2);
	slow.real = world.partition->ops;
	slow.ops = *slow.real;
	slow.ops.memory_dirty = slow_memory_dirty;
	world.partition->ops = &slow.ops;
	guest_writes(&world, PLACE + 0x2000);
	guest_writes(&world, PLACE + 0x9000);
	assert_int_equal(pthread_create(&other, NULL, take_first_pages, NULL), 0);
	while (!atomic_load(&slow.is_inside))
		usleep(100);
	assert_int_equal(vsm_memory_dirty(world.partition, PLACE + 0x8000, 0x4000, &bitmap), 0);
	pthread_join(other, NULL);
	world.partition->ops = slow.real;
	assert_int_equal(bitmap, 1u << 1);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_write_of_each_vtl_is_recorded_once),
		TEST(writes_of_the_library_are_recorded),
		TEST(pages_of_a_writable_device_mapping_are_recorded_when_it_ends),
		TEST(accessed_and_dirty_bits_that_the_library_sets_are_recorded),
		TEST(what_a_device_may_not_write_is_not_recorded),
		TEST(a_reset_records_what_it_zeroes),
		TEST(a_call_takes_only_its_range),
		TEST(a_record_is_kept_over_changes_of_the_map),
		TEST(a_record_is_kept_when_its_file_grows),
		TEST(a_change_elsewhere_loses_no_record),
		TEST(the_flag_is_set_and_cleared_while_memory_is_in_use),
		TEST(a_page_at_two_gpas_is_recorded_wherever_it_is_written),
		TEST(misuse_is_refused),
		cmocka_unit_test(copying_the_recorded_pages_ends_with_equal_memory),
		cmocka_unit_test(concurrent_calls_miss_no_earlier_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
