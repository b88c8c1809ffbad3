/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/cpu.h"

	.text
	.code64

	.cfi_sections .debug_frame

/* 256 stubs of 16 bytes each: exceptions 8, 10-14, 17, 21, 29 and 30 come with an error code. */
	.balign 16
	.global entry_stubs
entry_stubs:
	vector = 0
	.rept	256
	.balign 16
	.if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
	.else
	push	$0
	.endif
	push	$vector
	jmp	common
	vector = vector + 1
	.endr

common:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	/* For backtraces into the interrupted code: RBP points to a struct interrupt_frame. */
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa	%rbp, 0
	.cfi_offset	%rbp, INTERRUPT_FRAME_RBP
	.cfi_offset	%rbx, INTERRUPT_FRAME_RBX
	.cfi_offset	%rip, INTERRUPT_FRAME_RIP
	.cfi_offset	%rsp, INTERRUPT_FRAME_RSP
	.irp	n, 12, 13, 14, 15
	.cfi_offset	%r\n, 8 * (15 - \n)
	.endr
	and	$~15, %rsp
	cld
	call	interrupt_entry
	mov	%rbp, %rsp
	.cfi_endproc
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

/* bool catch_call(function RDI, argument RSI): true if it returned through catch_return */
	.global catch_call
catch_call:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushfq
	mov	%rsp, %gs:CPU_CATCH_RSP
	mov	%rdi, %rax
	mov	%rsi, %rdi
	sub	$8, %rsp
	call	*%rax
	add	$8, %rsp
	xor	%eax, %eax
	jmp	1f

/* The exception handler resumes here, with the RSP that catch_call saved. */
	.global catch_return
catch_return:
	mov	%gs:CPU_CATCH_RSP, %rsp
	mov	$1, %eax
1:	movq	$0, %gs:CPU_CATCH_RSP
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
