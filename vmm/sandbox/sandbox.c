/* SPDX-License-Identifier: BSD-2-Clause */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/internal.h"
#include "sandbox/report.h"

/* An error if the configuration requires all parts, else a warning. */
static int missing(const struct vmm_sandbox *sandbox, const char *what, const struct vsm_log *log)
{
	if (sandbox->mode == VMM_SANDBOX_ON)
		return vsm_error(log, EOPNOTSUPP, "sandbox: %s, but --sandbox on requires it",
				 what);
	vsm_log(log, VSM_LOG_WARN, "the sandbox is not complete: %s", what);
	return 0;
}

static int check_filter(const struct vmm_sandbox *sandbox, const struct vsm_log *log)
{
	if (vmm_filter_available())
		return 0;
	return missing(sandbox,
		       "this vsm was built without libseccomp, so system calls are not "
		       "filtered",
		       log);
}

/* Root without capabilities has the file permissions of an ordinary user. */
static int check_reach(void *opaque, const char *path, enum vmm_path_use use, bool optional)
{
	const int mode = use == VMM_PATH_READ ? R_OK : use == VMM_PATH_CREATE ? W_OK | X_OK : W_OK;
	const struct vsm_log *log = opaque;

	(void)optional;
	/* The function that opens a device reports the error. */
	if (!strncmp(path, "/dev/", 5) || !access(path, mode) || errno != EACCES)
		return 0;
	return vsm_error(log, EACCES,
			 "%s: permission denied to user %u without capabilities, which the sandbox "
			 "has dropped: use --user with the name of its owner, or --sandbox off",
			 path, (unsigned int)geteuid());
}

/* Without /dev/userfaultfd, as in containers, userfaultfd(2) needs a capability. */
static uint32_t still_needed(void)
{
	return access("/dev/userfaultfd", R_OK | W_OK) ? CAP_TO_MASK(CAP_SYS_PTRACE) : 0;
}

int vmm_sandbox_begin(struct vmm_sandbox *sandbox, const struct vmm_config *config,
		      const struct vsm_log *log)
{
	int error = 0;

	*sandbox = (struct vmm_sandbox){.mode = config->sandbox};
	/*
	 * Needs CAP_SETPCAP, which is lost when the user changes. Without it, no_new_privs has the
	 * same effect.
	 */
	if (sandbox->mode != VMM_SANDBOX_OFF)
		vmm_bounding_set_drop();
	if (config->user)
		error = vmm_user_change(config->user, log);
	if (error || sandbox->mode == VMM_SANDBOX_OFF)
		return error;
	error = check_filter(sandbox, log);
	if (!error)
		error = vmm_limits_lower(log);
	if (!error)
		error = vmm_capabilities_drop(still_needed(), log);
	if (!error && geteuid() == 0)
		error = vmm_paths_each(config, check_reach, (void *)(uintptr_t)log);
	/* Landlock cannot log without refusing, so mode `log` does not use it. */
	if (error || sandbox->mode == VMM_SANDBOX_LOG)
		return error;
	if (vmm_landlock_available())
		return vmm_landlock(config, log);
	return missing(sandbox, "this kernel has no landlock, so files are not restricted", log);
}

static int install(const struct vmm_program *program, unsigned int flags)
{
	const struct sock_fprog code = {.len = program->count, .filter = program->code};

	if (!program->count)
		return 0;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &code) ? -errno : 0;
}

int vmm_sandbox_filter(struct vmm_sandbox *sandbox, const struct vsm_log *log)
{
	const bool only_log = sandbox->mode == VMM_SANDBOX_LOG;
	int error = 0;

	if (sandbox->mode == VMM_SANDBOX_OFF || !vmm_filter_available())
		return 0;
	/* Otherwise gmtime_r() reads the time zone file later, which no VP thread may do. */
	tzset();
	for (int role = 0; role < VMM_ROLE_COUNT && !error; role++)
		error = vmm_filter_build(&sandbox->program[role], (enum vmm_role)role, only_log,
					 log);
	if (!error)
		error = vmm_capabilities_drop(0, log);
	if (!error)
		error = vmm_filter_report(log);
	/* Other processes of this user must not read the memory, or trace it. */
	if (!error && !only_log && prctl(PR_SET_DUMPABLE, 0))
		error = vsm_error(log, errno, "sandbox: %s", strerror(errno));
	if (error)
		return error;
	error = install(&sandbox->program[VMM_ROLE_MAIN], SECCOMP_FILTER_FLAG_TSYNC);
	if (error)
		return vsm_error(log, -error, "sandbox: the filter of system calls: %s",
				 strerror(-error));
	return 0;
}

int vmm_sandbox_thread(const struct vmm_sandbox *sandbox, enum vmm_role role, const char *name)
{
	(void)prctl(PR_SET_NAME, name);
	return install(&sandbox->program[role], 0);
}

bool vmm_sandbox_violation(const struct signalfd_siginfo *info, char *text, size_t size)
{
	const union vmm_report report = {.number = info->ssi_ptr};
	char *name;

	if (info->ssi_signo != VMM_SANDBOX_SIGNAL || info->ssi_code != SI_QUEUE ||
	    info->ssi_pid != (uint32_t)getpid())
		return false;
	name = vmm_filter_name(report.call);
	snprintf(text, size, "%s (%u) in thread %.6s", name ? name : "call", report.call,
		 report.thread);
	free(name);
	return true;
}

void vmm_sandbox_end(struct vmm_sandbox *sandbox)
{
	for (int role = 0; role < VMM_ROLE_COUNT; role++) {
		free(sandbox->program[role].code);
		sandbox->program[role] = (struct vmm_program){0};
	}
}
