/* SPDX-License-Identifier: BSD-2-Clause */
/* Other calls: spin wait, partition id, CPUID of a VP, extended capabilities. */
#include <sched.h>
#include <string.h>

#include "core/msr/cpuid.h"
#include "core/hypercall/hypercall.h"
#include "core/vp/vp.h"

/* Yields the host CPU: the caller may spin for a VP whose thread waits for a host CPU. */
uint16_t hc_notify_long_spin_wait(struct hypercall *call)
{
	(void)call;
	sched_yield();
	return HV_STATUS_SUCCESS;
}

uint16_t hc_get_partition_id(struct hypercall *call)
{
	const uint64_t id = HYPERCALL_PARTITION_ID;

	memcpy(call->output, &id, sizeof(id));
	return HV_STATUS_SUCCESS;
}

/* Sets no capability bit: there is no other extended call. */
uint16_t hc_ext_query_capabilities(struct hypercall *call)
{
	memset(call->output, 0, sizeof(uint64_t));
	return HV_STATUS_SUCCESS;
}

struct cpuid_batch {
	struct hypercall *call;
	uint16_t status;
};

/*
 * The call has no target VTL: it returns the values of the caller's VTL, since the caller must not
 * see CR4 and APIC of a higher one. If the caller's VTL is not enabled on @vp, the next lower one
 * is used.
 */
static uint8_t cpuid_vtl(const struct vsm_vp *vp, uint8_t caller)
{
	const uint16_t enabled = atomic_load(&vp->enabled_vtls) & (uint16_t)~vtls_above(caller);

	return vtls_highest(enabled);
}

static void cpuid_batch(struct vsm_vp *vp, void *argument)
{
	struct cpuid_batch *batch = argument;
	struct hypercall *call = batch->call;
	const uint8_t vtl = cpuid_vtl(vp, call->vtl);

	hypercall_begin_slice(call);
	while (call->rep_done < call->rep_count) {
		struct hv_cpuid_query query;
		uint32_t value[4];

		if (hypercall_time_is_up(call)) {
			batch->status = HYPERCALL_CONTINUE;
			return;
		}
		memcpy(&query, call->element + call->rep_done * sizeof(query), sizeof(query));
		cpuid_get(vp, vtl, query.eax, query.ecx, value);
		memcpy(call->output + call->rep_done * sizeof(value), value, sizeof(value));
		call->rep_done++;
	}
}

uint16_t hc_get_vp_cpuid_values(struct hypercall *call)
{
	const uint32_t known =
		HV_GET_VP_CPUID_USE_VP_XFEM_XSS | HV_GET_VP_CPUID_APPLY_REGISTERED_VALUES;
	struct cpuid_batch batch = {.call = call};
	struct hv_get_vp_cpuid_values_input input;
	struct vsm_vp *vp;
	uint16_t status;

	memcpy(&input, call->input, sizeof(input));
	status = hypercall_find_vp(call, input.partition_id, input.vp_index, &vp);
	if (status != HV_STATUS_SUCCESS)
		return status;
	/*
	 * Both flags are always in effect: no values are registered, and XSAVE sizes follow XFEM.
	 */
	if ((input.flags & ~known) || input.reserved)
		return HV_STATUS_INVALID_PARAMETER;
	if (!vp_query(call->vp, vp, cpuid_batch, &batch))
		return HYPERCALL_RETRY;
	return batch.status;
}
