/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC of the calling VTL, in xAPIC or x2APIC mode as enabled (SDM volume 3A, "Advanced
 * Programmable Interrupt Controller"). */
#ifndef KIT_APIC_H
#define KIT_APIC_H

#include <stdbool.h>
#include <stdint.h>

#define APIC_ID		   0x02 /* x2APIC register number: xAPIC offset / 16 */
#define APIC_VERSION	   0x03
#define APIC_TPR	   0x08
#define APIC_EOI	   0x0b
#define APIC_SPURIOUS	   0x0f
#define APIC_ISR	   0x10
#define APIC_IRR	   0x20
#define APIC_ICR	   0x30
#define APIC_LVT_TIMER	   0x32
#define APIC_TIMER_INITIAL 0x38
#define APIC_TIMER_CURRENT 0x39
#define APIC_TIMER_DIVIDE  0x3e
#define APIC_SELF_IPI	   0x3f

#define APIC_INIT	      0x4500 /* assert, INIT */
#define APIC_STARTUP	      0x4600
#define APIC_FIXED	      0x4000
#define APIC_NMI	      0x4400
#define APIC_BASE_X2APIC      (1ull << 10)
#define APIC_BASE_ENABLED     (1ull << 11)
#define APIC_BASE_BOOT	      (1ull << 8)
#define APIC_SOFTWARE_ENABLED 0x100

uint32_t apic_read(uint32_t number);
void apic_write(uint32_t number, uint32_t value);
uint32_t apic_id(void);
void apic_eoi(void);
void apic_enable(void);
bool apic_x2apic(void);

/* @destination: APIC ID. @command: for example, a vector with APIC_FIXED. */
void apic_send(uint32_t destination, uint32_t command);

#endif
