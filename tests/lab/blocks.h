/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine on raw KVM with the building blocks of kernel/, and tiny 64-bit guests at CPL
 * 0. GVA = GPA in the first gigabyte and in the one below 4 GiB; pages are large except in [4 MiB,
 * 6 MiB). An exception ends in an OUT to PORT_TRAP. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest_layout.h"
#include "kvm_vsm.h"
#include "raw_kvm.h"

enum {
	PAGE = 4096,
};

/* Selectors of cpu_start_32(): code, and the TSS at GPA TSS_32 for a task switch. */
enum {
	CODE_32 = 48,
	TASK_32 = 56,
	TSS_32 = 0x31000,
};

#define MMIO UINT64_C(0xfeb00000)

enum ending {
	END_DONE,
	END_TRAP,
	END_REFUSED, /* KVM_EXIT_MEMORY_FAULT by kernel/ */
	END_WRITE,   /* KVM_EXIT_REGISTER_WRITE */
	END_OTHER,   /* see cpu->run */
};

/* Ends the program if the machine cannot be created. @irqchip: with local APICs in the kernel. */
void machine_create(struct raw_kvm *machine, uint64_t ram_size, bool irqchip);

/* Sets all general registers: RSP to STACK, RAX to 0x5555, RDX to 0x60, others without a parameter to 0. */
void cpu_start(struct raw_vcpu *cpu, uint64_t rip, uint64_t rdi, uint64_t rsi, uint64_t rcx);
/* As cpu_start(), in 32-bit mode without paging, with flat segments, @cr3 and @cr4. */
void cpu_start_32(struct raw_kvm *machine, uint64_t rip, uint64_t rdi, uint64_t cr3, uint64_t cr4);
void cpu_end_32(struct raw_kvm *machine);
enum ending cpu_run(struct raw_vcpu *cpu);
enum ending cpu_go(struct raw_kvm *machine, uint64_t rip, uint64_t rdi);
struct kvm_regs cpu_regs(struct raw_vcpu *cpu);
const struct kvm_access_exit *cpu_refused(struct raw_vcpu *cpu);
const struct kvm_write_exit *cpu_write(struct raw_vcpu *cpu);

/* Whether KVM refused @access (KVM_ACCESS_EXIT_READ ...) to @gpa by the instruction at @rip. */
bool was_refused(struct raw_vcpu *cpu, enum ending ending, uint64_t gpa, uint64_t access,
		 uint64_t rip);

/* Return 0 or -errno. */
int set_range(struct raw_kvm *machine, uint64_t gpa, uint64_t size, uint32_t restrictions);
int set_pages(struct raw_kvm *machine, const uint64_t *pages, uint32_t count);
int set_page(struct raw_kvm *machine, uint64_t gpa, uint32_t restrictions);

uint64_t word(struct raw_kvm *machine, uint64_t gpa);
/* @name: of KVM's binary statistics. */
uint64_t vm_stat(struct raw_kvm *machine, const char *name);
uint64_t cpu_stat(struct raw_vcpu *cpu, const char *name);
/* CLOCK_MONOTONIC. */
double seconds(void);

#endif
