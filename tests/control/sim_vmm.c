/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vsm run` on the sim backend. Each processor of the guest prints a dot and halts. On an NMI it
 * prints its number and records 3,000 intercepts; with eight processors it resets the machine; with
 * seven its thread tries to create a socket, like an attacker that controls the thread.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "config/config.h"
#include "core/partition.h"
#include "core/trace/trace.h"
#include "run/run.h"
#include "sim/sim.h"
#include "sim/sim_internal.h"

#define PROCESSORS_MAX 8u
#define ATTACKERS      7u
#define INTERCEPTS     3000u
#define SERIAL_PORT    0x3f8u
#define RESET_PORT     0xcf9u

static struct vsm_partition *the_partition;
static struct {
	bool greeted;
	uint32_t nmis;
} reported[PROCESSORS_MAX];

static void out(struct sim_vtl *guest, uint16_t port, uint8_t value)
{
	guest->action =
		(struct sim_action){.kind = SIM_OUT, .address = port, .value = value, .size = 1};
	guest->issued = false;
}

static void choose(struct sim_vp *vp, uint8_t vtl)
{
	struct sim_vtl *guest = &vp->vtl[vtl];
	/* A pending NMI is delivered as soon as the processor runs, so it counts. */
	const uint32_t nmis = guest->nmis + vp->cpu[vtl].events.nmi_pending;

	if (!reported[vp->index].greeted) {
		reported[vp->index].greeted = true;
		out(guest, SERIAL_PORT, '.');
	} else if (reported[vp->index].nmis != nmis) {
		reported[vp->index].nmis = nmis;
		if (the_partition->config.vp_count == PROCESSORS_MAX) {
			out(guest, RESET_PORT, 6);
			return;
		}
		if (the_partition->config.vp_count == ATTACKERS)
			(void)!socket(AF_INET, SOCK_STREAM, 0);
		for (unsigned int i = 0; i < INTERCEPTS; i++)
			trace(the_partition->vp[vp->index], VSM_TRACE_INTERCEPT_IO, 1, i, 0, 0);
		out(guest, SERIAL_PORT, (uint8_t)('0' + vp->index));
	} else {
		guest->action = (struct sim_action){.kind = SIM_HALT};
		guest->issued = false;
	}
}

static int run_guest(void *opaque, struct backend_run *run)
{
	struct sim_vp *vp = opaque;

	sim_update_action(vp, run->vtl);
	if (vp->vtl[run->vtl].action.kind == SIM_NOTHING)
		choose(vp, run->vtl);
	return sim_vp_run(opaque, run);
}

int vsm_partition_create(const struct vsm_config *config, struct vsm_partition **partition)
{
	static const struct sim_options threads = {.threads = true};
	static struct backend_ops ops;
	int error;

	ops = sim_ops;
	ops.vp_run = run_guest;
	error = config->vp_count > PROCESSORS_MAX
			? -EINVAL
			: partition_create(config, &ops, &threads, partition);
	if (!error)
		the_partition = *partition;
	return error;
}

static void print_message(void *opaque, const struct vsm_log_record *record)
{
	(void)opaque;
	fprintf(stderr, "sim_vmm: %s\n", record->text);
}

int main(int argc, char **argv)
{
	const struct vsm_log log = {print_message, NULL, VSM_LOG_INFO};
	struct vmm_config config;
	int status = vmm_config_parse(&config, argc - 1, (const char *const *)argv + 1, &log);

	status = status ? 64 : vmm_run(&config, &log);
	vmm_config_free(&config);
	return status;
}
