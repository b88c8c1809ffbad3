/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest of 64 pages for the tests of the page walker. */
#ifndef TESTS_WALK_TEST_H
#define TESTS_WALK_TEST_H

#include <string.h>
#include <vsm/walk.h>

#include "unit_test.h"

#define R VSM_WALK_READ
#define W VSM_WALK_WRITE
#define X VSM_WALK_EXECUTE

/* The bits of an entry, with the names of the SDM. */
enum {
	P = 0x1,
	RW = 0x2,
	US = 0x4,
	PWT = 0x8,
	PCD = 0x10,
	A = 0x20,
	D = 0x40,
	PS = 0x80,
	G = 0x100,
};
#define XD (UINT64_C(1) << 63)

#define CR0_PG	  UINT64_C(0x80000001)
#define CR0_WP	  UINT64_C(0x10000)
#define CR4_PSE	  UINT64_C(0x10)
#define CR4_PAE	  UINT64_C(0x20)
#define CR4_PGE	  UINT64_C(0x80)
#define CR4_LA57  UINT64_C(0x1000)
#define CR4_SMEP  UINT64_C(0x100000)
#define CR4_SMAP  UINT64_C(0x200000)
#define CR4_PKE	  UINT64_C(0x400000)
#define CR4_PKS	  UINT64_C(0x1000000)
#define EFER_LMA  UINT64_C(0x500)
#define EFER_NXE  UINT64_C(0x800)
#define EFLAGS_AC UINT64_C(0x40000)

/* GPAs of the tables, one page each. In PAE mode the PDPT, in 32-bit mode the PD is the root table. */
enum {
	RAM_SIZE = 64 * 4096,
	PML5 = 0x5000,
	PML4 = 0x4000,
	PDPT = 0x3000,
	PD = 0x2000,
	PT = 0x1000,
};

struct walk_test {
	_Alignas(4096) uint8_t ram[RAM_SIZE];
	struct vsm_walk_direct direct;
	struct vsm_walk_memory memory;
	struct vsm_walk_context context;
	struct vsm_walk_result result;
};

static inline void put(struct walk_test *test, uint64_t gpa, uint64_t entry)
{
	memcpy(test->ram + gpa, &entry, 8);
}

static inline void put32(struct walk_test *test, uint64_t gpa, uint32_t entry)
{
	memcpy(test->ram + gpa, &entry, 4);
}

static inline uint64_t get(const struct walk_test *test, uint64_t gpa)
{
	uint64_t entry;

	memcpy(&entry, test->ram + gpa, 8);
	return entry;
}

static inline uint32_t get32(const struct walk_test *test, uint64_t gpa)
{
	uint32_t entry;

	memcpy(&entry, test->ram + gpa, 4);
	return entry;
}

/* An empty guest at CPL 0 with CR0.WP, 46 physical bits and the PAT of a reset. */
static inline struct walk_test *walk_test_new(uint64_t cr4, uint64_t efer, uint64_t cr3)
{
	static struct walk_test test;

	memset(&test, 0, sizeof(test));
	test.direct = (struct vsm_walk_direct){.size = RAM_SIZE, .host = test.ram};
	test.memory = (struct vsm_walk_memory){.direct = &test.direct, .direct_count = 1};
	test.context = (struct vsm_walk_context){
		.cr0 = CR0_PG | CR0_WP,
		.cr3 = cr3,
		.cr4 = cr4,
		.efer = efer,
		.pat = UINT64_C(0x0007040600070406),
		.max_phys_addr = 46,
	};
	return &test;
}

/* GVA uses entry 1 of the PML4, 2 of the PDPT, 3 of the PD and 4 of the PT. Entries of tables
 * permit everything; the test writes the PTE. */
#define GVA UINT64_C(0x8080604567)
enum {
	PML4E = PML4 + 1 * 8,
	PDPTE = PDPT + 2 * 8,
	PDE = PD + 3 * 8,
	PTE = PT + 4 * 8,
};

static inline struct walk_test *four_level(uint64_t pte)
{
	struct walk_test *test = walk_test_new(CR4_PAE, EFER_LMA | EFER_NXE, PML4);

	put(test, PML4E, PDPT | US | RW | P);
	put(test, PDPTE, PD | US | RW | P);
	put(test, PDE, PT | US | RW | P);
	put(test, PTE, pte);
	return test;
}

static inline enum vsm_walk_reason walk_ad(struct walk_test *test, uint64_t gva,
					   unsigned int access, unsigned int flags,
					   enum vsm_walk_ad ad)
{
	struct vsm_walk_request request = {.gva = gva, .access = access, .flags = flags, .ad = ad};

	memset(&test->result, 0xa5, sizeof(test->result));
	return vsm_walk(&test->context, &test->memory, &request, &test->result);
}

static inline enum vsm_walk_reason walk(struct walk_test *test, uint64_t gva, unsigned int access,
					unsigned int flags)
{
	return walk_ad(test, gva, access, flags, VSM_WALK_AD_LEAVE);
}

#define assert_finds(test, gva, access, flags, where)                          \
	do {                                                                   \
		assert_int_equal(walk(test, gva, access, flags), VSM_WALK_OK); \
		assert_int_equal((test)->result.gpa, where);                   \
		assert_int_equal((test)->result.failed, 0);                    \
		assert_int_equal((test)->result.vector, 0);                    \
		assert_true((test)->result.translated);                        \
	} while (0)

#define assert_faults(test, gva, access, flags, why_, code, gpa_, level_) \
	do {                                                              \
		assert_int_equal(walk(test, gva, access, flags), why_);   \
		assert_int_equal((test)->result.reason, why_);            \
		assert_int_equal((test)->result.vector, 14);              \
		assert_int_equal((test)->result.error_code, code);        \
		assert_int_equal((test)->result.stop_gpa, gpa_);          \
		assert_int_equal((test)->result.level, level_);           \
	} while (0)

/* Error code bits, SDM 3A 4.7. */
enum {
	E_P = 1,
	E_W = 2,
	E_U = 4,
	E_RSVD = 8,
	E_I = 16,
	E_PK = 32,
};

#endif
