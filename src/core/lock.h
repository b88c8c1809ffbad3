/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include <pthread.h>

/*
 * Initializes a lock that prefers writers: readers that take it without end do not delay a writer. A
 * thread must not take it twice for reading. Returns 0, or the error number of pthread.
 */
static inline int rwlock_init_writers_first(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;
	int error = pthread_rwlockattr_init(&attributes);

	if (!error)
		error = pthread_rwlockattr_setkind_np(&attributes,
						      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	if (!error)
		error = pthread_rwlock_init(lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	return error;
}

#endif
