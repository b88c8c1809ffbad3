/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of addresses, from the symbol table of an ELF file. */
#ifndef VSM_TOOL_INSPECT_SYMBOLS_H
#define VSM_TOOL_INSPECT_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

struct symbols;

/*
 * Adds @offset to the addresses, for a kernel or program that does not run at its linked address.
 * Returns NULL after an error on stderr.
 */
struct symbols *symbols_open(const char *path, uint64_t offset);
/* @symbols may be NULL, here and in the functions below, which means no symbols. */
void symbols_close(struct symbols *symbols);

/*
 * Returns the symbol at @address, or NULL, and sets @distance from its start. The name is ASCII without
 * control characters, and valid as long as @symbols.
 */
const char *symbols_at(const struct symbols *symbols, uint64_t address, uint64_t *distance);
bool symbols_find(const struct symbols *symbols, const char *name, uint64_t *address);

#endif
