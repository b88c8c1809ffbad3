/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest writes that signal an eventfd instead of exiting to the VMM. KVM_IOEVENTFD is not used: it
 * would also signal for a port that a higher VTL intercepts, and for a denied store that KVM's
 * emulator treats as MMIO.
 */
#include "core/run/ioeventfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vsm/eventfd.h>

#include "array.h"
#include "core/interrupt/irqfd.h"

#define IOEVENTFD_MAX 1024u

static bool is_same(const struct vsm_ioeventfd *a, const struct vsm_ioeventfd *b)
{
	return a->address == b->address && a->length == b->length && a->flags == b->flags &&
	       (!(a->flags & VSM_IOEVENTFD_MATCH) || a->data == b->data);
}

/* Index of the first entry at @address or above. Eventfd lock held. */
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
		/* EAGAIN: the counter is full, so the eventfd is already signalled. */
		found = write(partition->ioeventfd[i].fd, &one, sizeof(one)) == sizeof(one) ||
			errno == EAGAIN;
		break;
	}
	pthread_rwlock_unlock(&partition->eventfd_lock);
	return found;
}

/* What is wrong with @wanted; NULL: nothing. */
static const char *fault_of(const struct vsm_ioeventfd *wanted)
{
	const uint32_t flags = VSM_IOEVENTFD_PORT | VSM_IOEVENTFD_MATCH | VSM_IOEVENTFD_REMOVE;
	const bool port = wanted->flags & VSM_IOEVENTFD_PORT;
	const bool match = wanted->flags & VSM_IOEVENTFD_MATCH;
	const uint32_t length = wanted->length;
	const struct {
		bool wrong;
		const char *fault;
	} checks[] = {
		{wanted->size != sizeof(*wanted), "size is not sizeof(struct vsm_ioeventfd)"},
		{wanted->flags & ~flags, "flags has unknown bits"},
		{wanted->reserved, "reserved is not 0"},
		{length > 8 || (length & (length - 1)), "length is not 0, 1, 2, 4 or 8"},
		{match && !length, "length is 0, and MATCH needs one"},
		{match && length < 8 && wanted->data >> 8 * length % 64, "data exceeds length"},
		{port && wanted->address > 0xffff, "address is above the last port, 0xffff"},
		{port && length > 4, "length of a port is above 4"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (checks[i].wrong)
			return checks[i].fault;
	return NULL;
}

static const char *error_text(int error)
{
	switch (error) {
	case EEXIST:
		return "an entry with this length, flags and data exists";
	case ENOENT:
		return "no entry with this length, flags and data";
	case EBADF:
		return "the descriptor is not an eventfd";
	case ENOSPC:
		return "too many entries";
	default:
		return strerror(error);
	}
}

/* Eventfd lock held for writing, here and in remove_entry(). */
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
	if (!is_eventfd(wanted->fd))
		return -EBADF;
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
	const char *fault = fault_of(&wanted);
	int error;

	if (fault)
		return vsm_error(
			&partition->log, EINVAL, "ioeventfd at %#llx, length %u, flags %#x: %s",
			(unsigned long long)wanted.address, wanted.length, wanted.flags, fault);
	wanted.flags &= ~(uint32_t)VSM_IOEVENTFD_REMOVE;
	pthread_rwlock_wrlock(&partition->eventfd_lock);
	error = ioeventfd->flags & VSM_IOEVENTFD_REMOVE ? remove_entry(partition, &wanted)
							: add_entry(partition, &wanted);
	atomic_store(&partition->has_ioeventfds, partition->ioeventfd_count > 0);
	pthread_rwlock_unlock(&partition->eventfd_lock);
	return error ? vsm_error(&partition->log, -error, "ioeventfd at %#llx, descriptor %d: %s",
				 (unsigned long long)wanted.address, wanted.fd, error_text(-error))
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
