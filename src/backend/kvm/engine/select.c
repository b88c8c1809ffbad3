/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Selection of the engine.
 */
#include <errno.h>

#include <vsm/vsm.h>

#include "kvm/backend.h"

static int try_engine(struct vkvm_backend *backend, const struct engine_ops *ops, bool quiet)
{
	int error = ops->find(backend, quiet);

	if (!error)
		backend->engine.ops = ops;
	else
		ops->stop(backend);
	return error;
}

int engine_find(struct vkvm_backend *backend, uint8_t wanted)
{
	int error = 0;

	if (wanted == VSM_ENGINE_NESTED)
		return try_engine(backend, &engine_nested, false);
	if (wanted != VSM_ENGINE_UFFD)
		error = try_engine(backend, &engine_attr, wanted == VSM_ENGINE_AUTO);
	if (wanted == VSM_ENGINE_UFFD || (wanted == VSM_ENGINE_AUTO && error == -ENOTSUP))
		error = try_engine(backend, &engine_uffd, false);
	return error;
}
