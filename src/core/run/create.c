/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation, reset and destruction of a VP. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/msr/cpuid.h"
#include "core/interrupt/interrupt.h"
#include "core/msr/msr.h"
#include "core/vp/cpu_registers.h"
#include "core/interrupt/stimer.h"
#include "core/interrupt/synic.h"
#include "core/trace/trace.h"
#include "core/interrupt/tsc.h"
#include "core/vp/vp.h"

static int init_vtls(struct vsm_vp *vp)
{
	struct vsm_partition *partition = vp->partition;
	struct cpuid_leaf leaf[CPUID_LEAF_MAX];
	struct vcpu_state *state = NULL;
	size_t leaves = cpuid_leaves(partition, leaf);
	int error = partition->ops->vp_create(partition->backend, vp->index, vp->apic_id, leaf,
					      leaves, &vp->backend, &state);

	if (error) {
		vp->backend = NULL;
		return error;
	}
	for (uint8_t vtl = 0; vtl < partition->vtl_count && !error; vtl++) {
		vp->cpu[vtl] = &state[vtl];
		synic_init(vp, vtl);
		error = interrupt_vp_init(vp, vtl);
	}
	return error;
}

int vp_create(struct vsm_partition *partition, uint32_t index, struct vsm_vp **out)
{
	struct vsm_vp *vp = aligned_alloc(64, (sizeof(*vp) + 63) & ~(size_t)63);
	size_t vtls = sizeof(struct vp_vtl) * partition->vtl_count;

	if (!vp)
		return vsm_error(&partition->log, ENOMEM, "no memory for vp %u", index);
	memset(vp, 0, sizeof(*vp));
	vp->partition = partition;
	vp->index = index;
	vp->apic_id = partition->config.apic_id ? partition->config.apic_id[index] : index;
	pthread_mutex_init(&vp->lock, NULL);
	vp->vtl = aligned_alloc(64, (vtls + 63) & ~(size_t)63);
	vp->hypercall_input = calloc(1, CORE_PAGE_SIZE);
	vp->hypercall_output = calloc(1, CORE_PAGE_SIZE);
	*out = vp;
	if (vp->vtl)
		memset(vp->vtl, 0, vtls);
	if (!vp->vtl || !vp->hypercall_input || !vp->hypercall_output)
		return vsm_error(&partition->log, ENOMEM,
				 "vp %u: no memory for the state of %u VTLs", index,
				 partition->vtl_count);
	return init_vtls(vp);
}

void vp_destroy(struct vsm_vp *vp)
{
	if (!vp)
		return;
	for (uint8_t vtl = 0; vp->vtl && vtl < vp->partition->vtl_count; vtl++)
		synic_destroy(vp, vtl);
	if (vp->backend)
		vp->partition->ops->vp_destroy(vp->backend);
	trace_destroy(vp);
	pthread_mutex_destroy(&vp->lock);
	free(vp->hypercall_input);
	free(vp->hypercall_output);
	free(vp->vtl);
	free(vp);
}

static void reset_vtl(struct vsm_vp *vp, uint8_t vtl)
{
	struct vp_vtl *own = &vp->vtl[vtl];

	regs_reset(vp, vtl, false);
	vsm_lapic_reset(&own->lapic);
	vsm_lapic_router_update(vp->partition->router[vtl], vp->index);
	msr_reset_vp(vp, vtl);
	stimer_reset(vp, vtl);
	tsc_reset(vp, vtl);
	own->activity = vp->index == 0 ? VP_RUNNING : VP_WAIT_FOR_SIPI;
	own->vina = 0;
	memset(own->secure_config, 0, sizeof(own->secure_config));
	own->cr_intercept_control = 0;
	own->cr0_mask = 0;
	own->cr4_mask = 0;
	own->misc_enable_mask = 0;
	own->triple_fault = false;
	own->exception = -1;
	own->debug_due = 0;
	own->entered = false;
}

void vp_reset(struct vsm_vp *vp)
{
	struct vsm_partition *partition = vp->partition;
	uint8_t boot = partition->config.boot_vtl;

	/* A backend that still fails marks the VP broken again at its first use. */
	vp->broken = false;
	vp->unread = false;
	vp->error_reported = false;
	for (uint8_t vtl = 0; vtl < partition->vtl_count; vtl++)
		reset_vtl(vp, vtl);
	if (boot)
		vsm_lapic_software_enable(&vp->vtl[boot].lapic);
	for (size_t i = 0; i < ARRAY_SIZE(vp->tlb_locked); i++)
		atomic_store(&vp->tlb_locked[i], 0);
	atomic_store(&vp->enabled_vtls, vtl_bit(0) | vtl_bit(boot));
	atomic_store(&vp->flush_wanted, 0);
	vp_set_active(vp, boot);
	atomic_store(&vp->next_lower_request, 0);
	atomic_store(&vp->serve_lower, false);
	vp->vtl[boot].entered = true;
	vp->runtime = 0;
	vp->deadline_stale = true;
	vp->next_lower_vina_check = 0;
	vp->eoi_waiting = false;
	vp->inta_due = false;
	vp->smm_blocks = false;
	vp->smi_waits = false;
	memset(vp->eoi, 0, sizeof(vp->eoi));
	vp->crash_exit_due = false;
	if (vp->index == 0 && tsc_show_invariant(vp, false))
		vp->broken = true;
	vp->exit = (struct vsm_exit){.reason = VSM_EXIT_INTERRUPTED};
}
