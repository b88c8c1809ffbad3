/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events of the control socket while its thread does not run: the test stops it in poll(). And the
 * replacement of a stale socket.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <vsm/trace.h>

#include "../unit_test.h"
#include "control/control.h"
#include "control/socket.h"
#include "guest/guest.h"

#define EVENTS_MAX 1024u

static atomic_bool hold, release_at_write;
static sem_t held, go;
static atomic_uint polls;
static atomic_bool no_descriptor; /* for accept4() */
static int unlink_error;	  /* of the next call; EIO: the file stays */

int __real_poll(struct pollfd *wait, nfds_t count, int milliseconds);
int __wrap_poll(struct pollfd *wait, nfds_t count, int milliseconds);
int __real_eventfd_write(int fd, eventfd_t value);
int __wrap_eventfd_write(int fd, eventfd_t value);
int __real_unlinkat(int folder, const char *name, int flags);
int __wrap_unlinkat(int folder, const char *name, int flags);
void __wrap_vsm_trace_tap(struct vsm_partition *partition, uint64_t events, vsm_trace_fn *fn,
			  void *opaque);

int __wrap_poll(struct pollfd *wait, nfds_t count, int milliseconds)
{
	atomic_fetch_add(&polls, 1);
	if (atomic_exchange(&hold, false)) {
		sem_post(&held);
		sem_wait(&go);
	}
	return __real_poll(wait, count, milliseconds);
}

int __wrap_eventfd_write(int fd, eventfd_t value)
{
	if (atomic_exchange(&release_at_write, false))
		sem_post(&go);
	return __real_eventfd_write(fd, value);
}

void __wrap_vsm_trace_tap(struct vsm_partition *partition, uint64_t events, vsm_trace_fn *fn,
			  void *opaque)
{
	(void)partition;
	(void)events;
	(void)fn;
	(void)opaque;
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
	const int error = unlink_error;
	int result = -1;

	unlink_error = 0;
	if (error != EIO)
		result = __real_unlinkat(folder, name, flags);
	if (!error)
		return result;
	errno = error;
	return -1;
}

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	if (!atomic_load(&no_descriptor))
		return __real_accept4(fd, address, size, flags);
	errno = EMFILE;
	return -1;
}

struct bench {
	char folder[32];
	struct vsm_log log;
	struct vmm_sandbox sandbox;
	struct vmm_guest guest;
	struct vmm_control *control;
	FILE *client;
};

static json_t *receive(struct bench *bench)
{
	char line[1024];
	json_t *value;

	assert_non_null(fgets(line, sizeof(line), bench->client));
	value = json_loads(line, 0, NULL);
	assert_non_null(value);
	return value;
}

/* The next event: its detail and the number of events that were dropped before it. */
static unsigned int receive_event(struct bench *bench, unsigned int *dropped)
{
	json_t *value = receive(bench);
	const char *detail = json_string_value(json_object_get(value, "detail"));
	unsigned int number;

	assert_non_null(detail);
	number = (unsigned int)strtoul(detail, NULL, 16);
	*dropped = (unsigned int)json_integer_value(json_object_get(value, "dropped"));
	json_decref(value);
	return number;
}

/* A client that has requested events. */
static FILE *connect_client(const struct bench *bench)
{
	static const char request[] = "{\"command\":\"events\"}\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", bench->folder);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
	return fdopen(fd, "re");
}

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	char path[64];

	assert_non_null(bench);
	*state = bench;
	sem_init(&held, 0, 0);
	sem_init(&go, 0, 0);
	snprintf(bench->folder, sizeof(bench->folder), "/tmp/vsm-control-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(path, sizeof(path), "%s/socket", bench->folder);
	bench->guest.sandbox = &bench->sandbox;
	assert_int_equal(vmm_orders_init(&bench->guest.orders), 0);
	assert_int_equal(vmm_control_open(&bench->control, path, &bench->log), 0);
	assert_int_equal(vmm_control_begin(bench->control, &bench->guest), 0);
	bench->client = connect_client(bench);
	json_decref(receive(bench));
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	vmm_control_end(bench->control, 0);
	vmm_control_close(bench->control);
	sem_destroy(&held);
	sem_destroy(&go);
	vmm_orders_destroy(&bench->guest.orders);
	fclose(bench->client);
	rmdir(bench->folder);
	free(bench);
	return 0;
}

/* Stops the control thread, and queues events with the details 1 to @count. */
static void queue_events(struct bench *bench, unsigned int count)
{
	unsigned int dropped;

	atomic_store(&hold, true);
	vmm_guest_event(&bench->guest, VMM_EVENT_PAUSED, 0, 0);
	sem_wait(&held);
	/* It may have stopped before it sent the event. */
	atomic_store(&hold, true);
	sem_post(&go);
	sem_wait(&held);
	assert_int_equal(receive_event(bench, &dropped), 0);
	for (unsigned int i = 1; i <= count; i++)
		vmm_guest_event(&bench->guest, VMM_EVENT_PAUSED, 0, i);
}

static void expect_queued_events(struct bench *bench)
{
	for (unsigned int i = 1; i <= EVENTS_MAX; i++) {
		unsigned int dropped;

		assert_int_equal(receive_event(bench, &dropped), i);
		assert_int_equal(dropped, 0);
	}
}

static void the_event_after_dropped_ones_has_their_number(void **state)
{
	struct bench *bench = *state;
	unsigned int dropped;

	queue_events(bench, EVENTS_MAX + 76);
	sem_post(&go);
	expect_queued_events(bench);
	vmm_guest_event(&bench->guest, VMM_EVENT_RESUMED, 0, 0x5555);
	assert_int_equal(receive_event(bench, &dropped), 0x5555);
	assert_int_equal(dropped, 76);
	vmm_guest_event(&bench->guest, VMM_EVENT_RESUMED, 0, 0x6666);
	assert_int_equal(receive_event(bench, &dropped), 0x6666);
	assert_int_equal(dropped, 0);
}

static void the_end_of_the_machine_is_not_dropped(void **state)
{
	struct bench *bench = *state;
	unsigned int dropped;

	queue_events(bench, EVENTS_MAX + 5);
	atomic_store(&release_at_write, true);
	vmm_control_end(bench->control, 0x77);
	expect_queued_events(bench);
	assert_int_equal(receive_event(bench, &dropped), 0x77);
	assert_int_equal(dropped, 5);
}

static void a_client_without_a_descriptor_waits(void **state)
{
	const struct timespec pause = {.tv_nsec = 500000000};
	struct bench *bench = *state, other = {0};
	unsigned int before;

	atomic_store(&no_descriptor, true);
	other.client = connect_client(bench);
	before = atomic_load(&polls);
	nanosleep(&pause, NULL);
	assert_true(atomic_load(&polls) - before < 20);
	atomic_store(&no_descriptor, false);
	json_decref(receive(&other));
	fclose(other.client);
}

static void after_an_error_the_stale_socket_is_unchanged(void **state)
{
	char folder[] = "/tmp/vsm-socket-XXXXXX", path[64];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct vsm_log log = {0};
	struct stat old, now;
	struct vmm_socket made;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(stat(path, &old), 0);
	unlink_error = EIO;
	assert_int_equal(vmm_socket_open(&made, "control", path, &log), -EIO);
	assert_int_equal(stat(path, &now), 0);
	assert_int_equal(now.st_ino, old.st_ino);
	/* Another process has removed the replaced socket. */
	unlink_error = ENOENT;
	assert_int_equal(vmm_socket_open(&made, "control", path, &log), 0);
	vmm_socket_close(&made);
	assert_int_equal(rmdir(folder), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_event_after_dropped_ones_has_their_number),
		TEST(the_end_of_the_machine_is_not_dropped),
		TEST(a_client_without_a_descriptor_waits),
		cmocka_unit_test(after_an_error_the_stale_socket_is_unchanged),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
