/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of rights or of the memory map that fail. If the undo fails, too, the rights that the
 * backend enforces are undefined, and no VP may execute guest code any more.
 */
#include "memory_world.h"
#include "state_test.h"

#include <vsm/x86.h>

#include "core/memory/file.h"
#include "core/memory/map.h"
#include "core/memory/protect.h"

static unsigned int calls_until_failure; /* 0: none fails */

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
	if (calls_until_failure && --calls_until_failure == 0)
		return NULL;
	return __real_realloc(memory, size);
}

/* Every second page changes: more ranges than RANGE_BATCH, so the core calls the backend twice. */
#define PAGES 80u

static void secret_pages(struct world *world, uint8_t access)
{
	uint64_t gpn[PAGES];
	size_t done;

	for (unsigned int i = 0; i < PAGES; i++) {
		gpn[i] = PLACE / 0x1000 + 2 * i;
		*in_ram(world, 0x2000 * i) = SECRET;
	}
	set_map(world, PLACE, FILE_SIZE, world->ram, 0, 0);
	assert_int_equal(protect_set(world->partition, 1, -1, gpn, PAGES, access, &done),
			 HV_STATUS_SUCCESS);
}

/* VTL0 would read the secret at PLACE if a VP executed its next instruction. */
static void no_vp_reads_the_secret(struct world *world)
{
	const struct vsm_memory_change none = change(PLACE, 0x1000, -1, 0, 0);
	const struct vsm_exit *exit;

	assert_true(sim_access(world->partition, 0, PLACE / 0x1000) & GPA_READ);
	for (unsigned int round = 0; round < 2; round++) {
		sim_next(world->vp, 0,
			 &(struct sim_action){.kind = SIM_READ, .address = PLACE, .size = 8});
		assert_int_equal(vsm_vp_run(world->vp, &exit), round ? -EIO : 0);
		assert_int_equal(exit->reason, VSM_EXIT_ERROR);
		assert_int_equal(vsm_vp_run(world->vp, &exit), -EIO);
		assert_false(sim_state(world->vp, 0)->done);
		assert_int_equal(sim_state(world->vp, 0)->action.value, 0);
		/* A reset does not enable the VPs. */
		sim_fail(world->partition, SIM_CALL_PROTECT, 0, 0);
		assert_int_equal(vsm_partition_reset(world->partition), -EIO);
		assert_int_equal(vsm_memory_update(world->partition, &none, 1), -EIO);
	}
}

static void no_vp_runs_after_protections_that_could_not_be_restored(void **state)
{
	struct world world;
	uint64_t gpn[PAGES];
	size_t done;

	begin(&world);
	/* Each page is at two GPAs, which change together. */
	set_map(&world, ELSEWHERE, FILE_SIZE, world.ram, 0, 0);
	secret_pages(&world, 0);
	assert_true(nothing_at(&world, PLACE));
	for (unsigned int i = 0; i < PAGES; i++)
		gpn[i] = PLACE / 0x1000 + 2 * i;
	sim_fail_from(world.partition, SIM_CALL_PROTECT, 2, -EIO);
	assert_int_equal(protect_set(world.partition, 1, -1, gpn, PAGES, GPA_ALL, &done),
			 HV_STATUS_OPERATION_FAILED);
	no_vp_reads_the_secret(&world);
	end(&world);
}

static void no_vp_runs_after_a_default_mask_that_could_not_be_restored(void **state)
{
	struct world world;

	begin(&world);
	/* Regions are ranges of their own. */
	for (unsigned int i = 0; i < PAGES; i++)
		set_map(&world, ELSEWHERE + 0x2000 * i, 0x1000, world.ram, 0x1000, 0);
	secret_pages(&world, 0);
	assert_int_equal(protect_set_default(world.partition, 1, 0), HV_STATUS_SUCCESS);
	assert_int_equal(sim_access(world.partition, 0, PLACE / 0x1000), 0);
	sim_fail_from(world.partition, SIM_CALL_PROTECT, 2, -EIO);
	assert_int_equal(protect_set_default(world.partition, 1, GPA_ALL),
			 HV_STATUS_OPERATION_FAILED);
	no_vp_reads_the_secret(&world);
	end(&world);
}

static void no_vp_runs_after_a_map_that_could_not_be_restored(void **state)
{
	struct world world;
	struct vsm_memory_change other;

	begin(&world);
	secret_pages(&world, 0);
	assert_true(nothing_at(&world, PLACE));
	other = change(PLACE, 0x1000, world.rom, 0, 0);
	/* The new page does not get its rights; nor does the old one when it is back. */
	sim_fail_from(world.partition, SIM_CALL_PROTECT, 1, -EIO);
	assert_int_equal(vsm_memory_update(world.partition, &other, 1), -EIO);
	no_vp_reads_the_secret(&world);
	end(&world);
}

static void after_lost_rights_no_call_reports_success(void **state)
{
	struct world world;
	struct vsm_memory_change other;
	struct guest_saved file;
	struct guest_saved later = {0};
	uint64_t written[1] = {0};

	begin(&world);
	secret_pages(&world, 0);
	file = state_save(world.partition);
	other = change(PLACE, 0x1000, world.rom, 0, 0);
	sim_fail_from(world.partition, SIM_CALL_PROTECT, 1, -EIO);
	assert_int_equal(vsm_memory_update(world.partition, &other, 1), -EIO);
	sim_fail(world.partition, SIM_CALL_PROTECT, 0, 0);
	assert_int_equal(vsm_memory_dirty(world.partition, PLACE, 0x1000, written), -EIO);
	assert_int_equal(vsm_partition_save(world.partition, guest_save_write, &later), -EIO);
	assert_int_equal(vsm_partition_restore(world.partition, file.bytes, file.size), -EIO);
	free(later.bytes);
	free(file.bytes);
	end(&world);
}

/* The file that the backend may still use; the core's map has the older one again. */
static void after_lost_rights_files_of_the_new_map_are_kept(void **state)
{
	struct world world;
	struct vsm_memory_change other;
	unsigned int before = 0;
	unsigned int after = 0;

	begin(&world);
	secret_pages(&world, 0);
	for (struct ram_file *file = world.partition->memory.file; file; file = file->next)
		before++;
	other = change(PLACE, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	sim_fail_from(world.partition, SIM_CALL_PROTECT, 1, -EIO);
	assert_int_equal(vsm_memory_update(world.partition, &other, 1), -EIO);
	for (struct ram_file *file = world.partition->memory.file; file; file = file->next)
		after++;
	assert_int_equal(after, before + 1);
	end(&world);
}

/* The backend has the registers, as after each exit of KVM, and cannot be read. */
static void without_the_registers_no_call_reports_success(void **state)
{
	struct world world;
	static struct vsm_x86_state x86 = {.size = sizeof(x86)};
	const uint32_t rip = HV_X64_REGISTER_RIP;
	union hv_register_value value;
	struct guest_saved file;
	struct guest_saved later = {0};

	(void)state;
	begin(&world);
	file = state_save(world.partition);
	world.partition->ops->disable(world.partition->backend);
	for (unsigned int vtl = 0; vtl < 2; vtl++)
		world.vp->cpu[vtl]->valid = 0;
	assert_int_equal(vsm_partition_restore(world.partition, file.bytes, file.size), -EIO);
	for (unsigned int vtl = 0; vtl < 2; vtl++)
		world.vp->cpu[vtl]->valid = 0;
	assert_int_equal(vsm_partition_reset(world.partition), -EIO);
	world.vp->broken = false;
	world.vp->unread = false;
	world.vp->cpu[0]->valid = 0;
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(vsm_vp_get_registers(world.vp, 0, &rip, &value, 1), 0);
		assert_int_equal(vsm_vp_get_x86(world.vp, 0, &x86, VSM_X86_GENERAL), -EIO);
	}
	world.vp->broken = false;
	world.vp->cpu[0]->valid = 0;
	assert_int_equal(vsm_partition_save(world.partition, guest_save_write, &later), -EIO);
	assert_int_not_equal(later.size, 0);
	/* The VP is known to have failed: nothing is written. */
	later.size = 0;
	assert_int_equal(vsm_partition_save(world.partition, guest_save_write, &later), -EIO);
	assert_int_equal(later.size, 0);
	free(later.bytes);
	free(file.bytes);
	end(&world);
}

/* A restored protection of a GPA without RAM: the maps of protections grow. */
static void without_memory_a_gpa_stays_unknown(void **state)
{
	struct world world;
	uint64_t pages;

	begin(&world);
	secret_pages(&world, 0);
	pages = world.partition->memory.page_count;
	/* The list of spans has grown; the maps cannot. */
	calls_until_failure = 2;
	assert_int_equal(memory_map_number_pages(world.partition, 0x100000, 0x100000), -ENOMEM);
	assert_int_equal(world.partition->memory.page_count, pages);
	assert_int_equal(memory_map_number_pages(world.partition, 0x100000, 0x100000), 0);
	assert_int_equal(world.partition->memory.page_count, pages + 0x100000);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_vp_runs_after_protections_that_could_not_be_restored),
		cmocka_unit_test(no_vp_runs_after_a_default_mask_that_could_not_be_restored),
		cmocka_unit_test(no_vp_runs_after_a_map_that_could_not_be_restored),
		cmocka_unit_test(after_lost_rights_no_call_reports_success),
		cmocka_unit_test(after_lost_rights_files_of_the_new_map_are_kept),
		cmocka_unit_test(without_the_registers_no_call_reports_success),
		cmocka_unit_test(without_memory_a_gpa_stays_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
