/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition restores every state that it saves (P29): registers are set to random valid values,
 * in random order and for random VTLs. */
#include "core_test.h"

#include "core/intercept/intercept.h"
#include "core/memory/protect.h"
#include "core/interrupt/stimer.h"
#include "core/registers/table.h"
#include "core/state/state.h"
#include "needs.h"
#include "state_test.h"
#include "../lab/random.h"

#define STEPS	   4000u
#define SAVE_EVERY 25u

#define SMALL_RAM (1u << 20)

static uint64_t random_state;

static uint64_t next(void)
{
	return next_random(&random_state);
}

static uint32_t below(uint32_t limit)
{
	return (uint32_t)(next() % limit);
}

/* Random values, many of them near a limit of register values. */
static uint64_t random_value(void)
{
	switch (below(9)) {
	case 0:
		return below(4);
	case 1:
		return UINT64_MAX;
	case 2:
		return UINT64_C(1) << below(64);
	case 3: /* canonical with 57 bits, rarely with 48 */
		return (uint64_t)((int64_t)(next() << 7) >> 7);
	case 4: /* canonical with 48 bits */
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

/* Returns whether the value was accepted. */
static bool set_one(struct vsm_partition *partition)
{
	struct vsm_vp *vp = vsm_partition_vp(partition, below(partition->vp_count));
	const uint8_t vtl = (uint8_t)below(partition->vtl_count);
	/* At least half of the registers are those of VSM, in the last rows of the table. */
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

#define LAYOUTS_MAX 16u
#define FIELDS_MAX  64u

static bool seen[LAYOUTS_MAX][FIELDS_MAX];

/* Returns the index of the layout of a record, or of its list's elements, or -1. */
static int layout_of(const char *record)
{
	const char *name = record;

	if (!strcmp(record, "protection"))
		name = "run";
	else if (!strcmp(record, "intercepts"))
		name = "intercept";
	for (size_t i = 0; i < state_layout_count; i++)
		if (!strcmp(state_layouts[i]->name, name))
			return (int)i;
	return -1;
}

static void note_payload(int index, const uint8_t *payload, size_t length)
{
	const struct state_layout *layout = state_layouts[index];
	size_t at = 0;

	assert_true(layout->fields <= FIELDS_MAX && state_layout_count <= LAYOUTS_MAX);
	for (size_t field = 0; at < length; field = (field + 1) % layout->fields) {
		const size_t size = (size_t)layout->field[field].size * layout->field[field].count;

		for (size_t i = 0; i < size && at + i < length; i++)
			seen[index][field] |= payload[at + i] != 0;
		at += size;
	}
}

static void note_fields(const struct guest_saved *file)
{
	struct state_reader reader = {.data = file->bytes, .size = file->size};
	struct state_record record = {0};
	const uint8_t *payload;

	assert_int_equal(state_read_header(&reader), 0);
	while (strcmp(record.name, "end") != 0) {
		int index;

		assert_int_equal(state_read(&reader, &record, &payload), 0);
		index = layout_of(record.name);
		if (index >= 0)
			note_payload(index, payload, record.length);
	}
}

static void expect_round_trip(struct vsm_partition *partition, const struct sim_options *options,
			      uint64_t seed, uint32_t step)
{
	struct vsm_partition *other = guest_partition(2, 2, SMALL_RAM, options);
	struct guest_saved first = state_save(partition);
	struct guest_saved second;

	memcpy(guest_ram(other, 0), guest_ram(partition, 0), SMALL_RAM);
	if (vsm_partition_restore(other, first.bytes, first.size))
		fail_msg("seed %#llx, step %u: refused", (unsigned long long)seed, step);
	second = state_save(other);
	note_fields(&first);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.bytes, second.bytes, first.size);
	free(first.bytes);
	free(second.bytes);
	vsm_partition_destroy(other);
}

/* State that no register sets: protections, intercepts, and events of a running VP. */
static void set_the_rest(struct vsm_partition *partition)
{
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	struct vp_vtl *own = &vp->vtl[below(2)];
	struct vcpu_events *events = &vcpu_edit(vp, 1, VCPU_EVENTS)->events;
	const uint64_t gpn = below(SMALL_RAM / CORE_PAGE_SIZE);
	size_t done;

	protect_set(partition, 1, -1, &gpn, 1, below(2) ? GPA_READ : 0, &done);
	intercept_install(partition, 1, HV_INTERCEPT_TYPE_X64_MSR_INDEX, 1 + below(3),
			  0xc0000080 + below(4));
	vp->eoi[below(4)] = next();
	vp->eoi_waiting = vp->eoi[0] | vp->eoi[1] | vp->eoi[2] | vp->eoi[3];
	own->triple_fault = below(2);
	own->stimer[0].message_due = below(2);
	own->stimer[0].expired = next();
	events->exception_vector = 14;
	events->exception_has_error_code = true;
	events->exception_error_code = below(0x10000);
	events->exception_parameter = next();
	events->interrupt_injected = below(2);
	events->interrupt_soft = below(2);
	events->interrupt_vector = (uint8_t)(16 + below(240));
	events->nmi_pending = below(2);
	events->nmi_injected = below(2);
	vcpu_edit(vp, 0, VCPU_SMM)->smbase = below(UINT32_MAX);
	events = &vcpu_edit(vp, 0, VCPU_EVENTS)->events;
	events->smm = below(2);
	events->smm_in_nmi = events->smm && below(2);
}

/* shows: rule save-any */
static void p29_any_state_that_is_saved_is_restored(void **state)
{
	const struct sim_options options = {.smm = true};

	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct vsm_partition *partition = guest_partition(2, 2, SMALL_RAM, &options);
		uint32_t taken = 0;

		random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
		/* VTL2 is enabled on no VP; VP 1 has only VTL0. */
		assert_int_equal(enable_partition(vsm_partition_vp(partition, 0), 1,
						  HV_ENABLE_PARTITION_VTL_MBEC),
				 0);
		assert_int_equal(enable_vp(vsm_partition_vp(partition, 0), 0, 1), 0);
		if (seed & 1)
			assert_int_equal(guest_vtl_call(vsm_partition_vp(partition, 0)),
					 GUEST_DONE);
		reftime_init(partition, seed * 1000);
		for (uint32_t step = 0; step < STEPS; step++) {
			taken += set_one(partition);
			if (step % SAVE_EVERY == 0)
				set_the_rest(partition);
			if (step % SAVE_EVERY == SAVE_EVERY - 1)
				expect_round_trip(partition, &options, seed, step);
		}
		assert_true(taken > STEPS / 8);
		vsm_partition_destroy(partition);
	}
}

/* A copy of another width would lose bits, or overwrite the neighbour of the live member. */
static void each_saved_field_is_as_wide_as_its_live_member(void **state)
{
	for (size_t i = 0; i < state_layout_count; i++) {
		for (size_t k = 0; k < state_layouts[i]->fields; k++) {
			const struct state_field *field = &state_layouts[i]->field[k];

			if (field->live_size && field->live_size != field->size)
				fail_msg("%s.%s", state_layouts[i]->name, field->name);
			assert_true(field->count == 1 || !field->live_size ||
				    field->live_stride >= field->live_size);
		}
	}
}

/* P29: a field that is always saved as zero would pass the tests above. */
/* shows: rule save-fields */
static void each_saved_field_was_restored_with_a_nonzero_value(void **state)
{
	unsigned int missing = 0;

	for (size_t i = 0; i < state_layout_count; i++) {
		for (size_t k = 0; k < state_layouts[i]->fields; k++) {
			if (seen[i][k])
				continue;
			print_error("never saved with a nonzero value: %s.%s\n",
				    state_layouts[i]->name, state_layouts[i]->field[k].name);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

/*
 * A CPU that supports 57-bit linear addresses accepts them in MSRs, segment bases and descriptor tables
 * whatever CR4.LA57 is. A guest sets them by WRMSR in 4-level mode, or before it leaves 5-level mode.
 */
/* shows: rule save-57-bit */
static void a_57_bit_address_is_kept_without_5_level_paging(void **state)
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

	assert_int_equal(vcpu_get(vp, 0, VCPU_SYSTEM)->cr4 & X64_CR4_LA57, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		host_set(vp, 0, names[i], address);
	regs_get(vp, 0, HV_X64_REGISTER_GS, &host, &value);
	value.segment.base = address;
	assert_int_equal(regs_set(vp, 0, HV_X64_REGISTER_GS, &host, &value), 0);
	value.table = (struct hv_x64_table_register){.limit = 0x7f, .base = address};
	assert_int_equal(regs_set(vp, 0, HV_X64_REGISTER_GDTR, &host, &value), 0);
	assert_int_equal(guest_nop(vp), GUEST_DONE);
	expect_round_trip(partition, NULL, 0, 0);
	/* If KVM refuses the address the guest cannot run, but the address is kept. */
	partition->features.msr_address_by_la57 = true;
	host_set(vp, 0, HV_X64_REGISTER_LSTAR, address);
	assert_int_equal(vsm_vp_run(vp, &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_SHUTDOWN);
	expect_round_trip(partition, NULL, 0, 0);
	partition->features.msr_address_by_la57 = false;
	value.reg64 = UINT64_C(0x0100000000000000);
	assert_int_equal(regs_set(vp, 0, HV_X64_REGISTER_LSTAR, &host, &value),
			 HV_STATUS_INVALID_REGISTER_VALUE);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_needs(NEED_LA57_ADDRESS, a_57_bit_address_is_kept_without_5_level_paging),
		unit_test_needs(NEED_SIM_CPU, p29_any_state_that_is_saved_is_restored),
		cmocka_unit_test(each_saved_field_is_as_wide_as_its_live_member),
		unit_test_needs(NEED_SIM_CPU, each_saved_field_was_restored_with_a_nonzero_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
