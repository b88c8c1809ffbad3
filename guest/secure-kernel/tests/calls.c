/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile VTL0 that makes the calls which the secure kernel of own.c defines. */
#include <vsm/hv/hv.h>

#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/kit.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/smp.h"
#include "kit/tap.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#include "client.h"
#include "own.h"

#define UNTOUCHED 0xa7

static uint8_t *page; /* two pages of VTL0: the buffer, and a page behind it that must not change */

static struct answer call(uint64_t index, uint64_t gpa, uint64_t size, uint64_t room)
{
	return client_request(SECURE_KERNEL_CALL_FIRST + index, gpa, size, room);
}

static uint64_t runs_of(unsigned int index)
{
	uint64_t *runs = memory_pages(1);

	expect_equal(call(OWN_COUNT, (uint64_t)runs, 0, PAGE_SIZE).status, SECURE_KERNEL_OK);
	return runs[index];
}

static bool is_all(const uint8_t *from, uint32_t size, uint8_t byte)
{
	for (uint32_t i = 0; i < size; i++)
		if (from[i] != byte)
			return false;
	return true;
}

static void claim(uint32_t size, uint32_t status)
{
	const struct own_claim asked = {size, status};

	memset(page, UNTOUCHED, 2ul * PAGE_SIZE);
	memcpy(page, &asked, sizeof(asked));
}

static void first_status(void *status)
{
	*(uint64_t *)status = client_request(SECURE_KERNEL_GET_VERSION, 0, 0, 0).status;
}

static void a_request_is_answered(void)
{
	uint64_t status;

	page = memory_pages(2);
	expect_equal(client_load(), HV_STATUS_SUCCESS);
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		smp_run(vp, first_status, &status);
		expect_equal(status, SECURE_KERNEL_OK);
	}
	for (uint32_t size = 0; size <= PAGE_SIZE; size += 512) {
		struct answer answer;

		memset(page, 0x31, PAGE_SIZE);
		answer = call(OWN_ECHO, (uint64_t)page, size, PAGE_SIZE);
		expect_equal(answer.status, SECURE_KERNEL_OK);
		expect_equal(answer.r9, size);
		expect(is_all(page, PAGE_SIZE, 0x31));
	}
	claim(100, SECURE_KERNEL_OK);
	expect_equal(call(OWN_CLAIM, (uint64_t)page, sizeof(struct own_claim), 100).r9, 100);
	expect(is_all(page, 100, OWN_SECRET) && is_all(page + 100, PAGE_SIZE - 100, UNTOUCHED));
}

static void unknown_calls_are_refused(void)
{
	static const uint64_t unknown[] = {OWN_NONE,   OWN_CALLS,
					   0x10000,    0xfffff000,
					   1ull << 32, 0ull - SECURE_KERNEL_CALL_FIRST - 1};

	for (uint32_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		expect_equal(call(unknown[i], (uint64_t)page, 0, PAGE_SIZE).status,
			     SECURE_KERNEL_UNKNOWN_SERVICE);
	/* own.c defines no requests in registers beyond those of the kit. */
	expect_equal(client_hmac(page, 64, page), SECURE_KERNEL_UNKNOWN_SERVICE);
	expect_equal(client_request(SECURE_KERNEL_CALL_FIRST - 1, 0, 0, 0).status,
		     SECURE_KERNEL_UNKNOWN_SERVICE);
}

static void wrong_sizes_are_refused(void)
{
	static const uint64_t sizes[] = {PAGE_SIZE + 1, 1ull << 31, 1ull << 32, (1ull << 32) + 8,
					 ~0ull};
	const uint64_t before = runs_of(OWN_ECHO);

	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		expect_equal(call(OWN_ECHO, (uint64_t)page, sizes[i], 0).status,
			     SECURE_KERNEL_BAD_ARGUMENT);
		expect_equal(call(OWN_ECHO, (uint64_t)page, 0, sizes[i]).status,
			     SECURE_KERNEL_BAD_ARGUMENT);
	}
	expect_equal(call(OWN_ECHO, (uint64_t)page + 1, PAGE_SIZE, 0).status,
		     SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(call(OWN_ECHO, (uint64_t)page + 4088, 8, 9).status,
		     SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(runs_of(OWN_ECHO), before);
}

static void foreign_memory_is_refused(void)
{
	/* In VTL1's memory (2), without memory (2), the local APIC, the read-only log. */
	const uint64_t foreign[] = {(uint64_t)region, (uint64_t)region + 0x5000,
				    1ull << 51,	      ~0xfffull,
				    0xfee00000,	      (uint64_t)client_log()};
	const uint64_t before = runs_of(OWN_ECHO);

	for (uint32_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		expect(call(OWN_ECHO, foreign[i], 0, 8).status != SECURE_KERNEL_OK);
		expect(call(OWN_ECHO, foreign[i], 8, 8).status != SECURE_KERNEL_OK);
	}
	expect(call(OWN_ECHO, (uint64_t)region, 8, 0).status != SECURE_KERNEL_OK);
	expect_equal(runs_of(OWN_ECHO), before);
}

static void large_answers_are_withheld(void)
{
	claim(101, SECURE_KERNEL_OK);
	expect_equal(call(OWN_CLAIM, (uint64_t)page, 8, 100).status, SECURE_KERNEL_FULL);
	expect(is_all(page + 8, 2 * PAGE_SIZE - 8, UNTOUCHED));
	claim(PAGE_SIZE + 1, SECURE_KERNEL_OK);
	expect_equal(call(OWN_CLAIM, (uint64_t)page, 8, PAGE_SIZE).status, SECURE_KERNEL_FULL);
	claim(~0u, SECURE_KERNEL_OK);
	expect_equal(call(OWN_CLAIM, (uint64_t)page, 8, PAGE_SIZE).status, SECURE_KERNEL_FULL);
	expect(is_all(page + 8, 2 * PAGE_SIZE - 8, UNTOUCHED));
}

static void failed_calls_answer_nothing(void)
{
	claim(PAGE_SIZE, SECURE_KERNEL_MISMATCH);
	expect_equal(call(OWN_CLAIM, (uint64_t)page, 8, PAGE_SIZE).status, SECURE_KERNEL_MISMATCH);
	expect(is_all(page + 8, 2 * PAGE_SIZE - 8, UNTOUCHED));
}

static void nothing_remains(void)
{
	claim(8, SECURE_KERNEL_OK);
	expect_equal(call(OWN_CLAIM, (uint64_t)page, 8, 8).status, SECURE_KERNEL_OK);
	memset(page, UNTOUCHED, PAGE_SIZE);
	expect_equal(call(OWN_REST, (uint64_t)page, 0, PAGE_SIZE).r9, PAGE_SIZE);
	expect(is_all(page, PAGE_SIZE, 0));
}

static void locked_pages_take_no_answer(void)
{
	uint8_t *locked = memory_pages(1);

	memset(locked, UNTOUCHED, PAGE_SIZE);
	expect_equal(client_lock(locked, 1), SECURE_KERNEL_OK);
	expect_equal(call(OWN_REST, (uint64_t)locked, 0, PAGE_SIZE).status, SECURE_KERNEL_DENIED);
	expect_equal(call(OWN_ECHO, (uint64_t)locked, 8, 0).status, SECURE_KERNEL_FULL);
	expect(is_all(locked, PAGE_SIZE, UNTOUCHED));
}

static uint64_t use(const uint8_t *at, enum own_action action, uint32_t rights)
{
	const struct own_page asked = {(uint64_t)at, action, rights};

	memcpy(page, &asked, sizeof(asked));
	return call(OWN_PAGE, (uint64_t)page, sizeof(asked), 0).status;
}

static uint8_t *filled_page(void)
{
	uint8_t *at = memory_pages(1);

	memset(at, UNTOUCHED, PAGE_SIZE);
	return at;
}

/* VTL0 cannot write the page, nor make VTL1 write it; VTL0 reads its old contents. */
static void expect_not_writable(uint8_t *at)
{
	expect_equal(try_write(at, 0), VECTOR_GP);
	expect_equal(use(at, OWN_WRITE, 0), SECURE_KERNEL_DENIED);
	expect_equal(call(OWN_REST, (uint64_t)at, 0, PAGE_SIZE).status, SECURE_KERNEL_DENIED);
	expect_equal(use(at, OWN_READ, 0), SECURE_KERNEL_OK);
	expect_equal(try_write(at, 0), VECTOR_GP);
	expect(is_all(at, PAGE_SIZE, UNTOUCHED));
}

static void a_service_has_the_rights_of_vtl0(void)
{
	static const enum own_action ways[] = {OWN_VTL_PROTECT, OWN_PROTECT};
	uint8_t value;

	for (uint32_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		uint8_t *at = filled_page();

		expect_equal(use(at, ways[i], HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE),
			     SECURE_KERNEL_OK);
		expect_not_writable(at);
		expect_equal(use(at, ways[i], 0), SECURE_KERNEL_OK);
		expect_equal(use(at, OWN_READ, 0), SECURE_KERNEL_DENIED);
		expect_equal(use(at, OWN_WRITE, 0), SECURE_KERNEL_DENIED);
		expect_equal(try_read(at, &value), VECTOR_GP);
		expect_equal(use(at, ways[i], HV_MAP_GPA_PERMISSIONS_MASK), SECURE_KERNEL_OK);
		expect_equal(use(at, OWN_WRITE, 0), SECURE_KERNEL_OK);
		expect_equal(at[0], OWN_SECRET);
	}
}

static uint32_t read_only_pages(void)
{
	return (uint32_t)client_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0).r10;
}

static void a_service_locks_pages(void)
{
	const uint64_t simp = rdmsr(HV_X64_MSR_SIMP);
	const uint32_t before = read_only_pages();
	uint8_t *at = filled_page(), *covered = filled_page();

	expect_equal(use(at, OWN_LOCK, SECURE_KERNEL_CODE), SECURE_KERNEL_OK);
	expect_equal(read_only_pages(), before + 1);
	expect_not_writable(at);
	expect_equal(use(at, OWN_LOCK, SECURE_KERNEL_CODE), SECURE_KERNEL_DENIED);
	expect_equal(use(at, OWN_PROTECT, HV_MAP_GPA_PERMISSIONS_MASK), SECURE_KERNEL_DENIED);
	expect_equal(use(region, OWN_LOCK, SECURE_KERNEL_CODE), SECURE_KERNEL_DENIED);
	expect_equal(use(covered, OWN_LOCK, SECURE_KERNEL_RIGHTS), SECURE_KERNEL_BAD_ARGUMENT);
	wrmsr(HV_X64_MSR_SIMP, (uint64_t)covered | HV_PAGE_MSR_ENABLE);
	expect_equal(use(covered, OWN_LOCK, SECURE_KERNEL_CODE), SECURE_KERNEL_DENIED);
	wrmsr(HV_X64_MSR_SIMP, simp);
	expect_equal(try_write(covered, UNTOUCHED), -1);
	expect_equal(read_only_pages(), before + 1);
}

static void a_lock_gives_no_right(void)
{
	const uint64_t simp = rdmsr(HV_X64_MSR_SIMP);
	uint8_t *pages = memory_pages(3), value;

	memset(pages, UNTOUCHED, 3ul * PAGE_SIZE);
	expect_equal(use(pages, OWN_PROTECT, HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE),
		     SECURE_KERNEL_OK);
	expect_equal(use(pages + PAGE_SIZE, OWN_PROTECT, 0), SECURE_KERNEL_OK);
	expect_equal(client_lock(pages + PAGE_SIZE, 2), SECURE_KERNEL_DENIED);
	expect_equal(client_lock(pages, 3), SECURE_KERNEL_DENIED);
	expect_equal(try_read(pages + PAGE_SIZE, &value), VECTOR_GP);
	expect_equal(try_write(pages + 2ul * PAGE_SIZE, UNTOUCHED), -1);
	/* A lock that is refused due to an overlay gives VTL0 no right either. */
	expect_equal(use(pages + PAGE_SIZE, OWN_PROTECT, HV_MAP_GPA_PERMISSIONS_MASK),
		     SECURE_KERNEL_OK);
	wrmsr(HV_X64_MSR_SIMP, (uint64_t)(pages + PAGE_SIZE) | HV_PAGE_MSR_ENABLE);
	expect_equal(client_lock(pages, 2), SECURE_KERNEL_DENIED);
	wrmsr(HV_X64_MSR_SIMP, simp);
	expect_not_writable(pages);
	expect_equal(client_lock(pages, 2), SECURE_KERNEL_OK);
	expect_not_writable(pages);
}

static void the_region_is_closed(void)
{
	uint8_t value;

	for (uint32_t at = 0; at < SECURE_KERNEL_REGION; at += SECURE_KERNEL_REGION / 64) {
		expect_equal(try_read(region + at, &value), VECTOR_GP);
		expect_equal(try_write(region + at, 0), VECTOR_GP);
	}
	expect_equal(call(OWN_ECHO, (uint64_t)page, 8, 8).status, SECURE_KERNEL_OK);
}

static const struct tap_case cases[] = {
	{"a request is answered, with no byte beyond the answer", a_request_is_answered},
	{"unknown calls are refused", unknown_calls_are_refused},
	{"sizes beyond the page are refused before the call runs", wrong_sizes_are_refused},
	{"a buffer that VTL0 may not access is refused before the call runs",
	 foreign_memory_is_refused},
	{"an answer that is too large is withheld", large_answers_are_withheld},
	{"a call that fails answers nothing", failed_calls_answer_nothing},
	{"a call receives and returns nothing of an earlier one", nothing_remains},
	{"VTL0 can neither read nor write the memory of this secure kernel", the_region_is_closed},
	{"no answer is written to a locked page", locked_pages_take_no_answer},
	{"a service has VTL0's rights to a page that VTL1 has protected",
	 a_service_has_the_rights_of_vtl0},
	{"a service locks pages of VTL0, except overlay pages", a_service_locks_pages},
	{"a lock gives VTL0 no right that VTL1 denies", a_lock_gives_no_right},
};

static TAP_TOPIC(topic_calls, NULL, cases);

uint8_t kit_main(void)
{
	static const struct tap_topic *const topics[] = {&topic_calls};

	hypercall_enable();
	/* For crash-cases.sh: the call should end the machine. */
	if (option_has("test", "crash")) {
		if (client_load() == HV_STATUS_SUCCESS)
			call(OWN_CRASH, 0, 0, 0);
		return EXIT_STATUS_FAIL;
	}
	print("TAP version 13\n# VPs: %u\n", smp_count);
	return tap_run(topics, 1) ? EXIT_STATUS_PASS : EXIT_STATUS_FAIL;
}
