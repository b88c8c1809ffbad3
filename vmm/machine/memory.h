/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest RAM for the loaders, as in a PC: from 0 with the legacy hole at 640 KiB, a hole for devices
 * below 4 GiB, and the rest from 4 GiB on.
 */
#ifndef VMM_MACHINE_MEMORY_H
#define VMM_MACHINE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define VMM_PAGE	4096u
#define VMM_BASE_END	0x9fc00ull     /* end of the RAM below the legacy hole */
#define VMM_TABLES	0xe0000ull     /* firmware tables, in the search range of the RSDP */
#define VMM_TABLES_SIZE 0x20000ull     /* up to 1 MiB */
#define VMM_EXTENDED	0x100000ull    /* 1 MiB: start of extended RAM */
#define VMM_LOW_MAX	0xc0000000ull  /* 3 GiB: start of the device hole */
#define VMM_HIGH	0x100000000ull /* 4 GiB: start of high RAM */
#define VMM_MEMORY_MIN	0x200000ull    /* minimum RAM for the loaders */

struct vmm_memory {
	uint64_t low;  /* bytes of RAM from 0, including the legacy hole */
	uint64_t high; /* bytes of RAM from VMM_HIGH */
	/* Returns 0, or -errno for a range that is not RAM, which loaders never use. */
	int (*write)(void *opaque, uint64_t gpa, const void *data, size_t size);
	void *opaque;
};

/* As in the ACPI address ranges ("E820"). */
enum vmm_range_type {
	VMM_RANGE_RAM = 1,
	VMM_RANGE_RESERVED = 2
};

struct vmm_range {
	uint64_t base;
	uint64_t size;
	enum vmm_range_type type;
};

#define VMM_RANGES_MAX 5u

/* The other fields keep their values. */
void vmm_memory_split(struct vmm_memory *memory, uint64_t size);

/* In ascending order. Returns the number of entries. */
unsigned int vmm_memory_map(const struct vmm_memory *memory,
			    struct vmm_range range[VMM_RANGES_MAX]);

#endif
