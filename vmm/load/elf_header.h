/* SPDX-License-Identifier: BSD-2-Clause */
/* The header of an ELF file and its program headers, from either class. */
#ifndef VMM_LOAD_ELF_HEADER_H
#define VMM_LOAD_ELF_HEADER_H

#include <stdbool.h>

#include "load/file.h"

#define VMM_ELF_SEGMENTS_MAX 64u

struct vmm_elf_header {
	uint64_t entry, table;
	uint32_t count, entry_size;
	uint16_t type, machine;
	bool is_64;
};

struct vmm_elf_segment {
	uint32_t type; /* PT_* */
	uint64_t offset, virtual_address, physical, in_file, in_memory, align;
};

bool vmm_is_elf(const struct vmm_file *file);

/*
 * Accepts 32-bit x86 and x86-64 executables without PT_INTERP, also position-independent ones.
 * Returns: 0 (all program headers are inside the file), or -ENOEXEC with a line in the log.
 */
int vmm_elf_header(const struct vmm_file *file, const struct vsm_log *log,
		   struct vmm_elf_header *header);

/* @index must be below header->count. The fields are not checked. */
void vmm_elf_segment(const struct vmm_file *file, const struct vmm_elf_header *header,
		     uint32_t index, struct vmm_elf_segment *segment);

#endif
