/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "kit/secure/policy.h"
#include "kit/secure/ring.h"
#include "seal.h"

#define PAGE 4096ull

static void a_policy_refuses_invalid_ranges(void **state)
{
	const struct policy policy = {0};

	assert_int_equal(policy_check(&policy, 0x1000, 1, POLICY_CODE), SECURE_KERNEL_OK);
	assert_int_equal(policy_check(&policy, 0x1000, 0, POLICY_CODE), SECURE_KERNEL_BAD_ARGUMENT);
	assert_int_equal(policy_check(&policy, 0x1001, 1, POLICY_CODE), SECURE_KERNEL_BAD_ARGUMENT);
	assert_int_equal(policy_check(&policy, POLICY_LIMIT, 1, POLICY_CODE),
			 SECURE_KERNEL_BAD_ARGUMENT);
	assert_int_equal(policy_check(&policy, POLICY_LIMIT - PAGE, 1, POLICY_CODE),
			 SECURE_KERNEL_OK);
	assert_int_equal(policy_check(&policy, POLICY_LIMIT - PAGE, 2, POLICY_CODE),
			 SECURE_KERNEL_BAD_ARGUMENT);
	assert_int_equal(policy_check(&policy, 0x1000, UINT64_MAX, POLICY_CODE),
			 SECURE_KERNEL_BAD_ARGUMENT);
	assert_int_equal(policy_check(&policy, 0x1000, UINT64_MAX / PAGE + 1, POLICY_CODE),
			 SECURE_KERNEL_BAD_ARGUMENT);
}

static void a_page_is_in_a_policy_once(void **state)
{
	struct policy policy = {0};

	policy_add(&policy, 0x10000, 4, POLICY_CODE);
	assert_int_equal(policy_check(&policy, 0xf000, 1, POLICY_CODE), SECURE_KERNEL_OK);
	assert_int_equal(policy_check(&policy, 0xf000, 2, POLICY_CODE), SECURE_KERNEL_DENIED);
	assert_int_equal(policy_check(&policy, 0x13000, 1, POLICY_CODE), SECURE_KERNEL_DENIED);
	assert_int_equal(policy_check(&policy, 0, 1000, POLICY_CODE), SECURE_KERNEL_DENIED);
	assert_int_equal(policy_check(&policy, 0x14000, 1, POLICY_CODE), SECURE_KERNEL_OK);
}

/* Compares the policy with an array with one byte for each page. */
static void a_policy_allows_the_same_pages_as_a_plain_array(void **state)
{
	enum {
		PAGES = 200
	};
	struct policy policy = {0};
	uint8_t model[PAGES] = {0}; /* 0 free, else kind + 1 */

	srand(1);
	for (int round = 0; round < 20000; round++) {
		const uint64_t first = (uint64_t)rand() % PAGES;
		const uint64_t pages = 1 + (uint64_t)rand() % 8;
		const enum policy_kind kind = (enum policy_kind)(rand() % POLICY_KINDS);
		bool writable = true, readable = true, is_free = true;

		if (first + pages > PAGES)
			continue;
		for (uint64_t i = first; i < first + pages; i++) {
			is_free = is_free && !model[i];
			writable = writable && (!model[i] || model[i] == POLICY_DATA + 1);
			readable = readable && model[i] != POLICY_PRIVATE + 1;
		}
		assert_int_equal(policy_allows(&policy, first * PAGE + 5, pages * PAGE - 10, true),
				 writable);
		assert_int_equal(policy_allows(&policy, first * PAGE + 5, pages * PAGE - 10, false),
				 readable);
		assert_int_equal(policy_kind_of(&policy, first * PAGE + 7),
				 model[first] ? model[first] - 1 : POLICY_KINDS);
		if (rand() % 50 || policy_check(&policy, first * PAGE, pages, kind))
			continue;
		assert_true(is_free);
		policy_add(&policy, first * PAGE, pages, kind);
		memset(model + first, kind + 1, pages);
	}
}

static void a_policy_that_is_full_still_grows_its_last_range(void **state)
{
	struct policy policy = {0};
	uint64_t page = 0;

	for (uint32_t i = 0; i < POLICY_RANGES; i++, page += 2)
		policy_add(&policy, page * PAGE, 1, POLICY_CODE);
	assert_int_equal(policy.count, POLICY_RANGES);
	assert_int_equal(policy_check(&policy, page * PAGE, 1, POLICY_CODE), SECURE_KERNEL_FULL);
	page -= 1;
	assert_int_equal(policy_check(&policy, page * PAGE, 1, POLICY_PRIVATE), SECURE_KERNEL_FULL);
	assert_int_equal(policy_check(&policy, page * PAGE, 1, POLICY_CODE), SECURE_KERNEL_OK);
	policy_add(&policy, page * PAGE, 1, POLICY_CODE);
	assert_int_equal(policy.count, POLICY_RANGES);
	assert_int_equal(policy.read_only_pages, POLICY_RANGES + 1);
	assert_false(policy_allows(&policy, page * PAGE, 1, true));
}

static void a_locked_policy_accepts_no_range(void **state)
{
	struct policy policy = {0};

	policy_lock(&policy);
	assert_int_equal(policy_check(&policy, 0x1000, 1, POLICY_CODE), SECURE_KERNEL_LOCKED);
	assert_true(policy_allows(&policy, 0x1000, PAGE, true));
	assert_false(policy_allows(&policy, POLICY_LIMIT - 1, 2, false));
	assert_false(policy_allows(&policy, UINT64_MAX, 1, false));
}

static void the_log_keeps_its_newest_entries_at_their_sequence_numbers(void **state)
{
	static struct secure_kernel_log log;
	uint64_t sequence = 0;

	for (uint64_t i = 1; i <= 3 * SECURE_KERNEL_LOG_ENTRIES + 5; i++) {
		/* The sequence number of the argument is ignored. */
		const struct secure_kernel_log_entry entry = {.sequence = 99, .address = i};

		ring_add(&log, &sequence, &entry);
		assert_int_equal(log.count, i);
		assert_int_equal(log.entry[(i - 1) % SECURE_KERNEL_LOG_ENTRIES].sequence, i);
	}
	for (uint64_t i = sequence - SECURE_KERNEL_LOG_ENTRIES + 1; i <= sequence; i++)
		assert_int_equal(log.entry[(i - 1) % SECURE_KERNEL_LOG_ENTRIES].address, i);
}

static void a_changed_count_of_the_shared_log_is_not_used(void **state)
{
	static struct secure_kernel_log log;
	const struct secure_kernel_log_entry entry = {.address = 1};
	uint64_t sequence = 0;

	log.count = UINT64_MAX;
	ring_add(&log, &sequence, &entry);
	assert_int_equal(log.count, 1);
	assert_int_equal(log.entry[0].address, 1);
}

static void a_secret_of_any_size_is_unsealed_unchanged(void **state)
{
	static struct secure_kernel_secret secret, back;
	static struct secure_kernel_sealed sealed;
	uint8_t key[SHA256_SIZE];

	memset(key, 7, sizeof(key));
	memset(secret.caller, 9, sizeof(secret.caller));
	for (uint32_t i = 0; i < SECURE_KERNEL_SECRET_MAX; i++)
		secret.data[i] = (uint8_t)(i * 13);
	for (uint32_t size = 1; size <= SECURE_KERNEL_SECRET_MAX; size++) {
		secret.size = size;
		assert_int_equal(seal(key, size, &secret, &sealed), SECURE_KERNEL_OK);
		memset(&back, 0xff, sizeof(back));
		assert_int_equal(unseal(key, secret.caller, &sealed, &back), SECURE_KERNEL_OK);
		assert_int_equal(back.size, size);
		assert_memory_equal(back.data, secret.data, size);
		if (size >= 16)
			assert_memory_not_equal(sealed.data, secret.data, size);
		/* The sealed data has no bytes beyond the size of the secret. */
		for (uint32_t i = size; i < SECURE_KERNEL_SECRET_MAX; i++)
			assert_int_equal(sealed.data[i], 0);
	}
	secret.size = 0;
	assert_int_equal(seal(key, 1, &secret, &sealed), SECURE_KERNEL_BAD_ARGUMENT);
	secret.size = SECURE_KERNEL_SECRET_MAX + 1;
	assert_int_equal(seal(key, 1, &secret, &sealed), SECURE_KERNEL_BAD_ARGUMENT);
}

static void a_sealed_secret_with_any_changed_bit_is_refused(void **state)
{
	static struct secure_kernel_secret secret, back;
	static struct secure_kernel_sealed sealed;
	uint8_t key[SHA256_SIZE] = {1}, *bytes = (uint8_t *)&sealed;

	secret.size = 40;
	assert_int_equal(seal(key, 5, &secret, &sealed), SECURE_KERNEL_OK);
	for (size_t bit = 0; bit < 8 * (offsetof(struct secure_kernel_sealed, data) + 40); bit++) {
		if (bit / 8 >= offsetof(struct secure_kernel_sealed, reserved) &&
		    bit / 8 < offsetof(struct secure_kernel_sealed, tag))
			continue;
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(unseal(key, secret.caller, &sealed, &back), SECURE_KERNEL_OK);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(unseal(key, secret.caller, &sealed, &back), SECURE_KERNEL_OK);
	key[31] ^= 1;
	assert_int_equal(unseal(key, secret.caller, &sealed, &back), SECURE_KERNEL_MISMATCH);
	key[31] ^= 1;
	secret.caller[0] ^= 1;
	assert_int_equal(unseal(key, secret.caller, &sealed, &back), SECURE_KERNEL_MISMATCH);
}

static void different_nonces_give_different_ciphertexts(void **state)
{
	static struct secure_kernel_secret secret = {.size = 64};
	static struct secure_kernel_sealed one, two;
	const uint8_t key[SHA256_SIZE] = {3};

	assert_int_equal(seal(key, 1, &secret, &one), SECURE_KERNEL_OK);
	assert_int_equal(seal(key, 2, &secret, &two), SECURE_KERNEL_OK);
	assert_memory_not_equal(one.data, two.data, 64);
	assert_memory_not_equal(one.tag, two.tag, sizeof(one.tag));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_refuses_invalid_ranges),
		cmocka_unit_test(a_page_is_in_a_policy_once),
		cmocka_unit_test(a_policy_allows_the_same_pages_as_a_plain_array),
		cmocka_unit_test(a_policy_that_is_full_still_grows_its_last_range),
		cmocka_unit_test(a_locked_policy_accepts_no_range),
		cmocka_unit_test(the_log_keeps_its_newest_entries_at_their_sequence_numbers),
		cmocka_unit_test(a_changed_count_of_the_shared_log_is_not_used),
		cmocka_unit_test(a_secret_of_any_size_is_unsealed_unchanged),
		cmocka_unit_test(a_sealed_secret_with_any_changed_bit_is_refused),
		cmocka_unit_test(different_nonces_give_different_ciphertexts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
