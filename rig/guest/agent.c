/* SPDX-License-Identifier: BSD-2-Clause */
/* Process 1 of the guest. */
#include "agent.h"

#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

_Noreturn void power_off(const char *why)
{
	if (why)
		dprintf(STDERR_FILENO, "rig: agent: %s: %s\n", why, strerror(errno));
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

void send_frame(struct channel *channel, uint32_t kind, uint32_t value, const void *payload,
		size_t length)
{
	struct frame frame = {kind, value, (uint32_t)length};

	channel->write(channel, &frame, sizeof(frame));
	channel->write(channel, payload, length);
}

void receive_stop(struct channel *channel)
{
	struct frame frame;

	channel->read(channel, &frame, sizeof(frame));
	if (frame.kind != REQUEST_STOP || frame.length) {
		errno = EBUSY;
		power_off("request");
	}
}

static void send_file(struct channel *channel, const char *path)
{
	static char data[65536];
	struct stat st;
	ssize_t n;
	int fd;

	/* O_NONBLOCK: opening a fifo without a writer must not hang the guest. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st)) {
		send_frame(channel, FILE_ERROR, (uint32_t)errno, NULL, 0);
		if (fd >= 0)
			close(fd);
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		send_frame(channel, FILE_ERROR, S_ISDIR(st.st_mode) ? EISDIR : EINVAL, NULL, 0);
		close(fd);
		return;
	}
	while ((n = read(fd, data, sizeof(data))) > 0)
		send_frame(channel, FILE_DATA, 0, data, (size_t)n);
	if (n < 0)
		send_frame(channel, FILE_ERROR, (uint32_t)errno, NULL, 0);
	else
		send_frame(channel, FILE_END, st.st_mode & 0777, NULL, 0);
	close(fd);
}

static uint32_t milliseconds_since_start(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

int main(void)
{
	static char request[FRAME_MAX + 1];
	struct frame frame;
	struct channel *channel = channel_open();

	send_frame(channel, AGENT_READY, milliseconds_since_start(), NULL, 0);
	for (;;) {
		channel->read(channel, &frame, sizeof(frame));
		if (frame.length > FRAME_MAX) {
			errno = EMSGSIZE;
			power_off("request");
		}
		channel->read(channel, request, frame.length);
		request[frame.length] = 0;
		switch (frame.kind) {
		case REQUEST_RUN:
			run_job(channel, request, frame.length);
			break;
		case REQUEST_GET:
			send_file(channel, request);
			break;
		case REQUEST_STOP:
			/* The job ended by itself before the request arrived. */
			break;
		case REQUEST_POWEROFF:
			power_off(NULL);
		default:
			errno = ENOSYS;
			power_off("request");
		}
	}
}
