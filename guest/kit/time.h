/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting, with an end. */
#ifndef KIT_TIME_H
#define KIT_TIME_H

#include <stdint.h>

#include "kit/x64.h"

/* TSC ticks in a millisecond: from the hypervisor or CPUID, else a guess on the slow side. */
uint64_t time_ticks_per_ms(void);

void time_delay_ms(uint64_t ms);

/* Long enough for anything that is going to happen, on a slow and busy machine too. */
#define TIME_PATIENCE_MS 5000

/* True as soon as @condition is, false if it is not within @ms. */
#define wait_for_ms(condition, ms)                                              \
	({                                                                      \
		const uint64_t end_ = rdtsc() + (ms)*time_ticks_per_ms();       \
		bool done_;                                                     \
                                                                                \
		while (!(done_ = (condition)) && (int64_t)(end_ - rdtsc()) > 0) \
			pause();                                                \
		done_ || (condition);                                           \
	})
#define wait_for(condition) wait_for_ms(condition, TIME_PATIENCE_MS)

#endif
