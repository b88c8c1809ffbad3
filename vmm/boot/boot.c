/* SPDX-License-Identifier: BSD-2-Clause */
/* Prepares memory before the boot processor starts. */
#include "acpi/acpi.h"
#include "load/kind.h"
#include "boot/bios_data.h"
#include "machine/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Also the APIC ID of VP 240, if that exists. Linux may replace it. */
#define IOAPIC_ID 0xf0u

#define TOO_LARGE "that fit into the guest's RAM: increase it with --memory"

struct files {
	struct vmm_file kernel;
	struct vmm_module module[VMM_MODULES_MAX];
	char *name[VMM_MODULES_MAX];
	unsigned int modules;
};

_Static_assert(VMM_INITRDS_MAX <= VMM_MODULES_MAX, "each initrd can be a module");

static int put_tables(struct vmm_machine *machine, const struct vsm_log *log)
{
	const struct vmm_acpi_machine description = {
		.processors = machine->processors,
		.ioapic_base = VSM_IOAPIC_DEFAULT_BASE,
		.ioapic_id = IOAPIC_ID,
		.serial_port = VMM_SERIAL_PORT,
		.serial_interrupt = VMM_SERIAL_INTERRUPT,
	};
	static const uint8_t zero[VMM_PAGE];
	uint8_t *tables = malloc(VMM_TABLES_SIZE);
	long size;
	int error = 0;

	if (!tables)
		return vsm_error(log, ENOMEM, "no memory for the ACPI tables");
	size = vmm_acpi_build(&description, VMM_TABLES, tables, VMM_TABLES_SIZE);
	if (size < 0)
		error = vsm_error(log, (int)-size, "ACPI tables for %u processors: %s",
				  machine->processors, strerror((int)-size));
	/* After a reset the region has the last kernel's data, which could contain another RSDP. */
	for (uint64_t at = 0; at < VMM_TABLES_SIZE && !error; at += VMM_PAGE)
		error = machine->memory.write(machine->memory.opaque, VMM_TABLES + at, zero,
					      VMM_PAGE);
	if (!error)
		error = machine->memory.write(machine->memory.opaque, VMM_TABLES, tables,
					      (size_t)size);
	free(tables);
	return error;
}

/* @text is "FILE ARGUMENTS", unless a file of that whole name exists. */
static int read_module(struct files *files, const char *text, const struct vmm_file_limit *limit,
		       const struct vsm_log *log)
{
	struct vmm_module *module = &files->module[files->modules];
	char *name = strdup(text), *space = NULL;

	if (!name)
		return vsm_error(log, ENOMEM, "%s: no memory for its name", text);
	files->name[files->modules++] = name;
	if (access(name, F_OK))
		space = strchr(name, ' ');
	if (space) {
		*space = 0;
		module->arguments = space + 1;
	}
	return vmm_file_read(&module->file, name, limit, log);
}

static void free_files(struct files *files)
{
	vmm_file_free(&files->kernel);
	for (unsigned int i = 0; i < files->modules; i++) {
		vmm_file_free(&files->module[i].file);
		free(files->name[i]);
	}
}

int vmm_machine_load(struct vmm_machine *machine, const struct vmm_config *config,
		     const struct vsm_log *log, struct vmm_boot_state *state)
{
	struct vmm_boot_request request = {.command_line = config->append, .rsdp = VMM_TABLES};
	const struct vmm_file_limit limit = {config->memory, TOO_LARGE, NULL, true};
	const struct vmm_file_limit kernel_limit = {config->memory, TOO_LARGE, vmm_kind, true};
	struct files files = {0};
	int error;

	error = vmm_file_read(&files.kernel, config->kernel, &kernel_limit, log);
	for (unsigned int i = 0; i < config->initrds && !error; i++)
		error = read_module(&files, config->initrd[i], &limit, log);
	if (!error)
		error = put_tables(machine, log);
	if (!error)
		error = vmm_bios_data_put(&machine->memory, log);
	if (!error) {
		request.kernel = files.kernel;
		request.module = files.module;
		request.modules = files.modules;
		error = vmm_load(&machine->memory, &request, log, state);
	}
	free_files(&files);
	return error;
}
