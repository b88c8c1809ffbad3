/* SPDX-License-Identifier: BSD-2-Clause */
/* The result of a failed walk, and the fault that a CPU would raise. */
#ifndef WALK_FAULT_H
#define WALK_FAULT_H

#include "walk.h"

/* The reason that a CPU would report if several accesses fail. */
enum vsm_walk_reason walk_reason_of(unsigned int failed, const uint8_t why[3]);

/* Completes the result of a walk that ended for @reason, which is not VSM_WALK_OK. */
void walk_explain(struct walk *walk, enum vsm_walk_reason reason);

#endif
