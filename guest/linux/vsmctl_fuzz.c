// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of /dev/vsm: nearly valid structures, invalid pointers, memory that another thread unmaps, and
 * requests that another thread changes. Between these calls, known requests must return the results that were
 * computed beforehand.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vsmctl.h"

#define THREADS	  4
#define PAGE	  4096u
#define ARENA	  (16 * PAGE) /* target of pointers, partly unmapped */
#define TEXT	  "the same in every thread"
#define SECRET	  "sealed bytes"
#define MEASURED  (5 * PAGE + 17)
#define KERNEL_AT 0xffffffff81000000ull

static const unsigned long commands[] = {VSM_GET_STATUS,     VSM_LOCK_KERNEL, VSM_HMAC,
					 VSM_SEAL,	     VSM_UNSEAL,      VSM_MEASURE,
					 VSM_MEASURE_KERNEL, VSM_TIME_CALLS,  VSM_CALL};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

union request {
	struct vsm_status status;
	struct vsm_hmac hmac;
	struct vsm_seal seal;
	struct vsm_measure measure;
	struct vsm_time time;
	struct vsm_call call;
	uint64_t words[16];
};

static struct {
	uint8_t *arena;
	union request *shared; /* a request that all threads change */
	uint8_t hmac[VSM_DIGEST];
	uint8_t measured[VSM_DIGEST];
	uint8_t sealed[VSM_SEALED];
	uint8_t data[MEASURED];
	bool lockable; /* the policy is locked, so VSM_LOCK_KERNEL is safe: it is refused */
	atomic_bool stop;
	atomic_ulong calls, refused[200], strange, wrong;
} fuzz;

struct random {
	uint64_t state;
};

static uint64_t next(struct random *random)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 7;
	random->state ^= random->state << 17;
	return random->state;
}

static bool hmac_is_right(int device, uint8_t digest[VSM_DIGEST])
{
	struct vsm_hmac request = {.data = (uintptr_t)TEXT, .size = sizeof(TEXT)};

	if (ioctl(device, VSM_HMAC, &request))
		return false;
	memcpy(digest, request.digest, VSM_DIGEST);
	return true;
}

static bool measure_is_right(int device, uint8_t digest[VSM_DIGEST])
{
	struct vsm_measure request = {.data = (uintptr_t)fuzz.data, .size = sizeof(fuzz.data)};

	if (ioctl(device, VSM_MEASURE, &request))
		return false;
	memcpy(digest, request.digest, VSM_DIGEST);
	return true;
}

static bool unseals(int device)
{
	char secret[VSM_SECRET_MAX] = "";
	struct vsm_seal request = {.secret = (uintptr_t)secret,
				   .sealed = (uintptr_t)fuzz.sealed,
				   .size = sizeof(secret)};

	return !ioctl(device, VSM_UNSEAL, &request) && request.size == sizeof(SECRET) &&
	       !memcmp(secret, SECRET, sizeof(SECRET));
}

static void check(int device)
{
	uint8_t digest[VSM_DIGEST];

	if (!hmac_is_right(device, digest) || memcmp(digest, fuzz.hmac, VSM_DIGEST) != 0 ||
	    !measure_is_right(device, digest) || memcmp(digest, fuzz.measured, VSM_DIGEST) != 0 ||
	    !unseals(device))
		atomic_fetch_add(&fuzz.wrong, 1);
}

static uint64_t any_pointer(struct random *random)
{
	const uint64_t at = next(random);
	const uint64_t inside = (uintptr_t)fuzz.arena + at % ARENA;

	switch (at >> 58 & 7) {
	case 0:
		return 0;
	case 1:
		return KERNEL_AT + (at & 0xffffff);
	case 2:
		return next(random);
	case 3:
		return at & 1 ? ((inside + PAGE) & ~(uint64_t)(PAGE - 1)) - (at >> 8 & 63)
			      : ~0ull - (at >> 8 & 0xfff);
	default:
		return inside;
	}
}

static uint64_t any_size(struct random *random)
{
	static const uint64_t edges[] = {
		0,	  1,	      VSM_HMAC_MAX, VSM_SECRET_MAX, VSM_MEASURE_MAX, 16384,
		PAGE - 1, VSM_SEALED, 0xffffffff,   0x80000000,	    ~0ull,	     1ull << 63};
	const uint64_t size = next(random);

	if (size >> 60 < 4)
		return edges[size % (sizeof(edges) / sizeof(edges[0]))] + (size >> 32 & 3) - 1;
	return size >> 60 < 5 ? size : size & 0xfff;
}

static void fill(struct random *random, unsigned long command, union request *request)
{
	for (size_t i = 0; i < sizeof(request->words) / sizeof(request->words[0]); i++)
		request->words[i] = next(random);
	switch (command) {
	case VSM_HMAC:
		request->hmac.data = any_pointer(random);
		request->hmac.size = (uint32_t)any_size(random);
		request->hmac.reserved = next(random) & 15 ? 0 : (uint32_t)next(random);
		break;
	case VSM_SEAL:
	case VSM_UNSEAL:
		request->seal.secret = any_pointer(random);
		request->seal.sealed = any_pointer(random);
		request->seal.size = (uint32_t)any_size(random);
		request->seal.reserved = next(random) & 15 ? 0 : (uint32_t)next(random);
		break;
	case VSM_MEASURE:
		request->measure.data = any_pointer(random);
		request->measure.size = any_size(random);
		break;
	case VSM_TIME_CALLS:
		request->time.calls =
			(uint32_t)(next(random) & 7 ? next(random) & 7 : any_size(random));
		request->time.reserved = next(random) & 7 ? 0 : (uint32_t)next(random);
		break;
	case VSM_CALL:
		/* Rarely a number below VSM_CALL_FIRST, a request without a buffer. */
		request->call.number = VSM_CALL_FIRST * !!(next(random) & 7) + (next(random) & 3);
		request->call.request = any_pointer(random);
		request->call.request_size = (uint32_t)any_size(random);
		request->call.answer = any_pointer(random);
		request->call.answer_size = (uint32_t)any_size(random);
		request->call.reserved = next(random) & 15 ? 0 : (uint32_t)next(random);
		break;
	default:
		break;
	}
}

static void call_once(struct random *random, int device)
{
	unsigned long command = commands[next(random) % COMMANDS];
	union request own, *request = next(random) & 3 ? &own : fuzz.shared;
	const uint64_t kind = next(random);
	void *argument = request;

	/* Issue these rarely: they hash this program's file or the kernel's text, which is slow. */
	if ((command == VSM_SEAL || command == VSM_UNSEAL || command == VSM_MEASURE_KERNEL) &&
	    next(random) & (command == VSM_MEASURE_KERNEL ? 255 : 7))
		command = VSM_HMAC;
	fill(random, command, request);
	if ((kind & 31) == 0) /* the command's number with another size or direction */
		command ^= 1ul << (16 + (kind >> 8) % 16);
	else if ((kind & 31) == 1)
		command = (unsigned long)next(random);
	if (command == VSM_LOCK_KERNEL && !fuzz.lockable)
		return;
	if ((kind & 0x700) == 0)
		argument = (void *)(uintptr_t)any_pointer(random);
	atomic_fetch_add(&fuzz.calls, 1);
	if (ioctl(device, command, argument) < 0)
		atomic_fetch_add(errno < 200 ? &fuzz.refused[errno] : &fuzz.strange, 1);
	else if (command == VSM_LOCK_KERNEL)
		atomic_fetch_add(&fuzz.wrong, 1);
}

static void *work(void *argument)
{
	struct random random = {(uintptr_t)argument * 0x9e3779b97f4a7c15ull};
	int device = open("/dev/vsm", O_RDWR | O_CLOEXEC);

	for (unsigned int i = 1; !atomic_load(&fuzz.stop); i++) {
		call_once(&random, device);
		if (i % 256 == 0)
			check(device);
		if (i % 64 == 0) {
			close(device);
			device = open("/dev/vsm", O_RDWR | O_CLOEXEC);
		}
	}
	close(device);
	return NULL;
}

static void *move_memory(void *argument)
{
	struct random random = {(uintptr_t)argument | 1};

	while (!atomic_load(&fuzz.stop)) {
		const uint64_t kind = next(&random);
		uint8_t *page = fuzz.arena + kind / 8 % (ARENA / PAGE) * PAGE;

		if ((kind & 7) == 0)
			munmap(page, PAGE);
		else if ((kind & 7) == 1)
			mprotect(page, PAGE, PROT_NONE);
		else if ((kind & 7) == 2)
			mprotect(page, PAGE, PROT_READ);
		else
			mmap(page, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		fuzz.shared->words[kind >> 32 & 15] ^= next(&random);
		usleep(200);
	}
	return NULL;
}

static int prepare(int device)
{
	const struct vsm_seal seal = {.secret = (uintptr_t)SECRET,
				      .sealed = (uintptr_t)fuzz.sealed,
				      .size = sizeof(SECRET)};
	struct vsm_status status;

	/* The page behind the arena stays inaccessible: accesses beyond the end fault. */
	fuzz.arena = mmap(NULL, ARENA + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fuzz.shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fuzz.arena == MAP_FAILED || fuzz.shared == MAP_FAILED)
		return -1;
	memset(fuzz.data, 0x5a, sizeof(fuzz.data));
	if (ioctl(device, VSM_GET_STATUS, &status) || ioctl(device, VSM_SEAL, &seal) ||
	    !hmac_is_right(device, fuzz.hmac) || !measure_is_right(device, fuzz.measured))
		return -1;
	fuzz.lockable = status.policy_locked;
	return 0;
}

static bool is_expected(int error)
{
	static const int expected[] = {EFAULT, EINVAL, ENOTTY, EBUSY,	  EBADMSG,
				       ENOSPC, ENOMEM, EPERM,  EOPNOTSUPP};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if (error == expected[i])
			return true;
	return false;
}

int vsmctl_fuzz(int device, const char *seconds)
{
	pthread_t thread[THREADS + 1];
	unsigned long refused = 0, strange;

	if (prepare(device))
		return -1;
	for (uintptr_t i = 0; i <= THREADS; i++)
		if (pthread_create(&thread[i], NULL, i < THREADS ? work : move_memory,
				   (void *)(i + 1)))
			return -1;
	sleep((unsigned int)atoi(seconds));
	atomic_store(&fuzz.stop, true);
	for (int i = 0; i <= THREADS; i++)
		pthread_join(thread[i], NULL);
	check(device);
	strange = fuzz.strange;
	for (int error = 0; error < 200; error++) {
		if (!fuzz.refused[error])
			continue;
		refused += fuzz.refused[error];
		strange += is_expected(error) ? 0 : fuzz.refused[error];
		fprintf(stderr, "%8lu %s\n", fuzz.refused[error], strerror(error));
	}
	printf("calls=%lu refused=%lu strange=%lu wrong=%lu\n", fuzz.calls, refused, strange,
	       fuzz.wrong);
	return fuzz.calls && refused && !strange && !fuzz.wrong ? 0 : 1;
}
