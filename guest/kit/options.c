/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/options.h"

#include <stddef.h>

#include "kit/memory.h"

#define MULTIBOOT_MAGIC	       0x2badb002
#define MULTIBOOT_INFO_MEMORY  0x1u
#define MULTIBOOT_INFO_CMDLINE 0x4u
#define EXTENDED	       0x100000ull
#define MEMORY_MAX	       0xc0000000ull

static char line[512];
uint64_t options_memory_end;

bool options_init(uint32_t magic, uint64_t information)
{
	const uint32_t *info = (const uint32_t *)information;

	if (magic != MULTIBOOT_MAGIC)
		return false;
	if (info[0] & MULTIBOOT_INFO_CMDLINE) {
		const char *text = (const char *)(uintptr_t)info[4];

		for (size_t i = 0; i < sizeof(line) - 1 && text[i]; i++)
			line[i] = text[i];
	}
	/* The default if the loader reports no memory; every VMM provides at least this RAM. */
	options_memory_end = 0x2000000;
	if (info[0] & MULTIBOOT_INFO_MEMORY)
		options_memory_end = EXTENDED + 1024ull * info[2];
	if (options_memory_end > MEMORY_MAX)
		options_memory_end = MEMORY_MAX;
	return true;
}

const char *option_text(const char *name)
{
	const size_t length = strlen(name);

	for (const char *at = line; *at; at++) {
		if ((at == line || at[-1] == ' ') && !strncmp(at, name, length) &&
		    at[length] == '=')
			return at + length + 1;
	}
	return NULL;
}

static uint32_t digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0');
	return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10 : 16;
}

uint64_t option_number(const char *name, uint64_t missing)
{
	const char *at = option_text(name);
	uint32_t base = 10;
	uint64_t value = 0;

	if (!at)
		return missing;
	if (at[0] == '0' && at[1] == 'x') {
		base = 16;
		at += 2;
	}
	for (; digit_of(*at) < base; at++)
		value = value * base + digit_of(*at);
	return value;
}

bool option_has(const char *name, const char *value)
{
	const size_t length = strlen(value);
	const char *at = option_text(name);

	while (at && *at && *at != ' ') {
		if (!strncmp(at, value, length) &&
		    (at[length] == ',' || at[length] == ' ' || !at[length]))
			return true;
		while (*at && *at != ' ' && *at != ',')
			at++;
		if (*at == ',')
			at++;
	}
	return false;
}
