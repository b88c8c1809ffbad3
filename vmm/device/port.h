/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dispatch of port I/O to devices. Devices have no locks of their own: each access of a guest holds
 * the lock of the ports, and so must callers from elsewhere (console input, timers). Callbacks of
 * devices run with it held.
 */
#ifndef VMM_DEVICE_PORT_H
#define VMM_DEVICE_PORT_H

#include <pthread.h>
#include <stdint.h>

#define VMM_PORT_RANGES_MAX 48u

/* @size is 1, 2 or 4. The higher bits of a value are 0. */
typedef uint32_t vmm_port_read_fn(void *opaque, uint16_t port, unsigned int size);
typedef void vmm_port_write_fn(void *opaque, uint16_t port, unsigned int size, uint32_t value);

struct vmm_port_range {
	const char *name;
	uint16_t first, last;
	uint8_t max_size;	  /* wider accesses are split into bytes, lowest port first */
	vmm_port_read_fn *read;	  /* NULL: reads all-ones */
	vmm_port_write_fn *write; /* NULL: ignores writes */
	void *opaque;
};

struct vmm_ports {
	pthread_mutex_t lock;
	unsigned int count;
	struct vmm_port_range range[VMM_PORT_RANGES_MAX]; /* ascending; guarded by lock */
};

void vmm_ports_init(struct vmm_ports *ports);
void vmm_ports_destroy(struct vmm_ports *ports);

/*
 * Returns 0, -EINVAL (an empty range, or a width that is not 1, 2 or 4), -EEXIST (overlaps another
 * range) or -ENOSPC.
 */
int vmm_ports_add(struct vmm_ports *ports, const struct vmm_port_range *range);

uint32_t vmm_ports_read(struct vmm_ports *ports, uint16_t port, unsigned int size);
void vmm_ports_write(struct vmm_ports *ports, uint16_t port, unsigned int size, uint32_t value);

#endif
