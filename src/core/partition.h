/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation of a partition on any backend, and ownership of all of its VPs. */
#ifndef CORE_PARTITION_H
#define CORE_PARTITION_H

#include "core/core.h"

/* @options is passed to the create() of @ops. */
int partition_create(const struct vsm_config *config, const struct backend_ops *ops,
		     const void *options, struct vsm_partition **partition);

/*
 * Makes the calling thread the owner of every VP, so that none runs, until partition_resume().
 * -EBUSY: some VP is inside vsm_vp_run().
 */
int partition_stop(struct vsm_partition *partition);
void partition_resume(struct vsm_partition *partition);
/* -EIO: the backend of a VP failed, or rights are lost. The partition is stopped. */
int partition_check_failed(const struct vsm_partition *partition);
/* Restores the state after creation; wipes RAM only if @zero. The partition is stopped. */
int partition_clear(struct vsm_partition *partition, bool zero);

#endif
