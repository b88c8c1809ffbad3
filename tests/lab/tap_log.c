/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include <vsm/vsm.h>

#include "tap.h"

void tap_log(void *opaque, const struct vsm_log_record *record)
{
	(void)opaque;
	printf("# %s: %s (%s:%d, errno %d)\n", vsm_log_level_name(record->level), record->text,
	       record->file, record->line, record->error);
}
