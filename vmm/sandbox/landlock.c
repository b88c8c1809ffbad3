/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Restricts files, and in newer kernels TCP, signals and abstract sockets, by landlock(7). The
 * constants repeat linux/landlock.h, since the installed header may be older than the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "array.h"
#include "sandbox/internal.h"

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1
#define RULE_NET_PORT	       2

#define NET_BIND_TCP (1ull << 0)

#define FS_WRITE_FILE  (1ull << 1)
#define FS_READ_FILE   (1ull << 2)
#define FS_READ_DIR    (1ull << 3)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_REG    (1ull << 8)
#define FS_MAKE_SOCK   (1ull << 9)
#define FS_TRUNCATE    (1ull << 14)
#define FS_IOCTL_DEV   (1ull << 15)
/* Rights that a rule on a file may have. */
#define FS_OF_FILE (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct ruleset {
	uint64_t handled_fs;
	uint64_t handled_net;
	uint64_t scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

struct net_port {
	uint64_t allowed;
	uint64_t port;
};

/* Rights on files, on TCP ports, and scopes that each version of landlock added. */
static const struct {
	int version;
	struct ruleset set;
} added[] = {
	{1, {(1ull << 13) - 1, 0, 0}}, {2, {1ull << 13, 0, 0}},
	{3, {FS_TRUNCATE, 0, 0}},      {4, {0, 3, 0}},
	{5, {FS_IOCTL_DEV, 0, 0}},     {6, {0, 0, 3}},
};

static const uint64_t rights[] = {
	[VMM_PATH_READ] = FS_READ_FILE,
	[VMM_PATH_DEVICE] = FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
	/* READ_DIR: a saved machine's rename is made durable by fsync() of its folder. */
	[VMM_PATH_CREATE] = FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_REG |
			    FS_MAKE_SOCK | FS_TRUNCATE,
};

struct rules {
	int fd;
	uint64_t handled;
	const struct vsm_log *log;
};

static int add_rule(void *opaque, const char *path, enum vmm_path_use use, bool optional)
{
	const struct rules *rules = opaque;
	struct path_beneath rule = {.allowed = rights[use] & rules->handled};
	struct stat status;
	int error = 0;

	rule.parent = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent < 0)
		return optional ? 0 : vsm_error(rules->log, errno, "%s: %s", path, strerror(errno));
	if (fstat(rule.parent, &status) || !S_ISDIR(status.st_mode))
		rule.allowed &= FS_OF_FILE;
	if (syscall(SYS_landlock_add_rule, rules->fd, RULE_PATH_BENEATH, &rule, 0))
		error = vsm_error(rules->log, errno, "sandbox: landlock for %s: %s", path,
				  strerror(errno));
	close(rule.parent);
	return error;
}

/* 0 or less: no landlock. */
static int landlock_version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
}

bool vmm_landlock_available(void)
{
	return landlock_version() > 0;
}

static int add_port(const struct rules *rules, const char *gdb)
{
	const struct net_port rule = {NET_BIND_TCP, strtoul(gdb + 1, NULL, 10)};

	if (syscall(SYS_landlock_add_rule, rules->fd, RULE_NET_PORT, &rule, 0))
		return vsm_error(rules->log, errno, "sandbox: landlock for port %s: %s", gdb,
				 strerror(errno));
	return 0;
}

int vmm_landlock(const struct vmm_config *config, const struct vsm_log *log)
{
	const int version = landlock_version();
	struct ruleset set = {0};
	struct rules rules = {.log = log};
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(added) && added[i].version <= version; i++) {
		set.handled_fs |= added[i].set.handled_fs;
		set.handled_net |= added[i].set.handled_net;
		set.scoped |= added[i].set.scoped;
	}
	rules.handled = set.handled_fs;
	/* An old kernel accepts the longer structure, since the fields unknown to it are zero. */
	rules.fd = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof(set), 0);
	if (rules.fd < 0)
		return vsm_error(log, errno, "sandbox: landlock: %s", strerror(errno));
	error = vmm_paths_each(config, add_rule, &rules);
	if (!error && set.handled_net && config->gdb && config->gdb[0] == ':')
		error = add_port(&rules, config->gdb);
	if (!error && syscall(SYS_landlock_restrict_self, rules.fd, 0))
		error = vsm_error(log, errno, "sandbox: landlock: %s", strerror(errno));
	close(rules.fd);
	return error;
}
