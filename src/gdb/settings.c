/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the settings for vsm_vp_debug() from breakpoints, steps and stops. */
#include "gdb/stub.h"

/* DR7 (SDM 3B 18.2.4): L0 to L3 enable, R/W and LEN of each register. */
#define DR7_LOCAL(register)  (UINT64_C(1) << 2 * (register))
#define DR7_FIELDS(register) (16 + 4 * (register))

/* The bits R/W and LEN of a watch. */
static uint64_t fields_of(const struct gdb_watch *watch)
{
	/* x86 has no breakpoint for reads only: GDB_WATCH_READ stops at writes, too. */
	static const uint8_t access[] = {
		[GDB_WATCH_EXECUTE] = 0, [GDB_WATCH_WRITE] = 1,	   [GDB_WATCH_READ] = 3,
		[GDB_WATCH_ACCESS] = 3,	 [GDB_WATCH_SOFTWARE] = 0,
	};
	static const uint8_t length[] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};

	return (uint64_t)access[watch->kind] | (uint64_t)length[watch->size] << 2;
}

static bool has_software(const struct vsm_gdb *gdb)
{
	for (size_t i = 0; i < GDB_BREAKPOINTS_MAX; i++)
		if (gdb->breakpoint[i].used)
			return true;
	return false;
}

void gdb_settings_make(const struct vsm_gdb *gdb, uint32_t vp, uint8_t vtl, struct vsm_debug *debug)
{
	const struct gdb_vp *self = &gdb->vp[vp];

	*debug = (struct vsm_debug){.size = sizeof(*debug)};
	for (unsigned int i = 0; i < GDB_WATCHES; i++) {
		const struct gdb_watch *watch = &gdb->watch[vtl][i];

		if (!watch->used)
			continue;
		debug->flags |= VSM_DEBUG_HARDWARE;
		debug->dr[i] = watch->gva;
		debug->dr7 |= DR7_LOCAL(i) | fields_of(watch) << DR7_FIELDS(i);
	}
	/* Any VTL may execute the INT3 of any breakpoint in memory that VTLs share. */
	if (has_software(gdb))
		debug->flags |= VSM_DEBUG_SOFTWARE;
	if ((self->steps >> vtl & 1) || (self->passing && self->passing_vtl == vtl))
		debug->flags |= VSM_DEBUG_STEP;
	if (gdb->stop_entry >> vtl & 1)
		debug->flags |= VSM_DEBUG_VTL_ENTRY;
	if (gdb->stop_intercept >> vtl & 1)
		debug->flags |= VSM_DEBUG_INTERCEPT;
}

void gdb_settings_apply(struct vsm_gdb *gdb, uint32_t vp)
{
	struct gdb_vp *self = &gdb->vp[vp];
	struct vsm_debug debug[VSM_VTL_MAX];
	bool changed;

	pthread_mutex_lock(&gdb->lock);
	changed = self->settings != gdb->settings;
	self->settings = gdb->settings;
	for (uint8_t vtl = 0; changed && vtl < gdb->config.vtl_count; vtl++)
		gdb_settings_make(gdb, vp, vtl, &debug[vtl]);
	pthread_mutex_unlock(&gdb->lock);
	/* A failure is not expected: try_on_vp() has tried the breakpoints. */
	for (uint8_t vtl = 0; changed && vtl < gdb->config.vtl_count; vtl++)
		(void)vsm_vp_debug(self->vp, vtl, &debug[vtl]);
}
