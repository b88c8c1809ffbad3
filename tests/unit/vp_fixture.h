/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition for each test of a list, which gets VP 0 as *state. Its number of VPs and its highest VTL are in
 * the row of the test: TEST(name, 2, 1). */
#ifndef TEST_VP_FIXTURE_H
#define TEST_VP_FIXTURE_H

#include "unit_test.h"
#include "core/partition.h"
#include "core/vp/vp.h"
#include "needs.h"
#include "sim/sim_guest.h"

static inline int set_up_vp(void **state, uint32_t vps, uint8_t max_vtl)
{
	*state = vsm_partition_vp(guest_partition(vps, max_vtl, 16u << 20, NULL), 0);
	return 0;
}

#define SET_UP_VP(vps, max_vtl)                                     \
	static inline int set_up_vp_##vps##_##max_vtl(void **state) \
	{                                                           \
		return set_up_vp(state, vps, max_vtl);              \
	}
SET_UP_VP(1, 0)
SET_UP_VP(1, 1)
SET_UP_VP(1, 2)
SET_UP_VP(2, 0)
SET_UP_VP(2, 1)
SET_UP_VP(2, 2)
SET_UP_VP(3, 1)
SET_UP_VP(4, 1)

static inline int tear_down_vp(void **state)
{
	vsm_partition_destroy(((struct vsm_vp *)*state)->partition);
	return 0;
}

#define TEST(test, vps, max_vtl) \
	cmocka_unit_test_setup_teardown(test, set_up_vp_##vps##_##max_vtl, tear_down_vp)
#define TEST_NEEDS_VP(need, test, vps, max_vtl)                                                   \
	cmocka_unit_test_prestate_setup_teardown(test, set_up_vp_##vps##_##max_vtl, tear_down_vp, \
						 (void *)(uintptr_t)(need))

#endif
