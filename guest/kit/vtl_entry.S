/* SPDX-License-Identifier: BSD-2-Clause */
/* General registers except RSP are shared between VTLs: the code loads the other VTL's values before the
 * switch and saves them after it. RSP is private, so the stack remains valid. */
#include "kit/vtl.h"

	.text
	.code64

/* void vtl_call_stub(stub RDI): control input 0 in RCX; clobbers what the ABI permits */
	.global vtl_call_stub
vtl_call_stub:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	sub	$8, %rsp
	mov	%rdi, %rax
	xor	%ecx, %ecx
	call	*%rax
	add	$8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* uint64_t vtl_switch(gpr[16] RDI, stub RSI, control RDX): loads all general registers except RAX, RCX and
 * RSP from @gpr, calls @stub with RCX = control, and stores all except RSP afterwards. */
	.global vtl_switch
vtl_switch:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	push	%rsi /* the stub: called through the stack, as no register is free */
	mov	%rdx, %rcx
	mov	%rdi, %rax
	mov	16(%rax), %rdx
	mov	24(%rax), %rbx
	mov	40(%rax), %rbp
	mov	48(%rax), %rsi
	mov	56(%rax), %rdi
	mov	64(%rax), %r8
	mov	72(%rax), %r9
	mov	80(%rax), %r10
	mov	88(%rax), %r11
	mov	96(%rax), %r12
	mov	104(%rax), %r13
	mov	112(%rax), %r14
	mov	120(%rax), %r15
	call	*(%rsp)
	push	%rax
	mov	16(%rsp), %rax
	mov	%rcx, 8(%rax)
	mov	%rdx, 16(%rax)
	mov	%rbx, 24(%rax)
	mov	%rbp, 40(%rax)
	mov	%rsi, 48(%rax)
	mov	%rdi, 56(%rax)
	mov	%r8, 64(%rax)
	mov	%r9, 72(%rax)
	mov	%r10, 80(%rax)
	mov	%r11, 88(%rax)
	mov	%r12, 96(%rax)
	mov	%r13, 104(%rax)
	mov	%r14, 112(%rax)
	mov	%r15, 120(%rax)
	pop	%rcx
	mov	%rcx, (%rax)
	pop	%rsi
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	mov	%rcx, %rax
	ret

/* void vtl_first_entry(void): first instruction of a VTL. The lower VTL's registers are still loaded, so save
 * them to the stack for the C code. */
	.global vtl_first_entry
vtl_first_entry:
	sub	$128, %rsp
	mov	%rax, (%rsp)
	mov	%rcx, 8(%rsp)
	mov	%rdx, 16(%rsp)
	mov	%rbx, 24(%rsp)
	movq	$0, 32(%rsp)
	mov	%rbp, 40(%rsp)
	mov	%rsi, 48(%rsp)
	mov	%rdi, 56(%rsp)
	mov	%r8, 64(%rsp)
	mov	%r9, 72(%rsp)
	mov	%r10, 80(%rsp)
	mov	%r11, 88(%rsp)
	mov	%r12, 96(%rsp)
	mov	%r13, 104(%rsp)
	mov	%r14, 112(%rsp)
	mov	%r15, 120(%rsp)
	mov	%rsp, %rdi
	call	vtl_service_main
	ud2

	.section .note.GNU-stack, "", @progbits
