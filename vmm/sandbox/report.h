/* SPDX-License-Identifier: BSD-2-Clause */
/* A refused system call, as the value of a queued signal. */
#ifndef VMM_SANDBOX_REPORT_H
#define VMM_SANDBOX_REPORT_H

#include <stdint.h>

union vmm_report {
	struct {
		uint16_t call;
		char thread[6]; /* the first bytes of its name */
	};
	void *pointer;
	uint64_t number;
};

_Static_assert(sizeof(union vmm_report) == sizeof(void *),
	       "a report must fit into the value of a signal");

#endif
