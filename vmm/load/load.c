/* SPDX-License-Identifier: BSD-2-Clause */
/* Detects the format of a kernel and calls its loader. */
#include "load/load.h"
#include "load/elf_header.h"
#include "load/kind.h"
#include "load/multiboot.h"
#include "load/pvh.h"

#include <errno.h>
#include <string.h>

static int unknown_kind(const struct vmm_file *file, const struct vsm_log *log)
{
	const char *what = vmm_kind(file);

	if (!what && vmm_is_multiboot2(file))
		what = VMM_MULTIBOOT2_ONLY;
	if (!what)
		what = "neither a bzImage, nor a multiboot kernel, nor an ELF executable";
	return vsm_error(log, ENOEXEC, "%s: %s", file->name, what);
}

/* Explicit entries (PVH note, Linux) precede the ELF entry. */
static int load_elf(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		    const struct vsm_log *log, struct vmm_boot_state *state)
{
	struct vmm_elf_header header;
	uint64_t entry;
	const int error = vmm_elf_header(&request->kernel, log, &header);

	if (error)
		return error;
	if (vmm_is_vmlinux(&request->kernel, &header))
		return vmm_load_vmlinux(memory, request, log, state);
	if (vmm_find_pvh(&request->kernel, &header, &entry))
		return vmm_load_pvh(memory, request, log, state);
	if (vmm_is_multiboot2(&request->kernel))
		return vsm_error(log, ENOEXEC, "%s: %s", request->kernel.name, VMM_MULTIBOOT2_ONLY);
	return vmm_load_elf64(memory, request, log, state);
}

int vmm_load(const struct vmm_memory *memory, const struct vmm_boot_request *request,
	     const struct vsm_log *log, struct vmm_boot_state *state)
{
	const struct vmm_file *file = &request->kernel;
	struct multiboot_header header;

	if (memory->low < VMM_MEMORY_MIN)
		return vsm_error(log, E2BIG, "%s: a machine needs at least 2 MiB of RAM",
				 file->name);
	/* Multiboot is tried first, since its kernels are ELF files, too. */
	if (multiboot_find(file, &header) >= 0)
		return vmm_load_multiboot(memory, request, log, state);
	if (vmm_is_elf(file))
		return load_elf(memory, request, log, state);
	if (file->size >= 0x206 && !memcmp(file->data + 0x202, "HdrS", 4))
		return vmm_load_linux(memory, request, log, state);
	return unknown_kind(file, log);
}
