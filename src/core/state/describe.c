/* SPDX-License-Identifier: BSD-2-Clause */
/* A saved state as text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/state/state.h"

static const struct state_layout *layout_of(const struct state_record *record)
{
	const char *name = record->name;

	if (!strcmp(name, "ram") || !strcmp(name, "protection"))
		return &state_layout_run;
	if (!strcmp(name, "intercepts"))
		return &state_layout_intercept;
	for (size_t i = 0; i < state_layout_count; i++)
		if (!strcmp(state_layouts[i]->name, name))
			return state_layouts[i];
	return NULL;
}

static uint64_t value_of(const struct state_field *field, const uint8_t *bytes)
{
	uint64_t value = 0;

	memcpy(&value, bytes, field->size);
	return value;
}

static void describe_fields(const struct state_layout *layout, const uint8_t *bytes,
			    vsm_line_fn *line, void *opaque)
{
	char text[160];

	for (size_t i = 0; i < layout->fields; i++) {
		const struct state_field *field = &layout->field[i];

		for (unsigned int n = 0; n < field->count; n++) {
			uint64_t value = value_of(field, bytes);

			bytes += field->size;
			/* Most elements of arrays are zero: only the others are printed. */
			if (field->count > 1 && value == 0)
				continue;
			if (field->count > 1)
				snprintf(text, sizeof(text), "    %s[%u] = %#" PRIx64, field->name,
					 n, value);
			else
				snprintf(text, sizeof(text), "    %s = %#" PRIx64, field->name,
					 value);
			line(opaque, text);
		}
	}
}

int vsm_state_describe(const struct vsm_log *log, const void *data, size_t size, vsm_line_fn *line,
		       void *opaque)
{
	struct state_reader reader = {.log = log, .data = data, .size = size};
	struct state_record record = {0};
	const uint8_t *payload;
	char text[160];
	int error = state_read_header(&reader);

	while (!error) {
		const struct state_layout *layout;
		size_t each;

		error = state_read(&reader, &record, &payload);
		if (error)
			break;
		snprintf(text, sizeof(text), "%s: vp %u, vtl %u, other %u, %u bytes%s", record.name,
			 record.vp, record.vtl, record.other, record.length,
			 record.flags & STATE_OPTIONAL ? ", optional" : "");
		line(opaque, text);
		layout = layout_of(&record);
		each = layout ? state_packed_size(layout) : 0;
		for (size_t at = 0; each && at + each <= record.length; at += each)
			describe_fields(layout, payload + at, line, opaque);
		if (!strcmp(record.name, "end"))
			break;
	}
	return error;
}
