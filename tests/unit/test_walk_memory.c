/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses of a walk to memory: SDM volume 3A, 4.8. */
#include "walk_test.h"

#define SET	   VSM_WALK_AD_SET
#define TO_FAILURE VSM_WALK_AD_SET_TO_FAILURE

static void accessed_in_every_entry_and_dirty_in_the_last_sdm_4_8(void **state)
{
	static const uint64_t upper[] = {PDE, PDPTE, PML4E};
	struct walk_test *test = four_level(0x9000 | RW | P);

	assert_int_equal(walk_ad(test, GVA, R | W | X, 0, VSM_WALK_AD_LEAVE), VSM_WALK_OK);
	assert_int_equal(get(test, PTE), 0x9000 | RW | P);
	assert_int_equal(walk_ad(test, GVA, R | X, 0, SET), VSM_WALK_OK);
	assert_int_equal(get(test, PTE), 0x9000 | A | RW | P);
	assert_int_equal(walk_ad(test, GVA, R | W, 0, SET), VSM_WALK_OK);
	assert_int_equal(get(test, PTE), 0x9000 | D | A | RW | P);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(get(test, upper[i]) & (A | D), A);
}

static void a_large_page_has_its_bits_in_the_pde(void **state)
{
	struct walk_test *test = four_level(0);

	put(test, PDE, PS | RW | P);
	assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(get(test, PDE), D | A | PS | RW | P);
	assert_int_equal(get(test, PTE), 0);
}

static void a_write_of_a_32_bit_entry_changes_no_other_entry(void **state)
{
	struct walk_test *test = walk_test_new(0, 0, PD);

	put32(test, PD, PT | RW | P);
	put32(test, PD + 4, 0xffffffff);
	put32(test, PT, 0x9000 | RW | P);
	put32(test, PT + 4, 0xfffffffe);
	assert_int_equal(walk_ad(test, 0x123, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(get32(test, PD), PT | A | RW | P);
	assert_int_equal(get32(test, PT), 0x9000 | D | A | RW | P);
	assert_int_equal(get32(test, PD + 4), 0xffffffff);
	assert_int_equal(get32(test, PT + 4), 0xfffffffe);
}

static void a_pae_pdpte_has_no_accessed_bit_sdm_table_4_8(void **state)
{
	struct walk_test *test = walk_test_new(CR4_PAE, 0, PDPT);

	put(test, PDPT, PD | P);
	put(test, PD, PS | RW | P);
	assert_int_equal(walk_ad(test, 0x123, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(get(test, PDPT), PD | P);
	assert_int_equal(get(test, PD), D | A | PS | RW | P);
}

static void set_on_success_changes_nothing_when_the_walk_fails(void **state)
{
	struct walk_test *test = four_level(0x9000 | P);
	uint8_t before[RAM_SIZE];

	memcpy(before, test->ram, RAM_SIZE);
	assert_int_equal(walk_ad(test, GVA, R | W, 0, SET), VSM_WALK_WRITE_DENIED);
	assert_memory_equal(before, test->ram, RAM_SIZE);
	put(test, PTE, 0);
	memcpy(before, test->ram, RAM_SIZE);
	assert_int_equal(walk_ad(test, GVA, R, 0, SET), VSM_WALK_NOT_PRESENT);
	assert_memory_equal(before, test->ram, RAM_SIZE);
}

static void set_to_failure_sets_accessed_in_entries_above_the_failing_one(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};

	for (unsigned int bad = 0; bad < 4; bad++) {
		struct walk_test *test = four_level(0x9000 | RW | P);

		put(test, entry[bad], get(test, entry[bad]) & ~(uint64_t)P);
		assert_int_equal(walk_ad(test, GVA, W, 0, TO_FAILURE), VSM_WALK_NOT_PRESENT);
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(get(test, entry[i]) & (A | D), i > bad ? A : 0);

		test = four_level(0x9000 | RW | P);
		put(test, entry[bad], get(test, entry[bad]) & ~(uint64_t)RW);
		assert_int_equal(walk_ad(test, GVA, W, 0, TO_FAILURE), VSM_WALK_WRITE_DENIED);
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(get(test, entry[i]) & (A | D), i > bad ? A : 0);
	}
}

/* Callbacks that record their arguments and return what the test sets. */
struct callback_memory {
	struct walk_test *test;
	unsigned int reads, writes, pages;
	uint64_t page;
	unsigned int access;
	bool user;
	uint64_t refused_read, refused_write; /* GPA of an entry to refuse, or 0 */
	enum vsm_walk_refusal refusal;
	enum vsm_walk_refusal page_refusal;
	unsigned int races;   /* compare-exchanges that still fail */
	uint64_t raced_gpa;   /* GPA of the entry that the guest changes at the first exchange */
	uint64_t raced_entry; /* the new value */
};

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	struct callback_memory *memory = opaque;

	memory->reads++;
	if (gpa >= RAM_SIZE)
		return VSM_WALK_UNMAPPED;
	if (memory->refused_read && memory->refused_read == gpa)
		return memory->refusal;
	*entry = size == 8 ? get(memory->test, gpa) : get32(memory->test, gpa);
	return VSM_WALK_ALLOWED;
}

static enum vsm_walk_refusal exchange(void *opaque, uint64_t gpa, unsigned int size,
				      uint64_t expected, uint64_t desired)
{
	struct callback_memory *memory = opaque;

	assert_int_equal(size, 8);
	memory->writes++;
	if (memory->refused_write == gpa)
		return memory->refusal;
	if (memory->raced_gpa) {
		put(memory->test, memory->raced_gpa, memory->raced_entry);
		memory->raced_gpa = 0;
	}
	if (memory->races) {
		memory->races--;
		return VSM_WALK_CHANGED;
	}
	if (get(memory->test, gpa) != expected)
		return VSM_WALK_CHANGED;
	put(memory->test, gpa, desired);
	return VSM_WALK_ALLOWED;
}

static enum vsm_walk_refusal check_page(void *opaque, uint64_t gpa, unsigned int access, bool user)
{
	struct callback_memory *memory = opaque;

	memory->pages++;
	memory->page = gpa;
	memory->access = access;
	memory->user = user;
	return memory->page_refusal;
}

static struct walk_test *walk_by_callbacks(struct callback_memory *memory, uint64_t pte)
{
	struct walk_test *test = four_level(pte);

	memset(memory, 0, sizeof(*memory));
	memory->test = test;
	test->memory = (struct vsm_walk_memory){
		.read = read_entry,
		.compare_exchange = exchange,
		.check_page = check_page,
		.opaque = memory,
	};
	return test;
}

static void each_entry_is_read_once(void **state)
{
	struct callback_memory memory;
	struct walk_test *test = walk_by_callbacks(&memory, 0x9000 | US | RW | P);

	assert_finds(test, GVA, R | W | X, 0, 0x9567);
	assert_int_equal(memory.reads, 4);
	assert_int_equal(memory.writes, 0);
	assert_int_equal(memory.pages, 1);
	assert_int_equal(memory.page, 0x9567);
	assert_int_equal(memory.access, R | W | X);
	assert_true(memory.user);
	put(test, PDE, PT | RW | P);
	assert_finds(test, GVA, R, 0, 0x9567);
	assert_false(memory.user);
}

/* A callback for 32-bit entries that sets the upper half of the value, too. */
static enum vsm_walk_refusal read_with_garbage(void *opaque, uint64_t gpa, unsigned int size,
					       uint64_t *entry)
{
	assert_int_equal(size, 4);
	*entry = get32(opaque, gpa) | UINT64_C(0xfedcba98) << 32;
	return VSM_WALK_ALLOWED;
}

static void only_the_low_32_bits_of_a_32_bit_entry_are_used(void **state)
{
	struct walk_test *test = walk_test_new(0, 0, PD);

	put32(test, PD, PT | RW | P);
	put32(test, PT, 0x9000 | RW | P);
	test->memory = (struct vsm_walk_memory){.read = read_with_garbage, .opaque = test};
	assert_finds(test, 0x123, R | W | X, 0, 0x9123);
}

static void an_unreadable_table_is_reported(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};
	struct callback_memory memory;

	for (unsigned int level = 1; level <= 4; level++) {
		struct walk_test *test = walk_by_callbacks(&memory, 0x9000 | P);

		memory.refused_read = entry[level - 1];
		memory.refusal = VSM_WALK_INTERCEPT;
		assert_int_equal(walk(test, GVA, R | X, 0), VSM_WALK_TABLE_NOT_READABLE);
		assert_int_equal(test->result.level, level);
		assert_int_equal(test->result.stop_gpa, entry[level - 1]);
		assert_int_equal(test->result.refusal, VSM_WALK_INTERCEPT);
		assert_int_equal(test->result.failed, R | X);
		assert_int_equal(test->result.vector, 0);
		assert_false(test->result.translated);
		assert_int_equal(memory.reads, 5 - level);
	}
}

static void an_unwritable_table_is_reported(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};
	struct callback_memory memory;

	for (unsigned int level = 1; level <= 4; level++) {
		struct walk_test *test = walk_by_callbacks(&memory, 0x9000 | RW | P);

		memory.refused_write = entry[level - 1];
		memory.refusal = VSM_WALK_NO_WRITE;
		assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_TABLE_NOT_WRITABLE);
		assert_int_equal(test->result.level, level);
		assert_int_equal(test->result.stop_gpa, entry[level - 1]);
		assert_int_equal(test->result.refusal, VSM_WALK_NO_WRITE);
		assert_int_equal(test->result.failed, W);
		assert_int_equal(test->result.gpa, 0x9567);
		assert_int_equal(get(test, PTE) & D, 0);
		/* Bits that are set already need no write. */
		put(test, entry[level - 1], get(test, entry[level - 1]) | A | D);
		assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_OK);
	}
}

static void an_unwritable_table_above_a_fault_is_reported_instead_of_the_fault(void **state)
{
	struct callback_memory memory;
	struct walk_test *test = walk_by_callbacks(&memory, 0);

	memory.refused_write = PDPTE;
	memory.refusal = VSM_WALK_INTERCEPT;
	assert_int_equal(walk_ad(test, GVA, R, 0, TO_FAILURE), VSM_WALK_TABLE_NOT_WRITABLE);
	assert_int_equal(test->result.stop_gpa, PDPTE);
	assert_int_equal(test->result.vector, 0);
	assert_int_equal(walk_ad(test, GVA, R, 0, SET), VSM_WALK_NOT_PRESENT);
}

static void each_refusal_of_the_page_itself_is_reported(void **state)
{
	struct callback_memory memory;
	struct walk_test *test = walk_by_callbacks(&memory, 0x9000 | RW | P);

	for (unsigned int refusal = 1; refusal < VSM_WALK_CHANGED; refusal++) {
		memory.page_refusal = (enum vsm_walk_refusal)refusal;
		assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_PAGE_REFUSED);
		assert_int_equal(test->result.refusal, refusal);
		assert_int_equal(test->result.level, 0);
		assert_int_equal(test->result.stop_gpa, 0x9567);
		assert_int_equal(test->result.vector, 0);
		assert_int_equal(test->result.failed, W);
		assert_int_equal(memory.writes, 0);
	}
	/* A result outside of the enumeration counts as VSM_WALK_UNMAPPED. */
	memory.page_refusal = (enum vsm_walk_refusal)99;
	assert_int_equal(walk(test, GVA, W, 0), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(test->result.refusal, VSM_WALK_UNMAPPED);
	/* The page tables were used, so the accessed bits are set. */
	assert_int_equal(walk_ad(test, GVA, W, 0, TO_FAILURE), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(get(test, PTE) & (A | D), A);
	memory.pages = 0;
	assert_int_equal(walk(test, GVA, R, VSM_WALK_USER), VSM_WALK_USER_DENIED);
	assert_int_equal(memory.pages, 0);
	/* The page is checked without paging, too. */
	test->context.cr0 = 1;
	assert_int_equal(walk(test, 0x9567, R, 0), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(test->result.stop_gpa, 0x9567);
}

static void after_a_failed_exchange_the_new_entry_applies(void **state)
{
	struct callback_memory memory;
	struct walk_test *test = walk_by_callbacks(&memory, 0x9000 | RW | P);

	/* The guest moves the page while A is being set in the PML4E: the compare-exchange of the PTE fails. */
	memory.raced_gpa = PTE;
	memory.raced_entry = 0xa000 | RW | P;
	assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(test->result.gpa, 0xa567);
	assert_int_equal(test->result.attempts, 2);
	assert_int_equal(get(test, PTE), 0xa000 | D | A | RW | P);
	assert_int_equal(memory.reads, 8);
	test = walk_by_callbacks(&memory, 0x9000 | RW | P);
	memory.raced_gpa = PTE;
	memory.raced_entry = 0x9000 | P;
	assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_WRITE_DENIED);
	assert_int_equal(get(test, PTE), 0x9000 | P);
	test = walk_by_callbacks(&memory, 0x9000 | RW | P);
	memory.raced_gpa = PDE;
	memory.raced_entry = 0;
	assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_NOT_PRESENT);
	assert_int_equal(test->result.stop_gpa, PDE);
	assert_false(test->result.translated);
	assert_int_equal(get(test, PTE), 0x9000 | RW | P);
}

static void endless_races_end_with_try_again(void **state)
{
	struct callback_memory memory;
	struct walk_test *test = walk_by_callbacks(&memory, 0x9000 | RW | P);

	memory.races = VSM_WALK_MAX_ATTEMPTS;
	assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_TRY_AGAIN);
	assert_int_equal(test->result.attempts, VSM_WALK_MAX_ATTEMPTS);
	assert_int_equal(test->result.failed, W);
	assert_false(test->result.translated);
	assert_int_equal(memory.reads, 4 * VSM_WALK_MAX_ATTEMPTS);
	memory.races = VSM_WALK_MAX_ATTEMPTS - 1;
	assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_OK);
}

static void direct_ranges_precede_callbacks(void **state)
{
	struct callback_memory memory;
	struct walk_test *test = walk_by_callbacks(&memory, 0x9000 | RW | P);
	struct vsm_walk_direct parts[] = {
		{.gpa = PML4, .size = 4096, .host = test->ram + PML4},
		{.gpa = PD, .size = 8192, .host = test->ram + PD, .read_only = true},
	};

	test->memory.direct = parts;
	test->memory.direct_count = 2;
	/* PML4, PDPT and PD are direct, the PT is not. */
	assert_finds(test, GVA, R, 0, 0x9567);
	assert_int_equal(memory.reads, 1);
	/* Read-only ranges are written by the callback. */
	assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_OK);
	assert_int_equal(memory.writes, 3);
	assert_int_equal(get(test, PML4E) & A, A);
	put(test, PDE, PT | RW | P);
	test->memory.compare_exchange = NULL;
	assert_int_equal(walk_ad(test, GVA, W, 0, SET), VSM_WALK_TABLE_NOT_WRITABLE);
	assert_int_equal(test->result.refusal, VSM_WALK_NO_WRITE);
	assert_int_equal(test->result.stop_gpa, PDE);
	test->memory.read = NULL;
	assert_int_equal(walk(test, GVA, R, 0), VSM_WALK_TABLE_NOT_READABLE);
	assert_int_equal(test->result.refusal, VSM_WALK_UNMAPPED);
	assert_int_equal(test->result.stop_gpa, PTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accessed_in_every_entry_and_dirty_in_the_last_sdm_4_8),
		cmocka_unit_test(a_large_page_has_its_bits_in_the_pde),
		cmocka_unit_test(a_write_of_a_32_bit_entry_changes_no_other_entry),
		cmocka_unit_test(a_pae_pdpte_has_no_accessed_bit_sdm_table_4_8),
		cmocka_unit_test(set_on_success_changes_nothing_when_the_walk_fails),
		cmocka_unit_test(set_to_failure_sets_accessed_in_entries_above_the_failing_one),
		cmocka_unit_test(each_entry_is_read_once),
		cmocka_unit_test(only_the_low_32_bits_of_a_32_bit_entry_are_used),
		cmocka_unit_test(an_unreadable_table_is_reported),
		cmocka_unit_test(an_unwritable_table_is_reported),
		cmocka_unit_test(
			an_unwritable_table_above_a_fault_is_reported_instead_of_the_fault),
		cmocka_unit_test(each_refusal_of_the_page_itself_is_reported),
		cmocka_unit_test(after_a_failed_exchange_the_new_entry_applies),
		cmocka_unit_test(endless_races_end_with_try_again),
		cmocka_unit_test(direct_ranges_precede_callbacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
