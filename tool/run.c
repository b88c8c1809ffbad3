/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vsm run KERNEL [option]...`: a virtual machine with virtual trust levels, by the reference VMM.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vsm/vsm.h>

#include "command.h"
#include "file/log.h"
#include "run/run.h"

static bool help_requested(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static void print_details(FILE *out)
{
	vmm_config_help(out);
	fputs("\n"
	      "On a terminal all keys go to the guest; Ctrl-A x ends the machine.\n"
	      "SIGINT and SIGTERM also end it.\n"
	      "\n"
	      "Exit status: 0 the guest powered off, or the user ended it; with --check,\n"
	      "nothing is wrong; 2 nothing was started; 4 the guest crashed; 6 host error;\n"
	      "8 a restored guest reset, and no kernel was named; 64 the command line or the\n"
	      "configuration is wrong; 128 + N signal N; 159 the sandbox refused a system\n"
	      "call; with --testdev the one that the guest chose, which is odd.\n",
	      out);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct vmm_log messages;
	struct vsm_log log = {vmm_log_print, &messages, VSM_LOG_INFO};
	struct vmm_config config;
	int status;

	if (help_requested(argc, argv)) {
		command_print_help(self, stdout);
		return 0;
	}
	vmm_log_init(&messages, "vsm run");
	status = vmm_config_parse(&config, argc - 1, (const char *const *)argv + 1, &log);
	if (status) {
		/*
		 * Errors other than -EINVAL: no memory, or the configuration file cannot be read.
		 */
		status = status == -EINVAL ? COMMAND_USAGE : VMM_NOT_STARTED;
	} else {
		log.max_level = config.log_level;
		status = config.log_file && !config.check
				 ? vmm_log_open(&messages, config.log_file, config.user)
				 : 0;
		if (status)
			(void)vsm_error(&log, -status, "log-file: %s: %s", config.log_file,
					strerror(-status));
		status = status ? VMM_NOT_STARTED : vmm_run(&config, &log);
	}
	vmm_log_close(&messages);
	vmm_config_free(&config);
	return status;
}

const struct command command_run = {
	.name = "run",
	.summary = "run a kernel in a machine with virtual trust levels",
	.help = "usage: vsm run KERNEL [--OPTION VALUE]...\n"
		"       vsm run --restore FILE [--OPTION VALUE]...\n"
		"\n"
		"KERNEL is a Linux bzImage or vmlinux, a multiboot 1 kernel, an ELF with a PVH\n"
		"entry, or a flat ELF64 executable.\n"
		"\n",
	.details = print_details,
	.run = run,
};
