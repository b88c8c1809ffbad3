/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSRs without an effect: constants, values that can only be read back, and ignored writes.
 *
 * KVM emulates many of these, but with a value for each VTL, which a reset does not change and a
 * saved state lacks. The VTLs of a VP share all architectural MSRs that the TLFS does not list as
 * private ("Virtual Secure Mode", "Virtual Processor State Isolation").
 */
#include "core/vp/plain_msr.h"

#include "core/x64.h"

#define NO_SLOT	 UINT8_MAX
#define ALL	 UINT64_MAX
#define NO_READ	 (1u << 0) /* RDMSR faults */
#define NO_WRITE (1u << 1) /* WRMSR faults */

struct plain_msr {
	uint32_t first;
	uint32_t last;
	uint8_t slot;  /* in vp->plain_msr, or NO_SLOT: always reads as `reset` */
	uint8_t flags; /* NO_READ, NO_WRITE */
	uint64_t reset;
	uint64_t writable; /* bits that a write changes */
	uint64_t ignored;  /* a write has no effect; a change of a bit in neither mask faults */
};

#define MSR(name) X64_MSR_##name, X64_MSR_##name
#define CONSTANT  NO_SLOT, NO_WRITE
#define NO_EFFECT NO_SLOT, 0

/* AMD "BIOS and Kernel Developer's Guide": the TSC does not follow the clock of the core. */
#define HWCR_TSC_FREQ_SEL (UINT64_C(1) << 24)
#define HWCR_KEPT	  (HWCR_TSC_FREQ_SEL | UINT64_C(1) << 18)
#define HWCR_IGNORED	  UINT64_C(0x148) /* TLB cache and flush filter disable, IGNNE */
#define DE_CFG_LFENCE	  (UINT64_C(1) << 1)

/* clang-format off */
static const struct plain_msr table[] = {
	{X64_MSR_P5_MC_ADDR, X64_MSR_P5_MC_TYPE, CONSTANT, 0, 0, 0},
	{MSR(PLATFORM_ID), CONSTANT, 0, 0, 0},
	{MSR(EBL_CR_POWERON), CONSTANT, 0, 0, 0},
	{MSR(EBC_FREQUENCY_ID), CONSTANT, UINT64_C(1) << 24, 0, 0},
	{MSR(SMI_COUNT), CONSTANT, 0, 0, 0},
	{MSR(FEAT_CTL), CONSTANT, 1, 0, 0},			/* locked: neither VMX nor SGX */
	{MSR(UCODE_WRITE), NO_SLOT, NO_READ, 0, 0, ALL},
	{X64_MSR_P6_PERFCTR0, X64_MSR_P6_PERFCTR1, NO_EFFECT, 0, 0, ALL},
	{MSR(FSB_FREQ), CONSTANT, 3, 0, 0},
	{MSR(BBL_CR_CTL3), CONSTANT, 0xbe702111, 0, 0},
	{MSR(MCG_CAP), CONSTANT, 0, 0, 0},			/* no banks, so no IA32_MCi either */
	{MSR(MCG_STATUS), PLAIN_MCG_STATUS, 0, 0, 7, 0},	/* RIPV, EIPV, MCIP */
	{X64_MSR_P6_EVNTSEL0, X64_MSR_P6_EVNTSEL1, NO_EFFECT, 0, 0, ALL},
	{MSR(PERF_STATUS), CONSTANT, UINT64_C(4) << 40 | 1000, 0, 0},
	{MSR(PERF_CTL), CONSTANT, 0, 0, 0},
	/* only if KVM does not offer DEBUGCTL */
	{MSR(DEBUGCTL), NO_EFFECT, 0, 0, 3},
	{X64_MSR_LASTBRANCHFROMIP, X64_MSR_LASTINTTOIP, CONSTANT, 0, 0, 0},
	{MSR(POWER_CTL), PLAIN_POWER_CTL, 0, 0, 3, 0},
	{MSR(RAPL_POWER_UNIT), CONSTANT, 0, 0, 0},
	{MSR(PKG_ENERGY_STATUS), CONSTANT, 0, 0, 0},
	{MSR(DRAM_ENERGY_STATUS), CONSTANT, 0, 0, 0},
	{MSR(PP0_ENERGY_STATUS), CONSTANT, 0, 0, 0},
	{MSR(PP1_ENERGY_STATUS), CONSTANT, 0, 0, 0},
	{X64_MSR_K7_EVNTSEL0, X64_MSR_K7_PERFCTR3, NO_EFFECT, 0, 0, ALL},
	{MSR(SYSCFG), CONSTANT, 0, 0, 0},
	{MSR(HWCR), PLAIN_HWCR, 0, HWCR_TSC_FREQ_SEL, HWCR_KEPT, HWCR_IGNORED},
	{MSR(K7_CLK_CTL), CONSTANT, 0x20000000, 0, 0},
	{MSR(NB_CFG), NO_EFFECT, 0, 0, ALL},
	{MSR(PATCH_LOADER), NO_SLOT, NO_READ, 0, 0, ALL},
	{MSR(INT_PENDING_MSG), CONSTANT, 0, 0, 0},
	{MSR(MMIO_CONF_BASE), NO_EFFECT, 0, 0, 0},
	{MSR(TSEG_ADDR), CONSTANT, 0, 0, 0},
	{MSR(TSEG_MASK), CONSTANT, 0, 0, 0},
	{MSR(VM_CR), CONSTANT, 0, 0, 0},
	{MSR(DC_CFG), NO_EFFECT, 0, 0, ALL},
	{MSR(DE_CFG), PLAIN_DE_CFG, 0, DE_CFG_LFENCE, DE_CFG_LFENCE, 0}, /* LFENCE serialises */
	{MSR(BU_CFG2), NO_EFFECT, 0, 0, ALL},
	{MSR(EX_CFG), NO_EFFECT, 0, 0, ALL},
};
/* clang-format on */

#define ROWS ARRAY_SIZE(table)

static const struct plain_msr *find_plain_msr(uint32_t msr)
{
	for (size_t i = 0; i < ROWS; i++)
		if (msr >= table[i].first && msr <= table[i].last)
			return &table[i];
	return NULL;
}

static uint64_t value_of(const struct vsm_vp *vp, const struct plain_msr *row)
{
	return row->slot == NO_SLOT ? row->reset : vp->plain_msr[row->slot];
}

/* Whether WRMSR accepts @value if the MSR reads as @now. */
static bool is_legal(const struct plain_msr *row, uint64_t now, uint64_t value)
{
	return !((value ^ now) & ~(row->writable | row->ignored));
}

bool msr_plain_read(const struct vsm_vp *vp, uint32_t msr, uint64_t *value)
{
	const struct plain_msr *row = find_plain_msr(msr);

	if (!row || row->flags & NO_READ)
		return false;
	*value = value_of(vp, row);
	return true;
}

bool msr_plain_write(struct vsm_vp *vp, uint32_t msr, uint64_t value)
{
	const struct plain_msr *row = find_plain_msr(msr);
	uint64_t now;

	if (!row || row->flags & NO_WRITE)
		return false;
	now = value_of(vp, row);
	if (!is_legal(row, now, value))
		return false;
	if (row->slot != NO_SLOT)
		vp->plain_msr[row->slot] = (now & ~row->writable) | (value & row->writable);
	return true;
}

static const struct plain_msr *row_of(enum plain_msr_slot slot)
{
	const struct plain_msr *row = table;

	while (row->slot != slot)
		row++;
	return row;
}

void msr_plain_reset(struct vsm_vp *vp)
{
	for (unsigned int slot = 0; slot < PLAIN_COUNT; slot++)
		vp->plain_msr[slot] = row_of(slot)->reset;
}

uint32_t msr_plain_number(enum plain_msr_slot slot)
{
	return row_of(slot)->first;
}

uint64_t msr_plain_reset_value(enum plain_msr_slot slot)
{
	return row_of(slot)->reset;
}

bool msr_plain_fits(enum plain_msr_slot slot, uint64_t value)
{
	const struct plain_msr *row = row_of(slot);

	return !((value ^ row->reset) & ~row->writable);
}
