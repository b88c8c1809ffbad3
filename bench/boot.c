/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the start of a VMM to the first program of Debian's kernel, by `vsm run` and, as the floor,
 * by QEMU's microvm on the same KVM.
 *
 * bench/boot prepares the folder in which this runs. A round that times out has no time; after such
 * a round of `vsm run` the exit status is 1.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MARK   "INIT-HAS-STARTED"
#define ROUNDS 3u
#define LIMIT  150.0 /* seconds */
/* Not quiet: a quiet kernel often hangs under QEMU in the rig. */
#define APPEND	 "console=ttyS0 earlyprintk=ttyS0 panic=-1 mitigations=off"
#define PRINTED	 65536u /* bytes of output that are searched */
#define REPORTED 400u	/* bytes at the end of the output that are printed when a round fails */

#define WORDS 40

struct vmm {
	const char *name;
	const char *word[WORDS];
};

/* clang-format off */
static const struct vmm vmms[2] = {
	{"vsm run", {"./vsm", "run", "vmlinuz", "--initrd", "initrd.cpio", "--memory", "256M", "--append", APPEND}},
	{"QEMU", {"qemu/ld.so", "--library-path", "qemu/lib", "qemu/qemu", "-L", "qemu/rom", "-M", "microvm,rtc=on",
		  "-accel", "kvm", "-cpu", "host", "-nodefaults", "-no-user-config", "-display", "none",
		  "-serial", "stdio", "-no-reboot", "-m", "256", "-kernel", "vmlinuz", "-initrd", "initrd.cpio",
		  "-append", APPEND}},
};
/* clang-format on */

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Returns the time of the mark, or 0 on a time-out or the program's end. */
static double wait_for_mark(int output, double limit)
{
	static char text[PRINTED];
	size_t size = 0;

	while (size < sizeof(text) - 1) {
		struct pollfd pollfd = {.fd = output, .events = POLLIN};
		const double left = limit - now();
		ssize_t got;

		if (left <= 0 || poll(&pollfd, 1, (int)(left * 1000) + 1) <= 0)
			break;
		got = read(output, text + size, sizeof(text) - 1 - size);
		if (got <= 0)
			break;
		size += (size_t)got;
		/* A serial port may output NUL. */
		if (memmem(text, size, MARK, strlen(MARK)))
			return now();
	}
	fprintf(stderr, "boot: the kernel did not start its first program; end of its output:\n");
	fwrite(size > REPORTED ? text + size - REPORTED : text, 1,
	       size > REPORTED ? REPORTED : size, stderr);
	return 0;
}

/* Seconds to the mark, or 0. */
static double boot(const struct vmm *vmm)
{
	const double start = now();
	char *words[WORDS];
	double end = 0;
	int output[2];
	pid_t child;

	fprintf(stderr, "boot: %s ...\n", vmm->name);
	memcpy(words, vmm->word, sizeof(words));
	if (pipe(output))
		return 0;
	child = fork();
	if (child == 0) {
		dup2(output[1], STDOUT_FILENO);
		dup2(output[1], STDERR_FILENO);
		close(output[0]);
		close(output[1]);
		execv(words[0], words);
		_exit(127);
	}
	close(output[1]);
	if (child > 0) {
		end = wait_for_mark(output[0], start + LIMIT);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	close(output[0]);
	return end > 0 ? end - start : 0;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	double seconds[2][ROUNDS];
	size_t good[2] = {0};

	for (unsigned int i = 0; i < ROUNDS; i++)
		for (unsigned int j = 0; j < 2; j++) {
			const double took = boot(&vmms[j]);

			if (took > 0)
				seconds[j][good[j]++] = took;
		}
	if (good[0])
		bench_figure(&bench, "boot.to-init", bench_median(seconds[0], good[0]), "s",
			     good[1] ? bench_median(seconds[1], good[1]) : 0, 0);
	bench_figure(&bench, "boot.completed.vsm", (double)good[0], "boots", 0, 0);
	bench_figure(&bench, "boot.completed.qemu", (double)good[1], "boots", 0, 0);
	return bench_end(&bench) || good[0] < ROUNDS;
}
