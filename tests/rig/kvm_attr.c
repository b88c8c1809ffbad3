/* SPDX-License-Identifier: BSD-2-Clause */
/* Features of the KVM backend with the optional kernel part: execution can be denied without reads, addresses
 * are exact, and writes of control registers and descriptor table registers exit before they take effect. */
#include <linux/kvm.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "core/x64.h"
#include "engine.h"
#include "kvm/backend.h"
#include "kvm_guest.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_load, g_store, g_call, g_ud, g_runner, g_touch, g_to_user, g_user\n"
	".globl g_cr0, g_cr4, g_xcr0, g_lgdt, g_lidt, g_lldt, g_ltr, g_clts, g_tables\n"
	"g_load: mov (%rdi), %rax; out %al, $0x10\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_call: call *%rdi; out %al, $0x10\n"
	"g_ud: ud2\n"
	"g_runner: call *%rdi; jmp g_runner\n"
	"g_touch: mov (%rdi), %rax; add $4096, %rdi; dec %rcx; jnz g_touch; out %al, $0x10\n"
	/* Enters CPL 3 at RDI. */
	"g_to_user: push $0x23; push %rsp; push $0x3002; push $0x1b; push %rdi; iretq\n"
	"g_cr0: mov %rax, %cr0; mov %cr0, %rbx; out %al, $0x10\n"
	"g_cr4: mov %rax, %cr4; mov %cr4, %rbx; out %al, $0x10\n"
	"g_clts: clts; mov %cr0, %rbx; out %al, $0x10\n"
	"g_xcr0: xor %ecx, %ecx; xsetbv; xgetbv; out %al, $0x10\n"
	"g_lgdt: lgdt (%rdi); out %al, $0x10\n"
	"g_lidt: lidt (%rdi); out %al, $0x10\n"
	"g_lldt: lldt %ax; out %al, $0x10\n"
	"g_ltr: ltr %ax; out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

/* incq (%rsi); ret */
static const uint8_t count_code[] = {0x48, 0xff, 0x06, 0xc3};
/* out %al, $0x10 */
static const uint8_t done_code[] = {0xe6, 0x10};

#define CR4_DE	     (UINT64_C(1) << 3)
#define CR4_RESERVED (UINT64_C(1) << 15)

enum {
	NO_EXECUTE = GPA_READ | GPA_WRITE,
	READ_ONLY = GPA_READ,
	READ_EXECUTE = GPA_READ | GPA_EXECUTE,
};

#define OUTSIDE 0x20000000u /* a GPA without RAM */

static struct vcpu_state *start(struct guest *guest, uint64_t rip, uint64_t rdi, uint64_t rax)
{
	struct vcpu_state *state = guest_start_with(guest, rip, rdi, rax);

	state->gpr[GPR_RSI] = DATA;
	return state;
}

static bool is_denied(struct guest *guest, const struct backend_run *run, uint64_t gpa,
		      uint8_t access, uint64_t rip)
{
	bool right = run->exit == BACKEND_EXIT_MEMORY && run->memory.gpa == gpa &&
		     run->memory.exact && run->memory.access == access &&
		     guest_rip(guest, 0) == rip;

	if (!right)
		printf("# exit %d gpa %#llx access %#x exact %d rip %#llx\n", run->exit,
		       (unsigned long long)run->memory.gpa, run->memory.access, run->memory.exact,
		       (unsigned long long)guest_rip(guest, 0));
	return right;
}

static void test_no_execute(struct guest *guest)
{
	uint64_t at = DATA + 0x3000;
	struct backend_run run;

	memcpy(guest->ram + at + 0x10, count_code, sizeof(count_code));
	check(!guest_protect(guest, at, 1, NO_EXECUTE),
	      "execution can be denied without denying reads");
	start(guest, GUEST(g_call), at + 0x10, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at + 0x10, GPA_KERNEL_EXECUTE, at + 0x10),
	      "a fetch from a no-execute page stops at its first instruction");
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at + 0x10, GPA_KERNEL_EXECUTE, at + 0x10), "... and again");
	start(guest, GUEST(g_load), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "a no-execute page can be read");
	start(guest, GUEST(g_store), at, 0x1234);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run) && guest_word(guest, at) == 0x1234,
	      "a no-execute page can be written");
	guest_start(guest, 0, 1, GUEST(g_call));
	guest_edit(guest, 0, 1, VCPU_GPR)->gpr[GPR_RDI] = at + 0x10;
	guest_edit(guest, 0, 1, VCPU_GPR)->gpr[GPR_RSI] = DATA;
	run = guest_run_on(guest, 0, 1);
	check(guest_is_done(&run), "the other VTL may execute the page");
	start(guest, GUEST(g_call), at + 0x10, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at + 0x10, GPA_KERNEL_EXECUTE, at + 0x10),
	      "VTL0 may not execute the page");
	guest_protect(guest, at, 1, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "the call succeeds after execution is permitted");
}

static void test_read_only(struct guest *guest)
{
	uint64_t at = DATA + 0x4000;
	struct backend_run run;

	memcpy(guest->ram + at, count_code, sizeof(count_code));
	guest_protect(guest, at, 1, READ_ONLY);
	start(guest, GUEST(g_store), at + 0x123, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at + 0x123, GPA_WRITE, GUEST(g_store)),
	      "a read-only page cannot be written");
	start(guest, GUEST(g_call), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at, GPA_KERNEL_EXECUTE, at),
	      "a read-only page cannot be executed");
	guest_protect(guest, at, 1, READ_EXECUTE);
	start(guest, GUEST(g_call), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "code in a page without write access runs");
	start(guest, GUEST(g_store), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at, GPA_WRITE, GUEST(g_store)),
	      "code in a page without write access cannot be written");
	guest_protect(guest, at, 1, 0);
	start(guest, GUEST(g_call), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at, GPA_KERNEL_EXECUTE, at),
	      "a page without access cannot be executed");
	start(guest, GUEST(g_load), at + 0x456, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at + 0x456, GPA_READ, GUEST(g_load)),
	      "a page without access cannot be read");
	guest_protect(guest, at, 1, GPA_ALL);
}

static void test_border(struct guest *guest)
{
	uint64_t at = DATA + 0x7000;
	struct backend_run run;

	memcpy(guest->ram + at - 2, count_code, sizeof(count_code));
	guest_protect(guest, at, 1, NO_EXECUTE);
	start(guest, GUEST(g_call), at - 2, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at, GPA_KERNEL_EXECUTE, at - 2),
	      "an instruction that crosses into a denied page stops with RIP at its beginning");
	guest_protect(guest, at, 1, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "... and continues when it is permitted");
}

static void test_delivery(struct guest *guest)
{
	uint64_t stub = STUBS + 6 * 16;
	struct backend_run run;
	uint64_t frame[6];

	guest_protect(guest, STUBS, 1, NO_EXECUTE);
	start(guest, GUEST(g_ud), 0, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, stub, GPA_KERNEL_EXECUTE, stub),
	      "an exception with a handler in a no-execute page stops at the handler");
	guest_protect(guest, STUBS, 1, GPA_ALL);
	run = guest_run_on(guest, 0, 0);
	check(guest_trap(guest, 0, &run, frame) == 6 && frame[0] == GUEST(g_ud),
	      "the exception is handled after execution is permitted");
}

static void test_user(struct guest *guest)
{
	uint64_t at = DATA + 0x9000;
	struct backend_run run;

	memcpy(guest->ram + at, done_code, sizeof(done_code));
	start(guest, GUEST(g_to_user), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "code at CPL 3 runs");
	guest_protect(guest, at, 1, NO_EXECUTE);
	start(guest, GUEST(g_to_user), at, 0);
	run = guest_run_on(guest, 0, 0);
	/* With MBEC, the kernel-execute right applies until the core enables MBEC (backend_run.mbec). */
	check(is_denied(guest, &run, at,
			guest->features.mbec ? GPA_KERNEL_EXECUTE : GPA_USER_EXECUTE, at),
	      "a denied fetch at CPL 3 reports the execute right in force");
	if (!guest->features.mbec) {
		check(guest_protect(guest, at, 1, GPA_ALL & ~GPA_USER_EXECUTE) < 0,
		      "denying only user execution is refused on this CPU");
		check_skipped("user and kernel execution", "this CPU does not distinguish them");
		guest_protect(guest, at, 1, GPA_ALL);
		return;
	}
	guest_protect(guest, at, 1, GPA_ALL & ~GPA_USER_EXECUTE);
	start(guest, GUEST(g_to_user), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "code without user-execute runs at CPL 3 while MBEC is off");
	guest_protect(guest, at, 1, GPA_ALL & ~GPA_KERNEL_EXECUTE);
	start(guest, GUEST(g_to_user), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at, GPA_KERNEL_EXECUTE, at),
	      "code without kernel-execute does not run at CPL 3 while MBEC is off");
	guest_protect(guest, at, 1, GPA_ALL);
}

static void test_page_walk(struct guest *guest)
{
	uint64_t entry = PAGE_TABLE_4M + 0x20 * 8;
	struct backend_run run;

	guest_protect(guest, PAGE_TABLE_4M, 1, NO_EXECUTE);
	start(guest, GUEST(g_load), DATA + 0x20000, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "a page walk needs no execute right");
	guest_protect(guest, PAGE_TABLE_4M, 1, 0);
	start(guest, GUEST(g_load), DATA + 0x20000, 0);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_MEMORY && run.memory.gpa == entry && run.memory.page_walk &&
		      guest_rip(guest, 0) == GUEST(g_load),
	      "a denied page walk is reported as a page walk, with the entry");
	guest_protect(guest, PAGE_TABLE_4M, 1, GPA_ALL);
}

struct racer {
	struct guest *guest;
	_Atomic bool stop;
	_Atomic uint64_t denied;
};

static void *run_on(void *opaque)
{
	struct racer *racer = opaque;
	struct guest *guest = racer->guest;

	while (!racer->stop) {
		struct backend_run run = guest_run(guest, 1, 0);

		if (run.exit == BACKEND_EXIT_MEMORY)
			racer->denied++;
		else if (run.exit != BACKEND_EXIT_INTERRUPTED)
			break;
	}
	return NULL;
}

/* VP 1 calls the code at @at, which counts at @counter, until racer->stop. */
static pthread_t start_racer(struct racer *racer, uint64_t at, uint64_t counter)
{
	struct vcpu_state *state;
	pthread_t thread;

	guest_start(racer->guest, 1, 0, GUEST(g_runner));
	state = guest_edit(racer->guest, 1, 0, VCPU_GPR);
	state->gpr[GPR_RDI] = at;
	state->gpr[GPR_RSI] = counter;
	state->gpr[GPR_RSP] = DATA + 0x61000;
	pthread_create(&thread, NULL, run_on, racer);
	return thread;
}

static void test_race(struct guest *guest)
{
	uint64_t at = DATA + 0x51000;
	uint64_t counter = DATA + 0x53000;
	struct racer racer = {.guest = guest};
	unsigned int late = 0;
	unsigned int stuck = 0;
	pthread_t thread;

	memcpy(guest->ram + at, count_code, sizeof(count_code));
	thread = start_racer(&racer, at, counter);
	for (unsigned int round = 0; round < 60; round++) {
		volatile uint64_t *place = (volatile uint64_t *)(guest->ram + counter);
		uint64_t before = *place;
		uint64_t seen = racer.denied;

		for (unsigned int i = 0; i < 60000 && *place == before; i++)
			usleep(1000);
		stuck += *place == before;
		guest_protect(guest, at, 1, round & 1 ? 0 : NO_EXECUTE);
		before = *place;
		for (unsigned int i = 0; i < 60000 && racer.denied == seen; i++)
			usleep(1000);
		late += *place != before;
		stuck += racer.denied == seen;
		guest_protect(guest, at, 1, GPA_ALL);
	}
	racer.stop = true;
	guest->ops->vp_kick(guest->vp[1]);
	pthread_join(thread, NULL);
	check(!late,
	      "another VP executes no denied code after protect() has returned (%u of 60 did)",
	      late);
	check(!stuck, "each denied VP stops, and continues when permitted (%u of 120 did not)",
	      stuck);
}

/* Whether each access to the overlay at @at succeeds if @access permits it, and otherwise has no effect. */
static bool is_enforced(struct guest *guest, uint64_t at, uint8_t access, uint8_t *memory)
{
	struct backend_run run;
	bool right;

	memcpy(memory, count_code, sizeof(count_code));
	start(guest, GUEST(g_call), at, 0);
	run = guest_run_on(guest, 0, 0);
	right = access & GPA_EXECUTE ? guest_is_done(&run)
				     : is_denied(guest, &run, at, GPA_KERNEL_EXECUTE, at);
	start(guest, GUEST(g_load), at, 0);
	run = guest_run_on(guest, 0, 0);
	right = right && guest_is_done(&run) &&
		!memcmp(&guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX], memory, 8);
	start(guest, GUEST(g_store), at, 0);
	run = guest_run_on(guest, 0, 0);
	if (access & GPA_WRITE)
		return right && guest_is_done(&run) && !memory[0];
	return right && is_denied(guest, &run, at, GPA_WRITE, GUEST(g_store)) && memory[0];
}

/* Each set of rights follows each other one. The protections of the RAM under the overlay must not matter. */
static void test_overlay_rights(struct guest *guest, uint64_t at, uint8_t *memory,
				const char *where)
{
	static const uint8_t rights[] = {GPA_ALL, READ_EXECUTE, NO_EXECUTE, READ_ONLY};
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < 16; i++) {
		for (unsigned int k = 0; k < 2; k++) {
			const uint8_t access = rights[k ? i % 4 : i / 4];

			if (at < guest->ram_size)
				guest_protect(guest, at, 1, rights[(i + k) % 4]);
			wrong += guest->ops->overlay_map(guest->backend, 0, at / 4096, 2, access) !=
				 0;
			wrong += !is_enforced(guest, at, access, memory);
		}
	}
	check(!wrong, "rights of an overlay %s are those set last (%u are not)", where, wrong);
	guest->ops->overlay_unmap(guest->backend, 0, at / 4096);
	if (at < guest->ram_size)
		guest_protect(guest, at, 1, GPA_ALL);
}

static void test_overlay_race(struct guest *guest, uint64_t at, uint8_t *memory)
{
	const uint64_t counter = DATA + 0x53000;
	volatile uint64_t *place = (volatile uint64_t *)(guest->ram + counter);
	struct racer racer = {.guest = guest};
	unsigned int late = 0;
	unsigned int stuck = 0;
	pthread_t thread;

	memcpy(memory, count_code, sizeof(count_code));
	guest->ops->overlay_map(guest->backend, 0, at / 4096, 2, READ_EXECUTE);
	thread = start_racer(&racer, at, counter);
	for (unsigned int round = 0; round < 30; round++) {
		uint64_t before = *place;
		uint64_t seen = racer.denied;

		for (unsigned int i = 0; i < 2000 && *place == before; i++)
			usleep(1000);
		stuck += *place == before;
		/*
		 * VTL1 can take a right in two forms: the overlay loses it, or the overlay is
		 * hidden and the RAM is denied.
		 */
		if (round & 1) {
			guest->ops->overlay_map(guest->backend, 0, at / 4096, 2, READ_ONLY);
		} else {
			guest_protect(guest, at, 1, READ_ONLY);
			guest->ops->overlay_unmap(guest->backend, 0, at / 4096);
		}
		before = *place;
		for (unsigned int i = 0; i < 2000 && racer.denied == seen; i++)
			usleep(1000);
		late += *place != before;
		stuck += racer.denied == seen;
		guest->ops->overlay_map(guest->backend, 0, at / 4096, 2, READ_EXECUTE);
		guest_protect(guest, at, 1, GPA_ALL);
	}
	racer.stop = true;
	guest->ops->vp_kick(guest->vp[1]);
	pthread_join(thread, NULL);
	guest->ops->overlay_unmap(guest->backend, 0, at / 4096);
	check(!late,
	      "another VP executes no code of an overlay after it lost the execute right (%u of 30 "
	      "did)",
	      late);
	check(!stuck, "... and continues when the right is restored (%u of 60 did not)", stuck);
}

static void test_overlay(struct guest *guest)
{
	uint64_t at = DATA + 0x71000;
	struct backend_run run;
	void *overlay = NULL;

	guest->ops->overlay_memory(guest->backend, 4, &overlay);
	memcpy((uint8_t *)overlay + 4096, count_code, sizeof(count_code));
	memcpy(guest->ram + at, count_code, sizeof(count_code));
	guest_protect(guest, at, 1, NO_EXECUTE);
	guest->ops->overlay_map(guest->backend, 0, at / 4096, 1, GPA_ALL & ~GPA_WRITE);
	start(guest, GUEST(g_call), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "an overlay is executed over RAM without execute access");
	start(guest, GUEST(g_store), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at, GPA_WRITE, GUEST(g_store)),
	      "an overlay without write access cannot be written");
	check(!guest_protect(guest, at - 4096, 3, NO_EXECUTE),
	      "protections of a range with the overlay can change");
	start(guest, GUEST(g_call), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "... without effect on the overlay");
	guest->ops->overlay_unmap(guest->backend, 0, at / 4096);
	start(guest, GUEST(g_call), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(is_denied(guest, &run, at, GPA_KERNEL_EXECUTE, at),
	      "after the overlay is removed, the protection applies");
	start(guest, GUEST(g_store), at, 0);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "... and no other protection");
	guest_protect(guest, at - 4096, 3, GPA_ALL);
	test_overlay_rights(guest, at, (uint8_t *)overlay + 2 * 4096, "in a window");
	test_overlay_rights(guest, OUTSIDE, (uint8_t *)overlay + 2 * 4096, "by a slot");
	test_overlay_race(guest, at, (uint8_t *)overlay + 2 * 4096);
	check(guest->ops->overlay_map(guest->backend, 0, at / 4096, 2, GPA_WRITE) == -ENOTSUP,
	      "an overlay that cannot be read is refused");
	check((guest->ops->overlay_map(guest->backend, 0, at / 4096, 2,
				       GPA_READ | GPA_USER_EXECUTE) == 0) == guest->features.mbec,
	      "an overlay that is executable in only one mode is refused without MBEC");
	guest->ops->overlay_unmap(guest->backend, 0, at / 4096);
}

static uint64_t statistic(struct guest *guest, const char *name)
{
	const struct vkvm_backend *backend = guest->backend;
	int fd = ioctl(backend->vm[0].fd, KVM_GET_STATS_FD, 0);
	struct kvm_stats_header header;
	uint64_t value = 0;
	size_t size;

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return 0;
	size = sizeof(struct kvm_stats_desc) + header.name_size;
	for (uint32_t i = 0; i < header.num_desc; i++) {
		struct kvm_stats_desc *description = calloc(1, size + 1);
		off_t place = (off_t)header.desc_offset + (off_t)(i * size);

		if (pread(fd, description, size, place) > 0 && !strcmp(description->name, name) &&
		    pread(fd, &value, 8, (off_t)header.data_offset + (off_t)description->offset) !=
			    8)
			value = 0;
		free(description);
	}
	close(fd);
	return value;
}

static uint64_t large_pages(struct guest *guest, uint64_t first)
{
	struct vcpu_state *state = start(guest, GUEST(g_touch), first, 0);

	state->gpr[GPR_RCX] = 4096;
	guest_run_on(guest, 0, 0);
	return statistic(guest, "pages_2m");
}

static void test_large_pages(struct guest *guest)
{
	uint64_t first = 32 * MIB;
	uint64_t all;
	uint64_t some;

	memset(guest->ram + first, 1, 16 * MIB);
	all = large_pages(guest, first);
	if (!((struct vkvm_backend *)guest->backend)->can.huge_pages) {
		check_skipped("large pages", "the host uses none for shared memory");
		return;
	}
	check(all >= 8, "memory is mapped by large pages (%llu)", (unsigned long long)all);
	guest_protect(guest, first, 4096, NO_EXECUTE);
	some = large_pages(guest, first);
	check(some >= all,
	      "memory without execute access is mapped by large pages, too (%llu of %llu)",
	      (unsigned long long)some, (unsigned long long)all);
	guest_protect(guest, first + 0x5000, 1, READ_ONLY);
	some = large_pages(guest, first);
	check(some == all - 1,
	      "a page with different rights splits one large page (%llu of %llu left)",
	      (unsigned long long)some, (unsigned long long)all);
	guest_protect(guest, first, 4096, GPA_ALL);
	some = large_pages(guest, first);
	check(some >= all, "equal rights of all pages restore the large page (%llu of %llu)",
	      (unsigned long long)some, (unsigned long long)all);
}

static void test_scattered(struct guest *guest)
{
	struct gpa_range range[510];
	struct backend_run run;
	unsigned int right = 0;

	for (unsigned int i = 0; i < 510; i++)
		range[i] = (struct gpa_range){.gpn = 16 * MIB / 4096 + 3 * i, .pages = 1};
	guest->ops->protect(guest->backend, 0, range, 510, READ_ONLY);
	for (unsigned int i = 0; i < 510; i += 17) {
		start(guest, GUEST(g_store), range[i].gpn * 4096, 0);
		run = guest_run_on(guest, 0, 0);
		right += is_denied(guest, &run, range[i].gpn * 4096, GPA_WRITE, GUEST(g_store));
		start(guest, GUEST(g_store), range[i].gpn * 4096 + 4096, 0);
		run = guest_run_on(guest, 0, 0);
		right += guest_is_done(&run);
	}
	check(right == 60, "30 of 510 scattered pages refuse writes, their neighbours do not (%u)",
	      right);
	guest->ops->protect(guest->backend, 0, range, 510, GPA_ALL);
}

static bool is_write(struct guest *guest, const struct backend_run *run, unsigned int control,
		     uint64_t value, uint64_t rip)
{
	bool right = run->exit == BACKEND_EXIT_CR_WRITE && run->cr.control == control &&
		     run->cr.value == value && guest_rip(guest, 0) == rip;

	if (!right)
		printf("# exit %d control %u value %#llx rip %#llx\n", run->exit, run->cr.control,
		       (unsigned long long)run->cr.value, (unsigned long long)guest_rip(guest, 0));
	return right;
}

static void watch(struct guest *guest, uint64_t control, uint64_t cr0_mask, uint64_t cr4_mask)
{
	int error = guest->ops->vp_cr_intercept(guest->vp[0], 0, control, cr0_mask, cr4_mask);

	if (error)
		check(false, "writes of registers %#llx exit: %s", (unsigned long long)control,
		      strerror(-error));
}

static void test_control_registers(struct guest *guest)
{
	const uint64_t cr0 = 0x80050033;
	const uint64_t cr4 = 0x620 | (guest->features.cr4_valid & X64_CR4_OSXSAVE);
	struct backend_run run;
	uint64_t frame[6];

	watch(guest, HV_CR_INTERCEPT(CR0_WRITE) | HV_CR_INTERCEPT(CR4_WRITE), X64_CR0_WP,
	      X64_CR4_PGE);
	start(guest, GUEST(g_cr4), 0, cr4 | X64_CR4_PGE);
	run = guest_run_on(guest, 0, 0);
	check(is_write(guest, &run, HV_CR_INTERCEPT_BIT_CR4_WRITE, cr4 | X64_CR4_PGE,
		       GUEST(g_cr4)) &&
		      guest_get(guest, 0, 0, VCPU_SYSTEM)->cr4 == cr4,
	      "a write of CR4 that changes a bit of the mask exits before it takes effect");
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_CR_WRITE, "after RETRY the write is executed again");
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	check(guest_is_done(&run) &&
		      guest_get(guest, 0, 0, VCPU_SYSTEM)->cr4 == (cr4 | X64_CR4_PGE),
	      "NATIVE performs the write");
	start(guest, GUEST(g_cr4), 0, cr4 | X64_CR4_PGE);
	run = guest_run_on(guest, 0, 0);
	check(run.exit == BACKEND_EXIT_CR_WRITE, "the next write exits again");
	guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	start(guest, GUEST(g_cr4), 0, cr4 ^ CR4_DE);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "a write that changes another bit does not exit");
	start(guest, GUEST(g_cr4), 0, (cr4 | X64_CR4_PGE) ^ CR4_RESERVED);
	run = guest_run_on(guest, 0, 0);
	if (!check(guest_trap(guest, 0, &run, frame) == 13,
		   "a write that a CPU refuses raises #GP"))
		printf("# exit %d, RIP %#llx, trap %d\n", run.exit,
		       (unsigned long long)guest_rip(guest, 0), guest_trap(guest, 0, &run, frame));
	start(guest, GUEST(g_cr0), 0, cr0 & ~(uint64_t)X64_CR0_WP);
	run = guest_run_on(guest, 0, 0);
	check(is_write(guest, &run, HV_CR_INTERCEPT_BIT_CR0_WRITE, cr0 & ~(uint64_t)X64_CR0_WP,
		       GUEST(g_cr0)),
	      "a write of CR0 that changes a bit of the mask exits");
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	check(guest_is_done(&run) && !(guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RBX] & X64_CR0_WP),
	      "... and NATIVE performs it");
	start(guest, GUEST(g_cr0), 0, cr0 ^ X64_CR0_AM);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "a write of CR0 that changes another bit does not exit");
	watch(guest, 0, 0, 0);
	start(guest, GUEST(g_cr4), 0, cr4 | X64_CR4_PGE);
	run = guest_run_on(guest, 0, 0);
	check(guest_is_done(&run), "a write of CR4 that nothing intercepts does not exit");
}

static void test_xcr0(struct guest *guest)
{
	struct backend_run run;

	if (!(guest->features.xcr0_supported & X64_XFEATURE_SSE)) {
		check_skipped("XSETBV", "this CPU has no XSAVE");
		return;
	}
	watch(guest, HV_CR_INTERCEPT(XCR0_WRITE), 0, 0);
	start(guest, GUEST(g_xcr0), 0, X64_XFEATURE_X87 | X64_XFEATURE_SSE);
	run = guest_run_on(guest, 0, 0);
	check(is_write(guest, &run, HV_CR_INTERCEPT_BIT_XCR0_WRITE,
		       X64_XFEATURE_X87 | X64_XFEATURE_SSE, GUEST(g_xcr0) + 2) &&
		      guest_get(guest, 0, 0, VCPU_XCR0)->xcr0 == X64_XFEATURE_X87,
	      "XSETBV exits with its value before it takes effect");
	run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
	check(guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_XCR0)->xcr0 ==
					     (X64_XFEATURE_X87 | X64_XFEATURE_SSE),
	      "... and NATIVE performs it");
	watch(guest, 0, 0, 0);
}

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

#define TSS_DESCRIPTOR (0x0000890000000067 | (uint64_t)TSS << 16)
#define TSS_BUSY       (UINT64_C(2) << 40)
#define LDT_DESCRIPTOR 0x0000820000000067u

static uint64_t loaded(struct guest *guest, unsigned int control)
{
	const struct vcpu_state *state = guest_get(guest, 0, 0, VCPU_SYSTEM);

	switch (control) {
	case HV_CR_INTERCEPT_BIT_GDTR_WRITE:
		return state->gdtr.limit;
	case HV_CR_INTERCEPT_BIT_IDTR_WRITE:
		return state->idtr.limit;
	case HV_CR_INTERCEPT_BIT_LDTR_WRITE:
		return state->segment[SEGMENT_LDTR].selector;
	default:
		return guest_word(guest, GDT + 0x28); /* TR has this selector from the start */
	}
}

static void test_tables(struct guest *guest)
{
	const struct {
		const char *name;
		uint64_t rip;
		unsigned int control;
		uint64_t rax;
		uint64_t after;
	} cases[] = {
		{"LGDT", GUEST(g_lgdt), HV_CR_INTERCEPT_BIT_GDTR_WRITE, 0, 0x2ff},
		{"LIDT", GUEST(g_lidt), HV_CR_INTERCEPT_BIT_IDTR_WRITE, 0, 0x2ff},
		{"LLDT", GUEST(g_lldt), HV_CR_INTERCEPT_BIT_LDTR_WRITE, 0x38, 0x38},
		{"LTR", GUEST(g_ltr), HV_CR_INTERCEPT_BIT_TR_WRITE, 0x28,
		 TSS_DESCRIPTOR | TSS_BUSY},
	};
	const struct pointer pointer = {.limit = 0x2ff, .base = IDT};
	const uint64_t descriptors[] = {TSS_DESCRIPTOR, 0, LDT_DESCRIPTOR, 0};

	memcpy(guest->ram + DATA, &pointer, sizeof(pointer));
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const bool watched = i % 2 == 0;
		struct backend_run run;
		uint64_t before;

		memcpy(guest->ram + GDT + 0x28, descriptors, sizeof(descriptors));
		start(guest, cases[i / 2].rip, DATA, cases[i / 2].rax)->gdtr.limit = 0x47;
		before = loaded(guest, cases[i / 2].control);
		watch(guest, watched ? HV_BIT64(cases[i / 2].control) : 0, 0, 0);
		run = guest_run_on(guest, 0, 0);
		if (watched) {
			check(is_write(guest, &run, cases[i / 2].control, 0, cases[i / 2].rip) &&
				      loaded(guest, cases[i / 2].control) == before,
			      "%s exits before it takes effect", cases[i / 2].name);
			run = guest_answer(guest, 0, &run, BACKEND_NATIVE);
		}
		check(guest_is_done(&run) &&
			      loaded(guest, cases[i / 2].control) == cases[i / 2].after,
		      watched ? "... and NATIVE performs it"
			      : "... and does not exit when it is not intercepted");
	}
}

int main(void)
{
	struct guest guest;

	guest_create(&guest, 2, 2, 64 * MIB);
	check(guest.features.protect == GPA_ALL && guest_denies_every_right(&guest),
	      "every right can be denied");
	test_no_execute(&guest);
	test_read_only(&guest);
	test_border(&guest);
	test_delivery(&guest);
	test_user(&guest);
	test_page_walk(&guest);
	test_race(&guest);
	test_overlay(&guest);
	test_large_pages(&guest);
	test_scattered(&guest);
	check((guest.features.cr_intercepts & HV_CR_INTERCEPT(CR4_WRITE)) != 0,
	      "writes of CR4 can be watched");
	test_control_registers(&guest);
	test_xcr0(&guest);
	test_tables(&guest);
	guest_destroy(&guest);
	return checks_end();
}
