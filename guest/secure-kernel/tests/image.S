/* SPDX-License-Identifier: BSD-2-Clause */
	.section .rodata
	.balign 4096
	.global	secure_image, secure_image_end
secure_image:
	.incbin	SECURE_IMAGE
secure_image_end:

	.section .note.GNU-stack, "", @progbits
