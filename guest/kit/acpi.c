/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/acpi.h"

#include <stddef.h>

#include "kit/memory.h"

#define SEARCH_BEGIN 0xe0000ull
#define SEARCH_END   0x100000ull
#define TABLE_MAX    0x100000u

#define MADT_LOCAL_APIC	  0
#define MADT_LOCAL_X2APIC 9
#define MADT_USABLE	  3u /* Enabled, Online Capable */

struct header {
	char signature[4];
	uint32_t length;
	uint8_t rest[28];
};

static uint32_t u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static const uint8_t *find_rsdp(void)
{
	for (uint64_t at = SEARCH_BEGIN; at < SEARCH_END; at += 16)
		if (!memcmp((const void *)at, "RSD PTR ", 8))
			return (const uint8_t *)at;
	return NULL;
}

/* Finds the table with this signature in the XSDT (entries of 8 bytes) or the RSDT (of 4 bytes). */
static const struct header *find_table(const char *signature)
{
	const uint8_t *rsdp = find_rsdp();
	const struct header *root;
	uint32_t size = 4;
	uint64_t at;

	if (!rsdp)
		return NULL;
	at = u32(rsdp + 16);
	if (rsdp[15] >= 2 && u32(rsdp + 24)) {
		at = u32(rsdp + 24);
		size = 8;
	}
	root = (const struct header *)at;
	if (root->length > TABLE_MAX)
		return NULL;
	for (uint32_t i = sizeof(*root); i + size <= root->length; i += size) {
		const uint64_t entry = u32((const uint8_t *)root + i);

		if (!memcmp((const void *)entry, signature, 4))
			return (const struct header *)entry;
	}
	return NULL;
}

uint32_t acpi_processors(uint32_t *apic_id, uint32_t max)
{
	const struct header *madt = find_table("APIC");
	const uint8_t *table = (const uint8_t *)madt;
	uint32_t count = 0;

	if (!madt || madt->length > TABLE_MAX)
		return 0;
	for (uint32_t i = sizeof(*madt) + 8; i + 8 <= madt->length && table[i + 1] >= 2;
	     i += table[i + 1]) {
		const uint8_t *entry = table + i;

		if (count == max)
			break;
		if (entry[0] == MADT_LOCAL_APIC && u32(entry + 4) & MADT_USABLE)
			apic_id[count++] = entry[3];
		else if (entry[0] == MADT_LOCAL_X2APIC && entry[1] >= 16 &&
			 u32(entry + 8) & MADT_USABLE)
			apic_id[count++] = u32(entry + 4);
	}
	return count;
}
