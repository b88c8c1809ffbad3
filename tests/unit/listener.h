/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A higher VTL that listens for intercepts on the sim backend: SINT0, a message page, protections on.
 */
#ifndef TEST_LISTENER_H
#define TEST_LISTENER_H

#include "sim/sim_guest.h"

#define LISTENER_SIM_GPA 0x40000u /* + 0x1000 * VTL */

/* Enables @vtl everywhere, gives VP 0's instance a SynIC and sets EnableVtlProtection. VTL0 is active. */
void listener_create(struct vsm_partition *partition, uint8_t vtl);

/*
 * The message that waits for @vtl of @vp, which must have been entered for it; its payload is copied and
 * the slot is freed. Fails the test if there is none.
 */
struct hv_message listener_take(struct vsm_vp *vp, uint8_t vtl);
/* Whether a message waits. */
bool listener_has_message(struct vsm_vp *vp, uint8_t vtl);

/* @vtl, which is active, goes back to the VTL below: what was intercepted runs again. */
void listener_return(struct vsm_vp *vp);

/* Bytes of a payload at the offset that the TLFS gives. */
uint64_t payload_u64(const struct hv_message *message, size_t offset);
uint32_t payload_u32(const struct hv_message *message, size_t offset);
uint16_t payload_u16(const struct hv_message *message, size_t offset);
uint8_t payload_u8(const struct hv_message *message, size_t offset);

#endif
