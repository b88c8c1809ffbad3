// SPDX-License-Identifier: GPL-2.0-only
/* Attacks on execute rights and control registers, which prevent that data runs as code. */
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>

#include "attack.h"

/* Writes code to a variable in the kernel's .data and calls it by an executable mapping. Without VTL1 only
 * page tables deny execution. */
bool attack_run_data(struct attack_report *report)
{
	static const u8 code[] = {0xb0, 0x2a, 0xc3}; /* mov $42, %al; ret */
	struct page *page = virt_to_page(__va(__pa_symbol((unsigned long)&loops_per_jiffy)));
	u8 *alias = vmap(&page, 1, VM_MAP, PAGE_KERNEL), *at;
	const unsigned long old = loops_per_jiffy;
	unsigned int level;
	pte_t *entry;
	u64 result;

	static_assert(sizeof(code) <= sizeof(loops_per_jiffy));
	entry = alias ? lookup_address((unsigned long)alias, &level) : NULL;
	if (!entry) {
		attack_report(report, "no mapping");
		return false;
	}
	/* vmap() makes no executable mapping. No TLB has the entry yet, so no flush is needed. */
	set_pte(entry, pte_mkexec(*entry));
	at = alias + offset_in_page(&loops_per_jiffy);
	memcpy(at, code, sizeof(code));
	result = attack_call(at);
	WRITE_ONCE(loops_per_jiffy, old);
	vunmap(alias);
	attack_report(report, result == 42 ? "own code in a variable of the kernel ran"
					   : "#GP at its first instruction");
	return result == 42;
}

/* Clears CR0.WP and CR4.SMEP and sets them again, on this CPU. */
bool attack_registers(struct attack_report *report)
{
	unsigned long flags, cr0, cr4;
	bool wp, smep;

	local_irq_save(flags);
	cr0 = read_cr0();
	attack_set_cr0(cr0 & ~X86_CR0_WP);
	wp = !(read_cr0() & X86_CR0_WP);
	if (wp)
		attack_set_cr0(cr0);
	cr4 = __read_cr4();
	attack_set_cr4(cr4 & ~X86_CR4_SMEP);
	smep = cr4 & X86_CR4_SMEP && !(__read_cr4() & X86_CR4_SMEP);
	if (smep)
		attack_set_cr4(cr4);
	local_irq_restore(flags);
	attack_report(report, "CR0.WP %s; CR4.SMEP %s", wp ? "off" : "stays on",
		      smep		   ? "off"
		      : cr4 & X86_CR4_SMEP ? "stays on"
					   : "not offered by this CPU");
	return wp || smep;
}
