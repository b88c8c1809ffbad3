/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/apic.h"
#include "kit/console.h"
#include "kit/cpu.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/x64.h"

#include "client.h"
#include "topics.h"

#define ROUNDS 2000

static uint8_t *buffer; /* four pages */

static const char *prepare(void)
{
	const char *reason = needs_secure_kernel();

	if (!reason && !buffer)
		buffer = memory_pages(4);
	return reason;
}

/* The example "abc" of FIPS 180-4, and a page of zeros; both cross the end of a page. */
static void digests_are_right(void)
{
	static const uint8_t letters[] = {'a', 'b', 'c'};
	static const uint8_t abc[SECURE_KERNEL_DIGEST] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
		0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
		0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	static const uint8_t zeros[SECURE_KERNEL_DIGEST] = {
		0xad, 0x7f, 0xac, 0xb2, 0x58, 0x6f, 0xc6, 0xe9, 0x66, 0xc0, 0x04,
		0xd7, 0xd1, 0xd1, 0x6b, 0x02, 0x4f, 0x58, 0x05, 0xff, 0x7c, 0xb4,
		0x7c, 0x7a, 0x85, 0xda, 0xbd, 0x8b, 0x48, 0x89, 0x2c, 0xa7};
	uint8_t *digest = buffer + 3 * PAGE_SIZE;

	memcpy(buffer + PAGE_SIZE - 2, letters, sizeof(letters));
	expect_equal(client_measure(buffer + PAGE_SIZE - 2, 3, digest), SECURE_KERNEL_OK);
	expect(!memcmp(digest, abc, sizeof(abc)));
	memset(buffer, 0, 2 * PAGE_SIZE);
	expect_equal(client_measure(buffer + 100, PAGE_SIZE, digest), SECURE_KERNEL_OK);
	expect(!memcmp(digest, zeros, sizeof(zeros)));
}

static uint64_t measure_begin(void)
{
	const struct answer answer = client_request(SECURE_KERNEL_MEASURE_BEGIN, 0, 0, 0);

	expect_equal(answer.status, SECURE_KERNEL_OK);
	return answer.r9;
}

static uint64_t measure_add(const volatile void *data, uint64_t size, uint64_t number)
{
	return client_request(SECURE_KERNEL_MEASURE_ADD, (uint64_t)data, size, number).status;
}

static uint64_t measure_end(void *digest, uint64_t number)
{
	return client_request(SECURE_KERNEL_MEASURE_END, (uint64_t)digest, number, 0).status;
}

static void pieces_make_the_whole(void)
{
	uint8_t *whole = buffer + 3 * PAGE_SIZE, *pieces = whole + 64;
	uint64_t number, older;

	for (uint32_t i = 0; i < 3 * PAGE_SIZE; i++)
		buffer[i] = (uint8_t)(i * 13 + (i >> 8));
	expect_equal(client_measure(buffer, 3ull * PAGE_SIZE, whole), SECURE_KERNEL_OK);
	older = measure_begin();
	number = measure_begin();
	expect_equal(measure_add(buffer, 1, older), SECURE_KERNEL_MISMATCH);
	expect_equal(measure_add(buffer, 1, number), SECURE_KERNEL_OK);
	expect_equal(measure_add(buffer + 1, PAGE_SIZE, number), SECURE_KERNEL_OK);
	expect_equal(measure_add(buffer, 0, number), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(measure_add(buffer, SECURE_KERNEL_MEASURE_MAX + 1, number),
		     SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(measure_add(buffer + PAGE_SIZE + 1, 2 * PAGE_SIZE - 1, number),
		     SECURE_KERNEL_OK);
	expect_equal(measure_end(pieces, older), SECURE_KERNEL_MISMATCH);
	expect_equal(measure_end(pieces, number), SECURE_KERNEL_OK);
	expect(!memcmp(whole, pieces, SECURE_KERNEL_DIGEST));
	expect_equal(measure_end(pieces, number), SECURE_KERNEL_MISMATCH);
	number = measure_begin();
	expect_equal(measure_add(region, 64, number), SECURE_KERNEL_DENIED);
	expect_equal(measure_end(pieces, number), SECURE_KERNEL_MISMATCH);
	number = measure_begin();
	expect_equal(measure_end(target, number), SECURE_KERNEL_DENIED);
}

static void hmac_depends_on_all(void)
{
	uint8_t *a = buffer + 3 * PAGE_SIZE, *b = a + 64;

	memset(buffer, 0x5a, PAGE_SIZE);
	expect_equal(client_hmac(buffer, 64, a), SECURE_KERNEL_OK);
	expect_equal(client_hmac(buffer, 64, b), SECURE_KERNEL_OK);
	expect(!memcmp(a, b, SECURE_KERNEL_DIGEST));
	expect_equal(client_hmac(buffer, 63, b), SECURE_KERNEL_OK);
	expect(memcmp(a, b, SECURE_KERNEL_DIGEST));
	buffer[63] ^= 1;
	expect_equal(client_hmac(buffer, 64, b), SECURE_KERNEL_OK);
	expect(memcmp(a, b, SECURE_KERNEL_DIGEST));
	expect_equal(client_hmac(buffer, SECURE_KERNEL_HMAC_MAX, b), SECURE_KERNEL_OK);
}

static uint64_t do_seal(const void *secret, void *sealed)
{
	return client_request(SECURE_KERNEL_SEAL, (uint64_t)secret, (uint64_t)sealed, 0).status;
}

static uint64_t do_unseal(const void *sealed, void *secret, const void *caller)
{
	return client_request(SECURE_KERNEL_UNSEAL, (uint64_t)sealed, (uint64_t)secret,
			      (uint64_t)caller)
		.status;
}

static void secrets_come_back(void)
{
	struct secure_kernel_secret *secret = (void *)buffer;
	struct secure_kernel_sealed *sealed = (void *)(buffer + PAGE_SIZE);
	struct secure_kernel_secret *back = (void *)(buffer + 2 * PAGE_SIZE);
	uint8_t *caller = buffer + 3 * PAGE_SIZE;

	memset(buffer, 0, 4ull * PAGE_SIZE);
	memset(secret->caller, 0x11, sizeof(secret->caller));
	memset(caller, 0x11, SECURE_KERNEL_DIGEST);
	secret->size = 100;
	memset(secret->data, 0x77, 100);
	expect_equal(do_seal(secret, sealed), SECURE_KERNEL_OK);
	expect_equal(sealed->size, 100);
	for (uint32_t i = 0; i + 8 <= 100; i++)
		expect(memcmp(sealed->data + i, secret->data, 8));
	expect_equal(do_unseal(sealed, back, caller), SECURE_KERNEL_OK);
	expect_equal(back->size, 100);
	expect(!memcmp(back->data, secret->data, 100));
	memset(back, 0, sizeof(*back));
	caller[31] ^= 1;
	expect_equal(do_unseal(sealed, back, caller), SECURE_KERNEL_MISMATCH);
	caller[31] ^= 1;
	for (uint32_t at = 0; at < 100; at += 33) {
		sealed->data[at] ^= 0x80;
		expect_equal(do_unseal(sealed, back, caller), SECURE_KERNEL_MISMATCH);
		sealed->data[at] ^= 0x80;
	}
	sealed->size = 99;
	expect_equal(do_unseal(sealed, back, caller), SECURE_KERNEL_MISMATCH);
	sealed->size = SECURE_KERNEL_SECRET_MAX + 1;
	expect_equal(do_unseal(sealed, back, caller), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(back->size, 0);
	secret->size = 0;
	expect_equal(do_seal(secret, sealed), SECURE_KERNEL_BAD_ARGUMENT);
}

static void nothing_is_believed(void)
{
	const uint64_t mine = (uint64_t)buffer;

	expect_equal(client_request(0, 0, 0, 0).status, SECURE_KERNEL_UNKNOWN_SERVICE);
	expect_equal(client_request(SECURE_KERNEL_MEASURE_END + 1, 0, 0, 0).status,
		     SECURE_KERNEL_UNKNOWN_SERVICE);
	expect_equal(client_request(~0ull, 0, 0, 0).status, SECURE_KERNEL_UNKNOWN_SERVICE);
	expect_equal(client_hmac(buffer, 0, buffer), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_hmac(buffer, SECURE_KERNEL_HMAC_MAX + 1, buffer),
		     SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_hmac(buffer + 1, PAGE_SIZE, buffer), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_hmac(buffer, 64, buffer + PAGE_SIZE - 31), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_hmac((void *)~0ull, 1, buffer), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_measure(buffer, SECURE_KERNEL_MEASURE_MAX + 1, buffer),
		     SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_measure(buffer, ~0ull, buffer), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_lock((void *)(mine + 8), 1), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_lock(buffer, 0), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_lock(buffer, SECURE_KERNEL_PAGES_MAX + 1), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_lock((void *)(1ull << 52), 1), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(client_lock(target, 1), SECURE_KERNEL_DENIED);
	expect_equal(client_lock(region, 1), SECURE_KERNEL_DENIED);
	expect_equal(client_lock((void *)0xfee00000, 1), SECURE_KERNEL_REFUSED);
	expect_vtl1_is_well();
}

static void no_deputy_for_vtl0(void)
{
	const volatile struct secure_kernel_log *log = client_log();

	for (uint64_t at = 0; at < SECURE_KERNEL_REGION; at += PAGE_SIZE) {
		void *page = region + at;

		expect_equal(client_hmac(buffer, 64, page), SECURE_KERNEL_DENIED);
		if ((uint64_t)page - (uint64_t)log >= SECURE_KERNEL_LOG_PAGES * PAGE_SIZE)
			expect_equal(client_measure(page, 64, buffer), SECURE_KERNEL_DENIED);
	}
	expect_equal(client_measure(region - 64, 128, buffer), SECURE_KERNEL_DENIED);
	expect_equal(client_hmac(buffer, 64, target), SECURE_KERNEL_DENIED);
	expect_equal(client_measure((void *)0xfee00000, 64, buffer), SECURE_KERNEL_DENIED);
	expect_equal(client_hmac(buffer, 64, (void *)0xfee00000), SECURE_KERNEL_DENIED);
	expect_equal(client_measure(target, 64, buffer), SECURE_KERNEL_OK);
	expect_equal(client_measure(log, 64, buffer), SECURE_KERNEL_OK);
	expect_vtl1_is_well();
}

static void garbage(void *argument)
{
	const uint64_t interesting[] = {
		(uint64_t)buffer,	(uint64_t)region, (uint64_t)target, 0xfee00000, 0, ~0ull,
		(uint64_t)client_log(), 1ull << 40};

	(void)argument;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t r[3];
		const uint64_t service = tap_random() & 15;

		for (uint32_t j = 0; j < 3; j++) {
			const uint64_t random = tap_random();

			r[j] = interesting[random & 7] + (random >> 8 & 0x1fff);
			if (!(random & 0x30))
				r[j] = random >> (random >> 58);
			if ((random & 0xc0) == 0xc0)
				r[j] &= 0x3ff;
		}
		/* Skip requests that would break later tests: locks of pages in use. */
		if (service == SECURE_KERNEL_LOCK_RANGE || service == SECURE_KERNEL_LOCK_POLICY)
			continue;
		/* The test's buffer, or pages where VTL1 must refuse to write the result. */
		if (service == SECURE_KERNEL_MEASURE || service == SECURE_KERNEL_HMAC)
			r[2] = tap_random() & 1 ? (uint64_t)buffer : (uint64_t)region;
		if (service == SECURE_KERNEL_SEAL || service == SECURE_KERNEL_UNSEAL)
			r[1] = tap_random() & 1 ? (uint64_t)buffer : (uint64_t)target;
		if (service == SECURE_KERNEL_MEASURE_END)
			r[0] = tap_random() & 1 ? (uint64_t)buffer : (uint64_t)region;
		client_request(service, r[0], r[1], r[2]);
	}
}

static void garbage_is_harmless(void)
{
	smp_run_all(garbage, NULL);
	expect_vtl1_is_well();
}

#define VECTOR_BEHIND 0x61

static uint8_t *unlocked; /* the next SECURE_KERNEL_PAGES_MAX pages to lock */

/* Requests of the maximum size: how long each holds the VP is measured. */
static uint64_t hold_by_measuring(void)
{
	return client_measure(buffer, SECURE_KERNEL_MEASURE_MAX, buffer);
}

static uint64_t hold_by_hmac(void)
{
	return client_hmac(buffer, SECURE_KERNEL_HMAC_MAX, buffer);
}

static uint64_t hold_by_sealing(void)
{
	struct secure_kernel_secret *secret = (void *)buffer;

	secret->size = SECURE_KERNEL_SECRET_MAX;
	return do_seal(secret, buffer + PAGE_SIZE);
}

static uint64_t hold_by_locking(void)
{
	const uint64_t status = client_lock(unlocked, SECURE_KERNEL_PAGES_MAX);

	unlocked += (uint64_t)SECURE_KERNEL_PAGES_MAX * PAGE_SIZE;
	return status;
}

static uint64_t hold_by_nothing(void)
{
	return client_request(SECURE_KERNEL_GET_VERSION, 0, 0, 0).status;
}

static const struct {
	const char *what;
	uint64_t (*run)(void);
	uint32_t rounds;
} holds[] = {
	{"the bare round trip", hold_by_nothing, 50}, {"SHA-256 of 16 KiB", hold_by_measuring, 50},
	{"HMAC of 4 KiB", hold_by_hmac, 50},	      {"sealing of 1 KiB", hold_by_sealing, 50},
	{"a lock of 256 pages", hold_by_locking, 4},
};

/* A large limit, as hosts may be slow and busy: a request must not take seconds. */
#define HOLD_MAX_MS 250u

static void interrupts_come_behind(void)
{
	volatile uint32_t *count = &cpu_current()->interrupts[VECTOR_BEHIND];
	uint32_t taken = *count;

	unlocked = memory_pages(4ull * SECURE_KERNEL_PAGES_MAX);
	for (uint32_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
		uint64_t longest = 0, shortest = ~0ull;

		for (uint32_t round = 0; round < holds[i].rounds; round++) {
			uint64_t begin, ticks;

			interrupts_off();
			apic_write(APIC_ICR, 0x40000 | APIC_FIXED | VECTOR_BEHIND);
			begin = rdtsc();
			expect_equal(holds[i].run(), SECURE_KERNEL_OK);
			ticks = rdtsc() - begin;
			longest = ticks > longest ? ticks : longest;
			shortest = ticks < shortest ? ticks : shortest;
			expect_equal(*count, taken);
			interrupts_window();
			expect_equal(*count, ++taken);
		}
		expect(shortest < HOLD_MAX_MS * time_ticks_per_ms());
		print("# %s holds a VP for %lu us at least, %lu us at most\n", holds[i].what,
		      shortest * 1000 / time_ticks_per_ms(), longest * 1000 / time_ticks_per_ms());
	}
}

static const struct tap_case cases[] = {
	{"SHA-256 of a range across pages has the value of the standard", digests_are_right},
	{"SHA-256 in pieces is that of the whole range; only one measurement is valid",
	 pieces_make_the_whole},
	{"HMAC depends on every bit and on the length", hmac_depends_on_all},
	{"a sealed secret is returned to its caller only", secrets_come_back},
	{"requests out of range are refused, each with its status", nothing_is_believed},
	{"VTL1 does not access memory for VTL0 that VTL0 may not access", no_deputy_for_vtl0},
	{"VTL1 works after random requests from all VPs", garbage_is_harmless},
	{"an interrupt for VTL0 is delivered after at most one request", interrupts_come_behind},
};

TAP_TOPIC(topic_services, prepare, cases);
