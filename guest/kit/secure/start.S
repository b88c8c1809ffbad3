/* SPDX-License-Identifier: BSD-2-Clause */
/* vtl_service_main is defined here, so that the linker takes main.c's loop and not that of vtl.c.
 * vtl_first_entry (vtl_entry.S), the VTL's first instruction, calls it. */
	.text
	.code64
	.global vtl_service_main
vtl_service_main:
	jmp	secure_main

	.section .note.GNU-stack, "", @progbits
