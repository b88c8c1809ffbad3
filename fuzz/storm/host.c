/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMM's actions while VPs run: interrupts, messages, device accesses, register reads. */
#include "storm.h"

#include <string.h>

/* A device has the rights of VTL0: it neither reads a secret page nor writes a locked one. */
static void dma(struct storm *storm, const struct storm_op *op)
{
	const uint64_t secret = STORM_SECRET + op->b % (STORM_PAGES * CORE_PAGE_SIZE - 64u);
	const uint64_t locked = STORM_LOCKED + op->b % (STORM_PAGES * CORE_PAGE_SIZE - 64u);
	uint8_t data[64] = {0};

	STORM_REQUIRE(vsm_dma_read(storm->partition, secret, data, sizeof(data)) < 0);
	STORM_REQUIRE(!storm_shows_secret(data, sizeof(data)));
	STORM_REQUIRE(vsm_dma_write(storm->partition, locked, data, sizeof(data)) < 0);
	vsm_dma_read(storm->partition, op->value % STORM_RAM, data, sizeof(data));
	STORM_REQUIRE(!storm_shows_secret(data, sizeof(data)));
}

static void unmap(struct storm_map *held)
{
	if (held->map)
		vsm_dma_unmap(held->map);
	held->map = NULL;
}

void storm_unmap_all(struct storm *storm)
{
	for (unsigned int i = 0; i < STORM_MAPS; i++)
		unmap(&storm->map[i]);
}

static int map(struct storm *storm, struct storm_map *held, uint64_t gpa, uint32_t size, bool write)
{
	const struct vsm_dma_request request = {.gpa = gpa, .size = size, .write = write};
	void *host;
	int error = vsm_dma_map(storm->partition, &request, &held->map, &host);

	if (error) {
		held->map = NULL;
		return error;
	}
	held->at = host;
	held->size = size;
	held->write = write;
	return 0;
}

/* Ignores errors: a mapping fails if VTL0 has placed an overlay there before. */
void storm_map_early(struct storm *storm)
{
	const uint32_t size = STORM_PAGES * CORE_PAGE_SIZE;

	map(storm, &storm->map[0], STORM_SECRET, size, true);
	map(storm, &storm->map[1], STORM_LOCKED, size, true);
	map(storm, &storm->map[2], STORM_SECRET + CORE_PAGE_SIZE, CORE_PAGE_SIZE, false);
}

/* Not synchronized with the VPs, as the DMA of a device. */
__attribute__((no_sanitize("thread"))) static void transfer(volatile uint8_t *memory, uint8_t *data,
							    bool write)
{
	for (unsigned int i = 0; i < 64; i++)
		data[i] = memory[i];
	for (unsigned int i = 0; write && i < 64; i++)
		memory[i] = 0x33;
}

/* A device keeps its mapping while VTL1 changes protections. */
static void dma_map(struct storm *storm, const struct storm_op *op)
{
	struct storm_map *held = &storm->map[op->a % STORM_MAPS];
	uint8_t data[64];

	if (!held->map) {
		STORM_REQUIRE(map(storm, held, STORM_SECRET, 8, false) < 0);
		STORM_REQUIRE(map(storm, held, STORM_LOCKED, 8, true) < 0);
		map(storm, held, STORM_SECRET + op->value % 0x30000u, 64 + op->c % 0x4000u,
		    op->b & 1);
		return;
	}
	transfer(held->at + op->c % (held->size - 63u), data, held->write);
	STORM_REQUIRE(!storm_shows_secret(data, sizeof(data)));
	if (op->b & 2)
		unmap(held);
}

static void message(struct storm *storm, const struct storm_op *op)
{
	struct hv_message message = {.message_type = op->c, .payload_size = op->a};

	memset(message.payload, 0x11, message.payload_size > 240 ? 240 : message.payload_size);
	vsm_message_post(storm->partition, op->b % storm->vps, op->b >> 8 & 1, op->c % 16,
			 &message);
}

static void look(struct storm *storm, const struct storm_op *op)
{
	static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_RSP,
					HV_X64_REGISTER_CR3};
	union hv_register_value value[3] = {0};
	struct vsm_protection found;

	vsm_vp_get_registers(vsm_partition_vp(storm->partition, op->b % storm->vps), op->a & 1,
			     name, value, 3);
	vsm_protection_find(storm->partition, 0, op->value, &found);
}

void storm_host(struct storm *storm, const struct storm_op *op)
{
	struct vsm_partition *partition = storm->partition;
	struct vsm_vp *vp = vsm_partition_vp(partition, op->b % storm->vps);

	switch (op->kind % 8) {
	case 0:
		vsm_vp_kick(vp);
		break;
	case 1:
		vsm_msi(partition, 0xfee00000u | (op->a & 0xffu) << 12 | (op->b & 0xcu),
			op->c & 0xffffu);
		break;
	case 2:
		vsm_nmi(vp);
		break;
	case 3:
		vsm_sint_assert(partition, op->b % storm->vps, op->a & 1, op->c % 16);
		break;
	case 4:
		message(storm, op);
		break;
	case 5:
		vsm_event_signal(partition, op->b % storm->vps, op->a & 1, op->c % 16,
				 op->value % 2048);
		break;
	case 6:
		look(storm, op);
		break;
	default:
		dma(storm, op);
		dma_map(storm, op);
		storm_remap(storm, op);
	}
}
