/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-blk by its legacy interface (virtio 1.2, section 4.1.4.10). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"

struct descriptor {
	uint64_t gpa;
	uint32_t size;
	uint16_t flags; /* 1: descriptor `next` follows; 2: the device writes */
	uint16_t next;
};

struct request {
	uint32_t type; /* 0: read, 1: write */
	uint32_t reserved;
	uint64_t sector;
};

static uint32_t pci_read(unsigned int device, unsigned int offset)
{
	out(4, 0x80000000u | device << 11 | offset, 0xcf8);
	return in(4, 0xcfc);
}

static uint16_t find_disk(void)
{
	for (unsigned int device = 0; device < 32; device++) {
		if (pci_read(device, 0) != 0x10011af4)
			continue;
		out(4, 0x80000000u | device << 11 | 4, 0xcf8);
		out(2, 7, 0xcfc); /* I/O, memory, bus master */
		return (uint16_t)(pci_read(device, 0x10) & ~3u);
	}
	fprintf(stderr, "no virtio-blk device with a legacy interface\n");
	exit(1);
}

uint8_t virtio_transfer(struct area *area, bool to_disk, uint64_t page, uint64_t gpa)
{
	const uint16_t port = find_disk();
	struct descriptor *descriptor = (void *)area->at;
	struct request *request = (void *)(area->at + 0x100000);
	volatile uint8_t *status = area->at + 0x101000;
	uint16_t *available;
	volatile uint16_t *used;
	uint32_t entries;

	out(1, 0, port + 18);
	out(1, 1 | 2, port + 18);
	out(4, 0, port + 4);
	out(2, 0, port + 14);
	entries = in(2, port + 12);
	memset(area->at, 0, HUGE_PAGE / 2);
	available = (void *)(area->at + entries * sizeof(*descriptor));
	used = (void *)(area->at + ((entries * 18 + 6 + PAGE - 1) & ~(PAGE - 1)));
	out(4, (uint32_t)(area->gpa / PAGE), port + 8);
	out(1, 1 | 2 | 4, port + 18);
	*request = (struct request){.type = to_disk, .sector = page * SECTORS};
	*status = 0xff;
	descriptor[0] = (struct descriptor){area->gpa + 0x100000, sizeof(*request), 1, 1};
	descriptor[1] = (struct descriptor){gpa, PAGE, to_disk ? 1 : 3, 2};
	descriptor[2] = (struct descriptor){area->gpa + 0x101000, 1, 2, 0};
	available[1] = 1; /* the index; entry 0 is descriptor 0 */
	__sync_synchronize();
	out(2, 0, port + 16);
	for (unsigned int i = 0; i < 2000 && !used[1]; i++)
		usleep(10000);
	out(1, 0, port + 18);
	return *status;
}
