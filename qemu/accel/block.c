/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refuses disks whose data the host's kernel or hardware transfers directly to pages of the guest: the host
 * pins these pages, and would still access them if VTL1 restricts them during the transfer. */
#include "qemu/osdep.h"
#include "accel.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

typedef int open_fn(BlockDriverState *bs, QDict *options, int flags, Error **errp);
typedef int reopen_fn(BDRVReopenState *state, BlockReopenQueue *queue, Error **errp);

/* A block driver of QEMU, whose methods open and reopen are replaced. */
struct driver {
	const char *name;
	bool always; /* refused regardless of cache.direct */
	BlockDriver *driver;
	open_fn *open;
	reopen_fn *reopen;
};

static struct driver drivers[] = {
	{.name = "file"},
	{.name = "host_device"},
	{.name = "host_cdrom"},
	{.name = "nvme", .always = true},
	{.name = "io_uring", .always = true},
	{.name = "nvme-io_uring", .always = true},
	{.name = "virtio-blk-vfio-pci", .always = true},
	{.name = "virtio-blk-vhost-user", .always = true},
	{.name = "virtio-blk-vhost-vdpa", .always = true},
};

static const struct driver *driver_of(const BlockDriverState *bs)
{
	for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++)
		if (bs->drv && drivers[i].driver == bs->drv)
			return &drivers[i];
	return NULL;
}

static bool is_refused(const struct driver *driver, int flags, Error **errp)
{
	if (driver->always)
		error_setg(errp,
			   "vsm: a disk by %s is refused: it transfers past the rights of VTL0",
			   driver->name);
	else if (flags & BDRV_O_NOCACHE)
		error_setg(
			errp,
			"vsm: cache.direct=on (cache=none, cache=directsync) is refused: the host "
			"transfers such a disk past the rights of VTL0; use cache=writeback");
	else
		return false;
	return true;
}

static int checked_open(BlockDriverState *bs, QDict *options, int flags, Error **errp)
{
	const struct driver *driver = driver_of(bs);

	return is_refused(driver, flags, errp) ? -EPERM : driver->open(bs, options, flags, errp);
}

static int checked_reopen(BDRVReopenState *state, BlockReopenQueue *queue, Error **errp)
{
	const struct driver *driver = driver_of(state->bs);

	return is_refused(driver, state->flags, errp) ? -EPERM : driver->reopen(state, queue, errp);
}

/* Checks the disks of the command line, which QEMU opens before it creates the accelerator. */
static bool check_open_disks(void)
{
	bool good = true;

	for (BlockDriverState *bs = bdrv_next_node(NULL); bs; bs = bdrv_next_node(bs)) {
		const struct driver *driver = driver_of(bs);
		Error *error = NULL;

		if (!driver || !is_refused(driver, bs->open_flags, &error))
			continue;
		error_report_err(error);
		good = false;
	}
	return good;
}

bool vsm_block_init(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
		struct driver *driver = &drivers[i];

		driver->driver = bdrv_find_format(driver->name);
		if (!driver->driver)
			continue;
		driver->open = driver->driver->bdrv_open;
		driver->driver->bdrv_open = checked_open;
		driver->reopen = driver->driver->bdrv_reopen_prepare;
		if (driver->reopen)
			driver->driver->bdrv_reopen_prepare = checked_reopen;
	}
	return check_open_disks();
}
