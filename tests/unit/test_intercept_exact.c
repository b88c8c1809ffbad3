/* SPDX-License-Identifier: BSD-2-Clause */
/* A backend that reports only the page of a denied access: the core finds the byte by decoding the
 * instruction. Also the MSRs and registers that the core lets the backend intercept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "core/intercept/intercept.h"
#include "core/intercept/installed.h"
#include "core/memory/protect.h"
#include "core/interrupt/synic.h"
#include "core/vp/vp.h"
#include "core/x64.h"
#include "bare.h"
#include "sim/sim_internal.h"

#define TABLES 100u
#define CODE   20u /* page at GVA 0x1000 */
#define DATA   31u /* page at GVA 0x2000 */
#define NEXT   17u /* page at GVA 0x3000 */

/* Replace functions of the core, to record the posted message and whether the instruction was
 * undone. */
static struct hv_message posted;
static uint8_t posted_vtl;
static unsigned int posts;
static unsigned int taken_back;

int __wrap_synic_post(struct vsm_vp *vp, uint8_t vtl, uint8_t sint,
		      const struct hv_message *message, bool queue);
void __wrap_vp_undo_exit(struct vsm_vp *vp);

int __wrap_synic_post(struct vsm_vp *vp, uint8_t vtl, uint8_t sint,
		      const struct hv_message *message, bool queue)
{
	assert_int_equal(sint, 0);
	assert_false(queue);
	posted = *message;
	posted_vtl = vtl;
	posts++;
	return 0;
}

void __wrap_vp_undo_exit(struct vsm_vp *vp)
{
	taken_back++;
}

static struct bare *create(const char *code, size_t count)
{
	struct bare *bare = bare_create(3);
	uint8_t *ram = bare_ram(bare, 0, 256);

	bare_paging(bare, 0, 0, TABLES);
	bare_map(bare, TABLES, 1, CODE, BARE_WRITE);
	bare_map(bare, TABLES, 2, DATA, BARE_WRITE);
	bare_map(bare, TABLES, 3, NEXT, BARE_WRITE);
	memcpy(ram + CODE * 4096ul, code, count);
	bare->partition->vp[0]->cpu[0]->rip = 0x1000;
	bare->partition->vp[0]->cpu[0]->gpr[GPR_RBX] = 0x2468;
	memset(&posted, 0, sizeof(posted));
	posts = 0;
	taken_back = 0;
	return bare;
}

static const struct hv_x64_memory_intercept_message *payload(void)
{
	assert_int_equal(posts, 1);
	return (const void *)posted.payload;
}

static void report(struct bare *bare, uint64_t gpn, uint8_t access)
{
	struct gpa_fault fault = {.gpa = gpn << 12, .access = access, .vtl = 1};
	struct backend_run *run = &bare->partition->vp[0]->run;

	run->exit = BACKEND_EXIT_MEMORY;
	run->memory.gpa = gpn << 12;
	run->memory.access = access;
	intercept_memory(bare->partition->vp[0], &fault, run->memory.gva_valid, run->memory.gva,
			 false);
}

static void check_found(uint64_t gpa, uint64_t gva)
{
	assert_int_equal(payload()->guest_physical_address, gpa);
	assert_int_equal(payload()->guest_virtual_address, gva);
	assert_int_equal(payload()->memory_access_info, 3);
}

static void check_page_only(uint64_t gpn)
{
	assert_int_equal(payload()->guest_physical_address, gpn << 12);
	assert_int_equal(payload()->guest_virtual_address, 0);
	assert_int_equal(payload()->memory_access_info, 0);
}

static void test_the_operand_determines_the_byte(void **state)
{
	struct bare *bare = create("\x48\x89\x03", 3); /* mov [rbx], rax */

	vsm_lapic_set_cr8(&bare->partition->vp[0]->vtl[0].lapic, 9);
	report(bare, DATA, GPA_WRITE);
	check_found((DATA << 12) + 0x468, 0x2468);
	/* TLFS HV_X64_INTERCEPT_MESSAGE_HEADER: the length in the low half, CR8 in the high one. */
	assert_int_equal(payload()->header.instruction_length_cr8, 9 << 4 | 3);
	assert_int_equal(payload()->tpr_priority, 9);
	assert_int_equal(payload()->instruction_byte_count, 3);
	bare_destroy(bare);
}

static void
test_an_operand_that_crosses_into_the_page_is_reported_at_the_start_of_the_page(void **state)
{
	struct bare *bare = create("\x48\x89\x03", 3);

	bare->partition->vp[0]->cpu[0]->gpr[GPR_RBX] = 0x2ffc;
	report(bare, NEXT, GPA_WRITE);
	check_found(NEXT << 12, 0x3000);
	bare_destroy(bare);
}

static void test_an_operand_on_another_page_is_not_reported(void **state)
{
	struct bare *bare = create("\x48\x89\x03", 3);

	report(bare, 55, GPA_WRITE);
	check_page_only(55);
	bare_destroy(bare);
}

static void test_an_operand_that_only_reads_is_not_reported_for_a_write(void **state)
{
	struct bare *bare = create("\x48\x8b\x03", 3); /* mov rax, [rbx] */

	report(bare, DATA, GPA_WRITE);
	check_page_only(DATA);
	bare_destroy(bare);
}

static void test_of_two_operands_the_one_on_the_page_is_reported(void **state)
{
	struct bare *bare = create("\xa4", 1); /* movsb */

	bare->partition->vp[0]->cpu[0]->gpr[GPR_RSI] = 0x2111;
	bare->partition->vp[0]->cpu[0]->gpr[GPR_RDI] = 0x3222;
	report(bare, NEXT, GPA_WRITE);
	check_found((NEXT << 12) + 0x222, 0x3222);
	posts = 0;
	report(bare, DATA, GPA_READ);
	check_found((DATA << 12) + 0x111, 0x2111);
	bare_destroy(bare);
}

static void test_a_fetch_is_reported_at_rip_or_at_the_start_of_its_second_page(void **state)
{
	struct bare *bare = create("\x90", 1);

	bare->partition->vp[0]->cpu[0]->rip = 0x1234;
	report(bare, CODE, GPA_KERNEL_EXECUTE);
	check_found((CODE << 12) + 0x234, 0x1234);
	assert_int_equal(payload()->instruction_byte_count, 0);
	posts = 0;
	bare->partition->vp[0]->cpu[0]->rip = 0x1ffe;
	report(bare, DATA, GPA_KERNEL_EXECUTE);
	check_found(DATA << 12, 0x2000);
	bare_destroy(bare);
}

static void test_a_gva_of_the_backend_is_reported_if_it_translates_to_the_page(void **state)
{
	struct bare *bare = create("\x90", 1);

	bare->partition->vp[0]->run.memory.gva_valid = true;
	bare->partition->vp[0]->run.memory.gva = 0x2777;
	report(bare, DATA, GPA_WRITE);
	check_found((DATA << 12) + 0x777, 0x2777);
	posts = 0;
	bare->partition->vp[0]->run.memory.gva = 0x3777;
	report(bare, DATA, GPA_WRITE);
	check_page_only(DATA);
	bare_destroy(bare);
}

static void test_an_exact_address_of_the_backend_is_kept(void **state)
{
	struct bare *bare = create("\x48\x89\x03", 3);
	struct gpa_fault fault = {.gpa = (DATA << 12) + 0xabc, .access = GPA_WRITE, .vtl = 2};

	bare->partition->vp[0]->run.exit = BACKEND_EXIT_MEMORY;
	bare->partition->vp[0]->run.memory.exact = true;
	intercept_memory(bare->partition->vp[0], &fault, true, 0x2abc, false);
	check_found((DATA << 12) + 0xabc, 0x2abc);
	assert_int_equal(posted_vtl, 2);
	bare_destroy(bare);
}

/* The backend has an exact GPA: of the second fragment of a wide access, or from the CPU. */
static void test_the_gva_of_an_exact_gpa_is_found_by_the_instruction(void **state)
{
	struct bare *bare = create("\x48\x89\x03", 3);
	struct gpa_fault fault = {.gpa = (DATA << 12) + 0x46c, .access = GPA_WRITE, .vtl = 1};

	bare->partition->vp[0]->run.exit = BACKEND_EXIT_MEMORY;
	bare->partition->vp[0]->run.memory.exact = true;
	intercept_memory(bare->partition->vp[0], &fault, false, 0, false);
	check_found((DATA << 12) + 0x46c, 0x246c);
	posts = 0;
	fault.gpa = (55 << 12) + 0x46c;
	intercept_memory(bare->partition->vp[0], &fault, false, 0, false);
	assert_int_equal(payload()->guest_physical_address, (55 << 12) + 0x46c);
	assert_int_equal(payload()->memory_access_info, 0);
	bare_destroy(bare);
}

static void test_the_cpus_own_page_walk_has_no_operand(void **state)
{
	struct bare *bare = create("\x48\x89\x03", 3);

	bare->partition->vp[0]->run.memory.page_walk = true;
	report(bare, DATA, GPA_WRITE);
	check_page_only(DATA);
	bare_destroy(bare);
}

/* KVM before 7.x reports the GPA of the first operand if the access to the second one is denied. */
static void deny(struct bare *bare, uint64_t gpn, uint8_t access)
{
	assert_int_equal(bare_protect(bare, 1, 0, gpn, access), HV_STATUS_SUCCESS);
}

static struct bare *create_two_operands(const char *code, size_t count)
{
	struct bare *bare = create(code, count);

	bare->partition->vp[0]->run = (struct backend_run){.exit = BACKEND_EXIT_MEMORY};
	bare->partition->vp[0]->run.memory.gpa = DATA << 12;
	bare->partition->vp[0]->run.memory.access = GPA_READ;
	bare->partition->vp[0]->run.memory.other_operand = true;
	bare->partition->vp[0]->cpu[0]->gpr[GPR_RSI] = 0x2010;
	bare->partition->vp[0]->cpu[0]->gpr[GPR_RDI] = 0x3020;
	return bare;
}

static void test_of_two_operands_the_denied_one_is_found(void **state)
{
	struct bare *bare = create_two_operands("\x48\xa5", 2); /* movsq */

	deny(bare, NEXT, GPA_ALL & ~GPA_WRITE);
	intercept_other_operand(bare->partition->vp[0]);
	check_found((NEXT << 12) + 0x20, 0x3020);
	assert_int_equal(payload()->header.access_type, HV_INTERCEPT_ACCESS_WRITE);
	assert_int_equal(posted_vtl, 1);
	bare_destroy(bare);
}

static void test_a_denied_read_is_found_before_the_write(void **state)
{
	struct bare *bare = create_two_operands("\x48\xa5", 2);

	deny(bare, DATA, 0);
	intercept_other_operand(bare->partition->vp[0]);
	check_found((DATA << 12) + 0x10, 0x2010);
	assert_int_equal(payload()->header.access_type, HV_INTERCEPT_ACCESS_READ);
	bare_destroy(bare);
}

static void test_a_second_page_of_an_operand_is_found(void **state)
{
	struct bare *bare = create_two_operands("\x48\x89\x03", 3); /* mov [rbx], rax */

	bare->partition->vp[0]->cpu[0]->gpr[GPR_RBX] = 0x2ffc;
	deny(bare, NEXT, GPA_READ);
	intercept_other_operand(bare->partition->vp[0]);
	check_found(NEXT << 12, 0x3000);
	bare_destroy(bare);
}

static void test_a_denied_page_table_of_an_operand_is_found(void **state)
{
	struct bare *bare = create_two_operands("\x48\x89\x03", 3);
	const uint64_t directory_entry = 110u << 12 | 7, table_entry = NEXT << 12 | 7;

	/* A page table that maps only the operand, so that the fetch is not denied. */
	gpa_write(bare->partition, 0, ((TABLES + 2) << 12) + 8, &directory_entry, 8, NULL);
	gpa_write(bare->partition, 0, 110u << 12, &table_entry, 8, NULL);
	deny(bare, 110, 0);
	bare->partition->vp[0]->cpu[0]->gpr[GPR_RBX] = 0x200020;
	intercept_other_operand(bare->partition->vp[0]);
	assert_int_equal(payload()->guest_physical_address >> 12, 110);
	bare_destroy(bare);
}

static void test_without_a_denied_operand_there_is_no_intercept(void **state)
{
	struct bare *bare = create_two_operands("\x48\xa5", 2);

	intercept_other_operand(bare->partition->vp[0]);
	assert_int_equal(posts, 0);
	bare_destroy(bare);
}

static void test_the_instruction_length_of_the_backend_has_precedence(void **state)
{
	struct bare *bare = create("\x48\x89\x03\x90\x90", 5);

	bare->partition->vp[0]->run.length = 5;
	report(bare, DATA, GPA_WRITE);
	assert_int_equal(payload()->header.instruction_length_cr8, 5);
	assert_int_equal(payload()->instruction_byte_count, 5);
	bare_destroy(bare);
}

static void test_bytes_that_are_no_instruction_are_sent_with_length_unknown(void **state)
{
	struct bare *bare = create("\x06\x06\x06", 3);

	report(bare, DATA, GPA_WRITE);
	assert_int_equal(payload()->header.instruction_length_cr8, 0);
	assert_int_equal(payload()->instruction_byte_count, 15);
	assert_int_equal(payload()->instruction_bytes[15], 0);
	check_page_only(DATA);
	bare_destroy(bare);
}

static void test_the_cache_type_is_that_of_the_page(void **state)
{
	struct bare *bare = create("\x48\x89\x03", 3);

	bare_map(bare, TABLES, 2, DATA, BARE_WRITE | 0x18); /* PCD, PWT: PAT entry 3, UC */
	report(bare, DATA, GPA_WRITE);
	assert_int_equal(payload()->cache_type, 0);
	bare_destroy(bare);
}

static void test_hypercall_output_is_flagged(void **state)
{
	struct bare *bare = create("\x0f\x01\xc1", 3);
	struct gpa_fault fault = {.gpa = DATA << 12, .access = GPA_WRITE, .vtl = 1};

	bare->partition->vp[0]->run.exit = BACKEND_EXIT_HYPERCALL;
	intercept_memory(bare->partition->vp[0], &fault, false, 0, true);
	assert_int_equal(payload()->memory_access_info, 4);
	bare_destroy(bare);
}

static void test_execution_state_has_every_bit(void **state)
{
	struct bare *bare = create("\x90", 1);
	struct vcpu_state *cpu = bare->partition->vp[0]->cpu[0];

	cpu->segment[SEGMENT_SS].attributes = 0xc0f3; /* DPL 3 */
	cpu->cr0 |= X64_CR0_AM;
	cpu->dr7 = 1;
	cpu->events.interrupt_injected = true;
	cpu->events.interrupt_shadow = true;
	report(bare, DATA, GPA_READ);
	assert_int_equal(payload()->header.execution_state,
			 3 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 12);
	bare_destroy(bare);
}

static void test_the_header_names_the_vtl_that_was_intercepted(void **state)
{
	struct bare *bare = create("\x90", 1);

	vp_set_active(bare->partition->vp[0], 1);
	report(bare, DATA, GPA_READ);
	assert_int_equal(payload()->header.execution_state >> 7 & 0xf, 1);
	bare_destroy(bare);
}

static const struct sim_msr_intercept *watched_msr(const struct bare *bare, uint8_t vtl,
						   uint32_t msr)
{
	const struct sim_backend *sim = bare->partition->backend;

	for (uint32_t i = 0; i < sim->msr_count[vtl]; i++)
		if (sim->msr[vtl][i].msr == msr)
			return &sim->msr[vtl][i];
	return NULL;
}

static int control(struct bare *bare, uint32_t vp, uint8_t vtl, uint64_t value)
{
	bare->partition->vp[vp]->vtl[vtl].cr_intercept_control = value;
	return intercept_update(bare->partition->vp[vp], vtl);
}

static void test_an_msr_exits_in_lower_vtls_of_every_vp_while_any_vp_intercepts_it(void **state)
{
	struct bare *bare = create("\x90", 1);
	uint64_t both = HV_CR_INTERCEPT(MSR_LSTAR_READ) | HV_CR_INTERCEPT(MSR_LSTAR_WRITE);

	assert_int_equal(control(bare, 0, 2, HV_CR_INTERCEPT(MSR_LSTAR_WRITE)), 0);
	for (uint8_t vtl = 0; vtl < 2; vtl++) {
		assert_true(watched_msr(bare, vtl, 0xc0000082)->write);
		assert_false(watched_msr(bare, vtl, 0xc0000082)->read);
	}
	assert_null(watched_msr(bare, 2, 0xc0000082));
	assert_int_equal(control(bare, 1, 2, both), 0);
	assert_int_equal(control(bare, 0, 2, 0), 0);
	assert_true(watched_msr(bare, 0, 0xc0000082)->write);
	assert_true(watched_msr(bare, 0, 0xc0000082)->read);
	assert_int_equal(control(bare, 1, 2, 0), 0);
	assert_false(watched_msr(bare, 0, 0xc0000082)->write);
	assert_false(watched_msr(bare, 0, 0xc0000082)->read);
	bare_destroy(bare);
}

static void test_an_msr_intercept_of_one_vp_does_not_apply_to_another(void **state)
{
	struct bare *bare = create("\x90", 1);

	control(bare, 1, 1, HV_CR_INTERCEPT(MSR_LSTAR_WRITE));
	assert_false(intercept_msr(bare->partition->vp[0], 0xc0000082, true, 1, 2));
	assert_int_equal(posts, 0);
	assert_int_equal(taken_back, 0);
	assert_true(intercept_msr(bare->partition->vp[1], 0xc0000082, true, 1, 2));
	assert_int_equal(posts, 1);
	assert_int_equal(taken_back, 1);
	bare_destroy(bare);
}

static void test_a_vtl_that_this_vp_does_not_have_is_not_notified(void **state)
{
	struct bare *bare = create("\x90", 1);

	control(bare, 0, 1, HV_CR_INTERCEPT(MSR_LSTAR_WRITE));
	atomic_store(&bare->partition->vp[0]->enabled_vtls, 1);
	assert_false(intercept_msr(bare->partition->vp[0], 0xc0000082, true, 1, 2));
	bare_destroy(bare);
}

/* shows: rule intercept-nested */
static void test_the_lowest_vtl_that_intercepts_an_msr_receives_the_intercept(void **state)
{
	struct bare *bare = create("\x90", 1);

	control(bare, 0, 2, HV_CR_INTERCEPT(MSR_LSTAR_WRITE));
	assert_int_equal(intercept_install(bare->partition, 1, HV_INTERCEPT_TYPE_X64_MSR_INDEX, 2,
					   0xc0000082),
			 HV_STATUS_SUCCESS);
	assert_true(intercept_msr(bare->partition->vp[0], 0xc0000082, true, 1, 2));
	assert_int_equal(posted_vtl, 1);
	intercept_install(bare->partition, 1, HV_INTERCEPT_TYPE_X64_MSR_INDEX, 0, 0xc0000082);
	assert_true(intercept_msr(bare->partition->vp[0], 0xc0000082, true, 1, 2));
	assert_int_equal(posted_vtl, 2);
	bare_destroy(bare);
}

static void test_the_same_update_after_a_failed_one_reaches_the_backend(void **state)
{
	struct bare *bare = create("\x90", 1);

	sim_fail(bare->partition, SIM_CALL_MSR_INTERCEPT, 1, -EIO);
	assert_int_equal(control(bare, 0, 1, HV_CR_INTERCEPT(MSR_LSTAR_WRITE)), -EIO);
	assert_int_equal(control(bare, 0, 1, HV_CR_INTERCEPT(MSR_LSTAR_WRITE)), 0);
	assert_true(watched_msr(bare, 0, 0xc0000082)->write);
	assert_int_equal(control(bare, 0, 1, 0), 0);
	assert_false(watched_msr(bare, 0, 0xc0000082)->write);
	bare_destroy(bare);
}

static void test_register_writes_exit_for_the_bits_of_all_higher_vtls(void **state)
{
	struct bare *bare = create("\x90", 1);
	struct vsm_vp *vp = bare->partition->vp[0];
	const struct sim_vp *sim = vp->backend;

	vp->vtl[1].cr0_mask = 0x1;
	vp->vtl[2].cr0_mask = 0x4;
	vp->vtl[2].cr4_mask = 0x8;
	control(bare, 0, 1, HV_CR_INTERCEPT(CR0_WRITE) | HV_CR_INTERCEPT(MSR_LSTAR_WRITE));
	assert_int_equal(sim->cr_control[0], HV_CR_INTERCEPT(CR0_WRITE));
	assert_int_equal(sim->cr0_mask[0], 0x1);
	control(bare, 0, 2, HV_CR_INTERCEPT(CR0_WRITE) | HV_CR_INTERCEPT(CR4_WRITE));
	assert_int_equal(sim->cr_control[0],
			 HV_CR_INTERCEPT(CR0_WRITE) | HV_CR_INTERCEPT(CR4_WRITE));
	assert_int_equal(sim->cr0_mask[0], 0x5);
	assert_int_equal(sim->cr4_mask[0], 0x8);
	assert_int_equal(sim->cr0_mask[1], 0x4);
	assert_int_equal(sim->cr_control[2], 0);
	control(bare, 0, 2, 0);
	assert_int_equal(sim->cr0_mask[0], 0x1);
	assert_int_equal(sim->cr_control[1], 0);
	bare_destroy(bare);
}

static void test_the_number_of_msrs_that_a_guest_can_install_is_bounded(void **state)
{
	struct bare *bare = create("\x90", 1);
	struct vsm_partition *partition = bare->partition;
	const uint32_t type = HV_INTERCEPT_TYPE_X64_MSR_INDEX;

	for (uint32_t i = 0; i < INTERCEPT_MSR_MAX; i++)
		assert_int_equal(intercept_install(partition, 1, type, 3, 0x1000 + i),
				 HV_STATUS_SUCCESS);
	assert_int_equal(intercept_install(partition, 1, type, 3, 0x5000),
			 HV_STATUS_INSUFFICIENT_MEMORY);
	assert_int_equal(intercept_install(partition, 1, type, 1, 0x1007), HV_STATUS_SUCCESS);
	assert_int_equal(intercept_install(partition, 1, type, 0, 0x1005), HV_STATUS_SUCCESS);
	assert_int_equal(intercept_install(partition, 1, type, 3, 0x5000), HV_STATUS_SUCCESS);
	assert_false(intercept_msr(bare->partition->vp[0], 0x1005, true, 0, 2));
	assert_false(intercept_msr(bare->partition->vp[0], 0x1007, true, 0, 2));
	assert_true(intercept_msr(bare->partition->vp[0], 0x1007, false, 0, 2));
	assert_true(intercept_msr(bare->partition->vp[0], 0x5000, true, 0, 2));
	assert_true(
		intercept_msr(bare->partition->vp[0], 0x1000 + INTERCEPT_MSR_MAX - 1, true, 0, 2));
	bare_destroy(bare);
}

static void test_an_msr_intercept_that_the_backend_refuses_is_not_installed(void **state)
{
	struct bare *bare = create("\x90", 1);
	const uint32_t type = HV_INTERCEPT_TYPE_X64_MSR_INDEX;

	sim_fail(bare->partition, SIM_CALL_MSR_INTERCEPT, 1, -EIO);
	assert_int_equal(intercept_install(bare->partition, 1, type, 3, 0x1000),
			 HV_STATUS_OPERATION_FAILED);
	assert_false(intercept_msr(bare->partition->vp[0], 0x1000, true, 0, 2));
	bare_destroy(bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_operand_determines_the_byte),
		cmocka_unit_test(
			test_an_operand_that_crosses_into_the_page_is_reported_at_the_start_of_the_page),
		cmocka_unit_test(test_an_operand_on_another_page_is_not_reported),
		cmocka_unit_test(test_an_operand_that_only_reads_is_not_reported_for_a_write),
		cmocka_unit_test(test_of_two_operands_the_one_on_the_page_is_reported),
		cmocka_unit_test(
			test_a_fetch_is_reported_at_rip_or_at_the_start_of_its_second_page),
		cmocka_unit_test(
			test_a_gva_of_the_backend_is_reported_if_it_translates_to_the_page),
		cmocka_unit_test(test_an_exact_address_of_the_backend_is_kept),
		cmocka_unit_test(test_the_gva_of_an_exact_gpa_is_found_by_the_instruction),
		cmocka_unit_test(test_the_cpus_own_page_walk_has_no_operand),
		cmocka_unit_test(test_of_two_operands_the_denied_one_is_found),
		cmocka_unit_test(test_a_denied_read_is_found_before_the_write),
		cmocka_unit_test(test_a_second_page_of_an_operand_is_found),
		cmocka_unit_test(test_a_denied_page_table_of_an_operand_is_found),
		cmocka_unit_test(test_without_a_denied_operand_there_is_no_intercept),
		cmocka_unit_test(test_the_instruction_length_of_the_backend_has_precedence),
		cmocka_unit_test(test_bytes_that_are_no_instruction_are_sent_with_length_unknown),
		cmocka_unit_test(test_the_cache_type_is_that_of_the_page),
		cmocka_unit_test(test_hypercall_output_is_flagged),
		cmocka_unit_test(test_execution_state_has_every_bit),
		cmocka_unit_test(test_the_header_names_the_vtl_that_was_intercepted),
		cmocka_unit_test(
			test_an_msr_exits_in_lower_vtls_of_every_vp_while_any_vp_intercepts_it),
		cmocka_unit_test(test_an_msr_intercept_of_one_vp_does_not_apply_to_another),
		cmocka_unit_test(test_a_vtl_that_this_vp_does_not_have_is_not_notified),
		cmocka_unit_test(test_the_lowest_vtl_that_intercepts_an_msr_receives_the_intercept),
		cmocka_unit_test(test_the_same_update_after_a_failed_one_reaches_the_backend),
		cmocka_unit_test(test_register_writes_exit_for_the_bits_of_all_higher_vtls),
		cmocka_unit_test(test_the_number_of_msrs_that_a_guest_can_install_is_bounded),
		cmocka_unit_test(test_an_msr_intercept_that_the_backend_refuses_is_not_installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
