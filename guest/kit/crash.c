/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/console.h"

#include <vsm/hv/hv.h>

#include "kit/hypercall.h"
#include "kit/x64.h"

#define TEXT_SIZE 256u

/* One text for all VPs: if two crash at the same time, either text is reported. */
static __attribute__((aligned(TEXT_SIZE))) char text[TEXT_SIZE];

/* The VMM reads the text with the rights of this VTL; GVA and GPA are equal. */
static void report(uint32_t size)
{
	if (!(hypercall_features() & HV_FEATURE(GUEST_CRASH_REGS)))
		return;
	for (uint32_t msr = HV_X64_MSR_CRASH_P0; msr < HV_X64_MSR_CRASH_P3; msr++)
		wrmsr(msr, 0);
	wrmsr(HV_X64_MSR_CRASH_P3, (uint64_t)text);
	wrmsr(HV_X64_MSR_CRASH_P4, size);
	wrmsr(HV_X64_MSR_CRASH_CTL, HV_CRASH_CTL_NOTIFY | HV_CRASH_CTL_MESSAGE);
}

_Noreturn void machine_crash(const char *format, ...)
{
	va_list arguments;
	uint32_t size;

	va_start(arguments, format);
	size = print_into(text, sizeof(text), format, arguments);
	va_end(arguments);
	print("Bail out! %s\n", text);
	report(size);
	machine_exit(EXIT_STATUS_CRASH);
}
