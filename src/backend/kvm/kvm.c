/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM backend as a whole: making it, ending it, its table.
 */
#include "kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "kvm/attr.h"

int kvm_ioctl(int fd, unsigned long request, void *argument)
{
	int result;

	do {
		result = ioctl(fd, request, argument);
	} while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}

static int open_kvm(struct kvm_backend *backend)
{
	const struct vsm_log *log = backend->log;
	int size;

	backend->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (backend->kvm < 0 && errno == ENOENT)
		return vsm_error(log, ENODEV,
				 "/dev/kvm is missing: load kvm_intel or kvm_amd, and turn "
				 "virtualisation on in the firmware");
	if (backend->kvm < 0 && (errno == EACCES || errno == EPERM))
		return vsm_error(log, errno,
				 "/dev/kvm may not be opened: become a member of the group kvm");
	if (backend->kvm < 0)
		return vsm_error(log, errno, "/dev/kvm cannot be opened");
	size = kvm_ioctl(backend->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (size < 0)
		return vsm_error(log, -size, "size of a vCPU's shared memory");
	backend->run_size = (uint32_t)size;
	return 0;
}

static void kvm_destroy(void *opaque)
{
	struct kvm_backend *backend = opaque;

	engine_destroy(backend);
	kvm_memory_destroy(backend);
	kvm_overlay_destroy(backend);
	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++)
		kvm_vm_destroy(&backend->vm[vtl]);
	if (backend->kvm >= 0)
		close(backend->kvm);
	pthread_rwlock_destroy(&backend->table_lock);
	free(backend->cpuid);
	free(backend->vp);
	free(backend);
}

static int create(struct kvm_backend *backend, uint8_t engine)
{
	int error = open_kvm(backend);

	if (!error)
		error = capability_find(backend);
	if (!error)
		error = engine_find(backend, engine);
	if (!error)
		error = kvm_cpuid_build(backend);
	/* As with the engine: what the kernel part offers is not used where the stock kernel's is asked for. */
	if (!error && engine != VSM_ENGINE_UFFD)
		shared_fpu_find(backend);
	if (!error)
		error = kvm_msr_find(backend);
	if (!error)
		error = enter_init(backend->log);
	if (!error)
		count_find(backend);
	for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
		error = kvm_vm_create(backend, vtl);
	if (!error)
		error = backend->engine.ops->start(backend);
	return error;
}

static int kvm_create(const struct backend_config *config, void **out,
		      struct backend_features *features)
{
	const struct kvm_options *options = config->options;
	struct kvm_backend *backend = calloc(1, sizeof(*backend));
	int error;

	if (!backend)
		return vsm_error(config->log, ENOMEM, "kvm: backend");
	backend->log = config->log;
	backend->kvm = -1;
	backend->vtl_count = config->vtl_count;
	backend->vp_count = config->vp_count;
	backend->overlay.fd = -1;
	backend->no_selftest = options && options->no_selftest;
	for (unsigned int vtl = 0; vtl < KVM_VTL_MAX; vtl++)
		backend->vm[vtl].fd = backend->vm[vtl].nested.fd = -1;
	pthread_rwlock_init(&backend->table_lock, NULL);
	engine_init(backend);
	backend->vp = calloc(config->vp_count, sizeof(*backend->vp));
	error = backend->vp ? create(backend, options ? options->engine : 0)
			    : vsm_error(config->log, ENOMEM, "kvm: list of VPs");
	if (error) {
		kvm_destroy(backend);
		return error;
	}
	*features = backend->features;
	*out = backend;
	return 0;
}

const struct backend_ops kvm_ops = {
	.name = "kvm",
	.create = kvm_create,
	.destroy = kvm_destroy,
	.memory_add = kvm_memory_add,
	.memory_remove = kvm_memory_remove,
	.memory_zero = kvm_memory_zero,
	.protect = kvm_protect,
	.overlay_memory = kvm_overlay_memory,
	.overlay_map = kvm_overlay_map,
	.overlay_unmap = kvm_overlay_unmap,
	.msr_intercept = kvm_msr_intercept,
	.vp_cr_intercept = kvm_vp_cr_intercept,
	.tsc = kvm_tsc,
	.tsc_set = kvm_tsc_set,
	.vp_tsc_offset = kvm_vp_tsc_offset,
	.vp_show_invariant_tsc = kvm_vp_show_invariant_tsc,
	.vp_create = kvm_vp_create,
	.vp_destroy = kvm_vp_destroy,
	.vp_load = kvm_vp_load,
	.vp_run = kvm_vp_run,
	.vp_answer = kvm_vp_answer,
	.vp_can_inject = kvm_vp_can_inject,
	.vp_flush_tlb = kvm_vp_flush_tlb,
	.vp_cpuid = kvm_vp_cpuid,
	.vp_kick = kvm_vp_kick,
	.vp_wait = kvm_vp_wait,
};
