/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams of systemd-journald. */
#ifndef VMM_FILE_JOURNAL_H
#define VMM_FILE_JOURNAL_H

#include <stdbool.h>

#define VMM_JOURNAL_SOCKET "/run/systemd/journal/stdout"

/* Whether @fd is a stream to the journal, made by systemd: `<N>` before a line is its priority. */
bool vmm_is_journal(int fd);

/*
 * Connects a stream to the journal at @socket (VMM_JOURNAL_SOCKET except in tests). Its lines have
 * priority 6 (information), and `<N>` in them is text. Returns the descriptor, or -errno.
 */
int vmm_journal_open(const char *socket, const char *identifier);

#endif
