/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares the register check of the core (core/vp/check.c) with KVM and the CPU, for pairs of changes and
 * for random changes: KVM must accept registers that the check accepts, and the CPU must enter the guest with
 * them. Usage: kvm_registers [CASES [SEED]]
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/vp/cpu_registers.h"
#include "core/x64.h"
#include "kvm_guest.h"
#include "random.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end, g_stop\n"
	"guest_code:\n"
	"g_stop: hlt; jmp g_stop\n"
	"guest_code_end:\n"
	".popsection");

enum {
	CASES = 3000,
	CHANGES_MAX = 4,
	TRIES_MAX = 100, /* of 10 ms each: on a busy host a guest may reach its HLT late */
};

struct change {
	const char *name;
	uint16_t offset;
	uint8_t size;
	uint64_t low;
	uint64_t high;
};

#define SEGMENT(limit, selector, attributes) \
	((uint64_t)(limit) | (uint64_t)(selector) << 32 | (uint64_t)(attributes) << 48)
#define FIELD(field, value)                                               \
	{                                                                 \
#field " = " #value, offsetof(struct vcpu_state, field),  \
			sizeof(((struct vcpu_state *)0)->field), value, 0 \
	}
#define PLACE(which, base, limit, selector, attributes)                                  \
	{                                                                                \
#which " = " #base "/" #limit "/" #selector "/" #attributes,             \
			offsetof(struct vcpu_state, segment[SEGMENT_##which]), 16, base, \
			SEGMENT(limit, selector, attributes)                             \
	}

#define HIGH  UINT64_C(0xffffffff81000000)
#define HIGH5 UINT64_C(0xff10000000000000) /* canonical with 57 bits */
#define HOLE  UINT64_C(0x0123456789abcdef)
#define OVER  (UINT64_C(1) << 32)

/* clang-format off */
static const struct change changes[] = {
	FIELD(cr0, 0x10), FIELD(cr0, 0x11), FIELD(cr0, 0x80000011), FIELD(cr0, 0x80000010), FIELD(cr0, 0xa0050033),
	FIELD(cr0, 0xe0050033),
	FIELD(cr3, UINT64_C(1) << 51), FIELD(cr3, 0x1fff),
	FIELD(cr4, 0), FIELD(cr4, 0x20), FIELD(cr4, 0x20620), FIELD(cr4, 0x1020), FIELD(cr4, 0x2020), FIELD(cr4, 0x80000020),
	FIELD(efer, 0), FIELD(efer, 0x100), FIELD(efer, 0x400), FIELD(efer, 0x500), FIELD(efer, 0x801), FIELD(efer, 0x1d01),
	FIELD(rflags, 0x202), FIELD(rflags, 0x20002), FIELD(rflags, 0x8002), FIELD(rflags, OVER), FIELD(rflags, 0x102),
	FIELD(rip, OVER), FIELD(rip, HIGH), FIELD(rip, HIGH5), FIELD(rip, HOLE),
	PLACE(CS, 0, 0xffff, 0, 0x009b), PLACE(CS, 0, 0xffffffff, 8, 0xc09b), PLACE(CS, 0, 0xffffffff, 8, 0xe09b),
	PLACE(CS, 0, 0xffffffff, 8, 0xa0fb), PLACE(CS, 0, 0xffffffff, 8, 0xa01b), PLACE(CS, OVER, 0xffffffff, 8, 0xa09b),
	PLACE(CS, 0x10000, 0xffff, 0x1000, 0x00f3), PLACE(CS, 0, 0xffff, 0, 0x0093), PLACE(CS, 0, 0xfff0, 8, 0xa09a),
	PLACE(CS, 0, 0xfff00000, 8, 0xa09b), PLACE(CS, 0, 0xffffffff, 8, 0xa0ff),
	PLACE(SS, 0, 0xffff, 0, 0x0093), PLACE(SS, 0, 0, 0, 0), PLACE(SS, 0, 0xffffffff, 0x13, 0xc0f3),
	PLACE(SS, 0x10000, 0xffff, 0x1000, 0x00f3), PLACE(SS, 0, 0xffff, 0, 0x0091), PLACE(SS, OVER, 0xffff, 0, 0x0093),
	PLACE(DS, 0, 0xffff, 0, 0x0099), PLACE(DS, 0, 0x123, 4, 0x8092), PLACE(DS, 0, 0xfffff, 4, 0x00f1),
	PLACE(FS, HIGH, 0, 0, 0), PLACE(FS, HOLE, 0, 0, 0), PLACE(GS, HIGH5, 0xffff, 0, 0x0093),
	PLACE(LDTR, 0, 0xffff, 0x28, 0x0082), PLACE(LDTR, HOLE, 0xffff, 0x28, 0x0082), PLACE(LDTR, 0, 0, 4, 0x0082),
	PLACE(TR, 0, 0x67, 0x28, 0x0089), PLACE(TR, 0, 0x67, 0x28, 0x0083), PLACE(TR, 0, 0, 0, 0), PLACE(TR, HOLE, 0x67, 0, 0x008b),
	FIELD(gdtr.base, HOLE), FIELD(idtr.base, HIGH5),
	FIELD(dr6, OVER), FIELD(dr7, OVER | 0x400), FIELD(dr7, 0x401),
	FIELD(xcr0, 0), FIELD(xcr0, 3), FIELD(xcr0, 5), FIELD(xcr0, 7), FIELD(xcr0, 0x1b), FIELD(xcr0, 0xe7),
	FIELD(msr[VCPU_MSR_LSTAR], HIGH), FIELD(msr[VCPU_MSR_LSTAR], HIGH5), FIELD(msr[VCPU_MSR_LSTAR], HOLE),
	FIELD(msr[VCPU_MSR_KERNEL_GS_BASE], HOLE), FIELD(msr[VCPU_MSR_SYSENTER_EIP], HOLE), FIELD(msr[VCPU_MSR_PAT], 0x0203),
	FIELD(msr[VCPU_MSR_TSC_AUX], OVER),
	FIELD(events.exception_pending, true), FIELD(events.exception_vector, 13), FIELD(events.exception_has_error_code, true),
	FIELD(events.interrupt_injected, true), FIELD(events.interrupt_vector, 0x41), FIELD(events.interrupt_shadow, true),
	FIELD(events.nmi_injected, true), FIELD(events.nmi_pending, true), FIELD(events.nmi_masked, true),
};
/* clang-format on */

#define CHANGES (sizeof(changes) / sizeof(changes[0]))

/* CPU modes from which random changes start, in addition to long mode of guest_start(). */
static const struct change real_mode[] = {
	FIELD(cr0, 0x10),
	FIELD(cr4, 0),
	FIELD(efer, 0),
	PLACE(CS, 0x10000, 0xffff, 0x1000, 0x009b),
	PLACE(SS, 0, 0xffff, 0, 0x0093),
	PLACE(DS, 0, 0xffff, 0, 0x0093),
	PLACE(ES, 0, 0xffff, 0, 0x0093),
	FIELD(rip, 0),
};
static const struct change protected_mode[] = {
	FIELD(cr0, 0x11),
	FIELD(cr4, 0),
	FIELD(efer, 0),
	PLACE(CS, 0, 0xffffffff, 8, 0xc09b),
};
static const struct change v8086_mode[] = {
	FIELD(cr0, 0x11),
	FIELD(cr4, 0),
	FIELD(efer, 0),
	FIELD(rflags, 0x20002),
	PLACE(CS, 0x10000, 0xffff, 0x1000, 0x00f3),
	PLACE(SS, 0, 0xffff, 0, 0x00f3),
	PLACE(DS, 0, 0xffff, 0, 0x00f3),
	PLACE(ES, 0, 0xffff, 0, 0x00f3),
	PLACE(FS, 0, 0xffff, 0, 0x00f3),
	PLACE(GS, 0, 0xffff, 0, 0x00f3),
	FIELD(rip, 0),
};

static const struct {
	const struct change *change;
	size_t count;
} modes[] = {
	{NULL, 0},
	{real_mode, sizeof(real_mode) / sizeof(real_mode[0])},
	{protected_mode, sizeof(protected_mode) / sizeof(protected_mode[0])},
	{v8086_mode, sizeof(v8086_mode) / sizeof(v8086_mode[0])},
};

static void make(struct vcpu_state *state, const struct change *change)
{
	const uint64_t value[2] = {change->low, change->high};

	memcpy((uint8_t *)state + change->offset, value, change->size);
}

struct tally {
	unsigned int entered;
	unsigned int refused;	 /* refused by the check */
	unsigned int confirmed;	 /* refused by the check and by KVM */
	unsigned int surprising; /* accepted by the check, refused by KVM */
	unsigned int skipped;	 /* accepted by the check, but not tried (loses_the_host()) */
};

/* The entry is long enough for the guest to reach its HLT. @give_only: KVM gets the registers, but an
 * emulated CPU may fail with registers that no CPU has. */
static bool enter(struct guest *guest, bool give_only)
{
	struct backend_run run = {.inject = -1};
	const unsigned int before = guest_refusals;
	int tries = 0;

	if (give_only)
		guest->ops->vp_kick(guest->vp[0]);
	run.deadline = guest->ops->tsc(guest->backend) + guest->features.tsc_hz / 100;
	/* A kick for refused registers is still pending at the next entry: retry. */
	do {
		if (guest->ops->vp_run(guest->vp[0], &run))
			return false;
	} while (!give_only && run.exit == BACKEND_EXIT_INTERRUPTED && ++tries < TRIES_MAX);
	if (run.exit == BACKEND_EXIT_IO || run.exit == BACKEND_EXIT_MMIO ||
	    run.exit == BACKEND_EXIT_MSR_READ || run.exit == BACKEND_EXIT_MSR_WRITE)
		guest->ops->vp_answer(guest->vp[0], &run, BACKEND_RETRY);
	return guest_refusals == before && (give_only || run.exit != BACKEND_EXIT_INTERRUPTED);
}

static bool host_is_emulated(void)
{
	uint32_t eax;
	uint32_t name[3];

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
}

/* At #VMEXIT, QEMU's software emulation restores CR0 while EFER and CR4 are still the guest's. With EFER.LME
 * and without CR4.PAE it ignores CR0.PG, and the host crashes. */
static bool loses_the_host(const struct vcpu_state *state)
{
	return host_is_emulated() && (state->efer & X64_EFER_LME) && !(state->cr4 & X64_CR4_PAE);
}

static void try(struct guest *guest, const char *what, struct tally *tally)
{
	const struct vcpu_state *state = guest_get(guest, 0, 0, VCPU_ALL);
	const char *contradiction = regs_contradiction(&guest->features, state, VCPU_ALL);
	bool entered;

	if (!contradiction && loses_the_host(state)) {
		tally->skipped++;
		return;
	}
	entered = enter(guest, contradiction != NULL);
	tally->entered += !contradiction && entered;
	tally->refused += contradiction != NULL;
	tally->confirmed += contradiction && !entered;
	if (!contradiction && !entered) {
		tally->surprising++;
		printf("# accepted by the check, refused by KVM: %s\n", what);
	}
}

static void report(const struct tally *tally, const char *name)
{
	check(!tally->surprising && tally->entered,
	      "%s: the CPU enters with all %u that the check accepts", name, tally->entered);
	if (tally->skipped)
		printf("# %s: %u not tried, which crash the emulated CPU of this host\n", name,
		       tally->skipped);
	check(tally->confirmed > 0, "%s: of %u that the check refuses, KVM refuses %u itself", name,
	      tally->refused, tally->confirmed);
}

/* Every exception in the guest is a triple fault, since a handler could not run in an arbitrary mode. */
static void start(struct guest *guest, size_t mode)
{
	struct vcpu_state *state;

	guest_start(guest, 0, 0, GUEST(g_stop));
	state = guest_edit(guest, 0, 0, VCPU_ALL);
	state->idtr.limit = 0;
	for (size_t i = 0; i < modes[mode].count; i++)
		make(state, &modes[mode].change[i]);
}

static void test_pairs(struct guest *guest)
{
	struct tally tally = {0};
	char what[256];

	for (size_t i = 0; i < CHANGES; i++) {
		for (size_t j = i; j < CHANGES; j++) {
			start(guest, 0);
			make(guest_edit(guest, 0, 0, VCPU_ALL), &changes[i]);
			make(guest_edit(guest, 0, 0, VCPU_ALL), &changes[j]);
			snprintf(what, sizeof(what), "%s, %s", changes[i].name, changes[j].name);
			try(guest, what, &tally);
		}
	}
	report(&tally, "every pair of the table");
}

/* Applies a random change of the table, or inverts one bit of a field in the table. Appends its description
 * to @what. */
static void change_at_random(struct vcpu_state *state, uint64_t *seed, char *what, size_t size)
{
	const struct change *change = &changes[next_random(seed) % CHANGES];
	const uint64_t r = next_random(seed);
	const unsigned int byte = (unsigned int)((r >> 8) % change->size), bit = r >> 16 & 7;
	const size_t length = strlen(what);

	if (r & 1 || change->size < 8) {
		make(state, change);
		snprintf(what + length, size - length, ", %s", change->name);
	} else {
		((uint8_t *)state)[change->offset + byte] ^= (uint8_t)(1u << bit);
		snprintf(what + length, size - length, ", bit %u of (%s)", 8 * byte + bit,
			 change->name);
	}
}

static void test_random(struct guest *guest, unsigned int cases, uint64_t seed)
{
	struct tally tally = {0};
	char what[512];

	for (unsigned int i = 0; i < cases; i++) {
		const uint64_t begun = seed;
		const unsigned int count = 1 + (unsigned int)(next_random(&seed) % CHANGES_MAX);

		const size_t mode = next_random(&seed) % (sizeof(modes) / sizeof(modes[0]));

		start(guest, mode);
		snprintf(what, sizeof(what), "case %u, seed %#llx: mode %zu", i,
			 (unsigned long long)begun, mode);
		for (unsigned int j = 0; j < count; j++)
			change_at_random(guest_edit(guest, 0, 0, VCPU_ALL), &seed, what,
					 sizeof(what));
		try(guest, what, &tally);
	}
	report(&tally, "at random");
}

static void test_xsave(struct guest *guest)
{
	static const struct {
		uint16_t offset;
		uint8_t value;
	} bytes[] = {
		{X64_XSAVE_BV, 1},	  {X64_XSAVE_BV, 3},	       {X64_XSAVE_BV, 7},
		{X64_XSAVE_BV + 7, 0x80}, {X64_XSAVE_BV + 15, 0x80},   {X64_XSAVE_BV + 20, 1},
		{X64_XSAVE_MXCSR + 2, 1}, {X64_XSAVE_MXCSR + 3, 0x80},
	};
	struct tally tally = {0};

	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		for (size_t j = i; j < sizeof(bytes) / sizeof(bytes[0]); j++) {
			uint8_t *xsave;

			start(guest, 0);
			xsave = guest_edit(guest, 0, 0, VCPU_ALL)->xsave;
			xsave[bytes[i].offset] = bytes[i].value;
			xsave[bytes[j].offset] = bytes[j].value;
			try(guest, "an XSAVE area", &tally);
		}
	}
	report(&tally, "XSAVE areas");
}

/* With HLT in all memory a guest ends immediately at any address. Eight HLT are not a present page table
 * entry, so an emulated CPU does not loop in arbitrary page tables. */
static void fill_with_hlt(struct guest *guest)
{
	static const uint8_t nothing[8];

	for (uint64_t gpa = 0; gpa < guest->ram_size; gpa += sizeof(nothing)) {
		if (!memcmp(guest->ram + gpa, nothing, sizeof(nothing)))
			memset(guest->ram + gpa, 0xf4, sizeof(nothing));
	}
}

int main(int argc, char **argv)
{
	const unsigned int cases = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : CASES;
	const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x5eed;
	struct guest guest;

	guest_create(&guest, 1, 1, 16 * MIB);
	guest_quiet = true;
	fill_with_hlt(&guest);
	test_pairs(&guest);
	test_random(&guest, cases, seed ? seed : 1);
	test_xsave(&guest);
	guest_destroy(&guest);
	return checks_end();
}
