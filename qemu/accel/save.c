/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots and migration. The partition's state follows the state of all devices in QEMU's stream, since
 * loading requires memory at the GPAs that PAM registers and BARs select. While a stream is loaded, no CPU
 * runs and the guard of memory is suspended; denied pages are not in memory during that time (private.c).
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "qapi/qapi-types-migration.h"
#include "migration/options.h"
#include "migration/postcopy-ram.h"
#include "migration/qemu-file.h"
#include "migration/register.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

enum {
	STATE_MAX = 256 << 20 /* maximum of the partition's state, in bytes */
};

#define RUNS_BEFORE "the guest would run before its protections are active"
#define HOLDS_PAGES "the host would transfer pages that it holds, whatever VTL1 restricts meanwhile"

static const struct {
	bool (*is_on)(void);
	const char *name; /* capability or parameter */
	const char *why;
} refusals[] = {
	{migrate_postcopy_ram, "postcopy-ram", RUNS_BEFORE},
	{migrate_colo, "x-colo", RUNS_BEFORE},
	{migrate_background_snapshot, "background-snapshot",
	 "it needs a userfaultfd for memory, which the guard of memory already uses"},
	{migrate_ignore_shared, "x-ignore-shared",
	 "devices would have memory of VTL1 before its protections are active"},
	{migrate_zero_copy_send, "zero-copy-send", HOLDS_PAGES},
	{migrate_direct_io, "direct-io", HOLDS_PAGES},
	{migrate_rdma, "RDMA", HOLDS_PAGES},
};

static bool check_refusals(Error **errp)
{
	for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
		if (refusals[i].is_on()) {
			error_setg(errp, "vsm: migration with %s is refused: %s", refusals[i].name,
				   refusals[i].why);
			return false;
		}
	}
	if (migrate_mode() != MIG_MODE_NORMAL) {
		error_setg(errp,
			   "vsm: migration with mode %s is refused: memory would be passed on "
			   "as it is, open to devices before its protections are active",
			   MigMode_str(migrate_mode()));
		return false;
	}
	return true;
}

/* Called when postcopy-ram is enabled in a QEMU that waits for a stream. */
static int on_postcopy(NotifierWithReturn *notifier, void *opaque, Error **errp)
{
	if (((struct PostcopyNotifyData *)opaque)->reason != POSTCOPY_NOTIFY_PROBE)
		return 0;
	error_setg(errp, "vsm: migration with postcopy-ram is refused: " RUNS_BEFORE);
	return -ENOTSUP;
}

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

/* After a failure no CPU runs (cpu.c). */
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

/* Called before QEMU's first dirty sync. */
static int save_prepare(void *opaque, Error **errp)
{
	if (vsm_debug_has_int3(opaque)) {
		error_setg(
			errp,
			"vsm: memory contains breakpoints of GDB: interrupt the guest in GDB, or "
			"delete them");
		return -EBUSY;
	}
	return check_refusals(errp) && vsm_private_begin(opaque, errp) ? 0 : -ENOTSUP;
}

/* Refuses features that depend on the connection, such as RDMA. */
static int save_setup(QEMUFile *f, void *opaque, Error **errp)
{
	VsmState *vsm = opaque;

	if (!check_refusals(errp))
		return -ENOTSUP;
	vsm->save_thread = qemu_get_thread_id();
	/* The target calls load_state() for this part of the section, too, which reads up to RECORD_END. */
	vsm_private_send(vsm, f, false);
	return 0;
}

static void save_cleanup(void *opaque)
{
	vsm_private_end(opaque);
}

static int save_live_iterate(QEMUFile *f, void *opaque)
{
	return vsm_private_send(opaque, f, false);
}

static int save_live_complete(QEMUFile *f, void *opaque)
{
	vsm_private_send(opaque, f, true);
	return qemu_file_get_error(f);
}

static void state_pending(void *opaque, uint64_t *must_precopy, uint64_t *can_postcopy)
{
	*must_precopy += vsm_private_pending(opaque);
}

static int load_setup(QEMUFile *f, void *opaque, Error **errp)
{
	if (!check_refusals(errp) || !vsm_private_begin(opaque, errp))
		return -ENOTSUP;
	return suspend(opaque, errp);
}

static int load_cleanup(void *opaque)
{
	vsm_private_end(opaque);
	return resume(opaque);
}

static int load_state(QEMUFile *f, void *opaque, int version)
{
	return vsm_private_receive(opaque, f);
}

static const SaveVMHandlers handlers = {
	.save_prepare = save_prepare,
	.save_setup = save_setup,
	.save_cleanup = save_cleanup,
	.save_live_iterate = save_live_iterate,
	.save_complete = save_live_complete,
	.state_pending_estimate = state_pending,
	.state_pending_exact = state_pending,
	.load_setup = load_setup,
	.load_cleanup = load_cleanup,
	.load_state = load_state,
};

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

/* libvsm checks the whole state before any change, and logs the reason of a refusal. */
static int post_load(void *opaque, int version)
{
	VsmState *vsm = opaque;
	int error = vsm_partition_restore(vsm->partition, vsm->state, vsm->state_size);

	post_save(vsm);
	if (!error)
		error = resume(vsm);
	if (error)
		return error;
	vsm_private_apply(vsm);
	vsm_pic_update();
	return 0;
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
	vsm_private_init(vsm);
	register_savevm_live("vsm-memory", 0, 1, &handlers, vsm);
	vmstate_register(NULL, 0, &vmstate, vsm);
	vsm->postcopy.notify = on_postcopy;
	postcopy_add_notifier(&vsm->postcopy);
}
