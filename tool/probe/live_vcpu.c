/* SPDX-License-Identifier: BSD-2-Clause */
/* Self-tests: exits of a guest and their registers. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "guest.h"
#include "probe.h"

void selftest_port_7e(struct selftest *test)
{
	/* A different value in each register, and all arithmetic flags and DF. */
	struct kvm_regs before = {1,  2,  3,  4,  5,  6,  0x7000, 8,	      9,
				  10, 11, 12, 13, 14, 15, 16,	  GUEST_CODE, 0xcd7};
	struct kvm_regs after;
	struct probe_guest guest;

	if (!guest_make(&guest, test, &guest_port_7e) || !guest_set_regs(&guest, &before) ||
	    !guest_expect_done(&guest, "out to port 0x7e"))
		return;
	after = guest_regs(&guest);
	if (after.rip != GUEST_CODE + 2) {
		selftest_fail(test,
			      "RIP is %" PRId64 " bytes after the start of the instruction, not 2",
			      (int64_t)(after.rip - GUEST_CODE));
		return;
	}
	before.rip = after.rip;
	if (memcmp(&before, &after, sizeof(before)) != 0) {
		selftest_fail(test, "the registers changed");
		return;
	}
	/* A rep hypercall continues by executing the instruction again. */
	after.rip = GUEST_CODE;
	if (!guest_set_regs(&guest, &after) || !guest_expect_done(&guest, "the same out again"))
		return;
	if (guest_regs(&guest).rip != GUEST_CODE + 2) {
		selftest_fail(test, "the instruction is skipped when RIP is set back to it");
		return;
	}
	selftest_pass(test,
		      "RIP is after the instruction, registers are unchanged, it can be repeated");
}

void selftest_sync_regs(struct selftest *test)
{
	struct probe_guest guest;
	struct kvm_run *run;

	if (!guest_make(&guest, test, &guest_count))
		return;
	run = guest.run;
	run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	if (!guest_expect_done(&guest, "a first exit"))
		return;
	if (run->s.regs.regs.rip != GUEST_CODE + 2 || !(run->s.regs.sregs.efer & 0x400)) {
		selftest_fail(test, "kvm_run has no registers after an exit");
		return;
	}
	run->s.regs.regs.rbx = 41;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	if (!guest_expect_done(&guest, "a run with changed registers"))
		return;
	if (run->s.regs.regs.rbx != 42 || guest_regs(&guest).rbx != 42) {
		selftest_fail(test, "a register written to kvm_run is not loaded");
		return;
	}
	memset(&run->s.regs.regs, 0, sizeof(run->s.regs.regs));
	if (!guest_complete(&guest))
		return;
	if (run->s.regs.regs.rbx != 42) {
		selftest_fail(test, "kvm_run has no registers after an interrupted KVM_RUN");
		return;
	}
	selftest_pass(test, "read and written, also after an interrupted KVM_RUN");
}

static bool filter_msrs(struct probe_guest *guest)
{
	static const uint8_t none[0x2000 / 8]; /* a bit for each MSR; 0: exit */
	struct kvm_enable_cap exits = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = {KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
			 KVM_MSR_EXIT_REASON_FILTER},
	};
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] = {.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			      .base = 0x40000000,
			      .nmsrs = 0x2000,
			      .bitmap = (uint8_t *)none},
	};

	if (ioctl(guest->vm, KVM_ENABLE_CAP, &exits))
		return selftest_fail(guest->test, "KVM_CAP_X86_USER_SPACE_MSR: %s",
				     strerror(errno));
	if (ioctl(guest->vm, KVM_X86_SET_MSR_FILTER, &filter))
		return selftest_fail(guest->test, "KVM_X86_SET_MSR_FILTER: %s", strerror(errno));
	return true;
}

void selftest_msr_filter(struct selftest *test)
{
	const uint64_t value = 0x1122334455667788;
	struct kvm_regs regs;
	struct probe_guest guest;

	if (!guest_make(&guest, test, &guest_msr) || !filter_msrs(&guest) ||
	    !guest_expect(&guest, KVM_EXIT_X86_RDMSR, "rdmsr 0x40000000"))
		return;
	if (guest.run->msr.index != 0x40000000 ||
	    guest.run->msr.reason != KVM_MSR_EXIT_REASON_FILTER) {
		selftest_fail(test, "rdmsr: MSR %#x for reason %#x", guest.run->msr.index,
			      guest.run->msr.reason);
		return;
	}
	guest.run->msr.data = value;
	guest.run->msr.error = 0;
	if (!guest_expect(&guest, KVM_EXIT_X86_WRMSR, "wrmsr 0x40000000"))
		return;
	regs = guest_regs(&guest);
	if (regs.rax != (uint32_t)value || regs.rdx != value >> 32 ||
	    guest.run->msr.data != value) {
		selftest_fail(test,
			      "the data of kvm_run does not reach RAX and RDX, or those of WRMSR");
		return;
	}
	guest.run->msr.error = 0;
	if (guest_expect_done(&guest, "after wrmsr"))
		selftest_pass(test, "reads and writes of 0x40000000");
}

void selftest_cpuid(struct selftest *test)
{
	struct kvm_regs regs;
	struct probe_guest guest;
	char name[13] = "";

	if (!guest_make(&guest, test, &guest_cpuid) ||
	    !guest_expect_done(&guest, "cpuid 0x40000000"))
		return;
	regs = guest_regs(&guest);
	memcpy(name, &regs.rbx, 4);
	memcpy(name + 4, &regs.rcx, 4);
	memcpy(name + 8, &regs.rdx, 4);
	if (strcmp(name, "Microsoft Hv") == 0 && regs.rax == 0x40000001)
		selftest_pass(test, "'%s'", name);
	else
		selftest_fail(test, "leaf 0x40000000 shows '%.12s', highest leaf %#llx", name,
			      (unsigned long long)regs.rax);
}

void selftest_apic_page(struct selftest *test)
{
	const uint32_t version = 0x50014;
	const uint64_t address = GUEST_APIC + 0x30;
	struct kvm_regs regs;
	struct probe_guest guest;
	uint32_t written;

	if (!guest_make(&guest, test, &guest_apic))
		return;
	regs = guest_regs(&guest);
	regs.rdi = address;
	if (!guest_set_regs(&guest, &regs) ||
	    !guest_expect(&guest, KVM_EXIT_MMIO, "a read of the APIC page"))
		return;
	if (guest.run->mmio.phys_addr != address || guest.run->mmio.is_write ||
	    guest.run->mmio.len != 4) {
		selftest_fail(test, "the exit for a read has a wrong address, size or direction");
		return;
	}
	memcpy(guest.run->mmio.data, &version, sizeof(version));
	if (!guest_expect(&guest, KVM_EXIT_MMIO, "a write to the APIC page"))
		return;
	memcpy(&written, guest.run->mmio.data, sizeof(written));
	if (guest.run->mmio.phys_addr != address || !guest.run->mmio.is_write ||
	    written != version + 1) {
		selftest_fail(test, "the exit for a write has a wrong address, direction or value");
		return;
	}
	selftest_pass(test, "reads and writes");
}

static bool set_tsc_offset(struct probe_guest *guest, uint64_t offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&offset,
	};

	if (ioctl(guest->vcpu, KVM_SET_DEVICE_ATTR, &attr))
		return selftest_fail(guest->test, "the TSC offset cannot be set: %s",
				     strerror(errno));
	return true;
}

void selftest_tsc_offset(struct selftest *test)
{
	const unsigned int rounds = 200;
	uint64_t last = 0;
	struct probe_guest guest[2];

	for (size_t i = 0; i < 2; i++) {
		if (!guest_make(&guest[i], test, &guest_tsc) ||
		    !set_tsc_offset(&guest[i], -__builtin_ia32_rdtsc()))
			return;
	}
	/* The TSC must not decrease from one VM to the other. */
	if (!set_tsc_offset(&guest[0], 0) || !set_tsc_offset(&guest[1], 0))
		return;
	for (unsigned int i = 0; i < rounds; i++) {
		struct kvm_regs regs;
		uint64_t tsc;

		if (!guest_expect_done(&guest[i & 1], "rdtsc"))
			return;
		regs = guest_regs(&guest[i & 1]);
		tsc = regs.rdx << 32 | (uint32_t)regs.rax;
		if (tsc < last) {
			selftest_fail(test, "the TSC decreases by %" PRIu64 " between two VMs",
				      last - tsc);
			return;
		}
		last = tsc;
		regs.rip = GUEST_CODE;
		if (!guest_set_regs(&guest[i & 1], &regs))
			return;
	}
	selftest_pass(test, "%u readings in turn, none earlier than the one before", rounds);
}

void selftest_hypercall(struct selftest *test)
{
	struct kvm_xen_hvm_config config = {
		.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL,
		.msr = 0x40000200,
	};
	struct kvm_regs regs = {
		.rax = 0x1111, .rcx = 0x11, .rdx = 3, .r8 = 8, .rip = GUEST_CODE, .rflags = 2};
	uint32_t leaf[4];
	struct probe_guest guest;
	bool amd;

	/* Use the instruction of this CPU's vendor, since KVM may rewrite the other one. */
	test->env->cpuid(test->env, 0, leaf);
	amd = leaf[1] == 0x68747541; /* "Auth" */
	if (!guest_make(&guest, test, amd ? &guest_vmmcall : &guest_vmcall))
		return;
	if (ioctl(guest.vm, KVM_XEN_HVM_CONFIG, &config)) {
		selftest_fail(test, "KVM does not forward hypercalls: %s", strerror(errno));
		return;
	}
	if (!guest_set_regs(&guest, &regs) ||
	    !guest_expect(&guest, KVM_EXIT_XEN, amd ? "vmmcall" : "vmcall"))
		return;
	if (guest.run->xen.u.hcall.input != regs.rax || guest_regs(&guest).rip != GUEST_CODE) {
		selftest_fail(test, "the exit has another RAX, or RIP is not at the instruction");
		return;
	}
	/* KVM's completion must not change RAX or RIP. */
	regs = guest_regs(&guest);
	regs.rip += 3;
	regs.rax = 0x77;
	if (!guest_set_regs(&guest, &regs) || !guest_expect_done(&guest, "after the call"))
		return;
	if (guest_regs(&guest).rax != 0x77)
		selftest_fail(test, "RAX set after the hypercall is lost");
	else
		selftest_pass(test, "%s, with RIP at the instruction", amd ? "VMMCALL" : "VMCALL");
}
