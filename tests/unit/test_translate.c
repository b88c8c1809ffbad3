/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallTranslateVirtualAddress and ...Ex by VTL1 about VTL0 (TLFS "Virtual MMU"). The guest's
 * tables map GVA = GPA with 1 GiB pages. */
#include "hypercall_test.h"

#include <errno.h>

#include <vsm/walk.h>

#include "core/memory/protect.h"
#include "needs.h"

#include "fixture.h"

#define READ	HV_TRANSLATE_GVA_VALIDATE_READ
#define WRITE	HV_TRANSLATE_GVA_VALIDATE_WRITE
#define EXECUTE HV_TRANSLATE_GVA_VALIDATE_EXECUTE
#define VTL0	((uint64_t)USE_VTL(0) << HV_TRANSLATE_GVA_INPUT_VTL_SHIFT)

#define GVA 0x123456789

static int setup(void **state)
{
	return fixture_in_vtl1(2, 2);
}

static struct hv_translate_virtual_address_output translate(uint64_t flags, uint64_t gva,
							    uint64_t *result)
{
	const struct hv_translate_virtual_address_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.control_flags = flags,
		.gva_page = gva >> 12,
	};
	struct hv_translate_virtual_address_output output;

	memset(&output, 0xee, sizeof(output));
	*result = guest_call(vp, HV_CALL_TRANSLATE_VIRTUAL_ADDRESS, &input, sizeof(input), &output,
			     sizeof(output));
	return output;
}

static uint32_t code_of(uint64_t flags, uint64_t gva, uint64_t *gpa_page)
{
	struct hv_translate_virtual_address_output output;
	uint64_t result;

	output = translate(flags | VTL0, gva, &result);
	assert_int_equal(result, HV_STATUS_SUCCESS);
	if (gpa_page)
		*gpa_page = output.gpa_page;
	return (uint32_t)output.result;
}

static uint16_t status_with(uint64_t flags)
{
	uint64_t result;

	translate(flags, GVA, &result);
	return status_of(result);
}

/* The PDPT; its first entry maps the first GiB. */
static uint64_t *pdpt(void)
{
	return (uint64_t *)(void *)guest_ram(partition, GUEST_TABLES_GPA + 0x1000);
}

/* shows: hypercall HvCallTranslateVirtualAddress */
static void a_mapped_page_is_found_with_its_cache_type(void **state)
{
	struct hv_translate_virtual_address_output output;
	uint64_t result;

	output = translate(READ | WRITE | EXECUTE | VTL0, GVA & 0xffffff, &result);
	assert_int_equal(result, HV_STATUS_SUCCESS);
	assert_int_equal(output.gpa_page, (GVA & 0xffffff) >> 12);
	assert_int_equal(output.result, UINT64_C(6) << 32); /* success, write-back */
}

static void without_paging_the_gpa_is_the_gva(void **state)
{
	uint64_t page;

	vcpu_edit(vp, 0, VCPU_SYSTEM)->cr0 = X64_CR0_PE;
	vcpu_edit(vp, 0, VCPU_SYSTEM)->efer = 0;
	assert_int_equal(code_of(READ, 0x5000, &page), HV_TRANSLATE_GVA_SUCCESS);
	assert_int_equal(page, 5);
}

static void faults_of_the_page_walk_have_their_result_codes(void **state)
{
	pdpt()[1] = 0;
	assert_int_equal(code_of(READ, 1u << 30, NULL), HV_TRANSLATE_GVA_PAGE_NOT_PRESENT);
	pdpt()[1] = UINT64_C(1) << 51 | 0xe7; /* an address bit that the CPU lacks */
	assert_int_equal(code_of(READ, 1u << 30, NULL), HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS);
	pdpt()[0] = 0xe5; /* read-only, and CR0.WP is set */
	assert_int_equal(code_of(WRITE, 0x5000, NULL), HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION);
	assert_int_equal(code_of(READ, 0x5000, NULL), HV_TRANSLATE_GVA_SUCCESS);
	pdpt()[0] = 0xe3; /* supervisor */
	assert_int_equal(code_of(READ | HV_TRANSLATE_GVA_USER_ACCESS, 0x5000, NULL),
			 HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION);
	assert_int_equal(
		code_of(READ | HV_TRANSLATE_GVA_USER_ACCESS | HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT,
			0x5000, NULL),
		HV_TRANSLATE_GVA_SUCCESS);
	pdpt()[0] = UINT64_C(1) << 63 | 0xe7; /* no execution */
	assert_int_equal(code_of(EXECUTE, 0x5000, NULL), HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION);
	assert_int_equal(code_of(READ, UINT64_C(1) << 55, NULL),
			 HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS);
}

static void accessed_and_dirty_bits_are_set_only_if_requested(void **state)
{
	pdpt()[0] = 0x87;
	assert_int_equal(code_of(WRITE, 0x5000, NULL), HV_TRANSLATE_GVA_SUCCESS);
	assert_int_equal(pdpt()[0], 0x87);
	assert_int_equal(code_of(READ | HV_TRANSLATE_GVA_SET_PAGE_TABLE_BITS, 0x5000, NULL),
			 HV_TRANSLATE_GVA_SUCCESS);
	assert_int_equal(pdpt()[0], 0xa7);
	assert_int_equal(code_of(WRITE | HV_TRANSLATE_GVA_SET_PAGE_TABLE_BITS, 0x5000, NULL),
			 HV_TRANSLATE_GVA_SUCCESS);
	assert_int_equal(pdpt()[0], 0xe7);
}

static void absent_memory_is_reported_as_unmapped(void **state)
{
	uint64_t page;

	assert_int_equal(code_of(READ, TEST_RAM + 0x5000, &page), HV_TRANSLATE_GVA_GPA_UNMAPPED);
	assert_int_equal(page, (TEST_RAM + 0x5000) >> 12);
	pdpt()[2] = TEST_RAM + 0x7007;
	assert_int_equal(code_of(READ, UINT64_C(2) << 30, &page), HV_TRANSLATE_GVA_GPA_UNMAPPED);
	assert_int_equal(page, (TEST_RAM + 0x7000) >> 12);
}

static void the_walk_has_the_rights_of_the_lower_vtl(void **state)
{
	const uint64_t gpn = 0x50;
	const uint64_t table = (GUEST_TABLES_GPA + 0x1000) >> 12;
	uint64_t page;
	size_t done;

	/* Denials by the caller's own mask are results, not intercepts. */
	protect_set(partition, 1, -1, &gpn, 1, GPA_READ, &done);
	assert_int_equal(code_of(READ, gpn << 12, NULL), HV_TRANSLATE_GVA_SUCCESS);
	assert_int_equal(code_of(READ | WRITE, gpn << 12, &page),
			 HV_TRANSLATE_GVA_GPA_NO_WRITE_ACCESS);
	assert_int_equal(page, gpn);
	protect_set(partition, 1, -1, &gpn, 1, 0, &done);
	assert_int_equal(code_of(READ, gpn << 12, NULL), HV_TRANSLATE_GVA_GPA_NO_READ_ACCESS);
	protect_set(partition, 1, -1, &table, 1, 0, &done);
	assert_int_equal(code_of(READ, 0x5000, &page), HV_TRANSLATE_GVA_GPA_NO_READ_ACCESS);
	assert_int_equal(page, table);
}

/* shows: hypercall HvCallTranslateVirtualAddressEx */
static void an_access_that_a_higher_vtl_denies_is_reported_as_its_intercept(void **state)
{
	const struct hv_translate_virtual_address_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.control_flags = WRITE | VTL0,
		.gva_page = 0x50,
	};
	struct hv_translate_virtual_address_ex_output output;
	const uint64_t gpn = 0x50;
	size_t done;

	assert_int_equal(protect_set(partition, 2, 0, &gpn, 1, GPA_READ, &done), 0);
	assert_int_equal(code_of(WRITE, gpn << 12, NULL), HV_TRANSLATE_GVA_INTERCEPT);
	assert_int_equal(guest_call(vp, HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX, &input, sizeof(input),
				    &output, sizeof(output)),
			 HV_STATUS_SUCCESS);
	assert_int_equal(output.result, HV_TRANSLATE_GVA_INTERCEPT);
	assert_int_equal(output.gpa_page, gpn);
	assert_int_equal(output.event_info.event, 3); /* pending, memory intercept */
	assert_int_equal(output.event_info.target_vtl, 2);
	assert_int_equal(output.event_info.access_type, 1);
	assert_int_equal(output.event_info.flags, 3);
	assert_int_equal(output.event_info.guest_linear_address, gpn << 12);
	assert_int_equal(output.event_info.guest_physical_address, gpn << 12);
}

static void a_flush_inhibit_takes_the_tlb_lock_even_when_the_translation_fails(void **state)
{
	pdpt()[1] = 0;
	assert_int_equal(code_of(READ | HV_TRANSLATE_GVA_TLB_FLUSH_INHIBIT, 1u << 30, NULL),
			 HV_TRANSLATE_GVA_PAGE_NOT_PRESENT);
	assert_int_equal(atomic_load(&vp->tlb_locked[0]), vtl_bit(1));
}

/* shows: feature TranslateGvaFlags */
static void the_input_is_checked(void **state)
{
	const struct hv_translate_virtual_address_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = 2,
		.control_flags = READ | VTL0,
	};

	/* The caller's own VTL, and a higher one. */
	assert_int_equal(status_with(READ), HV_STATUS_ACCESS_DENIED);
	assert_int_equal(status_with(READ | (uint64_t)USE_VTL(2) << 56), HV_STATUS_ACCESS_DENIED);
	/* No access at all, reserved bits, shadow stacks. */
	assert_int_equal(status_with(VTL0), HV_STATUS_INVALID_PARAMETER);
	for (unsigned int bit = 10; bit < 56; bit++)
		assert_int_equal(status_with(READ | VTL0 | UINT64_C(1) << bit),
				 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(status_with(READ | VTL0 | UINT64_C(1) << 61), HV_STATUS_INVALID_PARAMETER);
	for (unsigned int bit = 6; bit < 10; bit++)
		assert_int_equal(status_with(READ | VTL0 | UINT64_C(1) << bit), HV_STATUS_SUCCESS);
	/* Bits 6 to 9 need CPUID 0x40000003.EDX[30]; bit 10 is always refused. */
	partition->features_edx &= ~HV_FEATURE(TRANSLATE_GVA_FLAGS);
	for (unsigned int bit = 6; bit <= 10; bit++)
		assert_int_equal(status_with(READ | VTL0 | UINT64_C(1) << bit),
				 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(status_with(READ | VTL0), HV_STATUS_SUCCESS);
	assert_int_equal(
		guest_call(vp, HV_CALL_TRANSLATE_VIRTUAL_ADDRESS, &input, sizeof(input), NULL, 0),
		HV_STATUS_INVALID_VP_INDEX);
}

static int fail_to_load(void *backend, uint8_t vtl, uint32_t groups)
{
	return -EIO;
}

/* The register file of VP 1 has to be loaded, and the next load fails. */
static void lose_registers(void)
{
	vsm_partition_vp(partition, 1)->unread = false;
	vsm_partition_vp(partition, 1)->cpu[0]->valid = 0;
}

/* VP 0 needs no load itself: a request about VP 1 is the only one that fails. */
static uint16_t call_about_vp_1(uint64_t control, const void *input, size_t size)
{
	uint64_t output[2];

	lose_registers();
	return (uint16_t)guest_call(vp, control, input, size, output, sizeof(output));
}

static void no_call_about_a_vp_succeeds_if_the_host_cannot_load_its_registers(void **state)
{
	const struct hv_vp_registers_input header = {
		.partition_id = HV_PARTITION_ID_SELF, .vp_index = 1, .input_vtl = 0x10};
	const struct {
		struct hv_vp_registers_input header;
		uint64_t name[2];
	} get = {header, {HV_X64_REGISTER_RIP}};
	const struct {
		struct hv_vp_registers_input header;
		struct hv_register_assoc rip;
	} set = {header, {.name = HV_X64_REGISTER_RIP}};
	const struct hv_translate_virtual_address_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = 1,
		.control_flags = READ | VTL0,
		.gva_page = GVA >> 12,
	};
	const uint64_t once = UINT64_C(1) << 32;
	struct backend_ops ops = sim_ops;
	struct vsm_walk_result result;

	ops.vp_load = fail_to_load;
	partition->ops = &ops;
	assert_int_equal(call_about_vp_1(HV_CALL_GET_VP_REGISTERS | once, &get, sizeof(get)),
			 HV_STATUS_OPERATION_FAILED);
	assert_int_equal(call_about_vp_1(HV_CALL_SET_VP_REGISTERS | once, &set, sizeof(set)),
			 HV_STATUS_OPERATION_FAILED);
	assert_int_equal(call_about_vp_1(HV_CALL_TRANSLATE_VIRTUAL_ADDRESS, &input, sizeof(input)),
			 HV_STATUS_OPERATION_FAILED);
	lose_registers();
	assert_int_equal(vsm_vp_translate(vsm_partition_vp(partition, 1), 0, GVA, &result), -EIO);
	partition->ops = &sim_ops;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mapped_page_is_found_with_its_cache_type),
		TEST(without_paging_the_gpa_is_the_gva),
		TEST_NEEDS(NEED_NO_TABLES, faults_of_the_page_walk_have_their_result_codes),
		TEST_NEEDS(NEED_CLEAR_AD_BITS, accessed_and_dirty_bits_are_set_only_if_requested),
		TEST(absent_memory_is_reported_as_unmapped),
		TEST_NEEDS(NEED_DENY_EXECUTE, the_walk_has_the_rights_of_the_lower_vtl),
		TEST_NEEDS(NEED_DENY_EXECUTE,
			   an_access_that_a_higher_vtl_denies_is_reported_as_its_intercept),
		TEST(a_flush_inhibit_takes_the_tlb_lock_even_when_the_translation_fails),
		TEST(the_input_is_checked),
		TEST(no_call_about_a_vp_succeeds_if_the_host_cannot_load_its_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
