/* SPDX-License-Identifier: BSD-2-Clause */
#include "lapic_guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define CODE	   0x1000u
#define IDT	   0x4000u
#define GDT	   0x4800u
#define LISTS	   0x8000u
#define LIST_SIZE  0x1000u
#define STACKS	   0x10000u
#define STACK_SIZE 0x1000u
#define RAM	   0x20000u
#define STUB_BYTES 10u
#define PORT_DONE  0x10

_Static_assert(sizeof(struct command) == 32, "the guest's code uses this size");
_Static_assert(MAX_COMMANDS * sizeof(struct command) < LIST_SIZE,
	       "a list has space for all commands");

/*
 * 32-bit flat, with IF clear. EBP is this vCPU's list, EBX its stack, ESI the current command. TAKE sets IF
 * for one interrupt; its handler continues with the next command and IF clear. WBINVD causes an exit: QEMU's
 * software SVM rarely delivers a vector a second time at the first exit after its delivery, which here only
 * records the same vector again.
 */
extern const uint8_t lapic_guest_begin[], lapic_guest_stubs[], lapic_guest_end[];
__asm__(".pushsection .rodata\n"
	".code32\n"
	"lapic_guest_begin:\n"
	"	mov %ebp, %esi\n"
	"1:	mov %ebx, %esp\n"
	"	mov (%esi), %edx\n"
	"	mov 4(%esi), %ecx\n"
	"	mov 8(%esi), %eax\n"
	"	cmp $1, %edx\n"
	"	je 2f\n"
	"	cmp $2, %edx\n"
	"	je 3f\n"
	"	cmp $3, %edx\n"
	"	je 4f\n"
	"	cmp $4, %edx\n"
	"	je 5f\n"
	"	cmp $5, %edx\n"
	"	je 6f\n"
	"	out %al, $0x10\n"
	"	jmp lapic_guest_begin\n"
	"2:	mov %eax, (%ecx)\n"
	"	jmp 7f\n"
	"3:	mov (%ecx), %eax\n"
	"	mov %eax, 16(%esi)\n"
	"	jmp 7f\n"
	"4:	mov 12(%esi), %edx\n"
	"	wrmsr\n"
	"	jmp 7f\n"
	"5:	rdmsr\n"
	"	mov %eax, 16(%esi)\n"
	"	mov %edx, 20(%esi)\n"
	"	jmp 7f\n"
	"6:	sti\n"
	"	nop\n"
	"	nop\n"
	"	cli\n"
	"7:	add $32, %esi\n"
	"	jmp 1b\n"
	"lapic_guest_handler:\n"
	"	pop %eax\n"
	"	cmp $32, %eax\n"
	"	jb 8f\n"
	"	mov %eax, 16(%esi)\n"
	"	wbinvd\n"
	"	jmp 7b\n"
	"8:	mov %eax, 24(%esi)\n"
	"	jmp 7b\n"
	"lapic_guest_stubs:\n"
	".set vector, 0\n"
	".rept 256\n"
	"	.byte 0x68\n"
	"	.long vector\n"
	"	.byte 0xe9\n"
	"	.long lapic_guest_handler - . - 4\n"
	".set vector, vector + 1\n"
	".endr\n"
	"lapic_guest_end:\n"
	".code64\n"
	".popsection\n");

/* A split irqchip: local APICs in the kernel; EOIs of routed level-triggered vectors exit. */
static void create_vm(struct raw_kvm *kvm, const uint8_t level[ROUTES])
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[ROUTES];
	} routing = {.head.nr = ROUTES};

	raw_kvm_create(kvm);
	raw_kvm_enable(kvm, KVM_CAP_SPLIT_IRQCHIP, ROUTES);
	raw_kvm_enable(kvm, KVM_CAP_X2APIC_API, KVM_X2APIC_API_USE_32BIT_IDS);
	/* Otherwise LINT0 is ExtINT after reset, a quirk for old guests. */
	raw_kvm_enable(kvm, KVM_CAP_DISABLE_QUIRKS, KVM_X86_QUIRK_LINT0_REENABLED);
	for (uint32_t i = 0; i < ROUTES; i++)
		routing.entry[i] = (struct kvm_irq_routing_entry){
			.gsi = i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = 0xfeeff000, .data = 0xc000u | level[i]},
		};
	raw_kvm_require(!ioctl(kvm->vm, KVM_SET_GSI_ROUTING, &routing), "KVM_SET_GSI_ROUTING");
}

/* x2APIC and the TSC deadline timer are added, without which some APIC bits are reserved. */
static struct raw_kvm_cpuid cpuid_of(const struct raw_kvm *kvm, unsigned int number)
{
	struct raw_kvm_cpuid cpuid;

	raw_kvm_get_cpuid(kvm, &cpuid);
	for (uint32_t i = 0; i < cpuid.head.nent; i++)
		if (cpuid.entry[i].function == 1) {
			cpuid.entry[i].ecx |= 1u << 21 | 1u << 24;
			cpuid.entry[i].ebx = (cpuid.entry[i].ebx & 0xffffff) | number << 24;
		}
	return cpuid;
}

static void create_vcpu(struct guest *guest, unsigned int number)
{
	const uint32_t stack = STACKS + (number + 1) * STACK_SIZE;
	const struct kvm_regs regs = {.rip = CODE,
				      .rsp = stack,
				      .rbx = stack,
				      .rbp = LISTS + number * LIST_SIZE,
				      .rflags = 2};
	const struct kvm_mp_state running = {.mp_state = KVM_MP_STATE_RUNNABLE};
	const struct raw_kvm_cpuid cpuid = cpuid_of(&guest->raw, number);
	struct raw_vcpu *vcpu = raw_kvm_add_vcpu(&guest->raw, &cpuid);

	raw_kvm_flat_32(&guest->raw, vcpu, GDT, IDT);
	raw_kvm_set_regs(vcpu, &regs);
	raw_kvm_require(!ioctl(vcpu->fd, KVM_SET_MP_STATE, &running), "KVM_SET_MP_STATE");
	guest->vcpu[number].list = (struct command *)(guest->raw.ram + LISTS + number * LIST_SIZE);
}

void guest_create(struct guest *guest, const uint8_t level[ROUTES])
{
	memset(guest, 0, sizeof(*guest));
	create_vm(&guest->raw, level);
	raw_kvm_add_ram(&guest->raw, RAM);
	memcpy(guest->raw.ram + CODE, lapic_guest_begin,
	       (size_t)(lapic_guest_end - lapic_guest_begin));
	for (unsigned int vector = 0; vector < 256; vector++)
		raw_kvm_gate_32(&guest->raw, IDT, vector,
				CODE + (uint32_t)(lapic_guest_stubs - lapic_guest_begin) +
					vector * STUB_BYTES);
	for (unsigned int i = 0; i < VCPUS; i++)
		create_vcpu(guest, i);
}

void guest_destroy(struct guest *guest)
{
	raw_kvm_destroy(&guest->raw);
}

struct command *guest_give(struct guest *guest, unsigned int number, enum operation operation,
			   uint32_t address, uint64_t value)
{
	struct guest_vcpu *vcpu = &guest->vcpu[number];
	struct command *command = &vcpu->list[vcpu->length++];

	*command = (struct command){.operation = operation,
				    .address = address,
				    .low = (uint32_t)value,
				    .high = (uint32_t)(value >> 32)};
	return command;
}

int guest_run(struct guest *guest, unsigned int number)
{
	const struct raw_vcpu *raw = &guest->raw.vcpu[number];
	struct guest_vcpu *vcpu = &guest->vcpu[number];

	vcpu->list[vcpu->length].operation = END;
	vcpu->length = 0;
	vcpu->eois = 0;
	for (;;) {
		raw_kvm_require(ioctl(raw->fd, KVM_RUN, 0) >= 0 || errno == EINTR, "KVM_RUN");
		if (raw->run->exit_reason == KVM_EXIT_IOAPIC_EOI && vcpu->eois < MAX_EOIS) {
			vcpu->eoi[vcpu->eois++] = raw->run->eoi.vector;
			continue;
		}
		if (raw->run->exit_reason == KVM_EXIT_IO && raw->run->io.port == PORT_DONE)
			return 0;
		printf("Bail out! vCPU %u: exit reason %u\n", number, raw->run->exit_reason);
		return -1;
	}
}

void guest_get_lapic(const struct guest *guest, unsigned int vcpu, struct kvm_lapic_state *page)
{
	raw_kvm_require(!ioctl(guest->raw.vcpu[vcpu].fd, KVM_GET_LAPIC, page), "KVM_GET_LAPIC");
}

void guest_set_lapic(const struct guest *guest, unsigned int vcpu, struct kvm_lapic_state *page)
{
	raw_kvm_require(!ioctl(guest->raw.vcpu[vcpu].fd, KVM_SET_LAPIC, page), "KVM_SET_LAPIC");
}

void guest_set_apic_base(const struct guest *guest, unsigned int vcpu, uint64_t base)
{
	struct kvm_sregs sregs = raw_kvm_sregs(&guest->raw.vcpu[vcpu]);

	sregs.apic_base = base;
	raw_kvm_set_sregs(&guest->raw.vcpu[vcpu], &sregs);
}

void guest_signal_msi(const struct guest *guest, uint32_t address, uint32_t data)
{
	struct kvm_msi msi = {.address_lo = address, .data = data};

	/* Returns the number of targets, or -1 without one, which the C library reports as EPERM. */
	raw_kvm_require(ioctl(guest->raw.vm, KVM_SIGNAL_MSI, &msi) >= 0 || errno == EPERM,
			"KVM_SIGNAL_MSI");
}
