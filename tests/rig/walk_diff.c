/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares vsm_walk() with a CPU: a guest makes random accesses through random page tables. Fault, error
 * code, CR2, GPA of reads, A and D bits must be the same; KVM_TRANSLATE is compared, too. Only undefined
 * behaviour is not compared: A in entries that a *faulting* walk used, which are those above the entry that
 * is not present or has a reserved bit, and all of them for a fault by access rights (SDM 3A 4.8; footnote to
 * the page-fault exception in 6.15). D never changes on a fault. Behaviour that differs between CPUs, or in
 * which an emulated CPU deviates from the manuals, is a trait with a probe in walk_traits.c. Usage: walk_diff
 * [--cases N] [--seed S]
 */
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <vsm/walk.h>

#include "tap.h"
#include "walk_guest.h"
#include "walk_tables.h"
#include "walk_traits.h"

enum {
	PER_LIST = 256,
	MODES = PAGING_5LEVEL + 1,
};

static const char *const mode_name[MODES] = {"32-bit", "PAE", "4-level", "5-level"};
static const char *const kind_name[KINDS] = {"read", "write", "read-modify-write", "fetch",
					     "descriptor read"};
static const unsigned int kind_access[KINDS] = {VSM_WALK_READ, VSM_WALK_WRITE,
						VSM_WALK_READ | VSM_WALK_WRITE, VSM_WALK_EXECUTE,
						VSM_WALK_READ};

struct count {
	uint64_t cases, faults, dropped;
	uint64_t wrong_outcome;
	uint64_t entries, open_entries, wrong_entries;
	uint64_t translated, wrong_translations;
	uint64_t reasons[VSM_WALK_INVALID + 1];
};

struct list {
	struct tables tables;
	struct mode mode;
	struct vsm_walk_context context;
	unsigned int items;
	unsigned int pdptes_used; /* a bit for each PDPTE that PAE paging used */
};

/* The tables after the walks, with the minimum and with the maximum of A bits that the manuals permit. */
static uint8_t least[RAM_SIZE], most[RAM_SIZE];

static struct vsm_walk_memory memory_of(uint8_t *ram, struct vsm_walk_direct direct[2])
{
	direct[0] = (struct vsm_walk_direct){
		.gpa = TOP_TABLES, .size = TOP_TABLES_SIZE, .host = ram + TOP_TABLES};
	direct[1] = (struct vsm_walk_direct){
		.gpa = TEST_TABLES, .size = TEST_TABLES_SIZE, .host = ram + TEST_TABLES};
	return (struct vsm_walk_memory){.direct = direct, .direct_count = 2};
}

static enum vsm_walk_reason walk(const struct list *list, uint8_t *ram, uint64_t gva,
				 unsigned int access, unsigned int flags, enum vsm_walk_ad ad,
				 struct vsm_walk_result *result)
{
	struct vsm_walk_direct direct[2];
	struct vsm_walk_memory memory = memory_of(ram, direct);
	struct vsm_walk_request request = {.gva = gva, .access = access, .flags = flags, .ad = ad};

	return vsm_walk(&list->context, &memory, &request, result);
}

static unsigned int flags_of(const struct item *item)
{
	if (item->kind == KIND_SEGMENT)
		return cpu_has[SMAP_LETS_IMPLICIT_BY_AC] ? VSM_WALK_SUPERVISOR : VSM_WALK_IMPLICIT;
	return item->user ? VSM_WALK_USER : VSM_WALK_SUPERVISOR;
}

static void context_of_item(struct list *list, const struct item *item)
{
	list->context.rflags = item->rflags;
	/* For a CPU with its own order of key checks, key_denies() checks keys instead of the walker. */
	list->context.pkru = cpu_has[KEYS_BEFORE_RIGHTS] ? 0 : item->pkru;
}

static bool in_data(uint64_t gpa)
{
	gpa &= ~SECOND_RAM;
	return gpa >= DATA && gpa < DATA + DATA_SIZE;
}

/* An access can be tried only if it reaches memory that the guest may access. */
static bool can_be_tried(struct list *list, const struct item *item)
{
	struct vsm_walk_result result;
	enum vsm_walk_reason reason;

	context_of_item(list, item);
	reason = walk(list, least, item->gva, kind_access[item->kind], flags_of(item),
		      VSM_WALK_AD_LEAVE, &result);
	return reason != VSM_WALK_TABLE_NOT_READABLE && (!result.translated || in_data(result.gpa));
}

static struct item random_item(const struct list *list)
{
	static const unsigned int offset[KINDS] = {SIGNATURE, 0, 0, 0, DESCRIPTOR};
	bool long_mode = list->tables.paging >= PAGING_4LEVEL;
	struct item item = {
		.gva = tables_address(&list->tables),
		.kind = (uint32_t)(draw() % KINDS),
		.rflags = 2 | (one_in(3) ? 1U << 18 : 0),
	};

	/* Restricts a random part of the keys, but not key 0, which the guest's code uses. */
	item.pkru = (uint32_t)draw();
	item.pkru &= (uint32_t)draw() & ~3U;
	item.user = item.kind == KIND_SEGMENT || one_in(2);
	item.gva |= offset[item.kind] ? offset[item.kind] : draw() % 0x700;
	if (long_mode && item.kind != KIND_SEGMENT && one_in(64))
		item.gva ^= UINT64_C(1) << (57 + draw() % 7);
	if (item.kind == KIND_SEGMENT)
		item.ldt = item.gva - 8;
	item.cs = long_mode ? (item.user ? 0x33 : 0x18) : (item.user ? 0x23 : 0x08);
	item.ss = item.user ? 0x2b : 0x10;
	item.rip = guest_code((enum kind)item.kind, item.user, long_mode);
	return item;
}

static void random_list(const struct guest *guest, struct list *list, enum paging paging)
{
	static const uint64_t cr4_of[MODES] = {0, 0x20, 0x20, 0x1020};
	bool long_mode = paging >= PAGING_4LEVEL;
	struct mode *mode = &list->mode;

	list->tables = (struct tables){
		.paging = paging,
		.levels = (unsigned int)paging + 2,
		.nxe = guest->nx && !one_in(4),
		.pse = one_in(2),
		.max_phys_addr = guest->max_phys_addr,
		.page1gb = guest->page1gb,
		/* VM entry to a VMX guest fails with these bits. */
		.pdpte_reserved = guest->amd,
		.pdpte_low_reserved = guest->amd && !cpu_has[PDPTE_LOW_BITS_IGNORED],
	};
	mode->cr0 = 0x80000031 | (one_in(3) ? 0 : 0x10000);
	mode->cr3 = tables_root(&list->tables);
	mode->cr4 = cr4_of[paging] | (list->tables.pse ? 0x10 : 0) | (one_in(2) ? 0x80 : 0);
	mode->cr4 |= guest->smep && one_in(2) ? 0x100000 : 0;
	mode->cr4 |= guest->smap && one_in(2) ? 0x200000 : 0;
	mode->cr4 |= guest->pku && long_mode && one_in(2) ? 0x400000 : 0;
	mode->efer = (long_mode ? 0x500 : 0) | (list->tables.nxe ? 0x800 : 0);
	list->context.cr0 = mode->cr0;
	list->context.cr3 = mode->cr3;
	list->context.cr4 = mode->cr4;
	list->context.efer = mode->efer;
	list->context.max_phys_addr = (uint8_t)guest->max_phys_addr;
	tables_make(guest, &list->tables);
}

static void take_tables(const struct guest *guest)
{
	uint8_t *const copies[] = {least, most};

	for (unsigned int i = 0; i < 2; i++) {
		memcpy(copies[i] + TOP_TABLES, guest->raw.ram + TOP_TABLES, TOP_TABLES_SIZE);
		memcpy(copies[i] + TEST_TABLES, guest->raw.ram + TEST_TABLES, TEST_TABLES_SIZE);
	}
}

static void print_difference(const struct list *list, const struct item *item,
			     const struct vsm_walk_result *result)
{
	static unsigned int printed;

	if (printed++ >= 12)
		return;
	printf("# %s, %s %s of %#" PRIx64 ", CR0 %#" PRIx64 " CR4 %#" PRIx64 " EFER %#" PRIx64
	       " RFLAGS %#x PKRU %#x\n"
	       "#   CPU: vector %" PRIu64 " error %#" PRIx64 " CR2 %#" PRIx64 " at %#" PRIx64
	       " data %#" PRIx64 "\n"
	       "#   walker: %s, level %u, entry at %#" PRIx64 ", vector %u error %#x, GPA %#" PRIx64
	       "\n",
	       mode_name[list->tables.paging], item->user ? "user" : "supervisor",
	       kind_name[item->kind], item->gva, list->mode.cr0, list->mode.cr4, list->mode.efer,
	       item->rflags, item->pkru, item->vector, item->error_code, item->cr2, item->at,
	       item->data, vsm_walk_reason_name(result->reason), result->level, result->stop_gpa,
	       result->vector, result->error_code, result->gpa);
	for (unsigned int i = 0; result->stop_gpa && i < 1; i++) {
		uint64_t entry;

		memcpy(&entry, least + result->stop_gpa, sizeof(entry));
		printf("#   entry %#" PRIx64 "\n", entry);
	}
}

/* On a CPU with KEYS_BEFORE_RIGHTS. False if the walk did not reach a page. */
static bool key_denies(const struct list *list, const struct item *item,
		       const struct vsm_walk_result *result)
{
	const uint32_t pkru = item->pkru >> 2 * result->key;
	const bool user = flags_of(item) == VSM_WALK_USER,
		   write = kind_access[item->kind] & VSM_WALK_WRITE;

	if (!cpu_has[KEYS_BEFORE_RIGHTS] || !(list->mode.cr4 >> 22 & 1) || !result->translated ||
	    kind_access[item->kind] & VSM_WALK_EXECUTE)
		return false;
	return (user && pkru & 1) || (write && pkru & 2 && (user || list->mode.cr0 >> 16 & 1));
}

static enum vsm_walk_reason expect(struct list *list, const struct item *item,
				   struct vsm_walk_result *result)
{
	unsigned int access = kind_access[item->kind];
	enum vsm_walk_reason reason;

	context_of_item(list, item);
	if (item->kind == KIND_MODIFY && cpu_has[MODIFY_FAULTS_AS_READ])
		access = VSM_WALK_READ;
	reason = walk(list, least, item->gva, access, flags_of(item), VSM_WALK_AD_LEAVE, result);
	if (reason == VSM_WALK_OK && access != kind_access[item->kind])
		reason = walk(list, least, item->gva, VSM_WALK_WRITE, flags_of(item),
			      VSM_WALK_AD_LEAVE, result);
	if (reason == VSM_WALK_RESERVED_BIT && cpu_has[RSVD_WITHOUT_P])
		result->error_code &= ~1U;
	if (key_denies(list, item, result)) {
		result->vector = 14;
		result->error_code = 0x21 | (flags_of(item) == VSM_WALK_USER ? 4 : 0) |
				     (kind_access[item->kind] & VSM_WALK_WRITE ? 2 : 0);
		return VSM_WALK_KEY_DENIED;
	}
	return reason;
}

static bool same_outcome(const struct list *list, const struct item *item,
			 const struct vsm_walk_result *result)
{
	uint64_t gva = item->gva;

	if (result->vector != (item->vector == 3 ? 0 : item->vector))
		return false;
	switch (item->vector) {
	case 3:
		if (item->kind != KIND_READ)
			return true;
		/*
		 * The page has a value with its own address (SIGNATURE); a 32-bit guest reads half
		 * of it.
		 */
		return (uint32_t)item->data ==
		       (uint32_t)((result->gpa & ~SECOND_RAM & ~0xfffULL) | 0x5a5);
	case 13:
		return item->error_code == result->error_code;
	case 14:
		if (list->tables.paging < PAGING_4LEVEL)
			gva = (uint32_t)gva;
		return item->error_code == result->error_code && item->cr2 == gva;
	default:
		return false;
	}
}

static void mark(const struct list *list, const struct item *item, enum vsm_walk_reason reason)
{
	unsigned int access = kind_access[item->kind], flags = flags_of(item);
	struct vsm_walk_result ignored;

	if (reason != VSM_WALK_KEY_DENIED || !cpu_has[KEYS_BEFORE_RIGHTS]) {
		(void)walk(list, least, item->gva, access, flags, VSM_WALK_AD_SET, &ignored);
		(void)walk(list, most, item->gva, access, flags, VSM_WALK_AD_SET_TO_FAILURE,
			   &ignored);
	}
	if (reason >= VSM_WALK_USER_DENIED && reason <= VSM_WALK_KEY_DENIED)
		(void)walk(list, most, item->gva, 0, VSM_WALK_EXEMPT, VSM_WALK_AD_SET, &ignored);
}

/* A bits that only CPUs with some of the traits set, and the PDPTEs of PAE paging that were used, for
 * flip_pdptes_used(). */
static void mark_by_traits(struct list *list, const struct item *item,
			   const struct vsm_walk_result *result)
{
	const uint64_t a = 0x20;
	uint64_t at, entry, bad;

	if (cpu_has[ACCESSED_IN_BAD_1G_PAGE] && list->tables.paging >= PAGING_4LEVEL &&
	    result->reason == VSM_WALK_RESERVED_BIT && result->level == 3) {
		at = result->stop_gpa;
		memcpy(&entry, least + at, 8);
		/* Bits that are also reserved in an entry of a table are detected before A is set. */
		bad = (list->tables.nxe ? 0 : UINT64_C(1) << 63) |
		      ((UINT64_C(1) << 52) - (UINT64_C(1) << list->tables.max_phys_addr));
		if (entry & 0x80 && !(entry & bad)) {
			least[at] |= a;
			most[at] |= a;
		}
	}
	if (list->tables.paging == PAGING_PAE && !(result->level == 3 && result->vector == 14))
		list->pdptes_used |= 1U << ((uint32_t)item->gva >> 30);
}

static void compare_outcomes(const struct guest *guest, struct list *list, struct count *count)
{
	for (unsigned int i = 0; i < list->items; i++) {
		const struct item *item = &guest->items[i];
		struct vsm_walk_result result;
		enum vsm_walk_reason reason;

		reason = expect(list, item, &result);
		count->cases++;
		count->faults += reason != VSM_WALK_OK;
		count->reasons[reason]++;
		if (!same_outcome(list, item, &result)) {
			count->wrong_outcome++;
			print_difference(list, item, &result);
		}
		mark(list, item, reason);
		mark_by_traits(list, item, &result);
	}
}

static void compare_range(const struct guest *guest, uint64_t from, uint64_t size,
			  unsigned int step, struct count *count)
{
	static unsigned int printed;
	const uint64_t a = 0x20;

	for (uint64_t gpa = from; gpa < from + size; gpa += step) {
		uint64_t is = 0, low = 0, high = 0;

		memcpy(&is, guest->raw.ram + gpa, step);
		memcpy(&low, least + gpa, step);
		memcpy(&high, most + gpa, step);
		if (!(is | low | high))
			continue;
		count->entries++;
		count->open_entries += low != high;
		if ((is & ~a) == (low & ~a) && (low & ~is & a) == 0 && (is & ~high & a) == 0)
			continue;
		count->wrong_entries++;
		if (printed++ < 12)
			printf("# entry at %#" PRIx64 ": CPU %#" PRIx64 ", at least %#" PRIx64
			       ", at most %#" PRIx64 "\n",
			       gpa, is, low, high);
	}
}

/* For ACCESSED_IN_PDPTE. The walker would treat A as a reserved bit in a PDPTE. */
static void flip_pdptes_used(const struct list *list, uint8_t *ram)
{
	for (unsigned int i = 0; i < 4; i++)
		if (list->pdptes_used >> i & 1)
			ram[list->mode.cr3 + i * 8] ^= 0x20;
}

/* KVM loads PAE's PDPTEs as MOV to CR3 does: all four, or none if one has a reserved bit (SDM 3A 4.4.1). If
 * it loads none, it uses older ones, so results cannot be compared. */
static bool kvm_has_pdptes(const struct list *list)
{
	const uint64_t reserved = (~UINT64_C(0) << list->tables.max_phys_addr) | 0x1e6;

	for (unsigned int i = 0; list->tables.paging == PAGING_PAE && i < 4; i++) {
		uint64_t pdpte;

		memcpy(&pdpte, least + list->mode.cr3 + i * 8, 8);
		if (pdpte & 1 && pdpte & reserved)
			return false;
	}
	return true;
}

/* KVM's own walk for a supervisor read, with EFLAGS.AC and PKRU of the last item, follows the manuals of the
 * vendor, regardless of the behaviour of the CPU. */
static void compare_translate(const struct guest *guest, struct list *list, struct count *count)
{
	struct kvm_regs regs;

	if (!list->items || !kvm_has_pdptes(list) ||
	    ioctl(guest->vcpu->fd, KVM_GET_REGS, &regs) < 0)
		return;
	list->context.pkru = guest->items[list->items - 1].pkru;
	list->context.rflags = regs.rflags;
	if (guest->amd)
		list->context.cpu |= VSM_WALK_CPU_PML4E_BIT8_RESERVED;
	for (unsigned int i = 0; i < list->items; i += 4) {
		const struct item *item = &guest->items[i];
		struct kvm_translation translation = {.linear_address = item->gva};
		struct vsm_walk_result result;
		enum vsm_walk_reason reason;

		reason = walk(list, least, item->gva, VSM_WALK_READ, VSM_WALK_SUPERVISOR,
			      VSM_WALK_AD_LEAVE, &result);
		/* KVM_TRANSLATE does not check whether an address is canonical. */
		if (reason == VSM_WALK_NON_CANONICAL ||
		    ioctl(guest->vcpu->fd, KVM_TRANSLATE, &translation) < 0)
			continue;
		count->translated++;
		if (translation.valid == (reason == VSM_WALK_OK) &&
		    (!translation.valid || translation.physical_address == result.gpa))
			continue;
		if (count->wrong_translations++ < 8)
			printf("# KVM_TRANSLATE of %#" PRIx64
			       " (%s): valid %u, %#llx; walker: %s, %#" PRIx64 "\n",
			       item->gva, mode_name[list->tables.paging], translation.valid,
			       translation.physical_address, vsm_walk_reason_name(reason),
			       result.gpa);
	}
}

static const char *try_list(struct guest *guest, struct list *list, struct count *count)
{
	const char *problem;

	take_tables(guest);
	list->items = 0;
	for (unsigned int tries = 0; tries < 4 * PER_LIST && list->items < PER_LIST; tries++) {
		struct item item = random_item(list);

		if (can_be_tried(list, &item))
			guest->items[list->items++] = item;
		else
			count->dropped++;
	}
	problem = guest_run(guest, &list->mode, list->items);
	if (problem)
		return problem;
	list->pdptes_used = 1; /* the guest's own code uses the first */
	compare_outcomes(guest, list, count);
	if (cpu_has[ACCESSED_IN_PDPTE] && list->tables.paging == PAGING_PAE)
		flip_pdptes_used(list, guest->raw.ram);
	compare_range(guest, TOP_TABLES, TOP_TABLES_SIZE, list->tables.paging == PAGING_32 ? 4 : 8,
		      count);
	compare_range(guest, TEST_TABLES, TEST_TABLES_SIZE,
		      list->tables.paging == PAGING_32 ? 4 : 8, count);
	compare_translate(guest, list, count);
	return NULL;
}

static void report_mode(enum paging paging, const struct count *c)
{
	const char *name = mode_name[paging];

	printf("# %s: %" PRIu64 " accesses, %" PRIu64 " of them faults, %" PRIu64
	       " not tried (their GPA has no memory)\n",
	       name, c->cases, c->faults, c->dropped);
	printf("# %s: %" PRIu64 " entries compared, %" PRIu64 " with A undefined; %" PRIu64
	       " translations\n",
	       name, c->entries, c->open_entries, c->translated);
	printf("# %s:", name);
	for (unsigned int i = 0; i <= VSM_WALK_INVALID; i++)
		if (c->reasons[i])
			printf(" %s %" PRIu64 ",", vsm_walk_reason_name((enum vsm_walk_reason)i),
			       c->reasons[i]);
	printf("\n");
	if (c->wrong_outcome || c->wrong_entries || c->wrong_translations)
		printf("# %s: %" PRIu64 " outcomes, %" PRIu64 " entries, %" PRIu64
		       " translations differ\n",
		       name, c->wrong_outcome, c->wrong_entries, c->wrong_translations);
	check(c->cases && !c->wrong_outcome, "%s: faults, error codes, CR2 and pages read", name);
	check(c->entries && !c->wrong_entries, "%s: accessed and dirty bits", name);
	check(c->translated && !c->wrong_translations, "%s: KVM_TRANSLATE", name);
}

static enum paging paging_of(uint64_t n, const struct guest *guest)
{
	static const enum paging order[16] = {2, 0, 1, 3, 2, 2, 0, 1, 3, 2, 2, 0, 1, 3, 2, 2};
	enum paging paging = order[n % 16];

	return paging == PAGING_5LEVEL && !guest->la57 ? PAGING_4LEVEL : paging;
}

int main(int argc, char **argv)
{
	struct count count[MODES] = {0};
	uint64_t cases = 100000, done = 0, seed = 1;
	struct guest guest;
	const char *problem;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--cases"))
			cases = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 0);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	guest_create(&guest);
	checks_plan(3 * MODES);
	printf("# seed %" PRIu64 ", %" PRIu64 " cases; CPU: %s, %u physical bits%s%s%s%s%s%s\n",
	       seed, cases, guest.amd ? "AMD" : "Intel", guest.max_phys_addr,
	       guest.nx ? ", NX" : "", guest.smep ? ", SMEP" : "", guest.smap ? ", SMAP" : "",
	       guest.pku ? ", PKU" : "", guest.page1gb ? ", 1 GiB pages" : "",
	       guest.la57 ? ", LA57" : "");
	walk_seed = seed;
	problem = traits_probe(&guest);
	if (problem) {
		printf("Bail out! a probe: %s\n", problem);
		return 1;
	}
	for (uint64_t n = 0; done < cases; n++) {
		struct list list = {0};
		enum paging paging = paging_of(n, &guest);

		list.context.cpu = VSM_WALK_CPU_PSE36;
		list.context.cpu |=
			cpu_has[PML4E_BIT8_RESERVED] ? VSM_WALK_CPU_PML4E_BIT8_RESERVED : 0;
		list.context.cpu |= guest.page1gb ? VSM_WALK_CPU_PAGE1GB : 0;
		random_list(&guest, &list, paging);
		problem = try_list(&guest, &list, &count[paging]);
		if (problem) {
			printf("Bail out! list %" PRIu64 " (%s): %s\n", n, mode_name[paging],
			       problem);
			return 1;
		}
		done += list.items;
	}
	for (int paging = 0; paging < MODES; paging++) {
		if (paging == PAGING_5LEVEL && !guest.la57) {
			for (int i = 0; i < 3; i++)
				check_skipped("5-level", "this CPU has no LA57");
			continue;
		}
		report_mode((enum paging)paging, &count[paging]);
	}
	return checks_end();
}
