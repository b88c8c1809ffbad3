/* SPDX-License-Identifier: BSD-2-Clause */
/* The main function of a program that a multiboot loader starts. */
#ifndef KIT_KIT_H
#define KIT_KIT_H

#include <stdint.h>

/*
 * Runs on the boot processor after all processors have started; returns the machine's exit status.
 */
uint8_t kit_main(void);

#endif
