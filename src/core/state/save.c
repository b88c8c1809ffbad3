/* SPDX-License-Identifier: BSD-2-Clause */
/* Saving a partition. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/intercept/intercept.h"
#include "core/vp/plain_msr.h"
#include "core/memory/overlay.h"
#include "core/partition.h"
#include "core/memory/protect.h"
#include "core/state/state.h"
#include "core/vp/vp.h"
#include "core/x64.h"

/* Bytes of runs in one record, after which another record starts. */
#define RUNS_SIZE (1u << 20)

/* Packed structures that become the payload of a record. */
struct list {
	const struct state_layout *layout;
	struct state_writer *writer;
	const char *name;
	uint32_t vp;
	uint32_t vtl;
	uint32_t other;
	uint8_t *bytes;
	size_t size;
	size_t room;
};

static void list_add(struct list *list, const void *structure)
{
	size_t size = state_packed_size(list->layout);

	if (list->size + size > list->room) {
		size_t room = list->room ? list->room * 2 : 4096;
		uint8_t *grown = realloc(list->bytes, room);

		if (!grown) {
			if (!list->writer->error)
				list->writer->error = -ENOMEM;
			return;
		}
		list->bytes = grown;
		list->room = room;
	}
	state_pack(list->layout, structure, list->bytes + list->size);
	list->size += size;
}

static void list_write(struct list *list)
{
	if (list->size)
		state_write(list->writer, list->name, list->vp, list->vtl, list->other, list->bytes,
			    list->size);
	list->size = 0;
}

static void list_end(struct list *list)
{
	list_write(list);
	free(list->bytes);
}

/* Starts another record when one is full: a guest can make as many runs as it has pages. */
static void add_run(void *opaque, uint64_t gpn, uint64_t pages, uint8_t access)
{
	struct list *list = opaque;
	struct state_run run = {gpn, pages, access};

	if (list->size >= RUNS_SIZE)
		list_write(list);
	list_add(list, &run);
}

static void add_intercept(void *opaque, uint32_t type, uint32_t mask, uint64_t parameter)
{
	struct state_intercept intercept = {type, mask, parameter};

	list_add(opaque, &intercept);
}

static void save_partition(struct vsm_partition *partition, struct state_writer *writer)
{
	struct state_partition state = {
		.vp_count = partition->vp_count,
		.vtl_count = partition->vtl_count,
		.privileges = partition->privileges,
		.features = partition->features_edx,
		.recommendations = partition->recommendations,
		.tsc_hz = partition->features.tsc_hz,
		.tsc = vp_tsc(partition),
		.reference_start = partition->reference_start,
		.enabled_vtls = atomic_load(&partition->enabled_vtls),
		.mbec_vtls = atomic_load(&partition->mbec_vtls),
	};
	struct list ram = {.layout = &state_layout_run, .writer = writer, .name = "ram"};

	writer->tsc = state.tsc;
	state_copy_from_live(&state_layout_partition, partition, &state);
	state_write_fields(writer, &state_layout_partition, 0, 0, &state);
	for (uint32_t i = 0; i < partition->memory.region_count; i++)
		add_run(&ram, partition->memory.region[i].gpn, partition->memory.region[i].pages,
			GPA_ALL);
	list_end(&ram);
}

static void save_vtl(struct vsm_partition *partition, uint8_t vtl, struct state_writer *writer)
{
	const struct partition_vtl *own = &partition->vtl[vtl];
	struct state_vtl state = {
		.guest_os_id = atomic_load(&own->guest_os_id),
	};
	struct list intercepts = {.layout = &state_layout_intercept,
				  .writer = writer,
				  .name = "intercepts",
				  .vtl = vtl};

	state_copy_from_live(&state_layout_vtl, own, &state);
	state_write_fields(writer, &state_layout_vtl, 0, vtl, &state);
	for (uint8_t restricted = 0; restricted < vtl; restricted++) {
		struct list runs = {.layout = &state_layout_run,
				    .writer = writer,
				    .name = "protection",
				    .vtl = vtl,
				    .other = restricted};

		protect_each(partition, vtl, restricted, add_run, &runs);
		list_end(&runs);
	}
	intercept_each(partition, vtl, add_intercept, &intercepts);
	list_end(&intercepts);
}

static void save_cpu(struct vsm_vp *vp, uint8_t vtl, struct state_writer *writer)
{
	const struct vcpu_state *cpu = vcpu_get(vp, vtl, VCPU_ALL);
	struct state_cpu state = {0};

	state_copy_from_live(&state_layout_cpu, cpu, &state);
	state_write_fields(writer, &state_layout_cpu, vp->index, vtl, &state);
	state_write(writer, "xsave", vp->index, vtl, 0, cpu->xsave, cpu->xsave_size);
}

/* IA32_TSC is its value when the partition's TSC was saved. */
static void save_tsc(struct vsm_vp *vp, uint8_t vtl, struct list *msrs)
{
	const struct vp_vtl *own = &vp->vtl[vtl];
	const struct state_msr tsc = {X64_MSR_TSC, msrs->writer->tsc + own->tsc_offset};
	const struct state_msr adjust = {X64_MSR_TSC_ADJUST, own->tsc_adjust};
	const struct state_msr control = {HV_X64_MSR_TSC_INVARIANT_CONTROL,
					  HV_TSC_INVARIANT_EXPOSE};

	if (own->tsc_offset)
		list_add(msrs, &tsc);
	if (own->tsc_adjust)
		list_add(msrs, &adjust);
	if (vp->index == 0 && vtl == 0 && atomic_load(&vp->partition->tsc_invariant))
		list_add(msrs, &control);
}

/* Only MSRs that differ from their reset value, so that older versions can read most states. */
static void save_msrs(struct vsm_vp *vp, uint8_t vtl, struct state_writer *writer)
{
	const uint64_t *msr = vcpu_get(vp, vtl, VCPU_MSR)->msr;
	struct list msrs = {.layout = &state_layout_msr,
			    .writer = writer,
			    .name = "msrs",
			    .vp = vp->index,
			    .vtl = vtl};

	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT; i++) {
		const struct state_msr state = {vcpu_msr_number[i], msr[i]};

		if (msr[i] != vcpu_msr_reset[i])
			list_add(&msrs, &state);
	}
	save_tsc(vp, vtl, &msrs);
	for (unsigned int slot = 0; slot < PLAIN_COUNT && vtl == 0; slot++) {
		const struct state_msr state = {msr_plain_number(slot), vp->plain_msr[slot]};

		if (state.value != msr_plain_reset_value(slot))
			list_add(&msrs, &state);
	}
	list_end(&msrs);
}

/* Nothing is written for a page that is empty. */
static void save_page(struct state_writer *writer, uint32_t vp, uint8_t vtl, enum overlay_kind kind,
		      const uint8_t *page)
{
	static const uint8_t empty[CORE_PAGE_SIZE];

	if (page && memcmp(page, empty, CORE_PAGE_SIZE) != 0)
		state_write(writer, "overlay", vp, vtl, kind, page, CORE_PAGE_SIZE);
}

/* What other threads change by a post. */
struct synic_copy {
	unsigned int count;
	uint8_t sint[HV_SYNIC_SINT_COUNT * SYNIC_QUEUE_MAX];
	struct hv_message message[HV_SYNIC_SINT_COUNT * SYNIC_QUEUE_MAX];
	bool used[2];
	uint8_t page[2][CORE_PAGE_SIZE]; /* SIEF, SIM */
};

static const enum overlay_kind synic_page[] = {OVERLAY_SIEF, OVERLAY_SIM};

static void copy_queue(const struct synic_message_queue *queue, uint8_t sint,
		       struct synic_copy *copy)
{
	for (unsigned int i = 0; i < queue->count; i++, copy->count++) {
		copy->sint[copy->count] = sint;
		copy->message[copy->count] = queue->message[(queue->head + i) % SYNIC_QUEUE_MAX];
	}
}

/* In one critical section, as a post may move an older message from its queue to the SIM page. */
static void copy_synic(struct vsm_vp *vp, uint8_t vtl, struct synic_copy *copy)
{
	struct synic *synic = &vp->vtl[vtl].synic;

	copy->count = 0;
	pthread_mutex_lock(&synic->lock);
	for (uint8_t sint = 0; sint < HV_SYNIC_SINT_COUNT; sint++)
		copy_queue(&synic->queue[sint], sint, copy);
	for (size_t i = 0; i < ARRAY_SIZE(synic_page); i++) {
		const uint8_t *page =
			overlay_contents(vp->partition, synic_page[i], vtl, vp->index);

		copy->used[i] = page;
		if (page)
			memcpy(copy->page[i], page, CORE_PAGE_SIZE);
	}
	pthread_mutex_unlock(&synic->lock);
}

static void save_synic(struct vsm_vp *vp, uint8_t vtl, struct state_writer *writer)
{
	struct synic_copy *copy = malloc(sizeof(*copy));

	if (!copy) {
		writer->error = writer->error ? writer->error : -ENOMEM;
		return;
	}
	copy_synic(vp, vtl, copy);
	for (unsigned int i = 0; i < copy->count; i++)
		state_write(writer, "message", vp->index, vtl, copy->sint[i], &copy->message[i],
			    sizeof(copy->message[i]));
	for (size_t i = 0; i < ARRAY_SIZE(synic_page); i++)
		save_page(writer, vp->index, vtl, synic_page[i],
			  copy->used[i] ? copy->page[i] : NULL);
	free(copy);
}

/*
 * An instruction that waits to be repeated is repeated immediately after the restore: the time and
 * the counts that it waits for are not saved.
 */
static uint8_t activity_of(const struct vp_vtl *own)
{
	switch (own->activity) {
	case VP_TLB_LOCKED:
	case VP_INTERCEPT_SUSPENDED:
		return VP_RUNNING;
	default:
		return (uint8_t)own->activity;
	}
}

static void save_vp_vtl(struct vsm_vp *vp, uint8_t vtl, struct state_writer *writer)
{
	const struct vp_vtl *own = &vp->vtl[vtl];
	struct vsm_lapic_state lapic;
	struct state_vp_vtl state = {
		.activity = activity_of(own),
	};

	state_copy_from_live(&state_layout_vp_vtl, own, &state);
	state_write_fields(writer, &state_layout_vp_vtl, vp->index, vtl, &state);
	save_cpu(vp, vtl, writer);
	save_msrs(vp, vtl, writer);
	/* Before the APIC, which then has the vector of each message and flag. */
	save_synic(vp, vtl, writer);
	/* Pages that the guest can write. Hypercall and TSC page are filled again on restore. */
	save_page(writer, vp->index, vtl, OVERLAY_ASSIST,
		  overlay_contents(vp->partition, OVERLAY_ASSIST, vtl, vp->index));
	vsm_lapic_save(&own->lapic, &lapic);
	state_write(writer, "lapic", vp->index, vtl, 0, &lapic, sizeof(lapic));
}

static void save_smm(struct vsm_vp *vp, struct state_writer *writer)
{
	struct state_smm state = {0};

	state_copy_from_live(&state_layout_smm, vcpu_get(vp, 0, VCPU_SMM | VCPU_EVENTS), &state);
	state_write_fields(writer, &state_layout_smm, vp->index, 0, &state);
}

static void save_vp(struct vsm_vp *vp, struct state_writer *writer)
{
	struct state_vp state = {
		.apic_id = vp->apic_id,
		.active_vtl = vp->active_vtl,
		.enabled_vtls = atomic_load(&vp->enabled_vtls),
	};

	state_copy_from_live(&state_layout_vp, vp, &state);
	state_write_fields(writer, &state_layout_vp, vp->index, 0, &state);
	if (vp->partition->config.smm)
		save_smm(vp, writer);
	for (uint8_t vtl = 0; vtl < vp->partition->vtl_count; vtl++)
		save_vp_vtl(vp, vtl, writer);
}

int vsm_partition_save(struct vsm_partition *partition, vsm_write_fn *write, void *opaque)
{
	struct state_writer writer = {.write = write, .opaque = opaque};
	int error = partition_stop(partition);

	if (error)
		return error;
	error = partition_check_failed(partition);
	for (uint32_t i = 0; i < partition->vp_count && !error; i++)
		if (vp_exit_pending(partition->vp[i]))
			error = vsm_error(
				&partition->log, EBUSY,
				"VP %u has an exit that the VMM has not completed: run it first",
				i);
	if (error) {
		partition_resume(partition);
		return error;
	}
	state_write_header(&writer);
	save_partition(partition, &writer);
	for (uint8_t vtl = 0; vtl < partition->vtl_count; vtl++)
		save_vtl(partition, vtl, &writer);
	for (uint32_t i = 0; i < partition->vp_count; i++)
		save_vp(partition->vp[i], &writer);
	/* The backend may have failed to load registers. */
	error = partition_check_failed(partition);
	if (!error)
		state_write(&writer, "end", 0, 0, 0, NULL, 0);
	partition_resume(partition);
	return !error && writer.error ? vsm_error(&partition->log, -writer.error,
						  "the partition could not be saved")
				      : error;
}
