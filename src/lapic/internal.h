/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Common definitions of the local APIC. Fields that other threads access are written by LAPIC_STORE
 * and atomic built-ins.
 */
#ifndef LAPIC_INTERNAL_H
#define LAPIC_INTERNAL_H

#include <vsm/lapic.h>

#define LAPIC_LOAD(p)	   __atomic_load_n((p), __ATOMIC_RELAXED)
#define LAPIC_STORE(p, v)  __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define LAPIC_SYNC_LOAD(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)

/* IA32_APIC_BASE (SDM 11.4.4). */
#define LAPIC_BASE_BSP	(1ull << 8)
#define LAPIC_BASE_EXTD (1ull << 10)
#define LAPIC_BASE_EN	(1ull << 11)

/* Spurious-interrupt vector register (SDM 11.9). */
#define LAPIC_SVR_ENABLE	 (1u << 8)
#define LAPIC_SVR_NO_FOCUS	 (1u << 9)
#define LAPIC_SVR_SUPPRESS_EOI	 (1u << 12)
#define LAPIC_SVR_RESET		 0xffu
#define LAPIC_FIRST_LEGAL_VECTOR 16u

/* LVT entries (SDM 11.5.1). */
#define LAPIC_LVT_VECTOR     0xffu
#define LAPIC_LVT_MODE	     0x700u
#define LAPIC_LVT_STATUS     (1u << 12) /* delivery status */
#define LAPIC_LVT_ACTIVE_LOW (1u << 13)
#define LAPIC_LVT_REMOTE_IRR (1u << 14)
#define LAPIC_LVT_LEVEL	     (1u << 15)
#define LAPIC_LVT_MASKED     (1u << 16)
#define LAPIC_TIMER_PERIODIC (1u << 17)
#define LAPIC_TIMER_DEADLINE (1u << 18)
#define LAPIC_TIMER_MODE     (LAPIC_TIMER_PERIODIC | LAPIC_TIMER_DEADLINE)

/* Interrupt command register (SDM 11.6.1, 11.12.9). */
#define LAPIC_ICR_LOGICAL	  (1u << 11)
#define LAPIC_ICR_STATUS	  (1u << 12) /* delivery status */
#define LAPIC_ICR_ASSERT	  (1u << 14)
#define LAPIC_ICR_LEVEL		  (1u << 15)
#define LAPIC_ICR_SHORTHAND_SHIFT 18
#define LAPIC_ICR_LOW_BITS	  0x000ccfffu

#define LAPIC_DFR_FLAT	  0xffffffffu
#define LAPIC_DIVIDE_BITS 0xbu
#define LAPIC_SVR_BITS	  (0xffu | LAPIC_SVR_ENABLE | LAPIC_SVR_NO_FOCUS)
#define LAPIC_ESR_BITS	  0xffu
#define LAPIC_EVENT_BITS                                                                           \
	(VSM_LAPIC_EVENT_NMI | VSM_LAPIC_EVENT_SMI | VSM_LAPIC_EVENT_INIT | VSM_LAPIC_EVENT_SIPI | \
	 VSM_LAPIC_EVENT_EXTINT | VSM_LAPIC_EVENT_NMI_AGAIN)
#define LAPIC_SIPI_VECTOR_SHIFT 8

/* -- sets of 256 vectors -- */

static inline uint64_t lapic_bit(uint8_t vector)
{
	return 1ull << (vector & 63);
}

static inline bool lapic_test(const uint64_t set[4], uint8_t vector)
{
	return LAPIC_LOAD(&set[vector >> 6]) & lapic_bit(vector);
}

/* For sets that only the owner writes. */
static inline void lapic_owner_set(uint64_t set[4], uint8_t vector)
{
	LAPIC_STORE(&set[vector >> 6], LAPIC_LOAD(&set[vector >> 6]) | lapic_bit(vector));
}

static inline void lapic_owner_clear(uint64_t set[4], uint8_t vector)
{
	LAPIC_STORE(&set[vector >> 6], LAPIC_LOAD(&set[vector >> 6]) & ~lapic_bit(vector));
}

/* For sets that any thread writes. Avoids the locked operation if the bit already has the value. */
static inline void lapic_put(uint64_t set[4], uint8_t vector, bool on)
{
	uint64_t bit = lapic_bit(vector);

	if (lapic_test(set, vector) == on)
		return;
	if (on)
		__atomic_fetch_or(&set[vector >> 6], bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&set[vector >> 6], ~bit, __ATOMIC_SEQ_CST);
}

static inline int lapic_highest(const uint64_t set[4])
{
	for (int i = 3; i >= 0; i--) {
		uint64_t word = LAPIC_SYNC_LOAD(&set[i]);

		if (word)
			return i * 64 + 63 - __builtin_clzll(word);
	}
	return -1;
}

/* Word @index of a 256-bit register as the guest reads it, 32 bits. */
static inline uint32_t lapic_word(const uint64_t set[4], uint32_t index)
{
	return (uint32_t)(LAPIC_LOAD(&set[index >> 1]) >> (32 * (index & 1)));
}

/* -- mode.c -- */

bool lapic_accepts_messages(const struct vsm_lapic *apic);
bool lapic_base_is_legal(const struct vsm_lapic *apic, uint64_t base);
bool lapic_write_base(struct vsm_lapic *apic, uint64_t base, struct vsm_lapic_effect *effect);
uint32_t lapic_x2apic_ldr(uint32_t id);

/* -- lvt.c: the LVT, and the SVR which masks it -- */

uint32_t lapic_svr_bits(const struct vsm_lapic *apic);
void lapic_write_svr(struct vsm_lapic *apic, uint32_t value);
uint32_t lapic_version(const struct vsm_lapic *apic);
/* An APIC without LVT CMCI has no register for it; the field has its reset value. */
static inline bool lapic_has_lvt(const struct vsm_lapic *apic, int lvt)
{
	return lvt != VSM_LAPIC_LVT_CMCI || apic->config.flags & VSM_LAPIC_HAS_CMCI;
}
uint32_t lapic_lvt_bits(const struct vsm_lapic *apic, enum vsm_lapic_lvt lvt);
void lapic_write_lvt(struct vsm_lapic *apic, enum vsm_lapic_lvt lvt, uint32_t value,
		     struct vsm_lapic_effect *effect);
void lapic_lint_eoi(struct vsm_lapic *apic, uint8_t vector);

/* -- deliver.c -- */

void lapic_eoi(struct vsm_lapic *apic, struct vsm_lapic_effect *effect);

/* -- post.c -- */

/* Returns: the result of the post of the error interrupt; VSM_LAPIC_IGNORED if there is none. */
enum vsm_lapic_posted lapic_error(struct vsm_lapic *apic, uint32_t bits);

/* -- icr.c -- */

void lapic_send_icr(struct vsm_lapic *apic, struct vsm_lapic_effect *effect);
void lapic_self_ipi(struct vsm_lapic *apic, uint8_t vector, struct vsm_lapic_effect *effect);

/* -- timer.c -- */

void lapic_timer_disarm(struct vsm_lapic *apic);
void lapic_timer_update(struct vsm_lapic *apic);
uint32_t lapic_timer_count(const struct vsm_lapic *apic, uint64_t now);
void lapic_timer_start(struct vsm_lapic *apic, uint64_t now, uint32_t count);
void lapic_timer_resume(struct vsm_lapic *apic, uint64_t now, uint32_t count);
void lapic_timer_set_divide(struct vsm_lapic *apic, uint64_t now, uint32_t divide);
void lapic_timer_set_deadline(struct vsm_lapic *apic, uint64_t deadline);

#endif
