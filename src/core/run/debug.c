/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debugging by the VMM. The backend reports breakpoints, and steps over instructions that the CPU
 * executes; the core adds steps over instructions that it emulates, VTL entries and intercepts.
 */
#include <errno.h>
#include <string.h>

#include "core/run/debug.h"
#include "core/vp/cpu_registers.h"
#include "core/vp/vp.h"

#define BACKEND_FLAGS (VSM_DEBUG_SOFTWARE | VSM_DEBUG_HARDWARE | VSM_DEBUG_STEP)

/* SDM 3B 18.2.4: L0 to L3, G0 to G3, LE, GE; from bit 16 on, four bits for each breakpoint. */
#define DR7_ENABLES   UINT64_C(0x3ff)
#define DR7_FIELDS    UINT64_C(0xffff0000)
#define DR7_SHIFT     16u
#define DR7_EXECUTE   0u
#define DR7_IO	      2u
#define DR7_LEN_SHIFT 2u

/* Why breakpoint @i is refused, or NULL. */
static const char *breakpoint_fault(const struct backend_features *features,
				    const struct vsm_debug *debug, unsigned int i)
{
	static const uint8_t mask[] = {0, 1, 7, 3}; /* by LEN: 1, 2, 8, 4 bytes */
	const unsigned int field = debug->dr7 >> (DR7_SHIFT + 4 * i) & 0xf;
	const unsigned int type = field & 3;
	const unsigned int length = field >> DR7_LEN_SHIFT;

	if (!(debug->dr7 >> 2 * i & 3))
		return NULL;
	if (type == DR7_IO)
		return "I/O";
	if (type == DR7_EXECUTE && length)
		return "execution with a length";
	if (debug->dr[i] & mask[length])
		return "not aligned to its length";
	return regs_is_canonical_for_cpu(features, debug->dr[i]) ? NULL : "not canonical";
}

static int check(const struct vsm_vp *vp, uint8_t vtl, const struct vsm_debug *debug)
{
	const struct vsm_log *log = &vp->partition->log;

	if (debug->size != sizeof(*debug))
		return vsm_error(log, EINVAL, "debug.size %zu: this library has %zu", debug->size,
				 sizeof(*debug));
	if (vtl >= vp->partition->vtl_count)
		return vsm_error(log, EINVAL, "vp %u: no VTL %u", vp->index, vtl);
	if (debug->flags & ~(uint32_t)VSM_DEBUG_ALL || debug->reserved)
		return vsm_error(log, EINVAL, "debug.flags %#x, reserved %#x: unknown",
				 debug->flags, debug->reserved);
	if (!(debug->flags & VSM_DEBUG_HARDWARE))
		return 0;
	if (debug->dr7 & ~(DR7_ENABLES | DR7_FIELDS | X64_DR7_RESET))
		return vsm_error(log, EINVAL, "debug.dr7 %#llx: reserved bits",
				 (unsigned long long)debug->dr7);
	for (unsigned int i = 0; i < 4; i++) {
		const char *fault = breakpoint_fault(&vp->partition->features, debug, i);

		if (fault)
			return vsm_error(log, EINVAL, "debug.dr[%u] %#llx: %s", i,
					 (unsigned long long)debug->dr[i], fault);
	}
	return 0;
}

struct change {
	uint8_t vtl;
	const struct vsm_debug *debug;
	int error;
};

static void apply(struct vsm_vp *vp, void *argument)
{
	struct change *change = argument;
	const struct vsm_debug *debug = change->debug;
	struct vp_vtl *own = &vp->vtl[change->vtl];
	struct backend_debug backend = {.flags = debug->flags & BACKEND_FLAGS};

	if (debug->flags & VSM_DEBUG_HARDWARE) {
		memcpy(backend.dr, debug->dr, sizeof(backend.dr));
		backend.dr7 = debug->dr7 | X64_DR7_RESET;
	}
	change->error = vp->partition->ops->vp_debug(vp->backend, change->vtl, &backend);
	if (change->error)
		return;
	own->debug = debug->flags;
	own->debug_due &= debug->flags;
}

int vsm_vp_debug(struct vsm_vp *vp, uint8_t vtl, const struct vsm_debug *debug)
{
	struct change change = {.vtl = vtl, .debug = debug};
	int error = check(vp, vtl, debug);

	if (error)
		return error;
	if (!vp->partition->ops->vp_debug)
		return vsm_error(&vp->partition->log, ENOTSUP,
				 "the backend does not support debugging");
	vp_call(NULL, vp, apply, &change);
	return change.error;
}

void debug_exit(struct vsm_vp *vp, uint32_t cause, uint64_t dr6)
{
	struct vp_vtl *own = vp_active(vp);

	vp->exit.reason = VSM_EXIT_DEBUG;
	vp->exit.debug.cause = cause | own->debug_due;
	vp->exit.debug.reserved = 0;
	vp->exit.debug.dr6 = dr6;
	vp->exit.debug.deliver = &vp->debug_deliver;
	own->debug_due = 0;
}
