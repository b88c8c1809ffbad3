/* SPDX-License-Identifier: BSD-2-Clause */
/* A higher VTL that receives intercepts on the sim backend. */
#ifndef TEST_LISTENER_H
#define TEST_LISTENER_H

#include "sim/sim_guest.h"

#define LISTENER_SIM_GPA 0x40000u /* plus 0x1000 for each VTL */

/* Enables @vtl on all VPs, its SynIC on VP 0, and EnableVtlProtection. VP 0 returns to its active VTL. */
void listener_create(struct vsm_partition *partition, uint8_t vtl);

/* Takes the message from the slot of @vtl, which must be active. Fails the test if there is none. */
struct hv_message listener_take(struct vsm_vp *vp, uint8_t vtl);
bool listener_has_message(struct vsm_vp *vp, uint8_t vtl);

/* The active VTL returns to the VTL below, which executes the intercepted instruction again. */
void listener_return(struct vsm_vp *vp);

/* Fields of a payload at an offset of the TLFS. */
uint64_t payload_u64(const struct hv_message *message, size_t offset);
uint32_t payload_u32(const struct hv_message *message, size_t offset);
uint16_t payload_u16(const struct hv_message *message, size_t offset);
uint8_t payload_u8(const struct hv_message *message, size_t offset);

#endif
