/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hypercall/hypercall.h"

#include <string.h>

#include "core/msr/cpuid.h"
#include "core/vp/fpu.h"
#include "core/memory/gpa.h"
#include "core/intercept/intercept.h"
#include "core/trace/trace.h"
#include "core/vp/vp.h"
#include "core/vtl/vtl.h"
#include "core/x64.h"

#define PAIR_BYTES 16u /* of the register block: RDX and R8, XMM0, XMM1, ... */

/* Registers of the caller, in either convention (TLFS "Hypercall Inputs"). */
struct request {
	bool long_mode;
	uint64_t control;
	uint64_t input;	 /* GPA, or bytes 0-7 of the register block */
	uint64_t output; /* GPA, or bytes 8-15 */
};

struct layout {
	/* bytes as in the control word: fixed part, variable header, elements */
	uint32_t input;
	uint32_t output;    /* bytes, from element 0 on */
	uint32_t output_at; /* fast: offset of the output in the register block */
};

static uint64_t pair(uint64_t high, uint64_t low)
{
	return high << 32 | (uint32_t)low;
}

static void read_request(const struct vcpu_state *cpu, struct request *request)
{
	request->long_mode = vcpu_long_mode(cpu);
	if (request->long_mode) {
		request->control = cpu->gpr[GPR_RCX];
		request->input = cpu->gpr[GPR_RDX];
		request->output = cpu->gpr[GPR_R8];
	} else {
		request->control = pair(cpu->gpr[GPR_RDX], cpu->gpr[GPR_RAX]);
		request->input = pair(cpu->gpr[GPR_RBX], cpu->gpr[GPR_RCX]);
		request->output = pair(cpu->gpr[GPR_RDI], cpu->gpr[GPR_RSI]);
	}
}

/*
 * Whether the VMM set RIP in a callback of this call: results in registers are dropped, as their
 * context no longer exists (P40).
 */
static bool is_replaced(const struct hypercall *call)
{
	return vcpu_get(call->vp, call->vtl, VCPU_GPR)->rip != call->rip;
}

static void write_control(struct vsm_vp *vp, uint8_t vtl, const struct request *request,
			  uint64_t control)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_GPR);

	if (request->long_mode) {
		cpu->gpr[GPR_RCX] = control;
	} else {
		cpu->gpr[GPR_RDX] = control >> 32;
		cpu->gpr[GPR_RAX] = (uint32_t)control;
	}
}

static void write_result(struct vsm_vp *vp, uint8_t vtl, const struct request *request,
			 uint64_t result, uint8_t length)
{
	struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_GPR);

	if (request->long_mode) {
		cpu->gpr[GPR_RAX] = result;
	} else {
		cpu->gpr[GPR_RDX] = result >> 32;
		cpu->gpr[GPR_RAX] = (uint32_t)result;
	}
	vp_skip_instruction(vp, vtl, length);
}

/* TLFS "Legal Hypercall Environments": ring 0 of protected or long mode. */
static bool mode_is_legal(const struct vcpu_state *cpu)
{
	return (cpu->cr0 & X64_CR0_PE) && !(cpu->rflags & X64_RFLAGS_VM) && vcpu_cpl(cpu) == 0;
}

static uint16_t check_code(const struct vsm_partition *partition, uint16_t code,
			   const struct hypercall_info **info)
{
	/* Unprivileged callers must not learn which extended calls exist. */
	if (code >= HV_EXT_CALL_FIRST &&
	    !partition_has(partition, HV_PRIVILEGE(ENABLE_EXTENDED_HYPERCALLS)))
		return HV_STATUS_ACCESS_DENIED;
	*info = hypercall_find(code);
	if (!*info)
		return HV_STATUS_INVALID_HYPERCALL_CODE;
	if (!partition_has(partition, (*info)->privilege))
		return HV_STATUS_ACCESS_DENIED;
	return HV_STATUS_SUCCESS;
}

static uint16_t check_control(struct hypercall *call, uint64_t control, struct layout *layout)
{
	const struct hypercall_info *info = call->info;

	call->fast = control & HV_HYPERCALL_FAST;
	call->variable_size = (uint16_t)(hv_hypercall_varhead(control) * 8);
	call->rep_count = hv_hypercall_rep_count(control);
	call->rep_start = hv_hypercall_rep_start(control);
	call->rep_done = call->rep_start;

	if (control & (HV_HYPERCALL_RESERVED_MASK | HV_HYPERCALL_NESTED))
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	if (info->flags & HYPERCALL_REP) {
		if (call->rep_start >= call->rep_count)
			return HV_STATUS_INVALID_HYPERCALL_INPUT;
	} else if (call->rep_count || call->rep_start) {
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	}
	if (call->variable_size && !(info->flags & HYPERCALL_VARIABLE))
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	if (call->fast && info->flags & HYPERCALL_EXTENDED)
		return HV_STATUS_INVALID_PARAMETER;

	layout->input = (uint32_t)info->input_size + call->variable_size +
			(uint32_t)call->rep_count * info->rep_input;
	layout->output = info->flags & HYPERCALL_REP ? (uint32_t)call->rep_count * info->rep_output
						     : info->output_size;
	layout->output_at = (layout->input + PAIR_BYTES - 1) & ~(PAIR_BYTES - 1);
	return HV_STATUS_SUCCESS;
}

/*
 * TLFS "Register-based Hypercall Inputs": the limits of fast calls. *undefined: #UD, since the call
 * needs XMM registers or fast output, which the partition was not offered.
 */
static uint16_t check_fast(const struct vsm_partition *partition, const struct request *request,
			   const struct layout *layout, bool *undefined)
{
	const uint32_t bytes = layout->output ? layout->output_at + layout->output : layout->input;
	const uint32_t features = partition->features_edx;

	if (bytes <= HV_HYPERCALL_FAST_BYTES && !layout->output)
		return HV_STATUS_SUCCESS;
	if (bytes > HV_HYPERCALL_FAST_XMM_BYTES || !request->long_mode)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	*undefined = bytes > HV_HYPERCALL_FAST_BYTES &&
		     !(features & HV_FEATURE(XMM_REGISTERS_FOR_FAST_HYPERCALL));
	if (layout->output)
		*undefined = *undefined || !(features & HV_FEATURE(FAST_HYPERCALL_OUTPUT)) ||
			     !partition_has(partition, HV_PRIVILEGE(FAST_HYPERCALL_OUTPUT));
	return HV_STATUS_SUCCESS;
}

static void read_block(struct vsm_vp *vp, uint8_t vtl, const struct request *request,
		       uint8_t *block, uint32_t bytes)
{
	const struct vcpu_state *cpu;

	memcpy(block, &request->input, 8);
	memcpy(block + 8, &request->output, 8);
	if (bytes <= PAIR_BYTES)
		return;
	cpu = vcpu_get(vp, vtl, VCPU_FPU);
	for (uint32_t at = PAIR_BYTES; at < bytes; at += PAIR_BYTES)
		fpu_get_xmm(cpu, at / PAIR_BYTES - 1, block + at);
}

/* Writes bytes [@from, @to) of the block; other bytes of the same registers keep their values. */
static void write_block(struct vsm_vp *vp, uint8_t vtl, const uint8_t *block, uint32_t from,
			uint32_t to)
{
	uint8_t value[PAIR_BYTES];

	for (uint32_t at = from & ~(PAIR_BYTES - 1); at < to; at += PAIR_BYTES) {
		const uint32_t first = from > at ? from - at : 0;
		const uint32_t end = to - at < PAIR_BYTES ? to - at : PAIR_BYTES;

		if (at == 0) {
			struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_GPR);

			memcpy(value, &cpu->gpr[GPR_RDX], 8);
			memcpy(value + 8, &cpu->gpr[GPR_R8], 8);
			memcpy(value + first, block + at + first, end - first);
			memcpy(&cpu->gpr[GPR_RDX], value, 8);
			memcpy(&cpu->gpr[GPR_R8], value + 8, 8);
		} else {
			struct vcpu_state *cpu = vcpu_edit(vp, vtl, VCPU_FPU);

			fpu_get_xmm(cpu, at / PAIR_BYTES - 1, value);
			memcpy(value + first, block + at + first, end - first);
			fpu_set_xmm(cpu, at / PAIR_BYTES - 1, value);
		}
	}
}

/* TLFS "Memory-based Hypercall Inputs": aligned to 8, inside the GPA space, within one page. */
static bool address_is_legal(const struct vsm_partition *partition, uint64_t gpa, uint32_t size)
{
	return !(gpa % 8) && !(gpa >> partition->features.gpa_bits) &&
	       gpa % CORE_PAGE_SIZE + size <= CORE_PAGE_SIZE;
}

static uint16_t page_refused(struct hypercall *call, enum gpa_result result,
			     const struct gpa_fault *fault, bool output)
{
	if (result != GPA_DENIED)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	intercept_memory(call->vp, fault, false, 0, output);
	return HYPERCALL_INTERCEPTED;
}

static uint16_t read_memory(struct hypercall *call, const struct request *request,
			    const struct layout *layout)
{
	struct vsm_partition *partition = call->vp->partition;
	uint32_t size = layout->input;
	enum gpa_result result;
	struct gpa_fault fault;

	if (size && !address_is_legal(partition, request->input, size))
		return HV_STATUS_INVALID_ALIGNMENT;
	if (layout->output && !address_is_legal(partition, request->output, layout->output))
		return HV_STATUS_INVALID_ALIGNMENT;
	/* A VP set may be longer than the stated variable header: hypercall/vp_set.h. */
	if (call->info->flags & HYPERCALL_VARIABLE)
		size = CORE_PAGE_SIZE - request->input % CORE_PAGE_SIZE;
	call->input_available = (uint16_t)size;
	if (size) {
		result = gpa_read(partition, call->vtl, request->input, call->vp->hypercall_input,
				  size, &fault);
		if (result != GPA_OK)
			return page_refused(call, result, &fault, false);
	}
	/* Checked before the call has any effect, so that it can be repeated from the start. */
	if (layout->output) {
		result = gpa_check(partition, call->vtl, request->output, GPA_WRITE, &fault);
		if (result != GPA_OK)
			return page_refused(call, result, &fault, true);
	}
	return HV_STATUS_SUCCESS;
}

static void output_range(const struct hypercall *call, uint16_t status, const struct layout *layout,
			 uint32_t *from, uint32_t *to)
{
	*from = 0;
	if (call->info->flags & HYPERCALL_REP) {
		*from = (uint32_t)call->rep_start * call->info->rep_output;
		*to = (uint32_t)call->rep_done * call->info->rep_output;
	} else {
		*to = status == HV_STATUS_SUCCESS ? layout->output : 0;
	}
}

static uint16_t write_output(struct hypercall *call, const struct request *request,
			     const struct layout *layout, uint16_t status)
{
	enum gpa_result result;
	struct gpa_fault fault;
	uint32_t from;
	uint32_t to;

	output_range(call, status, layout, &from, &to);
	if (from >= to)
		return status;
	if (call->fast) {
		if (is_replaced(call))
			return status;
		write_block(call->vp, call->vtl, call->output - layout->output_at,
			    layout->output_at + from, layout->output_at + to);
		return status;
	}
	result = gpa_write(call->vp->partition, call->vtl, request->output + from,
			   call->output + from, to - from, &fault);
	/* The rights have changed since read_memory(). Calls with output can be repeated safely. */
	return result == GPA_OK ? status : page_refused(call, result, &fault, true);
}

static uint16_t execute(struct hypercall *call, const struct request *request,
			const struct layout *layout)
{
	struct vsm_vp *vp = call->vp;
	uint8_t *input = vp->hypercall_input;
	uint8_t *output = vp->hypercall_output;
	uint16_t status;

	if (call->fast) {
		const uint32_t bytes =
			layout->output ? layout->output_at + layout->output : layout->input;

		read_block(vp, call->vtl, request, input, bytes);
		call->input_available = (uint16_t)layout->input;
		/* The output is at its offset in the register block. */
		output += layout->output_at;
	} else {
		status = read_memory(call, request, layout);
		if (status != HV_STATUS_SUCCESS)
			return status;
	}
	/* Bytes that the handler does not write must not disclose the output of an earlier call. */
	memset(output, 0, layout->output);
	call->input = input;
	call->variable = input + call->info->input_size;
	call->element = call->variable + call->variable_size;
	call->output = output;
	status = call->info->handler(call);
	if (status == HYPERCALL_RETRY || status == HYPERCALL_INTERCEPTED)
		return status;
	return write_output(call, request, layout, status);
}

static void undefined_instruction(struct vsm_vp *vp, uint8_t vtl)
{
	vp_inject_exception(vp, vtl, X64_EXCEPTION_UD, false, 0, 0);
}

/* VTL call and return have their own ABI: TLFS "VTL Call", "VTL Return". */
static bool switch_vtl(struct vsm_vp *vp, const struct vcpu_state *cpu,
		       const struct request *request, uint16_t code, uint8_t length)
{
	const uint64_t input = request->long_mode ? cpu->gpr[GPR_RAX] : (uint32_t)cpu->gpr[GPR_RCX];

	if (code == HV_CALL_VTL_CALL)
		return vtl_call(vp, request->control, input, length);
	return vtl_return(vp, request->control, input, length);
}

/* Not inlined: its frame is large, and VTL switches are frequent. */
static __attribute__((noinline)) void dispatch_call(struct vsm_vp *vp, uint8_t vtl,
						    const struct request *request, uint16_t code,
						    uint8_t instruction_length)
{
	struct hypercall call = {.vp = vp, .vtl = vtl, .rip = vcpu_get(vp, vtl, VCPU_GPR)->rip};
	struct layout layout;
	bool undefined = false;
	uint16_t status;

	status = check_code(vp->partition, code, &call.info);
	if (status == HV_STATUS_SUCCESS)
		status = check_control(&call, request->control, &layout);
	if (status == HV_STATUS_SUCCESS && call.fast)
		status = check_fast(vp->partition, request, &layout, &undefined);
	if (undefined) {
		undefined_instruction(vp, vtl);
		return;
	}
	if (status == HV_STATUS_SUCCESS) {
		if (call.info->flags & HYPERCALL_REP)
			hypercall_begin_slice(&call);
		status = execute(&call, request, &layout);
	}
	trace(vp, VSM_TRACE_HYPERCALL, code, request->control, status, call.rep_done);
	if (is_replaced(&call))
		return;

	switch (status) {
	case HYPERCALL_RETRY:
	case HYPERCALL_INTERCEPTED:
		break;
	case HYPERCALL_CONTINUE:
		write_control(vp, vtl, request,
			      (request->control & ~HV_HYPERCALL_REP_START_MASK) |
				      (uint64_t)call.rep_done << HV_HYPERCALL_REP_START_SHIFT);
		break;
	default:
		write_result(vp, vtl, request, hv_hypercall_result(status, call.rep_done),
			     instruction_length);
	}
}

void hypercall_dispatch(struct vsm_vp *vp, uint8_t instruction_length)
{
	const uint8_t vtl = vp->active_vtl;
	const struct vcpu_state *cpu = vcpu_get(vp, vtl, VCPU_GPR | VCPU_SYSTEM);
	struct request request;
	uint16_t code;

	if (!mode_is_legal(cpu)) {
		undefined_instruction(vp, vtl);
		return;
	}
	read_request(cpu, &request);
	code = hv_hypercall_code(request.control);
	if (code != HV_CALL_VTL_CALL && code != HV_CALL_VTL_RETURN)
		dispatch_call(vp, vtl, &request, code, instruction_length);
	else if (!switch_vtl(vp, cpu, &request, code, instruction_length))
		undefined_instruction(vp, vtl);
}
