/* SPDX-License-Identifier: BSD-2-Clause */
/* A reset of the partition (TLFS "Partition reset"). The test runs only if it is named, since it restarts the
 * machine; a byte of the CMOS RAM marks the second start. */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/console.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/options.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#define CMOS_INDEX  0x70
#define CMOS_DATA   0x71
#define CMOS_MARK   0x7e /* a byte of the CMOS RAM with no other use */
#define MARK	    0x5a
#define PAGES	    256u
#define SECRET_HALF 0x73656372u

static uint8_t cmos_read(void)
{
	outb(CMOS_INDEX, CMOS_MARK);
	return inb(CMOS_DATA);
}

static void cmos_write(uint8_t value)
{
	outb(CMOS_INDEX, CMOS_MARK);
	outb(CMOS_DATA, value);
}

/* The value is computed at run time, so that the image has no copy. */
static uint64_t secret(void)
{
	volatile uint64_t half = SECRET_HALF;

	return half << 32 | (~half & 0xffffffff);
}

static void fill_and_protect(void *argument)
{
	uint64_t *words = argument;

	for (uint32_t i = 0; i < PAGES * PAGE_SIZE / 8; i++)
		words[i] = secret();
	expect_equal(vtl_protect((uint64_t)words, PAGES, 0), HV_STATUS_SUCCESS);
	expect_equal(vtl_protect((uint64_t)memory_pages(1), 1,
				 HV_MAP_GPA_READABLE | HV_MAP_GPA_EXECUTABLE),
		     HV_STATUS_SUCCESS);
}

/* Fills memory of VTL1 with a secret, then resets the machine. Returns the reason if it cannot do so. */
static const char *first_start(void)
{
	const char *reason = needs_vtl1();

	if (reason)
		return reason;
	if (!(hypercall_privileges() & HV_PRIVILEGE(ACCESS_RESET_REG)))
		return "the reset MSR is not offered";
	cmos_write(MARK);
	if (cmos_read() != MARK)
		return "no CMOS RAM to mark the start";
	vtl_run(fill_and_protect, memory_pages(PAGES));
	wrmsr(HV_X64_MSR_SIMP, (uint64_t)memory_pages(1) | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_X64_MSR_SCONTROL, HV_SYNIC_SCONTROL_ENABLE);
	wrmsr(HV_X64_MSR_SINT2, 0x66);
	print("# reset\n");
	wrmsr(HV_X64_MSR_RESET, HV_X64_MSR_RESET_INITIATE);
	time_delay_ms(TIME_LIMIT_MS);
	cmos_write(0);
	expect(!"the machine is reset");
	return NULL;
}

static const char *prepare(void)
{
	const char *reason;

	if (!option_has("test", "reset"))
		return "restarts the machine: runs only if named, test=reset";
	reason = needs_vsm();
	if (reason)
		return reason;
	if (vtl_service_of[0][1])
		return "other topics have enabled VTL1: run only test=reset";
	if (cmos_read() != MARK)
		return first_start();
	cmos_write(0);
	return NULL;
}

static void nothing_is_left(void)
{
	const uint64_t end = (uint64_t)memory_pages(0) + memory_left();
	uint64_t found = 0;

	for (const uint64_t *at = memory_pages(0); at < (const uint64_t *)end; at++)
		found += *at == secret();
	expect_equal(found, 0);
}

static void all_is_writable(void)
{
	const uint64_t end = (uint64_t)memory_pages(0) + memory_left();

	for (uint64_t at = (uint64_t)memory_pages(0); at < end; at += PAGE_SIZE)
		if (!expect_equal(try_write((uint8_t *)at, 1), -1))
			break;
}

static void only_vtl0_is_there(void)
{
	expect_equal(register_own(HV_REGISTER_VSM_PARTITION_STATUS) &
			     HV_VSM_PARTITION_STATUS_ENABLED_VTL_SET_MASK,
		     1);
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		union hv_register_value value = {{0}};

		expect_equal(register_get(vp, 0, HV_REGISTER_VSM_VP_STATUS, &value),
			     HV_STATUS_SUCCESS);
		expect_equal(value.reg64, 1ull << HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT);
	}
}

static void synic_is_at_reset(void)
{
	expect_equal(rdmsr(HV_X64_MSR_SIMP), 0);
	expect_equal(rdmsr(HV_X64_MSR_SINT2), HV_SYNIC_SINT_RESET);
	expect_equal(rdmsr(HV_X64_MSR_VP_ASSIST_PAGE), 0);
	expect_equal(rdmsr(HV_X64_MSR_REFERENCE_TSC), 0);
}

static void vtl1_comes_again(void)
{
	const char *reason = needs_vtl1();

	expect(!reason);
}

static const struct tap_case cases[] = {
	{"after a reset RAM has no data of VTL1 (P25)", nothing_is_left},
	{"a reset removes all protections (P25)", all_is_writable},
	{"after a reset only VTL0 is enabled, on every VP (P25)", only_vtl0_is_there},
	{"a reset resets SynIC and overlays (P25)", synic_is_at_reset},
	{"after a reset VTL1 can be enabled again", vtl1_comes_again},
};

TAP_TOPIC(topic_reset, prepare, cases);
