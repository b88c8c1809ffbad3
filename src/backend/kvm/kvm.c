/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation and destruction of the backend, and its table of functions. */
#include "kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vsm/vsm.h>

#include "kvm/exit/exit.h"

static int open_kvm(struct vkvm_backend *backend)
{
	const struct vsm_log *log = backend->log;
	int size;

	backend->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (backend->kvm < 0 && errno == ENOENT)
		return vsm_error(log, ENODEV,
				 "/dev/kvm is missing: load kvm_intel or kvm_amd, and turn "
				 "virtualisation on in the firmware");
	if (backend->kvm < 0 && (errno == EACCES || errno == EPERM))
		return vsm_error(
			log, EACCES,
			"no permission to open /dev/kvm: become a member of the group kvm");
	if (backend->kvm < 0)
		return vsm_error(log, errno, "/dev/kvm cannot be opened: %s", strerror(errno));
	size = vkvm_ioctl(backend->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (size < 0)
		return vsm_error(log, -size,
				 "kvm: the size of a vCPU's shared memory cannot be read");
	backend->run_size = (uint32_t)size;
	return 0;
}

static void vkvm_destroy(void *opaque)
{
	struct vkvm_backend *backend = opaque;

	guard_destroy(backend);
	engine_destroy(backend);
	vkvm_memory_destroy(backend);
	vkvm_overlay_destroy(backend);
	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++)
		vkvm_vm_destroy(&backend->vm[vtl]);
	if (backend->kvm >= 0)
		close(backend->kvm);
	pthread_rwlock_destroy(&backend->table_lock);
	hold_destroy(backend);
	free(backend->cpuid);
	free(backend->vp);
	free(backend);
}

/* Only engine uffd supports it: docs/decisions.md, "System Management Mode". */
static int settle_smm(struct vkvm_backend *backend, uint8_t *engine)
{
	if (!backend->smm)
		return 0;
	if (*engine != VSM_ENGINE_AUTO && *engine != VSM_ENGINE_UFFD)
		return vsm_error(backend->log, ENOTSUP,
				 "System Management Mode needs engine uffd: the others do not stop "
				 "KVM's own accesses");
	*engine = VSM_ENGINE_UFFD;
	if (vkvm_ioctl(backend->kvm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_X86_SMM) <= 0 ||
	    vkvm_ioctl(backend->kvm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_MULTI_ADDRESS_SPACE) < 2)
		return vsm_error(backend->log, ENOTSUP,
				 "this KVM has no System Management Mode (CONFIG_KVM_SMM)");
	backend->features.smm = true;
	return 0;
}

static int create(struct vkvm_backend *backend, uint8_t engine)
{
	int error = open_kvm(backend);

	if (!error)
		error = settle_smm(backend, &engine);

	if (!error)
		error = capability_find(backend);
	if (!error)
		error = vkvm_cpuid_supported(backend);
	/* An engine for stock kernels, if selected by name, does not use the exits of the kernel part. */
	if (!error && engine != VSM_ENGINE_UFFD && engine != VSM_ENGINE_NESTED)
		register_write_find(backend);
	if (!error)
		error = engine_find(backend, engine);
	if (error)
		return error;
	vkvm_cpuid_build(backend);
	if (engine != VSM_ENGINE_UFFD && engine != VSM_ENGINE_NESTED)
		shared_fpu_find(backend);
	error = vkvm_msr_find(backend);
	if (!error)
		error = enter_init(backend->log);
	if (!error)
		exit_count_find(backend);
	for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
		error = vkvm_vm_create(backend, vtl);
	if (!error)
		error = backend->engine.ops->start(backend);
	return error;
}

static int vkvm_create(const struct backend_config *config, void **out,
		       struct backend_features *features)
{
	const struct vkvm_options *options = config->options;
	struct vkvm_backend *backend = calloc(1, sizeof(*backend));
	int error;

	if (!backend)
		return vsm_error(config->log, ENOMEM, "kvm: no memory for the backend");
	backend->ops = &vkvm_ops;
	backend->log = config->log;
	backend->kvm = -1;
	backend->vtl_count = config->vtl_count;
	backend->vp_count = config->vp_count;
	backend->smm = config->smm;
	backend->overlay.fd = -1;
	backend->no_selftest = options && options->no_selftest;
	for (unsigned int vtl = 0; vtl < VKVM_VTL_MAX; vtl++)
		backend->vm[vtl].fd = backend->vm[vtl].nested.fd = -1;
	pthread_rwlock_init(&backend->table_lock, NULL);
	hold_init(backend);
	guard_init(backend, config);
	engine_init(backend);
	backend->vp = calloc(config->vp_count, sizeof(*backend->vp));
	error = backend->vp ? create(backend, options ? options->engine : 0)
			    : vsm_error(config->log, ENOMEM, "kvm: no memory for the list of VPs");
	if (error) {
		vkvm_destroy(backend);
		return error;
	}
	*features = backend->features;
	*out = backend;
	return 0;
}

const struct backend_ops vkvm_ops = {
	.name = "kvm",
	.create = vkvm_create,
	.destroy = vkvm_destroy,
	.hold = vkvm_hold,
	.release = vkvm_release,
	.disable = vkvm_disable,
	.memory_set = vkvm_memory_set,
	.memory_dirty = vkvm_memory_dirty,
	.guard_add = vkvm_guard_add,
	.guard_remove = vkvm_guard_remove,
	.guard_protect = vkvm_guard_protect,
	.guard_denied = vkvm_guard_denied,
	.finish_all = hold_finish_all,
	.protect = vkvm_protect,
	.overlay_memory = vkvm_overlay_memory,
	.overlay_map = vkvm_overlay_map,
	.overlay_unmap = vkvm_overlay_unmap,
	.doorbell = vkvm_doorbell,
	.msr_intercept = vkvm_msr_intercept,
	.vp_cr_intercept = vkvm_vp_cr_intercept,
	.vp_debug = vkvm_vp_debug,
	.tsc = vkvm_tsc,
	.tsc_set = vkvm_tsc_set,
	.vp_tsc_offset = vkvm_vp_tsc_offset,
	.vp_show_invariant_tsc = vkvm_vp_show_invariant_tsc,
	.vp_create = vkvm_vp_create,
	.vp_check_cpuid = vkvm_vp_check_cpuid,
	.vp_set_cpuid = vkvm_vp_set_cpuid,
	.vp_destroy = vkvm_vp_destroy,
	.vp_load = hold_vp_load,
	.vp_run = hold_vp_run,
	.vp_answer = hold_vp_answer,
	.vp_can_inject = hold_vp_can_inject,
	.vp_flush_tlb = vkvm_vp_flush_tlb,
	.vp_cpuid = vkvm_vp_cpuid,
	.vp_kick = vkvm_vp_kick,
	.vp_wait = vkvm_vp_wait,
};
