/* SPDX-License-Identifier: BSD-2-Clause */
/* Linear addresses of a VTL: the page walker with the VTL's registers and rights. */
#include <string.h>

#include "core/memory/dirty.h"
#include "core/memory/gpa.h"
#include "core/memory/protect.h"
#include "core/vp/vp.h"
#include "core/x64.h"

#define PAGE_SHIFT  12u
#define PAGE_OFFSET (CORE_PAGE_SIZE - 1u)

/* XSAVE component 9 (SDM volume 1, 13.1). */
#define XFEATURE_PKRU_INDEX 9u

struct walker {
	struct vsm_vp *vp;
	uint8_t vtl;
	uint8_t space; /* gpa_space() */
	struct gva_walk *out;
};

static enum vsm_walk_refusal refusal(struct gva_walk *out, enum gpa_result result)
{
	out->refused = result;
	switch (result) {
	case GPA_OK:
		return VSM_WALK_ALLOWED;
	case GPA_UNMAPPED:
		return VSM_WALK_UNMAPPED;
	case GPA_DENIED:
		return VSM_WALK_INTERCEPT;
	case GPA_OVERLAY:
		break;
	}
	return VSM_WALK_OVERLAY;
}

static uint64_t load_entry(const uint8_t *host, unsigned int size)
{
	return size == 8 ? __atomic_load_n((const uint64_t *)(const void *)host, __ATOMIC_RELAXED)
			 : __atomic_load_n((const uint32_t *)(const void *)host, __ATOMIC_RELAXED);
}

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	struct walker *walker = opaque;
	uint8_t *host;
	enum gpa_result result = gpa_host(walker->vp->partition, walker->space, gpa, GPA_READ,
					  &host, &walker->out->fault);

	if (result == GPA_OK)
		*entry = load_entry(host, size);
	return refusal(walker->out, result);
}

/* Ignores rights and overlays. */
static enum vsm_walk_refusal read_entry_as_host(void *opaque, uint64_t gpa, unsigned int size,
						uint64_t *entry)
{
	const struct vsm_partition *partition = opaque;
	const struct ram_region *region = memory_find(partition, gpa >> PAGE_SHIFT);

	if (!region)
		return VSM_WALK_UNMAPPED;
	*entry = load_entry(region->host + (gpa - (region->gpn << PAGE_SHIFT)), size);
	return VSM_WALK_ALLOWED;
}

static enum vsm_walk_refusal exchange_entry(void *opaque, uint64_t gpa, unsigned int size,
					    uint64_t expected, uint64_t desired)
{
	struct walker *walker = opaque;
	uint32_t expected32 = (uint32_t)expected;
	uint8_t *host;
	bool done;
	enum gpa_result result = gpa_host(walker->vp->partition, walker->space, gpa, GPA_WRITE,
					  &host, &walker->out->fault);

	if (result != GPA_OK)
		return refusal(walker->out, result);
	if (size == 8)
		done = __atomic_compare_exchange_n((uint64_t *)host, &expected, desired, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	else
		done = __atomic_compare_exchange_n((uint32_t *)host, &expected32, (uint32_t)desired,
						   false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	if (done)
		dirty_note(walker->vp->partition, gpa);
	return done ? VSM_WALK_ALLOWED : VSM_WALK_CHANGED;
}

/*
 * The execute right that a fetch needs (TLFS "MBEC configuration"): KernelExecute unless the page
 * is a user page, MBEC governs this VTL of this VP, and SMEP is on or does not exist.
 */
static uint8_t fetch_right(const struct walker *walker, bool user)
{
	const struct vsm_vp *vp = walker->vp;
	bool smep_off = (vp->partition->features.cr4_valid & X64_CR4_SMEP) &&
			!(vp->cpu[walker->vtl]->cr4 & X64_CR4_SMEP);

	return user && !smep_off && protect_mbec_governs(vp, walker->vtl) ? GPA_USER_EXECUTE
									  : GPA_KERNEL_EXECUTE;
}

static enum gpa_result check_fetch(struct walker *walker, uint64_t gpa, bool user)
{
	struct vsm_partition *partition = walker->vp->partition;
	uint64_t gpn = gpa >> PAGE_SHIFT;
	struct gpa_view view = gpa_view(partition, walker->space, gpn);
	uint8_t right = fetch_right(walker, user);

	for (unsigned int owner = walker->vtl + 1u; owner < partition->vtl_count; owner++) {
		if (right & protect_by_owner(partition, (uint8_t)owner, walker->vtl, gpn))
			continue;
		walker->out->fault = (struct gpa_fault){
			.gpa = gpa,
			.access = right,
			.vtl = (uint8_t)owner,
		};
		return GPA_DENIED;
	}
	if (view.overlay ? (view.overlay->access & GPA_EXECUTE) != 0 : view.region != NULL)
		return GPA_OK;
	walker->out->fault = (struct gpa_fault){.gpa = gpa, .access = GPA_KERNEL_EXECUTE};
	return view.overlay ? GPA_OVERLAY : GPA_UNMAPPED;
}

static enum vsm_walk_refusal check_page(void *opaque, uint64_t gpa, unsigned int access, bool user)
{
	struct walker *walker = opaque;
	enum gpa_result result = GPA_OK;
	uint8_t data = 0;
	uint8_t *host;

	data |= access & VSM_WALK_READ ? GPA_READ : 0;
	data |= access & VSM_WALK_WRITE ? GPA_WRITE : 0;
	if (data)
		result = gpa_host(walker->vp->partition, walker->space, gpa, data, &host,
				  &walker->out->fault);
	if (result == GPA_OK && access & VSM_WALK_EXECUTE)
		result = check_fetch(walker, gpa, user);
	return refusal(walker->out, result);
}

static uint32_t read_pkru(struct vsm_vp *vp, uint8_t vtl)
{
	const struct vcpu_state *cpu = vcpu_get(vp, vtl, VCPU_SYSTEM);
	uint32_t layout[4] = {0};
	uint64_t present;
	uint32_t pkru;

	if (!(cpu->cr4 & X64_CR4_PKE))
		return 0;
	cpu = vcpu_get(vp, vtl, VCPU_FPU);
	vp->partition->ops->vp_cpuid(vp->backend, 0xd, XFEATURE_PKRU_INDEX, layout);
	memcpy(&present, cpu->xsave + X64_XSAVE_BV, sizeof(present));
	if (!(present >> XFEATURE_PKRU_INDEX & 1) || layout[0] < sizeof(pkru) ||
	    layout[1] > cpu->xsave_size - sizeof(pkru))
		return 0;
	memcpy(&pkru, cpu->xsave + layout[1], sizeof(pkru));
	return pkru;
}

static uint32_t cpu_features(struct vsm_vp *vp, const struct vcpu_state *cpu)
{
	const struct backend_ops *ops = vp->partition->ops;
	uint32_t value[4] = {0};
	uint32_t features = 0;

	if (cpu->efer & X64_EFER_LMA) {
		ops->vp_cpuid(vp->backend, 0x80000001, 0, value);
		features |= value[3] >> 26 & 1 ? VSM_WALK_CPU_PAGE1GB : 0;
		ops->vp_cpuid(vp->backend, 0, 0, value);
		/* EBX of "AuthenticAMD" */
		features |= value[1] == 0x68747541 ? VSM_WALK_CPU_PML4E_BIT8_RESERVED : 0;
	} else if (cpu->cr0 & X64_CR0_PG) {
		ops->vp_cpuid(vp->backend, 1, 0, value);
		features |= value[3] >> 17 & 1 ? VSM_WALK_CPU_PSE36 : 0;
	}
	return features;
}

static struct vsm_walk_context context_of(struct vsm_vp *vp, uint8_t vtl)
{
	const struct vcpu_state *cpu = vcpu_get(vp, vtl, VCPU_GPR | VCPU_SYSTEM | VCPU_MSR);

	return (struct vsm_walk_context){
		.cr0 = cpu->cr0,
		.cr3 = cpu->cr3,
		.cr4 = cpu->cr4,
		.efer = cpu->efer,
		.rflags = cpu->rflags,
		.pat = cpu->msr[VCPU_MSR_PAT],
		.pkru = read_pkru(vp, vtl),
		.cpu = cpu_features(vp, cpu),
		.cpl = vp_cpl(vp, vtl),
		.max_phys_addr = vp->partition->features.gpa_bits,
	};
}

static enum vsm_walk_reason walk(struct vsm_vp *vp, uint8_t vtl,
				 const struct vsm_walk_memory *memory,
				 const struct vsm_walk_request *request,
				 struct vsm_walk_result *result)
{
	const struct vsm_walk_context context = context_of(vp, vtl);
	enum vsm_walk_reason reason;

	pthread_rwlock_rdlock(&vp->partition->memory.lock);
	reason = vsm_walk(&context, memory, request, result);
	pthread_rwlock_unlock(&vp->partition->memory.lock);
	return reason;
}

void gva_translate_as_host(struct vsm_vp *vp, uint8_t vtl, uint64_t gva,
			   struct vsm_walk_result *result)
{
	const struct vsm_walk_memory memory = {.read = read_entry_as_host, .opaque = vp->partition};
	const struct vsm_walk_request request = {.gva = gva, .flags = VSM_WALK_EXEMPT};

	(void)walk(vp, vtl, &memory, &request, result);
}

enum vsm_walk_reason gva_translate(struct vsm_vp *vp, uint8_t vtl, uint64_t gva, uint32_t access,
				   uint32_t flags, enum vsm_walk_ad ad, bool check,
				   struct gva_walk *out)
{
	struct walker walker = {.vp = vp, .vtl = vtl, .space = gpa_space(vp, vtl), .out = out};
	struct vsm_walk_memory memory = {
		.read = read_entry,
		.compare_exchange = exchange_entry,
		.check_page = check ? check_page : NULL,
		.opaque = &walker,
	};
	struct vsm_walk_request request = {
		.gva = gva,
		.access = access,
		.flags = flags,
		.ad = ad,
	};

	memset(out, 0, sizeof(*out));
	return walk(vp, vtl, &memory, &request, &out->walk);
}

size_t gva_fetch(struct vsm_vp *vp, uint8_t vtl, uint64_t gva, uint8_t *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		struct gva_walk found;
		size_t left = CORE_PAGE_SIZE - (size_t)((gva + done) & PAGE_OFFSET);
		size_t step = size - done < left ? size - done : left;

		if (gva_translate(vp, vtl, gva + done, VSM_WALK_EXECUTE, 0, VSM_WALK_AD_LEAVE, true,
				  &found) != VSM_WALK_OK)
			break;
		if (gpa_read(vp->partition, gpa_space(vp, vtl), found.walk.gpa, data + done, step,
			     NULL) != GPA_OK)
			break;
		done += step;
	}
	return done;
}
