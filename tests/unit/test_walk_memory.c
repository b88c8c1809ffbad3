/* SPDX-License-Identifier: BSD-2-Clause */
/* What a walk does to memory: accessed and dirty bits, races, refusals. SDM volume 3A, 4.8. */
#include "walk_world.h"

#define SET	   VSM_WALK_AD_SET
#define TO_FAILURE VSM_WALK_AD_SET_TO_FAILURE

static void accessed_in_every_entry_and_dirty_in_the_last_sdm_4_8(void **state)
{
	static const uint64_t upper[] = {PDE, PDPTE, PML4E};
	struct world *world = four_level(0x9000 | RW | P);

	(void)state;
	assert_int_equal(ask_ad(world, GVA, R | W | X, 0, VSM_WALK_AD_LEAVE), VSM_WALK_OK);
	assert_int_equal(get(world, PTE), 0x9000 | RW | P);
	assert_int_equal(ask_ad(world, GVA, R | X, 0, SET), VSM_WALK_OK);
	assert_int_equal(get(world, PTE), 0x9000 | A | RW | P);
	assert_int_equal(ask_ad(world, GVA, R | W, 0, SET), VSM_WALK_OK);
	assert_int_equal(get(world, PTE), 0x9000 | D | A | RW | P);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(get(world, upper[i]) & (A | D), A);
}

static void a_large_page_has_its_bits_in_the_pde(void **state)
{
	struct world *world = four_level(0);

	(void)state;
	put(world, PDE, PS | RW | P);
	assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(get(world, PDE), D | A | PS | RW | P);
	assert_int_equal(get(world, PTE), 0);
}

static void thirty_two_bit_entries_are_written_alone(void **state)
{
	struct world *world = new_world(0, 0, PD);

	(void)state;
	put32(world, PD, PT | RW | P);
	put32(world, PD + 4, 0xffffffff);
	put32(world, PT, 0x9000 | RW | P);
	put32(world, PT + 4, 0xfffffffe);
	assert_int_equal(ask_ad(world, 0x123, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(get32(world, PD), PT | A | RW | P);
	assert_int_equal(get32(world, PT), 0x9000 | D | A | RW | P);
	assert_int_equal(get32(world, PD + 4), 0xffffffff);
	assert_int_equal(get32(world, PT + 4), 0xfffffffe);
}

static void a_pae_pdpte_has_no_accessed_bit_sdm_table_4_8(void **state)
{
	struct world *world = new_world(CR4_PAE, 0, PDPT);

	(void)state;
	put(world, PDPT, PD | P);
	put(world, PD, PS | RW | P);
	assert_int_equal(ask_ad(world, 0x123, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(get(world, PDPT), PD | P);
	assert_int_equal(get(world, PD), D | A | PS | RW | P);
}

static void set_on_success_changes_nothing_when_the_walk_fails(void **state)
{
	struct world *world = four_level(0x9000 | P);
	uint8_t before[WORLD_SIZE];

	(void)state;
	memcpy(before, world->ram, WORLD_SIZE);
	assert_int_equal(ask_ad(world, GVA, R | W, 0, SET), VSM_WALK_WRITE_DENIED);
	assert_memory_equal(before, world->ram, WORLD_SIZE);
	put(world, PTE, 0);
	memcpy(before, world->ram, WORLD_SIZE);
	assert_int_equal(ask_ad(world, GVA, R, 0, SET), VSM_WALK_NOT_PRESENT);
	assert_memory_equal(before, world->ram, WORLD_SIZE);
}

static void set_to_failure_marks_what_lies_above_the_entry_that_stopped_it(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};

	(void)state;
	for (unsigned int bad = 0; bad < 4; bad++) {
		struct world *world = four_level(0x9000 | RW | P);

		put(world, entry[bad], get(world, entry[bad]) & ~(uint64_t)P);
		assert_int_equal(ask_ad(world, GVA, W, 0, TO_FAILURE), VSM_WALK_NOT_PRESENT);
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(get(world, entry[i]) & (A | D), i > bad ? A : 0);

		world = four_level(0x9000 | RW | P);
		put(world, entry[bad], get(world, entry[bad]) & ~(uint64_t)RW);
		assert_int_equal(ask_ad(world, GVA, W, 0, TO_FAILURE), VSM_WALK_WRITE_DENIED);
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(get(world, entry[i]) & (A | D), i > bad ? A : 0);
	}
}

/* Memory behind functions, which record their arguments and return what the test sets. */
struct behind {
	struct world *world;
	unsigned int reads, writes, pages;
	uint64_t page;
	unsigned int access;
	bool user;
	uint64_t refused_read, refused_write; /* GPA of an entry, or 0 */
	enum vsm_walk_refusal refusal;	      /* for these two */
	enum vsm_walk_refusal page_refusal;
	unsigned int races;   /* exchanges still to be lost */
	uint64_t raced_gpa;   /* the guest changes this entry at the first exchange, */
	uint64_t raced_entry; /* to this */
};

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	struct behind *behind = opaque;

	behind->reads++;
	if (gpa >= WORLD_SIZE)
		return VSM_WALK_UNMAPPED;
	if (behind->refused_read && behind->refused_read == gpa)
		return behind->refusal;
	*entry = size == 8 ? get(behind->world, gpa) : get32(behind->world, gpa);
	return VSM_WALK_ALLOWED;
}

static enum vsm_walk_refusal exchange(void *opaque, uint64_t gpa, unsigned int size,
				      uint64_t expected, uint64_t desired)
{
	struct behind *behind = opaque;

	assert_int_equal(size, 8);
	behind->writes++;
	if (behind->refused_write == gpa)
		return behind->refusal;
	if (behind->raced_gpa) {
		put(behind->world, behind->raced_gpa, behind->raced_entry);
		behind->raced_gpa = 0;
	}
	if (behind->races) {
		behind->races--;
		return VSM_WALK_CHANGED;
	}
	if (get(behind->world, gpa) != expected)
		return VSM_WALK_CHANGED;
	put(behind->world, gpa, desired);
	return VSM_WALK_ALLOWED;
}

static enum vsm_walk_refusal check_page(void *opaque, uint64_t gpa, unsigned int access, bool user)
{
	struct behind *behind = opaque;

	behind->pages++;
	behind->page = gpa;
	behind->access = access;
	behind->user = user;
	return behind->page_refusal;
}

static struct world *behind_functions(struct behind *behind, uint64_t pte)
{
	struct world *world = four_level(pte);

	memset(behind, 0, sizeof(*behind));
	behind->world = world;
	world->memory = (struct vsm_walk_memory){
		.read = read_entry,
		.compare_exchange = exchange,
		.check_page = check_page,
		.opaque = behind,
	};
	return world;
}

static void each_entry_is_read_once(void **state)
{
	struct behind behind;
	struct world *world = behind_functions(&behind, 0x9000 | US | RW | P);

	(void)state;
	assert_finds(world, GVA, R | W | X, 0, 0x9567);
	assert_int_equal(behind.reads, 4);
	assert_int_equal(behind.writes, 0);
	assert_int_equal(behind.pages, 1);
	assert_int_equal(behind.page, 0x9567);
	assert_int_equal(behind.access, R | W | X);
	assert_true(behind.user);
	put(world, PDE, PT | RW | P);
	assert_finds(world, GVA, R, 0, 0x9567);
	assert_false(behind.user);
}

/* A function for 32-bit entries that leaves garbage above them. */
static enum vsm_walk_refusal read_with_garbage(void *opaque, uint64_t gpa, unsigned int size,
					       uint64_t *entry)
{
	assert_int_equal(size, 4);
	*entry = get32(opaque, gpa) | UINT64_C(0xfedcba98) << 32;
	return VSM_WALK_ALLOWED;
}

static void of_a_32_bit_entry_only_32_bits_count(void **state)
{
	struct world *world = new_world(0, 0, PD);

	(void)state;
	put32(world, PD, PT | RW | P);
	put32(world, PT, 0x9000 | RW | P);
	world->memory = (struct vsm_walk_memory){.read = read_with_garbage, .opaque = world};
	assert_finds(world, 0x123, R | W | X, 0, 0x9123);
}

static void a_table_that_may_not_be_read_is_named(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};
	struct behind behind;

	(void)state;
	for (unsigned int level = 1; level <= 4; level++) {
		struct world *world = behind_functions(&behind, 0x9000 | P);

		behind.refused_read = entry[level - 1];
		behind.refusal = VSM_WALK_INTERCEPT;
		assert_int_equal(ask(world, GVA, R | X, 0), VSM_WALK_TABLE_NOT_READABLE);
		assert_int_equal(world->result.level, level);
		assert_int_equal(world->result.stop_gpa, entry[level - 1]);
		assert_int_equal(world->result.refusal, VSM_WALK_INTERCEPT);
		assert_int_equal(world->result.failed, R | X);
		assert_int_equal(world->result.vector, 0);
		assert_false(world->result.translated);
		assert_int_equal(behind.reads, 5 - level);
	}
}

static void a_table_that_may_not_be_written_is_named(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};
	struct behind behind;

	(void)state;
	for (unsigned int level = 1; level <= 4; level++) {
		struct world *world = behind_functions(&behind, 0x9000 | RW | P);

		behind.refused_write = entry[level - 1];
		behind.refusal = VSM_WALK_NO_WRITE;
		assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_TABLE_NOT_WRITABLE);
		assert_int_equal(world->result.level, level);
		assert_int_equal(world->result.stop_gpa, entry[level - 1]);
		assert_int_equal(world->result.refusal, VSM_WALK_NO_WRITE);
		assert_int_equal(world->result.failed, W);
		assert_int_equal(world->result.gpa, 0x9567);
		assert_int_equal(get(world, PTE) & D, 0);
		/* Bits that are set already need no write. */
		put(world, entry[level - 1], get(world, entry[level - 1]) | A | D);
		assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_OK);
	}
}

static void a_table_above_a_fault_that_may_not_be_written_comes_before_the_fault(void **state)
{
	struct behind behind;
	struct world *world = behind_functions(&behind, 0);

	(void)state;
	behind.refused_write = PDPTE;
	behind.refusal = VSM_WALK_INTERCEPT;
	assert_int_equal(ask_ad(world, GVA, R, 0, TO_FAILURE), VSM_WALK_TABLE_NOT_WRITABLE);
	assert_int_equal(world->result.stop_gpa, PDPTE);
	assert_int_equal(world->result.vector, 0);
	assert_int_equal(ask_ad(world, GVA, R, 0, SET), VSM_WALK_NOT_PRESENT);
}

static void the_page_itself_may_be_refused_with_every_reason(void **state)
{
	struct behind behind;
	struct world *world = behind_functions(&behind, 0x9000 | RW | P);

	(void)state;
	for (unsigned int refusal = 1; refusal < VSM_WALK_CHANGED; refusal++) {
		behind.page_refusal = (enum vsm_walk_refusal)refusal;
		assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_PAGE_REFUSED);
		assert_int_equal(world->result.refusal, refusal);
		assert_int_equal(world->result.level, 0);
		assert_int_equal(world->result.stop_gpa, 0x9567);
		assert_int_equal(world->result.vector, 0);
		assert_int_equal(world->result.failed, W);
		assert_int_equal(behind.writes, 0);
	}
	/* A result outside of the enumeration counts as VSM_WALK_UNMAPPED. */
	behind.page_refusal = (enum vsm_walk_refusal)99;
	assert_int_equal(ask(world, GVA, W, 0), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(world->result.refusal, VSM_WALK_UNMAPPED);
	/* The tables were used, so a CPU marks them. */
	assert_int_equal(ask_ad(world, GVA, W, 0, TO_FAILURE), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(get(world, PTE) & (A | D), A);
	/* Access rights are checked first. */
	behind.pages = 0;
	assert_int_equal(ask(world, GVA, R, VSM_WALK_USER), VSM_WALK_USER_DENIED);
	assert_int_equal(behind.pages, 0);
	/* Also without paging. */
	world->context.cr0 = 1;
	assert_int_equal(ask(world, 0x9567, R, 0), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(world->result.stop_gpa, 0x9567);
}

static void a_lost_race_is_judged_by_the_new_entry(void **state)
{
	struct behind behind;
	struct world *world = behind_functions(&behind, 0x9000 | RW | P);

	(void)state;
	/* The guest moves the page while A is being set in the PML4E: the PTE's exchange loses. */
	behind.raced_gpa = PTE;
	behind.raced_entry = 0xa000 | RW | P;
	assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(world->result.gpa, 0xa567);
	assert_int_equal(world->result.attempts, 2);
	assert_int_equal(get(world, PTE), 0xa000 | D | A | RW | P);
	assert_int_equal(behind.reads, 8);
	/* It takes the right away. */
	world = behind_functions(&behind, 0x9000 | RW | P);
	behind.raced_gpa = PTE;
	behind.raced_entry = 0x9000 | P;
	assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_WRITE_DENIED);
	assert_int_equal(get(world, PTE), 0x9000 | P);
	/* It unmaps a table. */
	world = behind_functions(&behind, 0x9000 | RW | P);
	behind.raced_gpa = PDE;
	behind.raced_entry = 0;
	assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_NOT_PRESENT);
	assert_int_equal(world->result.stop_gpa, PDE);
	assert_false(world->result.translated);
	assert_int_equal(get(world, PTE), 0x9000 | RW | P);
}

static void a_race_that_never_ends_is_given_up_with_a_reason_of_its_own(void **state)
{
	struct behind behind;
	struct world *world = behind_functions(&behind, 0x9000 | RW | P);

	(void)state;
	behind.races = VSM_WALK_MAX_ATTEMPTS;
	assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_TRY_AGAIN);
	assert_int_equal(world->result.attempts, VSM_WALK_MAX_ATTEMPTS);
	assert_int_equal(world->result.failed, W);
	assert_false(world->result.translated);
	assert_int_equal(behind.reads, 4 * VSM_WALK_MAX_ATTEMPTS);
	behind.races = VSM_WALK_MAX_ATTEMPTS - 1;
	assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_OK);
}

static void direct_ranges_come_first_and_functions_serve_the_rest(void **state)
{
	struct behind behind;
	struct world *world = behind_functions(&behind, 0x9000 | RW | P);
	struct vsm_walk_direct parts[] = {
		{.gpa = PML4, .size = 4096, .host = world->ram + PML4},
		{.gpa = PD, .size = 8192, .host = world->ram + PD, .read_only = true},
	};

	(void)state;
	world->memory.direct = parts;
	world->memory.direct_count = 2;
	/* PML4, PDPT and PD are direct, the PT is not. */
	assert_finds(world, GVA, R, 0, 0x9567);
	assert_int_equal(behind.reads, 1);
	/* Read-only ranges are written by function. */
	assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(behind.writes, 3);
	assert_int_equal(get(world, PML4E) & A, A);
	put(world, PDE, PT | RW | P);
	world->memory.compare_exchange = NULL;
	assert_int_equal(ask_ad(world, GVA, W, 0, SET), VSM_WALK_TABLE_NOT_WRITABLE);
	assert_int_equal(world->result.refusal, VSM_WALK_NO_WRITE);
	assert_int_equal(world->result.stop_gpa, PDE);
	world->memory.read = NULL;
	assert_int_equal(ask(world, GVA, R, 0), VSM_WALK_TABLE_NOT_READABLE);
	assert_int_equal(world->result.refusal, VSM_WALK_UNMAPPED);
	assert_int_equal(world->result.stop_gpa, PTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accessed_in_every_entry_and_dirty_in_the_last_sdm_4_8),
		cmocka_unit_test(a_large_page_has_its_bits_in_the_pde),
		cmocka_unit_test(thirty_two_bit_entries_are_written_alone),
		cmocka_unit_test(a_pae_pdpte_has_no_accessed_bit_sdm_table_4_8),
		cmocka_unit_test(set_on_success_changes_nothing_when_the_walk_fails),
		cmocka_unit_test(set_to_failure_marks_what_lies_above_the_entry_that_stopped_it),
		cmocka_unit_test(each_entry_is_read_once),
		cmocka_unit_test(of_a_32_bit_entry_only_32_bits_count),
		cmocka_unit_test(a_table_that_may_not_be_read_is_named),
		cmocka_unit_test(a_table_that_may_not_be_written_is_named),
		cmocka_unit_test(
			a_table_above_a_fault_that_may_not_be_written_comes_before_the_fault),
		cmocka_unit_test(the_page_itself_may_be_refused_with_every_reason),
		cmocka_unit_test(a_lost_race_is_judged_by_the_new_entry),
		cmocka_unit_test(a_race_that_never_ends_is_given_up_with_a_reason_of_its_own),
		cmocka_unit_test(direct_ranges_come_first_and_functions_serve_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
