/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes of guests that signal an eventfd in place of an exit to the VMM. The run loop does so, not
 * KVM_IOEVENTFD: KVM would carry out a write to a port that a higher VTL intercepts, and signal where
 * its emulator takes a denied store for MMIO.
 */
#include "core/run/ioeventfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vsm/eventfd.h>

#define IOEVENTFD_MAX 1024u

static bool is_same(const struct vsm_ioeventfd *a, const struct vsm_ioeventfd *b)
{
	return a->address == b->address && a->length == b->length && a->flags == b->flags &&
	       (!(a->flags & VSM_IOEVENTFD_MATCH) || a->data == b->data);
}

/* Index of the first at @address or above. Eventfd lock held. */
static uint32_t lower_bound(const struct vsm_partition *partition, uint64_t address)
{
	uint32_t low = 0, high = partition->ioeventfd_count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		if (partition->ioeventfd[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool matches(const struct vsm_ioeventfd *entry, bool port, uint64_t value, uint8_t size)
{
	return !(entry->flags & VSM_IOEVENTFD_PORT) == !port &&
	       (!entry->length || entry->length == size) &&
	       (!(entry->flags & VSM_IOEVENTFD_MATCH) || entry->data == value);
}

bool ioeventfd_signal(struct vsm_partition *partition, bool port, uint64_t address,
		      const uint8_t *data, uint8_t size)
{
	const uint64_t one = 1;
	uint64_t value = 0;
	bool found = false;

	if (!atomic_load(&partition->has_ioeventfds) || size > sizeof(value))
		return false;
	memcpy(&value, data, size);
	pthread_rwlock_rdlock(&partition->eventfd_lock);
	for (uint32_t i = lower_bound(partition, address);
	     i < partition->ioeventfd_count && partition->ioeventfd[i].address == address; i++) {
		if (!matches(&partition->ioeventfd[i], port, value, size))
			continue;
		/* A counter that is full is signalled already. */
		found = write(partition->ioeventfd[i].fd, &one, sizeof(one)) == sizeof(one) ||
			errno == EAGAIN;
		break;
	}
	pthread_rwlock_unlock(&partition->eventfd_lock);
	return found;
}

static bool is_legal(const struct vsm_ioeventfd *wanted)
{
	const uint32_t flags = VSM_IOEVENTFD_PORT | VSM_IOEVENTFD_MATCH | VSM_IOEVENTFD_REMOVE;
	const uint32_t length = wanted->length;

	if (wanted->size != sizeof(*wanted) || wanted->flags & ~flags || wanted->reserved)
		return false;
	if (length > 8 || (length & (length - 1)))
		return false;
	if (wanted->flags & VSM_IOEVENTFD_MATCH &&
	    (!length || (length < 8 && wanted->data >> 8 * length)))
		return false;
	return !(wanted->flags & VSM_IOEVENTFD_PORT) || (wanted->address <= 0xffff && length <= 4);
}

/* Eventfd lock held for writing, as for remove_entry(). */
static int add_entry(struct vsm_partition *partition, const struct vsm_ioeventfd *wanted)
{
	const uint32_t at = lower_bound(partition, wanted->address);
	struct vsm_ioeventfd *entry = partition->ioeventfd;
	int fd;

	for (uint32_t i = at; i < partition->ioeventfd_count; i++)
		if (is_same(&entry[i], wanted))
			return -EEXIST;
	if (partition->ioeventfd_count == IOEVENTFD_MAX)
		return -ENOSPC;
	entry = realloc(entry, (partition->ioeventfd_count + 1) * sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	partition->ioeventfd = entry;
	fd = fcntl(wanted->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	memmove(&entry[at + 1], &entry[at], (partition->ioeventfd_count - at) * sizeof(*entry));
	entry[at] = *wanted;
	entry[at].fd = fd;
	partition->ioeventfd_count++;
	return 0;
}

static int remove_entry(struct vsm_partition *partition, const struct vsm_ioeventfd *wanted)
{
	struct vsm_ioeventfd *entry = partition->ioeventfd;

	for (uint32_t i = 0; i < partition->ioeventfd_count; i++) {
		if (!is_same(&entry[i], wanted))
			continue;
		close(entry[i].fd);
		partition->ioeventfd_count--;
		memmove(&entry[i], &entry[i + 1],
			(partition->ioeventfd_count - i) * sizeof(*entry));
		return 0;
	}
	return -ENOENT;
}

int vsm_ioeventfd(struct vsm_partition *partition, const struct vsm_ioeventfd *ioeventfd)
{
	struct vsm_ioeventfd wanted = *ioeventfd;
	int error;

	if (!is_legal(&wanted))
		return vsm_error(&partition->log, EINVAL, "ioeventfd at %#llx: not legal",
				 (unsigned long long)wanted.address);
	wanted.flags &= ~(uint32_t)VSM_IOEVENTFD_REMOVE;
	pthread_rwlock_wrlock(&partition->eventfd_lock);
	error = ioeventfd->flags & VSM_IOEVENTFD_REMOVE ? remove_entry(partition, &wanted)
							: add_entry(partition, &wanted);
	atomic_store(&partition->has_ioeventfds, partition->ioeventfd_count > 0);
	pthread_rwlock_unlock(&partition->eventfd_lock);
	return error ? vsm_error(&partition->log, -error, "ioeventfd at %#llx",
				 (unsigned long long)wanted.address)
		     : 0;
}

void ioeventfd_init(struct vsm_partition *partition)
{
	pthread_rwlock_init(&partition->eventfd_lock, NULL);
}

void ioeventfd_destroy(struct vsm_partition *partition)
{
	for (uint32_t i = 0; i < partition->ioeventfd_count; i++)
		close(partition->ioeventfd[i].fd);
	free(partition->ioeventfd);
	pthread_rwlock_destroy(&partition->eventfd_lock);
}
