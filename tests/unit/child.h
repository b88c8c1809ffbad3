/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CHILD_H
#define CHILD_H

#include <sys/wait.h>
#include <unistd.h>

#include "core_test.h"

/* Forks a child that reads the byte at @at by a system call. */
static inline bool child_can_read(const uint8_t *at)
{
	int status = 0;
	int pipes[2];
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(write(pipes[1], at, 1) == 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(pipes[0]);
	close(pipes[1]);
	return status != 0;
}

#endif
