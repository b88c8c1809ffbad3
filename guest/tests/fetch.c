/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/x64.h"
#include "ops.h"

typedef uint64_t code_function(void);

static uint8_t *code_at(uint32_t offset)
{
	uint8_t *pages = memory_pages(2);

	memcpy(pages + offset, op_code, (size_t)(op_code_end - op_code));
	return pages;
}

static uint64_t run(const uint8_t *at)
{
	return ((code_function *)(uintptr_t)at)();
}

static void fetch_is_stopped(const uint8_t *denied_page, const uint8_t *entry, uint64_t gpa,
			     uint32_t flags)
{
	const uint32_t count = intercepts();
	const struct hv_x64_memory_intercept_message *memory;

	if (!expect_equal(protect(denied_page, flags), HV_STATUS_SUCCESS))
		return;
	on_intercept(vtl_allow, NULL);
	expect_equal(run(entry), 7);
	on_intercept(NULL, NULL);
	expect_equal(intercepts(), count + 1);
	memory = (const void *)last_intercept()->payload;
	expect_equal(memory->header.access_type, HV_INTERCEPT_ACCESS_EXECUTE);
	expect_equal(memory->header.rip, (uint64_t)entry);
	expect_equal(memory->guest_physical_address & ~4095ull, gpa & ~4095ull);
}

static void without_access(void)
{
	uint8_t *pages = code_at(0x123);

	fetch_is_stopped(pages, pages + 0x123, (uint64_t)pages, 0);
}

static void across_pages(void)
{
	uint8_t *pages = code_at(PAGE_SIZE - 2);

	fetch_is_stopped(pages + PAGE_SIZE, pages + PAGE_SIZE - 2, (uint64_t)pages + PAGE_SIZE, 0);
}

static void no_execute(void)
{
	uint8_t *pages = code_at(0);
	const uint16_t status = protect(pages, HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE);

	if (status == HV_STATUS_OPERATION_DENIED) {
		/* A refused protection must change nothing. */
		expect_equal(run(pages), 7);
		tap_skip("this host cannot deny execution alone: OPERATION_DENIED");
		return;
	}
	if (!expect_equal(status, HV_STATUS_SUCCESS))
		return;
	pages[0x800] = pages[0];
	fetch_is_stopped(pages, pages, (uint64_t)pages, HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE);
}

static void set_secure_config(void *argument)
{
	*(uint16_t *)argument =
		register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0,
				 HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED);
}

/* TLFS "Mode Based Execution Control": VTL1 was enabled without it. */
static void one_execute_right(void)
{
	uint8_t *pages = code_at(0);
	uint16_t status = HV_STATUS_SUCCESS;

	vtl_run(set_secure_config, &status);
	expect_equal(status, HV_STATUS_INVALID_REGISTER_VALUE);
	expect_equal(protect(pages, HV_MAP_GPA_READABLE | HV_MAP_GPA_USER_EXECUTABLE),
		     HV_STATUS_INVALID_PARAMETER);
	expect_equal(protect(pages, HV_MAP_GPA_READABLE | HV_MAP_GPA_KERNEL_EXECUTABLE),
		     HV_STATUS_INVALID_PARAMETER);
	expect_equal(run(pages), 7);
}

static void enable_vtl2_with_mbec(void *argument)
{
	*(uint16_t *)argument = vtl_enable_partition(2, HV_ENABLE_PARTITION_VTL_MBEC);
}

static void mbec_where_it_is_offered(void)
{
	const uint64_t mask =
		register_own(HV_REGISTER_VSM_CAPABILITIES) & HV_VSM_CAPABILITY_MBEC_VTL_MASK;

	if (!mask) {
		uint16_t status = 0;

		vtl_run(enable_vtl2_with_mbec, &status);
		expect_equal(status, HV_STATUS_INVALID_PARAMETER);
		tap_skip("VsmCapabilities offers no MBEC");
		return;
	}
	expect_equal(register_own(HV_REGISTER_VSM_PARTITION_STATUS) &
			     HV_VSM_PARTITION_STATUS_MBEC_ENABLED_VTL_SET_MASK,
		     0);
}

static void code_is_not_written(void)
{
	uint8_t *pages = code_at(0);
	const uint32_t count = intercepts();

	expect_equal(protect(pages, HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE),
		     HV_STATUS_SUCCESS);
	expect_equal(run(pages), 7);
	expect_equal(intercepts(), count);
	on_intercept(vtl_inject_gp, NULL);
	expect_equal(try_write(pages + 1, 8), VECTOR_GP);
	on_intercept(NULL, NULL);
	expect_equal(run(pages), 7);
	expect_equal(protect(pages, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
	expect_equal(try_write(pages + 1, 8), -1);
	expect_equal(run(pages), 8);
}

static const struct tap_case cases[] = {
	{"a page without access stops the fetch at its first instruction", without_access},
	{"an instruction that crosses into a page without access is stopped", across_pages},
	{"a page that may be read and written but not executed stops the fetch", no_execute},
	{"without MBEC user and kernel execution cannot differ", one_execute_right},
	{"MBEC is not enabled for any VTL, and cannot be if it is not offered",
	 mbec_where_it_is_offered},
	{"code in a page without write access runs, and cannot be changed", code_is_not_written},
};

TAP_TOPIC(topic_fetch, needs_vtl1, cases);
