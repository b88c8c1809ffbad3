/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "unit_test.h"
#include "core/memory/overlay.h"
#include "core/memory/protect.h"
#include "core/x64.h"
#include "bare.h"

#define RX     (GPA_READ | GPA_EXECUTE)
#define RW     (GPA_READ | GPA_WRITE)
#define TABLES 100u /* page of the page tables */

static void restrict_page(struct bare *bare, uint8_t owner, uint64_t gpn, uint8_t access)
{
	assert_int_equal(bare_protect(bare, owner, -1, gpn, access), HV_STATUS_SUCCESS);
}

static void test_ram_is_found_across_regions_in_any_order(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t *high = bare_ram(bare, 0x300, 2);
	uint8_t *low = bare_ram(bare, 0x100, 2);
	uint8_t *middle = bare_ram(bare, 0x102, 2);
	uint8_t bytes[8];

	high[0] = 3;
	low[CORE_PAGE_SIZE * 2 - 1] = 1;
	middle[0] = 2;
	assert_int_equal(gpa_read(bare->partition, 0, 0x101fff, bytes, 2, NULL), GPA_OK);
	assert_int_equal(bytes[0], 1);
	assert_int_equal(bytes[1], 2);
	assert_int_equal(gpa_read(bare->partition, 0, 0x300000, bytes, 1, NULL), GPA_OK);
	assert_int_equal(bytes[0], 3);
	assert_null(memory_find(bare->partition, 0xff));
	assert_null(memory_find(bare->partition, 0x104));
	assert_null(memory_find(bare->partition, 0x302));
	assert_int_equal(memory_find(bare->partition, 0x301)->gpn, 0x300);
	bare_destroy(bare);
}

static void test_invalid_ram_is_refused(void **state)
{
	struct bare *bare = bare_create(2);
	struct vsm_partition *partition = bare->partition;
	uint64_t limit = UINT64_C(1) << 40;
	void *host = NULL;

	bare_ram(bare, 0x100, 16);
	assert_int_equal(vsm_memory_add(partition, 0x1, 0x1000, -1, 0, &host), -EINVAL);
	assert_int_equal(vsm_memory_add(partition, 0, 0x1001, -1, 0, &host), -EINVAL);
	assert_int_equal(vsm_memory_add(partition, 0, 0x1000, -1, 0x10, &host), -EINVAL);
	assert_int_equal(vsm_memory_add(partition, 0, 0, -1, 0, &host), -EINVAL);
	assert_int_equal(vsm_memory_add(partition, limit, 0x1000, -1, 0, &host), -EINVAL);
	assert_int_equal(vsm_memory_add(partition, limit - 0x1000, 0x2000, -1, 0, &host), -EINVAL);
	assert_int_equal(vsm_memory_add(partition, 0x1000, UINT64_MAX & ~0xfffull, -1, 0, &host),
			 -EINVAL);
	assert_int_equal(vsm_memory_add(partition, 0x100000, 0x1000, -1, 0, &host), -EEXIST);
	/* A negative error number passed as a descriptor does not create RAM. */
	assert_int_equal(vsm_memory_add(partition, 0x800000, 0x1000, -ENOENT, 0, &host), -EBADF);
	assert_int_equal(vsm_memory_add(partition, 0x10f000, 0x1000, -1, 0, &host), -EEXIST);
	assert_int_equal(vsm_memory_add(partition, 0xff000, 0x2000, -1, 0, &host), -EEXIST);
	assert_int_equal(vsm_memory_add(partition, 0, 0x1000000, -1, 0, &host), -EEXIST);
	assert_null(host);
	assert_int_equal(partition->memory.region_count, 1);
	assert_int_equal(bare->log_lines, 12);
	bare_destroy(bare);
}

static void test_nothing_is_copied_if_one_page_of_several_is_denied(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t *ram = bare_ram(bare, 0, 16);
	struct gpa_fault fault;
	uint8_t data[3 * CORE_PAGE_SIZE];

	memset(data, 0x77, sizeof(data));
	restrict_page(bare, 1, 6, RX);
	assert_int_equal(gpa_write(bare->partition, 0, 0x4800, data, sizeof(data), &fault),
			 GPA_DENIED);
	assert_int_equal(fault.gpa, 0x6000);
	assert_int_equal(fault.access, GPA_WRITE);
	assert_int_equal(fault.vtl, 1);
	for (size_t i = 0x4000; i < 0x8000; i++)
		assert_int_equal(ram[i], 0);
	assert_int_equal(gpa_read(bare->partition, 0, 0x4800, data, sizeof(data), &fault), GPA_OK);
	bare_destroy(bare);
}

static void test_p07_each_vtl_is_checked_with_its_own_rights(void **state)
{
	struct bare *bare = bare_create(3);
	uint8_t byte = 0;
	struct gpa_fault fault;

	bare_ram(bare, 0, 16);
	restrict_page(bare, 1, 5, 0);
	restrict_page(bare, 2, 6, 0);
	assert_int_equal(gpa_read(bare->partition, 0, 0x5123, &byte, 1, &fault), GPA_DENIED);
	assert_int_equal(fault.gpa, 0x5123);
	assert_int_equal(fault.access, GPA_READ);
	assert_int_equal(fault.vtl, 1);
	assert_int_equal(gpa_read(bare->partition, 1, 0x5123, &byte, 1, &fault), GPA_OK);
	assert_int_equal(gpa_read(bare->partition, 1, 0x6123, &byte, 1, &fault), GPA_DENIED);
	assert_int_equal(fault.vtl, 2);
	assert_int_equal(gpa_read(bare->partition, 2, 0x6123, &byte, 1, &fault), GPA_OK);
	bare_destroy(bare);
}

static void test_addresses_without_memory_are_unmapped(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t data[16] = {0};
	struct gpa_fault fault;

	bare_ram(bare, 0, 16);
	assert_int_equal(gpa_read(bare->partition, 0, 0x10000, data, 1, &fault), GPA_UNMAPPED);
	assert_int_equal(gpa_read(bare->partition, 0, 0xfff8, data, 16, &fault), GPA_UNMAPPED);
	assert_int_equal(fault.gpa, 0x10000);
	assert_int_equal(gpa_write(bare->partition, 0, UINT64_MAX - 3, data, 16, &fault),
			 GPA_UNMAPPED);
	assert_int_equal(gpa_check(bare->partition, 0, UINT64_MAX, GPA_READ, &fault), GPA_UNMAPPED);
	assert_int_equal(gpa_read(bare->partition, 0, 0x10000, data, 0, &fault), GPA_OK);
	bare_destroy(bare);
}

/* shows: rule dma */
static void test_devices_have_the_rights_of_vtl0(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t *ram = bare_ram(bare, 0, 16);
	uint8_t data[2 * CORE_PAGE_SIZE];

	restrict_page(bare, 1, 5, RX);
	restrict_page(bare, 1, 6, 0);
	memset(data, 0x42, sizeof(data));
	assert_int_equal(vsm_dma_write(bare->partition, 0x4000, data, sizeof(data)), -EACCES);
	/* Pages before the denied one were written. */
	assert_int_equal(ram[0x4fff], 0x42);
	assert_int_equal(ram[0x5000], 0);
	assert_int_equal(vsm_dma_read(bare->partition, 0x4000, data, sizeof(data)), 0);
	assert_int_equal(vsm_dma_read(bare->partition, 0x5fff, data, 2), -EACCES);
	assert_int_equal(vsm_dma_read(bare->partition, 0x10000, data, 1), -EFAULT);
	memset(data, 0x42, sizeof(data));
	assert_int_equal(vsm_dma_write(bare->partition, 0xffff, data, 2), -EFAULT);
	assert_int_equal(ram[0xffff], 0x42);
	overlay_map(bare->partition, OVERLAY_HYPERCALL, 0, 0, 9);
	assert_int_equal(vsm_dma_write(bare->partition, 0x9000, data, 1), -EACCES);
	bare_destroy(bare);
}

static struct bare *paged(void)
{
	struct bare *bare = bare_create(3);

	bare_ram(bare, 0, 256);
	bare_paging(bare, 0, 0, TABLES);
	bare_map(bare, TABLES, 1, 20, BARE_WRITE | BARE_USER);
	bare_map(bare, TABLES, 2, 31, 0);
	bare_map(bare, TABLES, 3, 17, BARE_WRITE);
	return bare;
}

static enum vsm_walk_reason translate(struct bare *bare, uint64_t gva, uint32_t access,
				      struct gva_walk *walk)
{
	return gva_translate(bare->partition->vp[0], 0, gva, access, 0, VSM_WALK_AD_LEAVE, true,
			     walk);
}

static void test_a_gva_is_translated_by_the_vtls_own_page_tables(void **state)
{
	struct bare *bare = paged();
	struct gva_walk walk;

	assert_int_equal(translate(bare, 0x1234, VSM_WALK_READ, &walk), VSM_WALK_OK);
	assert_int_equal(walk.walk.gpa, 0x14234);
	/* VTL1 has no paging. */
	assert_int_equal(gva_translate(bare->partition->vp[0], 1, 0x1234, VSM_WALK_READ, 0,
				       VSM_WALK_AD_LEAVE, true, &walk),
			 VSM_WALK_OK);
	assert_int_equal(walk.walk.gpa, 0x1234);
	assert_int_equal(translate(bare, 0x2000, VSM_WALK_WRITE, &walk), VSM_WALK_WRITE_DENIED);
	assert_int_equal(translate(bare, 0x9000, VSM_WALK_READ, &walk), VSM_WALK_NOT_PRESENT);
	bare_destroy(bare);
}

static void test_page_tables_are_read_with_the_rights_of_their_vtl(void **state)
{
	struct bare *bare = paged();
	struct gva_walk walk;

	restrict_page(bare, 2, TABLES + 2, 0);
	assert_int_equal(translate(bare, 0x1000, VSM_WALK_READ, &walk),
			 VSM_WALK_TABLE_NOT_READABLE);
	assert_int_equal(walk.walk.refusal, VSM_WALK_INTERCEPT);
	assert_int_equal(walk.refused, GPA_DENIED);
	assert_int_equal(walk.fault.vtl, 2);
	assert_int_equal(walk.fault.gpa, (TABLES + 2) << 12);
	bare_destroy(bare);
}

static void test_accessed_and_dirty_bits_need_the_right_to_write(void **state)
{
	struct bare *bare = paged();
	uint8_t *entry = memory_find(bare->partition, TABLES)->host + (TABLES + 3) * 4096ul + 8;
	struct gva_walk walk;

	assert_int_equal(gva_translate(bare->partition->vp[0], 0, 0x1000, VSM_WALK_WRITE, 0,
				       VSM_WALK_AD_SET, true, &walk),
			 VSM_WALK_OK);
	assert_int_equal(*entry & 0x60, 0x60);
	*entry &= (uint8_t)~0x60;
	restrict_page(bare, 1, TABLES + 3, GPA_READ);
	assert_int_equal(gva_translate(bare->partition->vp[0], 0, 0x1000, VSM_WALK_WRITE, 0,
				       VSM_WALK_AD_SET, true, &walk),
			 VSM_WALK_TABLE_NOT_WRITABLE);
	assert_int_equal(walk.refused, GPA_DENIED);
	assert_int_equal(walk.fault.access, GPA_WRITE);
	assert_int_equal(*entry & 0x60, 0);
	bare_destroy(bare);
}

static void test_32_bit_entries_are_exchanged_as_32_bits(void **state)
{
	struct bare *bare = bare_create(2);
	uint8_t *ram = bare_ram(bare, 0, 256);
	struct vcpu_state *cpu = bare->partition->vp[0]->cpu[0];
	uint32_t entry = 50 << 12 | 3;
	uint32_t neighbour = 0x12345678;
	struct gva_walk walk;

	cpu->efer = 0;
	cpu->cr0 |= X64_CR0_PG;
	cpu->cr3 = 0x1000;
	memcpy(ram + 0x1000, &(uint32_t){2 << 12 | 3}, 4);
	memcpy(ram + 0x2000, &entry, 4);
	memcpy(ram + 0x2004, &neighbour, 4);
	assert_int_equal(gva_translate(bare->partition->vp[0], 0, 0x123, VSM_WALK_WRITE, 0,
				       VSM_WALK_AD_SET, true, &walk),
			 VSM_WALK_OK);
	assert_int_equal(walk.walk.gpa, 0x32123);
	memcpy(&entry, ram + 0x2000, 4);
	assert_int_equal(entry, 50 << 12 | 0x63);
	memcpy(&neighbour, ram + 0x2004, 4);
	assert_int_equal(neighbour, 0x12345678);
	bare_destroy(bare);
}

static void test_the_rights_of_the_found_page_are_checked_only_if_requested(void **state)
{
	struct bare *bare = paged();
	struct gva_walk walk;

	restrict_page(bare, 1, 20, GPA_READ);
	assert_int_equal(translate(bare, 0x1000, VSM_WALK_READ, &walk), VSM_WALK_OK);
	assert_int_equal(translate(bare, 0x1000, VSM_WALK_WRITE, &walk), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(walk.fault.access, GPA_WRITE);
	assert_int_equal(translate(bare, 0x1000, VSM_WALK_EXECUTE, &walk), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(walk.fault.access, GPA_KERNEL_EXECUTE);
	assert_int_equal(gva_translate(bare->partition->vp[0], 0, 0x1000, VSM_WALK_WRITE, 0,
				       VSM_WALK_AD_LEAVE, false, &walk),
			 VSM_WALK_OK);
	assert_int_equal(walk.walk.gpa, 0x14000);
	bare_destroy(bare);
}

static void test_a_page_without_memory_is_unmapped_and_an_overlay_has_its_own_rights(void **state)
{
	struct bare *bare = paged();
	struct gva_walk walk;

	bare_map(bare, TABLES, 4, 0x5000, BARE_WRITE);
	assert_int_equal(translate(bare, 0x4000, VSM_WALK_READ, &walk), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(walk.walk.refusal, VSM_WALK_UNMAPPED);
	assert_int_equal(walk.refused, GPA_UNMAPPED);
	assert_int_equal(translate(bare, 0x4000, VSM_WALK_EXECUTE, &walk), VSM_WALK_PAGE_REFUSED);
	overlay_map(bare->partition, OVERLAY_HYPERCALL, 0, 0, 0x5000);
	assert_int_equal(translate(bare, 0x4000, VSM_WALK_EXECUTE, &walk), VSM_WALK_OK);
	assert_int_equal(translate(bare, 0x4000, VSM_WALK_WRITE, &walk), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(walk.walk.refusal, VSM_WALK_OVERLAY);
	bare_destroy(bare);
}

/* shows: rule mbec-smep */
static void test_mbec_decides_by_the_page_and_by_smep(void **state)
{
	struct bare *bare = paged();
	struct vsm_vp *vp = bare->partition->vp[0];
	struct gva_walk walk;

	/* GVA 0x1000 is a user page: page 20. */
	atomic_store(&bare->partition->mbec_vtls, 1u << 1);
	restrict_page(bare, 1, 20, GPA_READ | GPA_USER_EXECUTE);
	/* MBEC is not enabled on this VP: the kernel-execute right applies. */
	assert_int_equal(translate(bare, 0x1000, VSM_WALK_EXECUTE, &walk), VSM_WALK_PAGE_REFUSED);
	vp->vtl[1].secure_config[0] = HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED;
	/* SMEP is supported and off: the kernel-execute right applies. */
	assert_int_equal(translate(bare, 0x1000, VSM_WALK_EXECUTE, &walk), VSM_WALK_PAGE_REFUSED);
	bare->partition->vp[0]->cpu[0]->cr4 |= X64_CR4_SMEP;
	assert_int_equal(gva_translate(vp, 0, 0x1000, VSM_WALK_EXECUTE, VSM_WALK_USER,
				       VSM_WALK_AD_LEAVE, true, &walk),
			 VSM_WALK_OK);
	/* VTL2 uses MBEC, but not on this VP: the kernel-execute right applies for VTL1, too. */
	atomic_store(&bare->partition->mbec_vtls, 3u << 1);
	assert_int_equal(gva_translate(vp, 0, 0x1000, VSM_WALK_EXECUTE, VSM_WALK_USER,
				       VSM_WALK_AD_LEAVE, true, &walk),
			 VSM_WALK_PAGE_REFUSED);
	assert_int_equal(walk.fault.access, GPA_KERNEL_EXECUTE);
	vp->vtl[2].secure_config[0] = HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED;
	assert_int_equal(gva_translate(vp, 0, 0x1000, VSM_WALK_EXECUTE, VSM_WALK_USER,
				       VSM_WALK_AD_LEAVE, true, &walk),
			 VSM_WALK_OK);
	/* GVA 0x3000 is a supervisor page: page 17. */
	restrict_page(bare, 1, 17, GPA_READ | GPA_USER_EXECUTE);
	assert_int_equal(translate(bare, 0x3000, VSM_WALK_EXECUTE, &walk), VSM_WALK_PAGE_REFUSED);
	assert_int_equal(walk.fault.access, GPA_KERNEL_EXECUTE);
	assert_int_equal(walk.fault.vtl, 1);
	restrict_page(bare, 2, 20, GPA_READ);
	assert_int_equal(gva_translate(vp, 0, 0x1000, VSM_WALK_EXECUTE, VSM_WALK_USER,
				       VSM_WALK_AD_LEAVE, true, &walk),
			 VSM_WALK_PAGE_REFUSED);
	assert_int_equal(walk.fault.vtl, 2);
	bare_destroy(bare);
}

static void test_protection_keys_come_from_the_xsave_area(void **state)
{
	struct bare *bare = paged();
	struct vcpu_state *cpu = bare->partition->vp[0]->cpu[0];
	uint64_t present = UINT64_C(1) << 9;
	uint32_t pkru = 1u << (2 * 5); /* key 5: access disabled */
	/* The minimum that vsm_vp_set_cpuid() accepts, and the offset of PKRU. */
	const struct vsm_cpuid cpuid[] = {
		{.leaf = 1, .ecx = 1u << 21 | 1u << 31, .edx = 1u << 4 | 1u << 5 | 1u << 9},
		{.leaf = 0xd, .has_subleaf = 1, .subleaf = 9, .eax = sizeof(pkru), .ebx = 576},
	};
	struct gva_walk walk;

	bare_map(bare, TABLES, 5, 20, BARE_USER | BARE_WRITE | UINT64_C(5) << 59);
	memcpy(cpu->xsave + X64_XSAVE_BV, &present, sizeof(present));
	assert_int_equal(vsm_vp_set_cpuid(bare->partition->vp[0], cpuid, 2), 0);
	memcpy(cpu->xsave + cpuid[1].ebx, &pkru, sizeof(pkru));
	assert_int_equal(translate(bare, 0x5000, VSM_WALK_READ, &walk), VSM_WALK_OK);
	cpu->cr4 |= X64_CR4_PKE;
	assert_int_equal(translate(bare, 0x5000, VSM_WALK_READ, &walk), VSM_WALK_KEY_DENIED);
	/* In its initial state PKRU is 0. */
	memset(cpu->xsave + X64_XSAVE_BV, 0, sizeof(present));
	assert_int_equal(translate(bare, 0x5000, VSM_WALK_READ, &walk), VSM_WALK_OK);
	bare_destroy(bare);
}

static void test_p19_instruction_bytes_are_read_through_the_page_tables(void **state)
{
	static const uint8_t code[] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct bare *bare = paged();
	uint8_t *ram = memory_find(bare->partition, 0)->host;
	uint8_t bytes[16];

	memset(ram + 0x1000, 0xee, 0x3000); /* the GPAs equal to the GVAs below */
	memcpy(ram + (20 << 12) + 0xffc, code, 4);
	memcpy(ram + (31 << 12), code + 4, 4);
	assert_int_equal(gva_fetch(bare->partition->vp[0], 0, 0x1ffc, bytes, 8), 8);
	assert_memory_equal(bytes, code, 8);
	bare_destroy(bare);
}

static void test_instruction_bytes_end_at_a_page_that_the_vtl_may_not_execute(void **state)
{
	struct bare *bare = paged();
	uint8_t bytes[16];

	restrict_page(bare, 1, 31, RW);
	assert_int_equal(gva_fetch(bare->partition->vp[0], 0, 0x1ff9, bytes, 15), 7);
	assert_int_equal(gva_fetch(bare->partition->vp[0], 0, 0x2000, bytes, 15), 0);
	assert_int_equal(gva_fetch(bare->partition->vp[0], 0, 0x3ffe, bytes, 15), 2);
	/* VTL1 has no paging and no protections. */
	assert_int_equal(gva_fetch(bare->partition->vp[0], 1, 31 << 12, bytes, 15), 15);
	bare_destroy(bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ram_is_found_across_regions_in_any_order),
		cmocka_unit_test(test_invalid_ram_is_refused),
		cmocka_unit_test(test_nothing_is_copied_if_one_page_of_several_is_denied),
		cmocka_unit_test(test_p07_each_vtl_is_checked_with_its_own_rights),
		cmocka_unit_test(test_addresses_without_memory_are_unmapped),
		cmocka_unit_test(test_devices_have_the_rights_of_vtl0),
		cmocka_unit_test(test_a_gva_is_translated_by_the_vtls_own_page_tables),
		cmocka_unit_test(test_page_tables_are_read_with_the_rights_of_their_vtl),
		cmocka_unit_test(test_accessed_and_dirty_bits_need_the_right_to_write),
		cmocka_unit_test(test_32_bit_entries_are_exchanged_as_32_bits),
		cmocka_unit_test(test_the_rights_of_the_found_page_are_checked_only_if_requested),
		cmocka_unit_test(
			test_a_page_without_memory_is_unmapped_and_an_overlay_has_its_own_rights),
		cmocka_unit_test(test_mbec_decides_by_the_page_and_by_smep),
		cmocka_unit_test(test_protection_keys_come_from_the_xsave_area),
		cmocka_unit_test(test_p19_instruction_bytes_are_read_through_the_page_tables),
		cmocka_unit_test(test_instruction_bytes_end_at_a_page_that_the_vtl_may_not_execute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
