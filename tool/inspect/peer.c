/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether only @user and root can change the contents of @folder. */
static bool is_private(const char *folder, uid_t user)
{
	struct stat status;

	return !stat(folder, &status) && (status.st_uid == 0 || status.st_uid == user) &&
	       !(status.st_mode & (S_IWGRP | S_IWOTH));
}

/* Does not resolve links. Returns NULL without memory or current folder. */
static char *absolute_path(const char *path)
{
	char *folder, *absolute;

	if (path[0] == '/')
		return strdup(path);
	folder = getcwd(NULL, 0);
	if (!folder || asprintf(&absolute, "%s/%s", strcmp(folder, "/") ? folder : "", path) < 0)
		absolute = NULL;
	free(folder);
	return absolute;
}

/*
 * Others could replace an entry of a folder that they may write, such as /tmp. Paths with symbolic
 * links lead through other folders, and are refused.
 */
static bool belongs_to(const char *path, uid_t user)
{
	char *const resolved = realpath(path, NULL);
	char *const folder = absolute_path(path);
	bool private = resolved && folder && !strcmp(folder, resolved);

	for (char *slash; private && (slash = strrchr(folder, '/'));) {
		*slash = 0;
		private = is_private(*folder ? folder : "/", user);
	}
	free(folder);
	free(resolved);
	return private;
}

static bool set_user(const struct ucred *peer)
{
	return !setgroups(0, NULL) && !setresgid(peer->gid, peer->gid, peer->gid) &&
	       !setresuid(peer->uid, peer->uid, peer->uid);
}

bool inspect_peer_is_trusted(const struct command *self, int connection, const char *path)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size)) {
		fprintf(stderr, "vsm %s: %s: %s\n", self->name, path, strerror(errno));
		return false;
	}
	if (peer.uid == geteuid() || peer.uid == 0)
		return true;
	if (geteuid() == 0 && belongs_to(path, peer.uid)) {
		/* The peer controls the answers: this process gives up all rights but the peer's. */
		if (set_user(&peer))
			return true;
		fprintf(stderr, "vsm %s: %s: cannot become user %u: %s\n", self->name, path,
			peer.uid, strerror(errno));
		return false;
	}
	fprintf(stderr, "vsm %s: %s: a process of another user (%u) listens there: %s\n",
		self->name, path, peer.uid,
		geteuid()
			? "run this command as that user or as root"
			: "root accepts it by a path without symbolic links, in folders that only "
			  "root and that user may write");
	return false;
}
