/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Behaviour of the host, as observed by self-tests. Each runs in a child process with a time limit.
 */
#include "probe.h"
#include "array.h"
#include "selftest.h"

#define ANOTHER_KVM                                                                              \
	"Another kernel, or kvm_intel or kvm_amd on a real processor; a report of this host is " \
	"welcome."

#define VCPU_TEST(id_, title_, purpose_, cost_, need_, remedy_, test_)                          \
	{                                                                                       \
		.id = "live." id_, .title = title_, .purpose = purpose_, .cost = cost_,         \
		.remedy = remedy_, .need = need_, .after = PROBE_AFTER_VM, .check = check_live, \
		.selftest = test_                                                               \
	}

#define UFFD_TEST(id_, title_, purpose_, cost_, need_, remedy_, after_, test_)          \
	{                                                                               \
		.id = "live." id_, .title = title_, .purpose = purpose_, .cost = cost_, \
		.remedy = remedy_, .need = need_, .after = after_, .check = check_live, \
		.selftest = test_                                                       \
	}

static const struct probe_item items[] = {
	VCPU_TEST("port_7e", "OUT to port 0x7e leaves RIP after the instruction",
		  "hypercalls and VTL calls exit by this instruction", "no hypercall works",
		  PROBE_REQUIRED, ANOTHER_KVM, selftest_port_7e),
	VCPU_TEST("sync_regs", "registers are in the run page",
		  "a VTL switch moves the registers without a system call", "no VTL switch works",
		  PROBE_REQUIRED, ANOTHER_KVM, selftest_sync_regs),
	VCPU_TEST("msr_filter", "accesses to synthetic MSRs exit to user space",
		  "libvsm emulates Hyper-V's MSRs (guest OS ID, hypercall page, SynIC, timers)",
		  "no guest finds its hypervisor", PROBE_REQUIRED, ANOTHER_KVM,
		  selftest_msr_filter),
	VCPU_TEST("cpuid", "the guest sees our CPUID leaves",
		  "the Hyper-V interface is offered by CPUID 0x40000000 and on",
		  "no guest finds its hypervisor", PROBE_REQUIRED, ANOTHER_KVM, selftest_cpuid),
	VCPU_TEST("apic_page", "accesses to the APIC page exit to user space",
		  "libvsm emulates the local APIC of every VTL", "no interrupts", PROBE_REQUIRED,
		  ANOTHER_KVM, selftest_apic_page),
	VCPU_TEST("tsc_offset", "two VMs show the same TSC",
		  "time continues evenly when a VP switches to another VTL",
		  "a guest's TSC jumps at a VTL switch", PROBE_WANTED, ANOTHER_KVM,
		  selftest_tsc_offset),
	VCPU_TEST("hypercall", "VMCALL or VMMCALL exits to user space",
		  "hypercalls of guests that do not use the hypercall page",
		  "such guests cannot make hypercalls; those that use the page, as all known ones "
		  "do, can",
		  PROBE_OPTIONAL, "Linux 5.12 or newer with CONFIG_KVM_XEN.", selftest_hypercall),
	VCPU_TEST("restrictions", "KVM denies restricted accesses, at the instruction",
		  "protections by our kernel part: of reads, of writes, and of execution alone",
		  "no execute protection; reads and writes are protected without it",
		  PROBE_OPTIONAL,
		  "The kernel part. To build and load it: " VSM_DOC_DIR "/kernel/INSTALL.md",
		  selftest_restrictions),
	VCPU_TEST(
		"nested", "KVM's nested SVM denies accesses, at the instruction",
		"protections by engine nested on an unmodified kernel: of reads, of writes, and of "
		"execution alone",
		"without the kernel part no execute protection; engine nested is refused",
		PROBE_OPTIONAL,
		"An AMD processor, Linux 6.11 or newer, kvm_amd loaded with nested=1; in a "
		"virtual machine, SVM in its CPUID.",
		selftest_nested),
	UFFD_TEST("user_write_protect", "a denied write is reported",
		  "the basis of no-write protection, tested with a thread of the probe",
		  "no no-write protection", PROBE_WANTED, "Linux 5.19 or newer.", PROBE_AFTER_UFFD,
		  selftest_user_write_protect),
	UFFD_TEST("user_minor", "an access to an unmapped page is reported",
		  "the basis of no-access protection, tested with a thread of the probe",
		  "no no-access protection", PROBE_WANTED, "Linux 5.14 or newer.", PROBE_AFTER_UFFD,
		  selftest_user_minor),
	UFFD_TEST("user_continue_protected", "a page is mapped again write-protected",
		  "no-access becomes read-only without a moment in which writes succeed; a kernel "
		  "that has it can interrupt a vCPU that waits for a page",
		  "without the kernel part nothing runs, as a violation would hang its VP",
		  PROBE_REQUIRED, "Linux 6.4 or newer.", PROBE_AFTER_UFFD,
		  selftest_user_continue_protected),
	UFFD_TEST("no_write", "a denied write stops the vCPU at the instruction",
		  "no-write protection: a violation is reported before it has an effect",
		  "no-write violations are not reported precisely", PROBE_WANTED, ANOTHER_KVM,
		  PROBE_AFTER_VM_UFFD, selftest_no_write),
	UFFD_TEST("no_access", "a denied read stops the vCPU at the instruction",
		  "no-access protection: a violation is reported before it has an effect",
		  "no-access violations are not reported precisely", PROBE_WANTED, ANOTHER_KVM,
		  PROBE_AFTER_VM_UFFD, selftest_no_access),
	UFFD_TEST("never_hang", "an access that KVM makes itself can be refused",
		  "an instruction that KVM emulates cannot hang a VP on a protected page",
		  "a guest can hang a VP: protections are not offered", PROBE_WANTED, ANOTHER_KVM,
		  PROBE_AFTER_VM_UFFD, selftest_never_hang),
};

const struct probe_group probe_group_live = {
	.title = "Self-tests",
	.items = items,
	.count = ARRAY_SIZE(items),
};
