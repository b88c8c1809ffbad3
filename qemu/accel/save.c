/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Migration and snapshots are refused: QEMU's stream has neither the partition's state nor the pages
 * that VTL0 may not read, and writes of the guest are not recorded.
 */
#include "qemu/osdep.h"
#include "accel.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

bool vsm_save_init(VsmState *vsm)
{
	Error *error = NULL;

	error_setg(&vsm->blocker, "vsm: migration and snapshots are not supported");
	if (migrate_add_blocker(&vsm->blocker, &error) < 0) {
		error_report_err(error);
		return false;
	}
	return true;
}
