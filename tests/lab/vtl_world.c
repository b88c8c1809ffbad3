/* SPDX-License-Identifier: BSD-2-Clause */
#include "vtl_world.h"

#include <errno.h>
#include <string.h>

#include "engine.h"
#include "flat_context.h"

/* clang-format off */
#define MSR(number, low)                                      \
	"mov $" #number ", %ecx; mov $" #low ", %eax; xor %edx, %edx; wrmsr\n"
#define CALL(page, code, input)                               \
	"mov $" #code ", %rcx; mov $" #input ", %edx; xor %r8d, %r8d\n" \
	"mov $" #page ", %ebx; call *%rbx\n"

__asm__(".pushsection .rodata\n"
	".globl world_code, world_code_end, world_begin, world_store, world_call_loop\n"
	".globl world_hypercall_loop, world_violate, world_sse_loop, world_registers\n"
	".globl world_resume, world_vtl1, world_interrupt, world_fault1, world_fault0\n"
	".globl world_avx_loop, world_spin, world_tick, world_read\n"
	"world_code:\n"
	/* ---- VTL0 */
	"world_begin:\n"
	MSR(0x40000000, 1)
	MSR(0x40000001, 0x40001)
	CALL(0x40000, 0x0d, 0x9000)
	"out %eax, $0x20\n"
	CALL(0x40000, 0x0f, 0x9100)
	"out %eax, $0x21\n"
	"xor %ecx, %ecx; mov $0x40020, %ebx; call *%rbx\n"
	"out %eax, $0x22\n"
	"hlt\n"
	"world_store: mov %r14, (%rdi)\n"
	"out %eax, $0x23\n"
	"hlt\n"
	"world_call_loop: xor %ecx, %ecx; mov $0x40020, %ebx; call *%rbx\n"
	"dec %r15; jnz world_call_loop; out %eax, $0x24; hlt\n"
	/* HvCallGetPartitionId, the cheapest hypercall. */
	"world_hypercall_loop: mov $0x46, %ecx; xor %edx, %edx; mov $0x9800, %r8d\n"
	"mov $0x40000, %ebx; call *%rbx\n"
	"dec %r15; jnz world_hypercall_loop; out %eax, $0x24; hlt\n"
	"world_violate: mov %r14, (%rdi); out %eax, $0x24; hlt\n"
	"world_sse_loop: mov $1, %r14d\n"
	"movq %r15, %xmm3; xor %ecx, %ecx; mov $0x40020, %ebx; call *%rbx\n"
	"dec %r15; jnz world_sse_loop; out %eax, $0x24; hlt\n"
	"world_avx_loop: mov $2, %r14d\n"
	"vmovq %r15, %xmm3; vinsertf128 $1, %xmm3, %ymm3, %ymm3\n"
	"xor %ecx, %ecx; mov $0x40020, %ebx; call *%rbx\n"
	"dec %r15; jnz world_avx_loop; out %eax, $0x24; hlt\n"
	"world_spin: out %eax, $0x25; jmp world_spin\n"
	/* Reads 8 of each 64 bytes of [RDI, R14), R15 times. */
	"world_read: mov %rdi, %rsi\n"
	"1: mov (%rsi), %rax; mov 64(%rsi), %rax; mov 128(%rsi), %rax; mov 192(%rsi), %rax\n"
	"add $256, %rsi; cmp %r14, %rsi; jb 1b\n"
	"dec %r15; jnz world_read; out %eax, $0x24; hlt\n"
	/* Shared registers: VTL1 reads XMM5 and CR2 of VTL0 and changes XMM6, which VTL0 reads. */
	"world_registers: movq %r14, %xmm5; mov %r14, %cr2; xor %ecx, %ecx; mov $0x40020, %ebx\n"
	"call *%rbx; movq %xmm6, %r14; out %eax, $0x24; hlt\n"
	"world_fault0: out %eax, $0xef; hlt\n"
	/* ---- VTL1 */
	"world_vtl1:\n"
	MSR(0x40000000, 1)
	MSR(0x40000001, 0x41001)
	MSR(0x40000083, 0x42001)
	MSR(0x40000090, 0x20030)
	MSR(0x40000091, 0x20031)
	MSR(0x40000080, 1)
	CALL(0x41000, 0x100000051, 0x9300)
	"out %eax, $0x30\n"
	CALL(0x41000, 0x10000000c, 0x9400)
	"out %eax, $0x31\n"
	"sti\n"
	/* R14 selects what VTL1 does in a VTL call: 0 nothing, 2 AVX, 3 protections, other values SSE. */
	"world_return: test %r14, %r14; jz 3f; cmp $2, %r14; je 4f; cmp $3, %r14; je 5f\n"
	/* Clear CR0.EM while the SSE registers are used. */
	"mov %cr0, %rbp; mov %rbp, %rax; and $~4, %rax; cmp %rax, %rbp; je 1f; mov %rax, %cr0\n"
	"1: movq %xmm5, %r13; mov %cr2, %r12; movq %r15, %xmm6\n"
	"cmp %rax, %rbp; je 3f; mov %rbp, %cr0\n"
	"3: mov $1, %ecx; mov $0x41040, %ebx; call *%rbx\n"
	"jmp world_return\n"
	"4: vmovq %r15, %xmm6; vinsertf128 $1, %xmm6, %ymm6, %ymm6; jmp 3b\n"
	"5:\n"
	CALL(0x41000, 0x1fe0000000c, 0x44000)
	"movzwl %ax, %r13d\n"
	CALL(0x41000, 0x1fe0000000c, 0x45000)
	"movzwl %ax, %eax; or %rax, %r13; jmp 3b\n"
	/* R15 violations are intercepted without effect; the next access is granted. */
	"world_interrupt: push %rax; push %rcx; push %rdx; push %rbx; push %rsi; push %rdi; push %r8\n"
	"mov $0x42000, %esi; mov $0x43000, %edi; mov $256, %ecx; rep movsb\n"
	"movl $0, 0x42000\n"
	"test %r15, %r15; jz 1f; dec %r15; jmp world_resume\n"
	"1: out %eax, $0x40\n"
	CALL(0x41000, 0x10000000c, 0x9500)
	"out %eax, $0x41\n"
	"world_resume: pop %r8; pop %rdi; pop %rsi; pop %rbx; pop %rdx; pop %rcx; pop %rax; iretq\n"
	"world_tick: out %eax, $0x42; iretq\n"
	"world_fault1: out %eax, $0xee; hlt\n"
	"world_code_end:\n"
	".popsection");
/* clang-format on */

extern const uint8_t world_vtl1[], world_interrupt[], world_fault1[], world_fault0[], world_tick[];

enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	DIRECTORY = 0x3000, /* of the first gigabyte; the next page is that of the second */
	GDT = 0x5000,
	IDT1 = 0x6000,
	TSS = 0x7000,
	IDT0 = 0x8000,
	INPUTS = 0x9000,
	CODE = 0x10000,
	STACK0 = 0x38000,
	STACK1 = 0x3c000,
	VECTOR = 0x30,
	LISTS = 0x44000,
	CR0_EM = 0x4,
	CR4 = 0x620, /* OSXMMEXCPT OSFXSR PAE */
	CR4_OSXSAVE = 0x40000,
};

#define CR0 UINT64_C(0x80010033) /* PG WP NE ET MP PE */

uint64_t world_address(const uint8_t *place)
{
	return CODE + (uint64_t)(place - world_code);
}

static void put64(struct world *world, uint64_t gpa, uint64_t value)
{
	memcpy(world->ram + gpa, &value, sizeof(value));
}

static void put_gate(struct world *world, uint64_t gpa, uint64_t handler)
{
	put64(world, gpa,
	      (handler & 0xffff) | UINT64_C(8) << 16 | UINT64_C(0x8e00) << 32 |
		      (handler >> 16 & 0xffff) << 48);
	put64(world, gpa + 8, handler >> 32);
}

static void make_tables(struct world *world)
{
	put64(world, PML4, PDPT | 3);
	put64(world, PDPT, DIRECTORY | 3);
	put64(world, PDPT + 8, (DIRECTORY + 0x1000) | 3);
	for (uint64_t i = 0; i < 1024; i++)
		put64(world, DIRECTORY + 8 * i, i << 21 | 0xe3);
	put64(world, GDT + 8, 0x00af9b000000ffff);
	put64(world, GDT + 16, 0x00cf93000000ffff);
	put64(world, GDT + 24, 0x00008b0000000067 | (uint64_t)TSS << 16);
	for (uint64_t vector = 0; vector < 256; vector++) {
		put_gate(world, IDT0 + vector * 16, world_address(world_fault0));
		put_gate(world, IDT1 + vector * 16, world_address(world_fault1));
	}
	put_gate(world, IDT1 + VECTOR * 16, world_address(world_interrupt));
	put_gate(world, IDT1 + (VECTOR + 1) * 16, world_address(world_tick));
	memcpy(world->ram + CODE, world_code, (size_t)(world_code_end - world_code));
}

static struct hv_initial_vp_context context(uint64_t rip, uint64_t rsp, uint64_t idt)
{
	struct hv_initial_vp_context value = flat_context(FLAT_CODE_64, rip, rsp, GDT, TSS);

	value.idtr.limit = 0xfff;
	value.idtr.base = idt;
	value.cr0 = CR0;
	value.cr3 = PML4;
	value.cr4 = CR4;
	value.efer = 0xd00;
	return value;
}

static void put_protection(struct world *world, uint64_t gpa, uint32_t flags)
{
	const struct hv_modify_vtl_protection_mask_input input = {
		.partition_id = HV_PARTITION_ID_SELF, .map_flags = flags};

	memcpy(world->ram + gpa, &input, sizeof(input));
	put64(world, gpa + sizeof(input), WORLD_SECRET / 4096);
}

static void make_inputs(struct world *world)
{
	const struct hv_enable_partition_vtl_input partition = {
		.partition_id = HV_PARTITION_ID_SELF, .target_vtl = 1};
	const struct hv_enable_vp_vtl_input vp = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.target_vtl = 1,
		.context = context(world_address(world_vtl1), STACK1, IDT1),
	};
	const struct hv_vp_registers_input registers = {.partition_id = HV_PARTITION_ID_SELF,
							.vp_index = HV_VP_INDEX_SELF};
	const struct hv_register_assoc config = {
		.name = HV_REGISTER_VSM_PARTITION_CONFIG,
		.value.reg64 = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION |
			       HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET |
			       UINT64_C(0xf) << HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_SHIFT,
	};

	memcpy(world->ram + INPUTS, &partition, sizeof(partition));
	memcpy(world->ram + INPUTS + 0x100, &vp, sizeof(vp));
	memcpy(world->ram + INPUTS + 0x300, &registers, sizeof(registers));
	memcpy(world->ram + INPUTS + 0x300 + sizeof(registers), &config, sizeof(config));
	put_protection(world, INPUTS + 0x400, 0xf & ~HV_MAP_GPA_WRITABLE);
	put_protection(world, INPUTS + 0x500, 0xf);
}

static int create(struct world *world, const struct vsm_config *config, uint64_t ram_size)
{
	struct hv_initial_vp_context vtl0;
	void *ram = NULL;
	int error;

	*world = (struct world){0};
	error = vsm_partition_create(config, &world->partition);
	if (!error)
		error = vsm_memory_add(world->partition, 0, ram_size, -1, 0, &ram);
	if (error)
		return error;
	world->ram = ram;
	world->vp = vsm_partition_vp(world->partition, 0);
	make_tables(world);
	make_inputs(world);
	vtl0 = context(world_address(world_begin), STACK0, IDT0);
	return flat_start(world->vp, &vtl0) ? 0 : -EINVAL;
}

int world_create(struct world *world, uint32_t vps, const struct vsm_log *log)
{
	struct vsm_config config;

	vsm_config_init(&config);
	config.vp_count = vps;
	config.max_vtl = 1;
	config.engine = test_engine();
	if (log)
		config.log = *log;
	return create(world, &config, WORLD_RAM);
}

int world_create_of(struct world *world, uint8_t max_vtl, uint64_t ram_size)
{
	struct vsm_config config;

	vsm_config_init(&config);
	config.max_vtl = max_vtl;
	config.engine = test_engine();
	return create(world, &config, ram_size);
}

void world_destroy(struct world *world)
{
	vsm_partition_destroy(world->partition);
}

void world_finish_exit(struct world *world)
{
	const struct vsm_exit *exit;

	do {
		vsm_vp_kick(world->vp);
	} while (!vsm_vp_run(world->vp, &exit) && exit->reason != VSM_EXIT_INTERRUPTED);
}

void world_go(struct world *world, const uint8_t *place, uint64_t r14, uint64_t r15)
{
	static const uint32_t name[] = {HV_X64_REGISTER_RIP, HV_X64_REGISTER_RSP,
					HV_X64_REGISTER_RDI, HV_X64_REGISTER_R14,
					HV_X64_REGISTER_R15};
	const union hv_register_value value[] = {{.reg128 = {.low = world_address(place)}},
						 {.reg128 = {.low = STACK0}},
						 {.reg128 = {.low = WORLD_SECRET}},
						 {.reg128 = {.low = r14}},
						 {.reg128 = {.low = r15}}};

	world_finish_exit(world);
	vsm_vp_set_registers(world->vp, 0, name, value, sizeof(name) / sizeof(name[0]));
}

void world_set_em(struct world *world, bool em)
{
	const uint32_t name = HV_X64_REGISTER_CR0;
	const union hv_register_value value = {.reg128 = {.low = CR0 | (em ? CR0_EM : 0)}};

	world_finish_exit(world);
	vsm_vp_set_registers(world->vp, 1, &name, &value, 1);
}

void world_allow_avx(struct world *world)
{
	static const uint32_t name[] = {HV_X64_REGISTER_CR4, HV_X64_REGISTER_XFEM};
	const union hv_register_value value[] = {{.reg128 = {.low = CR4 | CR4_OSXSAVE}},
						 {.reg128 = {.low = 7}}};

	world_finish_exit(world);
	vsm_vp_set_registers(world->vp, 0, name, value, 2);
	vsm_vp_set_registers(world->vp, 1, name, value, 1);
}

void world_put_list(struct world *world, bool second, uint32_t flags, const uint64_t *gpns)
{
	const struct hv_modify_vtl_protection_mask_input input = {
		.partition_id = HV_PARTITION_ID_SELF, .map_flags = flags};
	const uint64_t gpa = second ? LISTS + 0x1000 : LISTS;

	memcpy(world->ram + gpa, &input, sizeof(input));
	memcpy(world->ram + gpa + sizeof(input), gpns, WORLD_LIST * sizeof(*gpns));
}

int world_run(struct world *world, uint32_t *result)
{
	const struct vsm_exit *exit;

	for (;;) {
		if (vsm_vp_run(world->vp, &exit))
			return -1000;
		if (exit->reason == VSM_EXIT_INTERRUPTED)
			continue;
		if (exit->reason != VSM_EXIT_IO || !exit->io.write || exit->io.size != 4)
			return -(int)exit->reason;
		memcpy(result, exit->io.data, sizeof(*result));
		return exit->io.port;
	}
}

int world_enter(struct world *world)
{
	static const enum world_step steps[] = {WORLD_ENABLED_PARTITION, WORLD_ENABLED_VP,
						WORLD_CONFIGURED, WORLD_PROTECTED, WORLD_RETURNED};
	uint32_t result = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int step = world_run(world, &result);

		/* A rep hypercall returns the count of completed elements above the status. */
		if (step != (int)steps[i] || (step != WORLD_RETURNED && (uint16_t)result))
			return 0;
	}
	return 1;
}
