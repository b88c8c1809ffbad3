/* SPDX-License-Identifier: BSD-2-Clause */
/* Several threads post while the owner takes interrupts. Under ThreadSanitizer, a non-atomic access
 * to shared state fails the test. */
#include "lapic_test.h"

#include <pthread.h>
#include <semaphore.h>

enum {
	POSTERS = 3,
	ROUNDS = 20000,
	TARGETS = 4
};

struct shared {
	struct vsm_lapic apic;
	sem_t kick;
	unsigned int posters;		 /* threads that have not ended */
	unsigned int requested[POSTERS]; /* posts that returned QUEUED or KICK */
	unsigned int taken[POSTERS];
	unsigned int nmis_requested, nmis_taken;
	unsigned int errors_requested, errors_taken;
};

struct poster {
	struct shared *shared;
	unsigned int number;
};

#define ERROR_VECTOR 0xfe

/* Each poster has a vector of its own, so that its posts and their takes can be counted. */
static uint8_t vector_of(unsigned int number)
{
	return 0x31 + 0x20 * number;
}

static void note(struct shared *s, enum vsm_lapic_posted posted, unsigned int *requested)
{
	if (posted >= VSM_LAPIC_QUEUED)
		__atomic_fetch_add(requested, 1, __ATOMIC_RELAXED);
	if (posted == VSM_LAPIC_KICK)
		sem_post(&s->kick);
}

static void *post_many(void *opaque)
{
	struct poster *p = opaque;
	struct shared *s = p->shared;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		enum vsm_lapic_trigger trigger = i % 3;

		note(s, vsm_lapic_post(&s->apic, vector_of(p->number), trigger),
		     &s->requested[p->number]);
		if (i % 16 == 0)
			note(s, vsm_lapic_post_event(&s->apic, VSM_LAPIC_EVENT_NMI, 0),
			     &s->nmis_requested);
		if (i % 64 == 0)
			note(s, vsm_lapic_post(&s->apic, 3, VSM_LAPIC_EDGE), &s->errors_requested);
	}
	__atomic_fetch_sub(&s->posters, 1, __ATOMIC_SEQ_CST);
	sem_post(&s->kick);
	return NULL;
}

/* Takes all pending interrupts, with the other calls of an owner in between, as in a VP's loop. */
static void serve(struct shared *s)
{
	struct vsm_lapic_taken taken;
	struct vsm_lapic_effect effect;

	uint32_t nmis;

	vsm_lapic_look(&s->apic);
	/* Up to two NMIs may be pending, and each was accepted as new. */
	nmis = vsm_lapic_take_events(&s->apic, VSM_LAPIC_EVENT_NMI, NULL);
	s->nmis_taken += (unsigned int)__builtin_popcount(nmis);
	while (vsm_lapic_take(&s->apic, &taken)) {
		if (taken.vector == ERROR_VECTOR)
			s->errors_taken++;
		else
			s->taken[(taken.vector - 0x31) / 0x20]++;
		if (!taken.auto_eoi)
			vsm_lapic_eoi(&s->apic, &effect);
		wr(&s->apic, ESR, 0);
		wr(&s->apic, TPR, 0x10);
		wr(&s->apic, TPR, 0);
	}
}

/* The owner sleeps until it is kicked: a lost post changes the counts, a lost kick lets the test
 * time out. */
static void no_post_is_lost_or_doubled_and_every_needed_kick_is_requested(void **state)
{
	struct poster poster[POSTERS];
	pthread_t thread[POSTERS];
	struct shared s = {.posters = POSTERS};

	s.apic = ready();
	wr(&s.apic, LVT_ERROR, ERROR_VECTOR);
	assert_int_equal(sem_init(&s.kick, 0, 0), 0);
	for (unsigned int i = 0; i < POSTERS; i++) {
		poster[i] = (struct poster){&s, i};
		assert_int_equal(pthread_create(&thread[i], NULL, post_many, &poster[i]), 0);
	}
	do {
		sem_wait(&s.kick);
		serve(&s);
	} while (__atomic_load_n(&s.posters, __ATOMIC_SEQ_CST) || vsm_lapic_look(&s.apic));
	serve(&s);
	for (unsigned int i = 0; i < POSTERS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int i = 0; i < POSTERS; i++)
		assert_int_equal(s.taken[i], s.requested[i]);
	assert_int_equal(s.nmis_taken, s.nmis_requested);
	assert_int_equal(s.errors_taken, s.errors_requested);
	sem_destroy(&s.kick);
}

struct resets {
	struct vsm_lapic apic;
	unsigned int begun; /* rounds: in an odd one the poster posts */
	unsigned int seen;  /* by the poster, which makes no post of an earlier round any more */
};

static void *post_in_odd_rounds(void *opaque)
{
	struct resets *r = opaque;
	unsigned int round = 0;

	while (round < 2 * ROUNDS) {
		round = __atomic_load_n(&r->begun, __ATOMIC_SEQ_CST);
		__atomic_store_n(&r->seen, round, __ATOMIC_SEQ_CST);
		if (round % 2)
			vsm_lapic_post(&r->apic, 0x31 + round % 128, VSM_LAPIC_EDGE);
	}
	return NULL;
}

static void begin_round(struct resets *r)
{
	const unsigned int round = __atomic_add_fetch(&r->begun, 1, __ATOMIC_SEQ_CST);

	while (__atomic_load_n(&r->seen, __ATOMIC_SEQ_CST) != round)
		;
}

static void disable_and_enable(struct vsm_lapic *apic)
{
	wrmsr(apic, VSM_LAPIC_MSR_BASE, BASE_DISABLED);
	wrmsr(apic, VSM_LAPIC_MSR_BASE, BASE_XAPIC);
}

/* SDM 11.4.7.3: INIT clears the IRR, and leaves the APIC disabled by software. */
static void no_vector_that_is_posted_during_a_reset_is_pending_after_it(void **state)
{
	static void (*const reset[])(struct vsm_lapic *) = {vsm_lapic_init_reset, vsm_lapic_reset,
							    disable_and_enable};
	struct resets r = {.apic = ready()};
	unsigned int stale = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, post_in_odd_rounds, &r), 0);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		vsm_lapic_software_enable(&r.apic);
		begin_round(&r);
		for (volatile unsigned int wait = i % 61; wait; wait--)
			;
		reset[i % 3](&r.apic);
		begin_round(&r);
		stale += vsm_lapic_highest_irr(&r.apic) >= 0;
		vsm_lapic_reset(&r.apic);
	}
	pthread_join(thread, NULL);
	assert_int_equal(stale, 0);
}

struct disables {
	struct vsm_lapic apic;
	unsigned int begun; /* rounds: the poster posts once in each */
	unsigned int ended; /* by the poster */
};

static void *post_once_a_round(void *opaque)
{
	struct disables *d = opaque;

	for (unsigned int round = 1; round <= ROUNDS; round++) {
		while (__atomic_load_n(&d->begun, __ATOMIC_SEQ_CST) != round)
			;
		vsm_lapic_post(&d->apic, 0x31, VSM_LAPIC_EDGE);
		__atomic_store_n(&d->ended, round, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* SDM 11.4.7.2: requests that are pending when software disables the APIC stay pending. */
static void no_coalesced_post_is_lost_when_software_disables_the_apic(void **state)
{
	struct disables d = {.apic = ready()};
	unsigned int lost = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, post_once_a_round, &d), 0);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		enum vsm_lapic_posted posted;

		vsm_lapic_software_enable(&d.apic);
		__atomic_store_n(&d.begun, round, __ATOMIC_SEQ_CST);
		for (volatile unsigned int wait = round % 61; wait; wait--)
			;
		posted = vsm_lapic_post(&d.apic, 0x31, VSM_LAPIC_EDGE);
		wr(&d.apic, SVR, 0xff);
		while (__atomic_load_n(&d.ended, __ATOMIC_SEQ_CST) != round)
			;
		lost += posted != VSM_LAPIC_IGNORED && vsm_lapic_highest_irr(&d.apic) < 0;
		vsm_lapic_reset(&d.apic);
	}
	pthread_join(thread, NULL);
	assert_int_equal(lost, 0);
}

struct network {
	struct vsm_lapic apic[TARGETS];
	struct vsm_lapic_router *router;
	unsigned int stop;
};

static void *change_modes(void *opaque)
{
	struct network *n = opaque;
	struct vsm_lapic *apic = &n->apic[1];

	for (uint32_t i = 0; !__atomic_load_n(&n->stop, __ATOMIC_SEQ_CST); i++) {
		wrmsr(apic, VSM_LAPIC_MSR_BASE, BASE_DISABLED);
		vsm_lapic_router_update(n->router, 1);
		wrmsr(apic, VSM_LAPIC_MSR_BASE, BASE_XAPIC);
		wr(apic, LDR, i << 24);
		vsm_lapic_router_update(n->router, 1);
		wrmsr(apic, VSM_LAPIC_MSR_BASE, BASE_X2APIC);
		vsm_lapic_router_update(n->router, 1);
	}
	return NULL;
}

static void routing_finds_the_other_apics_while_one_changes_its_mode(void **state)
{
	static _Alignas(64) unsigned char memory[65536];
	struct network n = {0};
	pthread_t thread;

	assert_true(vsm_lapic_router_size(TARGETS) <= sizeof(memory));
	n.router = vsm_lapic_router_init(memory, sizeof(memory), TARGETS);
	for (uint32_t i = 0; i < TARGETS; i++) {
		power_up(&n.apic[i], i, ALL_FEATURES);
		wr(&n.apic[i], LDR, 1u << (24 + i));
		vsm_lapic_software_enable(&n.apic[i]);
		assert_int_equal(vsm_lapic_router_add(n.router, i, &n.apic[i]), 0);
	}
	assert_int_equal(pthread_create(&thread, NULL, change_modes, &n), 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct vsm_lapic_ipi ipi = {
			.destination = i % 2 ? 0xff : 0xf,
			.vector = 0x40 + i % 64,
			.delivery = i % 7 ? VSM_LAPIC_FIXED : VSM_LAPIC_LOWEST_PRIORITY,
			.flags = i % 2 ? 0 : VSM_LAPIC_IPI_LOGICAL,
		};
		struct vsm_lapic_targets targets;
		uint32_t count = vsm_lapic_router_route(n.router, 0, &ipi, &targets);

		assert_in_range(count, ipi.delivery == VSM_LAPIC_FIXED ? 3 : 1, 4);
		vsm_lapic_router_send(n.router, 0, &ipi, &targets);
	}
	__atomic_store_n(&n.stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_post_is_lost_or_doubled_and_every_needed_kick_is_requested),
		cmocka_unit_test(no_vector_that_is_posted_during_a_reset_is_pending_after_it),
		cmocka_unit_test(no_coalesced_post_is_lost_when_software_disables_the_apic),
		cmocka_unit_test(routing_finds_the_other_apics_while_one_changes_its_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
