/* SPDX-License-Identifier: BSD-2-Clause */
/* The cases of lapic_diff.c in which KVM's and libvsm's local APICs differ. */
#ifndef LAPIC_DEVIATIONS_H
#define LAPIC_DEVIATIONS_H

#include "lapic_machine.h"

enum {
	LAPIC_DEVIATIONS = 17
};

/* Run on a new machine with vCPUs 0 to 2 in xAPIC mode and vCPU 3 in x2APIC mode. */
struct lapic_deviation {
	bool (*holds)(struct machine *m);
	const char *name;
};

extern const struct lapic_deviation lapic_deviations[LAPIC_DEVIATIONS];

#endif
