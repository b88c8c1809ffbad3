/* SPDX-License-Identifier: BSD-2-Clause */
/* Source: Phoenix, "System BIOS for IBM PCs, Compatibles, and EISA Computers". */
#include "boot/bios_data.h"

#include <string.h>

#include "device/port.h"
#include "machine/machine.h"

#define BIOS_DATA      0x400u
#define BIOS_DATA_SIZE 0x100u
#define EBDA	       VMM_BASE_END /* up to 640 KiB */
#define EBDA_SIZE      (0xa0000u - EBDA)

enum {
	SERIAL_PORTS = 0x00,
	EBDA_SEGMENT = 0x0e,
	EQUIPMENT = 0x10,
	MEMORY_KIB = 0x13,
};

#define ONE_SERIAL_PORT (1u << 9)

static void put16(uint8_t *area, unsigned int offset, uint64_t value)
{
	const uint16_t word = (uint16_t)value;

	memcpy(area + offset, &word, sizeof(word));
}

int vmm_bios_data_put(const struct vmm_memory *memory, const struct vsm_log *log)
{
	uint8_t area[BIOS_DATA_SIZE] = {0}, extended[EBDA_SIZE] = {EBDA_SIZE / 1024};
	int error;

	put16(area, SERIAL_PORTS, VMM_SERIAL_PORT);
	put16(area, EBDA_SEGMENT, EBDA >> 4);
	put16(area, EQUIPMENT, ONE_SERIAL_PORT);
	put16(area, MEMORY_KIB, VMM_BASE_END / 1024);
	error = memory->write(memory->opaque, BIOS_DATA, area, sizeof(area));
	if (!error)
		error = memory->write(memory->opaque, EBDA, extended, sizeof(extended));
	return error ? vsm_error(log, -error, "the BIOS data area: %s", strerror(-error)) : 0;
}
