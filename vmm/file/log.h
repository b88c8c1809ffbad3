/* SPDX-License-Identifier: BSD-2-Clause */
/* Destinations of messages: stderr, or a file with time stamps. */
#ifndef VMM_FILE_LOG_H
#define VMM_FILE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <vsm/log.h>

struct vmm_log {
	const char *name; /* of the program */
	int fd;		  /* -1: stderr alone */
	bool journal;	  /* stderr is a stream to the journal, where lines have priorities */
	_Atomic unsigned int count[2]; /* [1]: of errors */
};

void vmm_log_init(struct vmm_log *self, const char *name);

/*
 * Appends messages to the file at @path, which is created with mode 0600, for @user (NULL: the user
 * of the process); errors also go to stderr. Returns: 0, or -errno.
 */
int vmm_log_open(struct vmm_log *self, const char *path, const char *user);

void vmm_log_close(struct vmm_log *self);

/*
 * A vsm_log_fn, for any thread. Writes only the first 1,000 errors and the first 1,000 other
 * messages, as a guest can cause them.
 */
void vmm_log_print(void *opaque, const struct vsm_log_record *record);

#endif
