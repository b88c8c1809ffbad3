/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine with KVM's in-kernel local APICs for lapic_diff.c. Each vCPU executes a list of commands.
 */
#ifndef LAPIC_GUEST_H
#define LAPIC_GUEST_H

#include <stdint.h>

#include "raw_kvm.h"

enum {
	VCPUS = 4,
	MAX_COMMANDS = 64,
	MAX_EOIS = 64,
	ROUTES = 24
};

enum operation {
	END,
	MMIO_WRITE,
	MMIO_READ,
	MSR_WRITE,
	MSR_READ,
	TAKE
};

struct command {
	uint32_t operation;
	uint32_t address; /* GPA or MSR number */
	uint32_t low, high;
	uint32_t result_low, result_high; /* value read; for TAKE: the vector, or 0 */
	uint32_t fault;			  /* vector of the fault that the command had, or 0 */
	uint32_t unused;
};

struct guest_vcpu {
	struct command *list;
	uint32_t length;
	/* Vectors whose EOI KVM reported (KVM_EXIT_IOAPIC_EOI), in the last run. */
	uint8_t eoi[MAX_EOIS];
	uint32_t eois;
};

struct guest {
	struct raw_kvm raw;
	struct guest_vcpu vcpu[VCPUS];
};

/* Vector @level[i] has route i. */
void guest_create(struct guest *guest, const uint8_t level[ROUTES]);
int guest_run(struct guest *guest, unsigned int vcpu);
void guest_destroy(struct guest *guest);

/* Appends to the list of @vcpu and returns the command, valid until after the next guest_run(). */
struct command *guest_give(struct guest *guest, unsigned int vcpu, enum operation operation,
			   uint32_t address, uint64_t value);

void guest_get_lapic(const struct guest *guest, unsigned int vcpu, struct kvm_lapic_state *page);
void guest_set_lapic(const struct guest *guest, unsigned int vcpu, struct kvm_lapic_state *page);
void guest_set_apic_base(const struct guest *guest, unsigned int vcpu, uint64_t base);
void guest_signal_msi(const struct guest *guest, uint32_t address, uint32_t data);

#endif
