/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries that a walk reads, in each format of SDM volume 3A, chapter 4. */
#include "walk_test.h"

#define RESERVED VSM_WALK_RESERVED_BIT

static void without_paging_an_address_is_its_own_gpa_sdm_4_1_1(void **state)
{
	struct walk_test *test = walk_test_new(CR4_SMEP | CR4_SMAP, 0, 0);

	test->context.cr0 = 1;
	assert_finds(test, 0xfedcb123, R | W | X, VSM_WALK_USER, 0xfedcb123);
	assert_int_equal(test->result.level, 0);
	assert_int_equal(test->result.page_shift, 12);
	assert_int_equal(test->result.allowed, R | W | X);
	assert_int_equal(test->result.cache, VSM_WALK_CACHE_WB);
	/* Without paging linear addresses have 32 bits. */
	assert_finds(test, UINT64_C(0x1fedcb123), R, 0, 0xfedcb123);
}

static void a_4_level_walk_uses_nine_bits_for_each_level_sdm_4_5_4(void **state)
{
	struct walk_test *test = four_level(UINT64_C(0x123456789000) | US | RW | P);

	assert_finds(test, GVA, R | W | X, 0, UINT64_C(0x123456789567));
	assert_int_equal(test->result.level, 1);
	assert_int_equal(test->result.page_shift, 12);
	assert_int_equal(test->result.stop_gpa, PTE);
	assert_int_equal(test->result.attempts, 1);
	/* The low bits of CR3 (PCID or PCD, PWT) are no part of the address. */
	test->context.cr3 |= 0xfff;
	assert_finds(test, GVA, R, 0, UINT64_C(0x123456789567));
}

static void a_5_level_walk_starts_at_the_pml5_sdm_4_5_4(void **state)
{
	struct walk_test *test = four_level(0x9000 | P);
	uint64_t gva = GVA | UINT64_C(6) << 48;

	test->context.cr4 |= CR4_LA57;
	test->context.cr3 = PML5;
	put(test, PML5 + 6 * 8, PML4 | US | RW | P);
	assert_finds(test, gva, R, 0, 0x9567);
	assert_faults(test, GVA, R, 0, VSM_WALK_NOT_PRESENT, 0, PML5, 5);
	put(test, PML5 + 6 * 8, PML4 | PS | P);
	assert_faults(test, gva, R, 0, RESERVED, E_P | E_RSVD, PML5 + 6 * 8, 5);
}

static void a_non_canonical_address_is_no_page_fault_sdm1_3_3_7_1(void **state)
{
	struct walk_test *test = four_level(0x9000 | P);
	const uint64_t outside[] = {UINT64_C(0x0000800000000000), UINT64_C(0xffff7fffffffffff),
				    UINT64_C(0x8000000000000000), UINT64_C(0x0001008080604567)};

	for (unsigned int i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		assert_int_equal(walk(test, outside[i], R | X, 0), VSM_WALK_NON_CANONICAL);
		assert_int_equal(test->result.vector, 13);
		assert_int_equal(test->result.error_code, 0);
		assert_int_equal(test->result.failed, R | X);
		assert_false(test->result.translated);
	}
	/* The lowest address of the upper half, with 48 bits. */
	put(test, PML4 + 256 * 8, PDPT | P);
	put(test, PDPT, UINT64_C(0x40000000) | PS | P);
	test->context.cpu = VSM_WALK_CPU_PAGE1GB;
	assert_finds(test, UINT64_C(0xffff800000000001), R, 0, 0x40000001);
	test->context.cr4 |= CR4_LA57;
	assert_faults(test, outside[0], R, 0, VSM_WALK_NOT_PRESENT, 0, PML4, 5);
	assert_int_equal(walk(test, UINT64_C(0x0100000000000000), R, 0), VSM_WALK_NON_CANONICAL);
	assert_int_equal(walk(test, UINT64_C(0xfeffffffffffffff), R, 0), VSM_WALK_NON_CANONICAL);
}

static void a_2_mib_page_of_4_level_paging_sdm_table_4_18(void **state)
{
	struct walk_test *test = four_level(0);

	put(test, PDE, UINT64_C(0x3fffffe00000) | PS | US | RW | P);
	assert_finds(test, GVA, R, 0, UINT64_C(0x3fffffe04567));
	assert_int_equal(test->result.level, 2);
	assert_int_equal(test->result.page_shift, 21);
	assert_int_equal(test->result.stop_gpa, PDE);
	for (unsigned int bit = 13; bit <= 20; bit++) {
		put(test, PDE, UINT64_C(1) << bit | PS | P);
		assert_faults(test, GVA, R, 0, RESERVED, E_P | E_RSVD, PDE, 2);
	}
}

static void a_1_gib_page_needs_support_of_the_cpu_sdm_table_4_16(void **state)
{
	struct walk_test *test = four_level(0);

	put(test, PDPTE, UINT64_C(0x3fffc0000000) | PS | RW | P);
	assert_faults(test, GVA, W, 0, RESERVED, E_P | E_RSVD | E_W, PDPTE, 3);
	test->context.cpu = VSM_WALK_CPU_PAGE1GB;
	assert_finds(test, GVA, W, 0, UINT64_C(0x3fffc0604567));
	assert_int_equal(test->result.level, 3);
	assert_int_equal(test->result.page_shift, 30);
	for (unsigned int bit = 13; bit <= 29; bit++) {
		put(test, PDPTE, UINT64_C(1) << bit | PS | P);
		assert_faults(test, GVA, R, 0, RESERVED, E_P | E_RSVD, PDPTE, 3);
	}
}

static void the_pml4e_has_no_page_size_sdm_table_4_15(void **state)
{
	struct walk_test *test = four_level(0x9000 | P);

	put(test, PML4E, PDPT | PS | P);
	assert_faults(test, GVA, R, 0, RESERVED, E_P | E_RSVD, PML4E, 4);
	/* Bit 8 is ignored by Intel and reserved by AMD (APM volume 2, 5.3.3). */
	put(test, PML4E, PDPT | G | P);
	assert_finds(test, GVA, R, 0, 0x9567);
	test->context.cpu = VSM_WALK_CPU_PML4E_BIT8_RESERVED;
	assert_faults(test, GVA, R, 0, RESERVED, E_P | E_RSVD, PML4E, 4);
	/* AMD does not reserve the bit in a PDPTE or PDE. */
	put(test, PML4E, PDPT | P);
	put(test, PDPTE, PD | G | P);
	put(test, PDE, PT | G | P);
	assert_finds(test, GVA, R, 0, 0x9567);
}

static void bits_from_maxphyaddr_to_51_are_reserved_at_every_level_sdm_4_5_4(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};

	for (unsigned int max = 32; max <= 52; max++) {
		for (unsigned int level = 1; level <= 4; level++) {
			for (unsigned int bit = 32; bit < 59; bit++) {
				struct walk_test *test = four_level(0x9000 | P);
				uint64_t at = entry[level - 1];

				test->context.max_phys_addr = max;
				put(test, at, get(test, at) | UINT64_C(1) << bit);
				if (bit >= max && bit <= 51)
					assert_faults(test, GVA, R, 0, RESERVED, E_P | E_RSVD, at,
						      level);
				else if (level == 1 || bit >= 52)
					assert_int_equal(walk(test, GVA, R, 0), VSM_WALK_OK);
				else /* a table at a GPA without memory */
					assert_int_equal(walk(test, GVA, R, 0),
							 VSM_WALK_TABLE_NOT_READABLE);
			}
		}
	}
}

static void bit_63_is_reserved_without_efer_nxe_sdm_4_5_4(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};

	for (unsigned int level = 1; level <= 4; level++) {
		struct walk_test *test = four_level(0x9000 | P);
		uint64_t at = entry[level - 1];

		put(test, at, get(test, at) | XD);
		assert_finds(test, GVA, R, 0, 0x9567);
		test->context.efer = EFER_LMA;
		assert_faults(test, GVA, R, 0, RESERVED, E_P | E_RSVD, at, level);
	}
}

static void an_entry_that_is_not_present_has_no_reserved_bits_sdm_4_7(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPTE, PML4E};

	for (unsigned int level = 1; level <= 4; level++) {
		struct walk_test *test = four_level(0x9000 | P);

		put(test, entry[level - 1], ~(uint64_t)P);
		assert_faults(test, GVA, R, 0, VSM_WALK_NOT_PRESENT, 0, entry[level - 1], level);
		assert_false(test->result.translated);
		assert_int_equal(test->result.failed, R);
	}
}

/* 32-bit paging: GVA 0x00c04567 uses entry 3 of the PD and entry 4 of the PT. */
static struct walk_test *legacy(uint32_t pde, uint32_t pte)
{
	struct walk_test *test = walk_test_new(0, 0, PD);

	put32(test, PD + 3 * 4, pde);
	put32(test, PT + 4 * 4, pte);
	return test;
}

static void a_32_bit_walk_uses_ten_bits_for_each_level_sdm_4_3(void **state)
{
	struct walk_test *test = legacy(PT | RW | P, 0xfffff000 | RW | P);

	assert_finds(test, 0x00c04567, R | W | X, 0, 0xfffff567);
	assert_int_equal(test->result.level, 1);
	assert_int_equal(test->result.stop_gpa, PT + 16);
	/* No bit is reserved in a PTE or a PDE for a table; PS is ignored without CR4.PSE. */
	test = legacy(PT | PS | 0xf7f, 0x9000 | 0xfff);
	assert_finds(test, 0x00c04567, R, 0, 0x9567);
	/* Bits 63:32 of an address are ignored. */
	test = walk_test_new(0, 0, PD);
	put32(test, PD + 1023 * 4, PT | P);
	put32(test, PT + 1023 * 4, 0x9000 | P);
	assert_finds(test, UINT64_C(0x5fffff123), R, 0, 0x9123);
	assert_faults(test, 0, R, 0, VSM_WALK_NOT_PRESENT, 0, PD, 2);
}

static void a_4_mib_page_with_pse_and_pse_36_sdm_table_4_4(void **state)
{
	struct walk_test *test = legacy(0xff800000 | PS | RW | P, 0);

	test->context.cr4 = CR4_PSE;
	assert_finds(test, 0x00ffffff, W, 0, 0xffbfffff);
	assert_int_equal(test->result.level, 2);
	assert_int_equal(test->result.page_shift, 22);
	/* Bits 20:13 are address bits 39:32 with PSE-36, up to MAXPHYADDR. */
	for (unsigned int max = 32; max <= 52; max++) {
		for (unsigned int bit = 13; bit <= 21; bit++) {
			bool address = bit - 13 + 32 < (max < 40 ? max : 40) && bit <= 20;

			test = legacy(0x00400000 | 1U << bit | PS | P, 0);
			test->context.cr4 = CR4_PSE;
			test->context.max_phys_addr = max;
			assert_faults(test, 0x00c00123, R, 0, RESERVED, E_P | E_RSVD, PD + 12, 2);
			test->context.cpu = VSM_WALK_CPU_PSE36;
			if (address)
				assert_finds(test, 0x00c00123, R, 0,
					     0x00400123 | UINT64_C(1) << (bit - 13 + 32));
			else
				assert_faults(test, 0x00c00123, R, 0, RESERVED, E_P | E_RSVD,
					      PD + 12, 2);
		}
	}
}

static void nxe_and_long_mode_bits_have_no_effect_in_32_bit_paging_sdm_4_3(void **state)
{
	struct walk_test *test = legacy(PT | P, 0x9000 | P);

	test->context.efer = EFER_NXE | EFER_LMA;
	test->context.cr4 = CR4_PKE | CR4_PKS;
	test->context.pkru = ~0U;
	test->context.pkrs = ~0U;
	assert_finds(test, 0x00c04567, R | X, 0, 0x9567);
}

/* PAE: GVA 0xc0604567 uses entry 3 of the PDPT at 0x3020, 3 of the PD and 4 of the PT. */
static struct walk_test *pae(uint64_t pte)
{
	struct walk_test *test = walk_test_new(CR4_PAE, EFER_NXE, PDPT + 0x20);

	put(test, PDPT + 0x20 + 3 * 8, PD | P);
	put(test, PDE, PT | US | RW | P);
	put(test, PTE, pte);
	return test;
}

static void a_pae_walk_starts_with_four_pdptes_sdm_4_4(void **state)
{
	struct walk_test *test = pae(UINT64_C(0x2abcdef09000) | US | RW | P);

	/* A PDPTE has no U/S and R/W bits, so the user may write. */
	assert_finds(test, 0xc0604567, R | W | X, VSM_WALK_USER, UINT64_C(0x2abcdef09567));
	assert_int_equal(test->result.level, 1);
	assert_faults(test, 0x40604567, R, 0, VSM_WALK_NOT_PRESENT, 0, PDPT + 0x28, 3);
	put(test, PDE, UINT64_C(0x3fffffe00000) | PS | RW | P);
	assert_finds(test, 0xc0604567, W, 0, UINT64_C(0x3fffffe04567));
	assert_int_equal(test->result.page_shift, 21);
}

static void pae_reserves_all_bits_from_maxphyaddr_to_62_sdm_tables_4_8_to_4_11(void **state)
{
	static const uint64_t entry[] = {PTE, PDE, PDPT + 0x38};

	for (unsigned int level = 1; level <= 3; level++) {
		for (unsigned int bit = 46; bit <= 63; bit++) {
			struct walk_test *test = pae(0x9000 | P);
			uint64_t at = entry[level - 1];

			put(test, at, get(test, at) | UINT64_C(1) << bit);
			if (bit < 63 || level == 3)
				assert_faults(test, 0xc0604567, R, 0, RESERVED, E_P | E_RSVD, at,
					      level);
			else
				assert_finds(test, 0xc0604567, R, 0, 0x9567);
		}
	}
	for (unsigned int bit = 1; bit <= 11; bit++) {
		struct walk_test *test = pae(0x9000 | P);
		bool reserved = bit <= 2 || (bit >= 5 && bit <= 8);

		put(test, PDPT + 0x38, PD | 1U << bit | P);
		assert_int_equal(walk(test, 0xc0604567, R, 0), reserved ? RESERVED : VSM_WALK_OK);
	}
}

static void loaded_pdptes_are_used_instead_of_memory_sdm_4_4_1(void **state)
{
	struct walk_test *test = pae(0x9000 | P);

	test->context.cpu = VSM_WALK_CPU_PDPTES_LOADED;
	assert_faults(test, 0xc0604567, R, 0, VSM_WALK_NOT_PRESENT, 0, 0, 3);
	test->context.pdpte[3] = PD | P;
	put(test, PDPT + 0x38, 0);
	assert_finds(test, 0xc0604567, R, 0, 0x9567);
	assert_int_equal(walk_ad(test, 0xc0604567, R, 0, VSM_WALK_AD_SET), VSM_WALK_OK);
	assert_int_equal(get(test, PTE), 0x9000 | A | P);
	assert_int_equal(test->context.pdpte[3], PD | P);
	test = four_level(0x9000 | P);
	test->context.cpu = VSM_WALK_CPU_PDPTES_LOADED;
	assert_finds(test, GVA, R, 0, 0x9567);
}

static void the_cache_type_is_selected_by_pat_pcd_and_pwt_sdm_4_9_2(void **state)
{
	const uint64_t pat = UINT64_C(0x0706050401000706);
	static const uint8_t type[] = {6, 7, 0, 1, 4, 5, 6, 7};

	for (unsigned int i = 0; i < 8; i++) {
		uint64_t low = (i & 1 ? PWT : 0) | (i & 2 ? PCD : 0) | P;
		struct walk_test *test = four_level(0x9000 | (i & 4 ? PS : 0) | low);

		test->context.pat = pat;
		assert_finds(test, GVA, R, 0, 0x9567);
		assert_int_equal(test->result.cache, type[i]);
		/* In a large page, PAT is bit 12. */
		put(test, PDE, (i & 4 ? 0x1000 : 0) | PS | low);
		assert_finds(test, GVA, R, 0, 0x4567);
		assert_int_equal(test->result.cache, type[i]);
		/* PCD and PWT of upper levels apply to accesses to tables. */
		put(test, PDPTE, PD | PWT | PCD | P);
		assert_finds(test, GVA, R, 0, 0x4567);
		assert_int_equal(test->result.cache, type[i]);
	}
}

static void the_global_bit_applies_in_the_last_entry_and_with_pge_sdm_4_10_2_4(void **state)
{
	struct walk_test *test = four_level(0x9000 | G | P);

	assert_finds(test, GVA, R, 0, 0x9567);
	assert_int_equal(test->result.rights & VSM_WALK_RIGHT_GLOBAL, 0);
	test->context.cr4 |= CR4_PGE;
	assert_finds(test, GVA, R, 0, 0x9567);
	assert_int_equal(test->result.rights & VSM_WALK_RIGHT_GLOBAL, VSM_WALK_RIGHT_GLOBAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_paging_an_address_is_its_own_gpa_sdm_4_1_1),
		cmocka_unit_test(a_4_level_walk_uses_nine_bits_for_each_level_sdm_4_5_4),
		cmocka_unit_test(a_5_level_walk_starts_at_the_pml5_sdm_4_5_4),
		cmocka_unit_test(a_non_canonical_address_is_no_page_fault_sdm1_3_3_7_1),
		cmocka_unit_test(a_2_mib_page_of_4_level_paging_sdm_table_4_18),
		cmocka_unit_test(a_1_gib_page_needs_support_of_the_cpu_sdm_table_4_16),
		cmocka_unit_test(the_pml4e_has_no_page_size_sdm_table_4_15),
		cmocka_unit_test(bits_from_maxphyaddr_to_51_are_reserved_at_every_level_sdm_4_5_4),
		cmocka_unit_test(bit_63_is_reserved_without_efer_nxe_sdm_4_5_4),
		cmocka_unit_test(an_entry_that_is_not_present_has_no_reserved_bits_sdm_4_7),
		cmocka_unit_test(a_32_bit_walk_uses_ten_bits_for_each_level_sdm_4_3),
		cmocka_unit_test(a_4_mib_page_with_pse_and_pse_36_sdm_table_4_4),
		cmocka_unit_test(nxe_and_long_mode_bits_have_no_effect_in_32_bit_paging_sdm_4_3),
		cmocka_unit_test(a_pae_walk_starts_with_four_pdptes_sdm_4_4),
		cmocka_unit_test(
			pae_reserves_all_bits_from_maxphyaddr_to_62_sdm_tables_4_8_to_4_11),
		cmocka_unit_test(loaded_pdptes_are_used_instead_of_memory_sdm_4_4_1),
		cmocka_unit_test(the_cache_type_is_selected_by_pat_pcd_and_pwt_sdm_4_9_2),
		cmocka_unit_test(
			the_global_bit_applies_in_the_last_entry_and_with_pge_sdm_4_10_2_4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
