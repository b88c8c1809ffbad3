/* SPDX-License-Identifier: BSD-2-Clause */
/* What a file is, and who loads it. */
#include "load/load.h"
#include "load/elf_image.h"
#include "load/multiboot.h"

#include <errno.h>
#include <string.h>

/* What people give by mistake, by its first bytes: so that the message can say what to do. */
static const struct {
	size_t offset;
	const char *bytes;
	size_t count;
	const char *what;
} mistaken[] = {
	{0, "\x1f\x8b", 2, "compressed by gzip: unpack it, or take the bzImage"},
	{0,
	 "\xfd"
	 "7zXZ",
	 5, "compressed by xz: unpack it, or take the bzImage"},
	{0, "\x28\xb5\x2f\xfd", 4, "compressed by zstd: unpack it, or take the bzImage"},
	{0x38, "ARM\x64", 4, "a Linux kernel for 64-bit Arm, not for x86"},
	{0x30, "RISCV", 5, "a Linux kernel for RISC-V, not for x86"},
	{0, "070701", 6, "an initrd (cpio), not a kernel"},
	{0, "#!", 2, "a script"},
};

static int unknown_kind(const struct vmm_file *file, const struct vsm_log *log)
{
	const char *what = "neither a bzImage, nor a multiboot kernel, nor an ELF64 executable";

	for (size_t i = 0; i < sizeof(mistaken) / sizeof(mistaken[0]); i++)
		if (file->size >= mistaken[i].offset + mistaken[i].count &&
		    !memcmp(file->data + mistaken[i].offset, mistaken[i].bytes, mistaken[i].count))
			what = mistaken[i].what;
	return vsm_error(log, ENOEXEC, "%s: %s", file->name, what);
}

int vmm_load(const struct vmm_memory *memory, const struct vmm_boot_request *request,
	     const struct vsm_log *log, struct vmm_boot_state *state)
{
	const struct vmm_file *file = &request->kernel;
	struct multiboot_header header;

	if (memory->low < VMM_MEMORY_MIN)
		return vsm_error(log, E2BIG, "%s: a machine needs at least 2 MiB of RAM",
				 file->name);
	/* Multiboot first: its kernels are ELF files too. Linux's header is at a fixed place. */
	if (multiboot_find(file, &header) >= 0)
		return vmm_load_multiboot(memory, request, log, state);
	if (vmm_is_elf(file))
		return vmm_load_elf64(memory, request, log, state);
	if (file->size >= 0x206 && !memcmp(file->data + 0x202, "HdrS", 4))
		return vmm_load_linux(memory, request, log, state);
	return unknown_kind(file, log);
}
