/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: the name of the image, then words NAME=VALUE separated by spaces. */
#ifndef KIT_OPTIONS_H
#define KIT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Saves the command line and the loader's memory size. Returns false without multiboot. */
bool options_init(uint32_t magic, uint64_t information);

/* End of the RAM that starts at 1 MiB, at most 3 GiB; 32 MiB if the loader reports none. */
extern uint64_t options_memory_end;

/* The text ends at a space or NUL; NULL if the option is absent. A number is decimal, or 0x; @missing if the
 * option is absent. */
const char *option_text(const char *name);
uint64_t option_number(const char *name, uint64_t missing);

/* Whether @value is one of the values of an option, which are separated by commas. */
bool option_has(const char *name, const char *value);

#endif
