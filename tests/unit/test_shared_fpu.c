/* SPDX-License-Identifier: BSD-2-Clause */
/* A backend with one XSAVE area for all VTLs of a VP: VTL switches do not copy it, and operations
 * on one VTL must not change it. Each case also runs with one area per VTL. */
#include "core_test.h"

#include <stdlib.h>

static struct vsm_partition *make(bool shared)
{
	const struct sim_options options = {.fpu_shared = shared};

	return guest_partition(1, 2, RAM, &options);
}

static void set_xmm(struct vsm_vp *vp, uint8_t vtl, uint64_t low)
{
	const uint32_t name = HV_X64_REGISTER_XMM5;
	const union hv_register_value value = {.reg128 = {.low = low, .high = ~low}};

	assert_int_equal(vsm_vp_set_registers(vp, vtl, &name, &value, 1), 1);
}

static uint64_t xmm(struct vsm_vp *vp, uint8_t vtl)
{
	const uint32_t name = HV_X64_REGISTER_XMM5;
	union hv_register_value value;

	assert_int_equal(vsm_vp_get_registers(vp, vtl, &name, &value, 1), 1);
	assert_int_equal(value.reg128.high, ~value.reg128.low);
	return value.reg128.low;
}

/* shows: rule shared-fpu */
static void both_vtls_read_a_value_that_either_of_them_wrote(void **state)
{
	for (unsigned int shared = 0; shared < 2; shared++) {
		struct vsm_partition *partition = make(shared);
		struct vsm_vp *vp = vsm_partition_vp(partition, 0);

		guest_enable_vtl(partition, 1);
		set_xmm(vp, 0, 0x1111);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(xmm(vp, 1), 0x1111);
		set_xmm(vp, 1, 0x2222);
		assert_int_equal(xmm(vp, 0), 0x2222);
		assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
		assert_int_equal(xmm(vp, 0), 0x2222);
		vsm_partition_destroy(partition);
	}
}

static void enabling_a_vtl_does_not_change_the_registers_of_the_active_one(void **state)
{
	for (unsigned int shared = 0; shared < 2; shared++) {
		struct vsm_partition *partition = make(shared);
		struct vsm_vp *vp = vsm_partition_vp(partition, 0);

		set_xmm(vp, 0, 0x3333);
		guest_enable_vtl(partition, 1);
		assert_int_equal(xmm(vp, 0), 0x3333);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		assert_int_equal(xmm(vp, 1), 0x3333);
		vsm_partition_destroy(partition);
	}
}

static void a_reset_clears_sse_registers(void **state)
{
	const uint32_t name = HV_X64_REGISTER_XMM5;
	union hv_register_value value;

	for (unsigned int shared = 0; shared < 2; shared++) {
		struct vsm_partition *partition = make(shared);
		struct vsm_vp *vp = vsm_partition_vp(partition, 0);

		guest_enable_vtl(partition, 1);
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
		set_xmm(vp, 1, 0x4444);
		assert_int_equal(vsm_partition_reset(partition), 0);
		assert_int_equal(vp->active_vtl, 0);
		assert_int_equal(vsm_vp_get_registers(vp, 0, &name, &value, 1), 1);
		assert_int_equal(value.reg128.low, 0);
		assert_int_equal(value.reg128.high, 0);
		vsm_partition_destroy(partition);
	}
}

/* The separate area of an inactive VTL has stale values, which must not be restored. */
static void a_saved_state_is_restored_from_either_kind_of_backend_to_either(void **state)
{
	for (unsigned int way = 0; way < 4; way++) {
		struct vsm_partition *partition = make(way & 1);
		struct vsm_partition *other = make(way & 2);
		struct vsm_vp *vp = vsm_partition_vp(partition, 0);
		struct vsm_vp *restored = vsm_partition_vp(other, 0);
		struct guest_saved file = {0};
		uint8_t active = 0;

		guest_enable_vtl(partition, 1);
		set_xmm(vp, 0, 0x5555);
		for (; active < 2; active++) {
			if (active)
				assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
			set_xmm(vp, active, 0x6666u + active);
			file.size = 0;
			assert_int_equal(vsm_partition_save(partition, guest_save_write, &file), 0);
			assert_int_equal(vsm_partition_restore(other, file.bytes, file.size), 0);
			assert_int_equal(restored->active_vtl, active);
			assert_int_equal(xmm(restored, active), 0x6666u + active);
		}
		memcpy(guest_ram(other, 0), guest_ram(partition, 0), RAM);
		assert_int_equal(guest_vtl_return(restored, true), GUEST_DONE);
		assert_int_equal(xmm(restored, 0), 0x6667);
		free(file.bytes);
		vsm_partition_destroy(partition);
		vsm_partition_destroy(other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_vtls_read_a_value_that_either_of_them_wrote),
		cmocka_unit_test(enabling_a_vtl_does_not_change_the_registers_of_the_active_one),
		cmocka_unit_test(a_reset_clears_sse_registers),
		cmocka_unit_test(a_saved_state_is_restored_from_either_kind_of_backend_to_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
