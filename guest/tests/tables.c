/* SPDX-License-Identifier: BSD-2-Clause */
/* Protections against implicit accesses of the CPU: stacks, page tables, descriptor tables, TSS. */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/memory.h"
#include "kit/x64.h"
#include "ops.h"

#define READ_EXECUTE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)

static uint32_t breakpoints;

static void on_breakpoint(struct interrupt_frame *frame)
{
	breakpoints++;
}

/* Expects one intercept while @act uses the page. VTL1 then permits the access. */
static void stopped(const void *page, uint32_t flags, catch_function *act, void *argument)
{
	const uint32_t count = intercepts();
	const struct hv_x64_memory_intercept_message *memory;

	if (!expect_equal(protect(page, flags), HV_STATUS_SUCCESS))
		return;
	on_intercept(vtl_allow, NULL);
	act(argument);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 1);
	memory = (const void *)last_intercept()->payload;
	expect_equal(last_intercept()->message_type, HV_MESSAGE_TYPE_GPA_INTERCEPT);
	expect_equal(memory->guest_physical_address & ~4095ull, (uint64_t)page & ~4095ull);
	expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

static void breakpoint(void *argument)
{
	__asm__ volatile("int3");
}

static void undefined_caught(void *argument)
{
	struct fault fault;

	expect(catch_fault(&fault, breakpoint, argument));
	expect_equal(fault.vector, VECTOR_BP);
}

static void idt_is_guarded(void)
{
	struct cpu *cpu = cpu_current();

	breakpoints = 0;
	cpu->handler[VECTOR_BP] = on_breakpoint;
	stopped(cpu_idt, 0, breakpoint, NULL);
	cpu->handler[VECTOR_BP] = NULL;
	expect_equal(breakpoints, 1);
	stopped(cpu_idt, 0, undefined_caught, NULL);
}

static void load_segment(void *argument)
{
	__asm__ volatile("mov %0, %%es" : : "r"(SELECTOR_DATA) : "memory");
}

static void gdt_is_guarded(void)
{
	stopped(cpu_current()->gdt, 0, load_segment, NULL);
}

/* A gate with an IST makes the CPU read the TSS. */
static void tss_is_guarded(void)
{
	struct cpu *cpu = cpu_current();

	breakpoints = 0;
	cpu->handler[VECTOR_BP] = on_breakpoint;
	cpu_idt[VECTOR_BP * 16 + 4] = 1;
	stopped(cpu->tss, 0, breakpoint, NULL);
	cpu_idt[VECTOR_BP * 16 + 4] = 0;
	cpu->handler[VECTOR_BP] = NULL;
	expect_equal(breakpoints, 1);
}

static void push(void *argument)
{
	op_push((uint64_t)argument, 0);
}

static void call(void *argument)
{
	op_call((uint64_t)argument, 0);
}

static void stack_is_guarded(void)
{
	uint8_t *page = memory_pages(1);

	stopped(page, READ_EXECUTE, push, page + PAGE_SIZE);
	stopped(page, 0, call, page + PAGE_SIZE);
}

/* The IST stack, which nothing else uses, may not be written. */
static void exception_stack_is_guarded(void)
{
	struct cpu *cpu = cpu_current();
	uint8_t *page = memory_pages(1);
	uint64_t *ist2 = (uint64_t *)(void *)(cpu->tss + 44);

	*ist2 = (uint64_t)page + PAGE_SIZE;
	breakpoints = 0;
	cpu->handler[VECTOR_BP] = on_breakpoint;
	cpu_idt[VECTOR_BP * 16 + 4] = 2;
	stopped(page, READ_EXECUTE, breakpoint, NULL);
	cpu_idt[VECTOR_BP * 16 + 4] = 0;
	cpu->handler[VECTOR_BP] = NULL;
	expect_equal(breakpoints, 1);
}

static void load(void *argument)
{
	expect_equal(op_load8((uint64_t)argument, 0), 0x77);
}

static void store(void *argument)
{
	op_store8((uint64_t)argument, 0);
}

static void page_tables_are_guarded(void)
{
	uint8_t *page = memory_pages(1);
	uint64_t *entry = paging_entry(read_cr3(), page);

	page[0] = 0x77;
	/* The walk reads the entry ... */
	invlpg(page);
	stopped(entry, 0, load, page);
	/* ... and writes it, to set the accessed and the dirty bit. */
	*entry &= ~(PTE_ACCESSED | PTE_DIRTY);
	invlpg(page);
	stopped(entry, READ_EXECUTE, store, page);
	expect(*entry & PTE_DIRTY);
	expect_equal(page[0], 2);
}

static void faults_stay_faults(void)
{
	uint8_t *page = memory_pages(1);
	uint64_t *entry = paging_entry(read_cr3(), page);
	const uint32_t count = intercepts();
	uint8_t value;

	/* An access that page tables deny causes no intercept. */
	expect_equal(protect(page, 0), HV_STATUS_SUCCESS);
	*entry &= ~PTE_PRESENT;
	invlpg(page);
	expect_equal(try_read(page, &value), VECTOR_PF);
	*entry |= PTE_PRESENT;
	invlpg(page);
	expect_equal(intercepts(), count);
	expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

static const struct tap_case cases[] = {
	{"an IDT without access stops an exception and INT3, which are then delivered once",
	 idt_is_guarded},
	{"a GDT without access stops the load of a segment register", gdt_is_guarded},
	{"a TSS without access stops an exception that changes stacks", tss_is_guarded},
	{"a stack that may not be written stops PUSH and CALL", stack_is_guarded},
	{"a stack that may not be written stops the delivery of an exception",
	 exception_stack_is_guarded},
	{"page tables without access stop the walk, without write access the dirty bit",
	 page_tables_are_guarded},
	{"an access that page tables deny is a page fault", faults_stay_faults},
};

TAP_TOPIC(topic_tables, needs_vtl1, cases);
