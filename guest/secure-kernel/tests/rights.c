/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks that deny execution, and control registers that VTL0 cannot weaken. */
#include "kit/cpu.h"
#include "kit/memory.h"
#include "kit/smp.h"
#include "kit/x64.h"

#include "client.h"
#include "topics.h"

/* mov $0x5eed, %eax; ret */
static const uint8_t code[] = {0xb8, 0xed, 0x5e, 0, 0, 0xc3};
#define CODE_RESULT	 0x5eedu
#define CPUID_7_EBX_SMEP (1u << 7)
#define EDGE		 0x7ffffffffffdull /* 3 bytes below the addresses that are not canonical */

struct run {
	const volatile uint8_t *page;
	uint32_t result;
};

static void run_code(void *argument)
{
	struct run *run = argument;

	run->result = ((uint32_t(*)(void))(uintptr_t)run->page)();
}

/* Runs the code in @page. Returns -1, or the vector of the exception that it raised. */
static int try_run(const volatile uint8_t *page)
{
	struct run run = {page, 0};
	struct fault fault;

	if (catch_fault(&fault, run_code, &run)) {
		expect_equal(fault.rip, (uint64_t)page);
		return fault.vector;
	}
	expect_equal(run.result, CODE_RESULT);
	return -1;
}

static uint8_t *code_page(void)
{
	uint8_t *page = memory_pages(1);

	memcpy(page, code, sizeof(code));
	return page;
}

static uint64_t lock_as(const uint8_t *page, uint64_t rights)
{
	return client_request(SECURE_KERNEL_LOCK_RANGE, (uint64_t)page, 1, rights).status;
}

static bool has(uint64_t state)
{
	return client_request(SECURE_KERNEL_GET_STATUS, 0, 0, 0).r9 & state;
}

static void try_constant(void *page)
{
	uint8_t value;

	expect_equal(try_read(page, &value), -1);
	expect_equal(value, code[0]);
	expect_equal(try_write(page, 0), VECTOR_GP);
	expect_equal(try_run(page), VECTOR_GP);
}

static void try_data(void *argument)
{
	uint8_t *page = argument;

	expect_equal(try_write(page + 100, page[100] + 1), -1);
	expect_equal(try_run(page), VECTOR_GP);
}

static void rights_are_kept(void)
{
	uint8_t *constant = code_page(), *data = code_page();
	__attribute__((aligned(32))) uint8_t digest[SECURE_KERNEL_DIGEST];

	expect_equal(try_run(constant), -1);
	if (!has(SECURE_KERNEL_DENIES_EXECUTE)) {
		expect_equal(lock_as(constant, SECURE_KERNEL_CONSTANT), SECURE_KERNEL_NOT_ENFORCED);
		expect_equal(lock_as(data, SECURE_KERNEL_DATA), SECURE_KERNEL_NOT_ENFORCED);
		expect_equal(try_write(constant, code[0]), -1);
		expect_equal(try_run(constant), -1);
		expect_equal(try_run(data), -1);
		tap_skip("this host cannot deny execution alone: refused");
		return;
	}
	expect_equal(lock_as(constant, SECURE_KERNEL_CONSTANT), SECURE_KERNEL_OK);
	expect_equal(lock_as(data, SECURE_KERNEL_DATA), SECURE_KERNEL_OK);
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		smp_run(vp, try_constant, constant);
		smp_run(vp, try_data, data);
	}
	/* guest_map() sets VTL0's rights again when VTL1 uses a page; it must not extend them. */
	expect_equal(client_hmac(data, 64, digest), SECURE_KERNEL_OK);
	expect_equal(client_hmac(constant, 64, digest), SECURE_KERNEL_OK);
	expect_equal(client_hmac(constant, 64, data + 512), SECURE_KERNEL_OK);
	expect_equal(client_hmac(data, 64, constant), SECURE_KERNEL_DENIED);
	for (uint32_t vp = 0; vp < smp_count; vp++) {
		smp_run(vp, try_constant, constant);
		smp_run(vp, try_data, data);
	}
}

static void other_rights_are_refused(void)
{
	uint8_t *page = code_page();

	expect_equal(lock_as(page, SECURE_KERNEL_RIGHTS), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(lock_as(page, ~0ull), SECURE_KERNEL_BAD_ARGUMENT);
	expect_equal(try_write(page, code[0]), -1);
	expect_equal(try_run(page), -1);
}

static void set_cr0(void *value)
{
	write_cr0(*(const uint64_t *)value);
}

static void set_cr4(void *value)
{
	write_cr4(*(const uint64_t *)value);
}

static int try_set(catch_function *set, uint64_t value)
{
	struct fault fault;

	return catch_fault(&fault, set, &value) ? fault.vector : -1;
}

/* mov %rax, %cr4 at the end of the lower canonical addresses: VTL1 cannot set RIP behind it. */
static void set_cr4_at_edge(void *value)
{
	__asm__ volatile("call *%1" : : "a"(*(const uint64_t *)value), "r"(EDGE) : "memory");
}

static void map_edge(void)
{
	static const uint8_t set[] = {0x0f, 0x22, 0xe0};
	uint64_t *table = (uint64_t *)read_cr3();
	uint8_t *page;

	for (unsigned int level = 3; level > 0; level--) {
		uint64_t *next = memory_pages(1);

		table[EDGE >> (12 + 9 * level) & 511] = (uint64_t)next | PTE_PRESENT | PTE_WRITABLE;
		table = next;
	}
	page = memory_pages(1);
	memcpy(page + PAGE_SIZE - sizeof(set), set, sizeof(set));
	table[EDGE >> 12 & 511] = (uint64_t)page | PTE_PRESENT | PTE_WRITABLE;
}

/* VTL1 permits this write, but cannot set RIP behind it: #GP, and CR4 is unchanged. */
static void write_at_edge(uint64_t value)
{
	const uint64_t before = read_cr4();
	struct fault fault;

	expect(value != before);
	if (!expect(catch_fault(&fault, set_cr4_at_edge, &value)))
		return;
	expect_equal(fault.vector, VECTOR_GP);
	expect_equal(fault.rip, EDGE);
	expect_equal(read_cr4(), before);
}

static void weaken(void *argument)
{
	const bool has_smep = cpuid(7, 0).ebx & CPUID_7_EBX_SMEP;
	const uint64_t cr0 = read_cr0(), cr4 = read_cr4();

	(void)argument;
	expect_equal(try_set(set_cr0, cr0 & ~CR0_WP), VECTOR_GP);
	expect_equal(read_cr0(), cr0);
	expect_equal(try_set(set_cr4, cr4 ^ CR4_PGE), -1);
	expect_equal(read_cr4(), cr4 ^ CR4_PGE);
	expect_equal(try_set(set_cr4, cr4), -1);
	if (!has_smep)
		return;
	write_at_edge(cr4 | CR4_SMEP);
	expect_equal(try_set(set_cr4, cr4 | CR4_SMEP), -1);
	expect_equal(read_cr4(), cr4 | CR4_SMEP);
	expect_equal(try_set(set_cr4, cr4 & ~CR4_SMEP), VECTOR_GP);
	expect_equal(try_set(set_cr4, (cr4 & ~CR4_SMEP) ^ CR4_PGE), VECTOR_GP);
	expect_equal(read_cr4(), cr4 | CR4_SMEP);
}

static void registers_are_kept(void)
{
	if (!has(SECURE_KERNEL_WATCHES_REGISTERS)) {
		tap_skip("this host does not report writes of control registers, as stated in the "
			 "status");
		return;
	}
	map_edge();
	for (uint32_t vp = 0; vp < smp_count; vp++)
		smp_run(vp, weaken, NULL);
	expect_vtl1_is_well();
}

static const struct tap_case cases[] = {
	{"VTL0 can only read constants and not execute data, on every VP, or the lock is refused",
	 rights_are_kept},
	{"a lock with unknown rights is refused", other_rights_are_refused},
	{"VTL0 cannot clear CR0.WP and CR4.SMEP, if the status has this bit", registers_are_kept},
};

TAP_TOPIC(topic_rights, needs_secure_kernel, cases);
