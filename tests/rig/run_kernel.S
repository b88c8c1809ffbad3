/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A multiboot kernel for the tests of `vsm run`. The last character of its command line says what it does:
 *
 *   p prints and switches off             e ends by the debug exit with status 21 (10 << 1 | 1)
 *   r resets three times in three ways    z as r, with VTL1 enabled: RAM must be zero after each reset
 *   t shuts down by a triple fault        c tells of a crash by the crash MSRs
 *   s prints, then halts for ever         i sends back what it reads from the serial port, up to a q
 *   h raises a SINT by the Hyper-V test device and looks for its vector in the local APIC
 *   f prints for ever
 */
#define SERIAL	    0x3f8
#define DEBUG_EXIT  0xf4
#define HV_TEST	    0x3000
#define SLEEP	    0x610
#define COUNTER	    0x800000 /* RAM that no reset reaches */
#define VECTOR	    0x41

#define MSR_GUEST_OS_ID 0x40000000
#define MSR_HYPERCALL	0x40000001
#define MSR_RESET	0x40000003
#define MSR_SCONTROL	0x40000080
#define MSR_SINT2	0x40000092
#define MSR_CRASH_P0	0x40000100
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
	mov 16(%ebx), %esi /* command line */
1:	lodsb
	test %al, %al
	jnz 1b
	mov -2(%esi), %bl

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
	mov $1, %al
	jmp exit

/* ---- what it can do ---- */

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

/* A number for each start, and another way to reset each time. */
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

/* Each start finds RAM as the first one did, so that it goes on for ever: the user ends it. */
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
	mov $MSR_CRASH_CTL, %ecx
	xor %eax, %eax
	mov $0x80000000, %edx
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
	movl $0x1ff, 0xfee000f0 /* the APIC is on */
	mov $MSR_SCONTROL, %ecx
	mov $1, %eax
	xor %edx, %edx
	wrmsr
	mov $MSR_SINT2, %ecx
	mov $VECTOR, %eax
	wrmsr
	mov $HV_TEST, %dx
	mov $(3 << 16 | 2), %eax /* set SINT 2 of VP 0: there is no route yet */
	out %eax, %dx
	mov 0xfee00220, %eax
	test %eax, %eax
	jnz debug_exit
	mov $(1 << 16 | 2), %eax /* create the route */
	out %eax, %dx
	mov $(3 << 16 | 2), %eax
	out %eax, %dx
	mov 0xfee00220, %eax
	cmp $(1 << (VECTOR - 0x40)), %eax
	jne debug_exit
	jmp print

/* ---- */

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
hello:
	.asciz "HELLO-KERNEL\n"
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
