/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests.h"

#include "kit/apic.h"
#include "kit/cpu.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/x64.h"

#define IPI_VECTOR 0x61

static void all_processors_run(void)
{
	if (option_text("cpus"))
		expect_equal(smp_count, option_number("cpus", 0));
	expect(smp_count >= 1);
}

static void note_id(void *argument)
{
	uint32_t *ids = argument;

	ids[cpu_current()->vp] = apic_id() + 1;
}

static void each_runs_where_it_should(void)
{
	uint32_t ids[CPU_MAX] = {0};

	smp_run_all(note_id, ids);
	for (uint32_t vp = 0; vp < smp_count; vp++)
		expect_equal(ids[vp], smp_apic_id[vp] + 1);
}

static void undefined(void *argument)
{
	__asm__ volatile("ud2");
}

static void exceptions_are_caught(void)
{
	struct fault fault;
	uint64_t value;
	uint8_t byte;

	expect(catch_fault(&fault, undefined, NULL));
	expect_equal(fault.vector, VECTOR_UD);
	expect(fault.rip != 0);
	expect_equal(try_read((const void *)0x8000000000000000, &byte), VECTOR_GP);
	expect_equal(try_write((void *)0x8000000000000000, 0), VECTOR_GP);
	expect_equal(try_rdmsr(MSR_EFER, &value), -1);
	expect(value & EFER_LMA);
}

static void page_faults_report_their_address(void)
{
	uint8_t *page = memory_pages(1);
	uint64_t *entry = paging_entry(read_cr3(), page);
	uint8_t value = 0;

	page[5] = 42;
	*entry &= ~PTE_PRESENT;
	invlpg(page);
	expect_equal(try_read(page + 5, &value), VECTOR_PF);
	expect_equal(read_cr2(), (uint64_t)page + 5);
	*entry = (*entry | PTE_PRESENT) & ~PTE_WRITABLE;
	invlpg(page);
	expect_equal(try_read(page + 5, &value), -1);
	expect_equal(value, 42);
	expect_equal(try_write(page + 5, 1), VECTOR_PF);
	*entry |= PTE_WRITABLE;
	invlpg(page);
	expect_equal(try_write(page + 5, 1), -1);
	expect_equal(page[5], 1);
}

static void ipis_arrive(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		volatile uint32_t *count = &cpu_table[vp][0]->interrupts[IPI_VECTOR];
		const uint32_t before = *count;

		apic_send(smp_apic_id[vp], APIC_FIXED | IPI_VECTOR);
		if (vp == 0)
			interrupts_window();
		expect(wait_for(*count == before + 1));
	}
}

static const struct tap_case cases[] = {
	{"all processors run", all_processors_run},
	{"work for a processor is done by that processor", each_runs_where_it_should},
	{"an exception that is expected ends the function that raised it", exceptions_are_caught},
	{"a page fault has its address, and page tables that change take effect",
	 page_faults_report_their_address},
	{"an IPI arrives once at the processor that it names", ipis_arrive},
};

TAP_TOPIC(topic_machine, NULL, cases);
