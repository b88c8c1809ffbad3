/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "file/journal.h"

#define MESSAGES_MAX 1000u

/* syslog(3) priorities */
static const int priority[] = {
	[VSM_LOG_ERROR] = 3,
	[VSM_LOG_WARN] = 4,
	[VSM_LOG_INFO] = 6,
	[VSM_LOG_DEBUG] = 7,
};

void vmm_log_init(struct vmm_log *self, const char *name)
{
	*self = (struct vmm_log){.name = name, .fd = -1, .journal = vmm_is_journal(STDERR_FILENO)};
}

/* Root makes the file of a machine that runs as another user, who must be able to read it. */
static int give_file(int fd, const char *name)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam(name) : NULL;

	/* vmm_user_change() reports a user that does not exist. */
	return user && fchown(fd, user->pw_uid, user->pw_gid) ? -errno : 0;
}

/* The folder may be one of the user, who must not make root write to another file. */
static bool is_file_of(int fd, const char *name)
{
	const struct passwd *user = getpwnam(name);
	struct stat stat;

	return !fstat(fd, &stat) && S_ISREG(stat.st_mode) && stat.st_nlink == 1 &&
	       (stat.st_uid == geteuid() || (user && stat.st_uid == user->pw_uid));
}

/* With @user the folders of @path may be those of the user: no symbolic link is followed. */
static int open_file(const char *path, int more, const char *user)
{
	const int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | more;
	const mode_t mode = more & O_CREAT ? 0600 : 0;
	const struct open_how how = {
		.flags = (uint64_t)flags, .mode = mode, .resolve = RESOLVE_NO_SYMLINKS};

	return user ? (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how))
		    : open(path, flags, mode);
}

int vmm_log_open(struct vmm_log *self, const char *path, const char *user)
{
	self->fd = open_file(path, O_CREAT | O_EXCL, user);
	if (self->fd >= 0)
		return user ? give_file(self->fd, user) : 0;
	if (errno == EEXIST)
		self->fd = open_file(path, user ? O_NONBLOCK : 0, user);
	if (self->fd < 0)
		return -errno;
	if (!user || is_file_of(self->fd, user))
		return 0;
	vmm_log_close(self);
	return -EPERM;
}

void vmm_log_close(struct vmm_log *self)
{
	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
}

/* One write(), so that lines of threads do not mix. */
static void put(int fd, const char *line, int length, size_t room)
{
	if (length > 0)
		(void)!write(fd, line, (size_t)length < room ? (size_t)length : room - 1);
}

static void print_file(const struct vmm_log *self, const struct vsm_log_record *record)
{
	char line[640], stamp[32];
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
	put(self->fd, line,
	    snprintf(line, sizeof(line), "%s.%03ldZ %s: %s\n", stamp, now.tv_nsec / 1000000,
		     vsm_log_level_name(record->level), record->text),
	    sizeof(line));
}

static void print_stderr(const struct vmm_log *self, const struct vsm_log_record *record)
{
	const bool plain = record->level == VSM_LOG_ERROR || self->journal;
	char line[640], lead[8] = "";

	if (self->journal)
		snprintf(lead, sizeof(lead), "<%d>", priority[record->level]);
	put(STDERR_FILENO, line,
	    snprintf(line, sizeof(line), "%s%s: %s%s%s\n", lead, self->name,
		     plain ? "" : vsm_log_level_name(record->level), plain ? "" : ": ",
		     record->text),
	    sizeof(line));
}

void vmm_log_print(void *opaque, const struct vsm_log_record *record)
{
	static const struct vsm_log_record last[] = {
		{.level = VSM_LOG_WARN, .text = "further messages are not shown"},
		{.level = VSM_LOG_ERROR, .text = "further errors are not shown"},
	};
	const bool error = record->level == VSM_LOG_ERROR;
	struct vmm_log *self = opaque;
	const unsigned int number = atomic_fetch_add(&self->count[error], 1);

	if (number > MESSAGES_MAX)
		return;
	if (number == MESSAGES_MAX)
		record = &last[error];
	if (self->fd >= 0)
		print_file(self, record);
	if (self->fd < 0 || error)
		print_stderr(self, record);
}
