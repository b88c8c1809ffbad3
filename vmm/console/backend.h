/* SPDX-License-Identifier: BSD-2-Clause */
/* Backend of the serial port. */
#ifndef VMM_CONSOLE_BACKEND_H
#define VMM_CONSOLE_BACKEND_H

#include <stdatomic.h>

#include "config/config.h"
#include "console/terminal.h"

struct vmm_backend {
	int in; /* -1: no input */
	int out;
	int stop; /* eventfd, readable after vmm_backend_stop() */
	int peer; /* the user's side of a pseudo-terminal, kept open; -1: none */
	_Atomic bool stopped;
	bool owned; /* @in and @out are closed with the backend */
	struct vmm_terminal terminal;
	struct vmm_keys keys;
	char name[64]; /* of the pseudo-terminal, for the user; else "" */
};

/* A terminal on stdio enters raw mode. Returns 0, or -errno with a line in the log. */
int vmm_backend_open(struct vmm_backend *backend, const struct vmm_config *config,
		     const struct vsm_log *log);
void vmm_backend_close(struct vmm_backend *backend);

/*
 * Makes all current and later reads and writes return immediately; unwritten data is dropped. Any
 * thread.
 */
void vmm_backend_stop(struct vmm_backend *backend);
bool vmm_backend_stopped(const struct vmm_backend *backend);

/*
 * Writes all bytes, also if signals arrive. Blocks while the reader is slow; but a pseudo-terminal
 * drops the rest. Drops the rest if the reader has closed its end.
 */
void vmm_backend_write(struct vmm_backend *backend, const uint8_t *data, size_t size);

/*
 * Waits up to @milliseconds (-1: no limit) for input and reads at most @size bytes (2 or more),
 * without escape keys. Returns the number of bytes; 0: none yet, -EPIPE: end of input. Sets *@quit
 * when the user ends the machine.
 */
int vmm_backend_read(struct vmm_backend *backend, uint8_t *data, size_t size, int milliseconds,
		     bool *quit);

#endif
