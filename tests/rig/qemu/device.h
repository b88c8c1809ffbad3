/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices of a PC, as root of VTL0 programs them by their ports: a file for each. */
#ifndef VSM_TESTS_QEMU_DEVICE_H
#define VSM_TESTS_QEMU_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE	  4096u
#define HUGE_PAGE (2u << 20)
#define SECTORS	  (PAGE / 512u)

/* Memory whose physical address is known: HUGE_PAGE bytes. */
struct area {
	uint8_t *at;
	uint64_t gpa;
};

struct area make_area(void);

/* Ends the program, with errno's text. */
_Noreturn void die(const char *what);

/* I/O ports, in 1, 2 or 4 bytes. */
void out(unsigned int size, uint32_t value, uint16_t port);
uint32_t in(unsigned int size, uint16_t port);

/*
 * Transfers a page between a disk and the GPA by the device's DMA; `area` has the device's structures.
 * Returns 0 or the device's error; 0xff: it did not answer.
 */
uint8_t virtio_transfer(struct area *area, bool to_disk, uint64_t page, uint64_t gpa);
uint8_t ahci_transfer(struct area *area, bool to_disk, uint64_t page, uint64_t gpa);

/* Has the AHCI controller put the answer of a disk, 20 bytes, at GPA + 0x40: 256-byte aligned. */
uint8_t ahci_answer(struct area *area, uint64_t gpa);

#endif
