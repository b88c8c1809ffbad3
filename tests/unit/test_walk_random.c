/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares the walker with that of walk_reference.c. The seed is printed; test-walk_random SEED
 * [CASES] repeats a run. */
#include "walk_test.h"

#include <stdlib.h>

#include "walk_reference.h"

enum {
	TABLES = 8
}; /* pages that entries point to most of the time: each may be any level's table */

static uint64_t seed = 1;
static unsigned int cases = 100000;

/* splitmix64 */
static uint64_t draw(void)
{
	uint64_t x = seed += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static bool one_in(unsigned int n)
{
	return draw() % n == 0;
}

/* Mostly a valid entry; sometimes one bit is wrong. */
static uint64_t draw_entry(void)
{
	uint64_t entry = (draw() % TABLES) << 12 | P;

	entry |= one_in(4) ? 0 : RW;
	entry |= one_in(4) ? 0 : US;
	entry |= draw() & (PWT | PCD | A | D);
	entry |= one_in(6) ? PS : 0;
	entry |= one_in(8) ? G : 0;
	entry |= one_in(8) ? XD : 0;
	entry |= (draw() & 15) << 59;
	if (one_in(16))
		entry &= ~(uint64_t)P;
	if (one_in(16))
		entry |= UINT64_C(1) << (12 + draw() % 50);
	if (entry & PS && !one_in(4))
		entry &= ~UINT64_C(0x3fffe000);
	return one_in(64) ? draw() : entry;
}

static void draw_guest(struct walk_test *test)
{
	struct vsm_walk_context *context = &test->context;
	static const uint64_t cr4_bits[] = {CR4_PSE,  CR4_PAE,	CR4_PAE, CR4_PAE, CR4_LA57,
					    CR4_SMEP, CR4_SMAP, CR4_PKE, CR4_PKS, CR4_PGE};

	for (unsigned int i = 0; i < TABLES * 512; i++)
		put(test, i * 8, draw_entry());
	context->cr0 = one_in(50) ? 1 : CR0_PG;
	context->cr0 |= one_in(3) ? 0 : CR0_WP;
	context->cr4 = 0;
	for (unsigned int i = 0; i < sizeof(cr4_bits) / sizeof(cr4_bits[0]); i++)
		context->cr4 |= one_in(2) ? cr4_bits[i] : 0;
	context->efer = (one_in(4) ? 0 : EFER_LMA) | (one_in(4) ? 0 : EFER_NXE);
	context->rflags = one_in(2) ? EFLAGS_AC : 2;
	context->cr3 = (draw() % TABLES) << 12 | (draw() & 0xfff);
	context->pat = draw();
	context->pkru = (uint32_t)draw();
	context->pkru &= (uint32_t)draw();
	context->pkrs = (uint32_t)draw();
	context->pkrs &= (uint32_t)draw();
	context->cpu = draw() & 15;
	context->cpl = draw() & 3;
	context->max_phys_addr = 32 + draw() % 21;
	for (unsigned int i = 0; i < 4; i++)
		context->pdpte[i] = one_in(4) ? draw_entry() : (draw() % TABLES) << 12 | P;
}

static uint64_t draw_gva(const struct vsm_walk_context *context)
{
	uint64_t gva = draw();
	unsigned int spare = 64 - (context->cr4 & CR4_LA57 ? 57 : 48);

	return one_in(16) ? gva : (uint64_t)((int64_t)(gva << spare) >> spare);
}

static enum reference_who who_of(const struct vsm_walk_context *context, unsigned int flags)
{
	if (flags & VSM_WALK_EXEMPT)
		return REFERENCE_EXEMPT;
	if (flags & VSM_WALK_IMPLICIT)
		return REFERENCE_IMPLICIT;
	if (flags & VSM_WALK_USER)
		return REFERENCE_USER;
	if (flags & VSM_WALK_SUPERVISOR)
		return REFERENCE_SUPERVISOR;
	return context->cpl == 3 ? REFERENCE_USER : REFERENCE_SUPERVISOR;
}

static bool ac_of(const struct vsm_walk_context *context, unsigned int flags)
{
	if (flags & VSM_WALK_ENFORCE_SMAP)
		return false;
	return flags & VSM_WALK_OVERRIDE_SMAP || context->rflags & EFLAGS_AC;
}

static bool compare_one(struct walk_test *test, uint64_t gva, unsigned int flags, unsigned int bit)
{
	struct reference_answer want =
		reference_walk(&test->context, test->ram, RAM_SIZE, gva, (enum reference_access)bit,
			       who_of(&test->context, flags), ac_of(&test->context, flags));
	enum vsm_walk_reason reason = walk(test, gva, 1U << bit, flags);
	const struct vsm_walk_result *got = &test->result;

	assert_int_equal(reason == VSM_WALK_NON_CANONICAL, want.general_protection);
	assert_int_equal(reason == VSM_WALK_TABLE_NOT_READABLE, want.no_memory);
	assert_int_equal(got->vector == 14, want.page_fault);
	assert_int_equal(got->error_code, want.error_code);
	assert_int_equal(got->translated, want.translated);
	if (want.translated) {
		assert_int_equal(got->gpa, want.gpa);
		assert_int_equal(UINT64_C(1) << got->page_shift, want.page_size);
		assert_int_equal(got->cache, want.cache);
		assert_int_equal(got->allowed >> bit & 1, !want.page_fault);
	}
	return reason == VSM_WALK_OK;
}

static void compare_all(struct walk_test *test, uint64_t gva, unsigned int flags,
			unsigned int access, unsigned int allowed)
{
	static uint8_t before[RAM_SIZE];
	enum vsm_walk_ad ad = (enum vsm_walk_ad)(draw() % 3);
	struct reference_answer used = reference_walk(&test->context, test->ram, RAM_SIZE, gva,
						      REFERENCE_READ, REFERENCE_EXEMPT, true);
	enum vsm_walk_reason reason;

	memcpy(before, test->ram, TABLES * 4096);
	reason = walk_ad(test, gva, access, flags, ad);
	assert_int_equal(reason == VSM_WALK_OK, used.translated && !(access & ~allowed));
	assert_int_equal(test->result.failed, used.translated ? access & ~allowed : access);
	if (reason == VSM_WALK_OK && ad != VSM_WALK_AD_LEAVE && test->context.cr0 >> 31) {
		for (unsigned int i = 0; i < used.used; i++) {
			bool last = i + 1 == used.used;

			if (used.has_accessed_bit[i])
				before[used.entry_at[i]] |= A | (last && access & W ? D : 0);
		}
	}
	if (reason == VSM_WALK_OK || ad != VSM_WALK_AD_SET_TO_FAILURE) {
		assert_memory_equal(before, test->ram, TABLES * 4096);
		return;
	}
	/* A failed walk sets A in the entries above the failing one. */
	for (unsigned int i = 0; i < used.used && used.entry_at[i] != test->result.stop_gpa; i++)
		if (used.has_accessed_bit[i])
			before[used.entry_at[i]] |= A;
	assert_memory_equal(before, test->ram, TABLES * 4096);
}

static void two_walkers_agree_on_random_guests(void **state)
{
	struct walk_test *test = walk_test_new(0, 0, 0);
	unsigned int found = 0, faults = 0;

	print_message("# seed %llu, %u cases\n", (unsigned long long)seed, cases);
	for (unsigned int i = 0; i < cases; i++) {
		unsigned int flags, access, allowed = 0;
		uint64_t gva;

		if (i % 64 == 0)
			draw_guest(test);
		gva = draw_gva(&test->context);
		flags = one_in(3) ? 0 : 1U << draw() % 6;
		flags |= one_in(4) ? VSM_WALK_ENFORCE_SMAP : 0;
		flags |= one_in(4) ? VSM_WALK_OVERRIDE_SMAP : 0;
		access = draw() & (R | W | X);
		for (unsigned int bit = 0; bit < 3; bit++)
			allowed |= compare_one(test, gva, flags, bit) ? 1U << bit : 0;
		found += test->result.translated;
		faults += test->result.vector == 14;
		compare_all(test, gva, flags, access, allowed);
	}
	/* Both successful walks and faults must be frequent. */
	assert_true(found > cases / 5);
	assert_true(faults > cases / 5);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_walkers_agree_on_random_guests),
	};

	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		cases = (unsigned int)strtoul(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
