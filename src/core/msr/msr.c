/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions get the target VTL: each VTL has a SynIC, timers and pages of its own (P02). */
#include "core/msr/cpuid.h"
#include "core/msr/crash.h"
#include "core/msr/msr.h"
#include "core/msr/page.h"
#include "core/vp/plain_msr.h"
#include "core/msr/mtrr.h"
#include "core/interrupt/interrupt.h"
#include "core/interrupt/stimer.h"
#include "core/interrupt/synic.h"
#include "core/trace/trace.h"
#include "core/interrupt/tsc.h"
#include "core/vp/vp.h"
#include "core/x64.h"

typedef bool read_fn(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value);
typedef bool write_fn(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value);

static bool read_vp_index(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	(void)vtl;
	(void)msr;
	*value = vp->index;
	return true;
}

static bool read_zero(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	(void)vp;
	(void)vtl;
	(void)msr;
	*value = 0;
	return true;
}

/* Every VP exits with VSM_EXIT_RESET, upon which the VMM resets the partition. */
static bool write_reset(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	struct vsm_partition *partition = vp->partition;

	(void)vtl;
	(void)msr;
	if (value & ~HV_X64_MSR_RESET_INITIATE)
		return false;
	if (value & HV_X64_MSR_RESET_INITIATE) {
		atomic_store(&partition->reset_wanted, true);
		for (uint32_t i = 0; i < partition->vp_count; i++)
			vp_kick(partition->vp[i]);
	}
	return true;
}

static bool read_runtime(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	(void)vtl;
	(void)msr;
	*value = (uint64_t)((unsigned __int128)vp_runtime(vp) * HV_REFERENCE_TIME_HZ /
			    vp->partition->features.tsc_hz);
	return true;
}

static bool read_reference_count(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = reftime_seen(vp->partition, vp->vtl[vtl].tsc_offset);
	return true;
}

static bool read_frequency(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	*value = msr == HV_X64_MSR_TSC_FREQUENCY
			 ? vp->partition->features.tsc_hz
			 : UINT64_C(1000) * vp->vtl[vtl].lapic.config.timer_khz;
	return true;
}

/* TLFS "Guest idle": the read suspends the VP until an interrupt, whatever RFLAGS.IF is. */
static bool read_guest_idle(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = 0;
	vp->vtl[vtl].activity = VP_IDLE;
	trace(vp, VSM_TRACE_HALT, vtl, VP_IDLE, 0, 0);
	return true;
}

/*
 * IA32_MISC_ENABLE (SDM 4) is private to a VTL and has no effect here. Legal bits: fast strings,
 * TCC, performance monitoring, BTS and PEBS unavailable, EIST, MONITOR, limit of CPUID (22), xTPR
 * and XD disable (34).
 */
#define MISC_ENABLE_LEGAL UINT64_C(0x400c51889)

static bool read_misc_enable(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = vp->vtl[vtl].misc_enable;
	return true;
}

static bool write_misc_enable(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	(void)msr;
	if (value & ~MISC_ENABLE_LEGAL)
		return false;
	vp->vtl[vtl].misc_enable = value;
	return true;
}

static bool read_apic(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	return vsm_lapic_msr_read(&vp->vtl[vtl].lapic, vp_tsc(vp->partition), msr, value);
}

static bool write_apic(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	struct vsm_lapic_effect effect = {0};

	if (!vsm_lapic_msr_write(&vp->vtl[vtl].lapic, vp_tsc(vp->partition), msr, value, &effect))
		return false;
	interrupt_effect(vp, vtl, &effect);
	return true;
}

struct msr_range {
	uint32_t first;
	uint32_t last;
	uint64_t privilege; /* HV_PRIVILEGE bits that the partition must have; 0: none */
	uint32_t feature;   /* HV_FEATURE bits that the partition must have; 0: none */
	read_fn *read;	    /* NULL: RDMSR faults */
	write_fn *write;    /* NULL: WRMSR faults */
};

/* Sorted by number. Other MSRs are in vp/plain_msr.c or vcpu_msr.h, or do not exist. */
static const struct msr_range msr_table[] = {
	{X64_MSR_TSC, X64_MSR_TSC, 0, 0, tsc_msr_read, tsc_msr_write},
	{X64_MSR_APIC_BASE, X64_MSR_APIC_BASE, 0, 0, read_apic, write_apic},
	{X64_MSR_TSC_ADJUST, X64_MSR_TSC_ADJUST, 0, 0, tsc_msr_read, tsc_msr_write},
	{X64_MSR_MTRRCAP, X64_MSR_MTRRCAP, 0, 0, mtrr_read, NULL},
	{X64_MSR_MISC_ENABLE, X64_MSR_MISC_ENABLE, 0, 0, read_misc_enable, write_misc_enable},
	{X64_MSR_MTRR_PHYS_BASE0, X64_MSR_MTRR_PHYS_MASK7, 0, 0, mtrr_read, mtrr_write},
	{X64_MSR_MTRR_FIX64K, X64_MSR_MTRR_FIX4K_LAST, 0, 0, mtrr_read, mtrr_write},
	{X64_MSR_MTRR_DEF_TYPE, X64_MSR_MTRR_DEF_TYPE, 0, 0, mtrr_read, mtrr_write},
	{VSM_LAPIC_MSR_X2APIC_FIRST, VSM_LAPIC_MSR_X2APIC_LAST, 0, 0, read_apic, write_apic},
	{HV_X64_MSR_GUEST_OS_ID, HV_X64_MSR_HYPERCALL, HV_PRIVILEGE(ACCESS_HYPERCALL_MSRS), 0,
	 msr_page_read, msr_page_write},
	{HV_X64_MSR_VP_INDEX, HV_X64_MSR_VP_INDEX, HV_PRIVILEGE(ACCESS_VP_INDEX), 0, read_vp_index,
	 NULL},
	{HV_X64_MSR_RESET, HV_X64_MSR_RESET, HV_PRIVILEGE(ACCESS_RESET_REG), 0, read_zero,
	 write_reset},
	{HV_X64_MSR_VP_RUNTIME, HV_X64_MSR_VP_RUNTIME, HV_PRIVILEGE(ACCESS_VP_RUN_TIME_REG), 0,
	 read_runtime, NULL},
	{HV_X64_MSR_TIME_REF_COUNT, HV_X64_MSR_TIME_REF_COUNT,
	 HV_PRIVILEGE(ACCESS_PARTITION_REFERENCE_COUNTER), 0, read_reference_count, NULL},
	{HV_X64_MSR_REFERENCE_TSC, HV_X64_MSR_REFERENCE_TSC,
	 HV_PRIVILEGE(ACCESS_PARTITION_REFERENCE_TSC), 0, msr_page_read, msr_page_write},
	{HV_X64_MSR_TSC_FREQUENCY, HV_X64_MSR_APIC_FREQUENCY, HV_PRIVILEGE(ACCESS_FREQUENCY_REGS),
	 HV_FEATURE(FREQUENCY_REGS), read_frequency, NULL},
	{HV_X64_MSR_EOI, HV_X64_MSR_TPR, HV_PRIVILEGE(ACCESS_INTR_CTRL_REGS), 0, read_apic,
	 write_apic},
	{HV_X64_MSR_VP_ASSIST_PAGE, HV_X64_MSR_VP_ASSIST_PAGE, HV_PRIVILEGE(ACCESS_INTR_CTRL_REGS),
	 0, msr_page_read, msr_page_write},
	{HV_X64_MSR_SCONTROL, HV_X64_MSR_SCONTROL, HV_PRIVILEGE(ACCESS_SYNIC_REGS), 0,
	 synic_msr_read, synic_msr_write},
	{HV_X64_MSR_SVERSION, HV_X64_MSR_SVERSION, HV_PRIVILEGE(ACCESS_SYNIC_REGS), 0,
	 synic_msr_read, NULL},
	{HV_X64_MSR_SIEFP, HV_X64_MSR_EOM, HV_PRIVILEGE(ACCESS_SYNIC_REGS), 0, synic_msr_read,
	 synic_msr_write},
	{HV_X64_MSR_SINT0, HV_X64_MSR_SINT15, HV_PRIVILEGE(ACCESS_SYNIC_REGS), 0, synic_msr_read,
	 synic_msr_write},
	{HV_X64_MSR_STIMER0_CONFIG, HV_X64_MSR_STIMER3_COUNT,
	 HV_PRIVILEGE(ACCESS_SYNTHETIC_TIMER_REGS), 0, stimer_msr_read, stimer_msr_write},
	{HV_X64_MSR_GUEST_IDLE, HV_X64_MSR_GUEST_IDLE, HV_PRIVILEGE(ACCESS_GUEST_IDLE_REG),
	 HV_FEATURE(GUEST_IDLE), read_guest_idle, NULL},
	{HV_X64_MSR_CRASH_P0, HV_X64_MSR_CRASH_CTL, 0, HV_FEATURE(GUEST_CRASH_REGS), crash_read,
	 crash_write},
	{HV_X64_MSR_TSC_INVARIANT_CONTROL, HV_X64_MSR_TSC_INVARIANT_CONTROL,
	 HV_PRIVILEGE(ACCESS_TSC_INVARIANT_CONTROLS), 0, tsc_msr_read, tsc_msr_write},
};

static const struct msr_range *find_msr_range(const struct vsm_partition *partition, uint32_t msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(msr_table); i++) {
		const struct msr_range *range = &msr_table[i];

		if (msr < range->first)
			break;
		if (msr > range->last)
			continue;
		return partition_has(partition, range->privilege) &&
				       (partition->features_edx & range->feature) == range->feature
			       ? range
			       : NULL;
	}
	return NULL;
}

bool msr_read(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t *value)
{
	const struct msr_range *range = find_msr_range(vp->partition, msr);

	*value = 0;
	if (!range)
		return msr_plain_read(vp, msr, value);
	return range->read && range->read(vp, vtl, msr, value);
}

bool msr_write(struct vsm_vp *vp, uint8_t vtl, uint32_t msr, uint64_t value)
{
	const struct msr_range *range = find_msr_range(vp->partition, msr);

	if (!range)
		return msr_plain_write(vp, msr, value);
	return range->write && range->write(vp, vtl, msr, value);
}

bool msr_is_native(const struct vsm_partition *partition, uint32_t msr, bool write)
{
#define PASSED(first, last, read, write) {(first), (last), (read), (write)},
	static const struct {
		uint32_t first;
		uint32_t last;
		bool read;
		bool write;
	} passed[] = {VCPU_MSRS_PASSED(PASSED)};
#undef PASSED
	const unsigned int which = vcpu_msr_find(msr);

	if (which < VCPU_MSR_COUNT)
		return which < VCPU_MSR_OPTIONAL || partition->features.msr_valid[which];
	/* The core implements the TSC, although VCPU_MSRS_PASSED lists it. */
	if (msr == X64_MSR_TSC)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		if (msr >= passed[i].first && msr <= passed[i].last)
			return write ? passed[i].write : passed[i].read;
	return false;
}

bool msr_native_accepts(const struct vsm_partition *partition, uint32_t msr, uint64_t value)
{
	const unsigned int which = vcpu_msr_find(msr);

	return which < VCPU_MSR_OPTIONAL || which == VCPU_MSR_COUNT ||
	       !(value & ~partition->features.msr_valid[which]);
}
