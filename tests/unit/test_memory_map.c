/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map of memory that changes under protections and overlays (P38): each test looks through VTL0's eyes, what it reads,
 * writes and executes at a GPA, after each change.
 */
#include "core_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory/overlay.h"

#define PLACE	  0x2000000u /* where the tests change the map: no RAM at first */
#define ELSEWHERE 0x3000000u
#define FILE_SIZE (2u << 20)
#define CODE	  0x800u /* in each page, an instruction */
#define SECRET	  UINT64_C(0x5ec2e75ec2e75ec2)
#define OTHER	  UINT64_C(0x1122334455667788)

struct world {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	int ram; /* files */
	int rom;
	uint8_t *ram_bytes;
	uint8_t *rom_bytes;
	/* Accesses by a guarded mapping that were refused: to a page of the map, by write or not. */
	_Atomic unsigned int refused[8][2];
	_Atomic unsigned int refused_elsewhere;
};

static void note_refused(void *opaque, uint64_t gpa, bool write)
{
	struct world *world = opaque;

	if (gpa % 0x1000 == 0 && gpa - PLACE < 0x8000)
		atomic_fetch_add(&world->refused[(gpa - PLACE) / 0x1000][write], 1);
	else
		atomic_fetch_add(&world->refused_elsewhere, 1);
}

/* The report comes on a thread of the library, at any time after the access. */
static void wait_for_refusal(struct world *world, unsigned int page, bool write)
{
	while (!atomic_load(&world->refused[page][write]))
		usleep(1000);
}

/* HvCallModifyVtlProtectionMask by VTL1, from VTL0 and back to it. */
static uint16_t lock(struct world *world, uint32_t flags, uint64_t gpa)
{
	uint16_t status;

	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	status = guest_protect(world->vp, 0, flags, gpa);
	assert_int_equal(guest_vtl_return(world->vp, true), GUEST_DONE);
	return status;
}

static int make_file(const char *name, uint8_t **bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FILE_SIZE), 0);
	*bytes = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(*bytes != MAP_FAILED);
	return fd;
}

/* VTL1 of a VP gets intercepts, and takes their interrupt at once. VTL0 is active. */
static void prepare(struct vsm_vp *vp)
{
	assert_int_equal(guest_vtl_call(vp), GUEST_DONE);
	set_if(vp, 1, true);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SCONTROL, 1), GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SIMP, (0x70000 + 0x1000 * vp->index) | 1),
			 GUEST_DONE);
	assert_int_equal(guest_wrmsr(vp, HV_X64_MSR_SINT0, 0x50 | HV_SYNIC_SINT_AUTO_EOI),
			 GUEST_DONE);
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
}

static void begin_with(struct world *world, uint32_t vps)
{
	/* EnableVtlProtection, a default mask with all rights, ZeroMemoryOnReset. */
	const uint64_t config = 0x3f;

	*world = (struct world){0};
	world->partition = guest_partition(vps, 1, RAM,
					   &(struct sim_options){.threads = vps > 1,
								 .refused = note_refused,
								 .refused_opaque = world});
	world->vp = vsm_partition_vp(world->partition, 0);
	guest_enable_vtl(world->partition, 1);
	for (uint32_t i = 0; i < vps; i++)
		prepare(vsm_partition_vp(world->partition, i));
	assert_int_equal(vtl_set_config(world->partition, 1, 1, config), 0);
	world->ram = make_file("ram", &world->ram_bytes);
	world->rom = make_file("rom", &world->rom_bytes);
	for (unsigned int i = 0; i < FILE_SIZE / 8; i++)
		((uint64_t *)(void *)world->rom_bytes)[i] = OTHER;
}

static void begin(struct world *world)
{
	begin_with(world, 1);
}

static void end(struct world *world)
{
	vsm_partition_destroy(world->partition);
	munmap(world->ram_bytes, FILE_SIZE);
	munmap(world->rom_bytes, FILE_SIZE);
	close(world->ram);
	close(world->rom);
}

static struct vsm_memory_change change(uint64_t gpa, uint64_t size, int fd, uint64_t offset,
				       uint32_t flags)
{
	return (struct vsm_memory_change){
		.gpa = gpa, .size = size, .fd = fd, .offset = offset, .flags = flags};
}

static void set_map(struct world *world, uint64_t gpa, uint64_t size, int fd, uint64_t offset,
		    uint32_t flags)
{
	const struct vsm_memory_change one = change(gpa, size, fd, offset, flags);

	assert_int_equal(vsm_memory_update(world->partition, &one, 1), 0);
}

static uint64_t *in_ram(const struct world *world, uint64_t offset)
{
	return (uint64_t *)(void *)(world->ram_bytes + offset);
}

/* VTL0 stands at a stopped instruction, VTL1 is active: VTL0 goes on behind it. */
static void back_to_vtl0(struct vsm_vp *vp)
{
	struct hv_message *message =
		(void *)overlay_memory(vp->partition, OVERLAY_SIM, 1, vp->index);

	assert_int_equal(vp->active_vtl, 1);
	assert_int_equal(message->message_type, HV_MESSAGE_TYPE_GPA_INTERCEPT);
	message->message_type = 0;
	sim_next(vp, 0, &(struct sim_action){.kind = SIM_NOP});
	assert_int_equal(guest_vtl_return(vp, true), GUEST_DONE);
	assert_int_equal(vp->active_vtl, 0);
}

static bool is_stopped(struct vsm_vp *vp, enum guest_outcome outcome)
{
	if (outcome != GUEST_STOPPED)
		return false;
	back_to_vtl0(vp);
	return true;
}

/* VTL0 is denied everything at @gpa. */
static bool nothing_at(struct world *world, uint64_t gpa)
{
	uint64_t value = 0;

	return is_stopped(world->vp, guest_read(world->vp, gpa, 8, &value)) && value == 0 &&
	       is_stopped(world->vp, guest_write(world->vp, gpa, 8, 0x666)) &&
	       is_stopped(world->vp, guest_execute(world->vp, gpa + CODE, false));
}

static bool reads(struct world *world, uint64_t gpa, uint64_t expected)
{
	uint64_t value = 0;

	return guest_read(world->vp, gpa, 8, &value) == GUEST_DONE && value == expected;
}

static bool read_only_at(struct world *world, uint64_t gpa, uint64_t expected)
{
	return reads(world, gpa, expected) &&
	       is_stopped(world->vp, guest_write(world->vp, gpa, 8, 0x666)) &&
	       reads(world, gpa, expected);
}

static bool writes(struct world *world, uint64_t gpa, uint64_t value)
{
	return guest_write(world->vp, gpa, 8, value) == GUEST_DONE && reads(world, gpa, value);
}

/* The access of VTL0 is an exit to the VMM, which answers it. */
static bool is_mmio(struct world *world, enum guest_outcome outcome, uint64_t gpa, bool write)
{
	const struct vsm_exit *exit = &world->vp->exit;
	bool right = outcome == GUEST_EXIT && exit->reason == VSM_EXIT_MMIO &&
		     exit->mmio.gpa == gpa && exit->mmio.write == write;

	if (outcome == GUEST_EXIT)
		guest_run(world->vp);
	return right;
}

/* ------------------------------------------------------------------ what is at a GPA */

static void memory_comes_and_goes_under_a_running_guest(void **state)
{
	struct world world;
	uint64_t value;

	(void)state;
	begin(&world);
	assert_true(is_mmio(&world, guest_read(world.vp, PLACE, 8, &value), PLACE, false));
	set_map(&world, PLACE, 0x4000, world.ram, 0x10000, 0);
	assert_true(writes(&world, PLACE + 0x1000, OTHER));
	assert_int_equal(*in_ram(&world, 0x11000), OTHER);
	set_map(&world, PLACE + 0x1000, 0x1000, -1, 0, 0);
	assert_true(is_mmio(&world, guest_read(world.vp, PLACE + 0x1000, 8, &value), PLACE + 0x1000,
			    false));
	assert_true(writes(&world, PLACE, 7));
	assert_true(writes(&world, PLACE + 0x2000, 8));
	set_map(&world, PLACE, 0x4000, world.rom, 0, 0);
	assert_true(reads(&world, PLACE + 0x2000, OTHER));
	assert_int_equal(*in_ram(&world, 0x12000), 8);
	end(&world);
}

static void a_write_to_readonly_memory_is_an_exit_of_the_vmm(void **state)
{
	struct world world;
	uint64_t value = 0x99;

	(void)state;
	begin(&world);
	set_map(&world, PLACE, 0x2000, world.rom, 0, VSM_MEMORY_READONLY);
	assert_true(reads(&world, PLACE + 8, OTHER));
	assert_true(is_mmio(&world, guest_write(world.vp, PLACE + 8, 8, 1), PLACE + 8, true));
	assert_true(reads(&world, PLACE + 8, OTHER));
	assert_int_equal(vsm_dma_write(world.partition, PLACE, &value, 8), -EFAULT);
	assert_int_equal(vsm_dma_read(world.partition, PLACE, &value, 8), 0);
	assert_int_equal(value, OTHER);
	/* A protection comes first: VTL1 gets the intercept, the VMM no exit. */
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE), 0);
	assert_true(read_only_at(&world, PLACE, OTHER));
	assert_int_equal(lock(&world, MAP_NONE, PLACE), 0);
	assert_true(nothing_at(&world, PLACE));
	assert_true(
		is_mmio(&world, guest_write(world.vp, PLACE + 0x1000, 8, 1), PLACE + 0x1000, true));
	end(&world);
}

/* A page of an overlay that its VTL writes is not placed over readonly memory: such writes could not reach it. */
static void an_overlay_that_is_written_has_no_place_over_readonly_memory(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	set_map(&world, PLACE, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_SIMP, PLACE | 1), GUEST_FAULT);
	end(&world);
}

/* ------------------------------------------------------------------ protections stay */

static void p38_locked_pages_stay_locked_while_ram_becomes_rom_and_ram_again(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	set_map(&world, PLACE, FILE_SIZE, world.ram, 0, 0);
	*in_ram(&world, 0xf0000) = SECRET;
	*in_ram(&world, 0xf1000) = SECRET;
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0xf0000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0xf1000), 0);
	for (unsigned int i = 0; i < 3; i++) {
		set_map(&world, PLACE + 0xf0000, 0x4000, world.rom, 0, VSM_MEMORY_READONLY);
		assert_true(nothing_at(&world, PLACE + 0xf0000));
		assert_true(read_only_at(&world, PLACE + 0xf1000, OTHER));
		assert_true(reads(&world, PLACE + 0xf2000, OTHER));
		/* As RAM of another file, which VTL0 could have written before. */
		set_map(&world, PLACE + 0xf0000, 0x4000, world.rom, 0x10000, 0);
		assert_true(nothing_at(&world, PLACE + 0xf0000));
		assert_true(read_only_at(&world, PLACE + 0xf1000, OTHER));
		assert_true(writes(&world, PLACE + 0xf2000, 5));
		/* The pages themselves, as ROM. */
		set_map(&world, PLACE + 0xf0000, 0x4000, world.ram, 0xf0000, VSM_MEMORY_READONLY);
		assert_true(nothing_at(&world, PLACE + 0xf0000));
		assert_true(read_only_at(&world, PLACE + 0xf1000, SECRET));
		set_map(&world, PLACE + 0xf0000, 0x4000, -1, 0, 0);
		set_map(&world, PLACE, FILE_SIZE, world.ram, 0, 0);
		assert_true(nothing_at(&world, PLACE + 0xf0000));
		assert_true(read_only_at(&world, PLACE + 0xf1000, SECRET));
		assert_true(writes(&world, PLACE + 0xf2000, i));
	}
	assert_int_equal(*in_ram(&world, 0xf0000), SECRET);
	assert_int_equal(*in_ram(&world, 0xf1000), SECRET);
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0xf0000), 0);
	assert_true(reads(&world, PLACE + 0xf0000, SECRET));
	end(&world);
}

/* VTL0 moves a device's memory, which it filled before, over a page that VTL1 locked, and away again. */
static void p38_a_bar_over_locked_pages_is_as_locked_as_they_were(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	set_map(&world, PLACE, 0x10000, world.ram, 0, 0);
	*in_ram(&world, 0x3000) = SECRET;
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x3000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x4000), 0);
	for (unsigned int i = 0; i < 3; i++) {
		const struct vsm_memory_change there[] = {
			change(ELSEWHERE, 0x8000, -1, 0, 0),
			change(PLACE, 0x8000, world.rom, 0, 0),
		};
		const struct vsm_memory_change away[] = {
			change(PLACE, 0x8000, world.ram, 0, 0),
			change(ELSEWHERE, 0x8000, world.rom, 0, 0),
		};

		assert_int_equal(vsm_memory_update(world.partition, there, 2), 0);
		assert_true(nothing_at(&world, PLACE + 0x3000));
		assert_true(read_only_at(&world, PLACE + 0x4000, OTHER));
		assert_true(writes(&world, PLACE + 0x5000, 1));
		assert_int_equal(vsm_memory_update(world.partition, away, 2), 0);
		assert_true(nothing_at(&world, PLACE + 0x3000));
		assert_true(read_only_at(&world, PLACE + 0x4000, 0));
		/* VTL1 may have written secrets there: the lock goes along. */
		assert_true(nothing_at(&world, ELSEWHERE + 0x3000));
		assert_true(read_only_at(&world, ELSEWHERE + 0x4000, OTHER));
		assert_true(writes(&world, ELSEWHERE + 0x2000, OTHER));
	}
	assert_int_equal(*in_ram(&world, 0x3000), SECRET);
	end(&world);
}

static void p38_what_is_protected_while_no_memory_is_there_is_protected_when_it_comes(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	*in_ram(&world, 0x1000) = SECRET;
	set_map(&world, PLACE, 0x4000, -1, 0, 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	/* What never was memory cannot be protected. */
	assert_int_equal(lock(&world, MAP_NONE, ELSEWHERE), HV_STATUS_INVALID_PARAMETER);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	assert_true(nothing_at(&world, PLACE + 0x1000));
	assert_true(read_only_at(&world, PLACE + 0x2000, 0));
	assert_true(writes(&world, PLACE, 1));
	/* With the lock taken back while it is away. */
	set_map(&world, PLACE, 0x4000, -1, 0, 0);
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x1000), 0);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	assert_true(reads(&world, PLACE + 0x1000, SECRET));
	end(&world);
}

static void p38_the_default_mask_holds_for_memory_that_comes_later(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	vsm_partition_destroy(world.partition);
	world.partition = guest_partition(1, 1, RAM, NULL);
	world.vp = vsm_partition_vp(world.partition, 0);
	guest_enable_vtl(world.partition, 1);
	prepare(world.vp);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	/* Execution is denied by default, where this engine can do that. */
	if (!vtl_set_config(world.partition, 1, 1, 0x27)) {
		set_map(&world, PLACE, 0x4000, -1, 0, 0);
		set_map(&world, PLACE + 0x1000, 0x8000, world.rom, 0, 0);
		assert_int_equal(guest_execute(world.vp, PLACE + 0x1000 + CODE, false),
				 GUEST_STOPPED);
		assert_int_equal(world.vp->active_vtl, 1);
		for (uint64_t gpa = PLACE + 0x1000; gpa < PLACE + 0x9000; gpa += 0x1000) {
			struct vsm_protection found;

			assert_int_equal(vsm_protection_find(world.partition, 0, gpa, &found), 0);
			assert_int_equal(found.gpa, gpa);
			assert_int_equal(found.access, GPA_READ | GPA_WRITE);
		}
	}
	end(&world);
}

static void p38_an_overlay_stays_at_its_gpa(void **state)
{
	struct world world;
	uint64_t value;

	(void)state;
	begin(&world);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	*in_ram(&world, 0x1000) = SECRET;
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_SIMP, (PLACE + 0x1000) | 1), GUEST_DONE);
	assert_true(writes(&world, PLACE + 0x1ff0, 0x77));
	for (unsigned int i = 0; i < 3; i++) {
		set_map(&world, PLACE, 0x4000, world.rom, 0, 0);
		assert_true(reads(&world, PLACE + 0x1ff0, 0x77));
		assert_true(reads(&world, PLACE + 0x2ff0, OTHER));
		set_map(&world, PLACE + 0x1000, 0x1000, -1, 0, 0);
		assert_true(reads(&world, PLACE + 0x1ff0, 0x77));
		set_map(&world, PLACE, 0x4000, -1, 0, 0);
		assert_true(reads(&world, PLACE + 0x1ff0, 0x77));
		set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
		assert_true(writes(&world, PLACE + 0x1ff0, 0x77));
	}
	/* Below it the RAM is what it was. */
	assert_int_equal(*in_ram(&world, 0x1000), SECRET);
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_SIMP, 0), GUEST_DONE);
	assert_true(guest_read(world.vp, PLACE + 0x1000, 8, &value) == GUEST_DONE);
	assert_int_equal(value, SECRET);
	end(&world);
}

/* ------------------------------------------------------------------ aliases */

static void p38_a_page_that_is_locked_at_one_gpa_is_locked_at_its_other_gpas(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	*in_ram(&world, 0x1000) = SECRET;
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	set_map(&world, ELSEWHERE, 0x2000, world.ram, 0x1000, 0);
	assert_true(reads(&world, ELSEWHERE, SECRET));
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_true(nothing_at(&world, PLACE + 0x1000));
	assert_true(nothing_at(&world, ELSEWHERE));
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, ELSEWHERE + 0x1000), 0);
	assert_true(read_only_at(&world, PLACE + 0x2000, 0));
	/* An alias that comes after the lock. */
	set_map(&world, ELSEWHERE + 0x10000, 0x1000, world.ram, 0x1000, 0);
	assert_true(nothing_at(&world, ELSEWHERE + 0x10000));
	set_map(&world, ELSEWHERE + 0x20000, 0x1000, world.ram, 0x1000, VSM_MEMORY_READONLY);
	assert_true(nothing_at(&world, ELSEWHERE + 0x20000));
	/* The rights come back at all of them, and only when all locks are gone. */
	assert_int_equal(lock(&world, MAP_NONE, ELSEWHERE + 0x10000), 0);
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x1000), 0);
	assert_true(nothing_at(&world, ELSEWHERE));
	assert_int_equal(lock(&world, MAP_ALL, ELSEWHERE + 0x10000), 0);
	assert_true(writes(&world, ELSEWHERE, SECRET));
	assert_true(reads(&world, PLACE + 0x1000, SECRET));
	end(&world);
}

/* VTL0 has a locked page of a device's memory mapped at another GPA, where VTL1 restricted nothing. */
static void p38_a_locked_page_that_moves_takes_its_lock_along(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	*in_ram(&world, 0x1000) = SECRET;
	*in_ram(&world, 0x2000) = SECRET;
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	set_map(&world, PLACE, 0x4000, -1, 0, 0);
	set_map(&world, ELSEWHERE, 0x4000, world.ram, 0, 0);
	assert_true(nothing_at(&world, ELSEWHERE + 0x1000));
	assert_true(read_only_at(&world, ELSEWHERE + 0x2000, SECRET));
	assert_true(writes(&world, ELSEWHERE + 0x3000, 1));
	/* And on, with something else where it was. */
	set_map(&world, PLACE, 0x4000, world.rom, 0, 0);
	set_map(&world, ELSEWHERE, 0x4000, -1, 0, 0);
	set_map(&world, ELSEWHERE + 0x100000, 0x4000, world.ram, 0, 0);
	assert_true(nothing_at(&world, ELSEWHERE + 0x101000));
	assert_true(nothing_at(&world, PLACE + 0x1000));
	/* VTL1 unlocks it where it locked it. */
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x1000), 0);
	assert_true(reads(&world, ELSEWHERE + 0x101000, SECRET));
	assert_true(reads(&world, PLACE + 0x1000, OTHER));
	assert_true(read_only_at(&world, ELSEWHERE + 0x102000, SECRET));
	end(&world);
}

/* ------------------------------------------------------------------ reset */

static void p38_a_reset_wipes_secrets_in_memory_that_is_hidden_at_that_moment(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	set_map(&world, ELSEWHERE, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	for (unsigned int page = 0; page < 4; page++)
		*in_ram(&world, page * 0x1000) = SECRET;
	/* VTL0 has one page replaced, one made readonly, one removed. */
	set_map(&world, PLACE, 0x1000, world.rom, 0x1000, VSM_MEMORY_READONLY);
	set_map(&world, PLACE + 0x1000, 0x1000, world.ram, 0x1000, VSM_MEMORY_READONLY);
	set_map(&world, PLACE + 0x2000, 0x1000, -1, 0, 0);
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	for (unsigned int page = 0; page < 4; page++)
		assert_int_equal(*in_ram(&world, page * 0x1000), 0);
	assert_int_equal(*(uint64_t *)(void *)world.rom_bytes, OTHER);
	assert_int_equal(*(uint64_t *)(void *)(world.rom_bytes + 0x1000), OTHER);
	end(&world);
}

/* ------------------------------------------------------------------ the VMM itself */

/* A device of the VMM that uses the VMM's own mapping: fw_cfg, virtio, AHCI, each by memcpy() or by the kernel. */
static void p37_the_mapping_of_the_vmm_has_the_rights_of_vtl0(void **state)
{
	struct vsm_memory_change guarded;
	struct world world;
	uint64_t value = 0;
	int pipes[2];

	(void)state;
	begin(&world);
	for (unsigned int page = 0; page < 8; page++)
		*in_ram(&world, page * 0x1000) = SECRET + page;
	guarded = change(PLACE, 0x8000, world.ram, 0, 0);
	guarded.host = world.ram_bytes + 1;
	if (vsm_memory_update(world.partition, &guarded, 1) == -ENOTSUP) {
		end(&world);
		skip();
	}
	guarded.host = world.ram_bytes;
	assert_int_equal(vsm_memory_update(world.partition, &guarded, 1), 0);
	assert_int_equal(*in_ram(&world, 0x1000), SECRET + 1);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	/* Read, written, and by the kernel. */
	assert_int_equal(*in_ram(&world, 0x1000), 0);
	wait_for_refusal(&world, 1, false);
	*in_ram(&world, 0x1000) = 0x666;
	*in_ram(&world, 0x2000) = 0x666;
	wait_for_refusal(&world, 2, true);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], &value, 8), 8);
	assert_int_equal(read(pipes[0], in_ram(&world, 0x2008), 8), 8);
	*in_ram(&world, 0x3000) = 0x777;
	assert_true(reads(&world, PLACE + 0x3000, 0x777));
	assert_int_equal(vsm_memory_peek(world.partition, PLACE + 0x1000, &value, 8), 0);
	assert_int_equal(value, SECRET + 1);
	assert_true(read_only_at(&world, PLACE + 0x2000, SECRET + 2));
	/* From one restriction to another: the page that stands in shows nothing but what VTL0 may read. */
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x2000), 0);
	assert_int_equal(*in_ram(&world, 0x2000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	/* A part leaves the map and comes back. */
	set_map(&world, PLACE + 0x1000, 0x1000, -1, 0, 0);
	guarded = change(PLACE + 0x1000, 0x1000, world.ram, 0x1000, 0);
	guarded.host = world.ram_bytes + 0x1000;
	assert_int_equal(vsm_memory_update(world.partition, &guarded, 1), 0);
	assert_int_equal(*in_ram(&world, 0x1000), 0);
	*in_ram(&world, 0x2000) = 0x666;
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x2000), 0);
	assert_int_equal(*in_ram(&world, 0x1000), SECRET + 1);
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	*in_ram(&world, 0x2000) = 0x888;
	assert_true(reads(&world, PLACE + 0x2000, 0x888));
	/* No report is of an access that VTL0 has a right to. */
	for (unsigned int page = 0; page < 8; page++)
		assert_int_equal(page == 1 || page == 2,
				 world.refused[page][0] || world.refused[page][1]);
	assert_int_equal(world.refused_elsewhere, 0);
	close(pipes[0]);
	close(pipes[1]);
	end(&world);
}

static void guard_map(struct world *world, uint64_t gpa, uint64_t size, uint64_t offset)
{
	struct vsm_memory_change guarded = change(gpa, size, world->ram, offset, 0);

	guarded.host = world->ram_bytes + offset;
	assert_int_equal(vsm_memory_update(world->partition, &guarded, 1), 0);
}

/* Skips the test where the backend cannot guard a mapping. */
static void begin_guarded(struct world *world)
{
	begin(world);
	if (!world->partition->ops->guard_add) {
		end(world);
		skip();
	}
	for (unsigned int page = 0; page < 8; page++)
		*in_ram(world, page * 0x1000) = SECRET + page;
}

/* VTL1 denies VTL0 everything in eight pages at once. */
static uint16_t lock_pages(struct world *world, uint32_t flags, uint64_t gpa)
{
	struct {
		struct hv_modify_vtl_protection_mask_input head;
		uint64_t gpn[8];
	} input = {.head = {.partition_id = HV_PARTITION_ID_SELF, .map_flags = flags}};
	uint16_t status;

	for (unsigned int page = 0; page < 8; page++)
		input.gpn[page] = gpa / 4096 + page;
	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	status = (uint16_t)guest_call(world->vp,
				      HV_CALL_MODIFY_VTL_PROTECTION_MASK | UINT64_C(8) << 32,
				      &input, sizeof(input), NULL, 0);
	assert_int_equal(guest_vtl_return(world->vp, true), GUEST_DONE);
	return status;
}

/* What a device reads in a page by the VMM's mapping is nothing, and what it writes is lost. */
static bool is_closed(struct world *world, unsigned int page)
{
	uint64_t value = 0;
	const bool empty = *in_ram(world, page * 0x1000) == 0;

	*in_ram(world, page * 0x1000) = 0x666;
	return empty && vsm_memory_peek(world->partition, PLACE + page * 0x1000, &value, 8) == 0 &&
	       value == SECRET + page;
}

static void p37_a_mapping_that_came_in_pieces_is_guarded_as_a_whole(void **state)
{
	struct world world;

	(void)state;
	begin_guarded(&world);
	guard_map(&world, PLACE + 0x2000, 0x2000, 0x2000);
	guard_map(&world, PLACE, 0x8000, 0);
	assert_int_equal(lock_pages(&world, MAP_NONE, PLACE), 0);
	for (unsigned int page = 0; page < 8; page++)
		assert_true(is_closed(&world, page));
	assert_int_equal(lock_pages(&world, MAP_ALL, PLACE), 0);
	/* A page gives way to others for a while, as by a PAM register. */
	set_map(&world, PLACE + 0x3000, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	guard_map(&world, PLACE + 0x3000, 0x1000, 0x3000);
	assert_int_equal(lock_pages(&world, MAP_NONE, PLACE), 0);
	for (unsigned int page = 0; page < 8; page++)
		assert_true(is_closed(&world, page));
	/* All of it leaves at once. */
	assert_int_equal(lock_pages(&world, MAP_ALL, PLACE), 0);
	set_map(&world, PLACE, 0x8000, -1, 0, 0);
	for (unsigned int page = 0; page < 8; page++)
		assert_int_equal(*in_ram(&world, page * 0x1000), SECRET + page);
	end(&world);
}

static void p37_a_page_at_two_gpas_is_guarded_when_one_of_them_leaves(void **state)
{
	struct world world;

	(void)state;
	begin_guarded(&world);
	guard_map(&world, PLACE, 0x8000, 0);
	guard_map(&world, ELSEWHERE, 0x2000, 0x1000);
	assert_int_equal(lock_pages(&world, MAP_NONE, PLACE), 0);
	assert_true(is_closed(&world, 1));
	set_map(&world, ELSEWHERE, 0x2000, -1, 0, 0);
	assert_true(is_closed(&world, 1));
	assert_true(is_closed(&world, 2));
	/* In the other order. */
	guard_map(&world, ELSEWHERE, 0x8000, 0);
	set_map(&world, PLACE, 0x8000, -1, 0, 0);
	guard_map(&world, PLACE, 0x1000, 0);
	for (unsigned int page = 3; page < 8; page++)
		assert_int_equal(*in_ram(&world, page * 0x1000), 0);
	end(&world);
}

/* A device that began a transfer before VTL0 moved the memory away goes on with it. */
static void p37_a_restricted_page_that_leaves_the_map_stays_guarded(void **state)
{
	struct world world;
	uint64_t value = 0;

	(void)state;
	begin_guarded(&world);
	guard_map(&world, PLACE, 0x8000, 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_READ_EXECUTE, PLACE + 0x2000), 0);
	set_map(&world, PLACE + 0x1000, 0x2000, world.rom, 0, VSM_MEMORY_READONLY);
	assert_int_equal(*in_ram(&world, 0x1000), 0);
	*in_ram(&world, 0x1000) = 0x666;
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	*in_ram(&world, 0x2000) = 0x666;
	/* VTL1 unlocks one of them meanwhile. */
	assert_int_equal(lock(&world, MAP_ALL, PLACE + 0x2000), 0);
	guard_map(&world, PLACE + 0x1000, 0x2000, 0x1000);
	assert_true(is_closed(&world, 1));
	assert_int_equal(*in_ram(&world, 0x2000), SECRET + 2);
	*in_ram(&world, 0x2000) = 0x777;
	assert_true(reads(&world, PLACE + 0x2000, 0x777));
	/* A reset gives it back, wiped. */
	set_map(&world, PLACE + 0x1000, 0x1000, -1, 0, 0);
	assert_int_equal(vsm_partition_reset(world.partition), 0);
	assert_int_equal(*in_ram(&world, 0x1000), 0);
	*in_ram(&world, 0x1000) = 0x888;
	set_map(&world, PLACE + 0x1000, 0x1000, world.ram, 0x1000, 0);
	assert_int_equal(vsm_memory_peek(world.partition, PLACE + 0x1000, &value, 8), 0);
	assert_int_equal(value, 0x888);
	end(&world);
}

/* A VMM that saves and loads memory by its own mapping. */
static void p37_a_guard_that_was_suspended_has_the_rights_of_that_moment(void **state)
{
	struct world world;

	(void)state;
	begin_guarded(&world);
	guard_map(&world, PLACE, 0x8000, 0);
	assert_int_equal(vsm_memory_guard(world.partition, true), -EALREADY);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x2000), 0);
	assert_true(is_closed(&world, 1));
	/* One of them leaves the map. */
	set_map(&world, PLACE + 0x2000, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	assert_int_equal(vsm_memory_guard(world.partition, false), 0);
	assert_int_equal(vsm_memory_guard(world.partition, false), -EALREADY);
	for (unsigned int page = 0; page < 8; page++)
		assert_int_equal(*in_ram(&world, page * 0x1000), SECRET + page);
	/* Rights change meanwhile, as by vsm_partition_restore(). */
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x3000), 0);
	assert_int_equal(*in_ram(&world, 0x3000), SECRET + 3);
	assert_int_equal(vsm_memory_guard(world.partition, true), 0);
	assert_true(is_closed(&world, 1));
	assert_int_equal(*in_ram(&world, 0x2000), 0);
	*in_ram(&world, 0x2000) = 0x666;
	assert_true(is_closed(&world, 3));
	guard_map(&world, PLACE + 0x2000, 0x1000, 0x2000);
	assert_true(is_closed(&world, 2));
	*in_ram(&world, 0x4000) = 0x777;
	assert_true(reads(&world, PLACE + 0x4000, 0x777));
	end(&world);
}

static void a_guard_that_the_backend_lacks_is_not_suspended(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	if (world.partition->ops->guard_add) {
		end(&world);
		skip();
	}
	assert_int_equal(vsm_memory_guard(world.partition, false), -ENOTSUP);
	end(&world);
}

static void peek_and_poke_have_all_rights(void **state)
{
	struct world world;
	uint64_t value = 0;

	(void)state;
	begin(&world);
	set_map(&world, PLACE, 0x2000, world.ram, 0, 0);
	set_map(&world, PLACE + 0x2000, 0x1000, world.rom, 0, VSM_MEMORY_READONLY);
	*in_ram(&world, 0x1000) = SECRET;
	assert_int_equal(guest_wrmsr(world.vp, HV_X64_MSR_SIMP, PLACE | 1), GUEST_DONE);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(vsm_dma_read(world.partition, PLACE + 0x1000, &value, 8), -EACCES);
	assert_int_equal(vsm_memory_peek(world.partition, PLACE + 0x1000, &value, 8), 0);
	assert_int_equal(value, SECRET);
	value = 0x55;
	/* Below the overlay, and to readonly memory. */
	assert_int_equal(vsm_memory_poke(world.partition, PLACE, &value, 8), 0);
	assert_int_equal(*in_ram(&world, 0), 0x55);
	assert_int_equal(vsm_memory_poke(world.partition, PLACE + 0x2000, &value, 8), 0);
	assert_true(reads(&world, PLACE + 0x2000, 0x55));
	assert_int_equal(vsm_memory_peek(world.partition, PLACE + 0x2ffc, &value, 8), -EFAULT);
	assert_int_equal(vsm_memory_peek(world.partition, UINT64_MAX - 3, &value, 8), -EFAULT);
	end(&world);
}

/* The map is in other pieces there, and VTL1 has a lock where no memory is at that moment. */
static void a_state_is_restored_where_memory_is_at_the_same_gpas(void **state)
{
	struct guest_saved saved = {0};
	struct world world;
	struct world other;

	(void)state;
	begin(&world);
	begin(&other);
	set_map(&world, PLACE, 0x8000, world.ram, 0, 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x1000), 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x5000), 0);
	set_map(&world, PLACE + 0x4000, 0x4000, -1, 0, 0);
	assert_int_equal(vsm_partition_save(world.partition, guest_keep, &saved), 0);
	/* Less memory, then more. */
	set_map(&other, PLACE, 0x3000, other.ram, 0, 0);
	assert_int_equal(vsm_partition_restore(other.partition, saved.bytes, saved.size), -EINVAL);
	set_map(&other, PLACE, 0x5000, other.ram, 0, 0);
	assert_int_equal(vsm_partition_restore(other.partition, saved.bytes, saved.size), -EINVAL);
	set_map(&other, PLACE + 0x4000, 0x1000, -1, 0, 0);
	set_map(&other, PLACE + 0x1000, 0x2000, other.rom, 0, 0);
	memcpy(guest_ram(other.partition, 0), guest_ram(world.partition, 0), RAM);
	assert_int_equal(vsm_partition_restore(other.partition, saved.bytes, saved.size), 0);
	assert_true(nothing_at(&other, PLACE + 0x1000));
	assert_true(reads(&other, PLACE + 0x2000, OTHER));
	set_map(&other, PLACE + 0x4000, 0x4000, other.ram, 0x4000, 0);
	assert_true(nothing_at(&other, PLACE + 0x5000));
	assert_true(writes(&other, PLACE + 0x6000, 1));
	free(saved.bytes);
	end(&world);
	end(&other);
}

/* ------------------------------------------------------------------ many, and wrong ones */

static void there_may_be_hundreds_of_runs_of_memory(void **state)
{
	struct vsm_memory_change list[400];
	struct world world;

	(void)state;
	begin(&world);
	for (unsigned int i = 0; i < 400; i++)
		list[i] = change(PLACE + i * 0x2000u, 0x1000, world.ram, i * 0x1000u, 0);
	assert_int_equal(vsm_memory_update(world.partition, list, 400), 0);
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 321 * 0x2000), 0);
	assert_true(nothing_at(&world, PLACE + 321 * 0x2000));
	assert_true(writes(&world, PLACE + 320 * 0x2000, 320));
	assert_int_equal(*in_ram(&world, 320 * 0x1000), 320);
	for (unsigned int i = 0; i < 400; i++)
		list[i].fd = -1;
	assert_int_equal(vsm_memory_update(world.partition, list, 400), 0);
	set_map(&world, PLACE, FILE_SIZE, world.ram, 0, 0);
	assert_true(nothing_at(&world, PLACE + 0x2000 * 321 % FILE_SIZE + 0) ||
		    321 * 0x2000 >= FILE_SIZE);
	end(&world);
}

static void a_change_that_is_refused_changes_nothing(void **state)
{
	struct world world;
	struct vsm_memory_change list[2];

	(void)state;
	begin(&world);
	set_map(&world, PLACE, 0x4000, world.ram, 0, 0);
	assert_true(writes(&world, PLACE, 1));
	list[0] = change(PLACE, 0x4000, -1, 0, 0);
	for (unsigned int i = 0; i < 9; i++) {
		list[1] = change(ELSEWHERE, 0x1000, world.rom, 0, 0);
		switch (i) {
		case 0:
			list[1].gpa++;
			break;
		case 1:
			list[1].size = 0;
			break;
		case 2:
			list[1].offset = 0x10;
			break;
		case 3:
			list[1].gpa = UINT64_C(1) << 62;
			break;
		case 4:
			list[1].flags = 0x80;
			break;
		case 5:
			list[1].reserved[1] = 1;
			break;
		case 6: /* behind the end of the file */
			list[1].offset = FILE_SIZE;
			break;
		case 7:
			list[1].size = UINT64_MAX - 0xfff;
			break;
		case 8:
			list[1].offset = UINT64_MAX - 0xfff;
			break;
		}
		assert_int_equal(vsm_memory_update(world.partition, list, 2), -EINVAL);
		assert_true(reads(&world, PLACE, 1));
	}
	list[1] = change(ELSEWHERE, 0x1000, 12345, 0, 0);
	assert_int_equal(vsm_memory_update(world.partition, list, 2), -EBADF);
	assert_true(reads(&world, PLACE, 1));
	assert_int_equal(vsm_memory_update(world.partition, NULL, 0), 0);
	end(&world);
}

/* ------------------------------------------------------------------ beside running VPs */

struct hammer {
	struct world *world;
	struct vsm_vp *vp;
	_Atomic bool stop;
	_Atomic unsigned int accesses;
	unsigned int leaks;
	pthread_t thread;
};

/* VTL0 of VP 1 reads and writes the locked page without end: it may be stopped, or find no memory. */
static void *hammer_on(void *opaque)
{
	struct hammer *hammer = opaque;
	struct vsm_vp *vp = hammer->vp;

	while (!atomic_load(&hammer->stop)) {
		const unsigned int number = atomic_fetch_add(&hammer->accesses, 1);
		const uint64_t gpa = number & 2 ? ELSEWHERE : PLACE + 0x3000;
		uint64_t value = 0;
		enum guest_outcome outcome = number & 1 ? guest_write(vp, gpa, 8, 0x666)
							: guest_read(vp, gpa, 8, &value);

		hammer->leaks += outcome == GUEST_DONE || value == SECRET;
		if (outcome == GUEST_STOPPED && vp->active_vtl == 1)
			back_to_vtl0(vp);
		else if (outcome == GUEST_EXIT)
			guest_run(vp);
	}
	return NULL;
}

static void p38_a_locked_page_is_locked_at_every_moment_of_a_change(void **state)
{
	struct hammer hammer = {0};
	struct world world;

	(void)state;
	begin_with(&world, 2);
	hammer.vp = vsm_partition_vp(world.partition, 1);
	set_map(&world, PLACE, 0x10000, world.ram, 0, 0);
	*in_ram(&world, 0x3000) = SECRET;
	assert_int_equal(lock(&world, MAP_NONE, PLACE + 0x3000), 0);
	pthread_create(&hammer.thread, NULL, hammer_on, &hammer);
	for (unsigned int i = 0; i < 18; i++) {
		const struct vsm_memory_change changes[] = {
			change(PLACE + 0x2000, 0x4000, world.rom, 0, VSM_MEMORY_READONLY),
			change(PLACE + 0x2000, 0x4000, world.ram, 0x2000, 0),
			change(ELSEWHERE, 0x1000, world.ram, 0x3000, 0),
			change(PLACE, 0x10000, -1, 0, 0),
			change(ELSEWHERE, 0x1000, -1, 0, 0),
			change(PLACE, 0x10000, world.ram, 0, 0),
		};
		const unsigned int before = atomic_load(&hammer.accesses);

		assert_int_equal(vsm_memory_update(world.partition, &changes[i % 6], 1), 0);
		while (atomic_load(&hammer.accesses) < before + 2)
			usleep(1000);
	}
	atomic_store(&hammer.stop, true);
	pthread_join(hammer.thread, NULL);
	assert_int_equal(*in_ram(&world, 0x3000), SECRET);
	assert_int_equal(hammer.leaks, 0);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_and_goes_under_a_running_guest),
		cmocka_unit_test(a_write_to_readonly_memory_is_an_exit_of_the_vmm),
		cmocka_unit_test(an_overlay_that_is_written_has_no_place_over_readonly_memory),
		cmocka_unit_test(p38_locked_pages_stay_locked_while_ram_becomes_rom_and_ram_again),
		cmocka_unit_test(p38_a_bar_over_locked_pages_is_as_locked_as_they_were),
		cmocka_unit_test(
			p38_what_is_protected_while_no_memory_is_there_is_protected_when_it_comes),
		cmocka_unit_test(p38_the_default_mask_holds_for_memory_that_comes_later),
		cmocka_unit_test(p38_an_overlay_stays_at_its_gpa),
		cmocka_unit_test(p38_a_page_that_is_locked_at_one_gpa_is_locked_at_its_other_gpas),
		cmocka_unit_test(p38_a_locked_page_that_moves_takes_its_lock_along),
		cmocka_unit_test(p38_a_reset_wipes_secrets_in_memory_that_is_hidden_at_that_moment),
		cmocka_unit_test(p37_the_mapping_of_the_vmm_has_the_rights_of_vtl0),
		cmocka_unit_test(p37_a_mapping_that_came_in_pieces_is_guarded_as_a_whole),
		cmocka_unit_test(p37_a_page_at_two_gpas_is_guarded_when_one_of_them_leaves),
		cmocka_unit_test(p37_a_restricted_page_that_leaves_the_map_stays_guarded),
		cmocka_unit_test(p37_a_guard_that_was_suspended_has_the_rights_of_that_moment),
		cmocka_unit_test(a_guard_that_the_backend_lacks_is_not_suspended),
		cmocka_unit_test(peek_and_poke_have_all_rights),
		cmocka_unit_test(a_state_is_restored_where_memory_is_at_the_same_gpas),
		cmocka_unit_test(there_may_be_hundreds_of_runs_of_memory),
		cmocka_unit_test(a_change_that_is_refused_changes_nothing),
		cmocka_unit_test(p38_a_locked_page_is_locked_at_every_moment_of_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
