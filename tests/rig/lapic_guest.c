/* SPDX-License-Identifier: BSD-2-Clause */
#include "lapic_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

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

_Static_assert(sizeof(struct command) == 32, "the guest's code knows the layout");
_Static_assert(MAX_COMMANDS * sizeof(struct command) < LIST_SIZE, "and the room for it");

/*
 * The guest, 32-bit flat, interrupts closed. EBP is this vCPU's list, EBX its stack, both for ever;
 * ESI the command at work. TAKE opens the window for one interrupt: the handler does not return, but
 * goes on with the next command, closed again. A fault of any command is noted in it.
 *
 * WBINVD is there for its exit. On QEMU's software SVM a vector came a second time, at the first exit
 * after its delivery, once in 90,000 rounds; if that happens here it overwrites the note with the same.
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

static int broken(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	return -1;
}

static void gate(uint8_t *idt, unsigned int vector)
{
	uint32_t offset =
		CODE + (uint32_t)(lapic_guest_stubs - lapic_guest_begin) + vector * STUB_BYTES;
	uint64_t value =
		(offset & 0xffff) | 8u << 16 | 0x8e00ull << 32 | (uint64_t)(offset >> 16) << 48;

	memcpy(idt + vector * sizeof(value), &value, sizeof(value));
}

/* A split irqchip: local APICs in the kernel, and EOIs of routed level vectors come out as exits. */
static int create_vm(struct guest *guest, const uint8_t level[ROUTES])
{
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {ROUTES}};
	struct kvm_enable_cap wide = {.cap = KVM_CAP_X2APIC_API,
				      .args = {KVM_X2APIC_API_USE_32BIT_IDS}};
	/* LINT0 begins as ExtINT otherwise, for guests of long ago. */
	struct kvm_enable_cap quirks = {.cap = KVM_CAP_DISABLE_QUIRKS,
					.args = {KVM_X86_QUIRK_LINT0_REENABLED}};
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[ROUTES];
	} routing = {.head.nr = ROUTES};

	guest->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (guest->kvm < 0)
		return broken("/dev/kvm");
	guest->vm = ioctl(guest->kvm, KVM_CREATE_VM, 0);
	if (guest->vm < 0)
		return broken("KVM_CREATE_VM");
	ioctl(guest->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul); /* VMX alone needs it */
	if (ioctl(guest->vm, KVM_ENABLE_CAP, &split) || ioctl(guest->vm, KVM_ENABLE_CAP, &wide) ||
	    ioctl(guest->vm, KVM_ENABLE_CAP, &quirks))
		return broken("KVM_ENABLE_CAP");
	for (uint32_t i = 0; i < ROUTES; i++)
		routing.entry[i] = (struct kvm_irq_routing_entry){
			.gsi = i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = 0xfeeff000, .data = 0xc000u | level[i]},
		};
	if (ioctl(guest->vm, KVM_SET_GSI_ROUTING, &routing))
		return broken("KVM_SET_GSI_ROUTING");
	return 0;
}

static int create_ram(struct guest *guest)
{
	const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
	struct kvm_userspace_memory_region slot = {.memory_size = RAM};

	guest->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (guest->ram == MAP_FAILED)
		return broken("guest RAM");
	slot.userspace_addr = (uint64_t)guest->ram;
	if (ioctl(guest->vm, KVM_SET_USER_MEMORY_REGION, &slot))
		return broken("KVM_SET_USER_MEMORY_REGION");
	memcpy(guest->ram + CODE, lapic_guest_begin, (size_t)(lapic_guest_end - lapic_guest_begin));
	memcpy(guest->ram + GDT, gdt, sizeof(gdt));
	for (unsigned int vector = 0; vector < 256; vector++)
		gate(guest->ram + IDT, vector);
	return 0;
}

/* What KVM supports, with x2APIC and the TSC deadline timer: they make APIC bits legal. */
static int set_cpuid(const struct guest *guest, unsigned int number)
{
	enum {
		ENTRIES = 256
	};
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + ENTRIES * sizeof(struct kvm_cpuid_entry2));
	int result = -1;

	if (!cpuid)
		return broken("memory");
	cpuid->nent = ENTRIES;
	if (ioctl(guest->kvm, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		broken("KVM_GET_SUPPORTED_CPUID");
		goto out;
	}
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1) {
			cpuid->entries[i].ecx |= 1u << 21 | 1u << 24;
			cpuid->entries[i].ebx = (cpuid->entries[i].ebx & 0xffffff) | number << 24;
		}
	result = ioctl(guest->vcpu[number].fd, KVM_SET_CPUID2, cpuid);
	if (result)
		broken("KVM_SET_CPUID2");
out:
	free(cpuid);
	return result;
}

static int set_registers(const struct guest *guest, unsigned int number)
{
	const struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
	const uint32_t stack = STACKS + (number + 1) * STACK_SIZE;
	struct kvm_regs regs = {.rip = CODE,
				.rsp = stack,
				.rbx = stack,
				.rbp = LISTS + number * LIST_SIZE,
				.rflags = 2};
	struct kvm_mp_state running = {.mp_state = KVM_MP_STATE_RUNNABLE};
	int fd = guest->vcpu[number].fd;
	struct kvm_sregs sregs;

	if (ioctl(fd, KVM_GET_SREGS, &sregs))
		return broken("KVM_GET_SREGS");
	sregs.cs = sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.cs.selector = 8;
	sregs.cs.type = 11;
	sregs.gdt = (struct kvm_dtable){.base = GDT, .limit = 23};
	sregs.idt = (struct kvm_dtable){.base = IDT, .limit = 256 * 8 - 1};
	sregs.cr0 |= 1;
	if (ioctl(fd, KVM_SET_SREGS, &sregs) || ioctl(fd, KVM_SET_REGS, &regs))
		return broken("registers");
	if (ioctl(fd, KVM_SET_MP_STATE, &running))
		return broken("KVM_SET_MP_STATE");
	return 0;
}

static int create_vcpu(struct guest *guest, unsigned int number)
{
	struct guest_vcpu *vcpu = &guest->vcpu[number];
	int size = ioctl(guest->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	vcpu->fd = ioctl(guest->vm, KVM_CREATE_VCPU, number);
	if (vcpu->fd < 0 || size <= 0)
		return broken("KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		return broken("kvm_run");
	vcpu->list = (struct command *)(guest->ram + LISTS + number * LIST_SIZE);
	return set_cpuid(guest, number) || set_registers(guest, number) ? -1 : 0;
}

int guest_create(struct guest *guest, const uint8_t level[ROUTES])
{
	memset(guest, 0, sizeof(*guest));
	if (create_vm(guest, level) || create_ram(guest))
		return -1;
	for (unsigned int i = 0; i < VCPUS; i++)
		if (create_vcpu(guest, i))
			return -1;
	return 0;
}

void guest_destroy(struct guest *guest)
{
	for (unsigned int i = 0; i < VCPUS; i++)
		close(guest->vcpu[i].fd);
	close(guest->vm);
	close(guest->kvm);
	munmap(guest->ram, RAM);
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
	struct guest_vcpu *vcpu = &guest->vcpu[number];

	vcpu->list[vcpu->length].operation = END;
	vcpu->length = 0;
	vcpu->eois = 0;
	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0 && errno != EINTR)
			return broken("KVM_RUN");
		if (vcpu->run->exit_reason == KVM_EXIT_IOAPIC_EOI && vcpu->eois < MAX_EOIS) {
			vcpu->eoi[vcpu->eois++] = vcpu->run->eoi.vector;
			continue;
		}
		if (vcpu->run->exit_reason == KVM_EXIT_IO && vcpu->run->io.port == PORT_DONE)
			return 0;
		printf("Bail out! vCPU %u: exit reason %u\n", number, vcpu->run->exit_reason);
		return -1;
	}
}

int guest_get_lapic(const struct guest *guest, unsigned int vcpu, struct kvm_lapic_state *page)
{
	return ioctl(guest->vcpu[vcpu].fd, KVM_GET_LAPIC, page) ? broken("KVM_GET_LAPIC") : 0;
}

int guest_set_lapic(const struct guest *guest, unsigned int vcpu, struct kvm_lapic_state *page)
{
	return ioctl(guest->vcpu[vcpu].fd, KVM_SET_LAPIC, page) ? broken("KVM_SET_LAPIC") : 0;
}

int guest_set_apic_base(const struct guest *guest, unsigned int vcpu, uint64_t base)
{
	struct kvm_sregs sregs;

	if (ioctl(guest->vcpu[vcpu].fd, KVM_GET_SREGS, &sregs))
		return broken("KVM_GET_SREGS");
	sregs.apic_base = base;
	return ioctl(guest->vcpu[vcpu].fd, KVM_SET_SREGS, &sregs) ? broken("KVM_SET_SREGS") : 0;
}

int guest_signal_msi(const struct guest *guest, uint32_t address, uint32_t data)
{
	struct kvm_msi msi = {.address_lo = address, .data = data};

	/* A count of targets. Without a target KVM returns -1, and the C library EPERM. */
	if (ioctl(guest->vm, KVM_SIGNAL_MSI, &msi) < 0 && errno != EPERM)
		return broken("KVM_SIGNAL_MSI");
	return 0;
}
