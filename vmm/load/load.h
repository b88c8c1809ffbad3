/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading a kernel. Every file is taken for hostile: each size and address is checked before it is
 * used, and what is wrong is said once, with the file, the part and the numbers.
 */
#ifndef VMM_LOAD_LOAD_H
#define VMM_LOAD_LOAD_H

#include "load/boot_state.h"
#include "load/elf_header.h"
#include "load/file.h"
#include "load/memory.h"

#define VMM_MODULES_MAX	     16u
#define VMM_COMMAND_LINE_MAX 65536u /* bytes, with the 0 at its end */

struct vmm_module {
	struct vmm_file file;
	const char *arguments; /* multiboot: what follows the name; NULL: nothing */
};

struct vmm_boot_request {
	struct vmm_file kernel;
	const struct vmm_module
		*module; /* Linux: the first is the initrd, and there is no second */
	unsigned int modules;
	const char *command_line; /* NULL: empty */
	uint64_t rsdp;		  /* where the ACPI tables begin; 0: none */
};

/*
 * Loads by what the file is: a Linux bzImage or vmlinux, a multiboot 1 kernel, an ELF with a PVH entry, or a flat ELF64
 * executable. Fills
 * *@state. Returns 0, or with one line in the log -ENOEXEC (the file cannot be a kernel here),
 * -E2BIG (does not fit into memory), -EINVAL (does not go with the request), or what @memory->write
 * returned.
 */
int vmm_load(const struct vmm_memory *memory, const struct vmm_boot_request *request,
	     const struct vsm_log *log, struct vmm_boot_state *state);

/* The same for a file of one kind; @memory->low is VMM_MEMORY_MIN or more. */
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

/* Whether an ELF is Linux's vmlinux: by its notes, or by where it is linked and its banner. */
bool vmm_is_vmlinux(const struct vmm_file *file, const struct vmm_elf_header *header);

#endif
