/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GUEST_TESTS_H
#define GUEST_TESTS_H

#include "kit/tap.h"

extern const struct tap_topic topic_machine, topic_offer, topic_enable, topic_switch, topic_shared,
	topic_protect, topic_tables, topic_fetch, topic_calls, topic_intercept, topic_interrupt,
	topic_timer, topic_vina, topic_translate, topic_registers, topic_start, topic_halt,
	topic_hostile, topic_three, topic_reset, topic_soak, topic_apic, topic_ioapic,
	topic_devices, topic_connection, topic_msrs, topic_overlay, topic_mbec;

/* For tap_topic.prepare: return a reason to skip the topic, or NULL. */
const char *needs_hypercalls(void);
const char *needs_vsm(void);  /* CPUID reports VSM, and the hypercall page of VTL0 is enabled */
const char *needs_vtl1(void); /* VTL1 is enabled on all VPs, and its EnableVtlProtection set */
/* As needs_vtl1(), with @flags (HV_ENABLE_PARTITION_VTL_MBEC) if VTL1 is not enabled yet. */
const char *needs_vtl1_with(uint8_t flags);

/* Random hypercalls from VTL0 of the calling VP. Call hostile_prepare() once before. */
void hostile_prepare(void);
void hostile_calls(uint64_t rounds);

#endif
