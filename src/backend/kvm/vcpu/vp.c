/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation and destruction of a VP: one vCPU for each VTL. */
#include <asm/kvm.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"

#define SYNC_ALL (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

int vp_refuse_paravirtual(int fd)
{
	struct kvm_enable_cap enforce = {
		.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
		.args = {1},
	};

	return vkvm_ioctl(fd, KVM_ENABLE_CAP, &enforce);
}

static int set_up(struct vcpu *vcpu)
{
	const struct vsm_log *log = vcpu->vp->backend->log;
	struct kvm_sync_regs *regs = &vcpu->run->s.regs;
	int error = vp_refuse_paravirtual(vcpu->fd);

	if (!error)
		error = vkvm_ioctl(vcpu->fd, KVM_SET_CPUID2, vcpu->vp->cpuid);
	if (error)
		return vsm_error(log, -error, "kvm: CPUID of a vCPU: %s", strerror(-error));
	error = tsc_set_vcpu(vcpu);
	if (error)
		return error;
	error = vkvm_ioctl(vcpu->fd, KVM_GET_REGS, &regs->regs);
	if (!error)
		error = vkvm_ioctl(vcpu->fd, KVM_GET_SREGS, &regs->sregs);
	if (!error)
		error = vkvm_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &regs->events);
	if (error)
		return vsm_error(log, -error, "kvm: registers of a new vCPU: %s", strerror(-error));
	vcpu->run->kvm_valid_regs = SYNC_ALL;
	exit_count_init(vcpu);
	return 0;
}

/* The bytes of KVM's XSAVE area that the components in the VPs' CPUID need. */
static uint32_t xsave_used(const struct vkvm_backend *backend)
{
	const struct kvm_cpuid_entry2 *entry = vkvm_cpuid_find(backend->cpuid, 0xd, 0);
	uint32_t size = entry ? entry->ecx : 0;

	if (size < X64_XSAVE_LEGACY)
		size = X64_XSAVE_LEGACY;
	return size < backend->can.xsave_size ? size : backend->can.xsave_size;
}

/* Each VTL has an XSAVE area, or all VTLs of a VP share one. */
static int make_xsave(struct vcpu *vcpu)
{
	struct vkvm_vp *vp = vcpu->vp;
	const struct vkvm_backend *backend = vp->backend;

	vcpu->state->xsave_size = xsave_used(backend);
	if (backend->features.fpu_shared && vcpu->vtl > 0) {
		vcpu->state->xsave = vp->state[0].xsave;
		return shared_fpu_join(vcpu);
	}
	vcpu->state->xsave = aligned_alloc(64, (backend->can.xsave_size + 63) & ~UINT32_C(63));
	if (!vcpu->state->xsave)
		return vsm_error(backend->log, ENOMEM, "kvm: no memory for the XSAVE area");
	memset(vcpu->state->xsave, 0, backend->can.xsave_size);
	return 0;
}

static int create(struct vkvm_vp *vp, uint8_t vtl)
{
	struct vkvm_backend *backend = vp->backend;
	struct vcpu *vcpu = &vp->vcpu[vtl];
	void *run;
	int error;

	vcpu->fd = vkvm_ioctl(backend->vm[vtl].fd, KVM_CREATE_VCPU, (void *)(uintptr_t)vp->index);
	if (vcpu->fd < 0)
		return vsm_error(backend->log, -vcpu->fd, "kvm: vCPU %u of VTL%u: %s%s", vp->index,
				 vtl, strerror(-vcpu->fd),
				 vcpu->fd == -EMFILE
					 ? ": raise RLIMIT_NOFILE: each VTL of each "
					   "VP needs two files (four with engine nested)"
					 : "");
	run = mmap(NULL, backend->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return vsm_error(backend->log, errno, "kvm: shared memory of a vCPU: %s",
				 strerror(errno));
	vcpu->run = run;
	error = make_xsave(vcpu);
	if (error)
		return error;
	vcpu->state->valid = VCPU_ALL;
	return set_up(vcpu);
}

static struct vkvm_vp *allocate(struct vkvm_backend *backend)
{
	struct vkvm_vp *vp = calloc(1, sizeof(*vp));

	if (!vp)
		return NULL;
	vp->vcpu = calloc(backend->vtl_count, sizeof(*vp->vcpu));
	vp->state = calloc(backend->vtl_count, sizeof(*vp->state));
	if (!vp->vcpu || !vp->state) {
		free(vp->vcpu);
		free(vp->state);
		free(vp);
		return NULL;
	}
	vp->backend = backend;
	vp->timer_deadline = UINT64_MAX;
	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++)
		vp->vcpu[vtl] = (struct vcpu){.vp = vp,
					      .fd = -1,
					      .nested.other_fd = -1,
					      .nested.other_count_fd = -1,
					      .count_fd = -1,
					      .vtl = vtl,
					      .state = &vp->state[vtl]};
	return vp;
}

int vkvm_vp_create(void *opaque, uint32_t index, uint32_t apic_id, const struct cpuid_leaf *leaves,
		   size_t leaf_count, void **out, struct vcpu_state **state)
{
	struct vkvm_backend *backend = opaque;
	struct vkvm_vp *vp = allocate(backend);
	int error = 0;

	if (!vp)
		return vsm_error(backend->log, ENOMEM, "kvm: no memory for VP %u", index);
	vp->index = index;
	vp->cpuid = vkvm_cpuid_of_vp(backend, apic_id, leaves, leaf_count);
	if (!vp->cpuid)
		error = vsm_error(backend->log, ENOMEM, "kvm: no memory for CPUID of VP %u", index);
	for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
		error = create(vp, vtl);
	if (error) {
		vkvm_vp_destroy(vp);
		return error;
	}
	atomic_store(&backend->vp[index], vp);
	*out = vp;
	*state = vp->state;
	return 0;
}

void vkvm_vp_destroy(void *opaque)
{
	struct vkvm_vp *vp = opaque;
	struct vkvm_backend *backend = vp->backend;

	/* The event thread looks up VPs with this lock held. */
	pthread_mutex_lock(&backend->engine.lock);
	if (atomic_load(&backend->vp[vp->index]) == vp)
		atomic_store(&backend->vp[vp->index], NULL);
	pthread_mutex_unlock(&backend->engine.lock);
	if (vp->timer_made)
		timer_delete(vp->timer);
	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++) {
		struct vcpu *vcpu = &vp->vcpu[vtl];

		if (backend->engine.ops->vcpu_destroy)
			backend->engine.ops->vcpu_destroy(vcpu);
		if (vcpu->run)
			munmap(vcpu->run, backend->run_size);
		if (vcpu->count_fd >= 0)
			close(vcpu->count_fd);
		if (vcpu->fd >= 0)
			close(vcpu->fd);
		if (vtl == 0 || !backend->features.fpu_shared)
			free(vcpu->state->xsave);
	}
	free(vp->cpuid);
	free(vp->state);
	free(vp->vcpu);
	free(vp);
}
