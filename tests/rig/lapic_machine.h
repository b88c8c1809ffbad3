/* SPDX-License-Identifier: BSD-2-Clause */
/* Both sides of lapic_diff.c: KVM's local APICs with a guest, and libvsm's. */
#ifndef LAPIC_MACHINE_H
#define LAPIC_MACHINE_H

#include "lapic_guest.h"

#include <vsm/lapic.h>

/* Registers, by x2APIC MSR minus 0x800 (SDM table 11-6). */
enum {
	REG_ID = 0x02,
	REG_VERSION = 0x03,
	REG_TPR = 0x08,
	REG_PPR = 0x0a,
	REG_EOI = 0x0b,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SVR = 0x0f,
	REG_ISR = 0x10,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_ICR = 0x30,
	REG_ICR_HIGH = 0x31,
	REG_LVT_TIMER = 0x32,
	REG_LVT_ERROR = 0x37,
	REG_LVT_LINT0 = 0x35,
	REG_INITIAL_COUNT = 0x38,
	REG_CURRENT_COUNT = 0x39,
	REG_DIVIDE = 0x3e,
	REG_SELF_IPI = 0x3f,
};

enum {
	FAULT_NMI = 2,
	FAULT_GP = 13
};

#define MACHINE_BASE_XAPIC  0xfee00800ull
#define MACHINE_BASE_X2APIC 0xfee00c00ull

struct machine {
	struct vsm_lapic apic[VCPUS];
	_Alignas(64) uint8_t router_memory[16384];
	struct vsm_lapic_router *router;
	struct guest guest;
	struct command expected[MAX_COMMANDS];
	uint32_t commands;
	uint8_t eoi[MAX_EOIS];
	uint32_t eois;
	/*
	 * Interrupts taken, IPIs sent, EOIs broadcast to the I/O APICs; 0 would mean that nothing was tested.
	 */
	unsigned int taken, sent, reported_eois;
};

/* Level-triggered vectors: ROUTES of them, whose EOIs KVM reports; all others are used as edges. */
uint8_t machine_level_vector(unsigned int number);

/* @x2apic: bit n puts vCPU n into x2APIC mode; all are software-enabled. */
int machine_create(struct machine *m, unsigned int x2apic);
void machine_destroy(struct machine *m);

bool machine_is_x2apic(const struct machine *m, unsigned int vcpu);

/* libvsm makes the access immediately, KVM at the next machine_run(). Use only one vCPU until then. */
void machine_write(struct machine *m, unsigned int vcpu, uint32_t reg, uint64_t value);
void machine_read(struct machine *m, unsigned int vcpu, uint32_t reg);
void machine_write_msr(struct machine *m, unsigned int vcpu, uint32_t msr, uint64_t value);
void machine_take(struct machine *m, unsigned int vcpu);

/* Returns -1 if the run failed. KVM's results are in guest.vcpu[].list, libvsm's in expected[]. */
int machine_run(struct machine *m, unsigned int vcpu);

bool machine_run_and_compare(struct machine *m, unsigned int vcpu);

void machine_msi(struct machine *m, uint32_t address, uint32_t data);

bool machine_same_registers(const struct machine *m);

uint32_t machine_kvm_register(const struct machine *m, unsigned int vcpu, uint32_t reg);
uint32_t machine_our_register(struct machine *m, unsigned int vcpu, uint32_t reg);

bool machine_exchange_states(struct machine *m);

#endif
