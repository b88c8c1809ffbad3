/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rights that one VTL gives one lower VTL to each page of RAM: a default and exceptions. Takes
 * no locks.
 *
 * Pages are numbered as in struct ram_span (`first`): RAM without its holes. For each right there
 * is one bit a page, the exclusive-or with the default, in bitmaps that are allocated when a page
 * first differs in that right.
 */
#ifndef CORE_PROTECTION_MAP_H
#define CORE_PROTECTION_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protection_map;

/*
 * @pages: pages of RAM. @access: the default (enum gpa_access). Without @user_execute
 * KernelExecutable governs all fetches, and UserExecutable takes no memory. NULL: out of memory.
 */
struct protection_map *protection_map_create(uint64_t pages, uint8_t access, bool user_execute);
void protection_map_destroy(struct protection_map *map); /* NULL is allowed */

/* More RAM: the new pages have the default. -ENOMEM: the map is unchanged. */
int protection_map_grow(struct protection_map *map, uint64_t pages);

/* @page is below the number of pages. */
uint8_t protection_map_get(const struct protection_map *map, uint64_t page);
/*
 * Allocates memory for protection_map_set() with the same arguments. False: out of memory; the
 * rights are unchanged.
 */
bool protection_map_reserve(struct protection_map *map, uint64_t page, uint8_t access);
/* Needs no memory after protection_map_reserve(), or if the page already has this access. */
void protection_map_set(struct protection_map *map, uint64_t page, uint8_t access);

/* How many pages from @page on, at most @limit, have the same access. */
uint64_t protection_map_run(const struct protection_map *map, uint64_t page, uint64_t limit);

uint8_t protection_map_default(const struct protection_map *map);
size_t protection_map_memory(const struct protection_map *map);

#endif
