/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A multiboot kernel for the tests of `vsm run`. The last character of its command line selects a command:
 *
 *   p prints and powers off               e ends by the debug exit with status 21 (10 << 1 | 1)
 *   r resets three times in three ways    z resets forever with VTL1 enabled: RAM must be zero after each reset
 *   t shuts down by a triple fault        c reports a crash with a text by the crash MSRs
 *   s prints, then halts forever          i echoes the input of the serial port, up to a q
 *   h raises a SINT by the Hyper-V test device and checks that its vector is in the local APIC
 *   f prints forever                      o prints 16,384 characters and ends immediately with status 1
 *   m checks its initial state, and prints memory size, loader and modules
 *   d prints to the debug console         x ends by the debug exit with status 255
 *   k counts forever: prints TICK and a number of four digits
 *   b prints the words at 0x40e and 0x413 of the BIOS data area
 */
#define SERIAL	    0x3f8
#define DEBUG_EXIT  0xf4
#define DEBUG_CONSOLE 0xe9
#define HV_TEST	    0x3000
#define SLEEP	    0x610
#define COUNTER	    0x800000 /* in RAM outside of the image: a reset keeps it, unless VTL1 is enabled */
#define VECTOR	    0x41

#define MSR_GUEST_OS_ID 0x40000000
#define MSR_HYPERCALL	0x40000001
#define MSR_RESET	0x40000003
#define MSR_SCONTROL	0x40000080
#define MSR_SINT2	0x40000092
#define MSR_CRASH_P0	0x40000100
#define MSR_CRASH_P3	0x40000103
#define MSR_CRASH_CTL	0x40000105

	.section .text.start, "ax"
	.code32
	.balign 4
header:
	.long 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
	.long header, header, _edata, _end, start

	.globl start
start:
	mov $stack_end, %esp
	mov %eax, magic
	pushf
	pop flags
	mov 16(%ebx), %esi /* command line */
	push %ebx
1:	lodsb
	test %al, %al
	jnz 1b
	mov -2(%esi), %bl

	cmp $'m', %bl
	je look
	cmp $'o', %bl
	je output
	cmp $'b', %bl
	je bios_data
	cmp $'d', %bl
	je debug_console
	cmp $'x', %bl
	je exit_255
	cmp $'p', %bl
	je print
	cmp $'e', %bl
	je debug_exit
	cmp $'r', %bl
	je resets
	cmp $'z', %bl
	je secret_resets
	cmp $'t', %bl
	je triple_fault
	cmp $'c', %bl
	je crash
	cmp $'s', %bl
	je stop
	cmp $'i', %bl
	je echo
	cmp $'h', %bl
	je sint
	cmp $'f', %bl
	je flood
	cmp $'k', %bl
	je count
	mov $1, %al
	jmp exit

print:
	mov $hello, %esi
	call puts
power_off:
	mov $SLEEP, %dx
	mov $(5 << 2 | 0x20), %al
	out %al, %dx
	jmp halt

debug_exit:
	mov $hello, %esi
	call puts
	mov $10, %al
exit:
	out %al, $DEBUG_EXIT
halt:
	cli
	hlt
	jmp halt

stop:
	mov $hello, %esi
	call puts
	jmp halt

flood:
	mov $hello, %esi
	call puts
	jmp flood

/* The number is in RAM, so that a restored machine continues to count. */
count:
	mov $tick, %esi
	call puts
	mov $tick_last, %edi
1:	incb (%edi)
	cmpb $'9', (%edi)
	jbe 2f
	movb $'0', (%edi)
	dec %edi
	cmpb $' ', (%edi)
	jne 1b
2:	mov $10000000, %ecx
3:	loop 3b
	jmp count

/* By MSR, port 0xcf9 and keyboard controller in turn. */
resets:
	mov COUNTER, %ebp
	incl COUNTER
	mov %ebp, %eax
	add $'0', %al
	call putc
	cmp $3, %ebp
	je power_off
	jmp reset

reset:
	cmp $0, %ebp
	je 2f
	cmp $1, %ebp
	je 3f
	mov $0xfe, %al
	out %al, $0x64
	jmp halt
2:	mov $MSR_RESET, %ecx
	mov $1, %eax
	xor %edx, %edx
	wrmsr
	jmp halt
3:	mov $0xcf9, %dx
	mov $6, %al
	out %al, %dx
	jmp halt

/* ---- initial state: multiboot 1, "I386 machine state" and "Boot information format" ---- */

	.macro	check letter, condition
	mov $\letter, %al
	j\condition wrong
	.endm

look:
	pop %ebx
	cmpl $0x2badb002, magic
	check 'a', ne
	mov %cr0, %ecx
	and $0x80000001, %ecx
	cmp $1, %ecx /* protected mode, no paging */
	check 'b', ne
	testl $0x20200, flags /* neither VM nor IF */
	check 'c', nz
	/* Flat segments: all of them reach the APIC's page. */
	mov 0xfee00030, %ecx
	cmp %es:0xfee00030, %ecx
	check 'd', ne
	cmp %fs:0xfee00030, %ecx
	check 'e', ne
	cmp %gs:0xfee00030, %ecx
	check 'f', ne
	cmp %ss:0xfee00030, %ecx
	check 'g', ne
	/* A20 is enabled: addresses that differ in bit 20 only are different RAM */
	movl $1, COUNTER
	movl $2, COUNTER + 0x100000
	cmpl $1, COUNTER
	check 'h', ne
	/* memory, command line, modules, memory map, name of the loader */
	mov (%ebx), %ecx
	and $0x24d, %ecx
	cmp $0x24d, %ecx
	check 'i', ne
	/* The memory map must have RAM from 1 MiB on, with the size of mem_upper. */
	mov 48(%ebx), %esi
	mov 44(%ebx), %ecx
	add %esi, %ecx
1:	cmp %ecx, %esi
	check 'j', ae
	cmpl $0x100000, 4(%esi)
	jne 2f
	cmpl $1, 20(%esi)
	jne 2f
	mov 12(%esi), %edx
	shr $10, %edx
	cmp 8(%ebx), %edx
	check 'k', ne
	jmp 3f
2:	add (%esi), %esi
	add $4, %esi
	jmp 1b
3:	mov $state_ok, %esi
	call puts
	mov 8(%ebx), %edx
	call hex
	mov $loader_is, %esi
	call puts
	mov 64(%ebx), %esi
	call puts
	mov 20(%ebx), %ecx
	mov 24(%ebx), %edi
4:	mov $module_is, %esi
	call puts
	mov 8(%edi), %esi
	call puts
	mov $':', %al
	call putc
	mov (%edi), %esi
5:	lodsb
	call putc
	cmp 4(%edi), %esi
	jae 6f
	cmp $'\n', %al
	jne 5b
6:	add $16, %edi
	loop 4b
	jmp power_off

wrong:
	call putc
	mov $is_wrong, %esi
	call puts
	jmp power_off

hex:
	push %ecx
	mov $8, %ecx
1:	rol $4, %edx
	mov %dl, %al
	and $15, %al
	add $'0', %al
	cmp $'9', %al
	jbe 2f
	add $('a' - '9' - 1), %al
2:	call putc
	loop 1b
	pop %ecx
	ret

bios_data:
	movzwl 0x40e, %edx
	call hex
	mov $' ', %al
	call putc
	movzwl 0x413, %edx
	call hex
	mov $'\n', %al
	call putc
	jmp power_off

output:
	mov $16384 / 16, %ecx
1:	mov $sixteen, %esi
	call puts
	loop 1b
	xor %eax, %eax
	jmp exit

debug_console:
	mov $hello, %esi
1:	lodsb
	test %al, %al
	jz power_off
	out %al, $DEBUG_CONSOLE
	jmp 1b

exit_255:
	mov $127, %al
	jmp exit

/* RAM is zero after each reset, so each start does the same, until the user ends the machine. */
secret_resets:
	cmpl $0, COUNTER
	jne 4f
	mov $'z', %al
	call putc
	incl COUNTER
	mov $MSR_GUEST_OS_ID, %ecx
	mov $1, %eax
	xor %edx, %edx
	wrmsr
	mov $MSR_HYPERCALL, %ecx
	mov $(hypercall_page + 1), %eax
	wrmsr
	/* HvCallEnablePartitionVtl, fast: EDX:EAX control, EBX:ECX partition, EDI:ESI VTL and flags */
	mov $0x1000d, %eax
	xor %edx, %edx
	mov $-1, %ebx
	mov $-1, %ecx
	xor %edi, %edi
	mov $1, %esi
	call hypercall_page
	mov %eax, %ebp
	add $'0', %al
	call putc
	test %ebp, %ebp
	jnz debug_exit
	mov $MSR_RESET, %ecx
	mov $1, %eax
	xor %edx, %edx
	wrmsr
	jmp halt
4:	mov $'!', %al
	call putc
	jmp debug_exit

triple_fault:
	lidt empty
	ud2

crash:
	mov $MSR_CRASH_P0, %ecx
	mov $0x12345678, %eax
	xor %edx, %edx
	wrmsr
	mov $MSR_CRASH_P3, %ecx
	mov $crash_text, %eax
	wrmsr
	inc %ecx
	mov $crash_text_end - crash_text, %eax
	wrmsr
	mov $MSR_CRASH_CTL, %ecx
	xor %eax, %eax
	mov $0xc0000000, %edx /* a notification with a text */
	wrmsr
	jmp halt

echo:
	mov $(SERIAL + 5), %dx
	in %dx, %al
	test $1, %al
	jz echo
	mov $SERIAL, %dx
	in %dx, %al
	cmp $'q', %al
	je power_off
	call putc
	jmp echo

sint:
	movl $0x1ff, 0xfee000f0 /* enables the APIC */
	mov $MSR_SCONTROL, %ecx
	mov $1, %eax
	xor %edx, %edx
	wrmsr
	mov $MSR_SINT2, %ecx
	mov $VECTOR, %eax
	wrmsr
	mov $HV_TEST, %dx
	mov $(3 << 16 | 2), %eax /* raises SINT 2 of VP 0, without effect: there is no route yet */
	out %eax, %dx
	mov 0xfee00220, %eax
	test %eax, %eax
	jnz debug_exit
	mov $(1 << 16 | 2), %eax /* creates the route */
	out %eax, %dx
	mov $(3 << 16 | 2), %eax
	out %eax, %dx
	mov 0xfee00220, %eax
	cmp $(1 << (VECTOR - 0x40)), %eax
	jne debug_exit
	jmp print

puts:
	lodsb
	test %al, %al
	jz 5f
	call putc
	jmp puts
5:	ret

putc:
	push %edx
	mov $SERIAL, %dx
	out %al, %dx
	pop %edx
	ret

	.data
tick:
	.ascii "TICK 000"
tick_last:
	.asciz "0\n"
hello:
	.asciz "HELLO-KERNEL\n"
crash_text:
	.ascii "panic\033[31m in\ntwo lines"
crash_text_end:
sixteen:
	.asciz "0123456789abcde\n"
state_ok:
	.asciz "STATE-OK UPPER "
loader_is:
	.asciz " LOADER "
module_is:
	.asciz "\nMODULE "
is_wrong:
	.asciz " IS-WRONG\n"
	.balign 4
magic:
	.long 0
flags:
	.long 0
empty:
	.word 0
	.long 0

	.bss
	.balign 4096
hypercall_page:
	.skip 4096
stack:
	.skip 4096
stack_end:
	.section .note.GNU-stack, "", @progbits
