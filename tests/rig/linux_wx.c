/* SPDX-License-Identifier: BSD-2-Clause */
/* User space of Debian's kernel while guest/wx enforces W^X on all of its memory. Each change of running code
 * must cause a refused write and a refused fetch. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vsm_ioctl.h"
#include "wx.h"
#include "tap.h"

#define PAGE	 4096u
#define ROUNDS	 100u
#define PROGRAMS 30
#define CHANGES	 50u
#define SECONDS	 60

/* mov $0, %eax; ret */
static const uint8_t code[] = {0xb8, 0, 0, 0, 0, 0xc3};
#define IMMEDIATE 1u

static int device;

static bool get_counts(struct wx_counts *counts)
{
	struct vsm_call call = {.number = VSM_CALL_FIRST,
				.answer = (uintptr_t)counts,
				.answer_size = sizeof(*counts)};

	return !ioctl(device, VSM_CALL, &call) && call.answer_size == sizeof(*counts);
}

static struct wx_counts refused_since(const struct wx_counts *before)
{
	struct wx_counts now = *before;

	if (!get_counts(&now))
		printf("# the counts cannot be read\n");
	return (struct wx_counts){now.fetches - before->fetches, now.writes - before->writes};
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint32_t run(const uint8_t *page)
{
	return ((uint32_t(*)(void))(uintptr_t)page)();
}

static void set_result(uint8_t *page, uint32_t value)
{
	*(volatile uint32_t *)(void *)(page + IMMEDIATE) = value;
}

/* A page with two mappings: one writable, one executable. */
struct page {
	uint8_t *write, *execute;
};

static bool map_page(struct page *page)
{
	const int file = memfd_create("code", MFD_CLOEXEC);

	if (file < 0 || ftruncate(file, PAGE))
		return false;
	page->write = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	page->execute = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
	close(file);
	if (page->write == MAP_FAILED || page->execute == MAP_FAILED)
		return false;
	memcpy(page->write, code, sizeof(code));
	return true;
}

static bool programs_run(void)
{
	for (int i = 0; i < PROGRAMS; i++) {
		const pid_t child = fork();
		int status;

		if (!child) {
			execl("/bin/busybox", "busybox", i & 1 ? "true" : "false", (char *)NULL);
			_exit(2);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
		    WEXITSTATUS(status) != !(i & 1))
			return false;
	}
	return true;
}

static bool libraries_are_loaded(void)
{
	for (int i = 0; i < 3; i++) {
		void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
		double (*cosine)(double) = NULL;

		if (!library)
			return false;
		*(void **)&cosine = dlsym(library, "cos");
		if (!cosine || cosine(0) != 1)
			return false;
		dlclose(library);
	}
	return true;
}

/* The counts are minimums, since pages of the kernel change their rights, too. */
static bool aliases_have_one_right(void)
{
	struct wx_counts before, refused;
	struct page page;
	uint64_t time;

	if (!map_page(&page) || !get_counts(&before))
		return false;
	time = now_ns();
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		set_result(page.write, i);
		if (run(page.execute) != i)
			return false;
	}
	time = now_ns() - time;
	refused = refused_since(&before);
	printf("# %u rounds, %llu ns each; refused: %llu fetches, %llu writes\n", ROUNDS,
	       (unsigned long long)time / ROUNDS, (unsigned long long)refused.fetches,
	       (unsigned long long)refused.writes);
	return refused.fetches >= ROUNDS && refused.writes >= ROUNDS - 1;
}

static bool one_mapping_has_one_right(void)
{
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct wx_counts before, refused;

	if (page == MAP_FAILED || !get_counts(&before))
		return false;
	memcpy(page, code, sizeof(code));
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		set_result(page, i);
		if (run(page) != i)
			return false;
	}
	refused = refused_since(&before);
	return refused.fetches >= ROUNDS && refused.writes >= ROUNDS - 1;
}

struct race {
	struct page page;
	atomic_bool stop;
	atomic_uint changes;
};

static void *execute(void *opaque)
{
	struct race *race = opaque;
	uint32_t last = run(race->page.execute);

	while (!atomic_load(&race->stop)) {
		const uint32_t now = run(race->page.execute);

		if (now != last)
			atomic_fetch_add(&race->changes, 1);
		last = now;
	}
	return NULL;
}

static bool a_race_gains_nothing(void)
{
	const time_t end = time(NULL) + SECONDS;
	struct wx_counts before, refused;
	struct race race = {.changes = 0};
	pthread_t thread;
	uint32_t writes = 0;

	if (!map_page(&race.page) || !get_counts(&before) ||
	    pthread_create(&thread, NULL, execute, &race))
		return false;
	while (atomic_load(&race.changes) < CHANGES && time(NULL) < end)
		for (int i = 0; i < 1000; i++)
			set_result(race.page.write, ++writes);
	atomic_store(&race.stop, true);
	pthread_join(thread, NULL);
	refused = refused_since(&before);
	printf("# %u writes, %u changes seen; refused: %llu fetches, %llu writes\n", writes,
	       race.changes, (unsigned long long)refused.fetches,
	       (unsigned long long)refused.writes);
	return race.changes >= CHANGES && race.changes <= refused.fetches &&
	       race.changes <= refused.writes;
}

static const struct tap_case cases[] = {
	{"programs are started", programs_run},
	{"libraries are loaded and unloaded", libraries_are_loaded},
	{"two mappings of a page have one right", aliases_have_one_right},
	{"a page that page tables make writable and executable has one right",
	 one_mapping_has_one_right},
	{"two processors have one right to a page", a_race_gains_nothing},
};

int main(void)
{
	device = open("/dev/vsm", O_RDWR | O_CLOEXEC);
	if (device < 0) {
		perror("not ok 1 - /dev/vsm");
		return 1;
	}
	return check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}
