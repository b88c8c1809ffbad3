/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk of q35's AHCI controller (AHCI 1.3.1, sections 3, 4, 5). */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

/* Registers of the controller and of its first port, as indexes of 4 bytes. */
enum {
	GHC = 0x04 / 4,
	PORT = 0x100 / 4,
	PORT_CLB = PORT,
	PORT_FB = PORT + 2,
	PORT_IS = PORT + 4,
	PORT_CMD = PORT + 6,
	PORT_TFD = PORT + 8,
	PORT_SERR = PORT + 12,
	PORT_CI = PORT + 14,
};

#define GHC_AE	      (1u << 31)
#define CMD_ST	      1u
#define CMD_FRE	      (1u << 4)
#define TFD_ERR	      1u
#define REGISTERS     "/sys/bus/pci/devices/0000:00:1f.2/resource5"
#define CONFIG	      "/sys/bus/pci/devices/0000:00:1f.2/config"
#define READ_DMA_EXT  0x25
#define WRITE_DMA_EXT 0x35

/* Offsets of the controller's structures in the area. */
enum {
	COMMANDS = 0,
	ANSWERS = 0x400,
	TABLE = 0x1000,
};

static volatile uint32_t *find_controller(void)
{
	const uint16_t enable = 7; /* I/O, memory, bus master */
	int config = open(CONFIG, O_RDWR | O_CLOEXEC);
	int fd = open(REGISTERS, O_RDWR | O_CLOEXEC);
	void *at;

	if (config < 0 || fd < 0 || pwrite(config, &enable, 2, 4) != 2)
		die("AHCI controller");
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		die("AHCI registers");
	close(config);
	close(fd);
	return at;
}

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static uint8_t run(struct area *area, bool to_disk, uint64_t page, uint64_t gpa, uint64_t answers)
{
	volatile uint32_t *r = find_controller();
	uint8_t *table = area->at + TABLE;
	const uint64_t sector = page * SECTORS;
	const uint32_t size = PAGE - 1;
	/* Command FIS of 5 doublewords, one entry in the PRDT. */
	const uint32_t command = 5u | (to_disk ? 1u << 6 : 0) | 1u << 16;

	memset(area->at, 0, 2 * PAGE);
	memcpy(area->at + COMMANDS, &command, sizeof(command));
	put64(area->at + COMMANDS + 8, area->gpa + TABLE);
	table[0] = 0x27;
	table[1] = 0x80;
	table[2] = to_disk ? WRITE_DMA_EXT : READ_DMA_EXT;
	table[4] = (uint8_t)sector;
	table[5] = (uint8_t)(sector >> 8);
	table[7] = 0x40; /* LBA */
	table[12] = SECTORS;
	put64(table + 0x80, gpa);
	memcpy(table + 0x8c, &size, sizeof(size));
	__sync_synchronize();

	r[GHC] = GHC_AE;
	r[PORT_CMD] &= ~(CMD_ST | CMD_FRE);
	r[PORT_CLB] = (uint32_t)(area->gpa + COMMANDS);
	r[PORT_CLB + 1] = (uint32_t)((area->gpa + COMMANDS) >> 32);
	r[PORT_FB] = (uint32_t)answers;
	r[PORT_FB + 1] = (uint32_t)(answers >> 32);
	r[PORT_SERR] = UINT32_MAX;
	r[PORT_IS] = UINT32_MAX;
	r[PORT_CMD] |= CMD_FRE;
	r[PORT_CMD] |= CMD_ST;
	r[PORT_CI] = 1;
	for (unsigned int i = 0; i < 1000 && (r[PORT_CI] & 1); i++)
		usleep(10000);
	if (r[PORT_CI] & 1)
		return 0xff;
	return r[PORT_TFD] & TFD_ERR ? (uint8_t)(r[PORT_TFD] >> 8) : 0;
}

uint8_t ahci_transfer(struct area *area, bool to_disk, uint64_t page, uint64_t gpa)
{
	return run(area, to_disk, page, gpa, area->gpa + ANSWERS);
}

uint8_t ahci_answer(struct area *area, uint64_t gpa)
{
	return run(area, false, 0, area->gpa + 2 * PAGE, gpa);
}
