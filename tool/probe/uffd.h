/* SPDX-License-Identifier: BSD-2-Clause */
/* Every function returns 0 (or a descriptor) or -errno. */
#ifndef VSM_TOOL_PROBE_UFFD_H
#define VSM_TOOL_PROBE_UFFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe_env;

enum uffd_route {
	UFFD_BY_SYSCALL,
	UFFD_BY_DEVICE,
};

/* By any permitted route; handles the kernel's accesses, too. @route may be NULL. */
int probe_uffd_open(struct probe_env *env, enum uffd_route *route);

/* With the features that engine uffd uses. */
int probe_uffd_open_ready(struct probe_env *env);

int probe_uffd_register(int uffd, void *start, size_t length, uint64_t mode);
int probe_uffd_write_protect(int uffd, void *start, size_t length, bool on);
int probe_uffd_continue(int uffd, void *start, size_t length, uint64_t mode);
int probe_uffd_wake(int uffd, void *start, size_t length);

struct uffd_event {
	void *page;
	uint64_t flags; /* UFFD_PAGEFAULT_FLAG_* */
	int tid;
};

/* -ETIMEDOUT: no fault in time. */
int probe_uffd_wait(int uffd, unsigned int timeout_ms, struct uffd_event *event);

#endif
