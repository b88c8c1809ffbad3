/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include <vsm/trace.h>

#define ALL  0xfu
#define NONE UINT32_MAX
/* Upper bound of page numbers: 52 bits of address. */
#define PAGES_MAX (UINT64_C(1) << 40)

void memory_init(struct memory *memory)
{
	memset(memory, 0, sizeof(*memory));
	memory->grain = 1;
}

/* Sorted. Ranges that overlap, as after a change of the memory map, become one. */
static void add_range(struct memory *memory, uint64_t gpn, uint64_t pages)
{
	uint64_t end = gpn + pages;
	uint32_t kept = 0, at = 0;

	if (gpn >= PAGES_MAX || pages == 0 || pages > PAGES_MAX - gpn)
		return;
	for (uint32_t i = 0; i < memory->ranges; i++) {
		const struct memory_range range = memory->range[i];
		const uint64_t range_end = range.gpn + range.pages;

		if (range.gpn < end && range_end > gpn) {
			gpn = range.gpn < gpn ? range.gpn : gpn;
			end = range_end > end ? range_end : end;
		} else {
			at += range.gpn < gpn;
			memory->range[kept++] = range;
		}
	}
	memory->ranges = kept;
	if (kept == MEMORY_RANGES)
		return;
	memmove(&memory->range[at + 1], &memory->range[at],
		(memory->ranges - at) * sizeof(memory->range[0]));
	memory->range[at] = (struct memory_range){.gpn = gpn, .pages = end - gpn};
	memory->ranges++;
}

void memory_survey(struct memory *memory, const struct vsm_trace_record *record)
{
	const uint64_t *a = record->argument;

	if (record->event == VSM_TRACE_MEMORY)
		add_range(memory, a[0], a[1]);
	else if (record->event == VSM_TRACE_PROTECT && a[1] < PAGES_MAX && a[2] < PAGES_MAX &&
		 a[1] + a[2] > memory->highest)
		memory->highest = a[1] + a[2];
}

void memory_begin(struct memory *memory)
{
	if (!memory->ranges && memory->highest) {
		memory->guessed = true;
		add_range(memory, 0, memory->highest);
	}
	for (uint32_t i = 0; i < memory->ranges; i++) {
		memory->range[i].first = memory->pages;
		memory->pages += memory->range[i].pages;
	}
	while (memory->pages / memory->grain >= MEMORY_GRAINS)
		memory->grain *= 2;
	memory->grains = (uint32_t)((memory->pages + memory->grain - 1) / memory->grain);
}

static uint8_t effective(const struct memory *memory, unsigned int vtl, uint32_t grain)
{
	uint8_t access = ALL;

	for (unsigned int owner = vtl + 1; owner < TRACE_VTLS; owner++)
		if (memory->map[owner][vtl])
			access &= memory->map[owner][vtl][grain];
	return access;
}

static void write_change(struct memory *memory, unsigned int vtl, uint32_t first, uint32_t count,
			 uint8_t access, uint64_t ns)
{
	memory->restricted |= (uint16_t)(1u << vtl);
	if (memory->changes++ >= MEMORY_CHANGES)
		return;
	pack_add(&memory->history, ns - memory->history_time);
	pack_add(&memory->history, vtl);
	pack_add(&memory->history, first);
	pack_add(&memory->history, count);
	pack_add(&memory->history, access);
	memory->history_time = ns;
}

/* @whole false: the rights apply to a part of each grain, so they are only removed. */
static void set_grains(struct memory *memory, unsigned int owner, unsigned int vtl, uint32_t first,
		       uint32_t end, uint8_t access, bool whole, uint64_t ns)
{
	uint8_t *map = memory->map[owner][vtl];
	uint32_t begin = NONE;
	uint8_t to = ALL;

	if (!map && access == ALL)
		return;
	if (!map) {
		map = malloc(memory->grains ? memory->grains : 1);
		if (!map) {
			memory->failed = true;
			return;
		}
		memset(map, ALL, memory->grains);
		memory->map[owner][vtl] = map;
	}
	for (uint32_t i = first; i < end; i++) {
		const uint8_t before = effective(memory, vtl, i);
		uint8_t after;

		map[i] = whole ? access : map[i] & access;
		after = effective(memory, vtl, i);
		if (begin != NONE && (after == before || after != to)) {
			write_change(memory, vtl, begin, i - begin, to, ns);
			begin = NONE;
		}
		if (after != before && begin == NONE) {
			begin = i;
			to = after;
		}
	}
	if (begin != NONE)
		write_change(memory, vtl, begin, end - begin, to, ns);
}

/* Pages of one range of RAM; the numbers do not count holes between ranges. */
static void set_pages(struct memory *memory, unsigned int owner, unsigned int vtl, uint64_t first,
		      uint64_t end, uint8_t access, uint64_t ns)
{
	const uint64_t grain = memory->grain;
	uint32_t from = (uint32_t)(first / grain), to = (uint32_t)(end / grain);

	if (first % grain) {
		set_grains(memory, owner, vtl, from, from + 1, access, false, ns);
		from++;
	}
	if (end % grain && to >= from && end != memory->pages)
		set_grains(memory, owner, vtl, to, to + 1, access, false, ns);
	else if (end % grain)
		to++;
	if (from < to)
		set_grains(memory, owner, vtl, from, to, access, true, ns);
}

static void protect(struct memory *memory, const struct vsm_trace_record *record, unsigned int vtl,
		    uint64_t ns)
{
	const uint64_t gpn = record->argument[1], pages = record->argument[2];

	if (gpn >= PAGES_MAX || pages > PAGES_MAX)
		return;
	for (uint32_t i = 0; i < memory->ranges; i++) {
		const struct memory_range *range = &memory->range[i];
		const uint64_t begin = gpn > range->gpn ? gpn : range->gpn;
		const uint64_t end = gpn + pages < range->gpn + range->pages
					     ? gpn + pages
					     : range->gpn + range->pages;

		if (begin < end)
			set_pages(memory, record->vtl, vtl, range->first + (begin - range->gpn),
				  range->first + (end - range->gpn), record->argument[3] & ALL, ns);
	}
}

static void reset(struct memory *memory, uint64_t ns)
{
	for (unsigned int owner = 1; owner < TRACE_VTLS; owner++) {
		for (unsigned int vtl = 0; vtl < owner; vtl++) {
			if (!memory->map[owner][vtl])
				continue;
			set_grains(memory, owner, vtl, 0, memory->grains, ALL, true, ns);
			free(memory->map[owner][vtl]);
			memory->map[owner][vtl] = NULL;
		}
	}
}

void memory_record(struct memory *memory, const struct vsm_trace_record *record, uint64_t ns)
{
	const uint64_t *a = record->argument;

	switch (record->event) {
	case VSM_TRACE_PROTECT:
		for (unsigned int vtl = 0; vtl < record->vtl; vtl++)
			if (a[0] == UINT64_MAX || a[0] == vtl)
				protect(memory, record, vtl, ns);
		break;
	case VSM_TRACE_PROTECT_DEFAULT:
		for (unsigned int vtl = 0; a[0] < TRACE_VTLS && vtl < a[0]; vtl++)
			set_grains(memory, (unsigned int)a[0], vtl, 0, memory->grains, a[1] & ALL,
				   true, ns);
		break;
	case VSM_TRACE_RESET:
		reset(memory, ns);
		break;
	default:
		break;
	}
}

/* Writes the final state as changes at time 0. */
static void pack_final(struct pack *pack, const struct memory *memory, unsigned int vtl)
{
	uint32_t begin = 0;

	for (uint32_t i = 1; i <= memory->grains; i++) {
		const uint8_t access = effective(memory, vtl, begin);

		if (i < memory->grains && effective(memory, vtl, i) == access)
			continue;
		if (access != ALL) {
			pack_add(pack, 0);
			pack_add(pack, vtl);
			pack_add(pack, begin);
			pack_add(pack, i - begin);
			pack_add(pack, access);
		}
		begin = i;
	}
}

void memory_json(struct json *json, const struct memory *memory)
{
	const bool history = memory->changes <= MEMORY_CHANGES && !memory->history.failed;
	struct pack final = {0};

	json_open(json, "memory", '{');
	json_open(json, "ranges", '[');
	for (uint32_t i = 0; i < memory->ranges; i++) {
		json_open(json, NULL, '[');
		json_put_unsigned(json, NULL, memory->range[i].gpn);
		json_put_unsigned(json, NULL, memory->range[i].pages);
		json_close(json, ']');
	}
	json_close(json, ']');
	json_put_boolean(json, "guessed", memory->guessed);
	json_put_unsigned(json, "grain", memory->grain);
	json_put_unsigned(json, "grains", memory->grains);
	json_put_unsigned(json, "changeCount", memory->changes);
	json_put_boolean(json, "history", history);
	json_open(json, "vtls", '[');
	for (unsigned int vtl = 0; vtl < TRACE_VTLS; vtl++)
		if (memory->restricted >> vtl & 1)
			json_put_unsigned(json, NULL, vtl);
	json_close(json, ']');
	for (unsigned int vtl = 0; vtl < TRACE_VTLS && !history; vtl++)
		if (memory->restricted >> vtl & 1)
			pack_final(&final, memory, vtl);
	pack_json(json, "changes", history ? &memory->history : &final);
	json_close(json, '}');
	pack_free(&final);
}

void memory_destroy(struct memory *memory)
{
	for (unsigned int owner = 0; owner < TRACE_VTLS; owner++)
		for (unsigned int vtl = 0; vtl < TRACE_VTLS; vtl++)
			free(memory->map[owner][vtl]);
	pack_free(&memory->history);
	memory_init(memory);
}
