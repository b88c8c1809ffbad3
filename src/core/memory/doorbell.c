/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/memory/doorbell.h"

#define PAGE_SHIFT 12u
/* Doorbells in the page of a GPA, or at one port, and in all */
#define DOORBELLS_NEAR 16u
#define DOORBELLS_MAX  128u

uint32_t doorbell_lower_bound(const struct vsm_partition *partition, uint64_t address)
{
	uint32_t low = 0, high = partition->ioeventfd_count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (partition->ioeventfd[middle].wanted.address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct backend_doorbell doorbell_of(const struct ioeventfd *entry)
{
	const struct vsm_ioeventfd *wanted = &entry->wanted;

	return (struct backend_doorbell){
		.port = wanted->flags & VSM_IOEVENTFD_PORT,
		.match = wanted->flags & VSM_IOEVENTFD_MATCH,
		.length = wanted->length,
		.address = wanted->address,
		.data = wanted->data,
		.fd = wanted->fd,
	};
}

static bool has_room(const struct vsm_partition *partition, const struct vsm_ioeventfd *wanted)
{
	const uint32_t port = wanted->flags & VSM_IOEVENTFD_PORT;
	const uint64_t size = port ? 1 : CORE_PAGE_SIZE;
	const uint64_t first = wanted->address & ~(size - 1);
	uint32_t near = 0;

	if (partition->ioeventfd_entries - partition->ioeventfd_exits >= DOORBELLS_MAX)
		return false;
	for (uint32_t i = doorbell_lower_bound(partition, first); i < partition->ioeventfd_count;
	     i++) {
		const struct ioeventfd *entry = &partition->ioeventfd[i];

		if (entry->wanted.address - first >= size)
			break;
		near += entry->doorbell && (entry->wanted.flags & VSM_IOEVENTFD_PORT) == port;
	}
	return near < DOORBELLS_NEAR;
}

void doorbell_start(struct vsm_partition *partition, struct ioeventfd *entry)
{
	const struct backend_doorbell doorbell = doorbell_of(entry);
	const struct backend_ops *ops = partition->ops;

	if (entry->doorbell || !ops->doorbell || !has_room(partition, &entry->wanted) ||
	    ops->doorbell(partition->backend, &doorbell, true))
		return;
	entry->doorbell = true;
	atomic_fetch_sub(&partition->ioeventfd_exits, 1);
}

void doorbell_stop(struct vsm_partition *partition, struct ioeventfd *entry)
{
	const struct backend_doorbell doorbell = doorbell_of(entry);

	if (!entry->doorbell)
		return;
	atomic_fetch_add(&partition->ioeventfd_exits, 1);
	partition->ops->doorbell(partition->backend, &doorbell, false);
	entry->doorbell = false;
}

static void stop_range(struct vsm_partition *partition, uint32_t space, uint64_t first,
		       uint64_t last)
{
	if (!atomic_load(&partition->ioeventfd_entries))
		return;
	pthread_rwlock_wrlock(&partition->eventfd_lock);
	for (uint32_t i = doorbell_lower_bound(partition, first);
	     i < partition->ioeventfd_count && partition->ioeventfd[i].wanted.address <= last; i++)
		if ((partition->ioeventfd[i].wanted.flags & VSM_IOEVENTFD_PORT) == space)
			doorbell_stop(partition, &partition->ioeventfd[i]);
	pthread_rwlock_unlock(&partition->eventfd_lock);
}

void doorbell_stop_pages(struct vsm_partition *partition, uint64_t gpn, uint64_t pages)
{
	stop_range(partition, 0, gpn << PAGE_SHIFT, ((gpn + pages) << PAGE_SHIFT) - 1);
}

void doorbell_stop_ports(struct vsm_partition *partition, uint16_t first, uint16_t last)
{
	const uint16_t before = DOORBELL_PORT_SIZE - 1;

	/* An access that begins below the first port can include it. */
	stop_range(partition, VSM_IOEVENTFD_PORT, first < before ? 0 : first - before, last);
}
