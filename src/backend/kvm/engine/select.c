/* SPDX-License-Identifier: BSD-2-Clause */
/* Selection of the engine. */
#include <errno.h>

#include <vsm/vsm.h>

#include "kvm/engine/nested.h"

static int try_engine(struct vkvm_backend *backend, const struct engine_ops *ops, bool quiet)
{
	int error = ops->find(backend, quiet);

	if (!error)
		backend->engine.ops = ops;
	else
		ops->stop(backend);
	return error;
}

int engine_refuse(const struct vkvm_backend *backend, bool quiet, const char *why)
{
	if (!quiet)
		return vsm_error(backend->log, ENOTSUP, "%s", why);
	vsm_log(backend->log, VSM_LOG_INFO, "%s", why);
	return -ENOTSUP;
}

/* VSM_ENGINE_AUTO: attr, else uffd. docs/decisions.md explains why not nested. */
static int find_automatic(struct vkvm_backend *backend)
{
	int error = try_engine(backend, &engine_attr, true);

	if (!error)
		vsm_log(backend->log, VSM_LOG_INFO,
			"engine attr: selected, as KVM has the optional kernel part");
	if (error != -ENOTSUP)
		return error;
	if (!nested_is_offered(backend, true))
		vsm_log(backend->log, VSM_LOG_INFO,
			"engine nested: this host supports it; it denies execution and watches "
			"registers, but it is selected by its name only");
	error = try_engine(backend, &engine_uffd, false);
	if (!error)
		vsm_log(backend->log, VSM_LOG_INFO,
			"engine uffd: selected, as the default of a stock kernel; it denies "
			"reading "
			"and writing");
	return error;
}

int engine_find(struct vkvm_backend *backend, uint8_t wanted)
{
	switch (wanted) {
	case VSM_ENGINE_NESTED:
		return try_engine(backend, &engine_nested, false);
	case VSM_ENGINE_ATTR:
		return try_engine(backend, &engine_attr, false);
	case VSM_ENGINE_UFFD:
		return try_engine(backend, &engine_uffd, false);
	default:
		return find_automatic(backend);
	}
}
