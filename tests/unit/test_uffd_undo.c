/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Engine uffd and the guard on the host's userfaultfd, without KVM: changes of rights that fail
 * partway, and their undo, which asks for the former rights.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory/map_file.h"
#include "kvm/backend.h"
#include "kvm/engine/uffd.h"

#define PAGES	  8u
#define BYTES	  (PAGES * VKVM_PAGE_SIZE)
#define FIRST_GPN 0x200u
#define MAPPED	  (UINT64_C(1) << 63) /* bits of /proc/self/pagemap */
#define UFFD_WP	  (UINT64_C(1) << 57)
#define READ_ONLY (GPA_ALL & ~GPA_WRITE)

static bool continue_fails, protect_fails;
static unsigned int registrations_until_failure; /* 0: none fails */

int __real_uffd_continue(int fd, uint8_t *start, uint64_t size, bool protect);
int __wrap_uffd_continue(int fd, uint8_t *start, uint64_t size, bool protect);
/* As the kernel: the first half is mapped, then there is no memory. */
int __wrap_uffd_continue(int fd, uint8_t *start, uint64_t size, bool protect)
{
	int error = __real_uffd_continue(fd, start, continue_fails ? size / 2 : size, protect);

	return continue_fails ? -ENOMEM : error;
}

int __real_uffd_protect(int fd, uint8_t *start, uint64_t size, bool on);
int __wrap_uffd_protect(int fd, uint8_t *start, uint64_t size, bool on);
int __wrap_uffd_protect(int fd, uint8_t *start, uint64_t size, bool on)
{
	int error = __real_uffd_protect(fd, start, protect_fails ? size / 2 : size, on);

	return protect_fails ? -ENOMEM : error;
}

int __real_uffd_register(int fd, uint8_t *start, uint64_t size, bool minor);
int __wrap_uffd_register(int fd, uint8_t *start, uint64_t size, bool minor);
int __wrap_uffd_register(int fd, uint8_t *start, uint64_t size, bool minor)
{
	if (registrations_until_failure && --registrations_until_failure == 0)
		return -ENOMEM;
	return __real_uffd_register(fd, start, size, minor);
}

struct host {
	struct vkvm_backend backend;
	struct backend_file file;
	struct vkvm_region region;
	struct vkvm_region *regions[1];
	struct vkvm_slot slot;
	uint8_t *window;
};

static void begin(struct host *host)
{
	*host = (struct host){
		.backend = {.vtl_count = 1, .slot_count = 1, .region_count = 1},
		.file = {.pages = PAGES},
		.region = {.gpn = FIRST_GPN, .pages = PAGES, .file = &host->file},
		.regions = {&host->region},
		.slot = {.gpn = FIRST_GPN, .pages = PAGES, .region = &host->region},
	};
	host->backend.slot = &host->slot;
	host->backend.region = host->regions;
	engine_init(&host->backend);
	if (engine_uffd.find(&host->backend, true))
		skip();
	host->backend.engine.ops = &engine_uffd;
	host->file.fd = host->region.fd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(host->file.fd, BYTES), 0);
	host->file.host = host->region.host = map_file(host->file.fd, 0, BYTES, 0);
	host->window = map_file(host->file.fd, 0, BYTES, 0);
	host->region.window[0].base = host->window;
	assert_int_equal(engine_uffd.window_init(&host->backend, &host->region, 0), 0);
	memset(host->file.host, 1, BYTES);
	for (unsigned int i = 0; i < PAGES; i++)
		(void)*(volatile uint8_t *)(host->window + i * VKVM_PAGE_SIZE);
}

static void end(struct host *host)
{
	engine_uffd.window_destroy(&host->backend, &host->region, 0);
	munmap(host->window, BYTES);
	munmap(host->file.host, BYTES);
	close(host->file.fd);
	engine_destroy(&host->backend);
}

static int set(struct host *host, uint8_t access)
{
	const struct gpa_range range = {.gpn = FIRST_GPN, .pages = PAGES};

	return vkvm_protect(&host->backend, 0, &range, 1, access);
}

/* The bits of the page table that all pages of the window have, or with @any that some have. */
static uint64_t table_bits(const uint8_t *window, bool any)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry[PAGES];
	uint64_t bits;

	assert_int_equal(
		pread(fd, entry, sizeof(entry), (off_t)((uintptr_t)window / VKVM_PAGE_SIZE * 8)),
		sizeof(entry));
	close(fd);
	bits = entry[0];
	for (unsigned int i = 1; i < PAGES; i++)
		bits = any ? bits | entry[i] : bits & entry[i];
	return bits;
}

static void the_undo_of_a_failed_grant_of_reading_takes_it_back(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	assert_int_equal(set(&host, 0), 0);
	assert_false(table_bits(host.window, true) & MAPPED);
	continue_fails = true;
	assert_int_equal(set(&host, READ_ONLY), -ENOMEM);
	continue_fails = false;
	assert_true(table_bits(host.window, true) & MAPPED);
	assert_int_equal(set(&host, 0), 0);
	assert_false(table_bits(host.window, true) & MAPPED);
	/* The counts of the block are right, so that a later grant releases it. */
	assert_int_equal(block_of(&host.region, 0, 0)->no_access, PAGES);
	assert_int_equal(block_of(&host.region, 0, 0)->restricted, PAGES);
	end(&host);
}

static void the_undo_of_a_failed_grant_of_writing_takes_it_back(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	assert_int_equal(set(&host, READ_ONLY), 0);
	assert_true(table_bits(host.window, false) & UFFD_WP);
	protect_fails = true;
	assert_int_equal(set(&host, GPA_ALL), -ENOMEM);
	protect_fails = false;
	assert_false(table_bits(host.window, false) & UFFD_WP);
	assert_int_equal(set(&host, READ_ONLY), 0);
	assert_true(table_bits(host.window, false) & UFFD_WP);
	assert_int_equal(block_of(&host.region, 0, 0)->restricted, PAGES);
	end(&host);
}

/* A denial relies on events, which the failed registration no longer provides. */
static void a_denial_registers_a_block_that_a_grant_failed_to_register(void **state)
{
	struct host host;

	(void)state;
	begin(&host);
	assert_int_equal(set(&host, 0), 0);
	registrations_until_failure = 1;
	assert_int_equal(set(&host, GPA_ALL), -ENOMEM);
	registrations_until_failure = 1;
	assert_int_equal(set(&host, 0), -ENOMEM);
	assert_int_equal(registrations_until_failure, 0);
	assert_int_equal(set(&host, 0), 0);
	/* Only a registered range has pages to map by UFFDIO_CONTINUE. */
	assert_int_equal(uffd_continue(host.backend.engine.fd, host.window, BYTES, false), 0);
	assert_true(table_bits(host.window, false) & MAPPED);
	end(&host);
}

static void the_undo_of_an_overlay_that_failed_opens_its_page(void **state)
{
	struct host host;
	void *memory;

	(void)state;
	begin(&host);
	host.backend.can.memslots = 64;
	assert_int_equal(vkvm_overlay_memory(&host.backend, 2, &memory), 0);
	registrations_until_failure = 1;
	assert_int_equal(vkvm_overlay_map(&host.backend, 0, FIRST_GPN, 1, GPA_ALL), -ENOMEM);
	assert_int_equal(vkvm_overlay_unmap(&host.backend, 0, FIRST_GPN), 0);
	assert_int_equal(block_of(&host.region, 0, 0)->overlaid, 0);
	/* A page that stayed without access fails with EFAULT. */
	assert_int_equal(pwrite(host.file.fd, host.window, 1, 1), 1);
	vkvm_overlay_destroy(&host.backend);
	end(&host);
}

/* A write to the read-only overlay has closed the page, which event_reopen_pages() opens later. */
static void a_page_that_could_not_be_protected_is_not_opened(void **state)
{
	struct host host;
	void *memory;

	begin(&host);
	host.backend.can.memslots = 64;
	assert_int_equal(vkvm_overlay_memory(&host.backend, 2, &memory), 0);
	assert_int_equal(set(&host, READ_ONLY), 0);
	assert_int_equal(vkvm_overlay_map(&host.backend, 0, FIRST_GPN, 1, READ_ONLY), 0);
	host.backend.engine.closed_page[host.backend.engine.closed++] = host.window;
	protect_fails = true;
	assert_int_equal(vkvm_overlay_unmap(&host.backend, 0, FIRST_GPN), -ENOMEM);
	protect_fails = false;
	event_reopen_pages(&host.backend);
	*(volatile uint8_t *)host.window = 0x77;
	assert_int_equal(host.file.host[0], 1);
	assert_int_equal(vkvm_overlay_unmap(&host.backend, 0, FIRST_GPN), 0);
	assert_int_equal(*(volatile uint8_t *)host.window, 1);
	vkvm_overlay_destroy(&host.backend);
	end(&host);
}

static uint8_t *begin_guard(struct host *host)
{
	const struct backend_config config = {0};
	struct backend_guard memory = {.pages = PAGES, .file = &host->file};

	begin(host);
	guard_init(&host->backend, &config);
	memory.host = map_file(host->file.fd, 0, BYTES, 0);
	assert_int_equal(vkvm_guard_add(&host->backend, &memory), 0);
	return memory.host;
}

static void end_guard(struct host *host, uint8_t *memory)
{
	guard_destroy(&host->backend);
	munmap(memory, BYTES);
	end(host);
}

static void the_guard_repeats_a_denial_that_failed(void **state)
{
	struct host host;
	uint8_t *memory = begin_guard(&host);

	(void)state;
	protect_fails = true;
	assert_int_equal(vkvm_guard_protect(&host.backend, memory, PAGES, READ_ONLY), -ENOMEM);
	protect_fails = false;
	assert_int_equal(vkvm_guard_protect(&host.backend, memory, PAGES, READ_ONLY), 0);
	assert_true(table_bits(memory, false) & UFFD_WP);
	end_guard(&host, memory);
}

/* The denial fills a stand-in, which must not be the page that the grant mapped. */
static void a_denial_after_a_grant_that_failed_leaves_the_guests_page(void **state)
{
	static const uint8_t denials[] = {0, READ_ONLY};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct host host;
		uint8_t *memory = begin_guard(&host);

		assert_int_equal(vkvm_guard_protect(&host.backend, memory, 1, denials[i]), 0);
		*(volatile uint8_t *)memory = 2; /* now there is a stand-in */
		registrations_until_failure = 1;
		assert_int_equal(vkvm_guard_protect(&host.backend, memory, 1, GPA_ALL), -ENOMEM);
		*(volatile uint8_t *)memory = 3;
		assert_int_equal(host.file.host[0], 1);
		assert_int_equal(vkvm_guard_protect(&host.backend, memory, 1, 0), 0);
		assert_int_equal(host.file.host[0], 1);
		assert_int_equal(*(volatile uint8_t *)memory, 0);
		assert_int_equal(vkvm_guard_protect(&host.backend, memory, 1, GPA_ALL), 0);
		assert_int_equal(*(volatile uint8_t *)memory, 1);
		assert_int_equal(host.backend.guard.stand_ins, 0);
		end_guard(&host, memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_undo_of_a_failed_grant_of_reading_takes_it_back),
		cmocka_unit_test(the_undo_of_a_failed_grant_of_writing_takes_it_back),
		cmocka_unit_test(a_denial_registers_a_block_that_a_grant_failed_to_register),
		cmocka_unit_test(the_undo_of_an_overlay_that_failed_opens_its_page),
		cmocka_unit_test(a_page_that_could_not_be_protected_is_not_opened),
		cmocka_unit_test(the_guard_repeats_a_denial_that_failed),
		cmocka_unit_test(a_denial_after_a_grant_that_failed_leaves_the_guests_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
