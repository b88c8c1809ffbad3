/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel's 82078 floppy disk controller, and channel 2 of the 8237 DMA controller. */
#include "floppy.h"

#include "kit/memory.h"
#include "kit/time.h"
#include "kit/x64.h"

enum {
	DMA_ADDRESS = 0x04,
	DMA_COUNT = 0x05,
	DMA_MASK = 0x0a,
	DMA_MODE = 0x0b,
	DMA_CLEAR_FLIP_FLOP = 0x0c,
	DMA_PAGE = 0x81,
	FDC_OUTPUT = 0x3f2,
	FDC_STATUS = 0x3f4,
	FDC_FIFO = 0x3f5,
	FDC_RATE = 0x3f7,
};

#define CHANNEL		 2u
#define MASKED		 4u
#define TO_MEMORY	 0x44u /* single transfers, ascending addresses */
#define FROM_MEMORY	 0x48u
#define MOTOR_DMA_ON	 0x1cu
#define STATUS_REQUEST	 0x80u
#define STATUS_TO_HOST	 0x40u
#define READ_DATA	 0x46u /* MFM */
#define WRITE_DATA	 0x45u
#define SPECIFY		 0x03u
#define RECALIBRATE	 0x07u
#define SENSE_INTERRUPT	 0x08u
#define SECTORS_PER_PAGE 8u
#define RESULTS		 7u
#define ERROR_BITS	 0xc0u /* error bits of the first result byte */

static bool put(uint8_t byte)
{
	if (!wait_for((inb(FDC_STATUS) & (STATUS_REQUEST | STATUS_TO_HOST)) == STATUS_REQUEST))
		return false;
	outb(FDC_FIFO, byte);
	return true;
}

static bool get(uint8_t *byte)
{
	if (!wait_for((inb(FDC_STATUS) & (STATUS_REQUEST | STATUS_TO_HOST)) ==
		      (STATUS_REQUEST | STATUS_TO_HOST)))
		return false;
	*byte = inb(FDC_FIFO);
	return true;
}

static bool command(const uint8_t *bytes, uint32_t count, uint8_t *results, uint32_t wanted)
{
	for (uint32_t i = 0; i < count; i++)
		if (!put(bytes[i]))
			return false;
	for (uint32_t i = 0; i < wanted; i++)
		if (!get(&results[i]))
			return false;
	return true;
}

static bool reset(void)
{
	static const uint8_t specify[] = {SPECIFY, 0xdf, 0x02};
	static const uint8_t recalibrate[] = {RECALIBRATE, 0};
	static const uint8_t sense[] = {SENSE_INTERRUPT};
	uint8_t results[RESULTS];

	outb(FDC_OUTPUT, 0);
	outb(FDC_OUTPUT, MOTOR_DMA_ON);
	outb(FDC_RATE, 0);
	/* After a reset, the controller reports an interrupt for each of its four drives. */
	for (uint32_t drive = 0; drive < 4; drive++)
		if (!command(sense, sizeof(sense), results, 2))
			return false;
	return command(specify, sizeof(specify), NULL, 0) &&
	       command(recalibrate, sizeof(recalibrate), NULL, 0) &&
	       command(sense, sizeof(sense), results, 2);
}

static void program_dma(bool to_disk, uint64_t gpa)
{
	const uint32_t count = PAGE_SIZE - 1;

	outb(DMA_MASK, MASKED | CHANNEL);
	outb(DMA_CLEAR_FLIP_FLOP, 0);
	outb(DMA_ADDRESS, (uint8_t)gpa);
	outb(DMA_ADDRESS, (uint8_t)(gpa >> 8));
	outb(DMA_PAGE, (uint8_t)(gpa >> 16));
	outb(DMA_CLEAR_FLIP_FLOP, 0);
	outb(DMA_COUNT, (uint8_t)count);
	outb(DMA_COUNT, (uint8_t)(count >> 8));
	outb(DMA_MODE, (to_disk ? FROM_MEMORY : TO_MEMORY) | CHANNEL);
	outb(DMA_MASK, CHANNEL);
}

bool floppy_transfer(bool to_disk, uint32_t page, uint64_t gpa)
{
	const uint8_t first = (uint8_t)(page * SECTORS_PER_PAGE + 1);
	/* Drive 0, cylinder 0, head 0, first and last sector of 512 bytes. */
	const uint8_t transfer[] = {to_disk ? WRITE_DATA : READ_DATA,	     0,	   0,	0, first, 2,
				    (uint8_t)(first + SECTORS_PER_PAGE - 1), 0x1b, 0xff};
	uint8_t results[RESULTS];

	if (!reset())
		return false;
	program_dma(to_disk, gpa);
	return command(transfer, sizeof(transfer), results, RESULTS) && !(results[0] & ERROR_BITS);
}
