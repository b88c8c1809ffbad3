/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard of the VMM's own mappings on a host that has no memory for stand-ins. */
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

static uint8_t *map(int fd)
{
	return mmap(NULL, (size_t)PAGES * VKVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
}

/* Private memory of the process counts for RLIMIT_DATA, as it does for a strict overcommit. */
static void test_no_memory_for_stand_ins(void)
{
	const struct vsm_log log = {.fn = tap_log, .max_level = VSM_LOG_ERROR};
	const struct backend_config config = {.log = &log, .refused = count_refusal};
	struct vkvm_backend backend = {.log = &log};
	struct backend_file file = {.fd = memfd_create("ram", MFD_CLOEXEC), .pages = PAGES};
	struct backend_guard memory = {.pages = PAGES, .file = &file};
	struct device device = {.seen = 0xff};
	uint64_t denied = 0;
	struct rlimit limit;
	pthread_t thread;
	rlim_t usual;
	bool ended;

	if (file.fd < 0 || ftruncate(file.fd, (off_t)PAGES * VKVM_PAGE_SIZE))
		abort();
	file.host = map(file.fd);
	memory.host = map(file.fd);
	memset(file.host, 0x5a, (size_t)PAGES * VKVM_PAGE_SIZE);
	guard_init(&backend, &config);
	check(!vkvm_guard_add(&backend, &memory) &&
		      !vkvm_guard_protect(&backend, memory.host + DENIED * VKVM_PAGE_SIZE, 1, 0),
	      "a page of the VMM's mapping is denied");
	device.page = memory.host + DENIED * VKVM_PAGE_SIZE;
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
	check(device.seen == 0 && file.host[DENIED * VKVM_PAGE_SIZE] == 0x5a,
	      "... reads zeroes, and does not change the page");
	check(atomic_load(&refusals) == 1, "... and is reported once (%u)", atomic_load(&refusals));
	vkvm_guard_denied(&backend, memory.host, PAGES, &denied);
	check(denied == (1u << PAGES) - 1 && memory.host[0] == 0,
	      "the whole mapping is then denied, and shows zeroes");
	vkvm_guard_remove(&backend, memory.host, PAGES);
	check(!memcmp(memory.host, file.host, (size_t)PAGES * VKVM_PAGE_SIZE),
	      "without the guard the mapping shows the memory again");
	guard_destroy(&backend);
	munmap(memory.host, (size_t)PAGES * VKVM_PAGE_SIZE);
	munmap(file.host, (size_t)PAGES * VKVM_PAGE_SIZE);
	close(file.fd);
}

int main(void)
{
	test_no_memory_for_stand_ins();
	return checks_end();
}
