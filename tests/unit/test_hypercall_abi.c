/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypercall ABI (TLFS "Hypercall interface"). */
#include "hypercall_test.h"

#include "core/msr/cpuid.h"
#include "core/memory/protect.h"
#include "needs.h"

struct fixture {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture.partition = guest_partition(2, 2, TEST_RAM, NULL);
	fixture.vp = vsm_partition_vp(fixture.partition, 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	vsm_partition_destroy(fixture->partition);
	return 0;
}

static uint64_t rip(struct vsm_vp *vp)
{
	return vcpu_get(vp, vp->active_vtl, VCPU_GPR)->rip;
}

static uint16_t status_with(struct vsm_vp *vp, uint64_t control)
{
	uint64_t result;

	assert_int_equal(guest_hypercall(vp, control, 0, 0, &result), GUEST_DONE);
	return status_of(result);
}

static void expect_undefined(struct vsm_vp *vp, uint64_t control)
{
	const uint32_t before = sim_state(vp, vp->active_vtl)->exceptions;
	const uint64_t at = rip(vp);
	uint64_t result;

	guest_set_gpr(vp, vp->active_vtl, GPR_RAX, 0x1234);
	assert_int_equal(guest_hypercall(vp, control, 0, 0, &result), GUEST_FAULT);
	assert_int_equal(sim_state(vp, vp->active_vtl)->exceptions, before + 1);
	assert_int_equal(sim_state(vp, vp->active_vtl)->exception_vector, X64_EXCEPTION_UD);
	assert_int_equal(result, 0x1234);
	assert_int_equal(rip(vp), at);
}

/* ------------------------------------------------------------------ entry */

/* shows: rule hypercall-cpl */
static void cpl_above_0_is_an_invalid_instruction(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;

	for (uint16_t cpl = 1; cpl <= 3; cpl++) {
		vcpu_edit(vp, 0, VCPU_SYSTEM)->segment[SEGMENT_SS].attributes =
			(uint16_t)(0xc093 | cpl << 5);
		expect_undefined(vp, HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST);
	}
}

static void real_mode_is_an_invalid_instruction(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	struct vcpu_state *cpu = vcpu_edit(vp, 0, VCPU_SYSTEM);

	cpu->cr0 &= ~(uint64_t)(X64_CR0_PE | X64_CR0_PG);
	cpu->efer = 0;
	expect_undefined(vp, HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST);
}

static void virtual_8086_mode_is_an_invalid_instruction(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;

	vcpu_edit(vp, 0, VCPU_GPR)->rflags |= X64_RFLAGS_VM;
	expect_undefined(vp, HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST);
}

/* ------------------------------------------------------------------ call code, privilege */

static void unknown_codes_are_invalid_codes(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	unsigned int known = 0;

	for (uint32_t code = 0; code < 0x8001; code++) {
		if (code == HV_CALL_VTL_CALL || code == HV_CALL_VTL_RETURN)
			continue;
		if (hypercall_find((uint16_t)code)) {
			known++;
			continue;
		}
		if (code < 0x200 || code % 0x111 == 0)
			assert_int_equal(status_with(vp, code), HV_STATUS_INVALID_HYPERCALL_CODE);
	}
	assert_int_equal(known + 1, hypercall_table_size); /* the loop did not reach 0x8001 */
}

static void the_table_is_in_ascending_order(void **state)
{
	for (size_t i = 1; i < hypercall_table_size; i++)
		assert_true(hypercall_table[i - 1].code < hypercall_table[i].code);
}

static void a_missing_privilege_has_precedence_over_other_errors(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	const uint64_t granted = vp->partition->privileges;

	for (size_t i = 0; i < hypercall_table_size; i++) {
		const struct hypercall_info *info = &hypercall_table[i];

		if (!info->privilege)
			continue;
		vp->partition->privileges = granted & ~info->privilege;
		/* Other errors: reserved bits, a rep start index, for some calls the fast form. */
		assert_int_equal(status_with(vp, info->code | HV_HYPERCALL_FAST |
							 UINT64_C(0xf123f00078000000)),
				 HV_STATUS_ACCESS_DENIED);
		vp->partition->privileges = granted;
	}
}

static void unknown_extended_calls_are_denied_without_the_privilege(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;

	vp->partition->privileges &= ~HV_PRIVILEGE(ENABLE_EXTENDED_HYPERCALLS);
	assert_int_equal(status_with(vp, 0x8001), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(status_with(vp, 0x8005), HV_STATUS_ACCESS_DENIED);
	vp->partition->privileges |= HV_PRIVILEGE(ENABLE_EXTENDED_HYPERCALLS);
	assert_int_equal(status_with(vp, 0x8001), HV_STATUS_SUCCESS);
	assert_int_equal(status_with(vp, 0x8005), HV_STATUS_INVALID_HYPERCALL_CODE);
	assert_int_equal(status_with(vp, 0x8001 | HV_HYPERCALL_FAST), HV_STATUS_INVALID_PARAMETER);
}

/* ------------------------------------------------------------------ control word */

static void every_reserved_bit_of_the_control_word_is_refused(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;

	for (unsigned int bit = 0; bit < 64; bit++) {
		const bool reserved =
			(bit >= 27 && bit <= 31) || (bit >= 44 && bit <= 47) || bit >= 60;

		if (reserved)
			assert_int_equal(status_with(vp, HV_CALL_NOTIFY_LONG_SPIN_WAIT |
								 HV_HYPERCALL_FAST |
								 UINT64_C(1) << bit),
					 HV_STATUS_INVALID_HYPERCALL_INPUT);
	}
}

static void simple_calls_with_rep_fields_are_refused(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	const uint16_t code = HV_CALL_NOTIFY_LONG_SPIN_WAIT;

	assert_int_equal(status_with(vp, control_word(code, true, 0, 0, 0)), HV_STATUS_SUCCESS);
	assert_int_equal(status_with(vp, control_word(code, true, 0, 1, 0)),
			 HV_STATUS_INVALID_HYPERCALL_INPUT);
	assert_int_equal(status_with(vp, control_word(code, true, 0, 0, 1)),
			 HV_STATUS_INVALID_HYPERCALL_INPUT);
}

static void rep_calls_need_a_start_below_the_count(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;

	for (size_t i = 0; i < hypercall_table_size; i++) {
		const uint16_t code = hypercall_table[i].code;

		if (!(hypercall_table[i].flags & HYPERCALL_REP))
			continue;
		assert_int_equal(status_with(vp, control_word(code, false, 0, 0, 0)),
				 HV_STATUS_INVALID_HYPERCALL_INPUT);
		assert_int_equal(status_with(vp, control_word(code, false, 0, 3, 3)),
				 HV_STATUS_INVALID_HYPERCALL_INPUT);
		assert_int_equal(status_with(vp, control_word(code, false, 0, 3, 4)),
				 HV_STATUS_INVALID_HYPERCALL_INPUT);
	}
}

static void only_variable_calls_accept_a_variable_header(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;

	for (size_t i = 0; i < hypercall_table_size; i++) {
		const struct hypercall_info *info = &hypercall_table[i];
		const unsigned int count = info->flags & HYPERCALL_REP ? 1 : 0;

		if (info->code >= HV_EXT_CALL_FIRST)
			continue;
		if (info->flags & HYPERCALL_VARIABLE)
			assert_int_not_equal(
				status_with(vp, control_word(info->code, false, 1, count, 0)),
				HV_STATUS_INVALID_HYPERCALL_INPUT);
		else
			assert_int_equal(
				status_with(vp, control_word(info->code, false, 1, count, 0)),
				HV_STATUS_INVALID_HYPERCALL_INPUT);
	}
}

/* ------------------------------------------------------------------ parameters in memory */

static void parameters_must_be_aligned_to_8(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	const uint64_t control = control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 1, 0);
	uint64_t result;

	for (unsigned int off = 1; off < 8; off++) {
		guest_hypercall(vp, control, 0x1000 + off, 0x2000, &result);
		assert_int_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
		guest_hypercall(vp, control, 0x1000, 0x2000 + off, &result);
		assert_int_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
	}
}

static void parameters_may_not_cross_a_page(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	uint64_t result;

	/* 16 + 4 * 4 bytes of input end at the page's end, then 8 bytes after it. */
	guest_hypercall(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 4, 0), 0x1fe0, 0x5000,
			&result);
	assert_int_not_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
	guest_hypercall(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 4, 0), 0x1fe8, 0x5000,
			&result);
	assert_int_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
	/* Output: 256 values fill a page, 257 do not fit. */
	guest_hypercall(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 256, 0), 0x6000,
			0x5000, &result);
	assert_int_not_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
	guest_hypercall(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 257, 0), 0x6000,
			0x5000, &result);
	assert_int_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
	guest_hypercall(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 256, 0), 0x6000,
			0x5008, &result);
	assert_int_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
}

static void the_whole_list_is_checked_with_a_later_start_index_too(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	uint64_t result;

	guest_hypercall(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 257, 256), 0x6000,
			0x5000, &result);
	assert_int_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
}

static void parameters_outside_of_the_gpa_space(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	const uint64_t control = control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 1, 0);
	const uint64_t end = UINT64_C(1) << vp->partition->features.gpa_bits;
	uint64_t result;

	guest_hypercall(vp, control, end, 0x2000, &result);
	assert_int_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
	guest_hypercall(vp, control, 0x1000, end, &result);
	assert_int_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
	guest_hypercall(vp, control, UINT64_MAX & ~UINT64_C(7), 0x2000, &result);
	assert_int_equal(status_of(result), HV_STATUS_INVALID_ALIGNMENT);
	/* Within the GPA space, but without memory. */
	guest_hypercall(vp, control, end - 0x1000, 0x2000, &result);
	assert_int_equal(status_of(result), HV_STATUS_INVALID_HYPERCALL_INPUT);
	guest_hypercall(vp, control, 0x1000, end - 0x1000, &result);
	assert_int_equal(status_of(result), HV_STATUS_INVALID_HYPERCALL_INPUT);
}

static void addresses_of_absent_parameters_are_ignored(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	uint64_t result;

	guest_hypercall(vp, HV_CALL_GET_PARTITION_ID, UINT64_MAX, 0x2000, &result);
	assert_int_equal(status_of(result), HV_STATUS_SUCCESS);
	memset(guest_ram(vp->partition, 0x1000), 0, 8);
	guest_hypercall(vp, HV_CALL_NOTIFY_LONG_SPIN_WAIT, 0x1000, UINT64_MAX, &result);
	assert_int_equal(status_of(result), HV_STATUS_SUCCESS);
}

static void input_and_output_may_be_the_same_bytes(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[4];
	} input = {registers_header(HV_VP_INDEX_SELF, 0),
		   {HV_REGISTER_VP_INDEX, HV_REGISTER_VSM_PARTITION_STATUS,
		    HV_REGISTER_VSM_CAPABILITIES, HV_REGISTER_VSM_VP_STATUS}};
	union hv_register_value value[4];
	uint64_t result;

	memcpy(guest_ram(vp->partition, 0x6000), &input, sizeof(input));
	guest_hypercall(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 4, 0), 0x6000, 0x6000,
			&result);
	assert_int_equal(result, hv_hypercall_result(HV_STATUS_SUCCESS, 4));
	memcpy(value, guest_ram(vp->partition, 0x6000), sizeof(value));
	assert_int_equal(value[0].reg64, 0);
	assert_int_equal(value[1].reg64, 0x20001);
	assert_int_equal(value[3].reg64, 0x10000);
}

static void protect_page(const struct fixture *fixture, uint64_t gpn, uint8_t access)
{
	size_t done;

	assert_int_equal(protect_set(fixture->partition, 1, -1, &gpn, 1, access, &done), 0);
}

/* HvCallGetVpRegisters of one register */
static const uint64_t get_vp_index = HV_CALL_GET_VP_REGISTERS | UINT64_C(1) << 32;

/* VTL1 restricts VTL0 to @access at @gpn. The call has input at 0x6000 and output at 0x5000, and is
 * intercepted. Returns RIP of the call. */
static uint64_t call_with_denied_page(const struct fixture *fixture, uint64_t gpn, uint8_t access)
{
	const struct {
		struct hv_vp_registers_input header;
		uint32_t name;
	} input = {registers_header(HV_VP_INDEX_SELF, 0), HV_REGISTER_VP_INDEX};
	uint64_t at;

	guest_enable_vtl(fixture->partition, 1);
	enable_intercepts(fixture->vp);
	memcpy(guest_ram(fixture->partition, 0x6000), &input, sizeof(input));
	protect_page(fixture, gpn, access);
	at = rip(fixture->vp);
	guest_set_gpr(fixture->vp, 0, GPR_RAX, 0x77);
	assert_int_equal(guest_hypercall(fixture->vp, get_vp_index, 0x6000, 0x5000, NULL),
			 GUEST_STOPPED);
	return at;
}

/* TLFS "Memory Access Protections": a hypercall has the rights of its caller. */
static void a_denied_input_page_is_intercepted_and_the_call_is_repeated(void **state)
{
	struct fixture *fixture = *state;
	struct vsm_vp *vp = fixture->vp;
	const uint64_t at = call_with_denied_page(fixture, 6, 0);

	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, at);
	assert_int_equal(vcpu_get(vp, 1, VCPU_GPR)->gpr[GPR_RCX], get_vp_index);
	protect_page(fixture, 6, GPA_READ);
	guest_vtl_return(vp, false);
	assert_int_equal(vp->active_vtl, 0);
	assert_true(sim_state(vp, 0)->done);
	assert_int_equal(guest_gpr(vp, 0, GPR_RAX), hv_hypercall_result(HV_STATUS_SUCCESS, 1));
	assert_int_equal(vcpu_get(vp, 0, VCPU_GPR)->rip, at + SIM_INSTRUCTION_LENGTH);
}

static void a_denied_output_page_stops_the_call_before_it_acts(void **state)
{
	struct fixture *fixture = *state;
	uint64_t at;

	memset(guest_ram(fixture->partition, 0x5000), 0x5a, 16);
	at = call_with_denied_page(fixture, 5, GPA_READ);
	assert_int_equal(vcpu_get(fixture->vp, 0, VCPU_GPR)->rip, at);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(guest_ram(fixture->partition, 0x5000)[i], 0x5a);
}

/* ------------------------------------------------------------------ parameters in registers */

/* P28: only the sizes, computed by hand here, determine whether a fast call is accepted. */
static void p28_fast_calls_are_accepted_or_refused_by_their_size(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;

	for (size_t i = 0; i < hypercall_table_size; i++) {
		const struct hypercall_info *info = &hypercall_table[i];
		const bool rep = info->flags & HYPERCALL_REP;
		const unsigned int most = rep ? 16 : 0;
		const unsigned int headers = info->flags & HYPERCALL_VARIABLE ? 12 : 0;

		if (info->code >= HV_EXT_CALL_FIRST)
			continue;
		for (unsigned int count = rep; count <= most; count++) {
			for (unsigned int header = 0; header <= headers; header++) {
				const unsigned int in =
					info->input_size + 8 * header + count * info->rep_input;
				const unsigned int out =
					rep ? count * info->rep_output : info->output_size;
				const unsigned int total = out ? (in + 15) / 16 * 16 + out : in;
				const uint64_t control =
					control_word(info->code, true, header, count, 0);
				uint8_t block[BLOCK_BYTES];
				/* An element of 0xff... bytes fails early and changes nothing. */
				uint8_t input[BLOCK_BYTES];
				uint64_t result;

				memset(input, 0xff, sizeof(input));
				fast_call(vp, control, input, sizeof(input), block, &result);
				if (total > 112)
					assert_int_equal(status_of(result),
							 HV_STATUS_INVALID_HYPERCALL_INPUT);
				else
					assert_int_not_equal(status_of(result),
							     HV_STATUS_INVALID_HYPERCALL_INPUT);
			}
		}
	}
}

/* shows: feature FastHypercallOutput, XmmRegistersForFastHypercall */
static void p28_fast_output_follows_the_input_in_the_next_free_register(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;

	/* 16 + 4 n bytes in, up to 4 names: input ends in XMM0, values from XMM1 on. */
	for (unsigned int n = 1; n <= 4; n++) {
		struct {
			struct hv_vp_registers_input header;
			uint32_t name[4];
		} input = {registers_header(HV_VP_INDEX_SELF, 0),
			   {HV_REGISTER_VSM_PARTITION_STATUS, HV_REGISTER_VP_INDEX,
			    HV_REGISTER_VSM_VP_STATUS, HV_REGISTER_PRIVILEGES_AND_FEATURES_INFO}};
		const uint64_t expected[4] = {0x20001, 0, 0x10000, vp->partition->privileges};
		uint8_t after[BLOCK_BYTES];
		uint64_t result;

		assert_int_equal(fast_call(vp,
					   control_word(HV_CALL_GET_VP_REGISTERS, true, 0, n, 0),
					   &input, sizeof(input), after, &result),
				 GUEST_DONE);
		assert_int_equal(result, hv_hypercall_result(HV_STATUS_SUCCESS, (uint16_t)n));
		assert_memory_equal(after, &input, 32);
		for (unsigned int i = 0; i < n; i++)
			assert_memory_equal(after + 32 + 16 * i, &expected[i], 8);
		for (unsigned int i = 32 + 16 * n; i < BLOCK_BYTES; i++)
			assert_int_equal(after[i], 0xa5);
	}
}

/* shows: hypercall HvCallGetPartitionId */
static void fast_output_without_input_starts_in_rdx(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	uint8_t after[BLOCK_BYTES];
	uint64_t result;
	uint64_t id;

	fast_call(vp, HV_CALL_GET_PARTITION_ID | HV_HYPERCALL_FAST, NULL, 0, after, &result);
	assert_int_equal(result, HV_STATUS_SUCCESS);
	memcpy(&id, after, 8);
	assert_int_equal(id, HYPERCALL_PARTITION_ID);
	for (unsigned int i = 8; i < BLOCK_BYTES; i++)
		assert_int_equal(after[i], 0xa5);
}

static void a_resumed_fast_call_keeps_what_it_has_produced(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[4];
	} input = {registers_header(HV_VP_INDEX_SELF, 0),
		   {0xdead, 0xdead, HV_REGISTER_VSM_VP_STATUS, HV_REGISTER_VP_INDEX}};
	uint8_t after[BLOCK_BYTES];
	uint64_t result;

	/* The first two elements were completed before: their register names are ignored. */
	fast_call(vp, control_word(HV_CALL_GET_VP_REGISTERS, true, 0, 4, 2), &input, sizeof(input),
		  after, &result);
	assert_int_equal(result, hv_hypercall_result(HV_STATUS_SUCCESS, 4));
	for (unsigned int i = 32; i < 64; i++)
		assert_int_equal(after[i], 0xa5);
	assert_int_equal(after[64 + 2], 1);
}

/* shows: privilege FastHypercallOutput; feature FastHypercallOutput, XmmRegistersForFastHypercall */
static void xmm_forms_without_their_feature_are_invalid_instructions(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	const uint32_t features = vp->partition->features_edx;
	const uint64_t privileges = vp->partition->privileges;
	/* 24 bytes of input; 8 bytes of output. */
	const uint64_t in = HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE | HV_HYPERCALL_FAST;
	const uint64_t out = HV_CALL_GET_PARTITION_ID | HV_HYPERCALL_FAST;

	vp->partition->features_edx = features & ~HV_FEATURE(XMM_REGISTERS_FOR_FAST_HYPERCALL);
	expect_undefined(vp, in);
	vp->partition->features_edx = features & ~HV_FEATURE(FAST_HYPERCALL_OUTPUT);
	expect_undefined(vp, out);
	vp->partition->features_edx = features;
	vp->partition->privileges = privileges & ~HV_PRIVILEGE(FAST_HYPERCALL_OUTPUT);
	expect_undefined(vp, out);
	/* The form with input in RDX and R8 needs no feature. */
	vp->partition->features_edx = 0;
	assert_int_equal(status_with(vp, HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST),
			 HV_STATUS_SUCCESS);
}

static void registers_in_their_initial_state_read_as_zero(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	struct vcpu_state *cpu = vcpu_edit(vp, 0, VCPU_FPU);
	uint64_t result;

	/* Processor mask in XMM0: stale bytes, but XSTATE_BV says that SSE is unused. */
	memset(cpu->xsave + 160, 0xff, 256);
	cpu->xsave[512] = 0;
	guest_hypercall(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE | HV_HYPERCALL_FAST, 0,
			HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, &result);
	assert_int_equal(result, HV_STATUS_SUCCESS);
	assert_true(atomic_load(&vsm_partition_vp(vp->partition, 1)->flush_wanted) & 1);
}

/* ------------------------------------------------------------------ 32-bit callers */

static void set_compatibility_mode(struct vsm_vp *vp)
{
	vcpu_edit(vp, 0, VCPU_SYSTEM)->segment[SEGMENT_CS].attributes = 0xc09b;
}

static uint64_t call_32(struct vsm_vp *vp, uint64_t control, uint64_t input, uint64_t output)
{
	const uint64_t junk = UINT64_C(0x5555555500000000);

	guest_set_gpr(vp, 0, GPR_RDX, control >> 32 | junk);
	guest_set_gpr(vp, 0, GPR_RAX, (uint32_t)control | junk);
	guest_set_gpr(vp, 0, GPR_RBX, input >> 32 | junk);
	guest_set_gpr(vp, 0, GPR_RCX, (uint32_t)input | junk);
	guest_set_gpr(vp, 0, GPR_RDI, output >> 32 | junk);
	guest_set_gpr(vp, 0, GPR_RSI, (uint32_t)output | junk);
	assert_int_equal(guest_do(vp, (struct sim_action){.kind = SIM_HYPERCALL}, NULL),
			 GUEST_DONE);
	return guest_gpr(vp, 0, GPR_RDX) << 32 | (uint32_t)guest_gpr(vp, 0, GPR_RAX);
}

static void a_32_bit_caller_uses_register_pairs(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[2];
	} input = {registers_header(HV_VP_INDEX_SELF, 0),
		   {HV_REGISTER_VSM_PARTITION_STATUS, HV_REGISTER_VP_INDEX}};
	uint64_t value;

	set_compatibility_mode(vp);
	memcpy(guest_ram(vp->partition, 0x6000), &input, sizeof(input));
	assert_int_equal(
		call_32(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 2, 0), 0x6000, 0x5000),
		hv_hypercall_result(HV_STATUS_SUCCESS, 2));
	memcpy(&value, guest_ram(vp->partition, 0x5000), 8);
	assert_int_equal(value, 0x20001);
	assert_int_equal(call_32(vp, HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST, 1, 0),
			 HV_STATUS_SUCCESS);
}

static void a_32_bit_caller_has_16_bytes_and_no_output(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;

	set_compatibility_mode(vp);
	assert_int_equal(call_32(vp, HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE | HV_HYPERCALL_FAST, 0, 0),
			 HV_STATUS_INVALID_HYPERCALL_INPUT);
	assert_int_equal(call_32(vp, HV_CALL_GET_PARTITION_ID | HV_HYPERCALL_FAST, 0, 0),
			 HV_STATUS_INVALID_HYPERCALL_INPUT);
}

/* ------------------------------------------------------------------ result, continuation */

static void the_rep_count_ends_at_a_failed_element(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[5];
		uint32_t pad;
	} input = {registers_header(HV_VP_INDEX_SELF, 0),
		   {HV_REGISTER_VSM_PARTITION_STATUS, HV_REGISTER_VP_INDEX, 0xdeadbeef,
		    HV_REGISTER_VP_INDEX, HV_REGISTER_VP_INDEX},
		   0};
	union hv_register_value value[5];
	uint64_t result;

	memset(guest_ram(vp->partition, 0x2000), 0x5a, sizeof(value));
	result = guest_call(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 5, 0), &input,
			    sizeof(input), value, sizeof(value));
	assert_int_equal(result, hv_hypercall_result(HV_STATUS_INVALID_PARAMETER, 2));
	assert_int_equal(value[0].reg64, 0x20001);
	for (unsigned int i = 32; i < sizeof(value); i++)
		assert_int_equal(((const uint8_t *)value)[i], 0x5a);
}

static void completed_reps_are_counted_from_the_start_of_the_list(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[4];
	} input = {registers_header(HV_VP_INDEX_SELF, 0),
		   {0xdead, 0xdead, HV_REGISTER_VP_INDEX, 0xdead}};

	assert_int_equal(guest_call(vp, control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 4, 2),
				    &input, sizeof(input), NULL, 0),
			 hv_hypercall_result(HV_STATUS_INVALID_PARAMETER, 3));
}

static void p27_a_long_list_is_continued_by_its_start_index(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	struct {
		struct hv_vp_registers_input header;
		uint32_t name[200];
	} input = {.header = registers_header(HV_VP_INDEX_SELF, 0)};
	const uint64_t control = control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 200, 0);
	union hv_register_value value[200];
	uint64_t at = rip(vp);
	uint64_t result;

	for (unsigned int i = 0; i < 200; i++)
		input.name[i] = HV_REGISTER_VSM_PARTITION_STATUS;
	/* The clock advances by 10 us at each read, so a time slice of 50 us has a few elements. */
	sim_clock_step(vp->partition, 10000);
	result = guest_call(vp, control, &input, sizeof(input), value, sizeof(value));
	assert_int_equal(result, hv_hypercall_result(HV_STATUS_SUCCESS, 200));
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(value[i].reg64, 0x20001);
	assert_int_equal(rip(vp), at + SIM_INSTRUCTION_LENGTH);
	/* RCX has the start index of the last part: the call was interrupted. */
	assert_true(guest_gpr(vp, 0, GPR_RCX) >> 48 > 100);
	assert_int_equal(guest_gpr(vp, 0, GPR_RCX) & UINT64_C(0xffffffffffff), control);
}

/* shows: hypercall HvCallNotifyLongSpinWait */
static void a_simple_call_changes_only_rax(void **state)
{
	struct vsm_vp *vp = ((struct fixture *)*state)->vp;
	struct vcpu_state before;
	const struct vcpu_state *after;

	for (unsigned int i = 0; i < GPR_COUNT; i++)
		guest_set_gpr(vp, 0, i, 0x1111111111111111u * (i + 1));
	guest_set_gpr(vp, 0, GPR_RCX, HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST);
	before = *vcpu_get(vp, 0, VCPU_ALL);
	guest_do(vp, (struct sim_action){.kind = SIM_HYPERCALL}, NULL);
	after = vcpu_get(vp, 0, VCPU_ALL);
	assert_int_equal(after->gpr[GPR_RAX], HV_STATUS_SUCCESS);
	assert_memory_equal(&after->gpr[1], &before.gpr[1], sizeof(before.gpr) - 8);
	assert_int_equal(after->rflags, before.rflags);
	assert_int_equal(after->rip, before.rip + SIM_INSTRUCTION_LENGTH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_NEEDS(NEED_CPL3_HYPERCALL, cpl_above_0_is_an_invalid_instruction),
		TEST_NEEDS(NEED_NO_TABLES, real_mode_is_an_invalid_instruction),
		TEST_NEEDS(NEED_CPL3_HYPERCALL, virtual_8086_mode_is_an_invalid_instruction),
		TEST(unknown_codes_are_invalid_codes),
		TEST(the_table_is_in_ascending_order),
		TEST(a_missing_privilege_has_precedence_over_other_errors),
		TEST(unknown_extended_calls_are_denied_without_the_privilege),
		TEST(every_reserved_bit_of_the_control_word_is_refused),
		TEST(simple_calls_with_rep_fields_are_refused),
		TEST(rep_calls_need_a_start_below_the_count),
		TEST(only_variable_calls_accept_a_variable_header),
		TEST(parameters_must_be_aligned_to_8),
		TEST(parameters_may_not_cross_a_page),
		TEST(the_whole_list_is_checked_with_a_later_start_index_too),
		TEST(parameters_outside_of_the_gpa_space),
		TEST(addresses_of_absent_parameters_are_ignored),
		TEST(input_and_output_may_be_the_same_bytes),
		TEST_NEEDS(NEED_DENY_EXECUTE,
			   a_denied_input_page_is_intercepted_and_the_call_is_repeated),
		TEST_NEEDS(NEED_DENY_EXECUTE, a_denied_output_page_stops_the_call_before_it_acts),
		TEST(p28_fast_calls_are_accepted_or_refused_by_their_size),
		TEST(p28_fast_output_follows_the_input_in_the_next_free_register),
		TEST(fast_output_without_input_starts_in_rdx),
		TEST(a_resumed_fast_call_keeps_what_it_has_produced),
		TEST(xmm_forms_without_their_feature_are_invalid_instructions),
		TEST(registers_in_their_initial_state_read_as_zero),
		TEST(a_32_bit_caller_uses_register_pairs),
		TEST(a_32_bit_caller_has_16_bytes_and_no_output),
		TEST(the_rep_count_ends_at_a_failed_element),
		TEST(completed_reps_are_counted_from_the_start_of_the_list),
		TEST(p27_a_long_list_is_continued_by_its_start_index),
		TEST(a_simple_call_changes_only_rax),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
