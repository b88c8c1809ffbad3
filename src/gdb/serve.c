/* SPDX-License-Identifier: BSD-2-Clause */
/* A session on a stream socket. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "gdb/stub.h"

struct connection {
	int fd;
	int stop;
};

/* Waits for @events of the connection's fd. -ECANCELED: the server stops. */
static int wait_for(const struct connection *connection, short events)
{
	struct pollfd wait[] = {{.fd = connection->fd, .events = events},
				{.fd = connection->stop, .events = POLLIN}};

	while (poll(wait, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return wait[1].revents ? -ECANCELED : 0;
}

static int send_all(void *opaque, const void *data, size_t size)
{
	const struct connection *connection = opaque;
	const char *next = data;

	while (size) {
		const ssize_t sent = send(connection->fd, next, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		int error = 0;

		if (sent >= 0) {
			next += sent;
			size -= (size_t)sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			error = wait_for(connection, POLLOUT);
		} else if (errno != EINTR) {
			error = -errno;
		}
		if (error)
			return error;
	}
	return 0;
}

/* Processes available input. -EPIPE: the client has closed the connection. */
static int take_input(struct vsm_gdb *gdb, int fd)
{
	char data[4096];
	const ssize_t size = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
	return size ? vsm_gdb_receive(gdb, data, (size_t)size) : -EPIPE;
}

static int serve(struct vsm_gdb *gdb, const struct connection *connection)
{
	struct pollfd wait[] = {{.fd = connection->fd, .events = POLLIN},
				{.fd = gdb->event, .events = POLLIN},
				{.fd = connection->stop, .events = POLLIN}};
	int error = 0;

	while (!error) {
		if (poll(wait, GDB_ARRAY_SIZE(wait), -1) < 0) {
			error = errno == EINTR ? 0 : -errno;
			continue;
		}
		if (wait[2].revents)
			return -ECANCELED;
		if (wait[1].revents)
			error = vsm_gdb_poll(gdb);
		if (!error && wait[0].revents)
			error = take_input(gdb, connection->fd);
	}
	return error;
}

int vsm_gdb_serve(struct vsm_gdb *gdb, int fd, int stop)
{
	struct connection connection = {.fd = fd, .stop = stop};
	int error = vsm_gdb_attach(gdb, send_all, &connection);

	if (!error)
		error = serve(gdb, &connection);
	vsm_gdb_detach(gdb);
	return error == -EPIPE || error == -ECONNRESET ? 0 : error;
}
