/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <vsm/hv/hv.h>

#include "kit/hypercall.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/tap.h"
#include "kit/vtl.h"
#include "kit/x64.h"
#include "kit/secure/loader.h"

uint8_t *region;
static const uint8_t *call_stub;

uint16_t client_load(void)
{
	const struct hv_x64_segment_register data = {0, 0xffffffff, SELECTOR_DATA, 0xc093};
	struct hv_enable_vp_vtl_input input = {.partition_id = HV_PARTITION_ID_SELF,
					       .vp_index = HV_VP_INDEX_SELF,
					       .target_vtl = 1};
	const uint64_t size = (uint64_t)(secure_image_end - secure_image);
	struct secure_kernel_start start;
	uint8_t seed[SECURE_KERNEL_DIGEST];
	uint16_t status;

	if (secure_kernel_image_fault(secure_image, size))
		return HV_STATUS_INVALID_PARAMETER;
	for (uint32_t i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)tap_random();
	region = memory_large_page();
	memcpy(region, secure_image, size);
	secure_kernel_place(region, (uint64_t)region, seed, &start);
	input.context = (struct hv_initial_vp_context){
		.rip = start.rip,
		.rsp = start.rsp,
		.rflags = RFLAGS_ONE,
		.cs = {0, 0xffffffff, SELECTOR_CODE, 0xa09b},
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		.tr = {0, 0x67, SELECTOR_TSS, 0x8b},
		.efer = EFER_LME | EFER_LMA,
		.cr0 = SECURE_KERNEL_START_CR0,
		.cr3 = start.cr3,
		.cr4 = SECURE_KERNEL_START_CR4,
		.pat = SECURE_KERNEL_START_PAT,
	};
	call_stub = hypercall_page[0] + (register_own(HV_REGISTER_VSM_CODE_PAGE_OFFSETS) >>
						 HV_VSM_CODE_PAGE_CALL_SHIFT &
					 0xfff);
	status = vtl_enable_partition(1, 0);
	if (status != HV_STATUS_SUCCESS)
		return status;
	return hypercall(HV_CALL_ENABLE_VP_VTL, &input, sizeof(input), NULL, 0);
}

void client_call(uint64_t gpr[16])
{
	vtl_switch(gpr, call_stub, 0);
}

struct answer client_request(uint64_t service, uint64_t r8, uint64_t r9, uint64_t r10)
{
	uint64_t gpr[VTL_GPRS] = {
		[GPR_RBX] = service, [GPR_R8] = r8, [GPR_R9] = r9, [GPR_R10] = r10};

	client_call(gpr);
	return (struct answer){gpr[GPR_R8], gpr[GPR_R9], gpr[GPR_R10], gpr[GPR_R11]};
}

uint64_t client_measure(const volatile void *data, uint64_t size, void *digest)
{
	return client_request(SECURE_KERNEL_MEASURE, (uint64_t)data, size, (uint64_t)digest).status;
}

uint64_t client_hmac(const volatile void *data, uint64_t size, void *digest)
{
	return client_request(SECURE_KERNEL_HMAC, (uint64_t)data, size, (uint64_t)digest).status;
}

uint64_t client_lock(const volatile void *page, uint64_t pages)
{
	return client_request(SECURE_KERNEL_LOCK_RANGE, (uint64_t)page, pages, 0).status;
}

const volatile struct secure_kernel_log *client_log(void)
{
	const struct answer answer = client_request(SECURE_KERNEL_GET_VERSION, 0, 0, 0);

	return (const volatile struct secure_kernel_log *)answer.r11;
}
