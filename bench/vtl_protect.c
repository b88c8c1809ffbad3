/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor is the bare ioctl on as many pages of another mapping of the same kind. "Scattered"
 * includes the VTL call to VTL1, which makes two hypercalls with a full list of 510 pages, none
 * adjacent to another; its floor is two times 510 ioctls.
 */
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vtl_world.h"
#include "bench.h"
#include "exits.h"
#include "kvm/engine/uffd.h"

#define PAGES	  65536u
#define FIRST_GPA (16 * MIB)
#define STRIDE	  8u /* distance of scattered pages, in pages */

struct state {
	struct exits exits; /* its guest's memory is protected by the backend's function */
	struct world world;
	uint64_t pages;
	int uffd;
	uint8_t *bare;
};

static void protections(void *opaque, uint64_t n)
{
	struct state *state = opaque;
	const struct gpa_range range = {.gpn = FIRST_GPA / 4096, .pages = state->pages};
	const struct backend_ops *ops = state->exits.guest.ops;
	void *backend = state->exits.guest.backend;

	while (n--) {
		must(!ops->protect(backend, 0, &range, 1, GPA_ALL & ~GPA_WRITE), "protect");
		must(!ops->protect(backend, 0, &range, 1, GPA_ALL), "unprotect");
	}
}

static void bare(const struct state *state, uint64_t page, uint64_t pages, bool on)
{
	struct uffdio_writeprotect request = {
		.range = {.start = (uintptr_t)state->bare + page * 4096, .len = pages * 4096},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	must(!ioctl(state->uffd, UFFDIO_WRITEPROTECT, &request), "UFFDIO_WRITEPROTECT");
}

static void bare_protections(void *opaque, uint64_t n)
{
	const struct state *state = opaque;

	while (n--) {
		bare(state, 0, state->pages, true);
		bare(state, 0, state->pages, false);
	}
}

static void scattered(void *opaque, uint64_t n)
{
	static const uint32_t name = HV_X64_REGISTER_R13;
	struct state *state = opaque;
	union hv_register_value value;
	uint32_t result;

	world_go(&state->world, world_call_loop, 3, n);
	must(world_run(&state->world, &result) == WORLD_LOOPED, "the guest's loop");
	must(vsm_vp_get_registers(state->world.vp, 0, &name, &value, 1) == 1 && !value.reg64,
	     "VTL1's hypercall");
}

static void bare_scattered(void *opaque, uint64_t n)
{
	const struct state *state = opaque;

	for (; n; n--)
		for (unsigned int on = 0; on < 2; on++)
			for (uint64_t i = 0; i < WORLD_LIST; i++)
				bare(state, i * STRIDE, 1, !on);
}

static void make_world(struct state *state)
{
	uint64_t gpns[WORLD_LIST];

	must(!world_create(&state->world, 1, NULL), "making a partition");
	must(world_enter(&state->world), "entering VTL1");
	memset(state->world.ram + FIRST_GPA, 1, WORLD_RAM - FIRST_GPA);
	for (uint64_t i = 0; i < WORLD_LIST; i++)
		gpns[i] = FIRST_GPA / 4096 + i * STRIDE;
	world_put_list(&state->world, false, 0xf & ~HV_MAP_GPA_WRITABLE, gpns);
	world_put_list(&state->world, true, 0xf, gpns);
}

static void make_bare_memory(struct state *state)
{
	int fd = memfd_create("bare", MFD_CLOEXEC);
	size_t size = PAGES * 4096ul;

	must(fd >= 0 && !ftruncate(fd, (off_t)size), "memfd");
	state->bare = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(state->bare != MAP_FAILED, "mmap");
	close(fd);
	madvise(state->bare, size, MADV_HUGEPAGE);
	state->uffd = uffd_open(NULL);
	must(state->uffd >= 0 && !uffd_register(state->uffd, state->bare, size, false),
	     "userfaultfd");
	memset(state->bare, 1, size);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint64_t pages;
		uint64_t iterations;
	} sizes[] = {
		{"protect+unprotect.1", 1, 1000},
		{"protect+unprotect.64", 64, 1000},
		{"protect+unprotect.512", 512, 1000},
		{"protect+unprotect.65536", PAGES, 40},
	};
	struct bench bench = bench_begin(argc, argv);
	struct state state = {0};

	exits_make(&state.exits, FIRST_GPA + PAGES * 4096ul);
	memset(state.exits.guest.ram + FIRST_GPA, 1, PAGES * 4096ul);
	make_bare_memory(&state);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		state.pages = sizes[i].pages;
		bench_alternately(&bench, sizes[i].name, protections, bare_protections, &state,
				  sizes[i].iterations);
	}
	make_world(&state);
	bench_alternately(&bench, "protect+unprotect.510-scattered", scattered, bare_scattered,
			  &state, 40);
	world_destroy(&state.world);
	return bench_end(&bench);
}
