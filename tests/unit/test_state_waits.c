/* SPDX-License-Identifier: BSD-2-Clause */
/* A saved state does not contain the condition that a VP waits for, so a restored VP must not
 * wait. */
#include "core_test.h"

#include "state_test.h"

#define INPUT 0x6000u

static struct vsm_partition *create(void)
{
	struct vsm_partition *partition = guest_partition(2, 1, RAM, NULL);

	sim_clock_step(partition, 0);
	return partition;
}

/* Restores the state to a new partition and checks that the VP executes its pending instruction. */
static void check_continues(const struct guest_saved *file, struct vsm_partition *partition)
{
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);

	assert_int_equal(vsm_partition_restore(partition, file->bytes, file->size), 0);
	assert_int_equal(vp->vtl[0].activity, VP_RUNNING);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
}

/* VTL1 has released the lock; the waiting VP is stopped before it checks the lock. */
static void a_vp_whose_tlb_lock_was_released_continues(void **state)
{
	struct hv_flush_virtual_address_input input = {.processor_mask = 2};
	struct vsm_partition *partition = create(), *other = create();
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vsm_vp *locked = vsm_partition_vp(partition, 1);
	struct guest_saved file;

	guest_enable_vtl(partition, 1);
	vtl_tlb_lock(locked, 1, 0);
	memcpy(guest_ram(partition, INPUT), &input, sizeof(input));
	assert_int_equal(guest_hypercall(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, INPUT, 0, NULL),
			 GUEST_STOPPED);
	vtl_tlb_unlock(locked, 1);
	file = state_save(partition);
	check_continues(&file, other);
	free(file.bytes);
	vsm_partition_destroy(other);
	vsm_partition_destroy(partition);
}

/* The saved time of the next attempt does not apply to the restored clock. */
static void a_restored_vp_does_not_wait_for_the_retry_time_of_another_clock(void **state)
{
	struct vsm_partition *partition = create();
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct guest_saved file;

	vp_retry(vp, vp_tsc(partition) + 1000);
	file = state_save(partition);
	sim_advance(partition, UINT64_C(3600000000000));
	vp_retry(vp, vp_tsc(partition) + 1000);
	check_continues(&file, partition);
	free(file.bytes);
	vsm_partition_destroy(partition);
}

/* No VTL could release such a lock, so a state with it is refused. */
static void a_tlb_is_not_locked_by_a_vtl_that_the_vp_lacks(void **state)
{
	struct hv_translate_virtual_address_output output;
	const struct hv_translate_virtual_address_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = 1,
		.control_flags =
			HV_TRANSLATE_GVA_VALIDATE_READ | HV_TRANSLATE_GVA_TLB_FLUSH_INHIBIT |
			(uint64_t)HV_INPUT_VTL_USE_TARGET << HV_TRANSLATE_GVA_INPUT_VTL_SHIFT,
	};
	struct vsm_partition *partition = create(), *other = create();
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct guest_saved file;

	assert_int_equal(enable_partition(vp, 1, 0), HV_STATUS_SUCCESS);
	assert_int_equal(enable_vp(vp, 0, 1), HV_STATUS_SUCCESS);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	guest_set_long_mode(vp, 1);
	assert_int_equal((uint16_t)guest_call(vp, HV_CALL_TRANSLATE_VIRTUAL_ADDRESS, &input,
					      sizeof(input), &output, sizeof(output)),
			 HV_STATUS_INVALID_VTL_STATE);
	assert_int_equal(atomic_load(&vsm_partition_vp(partition, 1)->tlb_locked[0]), 0);
	file = state_save(partition);
	state_restores_to_the_same(&file, other);
	free(file.bytes);
	vsm_partition_destroy(other);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vp_whose_tlb_lock_was_released_continues),
		cmocka_unit_test(a_restored_vp_does_not_wait_for_the_retry_time_of_another_clock),
		cmocka_unit_test(a_tlb_is_not_locked_by_a_vtl_that_the_vp_lacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
