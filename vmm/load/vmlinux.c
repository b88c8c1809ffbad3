/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's vmlinux. Its ELF entry is startup_64, with the registers of the 64-bit boot protocol:
 * identity-mapped memory, RSI the zero page.
 */
#include "load/elf_image.h"
#include "load/elf_note.h"
#include "load/load.h"
#include "load/zero_page.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

typedef unsigned long long ull;

/* __START_KERNEL_map of x86-64, and the start of linux_banner */
#define LINKED_AT   0xffffffff80000000ull
#define BANNER	    "Linux version "
#define PROTOCOL    0x020fu
#define LOADED_HIGH 0x01u
/* From arch/x86/boot/header.S: a vmlinux lacks the setup header. */
#define INITRD_MAX   0x7fffffffu
#define COMMAND_LINE 2047u
#define KERNEL_ALIGN 0x200000u

/* A vmlinux before Linux 4.20 has no Linux note. */
static bool looks_like_linux(const struct vmm_file *file, const struct vmm_elf_header *header)
{
	struct vmm_elf_segment segment;

	for (uint32_t i = 0; i < header->count; i++) {
		vmm_elf_segment(file, header, i, &segment);
		if (segment.type == PT_LOAD && segment.virtual_address >= LINKED_AT)
			return memmem(file->data, file->size, BANNER, sizeof(BANNER) - 1);
	}
	return false;
}

bool vmm_is_vmlinux(const struct vmm_file *file, const struct vmm_elf_header *header)
{
	struct vmm_elf_note note;

	return header->is_64 &&
	       (vmm_elf_find_note(file, header, "Linux", VMM_ELF_NOTE_ANY, &note) ||
		looks_like_linux(file, header));
}

/* Fields that the kernel itself reads; the others are for boot loaders. */
static void make_header(uint8_t *zero_page)
{
	const uint32_t magic = LINUX_HEADER_MAGIC, alignment = KERNEL_ALIGN;
	const uint16_t flag = LINUX_BOOT_FLAG_MAGIC, version = PROTOCOL;

	memcpy(zero_page + LINUX_BOOT_FLAG, &flag, sizeof(flag));
	memcpy(zero_page + LINUX_HEADER, &magic, sizeof(magic));
	memcpy(zero_page + LINUX_VERSION, &version, sizeof(version));
	zero_page[LINUX_LOADFLAGS] = LOADED_HIGH;
	memcpy(zero_page + LINUX_KERNEL_ALIGNMENT, &alignment, sizeof(alignment));
}

int vmm_load_vmlinux(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		     const struct vsm_log *log, struct vmm_boot_state *state)
{
	const struct linux_limits limits = {INITRD_MAX, COMMAND_LINE};
	uint8_t zero_page[VMM_PAGE] = {0};
	struct vmm_places places;
	struct vmm_elf elf = {0};
	int error;

	vmm_places_init(&places, memory, request->kernel.name, log);
	error = vmm_elf_load(&places, &request->kernel, &elf);
	if (error)
		return error;
	if (!elf.is_64)
		return vsm_error(log, ENOEXEC,
				 "%s: a 32-bit Linux: only x86-64 kernels are supported",
				 request->kernel.name);
	if (elf.entry >= VMM_HIGH)
		return vsm_error(log, ENOEXEC, "%s: its entry 0x%llx is above 4 GiB",
				 request->kernel.name, (ull)elf.entry);
	make_header(zero_page);
	return linux_enter(&places, request, &limits, zero_page, elf.entry, state);
}
