/* SPDX-License-Identifier: BSD-2-Clause */
/* Get- and SetVpRegisters of VTL0, from VTL1, on the same VP and on other running VPs (P21). */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"

struct request {
	uint32_t vp;
	uint32_t name;
	union hv_register_value value;
	uint16_t status;
};

static void get(void *argument)
{
	struct request *request = argument;

	request->status = register_get(request->vp, input_vtl(0), request->name, &request->value);
}

static void set(void *argument)
{
	struct request *request = argument;

	request->status = register_set(request->vp, input_vtl(0), request->name, &request->value);
}

static uint64_t get_from_vtl1(uint32_t vp, uint32_t name)
{
	struct request request = {vp, name, {{0}}, 0};

	vtl_run(get, &request);
	expect_equal(request.status, HV_STATUS_SUCCESS);
	return request.value.reg64;
}

static void set_from_vtl1(uint32_t vp, uint32_t name, uint64_t value)
{
	struct request request = {vp, name, {{value, 0}}, 0};

	vtl_run(set, &request);
	expect_equal(request.status, HV_STATUS_SUCCESS);
}

static void own_state_is_read(void)
{
	struct request gdtr = {HV_VP_INDEX_SELF, HV_X64_REGISTER_GDTR, {{0}}, 0};
	struct request cs = {HV_VP_INDEX_SELF, HV_X64_REGISTER_CS, {{0}}, 0};

	expect_equal(get_from_vtl1(HV_VP_INDEX_SELF, HV_X64_REGISTER_CR3), read_cr3());
	expect_equal(get_from_vtl1(HV_VP_INDEX_SELF, HV_X64_REGISTER_CR4), read_cr4());
	expect_equal(get_from_vtl1(HV_VP_INDEX_SELF, HV_X64_REGISTER_EFER), rdmsr(MSR_EFER));
	expect_equal(get_from_vtl1(HV_VP_INDEX_SELF, HV_X64_REGISTER_LSTAR), rdmsr(MSR_LSTAR));
	expect_equal(get_from_vtl1(HV_VP_INDEX_SELF, HV_REGISTER_GUEST_OS_ID), KIT_GUEST_OS_ID);
	vtl_run(get, &gdtr);
	expect_equal(gdtr.value.table.base, (uint64_t)cpu_current()->gdt);
	vtl_run(get, &cs);
	expect_equal(cs.value.segment.selector, SELECTOR_CODE);
	expect(cs.value.segment.attributes & HV_X64_SEGMENT_LONG);
}

static void own_state_is_written(void)
{
	const uint64_t lstar = rdmsr(MSR_LSTAR);
	uint64_t xmm[2] = {0, 0};
	struct request request = {HV_VP_INDEX_SELF,
				  HV_X64_REGISTER_XMM3,
				  {{0x1122334455667788, 0x99aabbccddeeff00}},
				  0};

	set_from_vtl1(HV_VP_INDEX_SELF, HV_X64_REGISTER_LSTAR, 0x123000);
	expect_equal(rdmsr(MSR_LSTAR), 0x123000);
	set_from_vtl1(HV_VP_INDEX_SELF, HV_X64_REGISTER_LSTAR, lstar);
	set_from_vtl1(HV_VP_INDEX_SELF, HV_X64_REGISTER_DR2, 0x4560);
	expect_equal(read_dr2(), 0x4560);
	vtl_run(set, &request);
	expect_equal(request.status, HV_STATUS_SUCCESS);
	__asm__ volatile("movups %%xmm3, %0" : "=m"(xmm) : : "memory");
	expect_equal(xmm[0], 0x1122334455667788);
	expect_equal(xmm[1], 0x99aabbccddeeff00);
}

struct loop {
	volatile uint32_t ready, stop;
	uint64_t seen;
};

/* This loop does not change R12: only VTL1 of another VP does. */
static void loop_with_r12(void *argument)
{
	struct loop *loop = argument;
	register uint64_t marker __asm__("r12") = 0x5150;

	write_cr8(2);
	loop->ready = 1;
	while (!loop->stop && marker == 0x5150)
		__asm__ volatile("pause" : "+r"(marker) : : "memory");
	loop->seen = marker;
	write_cr8(0);
}

static void running_vp_is_read_and_written(void)
{
	struct loop loop = {0};

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	smp_begin(1, loop_with_r12, &loop);
	expect(wait_for(loop.ready));
	expect_equal(get_from_vtl1(1, HV_X64_REGISTER_R12), 0x5150);
	expect_equal(get_from_vtl1(1, HV_X64_REGISTER_CR8), 2);
	expect(get_from_vtl1(1, HV_X64_REGISTER_RIP) != 0);
	set_from_vtl1(1, HV_X64_REGISTER_R12, 0x6160);
	expect(wait_for(!smp_busy(1)));
	loop.stop = 1;
	smp_end(1);
	expect_equal(loop.seen, 0x6160);
}

static void cross(void *argument)
{
	const uint32_t vp = (cpu_current()->vp + 1) % smp_count;
	struct request request = {vp, HV_X64_REGISTER_CR3, {{0}}, 0};

	for (unsigned int i = 0; i < 200; i++) {
		get(&request);
		expect_equal(request.status, HV_STATUS_SUCCESS);
	}
}

static void cross_from_vtl1(void *argument)
{
	vtl_run(cross, argument);
}

/* All VPs read registers of the next VP at the same time: there must be no deadlock. */
static void all_ask_all(void)
{
	smp_run_all(cross_from_vtl1, NULL);
}

struct list {
	struct hv_vp_registers_input header;
	uint32_t name[8];
};

static void partial_list(void *argument)
{
	struct list list = {
		{HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, input_vtl(0), {0}},
		{HV_X64_REGISTER_CR3, HV_X64_REGISTER_CR4, 0x7fffffff, HV_X64_REGISTER_CR0}};
	uint64_t result;
	union hv_register_value value[4];

	result = hypercall_memory(hypercall_word(HV_CALL_GET_VP_REGISTERS, 4, 0), &list,
				  sizeof(list), value, sizeof(value));
	expect(hv_hypercall_result_status(result) != HV_STATUS_SUCCESS);
	expect_equal(hv_hypercall_result_reps(result), 2);
	expect_equal(value[0].reg64, *(uint64_t *)argument);
}

static void lists_stop_at_the_bad_one(void)
{
	uint64_t cr3 = read_cr3();

	vtl_run(partial_list, &cr3);
}

static void bad_values_are_refused(void)
{
	struct request request = {HV_VP_INDEX_SELF, HV_X64_REGISTER_CR0, {{1ull << 40, 0}}, 0};
	const uint64_t cr0 = read_cr0();

	vtl_run(set, &request);
	expect_equal(request.status, HV_STATUS_INVALID_REGISTER_VALUE);
	request.vp = smp_count + 5;
	vtl_run(set, &request);
	expect_equal(request.status, HV_STATUS_INVALID_VP_INDEX);
	expect_equal(read_cr0(), cr0);
}

static const struct tap_case cases[] = {
	{"VTL1 reads registers of VTL0", own_state_is_read},
	{"VTL1 writes registers of VTL0, XMM and debug registers too", own_state_is_written},
	{"registers of another VP that runs are read and written", running_vp_is_read_and_written},
	{"all VPs read registers of each other at the same time", all_ask_all},
	{"a list stops at the register that does not exist", lists_stop_at_the_bad_one},
	{"illegal values are refused and change nothing", bad_values_are_refused},
};

TAP_TOPIC(topic_registers, needs_vtl1, cases);
