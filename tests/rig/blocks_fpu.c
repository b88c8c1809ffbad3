/* SPDX-License-Identifier: BSD-2-Clause */
/* FPU registers that vCPUs of two VMs share: only one vCPU at a time can use them, and they exist until the
 * last vCPU that uses them ends. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blocks.h"
#include "tap.h"

#define SPIN	 2000u
#define CR4_PKE	 UINT64_C(0x400000)
#define XCR0_AVX UINT64_C(7)

/* The _avx variants use all of YMM3. RDI points to struct values. */
__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_put, g_put_avx, g_get, g_get_avx, g_hold, g_set_pkru, g_get_pkru, g_forever\n"
	"g_put_avx: vmovdqu (%rdi), %ymm3; jmp 1f\n"
	"g_put: movups (%rdi), %xmm3\n"
	"1: movups 32(%rdi), %xmm12; ldmxcsr 48(%rdi); fninit; fldcw 52(%rdi); fldl 56(%rdi)\n"
	"out %al, $0x10\n"
	"g_get_avx: vmovdqu %ymm3, (%rdi); jmp 1f\n"
	"g_get: movups %xmm3, (%rdi)\n"
	"1: movups %xmm12, 32(%rdi); stmxcsr 48(%rdi); fnstcw 52(%rdi); fstl 56(%rdi)\n"
	"out %al, $0x10\n"
	/* Checks RCX times that XMM registers and x87 still hold RDI; OUT to 0xee if not. */
	"g_hold: movq %rdi, %xmm0; movq %rdi, %xmm15; push %rdi; fninit; fildll (%rsp)\n"
	"1: movq %xmm0, %rax; cmp %rax, %rdi; jne 2f; movq %xmm15, %rax; cmp %rax, %rdi; jne 2f\n"
	"fld %st(0); fistpll (%rsp); cmp %rdi, (%rsp); jne 2f\n"
	"dec %rcx; jnz 1b; out %al, $0x10\n"
	"2: out %al, $0xee\n"
	"g_forever: movq %rdi, %xmm0\n"
	"1: movq %xmm0, %rax; cmp %rax, %rdi; je 1b; out %al, $0xee\n"
	"g_set_pkru: xor %ecx, %ecx; xor %edx, %edx; mov %edi, %eax; wrpkru; out %al, $0x10\n"
	"g_get_pkru: xor %ecx, %ecx; rdpkru; mov %eax, (%rdi); out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

struct values {
	uint64_t vector[4];
	uint64_t low[2];
	uint32_t mxcsr;
	uint16_t control;
	uint16_t unused;
	uint64_t number; /* a double */
};

static bool has_avx;

static int share(const struct raw_vcpu *cpu, int fd)
{
	int32_t other = fd;

	return ioctl(cpu->fd, KVM_SHARE_FPU, &other) ? -errno : 0;
}

static void allow_avx(const struct raw_vcpu *cpu)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = XCR0_AVX};

	if (has_avx && ioctl(cpu->fd, KVM_SET_XCRS, &xcrs))
		check(false, "XCR0 with AVX");
}

static void make(struct raw_kvm *machine)
{
	machine_create(machine, 4 * MIB, false);
	allow_avx(&machine->vcpu[0]);
	allow_avx(&machine->vcpu[1]);
}

static void make_pair(struct raw_kvm machine[2])
{
	make(&machine[0]);
	make(&machine[1]);
	if (share(&machine[1].vcpu[0], machine[0].vcpu[0].fd))
		check(false, "two vCPUs share");
}

static enum ending go(struct raw_vcpu *cpu, uint64_t rip, uint64_t rdi, uint64_t rcx)
{
	cpu_start(cpu, rip, rdi, 0, rcx);
	return cpu_run(cpu);
}

static struct values values_of(uint64_t seed)
{
	return (struct values){
		.vector = {seed, ~seed, has_avx ? seed * 3 : 0, has_avx ? seed * 5 : 0},
		.low = {seed * 7, seed * 9},
		.mxcsr = 0x1f80 | (uint32_t)(seed % 4) << 13,
		.control = (uint16_t)(0x37f | (seed % 4) << 10),
		.number = 0x4010000000000000 | seed % 65536 << 32,
	};
}

static bool put(struct raw_kvm *machine, unsigned int index, uint64_t seed)
{
	const struct values values = values_of(seed);

	memcpy(machine->ram + MIB, &values, sizeof(values));
	return go(&machine->vcpu[index], has_avx ? GUEST(g_put_avx) : GUEST(g_put), MIB, 0) ==
	       END_DONE;
}

static bool holds(struct raw_kvm *machine, unsigned int index, uint64_t seed)
{
	const struct values values = values_of(seed);

	memset(machine->ram + MIB, 0, sizeof(values));
	return go(&machine->vcpu[index], has_avx ? GUEST(g_get_avx) : GUEST(g_get), MIB, 0) ==
		       END_DONE &&
	       !memcmp(machine->ram + MIB, &values, sizeof(values));
}

static void test_values(void)
{
	struct raw_kvm machine[2];
	bool ok = true;

	make_pair(machine);
	check(put(&machine[0], 0, 0x1234567) && holds(&machine[1], 0, 0x1234567),
	      "x87, %s and MXCSR that one VM writes are read by the other",
	      has_avx ? "AVX" : "SSE");
	check(put(&machine[1], 0, 0x7654321) && holds(&machine[0], 0, 0x7654321),
	      "values that the other VM writes are read by the first");
	for (uint64_t i = 1; i < 500 && ok; i++)
		ok = put(&machine[i % 2], 0, i * 0x10001) &&
		     holds(&machine[!(i % 2)], 0, i * 0x10001);
	check(ok, "499 writes alternate between both VMs");
	check(put(&machine[0], 1, 0x99) && holds(&machine[0], 0, 499 * 0x10001),
	      "a vCPU that does not share has its own registers");
	raw_kvm_destroy(&machine[0]);
	raw_kvm_destroy(&machine[1]);
}

static bool xsave(const struct raw_vcpu *cpu, struct kvm_xsave *area)
{
	memset(area, 0x5a, sizeof(*area));
	return !ioctl(cpu->fd, KVM_GET_XSAVE, area);
}

static void test_ioctls(void)
{
	struct kvm_xsave a;
	struct kvm_xsave b;
	struct kvm_fpu fpu;
	struct raw_kvm machine[2];
	uint64_t word;

	make_pair(machine);
	check(put(&machine[0], 0, 0xabcdef) && xsave(&machine[0].vcpu[0], &a) &&
		      xsave(&machine[1].vcpu[0], &b) && !memcmp(&a, &b, sizeof(a)),
	      "KVM_GET_XSAVE returns the same on both vCPUs");
	memcpy(&word, (uint8_t *)&b + 160 + 3 * 16, sizeof(word));
	check(word == 0xabcdef, "KVM_GET_XSAVE returns the value that the guest wrote");
	check(put(&machine[1], 0, 0x5555) && !ioctl(machine[0].vcpu[0].fd, KVM_SET_XSAVE, &a) &&
		      holds(&machine[1], 0, 0xabcdef),
	      "KVM_SET_XSAVE on one is seen by the other's guest");
	check(!ioctl(machine[1].vcpu[0].fd, KVM_GET_FPU, &fpu) &&
		      (fpu.xmm[3][0] = 0x77, !ioctl(machine[1].vcpu[0].fd, KVM_SET_FPU, &fpu)) &&
		      xsave(&machine[0].vcpu[0], &a) &&
		      (memcpy(&word, (uint8_t *)&a + 160 + 3 * 16, sizeof(word)),
		       (word & 0xff) == 0x77),
	      "KVM_SET_FPU on one is seen by KVM_GET_XSAVE on the other");
	raw_kvm_destroy(&machine[0]);
	raw_kvm_destroy(&machine[1]);
}

/* A vCPU with only SSE in XCR0 must not change the upper halves of YMM registers that another vCPU shares. */
static void test_xcr0(void)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = 3};
	struct values values = values_of(0x4711);
	struct raw_kvm machine[2];

	if (!has_avx) {
		check_skipped("XCR0 differs", "this CPU has no AVX");
		return;
	}
	make_pair(machine);
	check(!ioctl(machine[1].vcpu[0].fd, KVM_SET_XCRS, &xcrs) &&
		      !ioctl(machine[0].vcpu[0].fd, KVM_GET_XCRS, &xcrs) &&
		      xcrs.xcrs[0].value == XCR0_AVX,
	      "each vCPU has its own XCR0");
	put(&machine[0], 0, 0x815);
	memcpy(machine[1].ram + MIB, &values, sizeof(values));
	check(go(&machine[1].vcpu[0], GUEST(g_put), MIB, 0) == END_DONE,
	      "a vCPU without AVX writes SSE registers");
	values.vector[2] = 0x815 * 3;
	values.vector[3] = 0x815 * 5;
	check(go(&machine[0].vcpu[0], GUEST(g_get_avx), MIB, 0) == END_DONE &&
		      !memcmp(machine[0].ram + MIB, &values, sizeof(values)),
	      "the upper halves that the vCPU with AVX wrote are unchanged");
	raw_kvm_destroy(&machine[0]);
	raw_kvm_destroy(&machine[1]);
}

static void test_pkru(void)
{
	struct raw_kvm machine[2];
	struct kvm_sregs sregs;
	bool ok = true;

	make_pair(machine);
	for (unsigned int i = 0; i < 2 && ok; i++) {
		ok = !ioctl(machine[i].vcpu[0].fd, KVM_GET_SREGS, &sregs);
		sregs.cr4 |= CR4_PKE;
		ok = ok && !ioctl(machine[i].vcpu[0].fd, KVM_SET_SREGS, &sregs);
	}
	if (ok)
		check(go(&machine[0].vcpu[0], GUEST(g_set_pkru), 0x55555554, 0) == END_DONE &&
			      go(&machine[1].vcpu[0], GUEST(g_get_pkru), MIB, 0) == END_DONE &&
			      word(&machine[1], MIB) == 0x55555554 &&
			      go(&machine[1].vcpu[0], GUEST(g_set_pkru), 4, 0) == END_DONE &&
			      go(&machine[0].vcpu[0], GUEST(g_get_pkru), MIB, 0) == END_DONE &&
			      word(&machine[0], MIB) == 4,
		      "PKRU is shared");
	else
		check_skipped("PKRU is shared", "this CPU has no protection keys");
	raw_kvm_destroy(&machine[0]);
	raw_kvm_destroy(&machine[1]);
}

struct runner {
	struct raw_vcpu *cpu;
	uint64_t seed;
	uint64_t rip;
	atomic_bool *stop;
	unsigned int done;
	unsigned int busy;
	unsigned int wrong;
	enum ending ending;
};

static void *run_turns(void *opaque)
{
	struct runner *runner = opaque;
	struct kvm_regs regs = {.rip = runner->rip, .rdi = runner->seed, .rcx = SPIN, .rflags = 2};

	regs.rsp = STACK;
	while (!atomic_load(runner->stop)) {
		int r = ioctl(runner->cpu->fd, KVM_SET_REGS, &regs);

		if (!r)
			r = ioctl(runner->cpu->fd, KVM_RUN, 0);
		if (r && errno == EBUSY)
			runner->busy++;
		else if (!r && runner->cpu->run->exit_reason == KVM_EXIT_IO &&
			 runner->cpu->run->io.port == PORT_DONE)
			runner->done++;
		else
			runner->wrong++;
	}
	return NULL;
}

static void test_both_at_once(void)
{
	atomic_bool stop = false;
	struct raw_kvm machine[2];
	struct runner runner[2];
	pthread_t thread[2];

	make_pair(machine);
	for (unsigned int i = 0; i < 2; i++)
		cpu_start(&machine[i].vcpu[0], GUEST(g_hold), 0, 0, 1);
	for (unsigned int i = 0; i < 2; i++) {
		runner[i] = (struct runner){.cpu = &machine[i].vcpu[0],
					    .seed = 0x1000 + i * 0x77777,
					    .rip = GUEST(g_hold),
					    .stop = &stop};
		pthread_create(&thread[i], NULL, run_turns, &runner[i]);
	}
	/* A single emulated CPU may run only one of the two threads for a long time. */
	for (double end = seconds() + 80; seconds() < end;) {
		usleep(100000);
		if (end - seconds() < 78 && runner[0].busy + runner[1].busy > 10)
			break;
	}
	atomic_store(&stop, true);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	printf("# %u and %u turns, %u and %u times busy\n", runner[0].done, runner[1].done,
	       runner[0].busy, runner[1].busy);
	check(runner[0].busy + runner[1].busy > 0 && runner[0].done + runner[1].done > 0,
	      "of two threads that run the vCPUs, the second gets EBUSY");
	check(!runner[0].wrong && !runner[1].wrong,
	      "no thread reads registers of the other (%u, %u)", runner[0].wrong, runner[1].wrong);
	raw_kvm_destroy(&machine[0]);
	raw_kvm_destroy(&machine[1]);
}

static void *run_once(void *opaque)
{
	struct runner *runner = opaque;

	runner->ending = cpu_run(runner->cpu);
	return NULL;
}

static bool is_busy(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) && errno == EBUSY;
}

static void release(struct raw_vcpu *cpu, pthread_t thread)
{
	cpu->run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	cpu->run->immediate_exit = 0;
}

static void nothing(int signal)
{
	(void)signal;
}

static void start_forever(struct runner *runner, struct raw_vcpu *cpu, pthread_t *thread)
{
	*runner = (struct runner){.cpu = cpu};
	cpu_start(cpu, GUEST(g_forever), 0x1122334455667788, 0, 0);
	pthread_create(thread, NULL, run_once, runner);
	usleep(200000);
}

static void test_while_one_runs(void)
{
	struct raw_kvm machine[3];
	struct kvm_xsave area;
	struct kvm_regs regs;
	struct kvm_fpu fpu = {0};
	struct runner runner;
	pthread_t thread;
	int fd;

	make_pair(machine);
	make(&machine[2]);
	fd = machine[1].vcpu[0].fd;
	start_forever(&runner, &machine[0].vcpu[0], &thread);
	check(is_busy(fd, KVM_RUN, NULL) && is_busy(fd, KVM_GET_XSAVE, &area) &&
		      is_busy(fd, KVM_SET_FPU, &fpu) && is_busy(fd, KVM_GET_REGS, &regs),
	      "while one vCPU is in KVM_RUN, four ioctls of the other are refused with EBUSY");
	check(share(&machine[2].vcpu[0], machine[0].vcpu[0].fd) == -EBUSY,
	      "a third vCPU cannot share with the one that runs");
	check(share(&machine[2].vcpu[0], fd) == 0 && is_busy(machine[2].vcpu[0].fd, KVM_RUN, NULL),
	      "a third vCPU can share with the one that does not run, and then gets EBUSY");
	release(&machine[0].vcpu[0], thread);
	check(put(&machine[2], 0, 0x31) && holds(&machine[0], 0, 0x31) &&
		      holds(&machine[1], 0, 0x31),
	      "after that each of the three can run");
	for (unsigned int i = 0; i < 3; i++)
		raw_kvm_destroy(&machine[i]);
}

/* The number of FPU areas that KVM has allocated for vCPUs, from /proc/vmallocinfo. */
static unsigned int areas(void)
{
	FILE *file = fopen("/proc/vmallocinfo", "r");
	unsigned int count = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, "fpu_alloc_guest_fpstate") != NULL;
	if (file)
		fclose(file);
	return count;
}

/* Areas are freed later, after an RCU grace period. */
static bool areas_are(unsigned int count)
{
	for (unsigned int i = 0; i < 600 && areas() != count; i++)
		usleep(100000);
	return areas() == count;
}

static void test_orders(void)
{
	static const unsigned int order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
						 {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	const unsigned int before = areas();
	struct raw_kvm machine[3];
	bool ok = true;

	for (unsigned int i = 0; i < 6; i++) {
		make_pair(machine);
		make(&machine[2]);
		ok = ok && !share(&machine[2].vcpu[0], machine[1].vcpu[0].fd) &&
		     areas() == before + 4;
		ok = ok && put(&machine[order[i][0]], 0, 0x100 + i);
		raw_kvm_destroy(&machine[order[i][0]]);
		ok = ok && holds(&machine[order[i][1]], 0, 0x100 + i) &&
		     put(&machine[order[i][1]], 0, 0x200 + i);
		raw_kvm_destroy(&machine[order[i][1]]);
		ok = ok && holds(&machine[order[i][2]], 0, 0x200 + i);
		raw_kvm_destroy(&machine[order[i][2]]);
	}
	check(ok, "three vCPUs share, and end in any order");
	check(areas_are(before), "all areas are freed (%u, %u before)", areas(), before);
}

static void test_destroy_while_running(void)
{
	const unsigned int before = areas();
	struct raw_kvm machine[2];
	struct runner runner;
	pthread_t thread;

	for (unsigned int i = 0; i < 2; i++) {
		make_pair(machine);
		start_forever(&runner, &machine[i].vcpu[0], &thread);
		raw_kvm_destroy(&machine[!i]);
		usleep(200000);
		release(&machine[i].vcpu[0], thread);
		check(runner.ending == END_OTHER &&
			      machine[i].vcpu[0].run->exit_reason == KVM_EXIT_INTR,
		      "%s ends while the other one runs, which keeps its registers",
		      i ? "the one that was joined" : "the one that joined");
		check(put(&machine[i], 0, 0x61) && holds(&machine[i], 0, 0x61),
		      "... and continues to work");
		raw_kvm_destroy(&machine[i]);
	}
	check(areas_are(before), "all areas are freed");
}

static void test_killed(void)
{
	const unsigned int before = areas();
	struct raw_kvm machine[2];
	struct runner runner;
	pthread_t thread;
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		make_pair(machine);
		start_forever(&runner, &machine[1].vcpu[0], &thread);
		raise(SIGKILL);
	}
	check(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
		      WTERMSIG(status) == SIGKILL && areas_are(before),
	      "all areas of a process that was killed during KVM_RUN are freed");
}

/* In a child process one of its vCPUs and an inherited one must not share, in either direction. */
static bool another_process(const struct raw_vcpu *cpu)
{
	struct raw_kvm own;
	int status = 1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		make(&own);
		_exit(share(&own.vcpu[0], cpu->fd) == -EINVAL && share(cpu, own.vcpu[0].fd) == -EIO
			      ? 0
			      : 1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* Sets AMX, which needs permission, in the CPUID of a vCPU. Returns -EPERM without permission. */
static int set_amx(const struct raw_vcpu *cpu)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry;
	} cpuid = {
		.head.nent = 1,
		.entry = {.function = 0xd,
			  .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			  .eax = 0x60007},
	};

	return ioctl(cpu->fd, KVM_SET_CPUID2, &cpuid) ? -errno : 0;
}

static void test_arguments(void)
{
	const int event = eventfd(0, EFD_CLOEXEC);
	const int path = open("/dev/kvm", O_PATH | O_CLOEXEC);
	struct raw_kvm machine[3];

	for (unsigned int i = 0; i < 3; i++)
		make(&machine[i]);
	check(ioctl(machine[0].kvm, KVM_CHECK_EXTENSION, KVM_CAP_SHARED_FPU) == 1 &&
		      ioctl(machine[0].vm, KVM_CHECK_EXTENSION, KVM_CAP_SHARED_FPU) == 1,
	      "the capability is 1");
	check(share(&machine[0].vcpu[0], -1) == -EBADF &&
		      share(&machine[0].vcpu[0], 9999) == -EBADF &&
		      share(&machine[0].vcpu[0], machine[0].vm) == -EBADF &&
		      share(&machine[0].vcpu[0], machine[0].kvm) == -EBADF &&
		      share(&machine[0].vcpu[0], path) == -EBADF &&
		      share(&machine[0].vcpu[0], event) == -EBADF,
	      "a file descriptor that is not of a vCPU is refused");
	check(ioctl(machine[0].vcpu[0].fd, KVM_SHARE_FPU, NULL) && errno == EFAULT,
	      "an address that cannot be read is refused");
	check(share(&machine[0].vcpu[0], machine[0].vcpu[0].fd) == -EINVAL,
	      "the vCPU itself is refused");
	check(another_process(&machine[0].vcpu[0]), "a vCPU of another process is refused");
	check(put(&machine[2], 0, 1) &&
		      share(&machine[2].vcpu[0], machine[0].vcpu[0].fd) == -EINVAL,
	      "a vCPU that has run cannot share with another one");
	check(set_amx(&machine[1].vcpu[0]) == -EPERM, "AMX needs permission");
	check(share(&machine[1].vcpu[0], machine[2].vcpu[0].fd) == 0,
	      "a vCPU that has not run can share with one that has");
	check(share(&machine[1].vcpu[0], machine[2].vcpu[0].fd) == -EBUSY &&
		      share(&machine[1].vcpu[0], machine[0].vcpu[0].fd) == -EBUSY,
	      "a vCPU that shares cannot share with another one");
	check(holds(&machine[1], 0, 1), "a vCPU that shares has the registers of the other one");
	check(share(&machine[0].vcpu[0], machine[0].vcpu[1].fd) == 0 && put(&machine[0], 1, 2) &&
		      holds(&machine[0], 0, 2),
	      "two vCPUs of one machine can share");
	for (unsigned int i = 0; i < 3; i++)
		raw_kvm_destroy(&machine[i]);
	make_pair(machine);
	check(set_amx(&machine[0].vcpu[0]) == -EBUSY && set_amx(&machine[1].vcpu[0]) == -EBUSY,
	      "a feature that needs a larger XSAVE area is refused while it is shared");
	raw_kvm_destroy(&machine[0]);
	raw_kvm_destroy(&machine[1]);
	close(event);
	close(path);
}

#define MACHINES 4u
#define CPUS	 (2 * MACHINES)

/* The FPU registers ("set") that each vCPU uses, and the value of each set. */
struct model {
	unsigned int set[CPUS];
	bool shares[CPUS];
	bool has_run[CPUS];
	uint64_t seed[CPUS + 1];
};

static int expected(const struct model *model, unsigned int a, unsigned int b)
{
	if (a == b || model->has_run[a])
		return -EINVAL;
	return model->shares[a] ? -EBUSY : 0;
}

static void joined(struct model *model, unsigned int a, unsigned int b)
{
	model->set[a] = model->set[b];
	model->shares[a] = model->shares[b] = true;
}

static unsigned int free_set(const struct model *model)
{
	for (unsigned int set = 0;; set++) {
		bool used = false;

		for (unsigned int i = 0; i < CPUS; i++)
			used |= model->set[i] == set;
		if (!used)
			return set;
	}
}

static void replace(struct raw_kvm *machine, struct model *model, unsigned int index)
{
	raw_kvm_destroy(&machine[index]);
	make(&machine[index]);
	for (unsigned int cpu = 2 * index; cpu < 2 * index + 2; cpu++) {
		model->set[cpu] = free_set(model);
		model->seed[model->set[cpu]] = 0;
		model->shares[cpu] = model->has_run[cpu] = false;
	}
}

static void test_random(unsigned int turns)
{
	const unsigned int before = areas();
	struct raw_kvm machine[MACHINES];
	struct model model = {0};
	unsigned int wrong = 0;
	unsigned int seed = 1;

	for (unsigned int i = 0; i < MACHINES; i++)
		make(&machine[i]);
	for (unsigned int i = 0; i < CPUS; i++)
		model.set[i] = i;
	for (unsigned int turn = 1; turn <= turns; turn++) {
		const unsigned int a = (unsigned int)rand_r(&seed) % CPUS;
		const unsigned int b = (unsigned int)rand_r(&seed) % CPUS;
		const unsigned int what = (unsigned int)rand_r(&seed) % 16;
		struct raw_vcpu *cpu = &machine[a / 2].vcpu[a % 2];
		int32_t other = machine[b / 2].vcpu[b % 2].fd;

		if (what < 5) {
			const int want = expected(&model, a, b);

			wrong += share(cpu, other) != want;
			if (!want)
				joined(&model, a, b);
		} else if (what == 5) {
			replace(machine, &model, a / 2);
		} else if (what < 10) {
			wrong += !put(&machine[a / 2], a % 2, turn);
			model.seed[model.set[a]] = turn;
			model.has_run[a] = true;
		} else if (what < 14) {
			if (model.seed[model.set[a]]) {
				wrong += !holds(&machine[a / 2], a % 2, model.seed[model.set[a]]);
				model.has_run[a] = true;
			}
		} else {
			other = (int32_t)((unsigned int)rand_r(&seed) % 4096) - 1024;
			for (unsigned int i = 0; i < CPUS; i++)
				if (machine[i / 2].vcpu[i % 2].fd == other)
					other = -1;
			wrong += share(cpu, other) != -EBADF;
		}
		if (wrong) {
			printf("# turn %u: %u on vCPU %u with %u\n", turn, what, a, b);
			break;
		}
	}
	check(!wrong, "%u random joins, runs, ends and arguments agree with a model", turns);
	for (unsigned int i = 0; i < MACHINES; i++)
		raw_kvm_destroy(&machine[i]);
	check(areas_are(before), "all areas are freed");
}

int main(void)
{
	signal(SIGUSR1, nothing);
	has_avx = __builtin_cpu_supports("avx");
	test_arguments();
	test_values();
	test_ioctls();
	test_xcr0();
	test_pkru();
	test_both_at_once();
	test_while_one_runs();
	test_orders();
	test_destroy_while_running();
	test_killed();
	test_random(3000);
	return checks_end();
}
