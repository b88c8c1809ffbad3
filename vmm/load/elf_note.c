/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/elf_note.h"

#include <elf.h>
#include <string.h>

static uint64_t padded(uint64_t size, uint64_t align)
{
	return (size + align - 1) & ~(align - 1);
}

/* @size bytes at @offset must be inside the file. */
static bool find_in(const struct vmm_file *file, uint64_t offset, uint64_t size, uint64_t align,
		    const char *owner, uint32_t type, struct vmm_elf_note *note)
{
	const uint64_t end = offset + size;
	const size_t owner_size = strlen(owner) + 1;

	while (end - offset >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr header;
		uint64_t name, description;

		memcpy(&header, file->data + offset, sizeof(header));
		name = offset + sizeof(header);
		description = name + padded(header.n_namesz, align);
		if (description > end || header.n_descsz > end - description)
			return false;
		if ((type == VMM_ELF_NOTE_ANY || header.n_type == type) &&
		    header.n_namesz == owner_size &&
		    !memcmp(file->data + name, owner, owner_size)) {
			*note = (struct vmm_elf_note){description, header.n_descsz};
			return true;
		}
		offset = description + padded(header.n_descsz, align);
		if (offset > end)
			return false;
	}
	return false;
}

bool vmm_elf_find_note(const struct vmm_file *file, const struct vmm_elf_header *header,
		       const char *owner, uint32_t type, struct vmm_elf_note *note)
{
	for (uint32_t i = 0; i < header->count; i++) {
		struct vmm_elf_segment segment;
		uint64_t end;

		vmm_elf_segment(file, header, i, &segment);
		if (segment.type == PT_NOTE &&
		    !__builtin_add_overflow(segment.offset, segment.in_file, &end) &&
		    end <= file->size &&
		    find_in(file, segment.offset, segment.in_file, segment.align == 8 ? 8 : 4,
			    owner, type, note))
			return true;
	}
	return false;
}
