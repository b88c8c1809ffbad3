/* SPDX-License-Identifier: BSD-2-Clause */
/* The record that a failure left memory or rights undefined. */
#include <errno.h>
#include <string.h>

#include "core/memory/protect.h"

void protect_undo_failed(struct vsm_partition *partition, int error, const char *what)
{
	vsm_error(
		&partition->log, -error,
		"%s could not be restored: %s; the VPs do not run any more: destroy the partition",
		what, strerror(-error));
	atomic_store(&partition->rights_lost, true);
	partition->ops->disable(partition->backend);
	/* VPs that sleep report it, too. */
	for (uint32_t i = 0; i < partition->vp_count; i++)
		if (partition->vp[i] && partition->vp[i]->backend)
			partition->ops->vp_kick(partition->vp[i]->backend);
}

int protect_check_lost(const struct vsm_partition *partition)
{
	return atomic_load(&partition->rights_lost)
		       ? vsm_error(
				 &partition->log, EIO,
				 "an earlier failure left memory or rights undefined: destroy the "
				 "partition")
		       : 0;
}
