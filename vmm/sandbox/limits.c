/* SPDX-License-Identifier: BSD-2-Clause */
#include "sandbox/limits.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "array.h"
#include "sandbox/internal.h"

/* Of a VTL on a VP: vCPU and statistics, twice if restricted in engine nested. */
#define FDS_PER_VCPU 4u
/* For files, the console, the control socket and its clients, VMs and memory. */
#define FDS_REST 128u

void vmm_limits_raise(const struct vmm_config *config, const struct vsm_log *log)
{
	const rlim_t needed = (rlim_t)config->cpus * config->vtls * FDS_PER_VCPU + FDS_REST;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = needed;
	if (limit.rlim_max < needed)
		limit.rlim_max = needed;
	if (!setrlimit(RLIMIT_NOFILE, &limit))
		return;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	vsm_log(log, VSM_LOG_WARN,
		"%u processors in %u VTLs need up to %llu descriptors, and this user may have "
		"%llu: raise the limit (ulimit -Hn, or LimitNOFILE= of a systemd unit)",
		config->cpus, config->vtls, (unsigned long long)needed,
		(unsigned long long)limit.rlim_max);
}

int vmm_limits_lower(const struct vsm_log *log)
{
	static const struct {
		int resource;
		const char *name;
	} none[] = {
		/* A core file would have the secrets of every VTL. */
		{RLIMIT_CORE, "core files"},
		{RLIMIT_MSGQUEUE, "message queues"},
		{RLIMIT_RTPRIO, "real-time priority"},
		{RLIMIT_NICE, "priority"},
	};
	struct rlimit limit;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		limit = (struct rlimit){0, 0};
		if (setrlimit(none[i].resource, &limit))
			return vsm_error(log, errno, "sandbox: limit of %s: %s", none[i].name,
					 strerror(errno));
	}
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return vsm_error(log, errno, "sandbox: limit of descriptors: %s", strerror(errno));
	limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return vsm_error(log, errno, "sandbox: limit of descriptors: %s", strerror(errno));
	return 0;
}
