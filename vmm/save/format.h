/* SPDX-License-Identifier: BSD-2-Clause */
/* File format of a saved machine (docs/save.md). Little-endian. */
#ifndef VMM_SAVE_FORMAT_H
#define VMM_SAVE_FORMAT_H

#include <stdint.h>

#define VMM_SAVED_MAGIC	  "VSMSAVED"
#define VMM_SAVED_VERSION 1u

/* In the order in which they follow the header, without gaps. */
enum vmm_saved_section {
	VMM_SAVED_HOST,	   /* visible CPU features: struct vmm_saved_word */
	VMM_SAVED_DEVICES, /* save/devices.c */
	VMM_SAVED_STATE,   /* vsm_partition_save(): docs/state.md */
	VMM_SAVED_RAM,	   /* nonzero pages */
	VMM_SAVED_MAP,	   /* their page numbers: struct vmm_saved_run */
	VMM_SAVED_SECTIONS,
};

struct vmm_saved_part {
	uint64_t offset; /* from the start of the file */
	uint64_t size;
	uint32_t crc; /* CRC-32 (IEEE 802.3) of the section */
	uint32_t reserved;
};

struct vmm_saved_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size;
	uint32_t cpus, vtls, boot_vtl, testdev;
	uint64_t memory;
	uint64_t file_size;
	struct vmm_saved_part part[VMM_SAVED_SECTIONS];
	uint32_t reserved;
	uint32_t crc; /* of the bytes of the header before it */
};

struct vmm_saved_word {
	uint32_t leaf, index;
	uint32_t reg; /* 0 EAX, 1 EBX, 2 ECX, 3 EDX */
	uint32_t value;
};

struct vmm_saved_run {
	uint64_t gpn;
	uint64_t pages;
};

_Static_assert(sizeof(struct vmm_saved_header) == 176, "the size in docs/save.md");
_Static_assert(sizeof(struct vmm_saved_word) == 16, "the size in docs/save.md");
_Static_assert(sizeof(struct vmm_saved_run) == 16, "the size in docs/save.md");

#endif
