/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation, reset and destruction of a partition. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/interrupt/connection.h"
#include "core/msr/cpuid.h"
#include "core/memory/dma_map.h"
#include "core/memory/file.h"
#include "core/memory/gpa.h"
#include "core/memory/guard.h"
#include "core/memory/map.h"
#include "core/intercept/intercept.h"
#include "core/interrupt/interrupt.h"
#include "core/interrupt/irqfd.h"
#include "core/memory/turn.h"
#include "core/msr/msr.h"
#include "core/memory/overlay.h"
#include "core/partition.h"
#include "core/run/ioeventfd.h"
#include "core/memory/protect.h"
#include "core/vp/request.h"
#include "core/interrupt/stimer.h"
#include "core/interrupt/synic.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"

void vsm_config_init(struct vsm_config *config)
{
	*config = (struct vsm_config){
		.size = sizeof(*config),
		.vp_count = 1,
		.max_vtl = 2,
		.spin_retries = UINT32_MAX,
	};
	cpuid_set_defaults(config);
}

static int config_check(const struct vsm_config *config)
{
	const struct vsm_log *log = &config->log;

	if (config->size < offsetof(struct vsm_config, vp_count))
		return -EINVAL; /* no log to write to: vsm_config_init() was not called */
	if (config->size != sizeof(*config))
		return vsm_error(log, EINVAL,
				 "config.size %zu: this library has %zu: build with its header",
				 config->size, sizeof(*config));
	if (config->vp_count < 1 || config->vp_count > VSM_VP_MAX)
		return vsm_error(log, EINVAL, "config.vp_count %u: not in 1 to %u",
				 config->vp_count, VSM_VP_MAX);
	if (config->max_vtl >= VSM_VTL_MAX)
		return vsm_error(log, EINVAL, "config.max_vtl %u: above %u", config->max_vtl,
				 VSM_VTL_MAX - 1);
	if (config->boot_vtl > config->max_vtl)
		return vsm_error(log, EINVAL, "config.boot_vtl %u: above max_vtl %u",
				 config->boot_vtl, config->max_vtl);
	if (config->engine > VSM_ENGINE_NESTED)
		return vsm_error(log, EINVAL, "config.engine %u: not in %u (AUTO) to %u (NESTED)",
				 config->engine, VSM_ENGINE_AUTO, VSM_ENGINE_NESTED);
	if (config->reserved1)
		return vsm_error(log, EINVAL, "config.reserved1 %#x: not 0", config->reserved1);
	for (uint32_t i = 0; config->apic_id && i < config->vp_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (config->apic_id[i] == config->apic_id[j])
				return vsm_error(
					log, EINVAL,
					"config.apic_id: VPs %u and %u have the same id %u", j, i,
					config->apic_id[i]);
	return 0;
}

/* KVM does not scale a TSC whose rate differs by less than this (tsc_tolerance_ppm). */
#define TSC_TOLERANCE_PPM 250u

static int settle_tsc_rate(struct vsm_partition *partition)
{
	const uint64_t wanted = (uint64_t)partition->config.tsc_khz * 1000;
	const uint64_t is = partition->features.tsc_hz;
	const uint64_t apart = wanted > is ? wanted - is : is - wanted;

	if (!wanted)
		return 0;
	if (apart > is / 1000000 * TSC_TOLERANCE_PPM)
		return vsm_error(&partition->log, ENOTSUP,
				 "config.tsc_khz %u: the TSC of this host has %llu kHz",
				 partition->config.tsc_khz, (unsigned long long)(is / 1000));
	partition->features.tsc_hz = wanted;
	return 0;
}

static void reset_partition_state(struct vsm_partition *partition)
{
	uint8_t boot = partition->config.boot_vtl;

	atomic_store(&partition->enabled_vtls, vtl_bit(0) | vtl_bit(boot));
	atomic_store(&partition->mbec_vtls, 0);
	for (uint8_t vtl = 0; vtl < partition->vtl_count; vtl++) {
		atomic_store(&partition->vtl[vtl].config, 0);
		msr_reset_partition(partition, vtl);
	}
	if (boot)
		atomic_store(&partition->vtl[boot].config, vtl_config_at_reset());
	intercept_reset(partition);
	partition->crash_ctl = 0;
	memset(partition->crash, 0, sizeof(partition->crash));
	partition->tsc_sequence = 0;
	atomic_store(&partition->reset_wanted, false);
	atomic_store(&partition->context_logged, false);
}

static int create_vps(struct vsm_partition *partition)
{
	int error = 0;

	partition->vp = calloc(partition->vp_count, sizeof(struct vsm_vp *));
	if (!partition->vp)
		return vsm_error(&partition->log, ENOMEM, "no memory for the list of %u VPs",
				 partition->vp_count);
	for (uint32_t i = 0; i < partition->vp_count && !error; i++)
		error = vp_create(partition, i, &partition->vp[i]);
	return error;
}

/* Deadlines of requests use CLOCK_MONOTONIC, which cannot be set. */
static void init_request_wake(struct vsm_partition *partition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&partition->request_wake, &attributes);
	pthread_condattr_destroy(&attributes);
}

int partition_create(const struct vsm_config *config, const struct backend_ops *ops,
		     const void *options, struct vsm_partition **out)
{
	struct vsm_partition *partition;
	struct backend_config backend = {
		.vp_count = config->vp_count,
		.refused = config->refused,
		.refused_opaque = config->refused_opaque,
		.vtl_count = (uint8_t)(config->max_vtl + 1),
		.smm = config->smm,
		.options = options,
	};
	int error = config_check(config);

	if (error)
		return error;
	partition = calloc(1, sizeof(*partition));
	if (!partition)
		return vsm_error(&config->log, ENOMEM, "no memory for the partition");
	partition->config = *config;
	partition->log = config->log;
	partition->ops = ops;
	partition->vtl_count = backend.vtl_count;
	partition->vp_count = config->vp_count;
	pthread_mutex_init(&partition->lock, NULL);
	connection_init(partition);
	ioeventfd_init(partition);
	pthread_mutex_init(&partition->request_lock, NULL);
	init_request_wake(partition);

	backend.log = &partition->log;
	error = ops->create(&backend, &partition->backend, &partition->features);
	if (error) {
		partition->backend = NULL;
		goto fail;
	}
	error = settle_tsc_rate(partition);
	if (error)
		goto fail;
	cpuid_settle(partition);
	error = memory_init(partition);
	if (!error)
		error = overlay_init(partition);
	if (!error)
		error = interrupt_init(partition);
	if (!error)
		error = create_vps(partition);
	if (error)
		goto fail;
	/* The VPs must exist: a backend reads the TSC of a VP. */
	reftime_init(partition, vp_tsc(partition));
	reset_partition_state(partition);
	for (uint32_t i = 0; i < partition->vp_count; i++)
		vp_reset(partition->vp[i]);
	*out = partition;
	return 0;
fail:
	vsm_partition_destroy(partition);
	return error;
}

void vsm_partition_destroy(struct vsm_partition *partition)
{
	if (!partition)
		return;
	irqfd_destroy(partition);
	for (uint32_t i = 0; partition->vp && i < partition->vp_count; i++)
		vp_destroy(partition->vp[i]);
	free(partition->vp);
	connection_destroy(partition);
	ioeventfd_destroy(partition);
	intercept_destroy(partition);
	interrupt_destroy(partition);
	protect_destroy(partition);
	overlay_destroy(partition);
	memory_destroy(partition);
	if (partition->backend)
		partition->ops->destroy(partition->backend);
	pthread_cond_destroy(&partition->request_wake);
	pthread_mutex_destroy(&partition->request_lock);
	pthread_rwlock_destroy(&partition->connection_lock);
	pthread_mutex_destroy(&partition->lock);
	free(partition);
}

struct vsm_vp *vsm_partition_vp(struct vsm_partition *partition, uint32_t index)
{
	return index < partition->vp_count ? partition->vp[index] : NULL;
}

int partition_stop(struct vsm_partition *partition)
{
	for (uint32_t i = 0; i < partition->vp_count; i++) {
		if (vp_own(partition->vp[i])) {
			while (i-- > 0)
				vp_disown(partition->vp[i], vp_exit_pending(partition->vp[i]));
			return vsm_error(&partition->log, EBUSY,
					 "a VP is running: stop all VPs first");
		}
	}
	return 0;
}

void partition_resume(struct vsm_partition *partition)
{
	for (uint32_t i = 0; i < partition->vp_count; i++)
		vp_disown(partition->vp[i], vp_exit_pending(partition->vp[i]));
}

int partition_check_failed(const struct vsm_partition *partition)
{
	for (uint32_t i = 0; i < partition->vp_count; i++)
		if (partition->vp[i]->broken)
			return vsm_error(&partition->log, EIO,
					 "VP %u has failed: reset the partition", i);
	return protect_check_lost(partition);
}

/* TLFS "Virtual Secure Mode", ZeroMemoryOnReset. */
static bool zero_wanted(const struct vsm_partition *partition)
{
	uint16_t higher = atomic_load(&partition->enabled_vtls) & vtls_above(0);

	if (atomic_load(&partition->zero_due))
		return true;
	for (; higher; higher &= (uint16_t)(higher - 1))
		if (atomic_load(&partition->vtl[__builtin_ctz(higher)].config) &
		    HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET)
			return true;
	return false;
}

/* finish_all() comes first: to complete an instruction, KVM fetches it again from guest memory. */
static int clear_memory(struct vsm_partition *partition, bool zero)
{
	int error = 0;

	if (zero && partition->ops->finish_all)
		error = partition->ops->finish_all(partition->backend);
	pthread_rwlock_wrlock(&partition->memory.lock);
	if (!error)
		error = dma_map_revoke_all(partition);
	if (!error && zero)
		error = ram_files_zero(partition);
	pthread_rwlock_unlock(&partition->memory.lock);
	return error;
}

/*
 * The SIM and SIEF pages are cleared after this: a SynIC that is still on accepts messages and event
 * flags of other threads, which the next guest would find in the cleared pages.
 */
static void reset_synics(struct vsm_partition *partition)
{
	for (uint32_t i = 0; i < partition->vp_count; i++)
		for (uint8_t vtl = 0; vtl < partition->vtl_count; vtl++)
			synic_reset(partition->vp[i], vtl);
}

int partition_clear(struct vsm_partition *partition, bool zero)
{
	int error = protect_check_lost(partition);
	int map_error;

	if (!error)
		error = clear_memory(partition, zero);
	if (error)
		return error;
	if (zero)
		atomic_store(&partition->zero_due, false);
	/* The protections end only after the secrets behind them are wiped (P25). */
	error = protect_reset(partition);
	map_error = memory_map_reset(partition);
	error = error ? error : map_error;
	memory_turn_reset(partition);
	reset_synics(partition);
	if (!error)
		error = overlay_reset(partition);
	if (error)
		return error;
	reset_partition_state(partition);
	for (uint32_t i = 0; i < partition->vp_count; i++)
		vp_reset(partition->vp[i]);
	return 0;
}

int vsm_partition_reset(struct vsm_partition *partition)
{
	int error = partition_stop(partition);

	if (error)
		return error;
	/* Complete open instructions before the registers are reset. */
	for (uint32_t i = 0; i < partition->vp_count; i++)
		vp_finish_exit(partition->vp[i]);
	error = partition_clear(partition, zero_wanted(partition));
	if (!error)
		error = partition_check_failed(partition);
	if (!error)
		trace_about(partition->vp[0], 0, VSM_TRACE_RESET, 0, 0, 0, 0);
	if (error)
		for (uint32_t i = 0; i < partition->vp_count; i++)
			partition->vp[i]->broken = true;
	partition_resume(partition);
	return error;
}

int vsm_memory_guarded(struct vsm_partition *partition, const void *host, uint64_t size,
		       uint64_t *bitmap)
{
	if ((uintptr_t)host % CORE_PAGE_SIZE || size % CORE_PAGE_SIZE || !size)
		return vsm_error(&partition->log, EINVAL,
				 "a mapping of the VMM is not whole pages");
	if (!partition->ops->guard_denied)
		return vsm_error(&partition->log, ENOTSUP,
				 "backend %s cannot guard a mapping of the VMM",
				 partition->ops->name);
	partition->ops->guard_denied(partition->backend, host, size / CORE_PAGE_SIZE, bitmap);
	return 0;
}

int vsm_memory_guard(struct vsm_partition *partition, bool on)
{
	int error;

	if (!partition->ops->guard_add)
		return vsm_error(&partition->log, ENOTSUP,
				 "backend %s cannot guard a mapping of the VMM",
				 partition->ops->name);
	error = partition_stop(partition);
	if (error)
		return error;
	pthread_rwlock_wrlock(&partition->memory.lock);
	error = guard_set_active(partition, on);
	pthread_rwlock_unlock(&partition->memory.lock);
	partition_resume(partition);
	return error;
}
