/* SPDX-License-Identifier: BSD-2-Clause */
/* Hypercalls, registers and synthetic pages, on top of the guests of sim_guest.h. */
#ifndef CORE_TEST_H
#define CORE_TEST_H

#include <errno.h>
#include <string.h>

#include "unit_test.h"
#include "core/msr/cpuid.h"
#include "core/interrupt/interrupt.h"
#include "core/partition.h"
#include "core/registers/regs.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"
#include "core/x64.h"
#include "sim/sim_guest.h"

#define RAM (16u << 20)

#define SIM_GPA(vtl)	(0x40000u + 0x10000u * (vtl))
#define SIEF_GPA(vtl)	(0x41000u + 0x10000u * (vtl))
#define ASSIST_GPA(vtl) (0x42000u + 0x10000u * (vtl))

static inline uint16_t enable_partition(struct vsm_vp *vp, uint8_t vtl, uint8_t flags)
{
	struct hv_enable_partition_vtl_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.target_vtl = vtl,
		.flags = flags,
	};

	return (uint16_t)guest_call(vp, HV_CALL_ENABLE_PARTITION_VTL, &input, sizeof(input), NULL,
				    0);
}

/* HvCallEnableVpVtl or HvCallStartVirtualProcessor: their inputs have one layout. */
static inline uint16_t context_call(struct vsm_vp *vp, uint16_t code, uint32_t index, uint8_t vtl,
				    const struct hv_initial_vp_context *context)
{
	struct hv_enable_vp_vtl_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = index,
		.target_vtl = vtl,
		.context = *context,
	};

	return (uint16_t)guest_call(vp, code, &input, sizeof(input), NULL, 0);
}

static inline uint16_t enable_vp(struct vsm_vp *vp, uint32_t index, uint8_t vtl)
{
	struct hv_initial_vp_context context = guest_context(0x20000 + 0x1000u * vtl, 0x9000);

	return context_call(vp, HV_CALL_ENABLE_VP_VTL, index, vtl, &context);
}

static inline uint64_t host_get(struct vsm_vp *vp, uint8_t vtl, uint32_t name)
{
	union hv_register_value value = {0};

	assert_int_equal(regs_get(vp, vtl, name, &(struct regs_caller){.host = true}, &value), 0);
	return value.reg64;
}

static inline void host_set(struct vsm_vp *vp, uint8_t vtl, uint32_t name, uint64_t reg)
{
	union hv_register_value value = {.reg128 = {.low = reg}};

	assert_int_equal(regs_set(vp, vtl, name, &(struct regs_caller){.host = true}, &value), 0);
}

/* HvCallSetVpRegisters of one register by the active VTL. */
static inline uint16_t guest_set_register(struct vsm_vp *vp, uint32_t index, uint8_t input_vtl,
					  uint32_t name, uint64_t reg)
{
	struct {
		uint64_t partition_id;
		uint32_t vp_index;
		uint8_t input_vtl;
		uint8_t reserved[3];
		uint32_t name;
		uint32_t reserved1[3];
		uint64_t value[2];
	} input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = index,
		.input_vtl = input_vtl,
		.name = name,
		.value = {reg, 0},
	};

	return (uint16_t)guest_call(vp, HV_CALL_SET_VP_REGISTERS | UINT64_C(1) << 32, &input,
				    sizeof(input), NULL, 0);
}

static inline uint16_t guest_get_register(struct vsm_vp *vp, uint32_t index, uint8_t input_vtl,
					  uint32_t name, uint64_t *reg)
{
	struct {
		uint64_t partition_id;
		uint32_t vp_index;
		uint8_t input_vtl;
		uint8_t reserved[3];
		uint32_t name;
		uint32_t pad;
	} input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = index,
		.input_vtl = input_vtl,
		.name = name,
	};
	uint64_t value[2] = {0};
	uint16_t status = (uint16_t)guest_call(vp, HV_CALL_GET_VP_REGISTERS | UINT64_C(1) << 32,
					       &input, sizeof(input), value, sizeof(value));

	*reg = value[0];
	return status;
}

/* Rights that every engine can set. */
#define MAP_NONE 0u
#define MAP_READ_EXECUTE \
	(HV_MAP_GPA_READABLE | HV_MAP_GPA_KERNEL_EXECUTABLE | HV_MAP_GPA_USER_EXECUTABLE)
#define MAP_ALL (MAP_READ_EXECUTE | HV_MAP_GPA_WRITABLE)

/* HvCallModifyVtlProtectionMask of the page at @gpa by the active VTL. */
static inline uint16_t guest_protect(struct vsm_vp *vp, uint8_t input_vtl, uint32_t flags,
				     uint64_t gpa)
{
	const struct {
		struct hv_modify_vtl_protection_mask_input head;
		uint64_t gpn;
	} input = {
		{.partition_id = HV_PARTITION_ID_SELF, .map_flags = flags, .input_vtl = input_vtl},
		gpa / 4096};

	return (uint16_t)guest_call(vp, HV_CALL_MODIFY_VTL_PROTECTION_MASK | UINT64_C(1) << 32,
				    &input, sizeof(input), NULL, 0);
}

static inline uint64_t rdmsr(struct vsm_vp *vp, uint32_t msr)
{
	uint64_t value;

	assert_int_equal(guest_rdmsr(vp, msr, &value), GUEST_DONE);
	return value;
}

static inline void wrmsr(struct vsm_vp *vp, uint32_t msr, uint64_t value)
{
	assert_int_equal(guest_wrmsr(vp, msr, value), GUEST_DONE);
}

/* Returns the assist page of the active VTL as that VTL sees it. */
static inline struct hv_vp_assist_page *enable_assist(struct vsm_vp *vp)
{
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, ASSIST_GPA(vp->active_vtl) | 1),
			 GUEST_DONE);
	return (struct hv_vp_assist_page *)(void *)vp->vtl[vp->active_vtl].assist;
}

static inline void enable_synic(struct vsm_vp *vp, uint8_t sint, uint64_t value)
{
	uint8_t vtl = vp->active_vtl;

	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SCONTROL, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, SIM_GPA(vtl) | 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIEFP, SIEF_GPA(vtl) | 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0 + sint, value), GUEST_DONE);
}

/* Reads @size bytes at @offset of the message slot of @sint, as the active VTL. */
static inline uint64_t slot_field(struct vsm_vp *vp, uint8_t sint, unsigned int offset,
				  uint8_t size)
{
	uint64_t value;

	assert_int_equal(
		guest_read(vp, SIM_GPA(vp->active_vtl) + 256u * sint + offset, size, &value),
		GUEST_DONE);
	return value;
}

/* Whether @vector was delivered to @vtl after its first @before deliveries. */
static inline bool was_delivered(const struct vsm_vp *vp, uint8_t vtl, uint8_t vector,
				 uint32_t before)
{
	const struct sim_vtl *own = sim_state(vp, vtl);

	for (uint32_t i = before; i < own->interrupts; i++)
		if (own->interrupt[i % SIM_LOG_MAX] == vector)
			return true;
	return false;
}

/* Sends an interrupt of a device to the APIC of a VTL. */
static inline void post(struct vsm_vp *vp, uint8_t vtl, uint8_t vector)
{
	vsm_lapic_post(&vp->vtl[vtl].lapic, vector, VSM_LAPIC_EDGE);
	vp_kick(vp);
}

static inline void set_if(struct vsm_vp *vp, uint8_t vtl, bool on)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_GPR);

	cpu->rflags = on ? cpu->rflags | X64_RFLAGS_IF : cpu->rflags & ~X64_RFLAGS_IF;
}

static inline void eoi(struct vsm_vp *vp)
{
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_EOI, 0), GUEST_DONE);
}

#endif
