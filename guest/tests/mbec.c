/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Separate rights for user and kernel execution (TLFS "Mode Based Execution Control"). Needs its
 * own run, since MBEC is chosen when VTL1 is enabled.
 */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/x64.h"
#include "ops.h"

#define R   HV_MAP_GPA_READABLE
#define RW  (HV_MAP_GPA_READABLE | HV_MAP_GPA_WRITABLE)
#define KX  HV_MAP_GPA_KERNEL_EXECUTABLE
#define UX  HV_MAP_GPA_USER_EXECUTABLE
#define RX  (R | KX | UX)
#define RUX (R | UX)

#define USER_CODE 0x100 /* offset in a page: mov $7, %eax; ud2 */
#define USER_LOOP 0x200 /* a loop of lock incq (%rdi) */
#define USER_END  0x300 /* ud2 */
#define ROUNDS	  20

typedef uint64_t code_function(void);

static uint8_t *page;	 /* the page whose rights change */
static uint8_t *allowed; /* a page with the same code that VTL1 never restricts */

/* Makes a page accessible to CPL 3 or not; CPL 0 cannot execute a page of CPL 3, due to SMEP. */
static void set_user(const uint8_t *at, bool user)
{
	uint64_t *entry = paging_entry(read_cr3(), at);

	*entry = user ? *entry | PTE_USER : *entry & ~PTE_USER;
	flush_tlb();
}

static void set_smep(bool on)
{
	write_cr4(on ? read_cr4() | CR4_SMEP : read_cr4() & ~CR4_SMEP);
}

static uint8_t *code_page(void)
{
	static const uint8_t user[] = {0xb8, 7, 0, 0, 0, 0x0f, 0x0b};
	static const uint8_t loop[] = {0xf0, 0x48, 0xff, 0x07, 0xeb, 0xfa};
	static const uint8_t end[] = {0x0f, 0x0b};
	uint8_t *at = memory_pages(1);

	memcpy(at, op_code, (size_t)(op_code_end - op_code));
	memcpy(at + USER_CODE, user, sizeof(user));
	memcpy(at + USER_LOOP, loop, sizeof(loop));
	memcpy(at + USER_END, end, sizeof(end));
	return at;
}

static void set_mbec(void *argument)
{
	uint64_t *value = argument;

	*value = register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0,
				  *value ? HV_VSM_VP_SECURE_CONFIG_MBEC_ENABLED : 0);
}

/* Enables or disables MBEC for VTL0 on this VP. */
static void mbec(bool on)
{
	uint64_t value = on;

	vtl_run(set_mbec, &value);
	expect_equal(value, HV_STATUS_SUCCESS);
}

static void prepare_vp(void *argument)
{
	set_smep(true);
	mbec(true);
}

static void begin(void)
{
	if (!page) {
		page = code_page();
		allowed = code_page();
		set_user(allowed, true);
	}
	set_user(page, false);
	smp_run_all(prepare_vp, NULL);
	expect_equal(protect(page, VTL_PROTECT_ALL), HV_STATUS_SUCCESS);
}

/* Continues VTL0 in `allowed` after an intercept at `page`. */
static void go_elsewhere(struct vtl_service *service, const struct hv_message *message)
{
	vtl_set_lower_rip((uint64_t)allowed + USER_END);
}

/* Returns the RIP of the exception as an offset in the page. */
static uint64_t run_user(uint8_t *at, volatile uint64_t *counter)
{
	const struct fault fault = cpu_run_user(at, (uint64_t)counter);

	expect_equal(fault.vector, VECTOR_UD);
	return fault.rip - ((uint64_t)at & ~(uint64_t)(PAGE_SIZE - 1));
}

static void expect_access(const uint8_t *at)
{
	const struct hv_x64_memory_intercept_message *memory =
		(const void *)last_intercept()->payload;

	expect_equal(memory->header.access_type, HV_INTERCEPT_ACCESS_EXECUTE);
	expect_equal(memory->header.rip, (uint64_t)at);
	expect_equal(memory->guest_physical_address & ~(uint64_t)(PAGE_SIZE - 1), (uint64_t)page);
}

static void user(bool runs)
{
	const uint32_t count = intercepts();

	set_user(page, true);
	on_intercept(go_elsewhere, NULL);
	if (runs)
		expect_equal(run_user(page + USER_CODE, NULL), USER_CODE + 5);
	else
		expect_equal(cpu_run_user(page + USER_CODE, 0).rip, (uint64_t)allowed + USER_END);
	on_intercept(NULL, NULL);
	set_user(page, false);
	if (expect_equal(intercepts(), count + !runs) && !runs)
		expect_access(page + USER_CODE);
}

static void kernel(bool runs, uint32_t flags)
{
	const uint32_t count = intercepts();

	on_intercept(vtl_allow, NULL);
	expect_equal(((code_function *)(uintptr_t)page)(), 7);
	on_intercept(NULL, NULL);
	if (expect_equal(intercepts(), count + !runs) && !runs)
		expect_access(page);
	expect_equal(protect(page, flags), HV_STATUS_SUCCESS);
}

/* shows: rule protect-flags-mbec */
static void each_right(void)
{
	static const struct {
		uint32_t flags;
		bool user, kernel;
	} rows[] = {{RX, true, true},	{RUX, true, false},	{R, false, false},
		    {RW, false, false}, {RW | UX, true, false}, {0, false, false}};

	begin();
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_equal(protect(page, rows[i].flags), HV_STATUS_SUCCESS);
		user(rows[i].user);
		kernel(rows[i].kernel, rows[i].flags);
		user(rows[i].user);
	}
}

/* TLFS "HV_MAP_GPA_FLAGS": kernel execute without user execute is not valid. */
static void kernel_alone(void)
{
	begin();
	expect_equal(protect(page, RUX), HV_STATUS_SUCCESS);
	expect_equal(protect(page, R | KX), HV_STATUS_INVALID_PARAMETER);
	expect_equal(protect(page, RW | KX), HV_STATUS_INVALID_PARAMETER);
	user(true);
	kernel(false, RUX);
}

/* shows: rule mbec-smep */
static void without_smep(void)
{
	begin();
	expect_equal(protect(page, RUX), HV_STATUS_SUCCESS);
	set_smep(false);
	user(false);
	set_smep(true);
	user(true);
}

/* shows: rule mbec-vp, status-mbec */
static void status_and_setting(void)
{
	begin();
	expect_equal(register_own(HV_REGISTER_VSM_PARTITION_STATUS) >>
				     HV_VSM_PARTITION_STATUS_MBEC_ENABLED_VTL_SET_SHIFT &
			     0xffff,
		     3);
	expect(register_own(HV_REGISTER_VSM_VP_STATUS) & HV_VSM_VP_STATUS_ACTIVE_MBEC_ENABLED);
	expect_equal(protect(page, RUX), HV_STATUS_SUCCESS);
	mbec(false);
	expect(!(register_own(HV_REGISTER_VSM_VP_STATUS) & HV_VSM_VP_STATUS_ACTIVE_MBEC_ENABLED));
	user(false);
	expect_equal(protect(page, RX), HV_STATUS_SUCCESS);
	user(true);
	expect_equal(protect(page, RUX), HV_STATUS_SUCCESS);
	mbec(true);
	user(true);
}

static void user_on_other(void *argument)
{
	mbec(false);
	user(false);
	mbec(true);
	user(true);
}

/* shows: rule mbec-vp */
static void each_vp(void)
{
	if (smp_count < 2) {
		tap_skip("this machine has one VP");
		return;
	}
	begin();
	expect_equal(protect(page, RUX), HV_STATUS_SUCCESS);
	smp_run(1, user_on_other, NULL);
	mbec(false);
	smp_run(1, user_on_other, NULL);
	user(false);
}

static volatile uint64_t *counter;

static void loop(void *argument)
{
	flush_tlb();
	on_intercept(go_elsewhere, NULL);
	expect_equal(cpu_run_user(page + USER_LOOP, (uint64_t)counter).rip,
		     (uint64_t)allowed + USER_END);
	on_intercept(NULL, NULL);
}

/* Returns false at a time-out. */
static bool moves(uint64_t from)
{
	for (uint32_t i = 0; i < 100000000; i++) {
		if (*counter != from)
			return true;
		pause();
	}
	return false;
}

static void under_a_running_vp(void)
{
	if (smp_count < 2) {
		tap_skip("this machine has one VP");
		return;
	}
	begin();
	if (!counter) {
		counter = memory_pages(1);
		set_user((const uint8_t *)(uintptr_t)counter, true);
	}
	set_user(page, true);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		const uint64_t before = *counter;
		uint64_t stopped;

		expect_equal(protect(page, RUX), HV_STATUS_SUCCESS);
		smp_begin(1, loop, NULL);
		if (!expect(moves(before)))
			return;
		expect_equal(protect(page, i % 2 ? R : 0), HV_STATUS_SUCCESS);
		stopped = *counter;
		for (uint32_t k = 0; k < 1000; k++)
			pause();
		expect_equal(*counter, stopped);
		smp_end(1);
	}
	set_user(page, false);
}

static const char *prepare(void)
{
	const char *reason = needs_vsm();

	if (reason)
		return reason;
	if (vtl_service_of[0][1])
		return "VTL1 is enabled already: test=mbec needs its own run";
	if (!(register_own(HV_REGISTER_VSM_CAPABILITIES) & HV_VSM_CAPABILITY_MBEC_VTL_MASK))
		return "VsmCapabilities offers no MBEC";
	return needs_vtl1_with(HV_ENABLE_PARTITION_VTL_MBEC);
}

static const struct tap_case cases[] = {
	{"user and kernel execution have separate rights", each_right},
	{"kernel execute without user execute is refused, and changes nothing", kernel_alone},
	{"without SMEP kernel execute governs user mode as well", without_smep},
	{"MbecEnabled of the VP decides whether user execute counts", status_and_setting},
	{"each VP has its own MbecEnabled", each_vp},
	{"a change is in force on a VP that is executing", under_a_running_vp},
};

TAP_TOPIC(topic_mbec, prepare, cases);
