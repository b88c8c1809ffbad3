/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The start-up object of a secure kernel: of the two programs for VTL1 in the kit, main.c's is
 * linked. The VTL's first instruction is vtl_first_entry (vtl_entry.S), which calls this.
 */
	.text
	.code64
	.global vtl_service_main
vtl_service_main:
	jmp	secure_main

	.section .note.GNU-stack, "", @progbits
