/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "core/memory/overlay.h"
#include "core_test.h"
#include "vp_fixture.h"

#define SINT   4u
#define VECTOR 0x60u

static bool out_of_memory;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

/* Linked in place of calloc(): allocations for messages fail, all others succeed. */
void *__wrap_calloc(size_t count, size_t size)
{
	return out_of_memory && size == sizeof(struct hv_message) ? NULL
								  : __real_calloc(count, size);
}

static int post_type(struct vsm_partition *partition, uint32_t type)
{
	const struct hv_message message = {.message_type = type};

	return vsm_message_post(partition, 0, 0, SINT, &message);
}

static uint32_t take_message(struct vsm_vp *vp)
{
	struct hv_message *slot = &((struct hv_message_page *)(void *)overlay_memory(
					    vp->partition, OVERLAY_SIM, 0, vp->index))
					   ->slot[SINT];
	uint32_t type = slot->message_type;

	slot->message_type = HV_MESSAGE_TYPE_NONE;
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_EOM, 0), GUEST_DONE);
	return type;
}

static void a_message_without_memory_is_refused_and_accepted_later(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	enable_synic(vp, SINT, VECTOR | HV_SYNIC_SINT_AUTO_EOI);
	out_of_memory = true;
	/* A message in the slot needs no memory. */
	assert_int_equal(post_type(partition, 1), 0);
	assert_int_equal(post_type(partition, 2), -EAGAIN);
	out_of_memory = false;
	assert_int_equal(post_type(partition, 3), 0);
	out_of_memory = true;
	/* The allocated queue has its full length. */
	for (uint32_t type = 4; type < 3 + SYNIC_QUEUE_MAX; type++)
		assert_int_equal(post_type(partition, type), 0);
	assert_int_equal(post_type(partition, 99), -EAGAIN);
	out_of_memory = false;
	assert_int_equal(take_message(vp), 1);
	for (uint32_t type = 3; type < 3 + SYNIC_QUEUE_MAX; type++)
		assert_int_equal(take_message(vp), type);
	assert_int_equal(take_message(vp), 0);
}

static void a_reset_frees_the_memory(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	enable_synic(vp, SINT, VECTOR);
	assert_null(vp->vtl[0].synic.queue[SINT].message);
	assert_int_equal(post_type(partition, 1), 0);
	assert_null(vp->vtl[0].synic.queue[SINT].message);
	assert_int_equal(post_type(partition, 2), 0);
	assert_non_null(vp->vtl[0].synic.queue[SINT].message);
	assert_int_equal(vsm_partition_reset(partition), 0);
	assert_null(vp->vtl[0].synic.queue[SINT].message);
}

static void a_restore_without_memory_fails_and_a_reset_recovers(void **state)
{
	struct guest_saved saved = {0};
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	const struct vsm_exit *exit;

	enable_synic(vp, SINT, VECTOR);
	assert_int_equal(post_type(partition, 1), 0);
	assert_int_equal(post_type(partition, 2), 0);
	assert_int_equal(vsm_partition_save(partition, guest_save_write, &saved), 0);
	out_of_memory = true;
	assert_int_equal(vsm_partition_restore(partition, saved.bytes, saved.size), -ENOMEM);
	out_of_memory = false;
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_ERROR);
	assert_int_equal(vsm_vp_run(vp, &exit), -EIO);
	assert_int_equal(vsm_partition_reset(partition), 0);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_INTERRUPTED);
	free(saved.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_without_memory_is_refused_and_accepted_later, 1, 0),
		TEST(a_reset_frees_the_memory, 1, 0),
		TEST(a_restore_without_memory_fails_and_a_reset_recovers, 1, 0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
