/* SPDX-License-Identifier: BSD-2-Clause */
/* The PVH entry of an ELF kernel. */
#ifndef VMM_LOAD_PVH_H
#define VMM_LOAD_PVH_H

#include "load/elf_header.h"
#include "load/load.h"

/* Whether there is a PVH note, and its entry: a physical address, not checked. */
bool vmm_find_pvh(const struct vmm_file *file, const struct vmm_elf_header *header,
		  uint64_t *entry);

#endif
