// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vsmctl.h"

#define USAGE                                                                                     \
	"usage: vsmctl COMMAND, as root\n"                                                        \
	"  status          state of the secure kernel\n"                                          \
	"  lock            locks the kernel's text and data until reboot\n"                       \
	"  hmac TEXT       HMAC-SHA-256 of TEXT under VTL1's key\n"                               \
	"  seal TEXT       seals TEXT for this program and user, to stdout\n"                     \
	"  unseal FILE     unseals the output of seal\n"                                          \
	"  measure FILE    SHA-256 of a file, by VTL1\n"                                          \
	"  measure-kernel  SHA-256 of the kernel's text as VTL1 sees it\n"                        \
	"  call NUMBER     a call of this secure kernel's own: stdin is the request, stdout the " \
	"answer\n"                                                                                \
	"  time            how long an HMAC takes, and a bare VTL round trip\n"                   \
	"  ticks SECONDS   counts a periodic timer on every CPU\n"                                \
	"  fuzz SECONDS    random requests to /dev/vsm, from many threads\n"                      \
	"Exit status: 0 done, 1 not done (the message says why), 2 wrong usage.\n"

static void print_digest(const __u8 *digest)
{
	for (unsigned int i = 0; i < VSM_DIGEST; i++)
		printf("%02x", digest[i]);
	printf("\n");
}

static int show_status(int device, const char *argument)
{
	struct vsm_status status;

	(void)argument;
	if (ioctl(device, VSM_GET_STATUS, &status))
		return -1;
	printf("region=%#llx cpus=%u locked_pages=%u policy_locked=%u enforced=%u "
	       "intercepts=%llu\n",
	       (unsigned long long)status.region, status.vps, status.locked_pages,
	       status.policy_locked, status.enforced, (unsigned long long)status.intercepts);
	return 0;
}

static int lock_kernel(int device, const char *argument)
{
	(void)argument;
	return ioctl(device, VSM_LOCK_KERNEL);
}

static int show_hmac(int device, const char *text)
{
	struct vsm_hmac request = {.data = (uintptr_t)text, .size = (__u32)strlen(text)};

	if (ioctl(device, VSM_HMAC, &request))
		return -1;
	print_digest(request.digest);
	return 0;
}

static int seal(int device, const char *text)
{
	__u8 sealed[VSM_SEALED];
	const struct vsm_seal request = {.secret = (uintptr_t)text,
					 .sealed = (uintptr_t)sealed,
					 .size = (__u32)strlen(text)};

	if (ioctl(device, VSM_SEAL, &request))
		return -1;
	return fwrite(sealed, sizeof(sealed), 1, stdout) == 1 && !fflush(stdout) ? 0 : -1;
}

static int unseal(int device, const char *path)
{
	__u8 sealed[VSM_SEALED], secret[VSM_SECRET_MAX];
	struct vsm_seal request = {
		.secret = (uintptr_t)secret, .sealed = (uintptr_t)sealed, .size = sizeof(secret)};
	FILE *file = fopen(path, "re");
	size_t got;

	if (!file)
		return -1;
	got = fread(sealed, sizeof(sealed), 1, file);
	fclose(file);
	if (got != 1) {
		fprintf(stderr, "vsmctl: %s: too short for a sealed secret\n", path);
		return 1;
	}
	if (ioctl(device, VSM_UNSEAL, &request))
		return -1;
	return fwrite(secret, request.size, 1, stdout) == 1 && puts("") >= 0 ? 0 : -1;
}

static int measure(int device, const char *path)
{
	struct vsm_measure request = {.size = 0};
	int file = open(path, O_RDONLY | O_CLOEXEC), result = -1;
	struct stat stat;
	void *data;

	if (file < 0)
		return -1;
	if (!fstat(file, &stat)) {
		data = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, file, 0);
		if (data != MAP_FAILED) {
			request.data = (uintptr_t)data;
			request.size = (__u64)stat.st_size;
			result = ioctl(device, VSM_MEASURE, &request);
			munmap(data, (size_t)stat.st_size);
		}
	}
	close(file);
	if (!result)
		print_digest(request.digest);
	return result;
}

static int measure_kernel(int device, const char *argument)
{
	struct vsm_measure request;

	(void)argument;
	if (ioctl(device, VSM_MEASURE_KERNEL, &request))
		return -1;
	print_digest(request.digest);
	return 0;
}

static int call(int device, const char *number)
{
	static __u8 data[VSM_CALL_MAX + 1];
	struct vsm_call request = {.number = (__u32)strtoul(number, NULL, 0),
				   .request = (uintptr_t)data,
				   .answer = (uintptr_t)data,
				   .answer_size = VSM_CALL_MAX};

	request.request_size = (__u32)fread(data, 1, sizeof(data), stdin);
	if (ferror(stdin) || ioctl(device, VSM_CALL, &request))
		return -1;
	return fwrite(data, 1, request.answer_size, stdout) == request.answer_size &&
			       !fflush(stdout)
		       ? 0
		       : -1;
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(int device, const char *argument);
} commands[] = {
	{"status", 0, show_status},
	{"lock", 0, lock_kernel},
	{"hmac", 1, show_hmac},
	{"seal", 1, seal},
	{"unseal", 1, unseal},
	{"measure", 1, measure},
	{"measure-kernel", 0, measure_kernel},
	{"call", 1, call},
	{"time", 0, vsmctl_time},
	{"ticks", 1, vsmctl_ticks},
	{"fuzz", 1, vsmctl_fuzz},
};

/* Error texts in place of misleading ones of strerror(), for one command or for all (NULL). */
static const struct {
	int error;
	int (*command)(int device, const char *argument);
	const char *text;
} explanations[] = {
	{ENXIO, NULL, "VTL1 was not started (the module's vtl1=0)"},
	{EBUSY, lock_kernel, "the policy is locked already, for good"},
	{EAGAIN, lock_kernel, "VTL1 has not yet run on every CPU"},
	{EBADMSG, unseal, "sealed by another program or user, on another boot, or damaged"},
	{EOPNOTSUPP, NULL, "this secure kernel does not have it"},
	{EIO, NULL, "VTL1 refuses every request: its initialization failed"},
};

static const char *explain(int error, int (*command)(int device, const char *argument))
{
	for (size_t i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++)
		if (explanations[i].error == error &&
		    (!explanations[i].command || explanations[i].command == command))
			return explanations[i].text;
	return strerror(error);
}

int main(int argc, char **argv)
{
	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int device, result;

		if (argc != 2 + commands[i].arguments || strcmp(argv[1], commands[i].name) != 0)
			continue;
		device = open("/dev/vsm", O_RDWR | O_CLOEXEC);
		if (device < 0) {
			fprintf(stderr, "vsmctl: /dev/vsm: %s%s\n", strerror(errno),
				errno == ENOENT ? ": load the module vsm.ko first" : "");
			return 1;
		}
		result = commands[i].run(device, argv[2]);
		if (result < 0)
			fprintf(stderr, "vsmctl: %s: %s\n", argv[1],
				explain(errno, commands[i].run));
		close(device);
		return result ? 1 : 0;
	}
	fputs(USAGE, stderr);
	return 2;
}
