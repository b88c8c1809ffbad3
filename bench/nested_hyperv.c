/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VTL switch by a hypervisor in the guest (L1): the VTL's hypercall is an exit of L2 that KVM
 * reflects to L1, and L1 enters the other VTL by VMRUN. L1 copies no registers besides those of
 * VMRUN and #VMEXIT, so the figure is a lower bound.
 *
 * The floor is two bare exits of KVM.
 */
#include <sys/ioctl.h>

#include "core/x64.h"
#include "kvm/engine/nested_vmcb.h"
#include "bench.h"
#include "raw_kvm.h"

#define MIB	 (UINT64_C(1) << 20)
#define RAM	 (4 * MIB)
#define SWITCHES 64u /* calls and returns of one KVM_RUN */

/* L1 and both VTLs share one address space. */
enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	HSAVE = 0x4000,
	VMCB = 0x5000, /* of VTL0, then of VTL1 */
	NPT_PML4 = 0x7000,
	NPT_PDPT = 0x8000,
	NPT_PD = 0x9000,
	CODE = 0x10000,
};

#define ENTRY_TABLE   0x67u
#define ENTRY_LARGE   0xe7u
#define MSR_HSAVE     0xc0010117u
#define NESTED_PAGING 1u
#define INTERCEPT_HLT (1u << 24) /* intercept_misc1 */
#define VMCB_RIP      0x578

/*
 * hv_loop, the hypervisor: RAX and RSI are the VMCBs of the two VTLs, RCX a count. It advances the
 * VTL's RIP past its VMMCALL, and runs the other VTL. hv_vtl makes VTL calls or returns in a loop.
 * hv_exits is the floor.
 */
__asm__(".pushsection .rodata\n"
	".globl hv_code, hv_loop, hv_vtl, hv_exits, hv_code_end\n"
	"hv_code:\n"
	"hv_loop: vmrun %rax\n"
	"addq $3, 0x578(%rax)\n"
	"xchg %rax, %rsi\n"
	"dec %rcx\n"
	"jnz hv_loop\n"
	"out %al, $0x7e\n"
	"hv_vtl: vmmcall\n"
	"jmp hv_vtl\n"
	"hv_exits: out %al, $0x7e\n"
	"jmp hv_exits\n"
	"hv_code_end:\n"
	".popsection");

extern const uint8_t hv_code[], hv_loop[], hv_vtl[], hv_exits[], hv_code_end[];

_Static_assert(offsetof(struct vmcb, rip) == VMCB_RIP, "the code above moves it");

static uint64_t code_at(const uint8_t *label)
{
	return CODE + (uint64_t)(label - hv_code);
}

static void make_tables(const struct raw_kvm *machine, uint64_t pml4, uint64_t pdpt, uint64_t pd)
{
	raw_kvm_put(machine, pml4, pdpt | ENTRY_TABLE);
	raw_kvm_put(machine, pdpt, pd | ENTRY_TABLE);
	raw_kvm_put(machine, pd, 0 | ENTRY_LARGE);
	raw_kvm_put(machine, pd + 8, 2 * MIB | ENTRY_LARGE);
}

static void make_vmcb(const struct raw_kvm *machine, unsigned int vtl)
{
	struct vmcb *vmcb = (struct vmcb *)(void *)(machine->ram + VMCB + vtl * 0x1000);

	vmcb->intercept_misc1 = VMCB_INTERCEPT_SHUTDOWN | INTERCEPT_HLT;
	vmcb->intercept_misc2 = VMCB_INTERCEPT_SVM;
	vmcb->asid = vtl + 1;
	vmcb->nested_control = NESTED_PAGING;
	vmcb->nested_cr3 = NPT_PML4;
	vmcb->efer = X64_EFER_SCE | X64_EFER_LME | X64_EFER_LMA | X64_EFER_NXE | X64_EFER_SVME;
	vmcb->cr0 = X64_CR0_PE | X64_CR0_ET | X64_CR0_NE | X64_CR0_WP | X64_CR0_PG;
	vmcb->cr3 = PML4;
	vmcb->cr4 = X64_CR4_PAE;
	vmcb->rflags = X64_RFLAGS_FIXED;
	vmcb->dr6 = X64_DR6_RESET;
	vmcb->dr7 = X64_DR7_RESET;
	vmcb->rip = code_at(hv_vtl);
	vmcb->cs = (struct vmcb_segment){.selector = 8, .attributes = 0xa9b, .limit = UINT32_MAX};
	vmcb->ss = (struct vmcb_segment){.selector = 16, .attributes = 0xc93, .limit = UINT32_MAX};
	vmcb->ds = vmcb->ss;
	vmcb->es = vmcb->ss;
}

static void set_registers(const struct raw_kvm *machine)
{
	const struct raw_vcpu *vcpu = &machine->vcpu[0];
	struct kvm_sregs sregs = raw_kvm_sregs(vcpu);
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} hsave = {.head.nmsrs = 1, .entry = {.index = MSR_HSAVE, .data = HSAVE}};

	sregs.cr0 = X64_CR0_PE | X64_CR0_ET | X64_CR0_NE | X64_CR0_WP | X64_CR0_PG;
	sregs.cr3 = PML4;
	sregs.cr4 = X64_CR4_PAE;
	sregs.efer = X64_EFER_SCE | X64_EFER_LME | X64_EFER_LMA | X64_EFER_NXE | X64_EFER_SVME;
	sregs.cs = raw_kvm_code_64;
	sregs.ss = raw_kvm_data;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss;
	raw_kvm_set_sregs(vcpu, &sregs);
	raw_kvm_require(ioctl(vcpu->fd, KVM_SET_MSRS, &hsave) == 1, "KVM_SET_MSRS");
}

/* False: KVM has no nested SVM. */
static bool make_machine(struct raw_kvm *machine)
{
	struct raw_kvm_cpuid cpuid;
	bool svm = false;

	raw_kvm_create(machine);
	raw_kvm_get_cpuid(machine, &cpuid);
	for (uint32_t i = 0; i < cpuid.head.nent; i++)
		svm |= cpuid.entry[i].function == 0x80000001 && cpuid.entry[i].ecx & 4;
	if (!svm)
		return false;
	raw_kvm_add_ram(machine, RAM);
	raw_kvm_add_vcpu(machine, &cpuid);
	memcpy(machine->ram + CODE, hv_code, (size_t)(hv_code_end - hv_code));
	make_tables(machine, PML4, PDPT, PD);
	make_tables(machine, NPT_PML4, NPT_PDPT, NPT_PD);
	set_registers(machine);
	return true;
}

static void start(struct raw_kvm *machine, uint64_t rip)
{
	const struct kvm_regs regs = {.rip = rip,
				      .rax = VMCB,
				      .rsi = VMCB + 0x1000,
				      .rcx = 2 * SWITCHES,
				      .rflags = X64_RFLAGS_FIXED};

	raw_kvm_set_regs(&machine->vcpu[0], &regs);
}

static void enter(const struct raw_kvm *machine)
{
	const struct raw_vcpu *vcpu = &machine->vcpu[0];

	raw_kvm_require(!ioctl(vcpu->fd, KVM_RUN, 0) && vcpu->run->exit_reason == KVM_EXIT_IO &&
				vcpu->run->io.port == 0x7e,
			"KVM_RUN");
}

/* Includes one OUT exit and one ioctl for each KVM_RUN. */
static void switches(void *opaque, uint64_t n)
{
	while (n--) {
		start(opaque, code_at(hv_loop));
		enter(opaque);
	}
}

static void exits(void *opaque, uint64_t n)
{
	start(opaque, code_at(hv_exits));
	while (n--)
		enter(opaque);
}

int main(int argc, char **argv)
{
	struct bench bench = bench_begin(argc, argv);
	struct raw_kvm machine;
	double call, exit_ns;

	if (!make_machine(&machine)) {
		bench_skip(&bench, "nested_hyperv", "KVM has no nested SVM");
		return bench_end(&bench);
	}
	make_vmcb(&machine, 0);
	make_vmcb(&machine, 1);
	switches(&machine, 4);
	exits(&machine, 4);
	call = bench_best(switches, &machine, 40) / 40 / SWITCHES;
	exit_ns = bench_best(exits, &machine, 400) / 400;
	bench_figure(&bench, "nested_hyperv.call+return", call, "ns", 2 * exit_ns, 0);
	return bench_end(&bench);
}
