/* SPDX-License-Identifier: BSD-2-Clause */
/* Resuming VPs by `vCont`, and the stop reply when all have stopped. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "gdb/stub.h"

/* Limit of actions in one packet. */
#define ACTIONS_MAX 64u

struct action {
	bool steps;
	struct gdb_id id;
};

struct actions {
	size_t count;
	struct action action[ACTIONS_MAX];
};

/* ";c", ";C05:p1.1", ";s:2" and so on. Signals are ignored: a guest has none. */
static int read_actions(const struct vsm_gdb *gdb, struct gdb_text *text, struct actions *actions)
{
	while (gdb_text_skip(text, ';')) {
		struct action action = {.id = {.scope = GDB_ALL}};
		bool signal = gdb_text_skip(text, 'C');
		uint64_t number;

		if (!signal && !gdb_text_skip(text, 'c')) {
			action.steps = true;
			signal = gdb_text_skip(text, 'S');
			if (!signal && !gdb_text_skip(text, 's'))
				return -EINVAL;
		}
		if (signal && !gdb_text_number(text, &number))
			return -EINVAL;
		if (gdb_text_skip(text, ':') && gdb_thread_read(gdb, text, &action.id))
			return -EINVAL;
		if (actions->count == ACTIONS_MAX)
			return -EINVAL;
		actions->action[actions->count++] = action;
	}
	return gdb_text_left(text) || !actions->count ? -EINVAL : 0;
}

/* The leftmost action that matches a thread applies to it. */
static const struct action *action_of(const struct actions *actions, struct gdb_thread thread)
{
	for (size_t i = 0; i < actions->count; i++)
		if (gdb_thread_matches(&actions->action[i].id, thread))
			return &actions->action[i];
	return NULL;
}

/* A VP runs if any of its VTLs has an action: VTLs of one VP cannot stop separately. */
static bool set_actions(struct vsm_gdb *gdb, uint32_t vp, const struct actions *actions)
{
	bool runs = false;

	gdb->vp[vp].steps = 0;
	for (uint8_t vtl = 0; vtl < gdb->config.vtl_count; vtl++) {
		const struct gdb_thread thread = {.vp = vp, .vtl = vtl};
		const struct action *action = action_of(actions, thread);

		if (action && action->steps)
			gdb->vp[vp].steps |= (uint16_t)(1u << vtl);
		runs |= action != NULL;
	}
	return runs;
}

/* Whether a VP has a stop that was not reported yet. Lock held. */
static bool has_unreported_stop(const struct vsm_gdb *gdb)
{
	for (uint32_t i = 0; i < gdb->config.vp_count; i++)
		if (gdb->vp[i].stop.kind != GDB_STOP_NONE)
			return true;
	return false;
}

int gdb_resume(struct vsm_gdb *gdb, struct gdb_text *text)
{
	struct actions actions = {0};
	int error = read_actions(gdb, text, &actions);
	bool unreported;

	if (error)
		return error;
	pthread_mutex_lock(&gdb->lock);
	if (gdb->waiting) {
		pthread_mutex_unlock(&gdb->lock);
		return -EBUSY;
	}
	gdb->waiting = true;
	gdb->interrupted = false;
	unreported = has_unreported_stop(gdb);
	for (uint32_t i = 0; !unreported && i < gdb->config.vp_count; i++)
		gdb->vp[i].resumed = set_actions(gdb, i, &actions);
	gdb->settings++;
	pthread_cond_broadcast(&gdb->wake);
	pthread_mutex_unlock(&gdb->lock);
	if (unreported)
		(void)eventfd_write(gdb->event, 1);
	return 0;
}

/* Whether a stop may be dropped: it happens again when the VP runs, or only ended a step. */
static bool repeats(enum gdb_stop_kind kind)
{
	return kind == GDB_STOP_BREAKPOINT || kind == GDB_STOP_HARDWARE || kind == GDB_STOP_STEP;
}

/* Lock held. */
static bool any_running(const struct vsm_gdb *gdb)
{
	for (uint32_t i = 0; i < gdb->config.vp_count; i++)
		if (gdb->vp[i].running || gdb->vp[i].resumed)
			return true;
	return false;
}

/* Takes the stop of the first VP that has one. Drops later VPs' stops that repeat. Lock held. */
static bool take_first(struct vsm_gdb *gdb)
{
	bool taken = false;

	for (uint32_t i = 0; i < gdb->config.vp_count; i++) {
		struct gdb_stop *stop = &gdb->vp[i].stop;

		if (stop->kind == GDB_STOP_NONE)
			continue;
		if (!taken) {
			gdb->last = *stop;
			gdb->last_vp = i;
			taken = true;
			stop->kind = GDB_STOP_NONE;
		} else if (repeats(stop->kind)) {
			stop->kind = GDB_STOP_NONE;
		}
	}
	return taken;
}

uint8_t gdb_active_vtl(struct vsm_gdb *gdb, uint32_t vp)
{
	static const uint32_t name = HV_REGISTER_VSM_VP_STATUS;
	const struct gdb_thread thread = {.vp = vp};
	union hv_register_value value = {0};

	if (gdb_hv_read(gdb, thread, &name, &value, 1))
		return 0;
	return value.reg64 & HV_VSM_VP_STATUS_ACTIVE_VTL_MASK;
}

bool gdb_stop_take(struct vsm_gdb *gdb)
{
	bool taken = false, interrupted = false;

	pthread_mutex_lock(&gdb->lock);
	if (gdb->waiting && !any_running(gdb)) {
		taken = take_first(gdb);
		interrupted = !taken && gdb->interrupted;
		if (taken || interrupted) {
			gdb->waiting = false;
			gdb->interrupted = false;
		}
	}
	pthread_mutex_unlock(&gdb->lock);
	if (interrupted)
		gdb->last = (struct gdb_stop){.kind = gdb->attaching ? GDB_STOP_ATTACH
								     : GDB_STOP_INTERRUPT,
					      .vtl = gdb_active_vtl(gdb, gdb->last_vp)};
	if (taken || interrupted)
		gdb->general =
			gdb_thread_shown(gdb, (struct gdb_thread){gdb->last_vp, gdb->last.vtl});
	return taken || interrupted;
}

/* Numbers of GDB's signals. */
enum {
	SIGNAL_INT = 2,
	SIGNAL_TRAP = 5,
	SIGNAL_ABRT = 6,
	SIGNAL_SEGV = 11,
};

static unsigned int signal_of(enum gdb_stop_kind kind)
{
	switch (kind) {
	case GDB_STOP_ATTACH:
		return 0;
	case GDB_STOP_INTERRUPT:
		return SIGNAL_INT;
	case GDB_STOP_SHUTDOWN:
		return SIGNAL_SEGV;
	case GDB_STOP_CRASH:
		return SIGNAL_ABRT;
	default:
		return SIGNAL_TRAP;
	}
}

void gdb_stop_reply(const struct vsm_gdb *gdb, struct gdb_reply *reply)
{
	static const char *const watch[] = {[GDB_WATCH_WRITE] = "watch",
					    [GDB_WATCH_READ] = "rwatch",
					    [GDB_WATCH_ACCESS] = "awatch"};
	const struct gdb_stop *stop = &gdb->last;
	const struct gdb_thread thread =
		gdb_thread_shown(gdb, (struct gdb_thread){gdb->last_vp, stop->vtl});

	gdb_reply_format(reply, "T%02xthread:", signal_of(stop->kind));
	gdb_thread_write(gdb, reply, thread);
	gdb_reply_format(reply, ";core:%" PRIx32 ";", gdb->last_vp);
	if (stop->kind == GDB_STOP_WATCH)
		gdb_reply_format(reply, "%s:%" PRIx64 ";", watch[stop->watch], stop->address);
	else if (stop->kind == GDB_STOP_BREAKPOINT && gdb->reasons)
		gdb_reply_text(reply, "swbreak:;");
	else if (stop->kind == GDB_STOP_HARDWARE && gdb->reasons)
		gdb_reply_text(reply, "hwbreak:;");
}

void gdb_stop_text(const struct vsm_gdb *gdb, char *text, size_t size)
{
	static const char *const words[] = {
		[GDB_STOP_ENTRY] = "was entered",
		[GDB_STOP_INTERCEPT] = "is at an instruction that a higher VTL intercepts",
		[GDB_STOP_SHUTDOWN] = "has shut down: a triple fault, or inconsistent registers",
		[GDB_STOP_CRASH] = "has reported a crash",
	};
	const enum gdb_stop_kind kind = gdb->last.kind;

	text[0] = 0;
	if (kind < GDB_ARRAY_SIZE(words) && words[kind])
		snprintf(text, size, "VTL%u of VP %" PRIu32 " %s\n", gdb->last.vtl, gdb->last_vp,
			 words[kind]);
}
