/* SPDX-License-Identifier: BSD-2-Clause */
/* Used in vsm-static, since the decoder exists as a shared library only. */
#include "code.h"

int inspect_code(const struct command *self, const char *socket, const struct symbols *symbols,
		 int argc, char **argv)
{
	(void)socket;
	(void)symbols;
	(void)argc;
	(void)argv;
	return command_usage(self, "this vsm is static, and has no decoder of instructions");
}
