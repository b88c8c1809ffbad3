/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread waits for all eventfds of a partition and sends their messages. It holds no lock of
 * the core while it waits.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vsm/eventfd.h>

#include "core/interrupt/irqfd.h"

#define IRQFD_MAX 1024u
#define STOP	  (-1) /* the descriptor that ends the thread */

struct irqfd {
	int fd;
	uint64_t address;
	uint32_t data;
};

/* Legend: c: set before the thread starts; L: guarded by lock. */
struct irqfds {
	struct vsm_partition *partition; /* c */
	pthread_mutex_t lock;		 /* held while a message is sent: a removal waits for it */
	struct irqfd *entry;		 /* L: [count] */
	uint32_t count;			 /* L */
	int epoll;			 /* c */
	int stop;			 /* c: eventfd */
	pthread_t thread;		 /* c */
};

static struct irqfd *find(const struct irqfds *irqfds, int fd)
{
	for (uint32_t i = 0; i < irqfds->count; i++)
		if (irqfds->entry[i].fd == fd)
			return &irqfds->entry[i];
	return NULL;
}

/*
 * False: no signal. Does not wait, even if the eventfd is blocking and the VMM has read it since
 * the event: the lock is held.
 */
static bool take_signal(int fd)
{
	uint64_t count;
	const struct iovec to = {&count, sizeof(count)};

	return preadv2(fd, &to, 1, -1, RWF_NOWAIT) == sizeof(count);
}

/* Signals before the read merge into one interrupt, like edges of an interrupt line. */
static void send_message(struct irqfds *irqfds, int fd)
{
	const struct irqfd *irqfd;

	pthread_mutex_lock(&irqfds->lock);
	irqfd = find(irqfds, fd);
	if (irqfd && take_signal(fd))
		vsm_msi(irqfds->partition, irqfd->address, irqfd->data);
	pthread_mutex_unlock(&irqfds->lock);
}

static void *wait_for_signals(void *opaque)
{
	struct irqfds *irqfds = opaque;

	for (;;) {
		struct epoll_event event[16];
		int count = epoll_wait(irqfds->epoll, event, ARRAY_SIZE(event), -1);

		if (count < 0 && errno != EINTR)
			return NULL;
		for (int i = 0; i < count; i++) {
			if (event[i].data.fd == STOP)
				return NULL;
			send_message(irqfds, event[i].data.fd);
		}
	}
}

/* Signals are for threads of the VMM, except SIGSYS: seccomp ends the process if it is blocked. */
static int start_thread(struct irqfds *irqfds)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&irqfds->thread, NULL, wait_for_signals, irqfds);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

static void discard(struct irqfds *irqfds)
{
	if (irqfds->epoll >= 0)
		close(irqfds->epoll);
	if (irqfds->stop >= 0)
		close(irqfds->stop);
	pthread_mutex_destroy(&irqfds->lock);
	free(irqfds->entry);
	free(irqfds);
}

/* partition->lock held. */
static int create(struct vsm_partition *partition)
{
	struct irqfds *irqfds = calloc(1, sizeof(*irqfds));
	struct epoll_event event = {.events = EPOLLIN, .data.fd = STOP};
	int error = 0;

	if (!irqfds)
		return -ENOMEM;
	pthread_mutex_init(&irqfds->lock, NULL);
	irqfds->partition = partition;
	irqfds->epoll = epoll_create1(EPOLL_CLOEXEC);
	irqfds->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	irqfds->entry = calloc(IRQFD_MAX, sizeof(*irqfds->entry));
	if (!irqfds->entry)
		error = -ENOMEM;
	else if (irqfds->epoll < 0 || irqfds->stop < 0 ||
		 epoll_ctl(irqfds->epoll, EPOLL_CTL_ADD, irqfds->stop, &event))
		error = -errno;
	if (!error)
		error = start_thread(irqfds);
	if (error) {
		discard(irqfds);
		return error;
	}
	partition->irqfds = irqfds;
	return 0;
}

void irqfd_destroy(struct vsm_partition *partition)
{
	const uint64_t one = 1;
	struct irqfds *irqfds = partition->irqfds;

	if (!irqfds)
		return;
	while (write(irqfds->stop, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(irqfds->thread, NULL);
	discard(irqfds);
	partition->irqfds = NULL;
}

static struct irqfds *get(struct vsm_partition *partition, bool make, int *error)
{
	struct irqfds *irqfds;

	*error = 0;
	pthread_mutex_lock(&partition->lock);
	if (!partition->irqfds && make)
		*error = create(partition);
	irqfds = partition->irqfds;
	pthread_mutex_unlock(&partition->lock);
	return irqfds;
}

bool is_eventfd(int fd)
{
	const uint64_t refused = UINT64_MAX;
	const uint64_t nothing = 0;
	struct stat status;

	/*
	 * Of anonymous inodes, which have no file type, only an eventfd refuses UINT64_MAX with
	 * EINVAL and accepts 0 (eventfd(2)).
	 */
	return !fstat(fd, &status) && !(status.st_mode & S_IFMT) &&
	       write(fd, &refused, sizeof(refused)) < 0 && errno == EINVAL &&
	       write(fd, &nothing, sizeof(nothing)) == (ssize_t)sizeof(nothing);
}

/* Lock held. */
static int add(struct irqfds *irqfds, int fd, uint64_t address, uint32_t data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	struct irqfd *known = find(irqfds, fd);

	if (!is_eventfd(fd))
		return -EBADF;
	if (known) {
		/* ENOENT: the VMM closed the eventfd, and a new one has its number. */
		if (epoll_ctl(irqfds->epoll, EPOLL_CTL_MOD, fd, &event) &&
		    (errno != ENOENT || epoll_ctl(irqfds->epoll, EPOLL_CTL_ADD, fd, &event)))
			return -errno;
		known->address = address;
		known->data = data;
		return 0;
	}
	if (irqfds->count == IRQFD_MAX)
		return -ENOSPC;
	if (epoll_ctl(irqfds->epoll, EPOLL_CTL_ADD, fd, &event))
		return errno == EPERM ? -EBADF : -errno;
	irqfds->entry[irqfds->count++] = (struct irqfd){fd, address, data};
	return 0;
}

int vsm_irqfd(struct vsm_partition *partition, int fd, uint64_t address, uint32_t data)
{
	struct vsm_lapic_ipi ipi;
	struct irqfds *irqfds;
	int error;

	if (!vsm_lapic_ipi_from_msi(address, data, true, &ipi))
		return vsm_error(&partition->log, EINVAL, "irqfd %d: %#llx/%#x is not an MSI", fd,
				 (unsigned long long)address, data);
	irqfds = get(partition, true, &error);
	if (!irqfds)
		return vsm_error(&partition->log, -error, "irqfd %d: cannot start the thread", fd);
	pthread_mutex_lock(&irqfds->lock);
	error = add(irqfds, fd, address, data);
	pthread_mutex_unlock(&irqfds->lock);
	return error ? vsm_error(&partition->log, -error, "irqfd %d: %s", fd,
				 error == -EBADF    ? "the descriptor is not an eventfd"
				 : error == -ENOSPC ? "too many eventfds"
						    : strerror(-error))
		     : 0;
}

int vsm_irqfd_remove(struct vsm_partition *partition, int fd)
{
	int error;
	struct irqfds *irqfds = get(partition, false, &error);
	struct irqfd *irqfd = NULL;

	if (irqfds) {
		pthread_mutex_lock(&irqfds->lock);
		irqfd = find(irqfds, fd);
		if (irqfd) {
			epoll_ctl(irqfds->epoll, EPOLL_CTL_DEL, fd, NULL);
			*irqfd = irqfds->entry[--irqfds->count];
		}
		pthread_mutex_unlock(&irqfds->lock);
	}
	return irqfd ? 0 : vsm_error(&partition->log, ENOENT, "irqfd %d: not registered", fd);
}
