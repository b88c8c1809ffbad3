/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads records into plain structures and checks them, before state/apply.c changes the partition.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory/gpa.h"
#include "core/vp/plain_msr.h"
#include "core/state/load.h"
#include "core/x64.h"

typedef int load_fn(struct state_image *image, const struct state_record *record,
		    const uint8_t *payload);

static int bad(const struct state_image *image, const struct state_record *record, const char *what)
{
	return vsm_error(image->log, EINVAL, "saved state: %s (vp %u, vtl %u): %s", record->name,
			 record->vp, record->vtl, what);
}

/* Exact size, each field in its bounds, and only once. */
static int unpack_once(struct state_image *image, const struct state_record *record,
		       const uint8_t *payload, const struct state_layout *layout, void *structure,
		       bool *seen)
{
	const struct state_field *field;

	if (*seen)
		return bad(image, record, "duplicate record");
	if (record->length != state_packed_size(layout))
		return bad(image, record, "wrong length");
	field = state_unpack(layout, payload, structure);
	if (field)
		return bad(image, record, field->name);
	*seen = true;
	return 0;
}

static int load_partition(struct state_image *image, const struct state_record *record,
			  const uint8_t *payload)
{
	return unpack_once(image, record, payload, &state_layout_partition, &image->partition,
			   &image->have_partition);
}

static int load_vtl(struct state_image *image, const struct state_record *record,
		    const uint8_t *payload)
{
	return unpack_once(image, record, payload, &state_layout_vtl, &image->vtl[record->vtl],
			   &image->have_vtl[record->vtl]);
}

static int load_vp(struct state_image *image, const struct state_record *record,
		   const uint8_t *payload)
{
	struct image_vp *vp = &image->vp[record->vp];

	return unpack_once(image, record, payload, &state_layout_vp, &vp->state, &vp->have);
}

static int load_smm(struct state_image *image, const struct state_record *record,
		    const uint8_t *payload)
{
	struct image_vp *vp = &image->vp[record->vp];

	return unpack_once(image, record, payload, &state_layout_smm, &vp->smm, &vp->have_smm);
}

static struct image_vtl *vtl_of(struct state_image *image, const struct state_record *record)
{
	return &image->vp[record->vp].vtl[record->vtl];
}

static int load_vp_vtl(struct state_image *image, const struct state_record *record,
		       const uint8_t *payload)
{
	struct image_vtl *vtl = vtl_of(image, record);

	return unpack_once(image, record, payload, &state_layout_vp_vtl, &vtl->state, &vtl->have);
}

static int load_cpu(struct state_image *image, const struct state_record *record,
		    const uint8_t *payload)
{
	struct image_vtl *vtl = vtl_of(image, record);

	return unpack_once(image, record, payload, &state_layout_cpu, &vtl->cpu, &vtl->have_cpu);
}

static int load_xsave(struct state_image *image, const struct state_record *record,
		      const uint8_t *payload)
{
	struct image_vtl *vtl = vtl_of(image, record);
	if (vtl->xsave)
		return bad(image, record, "duplicate record");
	if (record->length != image->xsave_size)
		return bad(image, record, "the size is not that of this host");
	vtl->xsave = payload;
	return 0;
}

static int load_lapic(struct state_image *image, const struct state_record *record,
		      const uint8_t *payload)
{
	struct image_vtl *vtl = vtl_of(image, record);

	if (vtl->have_lapic)
		return bad(image, record, "duplicate record");
	if (record->length != sizeof(vtl->lapic))
		return bad(image, record, "wrong length");
	memcpy(&vtl->lapic, payload, sizeof(vtl->lapic));
	vtl->have_lapic = true;
	return 0;
}

static int load_message(struct state_image *image, const struct state_record *record,
			const uint8_t *payload)
{
	struct image_vtl *vtl = vtl_of(image, record);
	struct hv_message message;
	uint8_t *count;

	if (record->other >= HV_SYNIC_SINT_COUNT || record->length != sizeof(message))
		return bad(image, record, "no such SINT, or wrong length");
	count = &vtl->message_count[record->other];
	if (*count == SYNIC_QUEUE_MAX)
		return bad(image, record, "too many messages");
	memcpy(&message, payload, sizeof(message));
	if (message.payload_size > HV_MESSAGE_PAYLOAD_MAX ||
	    message.message_type == HV_MESSAGE_TYPE_NONE)
		return bad(image, record, "payload_size or message_type");
	vtl->message[record->other][(*count)++] = payload;
	return 0;
}

/* Adds a record to the list that is applied in order. */
static int keep(struct state_image *image, const struct state_record *record,
		const uint8_t *payload)
{
	struct image_record *grown;

	if (image->record_count == image->record_room) {
		size_t room = image->record_room ? image->record_room * 2 : 64;

		grown = realloc(image->record, room * sizeof(*grown));
		if (!grown)
			return vsm_error(image->log, ENOMEM,
					 "saved state: no memory for %zu records", room);
		image->record = grown;
		image->record_room = room;
	}
	image->record[image->record_count++] = (struct image_record){*record, payload};
	return 0;
}

/* Bounds the pages without memory that have protections: 64 GiB. */
#define PAGES_WITHOUT_RAM_MAX (UINT64_C(1) << 24)

static int load_overlay(struct state_image *image, const struct state_record *record,
			const uint8_t *payload)
{
	if (record->other >= OVERLAY_KIND_COUNT || record->length != CORE_PAGE_SIZE)
		return bad(image, record, "no such overlay, or wrong length");
	return keep(image, record, payload);
}

/* Number of pages of the run that this partition has, in any of its regions. */
static uint64_t pages_of_run(const struct memory *memory, const struct state_run *run)
{
	const uint64_t end = run->gpn + run->pages;
	uint64_t pages = 0;

	for (uint32_t i = memory_region_index(memory, run->gpn);
	     i < memory->region_count && memory->region[i].gpn < end; i++) {
		const struct ram_region *region = &memory->region[i];
		const uint64_t region_end = region->gpn + region->pages;

		pages += (region_end < end ? region_end : end) -
			 (region->gpn > run->gpn ? region->gpn : run->gpn);
	}
	return pages;
}

/*
 * A run of "ram" must be memory of this partition. A run of "protection" may have pages whose
 * memory was removed: their number is limited, which bounds the time to apply them.
 */
static bool run_fits(struct state_image *image, const struct state_run *run, bool is_ram)
{
	uint64_t here;

	if (!run->pages || run->gpn >= image->gpa_pages || run->pages > image->gpa_pages - run->gpn)
		return false;
	here = pages_of_run(image->memory, run);
	if (is_ram)
		image->ram_pages += here;
	else
		image->pages_without_ram += run->pages - here;
	return is_ram ? here == run->pages : image->pages_without_ram <= PAGES_WITHOUT_RAM_MAX;
}

/* Whether "ram" has all of the partition's memory. Its runs ascend, so no page is counted twice. */
static bool ram_is_complete(const struct state_image *image)
{
	uint64_t pages = 0;

	for (uint32_t i = 0; i < image->memory->region_count; i++)
		pages += image->memory->region[i].pages;
	return image->ram_pages == pages;
}

/* Runs ascend over all records of one kind, so that no page occurs twice. */
static int load_runs(struct state_image *image, const struct state_record *record,
		     const uint8_t *payload)
{
	const struct state_layout *layout = &state_layout_run;
	size_t each = state_packed_size(layout);
	bool is_ram = !strcmp(record->name, "ram");
	uint64_t *end;

	if (record->length % each)
		return bad(image, record, "wrong length");
	if (!is_ram && (record->other >= record->vtl))
		return bad(image, record, "restricts a VTL that is not below");
	if (is_ram && image->have_ram)
		return bad(image, record, "duplicate record");
	end = &image->runs_end[record->vtl][is_ram ? 0 : record->other];
	for (uint32_t i = 0; i < record->length / each; i++) {
		struct state_run run;

		if (state_unpack(layout, payload + i * each, &run))
			return bad(image, record, "run out of bounds");
		if (run.gpn < *end)
			return bad(image, record, "runs are not in order");
		if (!run_fits(image, &run, is_ram))
			return bad(image, record, "memory that this partition does not have");
		*end = run.gpn + run.pages;
	}
	if (is_ram && !ram_is_complete(image))
		return bad(image, record, "less memory than this partition has");
	image->have_ram |= is_ram;
	return is_ram ? 0 : keep(image, record, payload);
}

static int load_intercepts(struct state_image *image, const struct state_record *record,
			   const uint8_t *payload)
{
	const struct state_layout *layout = &state_layout_intercept;
	size_t each = state_packed_size(layout);

	if (record->length % each || record->vtl == 0)
		return bad(image, record, "wrong length, or of VTL0");
	/* One record for each VTL: state_image_check() counts the MSRs of a record. */
	if (image->have_intercepts[record->vtl])
		return bad(image, record, "duplicate record");
	for (uint32_t i = 0; i < record->length / each; i++) {
		struct state_intercept rule;

		if (state_unpack(layout, payload + i * each, &rule))
			return bad(image, record, "rule out of bounds");
	}
	image->have_intercepts[record->vtl] = true;
	return keep(image, record, payload);
}

/* NULL: no such MSR is saved for this VP and VTL. */
static uint64_t *msr_place(struct state_image *image, const struct state_record *record,
			   uint32_t msr)
{
	const unsigned int which = vcpu_msr_find(msr);

	if (which >= VCPU_MSR_OPTIONAL && which < VCPU_MSR_COUNT)
		return &vtl_of(image, record)->msr[which];
	if (msr == X64_MSR_TSC) {
		vtl_of(image, record)->tsc_moved = true;
		return &vtl_of(image, record)->tsc;
	}
	if (msr == X64_MSR_TSC_ADJUST)
		return &vtl_of(image, record)->tsc_adjust;
	if (msr == HV_X64_MSR_TSC_INVARIANT_CONTROL && record->vp == 0 && record->vtl == 0)
		return &image->tsc_invariant;
	for (unsigned int slot = 0; slot < PLAIN_COUNT && record->vtl == 0; slot++)
		if (msr == msr_plain_number(slot))
			return &image->vp[record->vp].plain_msr[slot];
	return NULL;
}

/* MSRs that are missing get their values after reset. */
static int load_msrs(struct state_image *image, const struct state_record *record,
		     const uint8_t *payload)
{
	const struct state_layout *layout = &state_layout_msr;
	const size_t each = state_packed_size(layout);

	if (record->length % each)
		return bad(image, record, "wrong length");
	if (vtl_of(image, record)->have_msrs)
		return bad(image, record, "duplicate record");
	for (uint32_t i = 0; i < record->length / each; i++) {
		struct state_msr msr;
		uint64_t *place;

		state_unpack(layout, payload + i * each, &msr);
		place = msr_place(image, record, msr.index);
		if (!place)
			return bad(image, record, "an MSR that this version does not support");
		*place = msr.value;
	}
	vtl_of(image, record)->have_msrs = true;
	return 0;
}

enum scope {
	SCOPE_NONE,
	SCOPE_VTL,
	SCOPE_VP,
	SCOPE_BOTH,
};

static const struct {
	const char *name;
	enum scope scope;
	load_fn *load;
} loader[] = {
	{"partition", SCOPE_NONE, load_partition},
	{"ram", SCOPE_NONE, load_runs},
	{"vtl", SCOPE_VTL, load_vtl},
	{"protection", SCOPE_VTL, load_runs},
	{"intercepts", SCOPE_VTL, load_intercepts},
	{"vp", SCOPE_VP, load_vp},
	{"smm", SCOPE_VP, load_smm},
	{"vp-vtl", SCOPE_BOTH, load_vp_vtl},
	{"cpu", SCOPE_BOTH, load_cpu},
	{"msrs", SCOPE_BOTH, load_msrs},
	{"xsave", SCOPE_BOTH, load_xsave},
	{"message", SCOPE_BOTH, load_message},
	{"lapic", SCOPE_BOTH, load_lapic},
	{"overlay", SCOPE_BOTH, load_overlay},
};

static int load_record(struct state_image *image, const struct state_record *record,
		       const uint8_t *payload)
{
	for (size_t i = 0; i < ARRAY_SIZE(loader); i++) {
		if (strcmp(loader[i].name, record->name) != 0)
			continue;
		if ((record->vp && loader[i].scope < SCOPE_VP) || record->vp >= image->vp_count)
			return bad(image, record, "no such VP");
		if ((record->vtl &&
		     (loader[i].scope == SCOPE_NONE || loader[i].scope == SCOPE_VP)) ||
		    record->vtl >= image->vtl_count)
			return bad(image, record, "no such VTL");
		return loader[i].load(image, record, payload);
	}
	if (record->flags & STATE_OPTIONAL)
		return 0;
	return vsm_error(image->log, ENOTSUP,
			 "saved state: needs '%s', which this version does not support",
			 record->name);
}

int state_image_read(struct state_image *image, const void *data, size_t size)
{
	struct state_reader reader = {.log = image->log, .data = data, .size = size};
	int error = state_read_header(&reader);

	while (!error) {
		struct state_record record;
		const uint8_t *payload;

		error = state_read(&reader, &record, &payload);
		if (error)
			break;
		if (!strcmp(record.name, "end")) {
			if (reader.offset != size)
				error = vsm_error(image->log, EILSEQ,
						  "saved state: %zu bytes after the end",
						  size - reader.offset);
			break;
		}
		error = load_record(image, &record, payload);
	}
	return error;
}

int state_image_init(struct state_image *image, const struct vsm_partition *partition)
{
	size_t vtls = (size_t)partition->vp_count * partition->vtl_count;

	*image = (struct state_image){
		.log = &partition->log,
		.memory = &partition->memory,
		.gpa_pages = UINT64_C(1) << (partition->features.gpa_bits - 12),
		.vp_count = partition->vp_count,
		.vtl_count = partition->vtl_count,
		.xsave_size = partition->vp[0]->cpu[0]->xsave_size,
	};
	image->vp = calloc(partition->vp_count, sizeof(*image->vp));
	image->all_vtls = calloc(vtls, sizeof(*image->all_vtls));
	if (!image->vp || !image->all_vtls) {
		state_image_free(image);
		return vsm_error(&partition->log, ENOMEM, "saved state: no memory for %u VPs",
				 partition->vp_count);
	}
	for (uint32_t i = 0; i < partition->vp_count; i++) {
		image->vp[i].vtl = image->all_vtls + (size_t)i * partition->vtl_count;
		for (unsigned int slot = 0; slot < PLAIN_COUNT; slot++)
			image->vp[i].plain_msr[slot] = msr_plain_reset_value(slot);
	}
	for (size_t i = 0; i < vtls; i++)
		memcpy(image->all_vtls[i].msr, vcpu_msr_reset, sizeof(vcpu_msr_reset));
	return 0;
}

void state_image_free(struct state_image *image)
{
	free(image->vp);
	free(image->all_vtls);
	free(image->record);
	image->vp = NULL;
	image->all_vtls = NULL;
	image->record = NULL;
}
