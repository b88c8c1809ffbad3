/* SPDX-License-Identifier: BSD-2-Clause */
/* Stops and continues the partition's TSC, from which the guest's time derives. */
#include <errno.h>

#include "core/partition.h"
#include "core/vp/vp.h"

int vsm_time_stop(struct vsm_partition *partition)
{
	int error;

	if (!partition->ops->tsc_set)
		return vsm_error(&partition->log, ENOTSUP, "backend %s cannot stop its TSC",
				 partition->ops->name);
	error = partition_stop(partition);
	if (error)
		return error;
	if (atomic_load(&partition->time_stopped)) {
		error = vsm_error(&partition->log, EALREADY, "time is already stopped");
	} else {
		partition->stopped_tsc = vp_tsc(partition);
		atomic_store(&partition->time_stopped, true);
	}
	partition_resume(partition);
	return error;
}

int vsm_time_start(struct vsm_partition *partition)
{
	int error = partition_stop(partition);

	if (error)
		return error;
	if (!atomic_load(&partition->time_stopped)) {
		error = vsm_error(&partition->log, EALREADY, "time is not stopped");
	} else {
		error = partition->ops->tsc_set(partition->backend, partition->stopped_tsc);
		for (uint32_t i = 0; error && i < partition->vp_count; i++)
			partition->vp[i]->broken = true;
		atomic_store(&partition->time_stopped, false);
	}
	partition_resume(partition);
	return error;
}
