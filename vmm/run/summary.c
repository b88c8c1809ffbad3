/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "run/parts.h"
#include "run/run.h"

void vmm_summary(const struct vmm_guest *guest, int status, const char *end, double seconds)
{
	struct vsm_counters sum = {0};

	for (uint32_t i = 0; i < guest->config->cpus; i++) {
		struct vsm_counters one;

		vsm_vp_counters(guest->processor[i].vp, &one);
		sum.exits += one.exits;
		sum.vtl_switches += one.vtl_switches;
		sum.intercepts += one.intercepts;
	}
	if (guest->journal)
		fputs(status == VMM_CRASHED ? "<3>" : "<6>", stderr);
	fprintf(stderr, "vsm: %s after %.3f s: %llu exits, %llu VTL switches, %llu intercepts", end,
		seconds, (unsigned long long)sum.exits, (unsigned long long)sum.vtl_switches,
		(unsigned long long)sum.intercepts);
	if (guest->resets)
		fprintf(stderr, ", %u resets", guest->resets);
	fputc('\n', stderr);
}
