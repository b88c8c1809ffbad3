/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox of `vsm run` (docs/sandbox.md). vmm_sandbox_begin() restricts user, capabilities,
 * limits and files, vmm_sandbox_filter() the system calls of the whole process; then each thread
 * restricts itself to the calls of its role.
 */
#ifndef VMM_SANDBOX_SANDBOX_H
#define VMM_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <vsm/log.h>

#include "config/config.h"

struct signalfd_siginfo;
struct sock_filter;

/* The main thread has the calls of all roles, as its filter is inherited. */
enum vmm_role {
	VMM_ROLE_MAIN,	  /* the main thread and the threads of the library */
	VMM_ROLE_VP,	  /* vsm_vp_run() and the devices */
	VMM_ROLE_CONSOLE, /* console input */
	VMM_ROLE_TRACE,	  /* the trace file */
	VMM_ROLE_CONTROL, /* the control socket, and the GDB stub */
	VMM_ROLE_COUNT,
};

/* Without instructions nothing is filtered. */
struct vmm_program {
	struct sock_filter *code;
	unsigned short count;
};

struct vmm_sandbox {
	enum vmm_sandbox_mode mode;
	struct vmm_program program[VMM_ROLE_COUNT];
};

/*
 * Call before any thread and any file of the guest exists. -errno with a line in the log: a part of
 * the sandbox that the configuration requires is not available, or a file of the configuration is
 * inaccessible without capabilities.
 */
int vmm_sandbox_begin(struct vmm_sandbox *sandbox, const struct vmm_config *config,
		      const struct vsm_log *log);

/*
 * Call when all resources exist. From then on a refused call fails with EPERM and queues
 * VMM_SANDBOX_SIGNAL, which all threads must block.
 */
int vmm_sandbox_filter(struct vmm_sandbox *sandbox, const struct vsm_log *log);

/* Also sets the name of the calling thread. Returns 0, or -errno of seccomp(2). */
int vmm_sandbox_thread(const struct vmm_sandbox *sandbox, enum vmm_role role, const char *name);

/* Reports a refused call to the reader of a signalfd. */
#define VMM_SANDBOX_SIGNAL SIGUSR1

/* Sets @text as in "openat (257) in thread vp0"; false if the signal is no report. */
bool vmm_sandbox_violation(const struct signalfd_siginfo *info, char *text, size_t size);

/* A zeroed @sandbox is allowed. */
void vmm_sandbox_end(struct vmm_sandbox *sandbox);

#endif
