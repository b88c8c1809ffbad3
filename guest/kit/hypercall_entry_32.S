/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs without a fixed address cannot link the 32-bit absolute addresses of this object file. */
	.text
	.code64

/*
 * uint64_t hypercall_call_32(struct { u64 control, input, output } *RDI, page RSI): a hypercall
 * from 32-bit code. EDX:EAX is the input value, EBX:ECX and EDI:ESI are the parameters, EDX:EAX the
 * result (TLFS "Hypercall Interface"). Stack, code and page are below 4 GiB.
 */
	.global hypercall_call_32
hypercall_call_32:
	push	%rbx
	push	%rbp
	mov	%rsp, %rbp
	mov	%rsi, %r8
	mov	(%rdi), %eax
	mov	4(%rdi), %edx
	mov	8(%rdi), %ecx
	mov	12(%rdi), %ebx
	mov	16(%rdi), %esi
	mov	20(%rdi), %edi
	push	%r8 /* address of the page, for the call by 32-bit code */
	sub	$8, %rsp
	movl	$1f, (%rsp)
	movl	$0x28, 4(%rsp) /* SELECTOR_CODE_32 */
	ljmp	*(%rsp)
	.code32
1:	call	*8(%esp)
	ljmp	$0x08, $2f
	.code64
2:	mov	%rbp, %rsp
	mov	%eax, %eax
	shl	$32, %rdx
	or	%rdx, %rax
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
