/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Costs of KVM's nested VMX for an engine that runs a VTL as L2, as engine nested does with SVM
 * (docs/decisions.md). L1 is a few instructions: after an exit of L2 it executes an OUT, which
 * exits to user space, and VMRESUME.
 */
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "core/x64.h"
#include "bench.h"
#include "raw_kvm.h"

#define MIB	(UINT64_C(1) << 20)
#define RAM	(4 * MIB)
#define ABSENT	(1024 * MIB) /* GPA of L2 that its EPT does not map */
#define ROUNDS	64u	     /* CPUIDs of one KVM_RUN */
#define PORT	0x7e
#define EPTP_WB 0x1e /* four levels, write-back */

/* L1 and L2 have the same addresses. */
enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	EPT_PML4 = 0x4000,
	EPT_PDPT = 0x5000,
	EPT_PD = 0x6000,
	VMXON = 0x7000,
	VMCS = 0x8000,
	POINTERS = 0x9000, /* GPAs of the two regions above: operands of VMXON and VMPTRLD */
	FIELDS = 0xa000,   /* pairs of encoding and value that L1 writes to VMCS12 */
	READ = 0xb000,	   /* fields of VMCS12 that L1 reads after an exit */
	TSS = 0xc000,
	STACK = 0xe000,
	CODE = 0x10000,
};

#define ENTRY_TABLE 0x67u
#define ENTRY_LARGE 0xe7u
#define EPT_TABLE   0x7u
#define EPT_LARGE   0xb7u /* write-back */

#define MSR_VMX_BASIC 0x480u
#define MSR_VMX_PIN   0x48du
#define MSR_VMX_PROC  0x48eu
#define MSR_VMX_EXIT  0x48fu
#define MSR_VMX_ENTRY 0x490u
#define MSR_VMX_PROC2 0x48bu
#define CR4_VMXE      (1u << 13)
#define FEAT_CTL_VMX  5u

/*
 * L1: vmx_start enters L2; RDI is POINTERS, RSI FIELDS, RCX their count. After an exit of L2, L1 continues at vmx_bare,
 * which only executes OUT, at vmx_read, which first reads to R9 what an engine needs and writes RIP, or at vmx_cpuid,
 * which executes CPUID for L2. vmx_exits, vmx_cpuids and vmx_loads are loops for L1 or L2.
 */
__asm__(".pushsection .rodata\n"
	".globl vmx_code, vmx_start, vmx_bare, vmx_read, vmx_cpuid, vmx_exits, vmx_cpuids\n"
	".globl vmx_loads, vmx_code_end\n"
	"vmx_code:\n"
	"vmx_start: vmxon (%rdi)\n"
	"vmclear 8(%rdi)\n"
	"vmptrld 8(%rdi)\n"
	"1: mov (%rsi), %rax\n"
	"mov 8(%rsi), %rdx\n"
	"vmwrite %rdx, %rax\n"
	"jbe 2f\n"
	"add $16, %rsi\n"
	"dec %rcx\n"
	"jnz 1b\n"
	"vmlaunch\n"
	"2: out %al, $0x7d\n"
	"vmx_bare: out %al, $0x7e\n"
	"vmresume\n"
	"out %al, $0x7d\n"
	"vmx_read: mov %r9, %rcx\n"
	/* Reason, qualification, GPA, GVA, length, RFLAGS, RIP. */
	".irp field, 0x4402, 0x6400, 0x2400, 0x640a, 0x440c, 0x6820, 0x681e\n"
	"mov $\\field, %eax\n"
	"vmread %rax, (%rcx)\n"
	"add $8, %rcx\n"
	".endr\n"
	"vmwrite -8(%rcx), %rax\n"
	"out %al, $0x7e\n"
	"vmresume\n"
	/* A constant result; RIP is unchanged, so that L2 executes the same CPUID again. */
	"vmx_cpuid:\n"
	"mov $1, %eax\n"
	"cpuid\n"
	"dec %r8\n"
	"jnz 3f\n"
	"out %al, $0x7e\n"
	"3: vmresume\n"
	"vmx_exits: out %al, $0x7e\n"
	"jmp vmx_exits\n"
	"vmx_cpuids: cpuid\n"
	"dec %r8\n"
	"jnz vmx_cpuids\n"
	"out %al, $0x7e\n"
	"jmp vmx_cpuids\n"
	"vmx_loads: mov (%rbx), %rax\n"
	"jmp vmx_loads\n"
	"vmx_code_end:\n"
	".popsection");

extern const uint8_t vmx_code[], vmx_start[], vmx_bare[], vmx_read[], vmx_cpuid[], vmx_exits[];
extern const uint8_t vmx_cpuids[], vmx_loads[], vmx_code_end[];

/* What vmx_read stores at READ. */
struct exit_fields {
	uint64_t reason, qualification, gpa, gva, length, rflags, rip;
};

#define EXIT_EPT_VIOLATION 48u

struct state {
	struct kvm_nested_state head;
	uint8_t data[2 * KVM_STATE_NESTED_VMX_VMCS_SIZE];
};

struct machine {
	struct raw_kvm kvm;
	struct state state;
};

static uint64_t code_at(const uint8_t *label)
{
	return CODE + (uint64_t)(label - vmx_code);
}

static uint64_t get_msr(const struct machine *machine, uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = {.head.nmsrs = 1, .entry.index = index};

	raw_kvm_require(ioctl(machine->kvm.vcpu[0].fd, KVM_GET_MSRS, &msr) == 1, "KVM_GET_MSRS");
	return msr.entry.data;
}

static void set_msr(const struct machine *machine, uint32_t index, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = {.head.nmsrs = 1, .entry = {.index = index, .data = value}};

	raw_kvm_require(ioctl(machine->kvm.vcpu[0].fd, KVM_SET_MSRS, &msr) == 1, "KVM_SET_MSRS");
}

/* Returns @wanted and the bits that must be 1 (SDM 3C, appendix A.3). */
static uint64_t controls(const struct machine *machine, uint32_t msr, uint32_t wanted)
{
	const uint64_t allowed = get_msr(machine, msr);

	raw_kvm_require(!(wanted & ~(allowed >> 32)), "KVM offers L1 no such VMX control");
	return wanted | (uint32_t)allowed;
}

static void make_tables(const struct raw_kvm *kvm)
{
	raw_kvm_put(kvm, PML4, PDPT | ENTRY_TABLE);
	raw_kvm_put(kvm, PDPT, PD | ENTRY_TABLE);
	raw_kvm_put(kvm, PDPT + 8, ABSENT | ENTRY_LARGE);
	raw_kvm_put(kvm, EPT_PML4, EPT_PDPT | EPT_TABLE);
	raw_kvm_put(kvm, EPT_PDPT, EPT_PD | EPT_TABLE);
	for (uint64_t i = 0; i < RAM / (2 * MIB); i++) {
		raw_kvm_put(kvm, PD + 8 * i, i * 2 * MIB | ENTRY_LARGE);
		raw_kvm_put(kvm, EPT_PD + 8 * i, i * 2 * MIB | EPT_LARGE);
	}
}

/* Fields of VMCS12. Returns their number. */
static uint64_t put_fields(const struct machine *machine, uint64_t host_rip, uint64_t guest_rip)
{
	const struct raw_kvm *kvm = &machine->kvm;
	const struct kvm_sregs sregs = raw_kvm_sregs(&kvm->vcpu[0]);
	const uint64_t field[][2] = {
		{0x4000, controls(machine, MSR_VMX_PIN, 0)},
		/* Secondary controls; no exits for accesses to CR3. */
		{0x4002, controls(machine, MSR_VMX_PROC, 1u << 31) & ~(UINT64_C(3) << 15)},
		{0x401e, controls(machine, MSR_VMX_PROC2, 1u << 1)}, /* EPT */
		{0x400c, controls(machine, MSR_VMX_EXIT, 1u << 9 | 1u << 20 | 1u << 21)},
		{0x4012, controls(machine, MSR_VMX_ENTRY, 1u << 9 | 1u << 15)},
		{0x201a, EPT_PML4 | EPTP_WB},
		{0x2800, UINT64_MAX}, /* no shadow VMCS */
		/* Selectors, of the guest and of the host. */
		{0x0800, 16},
		{0x0802, 8},
		{0x0804, 16},
		{0x0806, 16},
		{0x0808, 16},
		{0x080a, 16},
		{0x080e, 24},
		{0x0c00, 16},
		{0x0c02, 8},
		{0x0c04, 16},
		{0x0c06, 16},
		{0x0c08, 16},
		{0x0c0a, 16},
		{0x0c0c, 24},
		/* Limits and access rights. */
		{0x4800, UINT32_MAX},
		{0x4802, UINT32_MAX},
		{0x4804, UINT32_MAX},
		{0x4806, UINT32_MAX},
		{0x4808, UINT32_MAX},
		{0x480a, UINT32_MAX},
		{0x480e, 0x67},
		{0x4814, 0xc093},
		{0x4816, 0xa09b},
		{0x4818, 0xc093},
		{0x481a, 0xc093},
		{0x481c, 0xc093},
		{0x481e, 0xc093},
		{0x4820, 0x10000}, /* LDTR: unusable */
		{0x4822, 0x8b},
		{0x6814, TSS},
		/* Control and debug registers, RSP, RIP, RFLAGS, EFER. */
		{0x6800, sregs.cr0},
		{0x6802, sregs.cr3},
		{0x6804, sregs.cr4},
		{0x681a, X64_DR7_RESET},
		{0x681c, STACK},
		{0x681e, guest_rip},
		{0x6820, X64_RFLAGS_FIXED},
		{0x2806, sregs.efer},
		{0x6c00, sregs.cr0},
		{0x6c02, sregs.cr3},
		{0x6c04, sregs.cr4},
		{0x6c0a, TSS},
		{0x6c14, STACK},
		{0x6c16, host_rip},
		{0x2c02, sregs.efer},
	};
	const uint64_t count = sizeof(field) / sizeof(field[0]);

	memcpy(kvm->ram + FIELDS, field, sizeof(field));
	return count;
}

static void enter(const struct machine *machine)
{
	const struct raw_vcpu *vcpu = &machine->kvm.vcpu[0];

	if (!ioctl(vcpu->fd, KVM_RUN, 0) && vcpu->run->exit_reason == KVM_EXIT_IO &&
	    vcpu->run->io.port == PORT)
		return;
	fprintf(stderr, "KVM_RUN: exit %u port %#x\n", vcpu->run->exit_reason, vcpu->run->io.port);
	raw_kvm_require(false, "KVM_RUN");
}

/* Runs L2 at @guest and L1 at @host after each exit, until the first OUT. */
static void start(struct machine *machine, const uint8_t *host, const uint8_t *guest)
{
	struct raw_kvm *kvm = &machine->kvm;
	struct kvm_regs regs = {.rip = code_at(vmx_start),
				.rdi = POINTERS,
				.rsi = FIELDS,
				.rbx = ABSENT,
				.r9 = READ,
				.r8 = 1,
				.rsp = STACK,
				.rflags = X64_RFLAGS_FIXED};
	struct kvm_nested_state none = {.size = sizeof(none),
					.format = KVM_STATE_NESTED_FORMAT_VMX};

	none.hdr.vmx.vmxon_pa = none.hdr.vmx.vmcs12_pa = UINT64_MAX;
	raw_kvm_require(!ioctl(kvm->vcpu[0].fd, KVM_SET_NESTED_STATE, &none),
			"KVM_SET_NESTED_STATE");
	regs.rcx = put_fields(machine, code_at(host), code_at(guest));
	raw_kvm_set_regs(&kvm->vcpu[0], &regs);
	enter(machine);
}

/* Without L2. */
static void start_plain(struct machine *machine, const uint8_t *code)
{
	struct kvm_nested_state none = {.size = sizeof(none),
					.format = KVM_STATE_NESTED_FORMAT_VMX};
	const struct kvm_regs regs = {
		.rip = code_at(code), .rsp = STACK, .rflags = X64_RFLAGS_FIXED};

	none.hdr.vmx.vmxon_pa = none.hdr.vmx.vmcs12_pa = UINT64_MAX;
	raw_kvm_require(!ioctl(machine->kvm.vcpu[0].fd, KVM_SET_NESTED_STATE, &none),
			"KVM_SET_NESTED_STATE");
	raw_kvm_set_regs(&machine->kvm.vcpu[0], &regs);
}

static void set_count(struct machine *machine)
{
	struct kvm_regs regs;
	const int fd = machine->kvm.vcpu[0].fd;

	raw_kvm_require(!ioctl(fd, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	regs.r8 = ROUNDS;
	raw_kvm_require(!ioctl(fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

static void enters(void *opaque, uint64_t n)
{
	while (n--)
		enter(opaque);
}

static void cpuid_rounds(void *opaque, uint64_t n)
{
	while (n--) {
		set_count(opaque);
		enter(opaque);
	}
}

/* L1 reads the EPT violation of L2. */
static void check_violation(const struct machine *machine)
{
	struct exit_fields fields;

	memset(machine->kvm.ram + READ, 0, sizeof(fields));
	enter(machine);
	memcpy(&fields, machine->kvm.ram + READ, sizeof(fields));
	raw_kvm_require(fields.reason == EXIT_EPT_VIOLATION && fields.gpa == ABSENT &&
				fields.rip == code_at(vmx_loads),
			"L2's violation");
}

/* KVM_SET_NESTED_STATE instead of L1's VMRESUME. */
static void violations_by_ioctl(void *opaque, uint64_t n)
{
	const struct machine *machine = opaque;
	const int fd = machine->kvm.vcpu[0].fd;
	const struct kvm_regs regs = {
		.rip = code_at(vmx_loads), .rbx = ABSENT, .rflags = X64_RFLAGS_FIXED};

	while (n--) {
		raw_kvm_require(!ioctl(fd, KVM_SET_NESTED_STATE, &machine->state) &&
					!ioctl(fd, KVM_SET_REGS, &regs),
				"KVM_SET_NESTED_STATE");
		enter(machine);
	}
}

static bool make_machine(struct machine *machine)
{
	static const struct kvm_segment tss = {
		.base = TSS, .limit = 0x67, .selector = 24, .type = 11, .present = 1};
	struct raw_kvm *kvm = &machine->kvm;
	struct raw_kvm_cpuid cpuid;
	struct kvm_sregs sregs;
	bool vmx = false;

	raw_kvm_create(kvm);
	raw_kvm_get_cpuid(kvm, &cpuid);
	for (uint32_t i = 0; i < cpuid.head.nent; i++)
		vmx |= cpuid.entry[i].function == 1 && cpuid.entry[i].ecx & 1u << 5;
	if (!vmx)
		return false;
	raw_kvm_add_ram(kvm, RAM);
	raw_kvm_add_vcpu(kvm, &cpuid);
	memcpy(kvm->ram + CODE, vmx_code, (size_t)(vmx_code_end - vmx_code));
	make_tables(kvm);
	raw_kvm_put(kvm, POINTERS, VMXON);
	raw_kvm_put(kvm, POINTERS + 8, VMCS);
	set_msr(machine, X64_MSR_FEAT_CTL, FEAT_CTL_VMX);
	memcpy(kvm->ram + VMXON, &(uint32_t){(uint32_t)get_msr(machine, MSR_VMX_BASIC)}, 4);
	memcpy(kvm->ram + VMCS, &(uint32_t){(uint32_t)get_msr(machine, MSR_VMX_BASIC)}, 4);

	sregs = raw_kvm_sregs(&kvm->vcpu[0]);
	sregs.cr0 = X64_CR0_PE | X64_CR0_ET | X64_CR0_NE | X64_CR0_WP | X64_CR0_PG;
	sregs.cr3 = PML4;
	sregs.cr4 = X64_CR4_PAE | CR4_VMXE;
	sregs.efer = X64_EFER_SCE | X64_EFER_LME | X64_EFER_LMA | X64_EFER_NXE;
	sregs.cs = raw_kvm_code_64;
	sregs.ss = raw_kvm_data;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss;
	sregs.tr = tss;
	raw_kvm_set_sregs(&kvm->vcpu[0], &sregs);
	return true;
}

static void figure(struct bench *bench, const char *name, double value, double floor)
{
	bench_figure(bench, name, value, "ns", floor, 0);
}

int main(int argc, char **argv)
{
	enum {
		TURNS = 200
	};
	struct bench bench = bench_begin(argc, argv);
	static struct machine machine;
	double floor;

	if (!make_machine(&machine)) {
		bench_skip(&bench, "nested_vmx", "KVM has no nested VMX");
		return bench_end(&bench);
	}
	start_plain(&machine, vmx_exits);
	floor = bench_best(enters, &machine, TURNS) / TURNS;
	start_plain(&machine, vmx_cpuids);
	figure(&bench, "nested_vmx.cpuid of L1",
	       bench_best(cpuid_rounds, &machine, 20) / 20 / ROUNDS, floor);

	start(&machine, vmx_bare, vmx_exits);
	figure(&bench, "nested_vmx.OUT of L2", bench_best(enters, &machine, TURNS) / TURNS, floor);
	machine.state.head.size = sizeof(machine.state);
	raw_kvm_require(!ioctl(machine.kvm.vcpu[0].fd, KVM_GET_NESTED_STATE, &machine.state),
			"KVM_GET_NESTED_STATE");

	start(&machine, vmx_cpuid, vmx_cpuids);
	figure(&bench, "nested_vmx.cpuid of L2",
	       bench_best(cpuid_rounds, &machine, 20) / 20 / ROUNDS, floor);
	start(&machine, vmx_bare, vmx_loads);
	figure(&bench, "nested_vmx.violation", bench_best(enters, &machine, TURNS) / TURNS, floor);
	start(&machine, vmx_read, vmx_loads);
	check_violation(&machine);
	figure(&bench, "nested_vmx.violation, 7 fields",
	       bench_best(enters, &machine, TURNS) / TURNS, floor);
	check_violation(&machine);
	start(&machine, vmx_bare, vmx_loads);
	figure(&bench, "nested_vmx.violation, by ioctl",
	       bench_best(violations_by_ioctl, &machine, TURNS) / TURNS, floor);
	return bench_end(&bench);
}
