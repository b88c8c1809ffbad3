/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest writes that signal an eventfd: by the backend where it can (memory/doorbell.h), else in the
 * exit.
 */
#include "core/run/ioeventfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vsm/eventfd.h>

#include "array.h"
#include "core/intercept/installed.h"
#include "core/interrupt/irqfd.h"
#include "core/lock.h"
#include "core/memory/doorbell.h"
#include "core/memory/gpa.h"
#include "core/memory/overlay.h"
#include "core/vp/vp.h"

#define IOEVENTFD_MAX 1024u
#define PAGE_SHIFT    12u

static bool is_same(const struct vsm_ioeventfd *a, const struct vsm_ioeventfd *b)
{
	return a->address == b->address && a->length == b->length && a->flags == b->flags &&
	       (!(a->flags & VSM_IOEVENTFD_MATCH) || a->data == b->data);
}

static bool matches(const struct vsm_ioeventfd *entry, bool port, uint64_t value, uint8_t size)
{
	return !(entry->flags & VSM_IOEVENTFD_PORT) == !port &&
	       (!entry->length || entry->length == size) &&
	       (!(entry->flags & VSM_IOEVENTFD_MATCH) || entry->data == value);
}

bool ioeventfd_signal(struct vsm_partition *partition, uint8_t vtl, bool port, uint64_t address,
		      const uint8_t *data, uint8_t size)
{
	const _Atomic uint32_t *entries =
		vtl ? &partition->ioeventfd_entries : &partition->ioeventfd_exits;
	const uint64_t one = 1;
	uint64_t value = 0;
	bool found = false;

	if (!atomic_load(entries) || size > sizeof(value))
		return false;
	memcpy(&value, data, size);
	pthread_rwlock_rdlock(&partition->eventfd_lock);
	for (uint32_t i = doorbell_lower_bound(partition, address);
	     i < partition->ioeventfd_count && partition->ioeventfd[i].wanted.address == address;
	     i++) {
		const struct vsm_ioeventfd *entry = &partition->ioeventfd[i].wanted;

		if (!matches(entry, port, value, size))
			continue;
		/* EAGAIN: the counter is full, so the eventfd is already signalled. */
		found = write(entry->fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN;
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

/* Whether a write can match both entries. */
static bool may_coincide(const struct vsm_ioeventfd *a, const struct vsm_ioeventfd *b)
{
	return a->address == b->address &&
	       (a->flags & VSM_IOEVENTFD_PORT) == (b->flags & VSM_IOEVENTFD_PORT) &&
	       (!a->length || !b->length || a->length == b->length) &&
	       (!(a->flags & b->flags & VSM_IOEVENTFD_MATCH) || a->data == b->data);
}

/*
 * Stops other doorbells for writes that @entry matches: the order of the list decides which entry
 * such a write signals. True: there are no other entries for these writes.
 */
static bool is_alone(struct vsm_partition *partition, const struct ioeventfd *entry)
{
	bool alone = true;

	for (uint32_t i = doorbell_lower_bound(partition, entry->wanted.address);
	     i < partition->ioeventfd_count; i++) {
		struct ioeventfd *other = &partition->ioeventfd[i];

		if (other->wanted.address != entry->wanted.address)
			break;
		if (other == entry || !may_coincide(&other->wanted, &entry->wanted))
			continue;
		doorbell_stop(partition, other);
		alone = false;
	}
	return alone;
}

/* Eventfd lock held, and the partition lock for a port, the memory lock for a GPA. */
static bool may_be_doorbell(const struct vsm_partition *partition,
			    const struct vsm_ioeventfd *entry)
{
	const uint64_t gpn = entry->address >> PAGE_SHIFT;
	const uint8_t length = entry->length ? (uint8_t)entry->length : DOORBELL_PORT_SIZE;

	if (entry->flags & VSM_IOEVENTFD_PORT)
		return !intercept_io_owner_locked(partition, vtls_above(0),
						  (uint16_t)entry->address, length, true);
	/*
	 * The local APIC has priority at its default address. If VTL0 moves its APIC to a doorbell,
	 * only VTL0 is affected.
	 */
	return gpn != VSM_LAPIC_DEFAULT_BASE >> PAGE_SHIFT && !memory_find(partition, gpn) &&
	       !overlay_is_shown_in(partition, 0, gpn, 1);
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
	const uint32_t at = doorbell_lower_bound(partition, wanted->address);
	struct ioeventfd *entry = partition->ioeventfd;
	int fd;

	for (uint32_t i = at; i < partition->ioeventfd_count; i++)
		if (is_same(&entry[i].wanted, wanted))
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
	entry[at] = (struct ioeventfd){.wanted = *wanted};
	entry[at].wanted.fd = fd;
	partition->ioeventfd_count++;
	atomic_fetch_add(&partition->ioeventfd_entries, 1);
	atomic_fetch_add(&partition->ioeventfd_exits, 1);
	if (is_alone(partition, &entry[at]) && may_be_doorbell(partition, wanted))
		doorbell_start(partition, &entry[at]);
	return 0;
}

static int remove_entry(struct vsm_partition *partition, const struct vsm_ioeventfd *wanted)
{
	struct ioeventfd *entry = partition->ioeventfd;

	for (uint32_t i = 0; i < partition->ioeventfd_count; i++) {
		if (!is_same(&entry[i].wanted, wanted))
			continue;
		doorbell_stop(partition, &entry[i]);
		close(entry[i].wanted.fd);
		partition->ioeventfd_count--;
		atomic_fetch_sub(&partition->ioeventfd_entries, 1);
		atomic_fetch_sub(&partition->ioeventfd_exits, 1);
		memmove(&entry[i], &entry[i + 1],
			(partition->ioeventfd_count - i) * sizeof(*entry));
		return 0;
	}
	return -ENOENT;
}

/*
 * Until the doorbell exists, no intercept of its port may be installed, and no memory come to its
 * GPA. The other lock is not held, since the backend waits for all VPs.
 */
static int add(struct vsm_partition *partition, const struct vsm_ioeventfd *wanted)
{
	const bool port = wanted->flags & VSM_IOEVENTFD_PORT;
	int error;

	if (port)
		pthread_mutex_lock(&partition->lock);
	else
		pthread_rwlock_rdlock(&partition->memory.lock);
	pthread_rwlock_wrlock(&partition->eventfd_lock);
	error = add_entry(partition, wanted);
	pthread_rwlock_unlock(&partition->eventfd_lock);
	if (port)
		pthread_mutex_unlock(&partition->lock);
	else
		pthread_rwlock_unlock(&partition->memory.lock);
	return error;
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
	if (ioeventfd->flags & VSM_IOEVENTFD_REMOVE) {
		pthread_rwlock_wrlock(&partition->eventfd_lock);
		error = remove_entry(partition, &wanted);
		pthread_rwlock_unlock(&partition->eventfd_lock);
	} else {
		error = add(partition, &wanted);
	}
	return error ? vsm_error(&partition->log, -error, "ioeventfd at %#llx, descriptor %d: %s",
				 (unsigned long long)wanted.address, wanted.fd, error_text(-error))
		     : 0;
}

void ioeventfd_init(struct vsm_partition *partition)
{
	/* VPs that signal without end must not delay an intercept of VTL1. */
	(void)rwlock_init_writers_first(&partition->eventfd_lock);
}

void ioeventfd_destroy(struct vsm_partition *partition)
{
	for (uint32_t i = 0; i < partition->ioeventfd_count; i++)
		close(partition->ioeventfd[i].wanted.fd);
	free(partition->ioeventfd);
	pthread_rwlock_destroy(&partition->eventfd_lock);
}
