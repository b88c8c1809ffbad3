/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A partition of two VPs with VTL1, VP 0 in it, for each case of a test.
 */
#ifndef VTL1_FIXTURE_H
#define VTL1_FIXTURE_H

#include "core_test.h"

static struct vsm_partition *partition;
static struct vsm_vp *vp; /* VP 0 */

static int setup(void **state)
{
	(void)state;
	partition = guest_partition(2, 1, RAM, NULL);
	vp = vsm_partition_vp(partition, 0);
	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vsm_partition_destroy(partition);
	return 0;
}

#endif
