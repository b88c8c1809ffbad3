/* SPDX-License-Identifier: BSD-2-Clause */
/* The eventfd for pending events: it is signalled for every event that arrives while the vCPU is not in
 * KVM_RUN. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "blocks.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_store32, g_done\n"
	"g_store32: mov %esi, (%rdi); out %al, $0x10\n"
	"g_done: out %al, $0x10\n"
	"guest_code_end:\n"
	".popsection");

#define APIC   UINT64_C(0xfee00000)
#define VECTOR 0x45u
#define NMI    0x400u

struct sender {
	struct raw_kvm *machine;
	atomic_uint go;
	unsigned int rounds;
};

/* Much longer than an event takes on a busy host. */
#define TIMEOUT_MS 60000

static bool signalled(int event, int milliseconds)
{
	struct pollfd poll_fd = {.fd = event, .events = POLLIN};
	uint64_t count;

	return poll(&poll_fd, 1, milliseconds) == 1 &&
	       read(event, &count, sizeof(count)) == sizeof(count);
}

/* Whether there is no signal for some time; a vCPU may sometimes be woken without a cause. */
static bool silent(int event)
{
	for (unsigned int i = 0; i < 10; i++) {
		signalled(event, 0);
		if (!signalled(event, 30))
			return true;
	}
	return false;
}

static int attach(struct raw_vcpu *cpu, int32_t fd)
{
	return ioctl(cpu->fd, KVM_SET_PENDING_EVENTFD, &fd) ? -errno : 0;
}

static void apic_write(struct raw_kvm *machine, uint32_t offset, uint32_t value)
{
	cpu_start(&machine->vcpu[0], GUEST(g_store32), APIC + offset, value, 0);
	check(cpu_run(&machine->vcpu[0]) == END_DONE,
	      "the guest writes %#x to its APIC's register %#x", value, offset);
}

static void send(struct raw_kvm *machine, uint32_t data)
{
	struct kvm_msi msi = {.address_lo = (uint32_t)APIC, .data = data};

	ioctl(machine->vm, KVM_SIGNAL_MSI, &msi);
}

static void clear_interrupts(struct raw_vcpu *cpu, int event)
{
	struct kvm_lapic_state lapic;

	ioctl(cpu->fd, KVM_GET_LAPIC, &lapic);
	memset(lapic.regs + 0x200, 0, 0x80);
	ioctl(cpu->fd, KVM_SET_LAPIC, &lapic);
	signalled(event, 0);
}

/* Whether KVM may use a timer that expires only while the vCPU is in the guest. */
static bool has_preemption_timer(void)
{
	FILE *file = fopen("/sys/module/kvm_intel/parameters/preemption_timer", "re");
	int value = 0;

	if (!file)
		return false;
	value = fgetc(file);
	fclose(file);
	return value == 'Y';
}

static void test_events(struct raw_kvm *machine, int event)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];

	check(ioctl(machine->vm, KVM_CHECK_EXTENSION, KVM_CAP_PENDING_EVENTFD) == 1,
	      "KVM reports the capability");
	check(attach(cpu, machine->vm) == -EINVAL && attach(cpu, 12345) == -EBADF &&
		      attach(cpu, -2) == -EBADF,
	      "a file descriptor that is not an eventfd is refused");
	check(!attach(cpu, event), "an eventfd is attached");
	apic_write(machine, 0xf0, 0x1ff);
	check(silent(event), "without a pending event there is no signal");
	send(machine, VECTOR);
	check(signalled(event, TIMEOUT_MS),
	      "an interrupt for a vCPU outside of KVM_RUN is signalled");
	check(cpu_go(machine, GUEST(g_done), 0) == END_DONE && signalled(event, TIMEOUT_MS),
	      "an interrupt that is still pending after a run with IF clear is signalled at the "
	      "end "
	      "of the run");
	check(!attach(cpu, event) && signalled(event, 0),
	      "a pending interrupt is signalled when an eventfd is attached");
	clear_interrupts(cpu, event);
	check(cpu_go(machine, GUEST(g_done), 0) == END_DONE && silent(event),
	      "there is no signal when the interrupt is not pending any more");
	send(machine, NMI);
	check(signalled(event, TIMEOUT_MS), "an NMI is signalled");
	cpu_start(cpu, GUEST(g_done), 0, 0, 0);
	check(cpu_run(cpu) == END_TRAP, "the NMI is delivered");
	signalled(event, 0);
	apic_write(machine, 0x320, 0x46);
	apic_write(machine, 0x3e0, 0xb);
	signalled(event, 0);
	apic_write(machine, 0x380, 30000000);
	if (signalled(event, TIMEOUT_MS))
		check(true, "the APIC's timer is signalled when it expires");
	else if (has_preemption_timer())
		check_skipped("the APIC's timer is signalled when it expires",
			      "KVM uses VMX's preemption timer for it");
	else
		check(false, "the APIC's timer is signalled when it expires");
	clear_interrupts(cpu, event);
	check(!attach(cpu, -1), "the eventfd is detached");
	send(machine, VECTOR);
	check(silent(event), "a detached eventfd is not signalled");
	clear_interrupts(cpu, event);
}

static void *send_at_any_time(void *argument)
{
	struct sender *sender = argument;
	unsigned int pause = 1;

	for (unsigned int round = 1; round <= sender->rounds; round++) {
		while (atomic_load(&sender->go) < round)
			;
		pause = pause * 1103515245 + 12345;
		for (unsigned int i = pause >> 16 & 0x7ff; i > 0; i--)
			__asm__ volatile("pause");
		send(sender->machine, VECTOR);
	}
	return NULL;
}

/* Each round sends one interrupt before, during or after KVM_RUN, which must be signalled. */
static void test_none_lost(struct raw_kvm *machine, int event)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	struct sender sender = {.machine = machine, .rounds = 1000};
	pthread_t thread;
	unsigned int lost = 0;

	attach(cpu, event);
	pthread_create(&thread, NULL, send_at_any_time, &sender);
	for (unsigned int round = 1; round <= sender.rounds; round++) {
		atomic_store(&sender.go, round);
		cpu_go(machine, GUEST(g_done), 0);
		lost += !signalled(event, 2000);
		clear_interrupts(cpu, event);
	}
	pthread_join(thread, NULL);
	check(!lost, "of 1000 interrupts at random times none is lost (%u)", lost);
}

static void *send_without_end(void *argument)
{
	struct sender *sender = argument;

	while (!atomic_load(&sender->go))
		send(sender->machine, VECTOR);
	return NULL;
}

static void test_replaced(struct raw_kvm *machine, int event)
{
	struct sender sender = {.machine = machine};
	pthread_t thread;
	bool right = true;

	pthread_create(&thread, NULL, send_without_end, &sender);
	for (unsigned int i = 0; i < 50; i++) {
		int other = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

		right &= !attach(&machine->vcpu[0], i % 2 ? other : event);
		close(other);
	}
	atomic_store(&sender.go, 1);
	pthread_join(thread, NULL);
	check(right && !attach(&machine->vcpu[0], event),
	      "an eventfd is replaced and closed while interrupts are sent");
}

int main(void)
{
	int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct raw_kvm machine;

	machine_create(&machine, 64 * MIB, false);
	check(attach(&machine.vcpu[0], event) == -EINVAL,
	      "attaching an eventfd is refused without an in-kernel local APIC");
	raw_kvm_destroy(&machine);
	machine_create(&machine, 64 * MIB, true);
	test_events(&machine, event);
	test_none_lost(&machine, event);
	test_replaced(&machine, event);
	raw_kvm_destroy(&machine);
	check(true, "a VM is closed with its eventfd attached");
	return checks_end();
}
