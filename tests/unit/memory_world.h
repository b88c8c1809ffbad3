/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition whose memory map the tests change, and checks of what VTL0 reads, writes and
 * executes. */
#ifndef MEMORY_WORLD_H
#define MEMORY_WORLD_H

#include "core_test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory/overlay.h"

#define PLACE	  0x2000000u /* no RAM at first */
#define ELSEWHERE 0x3000000u
#define FILE_SIZE (2u << 20)
#define CODE	  0x800u /* offset of an instruction in each page */
#define SECRET	  UINT64_C(0x5ec2e75ec2e75ec2)
#define OTHER	  UINT64_C(0x1122334455667788)

struct world {
	struct vsm_partition *partition;
	struct vsm_vp *vp;
	int ram; /* file descriptors */
	int rom;
	uint8_t *ram_bytes;
	uint8_t *rom_bytes;
	/* Refused accesses by a guarded mapping to each of 8 pages at PLACE: [read, write]. */
	_Atomic unsigned int refused[8][2];
	_Atomic unsigned int refused_elsewhere;
};

static inline void note_refused(void *opaque, uint64_t gpa, bool write)
{
	struct world *world = opaque;

	if (gpa % 0x1000 == 0 && gpa - PLACE < 0x8000)
		atomic_fetch_add(&world->refused[(gpa - PLACE) / 0x1000][write], 1);
	else
		atomic_fetch_add(&world->refused_elsewhere, 1);
}

/* Waits for the report of a refused access, which a thread of the library makes later. */
static inline void wait_for_refusal(struct world *world, unsigned int page, bool write)
{
	while (!atomic_load(&world->refused[page][write]))
		usleep(1000);
}

/* VTL0 enters VTL1, which makes HvCallModifyVtlProtectionMask and returns. */
static inline uint16_t lock(struct world *world, uint32_t flags, uint64_t gpa)
{
	uint16_t status;

	assert_int_equal(guest_vtl_call(world->vp), GUEST_DONE);
	status = guest_protect(world->vp, 0, flags, gpa);
	assert_int_equal(guest_vtl_return(world->vp, true), GUEST_DONE);
	return status;
}

static inline int make_file(const char *name, uint8_t **bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FILE_SIZE), 0);
	*bytes = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(*bytes != MAP_FAILED);
	return fd;
}

/* VTL1 of a VP gets intercepts, and accepts their interrupt at once. Returns in VTL0. */
static inline void prepare(struct vsm_vp *vp)
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

/* Creates the partition without VTL1. */
static inline void make_world(struct world *world, uint32_t vps, struct sim_options options)
{
	*world = (struct world){0};
	options.threads = vps > 1;
	options.refused = note_refused;
	options.refused_opaque = world;
	world->partition = guest_partition(vps, 1, RAM, &options);
	world->vp = vsm_partition_vp(world->partition, 0);
	world->ram = make_file("ram", &world->ram_bytes);
	world->rom = make_file("rom", &world->rom_bytes);
	for (unsigned int i = 0; i < FILE_SIZE / 8; i++)
		((uint64_t *)(void *)world->rom_bytes)[i] = OTHER;
}

static inline void start_vtl1(struct world *world, uint32_t vps)
{
	/* EnableVtlProtection, a default mask with all rights, ZeroMemoryOnReset. */
	const uint64_t config = 0x3f;

	guest_enable_vtl(world->partition, 1);
	for (uint32_t i = 0; i < vps; i++)
		prepare(vsm_partition_vp(world->partition, i));
	assert_int_equal(vtl_set_config(world->partition, 1, 1, config), 0);
}

static inline void begin_vps(struct world *world, uint32_t vps, struct sim_options options)
{
	make_world(world, vps, options);
	start_vtl1(world, vps);
}

static inline void begin_with(struct world *world, uint32_t vps)
{
	begin_vps(world, vps, (struct sim_options){0});
}

static inline void begin(struct world *world)
{
	begin_with(world, 1);
}

static inline void end(struct world *world)
{
	vsm_partition_destroy(world->partition);
	munmap(world->ram_bytes, FILE_SIZE);
	munmap(world->rom_bytes, FILE_SIZE);
	close(world->ram);
	close(world->rom);
}

/* For tests that get the world as *state; their file has setup(). */
static inline int world_setup(void **state, void (*make)(struct world *world))
{
	static struct world world;

	make(&world);
	*state = &world;
	return 0;
}

static inline int teardown(void **state)
{
	end(*state);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static inline struct vsm_memory_change change(uint64_t gpa, uint64_t size, int fd, uint64_t offset,
					      uint32_t flags)
{
	return (struct vsm_memory_change){
		.gpa = gpa, .size = size, .fd = fd, .offset = offset, .flags = flags};
}

static inline void set_map(struct world *world, uint64_t gpa, uint64_t size, int fd,
			   uint64_t offset, uint32_t flags)
{
	const struct vsm_memory_change one = change(gpa, size, fd, offset, flags);

	assert_int_equal(vsm_memory_update(world->partition, &one, 1), 0);
}

static inline uint64_t *in_ram(const struct world *world, uint64_t offset)
{
	return (uint64_t *)(void *)(world->ram_bytes + offset);
}

/* VTL1, which is active for an intercept, returns to VTL0 at the next instruction. */
static inline void back_to_vtl0(struct vsm_vp *vp)
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

static inline bool is_stopped(struct vsm_vp *vp, enum guest_outcome outcome)
{
	if (outcome != GUEST_STOPPED)
		return false;
	back_to_vtl0(vp);
	return true;
}

static inline bool nothing_at(struct world *world, uint64_t gpa)
{
	uint64_t value = 0;

	return is_stopped(world->vp, guest_read(world->vp, gpa, 8, &value)) && value == 0 &&
	       is_stopped(world->vp, guest_write(world->vp, gpa, 8, 0x666)) &&
	       is_stopped(world->vp, guest_execute(world->vp, gpa + CODE, false));
}

static inline bool reads(struct world *world, uint64_t gpa, uint64_t expected)
{
	uint64_t value = 0;

	return guest_read(world->vp, gpa, 8, &value) == GUEST_DONE && value == expected;
}

static inline bool read_only_at(struct world *world, uint64_t gpa, uint64_t expected)
{
	return reads(world, gpa, expected) &&
	       is_stopped(world->vp, guest_write(world->vp, gpa, 8, 0x666)) &&
	       reads(world, gpa, expected);
}

static inline bool writes(struct world *world, uint64_t gpa, uint64_t value)
{
	return guest_write(world->vp, gpa, 8, value) == GUEST_DONE && reads(world, gpa, value);
}

/* Whether VTL0's access exits to the VMM; completes it. */
static inline bool is_mmio(struct world *world, enum guest_outcome outcome, uint64_t gpa,
			   bool write)
{
	const struct vsm_exit *exit = &world->vp->exit;
	bool right = outcome == GUEST_EXIT && exit->reason == VSM_EXIT_MMIO &&
		     exit->mmio.gpa == gpa && exit->mmio.write == write;

	if (outcome == GUEST_EXIT)
		guest_run(world->vp);
	return right;
}

#endif
