/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes between agent and host, in order, without loss. */
#ifndef RIG_CHANNEL_H
#define RIG_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

struct channel {
	/* A failure ends the guest. */
	void (*write)(struct channel *channel, const void *data, size_t length);
	void (*read)(struct channel *channel, void *data, size_t length);

	/* Whether read() would return a byte without waiting. */
	bool (*pending)(struct channel *channel);

	/* Descriptor for poll(2), or -1. */
	int fd;
};

/* By the kernel's command line: rig.channel=ports, else the virtio port. */
struct channel *channel_open(void);

/* Of QEMU. */
struct channel *virtio_channel_open(void);

/* Of Bochs: the parallel port to the host, the second serial port from it. */
struct channel *ports_channel_open(void);

#endif
