/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIGKILL of a VMM releases its threads, virtual machines, memory and files, without a warning in the
 * kernel's log: while it starts, while protections change on all VPs, and, with engine uffd, while a VP is
 * blocked in a page fault that is never resolved. Usage: killed GUEST_RUN IMAGE
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "entries.h"
#include "engine.h"
#include "kvm/backend.h"
#include "kvm_guest.h"
#include "tap.h"

#define VMS		"/sys/kernel/debug/kvm"
#define GONE_MS		20000
#define TOLERANCE_KIB	(16l << 10)
#define TOLERANCE_FILES 64l /* file-nr is exact to 32 for each CPU */
#define KMSG_BYTES	8192

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_store\n"
	"guest_code:\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

static int kernel_log = -1;

static long now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

/* debugfs has a folder "PID-FD" for each virtual machine. Returns -1 without debugfs. */
static int virtual_machines(void)
{
	DIR *directory = opendir(VMS);
	const struct dirent *entry;
	int count = 0;

	if (!directory)
		return -1;
	while ((entry = readdir(directory)))
		count += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	closedir(directory);
	return count;
}

/* vCPUs that run a nested guest, as all VTLs do that engine nested restricts. */
static int vcpus_in_guest_mode(void)
{
	glob_t found;
	int count = 0;

	if (glob(VMS "/[0-9]*/vcpu*/guest_mode", 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *file = fopen(found.gl_pathv[i], "r");

		count += file && fgetc(file) == '1';
		if (file)
			fclose(file);
	}
	globfree(&found);
	return count;
}

/* KiB of shared memory in use on the system; the RAM of guests is shared memory. */
static long shared_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Shmem: %ld", &value) == 1)
			break;
	if (file)
		fclose(file);
	return value;
}

/* Open files of the whole system: the first number of file-nr. */
static long open_files(void)
{
	FILE *file = fopen("/proc/sys/fs/file-nr", "r");
	long value = -1;

	if (file && fscanf(file, "%ld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

static long file_names(void)
{
	static const char *const folders[] = {".", "/tmp", "/dev/shm"};
	long count = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		count += entries(folders[i]);
	return count;
}

static bool kernel_log_has_errors(void)
{
	static const char *const bad[] = {"blocked for more than", "BUG:", "WARNING:", "Oops",
					  "general protection"};
	char text[KMSG_BYTES];
	bool found = false;
	ssize_t size;

	while ((size = read(kernel_log, text, sizeof(text) - 1)) > 0 || errno == EPIPE) {
		if (size <= 0) {
			errno = 0;
			continue;
		}
		text[size] = 0;
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			found |= strstr(text, bad[i]) != NULL;
		if (found)
			printf("# kernel log: %s\n", text);
	}
	return found;
}

/* Kills the child; returns the milliseconds until it and its virtual machines have ended. */
static long kill_and_wait(pid_t child, int machines)
{
	const long begin = now_ms();

	kill(child, SIGKILL);
	while (waitpid(child, NULL, WNOHANG) == 0 && now_ms() - begin < 10 * GONE_MS)
		sleep_ms(1);
	while (virtual_machines() > machines && now_ms() - begin < 10 * GONE_MS)
		sleep_ms(1);
	return now_ms() - begin;
}

static pid_t start(const char *const *words)
{
	const pid_t child = fork();

	if (child)
		return child;
	dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDOUT_FILENO);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	execv(words[0], (char *const *)(uintptr_t)words);
	_exit(126);
}

static bool is_running(pid_t child)
{
	siginfo_t info = {0};

	return !waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

static void kill_restricted(const char *const *words, int machines, const char *cpus)
{
	static const long delays[] = {0, 7, 40};
	int restricted = 0;

	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		const pid_t child = start(words);

		/*
		 * The engine's self-test has one virtual machine in guest mode, a guest with VTL1 a second
		 * one. How soon the guest restricts a VTL depends on the host, so the loop has no time limit.
		 */
		while ((virtual_machines() < machines + 2 || !vcpus_in_guest_mode()) &&
		       is_running(child))
			sleep_ms(1);
		sleep_ms(delays[i]);
		restricted += vcpus_in_guest_mode() > 0;
		check(kill_and_wait(child, machines) < GONE_MS && virtual_machines() == machines &&
			      !vcpus_in_guest_mode(),
		      "... also %ld ms after its guest became nested", delays[i]);
	}
	check(restricted > 0, "... and some of %s VPs were in guest mode when it was killed", cpus);
}

static void test_busy(const char *guest_run, const char *image, const char *cpus)
{
	static const long delays[] = {0, 30, 150, 400, 1000, 2500};
	const char *const words[] = {guest_run,	  image,	cpus, "100",
				     "test=soak", "seconds=90", NULL};
	const int machines = virtual_machines();
	const long memory = shared_memory();
	const long names = file_names();
	const long files = open_files();
	long slowest = 0;
	int seen = 0;
	long left;

	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		const pid_t child = start(words);
		long took;

		sleep_ms(delays[i]);
		seen += virtual_machines() > machines;
		took = kill_and_wait(child, machines);
		slowest = took > slowest ? took : slowest;
	}
	check(seen > 0 && slowest < GONE_MS,
	      "a VMM with %s VPs that is killed at six moments ends within 20 seconds", cpus);
	printf("# the slowest took %ld ms; %d of them had virtual machines\n", slowest, seen);
	check(virtual_machines() == machines, "... and its virtual machines are destroyed");
	if (test_engine() == VSM_ENGINE_NESTED)
		kill_restricted(words, machines, cpus);
	left = shared_memory() - memory;
	check(left < TOLERANCE_KIB, "... and its memory is freed");
	if (left >= TOLERANCE_KIB)
		printf("# %ld KiB more are in use\n", left);
	/* The kernel may close files after the process has ended. */
	for (int i = 0; i < 50 && open_files() - files > TOLERANCE_FILES; i++)
		sleep_ms(100);
	left = open_files() - files;
	check(files >= 0 && left <= TOLERANCE_FILES && file_names() == names,
	      "... and its files are closed, and it leaves no new file in ., /tmp and /dev/shm");
	if (left > TOLERANCE_FILES || file_names() != names)
		printf("# %ld files more are open, %ld names\n", left, file_names() - names);
}

static struct guest guest;

static void *run_stuck(void *opaque)
{
	(void)opaque;
	guest_start_with(&guest, GUEST(g_store), DATA, 0);
	guest_run_on(&guest, 0, 0);
	return NULL;
}

/* The thread that resolves page faults waits for a lock that is never released. */
static void block_event_thread(int ready)
{
	struct vkvm_backend *backend;
	pthread_t thread;

	if (guest_create_with(&guest, VSM_ENGINE_UFFD, 2, 1, 16 * MIB))
		_exit(3);
	backend = guest.backend;
	guest_protect(&guest, DATA, 1, GPA_ALL & ~GPA_WRITE);
	pthread_mutex_lock(&backend->engine.lock);
	pthread_create(&thread, NULL, run_stuck, NULL);
	sleep_ms(300);
	if (write(ready, "", 1) != 1)
		_exit(1);
	pthread_join(thread, NULL);
	_exit(2);
}

static bool waits_for_userfaultfd(pid_t pid)
{
	char path[64], text[64];
	const struct dirent *entry;
	DIR *directory;
	bool waits = false;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		ssize_t size = -1;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/wchan", pid, entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			size = read(fd, text, sizeof(text) - 1);
			close(fd);
		}
		text[size > 0 ? size : 0] = 0;
		waits |= strstr(text, "userfault") != NULL;
	}
	if (directory)
		closedir(directory);
	return waits;
}

static void test_stuck(void)
{
	const int machines = virtual_machines();
	int ready[2];
	pid_t child;
	bool waits;
	char byte;
	long took;

	fflush(stdout);
	if (pipe(ready))
		return;
	child = fork();
	if (!child) {
		close(ready[0]);
		block_event_thread(ready[1]);
	}
	close(ready[1]);
	waits = read(ready[0], &byte, 1) == 1 && waits_for_userfaultfd(child);
	close(ready[0]);
	check(waits, "a VP waits in a page fault that is not resolved");
	took = kill_and_wait(child, machines);
	check(took < GONE_MS && virtual_machines() == machines,
	      "a VMM that is killed then ends, with its virtual machines, within 20 seconds");
	printf("# it took %ld ms\n", took);
}

int main(int argc, char **argv)
{
	static const char *const cpus[] = {"1", "2", "4"};

	if (argc != 3) {
		printf("Bail out! usage: killed GUEST_RUN IMAGE\n");
		return 1;
	}
	if (!getenv("VSM_RIG") || virtual_machines() < 0) {
		printf("1..0 # SKIP needs the rig: on a shared host the count of virtual machines "
		       "includes others'\n");
		return 0;
	}
	kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	lseek(kernel_log, 0, SEEK_END);
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++)
		test_busy(argv[1], argv[2], cpus[i]);
	test_stuck();
	check(!kernel_log_has_errors(), "the kernel's log has no warning or error");
	return checks_end();
}
