/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio-blk device of PCI, by its legacy interface, with an MSI-X vector for its queue. */
#ifndef VSM_BENCH_QEMU_DISK_H
#define VSM_BENCH_QEMU_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define DISK_PAGES 64u

/* Finds and initializes the device. Returns false without one. */
bool disk_find(void);

/* Ends the disk's interrupts by the EOI assist of the hypervisor (TLFS, "EOI Assist"). */
void disk_use_eoi_assist(void);

/* Reads 4 KiB; halts until the interrupt has come. Returns false on an error. */
bool disk_read(uint32_t page);

/* Whether the last read has brought this page of bench/qemu/run's disk. */
bool disk_has(uint32_t page);

/* Moves BAR 1 up by its size, or back. */
bool disk_move(bool away);

/* Whether the device answers at the address that @away selects, and not at the other one. */
bool disk_is_at(bool away);

#endif
