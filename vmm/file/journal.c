/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* $JOURNAL_STREAM has device and inode of a stream that the journal reads (systemd.exec(5)). */
bool vmm_is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && !fstat(fd, &status) &&
	       status.st_dev == device && status.st_ino == inode;
}

/* The header of a stream, as sd_journal_stream_fd(3) sends it. */
static int send_header(int fd, const char *identifier)
{
	char header[128];
	/* Identifier, unit (empty: journald finds it), priority; no prefixes, no forwarding. */
	const int size = snprintf(header, sizeof(header), "%s\n\n%d\n0\n0\n0\n0\n", identifier, 6);

	return send(fd, header, (size_t)size, MSG_NOSIGNAL) == size ? 0 : -EIO;
}

int vmm_journal_open(const char *socket_path, const char *identifier)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	strncpy(address.sun_path, socket_path, sizeof(address.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		error = -errno;
	else
		error = send_header(fd, identifier);
	if (!error)
		return fd;
	close(fd);
	return error;
}
