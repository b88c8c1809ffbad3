/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Register access by the VMM: HvCallGetVpRegisters and HvCallSetVpRegisters with the rights of the
 * host.
 */
#include <errno.h>

#include <vsm/hv/names.h>

#include "core/registers/regs.h"
#include "core/vp/vp.h"

struct access {
	uint8_t vtl;
	const uint32_t *name;
	union hv_register_value *read;
	const union hv_register_value *write;
	size_t count;
	size_t done;
};

static void access_registers(struct vsm_vp *vp, void *argument)
{
	static const struct regs_caller host = {.host = true};
	struct access *access = argument;

	for (size_t i = 0; i < access->count; i++) {
		uint32_t name = access->name[i];
		uint16_t status =
			access->read ? regs_get(vp, access->vtl, name, &host, &access->read[i])
				     : regs_set(vp, access->vtl, name, &host, &access->write[i]);

		if (access->read && vp->unread) {
			vsm_error(&vp->partition->log, EIO,
				  "vp %u: the backend has failed to read registers", vp->index);
			return;
		}
		if (status != HV_STATUS_SUCCESS) {
			vsm_error(&vp->partition->log, EINVAL,
				  "vp %u, vtl %u: register %#x (%s): %s", vp->index, access->vtl,
				  name, hv_register_name(name), hv_status_name(status));
			return;
		}
		access->done++;
	}
}

static int access_all(struct vsm_vp *vp, struct access *access)
{
	if (access->vtl >= vp->partition->vtl_count)
		return vsm_error(&vp->partition->log, EINVAL, "vp %u: no VTL %u", vp->index,
				 access->vtl);
	if (access->read)
		vp_query(NULL, vp, access_registers, access);
	else
		vp_call(NULL, vp, access_registers, access);
	return (int)access->done;
}

int vsm_vp_get_registers(struct vsm_vp *vp, uint8_t vtl, const uint32_t *name,
			 union hv_register_value *value, size_t count)
{
	struct access access = {.vtl = vtl, .name = name, .read = value, .count = count};

	return access_all(vp, &access);
}

int vsm_vp_set_registers(struct vsm_vp *vp, uint8_t vtl, const uint32_t *name,
			 const union hv_register_value *value, size_t count)
{
	struct access access = {.vtl = vtl, .name = name, .write = value, .count = count};

	return access_all(vp, &access);
}
