/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/time.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"

#define GUESS_HZ 4000000000ull

uint64_t time_ticks_per_ms(void)
{
	static uint64_t ticks;

	if (!ticks) {
		const struct cpuid highest = cpuid(HV_CPUID_VENDOR_AND_MAX_FUNCTION, 0);
		uint64_t hz = 0;

		if (highest.ebx == HV_CPUID_VENDOR_EBX &&
		    cpuid(HV_CPUID_FEATURES, 0).eax & HV_PRIVILEGE(ACCESS_FREQUENCY_REGS))
			hz = rdmsr(HV_X64_MSR_TSC_FREQUENCY);
		ticks = (hz ? hz : GUESS_HZ) / 1000;
	}
	return ticks;
}

void time_delay_ms(uint64_t ms)
{
	(void)wait_for_ms(false, ms);
}
