/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user's terminal in raw mode: each key goes to the guest but the escape key, Ctrl-A. Ctrl-A x
 * or X ends the machine, Ctrl-A Ctrl-A sends one Ctrl-A; any other key is sent together with the
 * Ctrl-A.
 */
#ifndef VMM_CONSOLE_TERMINAL_H
#define VMM_CONSOLE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#define VMM_ESCAPE_KEY 0x01 /* Ctrl-A */

struct vmm_terminal {
	int fd;
	bool raw;
	struct termios saved;
};

/*
 * Sets raw mode with output processing on. Returns: 0 (also if @fd is no terminal), or -errno of a
 * system call.
 */
int vmm_terminal_raw(struct vmm_terminal *terminal, int fd);

/* Restores the terminal's mode. Safe to call twice, and in a signal handler. */
void vmm_terminal_restore(struct vmm_terminal *terminal);

/* State of the escape key between two reads. Zeroed at the start. */
struct vmm_keys {
	bool escaped;
};

/*
 * Filters @size bytes of input into @out, which has room for 2 * @size: a Ctrl-A of the previous
 * call may still have to be sent. Returns the number of bytes; sets *@quit when the user ends the
 * machine, and drops the rest.
 */
size_t vmm_keys_filter(struct vmm_keys *keys, const uint8_t *in, size_t size, uint8_t *out,
		       bool *quit);

#endif
