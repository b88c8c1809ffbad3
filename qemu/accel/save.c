/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots, and migration of a guest that is stopped. QEMU's stream gets the partition's state behind
 * that of all devices, since that needs memory at the GPAs where PAM registers and BARs have it.
 *
 * QEMU reads and writes RAM by the mapping that devices use: its guard is suspended meanwhile, and no
 * CPU runs. A guest that runs is not migrated, since its writes to memory are not recorded.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "migration/register.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-migration.h"
#include "qemu/error-report.h"
#include "system/runstate.h"

enum {
	STATE_MAX = 256 << 20 /* bytes, of a stream */
};

/* ------------------------------------------------------------------ the guard */

static int suspend(VsmState *vsm, Error **errp)
{
	int error;

	if (!vsm_is_guarded(vsm) || vsm->suspended)
		return 0;
	error = vsm_memory_guard(vsm->partition, false);
	if (error)
		error_setg_errno(errp, -error, "vsm: the guard of memory cannot be suspended");
	vsm->suspended = !error;
	return error;
}

/* No CPU runs without it (cpu.c). */
static int resume(VsmState *vsm)
{
	if (!vsm->suspended)
		return 0;
	if (vsm_memory_guard(vsm->partition, true)) {
		error_report("vsm: the guard of memory cannot be resumed, and no CPU can run");
		return -EIO;
	}
	vsm->suspended = false;
	return 0;
}

static int refuse_running(Error **errp)
{
	if (!runstate_is_running())
		return 0;
	error_setg(errp, "vsm: a guest that runs cannot be migrated: its writes to memory are not "
			 "recorded; stop it before");
	return -EBUSY;
}

static int save_prepare(void *opaque, Error **errp)
{
	return refuse_running(errp);
}

static int save_setup(QEMUFile *f, void *opaque, Error **errp)
{
	int error = refuse_running(errp);

	return error ? error : suspend(opaque, errp);
}

static void save_cleanup(void *opaque)
{
	resume(opaque);
}

static int load_setup(QEMUFile *f, void *opaque, Error **errp)
{
	return suspend(opaque, errp);
}

static int load_cleanup(void *opaque)
{
	return resume(opaque);
}

/* The section has no data. */
static int load_state(QEMUFile *f, void *opaque, int version)
{
	return 0;
}

static const SaveVMHandlers handlers = {
	.save_prepare = save_prepare,
	.save_setup = save_setup,
	.save_cleanup = save_cleanup,
	.load_setup = load_setup,
	.load_cleanup = load_cleanup,
	.load_state = load_state,
};

/* The guest is continued while it is saved: the file would be of no moment, and is given up. */
static void on_change(void *opaque, bool running, RunState state)
{
	VsmState *vsm = opaque;

	if (!running || !vsm->suspended)
		return;
	error_report("vsm: the guest runs again: migration is cancelled");
	qmp_migrate_cancel(NULL);
	resume(vsm);
}

/* ------------------------------------------------------------------ the partition's state */

static int append(void *opaque, const void *data, size_t size)
{
	g_byte_array_append(opaque, data, size);
	return 0;
}

static int pre_save(void *opaque)
{
	VsmState *vsm = opaque;
	GByteArray *bytes = g_byte_array_new();
	int error = vsm_partition_save(vsm->partition, append, bytes);

	if (!error && bytes->len > STATE_MAX)
		error = -EFBIG;
	g_free(vsm->state);
	vsm->state_size = bytes->len;
	vsm->state = g_byte_array_free(bytes, FALSE);
	return error;
}

static int post_save(void *opaque)
{
	VsmState *vsm = opaque;

	g_free(vsm->state);
	vsm->state = NULL;
	return 0;
}

static bool has_valid_size(void *opaque, int version)
{
	return ((VsmState *)opaque)->state_size <= STATE_MAX;
}

static int pre_load(void *opaque)
{
	return post_save(opaque);
}

/* libvsm checks all of it before anything changes, and logs what does not fit. */
static int post_load(void *opaque, int version)
{
	VsmState *vsm = opaque;
	int error = vsm_partition_restore(vsm->partition, vsm->state, vsm->state_size);

	post_save(vsm);
	if (!error)
		vsm_pic_update();
	return error;
}

static const VMStateDescription vmstate = {
	.name = "vsm",
	.version_id = 1,
	.minimum_version_id = 1,
	.pre_save = pre_save,
	.post_save = post_save,
	.pre_load = pre_load,
	.post_load = post_load,
	.fields =
		(const VMStateField[]){
			VMSTATE_UINT32(state_size, VsmState),
			VMSTATE_VALIDATE("size of the state of the partition", has_valid_size),
			VMSTATE_VBUFFER_ALLOC_UINT32(state, VsmState, 0, NULL, state_size),
			VMSTATE_END_OF_LIST(),
		},
};

void vsm_save_init(VsmState *vsm)
{
	register_savevm_live("vsm-guard", 0, 1, &handlers, vsm);
	vmstate_register(NULL, 0, &vmstate, vsm);
	qemu_add_vm_change_state_handler_prio(on_change, vsm, INT_MIN);
}
