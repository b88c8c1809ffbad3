/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID and MSRs that the host supports (vsm/cpuid.h), without a partition. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm/vcpu/vcpu.h"

static int open_kvm(const struct vsm_log *log)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return vsm_error(log, errno == EACCES || errno == EPERM ? EACCES : ENODEV,
				 "/dev/kvm: %s", strerror(errno));
	return fd;
}

static int copy(const struct kvm_cpuid2 *cpuid, struct vsm_cpuid *entry, size_t *count)
{
	const size_t room = *count;

	*count = cpuid->nent;
	if (room < cpuid->nent)
		return -ENOBUFS;
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *from = &cpuid->entries[i];

		entry[i] = (struct vsm_cpuid){
			.leaf = from->function,
			.subleaf = from->index,
			.has_subleaf = !!(from->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX),
			.eax = from->eax,
			.ebx = from->ebx,
			.ecx = from->ecx,
			.edx = from->edx,
		};
	}
	return 0;
}

int vsm_host_cpuid(const struct vsm_log *log, struct vsm_cpuid *entry, size_t *count)
{
	static const struct vsm_log none;
	struct vkvm_backend *backend = calloc(1, sizeof(*backend));
	int error;

	if (!log)
		log = &none;
	if (!backend)
		return vsm_error(log, ENOMEM, "no memory for CPUID of the host");
	backend->log = log;
	backend->kvm = open_kvm(log);
	error = backend->kvm < 0 ? backend->kvm : vkvm_cpuid_supported(backend);
	if (!error) {
		vkvm_cpuid_build(backend);
		error = copy(backend->cpuid, entry, count);
	}
	if (backend->kvm >= 0)
		close(backend->kvm);
	free(backend->cpuid);
	free(backend);
	return error;
}

int vsm_host_msr(const struct vsm_log *log, uint32_t index, uint64_t *value)
{
	static const struct vsm_log none;
	struct msr_batch one = {.count = 1, .entry[0] = {.index = index}};
	int fd = open_kvm(log ? log : &none);
	int done;

	if (fd < 0)
		return fd;
	done = vkvm_ioctl(fd, KVM_GET_MSRS, &one);
	close(fd);
	if (done < 0)
		return done;
	if (done != 1)
		return -ENOENT;
	*value = one.entry[0].data;
	return 0;
}
