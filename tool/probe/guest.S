/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs of the self-tests' guests: 64-bit code at CPL 0, copied to GUEST_CODE. Each ends in an
 * endless loop of exits.
 */
	/* struct guest_program: its length, then its code. */
	.macro program name
	.globl \name
	.hidden \name
	.balign 16
\name:
	.long	2f - 1f
1:
	.endm

	.macro done
	out	%al, $0x7e
	hlt
	jmp	1b
2:
	.endm

	.section .rodata

	program	guest_port_7e
	out	%al, $0x7e
	done

	program	guest_count
	out	%al, $0x7e
	inc	%rbx
	done

	program	guest_msr
	mov	$0x40000000, %ecx
	rdmsr
	wrmsr
	done

	program	guest_cpuid
	mov	$0x40000000, %eax
	cpuid
	done

	/* rdi: address of the APIC's version register */
	program	guest_apic
	mov	(%rdi), %eax
	inc	%eax
	mov	%eax, (%rdi)
	done

	program	guest_tsc
	rdtsc
	done

	program	guest_vmcall
	vmcall
	done

	program	guest_vmmcall
	vmmcall
	done

	program	guest_store
	mov	%rax, (%rdi)
	done

	program	guest_load
	mov	(%rdi), %rax
	done

	/* rsi: a device, rdi: memory. KVM emulates the instruction. */
	program	guest_copy
	movsq
	done

	program	guest_call
	call	*%rdi
	done

	.section .note.GNU-stack, "", @progbits
