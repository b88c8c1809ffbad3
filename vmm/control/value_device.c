/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of devices. A VP that waits for the reader of its console holds the devices' lock. */
#include <stdio.h>
#include <time.h>

#include "control/value.h"
#include "guest/guest.h"

#define TIMEOUT_NS 500000000L

/* False: refused. */
static bool lock(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += TIMEOUT_NS;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	if (!pthread_mutex_timedlock(&query->guest->machine.ports.lock, &until))
		return true;
	vmm_refuse(refused, VMM_REFUSE_BUSY,
		   "the devices are in use: a VP may be blocked on console output");
	return false;
}

static void unlock(const struct vmm_value_query *query)
{
	pthread_mutex_unlock(&query->guest->machine.ports.lock);
}

json_t *vmm_value_serial(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	const struct vmm_serial *serial = &query->guest->machine.serial;
	json_t *value;

	if (!lock(query, refused))
		return NULL;
	value = json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:b}", "interrupt_enable",
			  vmm_hex(serial->interrupt_enable), "fifo_control",
			  vmm_hex(serial->fifo_control), "line_control",
			  vmm_hex(serial->line_control), "modem_control",
			  vmm_hex(serial->modem_control), "scratch", vmm_hex(serial->scratch),
			  "received", (int)serial->received, "queued", (int)serial->queue_count,
			  "interrupt", (int)serial->line_level);
	unlock(query);
	return value;
}

json_t *vmm_value_cmos(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	const struct vmm_cmos *cmos = &query->guest->machine.cmos;
	char text[2 * sizeof(cmos->ram) + 1];
	json_t *value;

	if (!lock(query, refused))
		return NULL;
	for (size_t i = 0; i < sizeof(cmos->ram); i++)
		snprintf(text + 2 * i, 3, "%02x", cmos->ram[i]);
	value = json_pack("{s:o, s:s}", "index", vmm_hex(cmos->index), "ram", text);
	unlock(query);
	return value;
}

json_t *vmm_value_pci(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	json_t *value;

	if (!lock(query, refused))
		return NULL;
	value = json_pack("{s:o}", "address", vmm_hex(query->guest->machine.pci.address));
	unlock(query);
	return value;
}

json_t *vmm_value_ioapic(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	const struct vsm_ioapic *ioapic = &query->guest->machine.ioapic;
	json_t *pins, *value;

	if (!lock(query, refused))
		return NULL;
	pins = json_array();
	for (uint32_t pin = 0; pin < VSM_IOAPIC_DEFAULT_PINS; pin++)
		json_array_append_new(pins, json_pack("{s:o, s:b}", "entry",
						      vmm_hex(vsm_ioapic_entry(ioapic, pin)),
						      "line", (int)(ioapic->line[0] >> pin & 1)));
	value = json_pack("{s:i, s:o, s:o}", "id", (int)ioapic->id, "index", vmm_hex(ioapic->index),
			  "pins", pins);
	unlock(query);
	return value;
}

json_t *vmm_value_testdev(const struct vmm_value_query *query, struct vmm_refused *refused)
{
	const struct vmm_testdev *testdev = &query->guest->machine.testdev;
	json_t *value;

	if (!query->guest->config->testdev)
		return vmm_refuse(refused, VMM_REFUSE_NOT_FOUND,
				  "the machine runs without --testdev");
	if (!lock(query, refused))
		return NULL;
	value = json_pack("{s:o, s:o, s:i}", "latch", vmm_hex(testdev->latch), "fw_cfg_item",
			  vmm_hex(testdev->fw_cfg_item), "fw_cfg_offset",
			  (int)testdev->fw_cfg_offset);
	unlock(query);
	return value;
}
