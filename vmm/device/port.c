/* SPDX-License-Identifier: BSD-2-Clause */
#include "device/port.h"

#include <errno.h>
#include <string.h>

void vmm_ports_init(struct vmm_ports *ports)
{
	memset(ports, 0, sizeof(*ports));
	pthread_mutex_init(&ports->lock, NULL);
}

void vmm_ports_destroy(struct vmm_ports *ports)
{
	pthread_mutex_destroy(&ports->lock);
}

int vmm_ports_add(struct vmm_ports *ports, const struct vmm_port_range *range)
{
	unsigned int at = 0;
	int error = 0;

	if (range->last < range->first ||
	    (range->max_size != 1 && range->max_size != 2 && range->max_size != 4))
		return -EINVAL;
	pthread_mutex_lock(&ports->lock);
	while (at < ports->count && ports->range[at].first < range->first)
		at++;
	if (ports->count == VMM_PORT_RANGES_MAX)
		error = -ENOSPC;
	else if ((at > 0 && ports->range[at - 1].last >= range->first) ||
		 (at < ports->count && ports->range[at].first <= range->last))
		error = -EEXIST;
	if (!error) {
		memmove(&ports->range[at + 1], &ports->range[at],
			(ports->count - at) * sizeof(ports->range[0]));
		ports->range[at] = *range;
		ports->count++;
	}
	pthread_mutex_unlock(&ports->lock);
	return error;
}

static const struct vmm_port_range *find_range(const struct vmm_ports *ports, uint16_t port)
{
	unsigned int low = 0, high = ports->count;

	while (low < high) {
		const unsigned int middle = (low + high) / 2;

		if (ports->range[middle].last < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ports->count && ports->range[low].first <= port ? &ports->range[low] : NULL;
}

static uint32_t all_ones(unsigned int size)
{
	return size >= 4 ? 0xffffffffu : (1u << (8 * size)) - 1;
}

static uint32_t read_one(const struct vmm_ports *ports, uint16_t port, unsigned int size)
{
	const struct vmm_port_range *range = find_range(ports, port);
	uint32_t value = 0;

	if (!range || !range->read)
		return all_ones(size);
	if (size <= range->max_size)
		return range->read(range->opaque, port, size) & all_ones(size);
	for (unsigned int i = 0; i < size; i++)
		value |= read_one(ports, (uint16_t)(port + i), 1) << (8 * i);
	return value;
}

static void write_one(const struct vmm_ports *ports, uint16_t port, unsigned int size,
		      uint32_t value)
{
	const struct vmm_port_range *range = find_range(ports, port);

	if (!range || !range->write)
		return;
	if (size <= range->max_size) {
		range->write(range->opaque, port, size, value & all_ones(size));
		return;
	}
	for (unsigned int i = 0; i < size; i++)
		write_one(ports, (uint16_t)(port + i), 1, value >> (8 * i));
}

uint32_t vmm_ports_read(struct vmm_ports *ports, uint16_t port, unsigned int size)
{
	uint32_t value;

	pthread_mutex_lock(&ports->lock);
	value = read_one(ports, port, size);
	pthread_mutex_unlock(&ports->lock);
	return value;
}

void vmm_ports_write(struct vmm_ports *ports, uint16_t port, unsigned int size, uint32_t value)
{
	pthread_mutex_lock(&ports->lock);
	write_one(ports, port, size, value);
	pthread_mutex_unlock(&ports->lock);
}
