// SPDX-License-Identifier: GPL-2.0-only
/* The secure kernel's services at a shell: vsmctl status | lock | hmac TEXT | fuzz ROUNDS. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vsm_ioctl.h"

static int show_status(int device, const char *argument)
{
	struct vsm_status status;

	(void)argument;
	if (ioctl(device, VSM_GET_STATUS, &status))
		return -1;
	printf("region=%#llx cpus=%u locked_pages=%u policy_locked=%u intercepts=%llu\n",
	       (unsigned long long)status.region, status.vps, status.locked_pages,
	       status.policy_locked, (unsigned long long)status.intercepts);
	return 0;
}

static int lock_kernel(int device, const char *argument)
{
	(void)argument;
	return ioctl(device, VSM_LOCK_KERNEL);
}

static int show_hmac(int device, const char *text)
{
	struct vsm_hmac request = {.data = (__u64)(unsigned long)text, .size = (__u32)strlen(text)};

	if (ioctl(device, VSM_HMAC, &request))
		return -1;
	for (unsigned int i = 0; i < sizeof(request.digest); i++)
		printf("%02x", request.digest[i]);
	printf("\n");
	return 0;
}

/* Any command with any bytes: all that may come of it is an error. Locking is asked for by name only. */
static int fuzz(int device, const char *rounds)
{
	unsigned int refused = 0;

	srand(1);
	for (int i = atoi(rounds); i > 0; i--) {
		unsigned char bytes[64];
		unsigned long command = (unsigned long)rand() << 1 ^ (unsigned long)rand();

		for (unsigned int j = 0; j < sizeof(bytes); j++)
			bytes[j] = (unsigned char)rand();
		if (i % 3)
			command = i % 3 == 1 ? VSM_HMAC : VSM_GET_STATUS;
		if (command != VSM_LOCK_KERNEL)
			refused +=
				ioctl(device, command, i % 5 ? (void *)bytes : (void *)command) < 0;
	}
	printf("%u calls refused\n", refused);
	return refused ? 0 : -1;
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(int device, const char *argument);
} commands[] = {
	{"status", 0, show_status},
	{"lock", 0, lock_kernel},
	{"hmac", 1, show_hmac},
	{"fuzz", 1, fuzz},
};

int main(int argc, char **argv)
{
	int device;

	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (argc != 2 + commands[i].arguments || strcmp(argv[1], commands[i].name) != 0)
			continue;
		device = open("/dev/vsm", O_RDWR | O_CLOEXEC);
		if (device < 0 || commands[i].run(device, argv[2])) {
			fprintf(stderr, "vsmctl: %s: %s\n", argv[1], strerror(errno));
			return 1;
		}
		close(device);
		return 0;
	}
	fprintf(stderr, "usage: vsmctl status | lock | hmac TEXT | fuzz ROUNDS\n");
	return 2;
}
