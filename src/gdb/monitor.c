/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands of GDB's `monitor` (docs/gdb.md). */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vsm/walk.h>

#include "gdb/stub.h"

/* Limit of ranges in one list, since a guest can create one for each of its pages. */
#define RANGES_MAX 256u

/* @words: the arguments, followed by NULL. */
#define WORDS_MAX 3u
typedef void monitor_fn(struct vsm_gdb *gdb, char *const *words);

static void print(struct vsm_gdb *gdb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void print(struct vsm_gdb *gdb, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	gdb_send_text(gdb, text);
}

/* A number from @text, at most @max. False: an error was printed. */
static bool take_number(struct vsm_gdb *gdb, const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	if (text && text[0] >= '0' && text[0] <= '9') {
		*value = strtoull(text, &end, text[1] == 'x' || text[1] == 'X' ? 16 : 10);
		if (!errno && !*end && *value <= max)
			return true;
	}
	print(gdb, "needs a number from 0 to %#" PRIx64 ", decimal or hexadecimal\n", max);
	return false;
}

static void print_vtl(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t status)
{
	static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_CR3,
					HV_REGISTER_INTERNAL_ACTIVITY_STATE};
	union hv_register_value value[GDB_ARRAY_SIZE(name)] = {0};
	const uint64_t enabled = (status & HV_VSM_VP_STATUS_ENABLED_VTL_SET_MASK) >>
				 HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT;
	const bool active = (status & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK) == thread.vtl;

	if (!(enabled >> thread.vtl & 1)) {
		print(gdb, "%" PRIu32 ".%u not enabled\n", thread.vp, thread.vtl);
		return;
	}
	if (gdb_hv_read(gdb, thread, name, value, GDB_ARRAY_SIZE(name))) {
		print(gdb, "%" PRIu32 ".%u busy\n", thread.vp, thread.vtl);
		return;
	}
	print(gdb, "%" PRIu32 ".%u %-7s rip %#" PRIx64 " cr3 %#" PRIx64 "%s\n", thread.vp,
	      thread.vtl, active ? "active" : "enabled", value[0].reg64, value[1].reg64,
	      value[2].reg64 ? " suspended" : "");
}

static void monitor_vtl(struct vsm_gdb *gdb, char *const *words)
{
	static const uint32_t name = HV_REGISTER_VSM_VP_STATUS;

	(void)words;
	for (uint32_t vp = 0; vp < gdb->config.vp_count && !gdb->send_error; vp++) {
		union hv_register_value status = {0};

		if (gdb_hv_read(gdb, (struct gdb_thread){.vp = vp}, &name, &status, 1)) {
			print(gdb, "VP %" PRIu32 " is busy with an exit\n", vp);
			continue;
		}
		for (uint8_t vtl = 0; vtl < gdb->config.vtl_count; vtl++)
			print_vtl(gdb, (struct gdb_thread){vp, vtl}, status.reg64);
	}
}

static void monitor_protections(struct vsm_gdb *gdb, char *const *words)
{
	struct vsm_protection found = {0};
	uint64_t from = 0, vtl = gdb->general.vtl;
	unsigned int ranges;

	if (words[0] && !take_number(gdb, words[0], gdb->config.vtl_count - 1u, &vtl))
		return;
	if (words[0] && words[1] && !take_number(gdb, words[1], UINT64_MAX, &from))
		return;
	print(gdb, "VTL%" PRIu64 " has:\n", vtl);
	for (ranges = 0; ranges < RANGES_MAX && !gdb->send_error; ranges++) {
		char access[4];

		if (vsm_protection_find(gdb->config.partition, (uint8_t)vtl, from, &found))
			return;
		hv_map_gpa_rights_text(access, found.access);
		print(gdb, "%#018" PRIx64 " - %#018" PRIx64 " %s\n", found.gpa,
		      found.gpa + found.size - 1, access);
		from = found.gpa + found.size;
		if (!from)
			return;
	}
	print(gdb, "more follow: monitor protections %" PRIu64 " %#" PRIx64 "\n", vtl, from);
}

static void monitor_synic(struct vsm_gdb *gdb, char *const *words)
{
	static const uint32_t name[] = {
		HV_REGISTER_SCONTROL, HV_REGISTER_SIFP,	  HV_REGISTER_SIPP,   HV_REGISTER_SINT0,
		HV_REGISTER_SINT1,    HV_REGISTER_SINT2,  HV_REGISTER_SINT3,  HV_REGISTER_SINT4,
		HV_REGISTER_SINT5,    HV_REGISTER_SINT6,  HV_REGISTER_SINT7,  HV_REGISTER_SINT8,
		HV_REGISTER_SINT9,    HV_REGISTER_SINT10, HV_REGISTER_SINT11, HV_REGISTER_SINT12,
		HV_REGISTER_SINT13,   HV_REGISTER_SINT14, HV_REGISTER_SINT15};
	union hv_register_value value[GDB_ARRAY_SIZE(name)] = {0};

	(void)words;
	if (gdb_hv_read(gdb, gdb->general, name, value, GDB_ARRAY_SIZE(name))) {
		print(gdb, "the VP is busy with an exit\n");
		return;
	}
	print(gdb, "SynIC of VTL%u on VP %" PRIu32 ":\n", gdb->general.vtl, gdb->general.vp);
	for (size_t i = 0; i < GDB_ARRAY_SIZE(name); i++)
		print(gdb, "%-24s %#018" PRIx64 "\n", hv_register_name(name[i]), value[i].reg64);
}

static void monitor_translate(struct vsm_gdb *gdb, char *const *words)
{
	struct vsm_walk_result result;
	struct vsm_protection found;
	char access[4];
	uint64_t gva;
	int error;

	if (!take_number(gdb, words[0], UINT64_MAX, &gva))
		return;
	error = gdb_memory_translate(gdb, gdb->general, gva, &result);
	if (error && error != -EFAULT) {
		print(gdb, "the VP is busy with an exit\n");
		return;
	}
	if (error) {
		print(gdb, "no translation: %s, level %u, entry at GPA %#" PRIx64 "\n",
		      vsm_walk_reason_name(result.reason), result.level, result.stop_gpa);
		return;
	}
	print(gdb, "GPA %#" PRIx64 ", page of %#" PRIx64 " bytes, page tables: %c%c%c\n",
	      result.gpa, UINT64_C(1) << result.page_shift,
	      result.rights & VSM_WALK_RIGHT_USER ? 'u' : '-',
	      result.rights & VSM_WALK_RIGHT_WRITE ? 'w' : '-',
	      result.rights & VSM_WALK_RIGHT_EXECUTE ? 'x' : '-');
	if (vsm_protection_find(gdb->config.partition, gdb->general.vtl, result.gpa, &found) ||
	    result.gpa < found.gpa) {
		print(gdb, "no RAM is there\n");
		return;
	}
	hv_map_gpa_rights_text(access, found.access);
	print(gdb, "VTL%u may there: %s\n", gdb->general.vtl, access);
}

static void set_stop(struct vsm_gdb *gdb, uint16_t *vtls, uint16_t chosen, bool on)
{
	pthread_mutex_lock(&gdb->lock);
	*vtls = (uint16_t)(on ? *vtls | chosen : *vtls & ~chosen);
	gdb->settings++;
	pthread_mutex_unlock(&gdb->lock);
}

static void monitor_stop(struct vsm_gdb *gdb, char *const *words)
{
	const bool entry = words[0] && !strcmp(words[0], "entry");
	const bool intercept = words[0] && !strcmp(words[0], "intercept");
	const bool on = words[0] && words[1] && !strcmp(words[1], "on");
	const bool off = words[0] && words[1] && !strcmp(words[1], "off");
	uint16_t chosen = UINT16_MAX;
	uint64_t vtl;

	if ((!entry && !intercept) || (!on && !off)) {
		print(gdb, "usage: monitor stop entry|intercept on|off [VTL]\n");
		return;
	}
	if (words[2]) {
		if (!take_number(gdb, words[2], gdb->config.vtl_count - 1u, &vtl))
			return;
		chosen = (uint16_t)(1u << vtl);
	}
	set_stop(gdb, entry ? &gdb->stop_entry : &gdb->stop_intercept, chosen, on);
}

static monitor_fn monitor_help;

static const struct {
	const char *name;
	const char *arguments;
	const char *help;
	monitor_fn *function;
} commands[] = {
	{"help", "", "this list", monitor_help},
	{"vtl", "", "the VTLs of each VP", monitor_vtl},
	{"protections", "[VTL [GPA]]", "the rights of a VTL on memory", monitor_protections},
	{"synic", "", "the SynIC registers of the selected thread", monitor_synic},
	{"translate", "GVA", "the GPA of an address of the selected thread", monitor_translate},
	{"stop", "entry|intercept on|off [VTL]",
	 "stops when a VTL is entered, or an instruction of it is intercepted", monitor_stop},
};

static void monitor_help(struct vsm_gdb *gdb, char *const *words)
{
	(void)words;
	for (size_t i = 0; i < GDB_ARRAY_SIZE(commands); i++)
		print(gdb, "monitor %s %s\n    %s\n", commands[i].name, commands[i].arguments,
		      commands[i].help);
}

void gdb_monitor(struct vsm_gdb *gdb, char *command)
{
	char *words[WORDS_MAX + 2] = {NULL};
	char *state = NULL;
	size_t count = 0;

	for (char *word = strtok_r(command, " \t", &state); word && count <= WORDS_MAX;
	     word = strtok_r(NULL, " \t", &state))
		words[count++] = word;
	for (size_t i = 0; count && i < GDB_ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, words[0])) {
			commands[i].function(gdb, words + 1);
			return;
		}
	print(gdb, "no such command: see `monitor help`\n");
}
