/* SPDX-License-Identifier: BSD-2-Clause */
/* The sandbox of `vsm run`: a process enters it and makes the system calls that it forbids. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit_test.h"
#include "array.h"
#include "sandbox/calls.h"
#include "sandbox/internal.h"

#define OTHERS ((1u << VMM_ROLE_COUNT) - 2u)
#define EVERY  ((1u << VMM_ROLE_COUNT) - 1u)
#define BUT(a) (EVERY & ~(1u << (a)))

static char folder[64], kernel[96], control_path[96];
static void *page;

static long try_execve(void)
{
	char *const words[] = {(char *)(uintptr_t) "true", NULL};

	return execve("/bin/true", words, NULL);
}

static long try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long try_vfork(void)
{
	return syscall(SYS_clone, CLONE_VM | CLONE_FILES, NULL, NULL, NULL, NULL);
}

static long try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long try_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long try_connect(void)
{
	return connect(0, NULL, 0);
}

static long try_accept(void)
{
	return accept4(0, NULL, NULL, 0);
}

static long try_open(void)
{
	return open(kernel, O_RDONLY);
}

static long try_rename(void)
{
	return rename(kernel, kernel);
}

static long try_unlink(void)
{
	return unlink(kernel);
}

static long try_link(void)
{
	return symlink("/etc", kernel);
}

static long try_chmod(void)
{
	return chmod(kernel, 0777);
}

static long try_map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}

static long try_make_code(void)
{
	return mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static long try_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static long try_read_process(void)
{
	return syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}

static long try_kill(void)
{
	return kill(1, 0);
}

static long try_kill_thread(void)
{
	return syscall(SYS_tgkill, 1, 1, 0);
}

static long try_queue(void)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	return syscall(SYS_rt_sigqueueinfo, 1, 0, &info);
}

static long try_type(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static long try_setuid(void)
{
	return syscall(SYS_setuid, 0);
}

static long try_capset(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capset, &header, NULL);
}

static long try_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}

static long try_setrlimit(void)
{
	const struct rlimit limit = {0, 0};

	return setrlimit(RLIMIT_NOFILE, &limit);
}

static long try_mount(void)
{
	return syscall(SYS_mount, NULL, NULL, NULL, 0, NULL);
}

static long try_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}

static long try_chroot(void)
{
	return chroot("/");
}

static long try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long try_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL);
}

static long try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 0);
}

static long try_keyctl(void)
{
	return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static long try_perf(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, 0, -1, 0);
}

static long try_module(void)
{
	return syscall(SYS_init_module, NULL, 0, "");
}

static long try_handle(void)
{
	return syscall(SYS_open_by_handle_at, 0, NULL, 0);
}

static const struct {
	const char *class;
	const char *call; /* name in the report */
	long (*attempt)(void);
	unsigned int refused; /* bits of roles */
} attempts[] = {
	{"execution of a program", "execve", try_execve, EVERY},
	{"a child process", "clone", try_fork, EVERY},
	{"a process that shares memory", "clone", try_vfork, EVERY},
	{"a network socket", "socket", try_socket, EVERY},
	{"a local socket", "socket", try_unix_socket, EVERY},
	{"a connection", "connect", try_connect, EVERY},
	{"a client", "accept4", try_accept, BUT(VMM_ROLE_CONTROL) & ~1u},
	{"a file", "openat", try_open, OTHERS},
	{"renaming a file", "rename", try_rename, OTHERS},
	{"removing a file", "unlink", try_unlink, OTHERS},
	{"a symbolic link", "symlink", try_link, EVERY},
	{"the mode of a file", "chmod", try_chmod, EVERY},
	{"executable memory", "mmap", try_map_code, EVERY},
	{"memory made executable", "mprotect", try_make_code, EVERY},
	{"tracing a process", "ptrace", try_ptrace, EVERY},
	{"another process's memory", "process_vm_readv", try_read_process, EVERY},
	{"a signal to another process", "kill", try_kill, EVERY},
	{"a signal to another process's thread", "tgkill", try_kill_thread, EVERY},
	{"a queued signal to another process", "rt_sigqueueinfo", try_queue, EVERY},
	{"input to the terminal", "ioctl", try_type, EVERY},
	{"another user", "setuid", try_setuid, EVERY},
	{"capabilities", "capset", try_capset, EVERY},
	{"core files", "prctl", try_dumpable, EVERY},
	{"limits", "prlimit64", try_setrlimit, EVERY},
	{"a mount", "mount", try_mount, EVERY},
	{"a namespace", "unshare", try_unshare, EVERY},
	{"another root folder", "chroot", try_chroot, EVERY},
	{"BPF", "bpf", try_bpf, EVERY},
	{"io_uring", "io_uring_setup", try_io_uring, EVERY},
	{"a further userfaultfd", "userfaultfd", try_userfaultfd, EVERY},
	{"keys of the kernel", "keyctl", try_keyctl, EVERY},
	{"performance events", "perf_event_open", try_perf, EVERY},
	{"a kernel module", "init_module", try_module, EVERY},
	{"a file by its handle", "open_by_handle_at", try_handle, EVERY},
};

static const char *const thread_names[VMM_ROLE_COUNT] = {"main", "vp17", "console", "trace",
							 "control"};

struct inside {
	struct vmm_config config;
	struct vmm_sandbox sandbox;
	enum vmm_role role;
	int signals;
	size_t attempt;
	char wrong[160]; /* the failed check, or "" */
};

static void print(void *opaque, const struct vsm_log_record *record)
{
	print_message("# %s\n", record->text);
}

static const struct vsm_log log_all = {print, NULL, VSM_LOG_INFO};

static void set_up(struct inside *inside, enum vmm_sandbox_mode mode)
{
	sigset_t set;

	*inside = (struct inside){
		.config = {.kernel = kernel, .control = control_path, .sandbox = mode}};
	sigemptyset(&set);
	sigaddset(&set, VMM_SANDBOX_SIGNAL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	inside->signals = signalfd(-1, &set, SFD_NONBLOCK);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void expect_refusal(struct inside *inside)
{
	struct signalfd_siginfo info;
	char text[64] = "", call[32] = "", thread[8] = "", name[8];
	long result;

	errno = 0;
	result = attempts[inside->attempt].attempt();
	snprintf(name, sizeof(name), "%.6s", thread_names[inside->role]);
	if (result >= 0 || errno != EPERM)
		snprintf(inside->wrong, sizeof(inside->wrong), "%s gives %ld, %s",
			 attempts[inside->attempt].class, result, strerror(errno));
	else if (read(inside->signals, &info, sizeof(info)) != sizeof(info) ||
		 !vmm_sandbox_violation(&info, text, sizeof(text)))
		snprintf(inside->wrong, sizeof(inside->wrong), "%s is not reported",
			 attempts[inside->attempt].class);
	else if (sscanf(text, "%31s (%*u) in thread %6s", call, thread) != 2 ||
		 strcmp(call, attempts[inside->attempt].call) != 0 || strcmp(thread, name) != 0)
		snprintf(inside->wrong, sizeof(inside->wrong), "%s is reported as '%.80s'",
			 attempts[inside->attempt].class, text);
}

static void *try_all(void *opaque)
{
	struct inside *inside = opaque;

	if (inside->role == VMM_ROLE_MAIN)
		prctl(PR_SET_NAME, thread_names[inside->role]);
	else if (vmm_sandbox_thread(&inside->sandbox, inside->role, thread_names[inside->role]))
		snprintf(inside->wrong, sizeof(inside->wrong), "the thread has no filter");
	for (inside->attempt = 0; inside->attempt < ARRAY_SIZE(attempts) && !inside->wrong[0];
	     inside->attempt++)
		if (attempts[inside->attempt].refused >> inside->role & 1)
			expect_refusal(inside);
	return NULL;
}

/* Runs @function in a child process; if a check fails there, the test fails with its text. */
static void in_process(void (*function)(struct inside *), enum vmm_sandbox_mode mode,
		       enum vmm_role role)
{
	char text[160] = "the process ended early";
	struct inside inside;
	int pipes[2], status;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		set_up(&inside, mode);
		inside.role = role;
		function(&inside);
		(void)!write(pipes[1], inside.wrong, sizeof(inside.wrong));
		_exit(0);
	}
	close(pipes[1]);
	(void)!read(pipes[0], text, sizeof(text));
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (text[0])
		fail_msg("role %s: %s (status %#x)", thread_names[role], text, status);
	assert_int_equal(status, 0);
}

static void enter(struct inside *inside)
{
	if (vmm_sandbox_begin(&inside->sandbox, &inside->config, &log_all) ||
	    vmm_sandbox_filter(&inside->sandbox, &log_all))
		snprintf(inside->wrong, sizeof(inside->wrong), "the sandbox cannot be entered");
}

static void enter_and_try(struct inside *inside)
{
	pthread_t thread;

	enter(inside);
	if (inside->role == VMM_ROLE_MAIN || inside->wrong[0])
		try_all(inside);
	else if (pthread_create(&thread, NULL, try_all, inside))
		snprintf(inside->wrong, sizeof(inside->wrong), "no thread can be created");
	else
		pthread_join(thread, NULL);
}

static void every_forbidden_class_is_refused_and_named_in_every_role(void **state)
{
	if (!vmm_filter_available())
		skip();
	for (int role = 0; role < VMM_ROLE_COUNT; role++)
		in_process(enter_and_try, VMM_SANDBOX_ON, (enum vmm_role)role);
}

static void *try_in_old_thread(void *opaque)
{
	struct inside *inside = opaque;

	/* Waits until the other thread has entered the sandbox: before, the call fails with EFAULT. */
	for (int i = 0; i < 5000; i++) {
		if (syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == EPERM)
			return NULL;
		usleep(1000);
	}
	snprintf(inside->wrong, sizeof(inside->wrong), "an older thread is not filtered");
	return NULL;
}

static void enter_with_thread(struct inside *inside)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, try_in_old_thread, inside))
		snprintf(inside->wrong, sizeof(inside->wrong), "no thread can be created");
	enter(inside);
	pthread_join(thread, NULL);
}

static void threads_of_the_library_that_exist_already_are_filtered(void **state)
{
	if (!vmm_filter_available())
		skip();
	in_process(enter_with_thread, VMM_SANDBOX_ON, VMM_ROLE_MAIN);
}

static void expect_open(struct inside *inside, const char *path, int flags, int error)
{
	const int fd = open(path, flags | O_CLOEXEC, 0600);
	const int result = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (result != error)
		snprintf(inside->wrong, sizeof(inside->wrong), "open of %s with %#x: %s", path,
			 flags, strerror(result));
}

static void enter_and_open(struct inside *inside)
{
	char path[160];

	enter(inside);
	expect_open(inside, kernel, O_RDONLY, 0);
	/* The file is in the folder of the control socket, which may be written. */
	expect_open(inside, kernel, O_WRONLY, 0);
	snprintf(path, sizeof(path), "%s/new", folder);
	expect_open(inside, path, O_WRONLY | O_CREAT | O_EXCL, 0);
	expect_open(inside, path, O_RDONLY, EACCES);
	if (unlink(path))
		snprintf(inside->wrong, sizeof(inside->wrong), "a file cannot be removed");
	expect_open(inside, "/etc/passwd", O_RDONLY, EACCES);
	expect_open(inside, "/etc", O_RDONLY | O_DIRECTORY, EACCES);
	expect_open(inside, "/proc/self/mem", O_RDWR, EACCES);
	expect_open(inside, "/tmp/vsm-sandbox-new", O_WRONLY | O_CREAT, EACCES);
	snprintf(path, sizeof(path), "%s/..", folder);
	expect_open(inside, path, O_RDONLY | O_DIRECTORY, EACCES);
}

static void only_files_of_the_configuration_can_be_opened(void **state)
{
	if (!vmm_landlock_available())
		skip();
	in_process(enter_and_open, VMM_SANDBOX_ON, VMM_ROLE_MAIN);
}

static void check_privileges(struct inside *inside)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.permitted = 1}};
	struct rlimit core = {1, 1};

	if (vmm_sandbox_begin(&inside->sandbox, &inside->config, &log_all))
		snprintf(inside->wrong, sizeof(inside->wrong), "the sandbox cannot be entered");
	else if (syscall(SYS_capget, &header, data) || data[0].effective || data[0].permitted ||
		 data[0].inheritable || data[1].effective || data[1].permitted)
		snprintf(inside->wrong, sizeof(inside->wrong), "capabilities are left");
	else if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) && geteuid() == 0)
		snprintf(inside->wrong, sizeof(inside->wrong), "the bounding set is not empty");
	else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		snprintf(inside->wrong, sizeof(inside->wrong), "new privileges are possible");
	else if (getrlimit(RLIMIT_CORE, &core) || core.rlim_cur || core.rlim_max)
		snprintf(inside->wrong, sizeof(inside->wrong), "a core file is possible");
}

static void capabilities_core_files_and_new_privileges_are_removed(void **state)
{
	in_process(check_privileges, VMM_SANDBOX_DEFAULT, VMM_ROLE_MAIN);
	in_process(check_privileges, VMM_SANDBOX_LOG, VMM_ROLE_MAIN);
}

static void check_user(struct inside *inside)
{
	struct stat status = {0};
	char path[32];

	inside->config.user = (char *)(uintptr_t) "nobody";
	if (chmod(folder, 0777) || vmm_sandbox_begin(&inside->sandbox, &inside->config, &log_all))
		snprintf(inside->wrong, sizeof(inside->wrong), "the sandbox cannot be entered");
	else if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || setuid(0) == 0)
		snprintf(inside->wrong, sizeof(inside->wrong), "the process is still root");
	snprintf(path, sizeof(path), "/proc/%d/mem", getpid());
	if (vmm_sandbox_filter(&inside->sandbox, &log_all) || stat(path, &status) ||
	    (vmm_filter_available() && status.st_uid != 0))
		snprintf(inside->wrong, sizeof(inside->wrong),
			 "processes of its user can trace it");
}

static void option_user_drops_root_and_processes_of_that_user_cannot_trace_vsm(void **state)
{
	if (geteuid() != 0)
		skip();
	in_process(check_user, VMM_SANDBOX_DEFAULT, VMM_ROLE_MAIN);
}

static void check_no_user(struct inside *inside)
{
	inside->config.user = (char *)(uintptr_t) "no-such-user";
	if (!vmm_sandbox_begin(&inside->sandbox, &inside->config, &log_all))
		snprintf(inside->wrong, sizeof(inside->wrong), "an unknown user was accepted");
}

static void an_unknown_user_starts_nothing(void **state)
{
	in_process(check_no_user, VMM_SANDBOX_OFF, VMM_ROLE_MAIN);
}

static void check_unreachable(struct inside *inside)
{
	/* Root passes a mode of 0 by a capability only. */
	if (chmod(kernel, 0) ||
	    vmm_sandbox_begin(&inside->sandbox, &inside->config, &log_all) != -EACCES)
		snprintf(inside->wrong, sizeof(inside->wrong),
			 "the file is not refused at the start");
	chmod(kernel, 0600);
}

static void a_file_that_root_reaches_only_by_a_capability_is_refused_at_the_start(void **state)
{
	if (geteuid() != 0)
		skip();
	in_process(check_unreachable, VMM_SANDBOX_DEFAULT, VMM_ROLE_MAIN);
}

static void check_demand(struct inside *inside)
{
	const int error = vmm_sandbox_begin(&inside->sandbox, &inside->config, &log_all);
	const bool whole = vmm_filter_available() && vmm_landlock_available();

	if (error != (whole ? 0 : -EOPNOTSUPP))
		snprintf(inside->wrong, sizeof(inside->wrong),
			 "the sandbox is entered without one of its parts");
}

static void mode_on_requires_every_part_that_other_modes_may_lack(void **state)
{
	in_process(check_demand, VMM_SANDBOX_ON, VMM_ROLE_MAIN);
}

static void check_permits(struct inside *inside)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	enter(inside);
	if (fd < 0 || socket(AF_UNIX, SOCK_STREAM, 0) < 0 || open("/etc/passwd", O_RDONLY) < 0)
		snprintf(inside->wrong, sizeof(inside->wrong), "a system call is refused: %s",
			 strerror(errno));
}

static void modes_log_and_off_refuse_no_system_call(void **state)
{
	in_process(check_permits, VMM_SANDBOX_LOG, VMM_ROLE_MAIN);
	in_process(check_permits, VMM_SANDBOX_OFF, VMM_ROLE_MAIN);
}

static void a_sigsys_of_another_process_is_not_reported(void **state)
{
	struct signalfd_siginfo info = {.ssi_signo = VMM_SANDBOX_SIGNAL,
					.ssi_code = SI_QUEUE,
					.ssi_pid = (uint32_t)getpid() + 1};
	char text[64];

	assert_false(vmm_sandbox_violation(&info, text, sizeof(text)));
	info.ssi_pid--;
	assert_true(vmm_sandbox_violation(&info, text, sizeof(text)));
	info.ssi_code = SI_USER;
	assert_false(vmm_sandbox_violation(&info, text, sizeof(text)));
}

/* The control thread inspects a paused machine, which needs the system calls of the library. */
static void the_control_thread_may_make_the_system_calls_of_a_vp(void **state)
{
	for (size_t i = 0; i < vmm_call_count; i++)
		if (vmm_calls[i].roles & VP && !(vmm_calls[i].roles & CONTROL))
			fail_msg("%s is refused to the control thread", vmm_calls[i].name);
}

static int make_folder(void **state)
{
	int fd;

	snprintf(folder, sizeof(folder), "/tmp/vsm-sandbox-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(kernel, sizeof(kernel), "%s/kernel", folder);
	snprintf(control_path, sizeof(control_path), "%s/control", folder);
	fd = open(kernel, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int remove_folder(void **state)
{
	return unlink(kernel) | rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_forbidden_class_is_refused_and_named_in_every_role),
		cmocka_unit_test(the_control_thread_may_make_the_system_calls_of_a_vp),
		cmocka_unit_test(threads_of_the_library_that_exist_already_are_filtered),
		cmocka_unit_test(only_files_of_the_configuration_can_be_opened),
		cmocka_unit_test(capabilities_core_files_and_new_privileges_are_removed),
		cmocka_unit_test(
			option_user_drops_root_and_processes_of_that_user_cannot_trace_vsm),
		cmocka_unit_test(an_unknown_user_starts_nothing),
		cmocka_unit_test(
			a_file_that_root_reaches_only_by_a_capability_is_refused_at_the_start),
		cmocka_unit_test(mode_on_requires_every_part_that_other_modes_may_lack),
		cmocka_unit_test(modes_log_and_off_refuse_no_system_call),
		cmocka_unit_test(a_sigsys_of_another_process_is_not_reported),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
