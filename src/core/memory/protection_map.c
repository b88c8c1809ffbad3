/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/protection_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/backend.h"

/* A block covers 256 MiB with 8 KiB for each right; its pointers take less than 1% of that. */
#define BLOCK_SHIFT 16u
#define BLOCK_PAGES (UINT64_C(1) << BLOCK_SHIFT)
#define WORD_BITS   64u

enum {
	RIGHT_COUNT = 4
};

/*
 * Bitmaps of the pages that differ from the default in a right, by bit number of enum gpa_access.
 */
struct block {
	uint64_t *differs[RIGHT_COUNT];
};

struct protection_map {
	uint64_t pages;
	struct block *block; /* NULL until a page differs */
	uint64_t block_count;
	size_t memory;
	uint8_t access;
	uint8_t stored; /* rights that can have bitmaps */
};

static uint64_t blocks_for(uint64_t pages)
{
	return (pages + BLOCK_PAGES - 1) >> BLOCK_SHIFT;
}

/* The last block ends with the last page of RAM. */
static size_t bitmap_size(uint64_t pages, uint64_t block)
{
	uint64_t covered = pages - (block << BLOCK_SHIFT);

	if (covered > BLOCK_PAGES)
		covered = BLOCK_PAGES;
	return (covered + WORD_BITS - 1) / WORD_BITS * sizeof(uint64_t);
}

static bool bit_test(const uint64_t *bitmap, uint64_t bit)
{
	return bitmap[bit / WORD_BITS] >> (bit % WORD_BITS) & 1;
}

/* Without bitmaps for UserExecutable, KernelExecutable governs both. */
static uint8_t expand(const struct protection_map *map, uint8_t access)
{
	if (map->stored & GPA_USER_EXECUTE)
		return access;
	access &= (uint8_t)~GPA_USER_EXECUTE;
	return access & GPA_KERNEL_EXECUTE ? access | GPA_USER_EXECUTE : access;
}

struct protection_map *protection_map_create(uint64_t pages, uint8_t access, bool user_execute)
{
	struct protection_map *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->pages = pages;
	map->memory = sizeof(*map);
	map->stored = user_execute ? GPA_ALL : GPA_ALL & ~GPA_USER_EXECUTE;
	map->access = expand(map, access);
	return map;
}

void protection_map_destroy(struct protection_map *map)
{
	if (!map)
		return;
	for (uint64_t i = 0; i < map->block_count; i++) {
		for (int right = 0; right < RIGHT_COUNT; right++)
			free(map->block[i].differs[right]);
	}
	free(map->block);
	free(map);
}

static bool grow_last_block(struct protection_map *map, uint64_t pages)
{
	uint64_t last = map->block_count - 1;
	size_t old_size = bitmap_size(map->pages, last);
	size_t size = bitmap_size(pages, last);

	if (size == old_size)
		return true;
	for (int right = 0; right < RIGHT_COUNT; right++) {
		uint64_t **bitmap = &map->block[last].differs[right];
		uint8_t *longer;

		if (!*bitmap)
			continue;
		longer = realloc(*bitmap, size);
		if (!longer)
			return false;
		memset(longer + old_size, 0, size - old_size);
		*bitmap = (uint64_t *)(void *)longer;
	}
	return true;
}

int protection_map_grow(struct protection_map *map, uint64_t pages)
{
	uint64_t count = blocks_for(pages);

	if (pages <= map->pages)
		return 0;
	if (map->block) {
		struct block *block;
		size_t memory = sizeof(*map);

		if (!grow_last_block(map, pages))
			return -ENOMEM;
		block = realloc(map->block, count * sizeof(*block));
		if (!block)
			return -ENOMEM;
		memset(&block[map->block_count], 0, (count - map->block_count) * sizeof(*block));
		map->block = block;
		map->block_count = count;
		memory += count * sizeof(*block);
		for (uint64_t i = 0; i < count; i++) {
			for (int right = 0; right < RIGHT_COUNT; right++)
				memory += block[i].differs[right] ? bitmap_size(pages, i) : 0;
		}
		map->memory = memory;
	}
	map->pages = pages;
	return 0;
}

uint8_t protection_map_get(const struct protection_map *map, uint64_t page)
{
	const struct block *block;
	uint64_t bit = page & (BLOCK_PAGES - 1);
	uint8_t access = map->access;

	if (!map->block)
		return access;
	block = &map->block[page >> BLOCK_SHIFT];
	for (unsigned int right = 0; right < RIGHT_COUNT; right++) {
		if (block->differs[right])
			access ^= (uint8_t)(bit_test(block->differs[right], bit) << right);
	}
	return expand(map, access);
}

bool protection_map_reserve(struct protection_map *map, uint64_t page, uint8_t access)
{
	uint64_t index = page >> BLOCK_SHIFT;
	uint8_t differs = (access ^ map->access) & map->stored;
	struct block *block;

	if (!differs)
		return true;
	if (!map->block) {
		uint64_t count = blocks_for(map->pages);

		map->block = calloc(count, sizeof(*map->block));
		if (!map->block)
			return false;
		map->block_count = count;
		map->memory += count * sizeof(*map->block);
	}
	block = &map->block[index];
	for (unsigned int right = 0; right < RIGHT_COUNT; right++) {
		if (!(differs >> right & 1) || block->differs[right])
			continue;
		block->differs[right] = calloc(1, bitmap_size(map->pages, index));
		if (!block->differs[right])
			return false;
		map->memory += bitmap_size(map->pages, index);
	}
	return true;
}

void protection_map_set(struct protection_map *map, uint64_t page, uint8_t access)
{
	struct block *block;
	uint64_t bit = page & (BLOCK_PAGES - 1);
	uint8_t differs = (access ^ map->access) & map->stored;

	if (!map->block)
		return;
	block = &map->block[page >> BLOCK_SHIFT];
	for (unsigned int right = 0; right < RIGHT_COUNT; right++) {
		uint64_t *bitmap = block->differs[right];
		uint64_t mask = UINT64_C(1) << (bit % WORD_BITS);

		if (!bitmap)
			continue;
		if (differs >> right & 1)
			bitmap[bit / WORD_BITS] |= mask;
		else
			bitmap[bit / WORD_BITS] &= ~mask;
	}
}

/* How many bits from @bit on, at most @limit, are equal. */
static uint64_t equal_bits(const uint64_t *bitmap, uint64_t bit, uint64_t limit)
{
	uint64_t invert = bit_test(bitmap, bit) ? UINT64_MAX : 0;
	uint64_t at = bit;

	while (at - bit < limit) {
		uint64_t word = (bitmap[at / WORD_BITS] ^ invert) >> (at % WORD_BITS);

		if (word) {
			at += (unsigned int)__builtin_ctzll(word);
			break;
		}
		at += WORD_BITS - at % WORD_BITS;
	}
	return at - bit < limit ? at - bit : limit;
}

static uint64_t run_in_block(const struct block *block, uint64_t bit, uint64_t limit)
{
	for (int right = 0; right < RIGHT_COUNT; right++) {
		if (block->differs[right])
			limit = equal_bits(block->differs[right], bit, limit);
	}
	return limit;
}

uint64_t protection_map_run(const struct protection_map *map, uint64_t page, uint64_t limit)
{
	uint8_t access;
	uint64_t run = 0;

	if (!map->block)
		return limit;
	access = protection_map_get(map, page);
	while (run < limit && protection_map_get(map, page + run) == access) {
		uint64_t bit = (page + run) & (BLOCK_PAGES - 1);
		uint64_t left = BLOCK_PAGES - bit;

		if (left > limit - run)
			left = limit - run;
		run += run_in_block(&map->block[(page + run) >> BLOCK_SHIFT], bit, left);
	}
	return run;
}

uint8_t protection_map_default(const struct protection_map *map)
{
	return map->access;
}

size_t protection_map_memory(const struct protection_map *map)
{
	return map->memory;
}
