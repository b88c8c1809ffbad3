/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers (SDM tables 11-1 and 11-6). A number is the page offset / 16, the MSR - 0x800. */
#include "internal.h"
#include "registers.h"

/* The numbers of LVT CMCI, and of the first register of each group. */
enum {
	REG_ISR = 0x10,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_CMCI = 0x2f,
	REG_LVT = 0x32
};

static enum vsm_lapic_lvt lvt_of(uint32_t reg)
{
	return reg == REG_CMCI ? VSM_LAPIC_LVT_CMCI
			       : (enum vsm_lapic_lvt)(VSM_LAPIC_LVT_TIMER + reg - REG_LVT);
}

/* -- reads: store the result in a->value -- */

static void read_id(struct lapic_access *a)
{
	a->value = a->wide ? a->apic->id : a->apic->id << 24;
}

static void read_version(struct lapic_access *a)
{
	a->value = lapic_version(a->apic);
}

static void read_zero(struct lapic_access *a)
{
	a->value = 0;
}

static void read_tpr(struct lapic_access *a)
{
	a->value = vsm_lapic_tpr(a->apic);
}

static void read_ppr(struct lapic_access *a)
{
	a->value = vsm_lapic_ppr(a->apic);
}

static void read_ldr(struct lapic_access *a)
{
	a->value = a->apic->ldr;
}

static void read_dfr(struct lapic_access *a)
{
	a->value = a->apic->dfr;
}

static void read_svr(struct lapic_access *a)
{
	a->value = a->apic->svr;
}

static void read_isr(struct lapic_access *a)
{
	a->value = lapic_word(a->apic->isr, a->reg - REG_ISR);
}

static void read_tmr(struct lapic_access *a)
{
	a->value = lapic_word(a->apic->tmr, a->reg - REG_TMR);
}

static void read_irr(struct lapic_access *a)
{
	a->value = lapic_word(a->apic->irr, a->reg - REG_IRR);
}

static void read_esr(struct lapic_access *a)
{
	a->value = a->apic->esr;
}

static void read_icr(struct lapic_access *a)
{
	a->value = a->wide ? a->apic->icr : (uint32_t)a->apic->icr;
}

static void read_icr_high(struct lapic_access *a)
{
	a->value = a->apic->icr >> 32;
}

static void read_lvt(struct lapic_access *a)
{
	a->value = LAPIC_LOAD(&a->apic->lvt[lvt_of(a->reg)]);
}

static void read_initial_count(struct lapic_access *a)
{
	a->value = a->apic->initial_count;
}

static void read_current_count(struct lapic_access *a)
{
	a->value = lapic_timer_count(a->apic, a->now);
}

static void read_divide(struct lapic_access *a)
{
	a->value = a->apic->divide;
}

/* -- writes: reserved bits in a->value are 0 -- */

static void write_id(struct lapic_access *a)
{
	if (!(a->apic->config.flags & VSM_LAPIC_ID_WRITABLE))
		return;
	LAPIC_STORE(&a->apic->id, (uint32_t)a->value >> 24);
	a->effect->flags |= VSM_LAPIC_EFFECT_ROUTE;
}

static void write_tpr(struct lapic_access *a)
{
	vsm_lapic_set_tpr(a->apic, a->value);
	a->effect->flags |= VSM_LAPIC_EFFECT_PENDING;
}

static void write_eoi(struct lapic_access *a)
{
	lapic_eoi(a->apic, a->effect);
}

static void write_ldr(struct lapic_access *a)
{
	LAPIC_STORE(&a->apic->ldr, a->value);
	a->effect->flags |= VSM_LAPIC_EFFECT_ROUTE;
}

/* SDM 11.6.2.2: bits 27:0 are reserved and read as ones. */
static void write_dfr(struct lapic_access *a)
{
	LAPIC_STORE(&a->apic->dfr, (uint32_t)a->value | 0x0fffffff);
	a->effect->flags |= VSM_LAPIC_EFFECT_ROUTE;
}

static void write_svr(struct lapic_access *a)
{
	lapic_write_svr(a->apic, a->value);
}

/* SDM 11.5.3: a write latches the errors since the last one. */
static void write_esr(struct lapic_access *a)
{
	a->apic->esr = __atomic_exchange_n(&a->apic->errors, 0, __ATOMIC_SEQ_CST);
}

static void write_icr(struct lapic_access *a)
{
	uint64_t high = a->wide ? a->value : a->apic->icr;

	a->apic->icr = (high & ~0xffffffffull) | (uint32_t)a->value;
	lapic_send_icr(a->apic, a->effect);
}

static void write_icr_high(struct lapic_access *a)
{
	a->apic->icr = a->value << 32 | (uint32_t)a->apic->icr;
}

static void write_lvt(struct lapic_access *a)
{
	lapic_write_lvt(a->apic, lvt_of(a->reg), a->value, a->effect);
}

static void write_initial_count(struct lapic_access *a)
{
	lapic_timer_start(a->apic, a->now, a->value);
	a->effect->flags |= VSM_LAPIC_EFFECT_TIMER;
}

static void write_divide(struct lapic_access *a)
{
	lapic_timer_set_divide(a->apic, a->now, a->value);
	a->effect->flags |= VSM_LAPIC_EFFECT_TIMER;
}

static void write_self_ipi(struct lapic_access *a)
{
	lapic_self_ipi(a->apic, a->value, a->effect);
}

/* -- table of registers -- */

#define ROW(n, first, text, r) \
	[(first) + (n)] = {text #n, read_##r, NULL, 0, LAPIC_PAGE_READ | LAPIC_MSR_READ}
#define ROWS(first, text, r)                                                            \
	ROW(0, first, text, r), ROW(1, first, text, r), ROW(2, first, text, r),         \
		ROW(3, first, text, r), ROW(4, first, text, r), ROW(5, first, text, r), \
		ROW(6, first, text, r), ROW(7, first, text, r)

#define PAGE_RW (LAPIC_PAGE_READ | LAPIC_PAGE_WRITE)
#define RW	(PAGE_RW | LAPIC_MSR_READ | LAPIC_MSR_WRITE)
#define RO	(LAPIC_PAGE_READ | LAPIC_MSR_READ)
#define WO	(LAPIC_PAGE_WRITE | LAPIC_MSR_WRITE)

static const struct lapic_register registers[LAPIC_REGISTERS] = {
	[0x02] = {"ID", read_id, write_id, 0xff000000, PAGE_RW | LAPIC_MSR_READ},
	[0x03] = {"VERSION", read_version, NULL, 0, RO},
	[0x08] = {"TPR", read_tpr, write_tpr, 0xff, RW},
	/* SDM table 11-1, note: not supported since the Pentium 4, but a read is no error. */
	[0x09] = {"APR", read_zero, NULL, 0, LAPIC_PAGE_READ},
	[0x0a] = {"PPR", read_ppr, NULL, 0, RO},
	[0x0b] = {"EOI", NULL, write_eoi, 0, WO},
	[0x0c] = {"RRD", read_zero, NULL, 0, LAPIC_PAGE_READ},
	[0x0d] = {"LDR", read_ldr, write_ldr, 0xff000000, PAGE_RW | LAPIC_MSR_READ},
	[0x0e] = {"DFR", read_dfr, write_dfr, 0xffffffff, PAGE_RW},
	[0x0f] = {"SVR", read_svr, write_svr, LAPIC_BITS_SVR, RW},
	ROWS(REG_ISR, "ISR", isr),
	ROWS(REG_TMR, "TMR", tmr),
	ROWS(REG_IRR, "IRR", irr),
	[0x28] = {"ESR", read_esr, write_esr, 0, RW},
	[0x2f] = {"LVT_CMCI", read_lvt, write_lvt, LAPIC_BITS_LVT, RW},
	[0x30] = {"ICR", read_icr, write_icr, LAPIC_BITS_ICR, RW},
	[0x31] = {"ICR_HIGH", read_icr_high, write_icr_high, 0xff000000, PAGE_RW},
	[0x32] = {"LVT_TIMER", read_lvt, write_lvt, LAPIC_BITS_LVT, RW},
	[0x33] = {"LVT_THERMAL", read_lvt, write_lvt, LAPIC_BITS_LVT, RW},
	[0x34] = {"LVT_PERFORMANCE", read_lvt, write_lvt, LAPIC_BITS_LVT, RW},
	[0x35] = {"LVT_LINT0", read_lvt, write_lvt, LAPIC_BITS_LVT, RW},
	[0x36] = {"LVT_LINT1", read_lvt, write_lvt, LAPIC_BITS_LVT, RW},
	[0x37] = {"LVT_ERROR", read_lvt, write_lvt, LAPIC_BITS_LVT, RW},
	[0x38] = {"INITIAL_COUNT", read_initial_count, write_initial_count, 0xffffffff, RW},
	[0x39] = {"CURRENT_COUNT", read_current_count, NULL, 0, RO},
	[0x3e] = {"DIVIDE", read_divide, write_divide, LAPIC_DIVIDE_BITS, RW},
	[0x3f] = {"SELF_IPI", NULL, write_self_ipi, 0xff, LAPIC_MSR_WRITE},
};

const struct lapic_register *lapic_register(const struct vsm_lapic *apic, uint32_t reg)
{
	if (reg >= LAPIC_REGISTERS || !registers[reg].name)
		return NULL;
	if (reg == REG_CMCI && !lapic_has_lvt(apic, VSM_LAPIC_LVT_CMCI))
		return NULL;
	return &registers[reg];
}

uint64_t lapic_writable_bits(const struct lapic_access *a, const struct lapic_register *r)
{
	switch (r->bits) {
	case LAPIC_BITS_SVR:
		return lapic_svr_bits(a->apic);
	case LAPIC_BITS_LVT:
		return lapic_lvt_bits(a->apic, lvt_of(a->reg));
	case LAPIC_BITS_ICR:
		if (!a->wide)
			return LAPIC_ICR_LOW_BITS;
		/* In xAPIC mode (HV_X64_MSR_ICR, hypercalls) the destination has 8 bits. */
		return LAPIC_ICR_LOW_BITS |
		       (vsm_lapic_mode(a->apic) == VSM_LAPIC_X2APIC ? 0xffffffff00000000ull
								    : 0xff00000000000000ull);
	default:
		return r->bits;
	}
}

uint64_t lapic_read_only_bits(const struct lapic_access *a, const struct lapic_register *r)
{
	enum vsm_lapic_lvt lvt;

	switch (r->bits) {
	case LAPIC_BITS_LVT:
		lvt = lvt_of(a->reg);
		/* SDM 11.5.1: only these two have remote IRR. */
		return lvt == VSM_LAPIC_LVT_LINT0 || lvt == VSM_LAPIC_LVT_LINT1
			       ? LAPIC_LVT_STATUS | LAPIC_LVT_REMOTE_IRR
			       : LAPIC_LVT_STATUS;
	case LAPIC_BITS_ICR:
		/* SDM 11.12.9: the bit is not used, and WRMSR ignores it. */
		return LAPIC_ICR_STATUS;
	default:
		return 0;
	}
}

const char *vsm_lapic_register_name(uint32_t reg)
{
	return reg < LAPIC_REGISTERS ? registers[reg].name : NULL;
}
