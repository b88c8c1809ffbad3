/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A self-test of the optional kernel part: KVM denies a restricted access without side effects, and
 * permits all others.
 */
#include "abi.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "array.h"
#include "guest.h"
#include "probe.h"

#define PAGE 4096u
#define RET  0xc3u

struct attempt {
	const char *name;
	const struct guest_program *program;
	uint32_t restrictions;
	uint64_t flag;
	bool fetch; /* RIP is in the page */
};

static bool restrict_page(struct probe_guest *guest, uint32_t restrictions)
{
	struct kvm_access_range range = {
		.address = GUEST_DATA,
		.size = PAGE,
		.restrictions = restrictions,
	};

	if (ioctl(guest->vm, KVM_SET_ACCESS_RANGE, &range))
		return selftest_fail(guest->test,
				     errno == ENOTTY || errno == EINVAL
					     ? "this KVM has no such call"
					     : "the page cannot be restricted: %s",
				     strerror(errno));
	return true;
}

static bool is_refused(struct probe_guest *guest, const struct attempt *attempt)
{
	uint64_t rip = attempt->fetch ? GUEST_DATA : GUEST_CODE;
	struct kvm_access_exit exit;
	int error;

	guest->run->exit_reason = 0;
	error = guest_run(guest);
	if (error == -EINTR && guest_is_late(guest))
		return selftest_late(guest->test, "%s: the guest does not exit", attempt->name);
	if (error != -EFAULT || guest->run->exit_reason != KVM_EXIT_MEMORY_FAULT)
		return selftest_fail(guest->test, "%s: KVM_RUN ends with %s, exit %u",
				     attempt->name, error ? strerror(-error) : "an exit",
				     guest->run->exit_reason);
	memcpy(&exit, guest->run->padding, sizeof(exit));
	if (!(exit.flags & attempt->flag) || exit.gpa != GUEST_DATA || guest_regs(guest).rip != rip)
		return selftest_fail(guest->test,
				     "%s: flags %#" PRIx64 ", address %#" PRIx64 ", RIP %#" PRIx64,
				     attempt->name, (uint64_t)exit.flags, (uint64_t)exit.gpa,
				     (uint64_t)guest_regs(guest).rip);
	return true;
}

static bool attempt(struct selftest *test, const struct attempt *attempt)
{
	struct probe_guest guest;
	struct kvm_regs regs;

	if (!guest_make(&guest, test, attempt->program))
		return false;
	guest.ram[GUEST_DATA] = RET;
	regs = guest_regs(&guest);
	regs.rdi = GUEST_DATA;
	regs.rax = RET;
	/* Refused twice: when KVM has no mapping of the page yet, and when it has one. */
	return restrict_page(&guest, attempt->restrictions) && guest_set_regs(&guest, &regs) &&
	       is_refused(&guest, attempt) && restrict_page(&guest, 0) &&
	       guest_expect_done(&guest, "the same access, granted") && guest_complete(&guest) &&
	       restrict_page(&guest, attempt->restrictions) && guest_set_regs(&guest, &regs) &&
	       is_refused(&guest, attempt);
}

void selftest_restrictions(struct selftest *test)
{
	static const struct attempt attempts[] = {
		{"a write", &guest_store, KVM_ACCESS_NO_WRITE, KVM_ACCESS_EXIT_WRITE, false},
		{"a read", &guest_load, KVM_ACCESS_MASK, KVM_ACCESS_EXIT_READ, false},
		{"a fetch", &guest_call, KVM_ACCESS_NO_EXEC, KVM_ACCESS_EXIT_EXEC, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		if (!attempt(test, &attempts[i]))
			return;
	selftest_pass(test,
		      "reads, writes and fetches: RIP at it, nothing done; made when granted");
}
