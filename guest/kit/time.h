/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KIT_TIME_H
#define KIT_TIME_H

#include <stdint.h>

#include "kit/x64.h"

/* TSC ticks per millisecond: from the hypervisor, or a guess that is high for most CPUs. */
uint64_t time_ticks_per_ms(void);

void time_delay_ms(uint64_t ms);

/* A time limit for events that must happen, also on a slow and busy host. */
#define TIME_LIMIT_MS 5000

/* Waits until @condition is true; evaluates to false after @ms. */
#define wait_for_ms(condition, ms)                                              \
	({                                                                      \
		const uint64_t end_ = rdtsc() + (ms)*time_ticks_per_ms();       \
		bool done_;                                                     \
                                                                                \
		while (!(done_ = (condition)) && (int64_t)(end_ - rdtsc()) > 0) \
			pause();                                                \
		done_ || (condition);                                           \
	})
#define wait_for(condition) wait_for_ms(condition, TIME_LIMIT_MS)

#endif
