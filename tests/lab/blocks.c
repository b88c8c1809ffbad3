/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine on raw KVM with the building blocks of kernel/. */
#include "blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void put_tables(struct raw_kvm *machine)
{
	raw_kvm_put(machine, PAGE_TABLES, 0x2003);
	raw_kvm_put(machine, 0x2000, 0x3003);
	raw_kvm_put(machine, 0x2000 + 3 * 8, 0xc0000083);
	for (uint64_t i = 0; i < 512; i++) {
		raw_kvm_put(machine, 0x3000 + 8 * i, i << 21 | 0x83);
		raw_kvm_put(machine, PAGE_TABLE_4M + 8 * i, DATA + i * PAGE + 3);
	}
	raw_kvm_put(machine, 0x3000 + 2 * 8, PAGE_TABLE_4M | 3);
}

/* The gates of all vectors lead to one OUT, 16 bytes below CODE. */
static void put_descriptors(struct raw_kvm *machine)
{
	const uint64_t handler = CODE - 16;
	static const uint8_t out[] = {0xe6, PORT_TRAP};

	memcpy(machine->ram + handler, out, sizeof(out));
	raw_kvm_put(machine, GDT + 8, 0x00af9b000000ffff);
	raw_kvm_put(machine, GDT + 16, 0x00cf93000000ffff);
	raw_kvm_put(machine, GDT + 24, 0x0000890000000067 | (uint64_t)TSS << 16);
	raw_kvm_put(machine, GDT + 40, 0x0000820000000fff | (uint64_t)TSS << 16);
	for (unsigned int vector = 0; vector < 256; vector++) {
		raw_kvm_put(machine, IDT + 16 * (uint64_t)vector,
			    (handler & 0xffff) | 8 << 16 | UINT64_C(0x8e00) << 32 |
				    (handler >> 16) << 48);
	}
}

static void cpu_create(struct raw_kvm *machine)
{
	const struct kvm_segment task = {
		.base = TSS, .limit = 0x67, .selector = 24, .type = 11, .present = 1};
	const struct kvm_segment none = {.unusable = 1};
	struct kvm_mp_state runnable = {KVM_MP_STATE_RUNNABLE};
	struct raw_vcpu *cpu = raw_kvm_add_vcpu(machine, NULL);
	struct kvm_sregs sregs = raw_kvm_sregs(cpu);

	sregs.cr3 = PAGE_TABLES;
	sregs.cr4 = 0x40620; /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
	sregs.cr0 = 0x80050033;
	sregs.efer = 0xd00;
	sregs.cs = raw_kvm_code_64;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = raw_kvm_data;
	sregs.tr = task;
	sregs.ldt = none;
	sregs.gdt.base = GDT;
	sregs.gdt.limit = 63;
	sregs.idt.base = IDT;
	sregs.idt.limit = 0xfff;
	raw_kvm_set_sregs(cpu, &sregs);
	raw_kvm_require(!ioctl(cpu->fd, KVM_SET_MP_STATE, &runnable), "KVM_SET_MP_STATE");
}

void machine_create(struct raw_kvm *machine, uint64_t ram_size, bool irqchip)
{
	raw_kvm_create(machine);
	raw_kvm_require(!irqchip || !ioctl(machine->vm, KVM_CREATE_IRQCHIP, 0),
			"KVM_CREATE_IRQCHIP");
	raw_kvm_add_ram(machine, ram_size);
	put_tables(machine);
	put_descriptors(machine);
	memcpy(machine->ram + CODE, guest_code, (size_t)(guest_code_end - guest_code));
	for (unsigned int i = 0; i < 2; i++)
		cpu_create(machine);
}

void cpu_start(struct raw_vcpu *cpu, uint64_t rip, uint64_t rdi, uint64_t rsi, uint64_t rcx)
{
	const struct kvm_regs regs = {
		.rip = rip,
		.rdi = rdi,
		.rsi = rsi,
		.rcx = rcx,
		.rax = 0x5555,
		.rdx = 0x60,
		.rsp = STACK,
		.rflags = 2,
	};

	/* Complete the last exit now: otherwise KVM would complete it with the new registers. */
	cpu->run->immediate_exit = 1;
	ioctl(cpu->fd, KVM_RUN, 0);
	cpu->run->immediate_exit = 0;
	raw_kvm_set_regs(cpu, &regs);
}

enum {
	IDT_32 = 0x32000,
	TRAP_32 = 0x33000,
	VECTORS_32 = 32,
};

static void put_descriptors_32(struct raw_kvm *machine)
{
	static const uint8_t trap[] = {0xe6, PORT_TRAP, 0xf4};

	memcpy(machine->ram + TRAP_32, trap, sizeof(trap));
	for (unsigned int i = 0; i < VECTORS_32; i++)
		raw_kvm_put(machine, IDT_32 + i * 8,
			    (TRAP_32 & 0xffff) | (uint64_t)CODE_32 << 16 | UINT64_C(0x8e00) << 32 |
				    (uint64_t)(TRAP_32 >> 16) << 48);
	raw_kvm_put(machine, GDT + CODE_32, 0x00cf9b000000ffff);
	raw_kvm_put(machine, GDT + TASK_32, 0x0000890000000067 | (uint64_t)TSS_32 << 16);
	raw_kvm_put(machine, GDT + 24, word(machine, GDT + 24) | UINT64_C(2) << 40);
}

/* Takes the registers of vCPU 1, which must not have run: a shutdown may have reset those of vCPU 0. */
static struct kvm_sregs first_sregs(struct raw_kvm *machine)
{
	return raw_kvm_sregs(&machine->vcpu[1]);
}

void cpu_start_32(struct raw_kvm *machine, uint64_t rip, uint64_t rdi, uint64_t cr3, uint64_t cr4)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	struct kvm_sregs sregs = first_sregs(machine);

	put_descriptors_32(machine);
	cpu_start(cpu, rip, rdi, 0, 0);
	sregs.cr0 = 0x11;
	sregs.cr3 = cr3;
	sregs.cr4 = cr4;
	sregs.efer = 0;
	sregs.cs.selector = CODE_32;
	sregs.cs.l = 0;
	sregs.cs.db = 1;
	sregs.idt.base = IDT_32;
	sregs.idt.limit = VECTORS_32 * 8 - 1;
	raw_kvm_set_sregs(cpu, &sregs);
}

void cpu_end_32(struct raw_kvm *machine)
{
	struct kvm_sregs sregs = first_sregs(machine);

	/* In 64-bit mode the slot of CODE_32 is the upper half of the LDT's descriptor. */
	raw_kvm_put(machine, GDT + CODE_32, 0);
	raw_kvm_put(machine, GDT + TASK_32, 0);
	raw_kvm_set_sregs(&machine->vcpu[0], &sregs);
}

enum ending cpu_run(struct raw_vcpu *cpu)
{
	int r = ioctl(cpu->fd, KVM_RUN, 0);

	if (r < 0) {
		if (errno == EFAULT && cpu->run->exit_reason == KVM_EXIT_MEMORY_FAULT)
			return END_REFUSED;
		return END_OTHER;
	}
	if (cpu->run->exit_reason == KVM_EXIT_IO && cpu->run->io.port == PORT_DONE)
		return END_DONE;
	if (cpu->run->exit_reason == KVM_EXIT_IO && cpu->run->io.port == PORT_TRAP)
		return END_TRAP;
	return cpu->run->exit_reason == KVM_EXIT_REGISTER_WRITE ? END_WRITE : END_OTHER;
}

enum ending cpu_go(struct raw_kvm *machine, uint64_t rip, uint64_t rdi)
{
	cpu_start(&machine->vcpu[0], rip, rdi, 0, 0);
	return cpu_run(&machine->vcpu[0]);
}

struct kvm_regs cpu_regs(struct raw_vcpu *cpu)
{
	struct kvm_regs regs;

	raw_kvm_require(!ioctl(cpu->fd, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	return regs;
}

const struct kvm_access_exit *cpu_refused(struct raw_vcpu *cpu)
{
	return (const struct kvm_access_exit *)&cpu->run->hw;
}

const struct kvm_write_exit *cpu_write(struct raw_vcpu *cpu)
{
	return (const struct kvm_write_exit *)&cpu->run->hw;
}

bool was_refused(struct raw_vcpu *cpu, enum ending ending, uint64_t gpa, uint64_t access,
		 uint64_t rip)
{
	const struct kvm_access_exit *refused = cpu_refused(cpu);
	const uint64_t all = KVM_ACCESS_EXIT_READ | KVM_ACCESS_EXIT_WRITE | KVM_ACCESS_EXIT_EXEC |
			     KVM_ACCESS_EXIT_WALK;
	bool right = ending == END_REFUSED && refused->gpa == gpa &&
		     (refused->flags & all) == access && refused->size == PAGE - gpa % PAGE &&
		     cpu_regs(cpu).rip == rip;

	if (!right) {
		printf("# ending %d (reason %u, errno %d), gpa %#llx, flags %#llx, size %#llx, rip "
		       "%#llx; "
		       "not gpa %#llx, flags %#llx, rip %#llx\n",
		       (int)ending, cpu->run->exit_reason, errno, refused->gpa, refused->flags,
		       refused->size, cpu_regs(cpu).rip, (unsigned long long)gpa,
		       (unsigned long long)access, (unsigned long long)rip);
	}
	return right;
}

int set_range(struct raw_kvm *machine, uint64_t gpa, uint64_t size, uint32_t restrictions)
{
	struct kvm_access_range range = {gpa, size, restrictions, 0};

	return ioctl(machine->vm, KVM_SET_ACCESS_RANGE, &range) ? -errno : 0;
}

int set_pages(struct raw_kvm *machine, const uint64_t *pages, uint32_t count)
{
	struct kvm_access_pages list = {(uintptr_t)pages, count, 0};

	return ioctl(machine->vm, KVM_SET_ACCESS_PAGES, &list) ? -errno : 0;
}

int set_page(struct raw_kvm *machine, uint64_t gpa, uint32_t restrictions)
{
	uint64_t page = gpa / PAGE * PAGE | restrictions;

	return set_pages(machine, &page, 1);
}

uint64_t word(struct raw_kvm *machine, uint64_t gpa)
{
	uint64_t value;

	memcpy(&value, machine->ram + gpa, sizeof(value));
	return value;
}

static uint64_t stat_of(int owner, const char *name)
{
	int fd = ioctl(owner, KVM_GET_STATS_FD, 0);
	struct kvm_stats_header header = {0};
	uint64_t value = UINT64_MAX;

	raw_kvm_require(fd >= 0 && pread(fd, &header, sizeof(header), 0) == sizeof(header),
			"KVM_GET_STATS_FD");
	for (uint32_t i = 0; i < header.num_desc; i++) {
		_Alignas(struct kvm_stats_desc) char text[sizeof(struct kvm_stats_desc) + 256] = {
			0};
		size_t size = sizeof(struct kvm_stats_desc) + header.name_size;
		const struct kvm_stats_desc *desc = (const struct kvm_stats_desc *)text;

		if (pread(fd, text, size < sizeof(text) ? size : sizeof(text) - 1,
			  header.desc_offset + (off_t)(i * size)) < 0)
			break;
		if (!strcmp(desc->name, name) &&
		    pread(fd, &value, sizeof(value), header.data_offset + desc->offset) !=
			    sizeof(value))
			value = UINT64_MAX;
	}
	close(fd);
	return value;
}

uint64_t vm_stat(struct raw_kvm *machine, const char *name)
{
	return stat_of(machine->vm, name);
}

uint64_t cpu_stat(struct raw_vcpu *cpu, const char *name)
{
	return stat_of(cpu->fd, name);
}

double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
