/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the public API meets this backend. Apart, so that the backend links without the core.
 */
#include <errno.h>

#include "core/partition.h"
#include "kvm/kvm.h"

int vsm_partition_create(const struct vsm_config *config, struct vsm_partition **partition)
{
	if (config->size == sizeof(*config) && config->engine == VSM_ENGINE_ATTR)
		return vsm_error(&config->log, ENOTSUP,
				 "config.engine: this kernel has no memory attributes per VTL; "
				 "choose AUTO or UFFD");
	return partition_create(config, &kvm_ops, NULL, partition);
}
