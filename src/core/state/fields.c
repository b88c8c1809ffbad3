/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fields of a saved state: one row for each, used to write, read, check and print it.
 */
#include <string.h>

#include "core/state/state.h"

/* A field has the name of its member; an array is one row. */
#define FIELD(structure, member, maximum)                                   \
	{                                                                   \
#member, offsetof(struct structure, member),                \
			sizeof(((struct structure *)0)->member), 1, maximum \
	}
#define ARRAY(structure, member, maximum)                                   \
	{                                                                   \
#member, offsetof(struct structure, member),                \
			sizeof(((struct structure *)0)->member[0]),         \
			sizeof(((struct structure *)0)->member) /           \
				sizeof(((struct structure *)0)->member[0]), \
			maximum                                             \
	}
#define LAYOUT(variable, record, structure)                                         \
	const struct state_layout variable = {record, structure##_field,            \
					      sizeof(structure##_field) /           \
						      sizeof(structure##_field[0]), \
					      sizeof(struct structure)}

#define ANY	UINT64_MAX
#define BOOLEAN 1

static const struct state_field state_partition_field[] = {
	FIELD(state_partition, vp_count, CORE_VP_MAX),
	FIELD(state_partition, vtl_count, CORE_VTL_MAX),
	FIELD(state_partition, privileges, ANY),
	FIELD(state_partition, features, UINT32_MAX),
	FIELD(state_partition, recommendations, UINT32_MAX),
	FIELD(state_partition, tsc_hz, ANY),
	FIELD(state_partition, tsc, ANY),
	FIELD(state_partition, reference_start, ANY),
	FIELD(state_partition, enabled_vtls, UINT16_MAX),
	FIELD(state_partition, mbec_vtls, UINT16_MAX),
	FIELD(state_partition, tsc_sequence, UINT32_MAX),
	FIELD(state_partition, crash_ctl, ANY),
	ARRAY(state_partition, crash, ANY),
};

static const struct state_field state_vtl_field[] = {
	FIELD(state_vtl, config, ANY),
	FIELD(state_vtl, guest_os_id, ANY),
	FIELD(state_vtl, hypercall, ANY),
	FIELD(state_vtl, reference_tsc, ANY),
};

static const struct state_field state_vp_field[] = {
	FIELD(state_vp, apic_id, UINT32_MAX),
	FIELD(state_vp, active_vtl, CORE_VTL_MAX - 1),
	FIELD(state_vp, enabled_vtls, UINT16_MAX),
	ARRAY(state_vp, tlb_locked, UINT16_MAX),
	FIELD(state_vp, runtime, ANY),
	ARRAY(state_vp, eoi, ANY),
	FIELD(state_vp, mtrr_def_type, ANY),
	ARRAY(state_vp, mtrr_base, ANY),
	ARRAY(state_vp, mtrr_mask, ANY),
	ARRAY(state_vp, mtrr_fixed, ANY),
};

static const struct state_field state_vp_vtl_field[] = {
	FIELD(state_vp_vtl, activity, VP_INTERCEPT_SUSPENDED),
	FIELD(state_vp_vtl, entered, BOOLEAN),
	FIELD(state_vp_vtl, triple_fault, BOOLEAN),
	FIELD(state_vp_vtl, assist, ANY),
	FIELD(state_vp_vtl, vina, ANY),
	ARRAY(state_vp_vtl, secure_config, ANY),
	FIELD(state_vp_vtl, cr_intercept_control, ANY),
	FIELD(state_vp_vtl, cr0_mask, ANY),
	FIELD(state_vp_vtl, cr4_mask, ANY),
	FIELD(state_vp_vtl, misc_enable_mask, ANY),
	FIELD(state_vp_vtl, misc_enable, ANY),
	FIELD(state_vp_vtl, scontrol, ANY),
	FIELD(state_vp_vtl, siefp, ANY),
	FIELD(state_vp_vtl, simp, ANY),
	ARRAY(state_vp_vtl, sint, ANY),
	ARRAY(state_vp_vtl, stimer_config, ANY),
	ARRAY(state_vp_vtl, stimer_count, ANY),
	ARRAY(state_vp_vtl, stimer_due, ANY),
	ARRAY(state_vp_vtl, stimer_expired, ANY),
	ARRAY(state_vp_vtl, stimer_message_due, BOOLEAN),
};

static const struct state_field state_cpu_field[] = {
	ARRAY(state_cpu, gpr, ANY),
	FIELD(state_cpu, rip, ANY),
	FIELD(state_cpu, rflags, ANY),
	FIELD(state_cpu, cr0, UINT32_MAX),
	FIELD(state_cpu, cr2, ANY),
	FIELD(state_cpu, cr3, ANY),
	FIELD(state_cpu, cr4, ANY),
	FIELD(state_cpu, efer, ANY),
	FIELD(state_cpu, xcr0, ANY),
	ARRAY(state_cpu, segment_base, ANY),
	ARRAY(state_cpu, segment_limit, UINT32_MAX),
	ARRAY(state_cpu, segment_selector, UINT16_MAX),
	ARRAY(state_cpu, segment_attributes, UINT16_MAX),
	FIELD(state_cpu, idtr_base, ANY),
	FIELD(state_cpu, idtr_limit, UINT16_MAX),
	FIELD(state_cpu, gdtr_base, ANY),
	FIELD(state_cpu, gdtr_limit, UINT16_MAX),
	ARRAY(state_cpu, dr, ANY),
	FIELD(state_cpu, dr6, ANY),
	FIELD(state_cpu, dr7, ANY),
	ARRAY(state_cpu, msr, ANY),
	FIELD(state_cpu, exception_pending, BOOLEAN),
	FIELD(state_cpu, exception_has_error_code, BOOLEAN),
	FIELD(state_cpu, exception_vector, 31),
	FIELD(state_cpu, exception_error_code, UINT32_MAX),
	FIELD(state_cpu, exception_parameter, ANY),
	FIELD(state_cpu, interrupt_injected, BOOLEAN),
	FIELD(state_cpu, interrupt_soft, BOOLEAN),
	FIELD(state_cpu, interrupt_vector, 255),
	FIELD(state_cpu, nmi_pending, 2),
	FIELD(state_cpu, nmi_injected, BOOLEAN),
	FIELD(state_cpu, nmi_masked, BOOLEAN),
	FIELD(state_cpu, interrupt_shadow, BOOLEAN),
};

static const struct state_field state_run_field[] = {
	FIELD(state_run, gpn, UINT64_MAX >> 12),
	FIELD(state_run, pages, UINT64_MAX >> 12),
	FIELD(state_run, access, GPA_ALL),
};

static const struct state_field state_intercept_field[] = {
	FIELD(state_intercept, type, UINT32_MAX),
	FIELD(state_intercept, mask, 3),
	FIELD(state_intercept, parameter, ANY),
};

static const struct state_field state_msr_field[] = {
	FIELD(state_msr, index, UINT32_MAX),
	FIELD(state_msr, value, ANY),
};

LAYOUT(state_layout_partition, "partition", state_partition);
LAYOUT(state_layout_vtl, "vtl", state_vtl);
LAYOUT(state_layout_vp, "vp", state_vp);
LAYOUT(state_layout_vp_vtl, "vp-vtl", state_vp_vtl);
LAYOUT(state_layout_cpu, "cpu", state_cpu);
LAYOUT(state_layout_run, "run", state_run);
LAYOUT(state_layout_intercept, "intercept", state_intercept);
LAYOUT(state_layout_msr, "msrs", state_msr);

const struct state_layout *const state_layouts[] = {
	&state_layout_partition, &state_layout_vtl, &state_layout_vp,	     &state_layout_vp_vtl,
	&state_layout_cpu,	 &state_layout_run, &state_layout_intercept, &state_layout_msr,
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
