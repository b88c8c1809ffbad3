/* SPDX-License-Identifier: BSD-2-Clause */
#include "sandbox/calls.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>

#include "array.h"

#define ALL_BITS UINT64_MAX
/* Second byte of an ioctl's number. */
#define TYPE(type)     VMM_EQUAL, 1, 0xff00, (uint64_t)(type) << 8
#define REQUEST(value) VMM_EQUAL, 1, 0xffffffff, (value)
#define OPTION(value)  VMM_EQUAL, 0, 0xffffffff, (value)
/* Flags of glibc's pthread_create(): only a thread of this process has all of them. */
#define THREAD                                                                              \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
	 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/*
 * A call has a row for each condition under which it is permitted. CONTROL may make the calls of
 * VP, since its thread acts for VPs whose threads do not run.
 */
const struct vmm_call vmm_calls[] = {
	/* Open descriptors. */
	{"ioctl", MAIN | VP | CONSOLE | CONTROL, TYPE(0xae)}, /* KVM */
	{"ioctl", MAIN | VP | CONSOLE | CONTROL, TYPE(0xaa)}, /* userfaultfd */
	{"ioctl", ALL, REQUEST(TCGETS)},
	{"ioctl", MAIN, REQUEST(TCSETS)},
	{"read", ALL},
	{"write", ALL},
	{"close", ALL},
	{"poll", ALL},
	{"ppoll", ALL},
	{"newfstatat", ALL, VMM_EQUAL, 3, AT_EMPTY_PATH, AT_EMPTY_PATH},
	{"lseek", MAIN | VP | TRACE | CONTROL},
	{"pread64", MAIN | VP | CONTROL},
	{"pwrite64", MAIN | VP | CONTROL},
	{"eventfd2", MAIN | VP | CONTROL},
	/* Memory: none of it is executable. */
	{"mmap", ALL, VMM_ZERO, 2, PROT_EXEC, 0},
	{"mprotect", ALL, VMM_ZERO, 2, PROT_EXEC, 0},
	{"munmap", ALL},
	{"mremap", ALL},
	{"madvise", ALL},
	{"brk", ALL},
	{"memfd_create", MAIN | VP | CONTROL},
	{"ftruncate", MAIN | VP | CONTROL},
	/* Threads and time. */
	{"futex", ALL},
	{"sched_yield", ALL},
	{"sched_getaffinity", ALL},
	{"nanosleep", ALL},
	{"clock_nanosleep", ALL},
	{"clock_gettime", ALL},
	{"gettimeofday", ALL},
	{"time", ALL},
	{"getpid", ALL},
	{"gettid", ALL},
	{"getrandom", ALL},
	{"restart_syscall", ALL},
	{"exit", ALL},
	{"exit_group", ALL},
	{"rseq", ALL},
	{"set_robust_list", ALL},
	{"timer_create", MAIN | VP | CONTROL},
	{"timer_settime", MAIN | VP | CONTROL},
	{"timer_delete", MAIN | VP | CONTROL},
	{"clone", MAIN, VMM_EQUAL, 0, ALL_BITS, THREAD},
	{"prctl", ALL, OPTION(PR_GET_NAME)},
	{"prctl", MAIN, OPTION(PR_SET_NAME)},
	/* glibc names the memory of its arenas. */
	{"prctl", ALL, OPTION(PR_SET_VMA)},
	{"seccomp", MAIN, OPTION(SECCOMP_SET_MODE_FILTER)},
	{"sysinfo", MAIN},
	/* Signals to this process. */
	{"rt_sigprocmask", ALL},
	{"rt_sigreturn", ALL},
	{"tgkill", ALL, VMM_OWN, 0},
	{"rt_sigqueueinfo", ALL, VMM_OWN, 0},
	/* glibc's first pthread_create(). */
	{"rt_sigaction", MAIN},
	/* Files: the kernel at a reset, the trace, the saved machine, the end of the socket. */
	{"openat", MAIN},
	{"newfstatat", MAIN},
	{"access", MAIN},
	{"faccessat", MAIN},
	{"faccessat2", MAIN},
	{"fsync", MAIN},
	{"renameat2", MAIN},
	{"rename", MAIN},
	{"unlink", MAIN},
	{"unlinkat", MAIN},
	/* Clients of the control socket and of the GDB stub. */
	{"accept4", CONTROL},
	{"geteuid", CONTROL},
	{"getpeername", CONTROL},
	{"getsockname", CONTROL},
	{"getsockopt", CONTROL},
	{"recvfrom", CONTROL},
	{"recvmsg", CONTROL},
	{"sendto", CONTROL},
	{"sendmsg", CONTROL},
	{"shutdown", CONTROL},
};
const size_t vmm_call_count = ARRAY_SIZE(vmm_calls);
