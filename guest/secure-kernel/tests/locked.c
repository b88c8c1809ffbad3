/* SPDX-License-Identifier: BSD-2-Clause */
/* Behaviour after the policy is locked; must run last, as that cannot be undone. */
#include "kit/cpu.h"
#include "kit/memory.h"
#include "kit/x64.h"

#include "client.h"
#include "topics.h"

static void the_policy_is_final(void)
{
	uint8_t *page = memory_pages(1);
	/* The topic `services` has locked pages, too. */
	const uint64_t pages = client_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0).r10 & 0xffffffff;
	struct answer answer;

	expect(pages >= TARGET_PAGES);
	expect_equal(client_request(SECURE_KERNEL_LOCK_POLICY, 0, 0, 0).status, SECURE_KERNEL_OK);
	expect_equal(client_request(SECURE_KERNEL_LOCK_POLICY, 0, 0, 0).status,
		     SECURE_KERNEL_LOCKED);
	expect_equal(client_lock(page, 1), SECURE_KERNEL_LOCKED);
	expect_equal(try_write(page, 1), -1);
	answer = client_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0);
	expect_equal(answer.r9 & SECURE_KERNEL_POLICY_LOCKED, SECURE_KERNEL_POLICY_LOCKED);
	expect_equal(answer.r10 & 0xffffffff, pages);
	expect_equal(try_write(target, 0), VECTOR_GP);
	expect_vtl1_is_well();
}

static void the_log_wraps(void)
{
	const volatile struct secure_kernel_log *log = client_log();
	const uint64_t before = log->count;

	for (uint32_t i = 0; i < SECURE_KERNEL_LOG_ENTRIES; i++)
		expect_equal(client_request(0, i, 0, 0).status, SECURE_KERNEL_UNKNOWN_SERVICE);
	expect_equal(log->count, before + SECURE_KERNEL_LOG_ENTRIES);
	for (uint32_t i = 0; i < SECURE_KERNEL_LOG_ENTRIES; i++) {
		const uint64_t sequence = before + 1 + i;
		const volatile struct secure_kernel_log_entry *entry =
			&log->entry[(sequence - 1) % SECURE_KERNEL_LOG_ENTRIES];

		expect_equal(entry->sequence, sequence);
		expect_equal(entry->event, SECURE_KERNEL_EVENT_DENIED);
		expect_equal(entry->address, i);
		expect_equal(entry->detail, SECURE_KERNEL_UNKNOWN_SERVICE);
	}
}

static const struct tap_case cases[] = {
	{"a locked policy accepts no more ranges, and other services work", the_policy_is_final},
	{"the log keeps the newest entries", the_log_wraps},
};

TAP_TOPIC(topic_locked, needs_secure_kernel, cases);
