/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/apic.h"
#include "kit/console.h"
#include "kit/cpu.h"
#include "kit/kit.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/smp.h"
#include "kit/x64.h"

#define PIC_MASTER_MASK 0x21
#define PIC_SLAVE_MASK	0xa1

extern const uint8_t kit_image_end[];
void kit_start(uint32_t magic, uint64_t argument);

static void start_boot_processor(uint32_t magic, uint64_t information)
{
	wrmsr(MSR_GS_BASE, 0);
	if (!options_init(magic, information))
		machine_crash("not started by a multiboot 1 loader");
	if (option_has("console", "debug"))
		console_use_debug_port();
	memory_init((uint64_t)kit_image_end, options_memory_end);
	write_cr3(paging_create());
	cpu_load(cpu_prepare(0, 0));
	/* Masks the PIC, if present: its default vectors are those of exceptions. */
	outb(PIC_MASTER_MASK, 0xff);
	outb(PIC_SLAVE_MASK, 0xff);
	apic_enable();
	smp_start();
	machine_exit(kit_main());
}

/* @argument: multiboot information, or the index of a processor that smp_start() started. */
void kit_start(uint32_t magic, uint64_t argument)
{
	if (magic) {
		start_boot_processor(magic, argument);
		return;
	}
	cpu_load(cpu_prepare((uint32_t)argument, 0));
	smp_idle();
}
