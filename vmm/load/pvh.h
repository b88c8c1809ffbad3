/* SPDX-License-Identifier: BSD-2-Clause */
/* The PVH entry of an ELF kernel. */
#ifndef VMM_LOAD_PVH_H
#define VMM_LOAD_PVH_H

#include "load/elf_header.h"
#include "load/load.h"

/* Whether a note says where the kernel starts by PVH, and where: a physical address, which is not checked. */
bool vmm_find_pvh(const struct vmm_file *file, const struct vmm_elf_header *header,
		  uint64_t *entry);

#endif
