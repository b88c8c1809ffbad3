/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any user of the host can connect to a TCP port, and TCP passes no credentials: /proc/net/tcp has
 * the user of the peer's socket.
 */
#include "gdb/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes for about 100,000 sockets. */
#define TABLE_MAX (16u << 20)

int vmm_listen_local(uint16_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	int error;

	if (fd < 0)
		return -errno;
	/* A port whose last connection has just ended can be used again. */
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    !bind(fd, (const struct sockaddr *)&address, sizeof(address)) && !listen(fd, 1))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

bool vmm_listen_peer(const char *table, uint16_t peer_port, uint16_t own_port, uid_t *user)
{
	/* The table has addresses as numbers of the host whose bytes are in network order. */
	const uint32_t loopback = htonl(INADDR_LOOPBACK);

	for (const char *line = table; line; line = strchr(line, '\n')) {
		uint32_t own_address, peer_address, state, id;
		uint16_t from, to;

		line += *line == '\n';
		if (sscanf(line,
			   "%*d: %" SCNx32 ":%" SCNx16 " %" SCNx32 ":%" SCNx16 " %" SCNx32
			   " %*x:%*x %*x:%*x %*x %" SCNu32,
			   &own_address, &from, &peer_address, &to, &state, &id) != 6)
			continue;
		/* A socket that its process has closed is listed with user 0, that of root. */
		if (own_address != loopback || peer_address != loopback || from != peer_port ||
		    to != own_port || state != TCP_ESTABLISHED)
			continue;
		*user = id;
		return true;
	}
	return false;
}

/* A file of /proc has no known size. NULL: cannot be read, or too long. */
static char *read_table(int fd)
{
	char *text = malloc(TABLE_MAX);
	size_t size = 0;
	ssize_t got = lseek(fd, 0, SEEK_SET);

	while (text && got >= 0 && size < TABLE_MAX - 1) {
		got = read(fd, text + size, TABLE_MAX - 1 - size);
		if (got <= 0)
			break;
		size += (size_t)got;
	}
	if (text && got == 0) {
		text[size] = 0;
		return text;
	}
	free(text);
	return NULL;
}

bool vmm_listen_is_owner(int fd, int table)
{
	struct sockaddr_in peer = {0}, own = {0};
	socklen_t peer_size = sizeof(peer), own_size = sizeof(own);
	uid_t user = 0;
	char *text;
	bool found;

	if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) ||
	    getsockname(fd, (struct sockaddr *)&own, &own_size))
		return false;
	text = read_table(table);
	found = text && vmm_listen_peer(text, ntohs(peer.sin_port), ntohs(own.sin_port), &user);
	free(text);
	return found && (user == geteuid() || user == 0);
}
