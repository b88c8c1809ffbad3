/* SPDX-License-Identifier: BSD-2-Clause */
#include "storm.h"

#include <string.h>

#include "core/partition.h"
#include "core/memory/protect.h"
#include "core/registers/regs.h"
#include "core/vp/vp.h"
#include "sim/sim_internal.h"

bool storm_shows_secret(const void *data, size_t size)
{
	const uint64_t word = STORM_WORD(STORM_SECRET_BYTE);

	return size >= sizeof(word) && memmem(data, size, &word, sizeof(word)) != NULL;
}

static void fill(struct storm *storm, uint64_t gpa, uint8_t byte)
{
	memset(guest_ram(storm->partition, gpa), (int)byte, STORM_PAGES * CORE_PAGE_SIZE);
}

/* @owner gives every lower VTL @access to @pages pages. */
static void protect(struct storm *storm, uint8_t owner, uint64_t gpa, size_t pages, uint8_t access)
{
	for (size_t i = 0; i < pages; i++) {
		const uint64_t gpn = gpa / CORE_PAGE_SIZE + i;
		size_t done;

		STORM_REQUIRE(protect_set(storm->partition, owner, -1, &gpn, 1, access, &done) ==
			      HV_STATUS_SUCCESS);
	}
}

/* Places overlays over the pages that VTL1 is about to protect. */
static void place_before(struct storm *storm)
{
	static const struct {
		uint32_t msr;
		uint64_t gpa;
	} overlay[8] = {
		{HV_X64_MSR_SIMP, STORM_LOCKED},
		{HV_X64_MSR_SIEFP, STORM_LOCKED + 0x1000},
		{HV_X64_MSR_VP_ASSIST_PAGE, STORM_LOCKED + 0x2000},
		{HV_X64_MSR_REFERENCE_TSC, STORM_LOCKED + 0x3000},
		{HV_X64_MSR_SIEFP, STORM_SECRET},
		{HV_X64_MSR_VP_ASSIST_PAGE, STORM_SECRET + 0x1000},
		{HV_X64_MSR_SIMP, GUEST_TABLES_GPA},
		{HV_X64_MSR_SIEFP, STORM_TOGGLED},
	};
	struct vsm_vp *vp = vsm_partition_vp(storm->partition, storm->vps - 1);

	for (unsigned int i = 0; i < 8; i++)
		if (storm->config.before >> i & 1)
			guest_wrmsr(vp, overlay[i].msr, overlay[i].gpa | HV_PAGE_MSR_ENABLE);
}

static void enable(struct storm *storm, uint8_t vtl)
{
	union hv_register_value config = {.reg64 = HV_VSM_PARTITION_CONFIG_ENABLE_VTL_PROTECTION |
						   UINT64_C(0xf) << 1 |
						   HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET};

	if (storm->config.flags & STORM_MBEC)
		guest_enable_vtl_mbec(storm->partition, vtl);
	else
		guest_enable_vtl(storm->partition, vtl);
	STORM_REQUIRE(regs_set(vsm_partition_vp(storm->partition, 0), vtl,
			       HV_REGISTER_VSM_PARTITION_CONFIG,
			       &(struct regs_caller){.host = true}, &config) == HV_STATUS_SUCCESS);
}

static void set_up(struct storm *storm)
{
	place_before(storm);
	enable(storm, 1);
	if (storm->max_vtl > 1) {
		struct vsm_vp *vp = vsm_partition_vp(storm->partition, 0);

		STORM_REQUIRE(guest_vtl_call(vp) == GUEST_DONE);
		enable(storm, 2);
		STORM_REQUIRE(guest_vtl_return(vp, true) == GUEST_DONE);
	}
	storm_map_early(storm);
	fill(storm, STORM_SECRET, STORM_SECRET_BYTE);
	fill(storm, STORM_LOCKED, STORM_LOCKED_BYTE);
	protect(storm, 1, STORM_SECRET, STORM_PAGES, 0);
	protect(storm, 1, STORM_LOCKED, STORM_PAGES, GPA_READ | GPA_EXECUTE);
	protect(storm, 1, GUEST_TABLES_GPA, 2, GPA_READ | GPA_EXECUTE);
	for (uint8_t vtl = 1; vtl <= storm->max_vtl; vtl++)
		protect(storm, vtl, STORM_PRIVATE + 0x8000u * vtl, 8, 0);
	for (uint32_t i = 0; i < storm->vps; i++)
		storm->vtl1[i] = *vcpu_get(vsm_partition_vp(storm->partition, i), 1, VCPU_ALL);
}

static void make_partition(struct storm *storm)
{
	static const struct sim_options options = {.threads = true};
	const struct ram_region *ram;

	storm->partition = guest_partition(storm->vps, storm->max_vtl, STORM_RAM, &options);
	ram = &storm->partition->memory.region[0];
	storm->file = ram->file;
	storm->offset = ram->page * CORE_PAGE_SIZE;
}

void storm_create(struct storm *storm)
{
	make_partition(storm);
	set_up(storm);
	storm_check(storm);
}

/* NULL where the CPU of VTL0 may not read. */
static const uint8_t *seen_by_vtl0(struct storm *storm, uint64_t gpa)
{
	struct sim_backend *sim = storm->partition->backend;
	uint8_t *host = NULL;
	enum sim_page page;

	pthread_rwlock_rdlock(&sim->lock);
	page = sim_page(sim, 0, false, gpa, GPA_READ, &host);
	pthread_rwlock_unlock(&sim->lock);
	return page == SIM_PAGE_OK ? host : NULL;
}

static void check_pages(struct storm *storm)
{
	for (uint64_t gpa = 0; gpa < STORM_RAM; gpa += CORE_PAGE_SIZE) {
		const uint8_t *seen = seen_by_vtl0(storm, gpa);

		if (gpa - STORM_SECRET < STORM_PAGES * CORE_PAGE_SIZE)
			STORM_REQUIRE(!seen);
		else if (seen)
			STORM_REQUIRE(!storm_shows_secret(seen, CORE_PAGE_SIZE));
	}
	for (unsigned int i = 0; i < STORM_PAGES * CORE_PAGE_SIZE; i++) {
		const uint8_t *locked = seen_by_vtl0(storm, STORM_LOCKED + i);

		STORM_REQUIRE(locked && locked[i % CORE_PAGE_SIZE] == STORM_LOCKED_BYTE);
		STORM_REQUIRE(*guest_ram(storm->partition, STORM_SECRET + i) == STORM_SECRET_BYTE);
	}
}

static void check_registers(struct storm *storm, uint32_t index)
{
	const struct vcpu_state *was = &storm->vtl1[index];
	const struct vcpu_state *cpu =
		vcpu_get(vsm_partition_vp(storm->partition, index), 1, VCPU_ALL);

	STORM_REQUIRE(cpu->cr0 == was->cr0 && cpu->cr3 == was->cr3 && cpu->cr4 == was->cr4);
	STORM_REQUIRE(cpu->efer == was->efer && cpu->gpr[GPR_RSP] == was->gpr[GPR_RSP]);
	STORM_REQUIRE(!memcmp(cpu->segment, was->segment, sizeof(cpu->segment)));
	STORM_REQUIRE(!memcmp(&cpu->idtr, &was->idtr, sizeof(cpu->idtr)));
	STORM_REQUIRE(!memcmp(&cpu->gdtr, &was->gdtr, sizeof(cpu->gdtr)));
	STORM_REQUIRE(!memcmp(cpu->msr, was->msr, sizeof(cpu->msr)));
}

void storm_check(struct storm *storm)
{
	check_pages(storm);
	for (uint32_t i = 0; i < storm->vps; i++) {
		struct vsm_vp *vp = vsm_partition_vp(storm->partition, i);
		const struct vcpu_state *cpu;

		STORM_REQUIRE(!vp->broken);
		check_registers(storm, i);
		cpu = vcpu_get(vp, 0, VCPU_ALL);
		STORM_REQUIRE(!storm_shows_secret(cpu->gpr, sizeof(cpu->gpr)));
	}
}

void storm_move(struct storm *storm)
{
	struct vsm_partition *old = storm->partition;
	struct guest_saved saved = {0};

	STORM_REQUIRE(vsm_partition_save(old, guest_save_write, &saved) == 0);
	make_partition(storm);
	memcpy(guest_ram(storm->partition, 0), guest_ram(old, 0), STORM_RAM);
	STORM_REQUIRE(vsm_partition_restore(storm->partition, saved.bytes, saved.size) == 0);
	vsm_partition_destroy(old);
	free(saved.bytes);
	storm_check(storm);
}

void storm_reset(struct storm *storm)
{
	STORM_REQUIRE(vsm_partition_reset(storm->partition) == 0);
	STORM_REQUIRE(!storm_shows_secret(guest_ram(storm->partition, 0), STORM_RAM));
	vsm_partition_destroy(storm->partition);
	storm_create(storm);
}
