/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the serial port leads: this process's terminal or pipes, a file, or a pseudo-terminal. */
#ifndef VMM_CONSOLE_BACKEND_H
#define VMM_CONSOLE_BACKEND_H

#include <stdatomic.h>

#include "config/config.h"
#include "console/terminal.h"

struct vmm_backend {
	int in; /* -1: no input */
	int out;
	int stop; /* an eventfd: readable once vmm_backend_stop() was called */
	int peer; /* our own end of the user's side of a pseudo-terminal, kept open; -1: none */
	_Atomic bool stopped;
	bool owned; /* @in and @out are closed with it */
	struct vmm_terminal terminal;
	struct vmm_keys keys;
	char name[64]; /* of the pseudo-terminal, for the user; else "" */
};

/*
 * Opens what the configuration asks for; stdio becomes raw. Returns 0, or -errno with a line in the
 * log. vmm_backend_close() undoes it.
 */
int vmm_backend_open(struct vmm_backend *backend, const struct vmm_config *config,
		     const struct vsm_log *log);
void vmm_backend_close(struct vmm_backend *backend);

/*
 * Makes vmm_backend_read() and vmm_backend_write() return at once, those that wait now and all later
 * ones: what they had left is dropped. Any thread.
 */
void vmm_backend_stop(struct vmm_backend *backend);
bool vmm_backend_stopped(const struct vmm_backend *backend);

/*
 * Writes all of it, whatever signals come; waits while whoever reads is slow. A reader that has gone away
 * loses what it does not read.
 */
void vmm_backend_write(struct vmm_backend *backend, const uint8_t *data, size_t size);

/*
 * Waits up to @milliseconds (-1: for ever) for input and reads it, @size bytes at most (2 or more), without the keys
 * that are for us. Returns how many; 0: none yet, -EPIPE: none will ever come. Sets *@quit when the
 * user wants to end the machine.
 */
int vmm_backend_read(struct vmm_backend *backend, uint8_t *data, size_t size, int milliseconds,
		     bool *quit);

#endif
