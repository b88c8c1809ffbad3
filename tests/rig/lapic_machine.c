/* SPDX-License-Identifier: BSD-2-Clause */
#include "lapic_machine.h"

#include <stdio.h>
#include <string.h>

#define APIC_PAGE 0xfee00000u

uint8_t machine_level_vector(unsigned int number)
{
	/* Several priority classes, with several vectors in each; all are odd. */
	return (uint8_t)(0x31 + number % ROUTES * 8);
}

static int create_ours(struct machine *m, unsigned int number)
{
	const struct vsm_lapic_config config = {
		.id = number,
		.flags = VSM_LAPIC_HAS_X2APIC | VSM_LAPIC_HAS_DEADLINE |
			 VSM_LAPIC_HAS_DIRECTED_EOI | VSM_LAPIC_ID_WRITABLE |
			 (number ? 0 : VSM_LAPIC_BSP),
		.tsc_khz = 1000000,
		.timer_khz = 1000000,
		.max_phys_bits = 36,
	};

	return vsm_lapic_init(&m->apic[number], &config) ||
	       vsm_lapic_router_add(m->router, number, &m->apic[number]);
}

static int enable(struct machine *m, unsigned int number, bool x2apic)
{
	struct vsm_lapic_effect effect;
	uint64_t base = x2apic ? MACHINE_BASE_X2APIC : MACHINE_BASE_XAPIC;

	if (!number)
		base |= 0x100;
	guest_set_apic_base(&m->guest, number, base);
	if (!vsm_lapic_msr_write(&m->apic[number], 0, VSM_LAPIC_MSR_BASE, base, &effect))
		return -1;
	vsm_lapic_router_update(m->router, number);
	machine_write(m, number, REG_SVR, 0x1ff);
	return machine_run(m, number);
}

int machine_create(struct machine *m, unsigned int x2apic)
{
	uint8_t level[ROUTES];

	memset(m, 0, sizeof(*m));
	for (unsigned int i = 0; i < ROUTES; i++)
		level[i] = machine_level_vector(i);
	m->router =
		vsm_lapic_router_init(m->router_memory, sizeof(m->router_memory), (uint32_t)VCPUS);
	if (!m->router)
		return -1;
	guest_create(&m->guest, level);
	for (unsigned int i = 0; i < VCPUS; i++)
		if (create_ours(m, i))
			return -1;
	for (unsigned int i = 0; i < VCPUS; i++)
		if (enable(m, i, x2apic >> i & 1))
			return -1;
	return 0;
}

void machine_destroy(struct machine *m)
{
	guest_destroy(&m->guest);
}

bool machine_is_x2apic(const struct machine *m, unsigned int vcpu)
{
	return vsm_lapic_mode(&m->apic[vcpu]) == VSM_LAPIC_X2APIC;
}

static void follow(struct machine *m, unsigned int vcpu, const struct vsm_lapic_effect *effect)
{
	if (effect->flags & VSM_LAPIC_EFFECT_ROUTE)
		vsm_lapic_router_update(m->router, vcpu);
	if (effect->flags & VSM_LAPIC_EFFECT_IPI) {
		vsm_lapic_router_send(m->router, (int)vcpu, &effect->ipi, NULL);
		m->sent++;
	}
	if (effect->flags & VSM_LAPIC_EFFECT_EOI_BROADCAST && ++m->reported_eois &&
	    m->eois < MAX_EOIS)
		m->eoi[m->eois++] = effect->eoi_vector;
}

static struct command *expect(struct machine *m)
{
	struct command *command = &m->expected[m->commands++];

	*command = (struct command){0};
	return command;
}

void machine_write_msr(struct machine *m, unsigned int vcpu, uint32_t msr, uint64_t value)
{
	struct vsm_lapic_effect effect;

	guest_give(&m->guest, vcpu, MSR_WRITE, msr, value);
	if (vsm_lapic_msr_write(&m->apic[vcpu], 0, msr, value, &effect)) {
		expect(m);
		follow(m, vcpu, &effect);
	} else {
		expect(m)->fault = FAULT_GP;
	}
}

void machine_write(struct machine *m, unsigned int vcpu, uint32_t reg, uint64_t value)
{
	struct vsm_lapic_effect effect;

	if (machine_is_x2apic(m, vcpu)) {
		machine_write_msr(m, vcpu, 0x800 + reg, value);
		return;
	}
	guest_give(&m->guest, vcpu, MMIO_WRITE, APIC_PAGE + reg * 16, value);
	vsm_lapic_mmio_write(&m->apic[vcpu], 0, reg * 16, 4, value, &effect);
	expect(m);
	follow(m, vcpu, &effect);
}

void machine_read(struct machine *m, unsigned int vcpu, uint32_t reg)
{
	struct command *command = expect(m);
	struct vsm_lapic_effect effect;
	uint64_t value;

	if (machine_is_x2apic(m, vcpu)) {
		guest_give(&m->guest, vcpu, MSR_READ, 0x800 + reg, 0);
		if (!vsm_lapic_msr_read(&m->apic[vcpu], 0, 0x800 + reg, &value))
			command->fault = FAULT_GP;
	} else {
		guest_give(&m->guest, vcpu, MMIO_READ, APIC_PAGE + reg * 16, 0);
		vsm_lapic_mmio_read(&m->apic[vcpu], 0, reg * 16, 4, &value, &effect);
	}
	command->result_low = (uint32_t)value;
	command->result_high = (uint32_t)(value >> 32);
}

void machine_take(struct machine *m, unsigned int vcpu)
{
	struct command *command = expect(m);
	struct vsm_lapic_taken taken;

	guest_give(&m->guest, vcpu, TAKE, 0, 0);
	vsm_lapic_look(&m->apic[vcpu]);
	if (vsm_lapic_take(&m->apic[vcpu], &taken)) {
		command->result_low = taken.vector;
		m->taken++;
	}
}

int machine_run(struct machine *m, unsigned int vcpu)
{
	int result = guest_run(&m->guest, vcpu);

	m->commands = 0;
	m->eois = 0;
	return result;
}

void machine_msi(struct machine *m, uint32_t address, uint32_t data)
{
	struct vsm_lapic_ipi ipi;

	if (vsm_lapic_ipi_from_msi(address, data, false, &ipi))
		vsm_lapic_router_send(m->router, -1, &ipi, NULL);
	guest_signal_msi(&m->guest, address, data);
}

static bool same_results(const struct machine *m, unsigned int vcpu)
{
	const struct guest_vcpu *g = &m->guest.vcpu[vcpu];
	bool same = true;

	for (uint32_t i = 0; g->list[i].operation != END; i++) {
		const struct command *theirs = &g->list[i], *ours = &m->expected[i];

		if (theirs->result_low == ours->result_low &&
		    theirs->result_high == ours->result_high && theirs->fault == ours->fault)
			continue;
		printf("# vCPU %u, operation %u of %#x, value %#x%08x: KVM %#x%08x fault %u, here "
		       "%#x%08x fault %u\n",
		       vcpu, theirs->operation, theirs->address, theirs->high, theirs->low,
		       theirs->result_high, theirs->result_low, theirs->fault, ours->result_high,
		       ours->result_low, ours->fault);
		same = false;
	}
	if (g->eois != m->eois || memcmp(g->eoi, m->eoi, m->eois) != 0) {
		printf("# vCPU %u: KVM reported %u EOIs, here %u\n", vcpu, g->eois, m->eois);
		same = false;
	}
	return same;
}

bool machine_run_and_compare(struct machine *m, unsigned int vcpu)
{
	uint32_t eois = m->eois;
	bool same;

	if (machine_run(m, vcpu))
		return false;
	m->eois = eois;
	same = same_results(m, vcpu);
	m->eois = 0;
	return same;
}

/* Excludes the current count, since time differs between both sides. */
static bool is_compared(uint32_t reg)
{
	return reg != REG_CURRENT_COUNT && vsm_lapic_register_name(reg);
}

static uint32_t at(const char *page, uint32_t reg)
{
	uint32_t value;

	memcpy(&value, page + reg * 16, sizeof(value));
	return value;
}

/* Computes the PPR from the TPR and the ISR of the same state (SDM 3A 11.8.3.1). */
static uint32_t processor_priority(const char *state)
{
	uint32_t tpr = at(state, REG_TPR), in_service = 0;

	for (uint32_t vector = 0; vector < 256; vector++)
		if (at(state, REG_ISR + vector / 32) >> vector % 32 & 1)
			in_service = vector;
	return in_service >> 4 > tpr >> 4 ? in_service & 0xf0 : tpr;
}

bool machine_same_registers(const struct machine *m)
{
	bool same = true;

	for (unsigned int i = 0; i < VCPUS; i++) {
		uint8_t ours[VSM_LAPIC_KVM_STATE_SIZE];
		struct kvm_lapic_state theirs;

		guest_get_lapic(&m->guest, i, &theirs);
		vsm_lapic_save_kvm(&m->apic[i], 0, ours);
		for (uint32_t reg = 0; reg < 0x40; reg++) {
			uint32_t a = at(theirs.regs, reg), b = at((const char *)ours, reg);

			if (!is_compared(reg) || a == b)
				continue;
			/* kvm_saves_a_ppr_from_before_the_last_write_of_the_tpr */
			if (reg == REG_PPR && processor_priority(theirs.regs) == b)
				continue;
			printf("# vCPU %u, %s (%#x): KVM %#x, here %#x\n", i,
			       vsm_lapic_register_name(reg), reg * 16, a, b);
			same = false;
		}
	}
	return same;
}

uint32_t machine_kvm_register(const struct machine *m, unsigned int vcpu, uint32_t reg)
{
	struct kvm_lapic_state page = {{0}};

	guest_get_lapic(&m->guest, vcpu, &page);
	return at(page.regs, reg);
}

uint32_t machine_our_register(struct machine *m, unsigned int vcpu, uint32_t reg)
{
	uint8_t page[VSM_LAPIC_KVM_STATE_SIZE];

	vsm_lapic_save_kvm(&m->apic[vcpu], 0, page);
	return at((const char *)page, reg);
}

bool machine_exchange_states(struct machine *m)
{
	for (unsigned int i = 0; i < VCPUS; i++) {
		struct kvm_lapic_state page;
		const char *refused;

		guest_get_lapic(&m->guest, i, &page);
		refused = vsm_lapic_load_kvm(&m->apic[i], 0, (const uint8_t *)page.regs);
		if (refused) {
			printf("# vCPU %u: KVM's state is refused for %s\n", i, refused);
			return false;
		}
		vsm_lapic_router_update(m->router, i);
		vsm_lapic_save_kvm(&m->apic[i], 0, (uint8_t *)page.regs);
		guest_set_lapic(&m->guest, i, &page);
	}
	return true;
}
