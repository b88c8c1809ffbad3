/* SPDX-License-Identifier: BSD-2-Clause */
/* The SynIC of each VTL, and connections (TLFS "Inter-partition communication"). */
#include "core_test.h"
#include "vp_fixture.h"

#define SINT   3
#define VECTOR 0x70

static struct vsm_vp *with_synic(struct vsm_vp *vp, uint64_t sint)
{
	set_if(vp, 0, true);
	enable_synic(vp, SINT, sint);
	return vp;
}

static int post_message(struct vsm_partition *partition, uint8_t vtl, uint32_t type)
{
	struct hv_message message = {.message_type = type, .payload_size = 8, .sender = 7};

	message.payload[0] = UINT64_C(0x1000) + type;
	return vsm_message_post(partition, 0, vtl, SINT, &message);
}

static void free_slot(struct vsm_vp *vp)
{
	assert_int_equal(guest_write(vp, SIM_GPA(vp->active_vtl) + 256 * SINT, 4, 0), GUEST_DONE);
}

/* TLFS "SynIC Message Page": the layout, and the interrupt. */
static void a_message_goes_into_its_slot_and_raises_the_vector(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;

	assert_int_equal(post_message(partition, 0, 5), 0);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, VECTOR, 0));
	assert_int_equal(slot_field(vp, SINT, 0, 4), 5);
	assert_int_equal(slot_field(vp, SINT, 4, 1), 8);
	assert_int_equal(slot_field(vp, SINT, 5, 1), 0);
	assert_int_equal(slot_field(vp, SINT, 6, 2), 0);
	assert_int_equal(slot_field(vp, SINT, 8, 8), 7);
	assert_int_equal(slot_field(vp, SINT, 16, 8), 0x1005);
	assert_int_equal(slot_field(vp, SINT, 24, 8), 0);
}

/* TLFS "Message delivery": a busy slot gets MessagePending; the next message is delivered after EOM. */
/* shows: rule synic-messages */
static void a_busy_slot_is_marked_and_eom_delivers_the_next_in_order(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;

	for (uint32_t type = 1; type <= 4; type++)
		assert_int_equal(post_message(partition, 0, type), 0);
	guest_run(vp);
	for (uint32_t type = 1; type <= 4; type++) {
		assert_int_equal(slot_field(vp, SINT, 0, 4), type);
		assert_int_equal(slot_field(vp, SINT, 5, 1),
				 type < 4 ? HV_MESSAGE_FLAG_PENDING : 0);
		assert_int_equal(slot_field(vp, SINT, 16, 8), 0x1000 + type);
		eoi(vp);
		/* At the EOI the slot was busy: it still has the same message. */
		assert_int_equal(slot_field(vp, SINT, 0, 4), type);
		free_slot(vp);
		assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_EOM, 0), GUEST_DONE);
		guest_run(vp);
		assert_int_equal(sim_state(vp, 0)->interrupts, type < 4 ? type + 1 : 4);
	}
	assert_int_equal(slot_field(vp, SINT, 0, 4), 0);
}

/* An EOI of the SINT's vector has the effect of EOM. */
static void an_eoi_of_the_vector_delivers_the_next_message(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;

	assert_int_equal(post_message(partition, 0, 1), 0);
	assert_int_equal(post_message(partition, 0, 2), 0);
	guest_run(vp);
	free_slot(vp);
	eoi(vp);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 2);
}

/* The guest frees the slot and writes neither EOM nor EOI: the next exit delivers the message. */
static void a_slot_that_is_freed_without_eom_gets_the_next_message(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR | HV_SYNIC_SINT_AUTO_EOI);
	struct vsm_partition *partition = vp->partition;

	assert_int_equal(post_message(partition, 0, 1), 0);
	assert_int_equal(post_message(partition, 0, 2), 0);
	guest_run(vp);
	free_slot(vp);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 2);
	assert_int_equal(sim_state(vp, 0)->interrupts, 2);
}

static void the_queue_is_bounded_and_nothing_accepted_is_lost(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR | HV_SYNIC_SINT_AUTO_EOI);
	struct vsm_partition *partition = vp->partition;
	uint32_t accepted = 0;

	while (post_message(partition, 0, accepted + 1) == 0)
		accepted++;
	assert_int_equal(accepted, SYNIC_QUEUE_MAX + 1); /* one message is in the slot */
	assert_int_equal(post_message(partition, 0, 99), -EAGAIN);
	for (uint32_t type = 1; type <= accepted; type++) {
		assert_int_equal(slot_field(vp, SINT, 0, 4), type);
		free_slot(vp);
		assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_EOM, 0), GUEST_DONE);
	}
	assert_int_equal(slot_field(vp, SINT, 0, 4), 0);
}

static void a_masked_sint_accepts_no_message(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;

	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SCONTROL, 0), GUEST_DONE);
	assert_int_equal(post_message(partition, 0, 1), -EAGAIN);
	assert_int_equal(vsm_event_signal(partition, 0, 0, SINT, 0), -EAGAIN);
	assert_int_equal(vsm_sint_assert(partition, 0, 0, SINT), -EAGAIN);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SCONTROL, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, SIM_GPA(0)), GUEST_DONE);
	assert_int_equal(post_message(partition, 0, 1), -EAGAIN);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, SIM_GPA(0) | 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIEFP, 0), GUEST_DONE);
	assert_int_equal(vsm_event_signal(partition, 0, 0, SINT, 0), -EAGAIN);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, VECTOR | HV_SYNIC_SINT_MASKED),
			 GUEST_DONE);
	assert_int_equal(post_message(partition, 0, 1), -EAGAIN);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
	assert_int_equal(post_message(partition, 1, 1), -EAGAIN);
}

static void unmasking_delivers_queued_messages(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;

	assert_int_equal(post_message(partition, 0, 1), 0);
	assert_int_equal(post_message(partition, 0, 2), 0);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, VECTOR | HV_SYNIC_SINT_MASKED),
			 GUEST_DONE);
	free_slot(vp);
	guest_run(vp);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 0);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, VECTOR), GUEST_DONE);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 2);
}

/* TLFS "EOM Register": "a way to drain the message queue for a SINTx that has been disabled (that is,
 * masked)". */
/* shows: rule synic-masked; msr HV_X64_MSR_EOM */
static void eom_drains_the_queue_of_a_masked_sint_without_an_interrupt(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;
	uint64_t interrupts;

	for (uint32_t type = 1; type <= 3; type++)
		assert_int_equal(post_message(partition, 0, type), 0);
	guest_run(vp);
	eoi(vp);
	interrupts = sim_state(vp, 0)->interrupts;
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, VECTOR | HV_SYNIC_SINT_MASKED),
			 GUEST_DONE);
	for (uint32_t type = 2; type <= 3; type++) {
		free_slot(vp);
		assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_EOM, 0), GUEST_DONE);
		assert_int_equal(slot_field(vp, SINT, 0, 4), type);
	}
	assert_int_equal(post_message(partition, 0, 4), -EAGAIN);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, interrupts);
}

/* TLFS "SINTx Registers": Polling "will have the effect of unmasking an interrupt source", without an
 * interrupt. */
/* shows: rule synic-polling */
static void a_masked_sint_that_is_polled_accepts_messages_and_events(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;

	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT,
				     VECTOR | HV_SYNIC_SINT_MASKED | HV_SYNIC_SINT_POLLING),
			 GUEST_DONE);
	assert_int_equal(post_message(partition, 0, 1), 0);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 1);
	assert_int_equal(vsm_event_signal(partition, 0, 0, SINT, 5), 1);
	assert_int_equal(vsm_sint_assert(partition, 0, 0, SINT), 0);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
}

/* TLFS "SINTx Registers": AutoEOI, Polling. */
/* shows: rule synic-auto-eoi; feature SintPollingMode */
static void auto_eoi_leaves_nothing_in_service_and_polling_raises_no_interrupt(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR | HV_SYNIC_SINT_AUTO_EOI);
	struct vsm_partition *partition = vp->partition;

	assert_int_equal(post_message(partition, 0, 1), 0);
	guest_run(vp);
	assert_true(was_delivered(vp, 0, VECTOR, 0));
	assert_int_equal(vsm_lapic_highest_isr(&vp->vtl[0].lapic), -1);
	free_slot(vp);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, HV_SYNIC_SINT_POLLING),
			 GUEST_DONE);
	assert_int_equal(post_message(partition, 0, 2), 0);
	guest_run(vp);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 2);
	assert_int_equal(sim_state(vp, 0)->interrupts, 1);
}

/* TLFS "SynIC Event Flags Page": set atomically, an interrupt only when a flag becomes set. */
/* shows: rule synic-events */
static void an_event_flag_interrupts_once_until_it_is_cleared(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;
	uint64_t value;

	assert_int_equal(vsm_event_signal(partition, 0, 0, SINT, 2047), 1);
	assert_int_equal(vsm_event_signal(partition, 0, 0, SINT, 2047), 0);
	assert_int_equal(vsm_event_signal(partition, 0, 0, SINT, 2048), -EINVAL);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 1);
	assert_int_equal(guest_read(vp, SIEF_GPA(0) + 256 * SINT + 255, 1, &value), GUEST_DONE);
	assert_int_equal(value, 0x80);
	eoi(vp);
	assert_int_equal(guest_write(vp, SIEF_GPA(0) + 256 * SINT + 255, 1, 0), GUEST_DONE);
	assert_int_equal(vsm_event_signal(partition, 0, 0, SINT, 2047), 1);
	guest_run(vp);
	assert_int_equal(sim_state(vp, 0)->interrupts, 2);
}

/* shows: rule private-synic */
static void p02_a_synic_belongs_to_one_vtl(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;
	uint64_t value;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	set_if(vp, 1, true);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_SIMP, &value), GUEST_DONE);
	assert_int_equal(value, 0);
	enable_synic(vp, SINT, 0x90);
	assert_int_equal(post_message(partition, 1, 1), 0);
	guest_run(vp);
	assert_true(was_delivered(vp, 1, 0x90, 0));
	assert_int_equal(slot_field(vp, SINT, 0, 4), 1);
	eoi(vp);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, HV_SYNIC_SINT_RESET), GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_SINT0 + SINT, &value), GUEST_DONE);
	assert_int_equal(value, VECTOR);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 0);
	assert_int_equal(sim_state(vp, 0)->interrupts, 0);
}

static void p13_a_message_for_a_higher_vtl_enters_it_from_a_halt(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;

	guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	enable_synic(vp, SINT, VECTOR);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	set_if(vp, 0, false);
	assert_int_equal(guest_halt(vp), GUEST_DONE);
	assert_int_equal(post_message(partition, 1, 1), 0);
	guest_run(vp);
	assert_int_equal(vp->active_vtl, 1);
}

/* TLFS "SINTx Registers", "SVERSION", "EOM". */
/* shows: msr HV_X64_MSR_SVERSION, HV_X64_MSR_EOM, HV_X64_MSR_SIMP */
static void synic_msrs_check_written_values(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	uint64_t value;

	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_SVERSION, &value), GUEST_DONE);
	assert_int_equal(value, 1);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SVERSION, 1), GUEST_FAULT);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_EOM, &value), GUEST_DONE);
	assert_int_equal(value, 0);
	for (uint64_t vector = 0; vector < 16; vector++)
		assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, vector), GUEST_FAULT);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, 16), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, 0x10000), GUEST_DONE);
	/* Reserved bits read back as written. */
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + SINT, 0x8000000000001034), GUEST_DONE);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_SINT0 + SINT, &value), GUEST_DONE);
	assert_int_equal(value, 0x8000000000001034);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, UINT64_C(1) << 60 | 1), GUEST_FAULT);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_SIMP, &value), GUEST_DONE);
	assert_int_equal(value, SIM_GPA(0) | 1);
}

static void the_message_page_moves_with_its_contents(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;
	uint64_t value;

	assert_int_equal(post_message(partition, 0, 1), 0);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, 0x60001), GUEST_DONE);
	assert_int_equal(guest_read(vp, 0x60000 + 256 * SINT, 4, &value), GUEST_DONE);
	assert_int_equal(value, 1);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 0); /* the RAM at the old GPA */
}

struct received {
	uint32_t calls;
	uint32_t id;
	uint32_t type;
	size_t size;
	uint8_t data[240];
};

static void receive(void *opaque, uint32_t id, uint32_t type, const void *data, size_t size)
{
	struct received *received = opaque;

	received->calls++;
	received->id = id;
	received->type = type;
	received->size = size;
	memcpy(received->data, data, size);
}

static uint16_t guest_post(struct vsm_vp *vp, uint32_t id, uint32_t type, uint32_t size)
{
	struct hv_post_message_input input = {
		.connection_id = id, .message_type = type, .payload_size = size};

	memset(input.payload, 0x3c, sizeof(input.payload));
	return (uint16_t)guest_call(vp, HV_CALL_POST_MESSAGE, &input, sizeof(input), NULL, 0);
}

static uint16_t guest_signal(struct vsm_vp *vp, uint32_t id, uint16_t flag)
{
	struct hv_signal_event_input input = {.connection_id = id, .flag_number = flag};

	return (uint16_t)guest_call(vp, HV_CALL_SIGNAL_EVENT, &input, sizeof(input), NULL, 0);
}

/* TLFS "HvCallPostMessage" */
/* shows: hypercall HvCallPostMessage */
static void a_guest_posts_a_message_to_the_vmm(void **state)
{
	struct vsm_vp *vp = *state;
	struct vsm_partition *partition = vp->partition;
	struct received received = {0};
	struct vsm_connection connection = {.id = 4, .fn = receive, .opaque = &received};
	const struct hv_post_message_input reserved = {
		.connection_id = 4, .reserved = 1, .message_type = 1, .payload_size = 10};

	assert_int_equal(guest_post(vp, 4, 1, 10), HV_STATUS_INVALID_CONNECTION_ID);
	assert_int_equal(vsm_connection_add(partition, &connection), 0);
	assert_int_equal(vsm_connection_add(partition, &connection), -EEXIST);
	assert_int_equal(guest_post(vp, 4, 9, 10), 0);
	assert_int_equal(received.calls, 1);
	assert_int_equal(received.id, 4);
	assert_int_equal(received.type, 9);
	assert_int_equal(received.size, 10);
	assert_int_equal(received.data[9], 0x3c);
	assert_int_equal(guest_post(vp, 4, 0, 10), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest_post(vp, 4, 0x80000001, 10), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest_post(vp, 4, 1, 241), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal((uint16_t)guest_call(vp, HV_CALL_POST_MESSAGE, &reserved, sizeof(reserved),
					      NULL, 0),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest_post(vp, 4, 1, 240), 0);
	assert_int_equal(vsm_connection_remove(partition, VSM_CONNECTION_EVENT, 4), -ENOENT);
	assert_int_equal(vsm_connection_remove(partition, VSM_CONNECTION_MESSAGE, 4), 0);
	assert_int_equal(guest_post(vp, 4, 1, 10), HV_STATUS_INVALID_CONNECTION_ID);
}

static void a_connection_may_post_to_a_sint_of_the_partition(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;
	struct vsm_connection connection = {.id = 5, .sint = SINT};
	uint16_t status;
	uint32_t sent = 0;

	assert_int_equal(vsm_connection_add(partition, &connection), 0);
	while ((status = guest_post(vp, 5, 6, 4)) == 0)
		sent++;
	assert_int_equal(status, HV_STATUS_INSUFFICIENT_BUFFERS);
	assert_int_equal(sent, SYNIC_QUEUE_MAX + 1);
	assert_int_equal(slot_field(vp, SINT, 0, 4), 6);
	assert_int_equal(slot_field(vp, SINT, 8, 8), 5);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SCONTROL, 0), GUEST_DONE);
	assert_int_equal(guest_post(vp, 5, 6, 4), HV_STATUS_INVALID_SYNIC_STATE);
}

/* TLFS "HvCallSignalEvent" */
/* shows: hypercall HvCallSignalEvent */
static void a_guest_signals_events(void **state)
{
	struct vsm_vp *vp = with_synic(*state, VECTOR);
	struct vsm_partition *partition = vp->partition;
	struct received received = {0};
	struct vsm_connection connection = {
		.id = 5, .kind = VSM_CONNECTION_EVENT, .sint = SINT, .flag_base = 2040};
	struct vsm_connection vmm = {
		.id = 6, .kind = VSM_CONNECTION_EVENT, .fn = receive, .opaque = &received};
	uint64_t value;

	assert_int_equal(vsm_connection_add(partition, &connection), 0);
	assert_int_equal(vsm_connection_add(partition, &vmm), 0);
	assert_int_equal(guest_signal(vp, 5, 1), 0);
	assert_int_equal(guest_read(vp, SIEF_GPA(0) + 256 * SINT + 255, 1, &value), GUEST_DONE);
	assert_int_equal(value, 2);
	assert_int_equal(guest_signal(vp, 5, 8), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest_signal(vp, 5, 2048), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest_signal(vp, 7, 0), HV_STATUS_INVALID_CONNECTION_ID);
	assert_int_equal(guest_signal(vp, 6, 77), 0);
	assert_int_equal(received.size, 2);
	assert_int_equal(received.data[0], 77);
}

static void connections_are_checked_and_counted(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct received received;
	struct vsm_connection bad[] = {
		{.id = 1u << 24, .fn = receive, .opaque = &received},
		{.id = 1, .kind = 2, .fn = receive, .opaque = &received},
		{.id = 1, .vp = 1},
		{.id = 1, .vtl = 2},
		{.id = 1, .sint = 16},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vsm_connection_add(partition, &bad[i]), -EINVAL);
	for (uint32_t id = 0; id < 4096; id++) {
		struct vsm_connection connection = {.id = id, .fn = receive, .opaque = &received};

		assert_int_equal(vsm_connection_add(partition, &connection), 0);
	}
	assert_int_equal(
		vsm_connection_add(partition, &(struct vsm_connection){.id = 4096, .fn = receive}),
		-ENOSPC);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_goes_into_its_slot_and_raises_the_vector, 1, 1),
		TEST(a_busy_slot_is_marked_and_eom_delivers_the_next_in_order, 1, 1),
		TEST(an_eoi_of_the_vector_delivers_the_next_message, 1, 1),
		TEST(a_slot_that_is_freed_without_eom_gets_the_next_message, 1, 1),
		TEST(the_queue_is_bounded_and_nothing_accepted_is_lost, 1, 1),
		TEST(a_masked_sint_accepts_no_message, 1, 1),
		TEST(unmasking_delivers_queued_messages, 1, 1),
		TEST(eom_drains_the_queue_of_a_masked_sint_without_an_interrupt, 1, 1),
		TEST(a_masked_sint_that_is_polled_accepts_messages_and_events, 1, 1),
		TEST(auto_eoi_leaves_nothing_in_service_and_polling_raises_no_interrupt, 1, 1),
		TEST(an_event_flag_interrupts_once_until_it_is_cleared, 1, 1),
		TEST(p02_a_synic_belongs_to_one_vtl, 1, 1),
		TEST(p13_a_message_for_a_higher_vtl_enters_it_from_a_halt, 1, 1),
		TEST(synic_msrs_check_written_values, 1, 1),
		TEST(the_message_page_moves_with_its_contents, 1, 1),
		TEST(a_guest_posts_a_message_to_the_vmm, 1, 1),
		TEST(a_connection_may_post_to_a_sint_of_the_partition, 1, 1),
		TEST(a_guest_signals_events, 1, 1),
		cmocka_unit_test(connections_are_checked_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
