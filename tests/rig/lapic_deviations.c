/* SPDX-License-Identifier: BSD-2-Clause */
/* Differences between KVM's local APIC and libvsm's. A case passes if libvsm's APIC follows the SDM and KVM
 * deviates as its name says, or follows the SDM, as newer kernels may. */
#include "lapic_deviations.h"

#include <stdio.h>

static bool is_either(bool here, bool kvm_differs, bool kvm_agrees)
{
	if (kvm_agrees && !kvm_differs)
		printf("# this KVM follows the SDM\n");
	return here && (kvm_differs || kvm_agrees);
}

/* @theirs: the deviating value of KVM's register; @ours: the value of libvsm's. */
static bool in_register(struct machine *m, unsigned int vcpu, uint32_t reg, uint32_t theirs,
			uint32_t ours)
{
	uint32_t kvm = machine_kvm_register(m, vcpu, reg);

	return is_either(machine_our_register(m, vcpu, reg) == ours, kvm == theirs, kvm == ours);
}

/* Whether the first command of @vcpu's list faults in libvsm, while KVM may deviate. */
static bool in_fault(const struct machine *m, unsigned int vcpu)
{
	uint32_t fault = m->guest.vcpu[vcpu].list[0].fault;

	return is_either(m->expected[0].fault == FAULT_GP, fault == 0, fault == FAULT_GP);
}

static bool may_lose_the_sub_class_of_the_tpr(struct machine *m)
{
	/* SVM keeps the TPR as CR8 while the guest runs. */
	machine_write(m, 0, REG_TPR, 0x49);
	machine_run(m, 0);
	return in_register(m, 0, REG_TPR, 0x40, 0x49);
}

static bool accepts_vectors_below_16(struct machine *m)
{
	machine_msi(m, 0xfee00000, 5);
	return in_register(m, 0, REG_IRR, 1u << 5, 0);
}

static bool has_no_error_status(struct machine *m)
{
	machine_read(m, 0, 0x04);
	machine_write(m, 0, REG_ESR, 0);
	machine_run(m, 0);
	return in_register(m, 0, REG_ESR, 0, VSM_LAPIC_ESR_ILLEGAL_ADDRESS);
}

static bool lets_the_guest_write_status_bits(struct machine *m)
{
	machine_write(m, 0, REG_LVT_LINT0, 0x15040);
	machine_run(m, 0);
	return in_register(m, 0, REG_LVT_LINT0, 0x15040, 0x10040);
}

static bool ignores_reserved_bits_in_x2apic_writes(struct machine *m)
{
	machine_write(m, 3, REG_TPR, 0x120);
	machine_run(m, 3);
	return in_fault(m, 3);
}

static bool takes_any_value_as_an_eoi(struct machine *m)
{
	machine_write(m, 3, REG_EOI, 1);
	machine_run(m, 3);
	return in_fault(m, 3);
}

static bool sends_level_triggered_ipis(struct machine *m)
{
	machine_write(m, 0, REG_ICR_HIGH, 1u << 24);
	machine_write(m, 0, REG_ICR, 0xc040);
	machine_run(m, 0);
	return in_register(m, 1, REG_TMR + 2, 1, 0) && in_register(m, 1, REG_IRR + 2, 1, 1);
}

static bool sends_an_nmi_to_the_sender(struct machine *m)
{
	bool came = false;

	machine_write(m, 0, REG_ICR, 0x44400);
	machine_read(m, 0, REG_TPR);
	machine_read(m, 0, REG_TPR);
	machine_run(m, 0);
	for (unsigned int i = 0; i < 3; i++)
		came |= m->guest.vcpu[0].list[i].fault == FAULT_NMI;
	return is_either(vsm_lapic_events(&m->apic[0]) == 0, came, !came);
}

static bool stores_reserved_bits_of_the_icr(struct machine *m)
{
	machine_write(m, 0, REG_ICR, 0xfff34740);
	machine_run(m, 0);
	return in_register(m, 0, REG_ICR, 0xfff34740, 0x4740);
}

static bool matches_a_wide_destination_by_its_low_byte(struct machine *m)
{
	machine_write(m, 0, REG_LDR, 1u << 24);
	machine_run(m, 0);
	machine_write(m, 3, REG_ICR, 0x00010001ull << 32 | 0x4840);
	machine_run(m, 3);
	return in_register(m, 0, REG_IRR + 2, 1, 0);
}

static bool takes_an_xapic_without_ldr_for_an_x2apic(struct machine *m)
{
	machine_write(m, 3, REG_ICR, 0x7ull << 32 | 0x4840);
	machine_run(m, 3);
	return in_register(m, 1, REG_IRR + 2, 1, 0);
}

/*
 * Only KVM's fast path deviates. It requires that all APICs have one mode, so the x2APIC of vCPU 3
 * is disabled.
 */
static bool takes_any_other_dfr_for_the_cluster_model(struct machine *m)
{
	machine_write_msr(m, 3, VSM_LAPIC_MSR_BASE, 0xfee00000);
	machine_run(m, 3);
	for (unsigned int i = 0; i < 3; i++) {
		machine_write(m, i, REG_DFR, 0x5fffffff);
		machine_write(m, i, REG_LDR, 1u << (24 + i));
		machine_run(m, i);
	}
	machine_write(m, 0, REG_ICR_HIGH, 2u << 24);
	machine_write(m, 0, REG_ICR, 0x4840);
	machine_run(m, 0);
	return in_register(m, 1, REG_IRR + 2, 1, 0);
}

static bool broadcasts_within_a_mode_alone(struct machine *m)
{
	machine_write(m, 3, REG_ICR, 0xffffffffull << 32 | 0x4040);
	machine_run(m, 3);
	machine_write(m, 0, REG_ICR_HIGH, 0xff000000);
	machine_write(m, 0, REG_ICR, 0x4042);
	machine_run(m, 0);
	return in_register(m, 0, REG_IRR + 2, 4, 5) && in_register(m, 3, REG_IRR + 2, 1, 5);
}

static bool reports_an_eoi_in_spite_of_its_suppression(struct machine *m)
{
	uint32_t eois;

	machine_write(m, 0, REG_SVR, 0x11ff);
	machine_run(m, 0);
	machine_msi(m, 0xfee00000, 0xc000u | machine_level_vector(9));
	machine_take(m, 0);
	machine_write(m, 0, REG_EOI, 0);
	eois = m->eois;
	machine_run(m, 0);
	return is_either(eois == 0 && m->expected[0].result_low == machine_level_vector(9),
			 m->guest.vcpu[0].eois == 1, m->guest.vcpu[0].eois == 0);
}

static bool chooses_the_lowest_priority_by_vector(struct machine *m)
{
	uint32_t kvm;

	/* vCPU 2 has the lowest priority by its TPR, so all 16 interrupts should go to it. */
	for (unsigned int i = 0; i < VCPUS; i++) {
		if (!machine_is_x2apic(m, i))
			machine_write(m, i, REG_LDR, 1u << (24 + i));
		machine_write(m, i, REG_TPR, i == 2 ? 0x10 : 0x80);
		machine_run(m, i);
	}
	for (unsigned int i = 0; i < 16; i++)
		machine_msi(m, 0xfee07000 | 1u << 2, 0x140 + i);
	kvm = machine_kvm_register(m, 2, REG_IRR + 2);
	return is_either(machine_our_register(m, 2, REG_IRR + 2) == 0xffff, kvm && kvm != 0xffff,
			 kvm == 0xffff);
}

static bool keeps_registers_over_a_hardware_disable(struct machine *m)
{
	machine_write(m, 1, REG_TPR, 0x40);
	machine_write_msr(m, 1, VSM_LAPIC_MSR_BASE, 0xfee00000);
	machine_write_msr(m, 1, VSM_LAPIC_MSR_BASE, 0xfee00800);
	machine_run(m, 1);
	return in_register(m, 1, REG_TPR, 0x40, 0);
}

static bool saves_an_old_ppr(struct machine *m)
{
	uint32_t state, read;

	/* On VMX the TPR is written without an exit (the TPR shadow); KVM computes the PPR when the guest
	 * reads it. */
	machine_write(m, 3, REG_TPR, 0x40);
	machine_run(m, 3);
	state = machine_kvm_register(m, 3, REG_PPR);
	machine_read(m, 3, REG_PPR);
	machine_run(m, 3);
	read = m->guest.vcpu[3].list[0].result_low;
	return read == 0x40 &&
	       is_either(machine_our_register(m, 3, REG_PPR) == 0x40, state == 0, state == 0x40);
}

const struct lapic_deviation lapic_deviations[LAPIC_DEVIATIONS] = {
	{may_lose_the_sub_class_of_the_tpr,
	 "kvm_may_lose_the_sub_class_of_the_tpr; here it is kept (SDM 11.8.3.1)"},
	{accepts_vectors_below_16,
	 "kvm_accepts_vectors_below_16; here they are errors (SDM 11.5.2)"},
	{has_no_error_status,
	 "kvm_has_no_error_status; here a reserved address is reported (SDM 11.5.3)"},
	{lets_the_guest_write_status_bits,
	 "kvm_lets_the_guest_write_delivery_status_and_remote_irr; here they are read-only (SDM "
	 "11.5.1)"},
	{ignores_reserved_bits_in_x2apic_writes,
	 "kvm_ignores_reserved_bits_in_x2apic_writes; here they fault (SDM 11.12.1.3)"},
	{takes_any_value_as_an_eoi,
	 "kvm_takes_any_value_as_an_eoi; here all but 0 fault in x2APIC mode (SDM 11.12.1.3)"},
	{sends_level_triggered_ipis,
	 "kvm_sends_level_triggered_ipis; here they become edges (SDM table 11-3)"},
	{sends_an_nmi_to_the_sender,
	 "kvm_sends_an_nmi_to_the_sender_by_shorthand; here that is not valid (SDM table 11-3)"},
	{stores_reserved_bits_of_the_icr, "kvm_stores_reserved_bits_of_the_icr; here they read 0"},
	{matches_a_wide_destination_by_its_low_byte,
	 "kvm_matches_a_wide_destination_by_its_low_byte in xAPIC mode; here it "
	 "addresses another cluster"},
	{takes_an_xapic_without_ldr_for_an_x2apic,
	 "kvm_takes_an_xapic_without_ldr_for_an_x2apic; here LDR 0 matches no logical "
	 "destination (SDM 11.6.2.2)"},
	{takes_any_other_dfr_for_the_cluster_model,
	 "kvm_takes_any_other_dfr_for_the_cluster_model; here only a DFR with 0 in bits "
	 "31:28 selects that model (SDM 11.6.2.2)"},
	{broadcasts_within_a_mode_alone,
	 "kvm_broadcasts_within_a_mode_alone; here a broadcast reaches all APICs"},
	{reports_an_eoi_in_spite_of_its_suppression,
	 "kvm_reports_an_eoi_in_spite_of_its_suppression; here SVR[12] suppresses "
	 "the report (SDM 11.8.5)"},
	{chooses_the_lowest_priority_by_vector,
	 "kvm_chooses_the_lowest_priority_by_vector; here by priority (SDM 11.6.2.4)"},
	{keeps_registers_over_a_hardware_disable,
	 "kvm_keeps_registers_over_a_hardware_disable; here they are as after power-up (SDM "
	 "11.4.3 allows either)"},
	{saves_an_old_ppr, "kvm_saves_a_ppr_from_before_the_last_write_of_the_tpr; here the saved "
			   "PPR has the new TPR (SDM 11.8.3.1)"},
};
