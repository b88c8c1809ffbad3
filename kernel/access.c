// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access restrictions of guest pages: storage and changes (README.md, "Access restrictions").
 *
 * An entry of kvm->arch.access.blocks is for 2 MiB: NULL, nothing is restricted; a value, every
 * page has these restrictions; a pointer, one byte for each page. Writers hold kvm->slots_lock,
 * readers RCU. A writer stores first and zaps afterwards.
 */
#include <linux/kvm_host.h>
#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "access.h"

#define BLOCK_SHIFT (PMD_SHIFT - PAGE_SHIFT)
#define BLOCK_PAGES (1u << BLOCK_SHIFT)

/* Charged to the caller's cgroup; fails instead of invoking the OOM killer. */
#define ACCOUNTED (GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

static u8 entry_restrictions(void *entry, gfn_t gfn)
{
	if (!entry)
		return 0;
	if (xa_is_value(entry))
		return xa_to_value(entry);
	return READ_ONCE(((u8 *)entry)[gfn % BLOCK_PAGES]);
}

static bool is_uniform(void *entry)
{
	return !entry || xa_is_value(entry);
}

u8 access_restrictions(struct kvm *kvm, gfn_t gfn)
{
	u8 restrictions;

	if (!access_in_use(kvm))
		return 0;
	rcu_read_lock();
	restrictions =
		entry_restrictions(xa_load(&kvm->arch.access.blocks, gfn >> BLOCK_SHIFT), gfn);
	rcu_read_unlock();
	return restrictions;
}

/* EPT and NPT cannot map write without read; execution without read needs execute-only EPT. */
u8 access_denied(u8 restrictions)
{
	if (restrictions & KVM_ACCESS_NO_READ) {
		restrictions |= KVM_ACCESS_NO_WRITE;
		if (!kvm_x86_ops.exec_only)
			restrictions |= KVM_ACCESS_NO_EXEC;
	}
	return restrictions;
}

/* A nested guest runs without split execution: one denied execute right denies both. */
static u8 denied_in_mmu(struct kvm *kvm, u64 gfn, bool nested)
{
	u8 denied = access_denied(access_restrictions(kvm, gfn));

	return nested && (denied & KVM_ACCESS_NO_EXEC) ? denied | KVM_ACCESS_NO_EXEC : denied;
}

unsigned int kvm_access_allowed(struct kvm *kvm, u64 gfn, unsigned int access, bool nested)
{
	u8 denied = denied_in_mmu(kvm, gfn, nested);

	if (denied & KVM_ACCESS_NO_READ)
		access &= ~acc_read_mask();
	if (denied & KVM_ACCESS_NO_WRITE)
		access &= ~ACC_WRITE_MASK;
	return access & ~acc_exec_mask(denied);
}

#ifndef ACC_READ_MASK
/* The execute bits for an entry that KVM makes executable, without those that are denied. */
u64 kvm_access_exec(struct kvm *kvm, u64 gfn, bool nested)
{
	u64 bits = shadow_x_mask;
	u8 denied = denied_in_mmu(kvm, gfn, nested);

	if (denied & KVM_ACCESS_NO_KERNEL_EXEC)
		bits &= ~VMX_EPT_EXECUTABLE_MASK;
	if (denied & KVM_ACCESS_NO_USER_EXEC)
		bits &= ~KVM_ACCESS_EPT_USER_EXEC;
	return bits;
}
#endif

/* shadow_present_mask, without the read bit if @access has no read right. */
u64 kvm_access_present(unsigned int access)
{
	return access & acc_read_mask() ? shadow_present_mask
					: shadow_present_mask & ~PT_PRESENT_MASK;
}

static noinline int max_level_in_use(struct kvm *kvm, u64 gfn, int max_level)
{
	unsigned long index = gfn >> BLOCK_SHIFT, first;
	void *entry;

	entry = xa_load(&kvm->arch.access.blocks, index);
	/* Under the iTLB workaround KVM makes small pages executable when it splits a huge one. */
	if (entry && (!xa_is_value(entry) || is_nx_huge_page_enabled(kvm)))
		return PG_LEVEL_4K;

	first = index & ~511ul;
	if (max_level > PG_LEVEL_2M &&
	    xa_find(&kvm->arch.access.blocks, &first, first + 511, XA_PRESENT))
		return PG_LEVEL_2M;
	return max_level;
}

int kvm_access_max_level(struct kvm *kvm, u64 gfn, int max_level)
{
	if (max_level == PG_LEVEL_4K || !access_in_use(kvm))
		return max_level;
	return max_level_in_use(kvm, gfn, max_level);
}

/* Whether a change from @old to @new must remove mappings of the page. */
static bool must_zap(u8 old, u8 new)
{
	/* Also if no-read is removed: KVM does not recognize the old entry as present. */
	return (new & ~old) || ((old ^ new) & KVM_ACCESS_NO_READ);
}

/* The part of setting @n pages of one block that can fail. Changes no page's restrictions. */
static int prepare(struct kvm *kvm, gfn_t gfn, unsigned int n, u8 new, bool *zap)
{
	struct kvm_access *access = &kvm->arch.access;
	unsigned long index = gfn >> BLOCK_SHIFT;
	void *old = xa_load(&access->blocks, index);
	u8 *block;
	int r;

	if (!old && new && access->nr_blocks >= KVM_ACCESS_MAX_BLOCKS)
		return -ENOSPC;
	if (n == BLOCK_PAGES)
		return !old && new ? xa_reserve(&access->blocks, index, ACCOUNTED) : 0;
	if (!is_uniform(old) || entry_restrictions(old, gfn) == new)
		return 0;

	block = kmalloc(BLOCK_PAGES, ACCOUNTED);
	if (!block)
		return -ENOMEM;
	memset(block, entry_restrictions(old, gfn), BLOCK_PAGES);
	r = xa_err(xa_store(&access->blocks, index, block, ACCOUNTED));
	if (r) {
		kfree(block);
		return r;
	}
	access->nr_blocks += !old;
	*zap = true;
	return 0;
}

/* Replaces a block of equal pages by one value, and releases what prepare() reserved. */
static void tidy(struct kvm *kvm, gfn_t gfn, bool *zap)
{
	struct kvm_access *access = &kvm->arch.access;
	unsigned long index = gfn >> BLOCK_SHIFT;
	u8 *block = xa_load(&access->blocks, index);

	if (!block)
		xa_release(&access->blocks, index);
	if (is_uniform(block) || memchr_inv(block, block[0], BLOCK_PAGES))
		return;
	if (block[0]) {
		xa_store(&access->blocks, index, xa_mk_value(block[0]), ACCOUNTED);
	} else {
		xa_erase(&access->blocks, index);
		access->nr_blocks--;
	}
	kfree_rcu_mightsleep(block);
	*zap = true; /* the block can be mapped huge again */
}

/* Sets the restrictions; cannot fail, because prepare() allocated all nodes of the xarray. */
static void apply(struct kvm *kvm, gfn_t gfn, unsigned int n, u8 new, bool *zap)
{
	struct kvm_access *access = &kvm->arch.access;
	unsigned long index = gfn >> BLOCK_SHIFT;
	void *old = xa_load(&access->blocks, index);
	unsigned int i;

	if (!is_uniform(old)) {
		u8 *pages = (u8 *)old + gfn % BLOCK_PAGES;

		for (i = 0; i < n; i++) {
			*zap |= must_zap(pages[i], new);
			WRITE_ONCE(pages[i], new);
		}
		return;
	}
	if (entry_restrictions(old, gfn) == new)
		return;
	*zap |= must_zap(entry_restrictions(old, gfn), new);
	if (new) {
		xa_store(&access->blocks, index, xa_mk_value(new), ACCOUNTED);
		access->nr_blocks += !old;
	} else {
		xa_erase(&access->blocks, index);
		access->nr_blocks--;
	}
}

/* The pages of an ioctl: a range, or a list. */
struct change {
	gfn_t start, end; /* a range */
	u8 restrictions;
	const u64 *pages; /* or a list */
	unsigned int count;
};

/* A part of a change: pages within one block, with equal restrictions. */
struct piece {
	gfn_t gfn;
	unsigned int n;
	u8 restrictions;
};

static bool next_piece(const struct change *change, u64 *at, struct piece *piece)
{
	if (change->pages) {
		u64 page;

		if (*at >= change->count)
			return false;
		page = change->pages[(*at)++];
		*piece = (struct piece){page >> PAGE_SHIFT, 1, page & KVM_ACCESS_MASK};
		return true;
	}
	if (change->start + *at >= change->end)
		return false;
	piece->gfn = change->start + *at;
	piece->n = min_t(gfn_t, BLOCK_PAGES - piece->gfn % BLOCK_PAGES, change->end - piece->gfn);
	piece->restrictions = change->restrictions;
	*at += piece->n;
	return true;
}

/* Unmaps scattered pages, with one flush of the TLBs. */
static void zap_pages(struct kvm *kvm, const struct change *change)
{
	struct kvm_gfn_range range = {
		.attr_filter = KVM_FILTER_SHARED | KVM_FILTER_PRIVATE,
		.may_block = true,
	};
	struct piece piece;
	bool flush = false;
	u64 at = 0;
	int i;

	write_lock(&kvm->mmu_lock);
	kvm_mmu_invalidate_begin(kvm);
	while (next_piece(change, &at, &piece)) {
		range.start = piece.gfn;
		range.end = piece.gfn + piece.n;
		kvm_mmu_invalidate_range_add(kvm, range.start, range.end);
		for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
			range.slot = __gfn_to_memslot(__kvm_memslots(kvm, i), piece.gfn);
			if (range.slot)
				flush |= kvm_unmap_gfn_range(kvm, &range);
		}
	}
	if (flush)
		kvm_flush_remote_tlbs(kvm);
	kvm_mmu_invalidate_end(kvm);
	write_unlock(&kvm->mmu_lock);
}

/*
 * Waits for instructions that KVM is emulating, in a read section of kvm->srcu: they may have read
 * the old restrictions and not yet made their access. Other vCPUs pass a full barrier
 * (srcu_read_lock(), mutex_lock()) before they emulate, and so read the new restrictions.
 */
static void wait_for_emulation(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	smp_mb();
	kvm_for_each_vcpu(i, vcpu, kvm)
	{
		int mode = READ_ONCE(vcpu->mode);

		if (!mutex_is_locked(&vcpu->mutex) || READ_ONCE(vcpu->stat.generic.blocking) ||
		    mode == IN_GUEST_MODE || mode == EXITING_GUEST_MODE)
			continue;
		synchronize_srcu_expedited(&kvm->srcu);
		return;
	}
}

static int make_change(struct kvm *kvm, const struct change *change)
{
	struct piece piece;
	bool zap = false, dummy;
	u64 at = 0, done;
	int r = 0;

	mutex_lock(&kvm->slots_lock);
	while (!r && next_piece(change, &at, &piece)) {
		r = prepare(kvm, piece.gfn, piece.n, piece.restrictions, &zap);
		if (fatal_signal_pending(current))
			r = -EINTR;
		cond_resched();
	}
	done = at;
	at = 0;
	while (!r && next_piece(change, &at, &piece)) {
		apply(kvm, piece.gfn, piece.n, piece.restrictions, &zap);
		cond_resched();
	}
	/* Only after the last apply(), as a list may have several pages of a block. */
	at = 0;
	while (at < done && next_piece(change, &at, &piece)) {
		tidy(kvm, piece.gfn, r ? &dummy : &zap);
		cond_resched();
	}
	if (!r && zap && change->pages)
		zap_pages(kvm, change);
	else if (!r && zap)
		kvm_zap_gfn_range(kvm, change->start, change->end);
	mutex_unlock(&kvm->slots_lock);

	if (!r && zap)
		wait_for_emulation(kvm);
	return r;
}

int kvm_access_cap(void)
{
	int cap = KVM_ACCESS_MASK;

	if (!tdp_mmu_enabled)
		return 0;
	if (kvm_x86_ops.exec_only)
		cap |= KVM_ACCESS_CAP_EXEC_ONLY;
	if (kvm_x86_ops.split_exec)
		cap |= KVM_ACCESS_CAP_SPLIT_EXEC;
	return cap;
}

static bool are_valid(u64 restrictions)
{
	u64 exec = restrictions & KVM_ACCESS_NO_EXEC;

	return !(restrictions & ~(u64)KVM_ACCESS_MASK) &&
	       (!exec || exec == KVM_ACCESS_NO_EXEC || kvm_x86_ops.split_exec);
}

static int set_range(struct kvm *kvm, void __user *argp)
{
	struct kvm_access_range range;
	struct change change = {};

	if (copy_from_user(&range, argp, sizeof(range)))
		return -EFAULT;
	change.start = range.address >> PAGE_SHIFT;
	change.end = change.start + (range.size >> PAGE_SHIFT);
	change.restrictions = range.restrictions;
	if (range.flags || !are_valid(range.restrictions) || !range.size ||
	    !PAGE_ALIGNED(range.address | range.size) ||
	    range.address + range.size < range.address || change.end - 1 > kvm_mmu_max_gfn())
		return -EINVAL;
	if (range.restrictions &&
	    (change.end - change.start) >> BLOCK_SHIFT > KVM_ACCESS_MAX_BLOCKS)
		return -ENOSPC;
	return make_change(kvm, &change);
}

static int set_pages(struct kvm *kvm, void __user *argp)
{
	struct kvm_access_pages list;
	struct change change = {};
	unsigned int i;
	u64 *pages;
	int r = 0;

	if (copy_from_user(&list, argp, sizeof(list)))
		return -EFAULT;
	if (list.flags || list.count > KVM_ACCESS_MAX_PAGES)
		return -EINVAL;
	if (!list.count)
		return 0;
	pages = vmemdup_array_user(u64_to_user_ptr(list.pages), list.count, sizeof(*pages));
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	for (i = 0; i < list.count; i++)
		if (!are_valid(pages[i] & ~PAGE_MASK) || pages[i] >> PAGE_SHIFT > kvm_mmu_max_gfn())
			r = -EINVAL;
	change.pages = pages;
	change.count = list.count;
	if (!r)
		r = make_change(kvm, &change);
	kvfree(pages);
	return r;
}

int kvm_access_vm_ioctl(struct kvm *kvm, unsigned int ioctl, void __user *argp)
{
	if (ioctl != KVM_SET_ACCESS_RANGE && ioctl != KVM_SET_ACCESS_PAGES)
		return -ENOTTY;
	if (!kvm_access_cap() || kvm->arch.vm_type != KVM_X86_DEFAULT_VM)
		return -EOPNOTSUPP;
	return ioctl == KVM_SET_ACCESS_RANGE ? set_range(kvm, argp) : set_pages(kvm, argp);
}

int kvm_split_exec_ioctl(struct kvm_vcpu *vcpu, void __user *argp)
{
	u32 on;

	if (get_user(on, (u32 __user *)argp))
		return -EFAULT;
	if (on > 1)
		return -EINVAL;
	if (!(kvm_access_cap() & KVM_ACCESS_CAP_SPLIT_EXEC) || vcpu->arch.guest_state_protected)
		return -EOPNOTSUPP;
	/* While a nested guest runs, another VMCS has the control. */
	if (is_guest_mode(vcpu))
		return -EBUSY;
	vcpu->arch.vsm.split_exec = on;
	kvm_x86_ops.update_split_exec(vcpu);
	return 0;
}

void kvm_access_init(struct kvm *kvm)
{
	xa_init(&kvm->arch.access.blocks);
}

void kvm_access_destroy(struct kvm *kvm)
{
	unsigned long index;
	void *entry;

	xa_for_each(&kvm->arch.access.blocks, index, entry) if (!is_uniform(entry)) kfree(entry);
	xa_destroy(&kvm->arch.access.blocks);
}
