/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/intercept/intercept.h"

#include <string.h>

#include "core/intercept/installed.h"
#include "core/intercept/message.h"
#include "core/interrupt/synic.h"
#include "core/memory/gpa.h"
#include "core/trace/trace.h"
#include "core/vp/debug.h"
#include "core/vp/vp.h"

#define PAGE_OFFSET (CORE_PAGE_SIZE - 1u)

static uint16_t vtls_to_notify(const struct vsm_vp *vp)
{
	return atomic_load(&vp->enabled_vtls) & vtls_above(vp->active_vtl);
}

/* How often an instruction is repeated while its intercept cannot be delivered. */
#define RETRY_HZ 1000u

/*
 * Posts to the slot of SINT0. If @vtl cannot take the message now, the instruction, which had no
 * effect, is retried later and intercepted again.
 */
static void deliver(struct vsm_vp *vp, uint8_t vtl, const struct hv_message *message)
{
	int error = synic_post(vp, vtl, 0, message, false);

	if (!error) {
		atomic_fetch_add_explicit(&vp->intercepts, 1, memory_order_relaxed);
		debug_due(vp, vp->active_vtl, VSM_DEBUG_INTERCEPT);
		return;
	}
	vp_retry(vp, vp_tsc(vp->partition) + vp->partition->features.tsc_hz / RETRY_HZ);
	vsm_log(&vp->partition->log, VSM_LOG_DEBUG,
		"VP%u: VTL%u cannot take an intercept of VTL%u now (%d)", vp->index, vtl,
		vp->active_vtl, error);
}

/* Records what does not fit into the preceding INTERCEPT_* record. */
static void trace_instruction(struct vsm_vp *vp, const struct intercept_instruction *instruction)
{
	const struct vcpu_state *cpu;
	uint64_t bytes[2];

	if (!trace_is_on(vp->partition))
		return;
	_Static_assert(sizeof(bytes) == sizeof(instruction->bytes),
		       "two words hold the bytes of an instruction");
	cpu = vcpu_get(vp, vp->active_vtl, VCPU_GPR | VCPU_SYSTEM);
	memcpy(bytes, instruction->bytes, sizeof(bytes));
	trace_write(vp, VSM_TRACE_INSTRUCTION, cpu->rip, bytes[0], bytes[1],
		    decode_width(cpu) << 8 | instruction->byte_count);
}

/* If @gva translates to the denied page, stores @gva and its exact GPA in @access. */
static bool match(struct vsm_vp *vp, uint64_t gva, struct intercept_access *access)
{
	static const uint8_t cache_type[] = {
		[VSM_WALK_CACHE_UC] = HV_CACHE_TYPE_UNCACHED,
		[VSM_WALK_CACHE_WC] = HV_CACHE_TYPE_WRITE_COMBINING,
		[VSM_WALK_CACHE_WT] = HV_CACHE_TYPE_WRITE_THROUGH,
		[VSM_WALK_CACHE_WP] = HV_CACHE_TYPE_WRITE_PROTECTED,
		[VSM_WALK_CACHE_WB] = HV_CACHE_TYPE_WRITE_BACK,
		[VSM_WALK_CACHE_UC_MINUS] = HV_CACHE_TYPE_UNCACHED,
	};
	struct gva_walk found;
	uint32_t walk_access = access->access & GPA_EXECUTE ? VSM_WALK_EXECUTE
			       : access->access & GPA_WRITE ? VSM_WALK_WRITE
							    : VSM_WALK_READ;

	if (gva_translate(vp, vp->active_vtl, gva, walk_access, 0, VSM_WALK_AD_LEAVE, false,
			  &found) != VSM_WALK_OK ||
	    (found.walk.gpa ^ access->gpa) & ~(uint64_t)PAGE_OFFSET)
		return false;
	access->gpa = found.walk.gpa;
	access->gva = gva;
	access->gva_valid = true;
	if (found.walk.cache < sizeof(cache_type))
		access->cache_type = cache_type[found.walk.cache];
	return true;
}

/* match() for [gva, gva + size), which may reach into a second page. */
static bool match_span(struct vsm_vp *vp, uint64_t gva, uint32_t size,
		       struct intercept_access *access)
{
	uint64_t second = (gva | PAGE_OFFSET) + 1;

	return match(vp, gva, access) ||
	       (size && ((gva + size - 1) ^ gva) & ~(uint64_t)PAGE_OFFSET &&
		match(vp, second, access));
}

/*
 * Finds the exact address: from the backend's GVA if it has one, else from RIP for a fetch, else
 * from the memory operands with this access.
 */
static void find_exact(struct vsm_vp *vp, const struct intercept_instruction *instruction,
		       struct intercept_access *access)
{
	const struct vcpu_state *cpu = vcpu_get(vp, vp->active_vtl, VCPU_GPR | VCPU_SYSTEM);

	if (access->gva_valid) {
		access->gva_valid = match(vp, access->gva, access);
		return;
	}
	if (access->access & GPA_EXECUTE) {
		match_span(vp, decode_linear_rip(cpu), DECODE_MAX_LENGTH, access);
		return;
	}
	for (unsigned int i = 0; instruction->decoded && i < instruction->decode.memory_count;
	     i++) {
		const struct decode_memory *memory = &instruction->decode.memory[i];

		if ((memory->access & access->access) &&
		    match_span(vp, memory->linear, memory->size, access))
			return;
	}
}

void intercept_memory(struct vsm_vp *vp, const struct gpa_fault *fault, bool gva_valid,
		      uint64_t gva, bool hypercall_output)
{
	const struct backend_run *run = &vp->run;
	struct intercept_instruction instruction = {0};
	struct intercept_access access = {
		.gpa = fault->gpa,
		.gva = gva,
		.access = fault->access,
		.cache_type = HV_CACHE_TYPE_WRITE_BACK,
		.gva_valid = gva_valid,
		.hypercall_output = hypercall_output,
	};
	struct hv_message message;

	/* If the fetch was denied, the VTL may not read the bytes of the instruction. */
	if (!(fault->access & GPA_EXECUTE))
		intercept_read_instruction(vp, run->length, &instruction);
	if (run->exit == BACKEND_EXIT_MEMORY && !run->memory.page_walk)
		find_exact(vp, &instruction, &access);
	if (run->exit == BACKEND_EXIT_MEMORY && run->memory.exact && access.gva_valid) {
		access.gpa = fault->gpa;
		access.gva = (access.gva & ~(uint64_t)PAGE_OFFSET) | (fault->gpa & PAGE_OFFSET);
	}
	intercept_memory_message(vp, &instruction, &access, &message);
	trace(vp, VSM_TRACE_INTERCEPT_MEMORY, fault->vtl, access.gpa, access.access,
	      vcpu_get(vp, vp->active_vtl, VCPU_GPR)->rip);
	trace_instruction(vp, &instruction);
	deliver(vp, fault->vtl, &message);
}

/* Sends an intercept if @gva or one of its page tables is denied. False: not denied. */
static bool report_operand(struct vsm_vp *vp, uint64_t gva, uint8_t access)
{
	const uint32_t walk_access = access & GPA_WRITE ? VSM_WALK_WRITE : VSM_WALK_READ;
	struct gva_walk found;
	struct gpa_fault fault;
	bool walked = gva_translate(vp, vp->active_vtl, gva, walk_access, 0, VSM_WALK_AD_LEAVE,
				    false, &found) == VSM_WALK_OK;

	if (walked && gpa_check(vp->partition, gpa_space(vp, vp->active_vtl), found.walk.gpa,
				access, &fault) != GPA_DENIED)
		return false;
	if (!walked && found.refused != GPA_DENIED)
		return false;
	vp->run.memory.exact = true;
	vp->run.memory.page_walk = !walked;
	intercept_memory(vp, walked ? &fault : &found.fault, walked, gva, false);
	return true;
}

void intercept_other_operand(struct vsm_vp *vp)
{
	struct intercept_instruction instruction = {0};

	intercept_read_instruction(vp, 0, &instruction);
	for (unsigned int i = 0; instruction.decoded && i < instruction.decode.memory_count; i++) {
		const struct decode_memory *memory = &instruction.decode.memory[i];
		const uint64_t last = memory->linear + (memory->size ? memory->size - 1 : 0);

		if (report_operand(vp, memory->linear, memory->access) ||
		    ((last ^ memory->linear) & ~(uint64_t)PAGE_OFFSET &&
		     report_operand(vp, last & ~(uint64_t)PAGE_OFFSET, memory->access)))
			return;
	}
}

struct register_intercept {
	uint32_t name;
	uint8_t bit;
	bool report_value;
};

/* The bits of CrInterceptControl for registers (TLFS "Secure Intercepts"). */
static const struct register_intercept register_table[] = {
	{HV_X64_REGISTER_CR0, HV_CR_INTERCEPT_BIT_CR0_WRITE, true},
	{HV_X64_REGISTER_CR4, HV_CR_INTERCEPT_BIT_CR4_WRITE, true},
	{HV_X64_REGISTER_XFEM, HV_CR_INTERCEPT_BIT_XCR0_WRITE, true},
	{HV_X64_REGISTER_GDTR, HV_CR_INTERCEPT_BIT_GDTR_WRITE, false},
	{HV_X64_REGISTER_IDTR, HV_CR_INTERCEPT_BIT_IDTR_WRITE, false},
	{HV_X64_REGISTER_LDTR, HV_CR_INTERCEPT_BIT_LDTR_WRITE, false},
	{HV_X64_REGISTER_TR, HV_CR_INTERCEPT_BIT_TR_WRITE, false},
};

/* Whether a bit that would change is in the mask of @vtl. True for a register without a mask. */
static bool passes_mask(struct vsm_vp *vp, uint8_t vtl, uint32_t bit, uint64_t value)
{
	const struct vp_vtl *owner = &vp->vtl[vtl];
	const struct vcpu_state *cpu = vcpu_get(vp, vp->active_vtl, VCPU_SYSTEM);

	switch (bit) {
	case HV_CR_INTERCEPT_BIT_CR0_WRITE:
		return (cpu->cr0 ^ value) & owner->cr0_mask;
	case HV_CR_INTERCEPT_BIT_CR4_WRITE:
		return (cpu->cr4 ^ value) & owner->cr4_mask;
	case HV_CR_INTERCEPT_BIT_IA32_MISC_ENABLE_WRITE:
		return (vp_active(vp)->misc_enable ^ value) & owner->misc_enable_mask;
	default:
		return true;
	}
}

/* The lowest VTL whose CrInterceptControl intercepts the access; 0: none. */
static uint8_t control_owner(struct vsm_vp *vp, uint32_t bit, uint64_t value)
{
	uint16_t above = vtls_to_notify(vp);

	for (unsigned int vtl = 1; vtl < vp->partition->vtl_count; vtl++) {
		if ((above & vtl_bit(vtl)) && vp->vtl[vtl].cr_intercept_control >> bit & 1 &&
		    passes_mask(vp, (uint8_t)vtl, bit, value))
			return (uint8_t)vtl;
	}
	return 0;
}

static uint8_t lower(uint8_t a, uint8_t b)
{
	return !a || (b && b < a) ? b : a;
}

bool intercept_msr(struct vsm_vp *vp, uint32_t msr, bool write, uint64_t value, uint8_t length)
{
	const struct cr_intercept *entry = cr_intercept_of_msr(msr, write);
	uint8_t owner = intercept_msr_owner_of(vp->partition, vtls_to_notify(vp), msr, write);
	struct intercept_instruction instruction;
	struct hv_message message;

	if (entry)
		owner = lower(owner, control_owner(vp, entry->bit, value));
	if (!owner)
		return false;
	vp_undo_exit(vp);
	intercept_read_instruction(vp, length, &instruction);
	intercept_msr_message(vp, &instruction, msr, write, &message);
	trace(vp, VSM_TRACE_INTERCEPT_MSR, owner, msr, write, value);
	trace_instruction(vp, &instruction);
	deliver(vp, owner, &message);
	return true;
}

bool intercept_cr(struct vsm_vp *vp, uint32_t control, uint64_t value, uint8_t length)
{
	const struct register_intercept *entry = NULL;
	struct intercept_instruction instruction;
	struct hv_message message;
	uint8_t owner;

	for (size_t i = 0; i < ARRAY_SIZE(register_table); i++) {
		if (register_table[i].bit == control)
			entry = &register_table[i];
	}
	owner = entry ? control_owner(vp, control, value) : 0;
	if (!owner)
		return false;
	vp_undo_exit(vp);
	intercept_read_instruction(vp, length, &instruction);
	intercept_register_message(vp, &instruction, entry->name, entry->report_value ? value : 0,
				   &message);
	trace(vp, VSM_TRACE_INTERCEPT_CR, owner, control, value,
	      vcpu_get(vp, vp->active_vtl, VCPU_GPR)->rip);
	trace_instruction(vp, &instruction);
	deliver(vp, owner, &message);
	return true;
}

bool intercept_io(struct vsm_vp *vp, const struct backend_run *run)
{
	uint8_t owner = intercept_io_owner_of(vp->partition, vtls_to_notify(vp), run->io.port,
					      run->io.size, run->io.write);
	struct intercept_instruction instruction;
	struct hv_message message;

	if (!owner)
		return false;
	vp_undo_exit(vp);
	intercept_read_instruction(vp, run->length, &instruction);
	intercept_io_message(vp, &instruction, run, &message);
	trace(vp, VSM_TRACE_INTERCEPT_IO, owner, run->io.port, run->io.write, run->io.size);
	trace_instruction(vp, &instruction);
	deliver(vp, owner, &message);
	return true;
}
