/* SPDX-License-Identifier: BSD-2-Clause */
/* `vsm inspect SOCKET code`: instructions of a VTL. */
#ifndef VSM_TOOL_INSPECT_CODE_H
#define VSM_TOOL_INSPECT_CODE_H

#include "command.h"
#include "inspect/symbols.h"

/* @argv: VP VTL [ADDRESS [COUNT]]. Returns the exit status. */
int inspect_code(const struct command *self, const char *socket, const struct symbols *symbols,
		 int argc, char **argv);

/* @typed: a number, SYMBOL, or SYMBOL+NUMBER. Returns false if it is none of them. */
bool inspect_address(const struct symbols *symbols, const char *typed, uint64_t *address);

#endif
