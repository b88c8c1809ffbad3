/* SPDX-License-Identifier: BSD-2-Clause */
#include "load/elf_header.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "array.h"

typedef unsigned long long ull;

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

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].machine == machine)
			return known[i].name;
	return "another machine";
}

/* NULL: can be loaded. An ET_DYN kernel runs at its segments' addresses, without relocation. */
static const char *refused_type(uint16_t type)
{
	switch (type) {
	case ET_EXEC:
	case ET_DYN:
		return NULL;
	case ET_REL:
		return "an object file or a kernel module: link it, or give the kernel itself";
	case ET_CORE:
		return "a core dump, not a kernel";
	default:
		return "not an executable";
	}
}

static void read_header(const struct vmm_file *file, struct vmm_elf_header *header)
{
	Elf32_Ehdr small;
	Elf64_Ehdr large;

	header->is_64 = file->data[EI_CLASS] == ELFCLASS64;
	if (header->is_64) {
		memcpy(&large, file->data, sizeof(large));
		*header = (struct vmm_elf_header){
			large.e_entry, large.e_phoff,	large.e_phnum, large.e_phentsize,
			large.e_type,  large.e_machine, true};
	} else {
		memcpy(&small, file->data, sizeof(small));
		*header = (struct vmm_elf_header){
			small.e_entry, small.e_phoff,	small.e_phnum, small.e_phentsize,
			small.e_type,  small.e_machine, false};
	}
}

static int check_table(const struct vmm_file *file, const struct vsm_log *log,
		       const struct vmm_elf_header *header)
{
	uint64_t end;

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

static int check_interpreter(const struct vmm_file *file, const struct vsm_log *log,
			     const struct vmm_elf_header *header)
{
	struct vmm_elf_segment segment;

	for (uint32_t i = 0; i < header->count; i++) {
		vmm_elf_segment(file, header, i, &segment);
		if (segment.type == PT_INTERP)
			return vsm_error(log, ENOEXEC,
					 "%s: a dynamically linked program of an operating system, "
					 "not a kernel",
					 file->name);
	}
	if (header->type == ET_DYN && header->entry == 0)
		return vsm_error(log, ENOEXEC, "%s: a shared library (no entry), not a kernel",
				 file->name);
	return 0;
}

int vmm_elf_header(const struct vmm_file *file, const struct vsm_log *log,
		   struct vmm_elf_header *header)
{
	const char *refused;
	int error;

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
	refused = refused_type(header->type);
	if (refused)
		return vsm_error(log, ENOEXEC, "%s: ELF type %u: %s", file->name, header->type,
				 refused);
	error = check_table(file, log, header);
	return error ? error : check_interpreter(file, log, header);
}

void vmm_elf_segment(const struct vmm_file *file, const struct vmm_elf_header *header,
		     uint32_t index, struct vmm_elf_segment *segment)
{
	const uint8_t *at = file->data + header->table + (uint64_t)index * header->entry_size;
	Elf32_Phdr small;
	Elf64_Phdr large;

	if (header->is_64) {
		memcpy(&large, at, sizeof(large));
		*segment = (struct vmm_elf_segment){large.p_type,  large.p_offset, large.p_vaddr,
						    large.p_paddr, large.p_filesz, large.p_memsz,
						    large.p_align};
		return;
	}
	memcpy(&small, at, sizeof(small));
	*segment = (struct vmm_elf_segment){small.p_type,  small.p_offset, small.p_vaddr,
					    small.p_paddr, small.p_filesz, small.p_memsz,
					    small.p_align};
}
