/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SECURE_KERNEL_TOPICS_H
#define SECURE_KERNEL_TOPICS_H

#include "kit/tap.h"

/* In the order in which they run. */
extern const struct tap_topic topic_boot, topic_services, topic_attacks, topic_rights, topic_locked;

/* Pages of VTL0 that are locked, as targets of attacks; NULL before. */
#define TARGET_PAGES 3u
extern uint8_t *target;

/* For prepare: VTL1 runs on every VP, and the targets are locked. The reason why not, or NULL. */
const char *needs_secure_kernel(void);

/* VTL1 still has its key, on every VP. */
void expect_vtl1_is_well(void);

#endif
