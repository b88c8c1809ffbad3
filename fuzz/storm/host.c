/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMM's actions beside running VPs: interrupts, messages, device access, looks at registers. */
#include "storm.h"

#include <errno.h>
#include <string.h>

/* A device has the rights of VTL0: it neither reads a secret page nor writes a locked one. */
static void dma(struct storm *storm, const struct storm_op *op)
{
	const uint64_t secret = STORM_SECRET + op->b % (STORM_PAGES * CORE_PAGE_SIZE - 64u);
	const uint64_t locked = STORM_LOCKED + op->b % (STORM_PAGES * CORE_PAGE_SIZE - 64u);
	uint8_t data[64] = {0};

	STORM_REQUIRE(vsm_dma_read(storm->partition, secret, data, sizeof(data)) == -EACCES);
	STORM_REQUIRE(!storm_shows_secret(data, sizeof(data)));
	STORM_REQUIRE(vsm_dma_write(storm->partition, locked, data, sizeof(data)) == -EACCES);
	vsm_dma_read(storm->partition, op->value % STORM_RAM, data, sizeof(data));
	STORM_REQUIRE(!storm_shows_secret(data, sizeof(data)));
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
	}
}
