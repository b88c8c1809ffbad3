/* SPDX-License-Identifier: BSD-2-Clause */
/* Which processes the client of a control socket accepts at the other end. */
#ifndef VSM_TOOL_INSPECT_PEER_H
#define VSM_TOOL_INSPECT_PEER_H

#include <stdbool.h>

#include "command.h"

/*
 * Whether the process that listens on the socket @path belongs to this user or to root. Root
 * accepts another user's, too, if only that user and root could have put a socket there; this
 * process then continues with that user's rights. Prints an error on stderr.
 */
bool inspect_peer_is_trusted(const struct command *self, int connection, const char *path);

#endif
