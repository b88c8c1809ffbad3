/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernels with a PVH entry, in 32-bit protected mode with EBX at the start info: Xen's
 * docs/misc/pvh.pandoc ("x86/HVM direct boot ABI") and public/arch-x86/hvm/start_info.h.
 */
#include "load/pvh.h"
#include "load/elf_image.h"
#include "load/elf_note.h"
#include "load/place.h"

#include <errno.h>
#include <string.h>

typedef unsigned long long ull;

#define NOTE_PHYS32_ENTRY 18u
#define START_MAGIC	  0x336ec578u
#define START_VERSION	  1u /* the first with a memory map */

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
	uint32_t memmap_entries, reserved;
};

struct module {
	uint64_t paddr, size, cmdline_paddr, reserved;
};

struct range {
	uint64_t addr, size;
	uint32_t type, reserved;
};

_Static_assert(sizeof(struct start_info) == 56 && sizeof(struct range) == 24, "start_info.h");

bool vmm_find_pvh(const struct vmm_file *file, const struct vmm_elf_header *header, uint64_t *entry)
{
	struct vmm_elf_note note;

	if (!vmm_elf_find_note(file, header, "Xen", NOTE_PHYS32_ENTRY, &note))
		return false;
	if (note.size != 4 && note.size != 8)
		return false;
	*entry = note.size == 8 ? vmm_file_u64(file, note.offset) : vmm_file_u32(file, note.offset);
	return true;
}

static int put_string(struct vmm_places *places, const char *what, const char *text, uint64_t *gpa)
{
	const uint64_t size = strlen(text ? text : "") + 1;
	int error;

	*gpa = 0;
	if (!text)
		return 0;
	if (size > VMM_COMMAND_LINE_MAX)
		return vsm_error(places->log, E2BIG, "%s: %s has more than %u bytes", places->file,
				 what, VMM_COMMAND_LINE_MAX - 1);
	error = vmm_place_low(places, what, size, 16, VMM_PAGE, VMM_LOW_MAX, gpa);
	return error ? error : vmm_put(places, *gpa, text, size);
}

static int put_modules(struct vmm_places *places, const struct vmm_boot_request *request,
		       struct start_info *info)
{
	struct module list[VMM_MODULES_MAX] = {{0}};
	int error = 0;

	if (request->modules == 0)
		return 0;
	if (request->modules > VMM_MODULES_MAX)
		return vsm_error(places->log, EINVAL, "%s: %u modules; at most %u are possible",
				 places->file, request->modules, VMM_MODULES_MAX);
	for (unsigned int i = 0; i < request->modules && !error; i++) {
		const struct vmm_module *module = &request->module[i];

		places->file = module->file.name;
		list[i].size = module->file.size;
		error = vmm_place_low(places, "a module", module->file.size, VMM_PAGE, VMM_EXTENDED,
				      VMM_LOW_MAX, &list[i].paddr);
		if (!error)
			error = vmm_put(places, list[i].paddr, module->file.data,
					module->file.size);
		if (!error)
			error = put_string(places, "a module's command line", module->arguments,
					   &list[i].cmdline_paddr);
	}
	places->file = request->kernel.name;
	info->nr_modules = request->modules;
	if (!error)
		error = vmm_place_low(places, "the list of modules", sizeof(list), 16, VMM_PAGE,
				      VMM_LOW_MAX, &info->modlist_paddr);
	return error ? error
		     : vmm_put(places, info->modlist_paddr, list,
			       request->modules * sizeof(list[0]));
}

static int put_map(struct vmm_places *places, struct start_info *info)
{
	struct vmm_range range[VMM_RANGES_MAX];
	struct range list[VMM_RANGES_MAX] = {{0}};
	int error;

	info->memmap_entries = vmm_memory_map(places->memory, range);
	for (unsigned int i = 0; i < info->memmap_entries; i++)
		list[i] = (struct range){range[i].base, range[i].size, range[i].type, 0};
	error = vmm_place_low(places, "the memory map", sizeof(list), 16, VMM_PAGE, VMM_LOW_MAX,
			      &info->memmap_paddr);
	return error ? error
		     : vmm_put(places, info->memmap_paddr, list,
			       info->memmap_entries * sizeof(list[0]));
}

/* An entry outside of the loaded segments would execute arbitrary memory. */
static bool is_loaded(const struct vmm_places *places, uint64_t entry)
{
	for (unsigned int i = 0; i < places->count; i++)
		if (entry >= places->claim[i].begin && entry < places->claim[i].end)
			return true;
	return false;
}

int vmm_load_pvh(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		 const struct vsm_log *log, struct vmm_boot_state *state)
{
	struct start_info info = {.magic = START_MAGIC, .version = START_VERSION};
	struct vmm_elf_header header;
	uint64_t entry = 0, info_gpa = 0;
	struct vmm_places places;
	struct vmm_elf elf = {0};
	int error;

	error = vmm_elf_header(&request->kernel, log, &header);
	if (error)
		return error;
	if (!vmm_find_pvh(&request->kernel, &header, &entry))
		return vsm_error(log, ENOEXEC, "%s: no note with a PVH entry",
				 request->kernel.name);
	vmm_places_init(&places, memory, request->kernel.name, log);
	error = vmm_elf_segments(&places, &request->kernel, &header, &elf);
	if (error)
		return error;
	if (entry >= VMM_HIGH || !is_loaded(&places, entry))
		return vsm_error(log, ENOEXEC,
				 "%s: its PVH entry 0x%llx is in none of the segments that were "
				 "loaded, or above 4 GiB",
				 request->kernel.name, (ull)entry);
	info.rsdp_paddr = request->rsdp;
	error = put_modules(&places, request, &info);
	if (!error)
		error = put_string(&places, "the command line",
				   request->command_line ? request->command_line : "",
				   &info.cmdline_paddr);
	if (!error)
		error = put_map(&places, &info);
	if (!error)
		error = vmm_place_low(&places, "the start info", sizeof(info), 16, VMM_PAGE,
				      VMM_LOW_MAX, &info_gpa);
	if (!error)
		error = vmm_put(&places, info_gpa, &info, sizeof(info));
	if (error)
		return error;
	vmm_boot_protected_mode(state, (uint32_t)entry);
	state->gpr[VMM_RBX] = info_gpa;
	return 0;
}
