/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition for each test. Include this header last: others have parameters named `partition` and
 * `vp`. */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include "unit_test.h"
#include "sim/sim_guest.h"

#define FIXTURE_RAM (16u << 20)

static struct vsm_partition *partition;
static struct vsm_vp *vp; /* VP 0 */

static inline int fixture(uint32_t vps, uint8_t max_vtl)
{
	partition = guest_partition(vps, max_vtl, FIXTURE_RAM, NULL);
	vp = vsm_partition_vp(partition, 0);
	return 0;
}

/* VTL1 is enabled on all VPs, and VP 0 is in it. */
static inline int fixture_in_vtl1(uint32_t vps, uint8_t max_vtl)
{
	(void)fixture(vps, max_vtl);
	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	return 0;
}

static inline int teardown(void **state)
{
	vsm_partition_destroy(partition);
	return 0;
}

#endif
