/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses at which the backend signals an eventfd for VTL0 without an exit.
 *
 * Devices belong to VTL0. The backend knows neither intercepts nor protections, and KVM's emulator
 * treats a denied store as MMIO. So an entry is a doorbell only while no VTL intercepts its port,
 * and neither memory nor an overlay is at its GPA. It does not become one again before the VMM adds
 * it again, since each change waits for vCPUs to leave KVM's emulator. Few doorbells are in a page,
 * so that an overlay which VTL0 places there stops few.
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

/*
 * Makes an entry a doorbell, if the backend can and there are not too many. Eventfd lock held for
 * writing.
 */
void doorbell_start(struct vsm_partition *partition, struct ioeventfd *entry);
/* Its writes exit again. Eventfd lock held for writing. */
void doorbell_stop(struct vsm_partition *partition, struct ioeventfd *entry);

/*
 * Memory or an overlay of VTL0 will be at these pages: writes of VTL0 there exit. memory.lock held
 * for writing.
 */
void doorbell_leave_pages(struct vsm_partition *partition, uint64_t gpn, uint64_t pages);
/* A VTL will intercept writes of these ports: those of VTL0 exit. partition->lock held. */
void doorbell_leave_ports(struct vsm_partition *partition, uint16_t first, uint16_t last);

#endif
