/* SPDX-License-Identifier: BSD-2-Clause */
#include <vsm/hv/hv.h>

#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/vtl.h"

#include "client.h"
#include "kit/secure/loader.h"
#include "topics.h"

static const char *needs_vsm(void)
{
	if (!hypercall_offered())
		return "no VSM offered: this is no hypervisor with the Hyper-V interface";
	if ((hypercall_privileges() & HV_PRIVILEGES_FOR_VSM) != HV_PRIVILEGES_FOR_VSM)
		return "no VSM offered: CPUID 0x40000003 lacks a privilege that it needs";
	hypercall_enable();
	return NULL;
}

static void damaged_images_are_rejected(void)
{
	const uint64_t size = (uint64_t)(secure_image_end - secure_image);
	struct secure_kernel_header header;

	memcpy(&header, secure_image, sizeof(header));
	expect(!secure_kernel_image_fault(&header, header.file_size));
	expect(secure_kernel_image_fault(secure_image, size - 1));
	expect(secure_kernel_image_fault(secure_image, size + 1));
	expect(secure_kernel_image_fault(secure_image, 8));
	header.magic ^= 1;
	expect(secure_kernel_image_fault(&header, header.file_size));
	header.magic ^= 1;
	header.version++;
	expect(secure_kernel_image_fault(&header, header.file_size));
	header.version--;
	header.memory_size = SECURE_KERNEL_REGION;
	expect(secure_kernel_image_fault(&header, header.file_size));
	header.memory_size = header.file_size;
	header.entry = header.file_size;
	expect(secure_kernel_image_fault(&header, header.file_size));
}

/* Whether there are more VPs than CPU_MAX: the secure kernel starts, and refuses every request. */
static bool is_crowded(void)
{
	union hv_register_value value;

	return register_get(CPU_MAX, 0, HV_REGISTER_VSM_VP_STATUS, &value) == HV_STATUS_SUCCESS;
}

static enum secure_kernel_status unless_crowded(enum secure_kernel_status status)
{
	return is_crowded() ? SECURE_KERNEL_REFUSED : status;
}

static void first_vp(void)
{
	struct answer answer;

	if (!expect_equal(client_load(), HV_STATUS_SUCCESS))
		return;
	answer = client_request(SECURE_KERNEL_GET_VERSION, 0, 0, 0);
	expect_equal(answer.status, unless_crowded(SECURE_KERNEL_OK));
	if (is_crowded())
		return;
	expect_equal(answer.r9, SECURE_KERNEL_VERSION);
	expect_equal(answer.r10, SECURE_KERNEL_PAGES_MAX);
	expect_equal(answer.r11 & 4095, 0);
}

static void vtl1_is_enabled(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		union hv_register_value value;

		expect_equal(register_get(vp, 0, HV_REGISTER_VSM_VP_STATUS, &value),
			     HV_STATUS_SUCCESS);
		expect_equal(value.reg64 >> HV_VSM_VP_STATUS_ENABLED_VTL_SET_SHIFT, 3);
	}
}

static void not_before_all(void)
{
	void *page = memory_pages(1);

	if (smp_count == 1) {
		tap_skip("one VP");
		return;
	}
	expect_equal(client_lock(page, 1), unless_crowded(SECURE_KERNEL_NOT_READY));
}

static void send_request(void *argument)
{
	(void)argument;
	expect_equal(client_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0).status,
		     unless_crowded(SECURE_KERNEL_OK));
}

static void every_vp(void)
{
	struct answer answer;

	smp_run_all(send_request, NULL);
	answer = client_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0);
	expect_equal(answer.r9 & SECURE_KERNEL_POLICY_LOCKED, 0);
	expect_equal(answer.r10, is_crowded() ? 0 : (uint64_t)smp_count << 32);
}

static void registers_stay(void)
{
	uint64_t before[VTL_GPRS], after[VTL_GPRS];

	for (uint32_t i = 0; i < VTL_GPRS; i++)
		before[i] = tap_random();
	before[GPR_RBX] = SECURE_KERNEL_GET_VERSION;
	memcpy(after, before, sizeof(after));
	client_call(after);
	expect_equal(after[GPR_RAX], 0);
	expect_equal(after[GPR_RCX], HV_CALL_VTL_CALL);
	for (uint32_t i = GPR_RDX; i < VTL_GPRS; i++)
		if (i < GPR_R8 || i > GPR_R11)
			expect_equal(after[i], before[i]);
}

static const struct tap_case cases[] = {
	{"a damaged image is rejected", damaged_images_are_rejected},
	{"the secure kernel boots on the first VP, and answers", first_vp},
	{"VTL1 is enabled on every VP, by VTL1 itself", vtl1_is_enabled},
	{"nothing is locked before VTL1 has run on every VP", not_before_all},
	{"VTL1 comes up on every VP", every_vp},
	{"a request leaves all registers that it does not answer in as they were", registers_stay},
};

TAP_TOPIC(topic_boot, needs_vsm, cases);
