/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts the instructions that KVM executes for a guest that uses no building block of kernel/.
 * bench/unused runs it with rig/run --icount, where the TSC counts instructions.
 */
#include "bench.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "blocks.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_exit, g_cpuid, g_touch, g_store\n"
	"g_exit: out %al, $0x10; jmp g_exit\n"
	"g_cpuid: xor %eax, %eax; cpuid; dec %rdi; jnz g_cpuid; out %al, $0x10\n"
	"g_touch: mov %rax, (%rdi); add $4096, %rdi; dec %rcx; jnz g_touch; out %al, $0x10\n"
	"g_store: mov %rax, (%rdi)\n"
	"guest_code_end:\n"
	".popsection");

#define FIRST  (32 * MIB)
#define ROUNDS 40u
#define LOOPS  50u
#define PAGES  512u

/* Disturbances only add instructions. 0: a run has ended in another way. */
static uint64_t least_run(struct raw_kvm *machine, unsigned int rounds, enum ending expected)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t begin = __rdtsc();
		enum ending ending = cpu_run(&machine->vcpu[0]);
		uint64_t took = __rdtsc() - begin;

		if (ending != expected)
			return 0;
		least = took < least ? took : least;
	}
	return least;
}

static double exit_to_user(struct raw_kvm *machine)
{
	cpu_start(&machine->vcpu[0], GUEST(g_exit), 0, 0, 0);
	return (double)least_run(machine, ROUNDS, END_DONE);
}

static uint64_t least_loop(struct raw_kvm *machine, uint64_t loops)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t took;

		cpu_start(&machine->vcpu[0], GUEST(g_cpuid), loops, 0, 0);
		took = least_run(machine, 1, END_DONE);
		least = took < least ? took : least;
	}
	return least;
}

/* KVM skips the instruction in its emulator, as the CPU of the rig has no NRIPS. */
static double exit_by_emulator(struct raw_kvm *machine)
{
	const uint64_t none = least_loop(machine, 1);

	return (double)(least_loop(machine, LOOPS + 1) - none) / LOOPS;
}

/* The host has mapped the pages of 4 KiB: KVM allocates one page table for 512 of them. */
static double fault(struct raw_kvm *machine)
{
	uint64_t least = UINT64_MAX;

	madvise(machine->ram + FIRST, ROUNDS * 2 * MIB, MADV_NOHUGEPAGE);
	madvise(machine->ram + FIRST, ROUNDS * 2 * MIB, MADV_DONTNEED);
	memset(machine->ram + FIRST, 1, ROUNDS * 2 * MIB);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t took;

		cpu_start(&machine->vcpu[0], GUEST(g_touch), FIRST + i * 2 * MIB, 0, PAGES);
		took = least_run(machine, 1, END_DONE);
		least = took < least ? took : least;
	}
	return (double)least / PAGES;
}

/* An NMI to a vCPU that does not run. */
static double event(struct raw_kvm *machine)
{
	struct kvm_msi msi = {.address_lo = 0xfee00000, .data = 0x400};
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t begin = __rdtsc();
		int taken = ioctl(machine->vm, KVM_SIGNAL_MSI, &msi);
		uint64_t took = __rdtsc() - begin;

		if (taken != 1)
			return 0;
		least = took < least ? took : least;
	}
	return (double)least;
}

/* The only figure of a guest that uses a building block. */
static double refused_exit(struct raw_kvm *machine)
{
	set_range(machine, FIRST, PAGE, KVM_ACCESS_NO_WRITE);
	cpu_start(&machine->vcpu[0], GUEST(g_store), FIRST, 0, 0);
	return (double)least_run(machine, ROUNDS, END_REFUSED);
}

static const struct {
	const char *name;
	double (*count)(struct raw_kvm *machine);
	bool irqchip;
} rows[] = {
	{"unused.run_and_exit", exit_to_user, false},
	{"unused.exit_by_emulator", exit_by_emulator, false},
	{"unused.mapping_fault", fault, false},
	{"unused.event", event, true},
};

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	bool failed = false;

	if (!getenv("VSM_RIG_ICOUNT")) {
		bench_skip(&bench, "unused",
			   "the TSC does not count instructions here: run bench/unused");
		return bench_end(&bench);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct raw_kvm machine;
		double count;

		machine_create(&machine, 128 * MIB, rows[i].irqchip);
		count = rows[i].count(&machine);
		bench_figure(&bench, rows[i].name, count, "instrs", 0, 0);
		failed |= !count;
		if (!i && ioctl(machine.kvm, KVM_CHECK_EXTENSION, KVM_CAP_ACCESS)) {
			const double refused = refused_exit(&machine);

			bench_figure(&bench, "kernel.refused_exit", refused, "instrs", count, 1.2);
			failed |= !refused;
		}
		raw_kvm_destroy(&machine);
	}
	return failed || bench_end(&bench);
}
