/* SPDX-License-Identifier: BSD-2-Clause */
#include "env.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"
#include "selftest.h"

static int at_root(const struct probe_env *env, const char *path, char *full, size_t size)
{
	int length = snprintf(full, size, "%s%s", env->root, path);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int env_read(const struct probe_env *env, const char *path, char *text, size_t size)
{
	char full[PATH_MAX];
	size_t length = 0;
	int fd, error = at_root(env, path, full, sizeof(full));

	if (error)
		return error;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		ssize_t n = read(fd, text + length, size - 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			error = -errno;
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	close(fd);
	if (error)
		return error;
	while (length && text[length - 1] == '\n')
		length--;
	text[length] = 0;
	return (int)length;
}

int env_read_number(const struct probe_env *env, const char *path, int64_t *number)
{
	char text[32];
	char *end;
	long long value;
	int length = env_read(env, path, text, sizeof(text));

	if (length < 0)
		return length;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return -EINVAL;
	*number = value;
	return 0;
}

int env_stat(const struct probe_env *env, const char *path, struct stat *st)
{
	char full[PATH_MAX];
	int error = at_root(env, path, full, sizeof(full));

	if (error)
		return error;
	return stat(full, st) ? -errno : 0;
}

bool env_exists(const struct probe_env *env, const char *path)
{
	struct stat st;

	return env_stat(env, path, &st) == 0;
}

static int live_open(struct probe_env *env, const char *path, int flags)
{
	char full[PATH_MAX];
	int fd, error = at_root(env, path, full, sizeof(full));

	if (error)
		return error;
	fd = open(full, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int live_ioctl(struct probe_env *env, int fd, unsigned long request, void *arg)
{
	int value = ioctl(fd, request, arg);

	(void)env;
	return value < 0 ? -errno : value;
}

static void live_close(struct probe_env *env, int fd)
{
	(void)env;
	close(fd);
}

static int live_userfaultfd(struct probe_env *env)
{
	/* Without UFFD_USER_MODE_ONLY, since KVM accesses the memory in kernel mode. */
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	(void)env;
	return fd < 0 ? -errno : fd;
}

static int live_uname(struct probe_env *env, struct utsname *name)
{
	(void)env;
	return uname(name) ? -errno : 0;
}

static void live_cpuid(struct probe_env *env, uint32_t leaf, uint32_t regs[4])
{
	(void)env;
	__cpuid(leaf, regs[0], regs[1], regs[2], regs[3]);
}

static unsigned int live_uid(struct probe_env *env)
{
	(void)env;
	return (unsigned int)geteuid();
}

void probe_env_live(struct probe_env *env)
{
	*env = (struct probe_env){
		.root = "",
		.open = live_open,
		.ioctl = live_ioctl,
		.close = live_close,
		.userfaultfd = live_userfaultfd,
		.uname = live_uname,
		.cpuid = live_cpuid,
		.uid = live_uid,
		.selftest = selftest_run,
	};
}
