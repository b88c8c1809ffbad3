/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SECURE_KERNEL_CLIENT_H
#define SECURE_KERNEL_CLIENT_H

#include <stdint.h>

#include "kit/secure/interface.h"

/* The image of the secure kernel, which the program contains (image.S). */
extern const uint8_t secure_image[], secure_image_end[];

extern uint8_t *region; /* load address of the image */

/* Loads the image and enables VTL1 on the partition and on this VP. Returns the HV_STATUS. */
uint16_t client_load(void);

struct answer {
	uint64_t status; /* enum secure_kernel_status */
	uint64_t r9, r10, r11;
};

struct answer client_request(uint64_t service, uint64_t r8, uint64_t r9, uint64_t r10);

/* Sends a request with all registers from gpr[] (enum vtl_gpr), and stores them there afterwards. */
void client_call(uint64_t gpr[16]);

/* Send a request with pointers in place of addresses; return its status. */
uint64_t client_measure(const volatile void *data, uint64_t size, void *digest);
uint64_t client_hmac(const volatile void *data, uint64_t size, void *digest);
uint64_t client_lock(const volatile void *page, uint64_t pages);

const volatile struct secure_kernel_log *client_log(void);

#endif
