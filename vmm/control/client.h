/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection to the control socket. Input and output are bounded; no function blocks. */
#ifndef VMM_CONTROL_CLIENT_H
#define VMM_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The longest request, with its line feed. It also bounds the depth of nested values. */
#define VMM_LINE_MAX 4096u
/* With more output than this pending, no request is read and no event is queued. */
#define VMM_BACKLOG_MAX (256u << 10)
/* A client that does not read its output for this time is disconnected. */
#define VMM_STUCK_SECONDS 10

struct vmm_client {
	int fd; /* -1: unused */
	uint64_t number;
	bool waiting; /* an order is pending: no request is read */
	bool events_requested;
	bool closing;		  /* disconnect after the last answer */
	json_t *id;		  /* id of the deferred request */
	uint64_t dropped;	  /* not sent, and not yet reported */
	struct timespec progress; /* when output was last sent, or last empty */
	size_t filled;
	char line[VMM_LINE_MAX];
	char *out;
	size_t out_begin, out_end, out_room;
};

void vmm_client_open(struct vmm_client *client, int fd, uint64_t number);
void vmm_client_close(struct vmm_client *client);

/* False: disconnected. */
bool vmm_client_receive(struct vmm_client *client);
/*
 * The next complete line, without line feed; valid until the next call for this client. Returns: 1,
 * 0 (none yet), or -1 (too long).
 */
int vmm_client_next_line(struct vmm_client *client, const char **line, size_t *size);
void vmm_client_drop_line(struct vmm_client *client, size_t size);

size_t vmm_client_backlog(const struct vmm_client *client);
/* Appends @value to the output as a line, and releases it. Disconnects if there is no memory. */
void vmm_client_queue(struct vmm_client *client, json_t *value);
/* Drops further input; the client is disconnected when all output is sent. */
void vmm_client_close_after_send(struct vmm_client *client);
bool vmm_client_is_done(const struct vmm_client *client);
/* Sends what the socket accepts now. False: disconnected, or timed out. */
bool vmm_client_send(struct vmm_client *client);

#endif
