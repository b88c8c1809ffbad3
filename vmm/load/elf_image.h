/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF executables: their segments into guest RAM at their physical addresses. */
#ifndef VMM_LOAD_ELF_IMAGE_H
#define VMM_LOAD_ELF_IMAGE_H

#include <stdbool.h>

#include "load/place.h"

#define VMM_ELF_SEGMENTS_MAX 64u

struct vmm_elf {
	bool is_64;
	uint64_t entry; /* physical */
	uint64_t end;	/* of the last segment */
};

/* Whether the file begins as an ELF does; nothing else is checked. */
bool vmm_is_elf(const struct vmm_file *file);

/*
 * Loads all PT_LOAD segments, with the zeros behind them. Takes 32-bit x86 and x86-64, statically
 * linked. -ENOEXEC, -E2BIG with a line in the log.
 */
int vmm_elf_load(struct vmm_places *places, const struct vmm_file *file, struct vmm_elf *elf);

#endif
