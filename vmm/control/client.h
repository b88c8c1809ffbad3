/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection to the control socket: lines in, lines out, with bounds on both. Nothing here waits.
 */
#ifndef VMM_CONTROL_CLIENT_H
#define VMM_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The longest request. It bounds how deep a request can be nested, too. */
#define VMM_LINE_MAX 4096u
/* With more than this to be sent, no further request is read and no event is kept. */
#define VMM_BACKLOG_MAX (256u << 10)
/* A client that takes nothing for so long is cut off. */
#define VMM_STUCK_SECONDS 10

struct vmm_client {
	int fd; /* -1: there is none */
	uint64_t number;
	bool waiting;	       /* for the outcome of an order: no further request is read */
	bool wants_events;     /* it has asked for them */
	bool leaving;	       /* it says no more: to be hung up on when everything is answered */
	json_t *id;	       /* of the request that waits */
	uint64_t dropped;      /* events that it was not sent, and not told of yet */
	struct timespec moved; /* when it last took something, or had nothing to take */
	size_t filled;
	char line[VMM_LINE_MAX];
	char *out;
	size_t out_begin, out_end, out_room;
};

void vmm_client_open(struct vmm_client *client, int fd, uint64_t number);
void vmm_client_close(struct vmm_client *client);

/* Takes what has come. False: it has gone, or was cut off. */
bool vmm_client_receive(struct vmm_client *client);
/*
 * The next complete line, without its end, in *@line; it is valid until the next call for this client. 1; 0: none
 * yet; -1: it is too long.
 */
int vmm_client_next_line(struct vmm_client *client, const char **line, size_t *size);
/* It was dealt with. */
void vmm_client_drop_line(struct vmm_client *client, size_t size);

/* What is to be sent, in bytes. */
size_t vmm_client_backlog(const struct vmm_client *client);
/* Appends @value as a line; it is given away. Without memory the client is cut off. */
void vmm_client_say(struct vmm_client *client, json_t *value);
/* Listens to it no more: it is hung up on when everything is sent. */
void vmm_client_leave(struct vmm_client *client);
/* Everything that it said is answered, and it says no more. */
bool vmm_client_is_done(const struct vmm_client *client);
/* Sends what it takes now. False: it has gone, or takes nothing for too long. */
bool vmm_client_send(struct vmm_client *client);

#endif
