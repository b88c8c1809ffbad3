/* SPDX-License-Identifier: BSD-2-Clause */
#include "intercepts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vsm/trace.h>

#include "trace/names.h"

#define PLACES (2 * INTERCEPT_ROWS)

bool intercepts_init(struct intercepts *intercepts, uint32_t vps)
{
	*intercepts = (struct intercepts){.vps = vps};
	intercepts->pending = calloc(vps, sizeof(*intercepts->pending));
	intercepts->row = calloc(PLACES, sizeof(*intercepts->row));
	if (intercepts->pending && intercepts->row)
		return true;
	intercepts_destroy(intercepts);
	return false;
}

void intercepts_destroy(struct intercepts *intercepts)
{
	free(intercepts->pending);
	free(intercepts->row);
	*intercepts = (struct intercepts){0};
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t hash(const struct intercept_row *row)
{
	uint64_t value = mix(row->what, row->detail);

	value = mix(value, row->instruction.rip);
	return mix(value, (uint64_t)row->vp << 32 | (uint64_t)row->event << 16 |
				  (uint64_t)row->from << 8 | row->to);
}

static bool is_same(const struct intercept_row *a, const struct intercept_row *b)
{
	return a->what == b->what && a->detail == b->detail && a->vp == b->vp &&
	       a->event == b->event && a->from == b->from && a->to == b->to &&
	       a->instruction.rip == b->instruction.rip &&
	       a->instruction.count == b->instruction.count &&
	       a->instruction.width == b->instruction.width &&
	       memcmp(a->instruction.bytes, b->instruction.bytes, TRACE_INSTRUCTION_MAX) == 0;
}

static void add_row(struct intercepts *intercepts, const struct intercept_row *row)
{
	intercepts->total++;
	for (uint64_t at = hash(row) % PLACES;; at = (at + 1) % PLACES) {
		struct intercept_row *place = &intercepts->row[at];

		if (place->count && !is_same(place, row))
			continue;
		if (place->count) {
			place->count++;
			place->value = row->value;
			place->last = row->last;
		} else if (intercepts->rows < INTERCEPT_ROWS) {
			intercepts->rows++;
			*place = *row;
		} else {
			intercepts->others++;
		}
		return;
	}
}

static void add_pending(struct intercepts *intercepts, uint32_t vp)
{
	if (intercepts->pending[vp].count)
		add_row(intercepts, &intercepts->pending[vp]);
	intercepts->pending[vp].count = 0;
}

static bool take(struct intercept_row *row, const struct vsm_trace_record *record, uint64_t ns)
{
	const uint64_t *a = record->argument;

	*row = (struct intercept_row){
		.what = a[1],
		.detail = a[2],
		.vp = record->vp,
		.event = record->event,
		.from = record->vtl,
		.to = (uint8_t)a[0],
		.count = 1,
		.first = ns,
		.last = ns,
	};
	switch (record->event) {
	case VSM_TRACE_INTERCEPT_MEMORY:
		row->instruction.rip = a[3];
		return true;
	case VSM_TRACE_INTERCEPT_MSR:
		row->value = a[3];
		return true;
	case VSM_TRACE_INTERCEPT_IO:
		row->detail = (a[2] & 1) | a[3] << 1;
		return true;
	case VSM_TRACE_INTERCEPT_CR:
		row->detail = 1;
		row->value = a[2];
		row->instruction.rip = a[3];
		return true;
	default:
		row->count = 0;
		return false;
	}
}

void intercepts_record(struct intercepts *intercepts, const struct vsm_trace_record *record,
		       uint64_t ns)
{
	struct intercept_row *pending = &intercepts->pending[record->vp];

	if (record->event == VSM_TRACE_INSTRUCTION && pending->count) {
		trace_instruction_read(&pending->instruction, record);
		add_pending(intercepts, record->vp);
		return;
	}
	/* Records that another VP has made about this VP may precede the INSTRUCTION record. */
	if (!trace_is_own(record->event))
		return;
	add_pending(intercepts, record->vp);
	(void)take(pending, record, ns);
}

static int compare(const void *x, const void *y)
{
	const struct intercept_row *a = x, *b = y;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->vp < b->vp ? -1 : a->vp > b->vp;
}

void intercepts_finish(struct intercepts *intercepts)
{
	uint32_t used = 0;

	for (uint32_t vp = 0; vp < intercepts->vps; vp++)
		add_pending(intercepts, vp);
	for (uint32_t at = 0; at < PLACES; at++)
		if (intercepts->row[at].count)
			intercepts->row[used++] = intercepts->row[at];
	qsort(intercepts->row, used, sizeof(*intercepts->row), compare);
}

static void describe(const struct intercept_row *row, const char **kind, char *what, char *access,
		     size_t size)
{
	snprintf(access, size, "%s", row->detail & 1 ? "write" : "read");
	switch (row->event) {
	case VSM_TRACE_INTERCEPT_MSR:
		*kind = "MSR";
		trace_msr_name(what, size, row->what);
		return;
	case VSM_TRACE_INTERCEPT_IO:
		*kind = "port";
		snprintf(what, size, "0x%" PRIx64 ", %" PRIu64 " bytes", row->what,
			 row->detail >> 1);
		return;
	case VSM_TRACE_INTERCEPT_CR:
		*kind = "register";
		trace_value(what, size, "register", row->what);
		return;
	default:
		*kind = "memory";
		snprintf(what, size, "0x%" PRIx64, row->what);
		trace_access_name(access, size, row->detail);
		return;
	}
}

static void put_hex(struct json *json, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_put_string(json, NULL, text);
}

static void put_row(struct json *json, const struct intercept_row *row)
{
	char what[TRACE_TEXT], access[TRACE_TEXT], text[TRACE_TEXT];
	const char *kind;

	describe(row, &kind, what, access, sizeof(what));
	json_open(json, NULL, '[');
	json_put_unsigned(json, NULL, row->first);
	json_put_unsigned(json, NULL, row->last);
	json_put_unsigned(json, NULL, row->count);
	json_put_unsigned(json, NULL, row->vp);
	json_put_unsigned(json, NULL, row->from);
	json_put_unsigned(json, NULL, row->to);
	json_put_string(json, NULL, kind);
	json_put_string(json, NULL, what);
	json_put_string(json, NULL, access);
	/* Traces of version 1 lack instructions for some kinds. */
	if (row->instruction.rip || row->instruction.count)
		put_hex(json, row->instruction.rip);
	else
		json_put_string(json, NULL, "");
	trace_instruction_text(text, sizeof(text), &row->instruction);
	json_put_string(json, NULL, text);
	trace_instruction_bytes(text, sizeof(text), &row->instruction);
	json_put_string(json, NULL, text);
	if (row->event == VSM_TRACE_INTERCEPT_CR ||
	    (row->event == VSM_TRACE_INTERCEPT_MSR && row->detail & 1))
		put_hex(json, row->value);
	else
		json_put_string(json, NULL, "");
	json_close(json, ']');
}

void intercepts_json(struct json *json, const struct intercepts *intercepts)
{
	json_open(json, "intercepts", '{');
	json_put_unsigned(json, "total", intercepts->total);
	json_put_unsigned(json, "others", intercepts->others);
	json_open(json, "rows", '[');
	for (uint32_t i = 0; i < intercepts->rows; i++)
		put_row(json, &intercepts->row[i]);
	json_close(json, ']');
	json_close(json, '}');
}
