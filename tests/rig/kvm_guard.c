/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard of the VMM's own mappings when it has no memory or no number for another stand-in. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "kvm/backend.h"
#include "tap.h"

enum {
	PAGES = 4,
	DENIED = 1, /* a page that VTL0 may not access */
};

struct device {
	volatile uint8_t *page;
	sem_t start;
	sem_t done;
	uint8_t seen;
};

static atomic_uint refusals;

static void count_refusal(void *opaque, uint64_t gpa, bool write)
{
	(void)opaque;
	(void)gpa;
	(void)write;
	atomic_fetch_add(&refusals, 1);
}

static void *access_page(void *opaque)
{
	struct device *device = opaque;

	sem_wait(&device->start);
	device->seen = *device->page;
	*device->page = 0x77;
	sem_post(&device->done);
	return NULL;
}

static bool is_done(struct device *device)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 10;
	return !sem_timedwait(&device->done, &end);
}

struct guarded {
	struct vkvm_backend backend;
	struct backend_file file;
	struct backend_guard memory;
	size_t size;
};

static uint8_t *map(const struct guarded *guarded)
{
	return mmap(NULL, guarded->size, PROT_READ | PROT_WRITE, MAP_SHARED, guarded->file.fd, 0);
}

static const struct vsm_log log_to_tap = {.fn = tap_log, .max_level = VSM_LOG_ERROR};

/* A mapping of @pages pages that are 0x5a, of which @count from @first on are denied. */
static bool begin(struct guarded *guarded, uint64_t pages, uint64_t first, uint64_t count)
{
	const struct backend_config config = {.log = &log_to_tap, .refused = count_refusal};

	*guarded = (struct guarded){.backend.log = &log_to_tap, .size = pages * VKVM_PAGE_SIZE};
	guarded->file =
		(struct backend_file){.fd = memfd_create("ram", MFD_CLOEXEC), .pages = pages};
	if (guarded->file.fd < 0 || ftruncate(guarded->file.fd, (off_t)guarded->size))
		abort();
	guarded->file.host = map(guarded);
	guarded->memory = (struct backend_guard){
		.pages = pages, .file = &guarded->file, .host = map(guarded)};
	memset(guarded->file.host, 0x5a, guarded->size);
	atomic_store(&refusals, 0);
	guard_init(&guarded->backend, &config);
	return !vkvm_guard_add(&guarded->backend, &guarded->memory) &&
	       !vkvm_guard_protect(&guarded->backend, guarded->memory.host + first * VKVM_PAGE_SIZE,
				   count, 0);
}

static void end(struct guarded *guarded)
{
	vkvm_guard_remove(&guarded->backend, guarded->memory.host, guarded->memory.pages);
	check(!memcmp(guarded->memory.host, guarded->file.host, guarded->size),
	      "without the guard the mapping shows the memory again");
	guard_destroy(&guarded->backend);
	munmap(guarded->memory.host, guarded->size);
	munmap(guarded->file.host, guarded->size);
	close(guarded->file.fd);
}

/* Private memory of the process counts for RLIMIT_DATA, as it does for a strict overcommit. */
static void test_no_memory_for_stand_ins(void)
{
	struct guarded guarded;
	struct device device = {.seen = 0xff};
	uint64_t denied = 0;
	struct rlimit limit;
	pthread_t thread;
	rlim_t usual;
	bool ended;

	check(begin(&guarded, PAGES, DENIED, 1), "a page of the VMM's mapping is denied");
	device.page = guarded.memory.host + DENIED * VKVM_PAGE_SIZE;
	sem_init(&device.start, 0, 0);
	sem_init(&device.done, 0, 0);
	pthread_create(&thread, NULL, access_page, &device);

	getrlimit(RLIMIT_DATA, &limit);
	usual = limit.rlim_cur;
	limit.rlim_cur = VKVM_PAGE_SIZE;
	setrlimit(RLIMIT_DATA, &limit);
	sem_post(&device.start);
	ended = is_done(&device);
	limit.rlim_cur = usual;
	setrlimit(RLIMIT_DATA, &limit);
	pthread_join(thread, NULL);

	check(ended, "a device's access to it ends without memory for a stand-in");
	check(device.seen == 0 && guarded.file.host[DENIED * VKVM_PAGE_SIZE] == 0x5a,
	      "... reads zeroes, and does not change the page");
	vkvm_guard_denied(&guarded.backend, guarded.memory.host, PAGES, &denied);
	check(denied == (1u << PAGES) - 1 && guarded.memory.host[0] == 0,
	      "the whole mapping is then denied, and shows zeroes");
	end(&guarded);
	/* The thread of the guard, which reports after the access has ended, has ended too. */
	check(atomic_load(&refusals) == 1, "the access was reported once (%u)",
	      atomic_load(&refusals));
}

/* A separate mapping for each stand-in would need more than vm.max_map_count. */
static void test_limit_of_stand_ins(void)
{
	enum {
		LIMIT = 8192, /* docs/threat-model.md */
	};
	struct guarded guarded;
	struct backend_guard other;
	const volatile uint8_t *page;
	unsigned int wrong = 0;

	check(begin(&guarded, LIMIT + 2, 1, LIMIT + 1), "%u pages are denied", LIMIT + 1);
	other = guarded.memory;
	other.host = map(&guarded);
	check(!vkvm_guard_add(&guarded.backend, &other), "another mapping is guarded");
	page = guarded.memory.host;
	for (size_t i = 1; i <= LIMIT; i++)
		wrong += page[i * VKVM_PAGE_SIZE] != 0;
	check(!wrong && page[0] == 0x5a, "each of %u has a stand-in, and no other page", LIMIT);
	check(page[(LIMIT + 1) * (size_t)VKVM_PAGE_SIZE] == 0 && page[0] == 0,
	      "the next denied access replaces the whole mapping");
	check(other.host[0] == 0x5a, "... and no other mapping");
	end(&guarded);
	munmap(other.host, guarded.size);
}

int main(void)
{
	test_no_memory_for_stand_ins();
	test_limit_of_stand_ins();
	return checks_end();
}
