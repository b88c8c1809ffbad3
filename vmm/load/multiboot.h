/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot Specification, version 0.6.96. */
#ifndef VMM_LOAD_MULTIBOOT_H
#define VMM_LOAD_MULTIBOOT_H

#include <stdint.h>

#include "load/file.h"

#define MULTIBOOT_SEARCH       8192u
#define MULTIBOOT_MAGIC	       0x1badb002u
#define MULTIBOOT_LOADER_MAGIC 0x2badb002u

/* A loader must refuse unknown flags in bits 15:0. */
#define MULTIBOOT_PAGE_ALIGN  0x00000001u
#define MULTIBOOT_MEMORY_INFO 0x00000002u
#define MULTIBOOT_VIDEO_MODE  0x00000004u
#define MULTIBOOT_REQUIRED    0x0000ffffu
#define MULTIBOOT_ADDRESSES   0x00010000u

struct multiboot_header {
	uint32_t magic, flags, checksum;
	/* valid with MULTIBOOT_ADDRESSES */
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

#define MULTIBOOT_INFO_MEMORY	   0x00000001u
#define MULTIBOOT_INFO_CMDLINE	   0x00000004u
#define MULTIBOOT_INFO_MODULES	   0x00000008u
#define MULTIBOOT_INFO_MEMORY_MAP  0x00000040u
#define MULTIBOOT_INFO_LOADER_NAME 0x00000200u

struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe[4];
};

struct multiboot_module {
	uint32_t mod_start, mod_end, string, reserved;
};

struct multiboot_range {
	uint32_t size; /* of the other fields: 20 */
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

_Static_assert(sizeof(struct multiboot_info) == 88, "multiboot information");
_Static_assert(sizeof(struct multiboot_range) == 24, "multiboot memory map entry");

/* Returns the header's offset in the file, or -1. */
int64_t multiboot_find(const struct vmm_file *file, struct multiboot_header *header);

#endif
