/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts are off in VTL1, except in interrupts_window(); VTL1 waits only for requests of other VPs. */
#include "kit/secure/state.h"

#include "kit/hypercall.h"
#include "kit/x64.h"
#include "kit/secure/ring.h"

struct secure_state secure;

void secure_main(const uint64_t gpr[VTL_GPRS]);

void secure_log(uint16_t event, uint64_t address, uint64_t rip, uint64_t detail)
{
	const struct secure_kernel_log_entry entry = {.time = rdtsc(),
						      .event = event,
						      .vp = cpu_current()->vp,
						      .address = address,
						      .rip = rip,
						      .detail = detail};

	ring_add(secure.log, &secure.log_sequence, &entry);
}

static void serve(struct cpu *cpu, struct processor *processor)
{
	if (cpu->assist->vtl_control.entry_reason == HV_VTL_ENTRY_VTL_CALL) {
		request_serve(processor);
		return;
	}
	interrupts_window();
	intercept_handle(cpu);
}

/* First entry, by a VTL call, an intercept, or a start of the VP. VTL0's registers are in @gpr. */
void secure_main(const uint64_t gpr[VTL_GPRS])
{
	struct processor *processor;
	struct cpu *cpu;
	const uint8_t *back;

	boot_first();
	cpu = cpu_current();
	processor = &secure.processor[cpu->vp];
	__builtin_memcpy(processor->gpr, gpr, sizeof(processor->gpr));
	boot_processor(cpu);
	if (cpu->vp == 0)
		boot_others();
	back = hypercall_page[cpu->vtl] +
	       (register_own(HV_REGISTER_VSM_CODE_PAGE_OFFSETS) >> HV_VSM_CODE_PAGE_RETURN_SHIFT &
		0xfff);
	/* The assist page of the first VP was enabled after this entry, so it lacks the entry reason. */
	if (cpu->assist->vtl_control.entry_reason == HV_VTL_ENTRY_VTL_CALL ||
	    (cpu->vp == 0 && gpr[GPR_RCX] == HV_CALL_VTL_CALL))
		request_serve(processor);
	for (;;) {
		/* The VTL return uses RAX and RCX: the hypervisor loads VTL0's values from here. */
		cpu->assist->vtl_control.vtl_return_x64_rax = processor->gpr[GPR_RAX];
		cpu->assist->vtl_control.vtl_return_x64_rcx = processor->gpr[GPR_RCX];
		vtl_switch(processor->gpr, back, 0);
		serve(cpu, processor);
	}
}
