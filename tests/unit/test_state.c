/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "unit_test.h"
#include "core/memory/protect.h"
#include "core/state/state.h"
#include "core/vp/vp.h"
#include "core/x64.h"
#include "needs.h"
#include "sim/sim_guest.h"
#include "state_test.h"

#define RAM (16u << 20)

static void set_register(struct vsm_vp *vp, uint8_t vtl, uint32_t name, uint64_t low)
{
	union hv_register_value value = {0};

	value.reg64 = low;
	assert_int_equal(vsm_vp_set_registers(vp, vtl, &name, &value, 1), 1);
}

/* Rights of VTL0 to a page that VTL1 protects, which every engine can enforce. */
#define PROTECTED ((uint32_t)(GPA_READ | GPA_EXECUTE))

/* A partition with state of many kinds; VTL1 of VP 0 is active. */
static struct vsm_partition *busy_partition(void)
{
	struct vsm_partition *partition = guest_partition(2, 2, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	uint64_t gpn[] = {0x300, 0x301, 0x340};
	size_t done;

	if (partition->features.mbec)
		guest_enable_vtl_mbec(partition, 1);
	else
		guest_enable_vtl(partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_VP_ASSIST_PAGE, 0x200001), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SCONTROL, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, 0x201001), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0, 0x41), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_STIMER0_CONFIG, 0x10003), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_STIMER0_COUNT, 1000000), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 0x1234), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0x202001), GUEST_DONE);
	set_register(vp, 1, HV_REGISTER_VSM_PARTITION_CONFIG, 0x1f);
	assert_int_equal(protect_set(partition, 1, -1, gpn, 2, PROTECTED, &done),
			 HV_STATUS_SUCCESS);
	/* User execute without kernel execute needs MBEC. */
	if (partition->features.mbec)
		assert_int_equal(protect_set(partition, 1, -1, gpn + 2, 1,
					     GPA_READ | GPA_USER_EXECUTE, &done),
				 HV_STATUS_SUCCESS);
	set_register(vp, 0, HV_X64_REGISTER_LSTAR, 0xffffffff81000000);
	set_register(vp, 1, HV_X64_REGISTER_CR_INTERCEPT_CONTROL, HV_CR_INTERCEPT(MSR_LSTAR_WRITE));
	guest_set_gpr(vp, 1, GPR_R15, 0x1515);
	vsm_lapic_post(&vp->vtl[0].lapic, 0x61, VSM_LAPIC_EDGE);
	return partition;
}

static void copy_ram(struct vsm_partition *to, struct vsm_partition *from)
{
	memcpy(guest_ram(to, 0), guest_ram(from, 0), RAM);
}

static void p29_a_restored_partition_saves_to_the_same_bytes(void **state)
{
	struct vsm_partition *partition = busy_partition();
	struct vsm_partition *other = guest_partition(2, 2, RAM, NULL);
	struct guest_saved first = state_save(partition);

	copy_ram(other, partition);
	state_restores_to_the_same(&first, other);
	free(first.bytes);
	vsm_partition_destroy(partition);
	vsm_partition_destroy(other);
}

static void p29_a_restored_guest_continues_where_it_was_saved(void **state)
{
	struct vsm_partition *partition = busy_partition();
	struct vsm_partition *other = guest_partition(2, 2, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(other, 0);
	struct guest_saved file = state_save(partition);
	uint64_t value = 0;

	copy_ram(other, partition);
	assert_int_equal(vsm_partition_restore(other, file.bytes, file.size), 0);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(guest_gpr(vp, 1, GPR_R15), 0x1515);
	assert_int_equal(sim_access(other, 0, 0x301), PROTECTED);
	assert_int_equal(sim_access(other, 0, 0x302), GPA_ALL);
	assert_int_equal(sim_access(other, 1, 0x301), GPA_ALL);
	assert_int_equal(guest_rdmsr(vp, HV_X64_MSR_HYPERCALL, &value), GUEST_DONE);
	assert_int_equal(value, 0x202001);
	assert_int_equal(guest_read(vp, 0x202000, 4, &value), GUEST_DONE);
	assert_int_not_equal(value, 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(sim_state(vp, 0)->interrupts, 1);
	assert_int_equal(guest_write(vp, 0x301000, 8, 1), GUEST_STOPPED);
	assert_int_equal(vp->active_vtl, 1);
	free(file.bytes);
	vsm_partition_destroy(partition);
	vsm_partition_destroy(other);
}

static void p29_an_eoi_that_the_vmm_has_yet_to_receive_is_kept(void **state)
{
	struct vsm_partition *partition = guest_partition(1, 1, RAM, NULL);
	struct vsm_partition *other = guest_partition(1, 1, RAM, NULL);
	struct vsm_vp *vp = vsm_partition_vp(partition, 0);
	const struct vsm_exit *exit;
	struct guest_saved file;

	assert_int_equal(vsm_msi(partition, 0xfee00000, 0xc0fe), 0); /* level, assert, fixed */
	guest_run(vp);
	/* The VMM writes EOI itself, so no vsm_vp_run() has reported the EOI yet. */
	set_register(vp, 0, HV_X64_REGISTER_SYNTHETIC_EOI, 0);
	file = state_save(partition);
	copy_ram(other, partition);
	assert_int_equal(vsm_partition_restore(other, file.bytes, file.size), 0);
	assert_int_equal(vsm_vp_run(vsm_partition_vp(other, 0), &exit), 0);
	assert_int_equal(exit->reason, VSM_EXIT_EOI);
	assert_int_equal(exit->eoi.vector, 0xfe);
	free(file.bytes);
	vsm_partition_destroy(partition);
	vsm_partition_destroy(other);
}

/* @step: from byte 4096 on. */
static void refuse_truncations(size_t step)
{
	struct vsm_partition *partition = busy_partition();
	struct vsm_partition *other = guest_partition(2, 2, RAM, NULL);
	struct guest_saved file = state_save(partition), before = state_save(other), after;

	for (size_t size = 0; size < file.size; size += size < 4096 ? 1 : step)
		assert_int_equal(vsm_partition_restore(other, file.bytes, size), -EILSEQ);
	after = state_save(other);
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.bytes, after.bytes, before.size);
	free(file.bytes);
	free(before.bytes);
	free(after.bytes);
	vsm_partition_destroy(partition);
	vsm_partition_destroy(other);
}

static void truncations_are_refused_and_change_nothing(void **state)
{
	refuse_truncations(97);
}

static void every_truncation_is_refused_and_changes_nothing(void **state)
{
	refuse_truncations(1);
}

static void detect_altered_bytes(size_t step)
{
	struct vsm_partition *partition = busy_partition();
	struct vsm_partition *other = guest_partition(2, 2, RAM, NULL);
	struct guest_saved file = state_save(partition);

	for (size_t i = 0; i < file.size; i += i < 4096 ? 1 : step) {
		file.bytes[i] ^= 0x10;
		assert_int_not_equal(vsm_partition_restore(other, file.bytes, file.size), 0);
		file.bytes[i] ^= 0x10;
	}
	free(file.bytes);
	vsm_partition_destroy(partition);
	vsm_partition_destroy(other);
}

static void altered_bytes_are_detected(void **state)
{
	detect_altered_bytes(61);
}

static void every_altered_byte_is_detected(void **state)
{
	detect_altered_bytes(1);
}

/* Appends a record before "end" (which has only a header). */
static struct guest_saved with_record(const struct guest_saved *file, const char *name,
				      uint32_t flags)
{
	struct guest_saved out = {0};
	struct state_record record = {.flags = flags};

	guest_save_write(&out, file->bytes, file->size - sizeof(record));
	strncpy(record.name, name, sizeof(record.name) - 1);
	record.crc = state_crc(0, &record, sizeof(record));
	guest_save_write(&out, &record, sizeof(record));
	guest_save_write(&out, file->bytes + file->size - sizeof(record), sizeof(record));
	return out;
}

static void an_unknown_record_is_skipped_if_optional_and_refused_if_not(void **state)
{
	struct vsm_partition *partition = busy_partition();
	struct vsm_partition *other = guest_partition(2, 2, RAM, NULL);
	struct guest_saved file = state_save(partition);
	struct guest_saved optional = with_record(&file, "from-2030", STATE_OPTIONAL);
	struct guest_saved required = with_record(&file, "from-2030", 0);

	assert_int_equal(vsm_partition_restore(other, required.bytes, required.size), -ENOTSUP);
	assert_int_equal(vsm_partition_restore(other, optional.bytes, optional.size), 0);
	free(file.bytes);
	free(optional.bytes);
	free(required.bytes);
	vsm_partition_destroy(partition);
	vsm_partition_destroy(other);
}

static void another_configuration_is_refused(void **state)
{
	struct vsm_partition *partition = busy_partition();
	struct vsm_partition *fewer = guest_partition(1, 2, RAM, NULL);
	struct vsm_partition *smaller = guest_partition(2, 2, RAM / 2, NULL);
	struct vsm_partition *lower = guest_partition(2, 1, RAM, NULL);
	struct guest_saved file = state_save(partition);

	assert_int_equal(vsm_partition_restore(fewer, file.bytes, file.size), -EINVAL);
	assert_int_equal(vsm_partition_restore(smaller, file.bytes, file.size), -EINVAL);
	assert_int_equal(vsm_partition_restore(lower, file.bytes, file.size), -EINVAL);
	free(file.bytes);
	vsm_partition_destroy(partition);
	vsm_partition_destroy(fewer);
	vsm_partition_destroy(smaller);
	vsm_partition_destroy(lower);
}

/* A partition with the default privileges that are in @privileges. */
static struct vsm_partition *partition_with(uint64_t privileges)
{
	struct vsm_config config;
	struct vsm_partition *partition;
	void *ram = NULL;

	vsm_config_init(&config);
	config.privileges &= privileges;
	assert_int_equal(partition_create(&config, &sim_ops, NULL, &partition), 0);
	assert_int_equal(vsm_memory_add(partition, 0, RAM, -1, 0, &ram), 0);
	return partition;
}

/* A later version may offer more than the one that saved; a guest must not lose what it has seen. */
static void a_state_with_fewer_privileges_is_accepted_and_one_with_more_is_refused(void **state)
{
	struct vsm_partition *fewer = partition_with(~HV_PRIVILEGE(ACCESS_GUEST_IDLE_REG));
	struct vsm_partition *more = partition_with(UINT64_MAX);
	struct guest_saved few = state_save(fewer);
	struct guest_saved many = state_save(more);

	assert_int_equal(vsm_partition_restore(more, few.bytes, few.size), 0);
	assert_int_equal(vsm_partition_restore(fewer, many.bytes, many.size), -EINVAL);
	free(few.bytes);
	free(many.bytes);
	vsm_partition_destroy(fewer);
	vsm_partition_destroy(more);
}

struct lines {
	unsigned int count;
	bool rip;
	bool protection;
};

static void look(void *opaque, const char *line)
{
	struct lines *lines = opaque;

	lines->count++;
	lines->rip |= strstr(line, "    rip = ") != NULL;
	lines->protection |= strstr(line, "protection: ") != NULL;
}

static void a_saved_state_is_described_as_text(void **state)
{
	struct vsm_partition *partition = busy_partition();
	struct guest_saved file = state_save(partition);
	struct lines lines = {0};

	assert_int_equal(vsm_state_describe(NULL, file.bytes, file.size, look, &lines), 0);
	assert_true(lines.count > 100);
	assert_true(lines.rip);
	assert_true(lines.protection);
	assert_int_equal(vsm_state_describe(NULL, file.bytes, file.size / 2, look, &lines),
			 -EILSEQ);
	free(file.bytes);
	vsm_partition_destroy(partition);
}

/* Returns how many of the pages for overlays take memory of the host. */
static size_t resident_overlays(const struct vsm_partition *partition)
{
	const uint32_t pages = partition->memory.overlay_page_count;
	unsigned char *in_core = calloc(pages, 1);
	size_t count = 0;

	assert_non_null(in_core);
	assert_int_equal(
		mincore(partition->memory.overlay_page, (size_t)pages * CORE_PAGE_SIZE, in_core),
		0);
	for (uint32_t page = 0; page < pages; page++)
		count += in_core[page] & 1;
	free(in_core);
	return count;
}

/* busy_partition() maps three overlays: hypercall page, assist page and SIM page of VTL1. */
static void saving_and_a_later_reset_use_only_overlay_pages_that_were_mapped(void **state)
{
	struct vsm_partition *partition = busy_partition();
	struct guest_saved file = state_save(partition);

	assert_in_range(resident_overlays(partition), 1, 3);
	assert_int_equal(vsm_partition_reset(partition), 0);
	assert_in_range(resident_overlays(partition), 1, 3);
	free(file.bytes);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p29_a_restored_partition_saves_to_the_same_bytes),
		cmocka_unit_test(p29_a_restored_guest_continues_where_it_was_saved),
		cmocka_unit_test(p29_an_eoi_that_the_vmm_has_yet_to_receive_is_kept),
		cmocka_unit_test(truncations_are_refused_and_change_nothing),
		unit_test_needs(NEED_MANY_RESTORES,
				every_truncation_is_refused_and_changes_nothing),
		cmocka_unit_test(altered_bytes_are_detected),
		unit_test_needs(NEED_MANY_RESTORES, every_altered_byte_is_detected),
		cmocka_unit_test(an_unknown_record_is_skipped_if_optional_and_refused_if_not),
		cmocka_unit_test(another_configuration_is_refused),
		cmocka_unit_test(
			a_state_with_fewer_privileges_is_accepted_and_one_with_more_is_refused),
		cmocka_unit_test(a_saved_state_is_described_as_text),
		cmocka_unit_test(saving_and_a_later_reset_use_only_overlay_pages_that_were_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
