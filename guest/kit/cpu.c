/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/cpu.h"

#include "kit/apic.h"
#include "kit/console.h"
#include "kit/memory.h"
#include "kit/x64.h"

#define GDT_ENTRIES 8

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

struct cpu *cpu_table[CPU_MAX][VTL_COUNT];
__attribute__((aligned(4096))) uint8_t cpu_idt[4096];
uint64_t cpu_image_base;

extern const uint8_t entry_stubs[];
extern void catch_return(void);
extern bool catch_call(catch_function *function, void *argument);
void interrupt_entry(struct interrupt_frame *frame);

static void fill_idt(void)
{
	struct gate *gate = (struct gate *)cpu_idt;

	for (unsigned int i = 0; i < 256; i++) {
		const uint64_t at = (uint64_t)entry_stubs + 16ull * i;

		gate[i] = (struct gate){.offset_low = (uint16_t)at,
					.selector = SELECTOR_CODE,
					.type = 0x8e,
					.offset_middle = (uint16_t)(at >> 16),
					.offset_high = (uint32_t)(at >> 32)};
	}
	/* #DF uses its own stack: the interrupted one may be invalid. */
	gate[8].ist = 1;
}

/* GDT: null, code, data, TSS (two entries), 32-bit code, data and code of user mode. */
static void fill_tables(struct cpu *cpu)
{
	uint64_t *gdt = (uint64_t *)cpu->gdt;
	const uint64_t tss = (uint64_t)cpu->tss;
	const uint64_t from_user = (uint64_t)memory_pages(1) + 4096;

	gdt[1] = 0x00af9b000000ffff;
	gdt[2] = 0x00cf93000000ffff;
	gdt[3] = 0x0000890000000067 | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	gdt[4] = tss >> 32;
	gdt[5] = 0x00cf9b000000ffff;
	gdt[6] = 0x00cff3000000ffff;
	gdt[7] = 0x00affb000000ffff;
	/* RSP0 at 4, IST1 at 36; no I/O bitmap: its offset is beyond the limit */
	__builtin_memcpy(cpu->tss + 4, &from_user, 8);
	*(uint64_t *)(void *)(cpu->tss + 36) = (uint64_t)memory_pages(1) + 4096;
	*(uint16_t *)(void *)(cpu->tss + 102) = 0x68;
}

struct cpu *cpu_prepare(uint32_t vp, uint8_t vtl)
{
	struct cpu *cpu = cpu_table[vp][vtl];

	if (cpu)
		return cpu;
	cpu = memory_pages((sizeof(*cpu) + 4095) / 4096);
	cpu->self = cpu;
	cpu->vp = vp;
	cpu->vtl = vtl;
	cpu->hypercall_input = memory_pages(1);
	cpu->hypercall_output = memory_pages(1);
	cpu->gdt = memory_pages(1);
	cpu->tss = memory_pages(1);
	cpu->stack_end = (uint8_t *)memory_pages(STACK_SIZE / 4096) + STACK_SIZE;
	fill_tables(cpu);
	if (!cpu_idt[5])
		fill_idt();
	cpu_table[vp][vtl] = cpu;
	return cpu;
}

static void enable_state(void)
{
	const struct cpuid one = cpuid(1, 0);

	write_cr0((read_cr0() & ~CR0_EM) | CR0_MP | CR0_NE | CR0_WP);
	write_cr4(read_cr4() | CR4_FXSR | CR4_XMM);
	if (one.ecx & 1u << 26) {
		write_cr4(read_cr4() | CR4_XSAVE);
		/* x87, SSE, and AVX if supported */
		write_xcr0(one.ecx & 1u << 28 ? 7 : 3);
	}
}

void cpu_load(struct cpu *cpu)
{
	const struct table_pointer gdt = {GDT_ENTRIES * 8 - 1, (uint64_t)cpu->gdt};
	const struct table_pointer idt = {sizeof(cpu_idt) - 1, (uint64_t)cpu_idt};

	__asm__ volatile("lgdt %0; lidt %1" : : "m"(gdt), "m"(idt) : "memory");
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS) : "memory");
	wrmsr(MSR_GS_BASE, (uint64_t)cpu);
	enable_state();
}

static _Noreturn void die_of_exception(const struct cpu *cpu, const struct interrupt_frame *frame)
{
	print("# unexpected exception %u (error 0x%lx) in VTL%u of VP%u\n",
	      (unsigned int)frame->vector, frame->error, cpu->vtl, cpu->vp);
	print("#   rip 0x%lx rsp 0x%lx rflags 0x%lx cr2 0x%lx\n", frame->rip, frame->rsp,
	      frame->rflags, read_cr2());
	print("#   rax 0x%lx rbx 0x%lx rcx 0x%lx rdx 0x%lx rsi 0x%lx rdi 0x%lx\n", frame->rax,
	      frame->rbx, frame->rcx, frame->rdx, frame->rsi, frame->rdi);
	machine_crash("exception %u (error 0x%lx) in VTL%u of VP%u: rip 0x%lx (image + 0x%lx), "
		      "cr2 0x%lx",
		      (unsigned int)frame->vector, frame->error, cpu->vtl, cpu->vp, frame->rip,
		      frame->rip - cpu_image_base, read_cr2());
}

void interrupt_entry(struct interrupt_frame *frame)
{
	struct cpu *cpu = cpu_current();
	const uint8_t vector = (uint8_t)frame->vector;

	cpu->interrupts[vector]++;
	if (cpu->handler[vector]) {
		cpu->handler[vector](frame);
		return;
	}
	if (vector >= 32) {
		apic_eoi();
		return;
	}
	if (!cpu->catch_rsp)
		die_of_exception(cpu, frame);
	cpu->fault = (struct fault){true, vector, (uint32_t)frame->error, frame->rip, read_cr2()};
	frame->rip = (uint64_t)catch_return;
	frame->cs = SELECTOR_CODE;
	frame->ss = SELECTOR_DATA;
	frame->rsp = cpu->catch_rsp;
	frame->rflags = RFLAGS_ONE;
}

bool catch_fault(struct fault *fault, catch_function *function, void *argument)
{
	struct cpu *cpu = cpu_current();

	cpu->fault = (struct fault){0};
	catch_call(function, argument);
	*fault = cpu->fault;
	return fault->taken;
}

struct user {
	const void *at;
	uint64_t argument;
};

static void enter_user(void *argument)
{
	const struct user *user = argument;
	struct cpu *cpu = cpu_current();

	/* IRET to CPL 3 sets a GS of DPL 0 to null, with its base, so do this before and set the base
	 * again. */
	__asm__ volatile("mov %0, %%gs" : : "r"(0));
	wrmsr(MSR_GS_BASE, (uint64_t)cpu);
	__asm__ volatile("push %0; push $0; push %1; push %2; push %3; iretq"
			 :
			 : "i"(SELECTOR_USER_DATA), "i"(RFLAGS_ONE), "i"(SELECTOR_USER_CODE),
			   "r"(user->at), "D"(user->argument)
			 : "memory");
	__builtin_unreachable();
}

struct fault cpu_run_user(const void *at, uint64_t argument)
{
	struct user user = {at, argument};
	struct fault fault;

	catch_fault(&fault, enter_user, &user);
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(SELECTOR_DATA));
	return fault;
}

struct access {
	volatile uint8_t *address;
	uint64_t value;
	uint32_t msr;
};

static int vector_of(catch_function *function, struct access *access)
{
	struct fault fault;

	return catch_fault(&fault, function, access) ? fault.vector : -1;
}

static void do_rdmsr(void *argument)
{
	struct access *access = argument;

	access->value = rdmsr(access->msr);
}

static void do_wrmsr(void *argument)
{
	const struct access *access = argument;

	wrmsr(access->msr, access->value);
}

static void do_read(void *argument)
{
	struct access *access = argument;

	access->value = *access->address;
}

static void do_write(void *argument)
{
	const struct access *access = argument;

	*access->address = (uint8_t)access->value;
}

int try_rdmsr(uint32_t msr, uint64_t *value)
{
	struct access access = {.msr = msr};
	const int vector = vector_of(do_rdmsr, &access);

	*value = access.value;
	return vector;
}

int try_wrmsr(uint32_t msr, uint64_t value)
{
	struct access access = {.msr = msr, .value = value};

	return vector_of(do_wrmsr, &access);
}

int try_read(const volatile void *address, uint8_t *value)
{
	struct access access = {.address = (volatile uint8_t *)(uintptr_t)address};
	const int vector = vector_of(do_read, &access);

	*value = (uint8_t)access.value;
	return vector;
}

int try_write(volatile void *address, uint8_t value)
{
	struct access access = {.address = address, .value = value};

	return vector_of(do_write, &access);
}
