/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol between rig/vsmrig/guest.py and the agent: a header, then `length` bytes, in both
 * directions. Output is in the payload, so that a program cannot forge a frame. One request is
 * served at a time.
 */
#ifndef RIG_AGENT_H
#define RIG_AGENT_H

#include <stddef.h>
#include <stdint.h>

struct frame {
	uint32_t kind;
	uint32_t value;
	uint32_t length;
};

enum {
	FRAME_MAX = 1 << 20
};

enum frame_kind {
	REQUEST_RUN = 1, /* payload: strings, see job.c */
	REQUEST_GET,	 /* payload: path of a regular file */
	REQUEST_POWEROFF,
	REQUEST_STOP, /* kills the job after its timeout by the host's clock; ignored without a job */

	AGENT_READY = 16, /* value: milliseconds since the kernel started */
	JOB_STDOUT,	  /* payload: bytes */
	JOB_STDERR,
	JOB_EXITED,	 /* value: exit status */
	JOB_KILLED,	 /* value: signal */
	JOB_TIMED_OUT,	 /* the job was killed by REQUEST_STOP */
	JOB_NOT_STARTED, /* value: errno */
	FILE_DATA,	 /* payload: bytes */
	FILE_END,	 /* value: permission bits */
	FILE_ERROR,	 /* value: errno */
};

struct channel;

/* Prints @why and errno to the console; NULL: the host requested it. */
_Noreturn void power_off(const char *why);

void send_frame(struct channel *channel, uint32_t kind, uint32_t value, const void *payload,
		size_t length);

/* The output and the end of the job go to `channel`. */
void run_job(struct channel *channel, char *request, size_t length);

/* Ends the guest on any other frame than REQUEST_STOP. */
void receive_stop(struct channel *channel);

#endif
