/* SPDX-License-Identifier: BSD-2-Clause */
#include "channel.h"

#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static const char port_path[] = "/dev/vport0p1";

static void virtio_write(struct channel *channel, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t n = write(channel->fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			power_off("cannot write to the host");
		at += n;
		length -= (size_t)n;
	}
}

static void virtio_read(struct channel *channel, void *data, size_t length)
{
	char *at = data;

	while (length) {
		ssize_t n = read(channel->fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			power_off("the host has closed the channel");
		at += n;
		length -= (size_t)n;
	}
}

static bool virtio_pending(struct channel *channel)
{
	struct pollfd wait = {.fd = channel->fd, .events = POLLIN};

	return poll(&wait, 1, 0) > 0;
}

struct channel *virtio_channel_open(void)
{
	static struct channel channel = {virtio_write, virtio_read, virtio_pending, -1};

	channel.fd = open(port_path, O_RDWR | O_CLOEXEC);
	if (channel.fd < 0)
		power_off(port_path);
	return &channel;
}

struct channel *channel_open(void)
{
	char words[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, words, sizeof(words) - 1) < 0)
		power_off("/proc/cmdline");
	close(fd);
	return strstr(words, "rig.channel=ports") ? ports_channel_open() : virtio_channel_open();
}
