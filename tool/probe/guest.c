/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "env.h"

#define RAM_SIZE (2u << 20)
#define PML4	 0x1000u
#define PDPT	 0x2000u
#define PD_LOW	 0x3000u
#define PD_APIC	 0x4000u
#define STACK	 0x7ff0u

#define TABLE	0x27u /* present, writable, user, accessed */
#define PAGE_2M 0xe7u /* also dirty and 2 MiB */

#define CR0_PE	 0x1u
#define CR0_NE	 0x20u
#define CR0_WP	 0x10000u
#define CR0_PG	 0x80000000u
#define CR4_PAE	 0x20u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u

#define MAX_CPUID 256

static void nothing(int signal)
{
	(void)signal;
}

/* Two threads and the kernel access this byte. */
static void set_immediate_exit(struct kvm_run *run, bool on)
{
	__atomic_store_n(&run->immediate_exit, on, __ATOMIC_SEQ_CST);
}

void guest_immediate_exit(struct probe_guest *guest, bool on)
{
	set_immediate_exit(guest->run, on);
}

static void kick(struct kvm_run *run, pthread_t thread)
{
	set_immediate_exit(run, true);
	pthread_kill(thread, SIGUSR1);
}

void guest_kick(struct probe_guest *guest, pthread_t thread)
{
	kick(guest->run, thread);
}

bool guest_is_late(const struct probe_guest *guest)
{
	return atomic_load(&guest->watchdog->late);
}

/* A kick before KVM_RUN may be cleared again, so it is repeated. */
static void *watchdog(void *opaque)
{
	struct probe_watchdog *own = opaque;
	struct timespec left = {.tv_sec = own->ms / 1000, .tv_nsec = own->ms % 1000 * 1000000L};
	const struct timespec often = {.tv_nsec = 10000000};

	while (nanosleep(&left, &left) && errno == EINTR)
		continue;
	atomic_store(&own->late, true);
	for (;;) {
		kick(own->run, own->runner);
		nanosleep(&often, NULL);
	}
	return NULL;
}

static bool make_ram(struct probe_guest *guest)
{
	uint64_t *table;

	guest->memory = memfd_create("vsm-probe", MFD_CLOEXEC);
	if (guest->memory < 0 || ftruncate(guest->memory, RAM_SIZE))
		return selftest_fail(guest->test, "guest memory: %s", strerror(errno));
	guest->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, guest->memory, 0);
	guest->window = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, guest->memory, 0);
	if (guest->ram == MAP_FAILED || guest->window == MAP_FAILED)
		return selftest_fail(guest->test, "guest memory: %s", strerror(errno));
	table = (uint64_t *)guest->ram;
	table[PML4 / 8] = PDPT | TABLE;
	table[PDPT / 8] = PD_LOW | TABLE;
	table[PDPT / 8 + 3] = PD_APIC | TABLE;
	table[PD_LOW / 8] = PAGE_2M;
	table[PD_APIC / 8 + (GUEST_APIC >> 21 & 511)] = (GUEST_APIC & ~0x1fffffull) | PAGE_2M;
	return true;
}

/* With Hyper-V's leaves instead of KVM's. */
static bool set_cpuid(struct probe_guest *guest)
{
	static const struct kvm_cpuid_entry2 ours[] = {
		{.function = 0x40000000,
		 .eax = 0x40000001,
		 .ebx = 0x7263694d,
		 .ecx = 0x666f736f,
		 .edx = 0x76482074},
		{.function = 0x40000001, .eax = 0x31237648},
	};
	struct kvm_cpuid2 *all;
	size_t kept = 0;
	bool ok;

	all = calloc(1, sizeof(*all) + MAX_CPUID * sizeof(all->entries[0]));
	if (!all)
		return selftest_fail(guest->test, "no memory");
	all->nent = MAX_CPUID - ARRAY_SIZE(ours);
	if (ioctl(guest->kvm, KVM_GET_SUPPORTED_CPUID, all)) {
		free(all);
		return selftest_fail(guest->test, "KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
	}
	for (size_t i = 0; i < all->nent; i++) {
		if (all->entries[i].function >> 16 != 0x4000)
			all->entries[kept++] = all->entries[i];
	}
	memcpy(&all->entries[kept], ours, sizeof(ours));
	all->nent = (uint32_t)(kept + ARRAY_SIZE(ours));
	ok = ioctl(guest->vcpu, KVM_SET_CPUID2, all) == 0;
	free(all);
	return ok || selftest_fail(guest->test, "KVM_SET_CPUID2: %s", strerror(errno));
}

static bool make_vcpu(struct probe_guest *guest)
{
	struct kvm_userspace_memory_region slot = {
		.memory_size = RAM_SIZE,
		.userspace_addr = (uintptr_t)guest->window,
	};
	int size = ioctl(guest->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	guest->vm = ioctl(guest->kvm, KVM_CREATE_VM, 0);
	if (guest->vm < 0)
		return selftest_fail(guest->test, "KVM_CREATE_VM: %s", strerror(errno));
	if (ioctl(guest->vm, KVM_SET_USER_MEMORY_REGION, &slot))
		return selftest_fail(guest->test, "memory slot: %s", strerror(errno));
	guest->vcpu = ioctl(guest->vm, KVM_CREATE_VCPU, 0);
	if (guest->vcpu < 0)
		return selftest_fail(guest->test, "KVM_CREATE_VCPU: %s", strerror(errno));
	if (size < (int)sizeof(*guest->run))
		return selftest_fail(guest->test, "a run page of %d bytes", size);
	guest->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu, 0);
	if (guest->run == MAP_FAILED)
		return selftest_fail(guest->test, "run page: %s", strerror(errno));
	return true;
}

static bool set_mode(struct probe_guest *guest)
{
	const struct kvm_segment code = {.limit = 0xffffffff,
					 .selector = 8,
					 .type = 11,
					 .present = 1,
					 .s = 1,
					 .l = 1,
					 .g = 1};
	const struct kvm_segment data = {.limit = 0xffffffff,
					 .selector = 16,
					 .type = 3,
					 .present = 1,
					 .s = 1,
					 .db = 1,
					 .g = 1};
	const struct kvm_segment task = {.limit = 0x67, .selector = 24, .type = 11, .present = 1};
	struct kvm_regs regs = {.rip = GUEST_CODE, .rsp = STACK, .rflags = 2};
	struct kvm_sregs sregs;

	if (ioctl(guest->vcpu, KVM_GET_SREGS, &sregs))
		return selftest_fail(guest->test, "KVM_GET_SREGS: %s", strerror(errno));
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.tr = task;
	sregs.cr0 = CR0_PE | CR0_NE | CR0_WP | CR0_PG;
	sregs.cr3 = PML4;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LME | EFER_LMA;
	if (ioctl(guest->vcpu, KVM_SET_SREGS, &sregs))
		return selftest_fail(guest->test, "KVM_SET_SREGS: %s", strerror(errno));
	return guest_set_regs(guest, &regs);
}

static bool start_watchdog(struct probe_guest *guest)
{
	struct sigaction action = {.sa_handler = nothing};
	pthread_t thread;

	guest->runner = pthread_self();
	guest->watchdog = calloc(1, sizeof(*guest->watchdog));
	if (!guest->watchdog)
		return selftest_fail(guest->test, "no memory");
	guest->watchdog->ms = guest->test->timeout_ms;
	guest->watchdog->run = guest->run;
	guest->watchdog->runner = guest->runner;
	sigaction(SIGUSR1, &action, NULL);
	if (pthread_create(&thread, NULL, watchdog, guest->watchdog))
		return selftest_fail(guest->test, "no thread for the watchdog");
	pthread_detach(thread);
	return true;
}

bool guest_make(struct probe_guest *guest, struct selftest *test,
		const struct guest_program *program)
{
	*guest = (struct probe_guest){.test = test};
	guest->kvm = test->env->open(test->env, "/dev/kvm", O_RDWR);
	if (guest->kvm < 0)
		return selftest_fail(test, "/dev/kvm: %s", strerror(-guest->kvm));
	if (!make_ram(guest) || !make_vcpu(guest) || !set_cpuid(guest) || !set_mode(guest))
		return false;
	memcpy(guest->ram + GUEST_CODE, program->code, program->length);
	return start_watchdog(guest);
}

int guest_run(struct probe_guest *guest)
{
	return ioctl(guest->vcpu, KVM_RUN, 0) ? -errno : 0;
}

bool guest_expect(struct probe_guest *guest, uint32_t reason, const char *doing)
{
	int error = guest_run(guest);

	if (error == -EINTR && guest_is_late(guest))
		return selftest_late(guest->test, "%s: the guest does not exit", doing);
	if (error)
		return selftest_fail(guest->test, "%s: KVM_RUN: %s", doing, strerror(-error));
	if (guest->run->exit_reason != reason)
		return selftest_fail(guest->test, "%s: exit %u instead of %u, RIP at code + %lld",
				     doing, guest->run->exit_reason, reason,
				     (long long)guest_regs(guest).rip - GUEST_CODE);
	return true;
}

bool guest_expect_done(struct probe_guest *guest, const char *doing)
{
	if (!guest_expect(guest, KVM_EXIT_IO, doing))
		return false;
	if (guest->run->io.port != 0x7e || guest->run->io.direction != KVM_EXIT_IO_OUT)
		return selftest_fail(guest->test, "%s: port %#x", doing, guest->run->io.port);
	return true;
}

bool guest_complete(struct probe_guest *guest)
{
	int error;

	guest_immediate_exit(guest, true);
	error = guest_run(guest);
	guest_immediate_exit(guest, false);
	if (error != -EINTR)
		return selftest_fail(guest->test, "KVM_RUN with immediate_exit: %s",
				     error ? strerror(-error) : "ran the guest");
	return true;
}

struct kvm_regs guest_regs(struct probe_guest *guest)
{
	struct kvm_regs regs = {0};

	/* All zeroes on failure, which no check accepts. */
	if (ioctl(guest->vcpu, KVM_GET_REGS, &regs))
		memset(&regs, 0, sizeof(regs));
	return regs;
}

bool guest_set_regs(struct probe_guest *guest, const struct kvm_regs *regs)
{
	if (ioctl(guest->vcpu, KVM_SET_REGS, regs))
		return selftest_fail(guest->test, "KVM_SET_REGS: %s", strerror(errno));
	return true;
}
