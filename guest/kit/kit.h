/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program on the kit gives to it. */
#ifndef KIT_KIT_H
#define KIT_KIT_H

#include <stdint.h>

/* Runs on the boot processor when all processors are up; what it returns is the machine's status. */
uint8_t kit_main(void);

#endif
