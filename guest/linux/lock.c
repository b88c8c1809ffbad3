// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locking the kernel's text and data, and measuring its text. Once locked, the kernel must not
 * patch itself: no changes of static keys, no ftrace, no kprobes.
 */
#include <linux/io.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>

#include "module.h"

static DEFINE_MUTEX(lock_mutex);
static DEFINE_MUTEX(measure_mutex); /* VTL1 keeps only one measurement */
static unsigned long (*lookup)(const char *name);

/* kallsyms_lookup_name() is not exported; a kprobe on it gives its address. */
int vsm_lock_find(void)
{
	struct kprobe probe = {.symbol_name = "kallsyms_lookup_name"};
	int error = register_kprobe(&probe);

	if (error) {
		pr_err("vsm: the kernel's symbols cannot be found: error %d of a kprobe\n", error);
		return error;
	}
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

struct kernel_range {
	struct vsm_pieces pieces;
	phys_addr_t at;
	unsigned long pages;
};

/* @whole: only pages that are completely within the range. */
static int find_range(const char *from, const char *to, bool whole, struct kernel_range *range)
{
	unsigned long begin = lookup(from), end = lookup(to);

	if (!begin || !end || begin >= end)
		return -ENOENT;
	begin = whole ? PAGE_ALIGN(begin) : begin & PAGE_MASK;
	end = whole ? end & PAGE_MASK : PAGE_ALIGN(end);
	range->at = __pa_symbol(begin);
	range->pages = begin < end ? (end - begin) >> PAGE_SHIFT : 0;
	return 0;
}

struct lock {
	const char *from, *to;
	enum secure_kernel_rights rights;
};

/* .data..ro_after_init contains the vDSO, which user space executes. .bss is not locked: the kernel frees a
 * part of it, which user space may then execute. */
static const struct lock locks[] = {
	{"_text", "_etext", SECURE_KERNEL_CODE},
	{"__start_rodata", "__start_ro_after_init", SECURE_KERNEL_CONSTANT},
	{"__start_ro_after_init", "__end_ro_after_init", SECURE_KERNEL_CODE},
	{"__end_ro_after_init", "__end_rodata", SECURE_KERNEL_CONSTANT},
	{"_sdata", "_edata", SECURE_KERNEL_DATA},
	{}};

/* Used if the hypervisor cannot deny execution without denying reads. */
static const struct lock locks_against_writes[] = {
	{"_text", "_etext", SECURE_KERNEL_CODE},
	{"__start_rodata", "__end_rodata", SECURE_KERNEL_CODE},
	{}};

static int lock_symbols(const struct lock *lock)
{
	const bool whole = lock->rights == SECURE_KERNEL_CONSTANT;
	struct kernel_range range;
	int error = find_range(lock->from, lock->to, whole, &range);

	while (!error && range.pages) {
		const u64 now = min_t(u64, range.pages, SECURE_KERNEL_PAGES_MAX);

		error = vsm_error(
			vsm_request(SECURE_KERNEL_LOCK_RANGE, range.at, now, lock->rights).status);
		range.at += now << PAGE_SHIFT;
		range.pages -= now;
		cond_resched();
	}
	return error;
}

int vsm_lock_kernel(void)
{
	const struct lock *lock = locks_against_writes;
	int error = 0;

	if (!vsm_vtl1)
		return -ENXIO;
	mutex_lock(&lock_mutex);
	if (vsm_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0).r9 & SECURE_KERNEL_DENIES_EXECUTE)
		lock = locks;
	for (; !error && lock->from; lock++)
		error = lock_symbols(lock);
	if (!error)
		error = vsm_error(vsm_request(SECURE_KERNEL_LOCK_POLICY, 0, 0, 0).status);
	mutex_unlock(&lock_mutex);
	return error;
}

static int add_pieces(struct vsm_pieces *pieces, u64 number)
{
	phys_addr_t at;
	int size;

	while ((size = pieces->next(pieces, &at)) > 0) {
		const int error =
			vsm_error(vsm_request(SECURE_KERNEL_MEASURE_ADD, at, size, number).status);

		if (error)
			return error;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return size;
}

int vsm_measure(struct vsm_pieces *pieces, u8 digest[SECURE_KERNEL_DIGEST])
{
	u8 *page;
	int error;

	if (!vsm_vtl1)
		return -ENXIO;
	page = (u8 *)__get_free_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	error = mutex_lock_interruptible(&measure_mutex);
	if (!error) {
		const u64 number = vsm_request(SECURE_KERNEL_MEASURE_BEGIN, 0, 0, 0).r9;

		error = add_pieces(pieces, number);
		if (!error)
			error = vsm_error(vsm_request(SECURE_KERNEL_MEASURE_END, virt_to_phys(page),
						      number, 0)
						  .status);
		mutex_unlock(&measure_mutex);
	}
	if (!error)
		memcpy(digest, page, SECURE_KERNEL_DIGEST);
	free_page((unsigned long)page);
	return error;
}

static int next_of_range(struct vsm_pieces *pieces, phys_addr_t *at)
{
	struct kernel_range *range = container_of(pieces, struct kernel_range, pieces);
	const unsigned long now = min(range->pages, SECURE_KERNEL_MEASURE_MAX >> PAGE_SHIFT);

	*at = range->at;
	range->at += now << PAGE_SHIFT;
	range->pages -= now;
	return now << PAGE_SHIFT;
}

int vsm_measure_kernel(u8 digest[SECURE_KERNEL_DIGEST])
{
	struct kernel_range range = {.pieces.next = next_of_range};
	const int error = find_range("_text", "_etext", false, &range);

	return error ? error : vsm_measure(&range.pieces, digest);
}
