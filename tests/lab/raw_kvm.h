/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine on KVM without libvsm. Each function ends the program with "Bail out!" if KVM
 * fails, except raw_kvm_destroy() and those that return bool. */
#ifndef LAB_RAW_KVM_H
#define LAB_RAW_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#define RAW_KVM_CPUID_MAX 256u
#define RAW_KVM_VCPUS	  4u

struct raw_vcpu {
	int fd;
	struct kvm_run *run;
	struct kvm_regs regs; /* as raw_kvm_set_regs() set them */
};

struct raw_kvm {
	int kvm, vm;
	uint8_t *ram; /* at GPA 0, aligned for large pages */
	uint64_t ram_size;
	struct raw_vcpu vcpu[RAW_KVM_VCPUS];
	unsigned int vcpus;
};

struct raw_kvm_cpuid {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entry[RAW_KVM_CPUID_MAX];
};

/* Flat segments, with the selectors of raw_kvm_flat_32(). */
extern const struct kvm_segment raw_kvm_code_64, raw_kvm_code_32, raw_kvm_data;

/* Writes @value ("1": on) to KVM's parameter force_emulation_prefix. Returns false if this kernel
 * does not permit it. */
bool raw_kvm_force_emulation(const char *value);

/* Ends the program with @what and errno unless @ok. */
void raw_kvm_require(bool ok, const char *what);

/* Returns false if the host has no KVM, where raw_kvm_create() ends the program. */
bool raw_kvm_open(struct raw_kvm *kvm);
void raw_kvm_create_vm(struct raw_kvm *kvm);
void raw_kvm_create(struct raw_kvm *kvm);
void raw_kvm_destroy(struct raw_kvm *kvm);
void raw_kvm_enable(const struct raw_kvm *kvm, uint32_t capability, uint64_t argument);

void raw_kvm_add_ram(struct raw_kvm *kvm, uint64_t size);
void raw_kvm_map(const struct raw_kvm *kvm, uint32_t slot, uint64_t gpa, void *memory,
		 uint64_t size);
void raw_kvm_put(const struct raw_kvm *kvm, uint64_t gpa, uint64_t value);

void raw_kvm_get_cpuid(const struct raw_kvm *kvm, struct raw_kvm_cpuid *cpuid);
/* @cpuid NULL: the CPUID that KVM supports. */
struct raw_vcpu *raw_kvm_add_vcpu(struct raw_kvm *kvm, const struct raw_kvm_cpuid *cpuid);
struct kvm_sregs raw_kvm_sregs(const struct raw_vcpu *vcpu);
void raw_kvm_set_sregs(const struct raw_vcpu *vcpu, const struct kvm_sregs *sregs);
void raw_kvm_set_regs(struct raw_vcpu *vcpu, const struct kvm_regs *regs);

/* Sets 32-bit mode without paging; writes the GDT to @gdt. */
void raw_kvm_flat_32(const struct raw_kvm *kvm, const struct raw_vcpu *vcpu, uint64_t gdt,
		     uint64_t idt);
void raw_kvm_gate_32(const struct raw_kvm *kvm, uint64_t idt, unsigned int vector,
		     uint32_t handler);

#endif
