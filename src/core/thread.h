/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_THREAD_H
#define CORE_THREAD_H

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* gettid(), with one system call for each thread and source file. */
static inline pid_t thread_id(void)
{
	static _Thread_local pid_t id;

	if (!id)
		id = (pid_t)syscall(SYS_gettid);
	return id;
}

#endif
