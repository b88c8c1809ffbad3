/* SPDX-License-Identifier: BSD-2-Clause */
/* Restoring a partition from a checked saved state. */
#include <errno.h>
#include <string.h>

#include "core/intercept/intercept.h"
#include "core/msr/page.h"
#include "core/memory/map.h"
#include "core/memory/overlay.h"
#include "core/partition.h"
#include "core/memory/protect.h"
#include "core/state/load.h"
#include "core/interrupt/stimer.h"
#include "core/interrupt/synic.h"
#include "core/interrupt/tsc.h"
#include "core/vp/vp.h"

static void apply_cpu(struct vsm_vp *vp, uint8_t vtl, const struct image_vtl *image)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_ALL & ~(uint32_t)VCPU_FPU);

	/* image->msr has those from VCPU_MSR_OPTIONAL on, image->cpu the others. */
	memcpy(cpu->msr, image->msr, sizeof(cpu->msr));
	state_copy_to_live(&state_layout_cpu, &image->cpu, cpu);
	if (vcpu_has_fpu(vp, vtl))
		memcpy(vcpu_edit(vp, vtl, VCPU_FPU)->xsave, image->xsave, cpu->xsave_size);
}

/*
 * No check of rights: a higher VTL may have restricted the GPA after the overlay was mapped. The
 * restored protections determine whether the overlay is visible.
 */
static int apply_page(struct vsm_vp *vp, uint8_t vtl, enum overlay_kind kind, uint64_t msr)
{
	if (!(msr & HV_PAGE_MSR_ENABLE))
		return 0;
	return overlay_restore(vp->partition, kind, vtl, vp->index, msr / CORE_PAGE_SIZE);
}

static int apply_messages(struct vsm_vp *vp, uint8_t vtl, const struct image_vtl *image)
{
	for (uint8_t sint = 0; sint < HV_SYNIC_SINT_COUNT; sint++) {
		for (unsigned int i = 0; i < image->message_count[sint]; i++) {
			struct hv_message message;

			memcpy(&message, image->message[sint][i], sizeof(message));
			if (!synic_restore_message(vp, vtl, sint, &message))
				return -ENOMEM;
		}
	}
	return 0;
}

static int apply_vtl(struct vsm_vp *vp, uint8_t vtl, const struct image_vtl *image,
		     uint64_t partition_tsc)
{
	struct vp_vtl *own = &vp->vtl[vtl];
	const struct state_vp_vtl *state = &image->state;
	int error;

	/* Before the SynIC is on: loading drops vectors of messages that other threads post. */
	vsm_lapic_load(&own->lapic, &image->lapic);
	vsm_lapic_router_update(vp->partition->router[vtl], vp->index);
	pthread_mutex_lock(&own->synic.lock);
	state_copy_to_live(&state_layout_vp_vtl, state, own);
	error = apply_messages(vp, vtl, image);
	pthread_mutex_unlock(&own->synic.lock);
	own->activity = (enum vp_activity)state->activity;
	/* Older versions saved these two states; the wait is not saved, so the VTL tries again. */
	if (own->activity == VP_TLB_LOCKED || own->activity == VP_INTERCEPT_SUSPENDED)
		own->activity = VP_RUNNING;
	/* Mark all SINTs waiting; the first retry clears those with an empty queue. */
	synic_mark_waiting(vp, vtl, UINT16_MAX);
	if (!error && (image->tsc_moved || image->tsc_adjust))
		error = tsc_restore(vp, vtl, image->tsc_moved ? image->tsc - partition_tsc : 0,
				    image->tsc_adjust);
	apply_cpu(vp, vtl, image);
	if (!error)
		error = apply_page(vp, vtl, OVERLAY_ASSIST, state->assist);
	if (!error)
		error = apply_page(vp, vtl, OVERLAY_SIEF, state->siefp);
	if (!error)
		error = apply_page(vp, vtl, OVERLAY_SIM, state->simp);
	own->assist = state->assist & HV_PAGE_MSR_ENABLE
			      ? overlay_memory(vp->partition, OVERLAY_ASSIST, vtl, vp->index)
			      : NULL;
	return error ? error : intercept_update(vp, vtl);
}

static int apply_vp(struct vsm_vp *vp, const struct image_vp *image, uint64_t partition_tsc)
{
	const struct state_vp *state = &image->state;
	int error = 0;

	atomic_store(&vp->enabled_vtls, state->enabled_vtls);
	vp->unchecked = state->enabled_vtls;
	vp_set_active(vp, state->active_vtl);
	state_copy_to_live(&state_layout_vp, state, vp);
	vp->eoi_waiting = vp->eoi[0] | vp->eoi[1] | vp->eoi[2] | vp->eoi[3];
	memcpy(vp->plain_msr, image->plain_msr, sizeof(vp->plain_msr));
	for (uint8_t vtl = 0; vtl < vp->partition->vtl_count && !error; vtl++)
		error = apply_vtl(vp, vtl, &image->vtl[vtl], partition_tsc);
	if (image->have_smm)
		state_copy_to_live(&state_layout_smm, &image->smm,
				   vcpu_edit(vp, 0, VCPU_SMM | VCPU_EVENTS));
	/* TLBs contain translations from before the restore. */
	atomic_store(&vp->flush_wanted, state->enabled_vtls);
	vp->deadline_stale = true;
	return error;
}

static int apply_runs(struct vsm_partition *partition, const struct image_record *kept)
{
	size_t each = state_packed_size(&state_layout_run);
	int error = 0;

	for (uint32_t i = 0; i < kept->record.length / each && !error; i++) {
		struct state_run run;
		uint64_t gpn[256];

		state_unpack(&state_layout_run, kept->payload + i * each, &run);
		error = memory_map_number_pages(partition, run.gpn, run.pages);
		for (uint64_t page = 0; page < run.pages && !error;) {
			size_t count = 0;
			size_t done;

			while (count < ARRAY_SIZE(gpn) && page < run.pages)
				gpn[count++] = run.gpn + page++;
			if (protect_set(partition, (uint8_t)kept->record.vtl,
					(int)kept->record.other, gpn, count, (uint8_t)run.access,
					&done) != HV_STATUS_SUCCESS)
				error = -EIO;
		}
	}
	return error;
}

static int apply_intercepts(struct vsm_partition *partition, const struct image_record *kept)
{
	size_t each = state_packed_size(&state_layout_intercept);

	for (uint32_t i = 0; i < kept->record.length / each; i++) {
		struct state_intercept rule;

		state_unpack(&state_layout_intercept, kept->payload + i * each, &rule);
		if (intercept_install(partition, (uint8_t)kept->record.vtl, rule.type, rule.mask,
				      rule.parameter) != HV_STATUS_SUCCESS)
			return -EIO;
	}
	return 0;
}

static int apply_kept(struct vsm_partition *partition, const struct image_record *kept)
{
	if (!strcmp(kept->record.name, "protection"))
		return apply_runs(partition, kept);
	if (!strcmp(kept->record.name, "intercepts"))
		return apply_intercepts(partition, kept);
	/* The hypervisor fills these pages itself (msr_page_refill()). */
	if (kept->record.other == OVERLAY_HYPERCALL || kept->record.other == OVERLAY_REFERENCE_TSC)
		return 0;
	memcpy(overlay_memory(partition, (enum overlay_kind)kept->record.other,
			      (uint8_t)kept->record.vtl, kept->record.vp),
	       kept->payload, CORE_PAGE_SIZE);
	return 0;
}

static int apply_partition(struct vsm_partition *partition, const struct state_image *image)
{
	const struct state_partition *state = &image->partition;
	int error = partition->ops->tsc_set(partition->backend, state->tsc);

	/* If time is stopped, vsm_time_start() continues from this value. */
	partition->stopped_tsc = state->tsc;

	reftime_init(partition, state->reference_start);
	if (!error)
		error = tsc_show_invariant(partition->vp[0], image->tsc_invariant);
	atomic_store(&partition->enabled_vtls, state->enabled_vtls);
	atomic_store(&partition->mbec_vtls, state->mbec_vtls);
	state_copy_to_live(&state_layout_partition, state, partition);
	for (uint8_t vtl = 0; vtl < partition->vtl_count && !error; vtl++) {
		const struct state_vtl *own = &image->vtl[vtl];
		uint8_t access = (own->config & HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK) >>
				 HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_SHIFT;

		state_copy_to_live(&state_layout_vtl, own, &partition->vtl[vtl]);
		atomic_store(&partition->vtl[vtl].guest_os_id, own->guest_os_id);
		error = apply_page(partition->vp[0], vtl, OVERLAY_HYPERCALL, own->hypercall);
		if (!error)
			error = apply_page(partition->vp[0], vtl, OVERLAY_REFERENCE_TSC,
					   own->reference_tsc);
		/* Without EnableVtlProtection the mask is not in force. */
		if (!error && (state->enabled_vtls & vtl_bit(vtl)) && vtl && access != GPA_ALL &&
		    (own->config & HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION) &&
		    protect_set_default(partition, vtl, access) != HV_STATUS_SUCCESS)
			error = -EIO;
	}
	return error;
}

/* The partition changes from here on: a failure is one of the host, not of the file. */
static int apply(struct vsm_partition *partition, const struct state_image *image)
{
	int error;

	for (uint32_t i = 0; i < partition->vp_count; i++)
		vp_finish_exit(partition->vp[i]);
	error = partition_clear(partition, false);
	if (!error)
		error = apply_partition(partition, image);
	for (size_t i = 0; i < image->record_count && !error; i++)
		error = apply_kept(partition, &image->record[i]);
	for (uint32_t i = 0; i < partition->vp_count && !error; i++)
		error = apply_vp(partition->vp[i], &image->vp[i], image->partition.tsc);
	/* Reference TSC pages depend on the TSCs of all VPs. */
	for (uint8_t vtl = 0; vtl < partition->vtl_count; vtl++)
		msr_page_refill(partition, vtl);
	if (!error)
		error = partition_check_failed(partition);
	if (!error)
		return 0;
	for (uint32_t i = 0; i < partition->vp_count; i++)
		partition->vp[i]->broken = true;
	return vsm_error(&partition->log, -error,
			 "saved state: could not be applied; the partition must be reset");
}

static int restore(struct vsm_partition *partition, const void *data, size_t size)
{
	struct state_image image;
	int error = state_image_init(&image, partition);

	if (error)
		return error;
	error = state_image_read(&image, data, size);
	if (!error)
		error = state_image_check(&image, partition);
	if (!error)
		error = apply(partition, &image);
	state_image_free(&image);
	return error;
}

int vsm_partition_restore(struct vsm_partition *partition, const void *data, size_t size)
{
	int error = partition_stop(partition);

	if (error)
		return error;
	/* RAM may already have the saved secrets; apply() removes the protections of earlier ones. */
	atomic_store(&partition->zero_due, true);
	error = restore(partition, data, size);
	if (!error)
		atomic_store(&partition->zero_due, false);
	partition_resume(partition);
	return error;
}
