/* SPDX-License-Identifier: BSD-2-Clause */
#include "lapic_test.h"

#include <errno.h>

static void an_invalid_configuration_is_refused(void **state)
{
	const struct vsm_lapic_config good = {.tsc_khz = 1, .timer_khz = 1, .max_phys_bits = 36};
	struct vsm_lapic_config c;
	struct vsm_lapic apic;

	assert_int_equal(vsm_lapic_init(&apic, &good), 0);
	c = good, c.tsc_khz = 0;
	assert_int_equal(vsm_lapic_init(&apic, &c), -EINVAL);
	c = good, c.timer_khz = 0;
	assert_int_equal(vsm_lapic_init(&apic, &c), -EINVAL);
	c = good, c.max_phys_bits = 31;
	assert_int_equal(vsm_lapic_init(&apic, &c), -EINVAL);
	c = good, c.max_phys_bits = 53;
	assert_int_equal(vsm_lapic_init(&apic, &c), -EINVAL);
	c = good, c.flags = 1u << 31;
	assert_int_equal(vsm_lapic_init(&apic, &c), -EINVAL);
	c = good, c.id = 256;
	assert_int_equal(vsm_lapic_init(&apic, &c), -EINVAL);
	c.flags = VSM_LAPIC_HAS_X2APIC;
	assert_int_equal(vsm_lapic_init(&apic, &c), 0);
	c.id = UINT32_MAX;
	assert_int_equal(vsm_lapic_init(&apic, &c), -EINVAL);
}

/* SDM 11.4.7.1, table 11-1. */
static void registers_after_reset_are_those_of_the_sdm(void **state)
{
	static const struct {
		uint32_t at, value;
	} expected[] = {
		{ID, 5u << 24},
		{TPR, 0},
		{PPR, 0},
		{LDR, 0},
		{DFR, 0xffffffff},
		{SVR, 0xff},
		{ESR, 0},
		{ICR, 0},
		{ICR_HIGH, 0},
		{LVT_CMCI, 0x10000},
		{LVT_TIMER, 0x10000},
		{LVT_THERMAL, 0x10000},
		{LVT_PERFORMANCE, 0x10000},
		{LVT_LINT0, 0x10000},
		{LVT_LINT1, 0x10000},
		{LVT_ERROR, 0x10000},
		{INITIAL_COUNT, 0},
		{CURRENT_COUNT, 0},
		{DIVIDE, 0},
	};
	struct vsm_lapic apic;

	power_up(&apic, 5, ALL_FEATURES | VSM_LAPIC_BSP);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(rd(&apic, expected[i].at), expected[i].value);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(rd(&apic, ISR + 16 * i), 0);
		assert_int_equal(rd(&apic, TMR + 16 * i), 0);
		assert_int_equal(rd(&apic, IRR + 16 * i), 0);
	}
	assert_int_equal(rdmsr(&apic, VSM_LAPIC_MSR_BASE), 0xfee00900);
	assert_false(vsm_lapic_is_software_enabled(&apic));
}

/* SDM 11.4.8: version 0x14, the number of LVT entries less one, directed EOI. */
static void the_version_has_the_features(void **state)
{
	struct vsm_lapic apic;

	power_up(&apic, 0, 0);
	assert_int_equal(rd(&apic, VERSION), 0x00050014);
	power_up(&apic, 0, VSM_LAPIC_HAS_CMCI);
	assert_int_equal(rd(&apic, VERSION), 0x00060014);
	power_up(&apic, 0, VSM_LAPIC_HAS_DIRECTED_EOI);
	assert_int_equal(rd(&apic, VERSION), 0x01050014);
}

/* SDM 11.4.7.3 and 11.12.5.1: INIT keeps ID, base and mode. */
static void init_keeps_the_id_and_the_mode(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, TPR, 0x50);
	wr(&apic, LDR, 0x04000000);
	vsm_lapic_post(&apic, 0x80, VSM_LAPIC_EDGE);
	vsm_lapic_init_reset(&apic);
	assert_int_equal(rd(&apic, TPR), 0);
	assert_int_equal(rd(&apic, LDR), 0);
	assert_int_equal(rd(&apic, SVR), 0xff);
	assert_int_equal(vsm_lapic_highest_irr(&apic), -1);

	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
	vsm_lapic_init_reset(&apic);
	assert_int_equal(vsm_lapic_mode(&apic), VSM_LAPIC_X2APIC);
	assert_int_equal(rdmsr(&apic, 0x802), 5);
	assert_int_equal(rdmsr(&apic, 0x80d), 1u << 5);
}

/* SDM figure 11-27: every transition, legal and not. */
static void modes_change_by_the_legal_transitions_only(void **state)
{
	static const uint64_t base[3] = {BASE_DISABLED, BASE_XAPIC, BASE_X2APIC};
	static const bool legal[3][3] = {
		{true, true, false},
		{true, true, true},
		{true, false, true},
	};

	for (int from = 0; from < 3; from++)
		for (int to = 0; to < 3; to++) {
			struct vsm_lapic apic = ready();

			assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, base[from]));
			assert_int_equal(wrmsr(&apic, VSM_LAPIC_MSR_BASE, base[to]),
					 legal[from][to]);
			assert_int_equal(vsm_lapic_mode(&apic), legal[from][to] ? to : from);
			/* EN=0 with EXTD=1 is never legal. */
			assert_false(wrmsr(&apic, VSM_LAPIC_MSR_BASE, 0xfee00400));
		}
}

static void reserved_bits_of_the_base_fault(void **state)
{
	struct vsm_lapic apic = ready();

	for (int bit = 0; bit < 64; bit++) {
		bool legal = bit == 8 || bit == 10 || bit == 11 || (bit >= 12 && bit < 40);

		apic = ready();
		assert_int_equal(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_XAPIC | 1ull << bit), legal);
	}
	power_up(&apic, 0, 0);
	assert_false(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
}

static void the_page_follows_the_base_and_exists_only_in_xapic_mode(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;
	uint64_t value = 1;

	assert_int_equal(vsm_lapic_mmio_base(&apic), 0xfee00000);
	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, 0xab00000800));
	assert_int_equal(vsm_lapic_mmio_base(&apic), 0xab00000000);
	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
	assert_true(vsm_lapic_mmio_base(&apic) == UINT64_MAX);
	assert_false(vsm_lapic_mmio_read(&apic, 0, TPR, 4, &value, &effect));
	assert_int_equal(value, 0);
	assert_false(vsm_lapic_mmio_write(&apic, 0, TPR, 4, 0x10, &effect));
	assert_int_equal(vsm_lapic_tpr(&apic), 0);
}

/* SDM 11.4.3: the state after a hardware disable is that of power-up. */
static void a_hardware_disable_ignores_interrupts_and_resets_registers(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, TPR, 0x33);
	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_DISABLED));
	assert_int_equal(vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE), VSM_LAPIC_IGNORED);
	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_XAPIC));
	assert_int_equal(rd(&apic, TPR), 0);
	assert_int_equal(rd(&apic, SVR), 0xff);
}

/* SDM 11.12.10.2: the LDR of x2APIC mode follows from the ID. */
static void the_x2apic_ldr_follows_from_the_id(void **state)
{
	static const struct {
		uint32_t id, ldr;
	} cases[] = {{0, 1}, {15, 0x8000}, {16, 0x10001}, {0x123, 0x120008}, {0xfffff, 0xffff8000}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vsm_lapic apic;

		power_up(&apic, cases[i].id, ALL_FEATURES);
		assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
		assert_int_equal(rdmsr(&apic, 0x802), cases[i].id);
		assert_int_equal(rdmsr(&apic, 0x80d), cases[i].ldr);
	}
}

/* SDM table 11-6, register by register; bit 0 readable, bit 1 writable. */
static int x2apic_access(uint32_t reg)
{
	switch (reg) {
	case 0x02:
	case 0x03:
	case 0x0a:
	case 0x0d:
	case 0x39:
		return 1;
	case 0x0b:
	case 0x3f:
		return 2;
	case 0x08:
	case 0x0f:
	case 0x28:
	case 0x2f:
	case 0x30:
	case 0x32:
	case 0x33:
	case 0x34:
	case 0x35:
	case 0x36:
	case 0x37:
	case 0x38:
	case 0x3e:
		return 3;
	default:
		return reg >= 0x10 && reg <= 0x27 ? 1 : 0;
	}
}

static void x2apic_msrs_are_those_of_the_table_and_no_others(void **state)
{
	struct vsm_lapic apic = ready();

	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
	for (uint32_t reg = 0; reg <= 0xff; reg++) {
		uint64_t value;

		assert_int_equal(vsm_lapic_msr_read(&apic, 0, 0x800 + reg, &value),
				 x2apic_access(reg) & 1);
		assert_int_equal(wrmsr(&apic, 0x800 + reg, reg == 0x3f ? 0x40 : 0),
				 x2apic_access(reg) >> 1);
		assert_int_equal(vsm_lapic_get_register(&apic, 0, reg, &value),
				 x2apic_access(reg) & 1);
		if (x2apic_access(reg))
			assert_non_null(vsm_lapic_register_name(reg));
	}
}

static void x2apic_msrs_fault_outside_x2apic_mode(void **state)
{
	struct vsm_lapic apic = ready();
	uint64_t value;

	assert_false(wrmsr(&apic, 0x808, 0));
	assert_false(vsm_lapic_msr_read(&apic, 0, 0x808, &value));
}

/* SDM 11.12.1.3: reserved bits fault, one by one. */
static void reserved_bits_fault_in_x2apic_mode(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t legal;
	} cases[] = {
		{0x808, 0xff},	     {0x80b, 0},       {0x80f, 0x13ff},
		{0x828, 0},	     {0x82f, 0x117ff}, {0x830, 0xffffffff000cdfff},
		{0x832, 0x710ff},    {0x833, 0x117ff}, {0x834, 0x117ff},
		{0x835, 0x1f7ff},    {0x836, 0x1f7ff}, {0x837, 0x110ff},
		{0x838, 0xffffffff}, {0x83e, 0xb},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int bit = 0; bit < 64; bit++) {
			struct vsm_lapic apic = ready();

			assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
			assert_int_equal(wrmsr(&apic, cases[i].msr, 1ull << bit),
					 cases[i].legal >> bit & 1);
		}
}

/* A kernel masks an entry by writing what it has read. SDM 11.5.1, 11.12.9: these bits are read-only. */
static void status_bits_are_ignored_in_x2apic_mode(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t status;
	} cases[] = {
		{0x82f, 0x1000}, {0x830, 0x1000}, {0x832, 0x1000}, {0x833, 0x1000},
		{0x834, 0x1000}, {0x835, 0x5000}, {0x836, 0x5000}, {0x837, 0x1000},
	};
	struct vsm_lapic apic = ready();

	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint64_t value = cases[i].msr == 0x830 ? 0x41 : 0x10041;
		uint64_t read;

		assert_true(wrmsr(&apic, cases[i].msr, value | cases[i].status));
		assert_true(vsm_lapic_msr_read(&apic, 0, cases[i].msr, &read));
		assert_int_equal(read, value);
	}
}

/* SDM 11.5.3, bit 7: reserved addresses; APR and remote read are exempt. */
static void an_access_to_a_reserved_address_is_an_error(void **state)
{
	static const uint32_t reserved[] = {0x00,  0x10,  0x40,	 0x70,	0x290, 0x2e0,
					    0x3a0, 0x3d0, 0x3f0, 0x400, 0xff0};
	struct vsm_lapic apic = ready();

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		wr(&apic, ESR, 0);
		assert_int_equal(rd(&apic, reserved[i]), 0);
		wr(&apic, ESR, 0);
		assert_int_equal(rd(&apic, ESR), VSM_LAPIC_ESR_ILLEGAL_ADDRESS);
		wr(&apic, ESR, 0);
		wr(&apic, reserved[i], 0);
		wr(&apic, ESR, 0);
		assert_int_equal(rd(&apic, ESR), VSM_LAPIC_ESR_ILLEGAL_ADDRESS);
	}
	wr(&apic, ESR, 0);
	rd(&apic, APR);
	rd(&apic, RRD);
	rd(&apic, EOI);
	wr(&apic, VERSION, 0);
	wr(&apic, ESR, 0);
	assert_int_equal(rd(&apic, ESR), 0);
}

/* SDM 11.5.3: the ESR shows what happened up to the last write, and only that. */
static void the_esr_is_latched_by_a_write(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, LVT_ERROR, 0xfe);
	vsm_lapic_post(&apic, 15, VSM_LAPIC_EDGE);
	assert_int_equal(rd(&apic, ESR), 0);
	assert_int_equal(take(&apic), 0xfe);
	wr(&apic, EOI, 0);
	/* The write also permits the next error interrupt. */
	rd(&apic, 0x40);
	assert_int_equal(take(&apic), -1);
	wr(&apic, ESR, 0);
	assert_int_equal(rd(&apic, ESR),
			 VSM_LAPIC_ESR_RECEIVE_VECTOR | VSM_LAPIC_ESR_ILLEGAL_ADDRESS);
	wr(&apic, ESR, 0);
	assert_int_equal(rd(&apic, ESR), 0);
	rd(&apic, 0x40);
	assert_int_equal(take(&apic), 0xfe);
}

static void only_aligned_doublewords_are_written(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;

	for (uint32_t size = 1; size <= 8; size++)
		for (uint32_t offset = 0; offset < 16; offset++) {
			vsm_lapic_set_tpr(&apic, 0x77);
			assert_true(
				vsm_lapic_mmio_write(&apic, 0, TPR + offset, size, 0x22, &effect));
			assert_int_equal(vsm_lapic_tpr(&apic),
					 size == 4 && offset == 0 ? 0x22 : 0x77);
		}
}

static void a_read_returns_the_bytes_of_its_register(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;
	uint64_t value;

	wr(&apic, INITIAL_COUNT, 0x12345678);
	assert_true(vsm_lapic_mmio_read(&apic, 0, INITIAL_COUNT + 1, 2, &value, &effect));
	assert_int_equal(value, 0x3456);
	assert_true(vsm_lapic_mmio_read(&apic, 0, INITIAL_COUNT, 1, &value, &effect));
	assert_int_equal(value, 0x78);
	assert_true(vsm_lapic_mmio_read(&apic, 0, INITIAL_COUNT, 8, &value, &effect));
	assert_int_equal(value, 0x12345678);
	assert_true(vsm_lapic_mmio_read(&apic, 0, INITIAL_COUNT + 4, 4, &value, &effect));
	assert_int_equal(value, 0);
}

/* SDM 11.4.7.2: mask bits are set by a software disable and cannot be cleared while the APIC is disabled. */
static void a_software_disable_masks_the_lvt(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, LVT_TIMER, 0x40);
	wr(&apic, SVR, 0xff);
	assert_int_equal(rd(&apic, LVT_TIMER), 0x10040);
	wr(&apic, LVT_TIMER, 0x41);
	assert_int_equal(rd(&apic, LVT_TIMER), 0x10041);
	wr(&apic, SVR, 0x1ff);
	assert_int_equal(rd(&apic, LVT_TIMER), 0x10041);
	wr(&apic, LVT_TIMER, 0x41);
	assert_int_equal(rd(&apic, LVT_TIMER), 0x41);
}

/* SDM 11.6.2.2: the lower 28 bits of the DFR read as ones. */
static void the_dfr_reads_with_ones(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, DFR, 0);
	assert_int_equal(rd(&apic, DFR), 0x0fffffff);
	wr(&apic, LDR, 0xffffffff);
	assert_int_equal(rd(&apic, LDR), 0xff000000);
}

static void the_id_can_be_written_only_if_configured(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, ID, 0x09000000);
	assert_int_equal(rd(&apic, ID), 0x05000000);
	power_up(&apic, 5, VSM_LAPIC_ID_WRITABLE);
	assert_true(wr(&apic, ID, 0x09ffffff).flags & VSM_LAPIC_EFFECT_ROUTE);
	assert_int_equal(rd(&apic, ID), 0x09000000);
}

/* TLFS, virtual interrupt controller MSRs. */
static void the_synthetic_msrs_access_eoi_icr_and_tpr(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;
	uint64_t value;

	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_HV_TPR, 0x42));
	assert_int_equal(rdmsr(&apic, VSM_LAPIC_MSR_HV_TPR), 0x42);
	assert_int_equal(rd(&apic, TPR), 0x42);
	assert_false(wrmsr(&apic, VSM_LAPIC_MSR_HV_TPR, 0x100));

	vsm_lapic_post(&apic, 0x80, VSM_LAPIC_EDGE);
	assert_int_equal(take(&apic), 0x80);
	assert_false(vsm_lapic_msr_read(&apic, 0, VSM_LAPIC_MSR_HV_EOI, &value));
	assert_true(vsm_lapic_msr_write(&apic, 0, VSM_LAPIC_MSR_HV_EOI, 0, &effect));
	assert_int_equal(effect.eoi_vector, 0x80);
	assert_int_equal(vsm_lapic_highest_isr(&apic), -1);

	assert_true(
		vsm_lapic_msr_write(&apic, 0, VSM_LAPIC_MSR_HV_ICR, 0x0700000000004041, &effect));
	assert_int_equal(effect.flags, VSM_LAPIC_EFFECT_IPI);
	assert_int_equal(effect.ipi.destination, 7);
	assert_int_equal(effect.ipi.vector, 0x41);
	assert_true(rdmsr(&apic, VSM_LAPIC_MSR_HV_ICR) == 0x0700000000004041);

	/* Reserved bits of the synthetic ICR are ignored in xAPIC mode and fault in x2APIC mode; they
	 * are not stored (found by a fuzzer). */
	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_HV_ICR, 0x08123456fff35041));
	assert_true(rdmsr(&apic, VSM_LAPIC_MSR_HV_ICR) == 0x0800000000004041);
	assert_false(vsm_lapic_set_register(&apic, 0, 0x30, 0x08123456fff35041, &effect));
	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
	assert_false(wrmsr(&apic, VSM_LAPIC_MSR_HV_ICR, 0x08123456fff35041));
}

/* P33: Windows' secure kernel does not clear the upper half of the value. */
static void p33_the_synthetic_eoi_accepts_any_value(void **state)
{
	static const uint64_t values[] = {1, 1ull << 32, 0xdeadbeef00000000, UINT64_MAX};
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		vsm_lapic_post(&apic, 0x80, VSM_LAPIC_EDGE);
		assert_int_equal(take(&apic), 0x80);
		assert_true(
			vsm_lapic_msr_write(&apic, 0, VSM_LAPIC_MSR_HV_EOI, values[i], &effect));
		assert_int_equal(effect.eoi_vector, 0x80);
		assert_int_equal(vsm_lapic_highest_isr(&apic), -1);
	}
	/* The x2APIC's own EOI register accepts only 0 (SDM 3A 11.12.1.2). */
	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
	assert_false(wrmsr(&apic, VSM_LAPIC_MSR_X2APIC_FIRST + 0x0b, 1));
}

static void the_hypercall_registers_work_in_xapic_mode_too(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;
	uint64_t value;

	assert_true(vsm_lapic_get_register(&apic, 0, 0x02, &value));
	assert_int_equal(value, 5);
	assert_true(vsm_lapic_set_register(&apic, 0, 0x08, 0x20, &effect));
	assert_true(vsm_lapic_get_register(&apic, 0, 0x08, &value));
	assert_int_equal(value, 0x20);
	assert_false(vsm_lapic_set_register(&apic, 0, 0x08, 0x100, &effect));
	assert_false(vsm_lapic_set_register(&apic, 0, 0x03, 0, &effect));
	assert_false(vsm_lapic_get_register(&apic, 0, 0x0b, &value));
	assert_string_equal(vsm_lapic_register_name(0x08), "TPR");
	assert_null(vsm_lapic_register_name(0x00));
	assert_null(vsm_lapic_register_name(0x40));
}

/* P23: a secure kernel that never writes the SVR must get its interrupts. */
static void p23_an_apic_can_start_software_enabled(void **state)
{
	struct vsm_lapic apic;

	power_up(&apic, 0, ALL_FEATURES);
	assert_int_equal(vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE), VSM_LAPIC_IGNORED);
	vsm_lapic_software_enable(&apic);
	assert_int_equal(rd(&apic, SVR), 0x1ff);
	assert_int_equal(vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE), VSM_LAPIC_KICK);
	assert_int_equal(take(&apic), 0x40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_invalid_configuration_is_refused),
		cmocka_unit_test(registers_after_reset_are_those_of_the_sdm),
		cmocka_unit_test(the_version_has_the_features),
		cmocka_unit_test(init_keeps_the_id_and_the_mode),
		cmocka_unit_test(modes_change_by_the_legal_transitions_only),
		cmocka_unit_test(reserved_bits_of_the_base_fault),
		cmocka_unit_test(the_page_follows_the_base_and_exists_only_in_xapic_mode),
		cmocka_unit_test(a_hardware_disable_ignores_interrupts_and_resets_registers),
		cmocka_unit_test(the_x2apic_ldr_follows_from_the_id),
		cmocka_unit_test(x2apic_msrs_are_those_of_the_table_and_no_others),
		cmocka_unit_test(x2apic_msrs_fault_outside_x2apic_mode),
		cmocka_unit_test(reserved_bits_fault_in_x2apic_mode),
		cmocka_unit_test(status_bits_are_ignored_in_x2apic_mode),
		cmocka_unit_test(an_access_to_a_reserved_address_is_an_error),
		cmocka_unit_test(the_esr_is_latched_by_a_write),
		cmocka_unit_test(only_aligned_doublewords_are_written),
		cmocka_unit_test(a_read_returns_the_bytes_of_its_register),
		cmocka_unit_test(a_software_disable_masks_the_lvt),
		cmocka_unit_test(the_dfr_reads_with_ones),
		cmocka_unit_test(the_id_can_be_written_only_if_configured),
		cmocka_unit_test(the_synthetic_msrs_access_eoi_icr_and_tpr),
		cmocka_unit_test(p33_the_synthetic_eoi_accepts_any_value),
		cmocka_unit_test(the_hypercall_registers_work_in_xapic_mode_too),
		cmocka_unit_test(p23_an_apic_can_start_software_enabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
