/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SECURE_KERNEL_TOPICS_H
#define SECURE_KERNEL_TOPICS_H

#include "kit/tap.h"

extern const struct tap_topic topic_boot, topic_services, topic_attacks, topic_rights, topic_locked;

/* Locked pages of VTL0, as targets of attacks; NULL before needs_secure_kernel(). */
#define TARGET_PAGES 3u
extern uint8_t *target;

/* For tap_topic.prepare: locks the target pages. Returns NULL, or a reason to skip the topic. */
const char *needs_secure_kernel(void);

/* Expects that VTL1 answers on every VP, with the same key as before. */
void expect_vtl1_is_well(void);

#endif
