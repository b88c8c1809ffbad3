/* SPDX-License-Identifier: BSD-2-Clause */
/* The sim backend: its objects, its clock, and its interface for tests. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/vp/vp.h"
#include "core/x64.h"
#include "sim/sim_internal.h"

/* Valid bits of optional MSRs. The simulated CPU has all of these MSRs except VIRT_SPEC_CTRL. */
static const uint64_t msr_valid[VCPU_MSR_COUNT] = {
	[VCPU_MSR_SPEC_CTRL] = 0x7,
	[VCPU_MSR_TSX_CTRL] = 0x3,
	[VCPU_MSR_XSS] = 0x100,
	[VCPU_MSR_XFD] = X64_XFEATURE_TILE_DATA,
	[VCPU_MSR_XFD_ERR] = X64_XFEATURE_TILE_DATA,
	[VCPU_MSR_DEBUGCTL] = 0x3,
	[VCPU_MSR_BNDCFGS] = UINT64_C(0xfffffffffffff003),
	[VCPU_MSR_UMWAIT_CONTROL] = UINT64_C(0xfffffffd),
	[VCPU_MSR_MISC_FEATURES_ENABLES] = 0x1,
};

_Static_assert(VCPU_MSR_COUNT == 20, "a new MSR: add its valid bits");

static int sim_create(const struct backend_config *config, void **backend,
		      struct backend_features *features)
{
	static const struct sim_options defaults;
	const struct sim_options *options = config->options ? config->options : &defaults;
	struct sim_backend *sim = calloc(1, sizeof(*sim));

	if (!sim)
		return vsm_error(config->log, ENOMEM, "sim: no memory for the backend");
	sim->log = config->log;
	sim->options = *options;
	if (!sim->options.gpa_bits)
		sim->options.gpa_bits = 46;
	sim->vtl_count = config->vtl_count;
	sim->vp_count = config->vp_count;
	pthread_rwlock_init(&sim->lock, NULL);
	pthread_mutex_init(&sim->doorbell_lock, NULL);
	*features = (struct backend_features){
		.protect = GPA_ALL & ~options->undeniable,
		.mbec = !options->no_mbec,
		.msr_intercepts = true,
		.dr6_shared = !options->dr6_private,
		.smm = config->smm,
		.fpu_shared = options->fpu_shared,
		.hypercall = {0x0f, 0x01, 0xc1},
		.hypercall_length = SIM_INSTRUCTION_LENGTH,
		.gpa_bits = sim->options.gpa_bits,
		.tsc_hz = 1000000000,
		.tsc_invariant = true,
		.xcr0_supported = X64_XFEATURE_X87 | X64_XFEATURE_SSE | X64_XFEATURE_AVX,
		.cr0_valid = 0xe005003f,
		.cr4_valid = 0x007717ff,
		.efer_valid = X64_EFER_SCE | X64_EFER_LME | X64_EFER_LMA | X64_EFER_NXE,
	};
	memcpy(features->msr_valid, msr_valid, sizeof(msr_valid));
	if (!options->no_cr)
		features->cr_intercepts = HV_CR_INTERCEPT(CR0_WRITE) | HV_CR_INTERCEPT(CR4_WRITE) |
					  HV_CR_INTERCEPT(XCR0_WRITE) |
					  HV_CR_INTERCEPT(GDTR_WRITE) |
					  HV_CR_INTERCEPT(IDTR_WRITE) |
					  HV_CR_INTERCEPT(LDTR_WRITE) | HV_CR_INTERCEPT(TR_WRITE);
	*backend = sim;
	return 0;
}

static void sim_destroy(void *opaque)
{
	struct sim_backend *sim = opaque;

	sim_memory_destroy(sim);
	pthread_rwlock_destroy(&sim->lock);
	pthread_mutex_destroy(&sim->doorbell_lock);
	free(sim);
}

int sim_call_error(struct sim_backend *sim, enum sim_call call)
{
	if (!atomic_load(&sim->fail[call].countdown) ||
	    atomic_fetch_sub(&sim->fail[call].countdown, 1) != 1)
		return 0;
	if (sim->fail[call].all)
		atomic_store(&sim->fail[call].countdown, 1);
	return sim->fail[call].error;
}

static int sim_msr_intercept(void *opaque, uint8_t vtl, uint32_t msr, bool read, bool write)
{
	struct sim_backend *sim = opaque;
	struct sim_msr_intercept entry = {msr, read, write};
	uint32_t i;
	int error = sim_call_error(sim, SIM_CALL_MSR_INTERCEPT);

	if (error)
		return error;
	pthread_rwlock_wrlock(&sim->lock);
	for (i = 0; i < sim->msr_count[vtl] && sim->msr[vtl][i].msr != msr; i++)
		;
	if (i == SIM_MSR_INTERCEPTS) {
		error = -ENOSPC;
	} else {
		sim->msr[vtl][i] = entry;
		if (i == sim->msr_count[vtl])
			sim->msr_count[vtl]++;
	}
	pthread_rwlock_unlock(&sim->lock);
	return error;
}

static int sim_vp_cr_intercept(void *opaque, uint8_t vtl, uint64_t control, uint64_t cr0_mask,
			       uint64_t cr4_mask)
{
	struct sim_vp *vp = opaque;

	vp->cr_control[vtl] = control;
	vp->cr0_mask[vtl] = cr0_mask;
	vp->cr4_mask[vtl] = cr4_mask;
	return 0;
}

static uint64_t sim_tsc(void *opaque)
{
	struct sim_backend *sim = opaque;
	uint64_t step = atomic_load_explicit(&sim->clock_step, memory_order_relaxed);

	return step ? atomic_fetch_add(&sim->clock, step) : atomic_load(&sim->clock);
}

static int sim_tsc_set(void *opaque, uint64_t value)
{
	struct sim_backend *sim = opaque;

	atomic_store(&sim->clock, value);
	return 0;
}

static int sim_vp_tsc_offset(void *opaque, uint8_t vtl, uint64_t offset)
{
	struct sim_vp *vp = opaque;

	vp->vtl[vtl].tsc_offset = offset;
	return 0;
}

static int sim_vp_create(void *opaque, uint32_t index, uint32_t apic_id,
			 const struct cpuid_leaf *leaves, size_t leaf_count, void **out,
			 struct vcpu_state **state)
{
	struct sim_backend *sim = opaque;
	struct sim_vp *vp = calloc(1, sizeof(*vp));

	if (!vp)
		return vsm_error(sim->log, ENOMEM, "sim: no memory for vp %u", index);
	vp->backend = sim;
	vp->index = index;
	vp->apic_id = apic_id;
	vp->leaf_count = leaf_count < 16 ? leaf_count : 16;
	memcpy(vp->leaf, leaves, vp->leaf_count * sizeof(vp->leaf[0]));
	pthread_mutex_init(&vp->lock, NULL);
	pthread_cond_init(&vp->wake, NULL);
	for (uint8_t vtl = 0; vtl < CORE_VTL_MAX; vtl++) {
		vp->cpu[vtl].valid = VCPU_ALL;
		vp->cpu[vtl].xsave = vp->xsave[sim->options.fpu_shared ? 0 : vtl];
		vp->cpu[vtl].xsave_size = SIM_XSAVE_SIZE;
	}
	*out = vp;
	*state = vp->cpu;
	return 0;
}

/* The sim offers all features; only the width of addresses changes @features. */
static int sim_vp_check_cpuid(void *opaque, const struct vsm_cpuid *entry, size_t count,
			      struct backend_features *features)
{
	(void)opaque;
	for (size_t i = 0; i < count; i++)
		if (entry[i].leaf == 0x80000008 && (entry[i].eax & 0xff) < features->gpa_bits)
			features->gpa_bits = entry[i].eax & 0xff;
	return 0;
}

static int sim_vp_set_cpuid(void *opaque, const struct vsm_cpuid *entry, size_t count,
			    const struct cpuid_leaf *leaves, size_t leaf_count)
{
	struct sim_vp *vp = opaque;
	struct vsm_cpuid *chosen = calloc(count, sizeof(*chosen));

	if (!chosen)
		return -ENOMEM;
	memcpy(chosen, entry, count * sizeof(*chosen));
	free(vp->chosen);
	vp->chosen = chosen;
	vp->chosen_count = count;
	vp->leaf_count = leaf_count < 16 ? leaf_count : 16;
	memcpy(vp->leaf, leaves, vp->leaf_count * sizeof(vp->leaf[0]));
	return 0;
}

static void chosen_cpuid(const struct sim_vp *vp, uint32_t leaf, uint32_t subleaf,
			 uint32_t value[4])
{
	for (size_t i = 0; i < vp->chosen_count; i++) {
		const struct vsm_cpuid *entry = &vp->chosen[i];

		if (entry->leaf != leaf || (entry->has_subleaf && entry->subleaf != subleaf))
			continue;
		value[0] = entry->eax;
		value[1] = entry->ebx;
		value[2] = entry->ecx;
		value[3] = entry->edx;
	}
}

static void sim_vp_destroy(void *opaque)
{
	struct sim_vp *vp = opaque;

	free(vp->chosen);

	pthread_cond_destroy(&vp->wake);
	pthread_mutex_destroy(&vp->lock);
	free(vp);
}

static int sim_vp_load(void *opaque, uint8_t vtl, uint32_t groups)
{
	struct sim_vp *vp = opaque;

	if (atomic_load(&vp->backend->disabled))
		return -EIO;
	vp->cpu[vtl].valid |= groups;
	return 0;
}

static int sim_vp_flush_tlb(void *opaque, uint8_t vtl)
{
	struct sim_vp *vp = opaque;

	vp->vtl[vtl].tlb_flushes++;
	return 0;
}

static void sim_vp_cpuid(void *opaque, uint32_t leaf, uint32_t subleaf, uint32_t value[4])
{
	const struct sim_vp *vp = opaque;

	memset(value, 0, 4 * sizeof(value[0]));
	for (size_t i = 0; i < vp->leaf_count; i++) {
		if (vp->leaf[i].leaf == leaf) {
			value[0] = vp->leaf[i].eax;
			value[1] = vp->leaf[i].ebx;
			value[2] = vp->leaf[i].ecx;
			value[3] = vp->leaf[i].edx;
		}
	}
	if (vp->chosen) {
		chosen_cpuid(vp, leaf, subleaf, value);
	} else if (leaf == 0) {
		value[0] = 1;
	} else if (leaf == 1) {
		value[1] = vp->apic_id << 24;
		value[2] = UINT32_C(1) << 31 | UINT32_C(1) << 21; /* hypervisor, x2APIC */
		value[3] = UINT32_C(1) << 17;			  /* PSE-36 */
	} else if (leaf == 0x80000001) {
		value[3] = UINT32_C(1) << 29 | UINT32_C(1) << 26; /* long mode, 1 GiB pages */
	} else if (leaf == 0x80000007) {
		value[3] = UINT32_C(1) << 8; /* invariant TSC */
	}
}

static void sim_vp_kick(void *opaque)
{
	struct sim_vp *vp = opaque;

	pthread_mutex_lock(&vp->lock);
	vp->kicked = true;
	pthread_cond_signal(&vp->wake);
	pthread_mutex_unlock(&vp->lock);
}

/* Moves the clock to the deadline; with options.threads, first waits up to 1 ms for a kick. */
static int sim_vp_wait(void *opaque, uint64_t deadline)
{
	struct sim_vp *vp = opaque;
	struct sim_backend *sim = vp->backend;
	bool kicked;

	pthread_mutex_lock(&vp->lock);
	if (sim->options.threads && !vp->kicked) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&vp->wake, &vp->lock, &until);
	}
	kicked = vp->kicked;
	vp->kicked = false;
	pthread_mutex_unlock(&vp->lock);
	if (kicked)
		return 0;
	if (deadline != UINT64_MAX) {
		uint64_t now = atomic_load(&sim->clock);

		while (now < deadline && !atomic_compare_exchange_weak(&sim->clock, &now, deadline))
			;
		return 0;
	}
	return sim->options.threads ? 0 : -EAGAIN;
}

const struct backend_ops sim_ops = {
	.name = "sim",
	.create = sim_create,
	.destroy = sim_destroy,
	.hold = sim_hold,
	.release = sim_release,
	.disable = sim_disable,
	.memory_set = sim_memory_set,
	.memory_dirty = sim_memory_dirty,
	.protect = sim_protect,
	.overlay_memory = sim_overlay_memory,
	.overlay_map = sim_overlay_map,
	.overlay_unmap = sim_overlay_unmap,
	.doorbell = sim_doorbell,
	.msr_intercept = sim_msr_intercept,
	.vp_cr_intercept = sim_vp_cr_intercept,
	.vp_debug = sim_vp_debug,
	.tsc = sim_tsc,
	.tsc_set = sim_tsc_set,
	.vp_tsc_offset = sim_vp_tsc_offset,
	.vp_create = sim_vp_create,
	.vp_check_cpuid = sim_vp_check_cpuid,
	.vp_set_cpuid = sim_vp_set_cpuid,
	.vp_destroy = sim_vp_destroy,
	.vp_load = sim_vp_load,
	.vp_run = sim_vp_run,
	.vp_answer = sim_vp_answer,
	.vp_can_inject = sim_vp_can_inject,
	.vp_flush_tlb = sim_vp_flush_tlb,
	.vp_cpuid = sim_vp_cpuid,
	.vp_kick = sim_vp_kick,
	.vp_wait = sim_vp_wait,
};

void sim_next(struct vsm_vp *vp, uint8_t vtl, const struct sim_action *action)
{
	struct sim_vp *own = vp->backend;

	own->vtl[vtl].action = *action;
	if (own->vtl[vtl].action.size == 0 || own->vtl[vtl].action.size > 8)
		own->vtl[vtl].action.size = 8;
	own->vtl[vtl].done = false;
	own->vtl[vtl].issued = false;
}

const struct sim_vtl *sim_state(const struct vsm_vp *vp, uint8_t vtl)
{
	struct sim_vp *own = vp->backend;

	sim_update_action(own, vtl);
	return &own->vtl[vtl];
}

void sim_advance(struct vsm_partition *partition, uint64_t ticks)
{
	struct sim_backend *sim = partition->backend;

	atomic_fetch_add(&sim->clock, ticks);
}

void sim_clock_step(struct vsm_partition *partition, uint64_t ticks)
{
	struct sim_backend *sim = partition->backend;

	atomic_store(&sim->clock_step, ticks);
}

const struct sim_calls *sim_calls(const struct vsm_partition *partition)
{
	const struct sim_backend *sim = partition->backend;

	return &sim->calls;
}

void sim_fail(struct vsm_partition *partition, enum sim_call call, uint32_t nth, int error)
{
	struct sim_backend *sim = partition->backend;

	sim->fail[call].error = error;
	sim->fail[call].all = false;
	atomic_store(&sim->fail[call].countdown, nth);
}

void sim_fail_from(struct vsm_partition *partition, enum sim_call call, uint32_t nth, int error)
{
	struct sim_backend *sim = partition->backend;

	sim_fail(partition, call, nth, error);
	sim->fail[call].all = true;
}
