// SPDX-License-Identifier: GPL-2.0-only
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "attack.h"

/* Writes through an alias of @seen, which is mapped read-only, and reads @seen back. */
static bool write_alias(const u8 *seen, struct attack_report *report)
{
	struct page *page = virt_to_page(__va(__pa_symbol((unsigned long)seen)));
	u8 *alias = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	const u8 old = READ_ONCE(*seen);
	bool through = false;

	if (!alias) {
		attack_report(report, "no mapping");
		return false;
	}
	alias += offset_in_page(seen);
	if (attack_write(alias, old ^ 1)) {
		through = READ_ONCE(*seen) != old;
		attack_write(alias, old);
		attack_report(report, "the byte %s", through ? "changed" : "stayed as it was");
	} else {
		attack_report(report, "#GP at the write");
	}
	vunmap(alias - offset_in_page(alias));
	return through;
}

bool attack_alias_text(struct attack_report *report)
{
	return write_alias((const u8 *)attack_text, report);
}

bool attack_alias_rodata(struct attack_report *report)
{
	return write_alias((const u8 *)attack_rodata, report);
}

/* The last page table of the loader, which VTL1 does not use after it has made its own. */
static u8 *region_page(void)
{
	return (u8 *)__va(attack_region) + (511ul << PAGE_SHIFT);
}

bool attack_read_region(struct attack_report *report)
{
	u8 value;
	const bool through = attack_read(region_page(), &value);

	attack_report(report, through ? "a byte read" : "#GP at the read");
	return through;
}

bool attack_write_region(struct attack_report *report)
{
	/* The byte is in a page table entry that is not present, so the write does no damage. */
	const bool through = attack_write(region_page() + PAGE_SIZE - 1, 0);

	attack_report(report, through ? "a byte written" : "#GP at the write");
	return through;
}
