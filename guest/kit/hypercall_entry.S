/* SPDX-License-Identifier: BSD-2-Clause */
	.text
	.code64

/* uint64_t hypercall_call(control RDI, rdx RSI, r8 RDX, page RCX) */
	.global hypercall_call
hypercall_call:
	mov	%rcx, %rax
	mov	%rdx, %r8
	mov	%rdi, %rcx
	mov	%rsi, %rdx
	sub	$8, %rsp
	call	*%rax
	add	$8, %rsp
	ret

/* uint64_t hypercall_call_block(control RDI, uint64_t block[14] RSI, page RDX) */
	.global hypercall_call_block
hypercall_call_block:
	push	%rbx
	mov	%rsi, %rbx
	mov	%rdx, %rax
	mov	%rdi, %rcx
	mov	(%rbx), %rdx
	mov	8(%rbx), %r8
	movups	16(%rbx), %xmm0
	movups	32(%rbx), %xmm1
	movups	48(%rbx), %xmm2
	movups	64(%rbx), %xmm3
	movups	80(%rbx), %xmm4
	movups	96(%rbx), %xmm5
	call	*%rax
	mov	%rdx, (%rbx)
	mov	%r8, 8(%rbx)
	movups	%xmm0, 16(%rbx)
	movups	%xmm1, 32(%rbx)
	movups	%xmm2, 48(%rbx)
	movups	%xmm3, 64(%rbx)
	movups	%xmm4, 80(%rbx)
	movups	%xmm5, 96(%rbx)
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
