/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits on register writes, before they take effect. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "blocks.h"
#include "tap.h"

__asm__(".pushsection .rodata\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	".globl g_cr0, g_cr4, g_lmsw, g_clts, g_xsetbv, g_lgdt, g_lidt, g_lldt, g_ltr, g_sgdt\n"
	"g_cr0: mov %rdi, %cr0; out %al, $0x10\n"
	"g_cr4: mov %rdi, %cr4; out %al, $0x10\n"
	"g_lmsw: lmsw %di; out %al, $0x10\n"
	"g_clts: clts; out %al, $0x10\n"
	"g_xsetbv: mov %rdi, %rax; xor %edx, %edx; xor %ecx, %ecx\n"
	"g_xsetbv_at: xsetbv; out %al, $0x10\n"
	"g_lgdt: lgdt (%rdi); out %al, $0x10\n"
	"g_lidt: lidt (%rdi); out %al, $0x10\n"
	"g_lldt: lldt %di; out %al, $0x10\n"
	"g_ltr: ltr %di; out %al, $0x10\n"
	"g_sgdt: sgdt (%rdi); sidt (%rdi); str %ax; sldt %ax; out %al, $0x10\n"
	".globl g_task, g_task_done\n"
	".code32\n"
	"g_task: ljmp $56, $0\n"
	"g_task_done: out %al, $0x10\n"
	".code64\n"
	"guest_code_end:\n"
	".popsection");

#define CR0_TS	8u
#define CR0_MP	2u
#define CR0_WP	0x10000u
#define CR4_TSD 4u
#define CR4_PGE 0x80u
#define SCRATCH 0x30000

static int watch(struct raw_vcpu *cpu, uint32_t registers, uint64_t cr0_mask, uint64_t cr4_mask)
{
	struct kvm_write_exits exits = {registers, 0, cr0_mask, cr4_mask};

	return ioctl(cpu->fd, KVM_SET_WRITE_EXITS, &exits) ? -errno : 0;
}

static struct kvm_sregs sregs_of(struct raw_vcpu *cpu)
{
	struct kvm_sregs sregs = {0};

	ioctl(cpu->fd, KVM_GET_SREGS, &sregs);
	return sregs;
}

static bool caught(struct raw_vcpu *cpu, enum ending ending, uint32_t which, uint64_t value,
		   uint64_t rip)
{
	return ending == END_WRITE && cpu_write(cpu)->which == which &&
	       cpu_write(cpu)->value == value && cpu_regs(cpu).rip == rip;
}

static void test_arguments(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	struct kvm_write_exits reserved = {0, 1, 0, 0};
	int cap = ioctl(machine->vm, KVM_CHECK_EXTENSION, KVM_CAP_WRITE_EXITS);

	check((cap & 7) == 7 && !(cap & ~(int)(KVM_WRITE_EXIT_MASK | KVM_WRITE_EXIT_CR0_TS)),
	      "the capability has the registers whose writes can exit: %#x", cap);
	check(watch(cpu, KVM_WRITE_EXIT_CR0_TS, 0, 0) == -EINVAL &&
		      watch(cpu, 1u << 31, 0, 0) == -EINVAL &&
		      watch(cpu, KVM_WRITE_EXIT_CR4, 1, 0) == -EINVAL &&
		      watch(cpu, KVM_WRITE_EXIT_CR0, 0, 1) == -EINVAL &&
		      ioctl(cpu->fd, KVM_SET_WRITE_EXITS, &reserved) && errno == EINVAL &&
		      ioctl(cpu->fd, KVM_SET_WRITE_EXITS, NULL) && errno == EFAULT,
	      "KVM_SET_WRITE_EXITS refuses unknown registers and bits");
}

static void test_cr0(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	uint64_t cr0 = sregs_of(cpu).cr0;
	bool ts = ioctl(machine->vm, KVM_CHECK_EXTENSION, KVM_CAP_WRITE_EXITS) &
		  (int)KVM_WRITE_EXIT_CR0_TS;
	enum ending ending;

	check(cpu_go(machine, GUEST(g_cr0), cr0 ^ CR0_WP) == END_DONE &&
		      sregs_of(cpu).cr0 == (cr0 ^ CR0_WP),
	      "CR0 is written without an exit while it is not watched");
	check(!watch(cpu, KVM_WRITE_EXIT_CR0, CR0_WP, 0), "P39: CR0.WP is watched");
	ending = cpu_go(machine, GUEST(g_cr0), cr0);
	check(caught(cpu, ending, KVM_WRITE_EXIT_CR0, cr0, GUEST(g_cr0)) &&
		      sregs_of(cpu).cr0 == (cr0 ^ CR0_WP),
	      "a write that sets the watched bit exits with the value, before it takes effect");
	check(caught(cpu, cpu_run(cpu), KVM_WRITE_EXIT_CR0, cr0, GUEST(g_cr0)),
	      "the write exits again when the vCPU runs again");
	check(cpu_write(cpu)->insn_len == 0 || cpu_write(cpu)->insn_len == 3,
	      "the exit has the correct instruction length, or none");
	check(cpu_go(machine, GUEST(g_cr0), cr0 ^ CR0_WP ^ CR0_MP) == END_DONE &&
		      sregs_of(cpu).cr0 == (cr0 ^ CR0_WP ^ CR0_MP),
	      "a write of other bits of CR0 does not exit");
	check(cpu_go(machine, GUEST(g_cr0), 1) == END_TRAP, "an invalid write raises an exception");
	check(!watch(cpu, KVM_WRITE_EXIT_CR0, CR0_MP, 0), "CR0.MP is watched");
	ending = cpu_go(machine, GUEST(g_lmsw), (cr0 | CR0_MP) & 0xf);
	check(ending == END_WRITE && cpu_write(cpu)->which == KVM_WRITE_EXIT_CR0 &&
		      cpu_write(cpu)->value & CR0_MP && cpu_regs(cpu).rip == GUEST(g_lmsw) &&
		      !(sregs_of(cpu).cr0 & CR0_MP),
	      "LMSW exits");
	ending = cpu_go(machine, GUEST(g_cr0), cr0);
	check(caught(cpu, ending, KVM_WRITE_EXIT_CR0, cr0, GUEST(g_cr0)),
	      "MOV CR0 exits for a bit that LMSW can change, too");
	if (ts) {
		check(!watch(cpu, KVM_WRITE_EXIT_CR0, CR0_TS, 0) &&
			      cpu_go(machine, GUEST(g_clts), 0) == END_DONE,
		      "CR0.TS is watched, and CLTS has no effect while TS is clear");
		watch(cpu, 0, 0, 0);
		check(cpu_go(machine, GUEST(g_cr0), cr0 | CR0_TS) == END_DONE, "TS is set");
		watch(cpu, KVM_WRITE_EXIT_CR0, CR0_TS, 0);
		ending = cpu_go(machine, GUEST(g_clts), 0);
		check(caught(cpu, ending, KVM_WRITE_EXIT_CR0, cr0 & ~(uint64_t)CR0_TS,
			     GUEST(g_clts)) ||
			      (ending == END_WRITE && cpu_regs(cpu).rip == GUEST(g_clts)),
		      "CLTS exits while TS is set");
	} else {
		check(watch(cpu, KVM_WRITE_EXIT_CR0, CR0_TS, 0) == -EINVAL,
		      "CR0.TS cannot be watched, and the ioctl refuses it");
	}
	watch(cpu, 0, 0, 0);
	check(cpu_go(machine, GUEST(g_cr0), cr0) == END_DONE && sregs_of(cpu).cr0 == cr0,
	      "the register is written without an exit when it is not watched any more");
}

static void test_cr4(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	uint64_t cr4 = sregs_of(cpu).cr4;
	enum ending ending;

	check(!watch(cpu, KVM_WRITE_EXIT_CR4, 0, CR4_TSD | CR4_PGE),
	      "CR4.TSD and CR4.PGE are watched");
	ending = cpu_go(machine, GUEST(g_cr4), cr4 ^ CR4_TSD);
	check(caught(cpu, ending, KVM_WRITE_EXIT_CR4, cr4 ^ CR4_TSD, GUEST(g_cr4)) &&
		      sregs_of(cpu).cr4 == cr4,
	      "a write that changes CR4.TSD exits before it takes effect");
	ending = cpu_go(machine, GUEST(g_cr4), cr4 ^ CR4_PGE);
	check(caught(cpu, ending, KVM_WRITE_EXIT_CR4, cr4 ^ CR4_PGE, GUEST(g_cr4)) &&
		      sregs_of(cpu).cr4 == cr4,
	      "a write that changes CR4.PGE exits before it takes effect");
	check(cpu_go(machine, GUEST(g_cr4), cr4) == END_DONE &&
		      cpu_go(machine, GUEST(g_cr4), cr4 ^ 0x100) == END_DONE &&
		      sregs_of(cpu).cr4 == (cr4 ^ 0x100),
	      "a write that changes neither bit does not exit");
	check(cpu_go(machine, GUEST(g_cr4), cr4 | 0x8000) == END_TRAP,
	      "an invalid write raises an exception");
	watch(cpu, 0, 0, 0);
	check(cpu_go(machine, GUEST(g_cr4), cr4 ^ CR4_TSD) == END_DONE &&
		      sregs_of(cpu).cr4 == (cr4 ^ CR4_TSD) &&
		      cpu_go(machine, GUEST(g_cr4), cr4) == END_DONE,
	      "the register is written without an exit when it is not watched any more");
}

static void test_xcr0(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	struct kvm_xcrs xcrs = {0};
	enum ending ending;

	if (cpu_go(machine, GUEST(g_xsetbv), 3) != END_DONE) {
		check_skipped("XCR0", "the CPU has no XSAVE");
		return;
	}
	check(!watch(cpu, KVM_WRITE_EXIT_XCR0, 0, 0), "XCR0 is watched");
	ending = cpu_go(machine, GUEST(g_xsetbv), 1);
	ioctl(cpu->fd, KVM_GET_XCRS, &xcrs);
	check(caught(cpu, ending, KVM_WRITE_EXIT_XCR0, 1, GUEST(g_xsetbv_at)) &&
		      xcrs.xcrs[0].value == 3,
	      "XSETBV exits with the value before it takes effect");
	watch(cpu, 0, 0, 0);
	check(cpu_run(cpu) == END_DONE && !ioctl(cpu->fd, KVM_GET_XCRS, &xcrs) &&
		      xcrs.xcrs[0].value == 1,
	      "XSETBV does not exit when XCR0 is not watched any more");
}

struct descriptor {
	const char *name;
	uint32_t which;
	uint64_t code;
	uint64_t operand;
	uint32_t length;
};

static uint64_t table_register(struct raw_vcpu *cpu, uint32_t which)
{
	struct kvm_sregs sregs = sregs_of(cpu);

	switch (which) {
	case KVM_WRITE_EXIT_GDTR:
		return sregs.gdt.limit;
	case KVM_WRITE_EXIT_IDTR:
		return sregs.idt.limit;
	case KVM_WRITE_EXIT_LDTR:
		return sregs.ldt.selector;
	default:
		return sregs.tr.selector;
	}
}

static void test_descriptors(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	const struct descriptor descriptors[] = {
		{"LGDT", KVM_WRITE_EXIT_GDTR, GUEST(g_lgdt), SCRATCH, 3},
		{"LIDT", KVM_WRITE_EXIT_IDTR, GUEST(g_lidt), SCRATCH + 16, 3},
		{"LLDT", KVM_WRITE_EXIT_LDTR, GUEST(g_lldt), 40, 3},
		{"LTR", KVM_WRITE_EXIT_TR, GUEST(g_ltr), 24, 3},
	};
	int cap = ioctl(machine->vm, KVM_CHECK_EXTENSION, KVM_CAP_WRITE_EXITS);
	uint64_t tss;

	/* The operands: the current GDT and IDT with smaller limits. */
	raw_kvm_put(machine, SCRATCH, (63 - 8) | (uint64_t)GDT << 16);
	raw_kvm_put(machine, SCRATCH + 16, 0xffe | (uint64_t)IDT << 16);
	for (unsigned int i = 0; i < 4; i++) {
		const struct descriptor *descriptor = &descriptors[i];
		uint64_t before;
		enum ending ending;

		if (!(cap & (int)descriptor->which)) {
			check(watch(cpu, descriptor->which, 0, 0) == -EINVAL,
			      "%s cannot be watched, and the ioctl refuses it", descriptor->name);
			continue;
		}
		raw_kvm_put(machine, GDT + 24,
			    word(machine, GDT + 24) & ~(UINT64_C(2) << 40)); /* not busy */
		tss = word(machine, GDT + 24);
		before = table_register(cpu, descriptor->which);
		watch(cpu, KVM_WRITE_EXIT_MASK & (uint32_t)cap & ~descriptor->which, 0, 0);
		check(cpu_go(machine, GUEST(g_sgdt), SCRATCH + 32) == END_DONE,
		      "%s: instructions that store the registers do not exit", descriptor->name);
		watch(cpu, descriptor->which, 0, 0);
		ending = cpu_go(machine, descriptor->code, descriptor->operand);
		check(caught(cpu, ending, descriptor->which, 0, descriptor->code) &&
			      table_register(cpu, descriptor->which) == before &&
			      word(machine, GDT + 24) == tss,
		      "%s exits before it takes effect", descriptor->name);
		check(!cpu_write(cpu)->insn_len || cpu_write(cpu)->insn_len == descriptor->length,
		      "%s: the exit has the correct instruction length, or none", descriptor->name);
		check(cpu_go(machine, descriptors[(i + 1) % 4].code,
			     descriptors[(i + 1) % 4].operand) != END_WRITE,
		      "%s: an instruction for another register does not exit", descriptor->name);
		raw_kvm_put(machine, GDT + 24, word(machine, GDT + 24) & ~(UINT64_C(2) << 40));
		watch(cpu, 0, 0, 0);
		check(cpu_go(machine, descriptor->code, descriptor->operand) == END_DONE,
		      "%s is executed when it is not watched any more", descriptor->name);
	}
}

/* A guest can replace the bytes of an instruction that exits before KVM fetches them again, so KVM must check
 * the instruction that it executes. */
static void test_emulated(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	static const char *const bytes[] = {"\x0f\x01\x17", "\x0f\x01\x1f", "\x0f\x00\xd7",
					    "\x0f\x00\xdf", "\x0f\x22\xc7", "\x0f\x22\xe7"};
	static const uint32_t which[] = {KVM_WRITE_EXIT_GDTR, KVM_WRITE_EXIT_IDTR,
					 KVM_WRITE_EXIT_LDTR, KVM_WRITE_EXIT_TR,
					 KVM_WRITE_EXIT_CR0,  KVM_WRITE_EXIT_CR4};
	const uint64_t operands[] = {SCRATCH,
				     SCRATCH + 16,
				     40,
				     24,
				     sregs_of(cpu).cr0 ^ CR0_WP,
				     sregs_of(cpu).cr4 ^ CR4_TSD};
	static const char ud_kvm[] = "\x0f\x0b"
				     "kvm";
	int cap = ioctl(machine->vm, KVM_CHECK_EXTENSION, KVM_CAP_WRITE_EXITS);

	if (!raw_kvm_force_emulation("1")) {
		check_skipped("emulated instructions", "kvm.force_emulation_prefix cannot be set");
		return;
	}
	for (unsigned int i = 0; i < 6; i++) {
		enum ending ending;

		memcpy(machine->ram + SCRATCH + 0x100, ud_kvm, 5);
		memcpy(machine->ram + SCRATCH + 0x105, bytes[i], 3);
		raw_kvm_put(machine, GDT + 24, word(machine, GDT + 24) & ~(UINT64_C(2) << 40));
		if (!(cap & (int)which[i]))
			continue;
		watch(cpu, which[i], which[i] == KVM_WRITE_EXIT_CR0 ? CR0_WP : 0,
		      which[i] == KVM_WRITE_EXIT_CR4 ? CR4_TSD : 0);
		ending = cpu_go(machine, SCRATCH + 0x100, operands[i]);
		check(ending == END_WRITE && cpu_write(cpu)->which == which[i] &&
			      cpu_write(cpu)->insn_len == 3,
		      "an instruction that KVM emulates exits, too: %#x", which[i]);
	}
	watch(cpu, 0, 0, 0);
	raw_kvm_force_emulation("0");
}

static void put_task(struct raw_kvm *machine)
{
	static const uint8_t segments[] = {72, 80, 84, 88, 92};
	uint8_t *task = machine->ram + TSS_32;
	const uint32_t eip = (uint32_t)GUEST(g_task_done), flags = 2, esp = STACK;

	memset(task, 0, 104);
	memcpy(task + 32, &eip, 4);
	memcpy(task + 36, &flags, 4);
	memcpy(task + 56, &esp, 4);
	task[76] = CODE_32;
	for (unsigned int i = 0; i < sizeof(segments); i++)
		task[segments[i]] = 16;
	task[102] = 104;
}

static void test_task_switch(struct raw_kvm *machine)
{
	static const uint32_t watched[] = {0, KVM_WRITE_EXIT_TR, KVM_WRITE_EXIT_LDTR};
	struct raw_vcpu *cpu = &machine->vcpu[0];
	int cap = ioctl(machine->vm, KVM_CHECK_EXTENSION, KVM_CAP_WRITE_EXITS);

	for (unsigned int i = 0; i < 3; i++) {
		enum ending ending;
		uint16_t selector;
		uint64_t exits;

		if ((cap & (int)watched[i]) != (int)watched[i])
			continue;
		watch(cpu, watched[i], 0, 0);
		put_task(machine);
		cpu_start_32(machine, GUEST(g_task), 0, 0, 0);
		exits = cpu_stat(cpu, "exits");
		ending = cpu_run(cpu);
		exits = cpu_stat(cpu, "exits") - exits;
		selector = sregs_of(cpu).tr.selector;
		if (!watched[i])
			check(ending == END_DONE && selector == TASK_32,
			      "a task switch loads TR while TR is not watched");
		else if (ending == END_DONE && exits == 1)
			/* QEMU's software CPU does not exit; a CPU with VMX or SVM always does. */
			check_skipped("a task switch while TR or LDTR is watched",
				      "this CPU does not exit on task switches");
		else
			check(ending == END_TRAP && selector == 24 &&
				      (uint32_t)word(machine, cpu_regs(cpu).rsp) == TASK_32,
			      "while %s is watched a task switch raises #GP",
			      watched[i] == KVM_WRITE_EXIT_TR ? "TR" : "LDTR");
	}
	watch(cpu, 0, 0, 0);
	cpu_end_32(machine);
}

static void test_reset(struct raw_kvm *machine)
{
	struct raw_vcpu *cpu = &machine->vcpu[0];
	uint64_t cr0 = sregs_of(cpu).cr0;

	watch(cpu, KVM_WRITE_EXIT_CR0, CR0_MP, 0);
	check(cpu_go(machine, GUEST(g_cr0), cr0 ^ CR0_WP) == END_DONE &&
		      cpu_go(machine, GUEST(g_cr0), cr0 ^ CR0_MP) == END_WRITE,
	      "CR0.MP is still watched after a write of another bit");
	watch(cpu, 0, 0, 0);
}

int main(void)
{
	struct raw_kvm machine;

	machine_create(&machine, 64 * MIB, false);
	test_arguments(&machine);
	test_cr0(&machine);
	test_task_switch(&machine);
	test_cr4(&machine);
	test_xcr0(&machine);
	test_descriptors(&machine);
	test_emulated(&machine);
	test_reset(&machine);
	raw_kvm_destroy(&machine);
	return checks_end();
}
