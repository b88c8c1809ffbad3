/* SPDX-License-Identifier: BSD-2-Clause */
#include "raw_kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_PAGE (UINT64_C(2) << 20)

const struct kvm_segment raw_kvm_code_64 = {
	.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
const struct kvm_segment raw_kvm_code_32 = {
	.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1};
const struct kvm_segment raw_kvm_data = {
	.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};

bool raw_kvm_force_emulation(const char *value)
{
	int fd = open("/sys/module/kvm/parameters/force_emulation_prefix", O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, value, 1) == 1;

	if (fd >= 0)
		close(fd);
	return ok;
}

void raw_kvm_require(bool ok, const char *what)
{
	if (ok)
		return;
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

bool raw_kvm_open(struct raw_kvm *kvm)
{
	*kvm = (struct raw_kvm){.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), .vm = -1};
	return kvm->kvm >= 0;
}

void raw_kvm_create_vm(struct raw_kvm *kvm)
{
	kvm->vm = ioctl(kvm->kvm, KVM_CREATE_VM, 0);
	raw_kvm_require(kvm->vm >= 0, "KVM_CREATE_VM");
	ioctl(kvm->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul); /* needed only on VMX */
}

void raw_kvm_create(struct raw_kvm *kvm)
{
	raw_kvm_require(raw_kvm_open(kvm), "/dev/kvm");
	raw_kvm_create_vm(kvm);
}

void raw_kvm_destroy(struct raw_kvm *kvm)
{
	const long run_size = ioctl(kvm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	for (unsigned int i = 0; i < kvm->vcpus; i++) {
		munmap(kvm->vcpu[i].run, (size_t)run_size);
		close(kvm->vcpu[i].fd);
	}
	if (kvm->vm >= 0)
		close(kvm->vm);
	if (kvm->kvm >= 0)
		close(kvm->kvm);
	if (kvm->ram)
		munmap(kvm->ram, kvm->ram_size);
}

void raw_kvm_enable(const struct raw_kvm *kvm, uint32_t capability, uint64_t argument)
{
	const struct kvm_enable_cap enable = {.cap = capability, .args = {argument}};

	raw_kvm_require(!ioctl(kvm->vm, KVM_ENABLE_CAP, &enable), "KVM_ENABLE_CAP");
}

void raw_kvm_map(const struct raw_kvm *kvm, uint32_t slot, uint64_t gpa, void *memory,
		 uint64_t size)
{
	const struct kvm_userspace_memory_region region = {.slot = slot,
							   .guest_phys_addr = gpa,
							   .memory_size = size,
							   .userspace_addr = (uintptr_t)memory};

	raw_kvm_require(!ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &region),
			"KVM_SET_USER_MEMORY_REGION");
}

void raw_kvm_add_ram(struct raw_kvm *kvm, uint64_t size)
{
	size_t skipped;

	kvm->ram = mmap(NULL, size + LARGE_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	raw_kvm_require(kvm->ram != MAP_FAILED, "guest RAM");
	skipped = -(uintptr_t)kvm->ram % LARGE_PAGE;
	if (skipped)
		munmap(kvm->ram, skipped);
	kvm->ram += skipped;
	kvm->ram_size = size;
	munmap(kvm->ram + size, LARGE_PAGE - skipped);
	madvise(kvm->ram, size, MADV_HUGEPAGE);
	raw_kvm_map(kvm, 0, 0, kvm->ram, size);
}

void raw_kvm_put(const struct raw_kvm *kvm, uint64_t gpa, uint64_t value)
{
	memcpy(kvm->ram + gpa, &value, sizeof(value));
}

void raw_kvm_get_cpuid(const struct raw_kvm *kvm, struct raw_kvm_cpuid *cpuid)
{
	memset(cpuid, 0, sizeof(*cpuid));
	cpuid->head.nent = RAW_KVM_CPUID_MAX;
	raw_kvm_require(!ioctl(kvm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid),
			"KVM_GET_SUPPORTED_CPUID");
}

struct raw_vcpu *raw_kvm_add_vcpu(struct raw_kvm *kvm, const struct raw_kvm_cpuid *cpuid)
{
	struct raw_vcpu *vcpu = &kvm->vcpu[kvm->vcpus];
	const long size = ioctl(kvm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct raw_kvm_cpuid supported;

	raw_kvm_require(kvm->vcpus < RAW_KVM_VCPUS && size >= (long)sizeof(*vcpu->run),
			"one more vCPU");
	vcpu->fd = ioctl(kvm->vm, KVM_CREATE_VCPU, kvm->vcpus++);
	raw_kvm_require(vcpu->fd >= 0, "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	raw_kvm_require(vcpu->run != MAP_FAILED, "mmap of a vCPU");
	if (!cpuid) {
		raw_kvm_get_cpuid(kvm, &supported);
		cpuid = &supported;
	}
	raw_kvm_require(!ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
	return vcpu;
}

struct kvm_sregs raw_kvm_sregs(const struct raw_vcpu *vcpu)
{
	struct kvm_sregs sregs;

	raw_kvm_require(!ioctl(vcpu->fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	return sregs;
}

void raw_kvm_set_sregs(const struct raw_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	raw_kvm_require(!ioctl(vcpu->fd, KVM_SET_SREGS, sregs), "KVM_SET_SREGS");
}

void raw_kvm_set_regs(struct raw_vcpu *vcpu, const struct kvm_regs *regs)
{
	vcpu->regs = *regs;
	raw_kvm_require(!ioctl(vcpu->fd, KVM_SET_REGS, regs), "KVM_SET_REGS");
}

void raw_kvm_flat_32(const struct raw_kvm *kvm, const struct raw_vcpu *vcpu, uint64_t gdt,
		     uint64_t idt)
{
	struct kvm_sregs sregs = raw_kvm_sregs(vcpu);

	raw_kvm_put(kvm, gdt, 0);
	raw_kvm_put(kvm, gdt + 8, 0x00cf9b000000ffff);
	raw_kvm_put(kvm, gdt + 16, 0x00cf93000000ffff);
	sregs.cs = raw_kvm_code_32;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = raw_kvm_data;
	sregs.gdt = (struct kvm_dtable){.base = gdt, .limit = 23};
	sregs.idt = (struct kvm_dtable){.base = idt, .limit = 256 * 8 - 1};
	sregs.cr0 |= 1;
	raw_kvm_set_sregs(vcpu, &sregs);
}

void raw_kvm_gate_32(const struct raw_kvm *kvm, uint64_t idt, unsigned int vector, uint32_t handler)
{
	raw_kvm_put(kvm, idt + 8 * (uint64_t)vector,
		    (handler & 0xffff) | 8u << 16 | UINT64_C(0x8e00) << 32 |
			    (uint64_t)(handler >> 16) << 48);
}
