/* SPDX-License-Identifier: BSD-2-Clause */
/* The user of the process, and its capabilities. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/internal.h"

void vmm_bounding_set_drop(void)
{
	for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

int vmm_user_change(const char *name, const struct vsm_log *log)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user)
		return vsm_error(log, errno ? errno : ENOENT, "user: there is no user '%s'", name);
	if (user->pw_uid == geteuid() && user->pw_uid != 0)
		return 0;
	if (geteuid() != 0)
		return vsm_error(log, EPERM, "user: only root can become '%s'", name);
	/* The groups (which may include kvm) come first, since only root may change them. */
	if (initgroups(name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid))
		return vsm_error(log, errno, "user: '%s': %s", name, strerror(errno));
	/* setuid() has cleared the flag; without it /proc/self/fd is owned by root. */
	if (prctl(PR_SET_DUMPABLE, 1))
		return vsm_error(log, errno, "user: '%s': %s", name, strerror(errno));
	return 0;
}

int vmm_capabilities_drop(uint32_t keep, const struct vsm_log *log)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    syscall(SYS_capget, &header, data))
		return vsm_error(log, errno, "sandbox: capabilities: %s", strerror(errno));
	data[0] = (struct __user_cap_data_struct){.effective = data[0].effective & keep,
						  .permitted = data[0].permitted & keep};
	data[1] = (struct __user_cap_data_struct){0};
	if (syscall(SYS_capset, &header, data))
		return vsm_error(log, errno, "sandbox: capabilities: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return vsm_error(log, errno, "sandbox: no new privileges: %s", strerror(errno));
	return 0;
}
