/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that both state formats use. */
#ifndef LAPIC_STATE_H
#define LAPIC_STATE_H

#include "internal.h"

/* The first field of @state that is not legal for @apic, or NULL. Changes nothing. */
const char *lapic_check_state(const struct vsm_lapic *apic, const struct vsm_lapic_state *state);

/* Loads a state that lapic_check_state() has accepted. */
void lapic_apply_state(struct vsm_lapic *apic, const struct vsm_lapic_state *state);

#endif
