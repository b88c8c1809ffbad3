/* SPDX-License-Identifier: BSD-2-Clause */
/* Notes of an ELF file (PT_NOTE), which give a kernel's type and entry. */
#ifndef VMM_LOAD_ELF_NOTE_H
#define VMM_LOAD_ELF_NOTE_H

#include "load/elf_header.h"

#define VMM_ELF_NOTE_ANY UINT32_MAX

/* The description, which is inside the file. */
struct vmm_elf_note {
	uint64_t offset;
	uint32_t size;
};

/*
 * Finds the first note of @owner with @type. A note beyond its segment ends the search of that
 * segment.
 */
bool vmm_elf_find_note(const struct vmm_file *file, const struct vmm_elf_header *header,
		       const char *owner, uint32_t type, struct vmm_elf_note *note);

#endif
