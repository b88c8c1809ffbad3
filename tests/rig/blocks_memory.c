/* SPDX-License-Identifier: BSD-2-Clause */
/* Access restrictions at scale: large pages, lists, changes while vCPUs run, dirty logging, random changes
 * and arguments, lack of memory. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blocks.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_load, g_store, g_jump, g_touch, g_writer, g_reader, g_executor, g_emulated\n"
	"g_load: mov (%rdi), %rbx; out %al, $0x10\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_jump: jmp *%rdi\n"
	"g_touch: mov (%rdi), %rbx; add $4096, %rdi; dec %rcx; jnz g_touch; out %al, $0x10\n"
	"g_writer: incq (%rdi); jmp g_writer\n"
	"g_executor: call *%rdi; jmp g_executor\n"
	/* KVM's emulator writes, without an exit to user space. */
	"g_emulated: inc %rax; ud2; .ascii \"kvm\"; mov %rax, (%rdi); jmp g_emulated\n"
	"guest_code_end:\n"
	".popsection");

#define P	(16 * MIB)
#define COUNTER UINT64_C(0x30000)

static const uint8_t out_done[] = {0xe6, PORT_DONE};

static void touch(struct raw_kvm *machine, uint64_t gpa, uint64_t pages)
{
	cpu_start(&machine->vcpu[0], GUEST(g_touch), gpa, 0, pages);
	if (cpu_run(&machine->vcpu[0]) != END_DONE)
		printf("# %llu pages from %#llx cannot be read\n", (unsigned long long)pages,
		       (unsigned long long)gpa);
}

static bool stops(struct raw_kvm *machine, uint64_t code, uint64_t gpa, uint64_t access)
{
	enum ending ending = cpu_go(machine, code, gpa);

	return was_refused(&machine->vcpu[0], ending, gpa, access,
			   access == KVM_ACCESS_EXIT_EXEC ? gpa : code);
}

static void test_large_pages(struct raw_kvm *machine)
{
	uint64_t large;

	/* Write the memory first: memory that was only read would be mapped to the host's zero page. */
	memset(machine->ram + P, 1, 16 * MIB);
	touch(machine, P, 2048);
	large = vm_stat(machine, "pages_2m");
	check(large >= 4, "memory is mapped by large pages");
	check(!set_range(machine, P, 4 * MIB, KVM_ACCESS_NO_WRITE) &&
		      vm_stat(machine, "pages_2m") == large - 2,
	      "a no-write range across two blocks splits both large pages");
	touch(machine, P, 2048);
	check(vm_stat(machine, "pages_2m") == large,
	      "with the same restriction on all their pages, the blocks are mapped by large pages "
	      "again");
	check(stops(machine, GUEST(g_store), P + 3 * MIB, KVM_ACCESS_EXIT_WRITE),
	      "... and a write exits");
	check(!set_page(machine, P + 0x7000, KVM_ACCESS_NO_EXEC),
	      "one page in the blocks gets another restriction");
	touch(machine, P, 2048);
	check(vm_stat(machine, "pages_2m") == large - 1, "only its block is split");
	check(stops(machine, GUEST(g_store), P, KVM_ACCESS_EXIT_WRITE) &&
		      stops(machine, GUEST(g_jump), P + 0x7000, KVM_ACCESS_EXIT_EXEC) &&
		      cpu_go(machine, GUEST(g_store), P + 0x7000) == END_DONE,
	      "each page has its own restriction");
	set_page(machine, P + 0x7000, KVM_ACCESS_NO_WRITE);
	touch(machine, P, 2048);
	check(vm_stat(machine, "pages_2m") == large,
	      "with the same restriction on all pages again, the block is mapped by a large page");
	set_range(machine, P + PAGE, 4 * MIB, 0);
	check(stops(machine, GUEST(g_store), P, KVM_ACCESS_EXIT_WRITE) &&
		      cpu_go(machine, GUEST(g_store), P + PAGE) == END_DONE,
	      "the restriction of a range across blocks is removed, except for one page");
	set_page(machine, P, 0);
	touch(machine, P, 2048);
	check(vm_stat(machine, "pages_2m") == large,
	      "without restrictions the blocks are mapped by large pages");
}

static void test_lists(struct raw_kvm *machine)
{
	static uint64_t pages[510];
	unsigned int right = 0;

	for (unsigned int i = 0; i < 510; i++)
		pages[i] = (P + (uint64_t)i * 5 * PAGE) | KVM_ACCESS_NO_WRITE;
	touch(machine, P, 2550);
	check(!set_pages(machine, pages, 510), "510 scattered pages are made no-write by one call");
	for (unsigned int i = 0; i < 510; i += 17) {
		right += stops(machine, GUEST(g_store), pages[i] & ~UINT64_C(0xfff),
			       KVM_ACCESS_EXIT_WRITE);
		right += cpu_go(machine, GUEST(g_store), (pages[i] & ~UINT64_C(0xfff)) + PAGE) ==
			 END_DONE;
	}
	check(right == 60,
	      "writes to 30 of these pages exit, those to the pages after them do not");
	pages[0] = P | KVM_ACCESS_NO_EXEC;
	pages[1] = P | KVM_ACCESS_NO_WRITE;
	pages[2] = P;
	check(!set_pages(machine, pages, 3) && cpu_go(machine, GUEST(g_store), P) == END_DONE,
	      "of several elements for a page the last one applies");
	set_range(machine, P, 16 * MIB, 0);
	set_range(machine, P, 2 * MIB, KVM_ACCESS_NO_WRITE);
	pages[0] = (P + 5 * PAGE) | KVM_ACCESS_NO_WRITE;
	pages[1] = P + 9 * PAGE;
	check(!set_pages(machine, pages, 2) &&
		      stops(machine, GUEST(g_store), P, KVM_ACCESS_EXIT_WRITE) &&
		      stops(machine, GUEST(g_store), P + 5 * PAGE, KVM_ACCESS_EXIT_WRITE) &&
		      cpu_go(machine, GUEST(g_store), P + 9 * PAGE) == END_DONE,
	      "an element that changes nothing does not affect the others");
	set_range(machine, P, 2 * MIB, 0);
	check(!set_pages(machine, NULL, 0) && set_pages(machine, NULL, 1) == -EFAULT &&
		      set_pages(machine, pages, KVM_ACCESS_MAX_PAGES + 1) == -EINVAL,
	      "an invalid list is refused");
	pages[0] = P | KVM_ACCESS_NO_WRITE;
	pages[1] = (P + PAGE) | 16;
	check(set_pages(machine, pages, 2) == -EINVAL &&
		      cpu_go(machine, GUEST(g_store), P) == END_DONE,
	      "... and a list with one invalid element has no effect");
}

struct runner {
	struct raw_vcpu *cpu;
	enum ending ending;
};

static void *run_second(void *argument)
{
	struct runner *runner = argument;

	runner->ending = cpu_run(runner->cpu);
	return NULL;
}

/* Removes a right while a vCPU makes accesses that need it: none may take place after the ioctl returns. */
static void race(struct raw_kvm *machine, const char *what, uint64_t code, uint32_t restriction,
		 uint64_t access, bool by_range, unsigned int rounds)
{
	struct raw_vcpu *cpu = &machine->vcpu[1];
	volatile uint64_t *count =
		(volatile uint64_t *)(machine->ram +
				      (access == KVM_ACCESS_EXIT_EXEC ? COUNTER : P));
	unsigned int late = 0;
	unsigned int wrong = 0;

	memcpy(machine->ram + P, "\x48\xff\x06\xc3", 4); /* incq (%rsi); ret */
	for (unsigned int i = 0; i < rounds; i++) {
		struct runner runner = {.cpu = cpu};
		pthread_t thread;
		uint64_t before;

		cpu_start(cpu, code, P, COUNTER, 0);
		before = *count;
		pthread_create(&thread, NULL, run_second, &runner);
		while (*count == before)
			;
		wrong += (by_range ? set_range(machine, P, PAGE, restriction)
				   : set_page(machine, P, restriction)) != 0;
		before = *count;
		for (volatile unsigned int pause = 0; pause < 20000; pause++)
			;
		late += *count != before;
		pthread_join(thread, NULL);
		wrong += runner.ending != END_REFUSED || cpu_refused(cpu)->gpa != P ||
			 !(cpu_refused(cpu)->flags & access);
		set_page(machine, P, 0);
	}
	check(!late && !wrong,
	      "%u times %s on another vCPU: no access after the ioctl returns (%u late, %u wrong)",
	      rounds, what, late, wrong);
}

static void test_races(struct raw_kvm *machine)
{
	race(machine, "a writer", GUEST(g_writer), KVM_ACCESS_NO_WRITE, KVM_ACCESS_EXIT_WRITE, true,
	     100);
	race(machine, "a writer, by list,", GUEST(g_writer), KVM_ACCESS_NO_WRITE,
	     KVM_ACCESS_EXIT_WRITE, false, 100);
	race(machine, "an executor", GUEST(g_executor), KVM_ACCESS_NO_EXEC, KVM_ACCESS_EXIT_EXEC,
	     true, 100);
	race(machine, "an executor, by list,", GUEST(g_executor), KVM_ACCESS_NO_EXEC,
	     KVM_ACCESS_EXIT_EXEC, false, 100);
	if (raw_kvm_force_emulation("1")) {
		race(machine, "a writer in KVM's emulator", GUEST(g_emulated), KVM_ACCESS_NO_WRITE,
		     KVM_ACCESS_EXIT_WRITE, false, 200);
		check(raw_kvm_force_emulation("0"), "KVM's emulation is no longer forced");
	}
}

struct flipper {
	struct raw_kvm *machine;
	atomic_bool stop;
	unsigned int calls;
};

static void *flip(void *argument)
{
	struct flipper *flipper = argument;

	while (!atomic_load(&flipper->stop)) {
		set_range(flipper->machine, P, 4 * MIB, KVM_ACCESS_NO_EXEC);
		set_page(flipper->machine, P + 5 * PAGE, KVM_ACCESS_NO_WRITE | KVM_ACCESS_NO_EXEC);
		set_page(flipper->machine, P + 5 * PAGE, KVM_ACCESS_NO_EXEC);
		set_range(flipper->machine, P, 4 * MIB, 0);
		flipper->calls += 4;
	}
	return NULL;
}

static void test_splitting(struct raw_kvm *machine)
{
	struct flipper flipper = {.machine = machine};
	unsigned int wrong = 0;
	pthread_t thread;

	memcpy(machine->ram + P + 2 * MIB, out_done, sizeof(out_done));
	pthread_create(&thread, NULL, flip, &flipper);
	for (unsigned int i = 0; i < 300; i++) {
		enum ending ending;

		cpu_start(&machine->vcpu[0], GUEST(g_touch), P, 0, 1024);
		wrong += cpu_run(&machine->vcpu[0]) != END_DONE;
		ending = cpu_go(machine, GUEST(g_jump), P + 2 * MIB);
		wrong += ending != END_DONE && ending != END_REFUSED;
		ending = cpu_go(machine, GUEST(g_store), P + 5 * PAGE);
		wrong += ending != END_DONE && ending != END_REFUSED;
	}
	atomic_store(&flipper.stop, true);
	pthread_join(thread, NULL);
	check(!wrong && flipper.calls > 10, "a guest runs while its blocks are split and joined");
	set_range(machine, P, 4 * MIB, KVM_ACCESS_NO_EXEC);
	set_page(machine, P, 0);
	check(stops(machine, GUEST(g_jump), P + 2 * MIB, KVM_ACCESS_EXIT_EXEC),
	      "... and the last change is enforced");
	set_range(machine, P, 4 * MIB, 0);
}

static void test_dirty_log(struct raw_kvm *machine)
{
	struct kvm_userspace_memory_region region = {.flags = KVM_MEM_LOG_DIRTY_PAGES,
						     .memory_size = machine->ram_size,
						     .userspace_addr = (uintptr_t)machine->ram};
	uint64_t *bitmap = calloc(machine->ram_size / PAGE / 64 + 1, sizeof(*bitmap));
	struct kvm_dirty_log log = {.dirty_bitmap = bitmap};
	uint64_t page = P / PAGE;

	ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region);
	cpu_go(machine, GUEST(g_store), P);
	set_page(machine, P, KVM_ACCESS_NO_WRITE);
	cpu_go(machine, GUEST(g_load), P);
	ioctl(machine->vm, KVM_GET_DIRTY_LOG, &log);
	check(stops(machine, GUEST(g_store), P, KVM_ACCESS_EXIT_WRITE) &&
		      cpu_go(machine, GUEST(g_store), P + PAGE) == END_DONE,
	      "with the dirty log on, a write to a no-write page stops, one to its neighbour does "
	      "not");
	ioctl(machine->vm, KVM_GET_DIRTY_LOG, &log);
	check(!(bitmap[page / 64] >> page % 64 & 1) &&
		      bitmap[(page + 1) / 64] >> (page + 1) % 64 & 1,
	      "the refused page is clean, its neighbour dirty");
	region.flags = 0;
	ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region);
	check(stops(machine, GUEST(g_store), P, KVM_ACCESS_EXIT_WRITE),
	      "with the dirty log off the write still stops");
	set_page(machine, P, 0);
	check(cpu_go(machine, GUEST(g_store), P) == END_DONE,
	      "... until the restriction is removed");
	free(bitmap);
}

/* A slot is deleted and created again: restrictions belong to the GPA, not to the slot. */
static void test_slots(struct raw_kvm *machine)
{
	struct kvm_userspace_memory_region region = {.slot = 1,
						     .guest_phys_addr = 512 * MIB,
						     .memory_size = 2 * MIB,
						     .userspace_addr = (uintptr_t)machine->ram + P};
	const struct kvm_userspace_memory_region none = {.slot = 1};

	set_page(machine, 512 * MIB, KVM_ACCESS_NO_WRITE);
	ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region);
	check(stops(machine, GUEST(g_store), 512 * MIB, KVM_ACCESS_EXIT_WRITE),
	      "a restriction that is set before the memory exists is enforced when it is added");
	ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &none);
	ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region);
	check(stops(machine, GUEST(g_store), 512 * MIB, KVM_ACCESS_EXIT_WRITE) &&
		      cpu_go(machine, GUEST(g_store), P) == END_DONE,
	      "... and when the memory is replaced; the rest of the memory is unrestricted");
	set_page(machine, 512 * MIB, 0);
	ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &none);
}

#define MODEL_PAGES 2048u

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)random_state * limit >> 32);
}

static uint8_t random_restrictions(void)
{
	static const uint8_t some[] = {0,
				       0,
				       KVM_ACCESS_NO_WRITE,
				       KVM_ACCESS_NO_EXEC,
				       KVM_ACCESS_NO_WRITE | KVM_ACCESS_NO_EXEC,
				       KVM_ACCESS_MASK};

	return some[random_below(sizeof(some))];
}

static void random_change(struct raw_kvm *machine, uint8_t *model, unsigned int *wrong)
{
	static uint64_t list[64];

	if (random_below(2)) {
		/* Start at any page or at a block, so that whole blocks change as well. */
		uint32_t first = random_below(4) ? random_below(MODEL_PAGES)
						 : random_below(MODEL_PAGES) & ~511u;
		uint32_t pages =
			random_below(3) ? 1 + random_below(700) : 512 * (1 + random_below(2));
		uint8_t restrictions = random_restrictions();

		if (pages > MODEL_PAGES - first)
			pages = MODEL_PAGES - first;
		*wrong += set_range(machine, P + (uint64_t)first * PAGE, (uint64_t)pages * PAGE,
				    restrictions) != 0;
		memset(model + first, restrictions, pages);
		return;
	}
	for (unsigned int i = 0; i < 64; i++) {
		uint32_t page = random_below(MODEL_PAGES);

		model[page] = random_restrictions();
		list[i] = (P + (uint64_t)page * PAGE) | model[page];
	}
	*wrong += set_pages(machine, list, 64) != 0;
}

static bool as_model(struct raw_kvm *machine, uint32_t page, uint8_t restrictions)
{
	uint64_t gpa = P + (uint64_t)page * PAGE;
	bool load = cpu_go(machine, GUEST(g_load), gpa + 8) == END_DONE;
	bool store = cpu_go(machine, GUEST(g_store), gpa + 8) == END_DONE;
	bool jump = cpu_go(machine, GUEST(g_jump), gpa) == END_DONE;
	bool right = load == !(restrictions & KVM_ACCESS_NO_READ) &&
		     store == !(restrictions & KVM_ACCESS_NO_WRITE) &&
		     jump == !(restrictions & KVM_ACCESS_NO_EXEC);

	if (!right)
		printf("# page %u, restrictions %#x: load %d, store %d, jump %d\n", page,
		       restrictions, load, store, jump);
	return right;
}

static void test_model(struct raw_kvm *machine)
{
	static uint8_t model[MODEL_PAGES];
	unsigned int wrong = 0;

	for (uint32_t page = 0; page < MODEL_PAGES; page++)
		memcpy(machine->ram + P + (uint64_t)page * PAGE, out_done, sizeof(out_done));
	for (unsigned int round = 0; round < 400; round++) {
		random_change(machine, model, &wrong);
		for (unsigned int i = 0; i < 6; i++) {
			uint32_t page = random_below(MODEL_PAGES);

			wrong += !as_model(machine, page, model[page]);
		}
	}
	check(!wrong, "after each of 400 random changes 6 pages have the rights of the model");
	wrong = set_range(machine, P, (uint64_t)MODEL_PAGES * PAGE, 0) != 0;
	for (uint32_t page = 0; page < MODEL_PAGES; page++)
		wrong += !as_model(machine, page, 0);
	check(!wrong, "all restrictions are removed");
}

static void test_fuzz(struct raw_kvm *machine)
{
	unsigned int strange = 0;
	uint64_t page[4];

	for (unsigned int i = 0; i < 20000; i++) {
		struct kvm_access_range range;
		struct kvm_access_pages list = {
			.pages = random_below(2)
					 ? (uintptr_t)page
					 : (uint64_t)random_below(UINT32_MAX) << random_below(33),
			.count = random_below(3) ? random_below(5) : random_below(UINT32_MAX),
			.flags = !random_below(8)};
		int r;

		for (unsigned int j = 0; j < 4; j++)
			page[j] = (uint64_t)random_below(UINT32_MAX) << random_below(33) |
				  random_below(UINT32_MAX) << random_below(32);
		memcpy(&range, page, sizeof(range));
		if (random_below(2)) {
			range.address &= ~UINT64_C(0xfff);
			range.size = (uint64_t)random_below(4096) << 12;
			range.restrictions &= 0x1f;
			range.flags = !random_below(8);
		}
		r = ioctl(machine->vm, i % 2 ? KVM_SET_ACCESS_RANGE : KVM_SET_ACCESS_PAGES,
			  i % 2 ? (void *)&range : (void *)&list)
			    ? errno
			    : 0;
		strange += r && r != EINVAL && r != EFAULT && r != ENOSPC;
	}
	check(!strange, "20000 random calls succeed or are refused");
	check(!set_range(machine, 0, UINT64_C(1) << 36, 0),
	      "... and restrictions below 64 GiB can be removed");
	cpu_go(machine, GUEST(g_store), P);
	check(cpu_go(machine, GUEST(g_store), P) == END_DONE, "... and the guest runs");
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Restricts the first page of one block after the other until a call fails; *@failed_at is the first GPA of
 * that call. */
static int until_it_fails(struct raw_kvm *machine, uint64_t *failed_at)
{
	static uint64_t list[KVM_ACCESS_MAX_PAGES];

	for (uint64_t at = UINT64_C(4) << 30; at < UINT64_C(400) << 30;
	     at += 2 * MIB * KVM_ACCESS_MAX_PAGES) {
		int r;

		for (unsigned int i = 0; i < KVM_ACCESS_MAX_PAGES; i++)
			list[i] = (at + 2 * MIB * i) | KVM_ACCESS_NO_WRITE;
		r = set_pages(machine, list, KVM_ACCESS_MAX_PAGES);
		if (r) {
			*failed_at = at;
			return r;
		}
	}
	return 0;
}

/* The guest maps its page DATA + 8 * PAGE to @gpa and writes to it. */
static bool can_be_written(struct raw_kvm *machine, uint64_t gpa)
{
	raw_kvm_put(machine, PAGE_TABLE_4M + 8 * 8, gpa | 3);
	return cpu_go(machine, GUEST(g_store), DATA + UINT64_C(8) * PAGE) == END_DONE;
}

static int starve(void)
{
	struct kvm_userspace_memory_region region = {.slot = 1, .memory_size = PAGE};
	struct raw_kvm machine;
	char text[32];
	uint64_t at = 0;
	int r;

	machine_create(&machine, 64 * MIB, false);
	raw_kvm_put(&machine, P, 0);
	region.userspace_addr = (uintptr_t)machine.ram + P;
	snprintf(text, sizeof(text), "%d", (int)getpid());
	if (!put("/tmp/cgroup/blocks/cgroup.procs", text))
		return 2;
	r = until_it_fails(&machine, &at);
	if (r != -ENOMEM)
		return 3;
	if (at > UINT64_C(4) << 30 &&
	    set_range(&machine, UINT64_C(4) << 30, at - (UINT64_C(4) << 30), 0))
		return 4;
	region.guest_phys_addr = at;
	if (ioctl(machine.vm, KVM_SET_USER_MEMORY_REGION, &region) || !can_be_written(&machine, at))
		return 5;
	if (set_page(&machine, P, KVM_ACCESS_NO_WRITE) ||
	    cpu_go(&machine, GUEST(g_store), P) != END_REFUSED)
		return 6;
	raw_kvm_destroy(&machine);
	return 0;
}

static void test_memory_runs_out(void)
{
	int status = -1;
	pid_t child;

	mkdir("/tmp/cgroup", 0700);
	if (mount("none", "/tmp/cgroup", "cgroup2", 0, NULL) ||
	    !put("/tmp/cgroup/cgroup.subtree_control", "+memory") ||
	    mkdir("/tmp/cgroup/blocks", 0700) || !put("/tmp/cgroup/blocks/memory.max", "24M")) {
		check_skipped("lack of memory", "there is no cgroup to limit memory");
		return;
	}
	fflush(stdout);
	child = fork();
	if (!child)
		_exit(starve());
	waitpid(child, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status),
	      "a process without memory gets ENOMEM, and continues (%#x)", (unsigned int)status);
}

static void *restrict_without_end(void *argument)
{
	static uint64_t list[510];
	struct flipper *flipper = argument;

	for (unsigned int i = 0; i < 510; i++)
		list[i] = (P + (uint64_t)i * 3 * PAGE) | KVM_ACCESS_NO_WRITE;
	while (!atomic_load(&flipper->stop)) {
		set_pages(flipper->machine, list, 510);
		set_range(flipper->machine, 0, UINT64_C(64) << 30, KVM_ACCESS_NO_EXEC);
		set_range(flipper->machine, PAGE, UINT64_C(64) << 30, 0);
	}
	return NULL;
}

static void test_ends(void)
{
	struct raw_kvm machine;
	bool right = true;

	for (unsigned int i = 0; i < 10; i++) {
		struct flipper flipper = {.machine = &machine};
		pthread_t thread;

		machine_create(&machine, 64 * MIB, false);
		pthread_create(&thread, NULL, restrict_without_end, &flipper);
		usleep(20000 + i * 3000);
		raw_kvm_destroy(&machine);
		atomic_store(&flipper.stop, true);
		right &= !pthread_join(thread, NULL);
	}
	check(right, "a VM is closed while its restrictions change");
	fflush(stdout);
	for (unsigned int i = 0; i < 10; i++) {
		pid_t child = fork();
		int status = 0;

		if (!child) {
			struct flipper flipper = {.machine = &machine};

			machine_create(&machine, 64 * MIB, false);
			restrict_without_end(&flipper);
		}
		usleep(60000 + i * 7000);
		kill(child, SIGKILL);
		right &= waitpid(child, &status, 0) == child && WIFSIGNALED(status);
	}
	check(right, "a process is killed while it changes restrictions");
}

int main(void)
{
	struct raw_kvm machine;

	machine_create(&machine, 64 * MIB, false);
	test_large_pages(&machine);
	test_lists(&machine);
	test_races(&machine);
	test_splitting(&machine);
	test_dirty_log(&machine);
	test_slots(&machine);
	test_model(&machine);
	test_fuzz(&machine);
	raw_kvm_destroy(&machine);
	test_memory_runs_out();
	test_ends();
	return checks_end();
}
