/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user's terminal in raw mode. Ctrl-A is the escape key: Ctrl-A x ends the machine, Ctrl-A
 * Ctrl-A sends one Ctrl-A.
 */
#ifndef VMM_CONSOLE_TERMINAL_H
#define VMM_CONSOLE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#define VMM_ESCAPE_KEY 0x01

struct vmm_terminal {
	int fd;
	bool raw;
	struct termios saved;
};

/* Keeps output processing on. Returns: 0 (also if @fd is no terminal), or -errno. */
int vmm_terminal_raw(struct vmm_terminal *terminal, int fd);

/* Safe to call twice, and in a signal handler. */
void vmm_terminal_restore(struct vmm_terminal *terminal);

/* State between two reads; zero at the start. */
struct vmm_keys {
	bool escaped;
};

/*
 * @out has room for 2 * @size, since a Ctrl-A of the previous call may still have to be sent.
 * Returns the number of bytes; sets *@quit when the user ends the machine, and drops the rest.
 */
size_t vmm_keys_filter(struct vmm_keys *keys, const uint8_t *in, size_t size, uint8_t *out,
		       bool *quit);

#endif
