/* SPDX-License-Identifier: BSD-2-Clause */
/* Protections, overlays and devices on one page (TLFS "Memory Access Protections"). */
#include "core_test.h"
#include "needs.h"

#define PAGE 0x50000u

/* VTL1 with protections on, VTL0 active. */
static struct vsm_vp *create(struct vsm_partition **partition)
{
	struct vsm_vp *vp;

	*partition = guest_partition(1, 1, RAM, NULL);
	vp = vsm_partition_vp(*partition, 0);
	guest_enable_vtl(*partition, 1);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	enable_synic(vp, 0, 0x30);
	assert_int_equal(guest_set_register(vp, 0, 0, HV_REGISTER_VSM_PARTITION_CONFIG, 0x1f), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	return vp;
}

/* shows: rule dma */
static void p37_a_device_sees_what_vtl0_sees(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);
	uint64_t value = 0x99;

	assert_int_equal(guest_write(vp, PAGE, 8, 0x77), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, PAGE | 1), GUEST_DONE);
	/* VTL0 cannot access the RAM under its own overlay, so a device cannot either. */
	assert_int_equal(vsm_dma_write(partition, PAGE, &value, sizeof(value)), 0);
	assert_int_equal(*(uint64_t *)(void *)guest_ram(partition, PAGE), 0x77);
	assert_int_equal(guest_read(vp, PAGE, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0x99);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_GUEST_OS_ID, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_HYPERCALL, 0x60001), GUEST_DONE);
	assert_int_equal(vsm_dma_write(partition, 0x60000, &value, sizeof(value)), -EACCES);
	/* An overlay of VTL1 does not exist for VTL0: a device accesses the RAM. */
	assert_int_equal(guest_write(vp, SIM_GPA(1), 8, 0x55), GUEST_DONE);
	assert_int_equal(vsm_dma_read(partition, SIM_GPA(1), &value, sizeof(value)), 0);
	assert_int_equal(value, 0x55);
	/* Pages that VTL1 denies to VTL0 are denied to devices; a transfer stops at such a page. */
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_protect(vp, 0, HV_MAP_GPA_READABLE, 0x71000), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(vsm_dma_write(partition, 0x70ffc, &value, sizeof(value)), -EACCES);
	assert_int_equal(*(uint32_t *)(void *)guest_ram(partition, 0x70ffc), 0x55);
	assert_int_equal(*(uint32_t *)(void *)guest_ram(partition, 0x71000), 0);
	assert_int_equal(vsm_dma_read(partition, 0x70ffc, &value, sizeof(value)), 0);
	vsm_partition_destroy(partition);
}

static void p38_ram_cannot_be_put_in_the_place_of_protected_ram(void **state)
{
	struct vsm_partition *partition;
	struct vsm_vp *vp = create(&partition);
	void *host = NULL;
	uint64_t value = 0x99;

	assert_int_equal(guest_write(vp, 0x71000, 8, 0x77), GUEST_DONE);
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	assert_int_equal(guest_protect(vp, 0, 0, 0x71000), 0);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	for (uint64_t pages = 1; pages < 4; pages++)
		assert_int_equal(vsm_memory_add(partition, 0x70000, pages * 4096, -1, 0, &host),
				 -EEXIST);
	assert_int_equal(guest_read(vp, 0x71000, 8, &value), GUEST_STOPPED);
	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(guest_read(vp, 0x71000, 8, &value), GUEST_DONE);
	assert_int_equal(value, 0x77);
	vsm_partition_destroy(partition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_needs(NEED_DENY_EXECUTE, p37_a_device_sees_what_vtl0_sees),
		cmocka_unit_test(p38_ram_cannot_be_put_in_the_place_of_protected_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
