// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives VTL1 to the secure kernel, and offers its services as /dev/vsm.
 *
 * Loaded once, and for good: VTL1 cannot be left. What it locks is the kernel's text and read-only data, when
 * VSM_LOCK_KERNEL asks for it. From then on nothing may patch the kernel: no static key may change, and neither
 * ftrace nor kprobes may be used.
 */
#include <linux/io.h>
#include <linux/kernel_read_file.h>
#include <linux/kprobes.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/mshyperv.h>
#include <crypto/sha2.h>

#include "../secure-kernel/interface.h"
#include "../secure-kernel/loader.h"
#include "vsm_ioctl.h"

#define REGION_ORDER		    9 /* 2 MiB */
#define HVCALL_ENABLE_PARTITION_VTL 0x000d
#define REGISTER_CODE_PAGE_OFFSETS  0x000d0002
#define PRIVILEGE_VP_REGISTERS	    BIT(17) /* CPUID 0x40000003 EBX */
#define PRIVILEGE_VSM		    BIT(16)

static char *image = "secure-kernel.bin";
module_param(image, charp, 0400);
MODULE_PARM_DESC(image, "path of the secure kernel's image");
static char *sha256sum;
module_param_named(sha256, sha256sum, charp, 0400);
MODULE_PARM_DESC(sha256, "SHA-256 that the image must have, in hex");
static bool vtl1 = true;
module_param(vtl1, bool, 0400);
MODULE_PARM_DESC(vtl1,
		 "start the secure kernel; without it its image lies in memory, for comparison");

static void *region;
static const void *call_stub;
static DEFINE_MUTEX(lock_mutex);

struct answer {
	u64 status, r9, r10, r11;
};

static struct answer vtl_call(u64 service, u64 a, u64 b, u64 c)
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

static int error_of(u64 status)
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
	};

	return status < ARRAY_SIZE(error) ? error[status] : -EIO;
}

/* ------------------------------------------------------------------ starting VTL1 */

static int read_image(void)
{
	void *data = NULL;
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
	if (!sha256sum || strlen(sha256sum) != 2 * sizeof(wanted) ||
	    hex2bin(wanted, sha256sum, sizeof(wanted))) {
		pr_err("vsm: say sha256=, the 64 digits that `sha256sum %s` gives\n", image);
		error = -EINVAL;
	} else if (memcmp(digest, wanted, sizeof(digest)) || !secure_kernel_image_ok(data, size)) {
		pr_err("vsm: %s is not the secure kernel that was asked for: its SHA-256 is "
		       "%*phN\n",
		       image, (int)sizeof(digest), digest);
		error = -EKEYREJECTED;
	} else {
		memcpy(region, data, size);
	}
	vfree(data);
	return error;
}

static u64 get_register(u32 name)
{
	struct hv_get_vp_registers_input *input;
	u64 value[2] = {0, 0}, status;
	void *output = (void *)get_zeroed_page(GFP_ATOMIC);
	unsigned long flags;

	if (!output)
		return 0;
	local_irq_save(flags);
	input = *this_cpu_ptr(hyperv_pcpu_input_arg);
	memset(input, 0, sizeof(*input) + sizeof(input->element[0]));
	input->header.partitionid = HV_PARTITION_ID_SELF;
	input->header.vpindex = HV_VP_INDEX_SELF;
	input->element[0].name0 = name;
	status = hv_do_rep_hypercall(HVCALL_GET_VP_REGISTERS, 1, 0, input, output);
	local_irq_restore(flags);
	if (hv_result_success(status))
		memcpy(value, output, sizeof(value));
	free_page((unsigned long)output);
	return value[0];
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
	partition[1] = 1; /* the VTL, and no flags */
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
	if (vtl_call(SECURE_KERNEL_GET_VERSION, 0, 0, 0).status != SECURE_KERNEL_OK)
		atomic_inc(failed);
}

/* On CPU 0: VTL1 enables itself on all others. */
static long start_vtl1(void *unused)
{
	u8 seed[SECURE_KERNEL_DIGEST];
	struct secure_kernel_start start;
	int error;

	get_random_bytes(seed, sizeof(seed));
	secure_kernel_place(region, virt_to_phys(region), seed, &start);
	memzero_explicit(seed, sizeof(seed));
	if (!vtl1)
		return 0;
	error = enable_vtl1(&start);
	if (error)
		return error;
	call_stub = hv_hypercall_pg + (get_register(REGISTER_CODE_PAGE_OFFSETS) & 0xfff);
	return error_of(vtl_call(SECURE_KERNEL_GET_VERSION, 0, 0, 0).status);
}

/* ------------------------------------------------------------------ locking the kernel */

static unsigned long (*lookup)(const char *name);

/* The kernel does not export it; the address of a probe on it does as well. */
static int find_lookup(void)
{
	struct kprobe probe = {.symbol_name = "kallsyms_lookup_name"};
	int error = register_kprobe(&probe);

	if (error)
		return error;
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

static int lock_symbols(const char *from, const char *to)
{
	unsigned long begin = lookup(from), end = lookup(to);
	unsigned long pages;
	phys_addr_t at;

	if (!begin || !end || begin >= end)
		return -ENOENT;
	at = __pa_symbol(begin) & PAGE_MASK;
	pages = (PAGE_ALIGN(end) - (begin & PAGE_MASK)) >> PAGE_SHIFT;
	while (pages) {
		const u64 now = min_t(u64, pages, SECURE_KERNEL_PAGES_MAX);
		const int error = error_of(vtl_call(SECURE_KERNEL_LOCK_RANGE, at, now, 0).status);

		if (error)
			return error;
		at += now << PAGE_SHIFT;
		pages -= now;
		cond_resched();
	}
	return 0;
}

static int lock_kernel_memory(void)
{
	int error;

	if (!vtl1)
		return -ENXIO;
	mutex_lock(&lock_mutex);
	error = lock_symbols("_text", "_etext");
	if (!error)
		error = lock_symbols("__start_rodata", "__end_rodata");
	if (!error)
		error = error_of(vtl_call(SECURE_KERNEL_LOCK_POLICY, 0, 0, 0).status);
	mutex_unlock(&lock_mutex);
	return error;
}

/* ------------------------------------------------------------------ /dev/vsm */

static long get_status(void __user *argument)
{
	struct vsm_status status = {.region = virt_to_phys(region)};

	if (vtl1) {
		const struct answer version = vtl_call(SECURE_KERNEL_GET_VERSION, 0, 0, 0);
		const struct answer answer = vtl_call(SECURE_KERNEL_GET_STATUS, 0, 0, 0);

		status.log = version.r11;
		status.policy_locked = answer.r9;
		status.vps = answer.r10 >> 32;
		status.locked_pages = answer.r10;
		status.intercepts = answer.r11;
	}
	return copy_to_user(argument, &status, sizeof(status)) ? -EFAULT : 0;
}

static long get_hmac(void __user *argument)
{
	struct vsm_hmac request;
	u8 *page;
	long error;

	if (!vtl1)
		return -ENXIO;
	if (copy_from_user(&request, argument, sizeof(request)))
		return -EFAULT;
	if (!request.size || request.size > VSM_HMAC_MAX || request.reserved)
		return -EINVAL;
	/* Two pages: the data, and the digest. */
	page = (u8 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, 1);
	if (!page)
		return -ENOMEM;
	error = copy_from_user(page, u64_to_user_ptr(request.data), request.size) ? -EFAULT : 0;
	if (!error)
		error = error_of(vtl_call(SECURE_KERNEL_HMAC, virt_to_phys(page), request.size,
					  virt_to_phys(page + PAGE_SIZE))
					 .status);
	memcpy(request.digest, page + PAGE_SIZE, sizeof(request.digest));
	free_pages((unsigned long)page, 1);
	if (!error && copy_to_user(argument, &request, sizeof(request)))
		error = -EFAULT;
	return error;
}

static long vsm_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	switch (command) {
	case VSM_GET_STATUS:
		return get_status((void __user *)argument);
	case VSM_LOCK_KERNEL:
		return lock_kernel_memory();
	case VSM_HMAC:
		return get_hmac((void __user *)argument);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations vsm_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vsm_ioctl,
};

static struct miscdevice vsm_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vsm",
	.fops = &vsm_operations,
	.mode = 0600,
};

static int __init vsm_init(void)
{
	const u32 privileges = PRIVILEGE_VP_REGISTERS | PRIVILEGE_VSM;
	atomic_t failed = ATOMIC_INIT(0);
	int error;

	if (!hv_is_hyperv_initialized() || (ms_hyperv.priv_high & privileges) != privileges) {
		pr_err("vsm: no VSM offered here: CPUID 0x40000003 does not say so\n");
		return -ENODEV;
	}
	region = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, REGION_ORDER);
	if (!region) {
		pr_err("vsm: no 2 MiB of memory in one piece: load the module earlier\n");
		return -ENOMEM;
	}
	error = read_image();
	if (!error)
		error = find_lookup();
	if (error) {
		free_pages((unsigned long)region, REGION_ORDER);
		return error;
	}
	/* From here the memory may be VTL1's, and is never given back. */
	error = work_on_cpu(0, start_vtl1, NULL);
	if (!error && vtl1)
		on_each_cpu(first_request, &failed, 1);
	if (!error && atomic_read(&failed))
		error = -EIO;
	if (!error)
		error = misc_register(&vsm_device);
	if (error) {
		pr_err("vsm: VTL1 did not come up: error %d\n", error);
		return error;
	}
	__module_get(THIS_MODULE);
	pr_info("vsm: %s, its memory is at %#llx\n",
		vtl1 ? "VTL1 runs on every CPU" : "VTL1 is not started", (u64)virt_to_phys(region));
	return 0;
}

module_init(vsm_init);
MODULE_DESCRIPTION("A secure kernel in VTL1, and its services");
MODULE_LICENSE("GPL");
