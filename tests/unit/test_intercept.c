/* SPDX-License-Identifier: BSD-2-Clause */
/* Intercepts of memory, MSRs, ports and registers (TLFS "Secure Intercepts"). Offsets and numbers
 * are those of the TLFS, not of our headers. */
#include <string.h>

#include "unit_test.h"
#include "core/memory/protect.h"
#include "core/registers/regs.h"
#include "core/vp/vp.h"
#include "core/x64.h"
#include "listener.h"
#include "needs.h"
#include "vp_fixture.h"

#define CR4_TSD (UINT64_C(1) << 2)

#define RAM  (16u << 20)
#define PAGE 0x200u
#define GPA  ((uint64_t)PAGE << 12)

#define RX (GPA_READ | GPA_EXECUTE)

struct world {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	uint64_t rip; /* of VTL0 */
};

static void put_code(struct world *world, const char *bytes, size_t count)
{
	world->rip = vcpu_get(world->vp, 0, VCPU_GPR)->rip;
	memcpy(guest_ram(world->partition, world->rip), bytes, count);
}

static struct vsm_vp *new_vp(const struct sim_options *options)
{
	return vsm_partition_vp(guest_partition(1, 2, RAM, options), 0);
}

/* VTL1 receives intercepts, VTL0 is active; "mov [rbx], rax" is at its RIP. */
static struct world create(struct vsm_vp *vp)
{
	struct world world = {.partition = vp->partition, .vp = vp};

	listener_create(world.partition, 1);
	put_code(&world, "\x48\x89\x03", 3);
	return world;
}

static void restrict_page(struct world *world, uint8_t owner, uint64_t gpn, uint8_t access)
{
	size_t done;

	assert_int_equal(protect_set(world->partition, owner, -1, &gpn, 1, access, &done),
			 HV_STATUS_SUCCESS);
}

static uint16_t set_register(struct world *world, uint8_t vtl, uint32_t name, uint64_t value)
{
	const struct regs_caller caller = {.vtl = vtl, .same_vp = true};
	const union hv_register_value in = {.reg128 = {.low = value}};

	return regs_set(world->vp, vtl, name, &caller, &in);
}

/* The header, which the messages of all intercepts have. */
static void check_header(struct world *world, const struct hv_message *message, uint8_t length,
			 uint8_t access)
{
	const struct vcpu_state *cpu = vcpu_get(world->vp, 0, VCPU_GPR | VCPU_SYSTEM);

	assert_int_equal(message->flags, 0);
	assert_int_equal(message->sender, 0);
	assert_int_equal(payload_u32(message, 0), 0); /* VP */
	assert_int_equal(payload_u8(message, 4), length);
	assert_int_equal(payload_u8(message, 5), access);
	/* CPL 0, CR0.PE, EFER.LMA, VTL 0 */
	assert_int_equal(payload_u16(message, 6), 1 << 2 | 1 << 4);
	assert_memory_equal((const uint8_t *)message->payload + 8, &cpu->segment[SEGMENT_CS], 16);
	assert_int_equal(payload_u64(message, 24), world->rip);
	assert_int_equal(payload_u64(message, 32), cpu->rflags);
	assert_int_equal(cpu->rip, world->rip);
}

/* shows: rule entry-intercept, violation-intercept */
static void test_a_denied_write_has_no_effect_and_enters_vtl1(void **state)
{
	struct world world = create(*state);
	struct vsm_counters counters;
	struct hv_message message;

	restrict_page(&world, 1, PAGE, RX);
	assert_int_equal(guest_write(world.vp, GPA + 0x123, 4, 0xdeadbeef), GUEST_STOPPED);
	assert_int_equal(world.vp->active_vtl, 1);
	vsm_vp_counters(world.vp, &counters);
	assert_int_equal(counters.intercepts, 1);
	assert_int_equal(*(uint32_t *)(void *)(guest_ram(world.partition, GPA) + 0x120), 0);
	message = listener_take(world.vp, 1);
	assert_int_equal(message.message_type, 0x80000001);
	assert_int_equal(message.payload_size, 240);
	check_header(&world, &message, 3, 1);
	assert_int_equal(sim_state(world.vp, 0)->exceptions, 0);
}

/* shows: rule protect-modify, intercept-handling */
static void test_the_write_completes_after_vtl1_permits_it(void **state)
{
	struct world world = create(*state);

	restrict_page(&world, 1, PAGE, RX);
	guest_write(world.vp, GPA, 4, 0xdeadbeef);
	listener_take(world.vp, 1);
	restrict_page(&world, 1, PAGE, GPA_ALL);
	listener_return(world.vp);
	assert_int_equal(world.vp->active_vtl, 0);
	assert_true(sim_state(world.vp, 0)->done);
	assert_int_equal(*(uint32_t *)(void *)guest_ram(world.partition, GPA), 0xdeadbeef);
}

static void test_a_repeated_denied_write_is_intercepted_again(void **state)
{
	struct world world = create(*state);

	restrict_page(&world, 1, PAGE, 0);
	for (int i = 0; i < 3; i++) {
		if (i == 0)
			guest_write(world.vp, GPA, 4, 1);
		else
			listener_return(world.vp);
		assert_int_equal(listener_take(world.vp, 1).message_type, 0x80000001);
	}
}

/* shows: rule intercept-memory */
static void test_a_memory_message_has_all_its_240_bytes(void **state)
{
	struct world world = create(*state);
	const struct vcpu_state *cpu;
	struct hv_message message;

	restrict_page(&world, 1, PAGE, RX);
	for (unsigned int i = 0; i < GPR_COUNT; i++)
		guest_set_gpr(world.vp, 0, i, 0x1111111111111111ul * i);
	assert_int_equal(guest_write(world.vp, GPA + 0x888, 8, 1), GUEST_STOPPED);
	message = listener_take(world.vp, 1);
	cpu = vcpu_get(world.vp, 0, VCPU_GPR | VCPU_SYSTEM);
	check_header(&world, &message, 3, 1);
	assert_int_equal(payload_u32(&message, 40), 6); /* write-back */
	assert_int_equal(payload_u8(&message, 44), 3);	/* instruction bytes */
	assert_int_equal(payload_u8(&message, 45), 3);	/* GVA valid, GPA is its translation */
	assert_int_equal(payload_u8(&message, 46), 0);	/* TPR */
	assert_int_equal(payload_u8(&message, 47), 0);
	assert_int_equal(payload_u64(&message, 48), GPA + 0x888);
	assert_int_equal(payload_u64(&message, 56), GPA + 0x888);
	assert_int_equal(payload_u64(&message, 64), 0x038948);
	assert_int_equal(payload_u64(&message, 72), 0);
	assert_memory_equal((uint8_t *)message.payload + 80, &cpu->segment[SEGMENT_DS], 16);
	assert_memory_equal((uint8_t *)message.payload + 96, &cpu->segment[SEGMENT_SS], 16);
	/* RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15 */
	for (unsigned int i = 0; i < GPR_COUNT; i++)
		assert_int_equal(payload_u64(&message, 112 + 8 * i), 0x1111111111111111ul * i);
}

static void test_reads_and_fetches_have_their_access_type(void **state)
{
	struct world world = create(*state);
	struct hv_message message;

	restrict_page(&world, 1, PAGE, 0);
	assert_int_equal(guest_read(world.vp, GPA, 1, NULL), GUEST_STOPPED);
	message = listener_take(world.vp, 1);
	check_header(&world, &message, 3, 0);
	restrict_page(&world, 1, PAGE, GPA_READ | GPA_WRITE);
	listener_return(world.vp);

	world.rip = vcpu_get(world.vp, 0, VCPU_GPR)->rip;
	assert_int_equal(guest_execute(world.vp, GPA + 4, false), GUEST_STOPPED);
	message = listener_take(world.vp, 1);
	assert_int_equal(payload_u8(&message, 5), 2);
	assert_int_equal(payload_u64(&message, 56), GPA + 4);
	/* The message of a denied fetch has no instruction bytes. */
	assert_int_equal(payload_u8(&message, 44), 0);
	assert_int_equal(payload_u8(&message, 4), 0);
}

/* shows: rule violation-page-walk */
static void test_a_denied_page_table_is_intercepted_too(void **state)
{
	struct world world = create(*state);
	struct hv_message message;

	restrict_page(&world, 1, GUEST_TABLES_GPA >> 12, 0);
	assert_int_equal(guest_read(world.vp, GPA, 1, NULL), GUEST_STOPPED);
	message = listener_take(world.vp, 1);
	assert_int_equal(payload_u64(&message, 56) & ~0xffful, GUEST_TABLES_GPA);
	assert_int_equal(payload_u8(&message, 44), 0);
	assert_int_equal(payload_u8(&message, 45), 0);
}

/* shows: rule violation-lowest */
static void test_the_lowest_vtl_that_denies_an_access_receives_the_intercept(void **state)
{
	struct world world = create(new_vp(NULL));

	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	listener_create(world.partition, 2);
	assert_int_equal(guest_vtl_return(world.vp, true), GUEST_DONE);
	restrict_page(&world, 1, PAGE, RX);
	restrict_page(&world, 2, PAGE, RX);
	assert_int_equal(guest_write(world.vp, GPA, 1, 1), GUEST_STOPPED);
	assert_int_equal(listener_take(world.vp, 1).message_type, 0x80000001);
	assert_false(listener_has_message(world.vp, 2));
	restrict_page(&world, 1, PAGE, GPA_ALL);
	listener_return(world.vp);
	assert_int_equal(listener_take(world.vp, 2).message_type, 0x80000001);
	assert_false(listener_has_message(world.vp, 1));
	vsm_partition_destroy(world.partition);
}

/* shows: rule protect-own */
static void test_p16_vtl1_itself_is_not_restricted_by_its_own_mask(void **state)
{
	struct world world = create(*state);

	restrict_page(&world, 1, PAGE, 0);
	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	assert_int_equal(guest_write(world.vp, GPA, 1, 0x42), GUEST_DONE);
	assert_int_equal(guest_ram(world.partition, GPA)[0], 0x42);
}

struct msr_bit {
	uint8_t bit;
	bool write;
	uint32_t msr;
};

/* The table of the TLFS. */
static const struct msr_bit msr_bits[] = {
	{3, false, 0x1a0},	{4, true, 0x1a0},	 {5, false, 0xc0000082},
	{6, true, 0xc0000082},	{7, false, 0xc0000081},	 {8, true, 0xc0000081},
	{9, false, 0xc0000083}, {10, true, 0xc0000083},	 {11, false, 0x1b},
	{12, true, 0x1b},	{13, false, 0xc0000080}, {14, true, 0xc0000080},
	{19, true, 0x174},	{20, true, 0x176},	 {21, true, 0x175},
	{22, true, 0xc0000084}, {23, true, 0xc0000103},	 {24, true, 0x8c},
	{24, true, 0x8f},	{25, true, 0xda0},	 {26, true, 0x6a2},
	{27, true, 0x6a4},	{27, true, 0x6a6},	 {28, true, 0x6a8},
};

static enum guest_outcome access_msr(struct world *world, uint32_t msr, bool write)
{
	return write ? guest_wrmsr(world->vp, msr, 0x1) : guest_rdmsr(world->vp, msr, NULL);
}

/* shows: rule intercept-msr; control of msr_bits */
static void test_each_msr_bit_intercepts_its_msr_and_direction(void **state)
{
	for (size_t i = 0; i < sizeof(msr_bits) / sizeof(msr_bits[0]); i++) {
		const struct msr_bit *one = &msr_bits[i];
		struct world world = create(new_vp(NULL));
		struct hv_message message;

		set_register(&world, 1, 0x000e0003, UINT64_MAX); /* IA32_MISC_ENABLE mask */
		assert_int_equal(set_register(&world, 1, 0x000e0000, UINT64_C(1) << one->bit), 0);
		put_code(&world, one->write ? "\x0f\x30" : "\x0f\x32", 2);
		guest_set_gpr(world.vp, 0, GPR_RAX, 0x55);
		guest_set_gpr(world.vp, 0, GPR_RDX, 0x66);
		if (access_msr(&world, one->msr, !one->write) == GUEST_STOPPED)
			fail_msg("bit %u: the other direction is intercepted", one->bit);
		put_code(&world, one->write ? "\x0f\x30" : "\x0f\x32", 2);
		guest_set_gpr(world.vp, 0, GPR_RAX, 0x55);
		guest_set_gpr(world.vp, 0, GPR_RDX, 0x66);
		if (access_msr(&world, one->msr, one->write) != GUEST_STOPPED)
			fail_msg("bit %u, MSR %#x: not intercepted", one->bit, one->msr);
		message = listener_take(world.vp, 1);
		assert_int_equal(message.message_type, 0x80010001);
		assert_int_equal(message.payload_size, 64);
		assert_int_equal(payload_u8(&message, 5), one->write);
		assert_int_equal(payload_u32(&message, 40), one->msr);
		assert_int_equal(payload_u32(&message, 44), 0);
		assert_int_equal(payload_u64(&message, 48),
				 vcpu_get(world.vp, 0, VCPU_GPR)->gpr[GPR_RDX]);
		assert_int_equal(payload_u64(&message, 56),
				 vcpu_get(world.vp, 0, VCPU_GPR)->gpr[GPR_RAX]);
		vsm_partition_destroy(world.partition);
	}
}

/* shows: rule intercept-msr, intercept-handling */
static void test_p15_an_intercepted_wrmsr_takes_no_effect(void **state)
{
	struct world world = create(*state);
	struct hv_message message;
	uint64_t before;

	put_code(&world, "\x0f\x30", 2);
	before = vcpu_get(world.vp, 0, VCPU_MSR)->msr[VCPU_MSR_LSTAR];
	assert_int_equal(set_register(&world, 1, 0x000e0000, 1 << 6), 0);
	assert_int_equal(guest_wrmsr(world.vp, 0xc0000082, 0xffff800012345678), GUEST_STOPPED);
	message = listener_take(world.vp, 1);
	check_header(&world, &message, 3, 1); /* the length is the backend's */
	assert_int_equal(vcpu_get(world.vp, 0, VCPU_MSR)->msr[VCPU_MSR_LSTAR], before);
	/* VTL1 removes its intercept: the instruction runs again. */
	assert_int_equal(set_register(&world, 1, 0x000e0000, 0), 0);
	listener_return(world.vp);
	assert_int_equal(vcpu_get(world.vp, 0, VCPU_MSR)->msr[VCPU_MSR_LSTAR], 0xffff800012345678);
}

/* shows: rule intercept-masks; register HvX64RegisterCrInterceptIa32MiscEnableMask */
static void test_misc_enable_writes_are_intercepted_only_if_a_bit_of_the_mask_changes(void **state)
{
	struct world world = create(*state);
	const uint64_t value = world.vp->vtl[0].misc_enable;
	const union hv_register_value changed = {.reg128 = {.low = value ^ 1u << 18}};

	assert_int_equal(set_register(&world, 1, 0x000e0000, 1 << 4), 0);
	assert_int_not_equal(guest_wrmsr(world.vp, 0x1a0, value), GUEST_STOPPED);
	assert_int_equal(set_register(&world, 1, 0x000e0003, 1u << 18), 0);
	assert_int_not_equal(guest_wrmsr(world.vp, 0x1a0, value), GUEST_STOPPED);
	/* The mask applies to the value that the register has set, too. */
	assert_int_equal(regs_set(world.vp, 0, HV_X64_REGISTER_MSR_IA32_MISC_ENABLE,
				  &(struct regs_caller){.host = true}, &changed),
			 0);
	assert_int_not_equal(guest_wrmsr(world.vp, 0x1a0, changed.reg64), GUEST_STOPPED);
	assert_int_equal(guest_wrmsr(world.vp, 0x1a0, value), GUEST_STOPPED);
	assert_int_equal(world.vp->vtl[0].misc_enable, changed.reg64);
}

static void test_vtl1s_own_msrs_are_not_intercepted(void **state)
{
	struct world world = create(*state);

	assert_int_equal(set_register(&world, 1, 0x000e0000, 1 << 6), 0);
	assert_int_equal(guest_vtl_call(world.vp), GUEST_DONE);
	assert_int_equal(guest_wrmsr(world.vp, 0xc0000082, 0x1234), GUEST_DONE);
	assert_int_equal(vcpu_get(world.vp, 1, VCPU_MSR)->msr[VCPU_MSR_LSTAR], 0x1234);
}

struct register_case {
	uint8_t bit;
	uint32_t name;
	struct sim_action action;
	uint64_t reported;
};

static const struct register_case register_cases[] = {
	{0, 0x00040000, {.kind = SIM_WRITE_CR0, .value = 0x80050033}, 0x80050033},
	{1, 0x00040003, {.kind = SIM_WRITE_CR4, .value = 0x100020}, 0x100020},
	{2, 0x00040005, {.kind = SIM_WRITE_XCR0, .value = 7}, 7},
	{15, 0x00070001, {.kind = SIM_LOAD_TABLE, .address = 15, .value = 0x4000}, 0},
	{16, 0x00070000, {.kind = SIM_LOAD_TABLE, .address = 16, .value = 0x4000}, 0},
	{17, 0x00060006, {.kind = SIM_LOAD_TABLE, .address = 17, .value = 0x28}, 0},
	{18, 0x00060007, {.kind = SIM_LOAD_TABLE, .address = 18, .value = 0x28}, 0},
};

/* shows: rule intercept-register; control of register_cases */
static void test_p15_intercepted_register_writes_are_reported_and_take_no_effect(void **state)
{
	for (size_t i = 0; i < sizeof(register_cases) / sizeof(register_cases[0]); i++) {
		const struct register_case *one = &register_cases[i];
		struct world world = create(new_vp(NULL));
		struct vcpu_state before = *vcpu_get(world.vp, 0, VCPU_ALL);
		const struct vcpu_state *after;
		struct hv_message message;

		set_register(&world, 1, 0x000e0001, UINT64_MAX);
		set_register(&world, 1, 0x000e0002, UINT64_MAX);
		assert_int_equal(set_register(&world, 1, 0x000e0000, UINT64_C(1) << one->bit), 0);
		if (guest_do(world.vp, one->action, NULL) != GUEST_STOPPED)
			fail_msg("bit %u: not intercepted", one->bit);
		message = listener_take(world.vp, 1);
		assert_int_equal(message.message_type, 0x80010006);
		assert_int_equal(message.payload_size, 64);
		check_header(&world, &message, 3, 1);
		assert_int_equal(payload_u32(&message, 40), 0); /* no memory operand */
		assert_int_equal(payload_u32(&message, 44), one->name);
		assert_int_equal(payload_u64(&message, 48), one->reported);
		assert_int_equal(payload_u64(&message, 56), 0);
		after = vcpu_get(world.vp, 0, VCPU_ALL);
		assert_int_equal(after->cr0, before.cr0);
		assert_int_equal(after->cr4, before.cr4);
		assert_int_equal(after->xcr0, before.xcr0);
		assert_int_equal(after->gdtr.base, before.gdtr.base);
		assert_int_equal(after->idtr.base, before.idtr.base);
		assert_int_equal(after->segment[SEGMENT_LDTR].selector,
				 before.segment[SEGMENT_LDTR].selector);
		assert_int_equal(after->segment[SEGMENT_TR].selector,
				 before.segment[SEGMENT_TR].selector);
		vsm_partition_destroy(world.partition);
	}
}

/* shows: rule intercept-masks; register HvX64RegisterCrInterceptControl, HvX64RegisterCrInterceptCr0Mask,
 * HvX64RegisterCrInterceptCr4Mask
 */
static void test_cr0_and_cr4_writes_are_intercepted_only_if_a_bit_of_the_mask_changes(void **state)
{
	struct world world = create(new_vp(NULL));
	uint64_t cr0 = vcpu_get(world.vp, 0, VCPU_SYSTEM)->cr0;
	uint64_t cr4 = vcpu_get(world.vp, 0, VCPU_SYSTEM)->cr4;
	const struct sim_action am = {.kind = SIM_WRITE_CR0, .value = cr0 ^ X64_CR0_AM};
	const struct sim_action mp = {.kind = SIM_WRITE_CR0, .value = cr0 ^ X64_CR0_MP};
	const struct sim_action smep = {.kind = SIM_WRITE_CR4, .value = cr4 ^ X64_CR4_SMEP};
	const struct sim_action tsd = {.kind = SIM_WRITE_CR4, .value = cr4 ^ CR4_TSD};

	assert_int_equal(set_register(&world, 1, 0x000e0000, 3), 0);
	assert_int_equal(guest_do(world.vp, smep, NULL), GUEST_DONE);
	assert_int_equal(set_register(&world, 1, 0x000e0001, X64_CR0_AM), 0);
	assert_int_equal(guest_do(world.vp, mp, NULL), GUEST_DONE);
	assert_int_equal(guest_do(world.vp, am, NULL), GUEST_STOPPED);
	assert_int_equal(vcpu_get(world.vp, 0, VCPU_SYSTEM)->cr0, cr0 ^ X64_CR0_MP);
	vsm_partition_destroy(world.partition);

	world = create(new_vp(NULL));
	assert_int_equal(set_register(&world, 1, 0x000e0000, 3), 0);
	assert_int_equal(set_register(&world, 1, 0x000e0002, X64_CR4_SMEP), 0);
	assert_int_equal(guest_do(world.vp, tsd, NULL), GUEST_DONE);
	assert_int_equal(guest_do(world.vp, smep, NULL), GUEST_STOPPED);
	assert_int_equal(vcpu_get(world.vp, 0, VCPU_SYSTEM)->cr4, cr4 ^ CR4_TSD);
	vsm_partition_destroy(world.partition);
}

/* refuses: rule intercept-cannot */
static void test_p20_control_bits_that_cannot_be_enforced_are_refused(void **state)
{
	static const uint64_t refused[] = {1, 1 << 16, UINT64_C(1) << 29, UINT64_C(1) << 63};
	struct sim_options options = {.no_cr = true};
	struct world world = create(new_vp(&options));

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(set_register(&world, 1, 0x000e0000, refused[i]),
				 HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(set_register(&world, 1, 0x000e0000, 1 << 6), HV_STATUS_SUCCESS);
	vsm_partition_destroy(world.partition);
}

static void test_p25_reset_removes_msr_and_cr0_intercepts(void **state)
{
	struct world world = create(*state);

	assert_int_equal(set_register(&world, 1, 0x000e0001, UINT64_MAX), 0);
	assert_int_equal(set_register(&world, 1, 0x000e0000, 1 << 6 | 1 << 0), 0);
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	guest_set_long_mode(world.vp, 0);
	assert_int_equal(guest_wrmsr(world.vp, 0xc0000082, 0x1234), GUEST_DONE);
	assert_int_equal(
		guest_do(world.vp, (struct sim_action){.kind = SIM_WRITE_CR0, .value = 0x11}, NULL),
		GUEST_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_denied_write_has_no_effect_and_enters_vtl1, 1, 2),
		TEST(test_the_write_completes_after_vtl1_permits_it, 1, 2),
		TEST(test_a_repeated_denied_write_is_intercepted_again, 1, 2),
		TEST_NEEDS_VP(NEED_FREE_REGISTERS, test_a_memory_message_has_all_its_240_bytes, 1,
			      2),
		TEST_NEEDS_VP(NEED_DENY_EXECUTE, test_reads_and_fetches_have_their_access_type, 1,
			      2),
		TEST(test_a_denied_page_table_is_intercepted_too, 1, 2),
		cmocka_unit_test(test_the_lowest_vtl_that_denies_an_access_receives_the_intercept),
		TEST(test_p16_vtl1_itself_is_not_restricted_by_its_own_mask, 1, 2),
		cmocka_unit_test(test_each_msr_bit_intercepts_its_msr_and_direction),
		TEST(test_p15_an_intercepted_wrmsr_takes_no_effect, 1, 2),
		TEST(test_misc_enable_writes_are_intercepted_only_if_a_bit_of_the_mask_changes, 1,
		     2),
		TEST(test_vtl1s_own_msrs_are_not_intercepted, 1, 2),
		unit_test_needs(
			NEED_TABLE_LOAD,
			test_p15_intercepted_register_writes_are_reported_and_take_no_effect),
		unit_test_needs(
			NEED_CONTROL_BITS,
			test_cr0_and_cr4_writes_are_intercepted_only_if_a_bit_of_the_mask_changes),
		cmocka_unit_test(test_p20_control_bits_that_cannot_be_enforced_are_refused),
		TEST_NEEDS_VP(NEED_CONTROL_BITS, test_p25_reset_removes_msr_and_cr0_intercepts, 1,
			      2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
