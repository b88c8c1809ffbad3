/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 1 kernels, entered in 32-bit protected mode. */
#include "load/multiboot.h"
#include "load/elf_image.h"
#include "load/kind.h"
#include "load/load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOADER_NAME "vsm"

typedef unsigned long long ull;

int64_t multiboot_find(const struct vmm_file *file, struct multiboot_header *header)
{
	const size_t end = file->size < MULTIBOOT_SEARCH ? file->size : MULTIBOOT_SEARCH;

	for (size_t at = 0; at + 12 <= end; at += 4) {
		const uint32_t flags = vmm_file_u32(file, at + 4);
		const size_t size = flags & MULTIBOOT_ADDRESSES ? 32 : 12;

		if (vmm_file_u32(file, at) != MULTIBOOT_MAGIC ||
		    MULTIBOOT_MAGIC + flags + vmm_file_u32(file, at + 8) != 0 ||
		    at + size > file->size)
			continue;
		memset(header, 0, sizeof(*header));
		memcpy(header, file->data + at, size);
		return (int64_t)at;
	}
	return -1;
}

/* The image is contiguous in the file and in memory, from load_addr on. */
static int load_addressed(struct vmm_places *places, const struct vmm_file *file,
			  uint64_t header_at, const struct multiboot_header *header,
			  uint32_t *entry)
{
	const uint64_t before = (uint64_t)header->header_addr - header->load_addr;
	uint64_t in_file, in_memory, offset;
	int error;

	if (header->load_addr > header->header_addr || before > header_at)
		return vsm_error(places->log, ENOEXEC,
				 "%s: load_addr 0x%x and header_addr 0x%x do not fit the multiboot "
				 "header at "
				 "0x%llx of the file",
				 file->name, header->load_addr, header->header_addr,
				 (ull)header_at);
	offset = header_at - before;
	in_file = header->load_end_addr ? (uint64_t)header->load_end_addr - header->load_addr
					: file->size - offset;
	if ((header->load_end_addr && header->load_end_addr < header->load_addr) ||
	    in_file > file->size - offset)
		return vsm_error(places->log, ENOEXEC,
				 "%s: truncated: load_end_addr 0x%x is beyond the 0x%zx bytes of "
				 "the file",
				 file->name, header->load_end_addr, file->size);
	in_memory = header->bss_end_addr > header->load_addr + in_file
			    ? (uint64_t)header->bss_end_addr - header->load_addr
			    : in_file;
	if (header->entry_addr < header->load_addr ||
	    header->entry_addr - header->load_addr >= in_file)
		return vsm_error(places->log, ENOEXEC,
				 "%s: entry_addr 0x%x is not in the loaded image", file->name,
				 header->entry_addr);
	error = vmm_claim(places, "the kernel", header->load_addr, in_memory);
	if (!error)
		error = vmm_put(places, header->load_addr, file->data + offset, in_file);
	if (!error)
		error = vmm_put(places, header->load_addr + in_file, NULL, in_memory - in_file);
	*entry = header->entry_addr;
	return error;
}

/* Other files have a multiboot header, too, such as Xen's EFI kernel (PE). */
static int not_loadable(const struct vmm_places *places, const struct vmm_file *file)
{
	const char *what = vmm_kind(file);

	return vsm_error(places->log, ENOEXEC, "%s: %s", file->name,
			 what ? what
			      : "a multiboot header, but neither an ELF nor an image with its own "
				"addresses (multiboot flag 16)");
}

static int load_image(struct vmm_places *places, const struct vmm_file *file, uint32_t *entry)
{
	struct multiboot_header header;
	const int64_t at = multiboot_find(file, &header);
	const uint32_t known = MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO | MULTIBOOT_VIDEO_MODE;
	struct vmm_elf elf = {0};
	int error;

	if (at < 0)
		return vsm_error(places->log, ENOEXEC,
				 "%s: no multiboot header in its first %u bytes", file->name,
				 MULTIBOOT_SEARCH);
	if (header.flags & MULTIBOOT_REQUIRED & ~known)
		return vsm_error(
			places->log, ENOEXEC,
			"%s: the multiboot header at 0x%llx requires features 0x%x that are "
			"unknown",
			file->name, (ull)at, header.flags & MULTIBOOT_REQUIRED & ~known);
	if (header.flags & MULTIBOOT_ADDRESSES)
		return load_addressed(places, file, (uint64_t)at, &header, entry);
	if (!vmm_is_elf(file))
		return not_loadable(places, file);
	error = vmm_elf_load(places, file, &elf);
	if (!error && elf.entry >= VMM_HIGH)
		return vsm_error(places->log, ENOEXEC, "%s: its entry 0x%llx is above 4 GiB",
				 file->name, (ull)elf.entry);
	*entry = (uint32_t)elf.entry;
	return error;
}

/* "NAME" or "NAME ARGUMENTS", as GRUB Legacy and QEMU write it. */
static int put_string(struct vmm_places *places, const char *name, const char *arguments,
		      uint32_t *gpa)
{
	char text[VMM_COMMAND_LINE_MAX];
	const int size = snprintf(text, sizeof(text), "%s%s%s", name,
				  arguments && arguments[0] ? " " : "", arguments ? arguments : "");
	uint64_t at;
	int error;

	if (size < 0 || (size_t)size >= sizeof(text))
		return vsm_error(places->log, E2BIG, "%s: its command line has more than %u bytes",
				 name, VMM_COMMAND_LINE_MAX - 1);
	error = vmm_place_low(places, "a command line", (uint64_t)size + 1, 16, VMM_PAGE,
			      VMM_LOW_MAX, &at);
	if (!error)
		error = vmm_put(places, at, text, (uint64_t)size + 1);
	*gpa = (uint32_t)at;
	return error;
}

static int put_modules(struct vmm_places *places, const struct vmm_boot_request *request,
		       struct multiboot_info *info)
{
	struct multiboot_module list[VMM_MODULES_MAX] = {{0}};
	uint64_t at;
	int error = 0;

	if (request->modules == 0)
		return 0;
	if (request->modules > VMM_MODULES_MAX)
		return vsm_error(places->log, EINVAL, "%s: %u modules; at most %u are possible",
				 request->kernel.name, request->modules, VMM_MODULES_MAX);
	for (unsigned int i = 0; i < request->modules && !error; i++) {
		const struct vmm_file *file = &request->module[i].file;

		places->file = file->name;
		/* Above 1 MiB, as kernels allocate memory after their modules. */
		error = vmm_place_low(places, "a module", file->size, VMM_PAGE, VMM_EXTENDED,
				      VMM_LOW_MAX, &at);
		if (error)
			break;
		error = vmm_put(places, at, file->data, file->size);
		list[i].mod_start = (uint32_t)at;
		list[i].mod_end = (uint32_t)(at + file->size);
		if (!error)
			error = put_string(places, file->name, request->module[i].arguments,
					   &list[i].string);
	}
	places->file = request->kernel.name;
	if (!error)
		error = vmm_place_low(places, "the list of modules", sizeof(list), 16, VMM_PAGE,
				      VMM_LOW_MAX, &at);
	if (!error)
		error = vmm_put(places, at, list, request->modules * sizeof(list[0]));
	info->flags |= MULTIBOOT_INFO_MODULES;
	info->mods_count = request->modules;
	info->mods_addr = (uint32_t)at;
	return error;
}

static int put_map(struct vmm_places *places, struct multiboot_info *info)
{
	struct multiboot_range list[VMM_RANGES_MAX];
	struct vmm_range range[VMM_RANGES_MAX];
	const unsigned int count = vmm_memory_map(places->memory, range);
	uint64_t at;
	int error;

	for (unsigned int i = 0; i < count; i++)
		list[i] = (struct multiboot_range){sizeof(list[0]) - sizeof(list[0].size),
						   range[i].base, range[i].size, range[i].type};
	error = vmm_place_low(places, "the memory map", sizeof(list), 16, VMM_PAGE, VMM_LOW_MAX,
			      &at);
	if (!error)
		error = vmm_put(places, at, list, count * sizeof(list[0]));
	info->flags |= MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_MEMORY_MAP;
	info->mem_lower = (uint32_t)(VMM_BASE_END / 1024);
	info->mem_upper = (uint32_t)((places->memory->low - VMM_EXTENDED) / 1024);
	info->mmap_addr = (uint32_t)at;
	info->mmap_length = count * (uint32_t)sizeof(list[0]);
	return error;
}

int vmm_load_multiboot(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		       const struct vsm_log *log, struct vmm_boot_state *state)
{
	struct multiboot_info info = {.flags = MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_LOADER_NAME};
	struct vmm_places places;
	uint64_t info_gpa = 0;
	uint32_t entry = 0;
	int error;

	vmm_places_init(&places, memory, request->kernel.name, log);
	error = load_image(&places, &request->kernel, &entry);
	if (!error)
		error = put_modules(&places, request, &info);
	if (!error)
		error = put_string(&places, request->kernel.name, request->command_line,
				   &info.cmdline);
	if (!error)
		error = put_string(&places, LOADER_NAME, NULL, &info.boot_loader_name);
	if (!error)
		error = put_map(&places, &info);
	if (!error)
		error = vmm_place_low(&places, "the multiboot information", sizeof(info), 16,
				      VMM_PAGE, VMM_LOW_MAX, &info_gpa);
	if (!error)
		error = vmm_put(&places, info_gpa, &info, sizeof(info));
	if (error)
		return error;
	vmm_boot_protected_mode(state, entry);
	state->gpr[VMM_RAX] = MULTIBOOT_LOADER_MAGIC;
	state->gpr[VMM_RBX] = info_gpa;
	return 0;
}
