/* SPDX-License-Identifier: BSD-2-Clause */
/* Labels *_at and *_end are at the instruction that accesses memory at RDI, and at the next one. RSI: a
 * second address, for instructions with two. */
	.macro	AT name, insn:vararg
	.global	op_\name, op_\name\()_at, op_\name\()_end
op_\name\()_at:
	\insn
op_\name\()_end:
	.endm

	.macro	OP name, insn:vararg
op_\name:
	xor	%eax, %eax
	mov	$1, %ecx
	mov	$2, %edx
	AT	\name, \insn
	ret
	.endm

	.text
	.code64
	OP	load8,		movb (%rdi), %al
	OP	load64,		mov (%rdi), %rax
	OP	load_sib,	mov 0x40(%rdi, %rcx, 8), %rax
	OP	store8,		movb %dl, (%rdi)
	OP	store64,	mov %rdx, (%rdi)
	OP	store_imm,	movl $0x12345678, 0x10(%rdi)
	OP	add,		addl %edx, 8(%rdi)
	OP	lock_inc,	lock incl (%rdi)
	OP	xchg,		xchg %rdx, (%rdi)
	OP	lock_cmpxchg,	lock cmpxchg %rdx, (%rdi)
	OP	load_sse,	movups (%rdi), %xmm7
	OP	store_sse,	movups %xmm7, 32(%rdi)
	OP	movnti,		movnti %rdx, (%rdi)
	OP	bt,		btsl $3, (%rdi)
	OP	test,		testb $1, (%rdi)
	OP	stosb,		stosb
	OP	fld,		fildl (%rdi)

	/* Rep string instructions: 64 bytes from RSI to RDI. */
op_rep_movsb:
	mov	$64, %ecx
	AT	rep_movsb,	rep movsb
	ret
op_rep_stosq:
	mov	$8, %ecx
	xor	%eax, %eax
	AT	rep_stosq,	rep stosq
	ret

	/* Stack instructions: RDI is the end of the stack to use. */
op_push:
	mov	%rsp, %rsi
	mov	%rdi, %rsp
	AT	push,		push %rsi
	mov	%rsi, %rsp
	ret
op_call:
	mov	%rsp, %rsi
	mov	%rdi, %rsp
	AT	call,		call 1f
1:	mov	%rsi, %rsp
	ret

	/* IN and OUT; after IN, EAX is returned. */
op_in:
	mov	%edi, %edx
	mov	$0x5a5a5a5a, %eax
	AT	in,		in %dx, %eax
	ret
op_out:
	mov	%edi, %edx
	mov	%esi, %eax
	AT	out,		out %eax, %dx
	ret
op_wrmsr:
	mov	%edi, %ecx
	mov	%rsi, %rax
	mov	%rsi, %rdx
	shr	$32, %rdx
	AT	wrmsr,		wrmsr
	ret

	/* Code for tests of execute rights, which copy it to a page: returns 7. */
	.global	op_code, op_code_end
op_code:
	mov	$7, %eax
	ret
op_code_end:

	.section .note.GNU-stack, "", @progbits
