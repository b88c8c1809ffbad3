/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest writes that signal an eventfd. */
#ifndef CORE_IOEVENTFD_H
#define CORE_IOEVENTFD_H

#include "core/core.h"

void ioeventfd_init(struct vsm_partition *partition);
void ioeventfd_destroy(struct vsm_partition *partition);

/* For a write that exits as port I/O or MMIO. False: no eventfd was signalled. */
bool ioeventfd_signal(struct vsm_partition *partition, uint8_t vtl, bool port, uint64_t address,
		      const uint8_t *data, uint8_t size);

#endif
