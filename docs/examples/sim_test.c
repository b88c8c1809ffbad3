/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The example of docs/sim.md: a test of the core on the sim backend.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "listener.h"
#include "needs.h"

/* clang-format off */
/* quoted in docs/sim.md: */
static void vtl1_receives_an_intercept_of_a_denied_write(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, 16u << 20, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const struct {
		struct hv_modify_vtl_protection_mask_input head;
		uint64_t page;
	} read_only = {
		{.partition_id = HV_PARTITION_ID_SELF, .map_flags = HV_MAP_GPA_READABLE},
		0x200,
	};
	struct hv_message message;

	(void)state;
	listener_create(partition, 1);                         /* VTL1, with protections and SINT0 */
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);      /* VTL1 is active now */
	guest_call(vp, HV_CALL_MODIFY_VTL_PROTECTION_MASK | UINT64_C(1) << 32, &read_only,
		   sizeof(read_only), NULL, 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);

	assert_int_equal(guest_write(vp, 0x200008, 8, 42), GUEST_STOPPED);
	message = listener_take(vp, 1);                        /* fails if VTL1 was not entered */
	assert_int_equal(message.message_type, HV_MESSAGE_TYPE_GPA_INTERCEPT);
	assert_int_equal(*guest_ram(partition, 0x200008), 0);  /* nothing was written */
	vsm_partition_destroy(partition);
}
/* end of quote */
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_needs(NEED_DENY_EXECUTE, vtl1_receives_an_intercept_of_a_denied_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
