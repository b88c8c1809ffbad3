/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree of values that clients read, defined by one table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "control/value.h"
#include "guest/guest.h"

#define PARTS_MAX 8u
#define PART_MAX  24u

struct node {
	const char *path; /* VP and VTL match a number */
	const char *help;
	vmm_value_fn *value; /* NULL: an inner node */
};

static const struct node nodes[] = {
	{"machine", "configuration and run state of the machine", vmm_value_machine},
	{"counters", "exits, VTL switches and intercepts", vmm_value_counters},
	{"partition", "VTLs and features that are enabled in the partition", vmm_value_partition},
	{"partition/memory", "where RAM is", vmm_value_memory},
	{"partition/protection", "page access rights of the VTLs", NULL},
	{"partition/protection/VTL", "ranges of pages with equal access rights of the VTL",
	 vmm_value_protection},
	{"devices", "the devices of the machine", NULL},
	{"devices/serial", "the serial port", vmm_value_serial},
	{"devices/cmos", "CMOS RAM", vmm_value_cmos},
	{"devices/pci", "PCI configuration", vmm_value_pci},
	{"devices/ioapic", "the I/O APIC, pin by pin", vmm_value_ioapic},
	{"devices/testdev", "devices for test kernels", vmm_value_testdev},
	{"vp", "the virtual processors", NULL},
	{"vp/VP", "which VTL is active, which are enabled", vmm_value_vp},
	{"vp/VP/vtl", "its VTLs", NULL},
	{"vp/VP/vtl/VTL", "processor mode, registers and current code", vmm_value_vtl},
	{"vp/VP/vtl/VTL/registers", "registers", vmm_value_registers},
	{"vp/VP/vtl/VTL/synic", "the SynIC and its timers", vmm_value_synic},
	{"vp/VP/vtl/VTL/lapic", "the local APIC", vmm_value_lapic},
};

#define NODES ARRAY_SIZE(nodes)

struct parts {
	unsigned int count;
	char part[PARTS_MAX][PART_MAX];
};

/* False: too many, too long or empty components. A leading or trailing slash is ignored. */
static bool split(const char *path, struct parts *parts)
{
	parts->count = 0;
	path += *path == '/';
	while (*path) {
		const size_t length = strcspn(path, "/");

		if (parts->count == PARTS_MAX || length == 0 || length >= PART_MAX)
			return false;
		memcpy(parts->part[parts->count], path, length);
		parts->part[parts->count++][length] = 0;
		path += length;
		path += *path == '/';
	}
	return true;
}

static bool get_index(const char *text, uint32_t below, uint32_t *index)
{
	char *end;
	unsigned long value;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 9)
		return false;
	value = strtoul(text, &end, 10);
	*index = (uint32_t)value;
	return *end == 0 && value < below;
}

/* Whether the first components of @pattern match @parts; numbers go into @query. */
static bool begins(const struct parts *pattern, const struct parts *parts,
		   struct vmm_value_query *query)
{
	if (parts->count > pattern->count)
		return false;
	for (unsigned int i = 0; i < parts->count; i++) {
		const char *is = parts->part[i], *want = pattern->part[i];
		uint32_t vtl;

		if (!strcmp(want, "VP")) {
			if (!get_index(is, query->guest->config->cpus, &query->vp))
				return false;
		} else if (!strcmp(want, "VTL")) {
			if (!get_index(is, query->guest->config->vtls, &vtl))
				return false;
			query->vtl = (uint8_t)vtl;
		} else if (strcmp(want, is) != 0) {
			return false;
		}
	}
	return true;
}

static void add_numbers(json_t *children, uint32_t count, const char *help)
{
	for (uint32_t i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", i);
		json_array_append_new(children,
				      json_pack("{s:s, s:s}", "name", name, "help", help));
	}
}

static json_t *children_of(const struct parts *parts, struct vmm_value_query *query)
{
	json_t *children = json_array();

	for (size_t i = 0; i < NODES; i++) {
		struct parts pattern;
		const char *last;

		split(nodes[i].path, &pattern);
		if (pattern.count != parts->count + 1 || !begins(&pattern, parts, query))
			continue;
		last = pattern.part[parts->count];
		if (!strcmp(last, "VP"))
			add_numbers(children, query->guest->config->cpus, nodes[i].help);
		else if (!strcmp(last, "VTL"))
			add_numbers(children, query->guest->config->vtls, nodes[i].help);
		else
			json_array_append_new(children, json_pack("{s:s, s:s}", "name", last,
								  "help", nodes[i].help));
	}
	return children;
}

static const struct node *find_node(const struct parts *parts, struct vmm_value_query *query)
{
	for (size_t i = 0; i < NODES; i++) {
		struct parts pattern;

		split(nodes[i].path, &pattern);
		if (pattern.count == parts->count && begins(&pattern, parts, query))
			return &nodes[i];
	}
	return NULL;
}

json_t *vmm_tree_value(struct vmm_guest *guest, const char *path, uint64_t from,
		       struct vmm_refused *refused)
{
	struct vmm_value_query query = {.guest = guest, .from = from};
	const struct node *node = NULL;
	struct parts parts;
	json_t *value = NULL;
	const bool legal = split(path, &parts);

	if (legal && parts.count)
		node = find_node(&parts, &query);
	if (!node && (!legal || parts.count))
		return vmm_refuse(refused, VMM_REFUSE_NOT_FOUND, "there is nothing at '%.128s'",
				  path);
	if (node && node->value) {
		value = node->value(&query, refused);
		if (!value)
			return NULL;
	}
	return json_pack("{s:s, s:o*, s:o}", "path", path, "value", value, "children",
			 children_of(&parts, &query));
}
