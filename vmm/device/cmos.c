/* SPDX-License-Identifier: BSD-2-Clause */
#include "device/cmos.h"

#include <string.h>

/* The clock [MC146818, "Address Map"], and memory sizes where PC firmware stores them. */
enum {
	SECONDS = 0x00,
	MINUTES = 0x02,
	HOURS = 0x04,
	WEEKDAY = 0x06,
	DAY = 0x07,
	MONTH = 0x08,
	YEAR = 0x09,
	REGISTER_A = 0x0a,
	REGISTER_B = 0x0b,
	REGISTER_C = 0x0c,
	REGISTER_D = 0x0d,
	BASE_KIB = 0x15,     /* two bytes */
	EXTENDED_KIB = 0x17, /* two bytes; again at 0x30 */
	EXTENDED_KIB_2 = 0x30,
	CENTURY = 0x32,
	ABOVE_16M = 0x34, /* two bytes, units of 64 KiB */
	ABOVE_4G = 0x5b,  /* three bytes, units of 64 KiB */
	LAST_PROCESSOR = 0x5f,
};

#define A_RATE	   0x26u /* 32 kHz base, 1,024 Hz; update in progress always clear */
#define B_BINARY   0x04u
#define B_24_HOURS 0x02u
#define D_VALID	   0x80u

static void put(struct vmm_cmos *cmos, unsigned int at, uint64_t value, uint64_t max,
		unsigned int bytes)
{
	value = value < max ? value : max;
	for (unsigned int i = 0; i < bytes; i++)
		cmos->ram[at + i] = (uint8_t)(value >> (8 * i));
}

void vmm_cmos_init(struct vmm_cmos *cmos, const struct vmm_memory *memory, uint32_t processors,
		   vmm_clock_fn *clock, void *opaque)
{
	const uint64_t extended = memory->low > VMM_EXTENDED ? memory->low - VMM_EXTENDED : 0;
	const uint64_t above_16m = memory->low > 0x1000000 ? memory->low - 0x1000000 : 0;

	memset(cmos, 0, sizeof(*cmos));
	cmos->clock = clock;
	cmos->opaque = opaque;
	cmos->ram[REGISTER_A] = A_RATE;
	cmos->ram[REGISTER_B] = B_24_HOURS;
	put(cmos, BASE_KIB, 640, 0xffff, 2);
	put(cmos, EXTENDED_KIB, extended / 1024, 0xffff, 2);
	put(cmos, EXTENDED_KIB_2, extended / 1024, 0xffff, 2);
	put(cmos, ABOVE_16M, above_16m / 65536, 0xffff, 2);
	put(cmos, ABOVE_4G, memory->high / 65536, 0xffffff, 3);
	put(cmos, LAST_PROCESSOR, processors - 1, 0xff, 1);
}

static uint8_t number(const struct vmm_cmos *cmos, int value)
{
	return (uint8_t)(cmos->ram[REGISTER_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

/* 12-hour format: 12, then 1 to 11; bit 7 means p.m. */
static uint8_t hours(const struct vmm_cmos *cmos, int hour)
{
	if (cmos->ram[REGISTER_B] & B_24_HOURS)
		return number(cmos, hour);
	return number(cmos, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0);
}

static uint8_t read_clock(const struct vmm_cmos *cmos)
{
	const time_t now = cmos->clock ? cmos->clock(cmos->opaque) : time(NULL);
	struct tm utc;

	if (!gmtime_r(&now, &utc))
		memset(&utc, 0, sizeof(utc));
	switch (cmos->index) {
	case SECONDS:
		return number(cmos, utc.tm_sec % 60); /* omit leap seconds */
	case MINUTES:
		return number(cmos, utc.tm_min);
	case HOURS:
		return hours(cmos, utc.tm_hour);
	case WEEKDAY:
		return number(cmos, utc.tm_wday + 1);
	case DAY:
		return number(cmos, utc.tm_mday);
	case MONTH:
		return number(cmos, utc.tm_mon + 1);
	case YEAR:
		return number(cmos, utc.tm_year % 100);
	default:
		return number(cmos, (utc.tm_year / 100 + 19) % 100);
	}
}

static uint32_t read_port(void *opaque, uint16_t port, unsigned int size)
{
	const struct vmm_cmos *cmos = opaque;

	(void)size;
	if (!(port & 1))
		return 0xff; /* the index is write-only */
	switch (cmos->index) {
	case SECONDS:
	case MINUTES:
	case HOURS:
	case WEEKDAY:
	case DAY:
	case MONTH:
	case YEAR:
	case CENTURY:
		return read_clock(cmos);
	case REGISTER_C: /* no interrupt is ever pending */
		return 0;
	case REGISTER_D:
		return D_VALID;
	default:
		return cmos->ram[cmos->index];
	}
}

static void write_port(void *opaque, uint16_t port, unsigned int size, uint32_t value)
{
	struct vmm_cmos *cmos = opaque;

	(void)size;
	if (!(port & 1)) {
		cmos->index = value & 0x7f; /* bit 7, which masks NMIs on a PC, is ignored */
		return;
	}
	switch (cmos->index) {
	case REGISTER_A:
	case REGISTER_C:
	case REGISTER_D:
		break;
	case REGISTER_B:
		/* No alarm or interrupt can be enabled. */
		cmos->ram[REGISTER_B] = value & (B_BINARY | B_24_HOURS | 1);
		break;
	default: /* the time cannot be set */
		cmos->ram[cmos->index] = (uint8_t)value;
	}
}

int vmm_cmos_add(struct vmm_cmos *cmos, struct vmm_ports *ports)
{
	const struct vmm_port_range range = {.name = "CMOS",
					     .first = 0x70,
					     .last = 0x71,
					     .max_size = 1,
					     .read = read_port,
					     .write = write_port,
					     .opaque = cmos};

	return vmm_ports_add(ports, &range);
}

static const struct vmm_field fields[] = {
	VMM_FIELD(vmm_cmos, index, 0x7f),
	VMM_FIELD_ARRAY(vmm_cmos, ram),
};

const struct vmm_fields vmm_cmos_fields = {fields, ARRAY_SIZE(fields), NULL};
