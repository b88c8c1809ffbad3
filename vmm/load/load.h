/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading a kernel. Files are untrusted: each size and address is checked before use. */
#ifndef VMM_LOAD_LOAD_H
#define VMM_LOAD_LOAD_H

#include "load/boot_state.h"
#include "load/elf_header.h"
#include "load/file.h"
#include "machine/memory.h"

#define VMM_MODULES_MAX	     16u
#define VMM_COMMAND_LINE_MAX 65536u /* with the terminating 0 */

struct vmm_module {
	struct vmm_file file;
	const char *arguments; /* multiboot: the text after the name; NULL: nothing */
};

struct vmm_boot_request {
	struct vmm_file kernel;
	const struct vmm_module *module; /* Linux: at most one, the initrd */
	unsigned int modules;
	const char *command_line; /* NULL: empty */
	uint64_t rsdp;		  /* 0: none */
};

/*
 * Returns 0, or with one line in the log -ENOEXEC (no kernel for this machine), -E2BIG (does not
 * fit into memory), -EINVAL (conflicts with the request), or the error of @memory->write.
 */
int vmm_load(const struct vmm_memory *memory, const struct vmm_boot_request *request,
	     const struct vsm_log *log, struct vmm_boot_state *state);

/* As vmm_load(), for one format; @memory->low must be VMM_MEMORY_MIN or more. */
int vmm_load_linux(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		   const struct vsm_log *log, struct vmm_boot_state *state);
int vmm_load_multiboot(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		       const struct vsm_log *log, struct vmm_boot_state *state);
int vmm_load_elf64(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		   const struct vsm_log *log, struct vmm_boot_state *state);
int vmm_load_vmlinux(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		     const struct vsm_log *log, struct vmm_boot_state *state);
int vmm_load_pvh(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		 const struct vsm_log *log, struct vmm_boot_state *state);

/* By its notes, or by its address and banner. */
bool vmm_is_vmlinux(const struct vmm_file *file, const struct vmm_elf_header *header);

#endif
