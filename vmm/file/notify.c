/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int vmm_notify_open(const struct vsm_log *log)
{
	const char *const path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const size_t length = path ? strlen(path) : 0;
	int fd;

	if (length == 0)
		return -1;
	if ((path[0] != '/' && path[0] != '@') || length >= sizeof(address.sun_path)) {
		vsm_log(log, VSM_LOG_WARN, "NOTIFY_SOCKET: '%.120s' is no Unix socket", path);
		return -1;
	}
	memcpy(address.sun_path, path, length);
	/* An abstract name. */
	if (path[0] == '@')
		address.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (const struct sockaddr *)&address,
				(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)))
		return fd;
	vsm_log(log, VSM_LOG_WARN, "NOTIFY_SOCKET: %.120s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void vmm_notify(int fd, const char *assignments)
{
	/* The service manager's time limit handles a message that is lost. */
	if (fd >= 0)
		(void)!write(fd, assignments, strlen(assignments));
}
