/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM_SET_ACCESS_RANGE and KVM_SET_ACCESS_PAGES of kernel/, and an exit for a refused access. */
#include "bench.h"

#include <sys/ioctl.h>

#include "blocks.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_done, g_store, g_touch\n"
	"g_done: out %al, $0x10\n"
	"g_store: mov %rax, (%rdi); out %al, $0x10\n"
	"g_touch: mov %rax, (%rdi); add $4096, %rdi; dec %rcx; jnz g_touch; out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

#define FIRST	  (32 * MIB)
#define SCATTERED 510u

struct figures {
	double set;
	double clear;
};

static void protect(struct raw_kvm *machine, uint64_t pages, bool scattered, bool on)
{
	static uint64_t list[SCATTERED];

	if (!scattered) {
		set_range(machine, FIRST, pages * PAGE, on ? KVM_ACCESS_NO_WRITE : 0);
		return;
	}
	for (unsigned int i = 0; i < SCATTERED; i++)
		list[i] = (FIRST + (uint64_t)i * 5 * PAGE) | (on ? KVM_ACCESS_NO_WRITE : 0);
	set_pages(machine, list, SCATTERED);
}

static struct figures measure(struct raw_kvm *machine, uint64_t pages, bool scattered, bool mapped)
{
	unsigned int rounds = pages > 1000 ? 3 : 30;
	struct figures figures = {0};

	for (unsigned int i = 0; i < rounds; i++) {
		double begin;

		if (mapped) {
			cpu_start(&machine->vcpu[0], GUEST(g_touch), FIRST, 0,
				  scattered ? SCATTERED * 5 : pages);
			cpu_run(&machine->vcpu[0]);
		}
		begin = seconds();
		protect(machine, pages, scattered, true);
		figures.set += (seconds() - begin) * 1e6 / rounds;
		begin = seconds();
		protect(machine, pages, scattered, false);
		figures.clear += (seconds() - begin) * 1e6 / rounds;
	}
	return figures;
}

/* @io: microseconds of an exit for I/O. */
static void changes(struct bench *bench, struct raw_kvm *machine, bool mapped, double io)
{
	static const struct {
		const char *name;
		uint64_t pages;
		bool scattered;
	} cases[] = {{"1", 1, false},
		     {"512", 512, false},
		     {"65536", 65536, false},
		     {"510_scattered", SCATTERED, true}};

	for (unsigned int i = 0; i < 4; i++) {
		struct figures figures =
			measure(machine, cases[i].pages, cases[i].scattered, mapped);
		char name[64];

		snprintf(name, sizeof(name), "kernel.set_%s%s", cases[i].name,
			 mapped ? "_mapped" : "");
		bench_figure(bench, name, figures.set, "us", io, 0);
		snprintf(name, sizeof(name), "kernel.clear_%s%s", cases[i].name,
			 mapped ? "_mapped" : "");
		bench_figure(bench, name, figures.clear, "us", io, 0);
	}
}

/* Microseconds of one exit, with setting the registers of the guest. */
static double exit_time(struct raw_kvm *machine, uint64_t code, unsigned int count)
{
	double begin = seconds();

	for (unsigned int i = 0; i < count; i++)
		cpu_go(machine, code, FIRST);
	return (seconds() - begin) * 1e6 / count;
}

static double exits(struct bench *bench, struct raw_kvm *machine)
{
	double io = 1e9;
	double refused = 1e9;

	set_range(machine, FIRST, PAGE, KVM_ACCESS_NO_WRITE);
	/* Each measurement is shorter than a time slice of the host. */
	for (unsigned int i = 0; i < 500; i++) {
		double now = exit_time(machine, GUEST(g_done), 10);

		io = now < io ? now : io;
		now = exit_time(machine, GUEST(g_store), 10);
		refused = now < refused ? now : refused;
	}
	set_range(machine, FIRST, PAGE, 0);
	bench_figure(bench, "kernel.refused_exit", refused, "us", io, 1.2);
	return io;
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct raw_kvm machine;
	double io;

	machine_create(&machine, 384 * MIB, false);
	if (ioctl(machine.kvm, KVM_CHECK_EXTENSION, KVM_CAP_ACCESS)) {
		io = exits(&bench, &machine);
		changes(&bench, &machine, false, io);
		changes(&bench, &machine, true, io);
	} else {
		bench_skip(&bench, "blocks", "KVM has no access restrictions");
	}
	raw_kvm_destroy(&machine);
	return bench_end(&bench);
}
