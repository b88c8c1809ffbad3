/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

#include "unit_test.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"
#include "bare.h"

#define ROUNDS	150
#define DEVICES 3
#define PAGES	8u
#define LOCKED	3u

struct race {
	struct bare *bare;
	_Atomic bool stop;
	_Atomic uint64_t mapped;
	_Atomic uint64_t refused;
	_Atomic uint64_t revoked;
	_Atomic uint64_t stale;
};

static void count(void *opaque)
{
	atomic_fetch_add((_Atomic uint64_t *)opaque, 1);
}

/* A data race on purpose, as a device's DMA is one. */
__attribute__((no_sanitize("thread"))) static void touch(volatile uint64_t *at, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		at[i * 512]++;
}

static void *device(void *opaque)
{
	struct race *race = opaque;
	uint64_t first = 0;

	while (!atomic_load(&race->stop)) {
		const uint64_t pages = PAGES - first;
		const struct vsm_dma_request request = {
			.gpa = first << 12,
			.size = pages << 12,
			.write = true,
			.revoked = count,
			.opaque = &race->revoked,
		};
		struct vsm_dma_map *map;
		void *host;

		first = (first + 1) % PAGES;
		if (vsm_dma_map(race->bare->partition, &request, &map, &host)) {
			atomic_fetch_add(&race->refused, 1);
			continue;
		}
		touch(host, pages);
		atomic_fetch_add(&race->mapped, 1);
		touch(host, pages);
		if (vsm_dma_unmap(map))
			atomic_fetch_add(&race->stale, 1);
	}
	return NULL;
}

static void wait_for(_Atomic uint64_t *counter)
{
	const uint64_t before = atomic_load(counter);

	while (atomic_load(counter) < before + DEVICES)
		sched_yield();
}

static uint64_t peek(struct race *race)
{
	uint64_t value = 0;

	assert_int_equal(vsm_memory_peek(race->bare->partition, LOCKED << 12, &value, 8), 0);
	return value;
}

static void p37_devices_that_map_and_unmap_do_not_write_a_locked_page(void **state)
{
	struct race race = {.bare = bare_create(2)};
	struct vsm_partition *partition = race.bare->partition;
	struct vsm_memory_change gone = {.gpa = 6 << 12, .size = 0x1000, .fd = -1};
	uint64_t gpn = LOCKED;
	pthread_t thread[DEVICES];
	size_t done;

	bare_ram(race.bare, 0, 16);
	for (int i = 0; i < DEVICES; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, device, &race), 0);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t frozen;

		wait_for(&race.mapped);
		assert_int_equal(
			protect_set(partition, 1, -1, &gpn, 1, GPA_READ | GPA_EXECUTE, &done),
			HV_STATUS_SUCCESS);
		frozen = peek(&race);
		wait_for(&race.refused);
		assert_int_equal(peek(&race), frozen);
		assert_int_equal(overlay_map(partition, OVERLAY_SIM, 0, 0, 5), 0);
		wait_for(&race.refused);
		assert_int_equal(overlay_unmap(partition, OVERLAY_SIM, 0, 0), 0);
		assert_int_equal(protect_set(partition, 1, -1, &gpn, 1, GPA_ALL, &done),
				 HV_STATUS_SUCCESS);
		if (round == ROUNDS / 2) {
			/* Mappings that include the page are refused. */
			assert_int_equal(vsm_memory_update(partition, &gone, 1), 0);
			wait_for(&race.refused);
			gone.fd = memfd_create("back", MFD_CLOEXEC);
			assert_int_equal(ftruncate(gone.fd, 0x1000), 0);
			assert_int_equal(vsm_memory_update(partition, &gone, 1), 0);
		}
	}
	atomic_store(&race.stop, true);
	for (int i = 0; i < DEVICES; i++)
		pthread_join(thread[i], NULL);
	/* Each revocation was reported once, and seen when the mapping ended. */
	assert_int_equal(race.stale, race.revoked);
	assert_true(race.mapped > ROUNDS);
	bare_destroy(race.bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p37_devices_that_map_and_unmap_do_not_write_a_locked_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
