/* SPDX-License-Identifier: BSD-2-Clause */
#include "gdb/gdb.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vsm/gdb.h>

#include "control/socket.h"
#include "gdb/listen.h"
#include "guest/guest.h"
#include "sandbox/sandbox.h"

/* Delay before the next accept() after a failure. */
#define RETRY_MS 100

struct vmm_gdb {
	const struct vsm_log *log;
	struct vmm_guest *guest;
	const char *where;	  /* for messages */
	struct vmm_socket socket; /* used if @where is a path */
	int listening;
	int table; /* of vmm_gdb_table(); -1: no TCP socket */
	int stop;  /* eventfd */
	struct vsm_gdb *stub;
	pthread_t thread;
	bool running;
	bool rejected; /* by the thread: only the first is logged, since any user can connect */
};

/* ------------------------------------------------------------------ guest memory */

static int read_memory(void *opaque, uint64_t gpa, void *data, size_t size)
{
	const uint8_t *host = vmm_guest_ram(opaque, gpa, size);

	if (!host)
		return -EFAULT;
	memcpy(data, host, size);
	return 0;
}

static int write_memory(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	uint8_t *host = vmm_guest_ram(opaque, gpa, size);

	if (!host)
		return -EFAULT;
	memcpy(host, data, size);
	return 0;
}

/* ------------------------------------------------------------------ clients */

static void serve_client(struct vmm_gdb *gdb, int fd)
{
	const bool accepted =
		gdb->table >= 0 ? vmm_listen_is_owner(fd, gdb->table) : vmm_socket_is_owner(fd);
	int error;

	if (!accepted) {
		if (!gdb->rejected)
			vsm_log(gdb->log, VSM_LOG_WARN,
				"gdb: clients of other users are rejected, this is the first");
		gdb->rejected = true;
		return;
	}
	vsm_log(gdb->log, VSM_LOG_INFO, "gdb: a client has connected: all processors stop");
	error = vsm_gdb_serve(gdb->stub, fd, gdb->stop);
	if (error != -ECANCELED)
		vsm_log(gdb->log, VSM_LOG_INFO, "gdb: the client has disconnected%s%s",
			error ? ": " : "", error ? strerror(-error) : "");
}

static void *run_server(void *opaque)
{
	struct vmm_gdb *gdb = opaque;
	struct pollfd wait[] = {{.fd = gdb->listening, .events = POLLIN},
				{.fd = gdb->stop, .events = POLLIN}};

	if (vmm_sandbox_thread(gdb->guest->sandbox, VMM_ROLE_CONTROL, "gdb")) {
		vmm_stop_processors(&gdb->guest->stopper, VMM_ERROR, -1);
		return NULL;
	}
	for (;;) {
		int fd;

		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			break;
		if (wait[1].revents)
			break;
		fd = accept4(gdb->listening, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			/* Without a free descriptor the client stays in the backlog. */
			(void)poll(&wait[1], 1, RETRY_MS);
			continue;
		}
		serve_client(gdb, fd);
		close(fd);
	}
	return NULL;
}

/* ------------------------------------------------------------------ begin and end */

/* False: @where is a path. */
static bool is_port(const char *where, uint16_t *port)
{
	char *end;
	unsigned long number;

	if (where[0] != ':')
		return false;
	number = strtoul(where + 1, &end, 10);
	*port = (uint16_t)number;
	return where[1] >= '0' && where[1] <= '9' && !*end && number && number <= UINT16_MAX;
}

static int open_socket(struct vmm_gdb *gdb, const struct vsm_log *log)
{
	uint16_t port;
	int error;

	if (is_port(gdb->where, &port)) {
		gdb->listening = vmm_listen_local(port);
		return gdb->listening < 0 ? vsm_error(log, -gdb->listening, "gdb: %s: %s",
						      gdb->where, strerror(-gdb->listening))
					  : 0;
	}
	error = vmm_socket_open(&gdb->socket, "gdb", gdb->where, log);
	gdb->listening = gdb->socket.fd;
	return error;
}

int vmm_gdb_table(const char *where, int *table, const struct vsm_log *log)
{
	uint16_t port;

	*table = -1;
	if (!where || !is_port(where, &port))
		return 0;
	*table = open("/proc/net/tcp", O_RDONLY | O_CLOEXEC);
	return *table < 0 ? vsm_error(log, errno, "gdb: /proc/net/tcp: %s", strerror(errno)) : 0;
}

int vmm_gdb_open(struct vmm_gdb **gdb, const char *where, int table, const struct vsm_log *log)
{
	struct vmm_gdb *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return vsm_error(log, ENOMEM, "gdb: no memory");
	*made = (struct vmm_gdb){.log = log,
				 .where = where,
				 .socket = {.fd = -1, .folder = -1},
				 .listening = -1,
				 .table = table,
				 .stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	error = made->stop < 0 ? vsm_error(log, errno, "gdb: %s", strerror(errno))
			       : open_socket(made, log);
	if (error)
		vmm_gdb_close(made);
	else
		*gdb = made;
	return error;
}

int vmm_gdb_begin(struct vmm_gdb *gdb, struct vmm_guest *guest, bool hold)
{
	const struct vsm_gdb_config config = {
		.size = sizeof(config),
		.log = *guest->log,
		.partition = guest->partition,
		.vp_count = guest->config->cpus,
		.vtl_count = (uint8_t)guest->config->vtls,
		.hold = hold,
		.read = read_memory,
		.write = write_memory,
		.opaque = guest,
	};
	int error = vsm_gdb_create(&config, &gdb->stub);

	if (error)
		return error;
	gdb->guest = guest;
	error = pthread_create(&gdb->thread, NULL, run_server, gdb);
	if (error)
		return vsm_error(gdb->log, error, "gdb: the thread cannot be created: %s",
				 strerror(error));
	gdb->running = true;
	guest->gdb = gdb->stub;
	vsm_log(gdb->log, VSM_LOG_INFO, "gdb: (gdb) target extended-remote %s%s", gdb->where,
		hold ? "; the machine starts with its first `continue`" : "");
	return 0;
}

void vmm_gdb_end(struct vmm_gdb *gdb, struct vmm_guest *guest)
{
	if (!gdb)
		return;
	if (gdb->running) {
		(void)eventfd_write(gdb->stop, 1);
		pthread_join(gdb->thread, NULL);
	}
	gdb->running = false;
	vsm_gdb_destroy(gdb->stub);
	gdb->stub = NULL;
	guest->gdb = NULL;
}

void vmm_gdb_abandon(const struct vmm_gdb *gdb)
{
	if (gdb && gdb->table < 0)
		vmm_socket_remove(&gdb->socket);
}

void vmm_gdb_close(struct vmm_gdb *gdb)
{
	if (!gdb)
		return;
	if (gdb->table < 0)
		vmm_socket_close(&gdb->socket);
	else if (gdb->listening >= 0)
		close(gdb->listening);
	if (gdb->stop >= 0)
		close(gdb->stop);
	free(gdb);
}
