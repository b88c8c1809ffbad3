/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine nested: host requirements, and when a VTL moves to other vCPUs. */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "core/x64.h"
#include "kvm/engine/nested.h"

#define INTEL_EBX  0x756e6547u /* of "GenuineIntel" */
#define SVM_BIT	   (1u << 2)   /* CPUID 0x80000001 ECX */
#define GBPAGE_BIT (1u << 26)  /* EDX */
/* The minimum time that a VTL stays nested */
#define ACTIVE_SECONDS 5u

static const uint32_t watchable = KVM_WRITE_EXIT_MASK | KVM_WRITE_EXIT_CR0_TS;

static const uint8_t control_bits[] = {
	HV_CR_INTERCEPT_BIT_CR0_WRITE,	HV_CR_INTERCEPT_BIT_CR4_WRITE,
	HV_CR_INTERCEPT_BIT_XCR0_WRITE, HV_CR_INTERCEPT_BIT_GDTR_WRITE,
	HV_CR_INTERCEPT_BIT_IDTR_WRITE, HV_CR_INTERCEPT_BIT_LDTR_WRITE,
	HV_CR_INTERCEPT_BIT_TR_WRITE,
};

/* Makes every VP leave KVM once, so that none still runs in the old mode. */
static void exit_all_vps(struct vkvm_backend *backend)
{
	for (uint32_t i = 0; i < backend->vp_count; i++) {
		struct vkvm_vp *vp = atomic_load(&backend->vp[i]);
		uint64_t entry;

		if (!vp)
			continue;
		entry = atomic_load(&vp->entry);
		if (!atomic_load(&vp->entered))
			continue;
		vkvm_vp_kick(vp);
		while (atomic_load(&vp->entered) && atomic_load(&vp->entry) == entry)
			sched_yield();
	}
}

static uint64_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

/* A VTL stays nested for at least ACTIVE_SECONDS: a change moves all registers of every VP. */
static int settle_mode(struct vkvm_backend *backend, uint8_t vtl)
{
	struct nested_vm *vm = &backend->vm[vtl].nested;
	const bool wanted = vm->denied || vm->watching;
	const int before = atomic_load(&vm->mode);
	const int after = wanted ? NESTED_ACTIVE : NESTED_PLAIN;
	int error;

	if (before == after)
		return 0;
	if (!wanted && seconds() < vm->since + ACTIVE_SECONDS)
		return 0;
	/* A nested guest needs hidden memory, which a plain guest must not see. */
	atomic_store(&vm->mode, NESTED_CHANGING);
	exit_all_vps(backend);
	error = nested_table_show(backend, vtl, wanted);
	atomic_store(&vm->mode, error ? before : after);
	if (error)
		return error;
	vm->since = seconds();
	vsm_log(backend->log, VSM_LOG_DEBUG, "engine nested: VTL%u runs as %s", vtl,
		wanted ? "a nested guest" : "a plain guest");
	return 0;
}

int nested_set_write_exits(struct vcpu *vcpu, uint32_t registers)
{
	struct vkvm_backend *backend = vcpu->vp->backend;
	struct nested_vm *vm = &backend->vm[vcpu->vtl].nested;
	int error;

	pthread_mutex_lock(&backend->engine.lock);
	vm->watching += !!registers;
	vm->watching -= !!vcpu->nested.watched;
	vcpu->nested.watched = registers;
	vcpu->nested.reload = true;
	error = settle_mode(backend, vcpu->vtl);
	pthread_mutex_unlock(&backend->engine.lock);
	return error;
}

/* Puts a change in force, also a partial one after an error. */
static int finish(struct vkvm_backend *backend, uint8_t vtl, int error)
{
	int applied = settle_mode(backend, vtl);

	if (!applied && atomic_load(&backend->vm[vtl].nested.mode) == NESTED_ACTIVE)
		applied = nested_apply(backend, vtl);
	return error ? error : applied;
}

static int range(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
		 uint8_t denied)
{
	if (backend->vm[vtl].nested.fd < 0)
		return denied ? -EINVAL : 0;
	return finish(backend, vtl, nested_table_set(backend, vtl, gpn, pages, denied));
}

static int list(struct vkvm_backend *backend, uint8_t vtl, const uint64_t *entries, uint32_t count)
{
	int error = 0;

	if (backend->vm[vtl].nested.fd < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < count && !error; i++) {
		const uint64_t gpn = entries[i] / VKVM_PAGE_SIZE;
		uint32_t run = 1;

		while (i + run < count && entries[i + run] == entries[i] + run * VKVM_PAGE_SIZE)
			run++;
		error = nested_table_set(backend, vtl, gpn, run, entries[i] & GPA_ALL);
		i += run - 1;
	}
	return finish(backend, vtl, error);
}

static const struct restriction_ops nested_restrictions = {.range = range, .list = list};

int nested_is_offered(const struct vkvm_backend *backend, bool quiet)
{
	const int cpus = vkvm_ioctl(backend->kvm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_MAX_VCPUS);
	const int state =
		vkvm_ioctl(backend->kvm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_NESTED_STATE);
	const struct kvm_cpuid_entry2 *vendor = vkvm_cpuid_find(backend->cpuid, 0, 0);
	const struct kvm_cpuid_entry2 *host = vkvm_cpuid_find(backend->cpuid, 0x80000001, 0);

	if (vendor && vendor->ebx == INTEL_EBX)
		return engine_refuse(
			backend, quiet,
			"engine nested: not on Intel CPUs: it uses SVM, and VMX is not "
			"implemented (docs/decisions.md says why)");
	if (!host || !(host->ecx & SVM_BIT))
		return engine_refuse(backend, quiet,
				     "engine nested: KVM offers no nested SVM: load kvm_amd with "
				     "nested=1; if this machine is virtual, its CPU must have SVM");
	if (!(host->edx & GBPAGE_BIT))
		return engine_refuse(backend, quiet, "engine nested: KVM offers no pages of 1 GiB");
	if (state < (int)sizeof(struct kvm_nested_state))
		return engine_refuse(backend, quiet, "engine nested: KVM cannot save nested state");
	if (cpus < 0 || (uint32_t)cpus < 2 * backend->vp_count)
		return engine_refuse(backend, quiet,
				     "engine nested: KVM allows fewer than two vCPUs for each VP");
	return 0;
}

static int find(struct vkvm_backend *backend, bool quiet)
{
	int error = nested_is_offered(backend, quiet);

	if (!error && !backend->no_selftest)
		error = nested_selftest(backend, quiet);
	if (error)
		return error;
	/* One memory slot is for hidden memory, one for the barrier. */
	backend->can.memslots -= NESTED_SLOTS;
	backend->can.write_exits = watchable;
	for (size_t i = 0; i < sizeof(control_bits); i++)
		backend->features.cr_intercepts |= HV_BIT64(control_bits[i]);
	return page_rights_start(backend, &nested_restrictions);
}

static int start(struct vkvm_backend *backend)
{
	int error = 0;

	for (uint8_t vtl = 0; vtl < backend->vtl_count && !error; vtl++)
		error = nested_table_create(backend, vtl);
	return error;
}

static void stop(struct vkvm_backend *backend)
{
	page_rights_stop(backend);
	for (uint8_t vtl = 0; vtl < backend->vtl_count; vtl++)
		nested_table_destroy(&backend->vm[vtl].nested);
}

const struct engine_ops engine_nested = {
	.name = "nested",
	.efer_exits = true,
	.vcpu_destroy = nested_vcpu_destroy,
	.find = find,
	.start = start,
	.stop = stop,
	.window_init = page_rights_window_init,
	.window_destroy = page_rights_window_destroy,
	.add_memory = nested_table_add,
	.protect = page_rights_protect,
	.overlay_map = page_rights_overlay_map,
	.overlay_unmap = page_rights_overlay_unmap,
	.overlay_window = page_rights_overlay_window,
	.overlay_slot = page_rights_overlay_slot,
	.denied = page_rights_denied,
	.refused = attr_refused,
	.before_run = nested_before_run,
	.stale = nested_is_stale,
	.abandon = nested_abandon,
	.run = nested_enter,
	.set_write_exits = nested_set_write_exits,
};
