/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void vmm_client_open(struct vmm_client *client, int fd, uint64_t number)
{
	memset(client, 0, sizeof(*client));
	client->fd = fd;
	client->number = number;
}

void vmm_client_close(struct vmm_client *client)
{
	close(client->fd);
	json_decref(client->id);
	free(client->out);
	memset(client, 0, sizeof(*client));
	client->fd = -1;
}

bool vmm_client_receive(struct vmm_client *client)
{
	ssize_t got;

	if (client->filled == sizeof(client->line))
		return true;
	got = recv(client->fd, client->line + client->filled, sizeof(client->line) - client->filled,
		   MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	/* Half closed: the client still gets answers, also to a last line without a line feed. */
	if (got == 0) {
		client->closing = true;
		if (client->filled && client->line[client->filled - 1] != '\n')
			client->line[client->filled++] = '\n';
	}
	client->filled += (size_t)got;
	return true;
}

int vmm_client_next_line(struct vmm_client *client, const char **line, size_t *size)
{
	const char *end = memchr(client->line, '\n', client->filled);

	if (!end)
		return client->filled == sizeof(client->line) ? -1 : 0;
	*line = client->line;
	*size = (size_t)(end - client->line);
	return 1;
}

void vmm_client_drop_line(struct vmm_client *client, size_t size)
{
	client->filled -= size + 1;
	memmove(client->line, client->line + size + 1, client->filled);
}

size_t vmm_client_backlog(const struct vmm_client *client)
{
	return client->out_end - client->out_begin;
}

static bool make_room(struct vmm_client *client, size_t size)
{
	size_t room = client->out_room ? client->out_room : 4096;
	char *grown;

	if (client->out_begin) {
		memmove(client->out, client->out + client->out_begin, vmm_client_backlog(client));
		client->out_end -= client->out_begin;
		client->out_begin = 0;
	}
	while (room < client->out_end + size)
		room *= 2;
	if (room == client->out_room)
		return true;
	grown = realloc(client->out, room);
	if (!grown)
		return false;
	client->out = grown;
	client->out_room = room;
	return true;
}

void vmm_client_queue(struct vmm_client *client, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);
	const size_t size = text ? strlen(text) : 0;

	if (vmm_client_backlog(client) == 0)
		clock_gettime(CLOCK_MONOTONIC, &client->progress);
	if (text && make_room(client, size + 1)) {
		memcpy(client->out + client->out_end, text, size);
		client->out[client->out_end + size] = '\n';
		client->out_end += size + 1;
	} else {
		vmm_client_close_after_send(client);
	}
	free(text);
	json_decref(value);
}

bool vmm_client_send(struct vmm_client *client)
{
	struct timespec now;

	while (vmm_client_backlog(client)) {
		const ssize_t sent = send(client->fd, client->out + client->out_begin,
					  vmm_client_backlog(client), MSG_DONTWAIT | MSG_NOSIGNAL);

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return now.tv_sec - client->progress.tv_sec < VMM_STUCK_SECONDS;
		if (sent <= 0)
			return false;
		client->out_begin += (size_t)sent;
		client->progress = now;
	}
	client->out_begin = client->out_end = 0;
	return true;
}

void vmm_client_close_after_send(struct vmm_client *client)
{
	client->closing = true;
	client->filled = 0;
}

bool vmm_client_is_done(const struct vmm_client *client)
{
	return client->closing && !client->waiting && !vmm_client_backlog(client) &&
	       !memchr(client->line, '\n', client->filled);
}
