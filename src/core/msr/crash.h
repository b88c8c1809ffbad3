/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's crash report (TLFS "Partition Crash Enlightenment"): five parameters and a control
 * word of the partition, and a text that the VMM gets with them.
 */
#ifndef CORE_CRASH_H
#define CORE_CRASH_H

#include "core/core.h"

/* HV_X64_MSR_CRASH_P0 to CRASH_CTL: read_fn and write_fn of msr/msr.c. */
bool crash_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
bool crash_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);

/* Fills vp->exit with the report that is due. Only the owner. */
void crash_exit(struct vsm_vp *vp);

#endif
