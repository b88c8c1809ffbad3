/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile VSM_CALL requests to the secure kernel of docs/write-your-own-vtl1.md, which stores SECRET with the
 * PIN 1234. */
#include <errno.h>
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
#include <unistd.h>

#include "vsm_ioctl.h"
#include "random.h"
#include "tap.h"

#define PUT	     VSM_CALL_FIRST
#define GET	     (VSM_CALL_FIRST + 1)
#define PIN	     "1234"
#define SECRET	     "a secret"
#define LENGTH	     (sizeof(SECRET) - 1)
#define PAGE	     4096u
#define UNTOUCHED    0xa7
#define RANDOM	     1000
#define UNPRIVILEGED 65534
#define KERNEL_AT    0xffffffff81000000ull

static int device;
static uint8_t *page; /* between two pages without access */
static atomic_bool stop;

static int call(struct vsm_call *request)
{
	return ioctl(device, VSM_CALL, request) ? errno : 0;
}

static struct vsm_call get_to(void *answer, uint32_t room)
{
	return (struct vsm_call){.number = GET,
				 .request = (uintptr_t)PIN,
				 .request_size = sizeof(PIN) - 1,
				 .answer = (uintptr_t)answer,
				 .answer_size = room};
}

static bool is_untouched(const uint8_t *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (from[i] != UNTOUCHED)
			return false;
	return true;
}

static bool is_well(void)
{
	char answer[PAGE];
	struct vsm_call request = get_to(answer, sizeof(answer));

	memset(answer, UNTOUCHED, sizeof(answer));
	return !call(&request) && request.answer_size == LENGTH &&
	       !memcmp(answer, SECRET, LENGTH) &&
	       is_untouched((uint8_t *)answer + LENGTH, sizeof(answer) - LENGTH);
}

static int call_with(uint32_t name, uint64_t from, uint32_t size, uint64_t to, uint32_t room)
{
	struct vsm_call request = {.number = name,
				   .request = from,
				   .request_size = size,
				   .answer = to,
				   .answer_size = room};

	return call(&request);
}

static bool numbers_are_checked(void)
{
	static const uint32_t low[] = {0, 1, 3, 8, VSM_CALL_FIRST - 1};
	static const uint32_t unknown[] = {GET + 1, 0x2000, 0x80000000, ~0u};
	const uint64_t at = (uintptr_t)page;

	for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++)
		if (call_with(low[i], at, 8, at, 8) != EINVAL)
			return false;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		if (call_with(unknown[i], at, 8, at, 8) != EOPNOTSUPP)
			return false;
	return true;
}

static bool sizes_are_checked(void)
{
	static const uint32_t sizes[] = {VSM_CALL_MAX + 1, 0x10000, 0x80000000, ~0u};
	const uint64_t at = (uintptr_t)page;
	struct vsm_call reserved = get_to(page, PAGE);

	reserved.reserved = 1;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (call_with(PUT, at, sizes[i], at, 0) != EINVAL ||
		    call_with(GET, at, 4, at, sizes[i]) != EINVAL)
			return false;
	return call(&reserved) == EINVAL && call_with(PUT, at, 0, at, 0) == EBUSY &&
	       call_with(PUT, at, VSM_CALL_MAX, at, VSM_CALL_MAX) == EBUSY;
}

static bool pointers_are_checked(void)
{
	const uint64_t bad[] = {0,
				8,
				KERNEL_AT,
				~0ull - 8,
				1ull << 63,
				(uintptr_t)page - 1,
				(uintptr_t)page + PAGE - 3};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vsm_call request = get_to((void *)(uintptr_t)bad[i], PAGE);

		if (call_with(GET, bad[i], 4, (uintptr_t)page, 0) != EFAULT ||
		    call(&request) != EFAULT)
			return false;
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (ioctl(device, VSM_CALL, bad[i]) != -1 || errno != EFAULT)
			return false;
	return true;
}

static bool a_readonly_answer_is_refused(void)
{
	struct vsm_call request = get_to((void *)(uintptr_t)SECRET, LENGTH);

	return call(&request) == EFAULT;
}

static bool a_large_answer_is_withheld(void)
{
	memset(page, UNTOUCHED, PAGE);
	for (uint32_t room = 0; room < LENGTH; room++) {
		struct vsm_call request = get_to(page, room);

		if (call(&request) != ENOSPC || request.answer_size != room)
			return false;
	}
	return is_untouched(page, PAGE);
}

static bool the_edge_of_a_mapping_suffices(void)
{
	struct vsm_call request = get_to(page + PAGE - LENGTH, LENGTH);

	return !call(&request) && !memcmp(page + PAGE - LENGTH, SECRET, LENGTH);
}

static bool others_are_refused(void)
{
	const pid_t child = fork();
	int status;

	if (child == 0) {
		struct vsm_call request = get_to(page, PAGE);

		_exit(setgid(UNPRIVILEGED) || setuid(UNPRIVILEGED) || call(&request) != EPERM);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void *move_memory(void *argument)
{
	for (unsigned int i = 0; !atomic_load(&stop); i++) {
		mprotect(page, PAGE,
			 i & 1	 ? PROT_NONE
			 : i & 2 ? PROT_READ
				 : PROT_READ | PROT_WRITE);
		usleep(50);
	}
	return argument;
}

/* Makes a call with a random valid or invalid value for each field, except a wrong PIN. */
static bool random_call(uint64_t random)
{
	static const int expected[] = {0, EFAULT, EINVAL, EOPNOTSUPP, EBUSY, ENOSPC};
	const uint64_t pointers[] = {(uintptr_t)page + random % PAGE, 0, KERNEL_AT, ~random,
				     (uintptr_t)page + PAGE - random % 16};
	const uint32_t sizes[] = {0, 1, LENGTH, PAGE, PAGE + 1, (uint32_t)random, random % PAGE};
	struct vsm_call request =
		get_to((void *)(uintptr_t)pointers[random >> 8 & 3], sizes[(random >> 16) % 7]);
	int error;

	if (random >> 24 & 1) {
		request.number = random >> 25 & 1 ? PUT : (uint32_t)random | 0x2000;
		request.request = pointers[(random >> 32) % 5];
		request.request_size = sizes[(random >> 40) % 7];
	}
	request.reserved = random >> 48 & 15 ? 0 : 1;
	error = call(&request);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if (error == expected[i])
			return true;
	printf("# random call %#llx: %s\n", (unsigned long long)random, strerror(error));
	return false;
}

static bool random_calls_are_answered(void)
{
	uint64_t random = 0x9e3779b97f4a7c15ull;
	pthread_t thread;
	bool good = true;

	if (pthread_create(&thread, NULL, move_memory, NULL))
		return false;
	for (int i = 0; i < RANDOM && good; i++)
		good = random_call(next_random(&random));
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	return good;
}

static const struct tap_case cases[] = {
	{"numbers of requests in registers and unknown numbers are refused", numbers_are_checked},
	{"sizes beyond a page and reserved fields are refused", sizes_are_checked},
	{"unmapped pointers, kernel pointers and buffers that exceed a mapping are refused",
	 pointers_are_checked},
	{"an answer to read-only memory is refused", a_readonly_answer_is_refused},
	{"an answer that is too large is withheld", a_large_answer_is_withheld},
	{"an answer may end at the end of a mapping", the_edge_of_a_mapping_suffices},
	{"a process without CAP_SYS_ADMIN is refused", others_are_refused},
	{"random calls are answered or refused", random_calls_are_answered},
	{"the vault still has its secret", is_well},
};

int main(void)
{
	uint8_t *at = mmap(NULL, 3ul * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	page = at + PAGE;
	device = open("/dev/vsm", O_RDWR | O_CLOEXEC);
	if (at == MAP_FAILED || mprotect(page, PAGE, PROT_READ | PROT_WRITE) || device < 0) {
		perror("not ok 1 - /dev/vsm");
		return 1;
	}
	return check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}
