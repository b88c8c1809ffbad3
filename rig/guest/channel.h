/* SPDX-License-Identifier: BSD-2-Clause */
/* The channel between the agent (process 1 of the guest) and the host: bytes, in order, without loss. */
#ifndef RIG_CHANNEL_H
#define RIG_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

struct channel {
	/* Transfer `length` bytes. A failure ends the guest. */
	void (*write)(struct channel *channel, const void *data, size_t length);
	void (*read)(struct channel *channel, void *data, size_t length);

	/* Whether read() would return a byte without waiting. */
	bool (*pending)(struct channel *channel);

	/* Descriptor that poll(2) can wait for until there is a byte to read, or -1. */
	int fd;
};

/* Opens the channel that the kernel's command line selects: rig.channel=ports, else the virtio port. */
struct channel *channel_open(void);

/* The channel of QEMU: a virtio serial port. */
struct channel *virtio_channel_open(void);

/* The channel of Bochs: the parallel port to the host, the second serial port from it. */
struct channel *ports_channel_open(void);

#endif
