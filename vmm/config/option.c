/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

#define NO_MEMORY "no memory for the value"
#define HUGE_PAGE (2ull << 20)

static bool parse_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	/* strtoull() would accept signs, spaces and, with base 0, octal numbers. */
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, text[1] == 'x' || text[1] == 'X' ? 16 : 10);
	return errno == 0 && *end == 0 && *value <= max;
}

bool vmm_parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	char number[32];
	const size_t length = strlen(text);
	const char *suffix = length ? strchr(suffixes, text[length - 1] & ~0x20) : NULL;
	unsigned int shift = 0;
	uint64_t value;

	if (length == 0 || length >= sizeof(number))
		return false;
	memcpy(number, text, length + 1);
	if (suffix && *suffix) {
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		number[length - 1] = 0;
	}
	if (!parse_number(number, UINT64_MAX >> shift, &value))
		return false;
	*bytes = value << shift;
	return true;
}

static bool same(const char *one, const char *other)
{
	return strcmp(one, other) == 0;
}

static const char *set_text(char **field, const char *value)
{
	char *copy;

	if (value[0] == 0)
		return "takes a nonempty name";
	copy = strdup(value);
	if (!copy)
		return NO_MEMORY;
	free(*field);
	*field = copy;
	return NULL;
}

static const char *set_initrd(struct vmm_config *config, const char *value)
{
	const char *wrong;

	if (config->initrds == VMM_INITRDS_MAX)
		return "may be given at most 16 times";
	wrong = set_text(&config->initrd[config->initrds], value);
	if (!wrong)
		config->initrds++;
	return wrong;
}

static const char *set_append(struct vmm_config *config, const char *value)
{
	char *copy = strdup(value); /* an empty command line is legal */

	if (!copy)
		return NO_MEMORY;
	free(config->append);
	config->append = copy;
	return NULL;
}

static const char *set_cpus(struct vmm_config *config, const char *value)
{
	uint64_t number;

	if (!parse_number(value, VMM_PROCESSORS_MAX, &number) || number == 0)
		return "takes a number from 1 to 2048";
	config->cpus = (uint32_t)number;
	return NULL;
}

static const char *set_memory(struct vmm_config *config, const char *value)
{
	uint64_t bytes;

	if (!vmm_parse_size(value, &bytes) || bytes % HUGE_PAGE || bytes < VMM_MEMORY_SMALLEST ||
	    bytes > VMM_MEMORY_LARGEST)
		return "takes a size from 4M to 4T that is a multiple of 2M, as in 512M or 2G";
	config->memory = bytes;
	return NULL;
}

static const char *set_vtls(struct vmm_config *config, const char *value)
{
	uint64_t number;

	if (!parse_number(value, VMM_VTLS_MAX, &number) || number == 0)
		return "takes a number from 1 (VTL0 alone) to 16";
	config->vtls = (uint32_t)number;
	return NULL;
}

static const char *set_boot_vtl(struct vmm_config *config, const char *value)
{
	uint64_t number;

	if (!parse_number(value, VMM_VTLS_MAX - 1, &number))
		return "takes a number from 0 to 15, below that of vtls";
	config->boot_vtl = (uint32_t)number;
	return NULL;
}

static const char *set_serial(struct vmm_config *config, const char *value)
{
	const char *wrong = NULL;

	if (same(value, "stdio"))
		config->serial = VMM_SERIAL_STDIO;
	else if (same(value, "pty"))
		config->serial = VMM_SERIAL_PTY;
	else if (!strncmp(value, "file:", 5) && value[5]) {
		wrong = set_text(&config->serial_file, value + 5);
		config->serial = VMM_SERIAL_FILE;
	} else
		wrong = "takes stdio, pty, or file:PATH";
	return wrong;
}

static const char *set_engine(struct vmm_config *config, const char *value)
{
	if (!same(value, "auto") && !same(value, "uffd") && !same(value, "attr") &&
	    !same(value, "nested"))
		return "takes auto, uffd, nested, or attr";
	return set_text(&config->engine, value);
}

static const char *set_log_level(struct vmm_config *config, const char *value)
{
	for (int level = VSM_LOG_ERROR; level <= VSM_LOG_DEBUG; level++)
		if (same(value, vsm_log_level_name((enum vsm_log_level)level))) {
			config->log_level = (enum vsm_log_level)level;
			return NULL;
		}
	return "takes error, warn, info, or debug";
}

static const char *set_log_file(struct vmm_config *config, const char *value)
{
	return set_text(&config->log_file, value);
}

static const char *set_sandbox(struct vmm_config *config, const char *value)
{
	if (same(value, "auto"))
		config->sandbox = VMM_SANDBOX_DEFAULT;
	else if (same(value, "on"))
		config->sandbox = VMM_SANDBOX_ON;
	else if (same(value, "log"))
		config->sandbox = VMM_SANDBOX_LOG;
	else if (same(value, "off"))
		config->sandbox = VMM_SANDBOX_OFF;
	else
		return "takes auto, on, log, or off";
	return NULL;
}

static const char *set_user(struct vmm_config *config, const char *value)
{
	return set_text(&config->user, value);
}

static const char *set_save_dir(struct vmm_config *config, const char *value)
{
	return set_text(&config->save_dir, value);
}

static const char *set_trace(struct vmm_config *config, const char *value)
{
	return set_text(&config->trace, value);
}

static const char *set_control(struct vmm_config *config, const char *value)
{
	return set_text(&config->control, value);
}

static const char *set_gdb(struct vmm_config *config, const char *value)
{
	uint64_t port;

	if (value[0] == ':' && (!parse_number(value + 1, UINT16_MAX, &port) || !port))
		return "takes the path of a socket, or :PORT with a number from 1 to 65535";
	return set_text(&config->gdb, value);
}

static const char *set_restore(struct vmm_config *config, const char *value)
{
	return set_text(&config->restore, value);
}

static const char *set_file(struct vmm_config *config, const char *value)
{
	return set_text(&config->file, value);
}

static const char *set_kernel(struct vmm_config *config, const char *value)
{
	return set_text(&config->kernel, value);
}

static const char *set_switch(bool *field, const char *value)
{
	if (value && !same(value, "yes") && !same(value, "no"))
		return "takes yes, no, or no value";
	*field = !value || same(value, "yes");
	return NULL;
}

static const char *set_paused(struct vmm_config *config, const char *value)
{
	return set_switch(&config->paused, value);
}

static const char *set_check(struct vmm_config *config, const char *value)
{
	return set_switch(&config->check, value);
}

static const char *set_testdev(struct vmm_config *config, const char *value)
{
	return set_switch(&config->testdev, value);
}

const struct vmm_option vmm_options[] = {
	{.name = "kernel",
	 .argument = "FILE",
	 .help = "the kernel; same as the argument without an option",
	 .set = set_kernel},
	{.name = "initrd",
	 .argument = "FILE",
	 .help = "Linux: its initial RAM disk; multiboot: a module, \"FILE ARGUMENTS\", repeats",
	 .set = set_initrd,
	 .repeats = true,
	 .text = true},
	{.name = "append",
	 .argument = "TEXT",
	 .help = "the kernel's command line",
	 .set = set_append,
	 .text = true},
	{.name = "cpus",
	 .argument = "N",
	 .help = "virtual processors (1)",
	 .set = set_cpus,
	 .saved = true},
	{.name = "memory",
	 .argument = "SIZE",
	 .help = "RAM, as in 512M or 2G (512M)",
	 .set = set_memory,
	 .saved = true},
	{.name = "vtls",
	 .argument = "N",
	 .help = "number of virtual trust levels, VTL0 included (3)",
	 .set = set_vtls,
	 .saved = true},
	{.name = "boot-vtl",
	 .argument = "N",
	 .help = "the VTL in which the kernel starts (0)",
	 .set = set_boot_vtl,
	 .saved = true},
	{.name = "serial",
	 .argument = "WHERE",
	 .help = "the serial port: stdio, pty, or file:PATH (stdio)",
	 .set = set_serial},
	{.name = "trace",
	 .argument = "FILE",
	 .help = "writes a trace of VTL events to FILE, for `vsm trace`",
	 .set = set_trace},
	{.name = "control",
	 .argument = "PATH",
	 .help = "a socket for `vsm inspect`",
	 .set = set_control},
	{.name = "gdb",
	 .argument = "PATH|:PORT",
	 .help = "a GDB stub: a socket at PATH, or on localhost",
	 .set = set_gdb},
	{.name = "restore",
	 .argument = "FILE",
	 .help = "restores a machine that `vsm inspect` saved",
	 .set = set_restore},
	{.name = "paused",
	 .help = "waits for GDB, or `vsm inspect SOCKET resume`, before it starts",
	 .set = set_paused},
	{.name = "testdev",
	 .help = "QEMU's devices for test kernels",
	 .set = set_testdev,
	 .saved = true},
	{.name = "engine",
	 .argument = "NAME",
	 .help = "how protections are enforced: auto, uffd, nested, or attr (auto)",
	 .set = set_engine},
	{.name = "sandbox",
	 .argument = "MODE",
	 .help = "restricts the process: auto, on, log, or off (auto)",
	 .set = set_sandbox},
	{.name = "log-level",
	 .argument = "LEVEL",
	 .help = "messages up to: error, warn, info, or debug (info)",
	 .set = set_log_level},
	{.name = "log-file",
	 .argument = "FILE",
	 .help = "appends messages with their time to FILE; errors also to stderr",
	 .set = set_log_file},
	{.name = "user",
	 .argument = "NAME",
	 .help = "the user that the machine runs as; root only",
	 .set = set_user},
	{.name = "save-dir",
	 .argument = "DIR",
	 .help = "folder for `vsm inspect SOCKET save` (that of the control socket)",
	 .set = set_save_dir},
	{.name = "config",
	 .argument = "FILE",
	 .help = "reads options from a file of 'name = value' lines: vsm.conf(5)",
	 .set = set_file,
	 .command_line = true},
	{.name = "check",
	 .help = "checks the options, the configuration and the files, and starts nothing",
	 .set = set_check,
	 .command_line = true},
};
const size_t vmm_option_count = ARRAY_SIZE(vmm_options);
