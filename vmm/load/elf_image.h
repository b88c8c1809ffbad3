/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads the segments of ELF executables into guest RAM at their physical addresses. */
#ifndef VMM_LOAD_ELF_IMAGE_H
#define VMM_LOAD_ELF_IMAGE_H

#include "load/elf_header.h"
#include "load/place.h"

struct vmm_elf {
	bool is_64;
	bool entered;	/* the ELF entry is in a segment */
	uint64_t entry; /* physical */
};

/*
 * Loads all PT_LOAD segments at the physical addresses that they were linked to, without
 * relocation. Returns: 0, or -ENOEXEC, -E2BIG or the error of vmm_put() with a line in the log.
 */
int vmm_elf_segments(struct vmm_places *places, const struct vmm_file *file,
		     const struct vmm_elf_header *header, struct vmm_elf *elf);

/* As vmm_elf_segments(), for a file whose ELF entry must be in a segment. */
int vmm_elf_load(struct vmm_places *places, const struct vmm_file *file, struct vmm_elf *elf);

#endif
