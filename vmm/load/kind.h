/* SPDX-License-Identifier: BSD-2-Clause */
/* Detection of files that are no kernel by their magic, with advice for the user. */
#ifndef VMM_LOAD_KIND_H
#define VMM_LOAD_KIND_H

#include <stdbool.h>

#include "load/file.h"

/* For messages: the type and what to do, or NULL. A truncated file is allowed. */
const char *vmm_kind(const struct vmm_file *file);

#define VMM_MULTIBOOT2_ONLY                                                                   \
	"a multiboot 2 kernel, which is not run: give it a multiboot 1 header or a PVH note " \
	"beside that of multiboot 2"

/*
 * Whether the file has a multiboot 2 header in its first 32 KiB [Multiboot2 Specification 2.0,
 * "Multiboot header"].
 */
bool vmm_is_multiboot2(const struct vmm_file *file);

#endif
