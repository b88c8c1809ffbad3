/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSRs: which of them exit, and those that are registers of the VTL.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/x64.h"
#include "kvm/kvm_internal.h"

/* ------------------------------------------------------------------ the filter */

/* Where MSRs are. One range for reads and one for writes each: KVM has 16. */
static const uint32_t area_base[MSR_AREA_COUNT] = {0, 0x40000000, 0xc0000000, 0xc0010000};

/* What must exit at all times. The x2APIC's exit by themselves, since KVM has no APIC here. */
struct filtered {
	uint32_t first;
	uint32_t count;
	bool read;
	bool write;
};

static const struct filtered always[] = {
	{0x40000000, 0x2000, true, true},      /* synthetic */
	{X64_MSR_APIC_BASE, 1, true, true},    /* KVM would answer it */
	{X64_MSR_TSC_DEADLINE, 1, true, true}, /* KVM would read it as 0 */
	{X64_MSR_TSC, 1, false, true},	       /* KVM would move this VTL's time alone */
	{X64_MSR_TSC_ADJUST, 1, false, true},
	{X64_MSR_MISC_ENABLE, 1, true, true}, /* the core keeps it: registers and masks see it */
	/* KVM would keep MTRRs for each VTL, which share them (TLFS 15.11). */
	{X64_MSR_MTRRCAP, 1, true, true},
	{X64_MSR_MTRR_PHYS_BASE0, 16, true, true},
	{X64_MSR_MTRR_FIX64K, 1, true, true},
	{0x258, 2, true, true},
	{0x268, 8, true, true},
	{X64_MSR_MTRR_DEF_TYPE, 1, true, true},
};

static void set_bit(uint8_t *bitmap, uint32_t bit, bool value)
{
	uint8_t mask = (uint8_t)(1u << bit % 8);

	bitmap[bit / 8] = (uint8_t)(value ? bitmap[bit / 8] | mask : bitmap[bit / 8] & ~mask);
}

/* False: no range reaches this MSR. */
static bool change(struct vm *vm, uint32_t msr, bool read, bool write)
{
	for (unsigned int i = 0; i < MSR_AREA_COUNT; i++) {
		uint32_t bit = msr - area_base[i];

		if (bit >= MSR_AREA_SIZE)
			continue;
		set_bit(vm->msr_area[i].read, bit, !read);
		set_bit(vm->msr_area[i].write, bit, !write);
		return true;
	}
	return false;
}

static int apply(const struct kvm_backend *backend, struct vm *vm)
{
	struct kvm_msr_filter filter = {.flags = KVM_MSR_FILTER_DEFAULT_ALLOW};
	int error;

	for (unsigned int i = 0; i < MSR_AREA_COUNT; i++) {
		filter.ranges[2 * i] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_READ,
			.nmsrs = MSR_AREA_SIZE,
			.base = area_base[i],
			.bitmap = vm->msr_area[i].read,
		};
		filter.ranges[2 * i + 1] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_WRITE,
			.nmsrs = MSR_AREA_SIZE,
			.base = area_base[i],
			.bitmap = vm->msr_area[i].write,
		};
	}
	error = kvm_ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter);
	return error ? vsm_error(backend->log, -error, "kvm: MSR filter") : 0;
}

static const struct filtered *always_of(uint32_t msr)
{
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (msr - always[i].first < always[i].count)
			return &always[i];
	return NULL;
}

int kvm_msr_filter_init(struct kvm_backend *backend, uint8_t vtl)
{
	struct vm *vm = &backend->vm[vtl];

	vm->msr_area = malloc(MSR_AREA_COUNT * sizeof(*vm->msr_area));
	if (!vm->msr_area)
		return vsm_error(backend->log, ENOMEM, "kvm: MSR filter");
	memset(vm->msr_area, 0xff, MSR_AREA_COUNT * sizeof(*vm->msr_area));
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		for (uint32_t j = 0; j < always[i].count; j++)
			change(vm, always[i].first + j, always[i].read, always[i].write);
	return apply(backend, vm);
}

int kvm_msr_intercept(void *opaque, uint8_t vtl, uint32_t msr, bool read, bool write)
{
	struct kvm_backend *backend = opaque;
	struct vm *vm = &backend->vm[vtl];
	const struct filtered *fixed = always_of(msr);
	int error = 0;

	pthread_mutex_lock(&vm->msr_lock);
	/* One that no range reaches is one that KVM does not know: it exits anyway. */
	if (change(vm, msr, read || (fixed && fixed->read), write || (fixed && fixed->write)))
		error = apply(backend, vm);
	pthread_mutex_unlock(&vm->msr_lock);
	return error;
}

/* ------------------------------------------------------------------ MSRs that are registers */

static const uint32_t number[VCPU_MSR_COUNT] = {
	[VCPU_MSR_KERNEL_GS_BASE] = X64_MSR_KERNEL_GS_BASE,
	[VCPU_MSR_SYSENTER_CS] = X64_MSR_SYSENTER_CS,
	[VCPU_MSR_SYSENTER_EIP] = X64_MSR_SYSENTER_EIP,
	[VCPU_MSR_SYSENTER_ESP] = X64_MSR_SYSENTER_ESP,
	[VCPU_MSR_STAR] = X64_MSR_STAR,
	[VCPU_MSR_LSTAR] = X64_MSR_LSTAR,
	[VCPU_MSR_CSTAR] = X64_MSR_CSTAR,
	[VCPU_MSR_SFMASK] = X64_MSR_SFMASK,
	[VCPU_MSR_PAT] = X64_MSR_PAT,
	[VCPU_MSR_TSC_AUX] = X64_MSR_TSC_AUX,
};

static bool listed(const struct kvm_msr_list *list, uint32_t msr)
{
	for (uint32_t i = 0; i < list->nmsrs; i++)
		if (list->indices[i] == msr)
			return true;
	return false;
}

int kvm_msr_find(struct kvm_backend *backend)
{
	struct kvm_msr_list count = {0};
	struct kvm_msr_list *list;
	int error = kvm_ioctl(backend->kvm, KVM_GET_MSR_INDEX_LIST, &count);

	if (error && error != -E2BIG)
		return vsm_error(backend->log, -error, "KVM_GET_MSR_INDEX_LIST");
	list = calloc(1, sizeof(*list) + count.nmsrs * sizeof(list->indices[0]));
	if (!list)
		return vsm_error(backend->log, ENOMEM, "kvm: list of MSRs");
	list->nmsrs = count.nmsrs;
	error = kvm_ioctl(backend->kvm, KVM_GET_MSR_INDEX_LIST, list);
	for (uint8_t i = 0; i < VCPU_MSR_COUNT && !error; i++) {
		/* PAT is in no list, and every KVM has it. */
		if (number[i] != X64_MSR_PAT && !listed(list, number[i]))
			continue;
		backend->msr_index[backend->msr_count] = number[i];
		backend->msr_place[backend->msr_count++] = i;
	}
	free(list);
	return error ? vsm_error(backend->log, -error, "KVM_GET_MSR_INDEX_LIST") : 0;
}

int kvm_msr_load(struct vcpu *vcpu)
{
	const struct kvm_backend *backend = vcpu->vp->backend;
	struct msr_batch batch = {.count = backend->msr_count};
	int done;

	for (uint32_t i = 0; i < backend->msr_count; i++)
		batch.entry[i].index = backend->msr_index[i];
	done = kvm_ioctl(vcpu->fd, KVM_GET_MSRS, &batch);
	if (done < 0)
		return done;
	for (uint32_t i = 0; i < (uint32_t)done; i++)
		vcpu->state->msr[backend->msr_place[i]] = batch.entry[i].data;
	return (uint32_t)done == backend->msr_count ? 0 : -EIO;
}

int kvm_msr_store(struct vcpu *vcpu)
{
	const struct kvm_backend *backend = vcpu->vp->backend;
	struct msr_batch batch = {.count = backend->msr_count};
	int done;

	for (uint32_t i = 0; i < backend->msr_count; i++) {
		batch.entry[i].index = backend->msr_index[i];
		batch.entry[i].data = vcpu->state->msr[backend->msr_place[i]];
	}
	done = kvm_ioctl(vcpu->fd, KVM_SET_MSRS, &batch);
	if (done < 0)
		return done;
	return (uint32_t)done == backend->msr_count ? 0 : -EINVAL;
}

/* What WRMSR checks and KVM_SET_MSRS does not, since it is the host who asks. */
static bool efer_legal(struct vcpu *vcpu, uint64_t value)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;

	if (value & ~vcpu->vp->backend->features.efer_valid)
		return false;
	return !(sregs->cr0 & X64_CR0_PG) || !((sregs->efer ^ value) & X64_EFER_LME);
}

bool kvm_msr_native(struct vcpu *vcpu, uint32_t msr, bool write, uint64_t *value)
{
	struct msr_batch one = {.count = 1, .entry[0] = {.index = msr, .data = *value}};

	if (write && msr == X64_MSR_EFER) {
		if (!efer_legal(vcpu, *value))
			return false;
		one.entry[0].data =
			(*value & ~X64_EFER_LMA) | (vcpu->run->s.regs.sregs.efer & X64_EFER_LMA);
	}
	if (kvm_ioctl(vcpu->fd, write ? KVM_SET_MSRS : KVM_GET_MSRS, &one) != 1)
		return false;
	*value = one.entry[0].data;
	return true;
}
