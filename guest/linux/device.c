// SPDX-License-Identifier: GPL-2.0-only
/* /dev/vsm: VTL1's services for user space. A request is copied once and checked afterwards. */
#include <linux/capability.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "module.h"
#include "vsm_ioctl.h"

static_assert(VSM_DIGEST == SECURE_KERNEL_DIGEST && VSM_HMAC_MAX == SECURE_KERNEL_HMAC_MAX &&
	      VSM_SECRET_MAX == SECURE_KERNEL_SECRET_MAX &&
	      VSM_SEALED == sizeof(struct secure_kernel_sealed) &&
	      VSM_CALL_FIRST == SECURE_KERNEL_CALL_FIRST && VSM_CALL_MAX == SECURE_KERNEL_CALL_MAX);

/* VTL1 accesses whole pages, so each part has one; they are cleared, as they may hold a secret. */
struct pages {
	u8 in[PAGE_SIZE], out[PAGE_SIZE], caller[PAGE_SIZE], unused[PAGE_SIZE];
};

static struct pages *pages_new(void)
{
	return (struct pages *)__get_free_pages(GFP_KERNEL, get_order(sizeof(struct pages)));
}

static void pages_wipe(struct pages *pages)
{
	memzero_explicit(pages, sizeof(*pages));
	free_pages((unsigned long)pages, get_order(sizeof(*pages)));
}

static int get_status(void __user *argument)
{
	struct vsm_status status = {.region = virt_to_phys(vsm_region)};

	if (vsm_vtl1) {
		const struct answer answer = vsm_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0);

		status.policy_locked = !!(answer.r9 & SECURE_KERNEL_POLICY_LOCKED);
		if (answer.r9 & SECURE_KERNEL_DENIES_EXECUTE)
			status.enforced |= VSM_ENFORCES_NO_EXECUTE;
		if (answer.r9 & SECURE_KERNEL_WATCHES_REGISTERS)
			status.enforced |= VSM_ENFORCES_REGISTERS;
		status.vps = answer.r10 >> 32;
		status.locked_pages = answer.r10;
		status.intercepts = answer.r11;
	}
	return copy_to_user(argument, &status, sizeof(status)) ? -EFAULT : 0;
}

static int lock_kernel(void __user *argument)
{
	(void)argument;
	return vsm_lock_kernel();
}

static int get_hmac(void __user *argument)
{
	struct vsm_hmac request;
	struct pages *pages;
	int error = 0;

	if (copy_from_user(&request, argument, sizeof(request)))
		return -EFAULT;
	if (!request.size || request.size > VSM_HMAC_MAX || request.reserved)
		return -EINVAL;
	pages = pages_new();
	if (!pages)
		return -ENOMEM;
	if (copy_from_user(pages->in, u64_to_user_ptr(request.data), request.size))
		error = -EFAULT;
	if (!error)
		error = vsm_error(vsm_request(SECURE_KERNEL_HMAC, virt_to_phys(pages->in),
					      request.size, virt_to_phys(pages->out))
					  .status);
	if (!error) {
		memcpy(request.digest, pages->out, sizeof(request.digest));
		error = copy_to_user(argument, &request, sizeof(request)) ? -EFAULT : 0;
	}
	pages_wipe(pages);
	return error;
}

static int do_seal(const struct vsm_seal *request, struct pages *pages)
{
	struct secure_kernel_secret *secret = (void *)pages->in;
	int error;

	memset(secret, 0, sizeof(*secret));
	secret->size = request->size;
	if (copy_from_user(secret->data, u64_to_user_ptr(request->secret), request->size))
		return -EFAULT;
	error = vsm_caller(secret->caller);
	if (error)
		return error;
	error = vsm_error(
		vsm_request(SECURE_KERNEL_SEAL, virt_to_phys(secret), virt_to_phys(pages->out), 0)
			.status);
	if (!error && copy_to_user(u64_to_user_ptr(request->sealed), pages->out, VSM_SEALED))
		error = -EFAULT;
	return error;
}

static int do_unseal(struct vsm_seal *request, struct pages *pages)
{
	const struct secure_kernel_secret *secret = (void *)pages->out;
	int error;

	if (copy_from_user(pages->in, u64_to_user_ptr(request->sealed), VSM_SEALED))
		return -EFAULT;
	error = vsm_caller(pages->caller);
	if (error)
		return error;
	error = vsm_error(vsm_request(SECURE_KERNEL_UNSEAL, virt_to_phys(pages->in),
				      virt_to_phys(pages->out), virt_to_phys(pages->caller))
				  .status);
	if (error)
		return error;
	if (secret->size > request->size)
		return -ENOSPC;
	request->size = secret->size;
	return copy_to_user(u64_to_user_ptr(request->secret), secret->data, secret->size) ? -EFAULT
											  : 0;
}

static int with_seal(void __user *argument, bool unseal)
{
	struct vsm_seal request;
	struct pages *pages;
	int error;

	if (copy_from_user(&request, argument, sizeof(request)))
		return -EFAULT;
	if (!request.size || request.size > VSM_SECRET_MAX || request.reserved)
		return -EINVAL;
	pages = pages_new();
	if (!pages)
		return -ENOMEM;
	error = unseal ? do_unseal(&request, pages) : do_seal(&request, pages);
	if (!error && unseal && copy_to_user(argument, &request, sizeof(request)))
		error = -EFAULT;
	pages_wipe(pages);
	return error;
}

static int get_sealed(void __user *argument)
{
	return with_seal(argument, false);
}

static int get_unsealed(void __user *argument)
{
	return with_seal(argument, true);
}

/* User memory, copied piecewise to a buffer that VTL1 reads. */
struct user_range {
	struct vsm_pieces pieces;
	u64 at, size;
	u8 *buffer; /* SECURE_KERNEL_MEASURE_MAX bytes */
};

static int next_of_user(struct vsm_pieces *pieces, phys_addr_t *at)
{
	struct user_range *range = container_of(pieces, struct user_range, pieces);
	const int now = min_t(u64, range->size, SECURE_KERNEL_MEASURE_MAX);

	if (copy_from_user(range->buffer, u64_to_user_ptr(range->at), now))
		return -EFAULT;
	*at = virt_to_phys(range->buffer);
	range->at += now;
	range->size -= now;
	return now;
}

static int get_measure(void __user *argument)
{
	const int order = get_order(SECURE_KERNEL_MEASURE_MAX);
	struct user_range range = {.pieces.next = next_of_user};
	struct vsm_measure request;
	int error;

	if (copy_from_user(&request, argument, sizeof(request)))
		return -EFAULT;
	if (!request.size || request.size > VSM_MEASURE_MAX)
		return -EINVAL;
	range.at = request.data;
	range.size = request.size;
	range.buffer = (u8 *)__get_free_pages(GFP_KERNEL, order);
	if (!range.buffer)
		return -ENOMEM;
	error = vsm_measure(&range.pieces, request.digest);
	free_pages((unsigned long)range.buffer, order);
	if (!error && copy_to_user(argument, &request, sizeof(request)))
		error = -EFAULT;
	return error;
}

static int get_kernel_measure(void __user *argument)
{
	struct vsm_measure __user *to = argument;
	u8 digest[SECURE_KERNEL_DIGEST];
	const int error = vsm_measure_kernel(digest);

	if (error)
		return error;
	return copy_to_user(to->digest, digest, sizeof(digest)) ? -EFAULT : 0;
}

static int time_calls(void __user *argument)
{
	struct vsm_time request;
	u64 begin;

	if (copy_from_user(&request, argument, sizeof(request)))
		return -EFAULT;
	if (!request.calls || request.calls > VSM_CALLS_MAX || request.reserved)
		return -EINVAL;
	begin = ktime_get_ns();
	for (u32 i = 0; i < request.calls; i++) {
		vsm_request(SECURE_KERNEL_GET_VERSION, 0, 0, 0);
		cond_resched();
	}
	request.nanoseconds = ktime_get_ns() - begin;
	return copy_to_user(argument, &request, sizeof(request)) ? -EFAULT : 0;
}

static int do_call(struct vsm_call *request, u8 *page)
{
	struct answer answer;
	int error;

	if (copy_from_user(page, u64_to_user_ptr(request->request), request->request_size))
		return -EFAULT;
	answer = vsm_request(request->number, virt_to_phys(page), request->request_size,
			     request->answer_size);
	error = vsm_error(answer.status);
	if (error)
		return error;
	if (answer.r9 > request->answer_size)
		return -EIO;
	request->answer_size = answer.r9;
	return copy_to_user(u64_to_user_ptr(request->answer), page, answer.r9) ? -EFAULT : 0;
}

static int call(void __user *argument)
{
	struct vsm_call request;
	u8 *page;
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&request, argument, sizeof(request)))
		return -EFAULT;
	if (request.number < VSM_CALL_FIRST || request.request_size > VSM_CALL_MAX ||
	    request.answer_size > VSM_CALL_MAX || request.reserved)
		return -EINVAL;
	/* A separate page, so that VTL1's answer cannot overwrite other data of the kernel. */
	page = (u8 *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	error = do_call(&request, page);
	memzero_explicit(page, PAGE_SIZE);
	free_page((unsigned long)page);
	if (!error && copy_to_user(argument, &request, sizeof(request)))
		error = -EFAULT;
	return error;
}

static const struct {
	unsigned int command;
	int (*run)(void __user *argument);
	bool without_vtl1;
} commands[] = {
	{VSM_GET_STATUS, get_status, true},
	{VSM_LOCK_KERNEL, lock_kernel},
	{VSM_HMAC, get_hmac},
	{VSM_SEAL, get_sealed},
	{VSM_UNSEAL, get_unsealed},
	{VSM_MEASURE, get_measure},
	{VSM_MEASURE_KERNEL, get_kernel_measure},
	{VSM_TIME_CALLS, time_calls},
	{VSM_CALL, call},
};

static long vsm_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].command == command)
			return vsm_vtl1 || commands[i].without_vtl1
				       ? commands[i].run((void __user *)argument)
				       : -ENXIO;
	return -ENOTTY;
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

int vsm_device_register(void)
{
	return misc_register(&vsm_device);
}
