/* SPDX-License-Identifier: BSD-2-Clause */
#include "lapic_test.h"

/* SDM 11.8.4: the highest vector first; one of the same class waits for the EOI. */
static void the_highest_class_goes_first_and_its_own_class_waits(void **state)
{
	struct vsm_lapic apic = ready();

	vsm_lapic_post(&apic, 0x41, VSM_LAPIC_EDGE);
	vsm_lapic_post(&apic, 0x4f, VSM_LAPIC_EDGE);
	vsm_lapic_post(&apic, 0x52, VSM_LAPIC_EDGE);
	assert_int_equal(take(&apic), 0x52);
	assert_int_equal(take(&apic), -1);
	wr(&apic, EOI, 0);
	assert_int_equal(take(&apic), 0x4f);
	assert_int_equal(take(&apic), -1);
	vsm_lapic_post(&apic, 0x50, VSM_LAPIC_EDGE);
	assert_int_equal(take(&apic), 0x50);
	assert_int_equal(vsm_lapic_highest_isr(&apic), 0x50);
	wr(&apic, EOI, 0);
	assert_int_equal(vsm_lapic_highest_isr(&apic), 0x4f);
	wr(&apic, EOI, 0);
	assert_int_equal(take(&apic), 0x41);
}

/* SDM 11.8.3.1, tables: every TPR against every vector in service. */
static void the_ppr_is_the_higher_of_tpr_and_isrv(void **state)
{
	for (uint32_t isrv = 15; isrv < 256; isrv++)
		for (uint32_t tpr = 0; tpr < 256; tpr++) {
			struct vsm_lapic apic = ready();
			uint32_t service = isrv == 15 ? 0 : isrv, ppr;

			if (service) {
				vsm_lapic_post(&apic, isrv, VSM_LAPIC_EDGE);
				assert_int_equal(take(&apic), isrv);
			}
			wr(&apic, TPR, tpr);
			ppr = rd(&apic, PPR);
			if (tpr >> 4 > service >> 4)
				assert_int_equal(ppr, tpr);
			else if (tpr >> 4 < service >> 4)
				assert_int_equal(ppr, service & 0xf0);
			else /* the SDM allows 0 in the lower bits, too */
				assert_int_equal(ppr, tpr);
			assert_int_equal(vsm_lapic_ppr(&apic), ppr);
		}
}

/* SDM 11.8.3: a vector passes if its class is above that of the TPR. */
static void the_tpr_masks_its_class_and_those_below(void **state)
{
	for (uint32_t tpr = 0; tpr < 256; tpr++)
		for (uint32_t vector = 16; vector < 256; vector++) {
			struct vsm_lapic apic = ready();

			vsm_lapic_post(&apic, vector, VSM_LAPIC_EDGE);
			vsm_lapic_set_tpr(&apic, tpr);
			assert_int_equal(vsm_lapic_pending(&apic),
					 vector >> 4 > tpr >> 4 ? (int)vector : -1);
			assert_int_equal(vsm_lapic_highest_irr(&apic), vector);
		}
}

/* SDM 11.8.6: CR8 is bits 7:4 of the TPR, for reads and writes. */
static void cr8_and_the_tpr_are_the_same_register(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, TPR, 0x9c);
	assert_int_equal(vsm_lapic_cr8(&apic), 9);
	vsm_lapic_set_cr8(&apic, 5);
	assert_int_equal(rd(&apic, TPR), 0x50);
	vsm_lapic_set_cr8(&apic, 0xff);
	assert_int_equal(rd(&apic, TPR), 0xf0);
}

static void a_vector_below_16_is_refused_and_reported(void **state)
{
	struct vsm_lapic apic = ready();

	for (uint32_t vector = 0; vector < 16; vector++) {
		assert_int_equal(vsm_lapic_post(&apic, vector, VSM_LAPIC_EDGE), VSM_LAPIC_IGNORED);
		wr(&apic, ESR, 0);
		assert_int_equal(rd(&apic, ESR), VSM_LAPIC_ESR_RECEIVE_VECTOR);
	}
	assert_int_equal(vsm_lapic_highest_irr(&apic), -1);
	assert_int_equal(vsm_lapic_post(&apic, 16, VSM_LAPIC_EDGE), VSM_LAPIC_KICK);
}

/* SDM 11.5.3: the error interrupt needs a kick as any other, or later posts wake no VP. */
static void a_vector_below_16_kicks_if_it_requests_the_error_interrupt(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, LVT_ERROR, 0xfe);
	assert_int_equal(vsm_lapic_post(&apic, 5, VSM_LAPIC_EDGE), VSM_LAPIC_KICK);
	assert_int_equal(vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE), VSM_LAPIC_QUEUED);
	vsm_lapic_look(&apic);
	assert_int_equal(take(&apic), 0xfe);
	/* The next error interrupt comes after a write to the ESR. */
	assert_int_equal(vsm_lapic_post(&apic, 5, VSM_LAPIC_EDGE), VSM_LAPIC_IGNORED);
	assert_false(vsm_lapic_has_posted(&apic));
	wr(&apic, ESR, 0);
	assert_int_equal(vsm_lapic_post(&apic, 0x50, VSM_LAPIC_EDGE), VSM_LAPIC_KICK);
	assert_int_equal(vsm_lapic_post(&apic, 5, VSM_LAPIC_EDGE), VSM_LAPIC_QUEUED);
	wr(&apic, ESR, 0);
	assert_int_equal(vsm_lapic_post(&apic, 5, VSM_LAPIC_EDGE), VSM_LAPIC_COALESCED);
}

/* SDM 11.8.4: one request in the IRR and one in the ISR at most; more merge. */
static void a_vector_is_pending_once_while_one_is_in_service(void **state)
{
	struct vsm_lapic apic = ready();

	assert_int_equal(vsm_lapic_post(&apic, 0x60, VSM_LAPIC_EDGE), VSM_LAPIC_KICK);
	assert_int_equal(vsm_lapic_post(&apic, 0x60, VSM_LAPIC_EDGE), VSM_LAPIC_COALESCED);
	assert_int_equal(take(&apic), 0x60);
	assert_int_equal(vsm_lapic_post(&apic, 0x60, VSM_LAPIC_EDGE), VSM_LAPIC_QUEUED);
	assert_true(in_set(&apic, IRR, 0x60));
	assert_true(in_set(&apic, ISR, 0x60));
	assert_int_equal(take(&apic), -1);
	wr(&apic, EOI, 0);
	assert_int_equal(take(&apic), 0x60);
}

/* SDM 11.8.5: the EOI of a level-triggered vector is sent to the I/O APICs, unless SVR[12] suppresses it. */
static void the_eoi_of_a_level_interrupt_is_broadcast(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;

	vsm_lapic_post(&apic, 0x70, VSM_LAPIC_EDGE);
	take(&apic);
	effect = wr(&apic, EOI, 0);
	assert_int_equal(effect.flags, VSM_LAPIC_EFFECT_EOI | VSM_LAPIC_EFFECT_PENDING);
	assert_int_equal(effect.eoi_vector, 0x70);

	vsm_lapic_post(&apic, 0x70, VSM_LAPIC_LEVEL);
	assert_true(in_set(&apic, TMR, 0x70));
	take(&apic);
	effect = wr(&apic, EOI, 0);
	assert_true(effect.flags & VSM_LAPIC_EFFECT_EOI_BROADCAST);
	assert_int_equal(effect.eoi_vector, 0x70);

	wr(&apic, SVR, 0x11ff);
	vsm_lapic_post(&apic, 0x70, VSM_LAPIC_LEVEL);
	take(&apic);
	effect = wr(&apic, EOI, 0);
	assert_false(effect.flags & VSM_LAPIC_EFFECT_EOI_BROADCAST);
	assert_true(effect.flags & VSM_LAPIC_EFFECT_EOI);

	/* SDM 11.8.4: an edge of the same vector clears the TMR bit again. */
	vsm_lapic_post(&apic, 0x70, VSM_LAPIC_EDGE);
	assert_false(in_set(&apic, TMR, 0x70));
}

static void an_eoi_with_nothing_in_service_does_nothing(void **state)
{
	struct vsm_lapic apic = ready();

	vsm_lapic_post(&apic, 0x70, VSM_LAPIC_EDGE);
	assert_int_equal(wr(&apic, EOI, 0).flags, 0);
	assert_true(in_set(&apic, IRR, 0x70));
}

/* SDM 11.9: the interrupt was masked between its request and the acknowledgement. */
static void an_acknowledgement_without_an_interrupt_returns_the_spurious_vector(void **state)
{
	struct vsm_lapic apic = ready();

	wr(&apic, SVR, 0x1ef);
	vsm_lapic_post(&apic, 0x30, VSM_LAPIC_EDGE);
	wr(&apic, TPR, 0x30);
	assert_int_equal(vsm_lapic_acknowledge(&apic), 0xef);
	assert_int_equal(vsm_lapic_highest_isr(&apic), -1);
	wr(&apic, TPR, 0);
	assert_int_equal(vsm_lapic_acknowledge(&apic), 0x30);
}

/* SDM 11.4.7.2: interrupts that were accepted before a software disable are still delivered. */
static void a_software_disable_stops_new_requests_only(void **state)
{
	struct vsm_lapic apic = ready();

	vsm_lapic_post(&apic, 0x30, VSM_LAPIC_EDGE);
	wr(&apic, SVR, 0xff);
	assert_int_equal(vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE), VSM_LAPIC_IGNORED);
	assert_int_equal(vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_NMI, 0), VSM_LAPIC_QUEUED);
	assert_int_equal(take(&apic), 0x30);
}

/* TLFS "SINTx Registers": an AutoEOI vector needs no EOI, and an EOI completes another vector. */
static void an_auto_eoi_vector_is_never_in_service(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_taken taken;

	vsm_lapic_post(&apic, 0x50, VSM_LAPIC_AUTO_EOI);
	assert_true(vsm_lapic_take(&apic, &taken));
	assert_true(taken.auto_eoi);
	assert_int_equal(vsm_lapic_highest_isr(&apic), -1);
	vsm_lapic_post(&apic, 0x50, VSM_LAPIC_EDGE);
	assert_true(vsm_lapic_take(&apic, &taken));
	assert_false(taken.auto_eoi);
	assert_int_equal(vsm_lapic_highest_isr(&apic), 0x50);
}

static void p14_a_withdrawn_vector_is_delivered_exactly_once(void **state)
{
	static const enum vsm_lapic_trigger trigger[] = {VSM_LAPIC_EDGE, VSM_LAPIC_LEVEL,
							 VSM_LAPIC_AUTO_EOI};

	for (int i = 0; i < 3; i++) {
		struct vsm_lapic apic = ready();
		struct vsm_lapic_state before, after;
		struct vsm_lapic_taken taken;

		vsm_lapic_post(&apic, 0x30, VSM_LAPIC_EDGE);
		take(&apic);
		vsm_lapic_post(&apic, 0x80, trigger[i]);
		vsm_lapic_save(&apic, &before);
		assert_true(vsm_lapic_take(&apic, &taken));
		assert_true(vsm_lapic_withdraw(&apic, &taken));
		vsm_lapic_save(&apic, &after);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_true(vsm_lapic_take(&apic, &taken));
		assert_int_equal(taken.vector, 0x80);
		assert_int_equal(taken.auto_eoi, trigger[i] == VSM_LAPIC_AUTO_EOI);

		/* The same vector is posted before the withdrawal: they merge. */
		vsm_lapic_post(&apic, 0x80, trigger[i]);
		assert_true(vsm_lapic_withdraw(&apic, &taken));
		assert_int_equal(take(&apic), 0x80);
		if (!taken.auto_eoi)
			wr(&apic, EOI, 0);
		assert_int_equal(take(&apic), -1);
	}
}

static void only_the_vector_taken_last_can_be_withdrawn(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_taken first, second;

	vsm_lapic_post(&apic, 0x30, VSM_LAPIC_EDGE);
	vsm_lapic_take(&apic, &first);
	vsm_lapic_post(&apic, 0x80, VSM_LAPIC_EDGE);
	vsm_lapic_take(&apic, &second);
	assert_false(vsm_lapic_withdraw(&apic, &first));
	assert_true(vsm_lapic_withdraw(&apic, &second));
	assert_false(vsm_lapic_withdraw(&apic, &second));
	assert_true(vsm_lapic_withdraw(&apic, &first));
	assert_int_equal(vsm_lapic_highest_isr(&apic), -1);
}

/* P12: checking for a deliverable vector, as for a VTL that is not active, never changes the APIC. */
static void p12_peeking_changes_nothing(void **state)
{
	struct vsm_lapic apic = ready(), copy;

	vsm_lapic_post(&apic, 0x80, VSM_LAPIC_LEVEL);
	copy = apic;
	assert_int_equal(vsm_lapic_pending(&apic), 0x80);
	assert_int_equal(vsm_lapic_highest_irr(&apic), 0x80);
	vsm_lapic_ppr(&apic);
	vsm_lapic_events(&apic);
	assert_memory_equal(&apic, &copy, sizeof(apic));
}

/* TLFS "EOI Assist": offered only if a single edge-triggered interrupt is in service and none is pending. */
static void an_eoi_may_be_skipped_only_when_no_interrupt_waits_for_it(void **state)
{
	struct vsm_lapic apic = ready();

	assert_false(vsm_lapic_may_skip_eoi(&apic));
	vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE);
	assert_false(vsm_lapic_may_skip_eoi(&apic));
	take(&apic);
	assert_true(vsm_lapic_may_skip_eoi(&apic));
	vsm_lapic_post(&apic, 0x30, VSM_LAPIC_EDGE);
	assert_false(vsm_lapic_may_skip_eoi(&apic));

	apic = ready();
	vsm_lapic_post(&apic, 0x40, VSM_LAPIC_LEVEL);
	take(&apic);
	assert_false(vsm_lapic_may_skip_eoi(&apic));

	apic = ready();
	vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE);
	take(&apic);
	vsm_lapic_post(&apic, 0x80, VSM_LAPIC_EDGE);
	take(&apic);
	assert_false(vsm_lapic_may_skip_eoi(&apic));
}

static void a_skipped_eoi_takes_effect_when_it_is_resolved(void **state)
{
	struct vsm_lapic apic = ready();
	struct vsm_lapic_effect effect;

	vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE);
	take(&apic);
	vsm_lapic_skip_eoi(&apic);
	assert_true(vsm_lapic_is_skipping_eoi(&apic));
	/* The bit must not be set again: the guest may have cleared it. */
	assert_false(vsm_lapic_may_skip_eoi(&apic));

	/* The bit is still set: the guest is in its handler, and will send the EOI. */
	vsm_lapic_resolve_eoi(&apic, true, &effect);
	assert_int_equal(effect.flags, 0);
	assert_int_equal(vsm_lapic_highest_isr(&apic), 0x40);
	assert_false(vsm_lapic_is_skipping_eoi(&apic));

	/* The guest has cleared the bit: its handler has ended. */
	vsm_lapic_skip_eoi(&apic);
	vsm_lapic_resolve_eoi(&apic, false, &effect);
	assert_true(effect.flags & VSM_LAPIC_EFFECT_EOI);
	assert_int_equal(effect.eoi_vector, 0x40);
	assert_int_equal(vsm_lapic_highest_isr(&apic), -1);

	/* After an explicit EOI or a withdrawal there is no EOI to resolve (found by a fuzzer). */
	vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE);
	take(&apic);
	vsm_lapic_skip_eoi(&apic);
	vsm_lapic_eoi(&apic, &effect);
	assert_false(vsm_lapic_is_skipping_eoi(&apic));

	vsm_lapic_resolve_eoi(&apic, false, &effect);
	assert_int_equal(effect.flags, 0);
}

static void posts_request_one_kick_between_two_checks_of_the_owner(void **state)
{
	struct vsm_lapic apic = ready();

	assert_false(vsm_lapic_look(&apic));
	assert_int_equal(vsm_lapic_post(&apic, 0x40, VSM_LAPIC_EDGE), VSM_LAPIC_KICK);
	assert_int_equal(vsm_lapic_post(&apic, 0x41, VSM_LAPIC_EDGE), VSM_LAPIC_QUEUED);
	assert_int_equal(vsm_lapic_post_event(&apic, VSM_LAPIC_EVENT_NMI, 0), VSM_LAPIC_QUEUED);
	assert_true(vsm_lapic_has_posted(&apic));
	assert_true(vsm_lapic_look(&apic));
	assert_false(vsm_lapic_has_posted(&apic));
	assert_int_equal(vsm_lapic_post(&apic, 0x41, VSM_LAPIC_EDGE), VSM_LAPIC_COALESCED);
	assert_int_equal(vsm_lapic_post(&apic, 0x42, VSM_LAPIC_EDGE), VSM_LAPIC_KICK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_highest_class_goes_first_and_its_own_class_waits),
		cmocka_unit_test(the_ppr_is_the_higher_of_tpr_and_isrv),
		cmocka_unit_test(the_tpr_masks_its_class_and_those_below),
		cmocka_unit_test(cr8_and_the_tpr_are_the_same_register),
		cmocka_unit_test(a_vector_below_16_is_refused_and_reported),
		cmocka_unit_test(a_vector_below_16_kicks_if_it_requests_the_error_interrupt),
		cmocka_unit_test(a_vector_is_pending_once_while_one_is_in_service),
		cmocka_unit_test(the_eoi_of_a_level_interrupt_is_broadcast),
		cmocka_unit_test(an_eoi_with_nothing_in_service_does_nothing),
		cmocka_unit_test(
			an_acknowledgement_without_an_interrupt_returns_the_spurious_vector),
		cmocka_unit_test(a_software_disable_stops_new_requests_only),
		cmocka_unit_test(an_auto_eoi_vector_is_never_in_service),
		cmocka_unit_test(p14_a_withdrawn_vector_is_delivered_exactly_once),
		cmocka_unit_test(only_the_vector_taken_last_can_be_withdrawn),
		cmocka_unit_test(p12_peeking_changes_nothing),
		cmocka_unit_test(an_eoi_may_be_skipped_only_when_no_interrupt_waits_for_it),
		cmocka_unit_test(a_skipped_eoi_takes_effect_when_it_is_resolved),
		cmocka_unit_test(posts_request_one_kick_between_two_checks_of_the_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
