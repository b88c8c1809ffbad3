/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/elf_image.h"

#include <elf.h>
#include <errno.h>

typedef unsigned long long ull;

static int load_segment(struct vmm_places *places, const struct vmm_file *file, uint32_t index,
			const struct vmm_elf_segment *segment)
{
	uint64_t end;
	int error;

	if (segment->in_file > segment->in_memory)
		return vsm_error(places->log, ENOEXEC,
				 "%s: segment %u has 0x%llx bytes in the file and 0x%llx in memory",
				 file->name, index, (ull)segment->in_file, (ull)segment->in_memory);
	if (__builtin_add_overflow(segment->offset, segment->in_file, &end) || end > file->size)
		return vsm_error(places->log, ENOEXEC,
				 "%s: truncated: segment %u is 0x%llx bytes at 0x%llx of a file of "
				 "0x%zx",
				 file->name, index, (ull)segment->in_file, (ull)segment->offset,
				 file->size);
	error = vmm_claim(places, "an ELF segment", segment->physical, segment->in_memory);
	if (!error && segment->in_file)
		error = vmm_put(places, segment->physical, file->data + segment->offset,
				segment->in_file);
	if (!error)
		error = vmm_put(places, segment->physical + segment->in_file, NULL,
				segment->in_memory - segment->in_file);
	return error;
}

/* Kernels that are linked to high virtual addresses are entered at the physical address. */
static bool find_entry(const struct vmm_elf_segment *segment, uint64_t entry, uint64_t *physical)
{
	if (entry >= segment->virtual_address &&
	    entry - segment->virtual_address < segment->in_memory) {
		*physical = entry - segment->virtual_address + segment->physical;
		return true;
	}
	if (entry >= segment->physical && entry - segment->physical < segment->in_memory) {
		*physical = entry;
		return true;
	}
	return false;
}

int vmm_elf_segments(struct vmm_places *places, const struct vmm_file *file,
		     const struct vmm_elf_header *header, struct vmm_elf *elf)
{
	*elf = (struct vmm_elf){.is_64 = header->is_64};
	for (uint32_t i = 0; i < header->count; i++) {
		struct vmm_elf_segment segment;
		int error;

		vmm_elf_segment(file, header, i, &segment);
		if (segment.type != PT_LOAD || segment.in_memory == 0)
			continue;
		error = load_segment(places, file, i, &segment);
		if (error)
			return error;
		elf->entered = elf->entered || find_entry(&segment, header->entry, &elf->entry);
	}
	return 0;
}

int vmm_elf_load(struct vmm_places *places, const struct vmm_file *file, struct vmm_elf *elf)
{
	struct vmm_elf_header header = {0};
	int error;

	error = vmm_elf_header(file, places->log, &header);
	if (!error)
		error = vmm_elf_segments(places, file, &header, elf);
	if (!error && !elf->entered)
		return vsm_error(places->log, ENOEXEC,
				 "%s: the entry 0x%llx is in none of the segments that were loaded",
				 file->name, (ull)header.entry);
	return error;
}
