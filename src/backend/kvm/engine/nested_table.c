/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nested page tables (NPT12): an identity map with the rights of each page, which KVM shadows.
 * docs/backend-kvm.md, "Engine nested", says how a change is put in force.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory/map_file.h"
#include "kvm/engine/nested.h"

/* An entry of NPT12. Accessed and dirty are set from the start, so that no walk writes to it. */
#define ENTRY_PRESENT UINT64_C(1)
#define ENTRY_WRITE   UINT64_C(2)
#define ENTRY_USER    UINT64_C(4)
#define ENTRY_SEEN    UINT64_C(0x60)
#define ENTRY_LARGE   UINT64_C(0x80)
#define ENTRY_NX      (UINT64_C(1) << 63)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)
#define ENTRY_RIGHTS  (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_SEEN | ENTRY_NX)
/* Entries of L1's own page tables: without U/S, as L1 may have CR4.SMEP. */
#define ENTRY_L1  (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_SEEN)
#define ENTRY_ALL (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_SEEN)

#define GIB	(UINT64_C(1) << 30)
#define ENTRIES 512u
/* pages of hidden memory for tables: 512 GiB of scattered restrictions */
#define TABLE_PAGES (1u << 18)
/* 1 GiB of hidden memory, and 1 GiB without memory, to which NPT12 maps the first one */
#define RESERVED (2 * GIB)

/* OUT 0x7e, AL; JMP back. KVM exits from this port's OUT with the same RIP on every CPU. */
static const uint8_t shim[] = {0xe6, VKVM_HYPERCALL_PORT, 0xeb, 0xfc};

static uint64_t *page_at(const struct nested_vm *vm, uint32_t page)
{
	return (uint64_t *)(void *)(vm->base + (size_t)page * VKVM_PAGE_SIZE);
}

static uint64_t gpa_of(const struct nested_vm *vm, uint32_t page)
{
	return vm->gpa + (uint64_t)page * VKVM_PAGE_SIZE;
}

/* The GPA of the barrier's slot: the last page of hidden memory's 1 GiB. */
static uint64_t barrier_gpa(const struct nested_vm *vm)
{
	return vm->gpa + GIB - VKVM_PAGE_SIZE;
}

static void store(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_SEQ_CST);
}

static uint64_t rights(uint8_t denied)
{
	if (denied & GPA_READ)
		return 0;
	return ENTRY_ALL ^ (denied & GPA_WRITE ? ENTRY_WRITE : 0) ^
	       (denied & GPA_EXECUTE ? ENTRY_NX : 0);
}

static uint8_t denied_by(uint64_t entry)
{
	if (!(entry & ENTRY_PRESENT))
		return GPA_ALL;
	return (uint8_t)((entry & ENTRY_WRITE ? 0 : GPA_WRITE) |
			 (entry & ENTRY_NX ? GPA_EXECUTE : 0));
}

/* L1 executes only the shim, so its page tables map only hidden memory. */
static void make_l1(struct nested_vm *vm)
{
	memcpy(page_at(vm, NESTED_SHIM), shim, sizeof(shim));
	page_at(vm, NESTED_L1_PML4)[0] = gpa_of(vm, NESTED_L1_PDPT) | ENTRY_L1;
	page_at(vm, NESTED_L1_PDPT)[0] = gpa_of(vm, NESTED_L1_PD) | ENTRY_L1;
	page_at(vm, NESTED_L1_PD)[0] = vm->gpa | ENTRY_L1 | ENTRY_LARGE;
}

/* Maps all addresses to themselves; the entry of hidden memory leads to a GiB without memory. */
static void make_root(struct nested_vm *vm)
{
	uint32_t tables = (vm->directories + ENTRIES - 1) / ENTRIES;
	const uint64_t hidden = vm->gpa / GIB;

	for (uint32_t i = 0; i < tables; i++)
		page_at(vm, NESTED_ROOT)[i] = gpa_of(vm, NESTED_PDPT + i) | ENTRY_ALL;
	for (uint64_t i = 0; i < vm->directories; i++)
		page_at(vm, NESTED_PDPT)[i] =
			(i == hidden ? (i + 1) * GIB : i * GIB) | ENTRY_ALL | ENTRY_LARGE;
}

int nested_table_create(struct vkvm_backend *backend, uint8_t vtl)
{
	struct nested_vm *vm = &backend->vm[vtl].nested;
	const unsigned int bits = backend->features.gpa_bits;
	uint32_t tables;

	vm->directories = bits > 30 ? 1u << (bits - 30) : 1;
	tables = (vm->directories + ENTRIES - 1) / ENTRIES;
	/* Below the middle of the address space: usually above RAM and below addresses of devices. */
	vm->gpa = (UINT64_C(1) << (bits - 1)) - RESERVED;
	vm->first_vmcb = NESTED_PDPT + tables;
	vm->used = vm->first_vmcb + backend->vp_count;
	vm->pages = vm->used + TABLE_PAGES;
	/* The barrier has the last page of hidden memory's 1 GiB. */
	if (vm->pages > GIB / VKVM_PAGE_SIZE - 1)
		vm->pages = GIB / VKVM_PAGE_SIZE - 1;
	vm->directory = calloc(vm->directories, sizeof(struct nested_directory *));
	vm->fd = memfd_create("nested-tables", MFD_CLOEXEC);
	if (!vm->directory || vm->fd < 0 || ftruncate(vm->fd, (off_t)vm->pages * VKVM_PAGE_SIZE))
		return vsm_error(backend->log, ENOMEM, "engine nested: no memory for page tables");
	vm->base = map_file_anywhere(vm->fd, 0, (uint64_t)vm->pages * VKVM_PAGE_SIZE);
	if (!vm->base)
		return vsm_error(backend->log, errno, "engine nested: mapping page tables: %s",
				 strerror(errno));
	make_l1(vm);
	make_root(vm);
	return 0;
}

int nested_table_show(struct vkvm_backend *backend, uint8_t vtl, bool shown)
{
	const struct nested_vm *vm = &backend->vm[vtl].nested;
	const uint64_t size = shown ? (uint64_t)vm->pages * VKVM_PAGE_SIZE : 0;
	int error;

	if (shown) {
		error = vkvm_slot_set(backend, vtl, NESTED_SLOT_HIDDEN(backend), vm->gpa, size,
				      vm->base, 0);
		if (error)
			return error;
	}
	error = vkvm_slot_set(backend, vtl, NESTED_SLOT_BARRIER(backend), barrier_gpa(vm),
			      shown ? VKVM_PAGE_SIZE : 0, page_at(vm, NESTED_BARRIER), 0);
	if (shown && !error)
		return 0;
	/* If a slot cannot be removed, the VTL stays nested. */
	if (shown)
		(void)vkvm_slot_set(backend, vtl, NESTED_SLOT_HIDDEN(backend), vm->gpa, 0, NULL, 0);
	else if (!error)
		error = vkvm_slot_set(backend, vtl, NESTED_SLOT_HIDDEN(backend), vm->gpa, 0, NULL,
				      0);
	return error;
}

void nested_table_destroy(struct nested_vm *vm)
{
	for (uint32_t i = 0; vm->directory && i < vm->directories; i++)
		free(vm->directory[i]);
	free(vm->directory);
	if (vm->base)
		munmap(vm->base, (size_t)vm->pages * VKVM_PAGE_SIZE);
	if (vm->fd >= 0)
		close(vm->fd);
	vm->directory = NULL;
	vm->base = NULL;
	vm->fd = -1;
}

static uint32_t allocate(struct nested_vm *vm)
{
	return vm->used < vm->pages ? vm->used++ : 0;
}

/* The directory of a GPA; if there is none, splits the 1 GiB entry, which keeps its rights. */
static struct nested_directory *directory_of(struct nested_vm *vm, uint64_t gpa)
{
	const uint64_t index = gpa / GIB;
	struct nested_directory *directory;
	uint64_t *entry;

	if (index >= vm->directories)
		return NULL;
	if (vm->directory[index])
		return vm->directory[index];
	directory = calloc(1, sizeof(*directory));
	if (!directory)
		return NULL;
	directory->page = allocate(vm);
	if (!directory->page) {
		free(directory);
		return NULL;
	}
	entry = &page_at(vm, NESTED_PDPT)[index];
	for (uint64_t i = 0; i < ENTRIES; i++)
		page_at(vm, directory->page)[i] =
			((*entry & ENTRY_ADDRESS) + i * VKVM_BLOCK_SIZE) | ENTRY_ALL | ENTRY_LARGE;
	store(entry, gpa_of(vm, directory->page) | ENTRY_ALL);
	vm->directory[index] = directory;
	return directory;
}

/* Splits the 1 GiB entries of new RAM, so that later changes concern 2 MiB at most. */
int nested_table_add(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages)
{
	struct nested_vm *vm = &backend->vm[vtl].nested;
	const uint64_t first = gpn * VKVM_PAGE_SIZE;
	const uint64_t end = first + pages * VKVM_PAGE_SIZE;

	if (vm->fd < 0)
		return 0;
	if (first < vm->gpa + RESERVED && end > vm->gpa)
		return vsm_error(backend->log, EINVAL,
				 "engine nested: RAM at %#llx to %#llx: the engine's page tables "
				 "have %#llx to %#llx",
				 (unsigned long long)first, (unsigned long long)end,
				 (unsigned long long)vm->gpa,
				 (unsigned long long)(vm->gpa + RESERVED));
	for (uint64_t gpa = first & ~(GIB - 1); gpa < end; gpa += GIB)
		if (!directory_of(vm, gpa))
			return vsm_error(backend->log, ENOSPC,
					 "engine nested: no page tables for RAM at %#llx",
					 (unsigned long long)gpa);
	return 0;
}

/* Splits the entry of a 2 MiB block into entries of pages with its rights. */
static uint64_t *split(struct nested_vm *vm, struct nested_directory *directory, uint64_t gpa)
{
	const unsigned int block = gpa / VKVM_BLOCK_SIZE % ENTRIES;
	uint64_t *entry = &page_at(vm, directory->page)[block];
	const uint64_t first = gpa & ~(VKVM_BLOCK_SIZE - 1);
	const uint64_t kept = *entry & ENTRY_RIGHTS;
	uint64_t *table;

	if (!directory->table[block])
		directory->table[block] = allocate(vm);
	if (!directory->table[block])
		return NULL;
	table = page_at(vm, directory->table[block]);
	if (*entry & ENTRY_PRESENT && !(*entry & ENTRY_LARGE))
		return table;
	/* Pages of an unused table all have equal rights: the loop stops at once, or writes all. */
	for (uint64_t i = 0; i < ENTRIES && (table[i] ^ kept) & ENTRY_RIGHTS; i++)
		table[i] = kept & ENTRY_PRESENT ? (first + i * VKVM_PAGE_SIZE) | kept : 0;
	store(entry, gpa_of(vm, directory->table[block]) | ENTRY_ALL);
	return table;
}

static bool is_uniform(const uint64_t *table)
{
	for (unsigned int i = 1; i < ENTRIES; i++)
		if ((table[i] ^ table[0]) & ENTRY_RIGHTS)
			return false;
	return true;
}

/* Drops page table entries of the process, and with them KVM's shadow; also of locked memory. */
static int drop(void *address, uint64_t pages)
{
	return madvise(address, pages * VKVM_PAGE_SIZE, MADV_DONTNEED_LOCKED) ? -errno : 0;
}

static int drop_all(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages)
{
	const struct overlay_memory *overlay = &backend->overlay;
	int error = 0;

	for (uint32_t i = 0; i < backend->slot_count && !error; i++) {
		const struct vkvm_slot *slot = &backend->slot[i];
		uint64_t first, end;

		if (gpn >= slot->gpn + slot->pages || slot->gpn >= gpn + pages)
			continue;
		first = gpn > slot->gpn ? gpn : slot->gpn;
		end = gpn + pages;
		if (end > slot->gpn + slot->pages)
			end = slot->gpn + slot->pages;
		error = drop(engine_address(slot->region, vtl, first - slot->region->gpn),
			     end - first);
	}
	for (uint32_t page = 0; page < overlay->pages && overlay->place[vtl] && !error; page++) {
		const struct overlay_place *place = &overlay->place[vtl][page];

		if (place->slot && place->gpn - gpn < pages)
			error = drop(overlay->window[vtl] + (size_t)page * VKVM_PAGE_SIZE, 1);
	}
	return error ? vsm_error(backend->log, -error, "engine nested: dropping mappings: %s",
				 strerror(-error))
		     : 0;
}

/* After an error nested_apply() drops everything, and fails until that succeeds. */
static int zap_waiting(struct vkvm_backend *backend, uint8_t vtl)
{
	struct nested_vm *vm = &backend->vm[vtl].nested;
	int error = drop_all(backend, vtl, vm->zap_gpn, vm->zap_pages);

	vm->unzapped |= error != 0;
	vm->zap_pages = 0;
	return error;
}

/* Collects adjacent pages for one call, whose fixed cost dominates. */
static int zap(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages)
{
	struct nested_vm *vm = &backend->vm[vtl].nested;
	int error = 0;

	if (vm->zap_pages && gpn == vm->zap_gpn + vm->zap_pages) {
		vm->zap_pages += pages;
		return 0;
	}
	if (vm->zap_pages)
		error = zap_waiting(backend, vtl);
	vm->zap_gpn = gpn;
	vm->zap_pages = pages;
	return error;
}

static void count(struct nested_vm *vm, uint8_t before, uint8_t after, uint64_t pages)
{
	vm->denied += after ? pages : 0;
	vm->denied -= before ? pages : 0;
}

/* If the entry of a block is split or merged, all shadow entries of the block are dropped. */
static int set_in_block(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
			uint8_t denied)
{
	struct nested_vm *vm = &backend->vm[vtl].nested;
	const uint64_t gpa = gpn * VKVM_PAGE_SIZE;
	const uint64_t block_gpn = gpn & ~(uint64_t)(VKVM_BLOCK_PAGES - 1);
	struct nested_directory *directory;
	const uint64_t value = rights(denied);
	uint64_t *entry, *table;
	uint64_t before;
	bool lost = false;

	/* An entry for this address would expose hidden memory. */
	if (gpa - vm->gpa < RESERVED)
		return -EINVAL;
	directory = directory_of(vm, gpa);
	if (!directory)
		return -ENOMEM;
	entry = &page_at(vm, directory->page)[gpa / VKVM_BLOCK_SIZE % ENTRIES];
	before = *entry;
	/* The block has one entry before and after. */
	if (pages == VKVM_BLOCK_PAGES && (!(before & ENTRY_PRESENT) || before & ENTRY_LARGE)) {
		lost = denied & ~denied_by(before);
		count(vm, denied_by(before), denied, VKVM_BLOCK_PAGES);
		store(entry, value ? (block_gpn * VKVM_PAGE_SIZE) | value | ENTRY_LARGE : 0);
		vm->lost |= lost;
		return lost ? zap(backend, vtl, block_gpn, VKVM_BLOCK_PAGES) : 0;
	}
	table = split(vm, directory, gpa);
	if (!table)
		return -ENOMEM;
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t *page = &table[(gpn + i) % ENTRIES];

		lost |= denied & ~denied_by(*page);
		count(vm, denied_by(*page), denied, 1);
		store(page, value ? ((gpn + i) * VKVM_PAGE_SIZE) | value : 0);
	}
	vm->lost |= lost;
	if (is_uniform(table))
		store(entry, table[0] & ENTRY_PRESENT
				     ? (block_gpn * VKVM_PAGE_SIZE) | (table[0] & ENTRY_RIGHTS) |
					       ENTRY_LARGE
				     : 0);
	if (*entry != before)
		return zap(backend, vtl, block_gpn, VKVM_BLOCK_PAGES);
	return lost ? zap(backend, vtl, gpn, pages) : 0;
}

int nested_table_set(struct vkvm_backend *backend, uint8_t vtl, uint64_t gpn, uint64_t pages,
		     uint8_t denied)
{
	int error = 0;

	while (pages && !error) {
		uint64_t step = VKVM_BLOCK_PAGES - gpn % VKVM_BLOCK_PAGES;

		if (step > pages)
			step = pages;
		error = set_in_block(backend, vtl, gpn, step, denied);
		gpn += step;
		pages -= step;
	}
	return error == -ENOMEM ? vsm_error(backend->log, ENOMEM,
					    "engine nested: VTL%u: more restrictions than its page "
					    "tables can hold",
					    vtl)
				: error;
}

/*
 * Whether a VP is in KVM with this VTL. One that enters later uses the new tables: it sets
 * `entered` before KVM reads them, and they changed before `entered` is read here.
 */
static bool is_running(const struct vkvm_backend *backend, uint8_t vtl)
{
	for (uint32_t i = 0; i < backend->vp_count; i++) {
		struct vkvm_vp *vp = atomic_load(&backend->vp[i]);

		if (vp && atomic_load(&vp->entered) && atomic_load(&vp->entered_vtl) == vtl)
			return true;
	}
	return false;
}

/*
 * KVM's emulator may have read an entry before the change. KVM changes a slot's flags only after
 * all readers of slots have finished, which includes emulated accesses.
 */
static int wait_for_emulator(struct vkvm_backend *backend, uint8_t vtl)
{
	struct nested_vm *vm = &backend->vm[vtl].nested;

	vm->barrier = !vm->barrier;
	return vkvm_slot_set(backend, vtl, NESTED_SLOT_BARRIER(backend), barrier_gpa(vm),
			     VKVM_PAGE_SIZE, page_at(vm, NESTED_BARRIER),
			     vm->barrier ? KVM_MEM_LOG_DIRTY_PAGES : 0);
}

int nested_apply(struct vkvm_backend *backend, uint8_t vtl)
{
	struct nested_vm *vm = &backend->vm[vtl].nested;
	int error = 0;

	if (vm->unzapped)
		error = drop_all(backend, vtl, 0, vm->directories * (GIB / VKVM_PAGE_SIZE));
	else if (vm->zap_pages)
		error = zap_waiting(backend, vtl);
	if (error)
		return error;
	vm->unzapped = false;
	vm->zap_pages = 0;
	/* Only denied rights have to be in force on return. */
	if (vm->lost && is_running(backend, vtl))
		error = wait_for_emulator(backend, vtl);
	vm->lost = error != 0;
	return error;
}
