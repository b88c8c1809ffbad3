/* SPDX-License-Identifier: BSD-2-Clause */
/* A floppy disk of 1.44 MB in the first drive: transfers by ISA DMA, without interrupts. */
#ifndef VSM_TESTS_QEMU_FLOPPY_H
#define VSM_TESTS_QEMU_FLOPPY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Transfers 4096 bytes between the first track and the GPA, which is below 16 MiB and in one 64 KiB;
 * @page is 0 or 1. False: the controller has not answered, or reports an error.
 */
bool floppy_transfer(bool to_disk, uint32_t page, uint64_t gpa);

#endif
