/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/core.h"

#define NUMBER(name, number, reset) [VCPU_MSR_##name] = (number),
const uint32_t vcpu_msr_number[VCPU_MSR_COUNT] = {VCPU_MSRS(NUMBER)};
#undef NUMBER

#define RESET(name, number, reset) [VCPU_MSR_##name] = (reset),
const uint64_t vcpu_msr_reset[VCPU_MSR_COUNT] = {VCPU_MSRS(RESET)};
#undef RESET

unsigned int vcpu_msr_find(uint32_t msr)
{
	unsigned int which = 0;

	while (which < VCPU_MSR_COUNT && vcpu_msr_number[which] != msr)
		which++;
	return which;
}
