/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts between VTLs and VPs (TLFS "Virtual Interrupt Management for VSM"). */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/apic.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#define VECTOR 0x71
#define LOW    0x41
#define NMI    2

static volatile uint32_t *came(uint32_t vp, uint8_t vtl, uint8_t vector)
{
	return &cpu_table[vp][vtl]->interrupts[vector];
}

static void send_own_vtl(void *argument)
{
	const uint32_t vp = (uint32_t)(uint64_t)argument;

	apic_send(smp_apic_id[vp], APIC_FIXED | VECTOR);
}

static uint32_t other_vp(void)
{
	return smp_count > 1 ? 1 : 0;
}

/* P02: an APIC belongs to one VTL. */
static void icr_stays_in_its_vtl(void)
{
	const uint32_t vp = other_vp();
	const uint32_t before[2] = {*came(vp, 0, VECTOR), *came(vp, 1, VECTOR)};
	const uint32_t entries = vtl_service_of[vp][1]->entries[HV_VTL_ENTRY_INTERRUPT];

	vtl_run(send_own_vtl, (void *)(uint64_t)vp);
	expect(wait_for(*came(vp, 1, VECTOR) == before[1] + 1));
	interrupts_window();
	time_delay_ms(2);
	expect_equal(*came(vp, 0, VECTOR), before[0]);
	expect_equal(vtl_service_of[vp][1]->entries[HV_VTL_ENTRY_INTERRUPT], entries + 1);
	send_own_vtl((void *)(uint64_t)vp);
	interrupts_window();
	expect(wait_for(*came(vp, 0, VECTOR) == before[0] + 1));
	expect_equal(*came(vp, 1, VECTOR), before[1] + 1);
}

struct spin {
	volatile uint32_t running;
	volatile uint32_t stop;
	uint64_t turns;
};

static void spin_with_interrupts_off(void *argument)
{
	struct spin *spin = argument;

	spin->running = 1;
	while (!spin->stop)
		spin->turns++;
}

static void vtl0_cannot_hold_it_off(void)
{
	struct spin spin = {0};
	const uint32_t before = smp_count > 1 ? *came(1, 1, VECTOR) : 0;

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	smp_begin(1, spin_with_interrupts_off, &spin);
	expect(wait_for(spin.running));
	for (uint32_t i = 1; i <= 100; i++) {
		vtl_run(send_own_vtl, (void *)1ull);
		if (!expect(wait_for(*came(1, 1, VECTOR) == before + i)))
			break;
	}
	spin.stop = 1;
	smp_end(1);
	expect(spin.turns > 0);
}

struct ipi {
	uint8_t input_vtl;
	uint32_t vector;
	uint64_t mask;
	uint16_t status;
	bool fast, ex;
};

static void send_ipi(void *argument)
{
	struct ipi *ipi = argument;
	const struct hv_send_synthetic_cluster_ipi_input input = {
		.vector = ipi->vector, .input_vtl = ipi->input_vtl, .processor_mask = ipi->mask};
	struct {
		struct hv_send_synthetic_cluster_ipi_ex_input fixed;
		uint64_t bank;
	} ex = {{.vector = ipi->vector, .input_vtl = ipi->input_vtl, .vp_set = {0, 1}}, ipi->mask};

	if (ipi->ex)
		ipi->status = hv_hypercall_result_status(hypercall_memory(
			hypercall_word(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX, 0, 1), &ex,
			sizeof(ex), NULL, 0));
	else if (ipi->fast)
		ipi->status =
			hypercall_fast(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI,
				       ipi->vector | (uint64_t)ipi->input_vtl << 32, ipi->mask);
	else
		ipi->status = hypercall(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI, &input, sizeof(input),
					NULL, 0);
}

/* P18: every form of the call must use the target VTL. */
static void cluster_ipi_names_its_vtl(void)
{
	const uint64_t all = (1ull << smp_count) - 1;
	uint32_t before[CPU_MAX] = {0};

	for (unsigned int form = 0; form < 3; form++) {
		struct ipi ipi = {input_vtl(0), VECTOR, all, 0, form == 1, form == 2};

		for (uint32_t vp = 0; vp < smp_count; vp++)
			before[vp] = *came(vp, 0, VECTOR);
		vtl_run(send_ipi, &ipi);
		if (!expect_equal(ipi.status, HV_STATUS_SUCCESS))
			return;
		interrupts_window();
		for (uint32_t vp = 0; vp < smp_count; vp++)
			expect(wait_for(*came(vp, 0, VECTOR) == before[vp] + 1));
		ipi.input_vtl = 0;
		for (uint32_t vp = 0; vp < smp_count; vp++)
			before[vp] = *came(vp, 1, VECTOR);
		vtl_run(send_ipi, &ipi);
		for (uint32_t vp = 0; vp < smp_count; vp++)
			expect(wait_for(*came(vp, 1, VECTOR) == before[vp] + 1));
	}
}

static void bad_ipis_are_refused(void)
{
	struct ipi up = {input_vtl(1), VECTOR, 1, 0, false, false};
	struct ipi low = {0, 3, 1, 0, true, false};
	const uint32_t before = *came(0, 1, VECTOR);

	send_ipi(&up);
	expect(up.status != HV_STATUS_SUCCESS);
	expect_equal(*came(0, 1, VECTOR), before);
	send_ipi(&low);
	expect(low.status != HV_STATUS_SUCCESS);
}

static void assert_in_vtl1(void *argument)
{
	struct ipi *ipi = argument;
	const struct hv_assert_virtual_interrupt_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.interrupt_control = HV_INTERRUPT_TYPE_FIXED,
		.destination_address = smp_apic_id[ipi->mask],
		.requested_vector = ipi->vector,
		.target_vtl = ipi->input_vtl,
	};

	ipi->status = hypercall(HV_CALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input), NULL, 0);
}

static void asserted_interrupt_arrives(void)
{
	const uint32_t vp = other_vp();
	struct ipi ipi = {0, VECTOR, vp, 0, false, false};
	const uint32_t before = *came(vp, 0, VECTOR);

	vtl_run(assert_in_vtl1, &ipi);
	if (!expect_equal(ipi.status, HV_STATUS_SUCCESS))
		return;
	interrupts_window();
	expect(wait_for(*came(vp, 0, VECTOR) == before + 1));
	ipi.input_vtl = 1;
	assert_in_vtl1(&ipi);
	expect(ipi.status != HV_STATUS_SUCCESS);
}

/* P12: a vector that TPR masks must not enter VTL1, and must not be lost. */
static void mask_and_send(void *argument)
{
	write_cr8(LOW >> 4);
	apic_send(smp_apic_id[cpu_current()->vp], APIC_FIXED | LOW);
}

static void unmask(void *argument)
{
	write_cr8(0);
	interrupts_window();
}

static void masked_vector_waits(void)
{
	struct vtl_service *service = vtl_service_of[0][1];
	const uint32_t before = *came(0, 1, LOW);
	const uint32_t entries = service->entries[HV_VTL_ENTRY_INTERRUPT];

	vtl_run(mask_and_send, NULL);
	time_delay_ms(5);
	expect_equal(service->entries[HV_VTL_ENTRY_INTERRUPT], entries);
	expect_equal(*came(0, 1, LOW), before);
	vtl_run(unmask, NULL);
	expect_equal(*came(0, 1, LOW), before + 1);
}

static void send_to_self(void *argument)
{
	apic_send(smp_apic_id[cpu_current()->vp], APIC_FIXED | VECTOR);
}

static void pending_reenters(void)
{
	struct vtl_service *service = vtl_service_of[0][1];
	const uint32_t before = *came(0, 1, VECTOR);
	const uint32_t entries = service->entries[HV_VTL_ENTRY_INTERRUPT];

	vtl_run(send_to_self, NULL);
	expect(wait_for(*came(0, 1, VECTOR) == before + 1));
	expect_equal(service->entries[HV_VTL_ENTRY_INTERRUPT], entries + 1);
}

struct flood {
	volatile uint32_t ready;
	uint32_t rounds;
	uint32_t vector;
};

static void count_with_registers(void *argument)
{
	struct flood *flood = argument;
	uint64_t a = 0, b = 0x1111, c = 0x2222, d = 0x3333;

	flood->ready = 1;
	for (uint32_t i = 0; i < flood->rounds; i++) {
		__asm__ volatile("" : "+a"(a), "+c"(b), "+d"(c), "+r"(d));
		a += 1;
		b += 2;
		c += 3;
		d += 4;
	}
	expect_equal(a, flood->rounds);
	expect_equal(b, 0x1111 + 2ull * flood->rounds);
	expect_equal(c, 0x2222 + 3ull * flood->rounds);
	expect_equal(d, 0x3333 + 4ull * flood->rounds);
	flood->ready = 2;
}

static void interrupted_vtl0_notices_nothing(void)
{
	struct flood flood = {0, 20000000, VECTOR};
	uint32_t sent = 0;
	uint32_t before;

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	before = *came(1, 1, VECTOR);
	smp_begin(1, count_with_registers, &flood);
	while (flood.ready != 2 && sent < 2000) {
		vtl_run(send_own_vtl, (void *)1ull);
		sent++;
		if (!expect(wait_for(*came(1, 1, VECTOR) == before + sent)))
			break;
	}
	smp_end(1);
	expect(sent > 0);
}

static void ignore(struct interrupt_frame *frame)
{
	(void)frame; /* the kit's interrupt_entry() has counted it */
}

static void send_nmi(void *argument)
{
	apic_send(smp_apic_id[*(uint32_t *)argument], APIC_NMI);
}

static void handle_nmis(interrupt_handler *handler)
{
	for (uint32_t vp = 0; vp < smp_count; vp++)
		for (uint8_t vtl = 0; vtl < 2; vtl++)
			cpu_table[vp][vtl]->handler[NMI] = handler;
}

static void nmi_enters_its_vtl(void)
{
	uint32_t vp = other_vp();
	struct spin spin = {0};
	const uint32_t before[2] = {*came(vp, 0, NMI), *came(vp, 1, NMI)};

	handle_nmis(ignore);
	if (vp) {
		smp_begin(vp, spin_with_interrupts_off, &spin);
		expect(wait_for(spin.running));
	}
	vtl_run(send_nmi, &vp);
	expect(wait_for(*came(vp, 1, NMI) == before[1] + 1));
	time_delay_ms(2);
	expect_equal(*came(vp, 1, NMI), before[1] + 1);
	expect_equal(*came(vp, 0, NMI), before[0]);
	send_nmi(&vp);
	expect(wait_for(*came(vp, 0, NMI) == before[0] + 1));
	expect_equal(*came(vp, 1, NMI), before[1] + 1);
	if (vp) {
		spin.stop = 1;
		smp_end(vp);
	}
	handle_nmis(NULL);
}

static void assert_nmi(void *argument)
{
	const struct hv_assert_virtual_interrupt_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.interrupt_control = HV_INTERRUPT_TYPE_NMI,
		.destination_address = smp_apic_id[cpu_current()->vp],
		.target_vtl = 0,
	};
	uint32_t *seen = argument;

	seen[0] = hypercall(HV_CALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input), NULL, 0);
	time_delay_ms(2);
	seen[1] = *came(cpu_current()->vp, 0, NMI);
}

static void nmi_waits_for_its_vtl(void)
{
	const uint32_t before = *came(0, 0, NMI);
	uint32_t seen[2] = {0};

	handle_nmis(ignore);
	interrupts_off();
	vtl_run(assert_nmi, seen);
	expect_equal(seen[0], HV_STATUS_SUCCESS);
	expect_equal(seen[1], before);
	expect(wait_for(*came(0, 0, NMI) == before + 1));
	handle_nmis(NULL);
}

static void assert_both(void *argument)
{
	struct ipi ipi = {0, VECTOR, cpu_current()->vp, 0, false, false};

	assert_in_vtl1(&ipi);
	expect_equal(ipi.status, HV_STATUS_SUCCESS);
	assert_nmi(argument);
}

static void take_both(void *argument)
{
	const uint32_t vp = cpu_current()->vp;
	const uint32_t before[2] = {*came(vp, 0, NMI), *came(vp, 0, VECTOR)};
	uint32_t seen[2] = {0};

	interrupts_on();
	vtl_run(assert_both, seen);
	expect(wait_for(*came(vp, 0, NMI) == before[0] + 1));
	expect(wait_for(*came(vp, 0, VECTOR) == before[1] + 1));
	interrupts_off();
}

/* RFLAGS.TF must not be set in the interrupted code: its #DB would end the test. */
static void nmi_and_interrupt_at_once(void)
{
	handle_nmis(ignore);
	for (unsigned int i = 0; i < 20; i++)
		smp_run_all(take_both, NULL);
	handle_nmis(NULL);
}

static void x2apic_in_vtl0(void)
{
	const uint32_t before = *came(0, 0, VECTOR);
	const uint64_t base = rdmsr(MSR_APIC_BASE);

	if (!(cpuid(1, 0).ecx & 1u << 21)) {
		tap_skip("no x2APIC");
		return;
	}
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	expect_equal(apic_id(), smp_apic_id[0]);
	apic_send(smp_apic_id[0], APIC_FIXED | VECTOR);
	interrupts_window();
	expect(wait_for(*came(0, 0, VECTOR) == before + 1));
	wrmsr(HV_X64_MSR_ICR, (uint64_t)smp_apic_id[0] << 32 | APIC_FIXED | VECTOR);
	interrupts_window();
	expect(wait_for(*came(0, 0, VECTOR) == before + 2));
	/* Return to xAPIC mode through the disabled state (SDM 3A, 11.12.5). */
	wrmsr(MSR_APIC_BASE, base & ~APIC_BASE_ENABLED & ~APIC_BASE_X2APIC);
	wrmsr(MSR_APIC_BASE, base);
	apic_enable();
	expect_equal(rdmsr(MSR_APIC_BASE), base);
}

static const struct tap_case cases[] = {
	{"an IPI through the ICR stays in its VTL (P02)", icr_stays_in_its_vtl},
	{"an interrupt of VTL1 enters VTL1 even if VTL0 has interrupts off",
	 vtl0_cannot_hold_it_off},
	{"a synthetic cluster IPI goes to the VTL that it names, in every form (P18)",
	 cluster_ipi_names_its_vtl},
	{"IPIs to a higher VTL, or with a vector below 16, are refused", bad_ipis_are_refused},
	{"AssertVirtualInterrupt reaches only lower VTLs", asserted_interrupt_arrives},
	{"a vector that TPR masks neither enters VTL1 nor is lost (P12)", masked_vector_waits},
	{"an interrupt that VTL1 leaves pending enters VTL1 again when it returns",
	 pending_reenters},
	{"a VTL0 that is interrupted by VTL1 keeps its registers",
	 interrupted_vtl0_notices_nothing},
	{"an NMI enters the VTL whose APIC sent it", nmi_enters_its_vtl},
	{"an NMI that VTL1 asserts for VTL0 waits until VTL0 runs", nmi_waits_for_its_vtl},
	{"an NMI and an interrupt that are pending at the same time are both delivered",
	 nmi_and_interrupt_at_once},
	{"x2APIC mode works, as does the way back to xAPIC mode", x2apic_in_vtl0},
};

TAP_TOPIC(topic_interrupt, needs_vtl1, cases);
