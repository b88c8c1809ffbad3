/* SPDX-License-Identifier: BSD-2-Clause */
/* Only the MSRs of core/vcpu_msr.h reach KVM. P31: no use of KVM's own paravirtual interfaces by VTL0 writes
 * a page that VTL0 may not write, or blocks the VP in the kernel. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <vsm/lapic.h>

#include "core/x64.h"
#include "kvm_guest.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_rdmsr, g_wrmsr, g_walk_read, g_walk_write, "
	"g_walk_next\n"
	".globl g_vmcall, g_vmmcall\n"
	"guest_code:\n"
	"g_rdmsr: rdmsr; out %al, $0x10\n"
	"g_wrmsr: wrmsr; out %al, $0x10\n"
	/* Every MSR of [R8, R9). */
	"g_walk_read: mov %r8d, %ecx; rdmsr; jmp g_walk_next\n"
	"g_walk_write: mov %r8d, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr\n"
	"g_walk_next: inc %r8; cmp %r9, %r8; jae 1f; jmp *%r10\n"
	"1: out %al, $0x10\n"
	"g_vmcall: vmcall; out %al, $0x10\n"
	"g_vmmcall: vmmcall; out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

enum {
	SECRET = DATA + 5 * 4096,
	VECTOR_UD = 6,
	VECTOR_GP = 13,
	LIST_MAX = 1024,
};

struct passed {
	uint32_t first;
	uint32_t last;
	bool read;
	bool write;
};

#define WITH_STATE(name, number, reset)	 {(number), (number), true, true},
#define PASSED(first, last, read, write) {(first), (last), (read), (write)},
static const struct passed passed[] = {VCPU_MSRS(WITH_STATE) VCPU_MSRS_PASSED(PASSED)};

/*
 * kvm_drops_the_tsc_deadline: with the VMX preemption timer, KVM for Intel CPUs handles this WRMSR before its
 * MSR filter, and ignores it without an in-kernel local APIC.
 */
static bool is_dropped(uint32_t msr, bool write)
{
	return write && msr == VSM_LAPIC_MSR_TSC_DEADLINE && __builtin_cpu_is("intel");
}

static bool is_passed(uint32_t msr, bool write)
{
	if (is_dropped(msr, write))
		return true;
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		if (msr >= passed[i].first && msr <= passed[i].last)
			return write ? passed[i].write : passed[i].read;
	return false;
}

struct walk {
	uint32_t first;
	uint32_t end;
	uint32_t exits;
	uint32_t stray; /* MSRs that are not on the list and did not exit */
	uint32_t which; /* the last stray MSR */
};

/* Returns the next MSR to test: a write walk skips writable MSRs, since a zero in EFER would end it. */
static uint32_t skip(uint32_t msr, const struct walk *walk, bool write)
{
	while (write && msr < walk->end && is_passed(msr, true))
		msr++;
	return msr;
}

/* Executes RDMSR, or WRMSR where skip() permits, for the MSRs of the range; `exits` counts those that exit to
 * the core. */
static bool run_walk(struct guest *guest, struct walk *walk, bool write)
{
	const uint64_t rip = write ? GUEST(g_walk_write) : GUEST(g_walk_read);
	uint32_t at = skip(walk->first, walk, write);
	struct backend_run run;
	uint64_t frame[6];

	guest_start(guest, 0, 0, rip);
	while (at < walk->end) {
		struct vcpu_state *state = guest_edit(guest, 0, 0, VCPU_GPR);
		uint32_t now;

		state->rip = rip;
		state->gpr[GPR_RSP] = STACK;
		state->gpr[GPR_R8] = at;
		state->gpr[GPR_R8 + 1] = walk->end;
		state->gpr[GPR_R8 + 2] = rip;
		run = guest_run_on(guest, 0, 0);
		if (guest_is_done(&run) || guest_trap(guest, 0, &run, frame) == VECTOR_GP ||
		    run.exit == BACKEND_EXIT_MSR_READ || run.exit == BACKEND_EXIT_MSR_WRITE)
			now = (uint32_t)guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_R8];
		else
			return false;
		/* MSRs in between had no exit: KVM handled them; a fault is KVM's refusal. */
		for (; at < now; at++) {
			walk->stray += !is_passed(at, write);
			walk->which = is_passed(at, write) ? walk->which : at;
		}
		if (guest_is_done(&run))
			break;
		if (run.exit == BACKEND_EXIT_IO && !is_passed(at, write)) {
			walk->stray++;
			walk->which = at;
		}
		if (run.exit != BACKEND_EXIT_IO) {
			walk->exits++;
			if (run.msr.index != at)
				return false;
			if (guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY))
				return false;
		} else if (guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE)) {
			return false;
		}
		at = skip(at + 1, walk, write);
	}
	return true;
}

static void test_walk(struct guest *guest)
{
	static const uint32_t ranges[][2] = {
		{0, 0x800},
		{0x900, 0x1100},
		{0x40000000, 0x40000140},
		{0x40000200, 0x40000202},
		{0x4b564d00, 0x4b564e00},
		{0x12345678, 0x1234567a},
		{0xc0000080, 0xc0000110},
		{0xc00000e0, 0xc0000310},
		{0xc0010000, 0xc0010160},
		{0xc0010200, 0xc0010220},
		{0xc0011000, 0xc0011040},
	};

	for (unsigned int write = 0; write < 2; write++) {
		struct walk sum = {0};
		bool ran = true;

		for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && ran; i++) {
			struct walk walk = {.first = ranges[i][0], .end = ranges[i][1]};

			ran = run_walk(guest, &walk, write);
			sum.exits += walk.exits;
			sum.stray += walk.stray;
			if (walk.stray)
				sum.which = walk.which;
		}
		check(ran && !sum.stray && sum.exits > 4000,
		      "%s of an MSR that is not on the list exits (%u exits, %u did not, the last "
		      "%#x)",
		      write ? "WRMSR" : "RDMSR", sum.exits, sum.stray, sum.which);
	}
}

static uint32_t kvm_list(unsigned long request, uint32_t *out)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + LIST_MAX * sizeof(list->indices[0]));
	const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	uint32_t count = 0;

	list->nmsrs = LIST_MAX;
	if (kvm >= 0 && !ioctl(kvm, request, list)) {
		count = list->nmsrs;
		memcpy(out, list->indices, count * sizeof(*out));
	}
	if (kvm >= 0)
		close(kvm);
	free(list);
	return count;
}

static void test_kvm_lists(struct guest *guest)
{
	uint32_t msr[2 * LIST_MAX];
	uint32_t count = kvm_list(KVM_GET_MSR_INDEX_LIST, msr);
	unsigned int reached[2] = {0};

	check(count > 10, "KVM lists the MSRs that it saves (%u)", count);
	count += kvm_list(KVM_GET_MSR_FEATURE_INDEX_LIST, msr + count);
	for (uint32_t i = 0; i < count; i++) {
		for (unsigned int write = 0; write < 2; write++) {
			struct backend_run run;

			if (is_passed(msr[i], write))
				continue;
			run = guest_run_msr(guest, write ? GUEST(g_wrmsr) : GUEST(g_rdmsr), msr[i],
					    0);
			if (run.exit != (write ? BACKEND_EXIT_MSR_WRITE : BACKEND_EXIT_MSR_READ)) {
				printf("# MSR %#x, %s: exit %d\n", msr[i],
				       write ? "WRMSR" : "RDMSR", run.exit);
				reached[write]++;
				continue;
			}
			guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
		}
	}
	check(!reached[0] && !reached[1],
	      "each of them is on the list of libvsm, or exits (%u reads and %u writes do not)",
	      reached[0], reached[1]);
}

/* KVM has values for MSRs that the guest's CPUID does not have: they exit as well. */
static void test_absent(struct guest *guest)
{
	unsigned int absent = 0;
	unsigned int wrong = 0;

#define NUMBER(name, number, reset) [VCPU_MSR_##name] = (number),
	static const uint32_t number[] = {VCPU_MSRS(NUMBER)};
#undef NUMBER
	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++) {
		struct backend_run run;

		if (guest->features.msr_valid[i])
			continue;
		absent++;
		run = guest_run_msr(guest, GUEST(g_rdmsr), number[i], 0);
		wrong += run.exit != BACKEND_EXIT_MSR_READ;
		guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	}
	check(!wrong, "an MSR that CPUID does not enumerate does not reach KVM (%u, %u do)", absent,
	      wrong);
}

static void test_optional(struct guest *guest)
{
#define NUMBER(name, number, reset) [VCPU_MSR_##name] = (number),
	static const uint32_t number[] = {VCPU_MSRS(NUMBER)};
#undef NUMBER
	unsigned int present = 0;
	unsigned int right = 0;

	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++) {
		const uint64_t valid = guest->features.msr_valid[i];
		const uint64_t value = valid & (0 - valid);
		struct backend_run run;
		bool good;

		if (!valid)
			continue;
		present++;
		run = guest_run_msr(guest, GUEST(g_wrmsr), number[i], value);
		good = guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_MSR)->msr[i] == value;
		guest_start(guest, 0, 0, GUEST(g_rdmsr));
		guest_edit(guest, 0, 0, VCPU_GPR | VCPU_MSR)->gpr[GPR_RCX] = number[i];
		run = guest_run_on(guest, 0, 0);
		good &= guest_is_done(&run) && guest_get(guest, 0, 0, VCPU_GPR)->gpr[GPR_RAX] == 0;
		if (!good)
			printf("# MSR %#x, bits %#llx\n", number[i], (unsigned long long)valid);
		right += good;
	}
	check(present && right == present,
	      "an MSR that not every CPU has is saved and set like the others (%u of %u)", right,
	      present);
}

static void deny(struct guest *guest, bool denied)
{
	int error = guest_protect(guest, SECRET, 1, denied ? 0 : GPA_ALL);

	if (error)
		printf("# protect: %s\n", strerror(-error));
}

static bool is_unchanged(const struct guest *guest)
{
	for (unsigned int i = 0; i < 4096; i++)
		if (guest->ram[SECRET + i] != 0x5a)
			return false;
	return true;
}

/* Each MSR write that would let KVM access a page, here a page of VTL1, must raise #GP. */
static void test_p31_msrs(struct guest *guest)
{
	static const uint32_t msr[] = {0x11,	   0x12,       0x4b564d00, 0x4b564d01, 0x4b564d02,
				       0x4b564d03, 0x4b564d04, 0x4b564d05, 0x4b564d06, 0x4b564d07,
				       0x4b564d08, 0x40000001, 0x40000021, 0x40000073, 0x40000082,
				       0x40000083, 0x40000200};
	unsigned int refused = 0;
	uint64_t frame[6];

	for (size_t i = 0; i < sizeof(msr) / sizeof(msr[0]); i++) {
		struct backend_run run = guest_run_msr(guest, GUEST(g_wrmsr), msr[i], SECRET | 1);

		if (run.exit != BACKEND_EXIT_MSR_WRITE || run.msr.index != msr[i]) {
			printf("# MSR %#x reaches KVM: exit %d\n", msr[i], run.exit);
			continue;
		}
		run = guest_answer(guest, 0, &run, BACKEND_FAULT);
		refused += guest_trap(guest, 0, &run, frame) == VECTOR_GP;
	}
	/* The page must still have its contents after KVM could have written it. */
	check(refused == sizeof(msr) / sizeof(msr[0]) && is_unchanged(guest),
	      "P31: no MSR that gives KVM a page of the guest reaches KVM (%u)", refused);
}

static void test_p31_hypercalls(struct guest *guest)
{
	static const struct {
		const char *name;
		uint64_t rax, rbx, rcx, rdi, rsi;
	} calls[] = {
		{"KVM_HC_CLOCK_PAIRING", 9, SECRET, 0, 0, 0},
		{"KVM_HC_SEND_IPI", 10, 1, 0, 0, 0},
		{"KVM_HC_MAP_GPA_RANGE", 12, SECRET, 1, 0, 0},
		{"Xen's event_channel_op", 32, 4, SECRET, 4, SECRET},
		{"Xen's sched_op", 29, 3, SECRET, 3, SECRET},
	};

	for (size_t i = 0; i < 2 * sizeof(calls) / sizeof(calls[0]); i++) {
		const bool amd = i % 2;
		struct vcpu_state *state =
			guest_start_with(guest, amd ? GUEST(g_vmmcall) : GUEST(g_vmcall),
					 calls[i / 2].rdi, calls[i / 2].rax);
		struct backend_run run;
		uint64_t frame[6];
		int vector;

		state->gpr[GPR_RBX] = calls[i / 2].rbx;
		state->gpr[GPR_RCX] = calls[i / 2].rcx;
		state->gpr[GPR_RSI] = calls[i / 2].rsi;
		run = (struct backend_run){
			.vtl = 0,
			.apic_enabled = true,
			.inject = -1,
			.deadline = guest->ops->tsc(guest->backend) + 5 * guest->features.tsc_hz,
		};
		do {
			guest->ops->vp_run(guest->vp[0], &run);
		} while (run.exit == BACKEND_EXIT_INTERRUPTED);
		vector = guest_trap(guest, 0, &run, frame);
		check(run.exit != BACKEND_EXIT_DEADLINE && run.exit != BACKEND_EXIT_ERROR &&
			      is_unchanged(guest),
		      "P31: %s by %s writes nothing and does not hang (exit %d, vector %d)",
		      calls[i / 2].name, amd ? "VMMCALL" : "VMCALL", run.exit, vector);
		if (run.exit == BACKEND_EXIT_IO)
			guest->ops->vp_answer(guest->vp[0], &run, BACKEND_DONE);
	}
}

static void test_p31_afterwards(struct guest *guest)
{
	struct backend_run run;

	deny(guest, false);
	run = guest_run_msr(guest, GUEST(g_rdmsr), X64_MSR_TSC, 0);
	check(guest_is_done(&run) && is_unchanged(guest),
	      "P31: the VP continues, and the page is unchanged");
}

int main(void)
{
	struct guest guest;

	guest_create(&guest, 1, 1, 16 * MIB);
	guest_quiet = true;
	test_walk(&guest);
	test_kvm_lists(&guest);
	test_absent(&guest);
	test_optional(&guest);
	memset(guest.ram + SECRET, 0x5a, 4096);
	deny(&guest, true);
	test_p31_msrs(&guest);
	test_p31_hypercalls(&guest);
	test_p31_afterwards(&guest);
	guest_destroy(&guest);
	return checks_end();
}
