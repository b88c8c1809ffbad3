/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vsm run` from the outside: what it is given, what it prints, and how it ends.
 *
 * Usage: run_cases VSM KERNEL [LINUX INITRD]. Speaks TAP. KERNEL is run_kernel.S. Works in its current
 * folder; what needs another user or no /dev/kvm is done in the rig only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX  24
#define OUTPUT_MAX (1u << 20)
#define NOBODY	   65534

enum input {
	NOTHING, /* stdin is /dev/null */
	PIPE,
	TERMINAL,
};

struct test {
	const char *name;
	const char *
		arguments; /* separated by spaces; K, L, I stand for kernel, Linux and its initrd */
	int status;
	const char *out, *err; /* must be in what is printed; NULL: not looked at */
	enum input input;
	const char *keys, *late_keys; /* into a pipe at once, at a terminal after 2 and 3 s */
	int signals[2];		      /* sent a second after the start, and a second later */
	bool deaf;		      /* nobody reads stdout */
	bool as_nobody;		      /* in the rig only */
	bool without_kvm;	      /* in the rig only */
	bool nothing;		      /* nothing may be on stdout */
};

struct result {
	int status;
	char out[OUTPUT_MAX], err[OUTPUT_MAX];
	double seconds;
	time_t told[2]; /* when its lines with the time came */
};

static const char *const clock_line[] = {"\nTIME ", "\nLATER "};
static const char *vsm, *kernel, *linux_image, *initrd;
static struct result result; /* of the last run */
static int number, failures;

static void report(bool ok, const char *name)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++number, name);
	failures += !ok;
	fflush(stdout);
}

static void skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++number, name, why);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ------------------------------------------------------------------ running it */

static void split(char *text, char *words[WORDS_MAX])
{
	int count = 0;

	words[count++] = (char *)(uintptr_t)vsm;
	words[count++] = (char *)(uintptr_t) "run";
	for (char *word = strtok(text, " "); word && count < WORDS_MAX - 1;
	     word = strtok(NULL, " ")) {
		if (!strcmp(word, "K"))
			word = (char *)(uintptr_t)kernel;
		else if (!strcmp(word, "L"))
			word = (char *)(uintptr_t)linux_image;
		else if (!strcmp(word, "I"))
			word = (char *)(uintptr_t)initrd;
		if (!word)
			break; /* a file that was not given: its cases are not run */
		/* A command line of several words: commas stand for the spaces. */
		for (char *comma = word; count > 2 &&
					 (!strcmp(words[count - 1], "--append") ||
					  !strcmp(words[count - 1], "--initrd")) &&
					 (comma = strchr(comma, ','));)
			*comma = ' ';
		words[count++] = word;
	}
	words[count] = NULL;
}

static void child(const struct test *test, int in, int out, int err)
{
	char *words[WORDS_MAX], *text = strdup(test->arguments);

	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	closefrom(3);
	setsid();
	if (test->as_nobody && (setgid(NOBODY) || setuid(NOBODY)))
		_exit(125);
	split(text, words);
	execv(vsm, words);
	_exit(126);
}

/* Adds what is there to read. False at the end. */
static bool collect(int fd, char *text)
{
	const size_t used = strlen(text);
	const ssize_t got = read(fd, text + used, OUTPUT_MAX - 1 - used);

	if (got > 0)
		text[used + (size_t)got] = 0;
	return got > 0;
}

static void send_keys(int fd, const char *keys)
{
	if (write(fd, keys, strlen(keys)) < 0)
		printf("# the keys cannot be sent\n");
}

/* Reads both streams and sends the signals when it is time, until both are closed or time is up. */
static void follow(const struct test *test, pid_t pid, int in, int out, int err, int seconds)
{
	struct pollfd wait[] = {{.fd = test->deaf ? -1 : out, .events = POLLIN},
				{.fd = err, .events = POLLIN}};
	const double begin = now();
	int sent = 0, typed = test->input == TERMINAL ? 0 : 2;

	while (wait[1].fd >= 0 && now() - begin < seconds) {
		if (sent < 2 && test->signals[sent] && now() - begin > sent + 1)
			kill(pid, test->signals[sent++]);
		if (typed < 2 && now() - begin > typed + 2)
			send_keys(in, typed++ ? test->late_keys : test->keys);
		if (poll(wait, 2, 100) <= 0)
			continue;
		if (wait[0].revents && !collect(out, result.out))
			wait[0].fd = -1;
		for (int i = 0; i < 2; i++)
			if (!result.told[i] && strstr(result.out, clock_line[i]))
				result.told[i] = time(NULL);
		if (wait[1].revents && !collect(err, result.err))
			wait[1].fd = -1;
	}
	/* What was printed last. */
	fcntl(out, F_SETFL, O_NONBLOCK);
	while (wait[0].fd >= 0 && collect(out, result.out))
		;
}

static void run(const struct test *test, int seconds)
{
	int in[2] = {-1, -1}, out[2], err[2], status = 0;
	const double begin = now();
	pid_t pid;

	memset(&result, 0, sizeof(result));
	if (test->input == TERMINAL)
		(void)openpty(&in[1], &in[0], NULL, NULL, NULL);
	else if (test->input == PIPE)
		(void)pipe2(in, O_CLOEXEC);
	else
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || in[0] < 0)
		return;
	pid = fork();
	if (pid == 0)
		child(test, in[0], out[1], err[1]);
	close(out[1]);
	close(err[1]);
	if (test->input == PIPE)
		send_keys(in[1], test->keys);
	follow(test, pid, in[1], out[0], err[0], seconds);
	if (waitpid(pid, &status, WNOHANG) == 0) {
		usleep(200000);
		if (waitpid(pid, &status, WNOHANG) == 0) {
			printf("# it does not end\n");
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
	}
	result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	result.seconds = now() - begin;
	close(out[0]);
	close(err[0]);
	close(in[0]);
	if (in[1] >= 0)
		close(in[1]);
}

static void explain(void)
{
	char *streams[] = {result.out, result.err};

	printf("# status %d after %.1f s\n", result.status, result.seconds);
	for (size_t i = 0; i < 2; i++)
		for (char *line = strtok(streams[i], "\n"); line; line = strtok(NULL, "\n"))
			printf("# %s: %s\n", i ? "err" : "out", line);
}

static void check(const struct test *test, int seconds)
{
	bool ok;

	run(test, seconds);
	ok = result.status == test->status && (!test->out || strstr(result.out, test->out)) &&
	     (!test->err || strstr(result.err, test->err)) && (!test->nothing || !result.out[0]);
	report(ok, test->name);
	if (!ok)
		explain();
}

/* ------------------------------------------------------------------ a small kernel */

static const struct test kernels[] = {
	{"a multiboot kernel prints and switches off", "K --append p", 0, "HELLO-KERNEL",
	 "the guest switched off"},
	{"the debug exit is the exit status", "K --append e --testdev", 21, "HELLO-KERNEL",
	 "ended with status 21"},
	{"a reset by MSR, port 0xcf9 or keyboard starts over", "K --append r", 0, "0123",
	 "3 resets"},
	{"a reset with VTL1 enabled leaves nothing of RAM", "K --append z --testdev", 128 + SIGINT,
	 "z0z0z0", "resets", .signals = {SIGINT}},
	{"a triple fault shows the registers", "K --append t", 4, NULL, "it shut down"},
	{"the crash MSRs show what the guest told", "K --append c", 4, NULL,
	 "parameters 0x12345678"},
	{"SIGTERM ends a guest that halts for ever", "K --append s", 128 + SIGTERM, "HELLO-KERNEL",
	 "ended by signal 15", .signals = {SIGTERM}},
	{"SIGINT ends one with four processors", "K --append s --cpus 4", 128 + SIGINT,
	 "HELLO-KERNEL", "ended by signal 2", .signals = {SIGINT}},
	{"SIGQUIT shows the registers and goes on", "K --append s", 128 + SIGTERM, NULL,
	 "VTL0 (active): 32-bit mode, paging off, halted", .signals = {SIGQUIT, SIGTERM}},
	{"what comes on stdin reaches the serial port", "K --append i", 0, "hello, guest",
	 "switched off", .input = PIPE, .keys = "hello, guestq"},
	{"Ctrl-A x ends the machine at a terminal, other keys are the guest's", "K --append i", 0,
	 "a\003b", "ended by the user", .input = TERMINAL, .keys = "a\003b", .late_keys = "\001x"},
	{"a guest that prints to somebody who does not read can be ended", "K --append f",
	 128 + SIGTERM, NULL, "ended by signal 15", .signals = {SIGTERM}, .deaf = true},
	{"the Hyper-V test device raises a SINT, by a route only", "K --append h --testdev", 0,
	 "HELLO-KERNEL", "switched off"},
	{"a status is the low byte of (v << 1) | 1", "K --append x --testdev", 255, NULL, NULL},
	{"the debug console prints", "K --append d --testdev", 0, "HELLO-KERNEL", "switched off"},
	{"a multiboot kernel finds its state, its memory, its loader and its modules",
	 "K --append m --memory 96M --initrd module,first,word --initrd module", 0,
	 "STATE-OK UPPER 00017c00 LOADER vsm\n"
	 "MODULE module first word:what a module says\n"
	 "\nMODULE module:what a module says\n",
	 "switched off"},
	{"SIGKILL ends it in the middle, with four processors", "K --append f --cpus 4", -SIGKILL,
	 "HELLO-KERNEL", NULL, .signals = {SIGKILL}},
	{"without --testdev there is no debug exit", "K --append e", 128 + SIGTERM, "HELLO-KERNEL",
	 NULL, .signals = {SIGTERM}},
	{"a kernel starts in VTL1", "K --append p --boot-vtl 1", 0, "HELLO-KERNEL", "switched off"},
	{"a configuration file says the same", "--config config", 21, "HELLO-KERNEL", NULL},
	{"a configuration file knows every option", "--config all-options", 0, NULL,
	 "the guest switched off", .nothing = true},
	{"the serial port leads to a file", "K --append p --serial file:serial", 0, NULL,
	 "switched off", .nothing = true},
	{"there are 16 processors and 16 VTLs if one wants them",
	 "K --append p --cpus 16 --vtls 16", 0, "HELLO-KERNEL", NULL},
};

static bool contains(const char *path, const char *text)
{
	char data[4096] = "";
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t size = fd < 0 ? -1 : read(fd, data, sizeof(data) - 1);

	if (fd >= 0)
		close(fd);
	return size > 0 && strstr(data, text);
}

/* What a guest prints last is not lost, though it ends at once. */
static void check_all_output(void)
{
	static const struct test test = {NULL, "K --append o --testdev", 1};
	size_t lines = 0;

	run(&test, 20);
	for (const char *at = result.out; (at = strstr(at, "0123456789abcde\n")); at += 16)
		lines++;
	report(result.status == 1 && lines == 1024 && strlen(result.out) == 16384,
	       "nothing that was printed is lost when the guest ends");
	if (lines != 1024)
		printf("# status %d, %zu lines, %zu bytes\n", result.status, lines,
		       strlen(result.out));
}

/* Reads up to @text, for a while. */
static bool read_until(int fd, char *data, size_t size, const char *text)
{
	const double begin = now();
	size_t used = 0;

	while (now() - begin < 10 && used < size - 1) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (poll(&wait, 1, 100) <= 0)
			continue;
		got = read(fd, data + used, size - 1 - used);
		if (got <= 0)
			return false;
		used += (size_t)got;
		data[used] = 0;
		if (strstr(data, text))
			return true;
	}
	return false;
}

/* Somebody opens the terminal that it names, types, and reads. */
static void check_pty(void)
{
	static const struct test test = {NULL, "K --append i --serial pty"};
	const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	char said[1024] = "", name[64] = "", answer[256] = "";
	int err[2], status = -1, terminal = -1;
	bool echoed = false;
	const char *at;
	pid_t pid;

	if (nothing < 0 || pipe2(err, O_CLOEXEC))
		return;
	pid = fork();
	if (pid == 0)
		child(&test, nothing, nothing, err[1]);
	close(err[1]);
	close(nothing);
	if (read_until(err[0], said, sizeof(said), "\n") && (at = strstr(said, "/dev/pts/")) &&
	    sscanf(at, "%63[a-z0-9/]", name) == 1)
		terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal >= 0) {
		send_keys(terminal, "typed-keys");
		echoed = read_until(terminal, answer, sizeof(answer), "typed-keys");
		send_keys(terminal, "q");
	} else {
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
	close(terminal);
	close(err[0]);
	report(echoed && WIFEXITED(status) && WEXITSTATUS(status) == 0,
	       "the serial port leads to a terminal that it names");
	if (!echoed)
		printf("# it said: %s# it answered: %s\n", said, answer);
}

/* Virtual machines that the kernel still has. */
static void check_nothing_left(void)
{
	DIR *directory = getenv("VSM_RIG") ? opendir("/sys/kernel/debug/kvm") : NULL;
	const struct dirent *entry;
	int left = 0;

	if (!directory) {
		skip("no virtual machine is left", "this is not the rig's own machine");
		return;
	}
	while ((entry = readdir(directory)))
		left += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	closedir(directory);
	report(left == 0, "no virtual machine is left");
}

/* The file as docs/trace.md has it; with VTL1 there is a hypercall in it. */
static void check_trace(void)
{
	static const struct test traced = {NULL, "K --append z --trace trace", 128 + SIGINT,
					   .signals = {SIGINT}};
	struct {
		char magic[8];
		uint32_t version, header_size, record_size, vps;
		uint64_t tsc_hz, records, lost, reserved[2];
	} header = {0};
	struct {
		uint64_t tsc;
		uint32_t vp;
		uint16_t event;
		uint8_t vtl, reserved;
		uint64_t argument[4];
	} record;
	uint64_t hypercalls = 0, count = 0, last = 0, backward = 0;
	struct stat status = {0};
	int fd;

	run(&traced, 20);
	fd = open("trace", O_RDONLY | O_CLOEXEC);
	report(fd >= 0 && read(fd, &header, sizeof(header)) == sizeof(header) &&
		       !fstat(fd, &status) && !memcmp(header.magic, "VSMTRACE", 8) &&
		       header.version == 2 && header.header_size == 64 &&
		       header.record_size == 48 && header.vps == 1 && header.tsc_hz > 1000000,
	       "a trace begins with its header");
	while (fd >= 0 && read(fd, &record, sizeof(record)) == sizeof(record)) {
		count++;
		hypercalls += record.event == 4 && record.argument[0] == 0x0d;
		backward += record.tsc < last;
		last = record.tsc;
	}
	report(count == header.records &&
		       (uint64_t)status.st_size == sizeof(header) + count * sizeof(record),
	       "a trace has as many records as it says");
	report(hypercalls > 0 && backward == 0,
	       "HvCallEnablePartitionVtl is in it, and a VP's records are in the order of time");
	if (fd >= 0)
		close(fd);
}

/* ------------------------------------------------------------------ what cannot be */

static const struct test mistakes[] = {
	{"no kernel", "", 64, NULL, "no kernel"},
	{"an option that there is not", "K --speed 9", 64, NULL, "--speed"},
	{"no processor", "K --cpus 0", 64, NULL, "1 to 2048"},
	{"a VTL to start in that is not on offer", "K --vtls 1 --boot-vtl 1", 64, NULL, "boot-vtl"},
	{"a kernel that is not there", "nothing", 2, NULL, "nothing: No such file"},
	{"an empty kernel", "empty", 2, NULL, "empty"},
	{"a truncated ELF", "cut-elf", 2, NULL, "cut-elf: "},
	{"an ELF for another architecture", "arm", 2, NULL, "arm: "},
	{"a text file", "config", 2, NULL, "neither a bzImage"},
	{"an initrd that is not there", "K --initrd nothing", 2, NULL, "nothing"},
	{"more memory than the host has", "K --memory 4T", 2, NULL, "more than this host has"},
	{"a trace where none can be", "K --trace /nowhere/trace", 2, NULL, "/nowhere/trace"},
	{"a serial file where none can be", "K --serial file:/nowhere/log", 2, NULL,
	 "/nowhere/log"},
	{"an engine that this kernel lacks", "K --engine attr", 2, NULL, "kernel/README.md"},
};

static const struct test linux_mistakes[] = {
	{"a truncated bzImage", "cut-linux", 2, NULL, "cut-linux: "},
	{"a Linux that does not fit into memory", "L --memory 8M", 2, NULL, "vmlinuz"},
	{"two initrds for Linux", "L --initrd I --initrd I", 2, NULL, "initrd"},
};

static const struct test rig_mistakes[] = {
	{"no /dev/kvm", "kernel K", 2, NULL, "/dev/kvm is missing", .without_kvm = true},
	{"no right to open /dev/kvm", "K", 2, NULL, "/dev/kvm may not be opened",
	 .as_nobody = true},
	{"no right to use userfaultfd", "K", 2, NULL, "userfaultfd", .as_nobody = true},
};

static void copy_part(const char *from, const char *to, size_t size)
{
	char *data = calloc(1, size ? size : 1);
	const int in = open(from, O_RDONLY | O_CLOEXEC);
	const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	const ssize_t got = in < 0 ? -1 : read(in, data, size);

	if (got < 0 || write(out, data, (size_t)got) != got)
		printf("# %s cannot be made: %s\n", to, strerror(errno));
	close(in);
	close(out);
	free(data);
}

static void make_files(void)
{
	const uint8_t arm[2] = {183, 0}; /* e_machine: EM_AARCH64 */
	FILE *config = fopen("config", "w");
	int fd;

	if (config) {
		fprintf(config, "# the debug exit\nkernel = %s\nappend=e\ntestdev = yes\n", kernel);
		fclose(config);
	}
	config = fopen("all-options", "w");
	if (config) {
		fprintf(config,
			"kernel = %s\nappend = p\ncpus = 2\nmemory = 64M\nvtls = 2\nboot-vtl = 1\n"
			"serial = file:all-serial\ntrace = all-trace\ninitrd = config\n"
			"control = all-control\ntestdev = yes\nengine = auto\n",
			kernel);
		fclose(config);
	}
	config = fopen("module", "w");
	if (config) {
		fputs("what a module says\nand what nobody reads\n", config);
		fclose(config);
	}
	copy_part(kernel, "empty", 0);
	copy_part(kernel, "cut-elf", 0x1000);
	copy_part(vsm, "arm", 8192);
	fd = open("arm", O_WRONLY | O_CLOEXEC);
	if (pwrite(fd, arm, sizeof(arm), 18) < 0)
		printf("# arm cannot be made\n");
	close(fd);
	if (linux_image)
		copy_part(linux_image, "cut-linux", 1u << 20);
}

/* Refused in a moment, with one message, and nothing was printed by any guest. */
static void check_mistake(const struct test *test)
{
	struct test whole = *test;

	whole.nothing = true;
	check(&whole, 20);
}

static void check_rig_mistakes(void)
{
	for (size_t i = 0; i < sizeof(rig_mistakes) / sizeof(rig_mistakes[0]); i++) {
		struct test test = rig_mistakes[i];

		if (!getenv("VSM_RIG")) {
			skip(test.name, "this is not the rig's own machine");
			continue;
		}
		test.arguments = "K --append p";
		if (test.without_kvm)
			(void)rename("/dev/kvm", "/dev/no-kvm");
		(void)chmod("/dev/kvm", strstr(test.err, "userfaultfd") ? 0666 : 0600);
		check_mistake(&test);
		if (test.without_kvm)
			(void)rename("/dev/no-kvm", "/dev/kvm");
	}
}

/* ------------------------------------------------------------------ Linux */

#define LINUX "L --initrd I --memory 320M --append console=ttyS0,panic=-1,mitigations=off"

static const struct test linuxes[] = {
	{"Linux boots with one processor, prints from user space and switches off", LINUX, 0,
	 "HELLO-USER 1", "the guest switched off"},
	{"Linux boots with two processors", LINUX " --cpus 2", 0, "HELLO-USER 2",
	 "the guest switched off"},
};

static void check_linux(const struct test *test, int processors)
{
	static const char *const trouble[] = {"BUG:",
					      "WARNING:",
					      "Oops",
					      "unchecked MSR",
					      "panic - ",
					      "clocksource: timekeeping",
					      "Marking unstable TSC"};
	char name[128];
	const char *wrong = NULL;
	long told[2];

	check(test, 90);
	snprintf(name, sizeof(name), "it has found Hyper-V, its clock and its timer, %d processors",
		 processors);
	report(strstr(result.out, "Hypervisor detected: Microsoft Hyper-V") &&
		       strstr(result.out, "Switched to clocksource hyperv_clocksource_tsc_page") &&
		       strstr(result.out, "x2apic enabled"),
	       name);
	for (size_t i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++)
		if (strstr(result.out, trouble[i]))
			wrong = trouble[i];
	snprintf(name, sizeof(name), "it complains of nothing, %d processors", processors);
	report(!wrong, name);
	if (wrong)
		printf("# %s\n", wrong);
	/*
	 * Its clock against ours, over three seconds. Ticks that a busy host does not deliver before the
	 * guest has found its clock are lost to it: hence the minute.
	 */
	for (int i = 0; i < 2; i++) {
		const char *line = strstr(result.out, clock_line[i]);

		told[i] = line ? strtol(line + strlen(clock_line[i]), NULL, 10) : 0;
	}
	snprintf(name, sizeof(name),
		 "its time of day is the host's and goes as fast, %d processors", processors);
	report(told[0] && told[1] && told[1] - told[0] >= 3 &&
		       labs(told[1] - told[0] - (long)(result.told[1] - result.told[0])) <= 2 &&
		       labs((long)result.told[1] - told[1]) <= 60,
	       name);
	printf("# it said %ld and %ld, at %ld and %ld\n", told[0], told[1], (long)result.told[0],
	       (long)result.told[1]);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 3 && argc != 5) {
		printf("Bail out! usage: run_cases VSM KERNEL [LINUX INITRD]\n");
		return 1;
	}
	vsm = argv[1];
	kernel = argv[2];
	linux_image = argc > 3 ? argv[3] : NULL;
	initrd = argc > 3 ? argv[4] : NULL;
	make_files();
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		check(&kernels[i], 20);
	report(contains("serial", "HELLO-KERNEL"), "what it printed is in the file");
	report(contains("all-serial", "HELLO-KERNEL") && contains("all-trace", "VSMTRACE"),
	       "so are what it printed and its trace, by the configuration file");
	check_all_output();
	check_pty();
	check_trace();
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		check_mistake(&mistakes[i]);
	check_rig_mistakes();
	if (linux_image) {
		for (size_t i = 0; i < sizeof(linux_mistakes) / sizeof(linux_mistakes[0]); i++)
			check_mistake(&linux_mistakes[i]);
		check_linux(&linuxes[0], 1);
		check_linux(&linuxes[1], 2);
	}
	check_nothing_left();
	printf("1..%d\n", number);
	return failures != 0;
}
