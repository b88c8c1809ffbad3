/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard of the VMM's own mappings (guard.c). */
#ifndef VKVM_GUARD_H
#define VKVM_GUARD_H

#include <pthread.h>

#include "core/backend.h"

#define GUARD_STAND_INS 8192u /* each may be a separate mapping of the process */

struct vkvm_backend;

struct guard_range {
	struct guard_range *next;
	struct backend_guard memory;
	uint8_t *state; /* [pages] enum page_state, with flags of guard.c */
	bool lost;	/* replaced by one anonymous mapping: replace_all() */
};

struct guard {
	int fd;	  /* userfaultfd, or -1: nothing is guarded */
	int stop; /* eventfd that ends the thread */
	bool started;
	pthread_t thread;
	/* Not held over an access to a guarded page, which could wait for the guard's thread. */
	pthread_mutex_t lock;
	/* Guarded by `lock`: the list with its elements, and the number of pages with a stand-in. */
	struct guard_range *range;
	uint32_t stand_ins;
	void (*refused)(void *opaque, uint64_t gpa, bool write);
	void *opaque;
};

void guard_init(struct vkvm_backend *backend, const struct backend_config *config);
void guard_destroy(struct vkvm_backend *backend);
int vkvm_guard_add(void *opaque, const struct backend_guard *memory);
void vkvm_guard_remove(void *opaque, void *host, uint64_t pages);
int vkvm_guard_protect(void *opaque, void *host, uint64_t pages, uint8_t access);
void vkvm_guard_denied(void *opaque, const void *host, uint64_t pages, uint64_t *bitmap);

#endif
