/* SPDX-License-Identifier: BSD-2-Clause */
/* vsm_partition_create(), in a separate file so that the backend links without the core. */
#include "core/partition.h"
#include "kvm/kvm.h"

int vsm_partition_create(const struct vsm_config *config, struct vsm_partition **partition)
{
	const struct vkvm_options options = {
		.engine = config->size == sizeof(*config) ? config->engine : VSM_ENGINE_AUTO,
	};

	return partition_create(config, &vkvm_ops, &options, partition);
}
