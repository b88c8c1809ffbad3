/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the features of the host's KVM at creation; logs each row of the table that it lacks. */
#include <asm/kvm.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "kvm/backend.h"

#define API_VERSION 12

enum need {
	NEEDED,
	WANTED,
};

/* The result of KVM_CHECK_EXTENSION must be above 0, and have all bits of @mask. */
struct requirement {
	int extension;
	unsigned int mask;
	enum need need;
	const char *name;
	const char *consequence;
};

#define SYNC_GROUPS (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

static const struct requirement table[] = {
	{KVM_CAP_USER_MEMORY, 0, NEEDED, "KVM_CAP_USER_MEMORY", "no guest memory"},
	{KVM_CAP_IMMEDIATE_EXIT, 0, NEEDED, "KVM_CAP_IMMEDIATE_EXIT",
	 "a VP cannot be stopped (Linux 4.13)"},
	{KVM_CAP_SYNC_REGS, SYNC_GROUPS, NEEDED, "KVM_CAP_SYNC_REGS",
	 "registers cannot be moved between VTLs (Linux 4.18)"},
	{KVM_CAP_X86_USER_SPACE_MSR, 0, NEEDED, "KVM_CAP_X86_USER_SPACE_MSR",
	 "KVM would handle synthetic MSRs (Linux 5.10)"},
	{KVM_CAP_X86_MSR_FILTER, 0, NEEDED, "KVM_CAP_X86_MSR_FILTER",
	 "KVM would handle synthetic MSRs (Linux 5.10)"},
	{KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 0, NEEDED, "KVM_CAP_ENFORCE_PV_FEATURE_CPUID",
	 "KVM's own interfaces would be open to the guest (Linux 5.10)"},
	{KVM_CAP_EXCEPTION_PAYLOAD, 0, NEEDED, "KVM_CAP_EXCEPTION_PAYLOAD",
	 "injected exceptions would change CR2 or DR6 too early (Linux 5.0)"},
	{KVM_CAP_VCPU_ATTRIBUTES, 0, NEEDED, "KVM_CAP_VCPU_ATTRIBUTES",
	 "VTLs would have different TSCs (Linux 5.16)"},
	{KVM_CAP_XSAVE, 0, NEEDED, "KVM_CAP_XSAVE", "SSE state cannot be moved between VTLs"},
	{KVM_CAP_XCRS, 0, NEEDED, "KVM_CAP_XCRS", "XCR0 cannot be moved between VTLs"},
	{KVM_CAP_DEBUGREGS, 0, NEEDED, "KVM_CAP_DEBUGREGS",
	 "debug registers cannot be moved between VTLs"},
	{KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_FIX_HYPERCALL_INSN, WANTED,
	 "KVM_CAP_DISABLE_QUIRKS2",
	 "KVM may rewrite VMCALL in guest memory, also in memory that is protected (Linux 5.19)"},
};

static int check(const struct vkvm_backend *backend, int extension)
{
	return vkvm_ioctl(backend->kvm, KVM_CHECK_EXTENSION, (void *)(intptr_t)extension);
}

static int check_table(const struct vkvm_backend *backend)
{
	int missing = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct requirement *line = &table[i];
		int value = check(backend, line->extension);
		bool have = line->mask
				    ? value > 0 && ((unsigned int)value & line->mask) == line->mask
				    : value > 0;

		if (have)
			continue;
		missing += line->need == NEEDED;
		vsm_log(backend->log, line->need == NEEDED ? VSM_LOG_ERROR : VSM_LOG_WARN,
			"this KVM lacks %s: %s", line->name, line->consequence);
	}
	return missing;
}

static bool large_pages(void)
{
	char text[128] = "";
	int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < size; i++)
		if (text[i] == '[')
			return text[i + 1] == 'a' || text[i + 1] == 'w' || text[i + 1] == 'f';
	return false;
}

/* Features that a temporary vCPU reports. */
static int measure(struct vkvm_backend *backend)
{
	struct kvm_device_attr attribute = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
	};
	int vm = vkvm_ioctl(backend->kvm, KVM_CREATE_VM, NULL);
	int vcpu = vm < 0 ? vm : vkvm_ioctl(vm, KVM_CREATE_VCPU, NULL);
	int khz = vcpu < 0 ? vcpu : vkvm_ioctl(vcpu, KVM_GET_TSC_KHZ, NULL);
	int tsc = vcpu < 0 ? vcpu : vkvm_ioctl(vcpu, KVM_HAS_DEVICE_ATTR, &attribute);

	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	if (vcpu < 0)
		return vsm_error(backend->log, -vcpu,
				 vcpu == -EBUSY ? "another hypervisor uses the CPU's virtualisation"
						: "kvm: a virtual machine cannot be created");
	if (tsc)
		return vsm_error(backend->log, ENOTSUP,
				 "this KVM cannot set the TSC of a vCPU: use Linux 5.16 or later");
	if (khz <= 0)
		return vsm_error(backend->log, ENOTSUP,
				 "this KVM does not report the rate of the TSC");
	backend->features.tsc_hz = (uint64_t)khz * 1000;
	return 0;
}

int capability_find(struct vkvm_backend *backend)
{
	const struct vsm_log *log = backend->log;
	struct capability *can = &backend->can;
	int version = vkvm_ioctl(backend->kvm, KVM_GET_API_VERSION, NULL);
	int value;

	if (version != API_VERSION)
		return vsm_error(log, ENOTSUP, "/dev/kvm has API version %d, not %d", version,
				 API_VERSION);
	if (check_table(backend))
		return vsm_error(log, ENOTSUP,
				 "the kernel is too old for VTLs: use Linux 6.4 or later");

	value = measure(backend);
	if (value)
		return value;
	value = check(backend, KVM_CAP_XSAVE2);
	can->xsave_size = value > (int)sizeof(struct kvm_xsave)
				  ? (uint32_t)value
				  : (uint32_t)sizeof(struct kvm_xsave);
	value = check(backend, KVM_CAP_NR_MEMSLOTS);
	can->memslots = value > 0 ? (uint32_t)value : 32;
	value = check(backend, KVM_CAP_DISABLE_QUIRKS2);
	can->quirks = value > 0 ? (uint32_t)value : 0;
	value = check(backend, KVM_CAP_XEN_HVM);
	can->xen_hypercall = value > 0 && value & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL;
	can->huge_pages = large_pages();
	if (!can->huge_pages)
		vsm_log(log, VSM_LOG_INFO,
			"guest memory gets small pages: write `advise` to "
			"/sys/kernel/mm/transparent_hugepage/shmem_enabled for large ones");

	backend->features.msr_intercepts = true;
	backend->features.hypercall[0] = 0xe6; /* out 0x7e, al */
	backend->features.hypercall[1] = VKVM_HYPERCALL_PORT;
	backend->features.hypercall_length = VKVM_HYPERCALL_LENGTH;
	return 0;
}
