/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of addresses, from the symbol table of an ELF file. */
#ifndef VSM_TOOL_INSPECT_SYMBOLS_H
#define VSM_TOOL_INSPECT_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

struct symbols;

/*
 * Reads the symbols of the file @path. @offset is added to their addresses: of a kernel or program
 * that runs elsewhere than it was linked for. NULL: reported on stderr.
 */
struct symbols *symbols_open(const char *path, uint64_t offset);
/* @symbols may be NULL, here and below: there are none. */
void symbols_close(struct symbols *symbols);

/*
 * The name of what is at @address, and how far into it that is. NULL: nothing is known there. ASCII
 * without control characters; valid as long as @symbols.
 */
const char *symbols_at(const struct symbols *symbols, uint64_t address, uint64_t *distance);
/* False: there is no such name. */
bool symbols_find(const struct symbols *symbols, const char *name, uint64_t *address);

#endif
