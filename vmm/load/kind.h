/* SPDX-License-Identifier: BSD-2-Clause */
/* Detection of files that are no kernel by their magic, with advice for the user. */
#ifndef VMM_LOAD_KIND_H
#define VMM_LOAD_KIND_H

#include <stdbool.h>

#include "load/file.h"

/*
 * The type of a file that is no kernel, with advice for the user, or NULL. The file may be
 * truncated.
 */
const char *vmm_kind(const struct vmm_file *file);

#define VMM_MULTIBOOT2_ONLY                                                                     \
	"a multiboot 2 kernel, which is not supported: add a multiboot 1 header or a PVH note " \
	"to the kernel"

/* A header in the first 32 KiB [Multiboot2 Specification 2.0, "Multiboot header"]. */
bool vmm_is_multiboot2(const struct vmm_file *file);

#endif
