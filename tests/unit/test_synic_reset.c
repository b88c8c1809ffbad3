/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another thread of the VMM posts to a SynIC while the partition is saved, reset or restored. Functions
 * that are linked in place of those of the core, or called by it, post at this point, since such a
 * thread can post at any point.
 */
#include <errno.h>

#include "core/memory/overlay.h"
#include "core/state/state.h"
#include "core_test.h"
#include "state_test.h"
#include "vp_fixture.h"

#define SINT   2u
#define VECTOR 0x70u
#define FLAG   5u
#define TYPE   9u

static enum {
	NEVER,
	IN_SAVE,
	IN_RESET,
	IN_RESTORE
} when;
static int message_result;
static int flag_result;

static void post_both(struct vsm_partition *partition)
{
	const struct hv_message message = {.message_type = TYPE};

	when = NEVER;
	message_result = vsm_message_post(partition, 0, 0, SINT, &message);
	flag_result = vsm_event_signal(partition, 0, 0, SINT, FLAG);
}

void __real_intercept_reset(struct vsm_partition *partition);
void __wrap_intercept_reset(struct vsm_partition *partition);
void __real_synic_mark_waiting(struct vsm_vp *vp, uint8_t vtl, uint16_t sints);
void __wrap_synic_mark_waiting(struct vsm_vp *vp, uint8_t vtl, uint16_t sints);

/* In a reset: after the overlay pages are cleared, before the VPs are reset. */
void __wrap_intercept_reset(struct vsm_partition *partition)
{
	if (when == IN_RESET)
		post_both(partition);
	__real_intercept_reset(partition);
}

/* In a restore: after the messages of the saved state are in their queues. */
void __wrap_synic_mark_waiting(struct vsm_vp *vp, uint8_t vtl, uint16_t sints)
{
	if (when == IN_RESTORE)
		post_both(vp->partition);
	__real_synic_mark_waiting(vp, vtl, sints);
}

static uint64_t flag_word(struct vsm_vp *vp)
{
	uint64_t value;

	assert_int_equal(guest_read(vp, SIEF_GPA(0) + SINT * 256u, 8, &value), GUEST_DONE);
	return value;
}

static void a_message_that_is_posted_during_a_reset_does_not_survive_it(void **state)
{
	struct vsm_vp *vp = *state;

	enable_synic(vp, SINT, VECTOR);
	when = IN_RESET;
	assert_int_equal(vsm_partition_reset(vp->partition), 0);
	assert_int_equal(when, NEVER);
	assert_int_equal(message_result, -EAGAIN);
	assert_int_equal(flag_result, -EAGAIN);

	guest_set_long_mode(vp, 0);
	set_if(vp, 0, true);
	enable_synic(vp, SINT, VECTOR);
	guest_run(vp);
	assert_int_equal(slot_field(vp, SINT, 0, 4), HV_MESSAGE_TYPE_NONE);
	assert_int_equal(flag_word(vp), 0);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
}

static void an_accepted_message_that_is_posted_during_a_restore_has_its_interrupt(void **state)
{
	struct vsm_vp *vp = *state;
	struct guest_saved file;

	set_if(vp, 0, true);
	enable_synic(vp, SINT, VECTOR);
	file = state_save(vp->partition);
	when = IN_RESTORE;
	assert_int_equal(vsm_partition_restore(vp->partition, file.bytes, file.size), 0);
	free(file.bytes);
	assert_int_equal(when, NEVER);
	assert_int_equal(message_result, 0);
	assert_int_equal(flag_result, 1);

	guest_run(vp);
	assert_int_equal(slot_field(vp, SINT, 0, 4), TYPE);
	assert_int_equal(flag_word(vp), UINT64_C(1) << FLAG);
	assert_true(was_delivered(vp, 0, VECTOR, 0));
}

static struct hv_message *slot_of(struct vsm_vp *vp)
{
	return &((struct hv_message_page *)(void *)overlay_memory(vp->partition, OVERLAY_SIM, 0,
								  vp->index))
			->slot[SINT];
}

static struct vsm_partition *saved_partition;

/* In a save: when the first message is written. */
static int keep_and_post(void *opaque, const void *data, size_t size)
{
	const struct state_record *record = data;

	if (when == IN_SAVE && size == sizeof(*record) && !strcmp(record->name, "message"))
		post_both(saved_partition);
	return guest_save_write(opaque, data, size);
}

static void messages_posted_before_a_save_are_saved_once_despite_a_post_during_it(void **state)
{
	struct vsm_vp *vp = *state;
	struct guest_saved file = {0};

	enable_synic(vp, SINT, VECTOR);
	for (uint32_t type = 1; type <= 4; type++) {
		const struct hv_message message = {.message_type = type};

		assert_int_equal(vsm_message_post(vp->partition, 0, 0, SINT, &message), 0);
	}
	/* The guest has read the first message, and is stopped before its EOM. */
	assert_int_equal(slot_of(vp)->message_type, 1);
	slot_of(vp)->message_type = HV_MESSAGE_TYPE_NONE;
	saved_partition = vp->partition;
	when = IN_SAVE;
	assert_int_equal(vsm_partition_save(vp->partition, keep_and_post, &file), 0);
	assert_int_equal(when, NEVER);
	assert_int_equal(message_result, 0);
	assert_int_equal(vsm_partition_restore(vp->partition, file.bytes, file.size), 0);
	free(file.bytes);
	for (uint32_t type = 2; type <= 4; type++) {
		guest_run(vp);
		assert_int_equal(slot_of(vp)->message_type, type);
		slot_of(vp)->message_type = HV_MESSAGE_TYPE_NONE;
		wrmsr(vp, HV_X64_MSR_EOM, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_posted_before_a_save_are_saved_once_despite_a_post_during_it, 1, 0),
		TEST(a_message_that_is_posted_during_a_reset_does_not_survive_it, 1, 0),
		TEST(an_accepted_message_that_is_posted_during_a_restore_has_its_interrupt, 1, 0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
