/* SPDX-License-Identifier: BSD-2-Clause */
/* Start of a processor after a SIPI, copied to TRAMPOLINE. smp.c fills in the words at the end: page tables,
 * stack and processor index. */
#include "kit/smp.h"
#include "kit/x64.h"

#define AT(label) (TRAMPOLINE + (label) - trampoline_begin)

	.section .rodata
	.code16
	.global trampoline_begin, trampoline_end, trampoline_words
	.balign 16
trampoline_begin:
	cli
	cld
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	AT(gdt_pointer)
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$0x08, $AT(protected)

	.code32
protected:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	AT(word_tables), %ecx
	mov	AT(word_stack), %esp
	mov	AT(word_index), %esi
	xor	%edi, %edi /* no multiboot magic: not the boot processor */
	mov	$boot_to_64, %eax
	jmp	*%eax

	.balign 8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	AT(gdt)
	.balign 8
trampoline_words:
word_tables:
	.long	0
word_stack:
	.long	0
word_index:
	.long	0
trampoline_end:

	.section .note.GNU-stack, "", @progbits
