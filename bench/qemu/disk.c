/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio 1.2, "Legacy Interface"; PCI 3.0, "MSI-X Capability and Table Structure". */
#include "disk.h"

#include "kit/apic.h"
#include "kit/cpu.h"
#include "kit/memory.h"
#include "kit/x64.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define VIRTIO_BLK     0x10011af4u
#define SLOTS	       32u
#define SECTORS	       (PAGE_SIZE / 512u)
#define QUEUE_MAX      256u
#define VECTOR	       0x60
#define APIC_EOI_GPA   0xfee000b0ull

enum {
	COMMAND = 0x04,
	BAR0 = 0x10,
	BAR1 = 0x14,
	CAPABILITIES = 0x34,
	CAPABILITY_MSIX = 0x11,
	MSIX_ENABLE = 0x80000000,
};

/* Registers with MSI-X enabled. */
enum {
	QUEUE_ADDRESS = 8,
	QUEUE_SIZE = 12,
	QUEUE_SELECT = 14,
	QUEUE_NOTIFY = 16,
	STATUS = 18,
	QUEUE_VECTOR = 22,
	READY = 1 | 2 | 4,
};

struct descriptor {
	uint64_t gpa;
	uint32_t size;
	uint16_t flags; /* bit 0: @next follows; bit 1: the device writes */
	uint16_t next;
};

struct request {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

static struct {
	uint32_t slot;
	uint16_t port;
	uint32_t bar;
	uint16_t size;
	uint16_t index;
	struct descriptor *descriptor;
	volatile uint16_t *available;
	struct request *request;
	volatile uint8_t *status;
	uint8_t *data;
	uint32_t *assist; /* of the EOI assist, or NULL */
} disk;

/* As Linux does, without a read of the APIC's mode. */
static void end_interrupt(struct interrupt_frame *frame)
{
	(void)frame;
	if (!disk.assist || !(__atomic_exchange_n(disk.assist, 0, __ATOMIC_ACQ_REL) &
			      HV_APIC_ASSIST_NO_EOI_REQUIRED))
		*(volatile uint32_t *)APIC_EOI_GPA = 0;
}

void disk_use_eoi_assist(void)
{
	disk.assist = memory_pages(1);
	wrmsr(HV_X64_MSR_VP_ASSIST_PAGE, (uint64_t)disk.assist | HV_PAGE_MSR_ENABLE);
}

static uint32_t config_read(uint32_t slot, uint32_t offset)
{
	outl(CONFIG_ADDRESS, 0x80000000u | slot << 11 | offset);
	return inl(CONFIG_DATA);
}

static void config_write(uint32_t offset, uint32_t value)
{
	outl(CONFIG_ADDRESS, 0x80000000u | disk.slot << 11 | offset);
	outl(CONFIG_DATA, value);
}

/* The MSI-X table is at the start of BAR 1. */
static bool enable_msix(void)
{
	uint32_t at = config_read(disk.slot, CAPABILITIES) & 0xff;
	volatile uint32_t *entry = (volatile uint32_t *)(uint64_t)disk.bar;

	while (at && (config_read(disk.slot, at) & 0xff) != CAPABILITY_MSIX)
		at = config_read(disk.slot, at) >> 8 & 0xff;
	if (!at || config_read(disk.slot, at + 4) != 1)
		return false;
	config_write(at, config_read(disk.slot, at) | MSIX_ENABLE);
	entry[0] = 0xfee00000u | apic_id() << 12;
	entry[1] = 0;
	entry[2] = VECTOR;
	entry[3] = 0;
	cpu_current()->handler[VECTOR] = end_interrupt;
	return true;
}

bool disk_find(void)
{
	uint8_t *queue;

	while (disk.slot < SLOTS && config_read(disk.slot, 0) != VIRTIO_BLK)
		disk.slot++;
	if (disk.slot == SLOTS)
		return false;
	config_write(COMMAND, 7); /* I/O, memory, bus master */
	disk.port = (uint16_t)(config_read(disk.slot, BAR0) & ~3u);
	disk.bar = config_read(disk.slot, BAR1) & ~0xfu;
	if (!enable_msix())
		return false;
	outb(disk.port + STATUS, 0);
	outb(disk.port + STATUS, 1 | 2);
	outw(disk.port + QUEUE_SELECT, 0);
	disk.size = inw(disk.port + QUEUE_SIZE);
	if (!disk.size || disk.size > QUEUE_MAX)
		return false;
	queue = memory_pages(4);
	disk.descriptor = (struct descriptor *)queue;
	disk.available = (volatile uint16_t *)(queue + disk.size * sizeof(struct descriptor));
	disk.request = memory_pages(1);
	disk.status = (volatile uint8_t *)(disk.request + 1);
	disk.data = memory_pages(1);
	outl(disk.port + QUEUE_ADDRESS, (uint32_t)((uint64_t)queue / PAGE_SIZE));
	outw(disk.port + QUEUE_VECTOR, 0);
	outb(disk.port + STATUS, READY);
	return true;
}

bool disk_read(uint32_t page)
{
	const uint32_t before = cpu_current()->interrupts[VECTOR];

	*disk.request = (struct request){.sector = (uint64_t)page * SECTORS};
	*disk.status = 0xff;
	disk.descriptor[0] =
		(struct descriptor){(uint64_t)disk.request, sizeof(*disk.request), 1, 1};
	disk.descriptor[1] = (struct descriptor){(uint64_t)disk.data, PAGE_SIZE, 1 | 2, 2};
	disk.descriptor[2] = (struct descriptor){(uint64_t)disk.status, 1, 2, 0};
	disk.available[2 + disk.index % disk.size] = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	disk.available[1] = ++disk.index;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	outw(disk.port + QUEUE_NOTIFY, 0);
	while (cpu_current()->interrupts[VECTOR] == before)
		interrupts_wait();
	return *disk.status == 0;
}

bool disk_has(uint32_t page)
{
	return *(const uint32_t *)disk.data == page + 1;
}

static uint32_t place(bool away)
{
	return disk.bar + (away ? PAGE_SIZE : 0);
}

bool disk_move(bool away)
{
	config_write(BAR1, place(away));
	return true;
}

/* An address without a device reads as ones or zeroes. */
bool disk_is_at(bool away)
{
	const volatile uint32_t *here = (const volatile uint32_t *)(uint64_t)place(away);
	const volatile uint32_t *there = (const volatile uint32_t *)(uint64_t)place(!away);

	return here[2] == VECTOR && there[2] != VECTOR;
}
