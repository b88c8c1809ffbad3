/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallTranslateVirtualAddress from VTL1, and TLB locks. */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"

struct translation {
	uint32_t vp;
	uint64_t flags;
	const void *address;
	struct hv_translate_virtual_address_output output;
	uint16_t status;
};

static void translate_in_vtl1(void *argument)
{
	struct translation *t = argument;
	const struct hv_translate_virtual_address_input input = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = t->vp,
		.control_flags = t->flags | (uint64_t)input_vtl(0)
						    << HV_TRANSLATE_GVA_INPUT_VTL_SHIFT,
		.gva_page = (uint64_t)t->address >> HV_PAGE_SHIFT,
	};

	t->output = (struct hv_translate_virtual_address_output){~0ull, ~0ull};
	t->status = hypercall(HV_CALL_TRANSLATE_VIRTUAL_ADDRESS, &input, sizeof(input), &t->output,
			      sizeof(t->output));
}

/* Returns the result code of the translation; the hypercall must succeed. */
static uint32_t translate(const void *address, uint64_t flags, uint64_t *gpa_page)
{
	struct translation t = {HV_VP_INDEX_SELF, flags, address, {0}, 0};

	vtl_run(translate_in_vtl1, &t);
	expect_equal(t.status, HV_STATUS_SUCCESS);
	*gpa_page = t.output.gpa_page;
	return (uint32_t)(t.output.result & HV_TRANSLATE_GVA_RESULT_CODE_MASK);
}

static void mapping_is_found(void)
{
	uint8_t *page = memory_pages(2);
	uint64_t *entry = paging_entry(read_cr3(), page);
	const uint64_t before = *entry;
	uint64_t gpa_page;

	expect_equal(translate(page, HV_TRANSLATE_GVA_VALIDATE_READ, &gpa_page),
		     HV_TRANSLATE_GVA_SUCCESS);
	expect_equal(gpa_page, (uint64_t)page >> HV_PAGE_SHIFT);
	/* VTL0's page tables now map another page there than VTL1's. */
	*entry = ((uint64_t)page + PAGE_SIZE) | PTE_PRESENT | PTE_WRITABLE;
	invlpg(page);
	expect_equal(translate(page, HV_TRANSLATE_GVA_VALIDATE_WRITE, &gpa_page),
		     HV_TRANSLATE_GVA_SUCCESS);
	expect_equal(gpa_page, ((uint64_t)page + PAGE_SIZE) >> HV_PAGE_SHIFT);
	*entry &= ~PTE_WRITABLE;
	expect_equal(translate(page, HV_TRANSLATE_GVA_VALIDATE_WRITE, &gpa_page),
		     HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION);
	*entry &= ~PTE_PRESENT;
	expect_equal(translate(page, HV_TRANSLATE_GVA_VALIDATE_READ, &gpa_page),
		     HV_TRANSLATE_GVA_PAGE_NOT_PRESENT);
	*entry = before;
	invlpg(page);
}

static void bits_are_set_on_request(void)
{
	uint8_t *page = memory_pages(1);
	uint64_t *entry = paging_entry(read_cr3(), page);
	uint64_t gpa_page;

	*entry &= ~(PTE_ACCESSED | PTE_DIRTY);
	invlpg(page);
	expect_equal(translate(page, HV_TRANSLATE_GVA_VALIDATE_WRITE, &gpa_page),
		     HV_TRANSLATE_GVA_SUCCESS);
	expect_equal(*entry & (PTE_ACCESSED | PTE_DIRTY), 0);
	expect_equal(
		translate(page,
			  HV_TRANSLATE_GVA_VALIDATE_READ | HV_TRANSLATE_GVA_SET_PAGE_TABLE_BITS,
			  &gpa_page),
		HV_TRANSLATE_GVA_SUCCESS);
	expect_equal(*entry & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED);
	expect_equal(
		translate(page,
			  HV_TRANSLATE_GVA_VALIDATE_WRITE | HV_TRANSLATE_GVA_SET_PAGE_TABLE_BITS,
			  &gpa_page),
		HV_TRANSLATE_GVA_SUCCESS);
	expect_equal(*entry & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED | PTE_DIRTY);
}

static void bad_calls_are_refused(void)
{
	struct translation t = {HV_VP_INDEX_SELF, 0, NULL, {0}, 0};

	vtl_run(translate_in_vtl1, &t);
	expect_equal(t.status, HV_STATUS_INVALID_PARAMETER);
	t.flags = HV_TRANSLATE_GVA_VALIDATE_READ | 1ull << 20;
	vtl_run(translate_in_vtl1, &t);
	expect_equal(t.status, HV_STATUS_INVALID_PARAMETER);
	t.flags = HV_TRANSLATE_GVA_VALIDATE_READ;
	t.vp = smp_count + 10;
	vtl_run(translate_in_vtl1, &t);
	expect_equal(t.status, HV_STATUS_INVALID_VP_INDEX);
	t.vp = HV_VP_INDEX_SELF;
	translate_in_vtl1(&t);
	expect(t.status != HV_STATUS_SUCCESS);
}

struct flush {
	volatile uint32_t started, done;
	uint16_t status;
};

static void flush_all(void *argument)
{
	struct flush *flush = argument;
	const struct hv_flush_virtual_address_input input = {
		.flags = HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES};

	flush->started = 1;
	flush->status =
		hypercall(HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, &input, sizeof(input), NULL, 0);
	__atomic_store_n(&flush->done, 1, __ATOMIC_RELEASE);
}

struct locking {
	struct flush flush;
	bool by_translation;
	uint32_t early;
};

static void lock_and_hold(void *argument)
{
	struct locking *locking = argument;
	struct translation t = {HV_VP_INDEX_SELF,
				HV_TRANSLATE_GVA_VALIDATE_READ | HV_TRANSLATE_GVA_TLB_FLUSH_INHIBIT,
				locking,
				{0},
				0};

	if (locking->by_translation) {
		translate_in_vtl1(&t);
		expect_equal(t.status, HV_STATUS_SUCCESS);
	} else {
		expect_equal(register_set_u64(HV_VP_INDEX_SELF, 0,
					      HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0,
					      HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED),
			     HV_STATUS_SUCCESS);
	}
	/* A flush by VTL0 of another VP must wait until this VP drops its lock. */
	__atomic_store_n(&locking->early, 2, __ATOMIC_RELEASE);
	expect(wait_for(locking->flush.started));
	time_delay_ms(20);
	locking->early = locking->flush.done;
}

static void flush_when_locked(void *argument)
{
	struct locking *locking = argument;

	expect(wait_for(__atomic_load_n(&locking->early, __ATOMIC_ACQUIRE) == 2));
	flush_all(&locking->flush);
}

static void flush_waits(bool by_translation)
{
	struct locking locking = {{0, 0, 0}, by_translation, 0};

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	smp_begin(1, flush_when_locked, &locking);
	vtl_run(lock_and_hold, &locking);
	expect_equal(locking.early, 0);
	smp_end(1);
	expect_equal(locking.flush.done, 1);
	expect_equal(locking.flush.status, HV_STATUS_SUCCESS);
}

static void locked_by_register(void)
{
	flush_waits(false);
}

static void locked_by_translation(void)
{
	flush_waits(true);
}

static void own_flush_in_vtl1(void *argument)
{
	struct flush *flush = argument;

	expect_equal(register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0,
				      HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED),
		     HV_STATUS_SUCCESS);
	expect(register_own(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0) &
	       HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED);
	flush_all(flush);
}

static void look_at_lock(void *argument)
{
	*(uint64_t *)argument = register_own(HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0);
}

static void lock_is_dropped_at_return(void)
{
	struct flush flush = {0, 0, 0xffff};
	uint64_t config = ~0ull;

	vtl_run(own_flush_in_vtl1, &flush);
	expect_equal(flush.status, HV_STATUS_SUCCESS);
	vtl_run(look_at_lock, &config);
	expect_equal(config & HV_VSM_VP_SECURE_CONFIG_TLB_LOCKED, 0);
}

static const struct tap_case cases[] = {
	{"VTL1 can translate by VTL0's page tables", mapping_is_found},
	{"accessed and dirty bits are set on request", bits_are_set_on_request},
	{"unknown flags, VPs and VTLs are refused", bad_calls_are_refused},
	{"a flush by VTL0 waits for a TLB lock that VTL1 holds", locked_by_register},
	{"a translation takes the TLB lock on request", locked_by_translation},
	{"a TLB lock is dropped at VTL return, and does not delay VTL1 itself (P09)",
	 lock_is_dropped_at_return},
};

TAP_TOPIC(topic_translate, needs_vtl1, cases);
