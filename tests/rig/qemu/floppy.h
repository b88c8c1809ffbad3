/* SPDX-License-Identifier: BSD-2-Clause */
/* A floppy disk of 1.44 MB in the first drive: transfers by ISA DMA, without interrupts. */
#ifndef VSM_TESTS_QEMU_FLOPPY_H
#define VSM_TESTS_QEMU_FLOPPY_H

#include <stdbool.h>
#include <stdint.h>

/* 4096 bytes, between page 0 or 1 of the first track and @gpa. The page at @gpa must be below 16 MiB and not
 * cross a 64 KiB boundary. Returns false after a timeout or an error of the controller. */
bool floppy_transfer(bool to_disk, uint32_t page, uint64_t gpa);

#endif
