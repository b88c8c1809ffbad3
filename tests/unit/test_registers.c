/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallGetVpRegisters and HvCallSetVpRegisters (TLFS "Virtual processor registers"). */
#include "hypercall_test.h"

#include "core/registers/regs.h"
#include "core/registers/table.h"
#include "needs.h"

#include "fixture.h"

static struct vsm_vp *other; /* VP 1: in VTL0, with VTL1 enabled */

static int setup(void **state)
{
	fixture_in_vtl1(2, 2);
	other = vsm_partition_vp(partition, 1);
	return 0;
}

enum sharing {
	PRIVATE, /* one for each VTL */
	SHARED,	 /* one for each VP */
};

/* A legal value of the registers @first to @last, and the value that is read back. */
struct sample {
	uint32_t first;
	uint32_t last;
	enum sharing lives;
	uint64_t low;
	uint64_t high;
	uint64_t read_low;
	uint64_t read_high;
};

#define SAME(low, high)	  low, high, low, high
#define CANONICAL	  UINT64_C(0xffff800012345678)
#define X64(name)	  HV_X64_REGISTER_##name, HV_X64_REGISTER_##name
#define X64_RUN(from, to) HV_X64_REGISTER_##from, HV_X64_REGISTER_##to
#define SYN(name)	  HV_REGISTER_##name, HV_REGISTER_##name
#define PATTERN		  UINT64_C(0x0123456789abcd00)

/* Segments: base, then limit, selector, attributes. */
#define SEGMENT(limit, selector, attributes) \
	((uint64_t)(limit) | (uint64_t)(selector) << 32 | (uint64_t)(attributes) << 48)

static const struct sample samples[] = {
	{SYN(INTERNAL_ACTIVITY_STATE), PRIVATE, SAME(2, 0)},
	{SYN(PENDING_INTERRUPTION), PRIVATE, SAME(0x00310001, 0)},
	{SYN(INTERRUPT_STATE), PRIVATE, SAME(3, 0)},
	/* #GP(0), as a secure kernel injects it. */
	{SYN(PENDING_EVENT0), PRIVATE, SAME(0x000d0101, 0)},
	{SYN(PENDING_EVENT1), PRIVATE, SAME(0, 0)},
	{X64_RUN(RAX, RBX), SHARED, SAME(PATTERN, 0)},
	{X64(RSP), PRIVATE, SAME(PATTERN, 0)},
	{X64_RUN(RBP, R15), SHARED, SAME(PATTERN, 0)},
	{X64(RIP), PRIVATE, SAME(CANONICAL, 0)},
	{X64(RFLAGS), PRIVATE, 0x40244, 0, 0x40246, 0},
	{X64_RUN(XMM0, XMM15), SHARED, SAME(PATTERN, ~PATTERN)},
	{X64_RUN(FP_MMX0, FP_MMX7), SHARED, SAME(PATTERN, 0xc001)},
	/* FCW 0x27f, FSW 0x3800, tags 0x81, opcode 0x123, RIP */
	{X64(FP_CONTROL_STATUS), SHARED, SAME(UINT64_C(0x012300813800027f), CANONICAL)},
	{X64(CR0), PRIVATE, SAME(0x80010031, 0)},
	{X64(CR2), SHARED, SAME(PATTERN, 0)},
	{X64(CR3), PRIVATE, SAME(0x12345678000, 0)},
	{X64(CR4), PRIVATE, SAME(0xa0, 0)},
	{X64(CR8), PRIVATE, SAME(9, 0)},
	{X64(XFEM), SHARED, SAME(7, 0)},
	{X64_RUN(DR0, DR3), SHARED, SAME(PATTERN, 0)},
	{X64(DR6), SHARED, 1, 0, 0xffff0ff1, 0},
	{X64(DR7), PRIVATE, 0xd002, 0, 0x402, 0},
	/* Bits 11:8 of the attributes come from descriptors and are dropped. */
	{X64(ES), PRIVATE, 0x1000, SEGMENT(0xfffff, 0x2b, 0xcff3), 0x1000,
	 SEGMENT(0xfffff, 0x2b, 0xc0f3)},
	{X64(CS), PRIVATE, SAME(0, SEGMENT(0xffffffff, 0x33, 0xa0fb))},
	{X64(SS), PRIVATE, SAME(0, SEGMENT(0xffffffff, 0x18, 0xc093))},
	{X64(DS), PRIVATE, SAME(0, 0)},
	{X64_RUN(FS, GS), PRIVATE, SAME(CANONICAL, SEGMENT(0x67, 0x40, 0xf3))},
	{X64(LDTR), PRIVATE, SAME(CANONICAL, SEGMENT(0x67, 0x40, 0x82))},
	{X64(TR), PRIVATE, SAME(CANONICAL, SEGMENT(0x67, 0x40, 0x8b))},
	/* The bytes before the limit are padding. */
	{X64_RUN(IDTR, GDTR), PRIVATE, UINT64_C(0x0fff111122223333), CANONICAL,
	 UINT64_C(0x0fff000000000000), CANONICAL},
	{X64(EFER), PRIVATE, SAME(0xd01, 0)},
	{X64(KERNEL_GS_BASE), PRIVATE, SAME(CANONICAL, 0)},
	{X64(PAT), PRIVATE, SAME(UINT64_C(0x0706050401000604), 0)},
	{X64(SYSENTER_CS), PRIVATE, SAME(0x1234, 0)},
	{X64_RUN(SYSENTER_EIP, SYSENTER_ESP), PRIVATE, SAME(CANONICAL, 0)},
	{X64(STAR), PRIVATE, SAME(PATTERN, 0)},
	{X64_RUN(LSTAR, CSTAR), PRIVATE, SAME(CANONICAL, 0)},
	{X64(SFMASK), PRIVATE, SAME(0x47700, 0)},
	{X64(MSR_MTRR_DEF_TYPE), SHARED, SAME(0xc06, 0)},
	{X64_RUN(MSR_MTRR_PHYS_BASE0, MSR_MTRR_PHYS_BASE7), SHARED, SAME(0x80000006, 0)},
	{X64_RUN(MSR_MTRR_PHYS_MASK0, MSR_MTRR_PHYS_MASK7), SHARED, SAME(0x3fff80000800, 0)},
	{X64_RUN(MSR_MTRR_FIX64K00000, MSR_MTRR_FIX4KF8000), SHARED,
	 SAME(UINT64_C(0x0605040100060606), 0)},
	{X64(TSC_AUX), PRIVATE, SAME(0x8000001f, 0)},
	{X64(MSR_IA32_MISC_ENABLE), PRIVATE, SAME(0x1801, 0)},
	{SYN(GUEST_OS_ID), PRIVATE, SAME(UINT64_C(0x8100000600010000), 0)},
	{SYN(VP_ASSIST_PAGE), PRIVATE, SAME(0x40001, 0)},
	{HV_REGISTER_SINT0, HV_REGISTER_SINT15, PRIVATE, SAME(0x10031, 0)},
	{SYN(SCONTROL), PRIVATE, SAME(1, 0)},
	{SYN(SIFP), PRIVATE, SAME(0x41001, 0)},
	{SYN(SIPP), PRIVATE, SAME(0x42001, 0)},
	{SYN(STIMER0_COUNT), PRIVATE, SAME(PATTERN, 0)},
	{X64_RUN(YMM0_LOW, YMM15_LOW), SHARED, SAME(~PATTERN, PATTERN)},
	{X64_RUN(YMM0_HIGH, YMM15_HIGH), SHARED, SAME(PATTERN, ~PATTERN)},
};

/* Whether the hypercall itself uses or changes the register of its VP. */
static bool is_used_by_the_call(uint32_t name)
{
	return name == HV_X64_REGISTER_RAX || name == HV_X64_REGISTER_RCX ||
	       name == HV_X64_REGISTER_RDX || name == HV_X64_REGISTER_R8;
}

static void round_trip(struct vsm_vp *target, const struct sample *sample, uint32_t name)
{
	const struct regs_caller host = {.host = true, .same_vp = true};
	const union hv_register_value wanted = {.reg128 = {sample->low, sample->high}};
	union hv_register_value before;
	union hv_register_value value;

	regs_get(target, 1, name, &host, &before);
	assert_int_equal(set_register(vp, target->index, USE_VTL(0), name, &wanted),
			 hv_hypercall_result(HV_STATUS_SUCCESS, 1));
	assert_int_equal(get_register(vp, target->index, USE_VTL(0), name, &value),
			 hv_hypercall_result(HV_STATUS_SUCCESS, 1));
	if (value.reg128.low != sample->read_low || value.reg128.high != sample->read_high)
		fail_msg("register 0x%x of VP %u reads 0x%llx:%llx", name, target->index,
			 (unsigned long long)value.reg128.high,
			 (unsigned long long)value.reg128.low);
	/* A private register of VTL1 is unchanged; a shared one has the new value. */
	regs_get(target, 1, name, &host, &value);
	if (target == vp && name == HV_X64_REGISTER_RIP)
		return; /* VTL1 of this VP runs, so its RIP changes */
	if (sample->lives == PRIVATE)
		assert_memory_equal(&value, &before, sizeof(value));
	else
		assert_int_equal(value.reg128.low, sample->read_low);
}

/* shows: hypercall HvCallGetVpRegisters, HvCallSetVpRegisters */
static void p21_every_register_of_a_lower_vtl_of_the_own_vp(void **state)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		for (uint32_t name = samples[i].first; name <= samples[i].last; name++)
			if (!is_used_by_the_call(name))
				round_trip(vp, &samples[i], name);
}

/* shows: register of samples */
static void p21_every_register_of_a_lower_vtl_of_another_vp(void **state)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		for (uint32_t name = samples[i].first; name <= samples[i].last; name++)
			round_trip(other, &samples[i], name);
}

/* shows: hypercall HvCallSetVpRegisters */
static void many_elements_are_set_in_order_by_one_call(void **state)
{
	struct {
		struct hv_vp_registers_input header;
		struct hv_register_assoc assoc[64];
	} input = {.header = registers_header(1, USE_VTL(0))};

	for (unsigned int i = 0; i < 64; i++) {
		input.assoc[i].name = HV_X64_REGISTER_RBX;
		input.assoc[i].value.reg64 = i;
		memset(input.assoc[i].pad, 0xee, sizeof(input.assoc[i].pad));
	}
	assert_int_equal(guest_call(vp, control_word(HV_CALL_SET_VP_REGISTERS, false, 0, 64, 0),
				    &input, sizeof(input), NULL, 0),
			 hv_hypercall_result(HV_STATUS_SUCCESS, 64));
	assert_int_equal(guest_gpr(other, 0, GPR_RBX), 63);
}

/* shows: register HvRegisterPrivilegesAndFeaturesInfo to HvRegisterIptFeaturesInfo */
static void registers_that_describe_the_partition_mirror_cpuid(void **state)
{
	union hv_register_value value;

	for (uint32_t name = 0x200; name <= 0x208; name++) {
		uint32_t leaf[4];

		partition->ops->vp_cpuid(vp->backend, 0x40000003 + (name - 0x200), 0, leaf);
		assert_int_equal(status_of(get_register(vp, HV_VP_INDEX_SELF, 0, name, &value)), 0);
		assert_memory_equal(&value, leaf, 16);
		assert_int_equal(status_of(set_register(vp, HV_VP_INDEX_SELF, 0, name, &value)),
				 HV_STATUS_INVALID_PARAMETER);
	}
}

static void read_only_registers_cannot_be_set(void **state)
{
	static const uint32_t names[] = {
		HV_REGISTER_VSM_CODE_PAGE_OFFSETS,
		HV_REGISTER_VSM_VP_STATUS,
		HV_REGISTER_VSM_PARTITION_STATUS,
		HV_REGISTER_VSM_CAPABILITIES,
		HV_REGISTER_VP_INDEX,
		HV_REGISTER_TIME_REF_COUNT,
		HV_REGISTER_SVERSION,
		HV_REGISTER_INSTRUCTION_EMULATION_HINTS,
	};
	union hv_register_value value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(status_of(get_register(vp, HV_VP_INDEX_SELF, 0, names[i], &value)),
				 HV_STATUS_SUCCESS);
		assert_int_equal(status_of(set_register(vp, HV_VP_INDEX_SELF, 0, names[i], &value)),
				 HV_STATUS_INVALID_PARAMETER);
	}
}

static void unknown_names_are_invalid_parameters(void **state)
{
	static const uint32_t names[] = {
		0x5,	    0x12345678, HV_REGISTER_EXPLICIT_SUSPEND,
		UINT32_MAX, 0x2001a,	HV_REGISTER_GUEST_IDLE,
	};
	union hv_register_value value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(
			status_of(get_register(vp, HV_VP_INDEX_SELF, USE_VTL(0), names[i], &value)),
			HV_STATUS_INVALID_PARAMETER);
		assert_int_equal(
			status_of(set_register(vp, HV_VP_INDEX_SELF, USE_VTL(0), names[i], &value)),
			HV_STATUS_INVALID_PARAMETER);
	}
}

static void the_table_is_in_ascending_order_and_each_row_has_a_function(void **state)
{
	for (size_t i = 0; i < regs_table_size; i++) {
		assert_true(regs_table[i].first <= regs_table[i].last);
		assert_true(regs_table[i].get || regs_table[i].set);
		if (i > 0)
			assert_true(regs_table[i - 1].last < regs_table[i].first);
	}
}

static void architectural_registers_of_the_own_vtl_are_denied(void **state)
{
	union hv_register_value value;

	for (size_t i = 0; i < regs_table_size; i++) {
		if (regs_table[i].rule != REGS_LOWER)
			continue;
		for (uint32_t index = 0; index < 2; index++) {
			assert_int_equal(
				status_of(get_register(vp, index, 0, regs_table[i].first, &value)),
				HV_STATUS_ACCESS_DENIED);
			assert_int_equal(
				status_of(set_register(vp, index, 0, regs_table[i].first, &value)),
				HV_STATUS_ACCESS_DENIED);
		}
	}
}

/* shows: rule no-lower-to-higher */
static void registers_of_a_higher_vtl_are_denied(void **state)
{
	union hv_register_value value;

	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	for (size_t i = 0; i < regs_table_size; i++) {
		for (uint8_t vtl = 1; vtl < 16; vtl++) {
			const uint32_t name = regs_table[i].first;

			assert_int_equal(status_of(get_register(vp, 0, USE_VTL(vtl), name, &value)),
					 HV_STATUS_ACCESS_DENIED);
			assert_int_equal(status_of(set_register(vp, 0, USE_VTL(vtl), name, &value)),
					 HV_STATUS_ACCESS_DENIED);
		}
	}
}

/* A shared register has the value of the active VTL, which is VTL2's while VTL2 runs. */
static void shared_registers_are_denied_while_a_vtl_above_the_caller_runs(void **state)
{
	union hv_register_value value;
	union hv_register_value kept;
	unsigned int count = 0;

	guest_enable_vtl(partition, 2);
	assert_int_equal(guest_vtl_call(other), GUEST_DONE);
	assert_int_equal(guest_vtl_call(other), GUEST_DONE);
	assert_int_equal(other->active_vtl, 2);
	if (vp->active_vtl == 0)
		assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 1);
	for (size_t i = 0; i < regs_table_size; i++) {
		const bool shared =
			regs_table[i].flags & REGS_SHARED ||
			(regs_table[i].flags & REGS_DR6 && partition->features.dr6_shared);

		for (uint32_t name = regs_table[i].first; shared && name <= regs_table[i].last;
		     name++) {
			assert_int_equal(vsm_vp_get_registers(other, 2, &name, &kept, 1), 1);
			assert_int_equal(status_of(get_register(vp, 1, USE_VTL(0), name, &value)),
					 HV_STATUS_INVALID_VP_STATE);
			assert_int_equal(value.reg64, 0);
			value = (union hv_register_value){.reg64 = 3};
			assert_int_equal(status_of(set_register(vp, 1, USE_VTL(0), name, &value)),
					 HV_STATUS_INVALID_VP_STATE);
			assert_int_equal(vsm_vp_get_registers(other, 2, &name, &value, 1), 1);
			assert_memory_equal(value.bytes, kept.bytes, sizeof(kept.bytes));
			count++;
		}
	}
	assert_true(count > 70);
	/* A private register of VTL0 can be read, and a shared one after VTL2 has returned. */
	assert_int_equal(status_of(get_register(vp, 1, USE_VTL(0), HV_X64_REGISTER_RIP, &value)),
			 0);
	assert_int_equal(guest_vtl_return(other, true), GUEST_DONE);
	assert_int_equal(status_of(get_register(vp, 1, USE_VTL(0), HV_X64_REGISTER_RAX, &value)),
			 0);
}

static void vsm_registers_need_the_privilege(void **state)
{
	union hv_register_value value;

	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(status_of(get_register(vp, 0, 0, HV_REGISTER_VSM_VP_STATUS, &value)), 0);
	partition->privileges &= ~HV_PRIVILEGE(ACCESS_VSM);
	for (uint32_t name = HV_REGISTER_VSM_CODE_PAGE_OFFSETS;
	     name <= HV_REGISTER_VSM_PARTITION_CONFIG; name++)
		assert_int_equal(status_of(get_register(vp, 0, 0, name, &value)),
				 HV_STATUS_ACCESS_DENIED);
}

static void a_vtl_that_is_not_enabled_has_no_registers(void **state)
{
	union hv_register_value value;
	const struct regs_caller vtl2 = {.vtl = 2};

	atomic_fetch_and(&other->enabled_vtls, (uint16_t)~vtl_bit(1));
	assert_int_equal(regs_get(other, 1, HV_X64_REGISTER_RIP, &vtl2, &value),
			 HV_STATUS_INVALID_VTL_STATE);
	assert_int_equal(regs_get(other, 1, HV_REGISTER_VSM_VINA, &vtl2, &value),
			 HV_STATUS_INVALID_VTL_STATE);
	/* A register of the partition does not depend on the VTLs of the VP. */
	assert_int_equal(regs_get(other, 1, HV_REGISTER_VSM_PARTITION_STATUS, &vtl2, &value),
			 HV_STATUS_SUCCESS);
}

static void p10_vtl0_has_neither_vina_nor_a_partition_config(void **state)
{
	union hv_register_value value = {.reg128 = {.low = 0x131}};

	assert_int_equal(status_of(set_register(vp, 0, USE_VTL(0), HV_REGISTER_VSM_VINA, &value)),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(status_of(get_register(vp, 0, USE_VTL(0), HV_REGISTER_VSM_VINA, &value)),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(status_of(get_register(vp, 0, USE_VTL(0), HV_REGISTER_VSM_PARTITION_CONFIG,
						&value)),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(status_of(get_register(vp, 0, USE_VTL(0),
						HV_X64_REGISTER_CR_INTERCEPT_CONTROL, &value)),
			 HV_STATUS_ACCESS_DENIED);
	value.reg64 = 0x131;
	assert_int_equal(status_of(set_register(vp, 0, 0, HV_REGISTER_VSM_VINA, &value)), 0);
	assert_int_equal(vp->vtl[1].vina, 0x131);
	value.reg64 = 0x800;
	assert_int_equal(status_of(set_register(vp, 0, 0, HV_REGISTER_VSM_VINA, &value)),
			 HV_STATUS_INVALID_PARAMETER);
}

/* shows: rule vtl-number */
static void the_header_is_checked(void **state)
{
	struct {
		struct hv_vp_registers_input header;
		uint32_t name;
	} input = {registers_header(0, 0), HV_REGISTER_VP_INDEX};
	const uint64_t control = control_word(HV_CALL_GET_VP_REGISTERS, false, 0, 1, 0);

	input.header.vp_index = 2;
	assert_int_equal(guest_call(vp, control, &input, sizeof(input), NULL, 0),
			 HV_STATUS_INVALID_VP_INDEX);
	input.header.vp_index = HV_VP_INDEX_ANY;
	assert_int_equal(guest_call(vp, control, &input, sizeof(input), NULL, 0),
			 HV_STATUS_INVALID_VP_INDEX);
	input.header.vp_index = 1;
	input.header.partition_id = 7;
	assert_int_equal(guest_call(vp, control, &input, sizeof(input), NULL, 0),
			 HV_STATUS_INVALID_PARTITION_ID);
	input.header.partition_id = HV_PARTITION_ID_SELF;
	input.header.input_vtl = 0x20;
	assert_int_equal(guest_call(vp, control, &input, sizeof(input), NULL, 0),
			 HV_STATUS_INVALID_PARAMETER);
	/* ACCESS_DENIED has precedence. */
	input.header.input_vtl = 0xff;
	input.header.vp_index = 77;
	assert_int_equal(guest_call(vp, control, &input, sizeof(input), NULL, 0),
			 HV_STATUS_ACCESS_DENIED);
}

static void illegal_values_are_refused_and_change_nothing(void **state)
{
	static const struct {
		uint32_t name;
		uint64_t low;
		uint64_t high;
	} bad[] = {
		{HV_X64_REGISTER_RIP, UINT64_C(0x8000000000000000), 0},
		{HV_X64_REGISTER_RFLAGS, UINT64_C(1) << 22, 0},
		{HV_X64_REGISTER_RFLAGS, X64_RFLAGS_VM, 0}, /* in long mode */
		{HV_X64_REGISTER_CR0, UINT64_C(1) << 32, 0},
		{HV_X64_REGISTER_CR0, X64_CR0_PG, 0},
		{HV_X64_REGISTER_CR0, X64_CR0_NW | X64_CR0_PE, 0},
		{HV_X64_REGISTER_CR3, UINT64_C(1) << 46, 0},
		{HV_X64_REGISTER_CR4, UINT64_C(1) << 31, 0},
		{HV_X64_REGISTER_CR8, 16, 0},
		{HV_X64_REGISTER_XFEM, 0, 0},
		{HV_X64_REGISTER_XFEM, 5, 0},	 /* AVX without SSE */
		{HV_X64_REGISTER_XFEM, 0x27, 0}, /* unsupported components */
		{HV_X64_REGISTER_DR6, UINT64_C(1) << 32, 0},
		{HV_X64_REGISTER_DR7, UINT64_C(1) << 32, 0},
		{HV_X64_REGISTER_EFER, 1 << 13, 0},
		{HV_X64_REGISTER_PAT, 2, 0},
		{HV_X64_REGISTER_PAT, UINT64_C(8) << 56, 0},
		{HV_X64_REGISTER_SFMASK, UINT64_C(1) << 32, 0},
		{HV_X64_REGISTER_TSC_AUX, UINT64_C(1) << 32, 0},
		{HV_X64_REGISTER_LSTAR, UINT64_C(1) << 62, 0},
		{HV_X64_REGISTER_KERNEL_GS_BASE, UINT64_C(1) << 62, 0},
		{HV_X64_REGISTER_SYSENTER_EIP, UINT64_C(1) << 62, 0},
		{HV_X64_REGISTER_FS, UINT64_C(1) << 62, 0},
		{HV_X64_REGISTER_CS, 0, SEGMENT(0, 8, 0xe09b)}, /* L and D */
		{HV_X64_REGISTER_GDTR, 0, UINT64_C(1) << 62},
		{HV_X64_REGISTER_FP_MMX0, 0, 0x10000},
		{HV_X64_REGISTER_XMM_CONTROL_STATUS, 0, 0x10000}, /* MXCSR bit 16 */
		{HV_X64_REGISTER_MSR_MTRR_DEF_TYPE, 7, 0},
		{HV_X64_REGISTER_MSR_MTRR_PHYS_BASE0, 0x100, 0},
		{HV_X64_REGISTER_MSR_MTRR_FIX64K00000, 2, 0},
		{HV_REGISTER_INTERNAL_ACTIVITY_STATE, 3, 0},
		{HV_REGISTER_INTERRUPT_STATE, 4, 0},
		{HV_REGISTER_PENDING_INTERRUPTION, 0x000d0007, 0}, /* an exception */
		{HV_REGISTER_PENDING_EVENT1, 1, 0},
		{HV_REGISTER_VP_ASSIST_PAGE, 0x1ff, 0},
	};
	const struct regs_caller host = {.host = true};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const union hv_register_value value = {.reg128 = {bad[i].low, bad[i].high}};
		union hv_register_value before;
		union hv_register_value after;

		regs_get(vp, 0, bad[i].name, &host, &before);
		if (status_of(set_register(vp, 0, USE_VTL(0), bad[i].name, &value)) !=
		    HV_STATUS_INVALID_REGISTER_VALUE)
			fail_msg("register 0x%x accepts 0x%llx", bad[i].name,
				 (unsigned long long)bad[i].low);
		regs_get(vp, 0, bad[i].name, &host, &after);
		assert_memory_equal(&before, &after, sizeof(after));
	}
}

/*
 * HV_REGISTER_VALUE is a union. For a register of 64 bits or less only Reg64 is used; Linux' mshv_vtl leaves
 * the upper half uninitialized when it sets VsmPartitionConfig.
 */
/* shows: rule register-width */
static void the_upper_half_of_the_value_of_a_64_bit_register_is_ignored(void **state)
{
	static const struct {
		uint32_t name;
		uint8_t vtl;
		uint64_t low;
	} rows[] = {
		{HV_X64_REGISTER_RBX, USE_VTL(0), 0x1234},
		{HV_X64_REGISTER_TSC_AUX, USE_VTL(0), 7},
		{HV_REGISTER_VSM_PARTITION_CONFIG, 0, 0x3f},
		{HV_REGISTER_VSM_VINA, 0, 0x1f0},
		{HV_X64_REGISTER_CR_INTERCEPT_CR0_MASK, 0, 0x10000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const union hv_register_value value = {
			.reg128 = {rows[i].low, UINT64_C(0xdeadbeefcafef00d)}};
		union hv_register_value after;

		assert_int_equal(status_of(set_register(vp, 0, rows[i].vtl, rows[i].name, &value)),
				 HV_STATUS_SUCCESS);
		assert_int_equal(status_of(get_register(vp, 0, rows[i].vtl, rows[i].name, &after)),
				 HV_STATUS_SUCCESS);
		assert_int_equal(after.reg128.low, rows[i].low);
		assert_int_equal(after.reg128.high, 0);
	}
}

static void pending_exceptions_follow_the_list_of_vectors(void **state)
{
	/* TLFS "HvX64RegisterPendingEvent0": the exceptions that a higher VTL may inject. */
	static const uint8_t legal[] = {0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19};
	static const uint8_t with_error[] = {8, 10, 11, 12, 13, 14, 17};

	for (unsigned int vector = 0; vector < 40; vector++) {
		const bool ok = memchr(legal, (int)vector, sizeof(legal)) != NULL;
		const bool error = memchr(with_error, (int)vector, sizeof(with_error)) != NULL;
		union hv_register_value value = {.reg128 = {.low = 1 | (uint64_t)vector << 16}};
		union hv_register_value clear = {.reg128 = {.low = 0}};

		assert_int_equal(status_of(set_register(vp, 1, USE_VTL(0),
							HV_REGISTER_PENDING_EVENT0, &value)),
				 ok && !error ? HV_STATUS_SUCCESS
					      : HV_STATUS_INVALID_REGISTER_VALUE);
		set_register(vp, 1, USE_VTL(0), HV_REGISTER_PENDING_EVENT0, &clear);
		assert_false(vcpu_get(other, 0, VCPU_EVENTS)->events.exception_pending);
		value.reg64 |= 0x100;
		assert_int_equal(status_of(set_register(vp, 1, USE_VTL(0),
							HV_REGISTER_PENDING_EVENT0, &value)),
				 error ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_REGISTER_VALUE);
		set_register(vp, 1, USE_VTL(0), HV_REGISTER_PENDING_EVENT0, &clear);
	}
	for (unsigned int type = 1; type < 8; type++) {
		union hv_register_value value = {.reg128 = {.low = 1 | type << 1 | 13 << 16}};

		assert_int_equal(status_of(set_register(vp, 1, USE_VTL(0),
							HV_REGISTER_PENDING_EVENT0, &value)),
				 HV_STATUS_INVALID_REGISTER_VALUE);
	}
}

/* shows: register HvRegisterPendingEvent0 */
static void an_injected_exception_wakes_and_is_delivered_with_its_parameter(void **state)
{
	/* #PF, error code 2, at 0x1234. */
	const union hv_register_value value = {.reg128 = {UINT64_C(0x2000e0101), 0x1234}};

	assert_int_equal(
		status_of(set_register(vp, 0, USE_VTL(0), HV_REGISTER_PENDING_EVENT0, &value)),
		HV_STATUS_SUCCESS);
	vp->vtl[0].activity = VP_HALTED;
	assert_int_equal(status_of(set_register(vp, 0, 0, HV_REGISTER_PENDING_EVENT0, &value)),
			 HV_STATUS_INVALID_PARAMETER);
	guest_vtl_return(vp, true);
	guest_nop(vp);
	assert_int_equal(sim_state(vp, 0)->exception_vector, 14);
	assert_int_equal(sim_state(vp, 0)->exception_error_code, 2);
	assert_int_equal(sim_state(vp, 0)->exception_parameter, 0x1234);
}

static void long_mode_active_follows_from_its_enable_bit_and_paging(void **state)
{
	union hv_register_value value = {.reg128 = {.low = 0x500}};

	set_register(vp, 1, USE_VTL(0), HV_X64_REGISTER_EFER, &value);
	assert_int_equal(vcpu_get(other, 0, VCPU_SYSTEM)->efer, 0x500);
	value.reg64 = X64_CR0_PE;
	set_register(vp, 1, USE_VTL(0), HV_X64_REGISTER_CR0, &value);
	assert_int_equal(vcpu_get(other, 0, VCPU_SYSTEM)->efer, 0x100);
	value.reg64 = X64_CR0_PE | X64_CR0_PG;
	set_register(vp, 1, USE_VTL(0), HV_X64_REGISTER_CR0, &value);
	assert_int_equal(vcpu_get(other, 0, VCPU_SYSTEM)->efer, 0x500);
	/* Undefined bits of the lower half of CR0 are dropped without an error. */
	value.reg64 = X64_CR0_PE | 1u << 20 | 1u << 7;
	assert_int_equal(status_of(set_register(vp, 1, USE_VTL(0), HV_X64_REGISTER_CR0, &value)),
			 0);
	assert_int_equal(vcpu_get(other, 0, VCPU_SYSTEM)->cr0, X64_CR0_PE | X64_CR0_ET);
}

/* shows: rule secure-config-owner, secure-config-release; register HvRegisterVsmVpSecureConfigVtl0 */
static void secure_config_reads_the_actual_state_of_the_lock(void **state)
{
	union hv_register_value value = {.reg128 = {.low = HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED}};
	const uint32_t name = HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0;

	assert_int_equal(status_of(set_register(vp, 0, 0, name, &value)), 0);
	assert_int_equal(atomic_load(&vp->tlb_locked[0]), vtl_bit(1));
	assert_int_equal(status_of(get_register(vp, 0, 0, name, &value)), 0);
	assert_int_equal(value.reg64, HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED);
	/* The return to VTL0 clears the lock: TLFS "HvRegisterVsmVpSecureConfigVtlX". */
	guest_vtl_return(vp, true);
	assert_int_equal(atomic_load(&vp->tlb_locked[0]), 0);
	guest_vtl_call(vp);
	assert_int_equal(status_of(get_register(vp, 0, 0, name, &value)), 0);
	assert_int_equal(value.reg64, 0);
	/* Refused: a VTL that is not below the caller, MBEC without MBEC in the partition, shadow
	 * stacks. */
	assert_int_equal(status_of(set_register(vp, 0, 0, name + 1, &value)),
			 HV_STATUS_ACCESS_DENIED);
	value.reg64 = HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED;
	assert_int_equal(status_of(set_register(vp, 0, 0, name, &value)),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	value.reg64 = HV_VSM_VP_SECURE_CONFIG_SUPERVISOR_SHADOW_STACK;
	assert_int_equal(status_of(set_register(vp, 0, 0, name, &value)),
			 HV_STATUS_INVALID_REGISTER_VALUE);
}

static void p20_register_intercepts_that_cannot_be_enforced_are_refused(void **state)
{
	union hv_register_value value;

	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t kept;

		value = (union hv_register_value){.reg64 = UINT64_C(1) << bit};
		if (status_of(set_register(vp, 0, 0, HV_X64_REGISTER_CR_INTERCEPT_CONTROL,
					   &value)) == HV_STATUS_SUCCESS) {
			assert_true(bit < 29);
			assert_int_equal(vp->vtl[1].cr_intercept_control, value.reg64);
			continue;
		}
		kept = vp->vtl[1].cr_intercept_control;
		assert_int_not_equal(kept, value.reg64);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_NEEDS(NEED_SIM_CPU, p21_every_register_of_a_lower_vtl_of_the_own_vp),
		TEST_NEEDS(NEED_SIM_CPU, p21_every_register_of_a_lower_vtl_of_another_vp),
		TEST(many_elements_are_set_in_order_by_one_call),
		TEST(registers_that_describe_the_partition_mirror_cpuid),
		TEST(read_only_registers_cannot_be_set),
		TEST(unknown_names_are_invalid_parameters),
		TEST(the_table_is_in_ascending_order_and_each_row_has_a_function),
		TEST(architectural_registers_of_the_own_vtl_are_denied),
		TEST(registers_of_a_higher_vtl_are_denied),
		TEST(shared_registers_are_denied_while_a_vtl_above_the_caller_runs),
		TEST(vsm_registers_need_the_privilege),
		TEST(a_vtl_that_is_not_enabled_has_no_registers),
		TEST(p10_vtl0_has_neither_vina_nor_a_partition_config),
		TEST(the_header_is_checked),
		TEST(illegal_values_are_refused_and_change_nothing),
		TEST(the_upper_half_of_the_value_of_a_64_bit_register_is_ignored),
		TEST(pending_exceptions_follow_the_list_of_vectors),
		TEST(an_injected_exception_wakes_and_is_delivered_with_its_parameter),
		TEST(long_mode_active_follows_from_its_enable_bit_and_paging),
		TEST(secure_config_reads_the_actual_state_of_the_lock),
		TEST(p20_register_intercepts_that_cannot_be_enforced_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
