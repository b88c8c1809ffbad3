/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest of walk_diff.c makes all accesses of a list in one KVM_RUN. Its loop exists as 64-bit and as
 * 32-bit code. */
#ifndef TESTS_RIG_WALK_GUEST_H
#define TESTS_RIG_WALK_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "raw_kvm.h"

/* The system area is mapped at GVA = GPA in every paging mode. SECOND_RAM, a second mapping of RAM at 4 GiB,
 * tests address bits above 31. */
enum {
	CODE = 0x1000,
	GDT = 0x2000,
	TSS = 0x2800,
	IDT = 0x3000,
	STACK_TOP = 0x5000,
	HEADER = 0x5000,
	USER_CODE = 0x6000, /* GVA of an alias of the code page for CPL 3 */
	LIST = 0x8000,
	TOP_TABLES = 0x20000, /* the top-level table and the tables of the system area */
	TOP_TABLES_SIZE = 0x5000,
	TEST_TABLES = 0x200000,
	TEST_TABLES_SIZE = 0x20000,
	DATA = 0x400000, /* pages that the test maps: int3, except at the two offsets below */
	DATA_SIZE = 0x400000,
	RAM_SIZE = 0x800000,
	SIGNATURE = 0x800,  /* in each page of DATA: offset of the uint64_t GPA | 0x5a5 */
	DESCRIPTOR = 0x810, /* offset of the descriptor of a flat data segment */
};
#define SECOND_RAM UINT64_C(0x100000000)

enum kind {
	KIND_READ,
	KIND_WRITE,
	KIND_MODIFY,
	KIND_EXECUTE,
	KIND_SEGMENT, /* from CPL 3: loads a segment whose descriptor is at gva */
	KINDS,
};

/* One access. The guest's code uses the offsets. */
struct item {
	uint64_t gva;
	uint64_t rip;
	uint32_t rflags, pkru;
	uint32_t cs, ss;
	uint64_t ldt; /* base of the LDT for KIND_SEGMENT, or 0 */
	/* Written by the guest. */
	uint64_t vector; /* 3: access succeeded; 13, 14: it faulted */
	uint64_t error_code, cr2;
	uint64_t at;
	uint64_t data;
	uint32_t kind;
	uint32_t user;
};

enum {
	MAX_ITEMS = 512
};

struct guest {
	struct raw_kvm raw;
	struct raw_vcpu *vcpu;
	struct item *items;
	bool amd, la57, pku, smep, smap, nx, page1gb;
	unsigned int max_phys_addr;
};

struct mode {
	uint64_t cr0, cr3, cr4, efer;
};

/* Ends the program if KVM refuses. */
void guest_create(struct guest *guest);

/* GVA of the code for @kind at CPL 3 (@user) or 0. */
uint64_t guest_code(enum kind kind, bool user, bool long_mode);

/* Makes the first @count accesses. Returns NULL, or an error message. */
const char *guest_run(struct guest *guest, const struct mode *mode, unsigned int count);

#endif
