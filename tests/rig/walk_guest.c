/* SPDX-License-Identifier: BSD-2-Clause */
#include "walk_guest.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

_Static_assert(offsetof(struct item, rip) == 8 && offsetof(struct item, rflags) == 16 &&
		       offsetof(struct item, pkru) == 20 && offsetof(struct item, cs) == 24 &&
		       offsetof(struct item, ss) == 28 && offsetof(struct item, ldt) == 32 &&
		       offsetof(struct item, vector) == 40 &&
		       offsetof(struct item, error_code) == 48 &&
		       offsetof(struct item, cr2) == 56 && offsetof(struct item, at) == 64 &&
		       offsetof(struct item, data) == 72 && sizeof(struct item) == 88,
	       "the guest's code below uses these offsets");

extern const uint8_t walk_code_begin[], walk_code_end[], walk_entry64[], walk_entry32[],
	walk_handlers64[], walk_handlers32[], walk_accesses64[], walk_accesses32[];

/*
 * RBX points to the item, IRET enters the access at the item's privilege, an exception returns to the loop.
 * Each handler and each access has 16 bytes. An access ends with int3, and memory that is executed is int3.
 * HEADER holds first item, end, and whether PKRU is enabled.
 */
__asm__(".pushsection .rodata\n"
	".balign 16\n"
	"walk_code_begin:\n"
	".code64\n"
	"walk_entry64:\n"
	"	mov 0x5000, %rbx\n"
	"1:	cmp 0x5008, %rbx\n"
	"	je 9f\n"
	"	mov $0x5000, %esp\n"
	"	cmpl $0, 0x5010\n"
	"	je 2f\n"
	"	xor %ecx, %ecx\n"
	"	xor %edx, %edx\n"
	"	mov 20(%rbx), %eax\n"
	"	wrpkru\n"
	"2:	mov 32(%rbx), %rax\n"
	"	test %rax, %rax\n"
	"	je 3f\n"
	"	mov %ax, 0x2042\n" /* the LDT's descriptor is at GDT + 0x40 */
	"	shr $16, %rax\n"
	"	mov %al, 0x2044\n"
	"	mov %ah, 0x2047\n"
	"	shr $16, %rax\n"
	"	mov %eax, 0x2048\n"
	"	mov $0x40, %eax\n"
	"	lldt %ax\n"
	"3:	mov (%rbx), %rdi\n"
	"	mov $0xf, %ecx\n"
	"	mov $0xcc, %eax\n"
	"	mov 28(%rbx), %edx\n"
	"	push %rdx\n"
	"	push $0x5000\n"
	"	mov 16(%rbx), %edx\n"
	"	push %rdx\n"
	"	mov 24(%rbx), %edx\n"
	"	push %rdx\n"
	"	push 8(%rbx)\n"
	"	iretq\n"
	"9:	out %al, $0x10\n"
	"	jmp 9b\n"
	"4:	mov %rax, 72(%rbx)\n"
	"	mov (%rsp), %rax\n"
	"	mov %rax, 64(%rbx)\n"
	"	add $88, %rbx\n"
	"	jmp 1b\n"
	"5:	popq 48(%rbx)\n"
	"	mov %cr2, %rax\n"
	"	mov %rax, 56(%rbx)\n"
	"	jmp 4b\n"
	".balign 16\n"
	"walk_handlers64:\n" /* 3, 13, 14, any other */
	"	movq $3, 40(%rbx)\n"
	"	jmp 4b\n"
	".balign 16\n"
	"	movq $13, 40(%rbx)\n"
	"	jmp 5b\n"
	".balign 16\n"
	"	movq $14, 40(%rbx)\n"
	"	jmp 5b\n"
	".balign 16\n"
	"	movq $99, 40(%rbx)\n"
	"	jmp 4b\n"
	".balign 16\n"
	"walk_accesses64:\n"
	"	mov (%rdi), %rax\n"
	"	int3\n"
	".balign 16\n"
	"	mov %al, (%rdi)\n"
	"	int3\n"
	".balign 16\n"
	"	lock orb $0, (%rdi)\n"
	"	int3\n"
	".balign 16\n"
	"	jmp *%rdi\n"
	".balign 16\n"
	"	mov %ecx, %ds\n"
	"	int3\n"
	".balign 16\n"
	".code32\n"
	"walk_entry32:\n"
	/* Use LTR: QEMU changes the privilege level in 32-bit mode only with a task register loaded by it. */
	"	mov $0x50, %eax\n"
	"	ltr %ax\n"
	"	mov 0x5000, %ebx\n"
	"1:	cmp 0x5008, %ebx\n"
	"	je 9f\n"
	"	mov $0x5000, %esp\n"
	"	mov 32(%ebx), %eax\n"
	"	test %eax, %eax\n"
	"	je 3f\n"
	"	mov %ax, 0x2042\n"
	"	shr $16, %eax\n"
	"	mov %al, 0x2044\n"
	"	mov %ah, 0x2047\n"
	"	mov $0x40, %eax\n"
	"	lldt %ax\n"
	"3:	mov (%ebx), %edi\n"
	"	mov $0xf, %ecx\n"
	"	mov $0xcc, %eax\n"
	"	testl $3, 24(%ebx)\n"
	"	je 2f\n"
	"	push 28(%ebx)\n" /* IRET pops SS:ESP only for another privilege level */
	"	push $0x5000\n"
	"2:	push 16(%ebx)\n"
	"	push 24(%ebx)\n"
	"	push 8(%ebx)\n"
	"	iret\n"
	"9:	out %al, $0x10\n"
	"	jmp 9b\n"
	"4:	mov %eax, 72(%ebx)\n"
	"	mov (%esp), %eax\n"
	"	mov %eax, 64(%ebx)\n"
	"	mov $0x2b, %eax\n" /* a user segment, since IRET to ring 3 clears any other */
	"	mov %eax, %ds\n"
	"	add $88, %ebx\n"
	"	jmp 1b\n"
	"5:	popl 48(%ebx)\n"
	"	mov %cr2, %eax\n"
	"	mov %eax, 56(%ebx)\n"
	"	jmp 4b\n"
	".balign 16\n"
	"walk_handlers32:\n"
	"	movl $3, 40(%ebx)\n"
	"	jmp 4b\n"
	".balign 16\n"
	"	movl $13, 40(%ebx)\n"
	"	jmp 5b\n"
	".balign 16\n"
	"	movl $14, 40(%ebx)\n"
	"	jmp 5b\n"
	".balign 16\n"
	"	movl $99, 40(%ebx)\n"
	"	jmp 4b\n"
	".balign 16\n"
	"walk_accesses32:\n"
	"	mov (%edi), %eax\n"
	"	int3\n"
	".balign 16\n"
	"	mov %al, (%edi)\n"
	"	int3\n"
	".balign 16\n"
	"	lock orb $0, (%edi)\n"
	"	int3\n"
	".balign 16\n"
	"	jmp *%edi\n"
	".balign 16\n"
	"	mov %ecx, %ds\n"
	"	int3\n"
	".balign 16\n"
	"walk_code_end:\n"
	".code64\n"
	".popsection\n");

static uint64_t in_guest(const uint8_t *label)
{
	return CODE + (uint64_t)(label - walk_code_begin);
}

uint64_t guest_code(enum kind kind, bool user, bool long_mode)
{
	return in_guest(long_mode ? walk_accesses64 : walk_accesses32) + 16 * (uint64_t)kind +
	       (user ? USER_CODE - CODE : 0);
}

/* Gates for both forms: 16 bytes each, in 32-bit mode 8. */
static void make_idt(struct guest *guest, bool long_mode)
{
	const uint8_t *handlers = long_mode ? walk_handlers64 : walk_handlers32;

	for (unsigned int vector = 0; vector < 32; vector++) {
		unsigned int which = vector == 3 ? 0 : vector == 13 ? 1 : vector == 14 ? 2 : 3;
		uint64_t at = in_guest(handlers) + 16 * (uint64_t)which;
		uint64_t gate = (at & 0xffff) | (uint64_t)(long_mode ? 0x18 : 0x08) << 16 |
				(vector == 3 ? UINT64_C(0xee00) : UINT64_C(0x8e00)) << 32 |
				at >> 16 << 48;

		if (long_mode) {
			raw_kvm_put(&guest->raw, IDT + 16 * vector, gate);
			raw_kvm_put(&guest->raw, IDT + 16 * vector + 8, 0);
		} else {
			raw_kvm_put(&guest->raw, IDT + 8 * vector, gate);
		}
	}
}

static void fill(struct guest *guest)
{
	static const uint64_t gdt[] = {
		0,
		0x00cf9b000000ffff, /* 08: code, 32-bit */
		0x00cf93000000ffff, /* 10: data */
		0x00af9b000000ffff, /* 18: code, 64-bit */
		0x00cffb000000ffff, /* 20: code, 32-bit, DPL 3 */
		0x00cff3000000ffff, /* 28: data, DPL 3 */
		0x00affb000000ffff, /* 30: code, 64-bit, DPL 3 */
		0,
		0x0000820000000fff, /* 40: LDT; its base is written for each use */
		0,
		0x0000890028000067, /* 50: TSS */
		0,
	};

	memcpy(guest->raw.ram + CODE, walk_code_begin, (size_t)(walk_code_end - walk_code_begin));
	memcpy(guest->raw.ram + GDT, gdt, sizeof(gdt));
	memset(guest->raw.ram + DATA, 0xcc, DATA_SIZE);
	for (uint64_t page = DATA; page < RAM_SIZE; page += 4096) {
		raw_kvm_put(&guest->raw, page + SIGNATURE, page | 0x5a5);
		raw_kvm_put(&guest->raw, page + DESCRIPTOR, gdt[5]);
	}
}

static void read_features(struct guest *guest, const struct raw_kvm_cpuid *cpuid)
{
	for (unsigned int i = 0; i < cpuid->head.nent; i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entry[i];

		if (e->function == 0)
			guest->amd = e->ebx == 0x68747541; /* "Auth" */
		if (e->function == 7 && e->index == 0) {
			guest->smep = e->ebx >> 7 & 1;
			guest->smap = e->ebx >> 20 & 1;
			guest->pku = e->ecx >> 3 & 1;
			guest->la57 = e->ecx >> 16 & 1;
		}
		if (e->function == 0x80000001) {
			guest->nx = e->edx >> 20 & 1;
			guest->page1gb = e->edx >> 26 & 1;
		}
		if (e->function == 0x80000008)
			guest->max_phys_addr = e->eax & 0xff;
	}
}

void guest_create(struct guest *guest)
{
	struct raw_kvm_cpuid cpuid;

	memset(guest, 0, sizeof(*guest));
	raw_kvm_create(&guest->raw);
	raw_kvm_add_ram(&guest->raw, RAM_SIZE);
	raw_kvm_map(&guest->raw, 1, SECOND_RAM, guest->raw.ram, RAM_SIZE);
	raw_kvm_get_cpuid(&guest->raw, &cpuid);
	read_features(guest, &cpuid);
	guest->vcpu = raw_kvm_add_vcpu(&guest->raw, &cpuid);
	guest->items = (struct item *)(guest->raw.ram + LIST);
	fill(guest);
}

/* RSP0 in 64-bit mode; ESP0 and SS0 in 32-bit mode, where LTR has made the descriptor busy. */
static void make_tss(struct guest *guest, bool long_mode)
{
	memset(guest->raw.ram + TSS, 0, 0x68);
	raw_kvm_put(&guest->raw, TSS + 4, STACK_TOP | (long_mode ? 0 : UINT64_C(0x10) << 32));
	guest->raw.ram[GDT + 0x55] = 0x89;
}

static bool set_registers(struct guest *guest, const struct mode *mode)
{
	bool long_mode = mode->efer >> 10 & 1;
	struct kvm_segment data = raw_kvm_data;
	struct kvm_regs regs = {.rip = in_guest(long_mode ? walk_entry64 : walk_entry32),
				.rflags = 2,
				.rsp = STACK_TOP};
	struct kvm_sregs sregs = raw_kvm_sregs(guest->vcpu);

	make_idt(guest, long_mode);
	make_tss(guest, long_mode);
	sregs.cr0 = mode->cr0;
	sregs.cr3 = mode->cr3;
	sregs.cr4 = mode->cr4;
	sregs.efer = mode->efer;
	sregs.cs = long_mode ? raw_kvm_code_64 : raw_kvm_code_32;
	sregs.cs.selector = long_mode ? 0x18 : 0x08;
	sregs.ss = data;
	/* IRET to ring 3 clears data segments that ring 3 may not use (SDM 2A, IRET); QEMU does not. */
	data.selector = 0x2b;
	data.dpl = 3;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = data;
	sregs.tr = (struct kvm_segment){.base = TSS, .limit = 0x67, .type = 11, .present = 1};
	sregs.gdt.base = GDT;
	sregs.gdt.limit = 0x5f;
	sregs.idt.base = IDT;
	sregs.idt.limit = 0x1ff;
	/* Toggle CR4.PGE: KVM flushes translations of the previous list from the TLB. */
	sregs.cr4 ^= 0x80;
	if (ioctl(guest->vcpu->fd, KVM_SET_SREGS, &sregs) < 0)
		return false;
	sregs.cr4 ^= 0x80;
	return ioctl(guest->vcpu->fd, KVM_SET_SREGS, &sregs) == 0 &&
	       ioctl(guest->vcpu->fd, KVM_SET_REGS, &regs) == 0;
}

const char *guest_run(struct guest *guest, const struct mode *mode, unsigned int count)
{
	static char problem[160];
	struct kvm_regs regs = {0};
	const uint64_t end = LIST + count * sizeof(struct item);

	raw_kvm_put(&guest->raw, HEADER, LIST);
	raw_kvm_put(&guest->raw, HEADER + 8, end);
	raw_kvm_put(&guest->raw, HEADER + 16, mode->cr4 >> 22 & 1);
	if (!set_registers(guest, mode))
		return "KVM refuses the registers";
	while (ioctl(guest->vcpu->fd, KVM_RUN, 0) < 0)
		if (errno != EINTR && errno != EAGAIN)
			return "KVM_RUN fails";
	if (guest->vcpu->run->exit_reason == KVM_EXIT_IO && guest->vcpu->run->io.port == 0x10)
		return NULL;
	(void)ioctl(guest->vcpu->fd, KVM_GET_REGS, &regs);
	snprintf(problem, sizeof(problem),
		 "the guest left with exit reason %u at item %lld, RIP %#llx, GPA %#llx",
		 guest->vcpu->run->exit_reason,
		 (long long)(regs.rbx - LIST) / (long long)sizeof(struct item), regs.rip,
		 guest->vcpu->run->exit_reason == KVM_EXIT_MMIO ? guest->vcpu->run->mmio.phys_addr
								: 0);
	return problem;
}
