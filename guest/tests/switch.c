/* SPDX-License-Identifier: BSD-2-Clause */
/* VTL call and VTL return (TLFS "VTL Entry" and "VTL Exit"). */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#define ROUNDS 1000

struct call_32 {
	uint64_t control, input, output;
};

uint64_t hypercall_call_32(const struct call_32 *call, const void *page);

static const uint8_t *call_stub(void)
{
	return hypercall_page[0] + (register_own(HV_REGISTER_VSM_CODE_PAGE_OFFSETS) & 0xfff);
}

static void count(void *argument)
{
	(*(uint32_t *)argument)++;
}

static void many_times(void *argument)
{
	uint32_t *counts = argument;
	const uint32_t vp = cpu_current()->vp;

	for (uint32_t i = 0; i < ROUNDS; i++)
		vtl_run(count, &counts[vp]);
}

static void each_call_returns(void)
{
	static uint32_t counts[CPU_MAX];
	uint32_t before[CPU_MAX] = {0};

	memset(counts, 0, sizeof(counts));
	for (uint32_t vp = 0; vp < smp_count; vp++)
		before[vp] = vtl_service_of[vp][1]->entries[HV_VTL_ENTRY_VTL_CALL];
	smp_run_all(many_times, counts);
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		expect_equal(counts[vp], ROUNDS);
		expect_equal(vtl_service_of[vp][1]->entries[HV_VTL_ENTRY_VTL_CALL],
			     before[vp] + ROUNDS);
	}
}

/* General registers at the entry of VTL1, and at its return. */
struct registers {
	uint64_t seen[VTL_GPRS], left[VTL_GPRS];
	bool fast;
};

static void swap_registers(void *argument)
{
	struct registers *registers = argument;
	struct vtl_service *service = vtl_service();

	memcpy(registers->seen, service->gpr, sizeof(registers->seen));
	memcpy(service->gpr, registers->left, sizeof(service->gpr));
	service->return_fast = registers->fast;
}

static void exchange(bool fast, uint64_t rdx)
{
	static struct registers registers;
	struct vtl_service *service = vtl_service_of[0][1];
	uint64_t gpr[VTL_GPRS];

	for (unsigned int i = 0; i < VTL_GPRS; i++) {
		gpr[i] = tap_random();
		registers.left[i] = tap_random();
	}
	if (rdx) {
		gpr[GPR_RDX] = rdx;
		registers.left[GPR_RDX] = rdx;
	}
	registers.fast = fast;
	service->work = swap_registers;
	service->argument = &registers;
	{
		uint64_t sent[VTL_GPRS];

		memcpy(sent, gpr, sizeof(sent));
		vtl_switch(gpr, call_stub(), 0);
		for (unsigned int i = GPR_RDX; i < VTL_GPRS; i++) {
			if (i == GPR_RSP)
				continue;
			expect_equal(registers.seen[i], sent[i]);
			expect_equal(gpr[i], registers.left[i]);
		}
	}
	/* At a VTL call RAX is the control input, and RCX the call code (TLFS "VTL Call"). */
	expect_equal(registers.seen[GPR_RAX], 0);
	expect_equal(registers.seen[GPR_RCX], HV_CALL_VTL_CALL);
	expect_equal(gpr[GPR_RAX], fast ? HV_VTL_RETURN_FAST : registers.left[GPR_RAX]);
	expect_equal(gpr[GPR_RCX], fast ? HV_CALL_VTL_RETURN : registers.left[GPR_RCX]);
}

static void registers_cross(void)
{
	for (unsigned int i = 0; i < 50; i++)
		exchange(false, 0);
}

static void registers_cross_fast(void)
{
	for (unsigned int i = 0; i < 50; i++)
		exchange(true, 0);
}

/* The hypercall page may contain an OUT to a fixed port: DX must have no effect. */
static void ports_cross(void)
{
	for (uint64_t port = 1; port < 0x100; port++) {
		exchange(false, port);
		exchange(true, tap_random() << 16 | port);
	}
}

/* Without the stub in the hypercall page, which would set these registers. */
struct odd {
	uint64_t control, input;
};

static void odd_call(void *argument)
{
	const struct odd *odd = argument;

	__asm__ volatile("call *%[page]"
			 :
			 : [page] "r"(hypercall_page[cpu_current()->vtl]), "a"(odd->input),
			   "c"(odd->control)
			 : "memory", "rdx", "r8");
}

static void odd_in_vtl1(void *argument)
{
	struct fault fault;

	expect(catch_fault(&fault, odd_call, argument));
	expect_equal(fault.vector, VECTOR_UD);
}

static void wrong_input_is_undefined(void)
{
	static struct odd call[] = {
		{HV_CALL_VTL_CALL, 1},
		{HV_CALL_VTL_CALL | HV_HYPERCALL_FAST, 0},
		{HV_CALL_VTL_CALL | 1ull << 32, 0},
		{HV_CALL_VTL_CALL | 1ull << 17, 0},
		{HV_CALL_VTL_RETURN, 0},
	};
	static struct odd back[] = {
		{HV_CALL_VTL_RETURN, 2},
		{HV_CALL_VTL_RETURN, 1ull << 63},
		{HV_CALL_VTL_RETURN | HV_HYPERCALL_FAST, 0},
		{HV_CALL_VTL_RETURN | 1ull << 63, 0},
	};
	struct vtl_service *service = vtl_service_of[0][1];
	const uint32_t entries = service->entries[HV_VTL_ENTRY_VTL_CALL];
	struct fault fault;

	for (size_t i = 0; i < sizeof(call) / sizeof(call[0]); i++) {
		expect(catch_fault(&fault, odd_call, &call[i]));
		expect_equal(fault.vector, VECTOR_UD);
	}
	expect_equal(service->entries[HV_VTL_ENTRY_VTL_CALL], entries);
	for (size_t i = 0; i < sizeof(back) / sizeof(back[0]); i++)
		vtl_run(odd_in_vtl1, &back[i]);
}

static void count_call(void *argument)
{
	uint32_t *calls = argument;

	(*calls)++;
}

static void from_32_bit_code(void)
{
	struct cpu *cpu = cpu_current();
	struct {
		struct hv_vp_registers_input header;
		uint32_t name;
	} input = {{HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}},
		   HV_REGISTER_VSM_CODE_PAGE_OFFSETS};
	struct call_32 call = {hypercall_word(HV_CALL_GET_VP_REGISTERS, 1, 0),
			       (uint64_t)cpu->hypercall_input, (uint64_t)cpu->hypercall_output};
	struct vtl_service *service = vtl_service_of[0][1];
	static uint32_t calls;
	uint32_t offset;

	memcpy(cpu->hypercall_input, &input, sizeof(input));
	expect_equal(hypercall_call_32(&call, hypercall_page[0]),
		     hv_hypercall_result(HV_STATUS_SUCCESS, 1));
	offset = *(uint32_t *)(void *)cpu->hypercall_output & 0xfff;
	/* The VTL call's stub takes the control input in EAX. */
	call = (struct call_32){0, 0, 0};
	calls = 0;
	service->work = count_call;
	service->argument = &calls;
	for (unsigned int i = 0; i < 20; i++)
		hypercall_call_32(&call, hypercall_page[0] + offset);
	expect_equal(calls, 20);
}

static const struct tap_case cases[] = {
	{"a call runs VTL1 once and returns, on all VPs at once", each_call_returns},
	{"general registers are shared; RAX and RCX are loaded from the assist page",
	 registers_cross},
	{"a fast return does not change RAX and RCX", registers_cross_fast},
	{"a call and its return succeed with every port number in RDX", ports_cross},
	{"control words and inputs with other bits are undefined opcodes, and nothing is switched",
	 wrong_input_is_undefined},
	{"32-bit code makes a VTL call and continues after the VTL return", from_32_bit_code},
};

TAP_TOPIC(topic_switch, needs_vtl1, cases);
