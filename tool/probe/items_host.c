/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe.h"
#include "array.h"

static const struct probe_item items[] = {
	{
		.id = "host.virtualization",
		.title = "CPU virtualization",
		.purpose = "VMX or SVM executes the guest's instructions on the processor",
		.cost = "guest code runs on an emulator, if at all: slow, and not a reference",
		.remedy = "Turn VMX or SVM on in the firmware's set-up, or use another machine. "
			  "Tests "
			  "run without it in rig/run.",
		.need = PROBE_WANTED,
		.check = check_virtualization,
	},
	{
		.id = "host.kvm_kind",
		.title = "kind of KVM",
		.purpose =
			"only kvm_intel and kvm_amd stop a vCPU at the instruction that violates a "
			"protection",
		.cost = "protections only by engine slow; behaviour and figures of this host are "
			"no reference",
		.remedy = "Load kvm_intel or kvm_amd.",
		.need = PROBE_WANTED,
		.check = check_kvm_kind,
	},
	{
		.id = "host.kernel",
		.title = "Linux 6.4 or newer",
		.purpose = "a vCPU that waits for a page can be interrupted (6.2), and a page is "
			   "mapped again write-protected in one step (6.4)",
		.cost = "a denied access would hang its VP; without the kernel part no partition "
			"is created",
		.remedy = "A newer kernel: Debian 13 has one, Debian 12 has it in backports.",
		.need = PROBE_WANTED,
		.check = check_kernel,
		.want = 6 * 1000 + 4,
	},
	{
		.id = "host.memory",
		.title = "free memory",
		.purpose = "the guest's RAM, once for all of its VTLs (256 MiB is a small guest)",
		.cost = "guests may swap or be killed for lack of memory",
		.remedy = "Free memory, or give the guest less.",
		.need = PROBE_OPTIONAL,
		.check = check_ram,
		.want = 256 << 20,
	},
};

const struct probe_group probe_group_host = {
	.title = "The machine",
	.items = items,
	.count = ARRAY_SIZE(items),
};
