/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HYPERCALL_TEST_H
#define HYPERCALL_TEST_H

#include <string.h>

#include "unit_test.h"
#include "core/hypercall/hypercall.h"
#include "core/vp/vp.h"
#include "core/x64.h"
#include "sim/sim_guest.h"

#define TEST_RAM (16u << 20)

#define BLOCK_BYTES 112u

/* A control word; @varhead in units of 8 bytes. */
static inline uint64_t control_word(uint16_t code, bool fast, unsigned int varhead,
				    unsigned int count, unsigned int start)
{
	/* False positive: the shifted value has 64 bits. */
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	return code | (uint64_t)fast << 16 | (uint64_t)varhead << 17 | (uint64_t)count << 32 |
	       (uint64_t)start << 48;
}

static inline uint16_t status_of(uint64_t result)
{
	return (uint16_t)result;
}

/* The register block as the TLFS defines it: RDX, R8, XMM0 to XMM5. */
static inline void set_block(struct vsm_vp *vp, const uint8_t block[BLOCK_BYTES])
{
	struct vcpu_state *cpu = vcpu_edit(vp, vp->active_vtl, VCPU_GPR | VCPU_FPU);

	memcpy(&cpu->gpr[GPR_RDX], block, 8);
	memcpy(&cpu->gpr[GPR_R8], block + 8, 8);
	memcpy(cpu->xsave + 160, block + 16, 96);
	cpu->xsave[512] |= 2;
}

static inline void get_block(struct vsm_vp *vp, uint8_t block[BLOCK_BYTES])
{
	const struct vcpu_state *cpu = vcpu_get(vp, vp->active_vtl, VCPU_GPR | VCPU_FPU);

	memcpy(block, &cpu->gpr[GPR_RDX], 8);
	memcpy(block + 8, &cpu->gpr[GPR_R8], 8);
	memcpy(block + 16, cpu->xsave + 160, 96);
}

/* A fast call with the first @size bytes of the block as given and the rest filled with 0xa5. */
static inline enum guest_outcome fast_call(struct vsm_vp *vp, uint64_t control, const void *input,
					   size_t size, uint8_t after[BLOCK_BYTES],
					   uint64_t *result)
{
	uint8_t block[BLOCK_BYTES];
	enum guest_outcome outcome;
	uint64_t rdx;
	uint64_t r8;

	memset(block, 0xa5, sizeof(block));
	if (size)
		memcpy(block, input, size);
	set_block(vp, block);
	memcpy(&rdx, block, 8);
	memcpy(&r8, block + 8, 8);
	outcome = guest_hypercall(vp, control, rdx, r8, result);
	get_block(vp, after);
	return outcome;
}

static inline struct hv_vp_registers_input registers_header(uint32_t vp_index, uint8_t input_vtl)
{
	return (struct hv_vp_registers_input){
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = vp_index,
		.input_vtl = input_vtl,
	};
}

static inline uint64_t get_register(struct vsm_vp *vp, uint32_t vp_index, uint8_t input_vtl,
				    uint32_t name, union hv_register_value *value)
{
	struct {
		struct hv_vp_registers_input header;
		uint32_t name;
	} input = {registers_header(vp_index, input_vtl), name};

	memset(value, 0, sizeof(*value));
	return guest_call(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 1, 0), &input,
			  sizeof(input), value, sizeof(*value));
}

static inline uint64_t set_register(struct vsm_vp *vp, uint32_t vp_index, uint8_t input_vtl,
				    uint32_t name, const union hv_register_value *value)
{
	struct {
		struct hv_vp_registers_input header;
		struct hv_register_assoc assoc;
	} input = {registers_header(vp_index, input_vtl), {.name = name, .value = *value}};

	return guest_call(vp, control_word(HV_CALL_SET_VP_REGISTERS, false, 0, 1, 0), &input,
			  sizeof(input), NULL, 0);
}

/* Enables intercepts of VTL1 on the VP. Returns in VTL0. */
static inline void enable_intercepts(struct vsm_vp *vp)
{
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, 0x31000 | HV_PAGE_MSR_ENABLE),
			 GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, 0x30000 | HV_PAGE_MSR_ENABLE),
			 GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0, 0x80 | HV_SYNIC_SINT_AUTO_EOI),
			 GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SCONTROL, 1), GUEST_DONE);
	vcpu_edit(vp, 1, VCPU_GPR)->rflags |= X64_RFLAGS_IF;
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
}

#define USE_VTL(n) (HV_INPUT_VTL_USE_TARGET | (n))

#endif
