/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A refused call raises SIGSYS in its thread; the handler makes it fail with EPERM and reports it
 * to the main thread, which ends the machine.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "sandbox/calls.h"
#include "sandbox/internal.h"
#include "sandbox/report.h"

bool vmm_filter_available(void)
{
	return true;
}

char *vmm_filter_name(int call)
{
	return seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
}

static int add_call(scmp_filter_ctx filter, const struct vmm_call *call, int number)
{
	const struct scmp_arg_cmp compare = {
		.arg = call->argument,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = call->condition == VMM_OWN ? UINT32_MAX : call->mask,
		.datum_b = call->condition == VMM_OWN ? (uint64_t)getpid() : call->value,
	};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, call->condition != VMM_ANY,
				      &compare);
}

static int add_calls(scmp_filter_ctx filter, enum vmm_role role)
{
	int error = 0;

	/* A filter cannot read clone3()'s flags in memory; after ENOSYS, glibc uses clone(). */
	if (role == VMM_ROLE_MAIN)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* ioctl is checked first: KVM_RUN is the most frequent call. */
	if (!error)
		error = seccomp_syscall_priority(filter, SCMP_SYS(ioctl), UINT8_MAX);
	for (size_t i = 0; i < vmm_call_count && !error; i++) {
		const int number = seccomp_syscall_resolve_name(vmm_calls[i].name);

		/* The main thread's filter is in force for all threads. */
		if (role != VMM_ROLE_MAIN && !(vmm_calls[i].roles >> role & 1))
			continue;
		error = add_call(filter, &vmm_calls[i], number);
	}
	return error;
}

static int export_code(scmp_filter_ctx filter, struct vmm_program *program)
{
	const int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat status;
	int error;

	if (fd < 0)
		return -errno;
	error = seccomp_export_bpf(filter, fd);
	if (!error && fstat(fd, &status))
		error = -errno;
	if (!error) {
		program->code = malloc((size_t)status.st_size);
		program->count = (unsigned short)((size_t)status.st_size / sizeof(*program->code));
		if (!program->code)
			error = -ENOMEM;
		else if (pread(fd, program->code, (size_t)status.st_size, 0) != status.st_size)
			error = -EIO;
	}
	close(fd);
	return error;
}

int vmm_filter_build(struct vmm_program *program, enum vmm_role role, bool only_log,
		     const struct vsm_log *log)
{
	scmp_filter_ctx filter = seccomp_init(only_log ? SCMP_ACT_LOG : SCMP_ACT_TRAP);
	int error = filter ? 0 : -ENOMEM;

	if (!error)
		error = add_calls(filter, role);
	if (!error)
		error = export_code(filter, program);
	if (filter)
		seccomp_release(filter);
	return error ? vsm_error(log, -error, "sandbox: the filter of system calls: %s",
				 strerror(-error))
		     : 0;
}

/* ------------------------------------------------------------------ a refused call */

/* Only async-signal-safe functions are allowed. */
static void refused(int number, siginfo_t *info, void *context)
{
	union vmm_report report = {.call = (uint16_t)info->si_syscall};
	ucontext_t *state = context;
	siginfo_t out = {.si_signo = VMM_SANDBOX_SIGNAL, .si_code = SI_QUEUE};
	char name[16] = "";

	(void)number;
	prctl(PR_GET_NAME, name);
	memcpy(report.thread, name, sizeof(report.thread));
	out.si_pid = getpid();
	out.si_value.sival_ptr = report.pointer;
	syscall(SYS_rt_sigqueueinfo, out.si_pid, VMM_SANDBOX_SIGNAL, &out);
	state->uc_mcontext.gregs[REG_RAX] = -EPERM;
}

int vmm_filter_report(const struct vsm_log *log)
{
	const struct sigaction action = {.sa_sigaction = refused, .sa_flags = SA_SIGINFO};

	if (sigaction(SIGSYS, &action, NULL))
		return vsm_error(log, errno, "sandbox: SIGSYS: %s", strerror(errno));
	return 0;
}
