/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/place.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "array.h"

typedef unsigned long long ull;

/* Limit of --memory: a higher address is an error of the linker script. */
#define ADDRESSES (4ull << 40)

void vmm_places_init(struct vmm_places *places, const struct vmm_memory *memory, const char *file,
		     const struct vsm_log *log)
{
	memset(places, 0, sizeof(*places));
	places->memory = memory;
	places->file = file;
	places->log = log;
}

static bool is_ram(const struct vmm_memory *memory, uint64_t begin, uint64_t end)
{
	struct vmm_range range[VMM_RANGES_MAX];
	const unsigned int count = vmm_memory_map(memory, range);

	for (unsigned int i = 0; i < count; i++)
		if (range[i].type == VMM_RANGE_RAM && begin >= range[i].base &&
		    end <= range[i].base + range[i].size)
			return true;
	return false;
}

static const struct vmm_claim *overlapping(const struct vmm_places *places, uint64_t begin,
					   uint64_t end)
{
	for (unsigned int i = 0; i < places->count; i++)
		if (begin < places->claim[i].end && places->claim[i].begin < end)
			return &places->claim[i];
	return NULL;
}

/* Addresses that are not RAM in a machine of any size. */
static const struct {
	uint64_t begin, end;
	const char *what, *instead;
} holes[] = {
	{VMM_BASE_END, VMM_EXTENDED, "for firmware and devices",
	 "at 0x100000 or higher, with its headers (ld -Ttext-segment=0x100000)"},
	{VMM_LOW_MAX, VMM_HIGH, "for devices", "below 0xc0000000"},
};

/* MiB of RAM that reach up to @end, an address below 3 GiB or above 4 GiB. */
static ull memory_for(uint64_t end)
{
	const uint64_t size = end > VMM_HIGH ? end - (VMM_HIGH - VMM_LOW_MAX) : end;

	/* --memory accepts multiples of 2 MiB. */
	return (size + (2u << 20) - 1) >> 21 << 1;
}

/* @end is 0 if it overflowed. */
static int not_ram(const struct vmm_places *places, const char *what, uint64_t gpa, uint64_t size,
		   uint64_t end)
{
	for (size_t i = 0; i < ARRAY_SIZE(holes); i++)
		if (end && gpa < holes[i].end && holes[i].begin < end)
			return vsm_error(
				places->log, E2BIG,
				"%s: %s needs 0x%llx bytes at 0x%llx, where the guest has no RAM: "
				"0x%llx-0x%llx is %s, whatever --memory says; link the kernel %s",
				places->file, what, (ull)size, (ull)gpa, (ull)holes[i].begin,
				(ull)holes[i].end - 1, holes[i].what, holes[i].instead);
	if (!end || end > ADDRESSES)
		return vsm_error(places->log, E2BIG,
				 "%s: %s needs 0x%llx bytes at 0x%llx, where the guest has no RAM, "
				 "whatever --memory says; link the kernel below 0xc0000000",
				 places->file, what, (ull)size, (ull)gpa);
	return vsm_error(places->log, E2BIG,
			 "%s: %s needs 0x%llx bytes at 0x%llx, where the guest has no RAM (it has "
			 "%llu MiB): give it %llu MiB or more with --memory",
			 places->file, what, (ull)size, (ull)gpa,
			 (ull)(places->memory->low + places->memory->high) >> 20, memory_for(end));
}

int vmm_claim(struct vmm_places *places, const char *what, uint64_t gpa, uint64_t size)
{
	const struct vmm_claim *other;
	uint64_t end;

	if (size == 0)
		return 0;
	if (__builtin_add_overflow(gpa, size, &end))
		end = 0;
	if (!end || !is_ram(places->memory, gpa, end))
		return not_ram(places, what, gpa, size, end);
	other = overlapping(places, gpa, end);
	if (other)
		return vsm_error(places->log, ENOEXEC,
				 "%s: %s at 0x%llx-0x%llx overlaps %s at 0x%llx-0x%llx",
				 places->file, what, (ull)gpa, (ull)end, other->what,
				 (ull)other->begin, (ull)other->end);
	if (places->count == VMM_CLAIMS_MAX)
		return vsm_error(places->log, E2BIG, "%s: more than %u parts to load", places->file,
				 VMM_CLAIMS_MAX);
	places->claim[places->count++] = (struct vmm_claim){gpa, end, what};
	return 0;
}

/*
 * The lowest free address between @from and @below, or UINT64_MAX. It is @from, 1 MiB or the end of
 * a claim, each aligned.
 */
static uint64_t lowest(const struct vmm_places *places, const struct vmm_memory *memory,
		       uint64_t size, uint64_t align, uint64_t from, uint64_t below)
{
	uint64_t best = UINT64_MAX;

	if (size == 0 || size > below)
		return best;
	for (unsigned int i = 0; i < places->count + 2; i++) {
		uint64_t at = from;

		if (i == 1 && from < VMM_EXTENDED)
			at = VMM_EXTENDED;
		else if (i > 1 && places->claim[i - 2].end > from)
			at = places->claim[i - 2].end;
		at = (at + align - 1) & ~(align - 1);
		if (at < best && at <= below - size && is_ram(memory, at, at + size) &&
		    !overlapping(places, at, at + size))
			best = at;
	}
	return best;
}

/* Names the smallest RAM size that has a free range. */
static int no_room(const struct vmm_places *places, const char *what, uint64_t size, uint64_t align,
		   uint64_t from, uint64_t below)
{
	const struct vmm_memory largest = {.low = VMM_LOW_MAX};
	const uint64_t at = lowest(places, &largest, size, align, from, below);

	if (at != UINT64_MAX && places->memory->low < VMM_LOW_MAX)
		return vsm_error(places->log, E2BIG,
				 "%s: no room for %s (0x%llx bytes) in the guest's %llu MiB of "
				 "RAM: give it %llu MiB or more with --memory",
				 places->file, what, (ull)size, (ull)places->memory->low >> 20,
				 memory_for(at + size));
	return vsm_error(places->log, E2BIG,
			 "%s: no room for %s (0x%llx bytes) from 0x%llx to 0x%llx, where it has to "
			 "be, whatever --memory says",
			 places->file, what, (ull)size, (ull)from,
			 (ull)(below < VMM_LOW_MAX ? below : VMM_LOW_MAX) - 1);
}

int vmm_place_low(struct vmm_places *places, const char *what, uint64_t size, uint64_t align,
		  uint64_t from, uint64_t below, uint64_t *gpa)
{
	const uint64_t best = lowest(places, places->memory, size, align, from, below);

	if (best == UINT64_MAX)
		return no_room(places, what, size, align, from, below);
	*gpa = best;
	return vmm_claim(places, what, best, size);
}

int vmm_place_high(struct vmm_places *places, const char *what, uint64_t size, uint64_t align,
		   uint64_t from, uint64_t below, uint64_t *gpa)
{
	const uint64_t top = below < places->memory->low ? below : places->memory->low;
	uint64_t best = 0;

	for (unsigned int i = 0; i < places->count + 1; i++) {
		uint64_t at = top;

		if (i > 0 && places->claim[i - 1].begin < at)
			at = places->claim[i - 1].begin;
		if (size == 0 || at < size)
			continue;
		at = (at - size) & ~(align - 1);
		if (at > best && at >= from && is_ram(places->memory, at, at + size) &&
		    !overlapping(places, at, at + size))
			best = at;
	}
	if (best == 0)
		return no_room(places, what, size, align, from, below);
	*gpa = best;
	return vmm_claim(places, what, best, size);
}

int vmm_put(const struct vmm_places *places, uint64_t gpa, const void *data, uint64_t size)
{
	static const uint8_t zero[VMM_PAGE];
	const struct vmm_memory *memory = places->memory;
	int error = 0;

	if (data)
		error = memory->write(memory->opaque, gpa, data, size);
	for (uint64_t done = 0; !data && done < size && !error; done += VMM_PAGE)
		error = memory->write(memory->opaque, gpa + done, zero,
				      size - done < VMM_PAGE ? size - done : VMM_PAGE);
	if (error)
		return vsm_error(places->log, -error, "%s: guest RAM at 0x%llx: %s", places->file,
				 (ull)gpa, strerror(-error));
	return 0;
}
