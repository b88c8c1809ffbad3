/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct symbol {
	uint64_t address;
	uint64_t end; /* end of the symbol, or of its section if its size is unknown */
	char *name;
	bool preferred; /* a global function, which is shown for its address */
};

struct symbols {
	struct symbol *list; /* sorted by address, the preferred symbol of an address first */
	size_t count;
	size_t room;
};

static char *printable(const char *name)
{
	char *copy = strdup(name);

	for (char *at = copy; at && *at; at++)
		if (*at <= ' ' || *at > '~')
			*at = '?';
	return copy;
}

static bool add(struct symbols *symbols, const struct symbol *symbol)
{
	if (symbols->count == symbols->room) {
		const size_t room = symbols->room ? 2 * symbols->room : 1024;
		struct symbol *list = reallocarray(symbols->list, room, sizeof(*list));

		if (!list)
			return false;
		symbols->list = list;
		symbols->room = room;
	}
	symbols->list[symbols->count] = *symbol;
	symbols->list[symbols->count].name = printable(symbol->name);
	if (!symbols->list[symbols->count].name)
		return false;
	symbols->count++;
	return true;
}

/* Returns false without memory. */
static bool take(struct symbols *symbols, Elf *elf, const GElf_Shdr *table, const GElf_Sym *entry,
		 uint64_t offset)
{
	const int type = GELF_ST_TYPE(entry->st_info);
	const char *name = elf_strptr(elf, table->sh_link, entry->st_name);
	Elf_Scn *section = elf_getscn(elf, entry->st_shndx);
	struct symbol symbol = {.address = entry->st_value + offset};
	GElf_Shdr header;

	if (!name || !*name || entry->st_shndx == SHN_UNDEF || entry->st_shndx >= SHN_LORESERVE ||
	    (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE))
		return true;
	if (!section || !gelf_getshdr(section, &header) || !(header.sh_flags & SHF_ALLOC))
		return true;
	symbol.name = (char *)(uintptr_t)name;
	symbol.end = entry->st_size ? symbol.address + entry->st_size
				    : header.sh_addr + header.sh_size + offset;
	symbol.preferred = type == STT_FUNC && GELF_ST_BIND(entry->st_info) == STB_GLOBAL;
	return add(symbols, &symbol);
}

static int compare(const void *left, const void *right)
{
	const struct symbol *one = left, *other = right;

	if (one->address != other->address)
		return one->address < other->address ? -1 : 1;
	return (int)other->preferred - (int)one->preferred;
}

/* .dynsym is read only without symbols in .symtab. */
static bool read_tables(struct symbols *symbols, Elf *elf, uint64_t offset)
{
	static const GElf_Word types[] = {SHT_SYMTAB, SHT_DYNSYM};

	for (size_t i = 0; i < 2 && !symbols->count; i++) {
		for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
			GElf_Shdr header;
			Elf_Data *data;
			GElf_Sym entry;

			if (!gelf_getshdr(section, &header) || header.sh_type != types[i])
				continue;
			data = elf_getdata(section, NULL);
			for (int k = 0; data && gelf_getsym(data, k, &entry); k++)
				if (!take(symbols, elf, &header, &entry, offset))
					return false;
		}
	}
	if (symbols->count)
		qsort(symbols->list, symbols->count, sizeof(*symbols->list), compare);
	return true;
}

static struct symbols *read_file(int fd, const char *path, uint64_t offset)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const char *wrong = NULL;

	if (!symbols || (elf && elf_kind(elf) == ELF_K_ELF && !read_tables(symbols, elf, offset)))
		wrong = "no memory";
	else if (!elf || elf_kind(elf) != ELF_K_ELF)
		wrong = "not an ELF file";
	else if (!symbols->count)
		wrong = "no symbols";
	elf_end(elf);
	if (!wrong)
		return symbols;
	fprintf(stderr, "vsm inspect: %s: %s\n", path, wrong);
	symbols_close(symbols);
	return NULL;
}

struct symbols *symbols_open(const char *path, uint64_t offset)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct symbols *symbols;

	if (fd < 0 || elf_version(EV_CURRENT) == EV_NONE) {
		fprintf(stderr, "vsm inspect: %s: %s\n", path, strerror(errno));
		return NULL;
	}
	symbols = read_file(fd, path, offset);
	close(fd);
	return symbols;
}

void symbols_close(struct symbols *symbols)
{
	for (size_t i = 0; symbols && i < symbols->count; i++)
		free(symbols->list[i].name);
	if (symbols)
		free(symbols->list);
	free(symbols);
}

const char *symbols_at(const struct symbols *symbols, uint64_t address, uint64_t *distance)
{
	size_t low = 0, high = symbols ? symbols->count : 0;
	const struct symbol *found;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (symbols->list[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	found = &symbols->list[low - 1];
	while (found > symbols->list && found[-1].address == found->address)
		found--;
	if (address >= found->end && address != found->address)
		return NULL;
	*distance = address - found->address;
	return found->name;
}

bool symbols_find(const struct symbols *symbols, const char *name, uint64_t *address)
{
	for (size_t i = 0; symbols && i < symbols->count; i++) {
		if (strcmp(symbols->list[i].name, name) != 0)
			continue;
		*address = symbols->list[i].address;
		return true;
	}
	return false;
}
