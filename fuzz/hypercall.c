/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any hypercalls with any registers and any memory, made on VP 0 of a partition of two VPs by VTL0
 * or VTL1, or by VTL2 once VTL1 has called it.
 *
 * An input is a sequence of calls: `struct call`, then `bytes` bytes that are copied to the input
 * page. VTL0 has no access to the page SECRET.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/hypercall/hypercall.h"
#include "core/memory/protect.h"
#include "core/vp/vp.h"
#include "core/x64.h"
#include "sim/sim_guest.h"

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

enum {
	RAM = 1 << 20,
	SECRET = 0x40000,
	INPUT = 0x1000,
	OUTPUT = 0x2000,
	CALLS_MAX = 32,
};

#define SECRET_WORD UINT64_C(0x5ec2e75ec2e75ec2)

struct call {
	uint64_t control;
	uint64_t input;
	uint64_t output;
	uint64_t rax;
	uint8_t flags; /* bit 0: 32-bit caller; 1: input at INPUT; 2: output at OUTPUT; 3: VTL1 calls */
	uint8_t bytes;
	uint16_t at; /* at % 64 * 8: offset of the bytes in the input page */
} __attribute__((packed));

static bool is_status(uint16_t status)
{
	switch (status) {
#define CASE(name, number) case number:
		HV_STATUS_LIST(CASE)
#undef CASE
		return true;
	default:
		return false;
	}
}

static void make_active(struct vsm_vp *vp, uint8_t vtl)
{
	struct vcpu_state *cpu;

	if (vp->active_vtl == vtl || vp->active_vtl > 1)
		return;
	cpu = vcpu_edit(vp, vp->active_vtl, VCPU_GPR | VCPU_SYSTEM);
	cpu->gpr[GPR_RCX] = vtl ? HV_CALL_VTL_CALL : HV_CALL_VTL_RETURN;
	cpu->gpr[GPR_RAX] = vtl ? 0 : HV_VTL_RETURN_FAST;
	hypercall_dispatch(vp, SIM_INSTRUCTION_LENGTH);
}

static void set_mode(struct vsm_vp *vp, bool wide)
{
	vcpu_edit(vp, vp->active_vtl, VCPU_SYSTEM)->segment[SEGMENT_CS].attributes =
		wide ? 0xa09b : 0xc09b; /* CS.L or CS.D */
}

static void set_registers(struct vcpu_state *cpu, const struct call *call)
{
	const uint64_t input = call->flags & 2 ? INPUT + call->at % 64 * 8u : call->input;
	const uint64_t output = call->flags & 4 ? OUTPUT : call->output;

	if (call->flags & 1) {
		cpu->gpr[GPR_RDX] = call->control >> 32;
		cpu->gpr[GPR_RAX] = call->control;
		cpu->gpr[GPR_RBX] = input >> 32;
		cpu->gpr[GPR_RCX] = input;
		cpu->gpr[GPR_RDI] = output >> 32;
		cpu->gpr[GPR_RSI] = output;
	} else {
		cpu->gpr[GPR_RCX] = call->control;
		cpu->gpr[GPR_RDX] = input;
		cpu->gpr[GPR_R8] = output;
		cpu->gpr[GPR_RAX] = call->rax;
	}
}

static void check_secrets(struct vsm_partition *partition, const struct vcpu_state *before)
{
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const struct vcpu_state *cpu = vcpu_get(vp, 1, VCPU_ALL);
	const uint64_t *secret = (const void *)guest_ram(partition, SECRET);

	for (unsigned int i = 0; i < CORE_PAGE_SIZE / 8; i++)
		REQUIRE(secret[i] == SECRET_WORD);
	REQUIRE(cpu->rip == before->rip && cpu->rflags == before->rflags);
	REQUIRE(cpu->gpr[GPR_RSP] == before->gpr[GPR_RSP]);
	REQUIRE(cpu->cr0 == before->cr0 && cpu->cr3 == before->cr3 && cpu->cr4 == before->cr4);
	REQUIRE(cpu->efer == before->efer);
	REQUIRE(!memcmp(cpu->segment, before->segment, sizeof(cpu->segment)));
	REQUIRE(!memcmp(cpu->msr, before->msr, sizeof(cpu->msr)));
}

static void check_output(struct vsm_partition *partition)
{
	const struct vcpu_state *cpu =
		vcpu_get(vsm_partition_vp(partition, 0), 0, VCPU_GPR | VCPU_FPU);
	const uint64_t *output = (const void *)guest_ram(partition, OUTPUT);

	for (unsigned int i = 0; i < CORE_PAGE_SIZE / 8; i++)
		REQUIRE(output[i] != SECRET_WORD);
	/* XMM0 to XMM15 */
	REQUIRE(!memmem(cpu->xsave + 160, 256, &(uint64_t){SECRET_WORD}, 8));
}

static void make_call(struct vsm_vp *vp, const struct call *call, bool secret_kept)
{
	struct vsm_partition *partition = vp->partition;
	const uint8_t vtl = vp->active_vtl;
	const uint16_t code = (uint16_t)call->control;
	const bool wide = !(call->flags & 1);
	const struct vcpu_state vtl1 = *vcpu_get(vp, 1, VCPU_ALL);
	struct vcpu_state *cpu;
	uint16_t status;
	uint64_t rip;

	set_mode(vp, wide);
	cpu = vcpu_edit(vp, vtl, VCPU_GPR | VCPU_EVENTS);
	cpu->events.exception_pending = false;
	set_registers(cpu, call);
	rip = cpu->rip;
	hypercall_dispatch(vp, SIM_INSTRUCTION_LENGTH);

	REQUIRE(!vp->broken);
	REQUIRE(atomic_load(&vp->enabled_vtls) & vtl_bit(vp->active_vtl));
	if (vp->active_vtl != vtl || code == HV_CALL_VTL_CALL || code == HV_CALL_VTL_RETURN)
		return;
	if (cpu->rip != rip) {
		REQUIRE(cpu->rip == (wide ? rip + SIM_INSTRUCTION_LENGTH
					  : (uint32_t)(rip + SIM_INSTRUCTION_LENGTH)));
		status = (uint16_t)cpu->gpr[GPR_RAX];
		REQUIRE(is_status(status));
		REQUIRE(!cpu->events.exception_pending);
	}
	if (vtl == 0 && secret_kept) {
		check_secrets(partition, &vtl1);
		check_output(partition);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vsm_partition *partition = guest_partition(2, 2, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const uint64_t gpn = SECRET / CORE_PAGE_SIZE;
	bool kept = true; /* false once VTL1 has run, which may change the protection of SECRET */
	size_t done;

	guest_enable_vtl(partition, 1);
	for (unsigned int i = 0; i < CORE_PAGE_SIZE / 8; i++)
		memcpy(guest_ram(partition, SECRET + i * 8), &(uint64_t){SECRET_WORD}, 8);
	protect_set(partition, 1, -1, &gpn, 1, 0, &done);

	for (unsigned int i = 0; i < CALLS_MAX && size >= sizeof(struct call); i++) {
		struct call call;
		size_t bytes;

		memcpy(&call, data, sizeof(call));
		data += sizeof(call);
		size -= sizeof(call);
		bytes = call.bytes < size ? call.bytes : size;
		memcpy(guest_ram(partition, INPUT + call.at % 64 * 8u), data, bytes);
		data += bytes;
		size -= bytes;
		make_active(vp, call.flags >> 3 & 1);
		if (vp->active_vtl)
			kept = false;
		make_call(vp, &call, kept);
	}
	vsm_partition_destroy(partition);
	return 0;
}
