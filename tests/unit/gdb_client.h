/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition on the sim backend with a GDB stub and a thread for each VP, and a client of the
 * stub. */
#ifndef GDB_CLIENT_H
#define GDB_CLIENT_H

#include "core_test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <vsm/gdb.h>

#include "gdb/packet.h"

#define CLIENT_VPS 2u
/* Time limit of one step of a test, on a busy host. */
#define CLIENT_TIMEOUT_MS 60000

struct client_vp {
	struct gdb_client *client;
	uint32_t index;
	pthread_t thread;
	/* Exits to the VMM, by reason. */
	_Atomic unsigned int exits[16];
};

struct gdb_client {
	struct vsm_partition *partition;
	struct vsm_gdb *gdb;
	uint32_t vps;
	_Atomic bool quit;
	_Atomic bool hold_inta; /* the VMM does not answer an INTA exit yet */
	/* GPA or 0: when a byte other than INT3 is written there, VTL0 of VP 0 executes a NOP. */
	uint64_t nop_at;
	struct client_vp vp[CLIENT_VPS];
	char out[3 * GDB_FRAME_MAX]; /* output of the stub that the test has not read */
	size_t size;
	char reply[GDB_FRAME_MAX]; /* the last packet that was read */
	char text[GDB_FRAME_MAX];  /* text of the `O` packets before it */
};

static inline int client_read(void *opaque, uint64_t gpa, void *data, size_t size)
{
	const struct gdb_client *client = opaque;

	if (gpa >= RAM || size > RAM - gpa)
		return -EFAULT;
	memcpy(data, guest_ram(client->partition, gpa), size);
	return 0;
}

static inline int client_write(void *opaque, uint64_t gpa, const void *data, size_t size)
{
	const struct gdb_client *client = opaque;

	if (gpa >= RAM || size > RAM - gpa)
		return -EFAULT;
	memcpy(guest_ram(client->partition, gpa), data, size);
	if (client->nop_at && gpa == client->nop_at && *(const uint8_t *)data != 0xcc)
		sim_next(vsm_partition_vp(client->partition, 0), 0,
			 &(struct sim_action){.kind = SIM_NOP});
	return 0;
}

static inline int client_send(void *opaque, const void *data, size_t size)
{
	struct gdb_client *client = opaque;

	if (size > sizeof(client->out) - client->size)
		return -ENOBUFS;
	memcpy(client->out + client->size, data, size);
	client->size += size;
	return 0;
}

/* The run loop of a VMM: reads of ports and MMIO return zeros. */
static inline void *client_run(void *opaque)
{
	static const struct timespec pause = {.tv_nsec = 500000};
	struct client_vp *vp = opaque;
	const struct vsm_exit *exit;

	while (!atomic_load(&vp->client->quit)) {
		if (vsm_gdb_run(vp->client->gdb, vp->index, &exit))
			break;
		atomic_fetch_add(&vp->exits[exit->reason], 1);
		while (exit->reason == VSM_EXIT_INTA && atomic_load(&vp->client->hold_inta))
			nanosleep(&pause, NULL);
		if (exit->reason == VSM_EXIT_INTERRUPTED)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

/* With @hold no VP runs before the client continues it. No client is attached yet. */
static inline struct gdb_client *client_create(uint32_t vps, bool hold)
{
	struct gdb_client *client = calloc(1, sizeof(*client));
	struct vsm_gdb_config config = {
		.size = sizeof(config),
		.vp_count = vps,
		.vtl_count = 2,
		.hold = hold,
		.read = client_read,
		.write = client_write,
		.opaque = client,
	};

	assert_non_null(client);
	client->partition = guest_partition(vps, 1, RAM, NULL);
	client->vps = vps;
	config.partition = client->partition;
	assert_int_equal(vsm_gdb_create(&config, &client->gdb), 0);
	return client;
}

static inline void client_start(struct gdb_client *client)
{
	for (uint32_t i = 0; i < client->vps; i++) {
		client->vp[i].client = client;
		client->vp[i].index = i;
		assert_int_equal(
			pthread_create(&client->vp[i].thread, NULL, client_run, &client->vp[i]), 0);
	}
}

static inline void client_destroy(struct gdb_client *client)
{
	atomic_store(&client->quit, true);
	for (uint32_t i = 0; i < client->vps; i++) {
		vsm_gdb_kick(client->gdb, i);
		if (client->vp[i].client)
			pthread_join(client->vp[i].thread, NULL);
	}
	vsm_gdb_destroy(client->gdb);
	vsm_partition_destroy(client->partition);
	free(client);
}

static inline int client_bytes(struct gdb_client *client, const void *data, size_t size)
{
	return vsm_gdb_receive(client->gdb, data, size);
}

static inline int client_put(struct gdb_client *client, const char *packet)
{
	char frame[GDB_FRAME_MAX];
	uint8_t sum = 0;

	for (const char *next = packet; *next; next++)
		sum = (uint8_t)(sum + (uint8_t)*next);
	snprintf(frame, sizeof(frame), "$%s#%02x", packet, sum);
	return client_bytes(client, frame, strlen(frame));
}

/* Moves the next packet from the stub to client->reply. Returns false if there is none. */
static inline bool client_take(struct gdb_client *client)
{
	const char *begin = memchr(client->out, '$', client->size);
	const char *end =
		begin ? memchr(begin, '#', client->size - (size_t)(begin - client->out)) : NULL;
	size_t used;

	if (!end)
		return false;
	memcpy(client->reply, begin + 1, (size_t)(end - begin) - 1);
	client->reply[end - begin - 1] = 0;
	used = (size_t)(end - client->out) + 3;
	client->size -= used;
	memmove(client->out, client->out + used, client->size);
	return true;
}

/* Returns the first packet that is no text for the user, or NULL. */
static inline const char *client_reply(struct gdb_client *client)
{
	client->text[0] = 0;
	while (client_take(client)) {
		if (client->reply[0] != 'O' || !strcmp(client->reply, "OK"))
			return client->reply;
		for (const char *next = client->reply + 1; next[0]; next += 2) {
			const char digits[] = {next[0], next[1], 0};
			const size_t length = strlen(client->text);

			client->text[length] = (char)strtoul(digits, NULL, 16);
			client->text[length + 1] = 0;
		}
	}
	return NULL;
}

static inline const char *client_ask(struct gdb_client *client, const char *packet)
{
	const char *reply;

	assert_int_equal(client_put(client, packet), 0);
	reply = client_reply(client);
	assert_non_null(reply);
	return reply;
}

static inline const char *client_wait(struct gdb_client *client)
{
	const char *reply = client_reply(client);

	while (!reply) {
		struct pollfd wait = {.fd = vsm_gdb_event(client->gdb), .events = POLLIN};

		assert_int_equal(poll(&wait, 1, CLIENT_TIMEOUT_MS), 1);
		assert_int_equal(vsm_gdb_poll(client->gdb), 0);
		reply = client_reply(client);
	}
	return reply;
}

static inline const char *client_monitor(struct gdb_client *client, const char *command)
{
	char packet[600] = "qRcmd,";

	for (const char *next = command; *next; next++)
		sprintf(packet + strlen(packet), "%02x", (unsigned char)*next);
	assert_string_equal(client_ask(client, packet), "OK");
	return client->text;
}

/* Attaches as GDB does: all VPs are stopped afterwards. */
static inline void client_attach(struct gdb_client *client)
{
	assert_int_equal(vsm_gdb_attach(client->gdb, client_send, client), 0);
	client_ask(client, "qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386");
	assert_string_equal(client_ask(client, "QStartNoAckMode"), "OK");
	assert_int_equal(client_put(client, "?"), 0);
	assert_memory_equal(client_wait(client), "T00thread:p1.1;", 15);
}

static inline void client_continue(struct gdb_client *client)
{
	assert_int_equal(client_put(client, "vCont;c"), 0);
	assert_null(client_reply(client));
}

#endif
