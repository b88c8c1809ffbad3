/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/zero_page.h"
#include "load/tables.h"

#include <errno.h>
#include <string.h>

typedef unsigned long long ull;

#define LOADER_UNASSIGNED 0xffu

static int place_initrd(struct vmm_places *places, const struct vmm_boot_request *request,
			const struct linux_limits *limits, uint8_t *zero_page)
{
	const struct vmm_file *file;
	uint64_t gpa;
	uint32_t value;
	int error;

	if (request->modules == 0)
		return 0;
	if (request->modules > 1)
		return vsm_error(places->log, EINVAL,
				 "%s: Linux supports one initrd, not %u: join them first, as in "
				 "`cat A B > initrd`",
				 request->kernel.name, request->modules);
	file = &request->module[0].file;
	places->file = file->name;
	error = vmm_place_high(places, "the initrd", file->size, VMM_PAGE, VMM_EXTENDED,
			       limits->initrd_max + 1ull, &gpa);
	if (!error)
		error = vmm_put(places, gpa, file->data, file->size);
	places->file = request->kernel.name;
	if (error)
		return error;
	value = (uint32_t)gpa;
	memcpy(zero_page + LINUX_RAMDISK_IMAGE, &value, sizeof(value));
	value = (uint32_t)file->size;
	memcpy(zero_page + LINUX_RAMDISK_SIZE, &value, sizeof(value));
	return 0;
}

static int place_command_line(struct vmm_places *places, const struct vmm_boot_request *request,
			      const struct linux_limits *limits, uint8_t *zero_page)
{
	const char *line = request->command_line ? request->command_line : "";
	const uint64_t size = strlen(line) + 1;
	uint32_t value;
	uint64_t gpa;
	int error;

	if (size - 1 > limits->command_line_max || size > VMM_COMMAND_LINE_MAX)
		return vsm_error(
			places->log, E2BIG,
			"%s: the command line has %llu bytes; the maximum of this kernel is %u",
			request->kernel.name, (ull)(size - 1), limits->command_line_max);
	error = vmm_place_low(places, "the command line", size, 16, VMM_PAGE, VMM_BASE_END, &gpa);
	if (!error)
		error = vmm_put(places, gpa, line, size);
	value = (uint32_t)gpa;
	memcpy(zero_page + LINUX_CMD_LINE_PTR, &value, sizeof(value));
	return error;
}

static void fill_map(const struct vmm_memory *memory, uint8_t *zero_page)
{
	struct vmm_range range[VMM_RANGES_MAX];
	const unsigned int count = vmm_memory_map(memory, range);
	uint8_t *entry = zero_page + LINUX_E820_TABLE;

	zero_page[LINUX_E820_ENTRIES] = (uint8_t)count;
	for (unsigned int i = 0; i < count; i++, entry += 20) {
		const uint32_t type = range[i].type;

		memcpy(entry, &range[i].base, 8);
		memcpy(entry + 8, &range[i].size, 8);
		memcpy(entry + 16, &type, 4);
	}
}

int linux_enter(struct vmm_places *places, const struct vmm_boot_request *request,
		const struct linux_limits *limits, uint8_t zero_page[VMM_PAGE], uint64_t entry,
		struct vmm_boot_state *state)
{
	uint64_t zero_gpa = 0, tables_gpa, gdt_gpa;
	int error;

	zero_page[LINUX_TYPE_OF_LOADER] = LOADER_UNASSIGNED;
	memcpy(zero_page + LINUX_ACPI_RSDP_ADDR, &request->rsdp, sizeof(request->rsdp));
	fill_map(places->memory, zero_page);
	error = place_command_line(places, request, limits, zero_page);
	if (!error)
		error = place_initrd(places, request, limits, zero_page);
	if (!error)
		error = vmm_place_low(places, "the zero page", VMM_PAGE, VMM_PAGE, VMM_PAGE,
				      VMM_BASE_END, &zero_gpa);
	if (!error)
		error = vmm_put(places, zero_gpa, zero_page, VMM_PAGE);
	if (!error)
		error = vmm_put_tables(places, &tables_gpa, &gdt_gpa);
	if (error)
		return error;
	vmm_boot_long_mode(state, entry, tables_gpa, gdt_gpa);
	state->gpr[VMM_RSI] = zero_gpa;
	return 0;
}
