/* SPDX-License-Identifier: BSD-2-Clause */
/* State of a VP in one VTL, to which GS points; GS is private to a VTL. */
#ifndef KIT_CPU_H
#define KIT_CPU_H

#define CPU_CATCH_RSP	    8 /* offsets that entry.S uses */
#define INTERRUPT_FRAME_RBP 64
#define INTERRUPT_FRAME_RBX 104
#define INTERRUPT_FRAME_RIP 136
#define INTERRUPT_FRAME_RSP 160

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vsm/hv/hv.h>

#define CPU_MAX	   16
#define VTL_COUNT  3
#define STACK_SIZE 16384

struct interrupt_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct fault {
	bool taken;
	uint8_t vector;
	uint32_t error;
	uint64_t rip;
	uint64_t cr2;
};

typedef void interrupt_handler(struct interrupt_frame *frame);

struct cpu {
	struct cpu *self;
	uint64_t catch_rsp; /* 0 outside of catch_fault() */
	struct fault fault;
	uint32_t vp;
	uint8_t vtl;
	uint8_t *hypercall_input; /* a page each */
	uint8_t *hypercall_output;
	uint8_t *gdt; /* a page */
	uint8_t *tss; /* a page */
	uint8_t *stack_end;
	struct hv_vp_assist_page *assist;
	volatile struct hv_message_page *messages;
	volatile uint32_t interrupts[256]; /* number received, by vector */
	/* By vector: called after the interrupt is counted, instead of sending EOI; NULL: none. */
	interrupt_handler *handler[256];
};

_Static_assert(offsetof(struct cpu, catch_rsp) == CPU_CATCH_RSP, "entry.S");
_Static_assert(offsetof(struct interrupt_frame, r12) == 24 &&
		       offsetof(struct interrupt_frame, rbp) == INTERRUPT_FRAME_RBP &&
		       offsetof(struct interrupt_frame, rbx) == INTERRUPT_FRAME_RBX &&
		       offsetof(struct interrupt_frame, rip) == INTERRUPT_FRAME_RIP &&
		       offsetof(struct interrupt_frame, rsp) == INTERRUPT_FRAME_RSP,
	       "entry.S");

/* [VP][VTL]; NULL before cpu_prepare(). */
extern struct cpu *cpu_table[CPU_MAX][VTL_COUNT];

static inline struct cpu *cpu_current(void)
{
	struct cpu *cpu;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* Allocates the state of a VP in a VTL, without activating it. */
struct cpu *cpu_prepare(uint32_t vp, uint8_t vtl);

/* Makes @cpu current: loads GDT, TSS, IDT and GS; enables SSE and the features of XSAVE. */
void cpu_load(struct cpu *cpu);

/* The IDT, shared by all VPs and VTLs: one page with 256 gates. */
extern uint8_t cpu_idt[4096];

/* The load offset: a symbol's run-time address minus its address in the program's ELF file. */
extern uint64_t cpu_image_base;

/* Returns true if an exception ended function(argument), with the exception in @fault. Calls cannot be
 * nested. */
typedef void catch_function(void *argument);
bool catch_fault(struct fault *fault, catch_function *function, void *argument);

/* Runs the code at @at at CPL 3, without interrupts or a stack and with RDI = @argument, until an
 * exception. */
struct fault cpu_run_user(const void *at, uint64_t argument);

/* RDMSR, WRMSR, loads and stores. Return: the vector of the exception, or -1 if there was none. */
int try_rdmsr(uint32_t msr, uint64_t *value);
int try_wrmsr(uint32_t msr, uint64_t value);
int try_read(const volatile void *address, uint8_t *value);
int try_write(volatile void *address, uint8_t value);
#endif

#endif
