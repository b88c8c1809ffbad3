/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts Linux by the 16-bit boot protocol, so that the kernel reads the memory map from the BIOS.
 *
 * The table of parts to load has (first sector, sectors, address), 32 bits each, and ends with zero
 * sectors. The disk is read by programmed I/O in protected mode, since it can address all of memory
 * and Bochs executes REP INSW in one step.
 */
	.set	DISK, 0x1f0		/* data; then errors, sectors, three bytes of the address, device, command */
	.set	DISK_CONTROL, 0x3f6
	.set	READ_SECTORS, 0x20
	.set	LBA_MASTER, 0xe0
	.set	STATUS_BUSY, 0x80
	.set	STATUS_DATA, 0x08
	.set	MOST_SECTORS, 128
	.set	KERNEL_SEGMENT, 0x9000
	.set	TABLE, 0x100		/* offset in this sector */

	.code16
	.globl	_start
_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	mov	$0x02, %al		/* no interrupts of the disk */
	mov	$DISK_CONTROL, %dx
	out	%al, %dx
	in	$0x92, %al		/* enables address line 20 */
	or	$0x02, %al
	out	%al, $0x92
	lgdtl	gdt_register
	mov	%cr0, %eax
	inc	%ax
	mov	%eax, %cr0
	ljmpl	$0x08, $flat

	.code32
flat:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$0x7c00, %esp
	cld
	mov	$_start + TABLE, %ebx
next:	mov	(%ebx), %esi		/* sector */
	mov	4(%ebx), %ebp		/* sectors that are left */
	mov	8(%ebx), %edi		/* address */
	add	$12, %ebx
	test	%ebp, %ebp
	jz	start

command:
	mov	$MOST_SECTORS, %ecx
	cmp	%ecx, %ebp
	cmovb	%ebp, %ecx
	sub	%ecx, %ebp
	mov	$DISK + 2, %edx
	mov	%cl, %al
	out	%al, %dx
	mov	%esi, %eax
	or	$LBA_MASTER << 24, %eax
	push	%ecx
	mov	$4, %ecx
address:
	inc	%edx
	out	%al, %dx
	shr	$8, %eax
	loop	address
	inc	%edx
	mov	$READ_SECTORS, %al
	out	%al, %dx
	pop	%ecx
	add	%ecx, %esi

sector:	in	%dx, %al
	and	$STATUS_BUSY | STATUS_DATA, %al
	cmp	$STATUS_DATA, %al
	jne	sector
	push	%ecx
	push	%edx
	mov	$DISK, %edx
	mov	$256, %ecx
	rep insw
	pop	%edx
	pop	%ecx
	loop	sector
	test	%ebp, %ebp
	jnz	command
	jmp	next

start:	ljmp	$0x18, $leave

	.code16
leave:	mov	$0x20, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	%cr0, %eax
	dec	%ax
	mov	%eax, %cr0
	ljmp	$0, $real
real:	mov	$KERNEL_SEGMENT, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %fs
	mov	%ax, %gs
	mov	%ax, %ss
	mov	$0x9800, %sp
	ljmp	$KERNEL_SEGMENT + 0x20, $0

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* 0x08: code, 32 bits, flat */
	.quad	0x00cf93000000ffff	/* 0x10: data */
	.quad	0x00009b000000ffff	/* 0x18: code, 16 bits, 64 KiB */
	.quad	0x000093000000ffff	/* 0x20: data */
gdt_register:
	.word	. - gdt - 1
	.long	gdt

	.org	TABLE
	.org	510
	.word	0xaa55
