/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's crash report (TLFS "Partition Crash Enlightenment"). */
#ifndef CORE_CRASH_H
#define CORE_CRASH_H

#include "core/core.h"

/* HV_X64_MSR_CRASH_P0 to CRASH_CTL. */
bool crash_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool crash_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);

/* Fills vp->exit with the report that is due. Owner. */
void crash_exit(struct vsm_vp *vp);

#endif
