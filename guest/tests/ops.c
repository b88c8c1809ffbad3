/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

#include "kit/cpu.h"
#include "kit/memory.h"
#include "kit/tap.h"

const struct op ops[] = {
	OP(load8, 0, true, false),	 OP(load64, 0, true, false),
	OP(load_sib, 0x48, true, false), OP(store8, 0, false, true),
	OP(store64, 0, false, true),	 OP(store_imm, 0x10, false, true),
	OP(add, 8, true, true),		 OP(lock_inc, 0, true, true),
	OP(xchg, 0, true, true),	 OP(lock_cmpxchg, 0, true, true),
	OP(load_sse, 0, true, false),	 OP(store_sse, 32, false, true),
	OP(movnti, 0, false, true),	 OP(bt, 0, true, true),
	OP(test, 0, true, false),	 OP(stosb, 0, false, true),
	OP(fld, 0, true, false),	 OP(rep_movsb, 0, false, true),
	OP(rep_stosq, 0, false, true),
};
const uint32_t ops_count = sizeof(ops) / sizeof(ops[0]);

void on_intercept_of(uint32_t vp, vtl_intercept *handler, void *argument)
{
	struct vtl_service *service = vtl_service_of[vp][1];

	service->intercept_argument = argument;
	__atomic_store_n(&service->on_intercept, handler, __ATOMIC_RELEASE);
}

void on_intercept(vtl_intercept *handler, void *argument)
{
	on_intercept_of(cpu_current()->vp, handler, argument);
}

uint32_t intercepts(void)
{
	return vtl_service_of[cpu_current()->vp][1]->intercepts;
}

const struct hv_message *last_intercept(void)
{
	const struct vtl_service *service = vtl_service_of[cpu_current()->vp][1];

	return &service->log[(service->intercepts - 1) % VTL_LOG];
}

uint16_t protect(const volatile void *page, uint32_t flags)
{
	return vtl_protect_by(1, (uint64_t)page, 1, flags);
}

bool check_header(const struct hv_message *message, uint32_t type, const void *at, const void *end,
		  uint8_t access)
{
	const struct hv_x64_intercept_message_header *header = (const void *)message->payload;
	const uint32_t length = (uint32_t)((const uint8_t *)end - (const uint8_t *)at);
	bool ok = expect_equal(message->message_type, type);

	ok &= expect_equal(header->vp_index, cpu_current()->vp);
	ok &= expect_equal(header->rip, (uint64_t)at);
	ok &= expect_equal(header->access_type, access);
	/* The hypervisor may report length 0 (unknown), but no wrong length. */
	if (header->instruction_length_cr8)
		ok &= expect_equal(header->instruction_length_cr8, length);
	ok &= expect_equal(header->execution_state & HV_X64_EXECUTION_STATE_VTL_MASK, 0);
	ok &= expect_equal(header->execution_state & HV_X64_EXECUTION_STATE_CPL_MASK, 0);
	ok &= expect_equal(header->cs.selector, 8);
	return ok;
}

void check_address(const struct hv_message *message, uint64_t address)
{
	const struct hv_x64_memory_intercept_message *memory = (const void *)message->payload;

	expect_equal(memory->guest_physical_address & ~4095ull, address & ~4095ull);
	if (memory->memory_access_info & HV_MEMORY_ACCESS_GVA_VALID) {
		expect_equal(memory->guest_virtual_address, address);
		expect_equal(memory->guest_physical_address, address);
	}
	if (memory->instruction_byte_count) {
		const uint8_t *code = (const uint8_t *)memory->header.rip;

		expect(memory->instruction_byte_count <= 16);
		expect(!memcmp(memory->instruction_bytes, code, memory->instruction_byte_count));
	}
}
