/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/elf_image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

typedef unsigned long long ull;

/* One header and one program header, from either class. */
struct header {
	uint64_t entry, table;
	uint32_t count, entry_size;
	uint16_t type, machine;
	bool is_64;
};

struct segment {
	uint64_t offset, virtual_address, physical, in_file, in_memory;
};

bool vmm_is_elf(const struct vmm_file *file)
{
	return file->size >= SELFMAG && !memcmp(file->data, ELFMAG, SELFMAG);
}

static const char *machine_name(uint16_t machine)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} known[] = {{EM_386, "32-bit x86"},	 {EM_X86_64, "x86-64"}, {EM_ARM, "32-bit Arm"},
		     {EM_AARCH64, "64-bit Arm"}, {EM_RISCV, "RISC-V"},	{EM_PPC64, "64-bit POWER"},
		     {EM_S390, "S/390"},	 {EM_MIPS, "MIPS"}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].machine == machine)
			return known[i].name;
	return "another machine";
}

static void read_header(const struct vmm_file *file, struct header *header)
{
	Elf32_Ehdr small;
	Elf64_Ehdr large;

	header->is_64 = file->data[EI_CLASS] == ELFCLASS64;
	if (header->is_64) {
		memcpy(&large, file->data, sizeof(large));
		*header = (struct header){
			large.e_entry, large.e_phoff,	large.e_phnum, large.e_phentsize,
			large.e_type,  large.e_machine, true};
	} else {
		memcpy(&small, file->data, sizeof(small));
		*header = (struct header){
			small.e_entry, small.e_phoff,	small.e_phnum, small.e_phentsize,
			small.e_type,  small.e_machine, false};
	}
}

static int check_header(const struct vmm_file *file, const struct vsm_log *log,
			struct header *header)
{
	uint64_t end;

	if (file->size < sizeof(Elf64_Ehdr))
		return vsm_error(log, ENOEXEC, "%s: truncated: %zu bytes are no ELF header",
				 file->name, file->size);
	if (file->data[EI_DATA] != ELFDATA2LSB ||
	    (file->data[EI_CLASS] != ELFCLASS32 && file->data[EI_CLASS] != ELFCLASS64))
		return vsm_error(
			log, ENOEXEC,
			"%s: ELF class %u and byte order %u: not a little-endian machine of "
			"32 or 64 bits",
			file->name, file->data[EI_CLASS], file->data[EI_DATA]);
	read_header(file, header);
	if (header->machine != (header->is_64 ? EM_X86_64 : EM_386))
		return vsm_error(log, ENOEXEC, "%s: for %s (ELF machine %u), not for x86",
				 file->name, machine_name(header->machine), header->machine);
	if (header->type != ET_EXEC)
		return vsm_error(log, ENOEXEC,
				 "%s: ELF type %u: not a statically linked executable (type %u)",
				 file->name, header->type, ET_EXEC);
	if (header->entry_size != (header->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) ||
	    header->count == 0 || header->count > VMM_ELF_SEGMENTS_MAX)
		return vsm_error(
			log, ENOEXEC,
			"%s: %u program headers of %u bytes; 1 to %u of the standard size are "
			"taken",
			file->name, header->count, header->entry_size, VMM_ELF_SEGMENTS_MAX);
	if (__builtin_add_overflow(header->table, header->count * (uint64_t)header->entry_size,
				   &end) ||
	    end > file->size)
		return vsm_error(
			log, ENOEXEC,
			"%s: truncated: program headers at 0x%llx of a file of 0x%zx bytes",
			file->name, (ull)header->table, file->size);
	return 0;
}

/* False for what is not to be loaded. */
static bool read_segment(const struct vmm_file *file, const struct header *header, uint32_t index,
			 struct segment *segment)
{
	const uint8_t *at = file->data + header->table + (uint64_t)index * header->entry_size;
	Elf32_Phdr small;
	Elf64_Phdr large;

	if (header->is_64) {
		memcpy(&large, at, sizeof(large));
		*segment = (struct segment){large.p_offset, large.p_vaddr, large.p_paddr,
					    large.p_filesz, large.p_memsz};
		return large.p_type == PT_LOAD;
	}
	memcpy(&small, at, sizeof(small));
	*segment = (struct segment){small.p_offset, small.p_vaddr, small.p_paddr, small.p_filesz,
				    small.p_memsz};
	return small.p_type == PT_LOAD;
}

static int load_segment(struct vmm_places *places, const struct vmm_file *file, uint32_t index,
			const struct segment *segment)
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

/* Kernels that run high are linked high and say so; they are entered where they were loaded. */
static bool find_entry(const struct segment *segment, uint64_t entry, uint64_t *physical)
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

int vmm_elf_load(struct vmm_places *places, const struct vmm_file *file, struct vmm_elf *elf)
{
	struct header header = {0};
	bool entered = false;
	int error;

	error = check_header(file, places->log, &header);
	if (error)
		return error;
	*elf = (struct vmm_elf){.is_64 = header.is_64};
	for (uint32_t i = 0; i < header.count; i++) {
		struct segment segment;

		if (!read_segment(file, &header, i, &segment) || segment.in_memory == 0)
			continue;
		error = load_segment(places, file, i, &segment);
		if (error)
			return error;
		if (segment.physical + segment.in_memory > elf->end)
			elf->end = segment.physical + segment.in_memory;
		entered = entered || find_entry(&segment, header.entry, &elf->entry);
	}
	if (!entered)
		return vsm_error(places->log, ENOEXEC,
				 "%s: the entry 0x%llx is in none of the segments that were loaded",
				 file->name, (ull)header.entry);
	return 0;
}
