/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: words NAME=VALUE between spaces; the first is the name of the image. */
#ifndef KIT_OPTIONS_H
#define KIT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Saves the command line and the loader's memory size. False: not started by multiboot. */
bool options_init(uint32_t magic, uint64_t information);

/* End of the RAM that starts at 1 MiB. */
extern uint64_t options_memory_end;

/*
 * The text of an option, up to the next space, or NULL; and its value as a number (decimal, or 0x).
 */
const char *option_text(const char *name);
uint64_t option_number(const char *name, uint64_t missing);

/* Whether @value is one of the values of an option, which are separated by commas. */
bool option_has(const char *name, const char *value);

#endif
