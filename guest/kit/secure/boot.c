/* SPDX-License-Identifier: BSD-2-Clause */
/* From the initial VP context to a VTL1 whose memory VTL0 cannot access. */
#include "kit/secure/state.h"

#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#define SINT0_VECTOR	 0x50
#define RELOCATION_BASED 8 /* R_X86_64_RELATIVE */

struct relocation {
	uint64_t offset, type, addend;
};

extern const struct relocation image_relocations[], image_relocations_end[];
void vtl_first_entry(void);

/* Stack of the first VP, never freed. secure.ld has the same size. */
extern uint8_t boot_stack[8192];
__attribute__((aligned(16))) uint8_t boot_stack[8192];

/* The image is linked at 0: relocate its absolute addresses. */
static void relocate(uint64_t base)
{
	for (const struct relocation *at = image_relocations; at < image_relocations_end; at++)
		if (at->type == RELOCATION_BASED)
			*(uint64_t *)(base + at->offset) = base + at->addend;
}

static void take_interrupt(struct interrupt_frame *frame)
{
	(void)frame;
	wrmsr(HV_X64_MSR_EOI, 0);
}

static struct cpu *prepare(uint32_t vp)
{
	struct cpu *cpu = cpu_prepare(vp, 1);

	cpu->assist = memory_pages(1);
	cpu->messages = memory_pages(1);
	secure.processor[vp].in = memory_pages(1);
	secure.processor[vp].out = memory_pages(1);
	for (uint32_t vector = 32; vector < 256; vector++)
		cpu->handler[vector] = take_interrupt;
	return cpu;
}

/* Like cpu_load(), but without SSE and XSAVE: VTL1 uses neither, and XCR0 is shared with VTL0. */
static void load(struct cpu *cpu)
{
	const struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} gdt = {6 * 8 - 1, (uint64_t)cpu->gdt}, idt = {sizeof(cpu_idt) - 1, (uint64_t)cpu_idt};

	__asm__ volatile("lgdt %0; lidt %1; ltr %w2"
			 :
			 : "m"(gdt), "m"(idt), "r"(SELECTOR_TSS)
			 : "memory");
	wrmsr(MSR_GS_BASE, (uint64_t)cpu);
}

void boot_first(void)
{
	const uint64_t base = (uint64_t)image_begin;
	struct cpu *cpu;

	if (secure.booted)
		return;
	relocate(base);
	cpu_image_base = base;
	secure.base = base;
	secure.address_limit = 1ull << (cpuid(0x80000008, 0).eax & 0xff);
	memory_init((uint64_t)image_end,
		    base + SECURE_KERNEL_REGION - SECURE_KERNEL_TABLES * PAGE_SIZE);
	secure.log = memory_pages(SECURE_KERNEL_LOG_PAGES);
	secure.policy = memory_pages(1);
	paging_make();
	cpu = prepare((uint32_t)rdmsr(HV_X64_MSR_VP_INDEX));
	load(cpu);
	secure.booted = true;
}

static bool protect_own(uint64_t from, uint64_t to, enum policy_kind kind)
{
	const uint64_t pages = (to - from) / PAGE_SIZE;

	if (vtl_protect(from, pages, guest_rights(kind)) != HV_STATUS_SUCCESS)
		return false;
	policy_add_own(secure.policy, from, pages, kind);
	return true;
}

/* Permits VTL0 to read the log. Denies execution if the hypervisor can deny it and permit reads. */
static bool open_log(uint64_t from, uint64_t to)
{
	secure.denies_execute = protect_own(from, to, POLICY_CONSTANT);
	return secure.denies_execute || protect_own(from, to, POLICY_CODE);
}

/* Sets the partition config. The hypervisor refuses a later change, except that of @more. */
static bool set_config(uint64_t more)
{
	return register_set_u64(
		       HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_PARTITION_CONFIG,
		       HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION |
			       (uint64_t)guest_rights(POLICY_KINDS)
				       << HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_SHIFT |
			       HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET | more) ==
	       HV_STATUS_SUCCESS;
}

/* When VTL1 has run on all VPs, VTL0 must not start a VP with other control registers, which no intercept
 * reports. */
static void deny_starts(void)
{
	if (secure.vps_enabled && secure.vps_ready == secure.vps &&
	    !set_config(HV_VSM_PARTITION_CONFIG_DENY_LOWER_VTL_STARTUP))
		secure.failed = true;
}

/* Denies VTL0 access to VTL1's region, except reading the log. Needs hypercall_enable(). */
static bool close_region(void)
{
	const uint64_t log = (uint64_t)secure.log;
	const uint64_t log_end = log + SECURE_KERNEL_LOG_PAGES * PAGE_SIZE;

	return set_config(0) && protect_own(secure.base, log, POLICY_PRIVATE) &&
	       open_log(log, log_end) &&
	       protect_own(log_end, secure.base + SECURE_KERNEL_REGION, POLICY_PRIVATE);
}

/* Makes a VP enter VTL1 for intercepts, before VTL0's next instruction, which may already be denied. */
static bool open_synic(const struct cpu *cpu)
{
	const struct {
		uint32_t name;
		uint64_t value;
	} registers[] = {
		{HV_REGISTER_VP_ASSIST_PAGE, (uint64_t)cpu->assist | HV_PAGE_MSR_ENABLE},
		{HV_REGISTER_SIPP, (uint64_t)cpu->messages | HV_PAGE_MSR_ENABLE},
		{HV_REGISTER_SINT0, SINT0_VECTOR},
		{HV_REGISTER_SCONTROL, HV_SYNIC_SCONTROL_ENABLE},
	};

	for (uint32_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		if (register_set_u64(cpu->vp, 0, registers[i].name, registers[i].value) !=
		    HV_STATUS_SUCCESS)
			return false;
	return true;
}

void boot_processor(struct cpu *cpu)
{
	struct processor *processor = &secure.processor[cpu->vp];
	const bool first = !hypercall_page[1];

	hypercall_enable();
	if (first)
		paging_set(hypercall_page[1], false, true);
	lock_take(&secure.lock);
	if (first) {
		secure.vps = 1;
		secure.failed = !open_synic(cpu) || !close_region();
		secure.watches_registers = true;
		if (!secure.failed && secure_program.start)
			secure_program.start(image_header.seed);
		secure_log(SECURE_KERNEL_EVENT_BOOT, secure.base, 0, SECURE_KERNEL_REGION);
	}
	secure.watches_registers &= intercept_watch_registers();
	processor->ready = 1;
	secure.vps_ready++;
	deny_starts();
	secure_log(SECURE_KERNEL_EVENT_VP, 0, 0, 0);
	lock_drop(&secure.lock);
}

/* Control registers and PAT are those of the first VP. */
static void context_of(struct hv_initial_vp_context *context, struct cpu *cpu)
{
	vtl_context(context, cpu, vtl_first_entry, secure.tables);
	context->efer = rdmsr(MSR_EFER);
	context->cr0 = read_cr0();
	context->cr4 = read_cr4();
	context->pat = rdmsr(MSR_PAT);
}

/* Only VTL1 can enable VTL1 on the other VPs. If there are more than CPU_MAX VPs, some would lack VTL1, and
 * the secure kernel refuses all requests. */
void boot_others(void)
{
	uint16_t status = HV_STATUS_SUCCESS;

	lock_take(&secure.lock);
	for (uint32_t vp = 1; status == HV_STATUS_SUCCESS; vp++) {
		struct hv_enable_vp_vtl_input input = {
			.partition_id = HV_PARTITION_ID_SELF, .vp_index = vp, .target_vtl = 1};
		union hv_register_value value;
		struct cpu *cpu;

		status = register_get(vp, input_vtl(0), HV_REGISTER_VSM_VP_STATUS, &value);
		/* INVALID_VP_INDEX: the last VP was done. Success at CPU_MAX: there are more VPs. */
		if (status != HV_STATUS_SUCCESS || vp == CPU_MAX)
			break;
		cpu = prepare(vp);
		context_of(&input.context, cpu);
		status = hypercall(HV_CALL_ENABLE_VP_VTL, &input, sizeof(input), NULL, 0);
		if (status != HV_STATUS_SUCCESS)
			break;
		secure.vps++;
		secure.failed |= !open_synic(cpu);
	}
	if (status != HV_STATUS_INVALID_VP_INDEX)
		secure.failed = true;
	secure.vps_enabled = true;
	deny_starts();
	lock_drop(&secure.lock);
}
