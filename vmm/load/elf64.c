/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flat ELF64 executable, entered in 64-bit mode with the first 4 GiB identity-mapped.
 *
 * At the entry: RDI the RSDP (0: none), RSI the command line (a string), RDX its length, RSP the
 * top of a 16 KiB stack, aligned to 16, interrupts off, no IDT.
 */
#include "load/elf_image.h"
#include "load/load.h"
#include "load/tables.h"

#include <errno.h>
#include <string.h>

#define STACK_SIZE 0x4000u

int vmm_load_elf64(const struct vmm_memory *memory, const struct vmm_boot_request *request,
		   const struct vsm_log *log, struct vmm_boot_state *state)
{
	const char *line = request->command_line ? request->command_line : "";
	const uint64_t line_size = strlen(line) + 1;
	uint64_t line_gpa, stack_gpa, tables_gpa, gdt_gpa;
	struct vmm_places places;
	struct vmm_elf elf = {0};
	int error;

	if (request->modules)
		return vsm_error(log, EINVAL,
				 "%s: a flat ELF takes no initrd; Linux, multiboot and PVH kernels "
				 "do",
				 request->kernel.name);
	if (line_size > VMM_COMMAND_LINE_MAX)
		return vsm_error(log, E2BIG, "%s: the command line has more than %u bytes",
				 request->kernel.name, VMM_COMMAND_LINE_MAX - 1);
	vmm_places_init(&places, memory, request->kernel.name, log);
	error = vmm_elf_load(&places, &request->kernel, &elf);
	if (error)
		return error;
	if (!elf.is_64)
		return vsm_error(log, ENOEXEC,
				 "%s: a 32-bit ELF without a multiboot header or a PVH note: "
				 "its entry protocol is unknown",
				 request->kernel.name);
	if (elf.entry >= VMM_HIGH)
		return vsm_error(log, ENOEXEC, "%s: its entry 0x%llx is above 4 GiB",
				 request->kernel.name, (unsigned long long)elf.entry);
	error = vmm_place_low(&places, "the command line", line_size, 16, VMM_PAGE, VMM_LOW_MAX,
			      &line_gpa);
	if (!error)
		error = vmm_put(&places, line_gpa, line, line_size);
	if (!error)
		error = vmm_place_low(&places, "the stack", STACK_SIZE, VMM_PAGE, VMM_PAGE,
				      VMM_LOW_MAX, &stack_gpa);
	if (!error)
		error = vmm_put_tables(&places, &tables_gpa, &gdt_gpa);
	if (error)
		return error;
	vmm_boot_long_mode(state, elf.entry, tables_gpa, gdt_gpa);
	state->gpr[VMM_RDI] = request->rsdp;
	state->gpr[VMM_RSI] = line_gpa;
	state->gpr[VMM_RDX] = line_size - 1;
	state->gpr[VMM_RSP] = stack_gpa + STACK_SIZE;
	return 0;
}
