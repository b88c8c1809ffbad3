/* SPDX-License-Identifier: BSD-2-Clause */
/* GPAs that the tiny guests of kvm_guest.c and blocks.c share. */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#include <stdint.h>

#define MIB ((uint64_t)1 << 20)

enum {
	PAGE_TABLES = 0x1000,
	PAGE_TABLE_4M = 0x4000,
	GDT = 0x5000,
	IDT = 0x6000,
	TSS = 0x7000,
	CODE = 0x10000,
	STACK = 0x38000,
	DATA = 0x400000, /* mapped by small pages */
	PORT_TRAP = 0xee,
	PORT_DONE = 0x10,
};

/* The guests' code is one blob. GUEST(label) is the GPA at which the label is loaded. */
extern uint8_t guest_code[];
extern uint8_t guest_code_end[];
#define GUEST(label)                                              \
	__extension__({                                           \
		extern uint8_t label[];                           \
		(uint64_t) CODE + (uint64_t)(label - guest_code); \
	})

#endif
