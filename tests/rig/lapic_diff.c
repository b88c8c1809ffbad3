/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares libvsm's local APICs with KVM's after the same accesses, IPIs, MSIs and EOIs on four vCPUs. Each
 * deviation of KVM from the SDM is a case of lapic_deviations.c, and the random part avoids it. The timer is
 * always masked, since time differs between both sides. Usage: lapic_diff [ROUNDS [SEED]]
 */
#include "lapic_deviations.h"
#include "random.h"
#include "tap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t seed;

static uint32_t chance(uint32_t below)
{
	return (uint32_t)((next_random(&seed) >> 32) * below >> 32);
}

/* Even, from 0x20 to 0xfe: no exception of the guest, and no level-triggered vector. */
static uint32_t edge_vector(void)
{
	return 0x20 + chance(0x70) * 2;
}

static uint32_t xapic_destination(void)
{
	static const uint8_t some[] = {0, 1, 2, 3, 4, 0xff, 0x0f, 0x11, 0x12, 0x1f, 0x21, 0x80};

	return chance(2) ? some[chance(sizeof(some))] : chance(256);
}

/* @mixed: the APICs are in different modes, so the destination has 8 bits
 * (kvm_matches_a_wide_destination_by_its_low_byte). */
static uint32_t x2apic_destination(bool mixed)
{
	static const uint32_t some[] = {0, 1, 2, 3, 4, 0xff, 0x0f, 0x0a, UINT32_MAX, 0x10, 0x83};

	if (chance(4))
		return some[chance(sizeof(some) / sizeof(some[0]))];
	return mixed ? chance(256) : chance(2) << 16 | chance(0x10000);
}

/* Edge-triggered (kvm_sends_level_triggered_ipis), fixed, or in a mode that sends nothing; lowest
 * priority only to a single APIC (kvm_chooses_the_lowest_priority_by_vector). */
static uint32_t random_icr(bool physical_one)
{
	uint32_t low = edge_vector() | chance(2) << 14;

	if (physical_one && !chance(3))
		return low | 0x100;
	if (!chance(16))
		low |= chance(2) ? 0x300 : 0x700;
	return low | chance(2) << 11 | (chance(3) ? 0 : chance(4) << 18);
}

static void random_ipi(struct machine *m, unsigned int vcpu, bool mixed)
{
	uint32_t destination =
		machine_is_x2apic(m, vcpu) ? x2apic_destination(mixed) : xapic_destination();

	/* kvm_broadcasts_within_a_mode_alone */
	if (mixed && (destination == 0xff || destination == UINT32_MAX))
		destination = 3;
	if (machine_is_x2apic(m, vcpu)) {
		machine_write(m, vcpu, REG_ICR,
			      (uint64_t)destination << 32 | random_icr(destination < 0xff));
	} else {
		machine_write(m, vcpu, REG_ICR_HIGH, destination << 24 | chance(1 << 24));
		machine_write(m, vcpu, REG_ICR, random_icr(destination < 0xff));
	}
}

/*
 * Whether the test may disable an APIC by its SVR. On VMX in x2APIC mode, KVM does not update the
 * TPR threshold afterwards: if the guest has lowered its TPR below it, the next entry fails and the
 * vCPU is lost (SDM 3C 27.2.1.1).
 */
static bool may_be_disabled(const struct machine *m, unsigned int vcpu)
{
	return !machine_is_x2apic(m, vcpu) || !__builtin_cpu_is("intel");
}

/*
 * Makes a write with the same effect on both sides: without reserved bits, the TPR by class
 * (kvm_may_lose_the_sub_class_of_the_tpr), one of the two models in the DFR
 * (kvm_takes_any_other_dfr_for_the_cluster_model), an LDR other than 0
 * (kvm_takes_an_xapic_without_ldr_for_an_x2apic), the timer masked.
 */
static void random_write(struct machine *m, unsigned int vcpu)
{
	static const uint32_t dfr[] = {0xffffffff, 0x0fffffff};
	static const uint32_t timer_mode[] = {0, 1u << 17, 1u << 18};
	static const struct {
		uint32_t reg, bits;
	} plain[] = {
		{REG_TPR, 0xf0},	  {REG_TPR, 0x30},	    {0x33, 0x107ff},
		{0x34, 0x107ff},	  {REG_LVT_LINT0, 0x1a7ff}, {0x36, 0x1a7ff},
		{REG_LVT_ERROR, 0x100ff}, {REG_DIVIDE, 0xb},	    {REG_INITIAL_COUNT, 0xffffffff},
	};
	uint32_t i = chance(14);

	if (i < sizeof(plain) / sizeof(plain[0]))
		machine_write(m, vcpu, plain[i].reg, (uint32_t)seed & plain[i].bits);
	else if (i == 9)
		machine_write(m, vcpu, REG_LVT_TIMER,
			      0x10000 | (seed & 0xff) | timer_mode[chance(3)]);
	else if (i == 10)
		machine_write(m, vcpu, REG_SVR,
			      (seed & 0x2ff) |
				      (chance(4) || !may_be_disabled(m, vcpu) ? 0x100 : 0));
	else if (machine_is_x2apic(m, vcpu))
		machine_write(m, vcpu, REG_SELF_IPI, edge_vector());
	else if (i == 11)
		machine_write(m, vcpu, REG_DFR, dfr[chance(2)]);
	else
		machine_write(m, vcpu, REG_LDR,
			      chance(2) ? 1u << (24 + chance(8)) : (1 + chance(255)) << 24);
}

static void random_read(struct machine *m, unsigned int vcpu)
{
	uint32_t reg = chance(0x40);

	/* xAPIC mode: only existing registers (kvm_has_no_error_status). In x2APIC mode others fault. */
	if (reg == REG_CURRENT_COUNT ||
	    (!machine_is_x2apic(m, vcpu) && (!vsm_lapic_register_name(reg) || reg == 0x0c ||
					     reg == 0x2f || reg == REG_EOI || reg == REG_SELF_IPI)))
		reg = REG_PPR;
	machine_read(m, vcpu, reg);
}

/* Writes in x2APIC mode that fault because of the MSR's number or of bits above 31. */
static void random_fault(struct machine *m, unsigned int vcpu)
{
	static const uint32_t read_only[] = {
		REG_ID,	 REG_VERSION, REG_PPR,	    REG_LDR, REG_ISR,		REG_TMR,
		REG_IRR, 0x2f,	      REG_ICR_HIGH, REG_DFR, REG_CURRENT_COUNT, 0x09,
		0x0c,	 0x00,	      0x29};

	if (!machine_is_x2apic(m, vcpu))
		return;
	if (chance(2))
		machine_write(m, vcpu, read_only[chance(15)], chance(256));
	else
		machine_write(m, vcpu, REG_TPR, 1ull << (32 + chance(32)));
}

static void random_command(struct machine *m, unsigned int vcpu, bool mixed)
{
	switch (chance(12)) {
	case 0:
	case 1:
	case 2:
		random_ipi(m, vcpu, mixed);
		break;
	case 3:
	case 4:
		random_write(m, vcpu);
		break;
	case 5:
		random_read(m, vcpu);
		break;
	case 6:
		random_fault(m, vcpu);
		break;
	case 7:
	case 8:
	case 9:
		machine_take(m, vcpu);
		break;
	default:
		machine_write(m, vcpu, REG_EOI, 0);
	}
}

static int random_msi(struct machine *m)
{
	uint32_t destination = xapic_destination(), data;
	uint32_t address = 0xfee00000 | destination << 12 | chance(2) << 2;

	if (chance(2))
		data = 0xc000u | machine_level_vector(chance(ROUTES));
	else
		data = edge_vector();
	if (destination < 0xff && !(address & 4) && !chance(4))
		data |= 0x100;
	machine_msi(m, address, data);
	if (!machine_same_registers(m)) {
		printf("# after the MSI %#x, %#x\n", address, data);
		return -1;
	}
	return 0;
}

static void explain(const struct machine *m, unsigned int vcpu)
{
	const struct command *command = m->guest.vcpu[vcpu].list;

	for (unsigned int i = 0; i < VCPUS; i++)
		printf("# vCPU %u: mode %d, LDR %#x, DFR %#x, SVR %#x\n", i,
		       (int)vsm_lapic_mode(&m->apic[i]), machine_kvm_register(m, i, REG_LDR),
		       machine_kvm_register(m, i, REG_DFR), machine_kvm_register(m, i, REG_SVR));
	for (; command->operation != END; command++)
		printf("# vCPU %u: operation %u of %#x, value %#x%08x\n", vcpu, command->operation,
		       command->address, command->high, command->low);
}

static bool random_round(struct machine *m, bool mixed)
{
	unsigned int vcpu = chance(VCPUS), commands = 1 + chance(12);
	bool same;

	for (unsigned int i = 0; i < commands; i++)
		random_command(m, vcpu, mixed);
	same = machine_run_and_compare(m, vcpu);
	for (uint32_t i = chance(4); same && i; i--)
		same = !random_msi(m);
	same = machine_same_registers(m) && same;
	if (same && !chance(50))
		same = machine_exchange_states(m) && machine_same_registers(m);
	if (!same)
		explain(m, vcpu);
	return same;
}

/* @x2apic: bit n puts vCPU n into x2APIC mode. */
static void random_rounds(const char *what, unsigned int x2apic, unsigned int rounds)
{
	static struct machine m;
	unsigned int round = 0;
	bool same = !machine_create(&m, x2apic);

	for (unsigned int i = 0; same && i < VCPUS; i++)
		if (!machine_is_x2apic(&m, i)) {
			machine_write(&m, i, REG_LDR, 1u << (24 + i));
			same = machine_run_and_compare(&m, i);
		}
	while (same && round < rounds) {
		same = random_round(&m, x2apic != 0 && x2apic != 15);
		round += same;
	}
	/* A run with few interrupts would test nothing. */
	check(same && m.taken > rounds / 4 && m.sent > rounds / 4 && m.reported_eois > rounds / 50,
	      "%s: %u random rounds agree with KVM (%u interrupts taken, %u IPIs, %u EOIs "
	      "broadcast)",
	      what, round, m.taken, m.sent, m.reported_eois);
	machine_destroy(&m);
}

static void all_transitions_of_the_base_agree(struct machine *m)
{
	static const uint64_t base[] = {0xfee00000, 0xfee00400, 0xfee00800, 0xfee00c00};
	bool same = true;

	for (unsigned int from = 0; from < 4; from++)
		for (unsigned int to = 0; to < 4; to++) {
			/* The first mode is entered from xAPIC mode; base[1] is not valid. */
			machine_write_msr(m, 1, VSM_LAPIC_MSR_BASE, base[0]);
			machine_write_msr(m, 1, VSM_LAPIC_MSR_BASE, base[2]);
			machine_write_msr(m, 1, VSM_LAPIC_MSR_BASE, base[from]);
			machine_write_msr(m, 1, VSM_LAPIC_MSR_BASE, base[to]);
			machine_write_msr(m, 1, VSM_LAPIC_MSR_BASE, base[to] | 1);
			machine_write_msr(m, 1, VSM_LAPIC_MSR_BASE, base[to] | 1ull << 60);
			same = machine_run_and_compare(m, 1) && same;
		}
	check(same, "all transitions of IA32_APIC_BASE, legal and not, agree");
}

static void an_xapic_id_that_the_guest_writes_is_its_address(struct machine *m)
{
	bool same;

	machine_write(m, 1, REG_ID, 9u << 24);
	same = machine_run_and_compare(m, 1);
	machine_write(m, 0, REG_ICR_HIGH, 9u << 24);
	machine_write(m, 0, REG_ICR, 0x4050);
	same = machine_run_and_compare(m, 0) && same;
	check(same && machine_same_registers(m) && vsm_lapic_highest_irr(&m->apic[1]) == 0x50,
	      "an xAPIC ID that the guest writes is its address on both sides");
}

int main(int argc, char **argv)
{
	static void (*const agreements[])(struct machine *) = {
		all_transitions_of_the_base_agree,
		an_xapic_id_that_the_guest_writes_is_its_address,
	};
	enum {
		AGREEMENTS = 2,
		CASES = 3 + AGREEMENTS + LAPIC_DEVIATIONS
	};
	unsigned int rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 1500;
	static struct machine m;

	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x1a91c0d1ff;
	setvbuf(stdout, NULL, _IOLBF, 0);
	checks_plan(CASES);
	printf("# rounds %u, seed %#" PRIx64 "\n", rounds, seed);
	seed |= 1ull << 40; /* never 0, which the generator cannot leave */
	random_rounds("all xAPIC", 0, rounds);
	random_rounds("all x2APIC", 15, rounds);
	random_rounds("mixed", 10, rounds);
	for (unsigned int i = 0; i < AGREEMENTS + LAPIC_DEVIATIONS; i++) {
		if (machine_create(&m, 8))
			return 1;
		if (i < AGREEMENTS)
			agreements[i](&m);
		else
			check(lapic_deviations[i - AGREEMENTS].holds(&m), "%s",
			      lapic_deviations[i - AGREEMENTS].name);
		machine_destroy(&m);
	}
	return checks_end();
}
