// SPDX-License-Identifier: GPL-2.0-only
/* A request to VTL1: a VTL call with the service in RBX. */
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <asm/mshyperv.h>

#include "module.h"

#define REGISTER_CODE_PAGE_OFFSETS 0x000d0002

static const void *call_stub;

struct answer vsm_request(u64 service, u64 a, u64 b, u64 c)
{
	register u64 r8 asm("r8") = a;
	register u64 r9 asm("r9") = b;
	register u64 r10 asm("r10") = c;
	register u64 r11 asm("r11") = 0;
	u64 control = 0;

	asm volatile(CALL_NOSPEC
		     : "+c"(control), "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11), ASM_CALL_CONSTRAINT
		     : "b"(service), THUNK_TARGET(call_stub)
		     : "rax", "memory", "cc");
	return (struct answer){r8, r9, r10, r11};
}

int vsm_error(u64 status)
{
	static const int error[] = {
		[SECURE_KERNEL_OK] = 0,
		[SECURE_KERNEL_UNKNOWN_SERVICE] = -EOPNOTSUPP,
		[SECURE_KERNEL_BAD_ARGUMENT] = -EINVAL,
		[SECURE_KERNEL_DENIED] = -EPERM,
		[SECURE_KERNEL_LOCKED] = -EBUSY,
		[SECURE_KERNEL_NOT_READY] = -EAGAIN,
		[SECURE_KERNEL_FULL] = -ENOSPC,
		[SECURE_KERNEL_MISMATCH] = -EBADMSG,
		[SECURE_KERNEL_REFUSED] = -EIO,
		[SECURE_KERNEL_NOT_ENFORCED] = -EOPNOTSUPP,
	};

	return status < ARRAY_SIZE(error) ? error[status] : -EIO;
}

int vsm_call_find(void)
{
	struct hv_get_vp_registers_input *input;
	u64 *output = (u64 *)get_zeroed_page(GFP_KERNEL);
	unsigned long flags;
	u64 status;

	if (!output)
		return -ENOMEM;
	local_irq_save(flags);
	input = *this_cpu_ptr(hyperv_pcpu_input_arg);
	memset(input, 0, sizeof(*input) + sizeof(input->element[0]));
	input->header.partitionid = HV_PARTITION_ID_SELF;
	input->header.vpindex = HV_VP_INDEX_SELF;
	input->element[0].name0 = REGISTER_CODE_PAGE_OFFSETS;
	status = hv_do_rep_hypercall(HVCALL_GET_VP_REGISTERS, 1, 0, input, output);
	local_irq_restore(flags);
	if (hv_result_success(status))
		call_stub = hv_hypercall_pg + (*output & 0xfff);
	else
		pr_err("vsm: cannot read the offset of the VTL call: hypercall status %#x\n",
		       hv_result(status));
	free_page((unsigned long)output);
	return hv_result_success(status) ? 0 : -EIO;
}
