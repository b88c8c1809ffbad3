/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "file/journal.h"

#define READ_MAX 256u
/* Bytes that can be written to a pipe that is ready, without blocking (POSIX PIPE_BUF). */
#define WRITE_MAX PIPE_BUF

static int open_file(struct vmm_backend *backend, const char *path, const struct vsm_log *log)
{
	/* Without O_NONBLOCK, open() of a FIFO without a reader blocks, and signals cannot interrupt it. */
	backend->out =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (backend->out < 0) {
		const int error = errno;

		return vsm_error(log, error, "serial: %s: %s", path,
				 error == ENXIO ? "a FIFO without a reader, or a device that does "
						  "not exist"
						: strerror(error));
	}
	fcntl(backend->out, F_SETFL, fcntl(backend->out, F_GETFL) & ~O_NONBLOCK);
	backend->owned = true;
	return 0;
}

/*
 * The user's side stays open: early output is kept, and the end of a terminal program does not end
 * input.
 */
static int open_pty(struct vmm_backend *backend, const struct vsm_log *log)
{
	struct termios raw;
	int error;

	if (openpty(&backend->in, &backend->peer, NULL, NULL, NULL)) {
		error = errno;
		return vsm_error(log, error, "serial: no pseudo-terminal: %s", strerror(error));
	}
	backend->out = backend->in;
	backend->owned = true;
	fcntl(backend->in, F_SETFD, FD_CLOEXEC);
	fcntl(backend->peer, F_SETFD, FD_CLOEXEC);
	fcntl(backend->in, F_SETFL, O_NONBLOCK);
	if (tcgetattr(backend->peer, &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(backend->peer, TCSANOW, &raw);
	}
	error = ttyname_r(backend->peer, backend->name, sizeof(backend->name));
	if (error)
		return vsm_error(log, error, "serial: %s", strerror(error));
	vsm_log(log, VSM_LOG_INFO, "the serial port is at %s", backend->name);
	return 0;
}

/*
 * In the process's own stream, the guest could set journal priorities (emergencies appear on all
 * terminals) and imitate messages of this program.
 */
static int open_journal(struct vmm_backend *backend, const struct vsm_log *log)
{
	backend->out = vmm_journal_open(VMM_JOURNAL_SOCKET, "vsm-guest");
	if (backend->out < 0)
		return vsm_error(log, -backend->out,
				 "serial: the journal: %s: %s: use --serial file:PATH",
				 VMM_JOURNAL_SOCKET, strerror(-backend->out));
	backend->in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	backend->owned = true;
	return 0;
}

static int open_stdio(struct vmm_backend *backend, const struct vsm_log *log)
{
	int error;

	if (vmm_is_journal(STDOUT_FILENO))
		return open_journal(backend, log);

	backend->in = STDIN_FILENO;
	backend->out = STDOUT_FILENO;
	error = vmm_terminal_raw(&backend->terminal, STDIN_FILENO);
	if (error)
		return vsm_error(log, -error, "serial: the terminal: %s", strerror(-error));
	return 0;
}

int vmm_backend_open(struct vmm_backend *backend, const struct vmm_config *config,
		     const struct vsm_log *log)
{
	int error = -EINVAL;

	memset(backend, 0, sizeof(*backend));
	backend->in = backend->out = backend->peer = -1;
	backend->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (backend->stop < 0)
		return vsm_error(log, errno, "serial: %s", strerror(errno));
	switch (config->serial) {
	case VMM_SERIAL_STDIO:
		error = open_stdio(backend, log);
		break;
	case VMM_SERIAL_FILE:
		error = open_file(backend, config->serial_file, log);
		break;
	case VMM_SERIAL_PTY:
		error = open_pty(backend, log);
		break;
	}
	if (error)
		vmm_backend_close(backend);
	return error;
}

void vmm_backend_close(struct vmm_backend *backend)
{
	vmm_terminal_restore(&backend->terminal);
	if (backend->owned) {
		close(backend->out);
		if (backend->in >= 0 && backend->in != backend->out)
			close(backend->in);
	}
	if (backend->peer >= 0)
		close(backend->peer);
	close(backend->stop);
	backend->in = backend->out = backend->peer = backend->stop = -1;
	backend->owned = false;
}

void vmm_backend_stop(struct vmm_backend *backend)
{
	atomic_store(&backend->stopped, true);
	(void)eventfd_write(backend->stop, 1);
}

bool vmm_backend_stopped(const struct vmm_backend *backend)
{
	return atomic_load(&backend->stopped);
}

/* Waits until @fd is ready for @events. False: an error, the time-out, or vmm_backend_stop(). */
static bool wait_for(const struct vmm_backend *backend, int fd, short events, int milliseconds)
{
	struct pollfd wait[] = {{.fd = fd, .events = events},
				{.fd = backend->stop, .events = POLLIN}};

	return poll(wait, 2, milliseconds) > 0 && !vmm_backend_stopped(backend) &&
	       wait[0].revents != 0;
}

/* Waits for a slow reader in poll(), which vmm_backend_stop() can end, rather than in write(). */
void vmm_backend_write(struct vmm_backend *backend, const uint8_t *data, size_t size)
{
	while (size && !vmm_backend_stopped(backend)) {
		ssize_t done;

		if (!wait_for(backend, backend->out, POLLOUT, backend->peer >= 0 ? 0 : -1)) {
			if (backend->peer >= 0)
				return;
			continue;
		}
		done = write(backend->out, data, size < WRITE_MAX ? size : WRITE_MAX);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		data += done;
		size -= (size_t)done;
	}
}

int vmm_backend_read(struct vmm_backend *backend, uint8_t *data, size_t size, int milliseconds,
		     bool *quit)
{
	const size_t most = size / 2 < READ_MAX ? size / 2 : READ_MAX;
	uint8_t typed[READ_MAX];
	ssize_t got;

	if (backend->in < 0)
		return -EPIPE;
	if (!wait_for(backend, backend->in, POLLIN, milliseconds))
		return 0;
	got = read(backend->in, typed, most);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (got <= 0)
		return -EPIPE;
	if (!backend->terminal.raw) {
		memcpy(data, typed, (size_t)got);
		return (int)got;
	}
	return (int)vmm_keys_filter(&backend->keys, typed, (size_t)got, data, quit);
}
