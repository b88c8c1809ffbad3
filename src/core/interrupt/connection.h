/* SPDX-License-Identifier: BSD-2-Clause */
/* Targets of HvCallPostMessage and HvCallSignalEvent (TLFS "SynIC Connections"). */
#ifndef CORE_CONNECTION_H
#define CORE_CONNECTION_H

#include "core/core.h"

/* SUCCESS, INVALID_CONNECTION_ID, INVALID_SYNIC_STATE, INSUFFICIENT_BUFFERS. */
uint16_t connection_post(struct vsm_partition *partition, uint32_t id, uint32_t type,
			 const void *payload, size_t size);
/* SUCCESS, INVALID_CONNECTION_ID, INVALID_SYNIC_STATE, INVALID_PARAMETER (flag too high). */
uint16_t connection_signal(struct vsm_partition *partition, uint32_t id, uint16_t flag);
void connection_init(struct vsm_partition *partition);
void connection_destroy(struct vsm_partition *partition);

#endif
