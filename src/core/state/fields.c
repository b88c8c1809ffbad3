/* SPDX-License-Identifier: BSD-2-Clause */
/* Layouts of records, from the rows of state/rows.h. */
#include <string.h>

#include "core/state/state.h"

#define MEMBER(structure, member) (((struct structure *)0)->member)

#define PLACE(type, name, count, max) #name, offsetof(struct RECORD, name), sizeof(type), count, max
#define ONE(type, name, max, live) \
	{PLACE(type, name, 1, max), sizeof(MEMBER(LIVE, live)), offsetof(struct LIVE, live), 0},
#define MANY(type, name, count, max, array, member)                            \
	{PLACE(type, name, count, max), sizeof(MEMBER(LIVE, array[0] member)), \
	 offsetof(struct LIVE, array[0] member), sizeof(MEMBER(LIVE, array[0]))},
#define OWN(type, name, max) {PLACE(type, name, 1, max), 0, 0, 0},

/* Defines the layout of struct RECORD, whose live structure is struct LIVE. */
#define LAYOUT(variable, record, ROWS)                                               \
	static const struct state_field variable##_field[] = {ROWS(ONE, MANY, OWN)}; \
	const struct state_layout state_layout_##variable = {                        \
		record, variable##_field, ARRAY_SIZE(variable##_field), sizeof(struct RECORD)}

#define RECORD state_partition
#define LIVE   vsm_partition
LAYOUT(partition, "partition", STATE_PARTITION_ROWS);
#undef RECORD
#undef LIVE

#define RECORD state_vtl
#define LIVE   partition_vtl
LAYOUT(vtl, "vtl", STATE_VTL_ROWS);
#undef RECORD
#undef LIVE

#define RECORD state_vp
#define LIVE   vsm_vp
LAYOUT(vp, "vp", STATE_VP_ROWS);
#undef RECORD
#undef LIVE

#define RECORD state_vp_vtl
#define LIVE   vp_vtl
LAYOUT(vp_vtl, "vp-vtl", STATE_VP_VTL_ROWS);
#undef RECORD
#undef LIVE

#define RECORD state_cpu
#define LIVE   vcpu_state
LAYOUT(cpu, "cpu", STATE_CPU_ROWS);
#undef RECORD
#undef LIVE

#define RECORD state_run
LAYOUT(run, "run", STATE_RUN_ROWS);
#undef RECORD

#define RECORD state_intercept
LAYOUT(intercept, "intercept", STATE_INTERCEPT_ROWS);
#undef RECORD

#define RECORD state_msr
LAYOUT(msr, "msrs", STATE_MSR_ROWS);
#undef RECORD

#define RECORD state_smm
#define LIVE   vcpu_state
LAYOUT(smm, "smm", STATE_SMM_ROWS);
#undef RECORD
#undef LIVE

const struct state_layout *const state_layouts[] = {
	&state_layout_partition, &state_layout_vtl, &state_layout_vp,
	&state_layout_vp_vtl,	 &state_layout_cpu, &state_layout_run,
	&state_layout_intercept, &state_layout_msr, &state_layout_smm,
};
const size_t state_layout_count = ARRAY_SIZE(state_layouts);

size_t state_packed_size(const struct state_layout *layout)
{
	size_t size = 0;

	for (size_t i = 0; i < layout->fields; i++)
		size += (size_t)layout->field[i].size * layout->field[i].count;
	return size;
}

/* Fields are packed without padding. x86 only: memory has the byte order of the file. */
void state_pack(const struct state_layout *layout, const void *structure, uint8_t *bytes)
{
	for (size_t i = 0; i < layout->fields; i++) {
		const struct state_field *field = &layout->field[i];
		size_t size = (size_t)field->size * field->count;

		memcpy(bytes, (const uint8_t *)structure + field->offset, size);
		bytes += size;
	}
}

const struct state_field *state_unpack(const struct state_layout *layout, const uint8_t *bytes,
				       void *structure)
{
	memset(structure, 0, layout->structure_size);
	for (size_t i = 0; i < layout->fields; i++) {
		const struct state_field *field = &layout->field[i];

		for (unsigned int n = 0; n < field->count; n++) {
			uint64_t value = 0;

			memcpy(&value, bytes, field->size);
			if (value > field->max)
				return field;
			memcpy((uint8_t *)structure + field->offset + (size_t)n * field->size,
			       &value, field->size);
			bytes += field->size;
		}
	}
	return NULL;
}

static void copy(void *to, size_t to_size, const void *from, size_t from_size)
{
	uint64_t value = 0;

	memcpy(&value, from, from_size);
	memcpy(to, &value, to_size);
}

void state_copy_from_live(const struct state_layout *layout, const void *live, void *structure)
{
	for (size_t i = 0; i < layout->fields; i++) {
		const struct state_field *field = &layout->field[i];
		const uint8_t *from = (const uint8_t *)live + field->live_offset;
		uint8_t *to = (uint8_t *)structure + field->offset;

		for (unsigned int n = 0; field->live_size && n < field->count; n++)
			copy(to + (size_t)n * field->size, field->size,
			     from + (size_t)n * field->live_stride, field->live_size);
	}
}

void state_copy_to_live(const struct state_layout *layout, const void *structure, void *live)
{
	for (size_t i = 0; i < layout->fields; i++) {
		const struct state_field *field = &layout->field[i];
		const uint8_t *from = (const uint8_t *)structure + field->offset;
		uint8_t *to = (uint8_t *)live + field->live_offset;

		for (unsigned int n = 0; field->live_size && n < field->count; n++)
			copy(to + (size_t)n * field->live_stride, field->live_size,
			     from + (size_t)n * field->size, field->size);
	}
}
