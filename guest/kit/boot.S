/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry from a multiboot 1 loader (32-bit protected mode, no paging, EAX magic, EBX information): enters
 * 64-bit mode with the first 4 GiB identity-mapped and calls kit_start(). */
#include "kit/x64.h"

#define MAGIC 0x1badb002
#define FLAGS 0x00000003 /* page-aligned modules, memory information */

	.section .multiboot, "a"
	.balign 4
	.long MAGIC, FLAGS, -(MAGIC + FLAGS)

	.text
	.code32
	.global _start
_start:
	cli
	cld
	mov	$boot_stack_end, %esp
	mov	%eax, %edi
	mov	%ebx, %esi
	/* PML4[0] -> PDPT -> 4 page directories of 2 MiB pages */
	movl	$boot_pdpt + 3, boot_pml4
	movl	$boot_directory + 3, boot_pdpt
	movl	$boot_directory + 4096 + 3, boot_pdpt + 8
	movl	$boot_directory + 8192 + 3, boot_pdpt + 16
	movl	$boot_directory + 12288 + 3, boot_pdpt + 24
	xor	%ecx, %ecx
	mov	$0x83, %eax
1:	mov	%eax, boot_directory(, %ecx, 8)
	add	$0x200000, %eax
	inc	%ecx
	cmp	$2048, %ecx
	jne	1b
	mov	$boot_pml4, %ecx
	/* EDI and ESI have the arguments of kit_start(), ECX the page tables, ESP a stack. */

	.global boot_to_64
boot_to_64:
	lgdt	boot_gdt_pointer
	mov	%ecx, %cr3
	mov	$0x20, %eax /* PAE */
	mov	%eax, %cr4
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$0x100, %eax /* LME */
	wrmsr
	mov	%cr0, %eax
	and	$~0x6000000c, %eax /* clear CD, NW, EM, TS */
	or	$0x80010033, %eax  /* PG WP NE ET MP PE */
	mov	%eax, %cr0
	ljmp	$SELECTOR_CODE, $1f

	.code64
1:	mov	$SELECTOR_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%esp, %esp
	mov	%edi, %edi
	mov	%esi, %esi
	call	kit_start
2:	cli
	hlt
	jmp	2b

	.section .rodata
	.balign 8
boot_gdt:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
	.word	. - boot_gdt - 1
	.long	boot_gdt, 0

	.bss
	.balign 4096
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_directory:
	.skip	4 * 4096
	.skip	8192
boot_stack_end:

	.section .note.GNU-stack, "", @progbits
