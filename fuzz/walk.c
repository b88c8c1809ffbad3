/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any tables, any registers, any request.
 *
 * An input is a `struct input`, then the contents of the guest's memory: entries as `struct place`,
 * or (for `repeat`) bytes that are repeated to fill the memory, with most addresses reduced to its
 * size.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <vsm/walk.h>

enum {
	PAGES = 8,
	SIZE = PAGES * 4096,
	ALL = VSM_WALK_READ | VSM_WALK_WRITE | VSM_WALK_EXECUTE,
	ACCESSED = 0x20,
	DIRTY = 0x40,
};

struct input {
	uint64_t cr0, cr3, cr4, efer, rflags, pat, pdpte[4], gva;
	uint32_t pkru, pkrs, cpu, access, flags;
	uint8_t cpl, max_phys_addr, ad;
	uint8_t direct; /* 0: no direct memory; 1: all of it; 2: read-only; 3: its first half */
	uint8_t no_functions; /* functions that are NULL: bit 0 read, 1 compare_exchange, 2 check_page */
	uint8_t races;	      /* how many compare-exchanges are lost */
	/* enum vsm_walk_refusal for pages from refuse_from on; 0: none */
	uint8_t refuse_read, refuse_write, refuse_page;
	uint8_t refuse_from;
	uint8_t repeat;
};

struct guest {
	const struct input *input;
	uint8_t *ram;
	unsigned int reads;
	unsigned int writes;
	unsigned int races;
	unsigned int requested;
	uint64_t below; /* 2^MAXPHYADDR */
};

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static enum vsm_walk_refusal refused(const struct guest *guest, uint64_t gpa, uint8_t reason)
{
	if (gpa >= SIZE)
		return VSM_WALK_UNMAPPED;
	return gpa >> 12 >= guest->input->refuse_from ? (enum vsm_walk_refusal)reason
						      : VSM_WALK_ALLOWED;
}

static enum vsm_walk_refusal read_entry(void *opaque, uint64_t gpa, unsigned int size,
					uint64_t *entry)
{
	struct guest *guest = opaque;
	enum vsm_walk_refusal refusal = refused(guest, gpa, guest->input->refuse_read);

	guest->reads++;
	REQUIRE(size == 4 || size == 8);
	REQUIRE(gpa % size == 0 && gpa < guest->below);
	/* The upper half of a short entry must have no effect. */
	memset(entry, 0xff, sizeof(*entry));
	if (refusal == VSM_WALK_ALLOWED)
		memcpy(entry, guest->ram + gpa, size);
	return refusal;
}

static enum vsm_walk_refusal exchange(void *opaque, uint64_t gpa, unsigned int size,
				      uint64_t expected, uint64_t desired)
{
	struct guest *guest = opaque;
	enum vsm_walk_refusal refusal = refused(guest, gpa, guest->input->refuse_write);

	guest->writes++;
	REQUIRE(guest->input->ad != VSM_WALK_AD_LEAVE);
	REQUIRE(size == 4 || size == 8);
	REQUIRE(gpa % size == 0 && gpa < guest->below);
	REQUIRE(desired != expected && (desired & expected) == expected);
	REQUIRE(!((desired ^ expected) & ~(uint64_t)(ACCESSED | DIRTY)));
	if (refusal != VSM_WALK_ALLOWED)
		return refusal;
	if (guest->races) {
		guest->races--;
		return VSM_WALK_CHANGED;
	}
	if (memcmp(guest->ram + gpa, &expected, size))
		return VSM_WALK_CHANGED;
	memcpy(guest->ram + gpa, &desired, size);
	return VSM_WALK_ALLOWED;
}

static enum vsm_walk_refusal check_page(void *opaque, uint64_t gpa, unsigned int access, bool user)
{
	struct guest *guest = opaque;

	(void)user;
	guest->requested++;
	REQUIRE(gpa < guest->below);
	REQUIRE(access == guest->input->access);
	return (enum vsm_walk_refusal)guest->input->refuse_page;
}

struct place {
	uint8_t at[2]; /* in units of four bytes */
	uint8_t entry[8];
};

static void place(uint8_t *ram, const uint8_t *data, size_t size)
{
	for (; size >= sizeof(struct place); size -= sizeof(struct place)) {
		size_t at = (data[0] | (size_t)data[1] << 8) * 4 % (SIZE - 4);

		memcpy(ram + at, data + 2, 8);
		data += sizeof(struct place);
	}
}

static void fill(uint8_t *ram, const uint8_t *data, size_t size)
{
	for (size_t i = 0; size && i < SIZE; i++)
		ram[i] = data[i % size];
	for (size_t i = 0; i < SIZE; i += 8) {
		uint64_t entry;

		memcpy(&entry, ram + i, 8);
		if (!(entry >> 58 & 1))
			entry &= ~UINT64_C(0x000ffffffffff000) | (PAGES - 1) << 12;
		memcpy(ram + i, &entry, 8);
	}
}

static void explains_itself(const struct input *input, const struct vsm_walk_result *result)
{
	bool by_rights =
		result->reason >= VSM_WALK_USER_DENIED && result->reason <= VSM_WALK_KEY_DENIED;
	bool refused = result->reason >= VSM_WALK_TABLE_NOT_READABLE &&
		       result->reason <= VSM_WALK_PAGE_REFUSED;
	bool page_fault =
		result->reason >= VSM_WALK_NOT_PRESENT && result->reason <= VSM_WALK_KEY_DENIED;

	REQUIRE(result->reason <= VSM_WALK_INVALID);
	REQUIRE(vsm_walk_reason_name(result->reason)[0] != '?');
	if (result->reason == VSM_WALK_INVALID)
		return;
	REQUIRE(!(result->failed & ~input->access));
	if (result->reason == VSM_WALK_OK)
		REQUIRE(!result->failed && result->translated);
	else
		REQUIRE(result->failed || !input->access);
	REQUIRE(refused == (result->refusal != VSM_WALK_ALLOWED));
	REQUIRE(result->refusal < VSM_WALK_CHANGED);
	REQUIRE(result->vector == (page_fault				      ? 14
				   : result->reason == VSM_WALK_NON_CANONICAL ? 13
									      : 0));
	REQUIRE(result->vector == 14 || !result->error_code);
	REQUIRE(!(result->error_code & ~UINT32_C(0x3f)));
	REQUIRE(result->level <= VSM_WALK_MAX_LEVELS);
	REQUIRE(result->attempts <= VSM_WALK_MAX_ATTEMPTS);
	REQUIRE(!by_rights || result->translated);
	if (!result->translated) {
		REQUIRE(!result->gpa && !result->page_shift && !result->allowed);
		REQUIRE(!result->why[0] && !result->why[1] && !result->why[2]);
		return;
	}
	REQUIRE(result->gpa < UINT64_C(1) << input->max_phys_addr);
	REQUIRE(result->page_shift == 12 || result->page_shift == 21 || result->page_shift == 22 ||
		result->page_shift == 30);
	for (unsigned int i = 0; i < 3; i++) {
		bool allowed = result->allowed >> i & 1;

		REQUIRE(allowed == (result->why[i] == VSM_WALK_OK));
		REQUIRE(allowed || (result->why[i] >= VSM_WALK_USER_DENIED &&
				    result->why[i] <= VSM_WALK_KEY_DENIED));
	}
	REQUIRE(by_rights == !!(input->access & ~result->allowed) ||
		result->reason == VSM_WALK_TABLE_NOT_WRITABLE);
}

static void only_ad_bits_changed(const struct input *input, const struct vsm_walk_result *result,
				 const uint8_t *before, const uint8_t *after)
{
	bool done = result->reason == VSM_WALK_OK;
	unsigned int accessed = 0, dirty = 0;

	for (size_t i = 0; i < SIZE; i += 4) {
		uint32_t was, is;

		if (i % 256 == 0 && !memcmp(before + i, after + i, 256)) {
			i += 256 - 4;
			continue;
		}
		memcpy(&was, before + i, 4);
		memcpy(&is, after + i, 4);
		if (was == is)
			continue;
		REQUIRE((was & is) == was && !((was ^ is) & ~(uint32_t)(ACCESSED | DIRTY)));
		accessed += (was ^ is) & ACCESSED ? 1 : 0;
		dirty += (was ^ is) & DIRTY ? 1 : 0;
	}
	REQUIRE(accessed <= VSM_WALK_MAX_LEVELS && dirty <= 1);
	if (input->ad == VSM_WALK_AD_LEAVE)
		REQUIRE(!accessed && !dirty);
	/* Retries and refused bits may leave A set. */
	if (input->ad == VSM_WALK_AD_SET && !done && result->attempts == 1 &&
	    result->reason != VSM_WALK_TABLE_NOT_WRITABLE)
		REQUIRE(!accessed);
	if (!done || !(input->access & VSM_WALK_WRITE))
		REQUIRE(!dirty);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(4096) uint8_t ram[SIZE], before[SIZE];
	static const struct vsm_walk_direct none = {0};
	struct input input = {0};
	size_t head = size < sizeof(input) ? size : sizeof(input);
	struct vsm_walk_result result, again;
	struct guest guest = {.input = &input, .ram = ram};
	struct vsm_walk_direct direct = {.size = SIZE, .host = ram};
	enum vsm_walk_reason reason;

	memset(ram, 0, sizeof(ram));
	if (size)
		memcpy(&input, data, head);
	if (input.repeat & 1)
		fill(ram, data + head, size - head);
	else
		place(ram, data + head, size - head);
	memcpy(before, ram, SIZE);

	struct vsm_walk_context context = {
		.cr0 = input.cr0,
		.cr3 = input.cr3,
		.cr4 = input.cr4,
		.efer = input.efer,
		.rflags = input.rflags,
		.pat = input.pat,
		.pkru = input.pkru,
		.pkrs = input.pkrs,
		.cpu = input.cpu,
		.cpl = input.cpl,
		.max_phys_addr = input.max_phys_addr,
	};
	struct vsm_walk_memory memory = {
		.direct = &direct,
		.direct_count = 1,
		.read = input.no_functions & 1 ? NULL : read_entry,
		.compare_exchange = input.no_functions & 2 ? NULL : exchange,
		.check_page = input.no_functions & 4 ? NULL : check_page,
		.opaque = &guest,
	};
	struct vsm_walk_request request = {
		.gva = input.gva,
		.access = input.access,
		.flags = input.flags,
		.ad = (enum vsm_walk_ad)input.ad,
	};

	memcpy(context.pdpte, input.pdpte, sizeof(context.pdpte));
	guest.races = input.races;
	guest.below = UINT64_C(1) << (input.max_phys_addr & 63);
	direct.read_only = input.direct % 4 == 2;
	if (input.direct % 4 == 3)
		direct.size = SIZE / 2;
	if (input.direct % 4 == 0) {
		memory.direct = &none;
		memory.direct_count = input.direct & 4 ? 1 : 0;
	}

	memset(&result, 0x5a, sizeof(result));
	reason = vsm_walk(&context, &memory, &request, &result);
	REQUIRE(reason == result.reason);
	explains_itself(&input, &result);
	REQUIRE(guest.reads <= VSM_WALK_MAX_LEVELS * VSM_WALK_MAX_ATTEMPTS);
	REQUIRE(guest.requested <= VSM_WALK_MAX_ATTEMPTS);
	only_ad_bits_changed(&input, &result, before, ram);

	/* The walk keeps no state: repeated without changes of A and D, it has the same result. */
	request.ad = input.ad = VSM_WALK_AD_LEAVE;
	if (reason == VSM_WALK_OK) {
		reason = vsm_walk(&context, &memory, &request, &again);
		REQUIRE(reason == VSM_WALK_OK && again.gpa == result.gpa);
		REQUIRE(again.rights == result.rights && again.allowed == result.allowed);
	}
	return 0;
}
