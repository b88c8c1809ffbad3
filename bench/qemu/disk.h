/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio-blk device by its legacy interface, with an MSI-X vector for its queue. */
#ifndef VSM_BENCH_QEMU_DISK_H
#define VSM_BENCH_QEMU_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define DISK_PAGES 64u

/* False: no device. */
bool disk_find(void);

/* TLFS, "EOI Assist". */
void disk_use_eoi_assist(void);

/* Reads 4 KiB, and halts until the interrupt. */
bool disk_read(uint32_t page);

/* Whether the last read was of this page of bench/qemu/run's disk. */
bool disk_has(uint32_t page);

/* Moves BAR 1 up by its size, or back. */
bool disk_move(bool away);

/* False, too, if the device also answers at the other address. */
bool disk_is_at(bool away);

#endif
