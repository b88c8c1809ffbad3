// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts the secure kernel in VTL1, and offers its services as /dev/vsm. The module cannot be
 * unloaded, as VTL1 cannot be disabled.
 */
#include <linux/io.h>
#include <linux/kernel_read_file.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <asm/mshyperv.h>
#include <crypto/sha2.h>

#include "../kit/secure/loader.h"
#include "module.h"

#define REGION_ORDER		    9 /* 2 MiB */
#define HVCALL_ENABLE_PARTITION_VTL 0x000d
#define PRIVILEGE_VP_REGISTERS	    BIT(17) /* CPUID 0x40000003 EBX */
#define PRIVILEGE_VSM		    BIT(16)

static char *image = "secure-kernel.bin";
module_param(image, charp, 0400);
MODULE_PARM_DESC(image, "path of the secure kernel's image");
static char *sha256sum;
module_param_named(sha256, sha256sum, charp, 0400);
MODULE_PARM_DESC(sha256, "SHA-256 that the image must have, in hex");
bool vsm_vtl1 = true;
module_param_named(vtl1, vsm_vtl1, bool, 0400);
MODULE_PARM_DESC(vtl1, "start the secure kernel; if off, only load its image, for comparison");

void *vsm_region;

static int read_image(void)
{
	void *data = NULL;
	const char *fault;
	u8 digest[SHA256_DIGEST_SIZE], wanted[SHA256_DIGEST_SIZE];
	ssize_t size;
	int error = 0;

	size = kernel_read_file_from_path(image, 0, &data, SECURE_KERNEL_REGION / 2, NULL,
					  READING_FIRMWARE);
	if (size < 0) {
		pr_err("vsm: %s cannot be read: error %zd\n", image, size);
		return size;
	}
	sha256(data, size, digest);
	fault = secure_kernel_image_fault(data, size);
	if (!sha256sum || strlen(sha256sum) != 2 * sizeof(wanted) ||
	    hex2bin(wanted, sha256sum, sizeof(wanted))) {
		pr_err("vsm: sha256= is required: the 64 digits of `sha256sum %s`\n", image);
		error = -EINVAL;
	} else if (memcmp(digest, wanted, sizeof(digest))) {
		pr_err("vsm: %s is not the secure kernel that was asked for: its SHA-256 is "
		       "%*phN\n",
		       image, (int)sizeof(digest), digest);
		error = -EKEYREJECTED;
	} else if (fault) {
		pr_err("vsm: %s has the right SHA-256, but is no secure kernel: %s\n", image,
		       fault);
		error = -ENOEXEC;
	} else {
		memcpy(vsm_region, data, size);
	}
	vfree(data);
	return error;
}

static int enable_vtl1(const struct secure_kernel_start *start)
{
	const struct hv_x64_segment_register data = {
		.limit = 0xffffffff, .selector = 0x10, .attributes = 0xc093};
	struct hv_enable_vp_vtl *input;
	unsigned long flags;
	u64 status, *partition;

	local_irq_save(flags);
	partition = *this_cpu_ptr(hyperv_pcpu_input_arg);
	partition[0] = HV_PARTITION_ID_SELF;
	partition[1] = 1; /* target VTL 1; flags 0 */
	status = hv_do_hypercall(HVCALL_ENABLE_PARTITION_VTL, partition, NULL);
	if (hv_result_success(status)) {
		input = *this_cpu_ptr(hyperv_pcpu_input_arg);
		memset(input, 0, sizeof(*input));
		input->partition_id = HV_PARTITION_ID_SELF;
		input->vp_index = HV_VP_INDEX_SELF;
		input->target_vtl.target_vtl = 1;
		input->vp_context.rip = start->rip;
		input->vp_context.rsp = start->rsp;
		input->vp_context.rflags = 2;
		input->vp_context.cs = data;
		input->vp_context.cs.selector = 8;
		input->vp_context.cs.attributes = 0xa09b;
		input->vp_context.ds = data;
		input->vp_context.es = data;
		input->vp_context.fs = data;
		input->vp_context.gs = data;
		input->vp_context.ss = data;
		input->vp_context.tr.limit = 0x67;
		input->vp_context.tr.selector = 0x18;
		input->vp_context.tr.attributes = 0x8b;
		input->vp_context.efer = EFER_LME | EFER_LMA;
		input->vp_context.cr0 = SECURE_KERNEL_START_CR0;
		input->vp_context.cr3 = start->cr3;
		input->vp_context.cr4 = SECURE_KERNEL_START_CR4;
		input->vp_context.msr_cr_pat = SECURE_KERNEL_START_PAT;
		status = hv_do_hypercall(HVCALL_ENABLE_VP_VTL, input, NULL);
	}
	local_irq_restore(flags);
	if (hv_result_success(status))
		return 0;
	pr_err("vsm: VTL1 cannot be enabled: hypercall status %#x\n", hv_result(status));
	return -EIO;
}

static void first_request(void *failed)
{
	if (vsm_request(SECURE_KERNEL_GET_VERSION, 0, 0, 0).status != SECURE_KERNEL_OK)
		atomic_inc(failed);
}

/* Runs on CPU 0; VTL1 then enables itself on all other CPUs. */
static long start_vtl1(void *unused)
{
	u8 seed[SECURE_KERNEL_DIGEST];
	struct secure_kernel_start start;
	int error;

	get_random_bytes(seed, sizeof(seed));
	secure_kernel_place(vsm_region, virt_to_phys(vsm_region), seed, &start);
	memzero_explicit(seed, sizeof(seed));
	if (!vsm_vtl1)
		return 0;
	error = enable_vtl1(&start);
	if (error)
		return error;
	error = vsm_call_find();
	if (error)
		return error;
	return vsm_error(vsm_request(SECURE_KERNEL_GET_VERSION, 0, 0, 0).status);
}

static int __init vsm_init(void)
{
	const u32 privileges = PRIVILEGE_VP_REGISTERS | PRIVILEGE_VSM;
	atomic_t failed = ATOMIC_INIT(0);
	int error;

	if (!hv_is_hyperv_initialized() || (ms_hyperv.priv_high & privileges) != privileges) {
		pr_err("vsm: no VSM offered here: CPUID 0x40000003 does not report it\n");
		return -ENODEV;
	}
	vsm_region = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, REGION_ORDER);
	if (!vsm_region) {
		pr_err("vsm: no 2 MiB of memory in one piece: load the module earlier\n");
		return -ENOMEM;
	}
	error = read_image();
	if (!error)
		error = vsm_lock_find();
	if (error) {
		free_pages((unsigned long)vsm_region, REGION_ORDER);
		return error;
	}
	/* VTL1 may use the memory from here on, so it is never freed. */
	error = work_on_cpu(0, start_vtl1, NULL);
	if (!error && vsm_vtl1)
		on_each_cpu(first_request, &failed, 1);
	if (!error && atomic_read(&failed))
		error = -EIO;
	if (!error)
		error = vsm_device_register();
	if (error) {
		pr_err("vsm: VTL1 did not come up: error %d\n", error);
		return error;
	}
	__module_get(THIS_MODULE);
	pr_info("vsm: %s, its memory is at %#llx\n",
		vsm_vtl1 ? "VTL1 runs on every CPU" : "VTL1 is not started",
		(u64)virt_to_phys(vsm_region));
	return 0;
}

module_init(vsm_init);
MODULE_DESCRIPTION("A secure kernel in VTL1, and its services");
MODULE_LICENSE("GPL");
