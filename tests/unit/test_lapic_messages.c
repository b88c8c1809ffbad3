/* SPDX-License-Identifier: BSD-2-Clause */
#include "lapic_test.h"

/* SDM table 11-3, delivery modes 0 to 7 for each shorthand: sent or not. */
static void the_icr_sends_only_combinations_that_are_valid_in_the_sdm(void **state)
{
	static const char *const valid[4] = {
		"yyy-yyy-", /* no shorthand */
		"y-------", /* self */
		"y-------", /* all including self */
		"yyy-yyy-", /* all excluding self */
	};

	for (uint32_t shorthand = 0; shorthand < 4; shorthand++)
		for (uint32_t mode = 0; mode < 8; mode++) {
			struct vsm_lapic apic = ready();
			struct vsm_lapic_effect effect;
			bool sent;

			wr(&apic, ICR_HIGH, 0x07ffffff);
			effect = wr(&apic, ICR, shorthand << 18 | 0x4800 | mode << 8 | 0x55);
			sent = effect.flags & VSM_LAPIC_EFFECT_IPI;
			if (shorthand == VSM_LAPIC_TO_SELF)
				sent = vsm_lapic_highest_irr(&apic) == 0x55;
			assert_int_equal(sent, valid[shorthand][mode] == 'y');
			if (!(effect.flags & VSM_LAPIC_EFFECT_IPI))
				continue;
			assert_int_equal(effect.ipi.destination, 7);
			assert_int_equal(effect.ipi.vector, 0x55);
			assert_int_equal(effect.ipi.delivery, mode);
			assert_int_equal(effect.ipi.shorthand, shorthand);
			assert_int_equal(effect.ipi.flags, VSM_LAPIC_IPI_LOGICAL);
		}
}

/* SDM table 11-3, note 1: level is overridden; INIT level de-assert does nothing. */
static void a_level_triggered_ipi_is_sent_as_an_edge(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;

	effect = wr(&apic, ICR, 0x0000c055);
	assert_true(effect.flags & VSM_LAPIC_EFFECT_IPI);
	assert_int_equal(effect.ipi.flags, 0);
	assert_int_equal(wr(&apic, ICR, 0x00008500).flags, 0);
	assert_int_equal(wr(&apic, ICR, 0x0000c500).flags, VSM_LAPIC_EFFECT_IPI);
}

/* SDM 11.5.3, bit 5. */
static void an_illegal_vector_is_not_sent(void **state)
{
	struct vsm_lapic apic = ready();

	assert_false(wr(&apic, ICR, 0x400f).flags & VSM_LAPIC_EFFECT_IPI);
	wr(&apic, ESR, 0);
	assert_int_equal(rd(&apic, ESR), VSM_LAPIC_ESR_SEND_VECTOR);
	/* The vector of an NMI is ignored. */
	assert_true(wr(&apic, ICR, 0x4400).flags & VSM_LAPIC_EFFECT_IPI);
}

/* SDM 11.12.9, 11.12.11. */
static void x2apic_mode_has_32_bit_destinations_and_self_ipi(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;

	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC));
	assert_true(vsm_lapic_msr_write(&apic, 0, 0x830, 0x1234567800004041, &effect));
	assert_int_equal(effect.ipi.destination, 0x12345678);
	assert_int_equal(effect.ipi.flags, VSM_LAPIC_IPI_WIDE);
	assert_int_equal(rdmsr(&apic, 0x830), 0x1234567800004041);
	assert_true(wrmsr(&apic, 0x83f, 0x61));
	assert_int_equal(take(&apic), 0x61);
	assert_false(wrmsr(&apic, 0x83f, 0x100));
	assert_true(wrmsr(&apic, 0x83f, 0x0f));
	assert_true(wrmsr(&apic, 0x828, 0));
	assert_int_equal(rdmsr(&apic, 0x828), VSM_LAPIC_ESR_SEND_VECTOR);
}

/* SDM 11.11. */
static void an_msi_is_decoded_by_its_fields(void **state)
{
	struct vsm_lapic_ipi ipi;

	assert_true(vsm_lapic_ipi_from_msi(0xfee05000, 0x4041, false, &ipi));
	assert_int_equal(ipi.destination, 5);
	assert_int_equal(ipi.vector, 0x41);
	assert_int_equal(ipi.delivery, VSM_LAPIC_FIXED);
	assert_int_equal(ipi.flags & ~VSM_LAPIC_IPI_WIDE, 0);
	assert_true(vsm_lapic_ipi_from_msi(0xfee0500c, 0xc041, false, &ipi));
	assert_int_equal(ipi.delivery, VSM_LAPIC_LOWEST_PRIORITY);
	assert_int_equal(ipi.flags & ~VSM_LAPIC_IPI_WIDE,
			 VSM_LAPIC_IPI_LOGICAL | VSM_LAPIC_IPI_LEVEL);
	assert_true(vsm_lapic_ipi_from_msi(0xfee05020, 0x0441, true, &ipi));
	assert_int_equal(ipi.destination, 0x105);
	assert_int_equal(ipi.delivery, VSM_LAPIC_NMI);
	assert_true(ipi.flags & VSM_LAPIC_IPI_WIDE);
	assert_true(vsm_lapic_ipi_from_msi(0xfeeff000, 0x41, true, &ipi));
	assert_false(ipi.flags & VSM_LAPIC_IPI_WIDE);
	assert_false(vsm_lapic_ipi_from_msi(0xfed05000, 0x41, false, &ipi));
	assert_false(vsm_lapic_ipi_from_msi(0x1fee05000, 0x41, false, &ipi));
	assert_false(vsm_lapic_ipi_from_msi(0xfee05000, 0x341, false, &ipi));
	assert_false(vsm_lapic_ipi_from_msi(0xfee05000, 0x641, false, &ipi));
	assert_false(vsm_lapic_ipi_from_msi(0xfee05000, 0x8041, false, &ipi));
}

/* SDM 3A "Handling Multiple NMIs": one in service, one pending; a third merges. */
static void two_nmis_wait_and_a_third_merges(void **state)
{
	const uint32_t both = VSM_LAPIC_EVENT_NMI | VSM_LAPIC_EVENT_NMI_AGAIN;
	struct vsm_lapic apic = ready();

	assert_int_equal(vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_NMI_AGAIN, 0),
			 VSM_LAPIC_IGNORED);
	assert_int_equal(vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_NMI, 0), VSM_LAPIC_KICK);
	assert_int_equal(vsm_lapic_events(&apic), VSM_LAPIC_EVENT_NMI);
	assert_int_equal(vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_NMI, 0), VSM_LAPIC_QUEUED);
	assert_int_equal(vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_NMI, 0), VSM_LAPIC_COALESCED);
	assert_int_equal(vsm_lapic_events(&apic), both);
	assert_int_equal(vsm_lapic_take_events(&apic, VSM_LAPIC_EVENT_NMI, NULL), both);
	assert_int_equal(vsm_lapic_events(&apic), 0);
}

/* SDM 11.11.2: delivery modes of a message as the APIC sees them. */
static void a_message_becomes_a_vector_or_an_event(void **state)
{
	static const uint32_t event[8] = {
		0,
		0,
		VSM_LAPIC_EVENT_SMI,
		0,
		VSM_LAPIC_EVENT_NMI,
		VSM_LAPIC_EVENT_INIT,
		VSM_LAPIC_EVENT_SIPI,
		VSM_LAPIC_EVENT_EXTINT,
	};

	for (uint8_t mode = 0; mode < 8; mode++) {
		struct vsm_lapic apic = ready();
		struct vsm_lapic_ipi ipi = {.vector = 0x77, .delivery = mode};
		enum vsm_lapic_posted posted = vsm_lapic_post_message(&apic, &ipi);
		uint8_t vector = 0;

		assert_int_equal(posted, mode == 3 ? VSM_LAPIC_IGNORED : VSM_LAPIC_KICK);
		assert_int_equal(vsm_lapic_events(&apic), event[mode]);
		assert_int_equal(vsm_lapic_take_events(&apic, ~0u, &vector), event[mode]);
		assert_int_equal(vector, mode == VSM_LAPIC_SIPI ? 0x77 : 0);
		assert_int_equal(vsm_lapic_events(&apic), 0);
		assert_int_equal(take(&apic), mode <= 1 ? 0x77 : -1);

		assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_DISABLED));
		assert_int_equal(vsm_lapic_post_message(&apic, &ipi), VSM_LAPIC_IGNORED);
	}
}

/* SDM vol. 3, 9.4.4: INIT, then start-up; the first start-up counts. */
static void an_init_drops_an_earlier_sipi_and_keeps_a_later_one(void **state)
{
	struct vsm_lapic apic = ready();
	uint8_t vector = 0;

	vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_SIPI, 0x11);
	vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_INIT, 0);
	assert_int_equal(vsm_lapic_events(&apic), VSM_LAPIC_EVENT_INIT);
	vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_SIPI, 0x22);
	assert_int_equal(vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_SIPI, 0x33),
			 VSM_LAPIC_COALESCED);
	assert_int_equal(vsm_lapic_take_events(&apic, VSM_LAPIC_EVENT_INIT, NULL),
			 VSM_LAPIC_EVENT_INIT);
	vsm_lapic_init_reset(&apic);
	assert_int_equal(vsm_lapic_take_events(&apic, VSM_LAPIC_EVENT_SIPI, &vector),
			 VSM_LAPIC_EVENT_SIPI);
	assert_int_equal(vector, 0x22);
	assert_int_equal(vsm_lapic_take_events(&apic, VSM_LAPIC_EVENT_SIPI, &vector), 0);
}

/* SDM 11.5.1: delivery modes of the LVT, one local source after the other. */
static void a_local_source_is_delivered_in_the_mode_of_its_entry(void **state)
{
	static const struct {
		uint32_t at, value;
		enum vsm_lapic_lvt lvt;
		uint32_t event;
		int vector;
	} cases[] = {
		{LVT_PERFORMANCE, 0x00040, VSM_LAPIC_LVT_PERFORMANCE, 0, 0x40},
		{LVT_PERFORMANCE, 0x00400, VSM_LAPIC_LVT_PERFORMANCE, VSM_LAPIC_EVENT_NMI, -1},
		{LVT_PERFORMANCE, 0x10440, VSM_LAPIC_LVT_PERFORMANCE, 0, -1},
		{LVT_THERMAL, 0x00200, VSM_LAPIC_LVT_THERMAL, VSM_LAPIC_EVENT_SMI, -1},
		{LVT_CMCI, 0x00050, VSM_LAPIC_LVT_CMCI, 0, 0x50},
		{LVT_LINT0, 0x00700, VSM_LAPIC_LVT_LINT0, VSM_LAPIC_EVENT_EXTINT, -1},
		{LVT_LINT1, 0x00400, VSM_LAPIC_LVT_LINT1, VSM_LAPIC_EVENT_NMI, -1},
		{LVT_LINT1, 0x00500, VSM_LAPIC_LVT_LINT1, VSM_LAPIC_EVENT_INIT, -1},
		{LVT_TIMER, 0x00040, VSM_LAPIC_LVT_TIMER, 0, 0x40},
		{LVT_ERROR, 0x00041, VSM_LAPIC_LVT_ERROR, 0, 0x41},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vsm_lapic apic = ready();

		wr(&apic, cases[i].at, cases[i].value);
		assert_int_equal(rd(&apic, cases[i].at), cases[i].value);
		vsm_lapic_post_local(&apic, cases[i].lvt);
		assert_int_equal(vsm_lapic_events(&apic), cases[i].event);
		assert_int_equal(take(&apic), cases[i].vector);
	}
}

/* SDM 11.5.1: remote IRR, and a line that is still asserted at the EOI. */
static void an_asserted_level_line_requests_again_after_its_eoi(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, LVT_LINT0, 0x8060);
	assert_int_equal(vsm_lapic_set_lint(&apic, 0, true), VSM_LAPIC_KICK);
	assert_int_equal(rd(&apic, LVT_LINT0), 0xc060);
	assert_int_equal(vsm_lapic_set_lint(&apic, 0, true), VSM_LAPIC_COALESCED);
	assert_int_equal(take(&apic), 0x60);
	assert_int_equal(vsm_lapic_set_lint(&apic, 0, true), VSM_LAPIC_COALESCED);
	assert_int_equal(vsm_lapic_highest_irr(&apic), -1);
	assert_true(wr(&apic, EOI, 0).flags & VSM_LAPIC_EFFECT_EOI_BROADCAST);
	assert_int_equal(take(&apic), 0x60);
	vsm_lapic_set_lint(&apic, 0, false);
	wr(&apic, EOI, 0);
	assert_int_equal(rd(&apic, LVT_LINT0), 0x8060);
	assert_int_equal(take(&apic), -1);

	/* The line rises while the entry is masked, which is unmasked later. */
	wr(&apic, LVT_LINT0, 0x18060);
	assert_int_equal(vsm_lapic_set_lint(&apic, 0, true), VSM_LAPIC_IGNORED);
	assert_true(wr(&apic, LVT_LINT0, 0x8060).flags & VSM_LAPIC_EFFECT_PENDING);
	assert_int_equal(take(&apic), 0x60);
}

/* No EOI would clear remote IRR, as only the error interrupt is delivered. */
static void a_line_with_an_illegal_vector_kicks_for_its_error_interrupt(void **state)
{
	static const uint32_t entry[] = {0x05 /* edge */, 0x8005 /* level */};

	for (size_t i = 0; i < 2; i++) {
		struct vsm_lapic apic = ready();

		wr(&apic, LVT_ERROR, 0xfe);
		wr(&apic, LVT_LINT0, entry[i]);
		assert_int_equal(vsm_lapic_set_lint(&apic, 0, true), VSM_LAPIC_KICK);
		assert_int_equal(take(&apic), 0xfe);
		assert_int_equal(rd(&apic, LVT_LINT0), entry[i]);
	}
}

static void an_edge_line_requests_once_for_each_rise(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, LVT_LINT1, 0x60);
	assert_int_equal(vsm_lapic_set_lint(&apic, 1, true), VSM_LAPIC_KICK);
	assert_int_equal(take(&apic), 0x60);
	assert_int_equal(vsm_lapic_set_lint(&apic, 1, true), VSM_LAPIC_COALESCED);
	wr(&apic, EOI, 0);
	assert_int_equal(take(&apic), -1);
	vsm_lapic_set_lint(&apic, 1, false);
	vsm_lapic_set_lint(&apic, 1, true);
	assert_int_equal(take(&apic), 0x60);
	assert_int_equal(vsm_lapic_set_lint(&apic, 2, true), VSM_LAPIC_IGNORED);
}

/* SDM 11.4.3, 11.5.1: the 8259 passes through a disabled APIC, or through LINT0 as ExtINT. */
static void interrupts_of_the_8259_pass_if_lint0_permits_them(void **state)
{
	struct vsm_lapic apic = ready();

	assert_false(vsm_lapic_accepts_extint(&apic));
	wr(&apic, LVT_LINT0, 0x700);
	assert_true(vsm_lapic_accepts_extint(&apic));
	wr(&apic, LVT_LINT0, 0x10700);
	assert_false(vsm_lapic_accepts_extint(&apic));
	assert_true(wrmsr(&apic, VSM_LAPIC_MSR_BASE, BASE_DISABLED));
	assert_true(vsm_lapic_accepts_extint(&apic));
}

/* SDM 11.5.3: an illegal vector in the entry for errors must cause no further error interrupt. */
static void an_error_entry_with_an_illegal_vector_adds_one_error(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, LVT_ERROR, 0x05);
	rd(&apic, 0x40);
	wr(&apic, ESR, 0);
	assert_int_equal(rd(&apic, ESR),
			 VSM_LAPIC_ESR_ILLEGAL_ADDRESS | VSM_LAPIC_ESR_RECEIVE_VECTOR);
	assert_int_equal(vsm_lapic_highest_irr(&apic), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_icr_sends_only_combinations_that_are_valid_in_the_sdm),
		cmocka_unit_test(a_level_triggered_ipi_is_sent_as_an_edge),
		cmocka_unit_test(an_illegal_vector_is_not_sent),
		cmocka_unit_test(x2apic_mode_has_32_bit_destinations_and_self_ipi),
		cmocka_unit_test(an_msi_is_decoded_by_its_fields),
		cmocka_unit_test(two_nmis_wait_and_a_third_merges),
		cmocka_unit_test(a_message_becomes_a_vector_or_an_event),
		cmocka_unit_test(an_init_drops_an_earlier_sipi_and_keeps_a_later_one),
		cmocka_unit_test(a_local_source_is_delivered_in_the_mode_of_its_entry),
		cmocka_unit_test(an_asserted_level_line_requests_again_after_its_eoi),
		cmocka_unit_test(a_line_with_an_illegal_vector_kicks_for_its_error_interrupt),
		cmocka_unit_test(an_edge_line_requests_once_for_each_rise),
		cmocka_unit_test(interrupts_of_the_8259_pass_if_lint0_permits_them),
		cmocka_unit_test(an_error_entry_with_an_illegal_vector_adds_one_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
