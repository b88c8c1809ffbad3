/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads of the VPs: waits, runs, and exits that concern the debugger. */
#include <errno.h>
#include <sys/eventfd.h>

#include "gdb/stub.h"

static const struct vsm_exit interrupted = {.reason = VSM_EXIT_INTERRUPTED};

/* Makes the VMM call vsm_gdb_poll(). */
static void notify(const struct vsm_gdb *gdb)
{
	/* Fails only if the counter is at its maximum; then the descriptor is already readable. */
	(void)eventfd_write(gdb->event, 1);
}

/* Marks all VPs as stopped. Lock held; the caller releases it, then calls kick_running(). */
static void hold_all(struct vsm_gdb *gdb)
{
	for (uint32_t i = 0; i < gdb->config.vp_count; i++)
		gdb->vp[i].resumed = false;
}

static void kick_running(struct vsm_gdb *gdb)
{
	for (uint32_t i = 0; i < gdb->config.vp_count; i++) {
		bool running;

		pthread_mutex_lock(&gdb->lock);
		running = gdb->vp[i].running && !gdb->vp[i].resumed;
		pthread_mutex_unlock(&gdb->lock);
		if (running)
			vsm_vp_kick(gdb->vp[i].vp);
	}
}

void gdb_halt(struct vsm_gdb *gdb)
{
	pthread_mutex_lock(&gdb->lock);
	hold_all(gdb);
	pthread_mutex_unlock(&gdb->lock);
	kick_running(gdb);
	notify(gdb);
}

void gdb_resume_all(struct vsm_gdb *gdb)
{
	pthread_mutex_lock(&gdb->lock);
	gdb->attached = false;
	gdb->waiting = false;
	gdb->interrupted = false;
	for (uint32_t i = 0; i < gdb->config.vp_count; i++) {
		gdb->vp[i].resumed = true;
		gdb->vp[i].steps = 0;
		gdb->vp[i].passing = false;
		gdb->vp[i].stop.kind = GDB_STOP_NONE;
	}
	gdb->settings++;
	pthread_cond_broadcast(&gdb->wake);
	pthread_mutex_unlock(&gdb->lock);
}

/* Records a stop and stops all VPs. False: no client is attached. */
static bool stop_here(struct vsm_gdb *gdb, struct gdb_vp *self, const struct gdb_stop *stop)
{
	bool attached;

	pthread_mutex_lock(&gdb->lock);
	attached = gdb->attached;
	if (attached) {
		self->stop = *stop;
		hold_all(gdb);
	}
	pthread_mutex_unlock(&gdb->lock);
	if (attached) {
		kick_running(gdb);
		notify(gdb);
	}
	return attached;
}

static int next_instruction(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t *gpa)
{
	static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_CS,
					HV_X64_REGISTER_EFER};
	union hv_register_value value[GDB_ARRAY_SIZE(name)] = {0};
	const int error = gdb_hv_read(gdb, thread, name, value, GDB_ARRAY_SIZE(name));
	uint64_t gva = value[0].reg64;

	if (error)
		return error;
	/* In 64-bit mode the base of CS counts as 0 (EFER.LMA and CS.L). */
	if (!(value[2].reg64 & GDB_EFER_LMA) ||
	    !(value[1].segment.attributes & HV_X64_SEGMENT_LONG))
		gva = (uint32_t)(gva + value[1].segment.base);
	return gdb_memory_gpa(gdb, thread, gva, gpa);
}

/* @vtl has reached a breakpoint of another VTL: it steps over the original instruction. */
static void pass_begin(struct vsm_gdb *gdb, struct gdb_vp *self, uint8_t vtl, uint64_t gpa)
{
	gdb_breakpoint_set_inserted(gdb, gpa, false);
	pthread_mutex_lock(&gdb->lock);
	self->passing = true;
	self->passing_vtl = vtl;
	self->passing_gpa = gpa;
	/* 0 differs from any gdb->settings, so the settings are applied again. */
	self->settings = 0;
	pthread_mutex_unlock(&gdb->lock);
}

/* True: pass_begin() caused the step that has ended. *wanted: the client also steps. */
static bool pass_end(struct vsm_gdb *gdb, struct gdb_vp *self, uint8_t vtl, bool *wanted)
{
	uint64_t gpa;
	bool passed;

	pthread_mutex_lock(&gdb->lock);
	passed = self->passing && self->passing_vtl == vtl;
	gpa = self->passing_gpa;
	*wanted = self->steps >> vtl & 1;
	if (passed) {
		self->passing = false;
		self->settings = 0;
	}
	pthread_mutex_unlock(&gdb->lock);
	if (passed)
		gdb_breakpoint_set_inserted(gdb, gpa, true);
	return passed;
}

static void hardware_stop(struct vsm_gdb *gdb, uint64_t dr6, struct gdb_stop *stop)
{
	const unsigned int index = dr6 & 0xf ? (unsigned int)__builtin_ctzll(dr6 & 0xf) : 0;
	const struct gdb_watch *watch = &gdb->watch[stop->vtl][index];

	pthread_mutex_lock(&gdb->lock);
	stop->kind = watch->kind == GDB_WATCH_EXECUTE	 ? GDB_STOP_HARDWARE
		     : watch->kind == GDB_WATCH_SOFTWARE ? GDB_STOP_BREAKPOINT
							 : GDB_STOP_WATCH;
	stop->watch = watch->kind;
	stop->address = watch->gva;
	pthread_mutex_unlock(&gdb->lock);
}

/* Whether the INT3 was the original instruction at @gpa, which ends the step over it. */
static bool is_passing(struct vsm_gdb *gdb, struct gdb_vp *self, uint8_t vtl, uint64_t gpa)
{
	bool passing, wanted;

	pthread_mutex_lock(&gdb->lock);
	passing = self->passing && self->passing_gpa == gpa;
	pthread_mutex_unlock(&gdb->lock);
	return passing && pass_end(gdb, self, vtl, &wanted);
}

/* An INT3 was executed. GDB_STOP_NONE: it is no breakpoint of this VTL, and the VP continues. */
static enum gdb_stop_kind software_stop(struct vsm_gdb *gdb, uint32_t vp,
					const struct vsm_exit *exit)
{
	const struct gdb_thread thread = {.vp = vp, .vtl = exit->vtl};
	enum gdb_owner owner = GDB_OWNER_GUEST;
	uint64_t gpa = 0;

	if (!next_instruction(gdb, thread, &gpa) && !is_passing(gdb, &gdb->vp[vp], exit->vtl, gpa))
		owner = gdb_breakpoint_owner(gdb, exit->vtl, gpa);
	switch (owner) {
	case GDB_OWNER_VTL:
		return GDB_STOP_BREAKPOINT;
	case GDB_OWNER_OTHER:
		pass_begin(gdb, &gdb->vp[vp], exit->vtl, gpa);
		break;
	case GDB_OWNER_GUEST:
		*exit->debug.deliver = true;
		break;
	}
	return GDB_STOP_NONE;
}

static void debug_stop(struct vsm_gdb *gdb, uint32_t vp, const struct vsm_exit *exit,
		       struct gdb_stop *stop)
{
	bool step = false;

	if (exit->debug.cause & VSM_DEBUG_STEP)
		step = !pass_end(gdb, &gdb->vp[vp], exit->vtl, &step) || step;
	if (exit->debug.cause & VSM_DEBUG_HARDWARE)
		hardware_stop(gdb, exit->debug.dr6, stop);
	else if (exit->debug.cause & VSM_DEBUG_SOFTWARE)
		stop->kind = software_stop(gdb, vp, exit);
	else if (exit->debug.cause & VSM_DEBUG_VTL_ENTRY)
		stop->kind = GDB_STOP_ENTRY;
	else if (exit->debug.cause & VSM_DEBUG_INTERCEPT)
		stop->kind = GDB_STOP_INTERCEPT;
	else if (step)
		stop->kind = GDB_STOP_STEP;
}

/* True: vsm_gdb_run() returns the exit now. *later: when the client resumes the VP. */
static bool handle_exit(struct vsm_gdb *gdb, uint32_t vp, const struct vsm_exit *exit, bool *later)
{
	struct gdb_vp *self = &gdb->vp[vp];
	struct gdb_stop stop = {.vtl = exit->vtl};

	*later = false;
	switch (exit->reason) {
	case VSM_EXIT_DEBUG:
		debug_stop(gdb, vp, exit, &stop);
		if (stop.kind != GDB_STOP_NONE)
			(void)stop_here(gdb, self, &stop);
		return false;
	case VSM_EXIT_SHUTDOWN:
	case VSM_EXIT_CRASH:
		stop.kind = exit->reason == VSM_EXIT_CRASH ? GDB_STOP_CRASH : GDB_STOP_SHUTDOWN;
		self->exit = *exit;
		*later = stop_here(gdb, self, &stop);
		return !*later;
	default:
		return true;
	}
}

enum turn {
	TURN_RUN,    /* the VP may run */
	TURN_KICKED, /* return to the VMM */
};

static enum turn wait_for_turn(struct vsm_gdb *gdb, struct gdb_vp *self, bool runs)
{
	enum turn turn = TURN_RUN;

	pthread_mutex_lock(&gdb->lock);
	while (!self->resumed && !self->kicked)
		pthread_cond_wait(&gdb->wake, &gdb->lock);
	if (!self->resumed)
		turn = TURN_KICKED;
	else
		self->running = runs;
	self->kicked = false;
	pthread_mutex_unlock(&gdb->lock);
	return turn;
}

/*
 * An exit that the VMM has answered is completed even if the client has stopped the VP, since
 * registers cannot be read until then. The kick ends vsm_vp_run() before guest code runs.
 */
static void complete_answer(struct vsm_gdb *gdb, struct gdb_vp *self)
{
	bool resumed;

	pthread_mutex_lock(&gdb->lock);
	self->running = true;
	resumed = self->resumed;
	pthread_mutex_unlock(&gdb->lock);
	if (!resumed)
		vsm_vp_kick(self->vp);
}

static int run_once(struct vsm_gdb *gdb, uint32_t vp, const struct vsm_exit **exit)
{
	struct gdb_vp *self = &gdb->vp[vp];
	bool waiting;
	int error;

	gdb_settings_apply(gdb, vp);
	error = vsm_vp_run(self->vp, exit);
	self->answering =
		!error && ((*exit)->reason == VSM_EXIT_IO || (*exit)->reason == VSM_EXIT_MMIO ||
			   (*exit)->reason == VSM_EXIT_EOI || (*exit)->reason == VSM_EXIT_INTA);
	pthread_mutex_lock(&gdb->lock);
	self->running = false;
	waiting = gdb->waiting;
	pthread_mutex_unlock(&gdb->lock);
	if (waiting)
		notify(gdb);
	return error;
}

int vsm_gdb_run(struct vsm_gdb *gdb, uint32_t vp, const struct vsm_exit **exit)
{
	struct gdb_vp *self;
	int error;

	if (vp >= gdb->config.vp_count)
		return vsm_error(&gdb->config.log, EINVAL, "gdb: no VP %u", vp);
	self = &gdb->vp[vp];
	for (;;) {
		*exit = &interrupted;
		if (self->answering)
			complete_answer(gdb, self);
		else if (wait_for_turn(gdb, self, !self->due) == TURN_KICKED)
			return 0;
		/* Still due after a kick: the VMM can save the machine before it gets the exit. */
		if (self->due) {
			self->due = false;
			*exit = &self->exit;
			return 0;
		}
		error = run_once(gdb, vp, exit);
		if (error || handle_exit(gdb, vp, *exit, &self->due))
			return error;
	}
}

void vsm_gdb_kick(struct vsm_gdb *gdb, uint32_t vp)
{
	if (vp >= gdb->config.vp_count)
		return;
	pthread_mutex_lock(&gdb->lock);
	gdb->vp[vp].kicked = true;
	pthread_cond_broadcast(&gdb->wake);
	pthread_mutex_unlock(&gdb->lock);
	vsm_vp_kick(gdb->vp[vp].vp);
}
