/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/control.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vsm/trace.h>

#include "control/client.h"
#include "control/request.h"
#include "control/socket.h"
#include "guest/guest.h"

#define CLIENTS_MAX 16u
/* Further events except the last, VMM_EVENT_END, are dropped and counted. */
#define EVENTS_MAX 1024u
/* Time for clients to read the last events when the machine ends. */
#define DRAIN_MS 1000
/* Interval at which stalled clients are checked. */
#define CHECK_MS 1000
/* Delay before the next accept() after a failure. */
#define RETRY_MS 100

_Static_assert(CLIENTS_MAX <= VMM_ORDERS_MAX, "the queue has space for an order of each client");

struct event {
	const char *name;
	double time;
	uint32_t vp;
	uint8_t vtl;
	bool traced;
	uint64_t argument[4];
	uint64_t dropped; /* events before this one */
};

/*
 * Fields without a mark are constant after the thread has started, or used only by the thread. e:
 * guarded by lock.
 */
struct vmm_control {
	const struct vsm_log *log;
	struct vmm_socket socket;
	struct vmm_guest *guest;
	struct timespec start;
	pthread_t thread;
	bool running;
	bool waits;	  /* accept() has failed: the client stays in the backlog */
	uint64_t clients; /* since the start */
	struct vmm_client client[CLIENTS_MAX];

	int wake; /* eventfd: events are queued, or ending is set */
	_Atomic bool ending;
	_Atomic unsigned int subscribers;
	pthread_mutex_t lock;		    /* leaf lock: nothing is called with it held */
	struct event event[EVENTS_MAX + 1]; /* e */
	unsigned int events;		    /* e */
	uint64_t dropped;		    /* e: events dropped after the last queued one */
};

/* ------------------------------------------------------------------ events */

static const char *const event_names[VMM_EVENT_COUNT] = {
	[VMM_EVENT_PAUSED] = "paused", [VMM_EVENT_RESUMED] = "resumed", [VMM_EVENT_SAVED] = "saved",
	[VMM_EVENT_RESET] = "reset",   [VMM_EVENT_CRASH] = "crash",	[VMM_EVENT_ERROR] = "error",
	[VMM_EVENT_END] = "end",
};

#define EVENT(name) (UINT64_C(1) << VSM_TRACE_##name)

static const uint64_t traced_events = EVENT(VTL_ENABLE) | EVENT(INTERCEPT_MEMORY) |
				      EVENT(INTERCEPT_MSR) | EVENT(INTERCEPT_IO) |
				      EVENT(INTERCEPT_CR) | EVENT(START);

/* Never waits for a client. Any thread. */
static void put_event(struct vmm_control *control, struct event *event, unsigned int max)
{
	bool first;

	if (atomic_load(&control->subscribers) == 0)
		return;
	pthread_mutex_lock(&control->lock);
	first = control->events == 0;
	if (control->events < max) {
		event->dropped = control->dropped;
		control->dropped = 0;
		control->event[control->events++] = *event;
	} else {
		control->dropped++;
	}
	pthread_mutex_unlock(&control->lock);
	if (first)
		(void)eventfd_write(control->wake, 1);
}

static double seconds_since_start(const struct vmm_control *control)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - control->start.tv_sec) +
	       1e-9 * (double)(now.tv_nsec - control->start.tv_nsec);
}

static void on_event(void *opaque, enum vmm_event event, uint32_t vp, uint64_t detail)
{
	struct vmm_control *control = opaque;
	struct event own = {.name = event_names[event], .vp = vp, .argument = {detail}};

	own.time = seconds_since_start(control);
	put_event(control, &own, event == VMM_EVENT_END ? EVENTS_MAX + 1 : EVENTS_MAX);
}

static void on_trace(void *opaque, const struct vsm_trace_record *record)
{
	struct vmm_control *control = opaque;
	struct event event = {.name = vsm_trace_event_name(record->event),
			      .vp = record->vp,
			      .vtl = record->vtl,
			      .traced = true};

	if (atomic_load(&control->subscribers) == 0)
		return;
	event.time = seconds_since_start(control);
	memcpy(event.argument, record->argument, sizeof(event.argument));
	put_event(control, &event, EVENTS_MAX);
}

static json_t *event_json(const struct event *event, uint64_t dropped)
{
	json_t *value = json_pack("{s:s, s:f, s:i}", "event", event->name, "time", event->time,
				  "vp", (int)event->vp);

	if (dropped)
		json_object_set_new(value, "dropped", json_integer((json_int_t)dropped));
	if (!event->traced) {
		json_object_set_new(value, "detail", vmm_hex(event->argument[0]));
		return value;
	}
	json_object_set_new(value, "vtl", json_integer(event->vtl));
	json_object_set_new(value, "arguments",
			    json_pack("[o, o, o, o]", vmm_hex(event->argument[0]),
				      vmm_hex(event->argument[1]), vmm_hex(event->argument[2]),
				      vmm_hex(event->argument[3])));
	return value;
}

static void send_event(struct vmm_control *control, const struct event *event)
{
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		struct vmm_client *client = &control->client[i];

		if (client->fd < 0 || !client->events_requested)
			continue;
		client->dropped += event->dropped;
		if (vmm_client_backlog(client) > VMM_BACKLOG_MAX) {
			client->dropped++;
			continue;
		}
		vmm_client_queue(client, event_json(event, client->dropped));
		client->dropped = 0;
	}
}

static void send_events(struct vmm_control *control)
{
	static const unsigned int batch = 64;
	struct event event[64];
	unsigned int count;

	do {
		pthread_mutex_lock(&control->lock);
		count = control->events < batch ? control->events : batch;
		memcpy(event, control->event, count * sizeof(event[0]));
		control->events -= count;
		memmove(control->event, control->event + count, control->events * sizeof(event[0]));
		pthread_mutex_unlock(&control->lock);
		for (unsigned int i = 0; i < count; i++)
			send_event(control, &event[i]);
	} while (count == batch);
}

/* ------------------------------------------------------------------ clients */

static void disconnect(struct vmm_control *control, struct vmm_client *client)
{
	if (client->events_requested)
		atomic_fetch_sub(&control->subscribers, 1);
	vmm_client_close(client);
}

static void reject_client(int fd)
{
	struct vmm_client visitor;

	vmm_client_open(&visitor, fd, 0);
	vmm_client_queue(&visitor, vmm_refusal(NULL, VMM_REFUSE_BUSY,
					       "there are %u clients already", CLIENTS_MAX));
	(void)vmm_client_send(&visitor);
	vmm_client_close(&visitor);
}

static void accept_client(struct vmm_control *control)
{
	const int fd = accept4(control->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	control->waits = fd < 0;
	if (fd < 0)
		return;
	if (!vmm_socket_is_owner(fd)) {
		close(fd);
		return;
	}
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		if (control->client[i].fd < 0) {
			vmm_client_open(&control->client[i], fd, ++control->clients);
			return;
		}
	reject_client(fd);
}

static bool may_send_request(const struct vmm_client *client)
{
	return !client->waiting && vmm_client_backlog(client) <= VMM_BACKLOG_MAX;
}

static void answer_line(struct vmm_control *control, struct vmm_client *client, const char *line,
			size_t size)
{
	struct vmm_effect effect;
	json_t *answer = vmm_request(control->guest, client->number, line, size, &effect);

	if (effect.events_requested && !client->events_requested) {
		client->events_requested = true;
		atomic_fetch_add(&control->subscribers, 1);
	}
	if (effect.deferred) {
		client->waiting = true;
		client->id = effect.id;
		return;
	}
	vmm_client_queue(client, answer);
}

static void answer_lines(struct vmm_control *control, struct vmm_client *client)
{
	const char *line;
	size_t size;
	int found = 1;

	while (may_send_request(client) && found > 0) {
		found = vmm_client_next_line(client, &line, &size);
		if (found > 0) {
			answer_line(control, client, line, size);
			vmm_client_drop_line(client, size);
		} else if (found < 0) {
			vmm_client_queue(client, vmm_refusal(NULL, VMM_REFUSE_BAD_REQUEST,
							     "a line has at most %u bytes",
							     VMM_LINE_MAX - 1));
			vmm_client_close_after_send(client);
		}
	}
}

static void serve(struct vmm_control *control, struct vmm_client *client, short ready)
{
	bool stays = true;

	if ((ready & (POLLIN | POLLHUP | POLLERR)) && may_send_request(client) && !client->closing)
		stays = vmm_client_receive(client);
	if (stays)
		stays = vmm_client_send(client);
	if (stays)
		answer_lines(control, client);
	if (!stays || !vmm_client_send(client) || vmm_client_is_done(client))
		disconnect(control, client);
}

static void send_outcomes(struct vmm_control *control)
{
	struct vmm_order order;

	while (vmm_order_outcome(&control->guest->orders, &order))
		for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
			struct vmm_client *client = &control->client[i];
			json_t *id = client->id;

			if (client->fd < 0 || client->number != order.client || !client->waiting)
				continue;
			client->waiting = false;
			client->id = NULL;
			vmm_client_queue(client, order.error ? vmm_refusal(id, VMM_REFUSE_FAILED,
									   "%s", order.message)
							     : vmm_answer(id, NULL));
		}
}

/* ------------------------------------------------------------------ control thread */

/* Hang-up is always reported. */
static short poll_events(const struct vmm_client *client)
{
	return (short)((may_send_request(client) && !client->closing ? POLLIN : 0) |
		       (vmm_client_backlog(client) ? POLLOUT : 0));
}

enum {
	POLL_WAKE,
	POLL_OUTCOME,
	POLL_LISTEN,
	POLL_CLIENT
};

static void serve_once(struct vmm_control *control, int milliseconds)
{
	struct pollfd wait[POLL_CLIENT + CLIENTS_MAX] = {
		[POLL_WAKE] = {.fd = control->wake, .events = POLLIN},
		[POLL_OUTCOME] = {.fd = control->guest->orders.event, .events = POLLIN},
		[POLL_LISTEN] = {.fd = control->waits ? -1 : control->socket.fd, .events = POLLIN},
	};
	eventfd_t count;

	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		wait[POLL_CLIENT + i] = (struct pollfd){.fd = control->client[i].fd,
							.events = poll_events(&control->client[i])};
	if (control->waits && milliseconds > RETRY_MS)
		milliseconds = RETRY_MS;
	control->waits = false;
	if (poll(wait, POLL_CLIENT + CLIENTS_MAX, milliseconds) < 0)
		return;
	(void)eventfd_read(control->wake, &count);
	send_events(control);
	send_outcomes(control);
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		const short ready = wait[POLL_CLIENT + i].revents;

		if (control->client[i].fd < 0)
			continue;
		/* serve() reads no input of this client: poll() would return immediately each time. */
		if (!may_send_request(&control->client[i]) && (ready & (POLLHUP | POLLERR)))
			disconnect(control, &control->client[i]);
		else
			serve(control, &control->client[i], ready);
	}
	if (wait[POLL_LISTEN].revents && !atomic_load(&control->ending))
		accept_client(control);
}

static bool has_backlog(const struct vmm_control *control)
{
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		if (control->client[i].fd >= 0 && vmm_client_backlog(&control->client[i]))
			return true;
	return false;
}

static void *run(void *opaque)
{
	struct vmm_control *control = opaque;
	double end;

	if (vmm_sandbox_thread(control->guest->sandbox, VMM_ROLE_CONTROL, "control")) {
		vmm_stop_processors(&control->guest->stopper, VMM_ERROR, -1);
		return NULL;
	}
	while (!atomic_load(&control->ending))
		serve_once(control, CHECK_MS);
	end = seconds_since_start(control) + DRAIN_MS / 1000.0;
	send_events(control);
	while (has_backlog(control) && seconds_since_start(control) < end)
		serve_once(control, 50);
	return NULL;
}

/*
 * Seeds jansson's hash tables, for which jansson would otherwise open /dev/urandom in a thread that
 * may not open files.
 */
static int seed_tables(void)
{
	size_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	/* 0 would make jansson choose a seed. */
	json_object_seed(seed | 1);
	return 0;
}

int vmm_control_open(struct vmm_control **out, const char *path, const struct vsm_log *log)
{
	struct vmm_control *control = calloc(1, sizeof(*control));
	int error;

	*out = NULL;
	if (!control)
		return vsm_error(log, ENOMEM, "control: no memory");
	if (seed_tables()) {
		free(control);
		return vsm_error(log, EIO, "control: no random number");
	}
	control->log = log;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		control->client[i].fd = -1;
	control->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control->wake < 0) {
		error = errno;
		free(control);
		return vsm_error(log, error, "control: eventfd: %s", strerror(error));
	}
	pthread_mutex_init(&control->lock, NULL);
	clock_gettime(CLOCK_MONOTONIC, &control->start);
	error = vmm_socket_open(&control->socket, "control", path, log);
	if (error)
		vmm_control_close(control);
	else
		*out = control;
	return error;
}

int vmm_control_begin(struct vmm_control *control, struct vmm_guest *guest)
{
	int error;

	control->guest = guest;
	guest->event = on_event;
	guest->event_opaque = control;
	vsm_trace_tap(guest->partition, traced_events, on_trace, control);
	error = pthread_create(&control->thread, NULL, run, control);
	if (error)
		return vsm_error(control->log, error, "control: the thread cannot be created: %s",
				 strerror(error));
	control->running = true;
	return 0;
}

void vmm_control_end(struct vmm_control *control, int status)
{
	if (!control || !control->running)
		return;
	on_event(control, VMM_EVENT_END, 0, (uint64_t)status);
	atomic_store(&control->ending, true);
	(void)eventfd_write(control->wake, 1);
	pthread_join(control->thread, NULL);
	control->running = false;
	vsm_trace_tap(control->guest->partition, 0, NULL, NULL);
}

void vmm_control_abandon(const struct vmm_control *control)
{
	if (control)
		vmm_socket_remove(&control->socket);
}

void vmm_control_close(struct vmm_control *control)
{
	if (!control)
		return;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		if (control->client[i].fd >= 0)
			vmm_client_close(&control->client[i]);
	vmm_socket_close(&control->socket);
	close(control->wake);
	pthread_mutex_destroy(&control->lock);
	free(control);
}
