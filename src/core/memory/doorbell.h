/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses at which the backend signals an eventfd for VTL0 without an exit.
 *
 * The backend knows neither intercepts nor protections, and KVM's emulator treats a denied store as
 * MMIO. So an entry is a doorbell only while no VTL intercepts its port, and neither memory nor an
 * overlay is at its GPA. Afterwards only the VMM makes it a doorbell again, by adding it, since
 * each change waits for vCPUs to leave KVM's emulator. For the same reason the number of doorbells
 * in a page is limited: an overlay of VTL0 stops each of them.
 */
#ifndef CORE_DOORBELL_H
#define CORE_DOORBELL_H

#include <vsm/eventfd.h>

#include "core/core.h"

/* Bytes of the longest access to a port. */
#define DOORBELL_PORT_SIZE 4u

/* An entry of partition->ioeventfd, which the eventfd lock guards. */
struct ioeventfd {
	struct vsm_ioeventfd wanted;
	bool doorbell; /* writes of VTL0 do not exit */
};

/* Index of the first entry at @address or above. Eventfd lock held. */
uint32_t doorbell_lower_bound(const struct vsm_partition *partition, uint64_t address);

/* Makes an entry a doorbell if possible. Eventfd lock held for writing. */
void doorbell_start(struct vsm_partition *partition, struct ioeventfd *entry);
/* Its writes exit again. Eventfd lock held for writing. */
void doorbell_stop(struct vsm_partition *partition, struct ioeventfd *entry);

/* Before memory or an overlay of VTL0 is placed at these pages. memory.lock held for writing. */
void doorbell_stop_pages(struct vsm_partition *partition, uint64_t gpn, uint64_t pages);
/* Before a VTL intercepts writes of these ports. partition->lock held. */
void doorbell_stop_ports(struct vsm_partition *partition, uint16_t first, uint16_t last);

#endif
