/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine on raw KVM with the blocks of kernel/, and tiny 64-bit guests at CPL 0: what their tests share.
 *
 * All of the first gigabyte is mapped one to one, by large pages but for [4 MiB, 6 MiB), which has a table
 * of its own, and so is the gigabyte that ends at 4 GiB, where the MMIO is. An exception ends in an OUT to
 * PORT_TRAP.
 */
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

/* Selectors of cpu_start_32(): its code, and a second task whose TSS has the RIP of the task switch. */
enum {
	CODE_32 = 48,
	TASK_32 = 56,
	TSS_32 = 0x31000,
};

#define MMIO UINT64_C(0xfeb00000)

/* How a KVM_RUN ended. */
enum ending {
	END_DONE,    /* OUT to PORT_DONE */
	END_TRAP,    /* OUT to PORT_TRAP */
	END_REFUSED, /* KVM_EXIT_MEMORY_FAULT of the blocks */
	END_WRITE,   /* KVM_EXIT_REGISTER_WRITE */
	END_OTHER,   /* see cpu->run */
};

/* Ends the program with a message if it cannot be made. @irqchip: with local APICs in the kernel. */
void machine_create(struct raw_kvm *machine, uint64_t ram_size, bool irqchip);

/* At @rip, everything else at a known value: RSP below STACK, RAX 0x5555, RDX 0x60. */
void cpu_start(struct raw_vcpu *cpu, uint64_t rip, uint64_t rdi, uint64_t rsi, uint64_t rcx);
/* The same in 32-bit mode without paging, flat, with @cr3 and @cr4; exceptions end in an OUT to PORT_TRAP. */
void cpu_start_32(struct raw_kvm *machine, uint64_t rip, uint64_t rdi, uint64_t cr3, uint64_t cr4);
/* Returns to 64-bit mode. */
void cpu_end_32(struct raw_kvm *machine);
enum ending cpu_run(struct raw_vcpu *cpu);
enum ending cpu_go(struct raw_kvm *machine, uint64_t rip, uint64_t rdi);
struct kvm_regs cpu_regs(struct raw_vcpu *cpu);
const struct kvm_access_exit *cpu_refused(struct raw_vcpu *cpu);
const struct kvm_write_exit *cpu_write(struct raw_vcpu *cpu);

/* Whether an access to @gpa was refused, of this kind (KVM_ACCESS_EXIT_READ ...), with RIP at @rip. */
bool was_refused(struct raw_vcpu *cpu, enum ending ending, uint64_t gpa, uint64_t access,
		 uint64_t rip);

/* 0 or -errno. */
int set_range(struct raw_kvm *machine, uint64_t gpa, uint64_t size, uint32_t restrictions);
int set_pages(struct raw_kvm *machine, const uint64_t *pages, uint32_t count);
int set_page(struct raw_kvm *machine, uint64_t gpa, uint32_t restrictions);

uint64_t word(struct raw_kvm *machine, uint64_t gpa);
/* A statistic of the VM by its name in KVM's binary statistics. */
uint64_t vm_stat(struct raw_kvm *machine, const char *name);
/* The same of a vCPU. */
uint64_t cpu_stat(struct raw_vcpu *cpu, const char *name);
double seconds(void);

#endif
