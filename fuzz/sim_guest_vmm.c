/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim_guest_vmm.h"

#include <stdlib.h>

#include "core/partition.h"
#include "sim/sim.h"

static const struct vsm_log silent;

/* Replaces the function of the KVM backend. */
int vsm_partition_create(const struct vsm_config *wanted, struct vsm_partition **partition)
{
	return partition_create(wanted, &sim_ops, NULL, partition);
}

struct vmm_guest *fuzz_guest(struct vmm_config *config)
{
	static char engine[] = "auto";
	struct vmm_guest *guest = calloc(1, sizeof(*guest));

	config->engine = engine;
	if (!guest)
		abort();
	guest->config = config;
	guest->log = &silent;
	if (vmm_stopper_init(&guest->stopper) || vmm_orders_init(&guest->orders) ||
	    vmm_guest_create(guest))
		abort();
	return guest;
}

void fuzz_guest_free(struct vmm_guest *guest)
{
	vmm_guest_destroy(guest);
	vmm_orders_destroy(&guest->orders);
	vmm_stopper_destroy(&guest->stopper);
	free(guest);
}
