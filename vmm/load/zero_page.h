/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's zero page (struct boot_params): Documentation/arch/x86/boot.rst ("The Linux/x86 Boot
 * Protocol") and zero-page.rst of the kernel.
 */
#ifndef VMM_LOAD_ZERO_PAGE_H
#define VMM_LOAD_ZERO_PAGE_H

#include "load/load.h"
#include "load/place.h"

/* From LINUX_SETUP_SECTS to LINUX_HEADER_END, a bzImage has the fields at the same offsets. */
enum {
	LINUX_ACPI_RSDP_ADDR = 0x070,
	LINUX_E820_ENTRIES = 0x1e8,
	LINUX_SETUP_SECTS = 0x1f1,
	LINUX_SYSSIZE = 0x1f4,
	LINUX_BOOT_FLAG = 0x1fe,
	LINUX_HEADER_LENGTH = 0x201, /* end of the header, relative to 0x202 */
	LINUX_HEADER = 0x202,
	LINUX_VERSION = 0x206,
	LINUX_TYPE_OF_LOADER = 0x210,
	LINUX_LOADFLAGS = 0x211,
	LINUX_CODE32_START = 0x214,
	LINUX_RAMDISK_IMAGE = 0x218,
	LINUX_RAMDISK_SIZE = 0x21c,
	LINUX_CMD_LINE_PTR = 0x228,
	LINUX_INITRD_ADDR_MAX = 0x22c,
	LINUX_KERNEL_ALIGNMENT = 0x230,
	LINUX_RELOCATABLE_KERNEL = 0x234,
	LINUX_XLOADFLAGS = 0x236,
	LINUX_CMDLINE_SIZE = 0x238,
	LINUX_PREF_ADDRESS = 0x258,
	LINUX_INIT_SIZE = 0x260,
	LINUX_HEADER_END = 0x264, /* end of the used fields */
	LINUX_E820_TABLE = 0x2d0,
};

#define LINUX_HEADER_MAGIC    0x53726448u /* "HdrS" */
#define LINUX_BOOT_FLAG_MAGIC 0xaa55u

/* The last byte of an initrd, and the bytes of a command line without its 0. */
struct linux_limits {
	uint32_t initrd_max, command_line_max;
};

/*
 * Completes @zero_page, which has the setup header, writes it and all that it refers to into
 * memory, and fills *@state for the 64-bit entry at @entry. Returns: 0, or the errors of
 * vmm_load().
 */
int linux_enter(struct vmm_places *places, const struct vmm_boot_request *request,
		const struct linux_limits *limits, uint8_t zero_page[VMM_PAGE], uint64_t entry,
		struct vmm_boot_state *state);

#endif
