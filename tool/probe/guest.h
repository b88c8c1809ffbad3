/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest for self-tests: 2 MiB of RAM, one vCPU in 64-bit mode, no interrupt controller. Nothing
 * is freed, as each self-test is a process.
 */
#ifndef VSM_TOOL_PROBE_GUEST_H
#define VSM_TOOL_PROBE_GUEST_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "selftest.h"

#define GUEST_CODE 0x8000u
#define GUEST_DATA 0x10000u    /* a page for the test's own use */
#define GUEST_APIC 0xfee00000u /* not RAM: an access leaves the guest as MMIO */

/* Data of the thread that ends a late KVM_RUN, which outlives struct probe_guest. */
struct probe_watchdog {
	unsigned int ms;
	struct kvm_run *run;
	pthread_t runner;
	atomic_bool late;
};

struct probe_guest {
	struct selftest *test;
	int kvm, vm, vcpu;
	int memory;	 /* the memfd that is the guest's RAM */
	uint8_t *ram;	 /* the probe's mapping of it */
	uint8_t *window; /* the mapping for the guest's accesses */
	struct kvm_run *run;
	pthread_t runner; /* the only thread that runs the guest */
	struct probe_watchdog *watchdog;
};

struct guest_program {
	uint32_t length;
	uint8_t code[];
};

extern const struct guest_program guest_port_7e, guest_count, guest_msr, guest_cpuid, guest_apic,
	guest_tsc, guest_vmcall, guest_vmmcall, guest_store, guest_load, guest_copy, guest_call;

/* A failure is set as the test's result, here and below. */
bool guest_make(struct probe_guest *guest, struct selftest *test,
		const struct guest_program *program);

/* 0 or -errno. */
int guest_run(struct probe_guest *guest);

/* Executes KVM_RUN, which must end with exit @reason. */
bool guest_expect(struct probe_guest *guest, uint32_t reason, const char *doing);

/* Executes KVM_RUN, which must end with the OUT of `done`. */
bool guest_expect_done(struct probe_guest *guest, const char *doing);

/* Completes the last exit without running a guest instruction. */
bool guest_complete(struct probe_guest *guest);

struct kvm_regs guest_regs(struct probe_guest *guest);
bool guest_set_regs(struct probe_guest *guest, const struct kvm_regs *regs);

/* While on, KVM_RUN only completes the last exit and returns -EINTR. */
void guest_immediate_exit(struct probe_guest *guest, bool on);

bool guest_is_late(const struct probe_guest *guest);
/* Makes the current or the next KVM_RUN return -EINTR, until immediate_exit is cleared. */
void guest_kick(struct probe_guest *guest, pthread_t thread);

#endif
