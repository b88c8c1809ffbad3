/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages and events from any VP and VTL to the SynIC of any VP (TLFS "Inter-Partition Communication"), and
 * SINTs that the machine asserts. The Hyper-V test device at port 0x3000 is also in QEMU. */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#define DEVICE	 0x3000
#define SINT	 5
#define VECTOR	 0x74
#define TYPE	 0x1234
#define MESSAGES 0x40 /* connection of VP 0; plus the index for other VPs */
#define EVENTS	 0x80
#define UNKNOWN	 0xf0

enum command {
	CREATE_ROUTE = 1,
	DESTROY_ROUTE,
	ASSERT,
	CREATE_MESSAGES,
	DESTROY_MESSAGES,
	CREATE_EVENTS,
	DESTROY_EVENTS
};

static struct hv_event_flags_page *events[CPU_MAX];

static void order(enum command command, uint32_t vp, uint32_t connection)
{
	outl(DEVICE, SINT | vp << 8 | (uint32_t)command << 16 | connection << 24);
}

static volatile struct hv_message *slot(uint32_t vp)
{
	return &cpu_table[vp][0]->messages->slot[SINT];
}

static bool came(uint32_t vp, uint32_t wanted)
{
	volatile uint32_t *count = &cpu_table[vp][0]->interrupts[VECTOR];

	return wait_for((interrupts_window(), *count >= wanted)) && *count == wanted;
}

static void set_up(void *argument)
{
	struct cpu *cpu = cpu_current();

	cpu->messages = memory_pages(1);
	events[cpu->vp] = memory_pages(1);
	wrmsr(HV_X64_MSR_SIMP, (uint64_t)cpu->messages | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_X64_MSR_SIEFP, (uint64_t)events[cpu->vp] | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_X64_MSR_SINT0 + SINT, VECTOR);
	wrmsr(HV_X64_MSR_SCONTROL, HV_SYNIC_SCONTROL_ENABLE);
}

struct post {
	uint32_t connection, type, size;
	uint64_t word;
	uint16_t status;
};

static void post(void *argument)
{
	struct post *post = argument;
	struct hv_post_message_input input = {.connection_id = post->connection,
					      .message_type = post->type,
					      .payload_size = post->size};

	for (uint32_t i = 0; i < 30; i++)
		((uint64_t *)(void *)input.payload)[i] = post->word + i;
	post->status = hypercall(HV_CALL_POST_MESSAGE, &input, sizeof(input), NULL, 0);
}

static void signal_event(void *argument)
{
	struct post *post = argument;

	post->status = hypercall_fast(HV_CALL_SIGNAL_EVENT,
				      post->connection | (uint64_t)post->type << 32, 0);
}

static const char *prepare(void)
{
	struct post probe = {MESSAGES, TYPE, 8, 0, 0};
	const char *reason = needs_hypercalls();
	static bool ready;

	if (reason || ready)
		return reason;
	if (!(hypercall_privileges() & HV_PRIVILEGE(POST_MESSAGES)) ||
	    !(hypercall_privileges() & HV_PRIVILEGE(SIGNAL_EVENTS)))
		return "PostMessage and SignalEvent are not offered";
	smp_run_all(set_up, NULL);
	order(CREATE_MESSAGES, 0, MESSAGES);
	post(&probe);
	if (probe.status == HV_STATUS_INVALID_CONNECTION_ID)
		return "no Hyper-V test device at port 0x3000";
	if (!wait_for(slot(0)->message_type == TYPE))
		return "messages do not arrive";
	interrupts_window();
	slot(0)->message_type = 0;
	order(DESTROY_MESSAGES, 0, MESSAGES);
	ready = true;
	return NULL;
}

static void mask_sint(void *argument)
{
	wrmsr(HV_X64_MSR_SINT0 + SINT, VECTOR | (argument ? HV_SYNIC_SINT_MASKED : 0));
}

static void sints_are_asserted(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		const uint32_t before = cpu_table[vp][0]->interrupts[VECTOR];

		order(ASSERT, vp, 0); /* without a route: no effect */
		time_delay_ms(1);
		interrupts_window();
		expect_equal(cpu_table[vp][0]->interrupts[VECTOR], before);
		order(CREATE_ROUTE, vp, 0);
		order(ASSERT, vp, 0);
		expect(came(vp, before + 1));
		order(ASSERT, vp, 0);
		expect(came(vp, before + 2));
		smp_run(vp, mask_sint, events);
		order(ASSERT, vp, 0); /* masked: not kept pending */
		smp_run(vp, mask_sint, NULL);
		time_delay_ms(1);
		interrupts_window();
		expect_equal(cpu_table[vp][0]->interrupts[VECTOR], before + 2);
		order(DESTROY_ROUTE, vp, 0);
		order(ASSERT, vp, 0);
		time_delay_ms(1);
		interrupts_window();
		expect_equal(cpu_table[vp][0]->interrupts[VECTOR], before + 2);
	}
}

static void check_message(uint32_t vp, const struct post *wanted)
{
	volatile struct hv_message *message = slot(vp);

	expect(wait_for(message->message_type == wanted->type));
	expect_equal(message->payload_size, wanted->size);
	for (uint32_t i = 0; i < wanted->size / 8; i++)
		expect_equal(message->payload[i], wanted->word + i);
}

static void take(uint32_t vp)
{
	slot(vp)->message_type = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void end_of_message(void *argument)
{
	wrmsr(HV_X64_MSR_EOM, 0);
}

static void run_at(uint32_t from, uint8_t vtl, vtl_work *work, struct post *what)
{
	if (vtl)
		vtl_run_on(from, vtl, work, what);
	else
		smp_run(from, work, what);
}

static void messages_to_all(uint8_t vtl)
{
	for (uint32_t to = 0; to < smp_count; to++) {
		order(CREATE_MESSAGES, to, MESSAGES + to);
		for (uint32_t from = 0; from < smp_count; from++) {
			struct post what = {MESSAGES + to, TYPE + from, 8 * (1 + from),
					    0x1000 * to + from, 0};
			const uint32_t before = cpu_table[to][0]->interrupts[VECTOR];

			run_at(from, vtl, post, &what);
			expect_equal(what.status, HV_STATUS_SUCCESS);
			expect(came(to, before + 1));
			check_message(to, &what);
			take(to);
		}
		order(DESTROY_MESSAGES, to, MESSAGES + to);
	}
}

static void messages_arrive(void)
{
	messages_to_all(0);
}

static void messages_of_vtl1_arrive(void)
{
	const char *reason = needs_vtl1();

	if (reason)
		tap_skip(reason);
	else
		messages_to_all(1);
}

/* TLFS "SynIC message": messages are queued while the slot is full; their post succeeds. */
static void messages_wait_for_their_slot(void)
{
	enum {
		WAITING = 3
	};
	struct post message[WAITING];
	const uint32_t before = cpu_table[0][0]->interrupts[VECTOR];

	order(CREATE_MESSAGES, 0, MESSAGES);
	for (uint32_t i = 0; i < WAITING; i++) {
		message[i] = (struct post){MESSAGES, TYPE + i, i ? 8 * i : 240, 100 * i, 0};
		post(&message[i]);
		expect_equal(message[i].status, HV_STATUS_SUCCESS);
	}
	for (uint32_t i = 0; i < WAITING; i++) {
		expect(came(0, before + 1 + i));
		check_message(0, &message[i]);
		/* If more messages are queued, the flag is set: after EOM the next one is delivered. */
		expect_equal(slot(0)->flags & HV_MESSAGE_FLAG_PENDING,
			     i + 1 < WAITING ? HV_MESSAGE_FLAG_PENDING : 0);
		take(0);
		end_of_message(NULL);
	}
	order(DESTROY_MESSAGES, 0, MESSAGES);
}

static void bad_messages_are_refused(void)
{
	struct post bad[] = {
		{MESSAGES, 0, 8, 0, 0},
		{MESSAGES, HV_MESSAGE_TYPE_TIMER_EXPIRED, 8, 0, 0},
		{MESSAGES, TYPE, 241, 0, 0},
	};
	struct post unknown = {UNKNOWN, TYPE, 8, 0, 0};

	order(CREATE_MESSAGES, 0, MESSAGES);
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		post(&bad[i]);
		expect_equal(bad[i].status, HV_STATUS_INVALID_PARAMETER);
	}
	post(&unknown);
	expect_equal(unknown.status, HV_STATUS_INVALID_CONNECTION_ID);
	order(DESTROY_MESSAGES, 0, MESSAGES);
	unknown.connection = MESSAGES;
	post(&unknown);
	expect_equal(unknown.status, HV_STATUS_INVALID_CONNECTION_ID);
	expect_equal(slot(0)->message_type, 0);
}

static bool flag_is_set(uint32_t vp, uint32_t number)
{
	return __atomic_load_n(&events[vp]->slot[SINT].flags[number / 64], __ATOMIC_ACQUIRE) >>
		       number % 64 &
	       1;
}

static void clear_flag(uint32_t vp, uint32_t number)
{
	__atomic_fetch_and(&events[vp]->slot[SINT].flags[number / 64], ~(1ull << number % 64),
			   __ATOMIC_SEQ_CST);
}

static void events_to_all(uint8_t vtl)
{
	for (uint32_t to = 0; to < smp_count; to++) {
		const uint32_t connection = EVENTS + to;

		order(CREATE_EVENTS, to, connection);
		for (uint32_t from = 0; from < smp_count; from++) {
			struct post what = {connection, 0, 0, 0, 0};
			const uint32_t before = cpu_table[to][0]->interrupts[VECTOR];

			run_at(from, vtl, signal_event, &what);
			expect_equal(what.status, HV_STATUS_SUCCESS);
			expect(came(to, before + 1));
			expect(flag_is_set(to, connection));
			/* The flag is already set: no interrupt (TLFS "SynIC event flags"). */
			run_at(from, vtl, signal_event, &what);
			expect_equal(what.status, HV_STATUS_SUCCESS);
			time_delay_ms(1);
			interrupts_window();
			expect_equal(cpu_table[to][0]->interrupts[VECTOR], before + 1);
			clear_flag(to, connection);
		}
		order(DESTROY_EVENTS, to, connection);
	}
}

static void events_arrive(void)
{
	events_to_all(0);
}

static void events_of_vtl1_arrive(void)
{
	const char *reason = needs_vtl1();

	if (reason)
		tap_skip(reason);
	else
		events_to_all(1);
}

static void bad_events_are_refused(void)
{
	struct post what = {UNKNOWN, 0, 0, 0, 0};

	signal_event(&what);
	expect_equal(what.status, HV_STATUS_INVALID_CONNECTION_ID);
	order(CREATE_EVENTS, 0, EVENTS);
	what.connection = EVENTS;
	what.type = HV_EVENT_FLAGS_COUNT; /* the flag's number */
	signal_event(&what);
	expect_equal(what.status, HV_STATUS_INVALID_PARAMETER);
	what.type = 1u << 16; /* reserved */
	signal_event(&what);
	expect_equal(what.status, HV_STATUS_INVALID_PARAMETER);
	order(DESTROY_EVENTS, 0, EVENTS);
}

static const struct tap_case cases[] = {
	{"the machine asserts a SINT on every VP, only with a route", sints_are_asserted},
	{"a message from any VP arrives at any VP", messages_arrive},
	{"a message waits while its slot is full", messages_wait_for_their_slot},
	{"illegal messages are refused", bad_messages_are_refused},
	{"an event from any VP arrives at any VP, once", events_arrive},
	{"illegal events are refused", bad_events_are_refused},
	{"messages of VTL1 arrive in VTL0", messages_of_vtl1_arrive},
	{"events of VTL1 arrive in VTL0", events_of_vtl1_arrive},
};

TAP_TOPIC(topic_connection, prepare, cases);
