/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of options. */
#ifndef VMM_CONFIG_OPTION_H
#define VMM_CONFIG_OPTION_H

#include <stddef.h>

#include "config/config.h"

struct vmm_option {
	const char *name;
	const char *argument; /* name of the value in the help; NULL: a switch */
	const char *help;
	/* @value may be NULL for a switch. Returns NULL, or the legal values, as in "takes ...". */
	const char *(*set)(struct vmm_config *config, const char *value);
	bool repeats;
	bool saved;	   /* part of a saved machine: illegal with --restore */
	bool text;	   /* '#' in the value is no comment */
	bool command_line; /* illegal in a file */
};

extern const struct vmm_option vmm_options[];
extern const size_t vmm_option_count;

#endif
