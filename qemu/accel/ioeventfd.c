/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvsm signals the eventfds of devices, such as virtio's queue notification, without an exit to QEMU. If
 * libvsm refuses an eventfd, QEMU signals it at the dispatch of the write. */
#include "qemu/osdep.h"
#include "accel.h"
#include <vsm/eventfd.h>
#include "qemu/event_notifier.h"

struct doorbell {
	struct vsm_ioeventfd entry;
	EventNotifier *notifier;
};

static struct vsm_ioeventfd entry_of(const MemoryRegionSection *section, uint32_t space, bool match,
				     uint64_t data)
{
	return (struct vsm_ioeventfd){
		.size = sizeof(struct vsm_ioeventfd),
		.address = section->offset_within_address_space,
		.length = int128_get64(section->size),
		.flags = space | (match ? VSM_IOEVENTFD_MATCH : 0),
		.data = match ? data : 0,
	};
}

static int find(const GArray *doorbells, const struct vsm_ioeventfd *entry)
{
	for (unsigned i = 0; i < doorbells->len; i++) {
		const struct vsm_ioeventfd *other =
			&g_array_index(doorbells, struct doorbell, i).entry;

		if (other->address == entry->address && other->length == entry->length &&
		    other->flags == entry->flags && other->data == entry->data)
			return i;
	}
	return -1;
}

static void remove_at(VsmState *vsm, int index)
{
	struct vsm_ioeventfd entry = g_array_index(vsm->doorbells, struct doorbell, index).entry;

	entry.flags |= VSM_IOEVENTFD_REMOVE;
	vsm_ioeventfd(vsm->partition, &entry);
	g_array_remove_index_fast(vsm->doorbells, index);
}

static void add(VsmState *vsm, MemoryRegionSection *section, uint32_t space, bool match,
		uint64_t data, EventNotifier *notifier)
{
	struct doorbell doorbell = {entry_of(section, space, match, data), notifier};
	const int index = find(vsm->doorbells, &doorbell.entry);

	/*
	 * If one transaction replaces a device by another at the same address, QEMU may add the new
	 * one's eventfd before it removes the old one's.
	 */
	if (index >= 0)
		remove_at(vsm, index);
	doorbell.entry.fd = event_notifier_get_fd(notifier);
	if (!vsm_ioeventfd(vsm->partition, &doorbell.entry))
		g_array_append_val(vsm->doorbells, doorbell);
}

static void del(VsmState *vsm, MemoryRegionSection *section, uint32_t space, bool match,
		uint64_t data, const EventNotifier *notifier)
{
	const struct vsm_ioeventfd entry = entry_of(section, space, match, data);
	const int index = find(vsm->doorbells, &entry);

	/* Otherwise libvsm refused it, or another device's eventfd has replaced it. */
	if (index >= 0 &&
	    g_array_index(vsm->doorbells, struct doorbell, index).notifier == notifier)
		remove_at(vsm, index);
}

static void add_memory(MemoryListener *listener, MemoryRegionSection *section, bool match,
		       uint64_t data, EventNotifier *notifier)
{
	add(container_of(listener, VsmState, doorbell_listener), section, 0, match, data, notifier);
}

static void del_memory(MemoryListener *listener, MemoryRegionSection *section, bool match,
		       uint64_t data, EventNotifier *notifier)
{
	del(container_of(listener, VsmState, doorbell_listener), section, 0, match, data, notifier);
}

static void add_port(MemoryListener *listener, MemoryRegionSection *section, bool match,
		     uint64_t data, EventNotifier *notifier)
{
	add(container_of(listener, VsmState, doorbell_port_listener), section, VSM_IOEVENTFD_PORT,
	    match, data, notifier);
}

static void del_port(MemoryListener *listener, MemoryRegionSection *section, bool match,
		     uint64_t data, EventNotifier *notifier)
{
	del(container_of(listener, VsmState, doorbell_port_listener), section, VSM_IOEVENTFD_PORT,
	    match, data, notifier);
}

void vsm_ioeventfd_init(VsmState *vsm)
{
	vsm->doorbells = g_array_new(false, false, sizeof(struct doorbell));
	vsm->doorbell_listener = (MemoryListener){
		.name = "vsm-ioeventfd",
		.eventfd_add = add_memory,
		.eventfd_del = del_memory,
		.priority = MEMORY_LISTENER_PRIORITY_ACCEL,
	};
	vsm->doorbell_port_listener = (MemoryListener){
		.name = "vsm-ioeventfd-port",
		.eventfd_add = add_port,
		.eventfd_del = del_port,
		.priority = MEMORY_LISTENER_PRIORITY_ACCEL,
	};
	memory_listener_register(&vsm->doorbell_listener, &address_space_memory);
	memory_listener_register(&vsm->doorbell_port_listener, &address_space_io);
}
