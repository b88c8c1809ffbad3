/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a partition on any backend.
 */
#ifndef CORE_PARTITION_H
#define CORE_PARTITION_H

#include "core/core.h"

/* vsm_partition_create() with the backend named; @options goes to its create(). */
int partition_create(const struct vsm_config *config, const struct backend_ops *ops,
		     const void *options, struct vsm_partition **partition);

#endif
