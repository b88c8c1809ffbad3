/* SPDX-License-Identifier: BSD-2-Clause */
/* Register accesses: the page of xAPIC mode, MSRs, and the hypercalls on VP registers. */
#include "internal.h"
#include "registers.h"

/* SDM 11.5.3, bit 7: an access to a reserved address in the page sets a bit in the ESR. */
static void reserved_address(struct vsm_lapic *apic, struct vsm_lapic_effect *effect)
{
	lapic_error(apic, VSM_LAPIC_ESR_ILLEGAL_ADDRESS);
	effect->flags |= VSM_LAPIC_EFFECT_PENDING;
}

bool vsm_lapic_mmio_read(struct vsm_lapic *apic, uint64_t now, uint32_t offset, uint32_t size,
			 uint64_t *value, struct vsm_lapic_effect *effect)
{
	struct lapic_access a = {
		.apic = apic, .now = now, .effect = effect, .reg = offset / 16, .wide = false};
	const struct lapic_register *r = lapic_register(apic, a.reg);
	uint32_t byte = offset % 16;

	*value = 0;
	*effect = (struct vsm_lapic_effect){0};
	if (vsm_lapic_mode(apic) != VSM_LAPIC_XAPIC || offset >= VSM_LAPIC_PAGE_SIZE)
		return false;
	if (!r || !(r->access & (LAPIC_PAGE_READ | LAPIC_PAGE_WRITE))) {
		reserved_address(apic, effect);
		return true;
	}
	if (!(r->access & LAPIC_PAGE_READ) || byte >= 4)
		return true;
	r->read(&a);
	*value = (uint32_t)a.value >> (8 * byte);
	if (size < 4)
		*value &= (1u << (8 * size)) - 1;
	return true;
}

bool vsm_lapic_mmio_write(struct vsm_lapic *apic, uint64_t now, uint32_t offset, uint32_t size,
			  uint64_t value, struct vsm_lapic_effect *effect)
{
	struct lapic_access a = {
		.apic = apic, .now = now, .effect = effect, .reg = offset / 16, .wide = false};
	const struct lapic_register *r = lapic_register(apic, a.reg);

	*effect = (struct vsm_lapic_effect){0};
	if (vsm_lapic_mode(apic) != VSM_LAPIC_XAPIC || offset >= VSM_LAPIC_PAGE_SIZE)
		return false;
	if (!r || !(r->access & (LAPIC_PAGE_READ | LAPIC_PAGE_WRITE)))
		reserved_address(apic, effect);
	else if (r->access & LAPIC_PAGE_WRITE && size == 4 && offset % 16 == 0) {
		a.value = value & lapic_writable_bits(&a, r);
		r->write(&a);
	}
	return true;
}

static bool read_msr_form(struct vsm_lapic *apic, uint64_t now, uint32_t reg, uint64_t *value)
{
	struct lapic_access a = {.apic = apic, .now = now, .reg = reg, .wide = true};
	const struct lapic_register *r = lapic_register(apic, reg);

	if (!r || !(r->access & LAPIC_MSR_READ))
		return false;
	r->read(&a);
	*value = a.value;
	return true;
}

static bool write_msr_form(struct vsm_lapic *apic, uint64_t now, uint32_t reg, uint64_t value,
			   struct vsm_lapic_effect *effect)
{
	struct lapic_access a = {.apic = apic,
				 .now = now,
				 .value = value,
				 .effect = effect,
				 .reg = reg,
				 .wide = true};
	const struct lapic_register *r = lapic_register(apic, reg);

	if (!r || !(r->access & LAPIC_MSR_WRITE))
		return false;
	a.value &= lapic_writable_bits(&a, r);
	/* SDM 11.12.1.3: a reserved bit that is set faults. */
	if (value & ~(a.value | lapic_read_only_bits(&a, r)))
		return false;
	r->write(&a);
	return true;
}

bool vsm_lapic_get_register(struct vsm_lapic *apic, uint64_t now, uint32_t reg, uint64_t *value)
{
	*value = 0;
	return read_msr_form(apic, now, reg, value);
}

bool vsm_lapic_set_register(struct vsm_lapic *apic, uint64_t now, uint32_t reg, uint64_t value,
			    struct vsm_lapic_effect *effect)
{
	*effect = (struct vsm_lapic_effect){0};
	return vsm_lapic_mode(apic) != VSM_LAPIC_DISABLED &&
	       write_msr_form(apic, now, reg, value, effect);
}

/*
 * The value written to the synthetic EOI is ignored: Windows' secure kernel leaves stale bits in
 * EDX. Reserved bits of the synthetic ICR are ignored in xAPIC mode and fault in x2APIC mode.
 */
static bool write_synthetic(struct vsm_lapic *apic, uint64_t now, uint32_t msr, uint64_t value,
			    struct vsm_lapic_effect *effect)
{
	switch (msr) {
	case VSM_LAPIC_MSR_HV_EOI:
		return write_msr_form(apic, now, 0x0b, 0, effect);
	case VSM_LAPIC_MSR_HV_ICR:
		if (vsm_lapic_mode(apic) == VSM_LAPIC_XAPIC)
			value &= 0xff00000000000000ull | LAPIC_ICR_LOW_BITS;
		return write_msr_form(apic, now, 0x30, value, effect);
	case VSM_LAPIC_MSR_HV_TPR:
		return write_msr_form(apic, now, 0x08, value, effect);
	default:
		return false;
	}
}

bool vsm_lapic_msr_read(struct vsm_lapic *apic, uint64_t now, uint32_t msr, uint64_t *value)
{
	*value = 0;
	switch (msr) {
	case VSM_LAPIC_MSR_BASE:
		*value = apic->apic_base;
		return true;
	case VSM_LAPIC_MSR_TSC_DEADLINE:
		*value = apic->tsc_deadline;
		return apic->config.flags & VSM_LAPIC_HAS_DEADLINE;
	case VSM_LAPIC_MSR_HV_ICR:
		return read_msr_form(apic, now, 0x30, value);
	case VSM_LAPIC_MSR_HV_TPR:
		return read_msr_form(apic, now, 0x08, value);
	default:
		return msr >= VSM_LAPIC_MSR_X2APIC_FIRST && msr <= VSM_LAPIC_MSR_X2APIC_LAST &&
		       vsm_lapic_mode(apic) == VSM_LAPIC_X2APIC &&
		       read_msr_form(apic, now, msr - VSM_LAPIC_MSR_X2APIC_FIRST, value);
	}
}

bool vsm_lapic_msr_write(struct vsm_lapic *apic, uint64_t now, uint32_t msr, uint64_t value,
			 struct vsm_lapic_effect *effect)
{
	*effect = (struct vsm_lapic_effect){0};
	switch (msr) {
	case VSM_LAPIC_MSR_BASE:
		return lapic_write_base(apic, value, effect);
	case VSM_LAPIC_MSR_TSC_DEADLINE:
		if (!(apic->config.flags & VSM_LAPIC_HAS_DEADLINE))
			return false;
		lapic_timer_set_deadline(apic, value);
		effect->flags |= VSM_LAPIC_EFFECT_TIMER;
		return true;
	case VSM_LAPIC_MSR_HV_EOI:
	case VSM_LAPIC_MSR_HV_ICR:
	case VSM_LAPIC_MSR_HV_TPR:
		return vsm_lapic_mode(apic) != VSM_LAPIC_DISABLED &&
		       write_synthetic(apic, now, msr, value, effect);
	default:
		return msr >= VSM_LAPIC_MSR_X2APIC_FIRST && msr <= VSM_LAPIC_MSR_X2APIC_LAST &&
		       vsm_lapic_mode(apic) == VSM_LAPIC_X2APIC &&
		       write_msr_form(apic, now, msr - VSM_LAPIC_MSR_X2APIC_FIRST, value, effect);
	}
}
