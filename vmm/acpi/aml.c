/* SPDX-License-Identifier: BSD-2-Clause */
#include "acpi/aml.h"

#include <string.h>

/* Opcodes [20.3]. */
#define ZERO_OP	      0x00u
#define ONE_OP	      0x01u
#define NAME_OP	      0x08u
#define BYTE_PREFIX   0x0au
#define WORD_PREFIX   0x0bu
#define DWORD_PREFIX  0x0cu
#define QWORD_PREFIX  0x0eu
#define SCOPE_OP      0x10u
#define BUFFER_OP     0x11u
#define PACKAGE_OP    0x12u
#define EXT_OP_PREFIX 0x5bu
#define DEVICE_OP     0x82u

/* Small and large resource descriptors [6.4.2, 6.4.3]. */
#define IO_PORT		   0x47u
#define IO_DECODE_16	   0x01u
#define END_TAG		   0x79u
#define EXTENDED_INTERRUPT 0x89u
#define INTERRUPT_CONSUMER 0x01u
#define INTERRUPT_EDGE	   0x02u

void aml_bytes(struct aml *aml, const void *data, size_t size)
{
	if (aml->overflow || size > aml->size - aml->used) {
		aml->overflow = true;
		return;
	}
	memcpy(aml->data + aml->used, data, size);
	aml->used += size;
}

static void byte(struct aml *aml, uint8_t value)
{
	aml_bytes(aml, &value, 1);
}

void aml_integer(struct aml *aml, uint64_t value)
{
	static const struct {
		uint64_t max;
		uint8_t prefix;
		uint8_t bytes;
	} form[] = {{0xff, BYTE_PREFIX, 1},
		    {0xffff, WORD_PREFIX, 2},
		    {0xffffffff, DWORD_PREFIX, 4},
		    {UINT64_MAX, QWORD_PREFIX, 8}};
	size_t i = 0;

	if (value <= 1) {
		byte(aml, value ? ONE_OP : ZERO_OP);
		return;
	}
	while (value > form[i].max)
		i++;
	byte(aml, form[i].prefix);
	aml_bytes(aml, &value, form[i].bytes);
}

static uint32_t digit(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10) & 0xf;
}

void aml_eisa_id(struct aml *aml, const char id[8])
{
	uint32_t value = 0;

	for (int i = 0; i < 3; i++)
		value = value << 5 | ((uint32_t)(id[i] - 'A' + 1) & 0x1f);
	for (int i = 3; i < 7; i++)
		value = value << 4 | digit(id[i]);
	byte(aml, DWORD_PREFIX);
	value = __builtin_bswap32(value);
	aml_bytes(aml, &value, sizeof(value));
}

void aml_name(struct aml *aml, const char name[4])
{
	byte(aml, NAME_OP);
	aml_bytes(aml, name, 4);
}

size_t aml_scope(struct aml *aml, const char name[4])
{
	size_t begin;

	byte(aml, SCOPE_OP);
	begin = aml->used;
	aml_bytes(aml, name, 4);
	return begin;
}

size_t aml_device(struct aml *aml, const char name[4])
{
	size_t begin;

	byte(aml, EXT_OP_PREFIX);
	byte(aml, DEVICE_OP);
	begin = aml->used;
	aml_bytes(aml, name, 4);
	return begin;
}

size_t aml_package(struct aml *aml, uint8_t elements)
{
	size_t begin;

	byte(aml, PACKAGE_OP);
	begin = aml->used;
	byte(aml, elements);
	return begin;
}

/*
 * The length [20.2.4] includes itself: one byte up to 63; else the first byte has the number of
 * bytes that follow and the low four bits of the length.
 */
void aml_end(struct aml *aml, size_t begin)
{
	const size_t inside = aml->overflow ? 0 : aml->used - begin;
	uint8_t length[4];
	size_t bytes = 1;

	while (inside + bytes > (bytes == 1 ? 0x3fu : (1u << (8 * bytes - 4)) - 1))
		bytes++;
	length[0] = (uint8_t)(inside + bytes);
	if (bytes > 1) {
		length[0] = (uint8_t)((bytes - 1) << 6 | ((inside + bytes) & 0xf));
		for (size_t i = 1; i < bytes; i++)
			length[i] = (uint8_t)((inside + bytes) >> (8 * i - 4));
	}
	aml_bytes(aml, length, bytes);
	if (aml->overflow)
		return;
	memmove(aml->data + begin + bytes, aml->data + begin, inside);
	memcpy(aml->data + begin, length, bytes);
}

void aml_port_and_interrupt(struct aml *aml, uint16_t port, uint8_t ports, uint32_t interrupt)
{
	const uint8_t low = (uint8_t)port, high = (uint8_t)(port >> 8);
	const uint8_t list[] = {
		IO_PORT, IO_DECODE_16, low, high, low, high, 1, ports,
		/* length 6, then one interrupt: edge, active high, exclusive */
		EXTENDED_INTERRUPT, 6, 0, INTERRUPT_CONSUMER | INTERRUPT_EDGE, 1,
		(uint8_t)interrupt, (uint8_t)(interrupt >> 8), (uint8_t)(interrupt >> 16),
		(uint8_t)(interrupt >> 24), END_TAG, 0, /* a checksum of 0: not checked [6.4.2.9] */
	};
	size_t begin;

	byte(aml, BUFFER_OP);
	begin = aml->used;
	aml_integer(aml, sizeof(list));
	aml_bytes(aml, list, sizeof(list));
	aml_end(aml, begin);
}
