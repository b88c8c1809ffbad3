/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user's terminal in raw mode, so that each key goes to the guest, and the one key that does not:
 * Ctrl-A, then x ends the machine, Ctrl-A sends a Ctrl-A, anything else is passed on with it.
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
 * Raw mode, output processing left on. Does nothing when @fd is no terminal (a pipe): returns 0 then,
 * too. -errno if the terminal refuses.
 */
int vmm_terminal_raw(struct vmm_terminal *terminal, int fd);

/* As it was before. Safe to call twice, and in a signal handler. */
void vmm_terminal_restore(struct vmm_terminal *terminal);

/* Where a stream of keys stands between two reads. Zeroed at the start. */
struct vmm_keys {
	bool escaped;
};

/*
 * Filters @size bytes of input into @out, which has room for 2 * @size: one Ctrl-A may be left from
 * before. Returns how many there are; *@quit is set when the user wants to end (what is behind that
 * is dropped).
 */
size_t vmm_keys_filter(struct vmm_keys *keys, const uint8_t *in, size_t size, uint8_t *out,
		       bool *quit);

#endif
