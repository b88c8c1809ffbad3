/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM backend is created and destroyed without a leak, and its errors name the missing feature of a host.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "core/x64.h"
#include "entries.h"
#include "engine.h"
#include "kvm_guest.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_store, g_add, g_count, g_movs\n"
	"guest_code:\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_add: add %rbx, %rax; out %al, $0x10\n"
	"g_movs: movsb; out %al, $0x10\n"
	"g_count: incq (%rdi); jmp g_count\n"
	"guest_code_end:\n"
	".popsection");

#define ROUNDS 200u /* unless an argument sets it */

struct counts {
	unsigned int files;
	unsigned int mappings;
	unsigned int threads;
};

static struct counts count_all(void)
{
	struct counts counts = {.files = entries("/proc/self/fd"),
				.threads = entries("/proc/self/task")};
	FILE *maps = fopen("/proc/self/maps", "r");
	int byte;

	while (maps && (byte = getc(maps)) != EOF)
		counts.mappings += byte == '\n';
	if (maps)
		fclose(maps);
	return counts;
}

static bool live(unsigned int seed)
{
	const uint64_t gpa = DATA + seed % 64 * 4096;
	struct backend_run run;
	struct guest guest;
	void *overlay;
	bool right;

	guest_create(&guest, 1 + seed % 3, 1, 16 * MIB);
	guest.ops->overlay_memory(guest.backend, 4, &overlay);
	guest.ops->overlay_map(guest.backend, 0, 0x100000, 1, GPA_ALL);
	guest_protect(&guest, gpa, 1 + seed % 3, seed & 1 ? 0 : GPA_ALL & ~GPA_WRITE);
	guest_start_with(&guest, GUEST(g_store), gpa, 0);
	run = guest_run_on(&guest, 0, 0);
	right = run.exit == BACKEND_EXIT_MEMORY && run.memory.gpa == gpa;
	guest_destroy(&guest);
	return right;
}

static void test_leaks(unsigned int rounds)
{
	struct counts before;
	struct counts after;
	unsigned int right = 0;

	/* Create a partition before counting, for allocations that the C library keeps. */
	live(0);
	before = count_all();
	for (unsigned int i = 0; i < rounds; i++)
		right += live(i);
	after = count_all();
	check(right == rounds, "%u partitions are created, run and destroyed", rounds);
	check(before.files == after.files, "no file descriptor is left (%u, %u)", before.files,
	      after.files);
	check(before.threads == after.threads, "no thread is left (%u, %u)", before.threads,
	      after.threads);
	check(after.mappings <= before.mappings, "no mapping is left (%u, %u)", before.mappings,
	      after.mappings);
}

static void test_two_at_once(void)
{
	struct guest guest[2];
	struct backend_run run;

	guest_create(&guest[0], 2, 1, 16 * MIB);
	guest_create(&guest[1], 2, 1, 16 * MIB);
	guest_protect(&guest[0], DATA, 1, GPA_ALL & ~GPA_WRITE);
	for (unsigned int i = 0; i < 2; i++)
		guest_start_with(&guest[i], GUEST(g_store), DATA, 0);
	run = guest_run_on(&guest[0], 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY, "the protection of one partition is enforced");
	run = guest_run_on(&guest[1], 0, 0);
	check(run.exit == BACKEND_EXIT_IO, "... and does not affect another partition");
	guest_destroy(&guest[0]);
	guest_start(&guest[1], 0, 0, GUEST(g_add));
	guest_edit(&guest[1], 0, 0, VCPU_GPR)->gpr[GPR_RBX] = 5;
	run = guest_run_on(&guest[1], 0, 0);
	check(run.exit == BACKEND_EXIT_IO &&
		      guest_get(&guest[1], 0, 0, VCPU_GPR)->gpr[GPR_RAX] == 5,
	      "a partition continues when another one ends");
	guest_destroy(&guest[1]);
}

/* In one partition writes are alternately denied and permitted; meanwhile another one counts. */
struct busy {
	struct guest guest;
	unsigned int rounds;
	unsigned int right;
	pthread_t thread;
};

static void *be_denied(void *opaque)
{
	struct busy *busy = opaque;
	struct guest *guest = &busy->guest;
	struct backend_run run;

	for (unsigned int i = 0; i < busy->rounds; i++) {
		guest_protect(guest, DATA, 1, i & 1 ? 0 : GPA_ALL & ~GPA_WRITE);
		guest_start_with(guest, GUEST(g_store), DATA, i + 1);
		run = guest_run_on(guest, 0, 0);
		busy->right += run.exit == BACKEND_EXIT_MEMORY && guest->ram[DATA] == (uint8_t)i;
		guest_protect(guest, DATA, 1, GPA_ALL);
		run = guest_run_on(guest, 0, 0);
		busy->right += run.exit == BACKEND_EXIT_IO && guest->ram[DATA] == (uint8_t)(i + 1);
		guest_answer(guest, 0, &run, BACKEND_RETRY);
	}
	return NULL;
}

static void *count_up(void *opaque)
{
	struct busy *busy = opaque;
	struct guest *guest = &busy->guest;

	for (unsigned int i = 0; i < busy->rounds; i++) {
		struct backend_run run;

		guest_start(guest, 0, 1, GUEST(g_add));
		guest_edit(guest, 0, 1, VCPU_GPR)->gpr[GPR_RAX] = i;
		guest_edit(guest, 0, 1, VCPU_GPR)->gpr[GPR_RBX] = 7;
		run = guest_run_on(guest, 0, 1);
		busy->right += run.exit == BACKEND_EXIT_IO &&
			       guest_get(guest, 0, 1, VCPU_GPR)->gpr[GPR_RAX] == i + 7;
	}
	return NULL;
}

static void test_two_busy(void)
{
	static struct busy denied = {.rounds = 200}, counting = {.rounds = 400};
	const struct gpa_range range = {.gpn = DATA / 4096, .pages = 1};

	guest_create(&denied.guest, 2, 1, 16 * MIB);
	guest_create(&counting.guest, 3, 1, 32 * MIB);
	/* Restrict the counting partition, too, so that an engine has page tables for both. */
	counting.guest.ops->protect(counting.guest.backend, 1, &range, 1, GPA_ALL & ~GPA_WRITE);
	pthread_create(&denied.thread, NULL, be_denied, &denied);
	pthread_create(&counting.thread, NULL, count_up, &counting);
	pthread_join(counting.thread, NULL);
	pthread_join(denied.thread, NULL);
	check(denied.right == 2 * denied.rounds && counting.right == counting.rounds,
	      "two partitions run different code concurrently without errors (%u, %u)",
	      denied.right, counting.right);
	guest_destroy(&denied.guest);
	guest_destroy(&counting.guest);
}

static char logged[512];

static void keep_line(void *opaque, const struct vsm_log_record *record)
{
	(void)opaque;
	if (record->level == VSM_LOG_ERROR)
		snprintf(logged, sizeof(logged), "%s", record->text);
}

static unsigned int left_open; /* files, by all calls of try_create() */

static int try_create(uint8_t engine)
{
	const unsigned int files = entries("/proc/self/fd");
	static const struct vsm_log log = {.fn = keep_line, .max_level = VSM_LOG_ERROR};
	const struct vkvm_options options = {.engine = engine};
	const struct backend_config config = {
		.log = &log, .vp_count = 1, .vtl_count = 2, .options = &options};
	struct backend_features features;
	void *backend;
	int error = vkvm_ops.create(&config, &backend, &features);

	if (!error)
		vkvm_ops.destroy(backend);
	left_open += entries("/proc/self/fd") - files;
	return error;
}

/* As user 65534 in a child process. Returns 0 if error and message are as expected, and no file is left open. */
static int refused_unprivileged(uint8_t engine, int expected, const char *word)
{
	pid_t child;
	int status = -1;

	fflush(stdout);
	child = fork();
	if (!child) {
		int error;

		if (setgid(65534) || setuid(65534))
			_exit(2);
		error = try_create(engine);
		printf("# %s (%u files are left open)\n", logged, left_open);
		fflush(stdout);
		_exit(error != expected || !strstr(logged, word) || left_open);
	}
	waitpid(child, &status, 0);
	return status;
}

static void test_rights(void)
{
	chmod("/dev/kvm", 0600);
	check(!refused_unprivileged(VSM_ENGINE_AUTO, -EACCES, "group kvm"),
	      "without access to /dev/kvm it is refused, and the message has a remedy");
	chmod("/dev/kvm", 0666);
	check(!refused_unprivileged(VSM_ENGINE_UFFD, -EPERM, "vm.unprivileged_userfaultfd"),
	      "without userfaultfd it is refused, and the message has a remedy");
	logged[0] = '\0';
	if (test_engine() == VSM_ENGINE_ATTR)
		check(!refused_unprivileged(VSM_ENGINE_ATTR, 0, ""),
		      "engine attr does not need userfaultfd");
	else
		check(!refused_unprivileged(VSM_ENGINE_ATTR, -ENOTSUP, "kernel/INSTALL.md"),
		      "without the kernel part engine attr is refused, and the message names the "
		      "documentation");
	rename("/dev/kvm", "/dev/kvm.away");
	check(try_create(VSM_ENGINE_AUTO) == -ENODEV && strstr(logged, "kvm_amd"),
	      "without /dev/kvm it is refused, and the message has a remedy");
	rename("/dev/kvm.away", "/dev/kvm");
	check(!left_open, "a refusal leaves no file open");
}

static void not_ours(int signal)
{
	(void)signal;
}

static void test_signal(void)
{
	struct sigaction old;
	struct sigaction other = {.sa_handler = not_ours};

	sigaction(SIGRTMIN + 5, &other, &old);
	check(try_create(VSM_ENGINE_AUTO) == -EBUSY && strstr(logged, "SIGRTMIN+5"),
	      "a signal that the program handles is refused, and the message has its name");
	sigaction(SIGRTMIN + 5, &old, &other);
	check(other.sa_handler == not_ours, "the backend keeps a signal handler of the program");
}

/* Some tests remove /dev/kvm, which is permitted only in the rig's guest. */
static bool is_in_rig(void)
{
	char name[16] = "";

	return !gethostname(name, sizeof(name) - 1) && !strcmp(name, "rig") && !getuid();
}

/* ------------------------------------------------------------------ disabled */

struct counter {
	struct guest guest;
	int error;
};

static int run_vp(struct guest *guest, uint32_t vp)
{
	struct backend_run run;
	int error;

	do {
		run = (struct backend_run){
			.inject = -1, .deadline = UINT64_MAX, .apic_enabled = true};
		error = guest->ops->vp_run(guest->vp[vp], &run);
	} while (!error && run.exit == BACKEND_EXIT_INTERRUPTED);
	return error;
}

static void *count(void *opaque)
{
	struct counter *counter = opaque;

	counter->error = run_vp(&counter->guest, 1);
	return NULL;
}

static uint64_t counted(const struct guest *guest)
{
	return __atomic_load_n((uint64_t *)(void *)(guest->ram + DATA), __ATOMIC_SEQ_CST);
}

struct injector {
	struct guest *guest;
	bool can;
};

static void *ask(void *opaque)
{
	struct injector *injector = opaque;

	injector->can = injector->guest->ops->vp_can_inject(injector->guest->vp[0], 0);
	return NULL;
}

/* A MOVS has read MMIO, and stores the byte in RAM when KVM completes the instruction. */
static void begin_movs(struct guest *guest)
{
	struct vcpu_state *state;
	struct backend_run run;

	guest_create(guest, 1, 1, 16 * MIB);
	guest_start(guest, 0, 0, GUEST(g_movs));
	state = guest_edit(guest, 0, 0, VCPU_GPR);
	state->gpr[GPR_RSI] = 32 * MIB;
	state->gpr[GPR_RDI] = DATA;
	state->rflags |= X64_RFLAGS_IF;
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MMIO && run.mmio.gpa == 32 * MIB, "a MOVS reads a device");
	run.mmio.data[0] = 0x99;
	check(!guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE) && !guest->ram[DATA],
	      "... and is open after the answer");
}

static void test_open_instruction(void)
{
	struct guest guest;
	struct injector injector = {.guest = &guest};
	pthread_t thread;

	begin_movs(&guest);
	guest.ops->hold(guest.backend);
	pthread_create(&thread, NULL, ask, &injector);
	usleep(50000);
	check(!__atomic_load_n(&guest.ram[DATA], __ATOMIC_SEQ_CST),
	      "an open instruction does not access memory while VPs are held");
	guest.ops->release(guest.backend);
	pthread_join(thread, NULL);
	check(injector.can && guest.ram[DATA] == 0x99, "... and is completed afterwards");
	guest_destroy(&guest);

	begin_movs(&guest);
	guest.ops->disable(guest.backend);
	check(!guest.ops->vp_can_inject(guest.vp[0], 0) && !guest.ops->finish_all(guest.backend) &&
		      !guest.ram[DATA],
	      "an open instruction is not completed after the backend is disabled");
	guest_destroy(&guest);
}

/* @held: between hold() and release(), as in a change of the memory map. */
static void test_disable(bool held)
{
	static const char *const when[] = {"", ", while VPs are held"};
	struct counter counter = {.error = 0};
	struct guest *guest = &counter.guest;
	struct backend_run run = {.inject = -1};
	pthread_t thread;
	uint64_t last;

	guest_create(guest, 1, 2, 16 * MIB);
	guest_start(guest, 1, 0, GUEST(g_count));
	guest_edit(guest, 1, 0, VCPU_GPR)->gpr[GPR_RDI] = DATA;
	pthread_create(&thread, NULL, count, &counter);
	while (!counted(guest))
		usleep(1000);
	if (held)
		guest->ops->hold(guest->backend);
	guest->ops->disable(guest->backend);
	last = counted(guest);
	if (held)
		guest->ops->release(guest->backend);
	pthread_join(thread, NULL);
	check(counter.error == -EIO && counted(guest) == last,
	      "a VP executes no guest code after the backend is disabled%s", when[held]);
	guest_start(guest, 0, 0, GUEST(g_store));
	check(run_vp(guest, 0) == -EIO &&
		      guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE) == -EIO &&
		      guest->ops->vp_load(guest->vp[0], 0, VCPU_GPR) == -EIO,
	      "... and vp_run(), vp_answer() and vp_load() fail");
	guest_destroy(guest);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : ROUNDS;

	test_leaks(rounds);
	test_two_at_once();
	test_two_busy();
	test_signal();
	test_open_instruction();
	test_disable(false);
	test_disable(true);
	if (is_in_rig())
		test_rights();
	return checks_end();
}
