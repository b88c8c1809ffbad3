/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KIT_KIT_H
#define KIT_KIT_H

#include <stdint.h>

/* The program. Runs on the boot processor after all processors have started; returns the machine's exit
 * status. */
uint8_t kit_main(void);

#endif
