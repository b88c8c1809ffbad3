/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard of the VMM's own mappings (P37). */
#include "memory_world.h"

#include "child.h"

/* A device of the VMM (fw_cfg, virtio, AHCI) uses the VMM's own mapping, by memcpy() or by system calls. */
static void p37_the_mapping_of_the_vmm_has_the_rights_of_vtl0(void **state)
{
	struct vsm_memory_change guarded;
	struct world world;
	uint64_t value = 0;
	int pipes[2];

	begin(&world);
	for (unsigned int page = 0; page < 8; page++)
		*in_ram(&world, page * 0x1000) = SECRET + page;
	guarded = change(PLACE, 0x8000, world.ram, 0, 0);
	guarded.host = world.ram_bytes + 1;
	if (vsm_memory_update(world.partition, &guarded, 1) == -ENOTSUP) {
		end(&world);
		skip();
	}
	guarded.host = world.ram_bytes;
	assert_int_equal(vsm_memory_update(world.partition, &guarded, 1), 0);
	assert_int_equal(*in_ram(&world, 0x1000), SECRET + 1);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	assert_int_equal(*in_ram(&world, 0x1000), 0);
	wait_for_refusal(&world, 1, false);
	*in_ram(&world, 0x1000) = 0x666;
	*in_ram(&world, 0x2000) = 0x666;
	wait_for_refusal(&world, 2, true);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], &value, 8), 8);
	assert_int_equal(read(pipes[0], in_ram(&world, 0x2008), 8), 8);
	*in_ram(&world, 0x3000) = 0x777;
	assert_true(reads(&world, PLACE + 0x3000, 0x777));
	assert_int_equal(vsm_memory_peek(world.partition, PLACE + 0x1000, &value, 8), 0);
	assert_int_equal(value, SECRET + 1);
	assert_true(read_only_at(&world, PLACE + 0x2000, SECRET + 2));
	/* From one restriction to another: the mapping shows only data that VTL0 may read. */
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x2000), 0);
	assert_int_equal(*in_ram(&world, 0x2000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	set_map(&world, PLACE + 0x1000, 0x1000, -1, 0, 0);
	guarded = change(PLACE + 0x1000, 0x1000, world.ram, 0x1000, 0);
	guarded.host = world.ram_bytes + 0x1000;
	assert_int_equal(vsm_memory_update(world.partition, &guarded, 1), 0);
	assert_int_equal(*in_ram(&world, 0x1000), 0);
	*in_ram(&world, 0x2000) = 0x666;
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x2000), 0);
	assert_int_equal(*in_ram(&world, 0x1000), SECRET + 1);
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	*in_ram(&world, 0x2000) = 0x888;
	assert_true(reads(&world, PLACE + 0x2000, 0x888));
	for (unsigned int page = 0; page < 8; page++)
		assert_int_equal(page == 1 || page == 2,
				 world.refused[page][0] || world.refused[page][1]);
	assert_int_equal(world.refused_elsewhere, 0);
	close(pipes[0]);
	close(pipes[1]);
	end(&world);
}

static void guard_map(struct world *world, uint64_t gpa, uint64_t size, uint64_t offset)
{
	struct vsm_memory_change guarded = change(gpa, size, world->ram, offset, 0);

	guarded.host = world->ram_bytes + offset;
	assert_int_equal(vsm_memory_update(world->partition, &guarded, 1), 0);
}

static void begin_guarded(struct world *world)
{
	begin(world);
	if (!world->partition->ops->guard_add) {
		end(world);
		skip();
	}
	for (unsigned int page = 0; page < 8; page++)
		*in_ram(world, page * 0x1000) = SECRET + page;
}

/* VTL1 sets VTL0's rights to eight pages to @flags by one hypercall. */
static uint16_t lock_pages(struct world *world, uint32_t flags, uint64_t gpa)
{
	struct {
		struct hv_modify_vtl_protection_mask_input head;
		uint64_t gpn[8];
	} input = {.head = {.partition_id = HV_PARTITION_ID_SELF, .map_flags = flags}};
	uint16_t status;

	for (unsigned int page = 0; page < 8; page++)
		input.gpn[page] = gpa / 4096 + page;
	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	status = (uint16_t)guest_call(world->vp,
				      HV_CALL_MODIFY_VTL_PROTECTION_MASK | UINT64_C(8) << 32,
				      &input, sizeof(input), NULL, 0);
	assert_int_equal(guest_vtl_return(world->vp, true), GUEST_DONE);
	return status;
}

/* Whether a device reads zeros from a page by the VMM's mapping, and its writes are lost. */
static bool is_closed(struct world *world, unsigned int page)
{
	uint64_t value = 0;
	const bool empty = *in_ram(world, page * 0x1000) == 0;

	*in_ram(world, page * 0x1000) = 0x666;
	return empty && vsm_memory_peek(world->partition, PLACE + page * 0x1000, &value, 8) == 0 &&
	       value == SECRET + page;
}

/* A guard applies to the VMM's address space only, so a child must not have the page. */
static void p37_a_child_of_the_vmm_has_no_guarded_page(void **state)
{
	struct world world;

	begin_guarded(&world);
	assert_true(child_can_read(world.ram_bytes));
	guard_map(&world, PLACE, 0x8000, 0);
	assert_false(child_can_read(world.ram_bytes));
	assert_int_equal(lock_pages(&world, MAP_NONE, PLACE), 0);
	assert_true(is_closed(&world, 0));
	assert_false(child_can_read(world.ram_bytes));
	assert_int_equal(lock_pages(&world, MAP_READ_EXECUTE, PLACE), 0);
	*in_ram(&world, 0x1000) = 0x666;
	assert_false(child_can_read(world.ram_bytes + 0x1000));
	assert_int_equal(lock_pages(&world, MAP_ALL, PLACE), 0);
	assert_false(child_can_read(world.ram_bytes));
	assert_false(child_can_read(world.ram_bytes + 0x1000));
	end(&world);
}

static void p37_a_mapping_that_was_added_in_parts_is_guarded_as_a_whole(void **state)
{
	struct world world;

	begin_guarded(&world);
	guard_map(&world, PLACE + 0x2000, 0x2000, 0x2000);
	guard_map(&world, PLACE, 0x8000, 0);
	assert_int_equal(lock_pages(&world, MAP_NONE, PLACE), 0);
	for (unsigned int page = 0; page < 8; page++)
		assert_true(is_closed(&world, page));
	assert_int_equal(lock_pages(&world, MAP_ALL, PLACE), 0);
	/* A page is replaced by another for a while, as by a PAM register. */
	set_map(&world, PLACE + 0x3000, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	guard_map(&world, PLACE + 0x3000, 0x1000, 0x3000);
	assert_int_equal(lock_pages(&world, MAP_NONE, PLACE), 0);
	for (unsigned int page = 0; page < 8; page++)
		assert_true(is_closed(&world, page));
	assert_int_equal(lock_pages(&world, MAP_ALL, PLACE), 0);
	set_map(&world, PLACE, 0x8000, -1, 0, 0);
	for (unsigned int page = 0; page < 8; page++)
		assert_int_equal(*in_ram(&world, page * 0x1000), SECRET + page);
	end(&world);
}

static void p37_a_page_at_two_gpas_is_guarded_when_one_of_them_leaves(void **state)
{
	struct world world;

	begin_guarded(&world);
	guard_map(&world, PLACE, 0x8000, 0);
	guard_map(&world, ELSEWHERE, 0x2000, 0x1000);
	assert_int_equal(lock_pages(&world, MAP_NONE, PLACE), 0);
	assert_true(is_closed(&world, 1));
	set_map(&world, ELSEWHERE, 0x2000, -1, 0, 0);
	assert_true(is_closed(&world, 1));
	assert_true(is_closed(&world, 2));
	guard_map(&world, ELSEWHERE, 0x8000, 0);
	set_map(&world, PLACE, 0x8000, -1, 0, 0);
	guard_map(&world, PLACE, 0x1000, 0);
	for (unsigned int page = 3; page < 8; page++)
		assert_int_equal(*in_ram(&world, page * 0x1000), 0);
	end(&world);
}

/* A device continues a transfer that began before VTL0 moved the memory. */
static void p37_a_restricted_page_that_leaves_the_map_stays_guarded(void **state)
{
	struct world world;
	uint64_t value = 0;

	begin_guarded(&world);
	guard_map(&world, PLACE, 0x8000, 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	set_map(&world, PLACE + 0x1000, 0x2000, world.rom, 0, VSM_MEMORY_READONLY);
	assert_int_equal(*in_ram(&world, 0x1000), 0);
	*in_ram(&world, 0x1000) = 0x666;
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	*in_ram(&world, 0x2000) = 0x666;
	/* VTL1 unlocks one of the pages meanwhile. */
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x2000), 0);
	guard_map(&world, PLACE + 0x1000, 0x2000, 0x1000);
	assert_true(is_closed(&world, 1));
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	*in_ram(&world, 0x2000) = 0x777;
	assert_true(reads(&world, PLACE + 0x2000, 0x777));
	/* A reset zeroes the page and ends its guard. */
	set_map(&world, PLACE + 0x1000, 0x1000, -1, 0, 0);
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	assert_int_equal(*in_ram(&world, 0x1000), 0);
	*in_ram(&world, 0x1000) = 0x888;
	set_map(&world, PLACE + 0x1000, 0x1000, world.ram, 0x1000, 0);
	assert_int_equal(vsm_memory_peek(world.partition, PLACE + 0x1000, &value, 8), 0);
	assert_int_equal(value, 0x888);
	end(&world);
}

static void p37_a_page_that_left_the_map_has_the_rights_of_its_former_gpas(void **state)
{
	struct world world;

	begin_guarded(&world);
	guard_map(&world, PLACE, 0x8000, 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	set_map(&world, PLACE + 0x2000, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x2000), 0);
	assert_int_equal(*in_ram(&world, 0x2000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	/* The page is added at another GPA without that mapping, and VTL1 locks it there. */
	set_map(&world, ELSEWHERE, 0x1000, world.ram, 0x2000, 0);
	assert_int_equal(lock(&world, MAP_NONE, ELSEWHERE), 0);
	assert_int_equal(*in_ram(&world, 0x2000), 0);
	assert_int_equal(lock(&world, MAP_ALL, ELSEWHERE), 0);
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	/* The page is added at a GPA that VTL1 has locked before. */
	set_map(&world, ELSEWHERE + 0x1000, 0x1000, world.rom, 0, 0);
	assert_int_equal(lock(&world, MAP_NONE, ELSEWHERE + 0x1000), 0);
	set_map(&world, ELSEWHERE + 0x1000, 0x1000, world.ram, 0x2000, 0);
	assert_int_equal(*in_ram(&world, 0x2000), 0);
	*in_ram(&world, 0x2000) = 0x666;
	assert_int_equal(vsm_memory_guard(world.partition, false), 0);
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	assert_int_equal(vsm_memory_guard(world.partition, true), 0);
	assert_int_equal(*in_ram(&world, 0x2000), 0);
	end(&world);
}

static void p37_a_guard_that_was_suspended_has_the_rights_at_its_resumption(void **state)
{
	struct world world;

	begin_guarded(&world);
	guard_map(&world, PLACE, 0x8000, 0);
	assert_int_equal(vsm_memory_guard(world.partition, true), -EALREADY);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x2000), 0);
	assert_true(is_closed(&world, 1));
	set_map(&world, PLACE + 0x2000, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	assert_int_equal(vsm_memory_guard(world.partition, false), 0);
	assert_int_equal(vsm_memory_guard(world.partition, false), -EALREADY);
	for (unsigned int page = 0; page < 8; page++)
		assert_int_equal(*in_ram(&world, page * 0x1000), SECRET + page);
	/* Rights change meanwhile, as by vsm_partition_restore(). */
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x3000), 0);
	assert_int_equal(*in_ram(&world, 0x3000), SECRET + 3);
	assert_int_equal(vsm_memory_guard(world.partition, true), 0);
	assert_true(is_closed(&world, 1));
	assert_int_equal(*in_ram(&world, 0x2000), 0);
	*in_ram(&world, 0x2000) = 0x666;
	assert_true(is_closed(&world, 3));
	guard_map(&world, PLACE + 0x2000, 0x1000, 0x2000);
	assert_true(is_closed(&world, 2));
	*in_ram(&world, 0x4000) = 0x777;
	assert_true(reads(&world, PLACE + 0x4000, 0x777));
	end(&world);
}

/* Returns the bits of the eight pages of the map that the guard denies to the VMM's mapping. */
static uint64_t guarded_pages(struct world *world)
{
	uint64_t bitmap = 0;

	assert_int_equal(vsm_memory_guarded(world->partition, world->ram_bytes, 0x8000, &bitmap),
			 0);
	return bitmap;
}

/* A VMM copies memory of a running guest: pages that it cannot read are listed, or are copied again. */
static void p37_pages_that_a_guard_denies_are_listed(void **state)
{
	enum {
		BEFORE = 0xffff /* so many pages that the list is made in parts */
	};
	static uint64_t large[BEFORE / 64 + 2];
	struct vsm_memory_change logged = {.gpa = PLACE, .size = 0x8000, .flags = VSM_MEMORY_LOG};
	struct world world;
	uint64_t bitmap = 0;

	begin_guarded(&world);
	logged.fd = world.ram;
	logged.host = world.ram_bytes;
	assert_int_equal(vsm_memory_update(world.partition, &logged, 1), 0);
	assert_int_equal(guarded_pages(&world), 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x4000), 0);
	assert_int_equal(guarded_pages(&world), 1u << 1 | 1u << 2 | 1u << 4);
	assert_int_equal(
		vsm_memory_guarded(world.partition, world.ram_bytes + 0x2000, 0x1000, &bitmap), 0);
	assert_int_equal(bitmap, 1);
	memset(large, 0, sizeof(large));
	assert_int_equal(
		vsm_memory_guarded(world.partition,
				   (const void *)((uintptr_t)world.ram_bytes - BEFORE * 0x1000ull),
				   (BEFORE + 8) * 0x1000ull, large),
		0);
	assert_int_equal(large[BEFORE / 64], 0);
	assert_int_equal(large[BEFORE / 64 + 1], 1u << 0 | 1u << 1 | 1u << 3);
	/* Another page replaces a page that the guard denies. */
	assert_true(is_closed(&world, 1));
	set_map(&world, PLACE + 0x1000, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	assert_int_equal(guarded_pages(&world), 1u << 1 | 1u << 2 | 1u << 4);
	/* A page that becomes readable again is recorded as written, since zeros may have been copied. */
	bitmap = 0;
	assert_int_equal(vsm_memory_dirty(world.partition, PLACE, 0x8000, &bitmap), 0);
	assert_true(is_closed(&world, 4));
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x4000), 0);
	assert_int_equal(guarded_pages(&world), 1u << 1 | 1u << 2);
	bitmap = 0;
	assert_int_equal(vsm_memory_dirty(world.partition, PLACE, 0x8000, &bitmap), 0);
	assert_int_equal(bitmap, 1u << 4);
	assert_int_equal(*in_ram(&world, 0x4000), SECRET + 4);
	assert_int_equal(vsm_memory_guarded(world.partition, world.ram_bytes + 1, 0x1000, &bitmap),
			 -EINVAL);
	assert_int_equal(vsm_memory_guarded(world.partition, world.ram_bytes, 0, &bitmap), -EINVAL);
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	assert_int_equal(guarded_pages(&world), 0);
	end(&world);
}

#define PLACES 64u

/* Replaces the backend's guard: records the rights of two mappings' first pages, and counts
 * calls. */
static struct {
	struct backend_ops ops;
	uint8_t *host[2];
	uint8_t access[2];
	unsigned int calls;
} counted;

static int count_add(void *backend, const struct backend_guard *memory)
{
	return 0;
}

static void count_remove(void *backend, void *host, uint64_t pages)
{
}

static int count_protect(void *backend, void *host, uint64_t pages, uint8_t access)
{
	counted.calls++;
	for (unsigned int i = 0; i < 2; i++)
		if (host == counted.host[i])
			counted.access[i] = access;
	return 0;
}

static void begin_counted(struct world *world)
{
	begin(world);
	counted.ops = *world->partition->ops;
	counted.ops.guard_add = count_add;
	counted.ops.guard_remove = count_remove;
	counted.ops.guard_protect = count_protect;
	world->partition->ops = &counted.ops;
	counted.host[0] = world->ram_bytes;
	counted.host[1] = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, world->ram, 0);
	assert_true(counted.host[1] != MAP_FAILED);
}

static void end_counted(struct world *world)
{
	end(world);
	munmap(counted.host[1], FILE_SIZE);
}

static void map_counted(struct world *world, uint64_t gpa, uint8_t *host)
{
	struct vsm_memory_change guarded = change(gpa, 0x1000, world->ram, 0, 0);

	guarded.host = host;
	assert_int_equal(vsm_memory_update(world->partition, &guarded, 1), 0);
}

/* A device may still use either mapping. */
static void p37_each_mapping_of_a_removed_page_has_the_rights_of_all_its_gpas(void **state)
{
	const uint64_t place[2] = {PLACE, ELSEWHERE};
	struct world world;

	begin_counted(&world);
	for (unsigned int i = 0; i < 2; i++) {
		map_counted(&world, place[i], counted.host[i]);
		assert_int_equal(lock(&world, MAP_READ_EXECUTE, place[i]), 0);
		set_map(&world, place[i], 0x1000, -1, 0, 0);
	}
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(lock(&world, MAP_NONE, place[i]), 0);
		assert_int_equal(counted.access[0], 0);
		assert_int_equal(counted.access[1], 0);
		assert_int_equal(lock(&world, MAP_READ_EXECUTE, place[i]), 0);
		assert_true(counted.access[0] & GPA_READ);
		assert_true(counted.access[1] & GPA_READ);
	}
	end_counted(&world);
}

/* VTL0 can move a device's memory at will; the cost of later changes must not grow with the moves. */
static void p37_former_gpas_of_a_page_do_not_multiply_the_changes_of_its_guard(void **state)
{
	struct world world;

	begin_counted(&world);
	for (unsigned int i = 0; i < PLACES; i++) {
		map_counted(&world, PLACE + i * 0x1000, counted.host[0]);
		assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + i * 0x1000), 0);
		set_map(&world, PLACE + i * 0x1000, 0x1000, -1, 0, 0);
	}
	counted.calls = 0;
	set_map(&world, ELSEWHERE, 0x1000, world.rom, 0, 0);
	assert_int_equal(counted.calls, 1);
	map_counted(&world, PLACE, counted.host[0]);
	counted.calls = 0;
	assert_int_equal(lock(&world, MAP_NONE, PLACE), 0);
	assert_int_equal(counted.access[0], 0);
	assert_true(counted.calls <= 3);
	end_counted(&world);
}

static void a_guard_that_the_backend_lacks_is_not_suspended(void **state)
{
	struct world world;
	uint64_t bitmap = 0;

	begin(&world);
	if (world.partition->ops->guard_add) {
		end(&world);
		skip();
	}
	assert_int_equal(vsm_memory_guard(world.partition, false), -ENOTSUP);
	assert_int_equal(vsm_memory_guarded(world.partition, world.ram_bytes, 0x1000, &bitmap),
			 -ENOTSUP);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p37_the_mapping_of_the_vmm_has_the_rights_of_vtl0),
		cmocka_unit_test(p37_a_child_of_the_vmm_has_no_guarded_page),
		cmocka_unit_test(p37_a_mapping_that_was_added_in_parts_is_guarded_as_a_whole),
		cmocka_unit_test(p37_a_page_at_two_gpas_is_guarded_when_one_of_them_leaves),
		cmocka_unit_test(p37_a_restricted_page_that_leaves_the_map_stays_guarded),
		cmocka_unit_test(p37_a_page_that_left_the_map_has_the_rights_of_its_former_gpas),
		cmocka_unit_test(p37_a_guard_that_was_suspended_has_the_rights_at_its_resumption),
		cmocka_unit_test(p37_pages_that_a_guard_denies_are_listed),
		cmocka_unit_test(p37_each_mapping_of_a_removed_page_has_the_rights_of_all_its_gpas),
		cmocka_unit_test(
			p37_former_gpas_of_a_page_do_not_multiply_the_changes_of_its_guard),
		cmocka_unit_test(a_guard_that_the_backend_lacks_is_not_suspended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
