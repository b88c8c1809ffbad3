/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "trace/names.h"

#define NAME_MAX_LENGTH 32u

_Static_assert(VSM_TRACE_COUNTERS < 64, "an event is a bit of trace_filter.events");

void trace_filter_init(struct trace_filter *filter)
{
	*filter = (struct trace_filter){.to = UINT64_MAX};
}

/* -1: not an integer up to @most. */
static long whole(const char *text, long most)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtol(text, &end, 10);
	return *end || errno || value > most ? -1 : value;
}

const char *trace_filter_vp(struct trace_filter *filter, const char *text)
{
	const long value = whole(text, VSM_VP_MAX - 1);

	if (value < 0)
		return "takes the number of a processor";
	filter->by_vp = true;
	filter->vp = (uint32_t)value;
	return NULL;
}

const char *trace_filter_vtl(struct trace_filter *filter, const char *text)
{
	const long value = whole(text, TRACE_VTLS - 1);

	if (value < 0)
		return "takes the number of a VTL";
	filter->by_vtl = true;
	filter->vtl = (uint8_t)value;
	return NULL;
}

/* "1.5" (seconds), "200ms", "30us", "7ns" */
static bool parse_time(const char *text, uint64_t *ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
	char *end;
	double value;

	if ((*text < '0' || *text > '9') && *text != '.')
		return false;
	errno = 0;
	value = strtod(text, &end);
	for (size_t i = 0; !errno && end != text && i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		value = value * units[i].ns + 0.5;
		if (!(value < 1e18))
			return false;
		*ns = (uint64_t)value;
		return true;
	}
	return false;
}

#define TAKES_TIME "takes a time since the first record, as 1.5s, 200ms or 30us"

const char *trace_filter_from(struct trace_filter *filter, const char *text)
{
	return parse_time(text, &filter->from) ? NULL : TAKES_TIME;
}

const char *trace_filter_to(struct trace_filter *filter, const char *text)
{
	return parse_time(text, &filter->to) ? NULL : TAKES_TIME;
}

#define TAKES_EVENTS "takes names of events (`vsm trace --events` lists them)"

/* False: no event matches @name. */
static bool add_events(struct trace_filter *filter, const char *name)
{
	bool found = false;

	for (size_t i = 0; i < trace_event_count; i++) {
		if (fnmatch(name, trace_events[i].name, FNM_CASEFOLD))
			continue;
		filter->events |= UINT64_C(1) << trace_events[i].number;
		found = true;
	}
	return found;
}

const char *trace_filter_events(struct trace_filter *filter, const char *text)
{
	filter->by_event = true;
	while (*text) {
		const size_t length = strcspn(text, ",");
		char name[NAME_MAX_LENGTH];

		if (length >= sizeof(name))
			return TAKES_EVENTS;
		memcpy(name, text, length);
		name[length] = 0;
		if (!add_events(filter, name))
			return TAKES_EVENTS;
		text += length + (text[length] == ',');
	}
	return filter->events ? NULL : TAKES_EVENTS;
}

bool trace_filter_selects(const struct trace_filter *filter, const struct vsm_trace_record *record,
			  uint64_t ns)
{
	return ns >= filter->from && ns <= filter->to &&
	       (!filter->by_vp || record->vp == filter->vp) &&
	       (!filter->by_vtl || record->vtl == filter->vtl) &&
	       (!filter->by_event || (record->event < 64 && filter->events >> record->event & 1));
}
