/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/terminal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int vmm_terminal_raw(struct vmm_terminal *terminal, int fd)
{
	struct termios raw;

	memset(terminal, 0, sizeof(*terminal));
	terminal->fd = fd;
	if (!isatty(fd))
		return 0;
	if (tcgetattr(fd, &terminal->saved))
		return -errno;
	raw = terminal->saved;
	cfmakeraw(&raw);
	/* Messages of this program end in "\n" without "\r". */
	raw.c_oflag |= OPOST;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(fd, TCSANOW, &raw))
		return -errno;
	terminal->raw = true;
	return 0;
}

void vmm_terminal_restore(struct vmm_terminal *terminal)
{
	if (!terminal->raw)
		return;
	terminal->raw = false;
	tcsetattr(terminal->fd, TCSANOW, &terminal->saved);
}

size_t vmm_keys_filter(struct vmm_keys *keys, const uint8_t *in, size_t size, uint8_t *out,
		       bool *quit)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++) {
		if (!keys->escaped) {
			if (in[i] == VMM_ESCAPE_KEY)
				keys->escaped = true;
			else
				out[count++] = in[i];
			continue;
		}
		keys->escaped = false;
		if (in[i] == 'x' || in[i] == 'X') {
			*quit = true;
			return count;
		}
		out[count++] = VMM_ESCAPE_KEY;
		if (in[i] != VMM_ESCAPE_KEY)
			out[count++] = in[i];
	}
	return count;
}
