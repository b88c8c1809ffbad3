/* SPDX-License-Identifier: BSD-2-Clause */
/* Usage: run_cases VSM KERNEL [LINUX INITRD [VMLINUX]]; KERNEL is run_kernel.S. Writes to the current folder.
 * Cases that need another user or no /dev/kvm run only in the rig. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run_vsm.h"
#include "tap.h"

static const struct test kernels[] = {
	{"a multiboot kernel prints and switches off", "K --append p", 0, "HELLO-KERNEL",
	 "the guest switched off"},
	{"the debug exit is the exit status", "K --append e --testdev", 21, "HELLO-KERNEL",
	 "ended with status 21"},
	{"a reset by MSR, port 0xcf9 or keyboard restarts the guest", "K --append r", 0, "0123",
	 "3 resets"},
	{"a reset with VTL1 enabled zeroes RAM", "K --append z --testdev", 128 + SIGINT, "z0z0z0",
	 "resets", .signals = {SIGINT}},
	{"a triple fault is logged with its RIP and CR2", "K --append t", 4, NULL,
	 "VP0 VTL0: shutdown (triple fault): RIP 0x10"},
	{"a triple fault shows the registers", "K --append t", 4, NULL, "shutdown: an exception"},
	{"a crash report shows its parameters", "K --append c", 4, NULL, "parameters 0x12345678"},
	{"a crash report shows its text without control characters", "K --append c", 4, NULL,
	 "its text:\n    panic?[31m in\n    two lines\n"},
	{"SIGTERM ends a guest that halts forever", "K --append s", 128 + SIGTERM, "HELLO-KERNEL",
	 "ended by signal 15", .signals = {SIGTERM}},
	{"SIGINT ends a guest with four processors", "K --append s --cpus 4", 128 + SIGINT,
	 "HELLO-KERNEL", "ended by signal 2", .signals = {SIGINT}},
	{"SIGQUIT shows the registers, and the guest continues", "K --append s", 128 + SIGTERM,
	 NULL, "VTL0 (active): 32-bit mode, paging off, halted", .signals = {SIGQUIT, SIGTERM}},
	{"input on stdin reaches the serial port", "K --append i", 0, "hello, guest",
	 "switched off", .input = PIPE, .keys = "hello, guestq"},
	{"Ctrl-A x ends the machine at a terminal, other keys go to the guest", "K --append i", 0,
	 "a\003b", "ended by the user", .input = TERMINAL, .keys = "a\003b", .late_keys = "\001x"},
	{"a guest whose output is not read can be ended", "K --append f", 128 + SIGTERM, NULL,
	 "ended by signal 15", .signals = {SIGTERM}, .unread = true},
	{"the Hyper-V test device raises a SINT only with a route", "K --append h --testdev", 0,
	 "HELLO-KERNEL", "switched off"},
	{"a status is the low byte of (v << 1) | 1", "K --append x --testdev", 255, NULL, NULL},
	{"the debug console prints", "K --append d --testdev", 0, "HELLO-KERNEL", "switched off"},
	{"a multiboot kernel finds its state, its memory, its loader and its modules",
	 "K --append m --memory 96M --initrd module,first,word --initrd module", 0,
	 "STATE-OK UPPER 00017c00 LOADER vsm\n"
	 "MODULE module first word:contents of a module\n"
	 "\nMODULE module:contents of a module\n",
	 "switched off"},
	{"the BIOS data area has the end of low memory", "K --append b", 0, "00009fc0 0000027f\n",
	 "switched off"},
	{"SIGKILL ends a guest with four processors while they run", "K --append f --cpus 4",
	 -SIGKILL, "HELLO-KERNEL", NULL, .signals = {SIGKILL}},
	{"without --testdev there is no debug exit", "K --append e", 128 + SIGTERM, "HELLO-KERNEL",
	 NULL, .signals = {SIGTERM}},
	{"a kernel starts in VTL1", "K --append p --boot-vtl 1", 0, "HELLO-KERNEL", "switched off"},
	{"options are read from a configuration file", "--config config", 21, "HELLO-KERNEL", NULL},
	{"a guest runs with 13 options of a configuration file", "--config all-options", 0, NULL,
	 "the guest switched off", .nothing = true},
	{"the output of the serial port goes to a file", "K --append p --serial file:serial", 0,
	 NULL, "switched off", .nothing = true},
	{"a guest starts with 16 processors and 16 VTLs", "K --append p --cpus 16 --vtls 16", 0,
	 "HELLO-KERNEL", NULL},
};

static void make_files(void)
{
	FILE *config = fopen("config", "w");

	if (config) {
		fprintf(config, "# the debug exit\nkernel = %s\nappend=e\ntestdev = yes\n", kernel);
		fclose(config);
	}
	config = fopen("all-options", "w");
	if (config) {
		fprintf(config,
			"kernel = %s\nappend = p\ncpus = 2\nmemory = 64M\nvtls = 2\nboot-vtl = 1\n"
			"serial = file:all-serial\ntrace = all-trace\ninitrd = config\n"
			"control = all-control\ngdb = all-gdb\ntestdev = yes\nengine = auto\n",
			kernel);
		fclose(config);
	}
	config = fopen("module", "w");
	if (config) {
		fputs("contents of a module\nand a line that is not read\n", config);
		fclose(config);
	}
}

static bool contains(const char *path, const char *text)
{
	char data[4096] = "";
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t size = fd < 0 ? -1 : read(fd, data, sizeof(data) - 1);

	if (fd >= 0)
		close(fd);
	return size > 0 && strstr(data, text);
}

static void check_all_output(void)
{
	static const struct test test = {NULL, "K --append o --testdev", 1};
	size_t lines = 0;

	run(&test, 200);
	for (const char *at = result.out; (at = strstr(at, "0123456789abcde\n")); at += 16)
		lines++;
	check(result.status == 1 && lines == 1024 && strlen(result.out) == 16384,
	      "no output is lost when the guest ends");
	if (lines != 1024)
		printf("# status %d, %zu lines, %zu bytes\n", result.status, lines,
		       strlen(result.out));
}

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
		become_vsm(&test, nothing, nothing, err[1]);
	close(err[1]);
	close(nothing);
	if (read_until(err[0], said, sizeof(said), "/dev/pts/") &&
	    (at = strstr(said, "/dev/pts/")) && sscanf(at, "%63[a-z0-9/]", name) == 1)
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
	check(echoed && WIFEXITED(status) && WEXITSTATUS(status) == 0,
	      "the serial port is a pseudo-terminal whose name is reported");
	if (!echoed)
		printf("# messages: %s# output: %s\n", said, answer);
}

static void check_nothing_left(void)
{
	DIR *directory = getenv("VSM_RIG") ? opendir("/sys/kernel/debug/kvm") : NULL;
	const struct dirent *entry;
	int left = 0;

	if (!directory) {
		check_skipped("no virtual machine is left", "needs the rig");
		return;
	}
	while ((entry = readdir(directory)))
		left += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	closedir(directory);
	check(left == 0, "no virtual machine is left");
}

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

	run(&traced, 200);
	fd = open("trace", O_RDONLY | O_CLOEXEC);
	check(fd >= 0 && read(fd, &header, sizeof(header)) == sizeof(header) &&
		      !fstat(fd, &status) && !memcmp(header.magic, "VSMTRACE", 8) &&
		      header.version == 2 && header.header_size == 64 && header.record_size == 48 &&
		      header.vps == 1 && header.tsc_hz > 1000000,
	      "a trace begins with its header");
	while (fd >= 0 && read(fd, &record, sizeof(record)) == sizeof(record)) {
		count++;
		hypercalls += record.event == 4 && record.argument[0] == 0x0d;
		backward += record.tsc < last;
		last = record.tsc;
	}
	check(count == header.records &&
		      (uint64_t)status.st_size == sizeof(header) + count * sizeof(record),
	      "a trace has the number of records in its header");
	check(hypercalls > 0 && backward == 0, "a trace has HvCallEnablePartitionVtl, and the "
					       "records of a VP are in the order of time");
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 3 && argc != 5 && argc != 6) {
		printf("Bail out! usage: run_cases VSM KERNEL [LINUX INITRD [VMLINUX]]\n");
		return 1;
	}
	vsm = argv[1];
	kernel = argv[2];
	linux_image = argc > 3 ? argv[3] : NULL;
	initrd = argc > 3 ? argv[4] : NULL;
	vmlinux = argc > 5 ? argv[5] : NULL;
	make_files();
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		run_check(&kernels[i], 200);
	check(contains("serial", "HELLO-KERNEL"), "the output of the serial port is in the file");
	check(contains("all-serial", "HELLO-KERNEL") && contains("all-trace", "VSMTRACE"),
	      "the output and the trace are in the files of the configuration file");
	check_all_output();
	check_pty();
	check_trace();
	check_mistakes();
	if (linux_image)
		check_linuxes();
	check_nothing_left();
	return checks_end();
}
