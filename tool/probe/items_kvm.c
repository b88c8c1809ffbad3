/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi.h"
#include "array.h"

#include "probe.h"

#define ITEM(check_, id_, title_, number_, want_, need_, purpose_, cost_, remedy_)          \
	{                                                                                   \
		.id = "kvm." id_, .title = title_, .purpose = purpose_, .cost = cost_,      \
		.remedy = remedy_, .need = need_, .after = PROBE_AFTER_VM, .check = check_, \
		.number = number_, .want = want_                                            \
	}
#define CAPABILITY(...)	     ITEM(check_capability, __VA_ARGS__)
#define CAPABILITY_BITS(...) ITEM(check_capability_bits, __VA_ARGS__)

#define NOTHING "nothing runs"
#define BASE	"Linux 5.10 or newer." /* of the parts that need no newer one */

#define KERNEL_PART                                                                   \
	"The kernel part; no stock kernel has it. To build and load it: " VSM_DOC_DIR \
	"/kernel/INSTALL.md"

static const struct probe_item items[] = {
	{
		.id = "kvm.device",
		.title = "/dev/kvm",
		.purpose = "access to KVM",
		.cost = NOTHING,
		.remedy = "Load KVM (`modprobe kvm_intel` or `modprobe kvm_amd`) on a machine with "
			  "VMX or SVM; in a container, pass the device (--device /dev/kvm).",
		.need = PROBE_REQUIRED,
		.check = check_kvm_device,
	},
	{
		.id = "kvm.api",
		.title = "KVM API",
		.purpose = "version 12 is the stable API",
		.cost = NOTHING,
		.remedy = BASE,
		.need = PROBE_REQUIRED,
		.after = PROBE_AFTER_KVM,
		.check = check_kvm_api,
		.want = KVM_API_VERSION,
	},
	{
		.id = "kvm.vm",
		.title = "virtual machines",
		.purpose = "each VTL has its own virtual machine",
		.cost = NOTHING,
		.remedy = "See the kernel's log for KVM's messages.",
		.need = PROBE_REQUIRED,
		.after = PROBE_AFTER_KVM,
		.check = check_kvm_vm,
	},
	CAPABILITY("user_memory", "guest RAM from user space", KVM_CAP_USER_MEMORY, 1,
		   PROBE_REQUIRED, "each VTL has its own mapping of the same RAM", NOTHING, BASE),
	CAPABILITY("memslots", "memory slots", KVM_CAP_NR_MEMSLOTS, 32, PROBE_REQUIRED,
		   "RAM below and above 4 GiB, ROM, and what a VMM adds", NOTHING, BASE),
	CAPABILITY("vcpus", "virtual processors", KVM_CAP_MAX_VCPUS, 2, PROBE_WANTED,
		   "the most VPs of a partition, as each VTL has a vCPU for each VP",
		   "partitions of one VP only", BASE),
	CAPABILITY("immediate_exit", "immediate exit", KVM_CAP_IMMEDIATE_EXIT, 1, PROBE_REQUIRED,
		   "stops a vCPU without a race, and completes an exit without running the guest",
		   NOTHING, BASE),
	CAPABILITY_BITS("sync_regs", "synchronised registers", KVM_CAP_SYNC_REGS,
			KVM_SYNC_X86_VALID_FIELDS, PROBE_REQUIRED,
			"GPRs, segments and events move between VTLs without a system call",
			NOTHING, BASE),
	CAPABILITY("msr_exits", "MSRs in user space", KVM_CAP_X86_USER_SPACE_MSR, 1, PROBE_REQUIRED,
		   "libvsm emulates Hyper-V's synthetic MSRs and the x2APIC's", NOTHING, BASE),
	CAPABILITY("msr_filter", "MSR filter", KVM_CAP_X86_MSR_FILTER, 1, PROBE_REQUIRED,
		   "disables KVM's own emulation of Hyper-V MSRs, the APIC base and the TSC",
		   NOTHING, BASE),
	CAPABILITY("pv_features", "KVM's own interfaces by CPUID", KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
		   1, PROBE_REQUIRED, "disables KVM's own hypercalls and MSRs", NOTHING, BASE),
	CAPABILITY("tsc_attributes", "TSC of a vCPU", KVM_CAP_VCPU_ATTRIBUTES, 1, PROBE_REQUIRED,
		   "gives the VTLs of a VP the same TSC", NOTHING, "Linux 5.16 or newer."),
	CAPABILITY("cpuid", "CPUID of our choice", KVM_CAP_EXT_CPUID, 1, PROBE_REQUIRED,
		   "offers the Hyper-V interface to the guest", NOTHING, BASE),
	CAPABILITY("vcpu_events", "vCPU events", KVM_CAP_VCPU_EVENTS, 1, PROBE_REQUIRED,
		   "exceptions, interrupts and NMIs that are being delivered stay with their VTL",
		   NOTHING, BASE),
	CAPABILITY("exception_payload", "exception payload", KVM_CAP_EXCEPTION_PAYLOAD, 1,
		   PROBE_REQUIRED, "CR2 and DR6 change when #PF and #DB are delivered, not before",
		   NOTHING, BASE),
	CAPABILITY("nmi", "NMI", KVM_CAP_USER_NMI, 1, PROBE_REQUIRED,
		   "our local APIC delivers NMIs", NOTHING, BASE),
	CAPABILITY("xsave", "XSAVE state", KVM_CAP_XSAVE, 1, PROBE_REQUIRED,
		   "x87, SSE and AVX are shared by the VTLs of a VP", NOTHING, BASE),
	CAPABILITY("xsave2", "XSAVE state of any size", KVM_CAP_XSAVE2, 4096, PROBE_WANTED,
		   "the same for AMX, whose state is over 4 KiB (the value is its size in bytes)",
		   "AMX cannot be offered to guests", "Linux 5.17 or newer."),
	CAPABILITY("xcrs", "XCR0", KVM_CAP_XCRS, 1, PROBE_REQUIRED, "shared by the VTLs of a VP",
		   NOTHING, BASE),
	CAPABILITY("debugregs", "debug registers", KVM_CAP_DEBUGREGS, 1, PROBE_REQUIRED,
		   "DR0 to DR3 are shared by the VTLs of a VP", NOTHING, BASE),
	CAPABILITY("readonly_memory", "read-only memory slots", KVM_CAP_READONLY_MEM, 1,
		   PROBE_WANTED, "ROM of a VMM", "ROM can be written by the guest", BASE),
	CAPABILITY_BITS("quirks", "quirks can be switched off", KVM_CAP_DISABLE_QUIRKS2,
			KVM_X86_QUIRK_FIX_HYPERCALL_INSN | KVM_X86_QUIRK_OUT_7E_INC_RIP,
			PROBE_WANTED,
			"KVM must not rewrite a foreign VMCALL in guest memory; the quirk of port "
			"0x7e stays on",
			"KVM may write into a guest's code when it executes the other vendor's "
			"hypercall instruction",
			"Linux 5.19 or newer."),
	{
		.id = "kvm.hypercall",
		.title = "raw VMCALL and VMMCALL",
		.purpose = "with KVM's support for Xen they exit to user space",
		.cost = "only guests that call through the hypercall page, as all known ones do, "
			"can "
			"make hypercalls",
		.remedy = "Linux 5.12 or newer with CONFIG_KVM_XEN.",
		.need = PROBE_OPTIONAL,
		.after = PROBE_AFTER_VM,
		.check = check_xen,
		.number = KVM_CAP_XEN_HVM,
		.want = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL,
	},
	CAPABILITY_BITS("memory_attributes", "no-read, no-write and no-execute in KVM",
			KVM_CAP_ACCESS, KVM_ACCESS_MASK, PROBE_OPTIONAL,
			"protections that KVM itself enforces, with our kernel part",
			"no execute protection; reads and writes are protected without it",
			KERNEL_PART),
	CAPABILITY_BITS("register_exits", "exits on writes of registers", KVM_CAP_WRITE_EXITS,
			KVM_WRITE_EXIT_MASK, PROBE_OPTIONAL,
			"VTL1 watches CR0, CR4, XCR0 and descriptor tables of VTL0, with our "
			"kernel part",
			"such intercepts are refused; those of MSRs work without it", KERNEL_PART),
	CAPABILITY("shared_fpu", "shared FPU registers", KVM_CAP_SHARED_FPU, 1, PROBE_OPTIONAL,
		   "the VTLs of a VP share x87, SSE and AVX in KVM, with our kernel part",
		   "a VTL switch reads the XSAVE area, and takes a seventh longer", KERNEL_PART),
	CAPABILITY("memory_fault", "memory fault exit", KVM_CAP_MEMORY_FAULT_INFO, 1,
		   PROBE_OPTIONAL, "names the address of some failed accesses",
		   "a failed access of that kind is reported without an address",
		   "Linux 6.8 or newer."),
	CAPABILITY("address_spaces", "more than one address space", KVM_CAP_MULTI_ADDRESS_SPACE, 2,
		   PROBE_OPTIONAL, "system management mode has its own address space",
		   "guests without system management mode", "A kernel with CONFIG_KVM_SMM."),
	CAPABILITY("split_irqchip", "split interrupt controller", KVM_CAP_SPLIT_IRQCHIP, 1,
		   PROBE_OPTIONAL, "lets the kernel emulate the local APIC of VTL0",
		   "nothing: libvsm emulates the local APICs", BASE),
	CAPABILITY("statistics", "binary statistics", KVM_CAP_BINARY_STATS_FD, 1, PROBE_OPTIONAL,
		   "benchmarks and traces count huge pages and exits",
		   "these counts are missing from reports", "Linux 5.14 or newer."),
};

const struct probe_group probe_group_kvm = {
	.title = "KVM",
	.items = items,
	.count = ARRAY_SIZE(items),
};
