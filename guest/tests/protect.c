/* SPDX-License-Identifier: BSD-2-Clause */
/* Protections against data accesses of every kind (TLFS "Memory Access Protections"). */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/x64.h"
#include "ops.h"

#define READ_EXECUTE (HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE)

static uint8_t *page; /* the second of three pages */
static uint8_t other[128];

static void fill(void)
{
	if (!page)
		page = (uint8_t *)memory_pages(3) + PAGE_SIZE;
	for (uint32_t i = 0; i < PAGE_SIZE; i++)
		page[i] = (uint8_t)(i * 7 + 1);
}

/* The state of the page before the handler permitted the access. */
struct before {
	vtl_intercept *then;
	uint32_t intact;
};

static void look_then(struct vtl_service *service, const struct hv_message *message)
{
	struct before *before = service->intercept_argument;

	before->intact = 1;
	for (uint32_t i = 0; i < PAGE_SIZE; i++)
		if (page[i] != (uint8_t)(i * 7 + 1))
			before->intact = 0;
	before->then(service, message);
}

static void denied(const struct op *op, uint32_t flags)
{
	struct before before = {vtl_allow, 0};
	const bool by_read = op->reads && !(flags & HV_MAP_GPA_READABLE);
	const uint32_t count = intercepts();

	fill();
	if (!expect_equal(protect(page, flags), HV_STATUS_SUCCESS))
		return;
	on_intercept(look_then, &before);
	op->run((uint64_t)page, (uint64_t)other);
	on_intercept(NULL, NULL);
	if (!expect_equal(intercepts(), count + 1)) {
		print("#   at %s\n", op->name);
		return;
	}
	/* If both the read and the write of an instruction are denied, the intercept may report either. */
	{
		const struct hv_x64_intercept_message_header *header =
			(const void *)last_intercept()->payload;
		uint8_t access = by_read && !op->writes ? HV_INTERCEPT_ACCESS_READ
							: HV_INTERCEPT_ACCESS_WRITE;

		if (by_read && op->writes && header->access_type == HV_INTERCEPT_ACCESS_READ)
			access = HV_INTERCEPT_ACCESS_READ;
		if (!check_header(last_intercept(), HV_MESSAGE_TYPE_GPA_INTERCEPT, op->at, op->end,
				  access))
			print("#   at %s\n", op->name);
	}
	check_address(last_intercept(), (uint64_t)page + op->offset);
	expect(before.intact);
}

static void writes_are_denied(void)
{
	for (uint32_t i = 0; i < ops_count; i++)
		if (ops[i].writes)
			denied(&ops[i], READ_EXECUTE);
}

static void all_is_denied(void)
{
	for (uint32_t i = 0; i < ops_count; i++)
		denied(&ops[i], 0);
}

static void reads_go_on(void)
{
	const uint32_t count = intercepts();

	fill();
	expect_equal(protect(page, READ_EXECUTE), HV_STATUS_SUCCESS);
	for (uint32_t i = 0; i < ops_count; i++)
		if (!ops[i].writes)
			ops[i].run((uint64_t)page, (uint64_t)other);
	expect_equal(op_load8((uint64_t)page + 5, 0), 36);
	page[-1] = 1;
	page[PAGE_SIZE] = 1;
	expect_equal(intercepts(), count);
	expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

static void crossing(const struct op *op, uint64_t target, uint32_t flags, uint64_t denied_at)
{
	const uint32_t count = intercepts();

	fill();
	expect_equal(protect(page, flags), HV_STATUS_SUCCESS);
	on_intercept(vtl_allow, NULL);
	op->run(target, (uint64_t)other);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 1);
	check_address(last_intercept(), denied_at);
}

static void crossing_is_denied(void)
{
	static const struct op store = OP(store64, 0, false, true);
	static const struct op load = OP(load64, 0, true, false);
	uint64_t value;

	/* The access begins in the page before `page`, or ends in the page behind it. */
	crossing(&load, (uint64_t)page - 3, 0, (uint64_t)page);
	crossing(&load, (uint64_t)page + PAGE_SIZE - 3, 0, (uint64_t)page + PAGE_SIZE - 3);
	crossing(&store, (uint64_t)page - 3, READ_EXECUTE, (uint64_t)page);
	memcpy(&value, page - 3, sizeof(value));
	expect_equal(value, 2);
	crossing(&store, (uint64_t)page + PAGE_SIZE - 3, READ_EXECUTE,
		 (uint64_t)page + PAGE_SIZE - 3);
	memcpy(&value, page + PAGE_SIZE - 3, sizeof(value));
	expect_equal(value, 2);
}

static void skipped_access_has_no_effect(void)
{
	const uint32_t count = intercepts();

	fill();
	expect_equal(protect(page, READ_EXECUTE), HV_STATUS_SUCCESS);
	on_intercept(vtl_skip, NULL);
	op_store64((uint64_t)page, 0);
	if (((const struct hv_x64_intercept_message_header *)(const void *)last_intercept()
		     ->payload)
		    ->instruction_length_cr8 == 0) {
		on_intercept(NULL, NULL);
		tap_skip("this hypervisor reports no instruction lengths");
		return;
	}
	op_lock_inc((uint64_t)page, 0);
	op_rep_stosq((uint64_t)page, 0);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 3);
	for (uint32_t i = 0; i < PAGE_SIZE; i++)
		if (!expect_equal(page[i], (uint8_t)(i * 7 + 1)))
			break;
	expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

static void store(void *argument)
{
	op_store64((uint64_t)argument, 0);
}

static void injected_gp_arrives(void)
{
	struct fault fault;

	fill();
	expect_equal(protect(page, READ_EXECUTE), HV_STATUS_SUCCESS);
	on_intercept(vtl_inject_gp, NULL);
	expect(catch_fault(&fault, store, page));
	on_intercept(NULL, NULL);
	expect_equal(fault.vector, VECTOR_GP);
	expect_equal(fault.error, 0);
	expect_equal(fault.rip, (uint64_t)op_store64_at);
	expect_equal(page[0], 1);
	expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

static void rep_string_stops_in_the_middle(void)
{
	const uint32_t count = intercepts();
	const struct hv_x64_memory_intercept_message *memory;

	fill();
	expect_equal(protect(page, READ_EXECUTE), HV_STATUS_SUCCESS);
	memset(other, 0x5a, sizeof(other));
	memset(page - 32, 0, 32);
	on_intercept(vtl_allow, NULL);
	op_rep_movsb((uint64_t)page - 32, (uint64_t)other);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 1);
	memory = (const void *)last_intercept()->payload;
	check_header(last_intercept(), HV_MESSAGE_TYPE_GPA_INTERCEPT, op_rep_movsb_at,
		     op_rep_movsb_end, HV_INTERCEPT_ACCESS_WRITE);
	check_address(last_intercept(), (uint64_t)page);
	if (last_intercept()->payload_size >= sizeof(*memory)) {
		expect_equal(memory->rcx, 32);
		expect_equal(memory->rdi, (uint64_t)page);
	}
	for (uint32_t i = 0; i < 64; i++)
		expect_equal(page[(int32_t)i - 32], 0x5a);
	expect_equal(page[32], (uint8_t)(32 * 7 + 1));
}

static void vtl1_is_not_restricted(void *argument)
{
	uint8_t *mine = argument;

	expect_equal(vtl_protect((uint64_t)mine, 1, 0), HV_STATUS_SUCCESS);
	expect_equal(try_write(mine, 99), -1);
	expect_equal(mine[0], 99);
	expect_equal(vtl_protect((uint64_t)mine, 1, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

static void owner_is_free(void)
{
	fill();
	vtl_run(vtl1_is_not_restricted, page);
	expect_equal(page[0], 99);
}

struct many {
	uint8_t *first;
	uint64_t pages;
	uint32_t flags;
};

static void protect_many(void *argument)
{
	const struct many *many = argument;

	expect_equal(vtl_protect((uint64_t)many->first, many->pages, many->flags),
		     HV_STATUS_SUCCESS);
}

static void long_lists_are_done_whole(void)
{
	struct many many = {NULL, 1200, READ_EXECUTE};
	const uint32_t count = intercepts();

	many.first = memory_pages(many.pages);
	vtl_run(protect_many, &many);
	on_intercept(vtl_allow, NULL);
	for (uint64_t i = 0; i < many.pages; i += 40)
		many.first[i * PAGE_SIZE] = 1;
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 30);
	many.flags = VTL_PROTECT_ALL;
	vtl_run(protect_many, &many);
	for (uint64_t i = 0; i < many.pages; i++)
		many.first[i * PAGE_SIZE] = 2;
	expect_equal(intercepts(), count + 30);
}

static void bad_pages(void *argument)
{
	uint16_t status = vtl_protect(0x00f0000000000000, 1, 0);

	expect(status != HV_STATUS_SUCCESS);
	expect(vtl_protect((uint64_t)page, 1, 0x8000000f) != HV_STATUS_SUCCESS);
}

static void what_is_not_ram_is_refused(void)
{
	fill();
	vtl_run(bad_pages, NULL);
	page[0] = 1;
}

static void touch(void *argument)
{
	uint8_t *at = argument;
	const uint32_t count = intercepts();

	on_intercept(vtl_allow, NULL);
	op_store64((uint64_t)at, 0);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 1);
}

static void every_vp_is_restricted(void)
{
	fill();
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		expect_equal(protect(page, READ_EXECUTE), HV_STATUS_SUCCESS);
		smp_run(vp, touch, page);
	}
}

static const struct tap_case cases[] = {
	{"a page without write access stops every kind of write, before it has an effect",
	 writes_are_denied},
	{"a page without access stops every kind of access", all_is_denied},
	{"reads of a readable page cause no intercept", reads_go_on},
	{"an access that crosses into or out of the page is stopped", crossing_is_denied},
	{"VTL1 may skip the access, which then has no effect", skipped_access_has_no_effect},
	{"a fault that VTL1 injects arrives at the instruction", injected_gp_arrives},
	{"a rep string stops at the page, and continues from there",
	 rep_string_stops_in_the_middle},
	{"the VTL that protects is not restricted", owner_is_free},
	{"lists longer than a page are processed completely (P27)", long_lists_are_done_whole},
	{"GPAs without RAM, and flags of other calls, are refused", what_is_not_ram_is_refused},
	{"a protection holds on every VP", every_vp_is_restricted},
};

TAP_TOPIC(topic_protect, needs_vtl1, cases);
