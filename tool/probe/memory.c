/* SPDX-License-Identifier: BSD-2-Clause */
/* userfaultfd and its privilege, huge pages, and the number of mappings. */
#include "abi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "uffd.h"

#define CAP_SYS_PTRACE 19

static bool may_trace(const struct probe_env *env)
{
	static const char name[] = "CapEff:";
	char text[8192];
	const char *at;

	if (env_read(env, "/proc/self/status", text, sizeof(text)) < 0)
		return false;
	at = strstr(text, name);
	return at && (strtoull(at + sizeof(name) - 1, NULL, 16) >> CAP_SYS_PTRACE & 1);
}

static void denied(struct probe *probe, struct probe_finding *finding)
{
	probe_found(finding, PROBE_MISSING,
		    "user %u may not handle the faults of the kernel's own accesses",
		    probe->host.uid);
	probe_remedy(
		finding,
		"One of: become a member of the group kvm (`usermod -aG kvm USER`, then log in "
		"again), to which the udev rule 60-vsm.rules of vsm opens /dev/userfaultfd (%s "
		"here; Linux 6.1 or newer); the capability CAP_SYS_PTRACE (`setcap "
		"cap_sys_ptrace+ep PROGRAM`); or `sysctl vm.unprivileged_userfaultfd=1`, "
		"which opens it to every user.",
		env_exists(probe->env, "/dev/userfaultfd") ? "it exists" : "it does not exist");
}

void check_uffd(struct probe *probe, struct probe_finding *finding)
{
	struct uffdio_api api = {.api = UFFD_API};
	enum uffd_route route;
	int64_t open_to_all = 0;
	int error;

	probe->uffd = probe_uffd_open(probe->env, &route);
	if (probe->uffd == -EPERM || probe->uffd == -EACCES) {
		denied(probe, finding);
		return;
	}
	if (probe->uffd < 0) {
		probe_found(finding, PROBE_MISSING, "userfaultfd(2) fails: %s",
			    strerror(-probe->uffd));
		return;
	}
	error = probe->env->ioctl(probe->env, probe->uffd, UFFDIO_API, &api);
	if (error) {
		probe_found(finding, PROBE_MISSING, "UFFDIO_API fails: %s", strerror(-error));
		probe->env->close(probe->env, probe->uffd);
		probe->uffd = error;
		return;
	}
	probe->uffd_features = api.features;
	probe_value(finding, (int64_t)api.features);
	env_read_number(probe->env, "/proc/sys/vm/unprivileged_userfaultfd", &open_to_all);
	probe_found(finding, PROBE_OK, "user %u may, by %s", probe->host.uid,
		    route == UFFD_BY_DEVICE ? "/dev/userfaultfd"
		    : open_to_all == 1	    ? "vm.unprivileged_userfaultfd=1"
		    : may_trace(probe->env) ? "CAP_SYS_PTRACE"
					    : "the system call");
}

void check_uffd_feature(struct probe *probe, struct probe_finding *finding)
{
	bool there = probe->uffd_features & (uint64_t)finding->item->number;

	probe_found(finding, there ? PROBE_OK : PROBE_MISSING, there ? "yes" : "no");
}

void check_shmem_thp(struct probe *probe, struct probe_finding *finding)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
	char text[128];
	char *chosen, *end;
	bool possible;

	if (env_read(probe->env, path, text, sizeof(text)) < 0) {
		probe_found(finding, PROBE_MISSING, "the kernel has none for shared memory");
		return;
	}
	/* "always within_size advise [never] deny force" */
	chosen = strchr(text, '[');
	end = chosen ? strchr(chosen, ']') : NULL;
	if (!end) {
		probe_found(finding, PROBE_UNKNOWN, "shmem_enabled is '%s'", text);
		return;
	}
	*end = 0;
	chosen++;
	possible = strcmp(chosen, "never") != 0 && strcmp(chosen, "deny") != 0;
	probe_found(finding, possible ? PROBE_OK : PROBE_MISSING, "shmem_enabled is '%s'", chosen);
}

void check_map_count(struct probe *probe, struct probe_finding *finding)
{
	int64_t count;

	if (env_read_number(probe->env, "/proc/sys/vm/max_map_count", &count)) {
		probe_found(finding, PROBE_UNKNOWN, "vm.max_map_count cannot be read");
		return;
	}
	probe_value(finding, count);
	probe_found(finding, count >= finding->item->want ? PROBE_OK : PROBE_MISSING,
		    "vm.max_map_count is %" PRId64, count);
}
