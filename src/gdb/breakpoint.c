/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints and watchpoints. A software breakpoint is an INT3 in guest memory, where all VTLs see
 * it: the table has a row for each VTL and address.
 */
#include <errno.h>
#include <string.h>

#include "gdb/stub.h"

#define INT3 0xcc

/* The row of a VTL and address, or NULL; with @vtl VSM_VTL_MAX the first free row. Lock held. */
static struct gdb_breakpoint *find(struct vsm_gdb *gdb, uint8_t vtl, uint64_t gva)
{
	for (size_t i = 0; i < GDB_BREAKPOINTS_MAX; i++) {
		struct gdb_breakpoint *row = &gdb->breakpoint[i];

		if (vtl == VSM_VTL_MAX ? !row->used
				       : row->used && row->vtl == vtl && row->gva == gva)
			return row;
	}
	return NULL;
}

/* A row whose instruction is at @gpa, of any VTL. Lock held. */
static struct gdb_breakpoint *find_gpa(struct vsm_gdb *gdb, uint64_t gpa)
{
	for (size_t i = 0; i < GDB_BREAKPOINTS_MAX; i++)
		if (gdb->breakpoint[i].used && gdb->breakpoint[i].gpa == gpa)
			return &gdb->breakpoint[i];
	return NULL;
}

static int write_byte(struct vsm_gdb *gdb, uint64_t gpa, uint8_t byte)
{
	return gdb->config.write(gdb->config.opaque, gpa, &byte, 1);
}

struct trial {
	uint8_t vtl;
	struct vsm_debug debug;
	int error;
};

static void try_settings(struct vsm_vp *vp, void *opaque)
{
	struct trial *trial = opaque;

	trial->error = vsm_vp_debug(vp, trial->vtl, &trial->debug);
}

/* Tries the breakpoints of a VTL, which are the same on all VPs, on one VP. 0 or -errno. */
static int try_on_vp(struct vsm_gdb *gdb, struct gdb_thread thread)
{
	struct trial trial = {.vtl = thread.vtl};
	int error;

	pthread_mutex_lock(&gdb->lock);
	gdb_settings_make(gdb, thread.vp, thread.vtl, &trial.debug);
	pthread_mutex_unlock(&gdb->lock);
	error = vsm_vp_call(gdb->vp[thread.vp].vp, GDB_TIMEOUT_MS, try_settings, &trial);
	return error ? error : trial.error;
}

static int insert_software(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t gva)
{
	struct gdb_breakpoint *row, *same;
	uint64_t gpa;
	uint8_t original;
	int error = gdb_memory_gpa(gdb, thread, gva, &gpa);

	if (!error)
		error = gdb->config.read(gdb->config.opaque, gpa, &original, 1);
	if (error)
		return error;
	pthread_mutex_lock(&gdb->lock);
	row = find(gdb, thread.vtl, gva);
	if (row) {
		/* Packets may be repeated. */
		error = row->gpa == gpa ? 0 : -EEXIST;
		pthread_mutex_unlock(&gdb->lock);
		return error;
	}
	same = find_gpa(gdb, gpa);
	if (same)
		original = same->original;
	row = find(gdb, VSM_VTL_MAX, 0);
	if (row)
		*row = (struct gdb_breakpoint){true, thread.vtl, original, gva, gpa};
	else
		error = -ENOSPC;
	gdb->settings++;
	pthread_mutex_unlock(&gdb->lock);
	if (!error)
		error = try_on_vp(gdb, thread);
	if (!error && !same)
		error = write_byte(gdb, gpa, INT3);
	if (error && row) {
		pthread_mutex_lock(&gdb->lock);
		row->used = false;
		gdb->settings++;
		pthread_mutex_unlock(&gdb->lock);
	}
	return error;
}

/* Writes the original byte back, unless the guest has replaced the instruction. */
static int restore_byte(struct vsm_gdb *gdb, const struct gdb_breakpoint *row)
{
	uint8_t present;

	if (gdb->config.read(gdb->config.opaque, row->gpa, &present, 1))
		return -EFAULT;
	return present == INT3 ? write_byte(gdb, row->gpa, row->original) : 0;
}

static int remove_software(struct vsm_gdb *gdb, uint8_t vtl, uint64_t gva)
{
	struct gdb_breakpoint *row, gone = {0};
	bool last = false;

	pthread_mutex_lock(&gdb->lock);
	row = find(gdb, vtl, gva);
	if (row) {
		gone = *row;
		row->used = false;
		last = !find_gpa(gdb, gone.gpa);
		gdb->settings++;
	}
	pthread_mutex_unlock(&gdb->lock);
	/* Removing a breakpoint that does not exist succeeds: packets may be repeated. */
	return last ? restore_byte(gdb, &gone) : 0;
}

void gdb_breakpoint_hide(struct vsm_gdb *gdb, uint64_t gpa, uint8_t *data, size_t size)
{
	pthread_mutex_lock(&gdb->lock);
	for (size_t i = 0; i < GDB_BREAKPOINTS_MAX; i++) {
		const struct gdb_breakpoint *row = &gdb->breakpoint[i];

		if (row->used && row->gpa - gpa < size && data[row->gpa - gpa] == INT3)
			data[row->gpa - gpa] = row->original;
	}
	pthread_mutex_unlock(&gdb->lock);
}

void gdb_breakpoint_preserve(struct vsm_gdb *gdb, uint64_t gpa, uint8_t *data, size_t size)
{
	pthread_mutex_lock(&gdb->lock);
	/*
	 * Two passes: rows may share a GPA, and all must store the new byte before INT3 replaces
	 * it.
	 */
	for (size_t i = 0; i < GDB_BREAKPOINTS_MAX; i++) {
		struct gdb_breakpoint *row = &gdb->breakpoint[i];

		if (row->used && row->gpa - gpa < size)
			row->original = data[row->gpa - gpa];
	}
	for (size_t i = 0; i < GDB_BREAKPOINTS_MAX; i++) {
		const struct gdb_breakpoint *row = &gdb->breakpoint[i];

		if (row->used && row->gpa - gpa < size)
			data[row->gpa - gpa] = INT3;
	}
	pthread_mutex_unlock(&gdb->lock);
}

enum gdb_owner gdb_breakpoint_owner(struct vsm_gdb *gdb, uint8_t vtl, uint64_t gpa)
{
	enum gdb_owner owner = GDB_OWNER_GUEST;

	pthread_mutex_lock(&gdb->lock);
	for (size_t i = 0; i < GDB_BREAKPOINTS_MAX && owner != GDB_OWNER_VTL; i++)
		if (gdb->breakpoint[i].used && gdb->breakpoint[i].gpa == gpa)
			owner = gdb->breakpoint[i].vtl == vtl ? GDB_OWNER_VTL : GDB_OWNER_OTHER;
	pthread_mutex_unlock(&gdb->lock);
	return owner;
}

void gdb_breakpoint_set_inserted(struct vsm_gdb *gdb, uint64_t gpa, bool inserted)
{
	const struct gdb_breakpoint *row;
	uint8_t byte = INT3;

	pthread_mutex_lock(&gdb->lock);
	row = find_gpa(gdb, gpa);
	if (row && !inserted)
		byte = row->original;
	pthread_mutex_unlock(&gdb->lock);
	/* Without a row the breakpoint was removed, and the original byte restored. */
	if (row)
		(void)write_byte(gdb, gpa, byte);
}

/* The watch with these values, or a free one if @kind is 0. Lock held. */
static struct gdb_watch *find_watch(struct vsm_gdb *gdb, uint8_t vtl, uint64_t kind, uint64_t gva,
				    uint64_t size)
{
	for (size_t i = 0; i < GDB_WATCHES; i++) {
		struct gdb_watch *watch = &gdb->watch[vtl][i];

		if (kind == 0 ? !watch->used
			      : watch->used && watch->kind == kind && watch->gva == gva &&
					watch->size == size)
			return watch;
	}
	return NULL;
}

static void drop_watch(struct vsm_gdb *gdb, uint8_t vtl, uint64_t kind, uint64_t gva, uint64_t size)
{
	struct gdb_watch *watch;

	pthread_mutex_lock(&gdb->lock);
	watch = find_watch(gdb, vtl, kind, gva, size);
	if (watch) {
		watch->used = false;
		gdb->settings++;
	}
	pthread_mutex_unlock(&gdb->lock);
}

/* GDB passes the size of the instruction for execution breakpoints; debug registers need 1. */
static bool watch_size(uint64_t kind, uint64_t gva, uint64_t *size)
{
	if (kind == GDB_WATCH_EXECUTE || kind == GDB_WATCH_SOFTWARE)
		*size = 1;
	return (*size == 1 || *size == 2 || *size == 4 || *size == 8) && !(gva & (*size - 1));
}

static int insert_hardware(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t kind,
			   uint64_t gva, uint64_t size)
{
	struct gdb_watch *watch;
	bool present;
	int error = 0;

	if (!watch_size(kind, gva, &size))
		return -EINVAL;
	pthread_mutex_lock(&gdb->lock);
	present = find_watch(gdb, thread.vtl, kind, gva, size);
	watch = find_watch(gdb, thread.vtl, 0, 0, 0);
	if (!present && watch)
		*watch = (struct gdb_watch){true, (uint8_t)kind, (uint8_t)size, gva};
	else if (!present)
		error = -ENOSPC;
	gdb->settings++;
	pthread_mutex_unlock(&gdb->lock);
	if (error || present)
		return error;
	error = try_on_vp(gdb, thread);
	if (error)
		drop_watch(gdb, thread.vtl, kind, gva, size);
	return error;
}

int gdb_breakpoint_insert(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t kind,
			  uint64_t gva, uint64_t size)
{
	int error;

	if (kind > GDB_WATCH_ACCESS)
		return -EINVAL;
	if (kind)
		return insert_hardware(gdb, thread, kind, gva, size);
	error = insert_software(gdb, thread, gva);
	if (error == -ENOTSUP)
		error = insert_hardware(gdb, thread, GDB_WATCH_SOFTWARE, gva, size);
	return error;
}

int gdb_breakpoint_remove(struct vsm_gdb *gdb, struct gdb_thread thread, uint64_t kind,
			  uint64_t gva, uint64_t size)
{
	if (kind == 0) {
		drop_watch(gdb, thread.vtl, GDB_WATCH_SOFTWARE, gva, 1);
		return remove_software(gdb, thread.vtl, gva);
	}
	if (kind > GDB_WATCH_ACCESS || !watch_size(kind, gva, &size))
		return -EINVAL;
	drop_watch(gdb, thread.vtl, kind, gva, size);
	return 0;
}

void gdb_breakpoint_remove_all(struct vsm_gdb *gdb)
{
	pthread_mutex_lock(&gdb->lock);
	memset(gdb->watch, 0, sizeof(gdb->watch));
	gdb->stop_entry = 0;
	gdb->stop_intercept = 0;
	gdb->settings++;
	pthread_mutex_unlock(&gdb->lock);
	/* Only the thread that serves the client changes rows: it reads them without the lock. */
	for (size_t i = 0; i < GDB_BREAKPOINTS_MAX; i++)
		if (gdb->breakpoint[i].used)
			(void)remove_software(gdb, gdb->breakpoint[i].vtl, gdb->breakpoint[i].gva);
}
