/* SPDX-License-Identifier: BSD-2-Clause */
/* The log of written pages if the core's map and the memory slots differ: an undo has failed. */
#include <errno.h>

#include "unit_test.h"
#include "kvm/vcpu/vcpu.h"

static int dirty_of(uint64_t gpn, uint64_t pages)
{
	const struct vsm_log log = {0};
	const struct backend_memory run = {.gpn = gpn, .pages = pages};
	struct vkvm_slot slot = {.gpn = 0x100, .pages = 0x80};
	struct vkvm_backend backend = {.log = &log, .slot = &slot, .slot_count = 1};
	uint64_t bitmap[2] = {0};

	return vkvm_memory_dirty(&backend, &run, bitmap);
}

static void only_a_run_that_is_a_slot_has_a_log(void **state)
{
	(void)state;
	assert_int_equal(dirty_of(0x100, 0x80), 0);
	assert_int_equal(dirty_of(0x100, 0x40), -EINVAL);
	assert_int_equal(dirty_of(0x140, 0x40), -EINVAL);
	assert_int_equal(dirty_of(0x1000, 0x40), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_run_that_is_a_slot_has_a_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
