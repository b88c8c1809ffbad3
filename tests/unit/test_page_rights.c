/* SPDX-License-Identifier: BSD-2-Clause */
/* Engines attr and nested: the restrictions in force after a change of a window that failed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory/map_file.h"
#include "kvm/backend.h"
#include "kvm/engine/page_rights.h"

#define PAGES 4u
#define BYTES (PAGES * VKVM_PAGE_SIZE)
#define GPN   0x200u
#define RW    (GPA_READ | GPA_WRITE)

static uint8_t restrictions[PAGES]; /* in force, as the kernel has them */
static int range_calls;

static int range(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
		 uint8_t denied)
{
	(void)backend;
	(void)vtl;
	range_calls++;
	for (uint64_t i = 0; i < pages; i++)
		restrictions[gpn - GPN + i] = denied;
	return 0;
}

static const struct restriction_ops kernel = {.range = range};

struct host {
	struct vkvm_backend backend;
	struct vkvm_region region;
	int fd; /* overlay memory */
};

static void begin(struct host *host)
{
	*host = (struct host){
		.backend = {.vtl_count = 1},
		.region = {.gpn = GPN, .pages = PAGES},
		.fd = memfd_create("overlays", MFD_CLOEXEC),
	};
	assert_int_equal(page_rights_start(&host->backend, &kernel), 0);
	host->region.fd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(host->fd, BYTES) | ftruncate(host->region.fd, BYTES), 0);
	host->backend.overlay.fd = host->fd;
	host->region.window[0].base = map_file(host->region.fd, 0, BYTES, 0);
	assert_int_equal(page_rights_window_init(&host->backend, &host->region, 0), 0);
	range(&host->backend, 0, GPN, PAGES, 0);
	range_calls = 0;
}

static void end(struct host *host)
{
	page_rights_window_destroy(&host->backend, &host->region, 0);
	munmap(host->region.window[0].base, BYTES);
	close(host->region.fd);
	close(host->fd);
	page_rights_stop(&host->backend);
}

static int map(struct host *host, uint8_t access)
{
	return page_rights_overlay_map(&host->backend, &host->region, 0, 1, 0, access);
}

static int unmap(struct host *host)
{
	return page_rights_overlay_unmap(&host->backend, &host->region, 0, 1);
}

static void an_overlay_and_its_removal_take_one_call_each(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	assert_int_equal(map(&host, RW), 0);
	assert_int_equal(restrictions[1], GPA_EXECUTE);
	assert_int_equal(range_calls, 1);
	assert_int_equal(unmap(&host), 0);
	assert_int_equal(restrictions[1], 0);
	assert_int_equal(range_calls, 2);
	end(&host);
}

static void the_undo_of_an_overlay_that_failed_restores_the_rights(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	host.backend.overlay.fd = -1;
	assert_int_equal(map(&host, RW), -EBADF);
	assert_int_equal(restrictions[1], GPA_EXECUTE);
	assert_int_equal(unmap(&host), 0);
	assert_int_equal(restrictions[1], 0);
	end(&host);
}

static void the_undo_of_a_removal_that_failed_restores_the_rights(void **state)
{
	struct host host;
	int fd;

	(void)state;
	begin(&host);
	fd = host.region.fd;
	host.region.window[0].state[1] = GPA_WRITE;
	assert_int_equal(map(&host, RW), 0);
	assert_int_equal(restrictions[1], GPA_EXECUTE);
	host.region.fd = -1;
	assert_int_equal(unmap(&host), -EBADF);
	host.region.fd = fd;
	assert_int_equal(restrictions[1], GPA_WRITE | GPA_EXECUTE);
	assert_int_equal(map(&host, RW), 0);
	assert_int_equal(restrictions[1], GPA_EXECUTE);
	end(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_overlay_and_its_removal_take_one_call_each),
		cmocka_unit_test(the_undo_of_an_overlay_that_failed_restores_the_rights),
		cmocka_unit_test(the_undo_of_a_removal_that_failed_restores_the_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
