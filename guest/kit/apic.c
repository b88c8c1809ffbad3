/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/apic.h"

#include "kit/x64.h"

#define APIC_PAGE	0xfee00000ull
#define X2APIC_MSR	0x800
#define ICR_PENDING	0x1000
#define ICR_HIGH	0x31
#define SPURIOUS_VECTOR 0xff

bool apic_x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

static volatile uint32_t *page(uint32_t number)
{
	return (volatile uint32_t *)(APIC_PAGE + 16ull * number);
}

uint32_t apic_read(uint32_t number)
{
	return apic_x2apic() ? (uint32_t)rdmsr(X2APIC_MSR + number) : *page(number);
}

void apic_write(uint32_t number, uint32_t value)
{
	if (apic_x2apic())
		wrmsr(X2APIC_MSR + number, value);
	else
		*page(number) = value;
}

uint32_t apic_id(void)
{
	return apic_x2apic() ? (uint32_t)rdmsr(X2APIC_MSR + APIC_ID) : *page(APIC_ID) >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_enable(void)
{
	apic_write(APIC_SPURIOUS, APIC_SOFTWARE_ENABLED | SPURIOUS_VECTOR);
}

void apic_send(uint32_t destination, uint32_t command)
{
	if (apic_x2apic()) {
		wrmsr(X2APIC_MSR + APIC_ICR, (uint64_t)destination << 32 | command);
		return;
	}
	*page(ICR_HIGH) = destination << 24;
	*page(APIC_ICR) = command;
	while (*page(APIC_ICR) & ICR_PENDING)
		pause();
}
