/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O APIC: edges, levels and EOIs, by the 82093AA data sheet [DS] and those of the ICH [ICH]. */
#include "ioapic_fixture.h"

#include "../lab/random.h"

static void reserved_delivery_modes_send_nothing(void **state)
{
	start(&fixture, 0x20, 24);
	for (uint64_t mode = 3; mode <= 6; mode += 3) { /* [DS 3.2.4], bits 10:8 */
		program(&fixture, 2, mode << 8 | 0x40);
		assert_int_equal(raise_line(&fixture, 2), VSM_IOAPIC_IGNORED);
		lower_line(&fixture, 2);
		program(&fixture, 2, LEVEL | mode << 8 | 0x40);
		assert_int_equal(raise_line(&fixture, 2), VSM_IOAPIC_IGNORED);
		assert_int_equal(vsm_ioapic_entry(&fixture.io, 2) & (RIRR | DELIVS), 0);
		lower_line(&fixture, 2);
	}
	assert_int_equal(fixture.sent, 0);
}

static void an_edge_sends_once_until_the_line_goes_down_and_up(void **state)
{
	program(&fixture, 4, 0x34);
	assert_int_equal(raise_line(&fixture, 4), VSM_IOAPIC_DELIVERED);
	assert_int_equal(raise_line(&fixture, 4), VSM_IOAPIC_IGNORED);
	assert_int_equal(vsm_ioapic_eoi(&fixture.io, 0x34), 0);
	assert_int_equal(fixture.sent, 1);
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 4) & RIRR, 0);
	assert_int_equal(lower_line(&fixture, 4), VSM_IOAPIC_IGNORED);
	assert_int_equal(raise_line(&fixture, 4), VSM_IOAPIC_DELIVERED);
	assert_int_equal(fixture.sent, 2);
}

static void an_edge_on_a_masked_pin_is_not_remembered(void **state)
{
	program(&fixture, 4, MASKED | 0x34); /* [DS 3.2.4], bit 16 */
	assert_int_equal(raise_line(&fixture, 4), VSM_IOAPIC_IGNORED);
	program(&fixture, 4, 0x34);
	assert_int_equal(fixture.sent, 0);
	lower_line(&fixture, 4);
	assert_int_equal(raise_line(&fixture, 4), VSM_IOAPIC_DELIVERED);
}

static void a_level_sets_remote_irr_and_fires_again_after_an_eoi_while_asserted(void **state)
{
	program(&fixture, 10, LEVEL | 0x51);
	assert_int_equal(raise_line(&fixture, 10), VSM_IOAPIC_DELIVERED);
	assert_int_equal(get(&fixture, 0x10 + 20), 0x0000c051); /* [DS 3.2.4], bit 14 */
	assert_int_equal(vsm_ioapic_eoi(&fixture.io, 0x50), 0);
	assert_int_equal(fixture.sent, 1);
	assert_int_equal(vsm_ioapic_eoi(&fixture.io, 0x51), 1);
	assert_int_equal(fixture.sent, 2);
	lower_line(&fixture, 10);
	assert_int_equal(get(&fixture, 0x10 + 20), 0x0000c051);
	assert_int_equal(vsm_ioapic_eoi(&fixture.io, 0x51), 1);
	assert_int_equal(fixture.sent, 2);
	assert_int_equal(get(&fixture, 0x10 + 20), 0x00008051);
}

static void a_level_raised_before_its_eoi_is_reported_as_coalesced(void **state)
{
	program(&fixture, 10, LEVEL | 0x51);
	raise_line(&fixture, 10);
	lower_line(&fixture, 10);
	assert_int_equal(raise_line(&fixture, 10), VSM_IOAPIC_COALESCED);
	assert_int_equal(fixture.sent, 1);
	fixture.answer = VSM_IOAPIC_MERGED;
	vsm_ioapic_eoi(&fixture.io, 0x51);
	assert_int_equal(fixture.sent, 2);
	program(&fixture, 11, 0x52);
	assert_int_equal(raise_line(&fixture, 11), VSM_IOAPIC_COALESCED);
}

static void a_level_that_ends_while_masked_has_no_effect(void **state)
{
	program(&fixture, 10, MASKED | LEVEL | 0x51); /* [DS 3.2.4], bit 16 */
	assert_int_equal(raise_line(&fixture, 10), VSM_IOAPIC_IGNORED);
	lower_line(&fixture, 10);
	program(&fixture, 10, LEVEL | 0x51);
	assert_int_equal(fixture.sent, 0);
	program(&fixture, 10, MASKED | LEVEL | 0x51);
	raise_line(&fixture, 10);
	program(&fixture, 10, LEVEL | 0x51); /* still asserted: fires */
	assert_int_equal(fixture.sent, 1);
}

static void masking_after_delivery_does_not_touch_remote_irr(void **state)
{
	program(&fixture, 10, LEVEL | 0x51);
	raise_line(&fixture, 10);
	put(&fixture, 0x10 + 20, MASKED | LEVEL | 0x51);
	assert_int_equal(get(&fixture, 0x10 + 20), MASKED | LEVEL | RIRR | 0x51);
	assert_int_equal(vsm_ioapic_eoi(&fixture.io, 0x51), 1);
	assert_int_equal(get(&fixture, 0x10 + 20), MASKED | LEVEL | 0x51);
	assert_int_equal(fixture.sent, 1);
	put(&fixture, 0x10 + 20, LEVEL | 0x51);
	assert_int_equal(fixture.sent, 2);
}

static void programming_a_pin_to_edge_and_back_clears_remote_irr(void **state)
{
	program(&fixture, 10, LEVEL | 0x51);
	raise_line(&fixture, 10);
	put(&fixture, 0x10 + 20, MASKED | 0x51); /* what Linux does without an EOI register */
	assert_int_equal(get(&fixture, 0x10 + 20), MASKED | 0x51);
	put(&fixture, 0x10 + 20, LEVEL | 0x51);
	assert_int_equal(fixture.sent, 2);
}

static void one_eoi_ends_every_pin_with_that_vector(void **state)
{
	start(&fixture, 0x20, 24);
	program(&fixture, 1, LEVEL | 0x51);
	program(&fixture, 2, LEVEL | 0x51);
	program(&fixture, 3, LEVEL | 0x52);
	raise_line(&fixture, 1);
	raise_line(&fixture, 2);
	raise_line(&fixture, 3);
	lower_line(&fixture, 1);
	assert_int_equal(fixture.sent, 3);
	assert_int_equal(vsm_ioapic_eoi(&fixture.io, 0x51), 2); /* [ICH], EOI register */
	assert_int_equal(fixture.sent, 4);
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 1) & RIRR, 0);
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 2) & RIRR, RIRR);
	assert_int_equal(vsm_ioapic_entry(&fixture.io, 3) & RIRR, RIRR);
}

static void the_eoi_register_works_in_version_20_and_is_absent_in_11(void **state)
{
	for (unsigned int version = 0x11; version <= 0x20; version += 0xf) {
		start(&fixture, (uint8_t)version, 24);
		program(&fixture, 10, LEVEL | 0x51);
		raise_line(&fixture, 10);
		lower_line(&fixture, 10);
		vsm_ioapic_write(&fixture.io, VSM_IOAPIC_MMIO_EOI, 0x51);
		assert_int_equal(!(vsm_ioapic_entry(&fixture.io, 10) & RIRR), version == 0x20);
		assert_int_equal(vsm_ioapic_read(&fixture.io, VSM_IOAPIC_MMIO_EOI), 0);
	}
}

static void a_refused_level_stays_pending_until_it_is_accepted(void **state)
{
	fixture.answer = VSM_IOAPIC_REFUSED;
	program(&fixture, 10, LEVEL | 0x51);
	assert_int_equal(raise_line(&fixture, 10), VSM_IOAPIC_PENDING);
	assert_int_equal(get(&fixture, 0x10 + 20), LEVEL | DELIVS | 0x51); /* [DS 3.2.4], bit 12 */
	assert_int_equal(vsm_ioapic_retry(&fixture.io), 0);
	fixture.answer = VSM_IOAPIC_ACCEPTED;
	assert_int_equal(vsm_ioapic_retry(&fixture.io), 1);
	assert_int_equal(get(&fixture, 0x10 + 20), LEVEL | RIRR | 0x51);
	assert_int_equal(vsm_ioapic_retry(&fixture.io), 0);
}

static void a_refused_level_that_is_withdrawn_is_not_sent(void **state)
{
	fixture.answer = VSM_IOAPIC_REFUSED;
	program(&fixture, 10, LEVEL | 0x51);
	raise_line(&fixture, 10);
	lower_line(&fixture, 10);
	fixture.answer = VSM_IOAPIC_ACCEPTED;
	assert_int_equal(vsm_ioapic_retry(&fixture.io), 0);
	assert_int_equal(get(&fixture, 0x10 + 20), LEVEL | 0x51);
}

static void a_refused_edge_stays_pending_and_further_edges_merge_with_it(void **state)
{
	fixture.answer = VSM_IOAPIC_REFUSED;
	program(&fixture, 4, 0x34);
	assert_int_equal(raise_line(&fixture, 4), VSM_IOAPIC_PENDING);
	lower_line(&fixture, 4);
	assert_int_equal(get(&fixture, 0x18), DELIVS | 0x34);
	assert_int_equal(raise_line(&fixture, 4), VSM_IOAPIC_PENDING);
	lower_line(&fixture, 4);
	fixture.answer = VSM_IOAPIC_ACCEPTED;
	fixture.sent = 0;
	/* [DS 3.2.4]: no new edge is recognized before the message has left. */
	assert_int_equal(raise_line(&fixture, 4), VSM_IOAPIC_COALESCED);
	assert_int_equal(fixture.sent, 1);
	assert_int_equal(vsm_ioapic_retry(&fixture.io), 0);
}

static void masking_withdraws_a_refused_edge(void **state)
{
	fixture.answer = VSM_IOAPIC_REFUSED;
	program(&fixture, 4, 0x34);
	raise_line(&fixture, 4);
	put(&fixture, 0x18, MASKED | 0x34);
	fixture.answer = VSM_IOAPIC_ACCEPTED;
	fixture.sent = 0;
	put(&fixture, 0x18, 0x34);
	assert_int_equal(vsm_ioapic_retry(&fixture.io), 0);
	assert_int_equal(fixture.sent, 0);
}

static void polarity_inverts_only_an_electrical_input(void **state)
{
	const uint64_t low = VSM_IOAPIC_ENTRY_ACTIVE_LOW;

	program(&fixture, 6, low | LEVEL | 0x51);
	assert_int_equal(fixture.sent, 0);
	assert_int_equal(raise_line(&fixture, 6), VSM_IOAPIC_DELIVERED);

	start(&fixture, 0x11, 24);
	fixture.io.config.electrical = true;
	raise_line(&fixture, 6); /* idle, for an active low line */
	raise_line(&fixture, 7);
	program(&fixture, 6, low | LEVEL | 0x51); /* [DS 3.2.4], bit 13 */
	program(&fixture, 7, low | 0x52);
	assert_int_equal(fixture.sent, 0);
	assert_int_equal(lower_line(&fixture, 6), VSM_IOAPIC_DELIVERED);
	assert_int_equal(lower_line(&fixture, 7), VSM_IOAPIC_DELIVERED);
	assert_int_equal(raise_line(&fixture, 6), VSM_IOAPIC_IGNORED);
	assert_int_equal(raise_line(&fixture, 7), VSM_IOAPIC_IGNORED);
	assert_int_equal(fixture.sent, 2);
}

static void no_level_interrupt_is_ever_lost(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15;
	bool asserted[24] = {false};

	start(&fixture, 0x20, 24);
	for (int step = 0; step < 200000; step++) {
		const uint64_t value = next_random(&seed);
		const uint32_t pin = value >> 8 & 0xff;

		if (step % 8 == 0)
			fixture.answer = (enum vsm_ioapic_delivery)(value >> 40 & 3);
		switch (value & 3) {
		case 0:
			vsm_ioapic_set_line(&fixture.io, pin, value >> 16 & 1);
			if (pin < 24)
				asserted[pin] = value >> 16 & 1;
			break;
		case 1:
			put(&fixture, 0x10 + (value >> 8 & 0x3f),
			    (uint32_t)(value >> 20 & 0x1ffff));
			break;
		case 2:
			vsm_ioapic_eoi(&fixture.io, (uint8_t)(value >> 20));
			break;
		default:
			vsm_ioapic_retry(&fixture.io);
		}
		for (uint32_t i = 0; i < 24; i++) {
			const uint64_t entry = vsm_ioapic_entry(&fixture.io, i);

			if (asserted[i] && (entry & LEVEL) && !(entry & MASKED) &&
			    (entry & VSM_IOAPIC_ENTRY_MODE) <= 0x100)
				assert_int_equal(!(entry & RIRR), !!(entry & DELIVS));
			assert_false((entry & RIRR) && (entry & DELIVS));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_delivery_modes_send_nothing),
		TEST(an_edge_sends_once_until_the_line_goes_down_and_up),
		TEST(an_edge_on_a_masked_pin_is_not_remembered),
		TEST(a_level_sets_remote_irr_and_fires_again_after_an_eoi_while_asserted),
		TEST(a_level_raised_before_its_eoi_is_reported_as_coalesced),
		TEST(a_level_that_ends_while_masked_has_no_effect),
		TEST(masking_after_delivery_does_not_touch_remote_irr),
		TEST(programming_a_pin_to_edge_and_back_clears_remote_irr),
		cmocka_unit_test(one_eoi_ends_every_pin_with_that_vector),
		cmocka_unit_test(the_eoi_register_works_in_version_20_and_is_absent_in_11),
		TEST(a_refused_level_stays_pending_until_it_is_accepted),
		TEST(a_refused_level_that_is_withdrawn_is_not_sent),
		TEST(a_refused_edge_stays_pending_and_further_edges_merge_with_it),
		TEST(masking_withdraws_a_refused_edge),
		TEST(polarity_inverts_only_an_electrical_input),
		cmocka_unit_test(no_level_interrupt_is_ever_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
