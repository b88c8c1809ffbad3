/* SPDX-License-Identifier: BSD-2-Clause */
/* Labels *_at and *_end are at the instruction that accesses memory at RDI, and at the next one. RSI: a
 * second address, for instructions with two. */
	.macro	OP name, insn:vararg
	.global	op_\name, op_\name\()_at, op_\name\()_end
op_\name:
	xor	%eax, %eax
	mov	$1, %ecx
	mov	$2, %edx
op_\name\()_at:
	\insn
op_\name\()_end:
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
	.global	op_rep_movsb, op_rep_movsb_at, op_rep_movsb_end
op_rep_movsb:
	mov	$64, %ecx
op_rep_movsb_at:
	rep movsb
op_rep_movsb_end:
	ret
	.global	op_rep_stosq, op_rep_stosq_at, op_rep_stosq_end
op_rep_stosq:
	mov	$8, %ecx
	xor	%eax, %eax
op_rep_stosq_at:
	rep stosq
op_rep_stosq_end:
	ret

	/* Stack instructions: RDI is the end of the stack to use. */
	.global	op_push, op_push_at, op_push_end
op_push:
	mov	%rsp, %rsi
	mov	%rdi, %rsp
op_push_at:
	push	%rsi
op_push_end:
	mov	%rsi, %rsp
	ret
	.global	op_call, op_call_at, op_call_end
op_call:
	mov	%rsp, %rsi
	mov	%rdi, %rsp
op_call_at:
	call	1f
op_call_end:
1:	mov	%rsi, %rsp
	ret

	/* IN and OUT; after IN, EAX is returned. */
	.global	op_in, op_in_at, op_in_end, op_out, op_out_at, op_out_end
op_in:
	mov	%edi, %edx
	mov	$0x5a5a5a5a, %eax
op_in_at:
	in	%dx, %eax
op_in_end:
	ret
op_out:
	mov	%edi, %edx
	mov	%esi, %eax
op_out_at:
	out	%eax, %dx
op_out_end:
	ret
	.global	op_rdmsr, op_rdmsr_at, op_rdmsr_end, op_wrmsr, op_wrmsr_at, op_wrmsr_end
op_rdmsr:
	mov	%edi, %ecx
	mov	$0x11, %eax
	mov	$0x22, %edx
op_rdmsr_at:
	rdmsr
op_rdmsr_end:
	shl	$32, %rdx
	or	%rdx, %rax
	ret
op_wrmsr:
	mov	%edi, %ecx
	mov	%rsi, %rax
	mov	%rsi, %rdx
	shr	$32, %rdx
op_wrmsr_at:
	wrmsr
op_wrmsr_end:
	ret
	.global	op_cpuid, op_cpuid_at, op_cpuid_end
op_cpuid:
	push	%rbx
	mov	%edi, %eax
	xor	%ecx, %ecx
op_cpuid_at:
	cpuid
op_cpuid_end:
	pop	%rbx
	ret

	/* Code for tests of execute rights, which copy it to a page: returns 7. */
	.global	op_code, op_code_end
op_code:
	mov	$7, %eax
	ret
op_code_end:

	.section .note.GNU-stack, "", @progbits
