/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/hypercall.h"

#include "kit/console.h"
#include "kit/cpu.h"
#include "kit/memory.h"
#include "kit/x64.h"

uint8_t *hypercall_page[VTL_COUNT];

uint64_t hypercall_call(uint64_t control, uint64_t rdx, uint64_t r8, const void *page);
uint64_t hypercall_call_block(uint64_t control, uint64_t block[14], const void *page);

bool hypercall_offered(void)
{
	return cpuid(1, 0).ecx & HV_CPUID_1_ECX_HYPERVISOR_PRESENT &&
	       cpuid(HV_CPUID_VENDOR_AND_MAX_FUNCTION, 0).eax >= HV_CPUID_IMPLEMENT_LIMITS &&
	       cpuid(HV_CPUID_INTERFACE, 0).eax == HV_CPUID_SIGNATURE_EAX;
}

uint64_t hypercall_privileges(void)
{
	const struct cpuid leaf = cpuid(HV_CPUID_FEATURES, 0);

	return hypercall_offered() ? (uint64_t)leaf.ebx << 32 | leaf.eax : 0;
}

uint32_t hypercall_features(void)
{
	return hypercall_offered() ? cpuid(HV_CPUID_FEATURES, 0).edx : 0;
}

void hypercall_enable(void)
{
	const uint8_t vtl = cpu_current()->vtl;

	if (!hypercall_page[vtl])
		hypercall_page[vtl] = memory_pages(1);
	wrmsr(HV_X64_MSR_GUEST_OS_ID, KIT_GUEST_OS_ID);
	wrmsr(HV_X64_MSR_HYPERCALL, (uint64_t)hypercall_page[vtl] | HV_PAGE_MSR_ENABLE);
}

uint64_t hypercall_raw(uint64_t control, uint64_t rdx, uint64_t r8)
{
	return hypercall_call(control, rdx, r8, hypercall_page[cpu_current()->vtl]);
}

uint64_t hypercall_block(uint64_t control, uint64_t block[14])
{
	return hypercall_call_block(control, block, hypercall_page[cpu_current()->vtl]);
}

uint64_t hypercall_memory(uint64_t control, const void *input, uint32_t size, void *output,
			  uint32_t out_size)
{
	const struct cpu *cpu = cpu_current();
	const uint16_t reps = hv_hypercall_rep_count(control);
	uint64_t result;
	uint16_t done = 0;

	memcpy(cpu->hypercall_input, input, size);
	do {
		result = hypercall_raw(control | (uint64_t)done << HV_HYPERCALL_REP_START_SHIFT,
				       (uint64_t)cpu->hypercall_input,
				       (uint64_t)cpu->hypercall_output);
		/* A rep hypercall may return early, with success, if it made progress. */
		if (hv_hypercall_result_reps(result) <= done)
			break;
		done = hv_hypercall_result_reps(result);
	} while (hv_hypercall_result_status(result) == HV_STATUS_SUCCESS && done < reps);
	if (output)
		memcpy(output, cpu->hypercall_output, out_size);
	return result;
}

uint16_t hypercall(uint16_t code, const void *input, uint32_t size, void *output, uint32_t out_size)
{
	return hv_hypercall_result_status(
		hypercall_memory(hypercall_word(code, 0, 0), input, size, output, out_size));
}

uint16_t hypercall_fast(uint16_t code, uint64_t rdx, uint64_t r8)
{
	return hv_hypercall_result_status(hypercall_raw(code | HV_HYPERCALL_FAST, rdx, r8));
}

uint16_t register_get(uint32_t vp, uint8_t vtl, uint32_t name, union hv_register_value *value)
{
	struct {
		struct hv_vp_registers_input header;
		uint32_t name, pad;
	} input = {{HV_PARTITION_ID_SELF, vp, vtl, {0}}, name, 0};

	return hv_hypercall_result_status(
		hypercall_memory(hypercall_word(HV_CALL_GET_VP_REGISTERS, 1, 0), &input,
				 sizeof(input), value, sizeof(*value)));
}

uint16_t register_set(uint32_t vp, uint8_t vtl, uint32_t name, const union hv_register_value *value)
{
	struct {
		struct hv_vp_registers_input header;
		struct hv_register_assoc assoc;
	} input = {{HV_PARTITION_ID_SELF, vp, vtl, {0}}, {.name = name, .value = *value}};

	return hv_hypercall_result_status(hypercall_memory(
		hypercall_word(HV_CALL_SET_VP_REGISTERS, 1, 0), &input, sizeof(input), NULL, 0));
}

uint16_t register_set_u64(uint32_t vp, uint8_t vtl, uint32_t name, uint64_t value)
{
	const union hv_register_value full = {.reg128 = {value, 0}};

	return register_set(vp, vtl, name, &full);
}

uint64_t register_own(uint32_t name)
{
	union hv_register_value value;
	const uint16_t status = register_get(HV_VP_INDEX_SELF, 0, name, &value);

	if (status != HV_STATUS_SUCCESS)
		machine_crash("own register 0x%x cannot be read: status 0x%x", name, status);
	return value.reg64;
}
