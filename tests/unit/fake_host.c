/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_host.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tool/probe/abi.h"

enum {
	FD_KVM = 100,
	FD_VM,
	FD_UFFD,
	FD_UFFD_DEVICE
};

/* The value of a capability of Linux 6.12 with kvm_amd; most are 1. */
static int capability(const struct fake_host *fake, int number)
{
	if (number == fake->absent_capability || fake->no_capability)
		return 0;
	switch (number) {
	case KVM_CAP_NR_MEMSLOTS:
		return 32764;
	case KVM_CAP_MAX_VCPUS:
		return 4096;
	case KVM_CAP_SYNC_REGS:
		return 7;
	case KVM_CAP_ACCESS: /* with our kernel part */
		return fake->stock ? 0 : KVM_ACCESS_MASK;
	case KVM_CAP_WRITE_EXITS:
		return fake->stock ? 0 : KVM_WRITE_EXIT_MASK;
	case KVM_CAP_SHARED_FPU:
		return !fake->stock;
	case KVM_CAP_XSAVE2:
		return 4096;
	case KVM_CAP_DISABLE_QUIRKS2:
		return 0xff;
	case KVM_CAP_XEN_HVM:
		return 0x17f;
	case KVM_CAP_MULTI_ADDRESS_SPACE:
		return 2;
	default:
		return 1;
	}
}

static int fake_open(struct probe_env *env, const char *path, int flags)
{
	struct fake_host *fake = env->opaque;
	int fd = -ENOENT;

	if (strcmp(path, "/dev/kvm") == 0)
		fd = fake->kvm_error ? fake->kvm_error : FD_KVM;
	else if (strcmp(path, "/dev/userfaultfd") == 0)
		fd = fake->uffd_device ? FD_UFFD_DEVICE : -EACCES;
	fake->opened += fd >= 0;
	return fd;
}

static int fake_ioctl(struct probe_env *env, int fd, unsigned long request, void *arg)
{
	struct fake_host *fake = env->opaque;

	if (fd == FD_KVM && request == KVM_GET_API_VERSION)
		return fake->api;
	if (fd == FD_KVM && request == KVM_CREATE_VM) {
		fake->opened += !fake->vm_error;
		return fake->vm_error ? fake->vm_error : FD_VM;
	}
	if (fd == FD_VM && request == KVM_CHECK_EXTENSION)
		return capability(fake, (int)(uintptr_t)arg);
	if (fd == FD_VM && request == KVM_XEN_HVM_CONFIG)
		return ((struct kvm_xen_hvm_config *)arg)->msr ? fake->xen_error : -EINVAL;
	if (fd == FD_UFFD && request == UFFDIO_API) {
		((struct uffdio_api *)arg)->features = fake->uffd_features;
		return 0;
	}
	if (fd == FD_UFFD_DEVICE && request == USERFAULTFD_IOC_NEW) {
		fake->opened++;
		return FD_UFFD;
	}
	return -ENOTTY;
}

static void fake_close(struct probe_env *env, int fd)
{
	struct fake_host *fake = env->opaque;

	fake->closed += fd >= FD_KVM;
}

static int fake_userfaultfd(struct probe_env *env)
{
	struct fake_host *fake = env->opaque;

	fake->opened += !fake->uffd_error;
	return fake->uffd_error ? fake->uffd_error : FD_UFFD;
}

static int fake_uname(struct probe_env *env, struct utsname *name)
{
	struct fake_host *fake = env->opaque;

	memset(name, 0, sizeof(*name));
	snprintf(name->release, sizeof(name->release), "%s", fake->release);
	snprintf(name->machine, sizeof(name->machine), "x86_64");
	return 0;
}

static void fake_cpuid(struct probe_env *env, uint32_t leaf, uint32_t regs[4])
{
	struct fake_host *fake = env->opaque;
	uint32_t which = (leaf - 0x40000000) / 0x100;

	/* For an unsupported leaf an Intel CPU returns the data of another leaf. */
	regs[0] = 7;
	memset(&regs[1], 'x', 12);
	if (leaf < 0x40000000 || which >= 4 || !fake->signature[which])
		return;
	regs[0] = leaf + 1;
	memset(&regs[1], 0, 12);
	memcpy(&regs[1], fake->signature[which], strlen(fake->signature[which]));
}

static unsigned int fake_uid(struct probe_env *env)
{
	return ((struct fake_host *)env->opaque)->uid;
}

/*
 * `bad_selftest` gets `bad_outcome` (see `bad_tries`), the control run 1 ms or its timeout. The
 * others pass, except those that fail or are slow on such a host.
 */
static void fake_selftest(struct probe_env *env, const struct probe_item *item,
			  unsigned int timeout_ms, struct selftest_result *result)
{
	struct fake_host *fake = env->opaque;
	bool bad = fake->bad_selftest && (strcmp(item->id, fake->bad_selftest) == 0 ||
					  strcmp(fake->bad_selftest, "*") == 0);
	bool none = (fake->stock || fake->pvm) && !strcmp(item->id, "live.restrictions");
	bool slow = fake->pvm && (strcmp(item->id, "live.no_write") == 0 ||
				  strcmp(item->id, "live.no_access") == 0);

	result->elapsed_ms = 0;
	if (!strcmp(item->id, "control")) {
		result->elapsed_ms = fake->controls++ < fake->slow_controls ? timeout_ms : 1;
	} else if (bad) {
		fake->last_timeout_ms = timeout_ms;
		result->stuck = fake->bad_stuck;
		if (fake->bad_tries && fake->tries >= fake->bad_tries)
			bad = false;
		fake->tries++;
	}
	result->outcome = bad	 ? fake->bad_outcome
			  : none ? SELFTEST_FAIL
			  : slow ? SELFTEST_SLOW
				 : SELFTEST_PASS;
	snprintf(result->text, sizeof(result->text), "set by the test");
}

void fake_host_put(struct fake_host *fake, const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", fake->root, path);
	for (char *slash = full + strlen(fake->root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(full, 0700) && errno != EEXIST)
			abort();
		*slash = '/';
	}
	if (!text) {
		if (mkdir(full, 0700) && errno != EEXIST)
			abort();
		return;
	}
	file = fopen(full, "w");
	if (!file || fputs(text, file) < 0 || fclose(file))
		abort();
}

void fake_host_drop(struct fake_host *fake, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", fake->root, path);
	if (remove(full))
		abort();
}

void fake_host_make(struct fake_host *fake)
{
	*fake = (struct fake_host){
		.env = {.open = fake_open,
			.ioctl = fake_ioctl,
			.close = fake_close,
			.userfaultfd = fake_userfaultfd,
			.uname = fake_uname,
			.cpuid = fake_cpuid,
			.uid = fake_uid,
			.selftest = fake_selftest},
		.root = "/tmp/fake-host-XXXXXX",
		.release = "6.12.90+deb13-cloud-amd64",
		.api = 12,
		.absent_capability = -1,
		.uffd_features = 0x1ffff,
		.uid = 1000,
	};
	if (!mkdtemp(fake->root))
		abort();
	fake->env.root = fake->root;
	fake->env.opaque = fake;
	fake_host_put(fake, "/proc/cpuinfo",
		      "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu vme svm sse2\n\n"
		      "processor\t: 1\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu vme svm sse2\n");
	fake_host_put(fake, "/proc/meminfo",
		      "MemTotal:        8388608 kB\nMemFree: 1 kB\nMemAvailable:    4194304 kB\n");
	fake_host_put(fake, "/proc/self/status", "Name:\tx\nCapEff:\t0000000000080000\n");
	fake_host_put(fake, "/proc/sys/vm/unprivileged_userfaultfd", "0\n");
	fake_host_put(fake, "/proc/sys/vm/max_map_count", "65530\n");
	fake_host_put(fake, "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
		      "always within_size [advise] never deny force\n");
	fake_host_put(fake, "/sys/module/kvm_amd", NULL);
	fake_host_put(fake, "/dev/kvm", "");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

void fake_host_remove(struct fake_host *fake)
{
	if (nftw(fake->root, remove_one, 8, FTW_DEPTH | FTW_PHYS))
		abort();
}

struct probe *fake_host_probe(struct fake_host *fake)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		abort();
	probe->env = &fake->env;
	probe->live = true;
	probe->timeout_ms = 1000;
	probe_run(probe);
	return probe;
}
