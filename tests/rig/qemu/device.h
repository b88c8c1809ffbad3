/* SPDX-License-Identifier: BSD-2-Clause */
/* Drivers for devices of a PC, by which root in VTL0 transfers data by DMA. */
#ifndef VSM_TESTS_QEMU_DEVICE_H
#define VSM_TESTS_QEMU_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE	  4096u
#define HUGE_PAGE (2u << 20)
#define SECTORS	  (PAGE / 512u)

/* HUGE_PAGE bytes of memory with their physical address. */
struct area {
	uint8_t *at;
	uint64_t gpa;
};

struct area make_area(void);

_Noreturn void die(const char *what);

/* Access to I/O ports in units of 1, 2 or 4 bytes. */
void out(unsigned int size, uint32_t value, uint16_t port);
uint32_t in(unsigned int size, uint16_t port);

/* A page is transferred between a disk and the GPA; `area` has the device's structures. Return 0 or the
 * device's error; 0xff after a timeout. */
uint8_t virtio_transfer(struct area *area, bool to_disk, uint64_t page, uint64_t gpa);
uint8_t ahci_transfer(struct area *area, bool to_disk, uint64_t page, uint64_t gpa);

/* Makes the AHCI controller write the disk's response, 20 bytes, to GPA + 0x40; GPA is 256-byte aligned. */
uint8_t ahci_answer(struct area *area, uint64_t gpa);

#endif
