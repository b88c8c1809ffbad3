/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares Debian's QEMU with `-accel vsm` and with `-accel kvm`. Runs in the rig with --icount,
 * where an instruction takes one nanosecond. bench/qemu/run prepares the folder in which this runs.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MARK	     "INIT-HAS-STARTED"
#define END	     "FIGURE end"
#define APPEND	     "console=ttyS0 panic=-1 mitigations=off quiet"
#define PRINTED	     65536u /* bytes of output that are searched */
#define REPORTED     600u   /* last bytes that are printed when a guest fails */
#define WORDS	     48
#define LIMIT_MS     900000
#define IDLE_SECONDS 4
/* Limits of the ratios (docs/qemu.md); PAM and BAR are nanoseconds. */
#define EXIT_LIMIT   1.28
#define BOOT_LIMIT   1.06
#define READ_LIMIT   1.25
#define ASSIST_LIMIT 1.1
#define VTL_LIMIT    1.1
#define PAM_LIMIT    2e6
#define BAR_LIMIT    1e6
#define IDLE_LIMIT   1.15

enum vmm {
	VSM,
	KVM,
	VSM_RUN,
	VMMS
};

#define QEMU                                                                                      \
	"q/qemu-system-x86_64-vsm", "-M", "q35", "-cpu", "host", "-smp", "1", "-display", "none", \
		"-nodefaults", "-no-user-config", "-no-reboot", "-serial", "stdio"
#define PLAIN                                                                                    \
	"q/run", "-M", "q35,kernel-irqchip=split", "-accel", "kvm", "-cpu", "host", "-smp", "1", \
		"-display", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-serial",   \
		"stdio"
#define GUEST                                                                                   \
	"-m", "4G", "-kernel", "guest.elf32", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", \
		"-drive", "file=disk.img,format=raw,if=none,id=disk", "-device",                \
		"virtio-blk-pci,drive=disk,disable-legacy=off,vectors=2"
#define LINUX "-m", "256M", "-kernel", "vmlinuz", "-initrd", "initrd.cpio", "-append", APPEND

/* clang-format off */
static const char *const guests[VMMS][WORDS] = {
	[VSM] = {QEMU, "-accel", "vsm", GUEST},
	[KVM] = {PLAIN, GUEST},
	[VSM_RUN] = {"./vsm", "run", "guest.elf", "--testdev", "--memory", "64M"},
};
static const char *const kernels[][WORDS] = {
	[VSM] = {QEMU, "-accel", "vsm", LINUX},
	[KVM] = {PLAIN, LINUX},
};
/* clang-format on */

struct output {
	char text[PRINTED];
	size_t size;
	double at;
	pid_t child;
	int fd;
};

static void start(struct output *output, const char *const *word)
{
	char *words[WORDS];
	int ends[2];

	memcpy(words, word, sizeof(words));
	bench_require(!pipe(ends), "a pipe");
	output->size = 0;
	output->at = bench_now();
	output->child = fork();
	bench_require(output->child >= 0, "a process");
	if (!output->child) {
		const int none = open("/dev/null", O_RDONLY);

		dup2(none, STDIN_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execv(words[0], words);
		_exit(127);
	}
	close(ends[1]);
	output->fd = ends[0];
}

/* Nanoseconds from the start to the mark, or 0. */
static double wait_for(struct output *output, const char *mark)
{
	while (output->size < sizeof(output->text) - 1) {
		struct pollfd pollfd = {.fd = output->fd, .events = POLLIN};
		ssize_t got;

		if (poll(&pollfd, 1, LIMIT_MS) <= 0)
			break;
		got = read(output->fd, output->text + output->size,
			   sizeof(output->text) - 1 - output->size);
		if (got <= 0)
			break;
		output->size += (size_t)got;
		output->text[output->size] = 0;
		if (memmem(output->text, output->size, mark, strlen(mark)))
			return bench_now() - output->at;
	}
	fprintf(stderr, "qemu: no %s; end of its output:\n", mark);
	fwrite(output->text + (output->size > REPORTED ? output->size - REPORTED : 0), 1,
	       output->size > REPORTED ? REPORTED : output->size, stderr);
	return 0;
}

static void end(struct output *output)
{
	kill(output->child, SIGKILL);
	waitpid(output->child, NULL, 0);
	close(output->fd);
}

/* 0: the guest has not printed this figure. */
static double figure(const struct output *output, const char *name)
{
	const char *at = output->text;
	char line[64];

	snprintf(line, sizeof(line), "FIGURE %s ", name);
	at = memmem(at, output->size, line, strlen(line));
	return at ? strtod(at + strlen(line), NULL) : 0;
}

/* Of all machines of the host's KVM. */
static double host_exits(void)
{
	int fd = open("/sys/kernel/debug/kvm/exits", O_RDONLY);
	char text[32] = "";

	bench_require(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "KVM's counter of exits");
	close(fd);
	return strtod(text, NULL);
}

/* Instructions of a boot, and exits of a second of the idle kernel. */
static void boot(enum vmm vmm, double *to_init, double *exits)
{
	struct output *output = malloc(sizeof(*output));

	bench_require(output, "memory");
	fprintf(stderr, "qemu: a boot with -accel %s ...\n", vmm == VSM ? "vsm" : "kvm");
	start(output, kernels[vmm]);
	*to_init = wait_for(output, MARK);
	sleep(1);
	*exits = host_exits();
	sleep(IDLE_SECONDS);
	*exits = (host_exits() - *exits) / IDLE_SECONDS;
	end(output);
	free(output);
}

static void run_guest(enum vmm vmm, struct output *output)
{
	fprintf(stderr, "qemu: %s ...\n", vmm == VSM ? "vsm" : vmm == KVM ? "kvm" : "vsm run");
	start(output, guests[vmm]);
	bench_require(wait_for(output, END) > 0, "a guest");
	end(output);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	static struct output output[VMMS];
	double to_init[2], exits[2];

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned int i = 0; i < VMMS; i++)
		run_guest(i, &output[i]);
	bench_figure(&bench, "qemu.exit", figure(&output[VSM], "exit"), "ns",
		     figure(&output[KVM], "exit"), EXIT_LIMIT);
	bench_figure(&bench, "qemu.virtio-blk.read", figure(&output[VSM], "read"), "ns",
		     figure(&output[KVM], "read"), READ_LIMIT);
	bench_figure(&bench, "qemu.virtio-blk.read.assist", figure(&output[VSM], "read.assist"),
		     "ns", figure(&output[KVM], "read"), ASSIST_LIMIT);
	bench_at_most(&bench, "qemu.pam", figure(&output[VSM], "pam"), "ns", PAM_LIMIT);
	bench_at_most(&bench, "qemu.bar", figure(&output[VSM], "bar"), "ns", BAR_LIMIT);
	bench_figure(&bench, "qemu.pam.kvm", figure(&output[KVM], "pam"), "ns", 0, 0);
	bench_figure(&bench, "qemu.bar.kvm", figure(&output[KVM], "bar"), "ns", 0, 0);
	bench_figure(&bench, "qemu.vtl.call+return", figure(&output[VSM], "vtl"), "ns",
		     figure(&output[VSM_RUN], "vtl"), VTL_LIMIT);
	for (unsigned int i = 0; i < 2; i++)
		boot(i, &to_init[i], &exits[i]);
	bench_figure(&bench, "qemu.boot", to_init[VSM], "ns", to_init[KVM], BOOT_LIMIT);
	bench_figure(&bench, "qemu.idle.exits", exits[VSM], "a second", exits[KVM], IDLE_LIMIT);
	return bench_end(&bench);
}
