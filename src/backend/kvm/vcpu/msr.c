/* SPDX-License-Identifier: BSD-2-Clause */
/* The MSR filter, and MSRs that are registers of a VTL. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/x64.h"
#include "kvm/vcpu/vcpu.h"

#define MSR_AREA_SIZE  0x2000u
#define MSR_AREA_COUNT 3u

struct msr_area {
	uint8_t read[MSR_AREA_SIZE / 8]; /* 1: no exit */
	uint8_t write[MSR_AREA_SIZE / 8];
};

/* Areas of MSRs that may reach KVM; all others exit. An area needs two of KVM's 16 ranges. */
static const uint32_t area_base[MSR_AREA_COUNT] = {0, 0xc0000000, 0xc0010000};

struct passed_msr {
	uint32_t first;
	uint32_t last;
	bool read;
	bool write;
};

#define WITH_STATE(name, number, reset)	 {(number), (number), true, true},
#define PASSED(first, last, read, write) {(first), (last), (read), (write)},
/* cppcheck-suppress unknownMacro */
static const struct passed_msr passed[] = {VCPU_MSRS(WITH_STATE) VCPU_MSRS_PASSED(PASSED)};
#undef WITH_STATE
#undef PASSED

#define PASSED_COUNT ARRAY_SIZE(passed)

static void set_bit(uint8_t *bitmap, uint32_t bit, bool value)
{
	uint8_t mask = (uint8_t)(1u << bit % 8);

	bitmap[bit / 8] = (uint8_t)(value ? bitmap[bit / 8] | mask : bitmap[bit / 8] & ~mask);
}

/* Sets whether reads and writes of an MSR exit. False: no area contains it. */
static bool change(struct vkvm_vm *vm, uint32_t msr, bool read, bool write)
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

static int apply(const struct vkvm_backend *backend, struct vkvm_vm *vm)
{
	struct kvm_msr_filter filter = {.flags = KVM_MSR_FILTER_DEFAULT_DENY};
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
	error = vkvm_ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter);
	return error ? vsm_error(backend->log, -error, "kvm: MSR filter: %s", strerror(-error)) : 0;
}

static const struct passed_msr *passed_of(const struct vkvm_backend *backend, uint32_t msr)
{
	/* KVM would show EFER.SVME to the guest, and leave guest mode when the guest clears it. */
	if (msr == X64_MSR_EFER && backend->engine.ops->efer_exits)
		return NULL;
	for (size_t i = 0; i < PASSED_COUNT; i++) {
		if (msr < passed[i].first || msr > passed[i].last)
			continue;
		/* An MSR that the guest's CPUID does not enumerate must exit: KVM may accept it. */
		return i < VCPU_MSR_OPTIONAL || i >= VCPU_MSR_COUNT ||
				       backend->features.msr_valid[i]
			       ? &passed[i]
			       : NULL;
	}
	return NULL;
}

int vkvm_msr_filter_init(struct vkvm_backend *backend, uint8_t vtl)
{
	struct vkvm_vm *vm = &backend->vm[vtl];

	vm->msr_area = calloc(MSR_AREA_COUNT, sizeof(*vm->msr_area));
	if (!vm->msr_area)
		return vsm_error(backend->log, ENOMEM, "kvm: no memory for the MSR filter");
	for (size_t i = 0; i < PASSED_COUNT; i++)
		for (uint32_t msr = passed[i].first; msr <= passed[i].last; msr++)
			if (passed_of(backend, msr))
				change(vm, msr, !passed[i].read, !passed[i].write);
	return apply(backend, vm);
}

int vkvm_msr_intercept(void *opaque, uint8_t vtl, uint32_t msr, bool read, bool write)
{
	struct vkvm_backend *backend = opaque;
	struct vkvm_vm *vm = &backend->vm[vtl];
	const struct passed_msr *open = passed_of(backend, msr);
	int error = 0;

	pthread_mutex_lock(&vm->msr_lock);
	/* Other MSRs always exit. */
	if (open && change(vm, msr, read || !open->read, write || !open->write))
		error = apply(backend, vm);
	pthread_mutex_unlock(&vm->msr_lock);
	return error;
}

#define NUMBER(name, number, reset) [VCPU_MSR_##name] = (number),
static const uint32_t number[VCPU_MSR_COUNT] = {VCPU_MSRS(NUMBER)};
#undef NUMBER

/* The CPUID bit that enumerates an MSR; rows with the same MSR are alternatives. */
struct msr_cpuid {
	uint8_t msr; /* enum vcpu_msr */
	uint8_t reg; /* 0-3: EAX to EDX */
	uint8_t bit;
	uint8_t subleaf;
	uint32_t leaf;
};

static const struct msr_cpuid announced[] = {
	{VCPU_MSR_SPEC_CTRL, 3, 26, 0, 7},
	{VCPU_MSR_SPEC_CTRL, 3, 27, 0, 7},
	{VCPU_MSR_SPEC_CTRL, 3, 31, 0, 7},
	{VCPU_MSR_SPEC_CTRL, 1, 14, 0, 0x80000008},
	{VCPU_MSR_SPEC_CTRL, 1, 15, 0, 0x80000008},
	{VCPU_MSR_SPEC_CTRL, 1, 24, 0, 0x80000008},
	{VCPU_MSR_VIRT_SPEC_CTRL, 1, 25, 0, 0x80000008},
	{VCPU_MSR_XSS, 0, 3, 1, 0xd},
	{VCPU_MSR_XFD, 0, 4, 1, 0xd},
	{VCPU_MSR_XFD_ERR, 0, 4, 1, 0xd},
	{VCPU_MSR_BNDCFGS, 1, 14, 0, 7},
	{VCPU_MSR_UMWAIT_CONTROL, 2, 5, 0, 7},
};

_Static_assert(VCPU_MSR_COUNT == 20, "a new MSR: add the CPUID bits that enumerate it");

static bool listed(const struct kvm_msr_list *list, uint32_t msr)
{
	for (uint32_t i = 0; i < list->nmsrs; i++)
		if (list->indices[i] == msr)
			return true;
	return false;
}

/*
 * Whether VPs have the MSR: by their CPUID, or, for an MSR that no CPUID bit enumerates, by KVM's
 * list of MSRs. KVM does not list DEBUGCTL, which each CPU has; bits_taken() finds its bits.
 */
static bool is_announced(const struct vkvm_backend *backend, const struct kvm_msr_list *list,
			 unsigned int msr)
{
	bool by_cpuid = false;

	for (size_t i = 0; i < ARRAY_SIZE(announced); i++) {
		const struct msr_cpuid *row = &announced[i];
		const struct kvm_cpuid_entry2 *entry;

		if (row->msr != msr)
			continue;
		by_cpuid = true;
		entry = vkvm_cpuid_find(backend->cpuid, row->leaf, row->subleaf);
		if (entry) {
			const uint32_t value[] = {entry->eax, entry->ebx, entry->ecx, entry->edx};

			if (value[row->reg] >> row->bit & 1)
				return true;
		}
	}
	return !by_cpuid && (msr == VCPU_MSR_DEBUGCTL || listed(list, number[msr]));
}

/*
 * Finds the bits that KVM accepts and stores, one at a time: some bits of DEBUGCTL are accepted and
 * ignored. Bits of BNDCFGS above the page offset are an address.
 */
static uint64_t bits_taken(int vcpu, unsigned int msr)
{
	struct msr_batch one = {.count = 1, .entry[0] = {.index = number[msr]}};
	uint64_t taken = 0;

	if (vkvm_ioctl(vcpu, KVM_GET_MSRS, &one) != 1)
		return 0;
	for (unsigned int bit = 0; bit < 64; bit++) {
		const uint64_t value = UINT64_C(1) << bit;

		one.entry[0].data = value;
		if (vkvm_ioctl(vcpu, KVM_SET_MSRS, &one) == 1 &&
		    vkvm_ioctl(vcpu, KVM_GET_MSRS, &one) == 1 && one.entry[0].data == value)
			taken |= value;
	}
	if (msr == VCPU_MSR_BNDCFGS && taken)
		taken |= ~UINT64_C(0xfff);
	return taken;
}

/* Tries MSRs on a temporary virtual machine with the CPUID of VPs. */
static int find_optional(struct vkvm_backend *backend, const struct kvm_msr_list *list)
{
	int vm = vkvm_ioctl(backend->kvm, KVM_CREATE_VM, NULL);
	int vcpu = vm < 0 ? vm : vkvm_ioctl(vm, KVM_CREATE_VCPU, NULL);
	int error = vcpu < 0 ? vcpu : vkvm_ioctl(vcpu, KVM_SET_CPUID2, backend->cpuid);

	for (unsigned int i = VCPU_MSR_OPTIONAL; i < VCPU_MSR_COUNT && !error; i++)
		if (is_announced(backend, list, i))
			backend->features.msr_valid[i] = bits_taken(vcpu, i);
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	return error ? vsm_error(backend->log, -error,
				 "kvm: creating a temporary VM to test MSRs: %s", strerror(-error))
		     : 0;
}

static int find(struct vkvm_backend *backend, const struct kvm_msr_list *list)
{
	int error = find_optional(backend, list);

	for (uint8_t i = 0; i < VCPU_MSR_COUNT && !error; i++) {
		/* Every KVM has PAT, in the list or not. */
		if (i < VCPU_MSR_OPTIONAL ? i != VCPU_MSR_PAT && !listed(list, number[i])
					  : !backend->features.msr_valid[i])
			continue;
		if (i < VCPU_MSR_OPTIONAL)
			backend->features.msr_valid[i] = UINT64_MAX;
		backend->msr_index[backend->msr_count] = number[i];
		backend->msr_place[backend->msr_count++] = i;
	}
	return error;
}

int vkvm_msr_find(struct vkvm_backend *backend)
{
	struct kvm_msr_list count = {0};
	struct kvm_msr_list *list;
	int error = vkvm_ioctl(backend->kvm, KVM_GET_MSR_INDEX_LIST, &count);

	if (error && error != -E2BIG)
		return vsm_error(backend->log, -error, "KVM_GET_MSR_INDEX_LIST: %s",
				 strerror(-error));
	list = calloc(1, sizeof(*list) + count.nmsrs * sizeof(list->indices[0]));
	if (!list)
		return vsm_error(backend->log, ENOMEM, "kvm: no memory for the list of MSRs");
	list->nmsrs = count.nmsrs;
	error = vkvm_ioctl(backend->kvm, KVM_GET_MSR_INDEX_LIST, list);
	if (error)
		vsm_error(backend->log, -error, "KVM_GET_MSR_INDEX_LIST: %s", strerror(-error));
	else
		error = find(backend, list);
	free(list);
	return error;
}

int vkvm_msr_load(struct vcpu *vcpu)
{
	const struct vkvm_backend *backend = vcpu->vp->backend;
	struct msr_batch batch = {.count = backend->msr_count};
	int done;

	for (uint32_t i = 0; i < backend->msr_count; i++)
		batch.entry[i].index = backend->msr_index[i];
	done = vkvm_ioctl(vcpu->fd, KVM_GET_MSRS, &batch);
	if (done < 0)
		return done;
	for (uint32_t i = 0; i < (uint32_t)done; i++)
		vcpu->state->msr[backend->msr_place[i]] = batch.entry[i].data;
	return (uint32_t)done == backend->msr_count ? 0 : -EIO;
}

int vkvm_msr_store(struct vcpu *vcpu)
{
	const struct vkvm_backend *backend = vcpu->vp->backend;
	struct msr_batch batch = {.count = backend->msr_count};
	int done;

	for (uint32_t i = 0; i < backend->msr_count; i++) {
		batch.entry[i].index = backend->msr_index[i];
		batch.entry[i].data = vcpu->state->msr[backend->msr_place[i]];
	}
	done = vkvm_ioctl(vcpu->fd, KVM_SET_MSRS, &batch);
	if (done < 0)
		return done;
	return (uint32_t)done == backend->msr_count ? 0 : -EINVAL;
}

/* The checks of a WRMSR to EFER, which KVM_SET_MSRS does not make. */
static bool efer_legal(struct vcpu *vcpu, uint64_t value)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;

	if (value & ~vcpu->vp->backend->features.efer_valid)
		return false;
	return !(sregs->cr0 & X64_CR0_PG) || !((sregs->efer ^ value) & X64_EFER_LME);
}

bool vkvm_msr_native(struct vcpu *vcpu, uint32_t msr, bool write, uint64_t *value)
{
	struct msr_batch one = {.count = 1, .entry[0] = {.index = msr, .data = *value}};

	if (write && msr == X64_MSR_EFER) {
		if (!efer_legal(vcpu, *value))
			return false;
		one.entry[0].data = (*value & ~X64_EFER_LMA) | vcpu->efer_forced |
				    (vcpu->run->s.regs.sregs.efer & X64_EFER_LMA);
	}
	if (vkvm_ioctl(vcpu->fd, write ? KVM_SET_MSRS : KVM_GET_MSRS, &one) != 1)
		return false;
	*value = one.entry[0].data & ~(msr == X64_MSR_EFER ? vcpu->efer_forced : 0);
	return true;
}
