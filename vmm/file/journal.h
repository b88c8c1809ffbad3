/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams of systemd-journald. */
#ifndef VMM_FILE_JOURNAL_H
#define VMM_FILE_JOURNAL_H

#include <stdbool.h>

#define VMM_JOURNAL_SOCKET "/run/systemd/journal/stdout"

/* systemd has connected @fd to the journal, whose priorities are `<N>` at the start of a line. */
bool vmm_is_journal(int fd);

/*
 * Connects a stream to the journal at @socket, VMM_JOURNAL_SOCKET but in tests. Its lines carry
 * @identifier and the priority of information; a `<N>` is text. Returns the descriptor, or -errno.
 */
int vmm_journal_open(const char *socket, const char *identifier);

#endif
