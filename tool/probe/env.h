/* SPDX-License-Identifier: BSD-2-Clause */
/* What the probe accesses; tests replace it. */
#ifndef VSM_TOOL_PROBE_ENV_H
#define VSM_TOOL_PROBE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/utsname.h>

struct probe_item;
struct selftest_result;

struct probe_env {
	const char *root; /* put before every path; "" for the real one */
	void *opaque;
	/* File descriptor, or -errno. */
	int (*open)(struct probe_env *env, const char *path, int flags);
	/* Result of the ioctl, or -errno. */
	int (*ioctl)(struct probe_env *env, int fd, unsigned long request, void *arg);
	void (*close)(struct probe_env *env, int fd);
	/* userfaultfd(2), kernel faults included. File descriptor, or -errno. */
	int (*userfaultfd)(struct probe_env *env);
	int (*uname)(struct probe_env *env, struct utsname *name);
	void (*cpuid)(struct probe_env *env, uint32_t leaf, uint32_t regs[4]);
	unsigned int (*uid)(struct probe_env *env);
	/* Runs item->selftest with a time limit; returns in every case. */
	void (*selftest)(struct probe_env *env, const struct probe_item *item,
			 unsigned int timeout_ms, struct selftest_result *result);
};

void probe_env_live(struct probe_env *env);

/*
 * Reads the start of a text file, 0-terminated and without its final newlines. Returns its length
 * or -errno.
 */
int env_read(const struct probe_env *env, const char *path, char *text, size_t size);

/* -EINVAL: not a decimal number. */
int env_read_number(const struct probe_env *env, const char *path, int64_t *number);

bool env_exists(const struct probe_env *env, const char *path);

/* 0 or -errno. */
int env_stat(const struct probe_env *env, const char *path, struct stat *st);

#endif
