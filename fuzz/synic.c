/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that writes random bytes to its SynIC pages and turns its SINTs and timers on and off
 * while messages and events arrive. An input is an array of `struct step`.
 */
#include <string.h>

#include "core/memory/overlay.h"
#include "core/interrupt/synic.h"
#include "core/vp/vp.h"
#include "sim/sim_guest.h"

enum {
	STEPS = 96,
	RAM = 1 << 20,
	SIM = 0x40000,
	SIEF = 0x41000,
};

struct step {
	uint8_t what;
	uint8_t sint;
	uint16_t offset;
	uint64_t value;
};

static void post(struct vsm_partition *partition, const struct step *step)
{
	struct hv_message message = {
		.message_type = (uint32_t)step->value,
		.payload_size = (uint8_t)step->offset,
	};

	memset(message.payload, 0xa5, message.payload_size > 240 ? 240 : message.payload_size);
	vsm_message_post(partition, 0, 0, step->sint, &message);
}

static void do_step(struct vsm_partition *partition, struct vsm_vp *vp, const struct step *step)
{
	switch (step->what % 9) {
	case 0:
	case 1:
		post(partition, step);
		break;
	case 2:
		vsm_event_signal(partition, 0, 0, step->sint, step->offset);
		break;
	case 3:
		vsm_sint_assert(partition, 0, 0, step->sint);
		break;
	case 4:
		guest_write(vp, (step->sint & 0x80 ? SIEF : SIM) + step->offset % 4096, 8,
			    step->value);
		break;
	case 5:
		guest_wrmsr(vp, HV_X64_MSR_SINT0 + step->sint % 16, step->value & 0x700ff);
		break;
	case 6:
		guest_wrmsr(vp, HV_X64_MSR_SCONTROL + step->sint % 5,
			    step->sint % 5 < 2 ? step->value : step->value % RAM);
		break;
	case 7:
		guest_wrmsr(vp, HV_X64_MSR_STIMER0_CONFIG + step->sint % 8, step->value);
		break;
	default:
		sim_advance(partition, step->value % 1000000);
		guest_nop(vp);
	}
	for (unsigned int i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		if (vp->vtl[0].synic.queue[i].count > SYNIC_QUEUE_MAX ||
		    vp->vtl[0].synic.queue[i].head >= SYNIC_QUEUE_MAX)
			__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const uint8_t *assist = overlay_memory(partition, OVERLAY_ASSIST, 0, 0);

	guest_wrmsr(vp, HV_X64_MSR_SCONTROL, 1);
	guest_wrmsr(vp, HV_X64_MSR_SIMP, SIM | 1);
	guest_wrmsr(vp, HV_X64_MSR_SIEFP, SIEF | 1);
	for (uint32_t i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		guest_wrmsr(vp, HV_X64_MSR_SINT0 + i, 0x40 + i);
	for (unsigned int i = 0; i < STEPS && size >= sizeof(struct step); i++) {
		struct step step;

		memcpy(&step, data, sizeof(step));
		do_step(partition, vp, &step);
		data += sizeof(step);
		size -= sizeof(step);
	}
	/*
	 * The memory of the VP assist overlay, which is off, is directly before that of the SynIC
	 * pages.
	 */
	for (unsigned int i = 0; i < CORE_PAGE_SIZE; i++)
		if (assist[i])
			__builtin_trap();
	vsm_partition_destroy(partition);
	return 0;
}
