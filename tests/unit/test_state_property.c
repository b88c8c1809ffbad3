/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever state a partition saves, it restores (P29): registers of all kinds, set to random values that each may
 * have by itself, in any order and for any VTL.
 */
#include "core_test.h"

#include "core/regs_table.h"
#include "state_test.h"

#define STEPS	   4000u
#define SAVE_EVERY 25u

static uint64_t random_state;

/* xorshift64 */
static uint64_t next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint32_t below(uint32_t limit)
{
	return (uint32_t)(next() % limit);
}

/* Values near the borders of what registers may hold. */
static uint64_t random_value(void)
{
	switch (below(9)) {
	case 0:
		return below(4);
	case 1:
		return UINT64_MAX;
	case 2:
		return UINT64_C(1) << below(64);
	case 3: /* canonical with 57 bits, and seldom with 48 */
		return (uint64_t)((int64_t)(next() << 7) >> 7);
	case 4: /* with 48 bits */
		return (uint64_t)((int64_t)(next() << 16) >> 16);
	case 5:
		return below(0x10000);
	case 6:
		return below(0x100) | HV_SYNIC_SINT_MASKED;
	case 7:
		return next() & next() & next();
	default:
		return next();
	}
}

/* One register, or what it holds with a few bits changed. Returns whether it was taken. */
static bool set_one(struct vsm_partition *partition)
{
	struct vsm_vp *vp = vsm_partition_vp(partition, below(partition->vp_count));
	const uint8_t vtl = (uint8_t)below(partition->vtl_count);
	/* The registers of VSM, at the end of the table, as often as all others. */
	const uint32_t rows = (uint32_t)regs_table_size, vsm = 9;
	const struct regs_row *row = &regs_table[below(2) ? below(rows) : rows - 1 - below(vsm)];
	const uint32_t count = row->last - row->first + 1;
	const uint32_t name = row->first + below(below(2) ? count : 1);
	const struct regs_caller host = {.host = true};
	union hv_register_value value = {0};

	if (below(3) == 0) {
		regs_get(vp, vtl, name, &host, &value);
		value.reg64 ^= random_value() & random_value();
	} else {
		value.reg128.low = random_value();
		value.reg128.high = row->bits > 64 ? random_value() : 0;
	}
	return regs_set(vp, vtl, name, &host, &value) == HV_STATUS_SUCCESS;
}

#define SMALL_RAM (1u << 20)

static void expect_round_trip(struct vsm_partition *partition, uint64_t seed, uint32_t step)
{
	struct vsm_partition *other = guest_partition(2, 2, SMALL_RAM, NULL);
	struct guest_saved first = state_save(partition);
	struct guest_saved second;

	memcpy(guest_ram(other, 0), guest_ram(partition, 0), SMALL_RAM);
	if (vsm_partition_restore(other, first.bytes, first.size))
		fail_msg("seed %#llx, step %u: refused", (unsigned long long)seed, step);
	second = state_save(other);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.bytes, second.bytes, first.size);
	free(first.bytes);
	free(second.bytes);
	vsm_partition_destroy(other);
}

static void p29_any_state_that_is_saved_is_restored(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct vsm_partition *partition = guest_partition(2, 2, SMALL_RAM, NULL);
		uint32_t taken = 0;

		random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
		/* VTL2 exists and is not enabled; VP 1 has VTL0 alone. */
		assert_int_equal(enable_partition(vsm_partition_vp(partition, 0), 1, 0), 0);
		assert_int_equal(enable_vp(vsm_partition_vp(partition, 0), 0, 1), 0);
		for (uint32_t step = 0; step < STEPS; step++) {
			taken += set_one(partition);
			if (step % SAVE_EVERY == SAVE_EVERY - 1)
				expect_round_trip(partition, seed, step);
		}
		assert_true(taken > STEPS / 8);
		vsm_partition_destroy(partition);
	}
}

/*
 * A CPU that supports 57-bit linear addresses takes them in MSRs, segment bases and descriptor tables whatever
 * CR4.LA57 is: WRMSR KERNEL_GS_BASE in 4-level mode is one way, to leave 5-level mode another.
 */
static void a_57_bit_address_outlives_5_level_paging(void **state)
{
	static const uint32_t names[] = {HV_X64_REGISTER_KERNEL_GS_BASE, HV_X64_REGISTER_LSTAR,
					 HV_X64_REGISTER_CSTAR, HV_X64_REGISTER_SYSENTER_EIP,
					 HV_X64_REGISTER_SYSENTER_ESP};
	const uint64_t address = UINT64_C(0x00ffff8012345000);
	struct vsm_partition *partition = guest_partition(2, 2, SMALL_RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const struct regs_caller host = {.host = true};
	union hv_register_value value = {0};
	const struct vsm_exit *exit;

	(void)state;
	assert_int_equal(vcpu_get(vp, 0, VCPU_SYSTEM)->cr4 & X64_CR4_LA57, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		host_set(vp, 0, names[i], address);
	regs_get(vp, 0, HV_X64_REGISTER_GS, &host, &value);
	value.segment.base = address;
	assert_int_equal(regs_set(vp, 0, HV_X64_REGISTER_GS, &host, &value), 0);
	value.table = (struct hv_x64_table_register){.limit = 0x7f, .base = address};
	assert_int_equal(regs_set(vp, 0, HV_X64_REGISTER_GDTR, &host, &value), 0);
	/* The guest runs with them, */
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	/* is saved with them, */
	expect_round_trip(partition, 0, 0);
	/* cannot run where KVM would refuse them, which keeps them all the same, */
	partition->features.msr_address_by_la57 = true;
	host_set(vp, 0, HV_X64_REGISTER_LSTAR, address);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
	expect_round_trip(partition, 0, 0);
	partition->features.msr_address_by_la57 = false;
	/* and an address beyond 57 bits is refused. */
	value.reg64 = UINT64_C(0x0100000000000000);
	assert_int_equal(regs_set(vp, 0, HV_X64_REGISTER_LSTAR, &host, &value),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_57_bit_address_outlives_5_level_paging),
		cmocka_unit_test(p29_any_state_that_is_saved_is_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
